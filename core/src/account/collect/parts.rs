//! Parts of an account: its moments, the way to the kill, and what had been predicted.

use super::episode::Episode;
use crate::account::oom::Predicted;
use crate::account::scope::{self, Scope};
use crate::account::victim::Candidate;
use crate::memcg::Stat;
use crate::observe::callpath::Frame;
use crate::observe::report::Report;

/// The moments of an OOM, as far as they are known.
pub(super) fn timings(episode: &Episode, step_started_ns: Option<u64>, complete_ns: u64) -> Stat {
    let moments = [
        ("step_started", step_started_ns),
        ("victim_marked", episode.marked_ns),
        ("victim_ended", episode.kills.iter().filter_map(|kill| kill.ended_ns).max()),
        ("complete", Some(complete_ns)),
    ];
    let mut timings_ns = Stat::default();
    for (name, moment) in moments {
        if let Some(moment) = moment {
            timings_ns.push(name, moment);
        }
    }
    timings_ns
}

/// The kernel functions on the way to the kill: by the mark, or else by the report.
pub(super) fn call_path(episode: &Episode) -> Vec<Frame> {
    match (&episode.report, episode.call_path.clone()) {
        (Some(report), path) if path.is_empty() => reported_path(report),
        (_, path) => path,
    }
}

/// The call path that the report shows: of the one who asked, on its way to print the report.
fn reported_path(report: &Report) -> Vec<Frame> {
    let frames = report.call_trace.iter().filter(|frame| !frame.uncertain);
    frames
        .map(|frame| Frame {
            function: frame.function.clone(),
            offset: frame.offset,
            size: frame.size,
            module: frame.module.clone(),
        })
        .collect()
}

/// The prediction of the step that led here, or else the kernel's own table scored by the kernel's formula.
pub(super) fn predicted(
    scope: Option<&Scope>,
    report: Option<&Report>,
    whose: &dyn Fn(i32) -> Option<String>,
    page_bytes: u64,
) -> (Option<Predicted>, Vec<Candidate>) {
    if let Some(scope) = scope.filter(|scope| scope.expected) {
        let predicted = scope.prediction.victim().map(|victim| Predicted {
            pid: victim.pid,
            comm: victim.comm.clone(),
            score: victim.score,
            determined: scope.prediction.determined,
            source: "procfs",
            made: "before",
        });
        return (predicted, scope.prediction.candidates.clone());
    }
    let Some(prediction) = report.and_then(|report| scope::from_report(report, whose, page_bytes)) else {
        return (None, Vec::new());
    };
    let predicted = prediction.victim().map(|victim| Predicted {
        pid: victim.pid,
        comm: victim.comm.clone(),
        score: victim.score,
        determined: prediction.determined,
        source: "report",
        made: "after",
    });
    (predicted, prediction.candidates)
}

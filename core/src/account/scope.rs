//! The scope of an OOM: whose limit a step would meet, which processes stand in it, and whom the kernel would take.

use serde::{Deserialize, Serialize};

use super::victim::{predict, Input, Prediction};
use crate::memcg::contents::Contents;
use crate::observe::report::Report;

/// Who would be taken, and at whose limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) limit_group: String,
    pub(crate) prediction: Prediction,
    /// Whether the step that was asked about meets the limit at all.
    pub(crate) expected: bool,
    /// Who takes the step.
    pub(crate) growing: Option<i32>,
    /// Pairs of processes with one and the same memory: who kills one kills both.
    pub(crate) sharing: Vec<(i32, i32)>,
    /// The processes as they were read; the prediction may have them as they will be.
    pub(crate) read: Vec<Input>,
    /// What the group holds whose limit would be met.
    pub(crate) contents: Contents,
}

/// A process that is about to take a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growing {
    pub(crate) pid: i32,
    pub(crate) bytes: u64,
    /// Whether the step counts into its score.
    pub(crate) weight: Weight,
}

/// How a step weighs on the group, and on the hog's own score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It is charged, and counts into the hog's resident size.
    Resident,
    /// It is charged, and counts into nobody's resident size.
    Charged,
    /// It leads to no OOM of its own: it can be dropped, or is not charged.
    None,
}

/// Whom the kernel's own task table names by the formula: the numbers at the moment of the choice. The table does not say
/// in which group a process stands: `whose` does, as far as anybody knows.
pub(crate) fn from_report(report: &Report, whose: &dyn Fn(i32) -> Option<String>, page: u64) -> Option<Prediction> {
    if report.tasks.is_empty() {
        return None;
    }
    let inputs = report.tasks.iter().map(|task| {
        let tables = match (task.pgtables_bytes, task.nr_ptes) {
            (Some(bytes), _) => bytes / page,
            (None, ptes) => ptes.unwrap_or(0) + task.nr_pmds.unwrap_or(0) + task.nr_puds.unwrap_or(0),
        };
        Input {
            // The table names a thread that has the memory; the process is its tgid.
            pid: task.process(),
            comm: task.comm.clone(),
            group: String::new(),
            rss_pages: task.rss_pages.unwrap_or(0),
            swap_pages: task.swapents_pages.unwrap_or(0),
            pgtable_pages: tables,
            oom_score_adj: task.oom_score_adj.and_then(|adj| i16::try_from(adj).ok()).unwrap_or(0),
            ..Input::default()
        }
    });
    let limit = report.memory.as_ref().and_then(|memory| memory.limit_bytes).map_or(u64::MAX, |bytes| bytes / page);
    // The table is what the kernel scored, so nothing of it is uncertain.
    let mut prediction = predict(inputs.collect(), limit, 0);
    for candidate in &mut prediction.candidates {
        candidate.group = whose(candidate.pid);
    }
    Some(prediction)
}

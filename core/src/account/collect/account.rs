//! The account of an OOM whose evidence is complete.

use std::sync::Arc;

use super::contents::charged_ahead;
use super::episode::Episode;
use super::gaps::{limit_of, without_group};
use super::logs::inside;
use super::{Before, Collector, Reading, COMPLETE_WITHIN, MOST_UNCLAIMED};
use crate::account::composition::Composition;
use crate::account::grower::grower;
use crate::account::oom::{Blocked, Oom, Predicted, Process, Span};
use crate::account::scope::{self, Scope};
use crate::account::victim::{Candidate, Input};
use crate::lab::foresee::read_tree;
use crate::lab::hub::State;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::version::Version;
use crate::memcg::{Counters, Stat};
use crate::observe::callpath::Frame;
use crate::observe::missing::Missing;
use crate::observe::report::Report;
use crate::observe::task::Proc;
use crate::sys;

impl Collector {
    /// Whose limit was hit, by the report.
    pub(super) fn limit_group(&self, episode: &Episode, state: &State) -> Option<String> {
        let path = episode.report.as_ref()?.oom_memcg.as_deref()?;
        let tops: Vec<String> = state.groups.values().map(|observed| observed.group.cgroup().to_string()).collect();
        Some(inside(path, &tops).unwrap_or_else(|| crate::text::escape(path)))
    }

    pub(super) fn account(&mut self, mut episode: Episode, state: &State, reading: &Reading) -> Oom {
        match self.outside {
            Some(_) => self.take_outside(&mut episode, state),
            None => self.identify_members(&mut episode, reading, state),
        }
        self.told.extend(episode.first_sequence);
        self.accounted.extend(episode.kills.iter().map(|kill| kill.victim.pid));
        while self.accounted.len() > MOST_UNCLAIMED {
            self.accounted.pop_front();
        }
        let mut missing = state.missing.clone();
        missing.append(&mut self.lost);
        missing.extend(episode.missing.iter().cloned());
        missing.extend(self.gaps_as_missing(&episode));
        let victim_group = episode.kills.iter().find_map(|kill| kill.victim.group.clone());
        let victim_group = victim_group.or(episode.counted_in.clone());
        let reported = self.limit_group(&episode, state);
        let find =
            |cgroup: &str| state.groups.values().map(|observed| &observed.group).find(|group| group.cgroup() == cgroup);
        let limit_group =
            reported.or_else(|| victim_group.as_deref().and_then(&find).and_then(|group| self.struck(group, &episode)));
        let group = limit_group.as_deref().and_then(&find);
        let after = limit_group.as_deref().and_then(|cgroup| reading.of(cgroup)).cloned().unwrap_or_default();
        // A prediction was made for one step, and says nothing of what happened after that.
        let before = limit_group.as_deref().and_then(|cgroup| self.before.get(cgroup));
        let during = |before: &&Before| match (episode.marked_ns, before.step_ended_ns) {
            (Some(marked_ns), Some(ended_ns)) => marked_ns <= ended_ns,
            _ => true,
        };
        let scope = before.filter(during).and_then(|before| before.scope.as_ref());
        let memory = episode.report.as_ref().and_then(|report| report.memory.as_ref());
        let counters_before = limit_group
            .as_deref()
            .and_then(|cgroup| self.before.get(cgroup))
            .map(|before| before.counters.clone())
            .unwrap_or_default();
        // Of a command the last reading may be as old as its start. The mark of the most that was charged stands no lower
        // than what the kernel met, and where it rose since that reading it is of now.
        let risen = after.peak_bytes.filter(|peak| counters_before.peak_bytes.is_some_and(|before| before < *peak));
        let usage_before = memory.map(|memory| memory.usage_bytes).or(risen).or(counters_before.usage_bytes);
        let (limit_bytes, no_limit) = limit_of(memory.map(|memory| memory.limit_bytes), group, state);
        missing.extend(no_limit);
        let whose = |pid: i32| self.placed_in(pid, &episode, limit_group.as_deref(), state);
        let (mut predicted, candidates) = predicted(scope, episode.report.as_deref(), &whose);
        missing.extend(without_group(&candidates));
        if let (Some(predicted), Some(invoker), Some(growing)) =
            (&mut predicted, &episode.invoker, scope.and_then(|scope| scope.growing))
        {
            // Somebody else took memory meanwhile, so the one that was to grow has got less of it.
            if predicted.source == "procfs" && invoker.pid != growing {
                (predicted.determined, episode.others_grew) = (false, predicted.determined);
            }
        }
        if let Some(predicted) = predicted.as_mut().filter(|one| one.source == "procfs") {
            // Whoever ended otherwise may have been gone, or going, when the kernel looked.
            predicted.determined &= episode.has(predicted.pid) || !ended(predicted.pid, state);
        }
        if predicted.is_none() {
            missing.push(Missing::new("prediction", "no step of a hog led here, and there is no task table"));
        }
        if episode.report.as_ref().is_none_or(|report| report.invoker.is_none())
            && (self.has_log || self.outside.is_some())
        {
            missing.push(self.no_report(&episode));
        }
        missing.extend(not_ended(&episode));
        let call_path = match (&episode.report, episode.call_path.clone()) {
            (Some(report), path) if path.is_empty() => reported_path(report),
            (_, path) => path,
        };
        if call_path.is_empty() {
            missing.push(Missing::new("call-path", "neither the tracepoint nor a report gave one"));
        }
        let step =
            limit_group.as_deref().and_then(|cgroup| self.before.get(cgroup)).and_then(|before| before.step_started_ns);
        let ended = episode.kills.iter().filter_map(|kill| kill.ended_ns).max();
        let moments = [
            ("step_started", step),
            ("victim_marked", episode.marked_ns),
            ("victim_ended", ended),
            ("complete", Some(sys::monotonic_ns())),
        ];
        let mut timings_ns = Stat::default();
        for (name, moment) in moments {
            if let Some(moment) = moment {
                timings_ns.push(name, moment);
            }
        }
        let usage_bytes = Span { before: usage_before, after: after.usage_bytes };
        if let Some(cgroup) = limit_group.as_deref() {
            self.unread(cgroup, self.before.get(cgroup), reading, Some(&usage_bytes), &mut missing);
        }
        let other = victim_group.as_deref().filter(|cgroup| Some(*cgroup) != limit_group.as_deref());
        if let Some(cgroup) = other {
            self.unread(cgroup, self.before.get(cgroup), reading, None, &mut missing);
        }
        let victim_counters =
            victim_group.as_deref().filter(|cgroup| Some(*cgroup) != limit_group.as_deref()).and_then(&find).map(
                |group| Span {
                    before: self.counters_before(group),
                    after: reading.of(group.cgroup()).cloned().unwrap_or_default(),
                },
            );
        let marked_ns = episode.marked_ns;
        let hierarchy = state.groups.values().next().map_or(Version::V2, |observed| observed.group.version());
        if limit_group.is_none() {
            missing
                .push(Missing::new("limit-group", "no report says whose limit was hit, and the counters do not tell"));
        }
        let composition = self.composition(&episode, limit_group.as_deref(), hierarchy, usage_before);
        if composition.is_none() {
            let reason = "no report was read, and memory.stat was not read while the memory of the victim was there";
            missing.push(Missing::new("composition", reason));
        }
        let read_living = || group.map(living).unwrap_or_default();
        let holders = self.holders(&episode, read_living, composition.as_ref());
        let struck_ns = episode.marked_ns.unwrap_or_else(sys::monotonic_ns);
        let grower = grower(&holders, &self.growth, struck_ns, charged_ahead());
        self.last_struck = limit_group.clone().map(|cgroup| (cgroup, reading.ended_ns));
        // Whoever was ending already was neither killed nor counted.
        let killed =
            episode.kills.iter().map(|kill| &kill.victim).filter(|victim| !episode.ending.contains(&victim.pid));
        let mut oom = Oom {
            schema: Oom::SCHEMA,
            hierarchy,
            limit_group,
            limit_bytes,
            usage_bytes,
            composition,
            holders,
            grower,
            invoker: episode.invoker.clone(),
            predicted,
            candidates,
            victims: killed.cloned().collect(),
            counters: Span { before: counters_before, after },
            victim_counters,
            report: episode.report.clone(),
            call_path,
            blocked: Vec::new(),
            timings_ns,
            disagreements: Vec::new(),
            missing,
        };
        oom.disagreements = self.disagreements(&oom, &episode, reading, state);
        self.tally(&oom, marked_ns, reading, state);
        // What comes next starts from here.
        for (cgroup, counters) in reading.all() {
            if let Some(before) = self.before.get_mut(cgroup) {
                before.counters = counters.clone();
                before.read_ns = reading.ended_ns;
                before.scope = None;
            }
            self.notified.remove(cgroup);
        }
        oom
    }

    /// The account of a worker that waits because the OOM killer is off: the group with the switch is the one whose
    /// limit was hit.
    pub(crate) fn blocked(&mut self, group: &Arc<Cgroup>, blocked: Blocked, missing: &[Missing]) -> Oom {
        let off = |at: &&Arc<Cgroup>| at.counters().is_ok_and(|counters| counters.oom_kill_disable == Some(true));
        let at = group.chain().find(off).unwrap_or(group);
        let composition = at.contents().ok().map(|held| Composition::of_contents(&held, "memory.stat"));
        let holders = self.waiting_holders(&living(at), composition.as_ref());
        let grower = grower(&holders, &self.growth, sys::monotonic_ns(), charged_ahead());
        let before = self.before.get(at.cgroup());
        let read = at.counters();
        let limit = at.limit();
        let mut missing = missing.to_vec();
        if before.is_none_or(|before| before.counters == Counters::default()) {
            missing.push(Missing::new("counters", "nothing of them had been read before the OOM"));
        }
        missing.extend(read.as_ref().err().map(|error| Missing::new("counters", error.to_string())));
        missing.extend(limit.as_ref().err().map(|error| Missing::new("limit", error.to_string())));
        let counters = Span { before: self.counters_before(at), after: read.unwrap_or_default() };
        let (predicted, candidates) = predicted(self.scope_before(at.cgroup()), None, &|_| None);
        let mut timings_ns = Stat::default();
        if let Some(moment) = before.and_then(|before| before.step_started_ns) {
            timings_ns.push("step_started", moment);
        }
        timings_ns.push("complete", sys::monotonic_ns());
        Oom {
            schema: Oom::SCHEMA,
            hierarchy: at.version(),
            limit_group: Some(at.cgroup().to_string()),
            limit_bytes: limit.ok().and_then(|limit| limit.bytes()),
            usage_bytes: Span { before: counters.before.usage_bytes, after: counters.after.usage_bytes },
            composition,
            holders,
            grower,
            invoker: Some(Process { pid: blocked.pid, comm: blocked.comm.clone() }),
            predicted,
            candidates,
            victims: Vec::new(),
            counters,
            victim_counters: None,
            report: None,
            call_path: blocked.stack.clone(),
            blocked: vec![blocked],
            timings_ns,
            disagreements: Vec::new(),
            missing,
        }
    }

    /// Whose limit was hit, without a report: the failed charge counts where it failed (v1 `memory.failcnt`, v2 `oom`
    /// of `memory.events.local`).
    pub(super) fn struck(&self, group: &Arc<Cgroup>, episode: &Episode) -> Option<String> {
        let rose = |at: &&Arc<Cgroup>| {
            let (Some(before), Ok(now)) = (self.before.get(at.cgroup()), at.counters()) else { return false };
            let count = |counters: &Counters| match at.version() {
                Version::V1 => counters.failcnt,
                Version::V2 => counters.local.get("oom").or(counters.oom),
            };
            count(&now) > count(&before.counters)
        };
        // Where memory+swap has the same limit as memory, its charge fails first, and 6.18 counts that nowhere: then
        // the usage that once stood at the limit tells.
        let full = |at: &&Arc<Cgroup>| {
            let limit = at.limit().ok().and_then(|limit| limit.bytes());
            limit.is_some_and(|limit| at.peak_bytes().ok().flatten().is_some_and(|peak| peak >= limit))
        };
        // Or there is one limit only.
        let mut limited = group.chain().filter(|at| at.limit().is_ok_and(|limit| limit.bytes().is_some()));
        let only = limited.next().filter(|_| limited.next().is_none());
        let found = group.chain().find(rose).or_else(|| group.chain().find(full)).or(only);
        // Of several kills at once the first has had the readings of all: it was the same limit.
        let last = || {
            let (last, read_ns) = self.last_struck.as_ref()?;
            (crate::memcg::path::covers(last, group.cgroup()) && episode.opened_ns <= *read_ns).then_some(last.as_str())
        };
        found.map(|group| group.cgroup()).or_else(last).map(str::to_string)
    }
}

/// A victim, or another process of a group that is killed as a whole, that an account was not kept open for any longer.
fn not_ended(episode: &Episode) -> Option<Missing> {
    let who = match (episode.all_ended(), episode.sealed) {
        (false, _) => "a victim",
        (true, false) => "a process of a group that the kernel was to kill as a whole",
        (true, true) => return None,
    };
    let within = if episode.opened.elapsed() > COMPLETE_WITHIN { "within 10 seconds" } else { "when the group went" };
    Some(Missing::new("exit", format!("{who} had not ended {within}")))
}

/// The processes of a group and of those below it now; none where they cannot be read.
fn living(group: &Arc<Cgroup>) -> Vec<Input> {
    let mut inputs = Vec::new();
    match read_tree(group, &mut inputs) {
        Ok(()) => inputs,
        Err(_) => Vec::new(),
    }
}

/// Whether a process has ended, or is about to.
pub(super) fn ended(pid: i32, state: &State) -> bool {
    match state.workers.values().rev().find(|process| process.pid == pid) {
        Some(process) => process.progress().exit.is_some() || Proc::system().is_ending(pid),
        None => Proc::system().is_ending(pid),
    }
}

/// The call path that the report shows: of the one who asked, on its way to print the report.
fn reported_path(report: &Report) -> Vec<Frame> {
    let frames = report.call_trace.iter().filter(|frame| !frame.uncertain);
    frames
        .map(|frame| Frame {
            function: frame.function.clone(),
            offset: Some(frame.offset),
            size: Some(frame.size),
            module: frame.module.clone(),
        })
        .collect()
}

/// The prediction of the step that led here, or else the kernel's own table scored by the kernel's formula.
fn predicted(
    scope: Option<&Scope>,
    report: Option<&Report>,
    whose: &dyn Fn(i32) -> Option<String>,
) -> (Option<Predicted>, Vec<Candidate>) {
    if let Some(scope) = scope.filter(|scope| scope.expected) {
        let predicted = scope.prediction.victim().map(|victim| Predicted {
            pid: victim.pid,
            comm: victim.comm.clone(),
            score: victim.score,
            determined: scope.prediction.determined,
            source: "procfs",
        });
        return (predicted, scope.prediction.candidates.clone());
    }
    let Some(prediction) = report.and_then(|report| scope::from_report(report, whose)) else {
        return (None, Vec::new());
    };
    let predicted = prediction.victim().map(|victim| Predicted {
        pid: victim.pid,
        comm: victim.comm.clone(),
        score: victim.score,
        determined: prediction.determined,
        source: "report",
    });
    (predicted, prediction.candidates)
}

//! What an account could not have, each with the reason that the evidence gives, and no other.

use std::borrow::Cow;

use super::episode::Episode;
use super::{Collector, Reading};
use crate::account::oom::Span;
use crate::account::scene::Scene;
use crate::account::victim::Candidate;
use crate::memcg::{Counters, Limit};
use crate::observe::kmsg::{self, Record};
use crate::observe::missing::Missing;
use crate::order::order_long;
use crate::text::named;

/// The kernel prints no more than so many reports for the whole machine ...
const MOST_REPORTS: usize = 10;
/// ... within so long (`oom_rs` in mm/oom_kill.c, with the defaults of a ratelimit).
const REPORTS_WITHIN_USEC: u64 = 5_000_000;
/// A mark has its time by another clock than the log.
const CLOCKS_DIFFER_USEC: u64 = 100_000;
/// Beginnings of reports, and gaps, that are remembered.
const MOST_REMEMBERED: usize = 256;

/// When the log had the beginning of a report of whomsoever, in microseconds of its clock.
#[derive(Default)]
pub(super) struct Begun {
    times_usec: Vec<u64>,
    /// Also those that were printed before the log was opened.
    has_history: bool,
}

impl Begun {
    pub(super) fn note(&mut self, records: &[Record]) {
        let begun = records.iter().filter(|record| record.facility() == 0 && kmsg::begins_report(&record.text));
        self.times_usec.extend(begun.map(|record| record.time_usec));
        let excess = self.times_usec.len().saturating_sub(MOST_REMEMBERED);
        self.times_usec.drain(..excess);
    }

    /// Whether the kernel had printed all the reports that it prints in a while when it killed at that time.
    fn were_all_printed(&mut self, kill_usec: u64, scene: &dyn Scene) -> bool {
        if !self.has_history {
            self.has_history = true;
            let mut times_usec = scene.reports_begun();
            times_usec.append(&mut self.times_usec);
            order_long(&mut times_usec, |time| *time);
            times_usec.dedup();
            self.times_usec = times_usec;
        }
        let within = kill_usec.saturating_sub(REPORTS_WITHIN_USEC)..=kill_usec + CLOCKS_DIFFER_USEC;
        self.times_usec.iter().filter(|begun| within.contains(begun)).count() >= MOST_REPORTS
    }
}

/// So many records of a source could not be read, from one reading of it to another.
pub(super) struct Gap {
    pub(super) source: &'static str,
    reason: String,
    from_ns: u64,
    to_ns: u64,
}

impl Collector {
    /// Records of a source were overwritten since the reading before this one; their number is 0 where nobody knows it.
    pub(super) fn lost(&mut self, source: &'static str, count: u64, now_ns: u64) {
        let reason = match count {
            0 => "records were overwritten before they could be read, nobody knows how many".to_string(),
            _ => format!("{count} records were overwritten before they could be read"),
        };
        self.gap(source, reason, now_ns);
    }

    pub(super) fn gap(&mut self, source: &'static str, reason: String, now_ns: u64) {
        self.gaps.push_back(Gap { source, reason, from_ns: self.read_before_ns, to_ns: now_ns });
        if self.gaps.len() > MOST_REMEMBERED {
            self.gaps.pop_front();
        }
    }

    /// The gaps that may have held what the sources say of an OOM. One without a mark was killed after the counters were
    /// read for the one before it.
    pub(super) fn gaps_of<'a>(&'a self, episode: &'a Episode) -> impl Iterator<Item = &'a Gap> {
        let groups = episode.kills.iter().filter_map(|kill| kill.victim.group.as_ref()).chain(&episode.counted_in);
        let before = groups.filter_map(|group| self.before.get(group.as_str())).map(|before| before.read_ns).max();
        let first_ns = episode.marked_ns.or(before).unwrap_or(0);
        let last_ns = episode.marked_ns.unwrap_or(episode.opened_ns);
        self.gaps.iter().filter(move |gap| gap.to_ns >= first_ns && gap.from_ns <= last_ns)
    }

    pub(super) fn gaps_as_missing<'a>(&'a self, episode: &'a Episode) -> impl Iterator<Item = Missing> + 'a {
        self.gaps_of(episode).map(|gap| Missing::new(gap.source, gap.reason.clone()))
    }

    /// There is no report: why, as far as anything tells.
    pub(super) fn no_report(&mut self, episode: &Episode, scene: &dyn Scene) -> Missing {
        let printed_usec = episode.report.as_ref().and_then(|report| report.time_usec);
        let kill_usec = printed_usec.or(episode.marked_ns.map(|marked_ns| marked_ns / 1000));
        let reason = if self.gaps_of(episode).any(|gap| gap.source == "kernel-log") {
            "it may stand among the records of the kernel log that could not be read"
        } else if kill_usec.is_some_and(|kill_usec| self.begun.were_all_printed(kill_usec, scene)) {
            "the kernel had printed 10 reports within 5 seconds, and prints no more for the whole machine"
        } else {
            "the kernel log has none, and no source says why"
        };
        Missing::new("report", reason)
    }

    /// What was not read of the counters of a group, before the OOM or after it.
    pub(super) fn unread(
        &self,
        cgroup: &str,
        reading: &Reading,
        usage: Option<&Span<Option<u64>>>,
        missing: &mut Vec<Missing>,
    ) {
        let mut name = |what: &str, reason: Cow<'static, str>| {
            missing.push(Missing::new("counters", format!("those of {cgroup} {what}: {reason}")));
        };
        if self.before.get(cgroup).is_none_or(|before| before.counters == Counters::default()) {
            let usage_is_known = usage.is_some_and(|usage| usage.before.is_some());
            let but = if usage_is_known { " (the usage is the report's)" } else { "" };
            name(&format!("before the OOM{but}"), "nothing of them had been read".into());
        }
        if let Some(reason) = reading.why_not(cgroup) {
            name("after the OOM", reason);
        }
    }
}

/// The kernel's table has no groups: which of its processes nobody could place.
pub(super) fn without_group(candidates: &[Candidate]) -> Option<Missing> {
    const MOST_NAMED: usize = 8;
    let processes: Vec<String> =
        candidates.iter().filter(|one| one.group.is_none()).map(|one| named(&one.comm, one.pid)).collect();
    let more = processes.len().saturating_sub(MOST_NAMED);
    let and = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed = processes.get(..MOST_NAMED).unwrap_or(&processes).join(", ");
    let reason = format!("the kernel's table names no groups, and nothing else says where {listed}{and} stood");
    (!processes.is_empty()).then(|| Missing::new("candidates", reason))
}

/// The limit that was hit, and why it is not known. None is said only where it was read.
pub(super) fn limit_of(
    reported: Option<Option<u64>>,
    cgroup: Option<&str>,
    scene: &dyn Scene,
) -> (Option<u64>, Option<Missing>) {
    if let Some(limit_bytes) = reported {
        return (limit_bytes, None);
    }
    match cgroup.map(|cgroup| scene.limit(cgroup)) {
        Some(Ok(Limit::Bytes(bytes))) => (Some(bytes), None),
        Some(Ok(Limit::Max)) => (None, None),
        Some(Err(reason)) => (None, Some(Missing::new("limit", reason))),
        None => (None, Some(Missing::new("limit", "the group whose limit was hit is not observed"))),
    }
}

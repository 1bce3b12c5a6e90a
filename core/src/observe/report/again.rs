//! A report that is in the log twice is one: pasted twice, or told again by a monitor that reads the log.

use super::{Kill, Report};
use crate::map::Map;

/// Where a report belongs among those before it: at their end, or in the place of a poorer copy; `None`: it is the copy.
pub(super) fn place(reports: &[Report], victims: &Map<i32, usize>, report: &Report) -> Option<usize> {
    let end = reports.len();
    let Some(kill) = report.kills.first() else {
        let twice = reports.iter().rev().take(NEAR).any(|before| is_copy(before, report) || is_excerpt(report, before));
        return (!twice).then_some(end);
    };
    let near = end.saturating_sub(NEAR);
    if let Some(at) = reports[near..].iter().position(|before| is_excerpt(before, report)) {
        return Some(near + at);
    }
    let Some(&at) = victims.get(&kill.pid) else { return Some(end) };
    let Some(before) = reports.get(at) else { return Some(end) };
    // The sizes of a process are its fingerprint; without them a number may have come around, but not at the same time.
    let same_time = is_timed(report) && (before.time_usec, &before.logged_at) == (report.time_usec, &report.logged_at);
    let known = |kill: &Kill| (kill.total_vm_bytes.is_some() || same_time) && before.kills.contains(kill);
    if !report.kills.iter().any(known) {
        return Some(end);
    }
    (told(report) > told(before)).then_some(at)
}

/// A copy without a kill stands so near.
const NEAR: usize = 16;

fn is_timed(report: &Report) -> bool {
    report.time_usec.is_some() || report.logged_at.is_some()
}

/// Whether a report without a kill is the one before it again: everything that it says, at the same time.
fn is_copy(last: &Report, report: &Report) -> bool {
    is_timed(report)
        && !report.no_killable
        && (last.time_usec, &last.logged_at) == (report.time_usec, &report.logged_at)
        && (&last.invoker, &last.chosen, &last.tasks) == (&report.invoker, &report.chosen, &report.tasks)
        && (last.memory, &last.stat) == (report.memory, &report.stat)
}

/// Whether a report is nothing but the choice of the victim that the other tells too, as somebody quotes it from another log.
fn is_excerpt(report: &Report, of: &Report) -> bool {
    let clocks = report.time_usec.zip(of.time_usec).map(|(one, other)| one != other);
    let walls = report.logged_at.as_ref().zip(of.logged_at.as_ref()).map(|(one, other)| one != other);
    report.kills.is_empty()
        && report.missing.first().is_some_and(|missing| missing.source == "report")
        && report.sacrifice.is_some()
        && report.sacrifice == of.sacrifice
        && clocks != Some(true)
        && walls != Some(true)
}

/// How much a report tells.
fn told(report: &Report) -> usize {
    let fields = [
        report.invoker.is_some(),
        report.release.is_some(),
        report.constraint.is_some(),
        report.memory.is_some(),
        report.oom_memcg.is_some(),
        report.chosen.is_some(),
        report.group_kill.is_some(),
    ];
    let there = fields.into_iter().filter(|there| *there).count();
    there + report.tasks.len() + report.call_trace.len() + report.stat.len() + report.kills.len()
}

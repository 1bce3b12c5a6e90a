//! What the kill brought: a whole group, too little, or the same once more.

use super::{named, Facts};
use crate::account::oom::Cause;
use crate::memcg::limits::human_size;
use crate::observe::finding::Finding;

/// `group-kill`: `memory.oom.group` took others along.
pub(super) fn group_kill(facts: &Facts) -> Option<Finding> {
    let oom = facts.oom;
    let members = || oom.victims.iter().filter(|victim| victim.cause == Cause::Group);
    let head = facts.victim().map(|victim| victim.pid);
    let others = members().filter(|victim| Some(victim.pid) != head);
    let mut names: Vec<String> = others.map(|victim| named(&victim.comm, victim.pid)).collect();
    members().next()?;
    if names.is_empty() {
        names.push("others that no source names".to_string());
    }
    let victim = facts.victim().map_or("the chosen one".to_string(), |victim| named(&victim.comm, victim.pid));
    let group = oom.report.as_ref().and_then(|report| report.group_kill.as_deref()).map(crate::text::escape);
    let rest = names.len().saturating_sub(3);
    let more = if rest > 0 { format!(" and {rest} more of `victims`") } else { String::new() };
    let text = format!(
        "memory.oom.group took the whole group: with {victim} died {}{more}.",
        names[..names.len() - rest].join(", ")
    );
    Some(
        Finding::new("group-kill", text)
            .shown_by("victims", oom.victims.len())
            .shown_by("report.group_kill", group.unwrap_or_else(|| "null".to_string()))
            .remedied_by("switch memory.oom.group off where one process may die alone"),
    )
}

/// `freed-too-little`: the usage stands at the limit after the kill.
pub(super) fn freed_too_little(facts: &Facts) -> Option<Finding> {
    let victim = facts.victim()?;
    let (before, after, limit) = (facts.oom.usage_bytes.before?, facts.oom.usage_bytes.after?, facts.oom.limit_bytes?);
    // Page tables are given back after a grace period of RCU.
    let to_come = facts.composition().and_then(|made| made.page_tables_bytes).unwrap_or(0);
    if limit == 0 || after.saturating_sub(to_come) < limit - limit / 8 {
        return None;
    }
    let text = format!(
        "The kill of {} freed too little: {} were charged before it and {} after, of {}.",
        named(&victim.comm, victim.pid),
        human_size(before),
        human_size(after),
        human_size(limit)
    );
    Some(
        Finding::new("freed-too-little", text)
            .shown_by("usage_bytes.before", before)
            .shown_by("usage_bytes.after", after)
            .shown_by("limit_bytes", limit)
            .remedied_by("look at `holders` for what is left; the next charge meets the limit again"),
    )
}

/// `repeated`: it is not the first of this group.
pub(super) fn repeated(facts: &Facts) -> Option<Finding> {
    let number = facts.oom.occurrence.filter(|number| *number > 1)?;
    let text = format!("It is OOM number {number} of this group since it is watched.");
    Some(
        Finding::new("repeated", text)
            .shown_by("occurrence", number)
            .remedied_by("whatever starts the victim anew meets the same limit again: mend the cause, not the restart"),
    )
}

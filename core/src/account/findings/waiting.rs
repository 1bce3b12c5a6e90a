//! Nobody died: the killer is off, the group is paused, or there is nobody to kill.

use super::{named, Facts};
use crate::memcg::version::Version;
use crate::observe::finding::Finding;

fn who(facts: &Facts) -> String {
    let names: Vec<String> = facts.oom.blocked.iter().map(|one| named(&one.comm, one.pid)).collect();
    names.join(", ")
}

/// `killer-off`: v1, and somebody waits.
pub(super) fn killer_off(facts: &Facts) -> Option<Finding> {
    let first = facts.oom.blocked.first().filter(|_| facts.oom.hierarchy == Version::V1)?;
    let text = format!("{} waits for memory, because the OOM killer of the group is off.", who(facts));
    Some(
        Finding::new("killer-off", text)
            .shown_by("counters.after.under_oom", facts.oom.counters.after.under_oom == Some(true))
            .shown_by("counters.after.oom_kill_disable", facts.oom.counters.after.oom_kill_disable == Some(true))
            .shown_by("blocked[0].state", first.state)
            .shown_by("blocked[0].wchan", first.wchan.as_deref().unwrap_or("unknown"))
            .remedied_by("raise the limit, turn the OOM killer on (write 0 to memory.oom_control), or end a process"),
    )
}

/// `paused`: v2, and memoom has stopped the group at its limit.
pub(super) fn paused(facts: &Facts) -> Option<Finding> {
    let first = facts.oom.blocked.first().filter(|_| facts.oom.hierarchy == Version::V2)?;
    let text = format!("{} stands still: the group was told to block at its limit, and is frozen.", who(facts));
    Some(
        Finding::new("paused", text)
            .shown_by("blocked[0].state", first.state)
            .shown_by("blocked[0].wchan", first.wchan.as_deref().unwrap_or("unknown"))
            .remedied_by("resume the group: with a higher limit, with the killer, or after a death"),
    )
}

/// `nobody-to-kill`: the limit was hit, and no process could be taken.
pub(super) fn nobody_to_kill(facts: &Facts) -> Option<Finding> {
    let oom = facts.oom;
    let said = oom.report.as_ref().is_some_and(|report| report.no_killable);
    let spared = |candidate: &super::super::victim::Candidate| !candidate.eligible && candidate.oom_score_adj == -1000;
    let all_spared = !oom.candidates.is_empty() && oom.candidates.iter().all(|candidate| !candidate.eligible);
    let nobody = oom.victims.is_empty() && oom.blocked.is_empty();
    let found = said || nobody && all_spared;
    if !found {
        return None;
    }
    let text = if oom.candidates.iter().any(spared) {
        "The kernel found nobody to kill: oom_score_adj -1000 spares every process of the group."
    } else {
        "The kernel found nobody to kill: no process of the group has memory that a kill would give back."
    };
    Some(
        Finding::new("nobody-to-kill", text)
            .shown_by("report.no_killable", said)
            .shown_by("candidates", oom.candidates.len())
            .remedied_by("leave one process that may be killed, or raise the limit"),
    )
}

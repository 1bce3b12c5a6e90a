//! Members of a group that was killed as a whole, of which /proc could say nothing any more: who they were, and where.
//!
//! With `memory.oom.group` the kernel kills the chosen process, and then every process of the group: also the chosen one
//! once more, if it has its memory still. On a slow or busy machine all of them are gone before the first mark is read.

use std::time::Instant;

use super::claims::flagged;
use super::{Collector, Episode, Reading, LINE_WITHIN};
use crate::account::oom::Cause;
use crate::observe::hub::State;
use crate::observe::report::{self, Report};
use crate::observe::Missing;

impl Collector {
    /// Whether a member looks like a thread of the chosen process while the supervisor may still be about to tell that it
    /// was a process.
    pub(super) fn awaits_a_reaping(&mut self, at: usize, state: &State) -> bool {
        let supervised = self.namesake(&self.open[at], state).is_some_and(|(_, process)| is_supervised(process, state));
        supervised && self.open[at].untold_since.get_or_insert_with(Instant::now).elapsed() < LINE_WITHIN
    }

    /// Says of each member who it was and where it stood, as far as that can be concluded.
    pub(super) fn identify_members(&mut self, episode: &mut Episode, reading: &Reading, state: &State) {
        if let Some((thread, process)) = self.namesake(episode, state) {
            let seen = format!("pid {thread} was killed with the very sizes of pid {process}");
            let reason = if is_supervised(process, state) {
                self.note_thread(thread, process);
                episode.kills.retain(|kill| kill.victim.pid != thread);
                format!("{seen}, and no such process was reaped: it is taken for a thread of it")
            } else {
                format!("{seen}, and may be a thread of it: it had gone before anybody could ask")
            };
            episode.missing.push(Missing::new("victim", reason));
        }
        self.place_members(episode, reading, state);
    }

    /// A member that may be a thread of the chosen process, and that process.
    fn namesake(&self, episode: &Episode, state: &State) -> Option<(i32, i32)> {
        let is_process = |pid: i32| {
            state.workers.values().any(|worker| worker.pid == pid)
                || state.orphans.get(&pid).is_some()
                || self.members.get(&pid).is_some()
                || episode.kills.iter().any(|kill| kill.victim.pid == pid && kill.pidfd.is_some())
        };
        namesake(episode.report.as_ref()?, |pid| self.process_of(pid), is_process)
    }

    /// Members whose group nobody knows stood where kills are counted that no other victim explains.
    fn place_members(&self, episode: &mut Episode, reading: &Reading, state: &State) {
        let unplaced: Vec<i32> =
            episode.kills.iter().filter(|kill| kill.victim.group.is_none()).map(|kill| kill.victim.pid).collect();
        let chosen = episode.kills.iter().find(|kill| kill.victim.cause == Cause::Selected);
        let chosen = chosen.and_then(|kill| kill.victim.group.clone());
        let Some(chosen) = chosen.filter(|chosen| !unplaced.is_empty() && flagged(chosen, state)) else { return };
        let mut left: Vec<(String, u64)> = Vec::new();
        for cgroup in state.groups.values().map(|observed| observed.group.cgroup()) {
            // Where a group does not count its own kills apart, nothing can be concluded.
            let own = reading.of(cgroup).is_some_and(|counters| counters.local.get("oom_kill").is_some());
            let Some(kills) = reading.kills(cgroup).filter(|_| own) else { continue };
            let known = self.pending(cgroup).count() + episode.counted_by(cgroup).count();
            let owed = self.unaccounted(cgroup, kills).saturating_sub(known as u64);
            if owed > 0 {
                left.push((cgroup.to_string(), owed));
            }
        }
        let total: u64 = left.iter().map(|(_, owed)| owed).sum();
        if total == unplaced.len() as u64 + 1 {
            // The chosen one was counted twice.
            if let Some((_, owed)) = left.iter_mut().find(|(cgroup, _)| *cgroup == chosen) {
                *owed -= 1;
            }
            left.retain(|(_, owed)| *owed > 0);
        }
        match left.as_slice() {
            [(cgroup, owed)] if *owed == unplaced.len() as u64 => {
                for kill in episode.kills.iter_mut().filter(|kill| kill.victim.group.is_none()) {
                    kill.victim.group = Some(cgroup.clone());
                }
            }
            _ => {
                let pids: Vec<String> = unplaced.iter().map(i32::to_string).collect();
                let reason =
                    format!("pid {} had gone before anybody could ask in which group it stood", pids.join(", "));
                episode.missing.push(Missing::new("victim", reason));
            }
        }
    }
}

/// Whether our supervisor reaps this process and all that descend from it.
fn is_supervised(process: i32, state: &State) -> bool {
    let is_worker = state.workers.values().any(|worker| worker.pid == process && !worker.forked);
    is_worker || state.orphans.get(&process).is_some()
}

/// The one member that may be a thread of the chosen process, and that process: the kernel names another thread where the
/// first has given up its memory. The chosen one does not stand among the members under its own name then, and the thread
/// has its very sizes. Where several have, they are processes that one made of itself.
fn namesake(report: &Report, process_of: impl Fn(i32) -> i32, is_process: impl Fn(i32) -> bool) -> Option<(i32, i32)> {
    report.group_kill.as_ref()?;
    let (chosen, members) = report.kills.split_first()?;
    let process = process_of(chosen.pid);
    // A second line of the same process is no further kill of the report.
    let named = report.text.matches(&format!("Killed process {} (", chosen.pid)).count();
    if named > 1 || members.iter().any(|kill| process_of(kill.pid) == process) {
        return None;
    }
    let mut alike = members.iter().filter(|kill| sizes(kill) == sizes(chosen) && !is_process(kill.pid));
    match (alike.next(), alike.next()) {
        (Some(one), None) => Some((one.pid, process)),
        _ => None,
    }
}

/// What one and the same memory shows each time.
fn sizes(kill: &report::Kill) -> impl PartialEq {
    (
        [kill.total_vm_bytes, kill.anon_rss_bytes, kill.file_rss_bytes, kill.shmem_rss_bytes, kill.pgtables_bytes],
        kill.uid,
        kill.oom_score_adj,
    )
}

#[cfg(test)]
mod tests {
    use super::namesake;
    use crate::observe::report::parse_reports;

    /// The lines of a group kill, each with its pid and its anonymous memory in KiB; the first is the chosen one's.
    fn report(lines: &[(i32, u32)]) -> crate::observe::report::Report {
        let mut text = String::new();
        for (at, (pid, anon)) in lines.iter().enumerate() {
            if at == 1 {
                text += "Tasks in /lab/g are going to be killed due to memory.oom.group set\n";
            }
            text += &format!(
                "Memory cgroup out of memory: Killed process {pid} (p) total-vm:{anon}kB, anon-rss:{anon}kB, file-rss:4kB, \
                 shmem-rss:0kB, UID:0 pgtables:44kB oom_score_adj:0\n"
            );
        }
        let mut reports = parse_reports(text.as_bytes());
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports.remove(0)
    }

    #[test]
    fn a_thread_of_the_chosen_process_is_known_by_its_sizes() {
        let nobody = |_: i32| false;
        let same = |pid: i32| pid;
        assert_eq!(namesake(&report(&[(10, 400), (11, 400), (12, 80)]), same, nobody), Some((11, 10)));
        // Under its own name, or under that of a thread that is known.
        assert_eq!(namesake(&report(&[(10, 400), (10, 400), (11, 400)]), same, nobody), None);
        assert_eq!(namesake(&report(&[(10, 400), (11, 400)]), |pid| if pid == 11 { 10 } else { pid }, nobody), None);
        // A process of the same sizes, several that look the same, and none.
        assert_eq!(namesake(&report(&[(10, 400), (11, 400)]), same, |pid| pid == 11), None);
        assert_eq!(namesake(&report(&[(10, 400), (11, 400), (12, 400)]), same, nobody), None);
        assert_eq!(namesake(&report(&[(10, 400), (11, 80)]), same, nobody), None);
        // One kill, and no group.
        assert_eq!(namesake(&report(&[(10, 400)]), same, nobody), None);
    }
}

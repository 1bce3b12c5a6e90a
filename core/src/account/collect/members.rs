//! Members of a group that was killed as a whole, of which /proc could say nothing any more: who they were, and where.
//!
//! With `memory.oom.group` the kernel kills the chosen process, and then every process of the group: also the chosen one
//! once more, if it has its memory still, and any other once more whose first thread ends meanwhile. A second line may
//! name another thread. On a slow or busy machine all of them are gone before the first mark is read.

use super::claims::flagged;
use super::unclaimed::{Sign, Unclaimed};
use super::{within, Collector, Episode, Reading, LINE_WITHIN};
use crate::account::oom::Cause;
use crate::account::scene::Scene;
use crate::observe::missing::Missing;
use crate::observe::report::{self, Report};
use crate::observe::trace::TraceVictim;

/// Whether a mark was made on the way of killing a whole group, after the chosen one.
fn is_of_member(trace: &TraceVictim) -> bool {
    trace.call_path.iter().any(|frame| frame.function.starts_with("oom_kill_memcg_member"))
}

impl Collector {
    /// Whether a mark that nobody could place goes on with a kill that is known: the same thread kills one group after
    /// the other. Where the log is read, its lines say the same and more.
    pub(super) fn continues_a_kill(&self, trace: &TraceVictim) -> bool {
        let same = |episode: &Episode| episode.invoker_thread == Some(trace.invoker_pid);
        !self.has_log && is_of_member(trace) && self.open.iter().any(same)
    }

    /// The marks before that of a member, by the same thread, up to that of the chosen one: they are of the same kill, and
    /// nobody could place them as they had gone already.
    pub(super) fn join_earlier(&mut self, trace: &TraceVictim, scene: &dyn Scene) {
        if self.has_log || !is_of_member(trace) {
            return;
        }
        let by_it = |one: &Unclaimed| match &one.sign {
            Sign::Traced(earlier) => earlier.invoker_pid == trace.invoker_pid && earlier.time_ns <= trace.time_ns,
            Sign::Logged(_) => false,
        };
        let mut earlier = Vec::new();
        while let Some(at) = self.unclaimed.iter().rposition(by_it) {
            let Some(Unclaimed { sign: Sign::Traced(found), .. }) = self.unclaimed.remove(at) else { break };
            let is_chosen = !is_of_member(&found);
            earlier.push(found);
            if is_chosen {
                break;
            }
        }
        for found in earlier.into_iter().rev() {
            self.add_trace(*found, None, scene);
        }
    }

    /// Whether a member looks like a thread of one that was killed before it, while the supervisor may still be about to
    /// tell that it was a process.
    pub(super) fn awaits_a_reaping(&mut self, at: usize, scene: &dyn Scene) -> bool {
        let now_ns = scene.now_ns();
        self.namesakes(&self.open[at], scene).iter().any(|found| found.is_supervised(scene))
            && within(LINE_WITHIN, *self.open[at].untold_since_ns.get_or_insert(now_ns), now_ns)
    }

    /// Says of each member who it was and where it stood, as far as that can be concluded.
    pub(super) fn identify_members(&mut self, episode: &mut Episode, reading: &Reading, scene: &dyn Scene) {
        let found = self.namesakes(episode, scene);
        for namesake @ Namesake { thread, processes } in &found {
            let names: Vec<String> = processes.iter().map(i32::to_string).collect();
            let seen = format!("pid {thread} was killed with the very memory of pid {}", names.join(" or "));
            let reason = if namesake.is_supervised(scene) {
                if let [process] = processes.as_slice() {
                    self.note_thread(*thread, *process);
                }
                episode.kills.retain(|kill| kill.victim.pid != *thread);
                format!("{seen}, and no such process was reaped: it is taken for a thread of it")
            } else if found.iter().filter(|other| other.processes == *processes).count() == 1 {
                format!("{seen}, and may be a thread of it: it had gone before anybody could ask")
            } else {
                // Many that look alike are processes that one made of itself.
                continue;
            };
            episode.missing.push(Missing::new("victim", reason));
        }
        self.place_members(episode, reading, scene);
    }

    /// The members that may be threads of others.
    fn namesakes(&self, episode: &Episode, scene: &dyn Scene) -> Vec<Namesake> {
        let workers = scene.workers();
        let is_process = |pid: i32| {
            workers.iter().any(|worker| worker.pid == pid)
                || scene.is_orphan(pid)
                || self.remembered.is_member(pid)
                || episode.kills.iter().any(|kill| kill.victim.pid == pid && kill.followed)
        };
        episode
            .report
            .as_ref()
            .map_or_else(Vec::new, |report| namesakes(report, |pid| self.process_of(pid), is_process))
    }

    /// Members whose group nobody knows stood where kills are counted that no other victim explains.
    fn place_members(&self, episode: &mut Episode, reading: &Reading, scene: &dyn Scene) {
        let unplaced: Vec<i32> =
            episode.kills.iter().filter(|kill| kill.victim.group.is_none()).map(|kill| kill.victim.pid).collect();
        let chosen = episode.kills.iter().find(|kill| kill.victim.cause == Cause::Selected);
        let chosen = chosen.and_then(|kill| kill.victim.group.clone());
        let is_sure = chosen.is_some();
        // Where the chosen one itself could not be placed, another of them tells at least that it is ours.
        let chosen = chosen.or_else(|| episode.kills.iter().find_map(|kill| kill.victim.group.clone()));
        let whole = episode.is_of_a_whole_group();
        let Some(chosen) = chosen.filter(|chosen| !unplaced.is_empty() && (whole || flagged(chosen, scene))) else {
            return;
        };
        let mut left: Vec<(String, u64)> = Vec::new();
        for cgroup in scene.groups().iter().map(|seen| &seen.cgroup) {
            // Where a group does not count its own kills apart, nothing can be concluded.
            let own = reading.of(cgroup).is_some_and(|counters| counters.local.get("oom_kill").is_some());
            let Some(kills) = reading.kills(cgroup).filter(|_| own) else { continue };
            let known = self.pending(cgroup).count() + episode.counted_by(cgroup).count();
            let owed = self.unaccounted(cgroup, kills).saturating_sub(known as u64);
            if owed > 0 {
                left.push((cgroup.clone(), owed));
            }
        }
        let total: u64 = left.iter().map(|(_, owed)| owed).sum();
        if total == unplaced.len() as u64 + 1 {
            // The chosen one was counted twice.
            let only = left.len() == 1;
            if let Some((_, owed)) = left.iter_mut().find(|(cgroup, _)| *cgroup == chosen && (is_sure || only)) {
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

/// A member that may be a thread, and of which processes.
#[derive(Debug, PartialEq)]
struct Namesake {
    thread: i32,
    processes: Vec<i32>,
}

impl Namesake {
    /// Whether our supervisor reaps these processes, and all that descend from them.
    fn is_supervised(&self, scene: &dyn Scene) -> bool {
        let workers = scene.workers();
        self.processes.iter().all(|process| {
            let is_worker = workers.iter().any(|worker| worker.pid == *process && !worker.forked);
            is_worker || scene.is_orphan(*process)
        })
    }
}

/// The members that may be threads of processes that stand before them: of the same memory, and no process that anybody
/// knows. A process that has both its lines under its own name has no further one.
fn namesakes(report: &Report, process_of: impl Fn(i32) -> i32, is_process: impl Fn(i32) -> bool) -> Vec<Namesake> {
    if report.group_kill.is_none() {
        return Vec::new();
    }
    // A second line of the same process is no further kill of the report, unless it names a thread.
    let lines = |process: i32| {
        let named = report.text.matches(&format!("Killed process {process} (")).count();
        named + report.kills.iter().filter(|kill| kill.pid != process && process_of(kill.pid) == process).count()
    };
    let known = |at: usize, pid: i32| at == 0 || is_process(pid) || process_of(pid) != pid;
    let mut found = Vec::new();
    for (at, kill) in report.kills.iter().enumerate().filter(|(at, kill)| !known(*at, kill.pid)) {
        let alike = report.kills[..at].iter().enumerate().filter(|(_, other)| memory(other) == memory(kill));
        let mut processes: Vec<i32> = Vec::new();
        for (_, other) in alike.filter(|(at, other)| known(*at, other.pid)) {
            let process = process_of(other.pid);
            if !processes.contains(&process) && lines(process) == 1 {
                processes.push(process);
            }
        }
        if !processes.is_empty() {
            found.push(Namesake { thread: kill.pid, processes });
        }
    }
    found
}

/// What every line about one and the same memory shows; how much of it is resident changes while it is given back.
fn memory(kill: &report::Kill) -> impl PartialEq {
    ([kill.total_vm_bytes, kill.pgtables_bytes], kill.uid, kill.oom_score_adj)
}

#[cfg(test)]
mod tests {
    use super::{namesakes, Namesake};
    use crate::observe::report::{parse_reports, Report};

    /// The lines of a group kill, each with its pid, all its memory and what of it is resident, in KiB; the first is the
    /// chosen one's.
    fn report(lines: &[(i32, u32, u32)]) -> Report {
        let mut text = String::new();
        for (at, (pid, all, resident)) in lines.iter().enumerate() {
            if at == 1 {
                text += "Tasks in /lab/g are going to be killed due to memory.oom.group set\n";
            }
            text += &format!(
                "Memory cgroup out of memory: Killed process {pid} (p) total-vm:{all}kB, anon-rss:{resident}kB, \
                 file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:44kB oom_score_adj:0\n"
            );
        }
        let mut reports = parse_reports(text.as_bytes());
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports.remove(0)
    }

    fn found(report: &Report, threads: &[(i32, i32)], processes: &[i32]) -> Vec<(i32, Vec<i32>)> {
        let process_of = |pid| threads.iter().find(|(thread, _)| *thread == pid).map_or(pid, |(_, process)| *process);
        let namesakes = namesakes(report, process_of, |pid| processes.contains(&pid));
        namesakes.into_iter().map(|Namesake { thread, processes }| (thread, processes)).collect()
    }

    #[test]
    fn a_thread_of_the_chosen_process_is_known_by_its_memory() {
        assert_eq!(found(&report(&[(10, 400, 400), (11, 400, 400), (12, 80, 80)]), &[], &[]), [(11, vec![10])]);
        // Part of it had been given back by then.
        assert_eq!(found(&report(&[(10, 400, 400), (11, 400, 8)]), &[], &[]), [(11, vec![10])]);
        // It has its second line under its own name, or under that of a thread that is known.
        assert_eq!(found(&report(&[(10, 400, 400), (10, 400, 400), (11, 400, 400)]), &[], &[]), []);
        assert_eq!(found(&report(&[(10, 400, 400), (11, 400, 400)]), &[(11, 10)], &[]), []);
        // A process of the same memory, and one of other.
        assert_eq!(found(&report(&[(10, 400, 400), (11, 400, 400)]), &[], &[11]), []);
        assert_eq!(found(&report(&[(10, 400, 400), (11, 80, 80)]), &[], &[]), []);
        // One kill, and no group.
        assert_eq!(found(&report(&[(10, 400, 400)]), &[], &[]), []);
    }

    #[test]
    fn a_member_can_be_met_twice_as_well() {
        let lines = [(10, 400, 400), (10, 400, 400), (20, 80, 80), (30, 90, 90), (21, 80, 12)];
        assert_eq!(found(&report(&lines), &[], &[20, 30]), [(21, vec![20])]);
        // The chosen one and a member.
        let lines = [(10, 400, 400), (20, 80, 80), (11, 400, 400), (21, 80, 12)];
        assert_eq!(found(&report(&lines), &[], &[20]), [(11, vec![10]), (21, vec![20])]);
        // Of one of two that look alike; not of one that nobody knows to be a process.
        let lines = [(10, 400, 400), (20, 80, 80), (22, 80, 80), (21, 80, 12)];
        assert_eq!(found(&report(&lines), &[], &[20, 22]), [(21, vec![20, 22])]);
        assert_eq!(found(&report(&lines[..2]), &[], &[]), []);
        // What stands before it cannot be its thread.
        let lines = [(10, 400, 400), (21, 80, 12), (20, 80, 80)];
        assert_eq!(found(&report(&lines), &[], &[20]), []);
    }
}

//! What the tracepoint says of kills: whose the victim is, and of which OOM.

use super::episode::Episode;
use super::unclaimed::Unclaimed;
use super::Collector;
use crate::account::oom::{Cause, Process, Victim};
use crate::account::scene::Scene;
use crate::account::sign::Whose;
use crate::observe::trace::TraceVictim;

impl Collector {
    /// The tracepoint has marked a victim, which stands in the group of `whose`.
    pub(super) fn traced(&mut self, mut trace: TraceVictim, whose: Whose, scene: &dyn Scene) {
        trace.pid = self.process_of(trace.pid);
        let of = |episode: &Episode| {
            episode.kills.iter().find(|kill| kill.victim.pid == trace.pid).map(|kill| kill.victim.group.clone())
        };
        let logged = self.open.iter().find_map(of);
        let seen = self.growth.stood(trace.pid, trace.time_ns).map(str::to_string);
        let remembered = match (self.remembered.place(trace.pid), seen) {
            (None | Some(None), Some(seen)) => Some(Some(seen)),
            (remembered, _) => remembered,
        };
        let unrelated = whose == Whose::Unrelated;
        let (group, ours) = match (whose, logged, remembered) {
            (Whose::Strangers, None, _) => return,
            (Whose::Ours(group), ..) => (Some(group), true),
            (_, Some(group), _) => (group, true),
            (_, None, Some(group)) => (group, true),
            (Whose::OursSomewhere, None, None) => (None, true),
            (Whose::Unknown | Whose::Unrelated, None, None) => (None, false),
        };
        match group {
            Some(group) => {
                self.join_earlier(&trace, scene);
                self.add_trace(trace, Some(group), scene);
            }
            None if self.continues_a_kill(&trace) => self.add_trace(trace, None, scene),
            // Gone before /proc could be asked: the log or the counters may still say whose it was.
            None => self.hold(Unclaimed::traced(trace, ours, unrelated)),
        }
    }

    /// The OOM killer sent SIGKILL to a process, in the charge of that thread. It kills everybody who shares the memory of a
    /// victim, and marks none of them; a victim of its own is marked right after its signal, which is seen then.
    pub(super) fn signalled(
        &mut self,
        pid: i32,
        comm: Vec<u8>,
        (invoker, time_ns): (i32, u64),
        whose: Whose,
        scene: &dyn Scene,
    ) {
        let marked = |episode: &&mut Episode| {
            episode.invoker_thread == Some(invoker) && episode.marked_ns.is_some_and(|marked_ns| marked_ns <= time_ns)
        };
        let Some(episode) = self.open.iter_mut().filter(marked).max_by_key(|episode| episode.marked_ns) else { return };
        if episode.has(pid) {
            return;
        }
        let group = match whose {
            Whose::Ours(group) => Some(group),
            _ => None,
        };
        let victim = Victim {
            pid,
            comm,
            cause: Cause::SharedMm,
            group,
            workload: None,
            anon_rss_bytes: None,
            oom_score_adj: None,
            sources: vec!["tracefs"],
        };
        episode.add(victim, self.next, scene);
        episode.unmarked.push(pid);
        self.next += 1;
    }

    pub(super) fn add_trace(&mut self, trace: TraceVictim, group: Option<String>, scene: &dyn Scene) {
        let on_the_way = |name: &str| trace.call_path.iter().any(|frame| frame.function.starts_with(name));
        let as_member = on_the_way("oom_kill_memcg_member");
        // A process that is ending anyway is marked, so that it may hurry, and neither killed nor counted.
        let was_ending = !trace.call_path.is_empty() && !on_the_way("__oom_kill_process");
        if was_ending && !on_the_way("oom_kill_process") {
            // It has marked itself on its way out; nobody was chosen.
            return;
        }
        if !was_ending {
            // Its signal was that of a victim.
            self.open.iter_mut().for_each(|episode| episode.is_marked(trace.pid));
        }
        let victim = victim_of(&trace, as_member, group, scene);
        let known = self.open.iter_mut().rev().find(|episode| {
            episode.has(trace.pid)
                || episode.invoker_thread == Some(trace.invoker_pid) && (as_member || episode.lacks_its_chosen())
        });
        if was_ending && known.as_deref().is_some_and(|episode| episode.has(trace.pid)) {
            // It was killed already, with the one whose memory it shares, and the kernel chose it once more meanwhile.
            return;
        }
        let number = self.next;
        self.next += 1;
        let episode = match known {
            Some(episode) => episode,
            None => {
                // Its kill line may have been read before its mark, when nobody knew whose it was.
                self.look_again = true;
                self.open.push(Episode::new(scene.now_ns()));
                let last = self.open.len() - 1;
                &mut self.open[last]
            }
        };
        if episode.invoker.is_none() {
            let process = scene.process_of(trace.invoker_pid);
            let pid = process.unwrap_or_else(|| self.remembered.process_of(trace.invoker_pid));
            episode.invoker = Some(Process { pid, comm: trace.invoker_comm });
        }
        episode.invoker_thread.get_or_insert(trace.invoker_pid);
        if episode.call_path.is_empty() || !as_member && !episode.has(trace.pid) {
            episode.call_path = trace.call_path;
        }
        episode.marked_ns.get_or_insert(trace.time_ns);
        episode.mapped.push((trace.pid, trace.file_rss_bytes, trace.shmem_rss_bytes));
        episode.tables.extend(trace.pgtables_bytes);
        if was_ending {
            episode.ending.push(victim.pid);
        }
        episode.add(victim, number, scene);
        // The kernel kills everybody who shares the memory, and tells of none of them.
        let sharers = self.sharing.iter().filter(|(of, _)| *of == trace.pid && !was_ending);
        for (number, (_, sharer)) in (self.next..).zip(sharers) {
            self.next = number + 1;
            episode.add(Victim::sharing(sharer), number, scene);
        }
    }
}

/// The victim as its mark has it. Older tracepoints give the pid alone; the task is still there, waiting for its last
/// breath.
fn victim_of(trace: &TraceVictim, as_member: bool, group: Option<String>, scene: &dyn Scene) -> Victim {
    let comm = trace.comm.clone().filter(|comm| !comm.is_empty());
    Victim {
        pid: trace.pid,
        comm: comm.unwrap_or_else(|| scene.comm_of(trace.pid)),
        cause: if as_member { Cause::Group } else { Cause::Selected },
        group,
        workload: None,
        anon_rss_bytes: trace.anon_rss_bytes,
        oom_score_adj: trace.oom_score_adj,
        sources: vec!["tracefs"],
    }
}

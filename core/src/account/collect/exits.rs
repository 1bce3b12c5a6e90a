//! Kills that no source tells of: who ended by SIGKILL in a group that has counted as many.

use super::claims::topmost_flagged;
use super::owing::Owing;
use super::{own_kills, Collector, Episode};
use crate::account::oom::{Cause, Victim};
use crate::account::scene::{Scene, WorkerSeen};
use crate::memcg::path::covers;
use crate::observe::missing::Missing;

impl Collector {
    /// A worker ended by SIGKILL with neither tracepoint nor log to say why: the counters of its group must.
    pub(super) fn by_counters(&mut self, scene: &dyn Scene) {
        if !self.has_trace && !self.has_log {
            self.by_exits(scene, None);
        }
    }

    /// The same where a source is read and has lost it: then as many must have ended so as the groups still owe. Whether
    /// there were any.
    pub(super) fn by_exits(&mut self, scene: &dyn Scene, owing: Option<&[Owing]>) -> bool {
        let workers = scene.workers();
        self.judged.retain(|id| workers.iter().any(|worker| worker.id == *id));
        let killed: Vec<WorkerSeen> = workers.into_iter().filter(|worker| self.may_be_untold(worker)).collect();
        let mut found = false;
        for worker in &killed {
            if let Some(owing) = owing {
                let rivals = killed.iter().filter(|other| other.group == worker.group).count() as u64;
                if !owing.iter().any(|one| one.cgroup == worker.group && one.owed == rivals) {
                    continue;
                }
            }
            let Ok(now) = scene.counters(&worker.group) else { continue };
            if self.unaccounted(&worker.group, own_kills(&now)) > self.pending(&worker.group).count() as u64 {
                self.admit_by_exit(worker, scene);
                found = true;
            } else if owing.is_none() {
                // At its reaping the counters were right: what they count later was another.
                self.judged.push(worker.id);
            }
        }
        found
    }

    /// Whether a worker was killed by nobody that we know, and has no account.
    pub(super) fn may_be_untold(&self, worker: &WorkerSeen) -> bool {
        // One that ended before stood in another group of that name.
        let since_ns = self.tallies.get(&worker.group).map_or(0, |tally| tally.born_ns);
        let told = |ended_ns| self.accounted.iter().any(|(pid, until_ns)| *pid == worker.pid && ended_ns <= *until_ns);
        let killed = |(returncode, time_ns)| returncode == -libc::SIGKILL && time_ns >= since_ns && !told(time_ns);
        worker.exit.is_some_and(killed)
            && !worker.killed_by_us
            && worker.kill_sent != Some(true)
            && !self.judged.contains(&worker.id)
            && !self.open.iter().any(|episode| episode.has(worker.pid))
    }

    /// With `memory.oom.group` all of a group died in one OOM, and only the kernel knows which of them it chose.
    fn admit_by_exit(&mut self, worker: &WorkerSeen, scene: &dyn Scene) {
        self.judged.push(worker.id);
        let whole = topmost_flagged(&worker.group, scene);
        let victim = Victim {
            pid: worker.pid,
            comm: worker.name.clone(),
            cause: if whole.is_some() { Cause::Group } else { Cause::Selected },
            group: Some(worker.group.clone()),
            workload: None,
            anon_rss_bytes: None,
            oom_score_adj: None,
            sources: vec!["counters"],
        };
        let number = self.next;
        self.next += 1;
        let of_the_same = |episode: &&mut Episode| {
            let mut groups = episode.kills.iter().filter_map(|kill| kill.victim.group.as_deref());
            whole.as_deref().is_some_and(|whole| groups.any(|group| covers(whole, group)))
        };
        if let Some(episode) = self.open.iter_mut().find(of_the_same) {
            episode.add(victim, number, scene);
            return;
        }
        let mut episode = Episode::new(scene.now_ns());
        if whole.is_some() {
            let reason = "which of them the kernel chose neither tracepoint nor kernel log tells";
            episode.missing.push(Missing::new("victim", reason));
        }
        episode.add(victim, number, scene);
        self.open.push(episode);
    }
}

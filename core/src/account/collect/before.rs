//! What is known before an OOM: the counters of each group, whom the kernel would take, where the processes stood.

use super::tally::Tally;
use super::{own_kills, Collector};
use crate::account::scene::Scene;
use crate::account::scope::Scope;
use crate::memcg::Counters;

/// A group before its next OOM.
#[derive(Default)]
pub(super) struct Before {
    pub(super) counters: Counters,
    pub(super) scope: Option<Scope>,
    pub(super) step_started_ns: Option<u64>,
    /// When the counters had been read.
    pub(super) read_ns: u64,
    /// When the step was over, by the word of the one who took it.
    pub(super) step_ended_ns: Option<u64>,
}

impl Collector {
    /// Remembers a group as it is before its next OOM, and whom the kernel would take.
    pub(super) fn before(&mut self, cgroup: &str, scope: Option<Scope>, scene: &dyn Scene) {
        let step_started_ns = scope.is_some().then(|| scene.now_ns());
        if let Some(scope) = &scope {
            if let Some(pid) = scope.growing {
                self.foreseen.insert(pid, scope.limit_group.clone());
            }
            let (below, seen_ns) = (Some(scope.limit_group.as_str()), scope.contents.read_ns);
            for candidate in &scope.prediction.candidates {
                self.remembered.member(candidate.pid, candidate.group.clone(), below, seen_ns);
            }
            self.note_sharing(scope);
            self.growth.saw(&scope.read, scope.contents.read_ns);
            for input in &scope.read {
                for thread in &input.threads {
                    self.remembered.thread(*thread, input.pid, seen_ns);
                }
            }
        }
        // A kill that has no account yet belongs to what was before it: then nothing is looked at again.
        if self.is_open() {
            return;
        }
        let chain = scene.chain(cgroup).into_iter();
        let read: Vec<(String, Counters)> =
            chain.filter_map(|at| Some((at.clone(), scene.counters(&at).ok()?))).collect();
        let read_ns = scene.now_ns();
        let unaccounted = |(at, now): &(String, Counters)| self.unaccounted(at, own_kills(now)) > 0;
        if self.unplaced == 0 && read.iter().any(unaccounted) {
            return;
        }
        for (at, counters) in read {
            let base = own_kills(&counters);
            self.tallies.or_insert_with(at.clone(), || Tally::new(base, read_ns).into());
            let entry = self.before.or_insert_with(at, Box::default);
            **entry = Before { counters, scope: None, step_started_ns, step_ended_ns: None, read_ns };
        }
        if let Some(scope) = scope {
            if let Some(entry) = self.before.get_mut(&scope.limit_group) {
                entry.scope = Some(scope);
            }
        }
    }

    /// A group is observed from now on: what it has counted before is none of ours.
    pub(super) fn meet(&mut self, cgroup: &str, counters: Option<&Counters>, now_ns: u64) {
        let base = counters.map_or(0, own_kills);
        self.tallies.or_insert_with(cgroup.to_string(), || Tally::new(base, now_ns).into());
    }

    /// A group was made while we watched: whatever it counts has happened since.
    pub(super) fn began(&mut self, cgroup: &str, counters: Option<Counters>, now_ns: u64) {
        // It may have been made, and have counted a kill, since the sources were read before.
        let since_ns = self.read_before_ns;
        self.tallies.or_insert_with(cgroup.to_string(), || Tally::of_new(since_ns, now_ns).into());
        let untouched = |now: &Counters| [own_kills(now), now.failcnt.unwrap_or(0), now.oom.unwrap_or(0)] == [0; 3];
        let counters = counters.filter(untouched).unwrap_or_default();
        let before = Before { counters, ..Before::default() };
        self.before.or_insert_with(cgroup.to_string(), || before.into());
    }

    /// A group has gone; another one may get its name.
    pub(super) fn forget(&mut self, cgroup: &str) {
        self.tallies.remove(cgroup);
        self.before.remove(cgroup);
        self.notified.remove(cgroup);
        self.sampled.remove(cgroup);
        self.occurrences.remove(cgroup);
        self.remembered.forget(cgroup);
        self.growth.forget_group(cgroup);
    }

    /// A worker of ours has that pid from now on: what was known of it was another process.
    pub(super) fn started(&mut self, pid: i32, started_ns: u64) {
        self.remembered.begins(pid);
        for (_, until_ns) in self.accounted.iter_mut().filter(|(of, _)| *of == pid) {
            *until_ns = started_ns.min(*until_ns);
        }
    }

    pub(super) fn note_sharing(&mut self, scope: &Scope) {
        self.sharing.clear();
        for (one, other) in &scope.sharing {
            for (of, with) in [(one, other), (other, one)] {
                if let Some(with) = scope.prediction.candidates.iter().find(|candidate| candidate.pid == *with) {
                    self.sharing.push((*of, with.clone()));
                }
            }
        }
    }

    /// The step of a process is over: what was predicted for it says nothing of later OOMs.
    pub(super) fn stepped(&mut self, pid: i32, end_ns: u64) {
        let before = self.foreseen.remove(&pid).and_then(|cgroup| self.before.get_mut(&cgroup));
        if let Some(before) = before {
            if before.scope.as_ref().is_some_and(|scope| scope.growing == Some(pid)) {
                before.step_ended_ns = Some(end_ns);
            }
        }
    }

    pub(super) fn counters_before(&self, cgroup: &str) -> Counters {
        self.before.get(cgroup).map(|before| before.counters.clone()).unwrap_or_default()
    }

    pub(super) fn scope_before(&self, cgroup: &str) -> Option<&Scope> {
        self.before.get(cgroup)?.scope.as_ref()
    }

    /// The group in which a process was seen that lived at that moment.
    pub(crate) fn seen_in(&self, pid: i32, time_ns: u64) -> Option<&str> {
        self.growth.of(pid, time_ns).map(|seen| seen.group.as_str())
    }

    /// The process of a thread, as far as that was ever known.
    pub(crate) fn process_of(&self, thread: i32) -> i32 {
        self.remembered.process_of(thread)
    }

    /// A thread of a process was told of just now.
    pub(super) fn note_thread(&mut self, thread: i32, process: i32) {
        self.remembered.thread(thread, process, self.read_ns);
    }
}

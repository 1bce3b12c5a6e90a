//! Samples for the timeline: what a group uses at a moment, and the share that each of its processes holds.
//!
//! Nothing runs by itself in the host. A step of a hog, an account and [`Group::sample`] are moments to sample; with
//! [`LabOptions::sample_every`](crate::LabOptions::sample_every) whoever waits in the lab samples meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::State;
use crate::account::scope::Scope;
use crate::account::victim::Input;
use crate::helper::process::Process;
use crate::lab::foresee::read_tree;
use crate::map::Map;
use crate::memcg::cgroup::Cgroup;
use crate::observe::task::Proc;
use crate::observe::{EventKind, Source};
use crate::sys;

/// What was sampled last, so that only changes are told; and when the next sample is due.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// By pid: the group in which it stood and what it held.
    shares: Map<i32, Share>,
    /// By group: the usage.
    usages: Map<String, u64>,
    every: Option<Duration>,
    due: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Share {
    group: String,
    comm: Vec<u8>,
    rss_bytes: u64,
    swap_bytes: u64,
}

impl Share {
    fn of(input: &Input) -> Share {
        let page = sys::page_size();
        Share {
            group: input.group.clone(),
            comm: input.comm.clone(),
            rss_bytes: input.rss_pages.saturating_mul(page),
            swap_bytes: input.swap_pages.saturating_mul(page),
        }
    }
}

impl Samples {
    pub(crate) fn new(every: Option<Duration>) -> Samples {
        Samples { every, due: every.map(|_| Instant::now()), ..Samples::default() }
    }

    /// A group has gone, and nobody stands in it.
    pub(crate) fn forget(&mut self, cgroup: &str) {
        self.usages.remove(cgroup);
        self.shares.retain(|_, share| share.group != cgroup);
    }

    /// How long it is until the next sample; `None` where none is asked for.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }
}

impl State {
    /// Notes how much a group uses now; a failure (the group has gone) is no news.
    pub(crate) fn sample_usage(&mut self, group: &Arc<Cgroup>) {
        if let Ok(usage_bytes) = group.usage_bytes() {
            self.told_usage(group, usage_bytes);
        }
    }

    /// After a step: the usage of the group, and what the hog holds.
    pub(crate) fn sample_step(&mut self, process: &Process) {
        self.sample_usage(&process.group);
        if let Ok(Some(stat)) = Proc::system().stat(process.pid) {
            let swap_bytes = self.samples.shares.get(&process.pid).map_or(0, |share| share.swap_bytes);
            let rss_bytes = stat.rss_pages.saturating_mul(sys::page_size());
            let group = process.group.cgroup().to_string();
            self.told_share(process.pid, Share { group, comm: stat.comm, rss_bytes, swap_bytes });
        }
    }

    /// Before a step: what the scores of all processes were computed from.
    pub(crate) fn sample_scope(&mut self, scope: &Scope) {
        for input in &scope.read {
            self.told_share(input.pid, Share::of(input));
        }
    }

    /// The usage of a group and the share of every process in it and below it.
    pub(crate) fn sample(&mut self, group: &Arc<Cgroup>) {
        self.sample_usage(group);
        let mut inputs = Vec::new();
        if read_tree(group, &mut inputs).is_ok() {
            self.told_all(group, inputs);
        }
    }

    /// Samples all groups, if that is asked for and the time has come.
    pub(crate) fn sample_when_due(&mut self) {
        let Some(every) = self.samples.every else { return };
        if self.samples.due_in() != Some(Duration::ZERO) {
            return;
        }
        let groups: Vec<Arc<Cgroup>> = self.living_groups().cloned().collect();
        for group in &groups {
            let known = self.samples.usages.get(group.cgroup()).copied();
            if let Some(usage_bytes) = group.usage_bytes().ok().filter(|usage_bytes| Some(*usage_bytes) != known) {
                self.told_usage(group, usage_bytes);
            }
            // The processes of a group below another are read with that one.
            if !groups.iter().any(|other| other.cgroup() != group.cgroup() && other.covers(group.cgroup())) {
                let mut inputs = Vec::new();
                if read_tree(group, &mut inputs).is_ok() {
                    self.told_all(group, inputs);
                }
            }
        }
        self.ring();
        // From now: a reader that was late does not catch up on moments that have passed.
        self.samples.due = Instant::now().checked_add(every);
    }

    pub(crate) fn told_usage(&mut self, group: &Arc<Cgroup>, usage_bytes: u64) {
        self.samples.usages.insert(group.cgroup().to_string(), usage_bytes);
        let kind = EventKind::Usage { usage_bytes };
        self.push(sys::monotonic_ns(), Source::Counters, Some(group.cgroup()), None, kind);
    }

    /// All that stand in a group and below it; who is known from before and is not among them has gone.
    pub(crate) fn told_all(&mut self, group: &Arc<Cgroup>, inputs: Vec<Input>) {
        let gone: Vec<i32> = self
            .samples
            .shares
            .iter()
            .filter(|(pid, share)| group.covers(&share.group) && !inputs.iter().any(|input| input.pid == **pid))
            .map(|(pid, _)| *pid)
            .collect();
        for pid in gone {
            if let Some(share) = self.samples.shares.remove(&pid).filter(|share| share.rss_bytes + share.swap_bytes > 0)
            {
                self.push_share(pid, &Share { rss_bytes: 0, swap_bytes: 0, ..share });
            }
        }
        for input in &inputs {
            self.told_share(input.pid, Share::of(input));
        }
    }

    fn told_share(&mut self, pid: i32, share: Share) {
        if self.samples.shares.get(&pid) != Some(&share) {
            self.push_share(pid, &share);
            self.samples.shares.insert(pid, share);
        }
    }

    fn push_share(&mut self, pid: i32, share: &Share) {
        let Share { group, comm, rss_bytes, swap_bytes } = share;
        let comm = crate::text::escape(comm);
        let kind = EventKind::Share { comm, rss_bytes: *rss_bytes, swap_bytes: *swap_bytes };
        self.push(sys::monotonic_ns(), Source::Procfs, Some(group), Some(pid), kind);
    }
}

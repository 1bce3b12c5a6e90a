//! A look now and then at the groups in which something may grow by itself: a command, or whatever stands in a group that
//! somebody else made. An account needs it to say who grew, and what the group held before. Hogs are looked at before
//! each step; for them alone nothing is done here.
//!
//! Looked at is the usage, which costs a few microseconds. The processes and the statistics are read where it has risen,
//! and no oftener than costs one part in a hundred of one CPU. Of thousands of groups each look takes some, so that nobody
//! who waits for an event waits for all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Hub, State};
use crate::account::sign::Sign;
use crate::lab::foresee::read_tree;
use crate::map::Map;
use crate::memcg::cgroup::Cgroup;
use crate::sys;

/// The first looks, and those while the usage rises.
const SOON: Duration = Duration::from_millis(10);
/// While nothing changes, the time between two looks doubles up to this.
const SELDOM: Duration = Duration::from_secs(1);
/// The processes are read where the usage has changed by this part of it, or of the limit.
const PART: u64 = 32;
/// So much of the time may go into it: one part in a hundred.
const SHARE: u32 = 100;
/// So many groups are looked at in one look.
const AT_ONCE: usize = 64;

/// When the next look is due, and what the last one saw.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    due: Option<Instant>,
    every: Duration,
    /// The usage of each group when its processes were read.
    usages: Map<String, u64>,
    /// The first group of the next look, by its number.
    next: u64,
    /// A usage has changed since all groups were looked at.
    changed: bool,
}

impl Gauge {
    /// How long it is until the next look; `None` where none is needed.
    pub(super) fn due_in(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Something has happened: it is looked again, if it was not.
    pub(super) fn wake(&mut self) {
        if self.due.is_none() {
            self.begin();
        }
    }

    /// Something has come that may grow: the next look comes soon.
    pub(super) fn begin(&mut self) {
        self.every = SOON;
        self.due = Instant::now().checked_add(SOON);
    }
}

impl Hub {
    /// Looks for the first time at a group that somebody else made: what its processes hold now, they have not grown.
    pub(super) fn begin_gauge(state: &mut State, group: &Arc<Cgroup>) {
        let mut inputs = Vec::new();
        if read_tree(group, &mut inputs).is_ok() {
            let cgroup = group.cgroup().to_string();
            state.take(Sign::Looked { cgroup, inputs, time_ns: sys::monotonic_ns() });
        }
        state.gauge.begin();
    }
}

impl State {
    /// From now on growth is told; in a lab nobody had anything before.
    pub(super) fn begin_growth(&mut self, is_lab: bool) {
        self.take(Sign::Begins { whole: is_lab });
    }

    /// Looks, if it is time.
    pub(super) fn gauge_when_due(&mut self) {
        if self.gauge.due_in() != Some(Duration::ZERO) {
            return;
        }
        if !self.grows_by_itself() {
            self.gauge.due = None;
            return;
        }
        let begun_ns = sys::thread_cpu_ns();
        let is_last = self.gauge_some();
        let mut every = Duration::from_nanos(sys::thread_cpu_ns().saturating_sub(begun_ns)) * SHARE;
        if is_last {
            let changed = std::mem::take(&mut self.gauge.changed);
            if !changed && self.gauge.every >= SELDOM && self.tree.is_some() {
                // Whoever watches a group where nothing happens is not to run: the next event begins anew.
                self.gauge.due = None;
                return;
            }
            every = every.max(if changed { SOON } else { (self.gauge.every * 2).min(SELDOM) });
            self.gauge.every = every;
        }
        self.gauge.due = Instant::now().checked_add(every);
    }

    /// Looks at some groups; whether the last one was among them.
    fn gauge_some(&mut self) -> bool {
        let from = self.world.groups.from(self.gauge.next).filter(|(_, observed)| !observed.removed);
        let mut some: Vec<(u64, Arc<Cgroup>)> =
            from.take(AT_ONCE + 1).map(|(id, observed)| (id, observed.group.clone())).collect();
        let next = if some.len() > AT_ONCE { some.pop().map(|(id, _)| id) } else { None };
        self.gauge.next = next.unwrap_or(0);
        for (_, group) in some {
            // Groups with a limit, and those at the top: the others are read with them.
            if !self.world.groups.is_below_another(group.cgroup())
                || group.limit().is_ok_and(|limit| limit.bytes().is_some())
            {
                self.gauge.changed |= self.gauge_group(&group);
            }
        }
        next.is_none()
    }

    /// Whether something may grow that nobody looks at before.
    fn grows_by_itself(&self) -> bool {
        let mut workers = self.world.workers.values();
        self.tree.is_some() || workers.any(|process| process.channel.is_none() && process.progress().exit.is_none())
    }

    /// Whether the usage has changed since its processes were read; they are read then.
    fn gauge_group(&mut self, group: &Arc<Cgroup>) -> bool {
        let Ok(usage_bytes) = group.usage_bytes() else { return false };
        let known = self.gauge.usages.get(group.cgroup()).copied().unwrap_or(0);
        let limit = group.limit().ok().and_then(|limit| limit.bytes()).unwrap_or(usage_bytes);
        let step = (limit.min(usage_bytes.max(known)) / PART).max(16 * sys::page_size());
        if usage_bytes.abs_diff(known) < step {
            return false;
        }
        self.gauge.usages.insert(group.cgroup().to_string(), usage_bytes);
        if let Ok(contents) = group.contents() {
            self.take(Sign::Sampled { cgroup: group.cgroup().to_string(), contents });
        }
        let mut inputs = Vec::new();
        if read_tree(group, &mut inputs).is_ok() {
            let cgroup = group.cgroup().to_string();
            self.take(Sign::Looked { cgroup, inputs, time_ns: sys::monotonic_ns() });
        }
        true
    }
}

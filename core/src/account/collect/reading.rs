//! One reading of the counters of all groups, so that all that an account says of them is of one moment.

use super::own_kills;
use crate::lab::hub::State;
use crate::map::Map;
use crate::memcg::Counters;
use crate::sys;

/// What the counters of the observed groups show now; those that cannot be read are not in it.
pub(super) struct Reading {
    /// Just after the last was read: what was marked later is in none of them, unless it was counted and not marked.
    pub(super) ended_ns: u64,
    counters: Map<String, Counters>,
}

impl Reading {
    pub(super) fn now(state: &State) -> Reading {
        let groups = state.groups.values().map(|observed| &observed.group);
        let read = groups.filter_map(|group| Some((group.cgroup().to_string(), group.counters().ok()?)));
        let counters = read.collect();
        Reading { ended_ns: sys::monotonic_ns(), counters }
    }

    pub(super) fn of(&self, cgroup: &str) -> Option<&Counters> {
        self.counters.get(cgroup)
    }

    /// Kill events of this very group.
    pub(super) fn kills(&self, cgroup: &str) -> Option<u64> {
        self.of(cgroup).map(own_kills)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Counters)> {
        self.counters.iter().map(|(cgroup, counters)| (cgroup.as_str(), counters))
    }
}

//! One reading of the counters of the groups that an account is about, so that all that it says of them is of one moment.

use std::borrow::Cow;

use super::own_kills;
use crate::account::scene::Scene;
use crate::map::Map;
use crate::memcg::path::covers;
use crate::memcg::Counters;

/// What the counters of these groups, and of those above them, show now; those that cannot be read are not in it.
pub(super) struct Reading {
    /// Just after the last was read: what was marked later is in none of them, unless it was counted and not marked.
    pub(super) ended_ns: u64,
    counters: Map<String, Result<Counters, String>>,
}

impl Reading {
    /// Reads the counters of the groups that are observed and are `of` these or above them; of all without.
    pub(super) fn now(scene: &dyn Scene, of: Option<Vec<String>>) -> Reading {
        let is_of = |cgroup: &str| of.as_ref().is_none_or(|of| of.iter().any(|one| covers(cgroup, one)));
        let groups = scene.groups();
        let groups = groups.iter().map(|seen| &seen.cgroup).filter(|cgroup| is_of(cgroup));
        let counters = groups.map(|cgroup| (cgroup.clone(), scene.counters(cgroup))).collect();
        Reading { ended_ns: scene.now_ns(), counters }
    }

    pub(super) fn of(&self, cgroup: &str) -> Option<&Counters> {
        self.counters.get(cgroup)?.as_ref().ok()
    }

    /// Why the counters of a group are not in it.
    pub(super) fn why_not(&self, cgroup: &str) -> Option<Cow<'static, str>> {
        match self.counters.get(cgroup) {
            Some(Ok(_)) => None,
            Some(Err(reason)) => Some(reason.clone().into()),
            None => Some("the group is not observed".into()),
        }
    }

    /// Kill events of this very group.
    pub(super) fn kills(&self, cgroup: &str) -> Option<u64> {
        self.of(cgroup).map(own_kills)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Counters)> {
        self.counters.iter().filter_map(|(cgroup, counters)| Some((cgroup.as_str(), counters.as_ref().ok()?)))
    }
}

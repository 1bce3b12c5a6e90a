//! The groups that a hub observes, by their numbers and by their paths. Of a whole machine there are thousands: whoever asks
//! for one is not to look at all of them, and the few that have gone are known apart.

use std::cell::RefCell;
use std::sync::Arc;

use super::observed::Observed;
use crate::account::scene::GroupSeen;
use crate::map::Map;
use crate::memcg::path::upwards;

/// The groups in the order in which they came.
#[derive(Default)]
pub(crate) struct Groups {
    observed: Map<u64, Observed>,
    /// The numbers of those that have or had that path.
    by_path: Map<String, Vec<u64>>,
    /// Those that have gone.
    gone: Vec<u64>,
    /// What the collector sees of each, in the same order.
    seen: RefCell<Arc<Vec<GroupSeen>>>,
}

impl Groups {
    /// A group has come; its number is higher than those before.
    pub(super) fn insert(&mut self, id: u64, observed: Observed) {
        let (cgroup, version) = (observed.group.cgroup().to_string(), observed.group.version());
        self.by_path.or_insert_with(cgroup.clone(), Vec::new).push(id);
        Arc::make_mut(self.seen.get_mut()).push(GroupSeen { cgroup, version, removed: false });
        self.observed.insert(id, observed);
    }

    pub(super) fn remove(&mut self, id: u64) {
        let Some(place) = self.observed.place(&id) else { return };
        Arc::make_mut(self.seen.get_mut()).remove(place);
        self.gone.retain(|other| *other != id);
        let Some(observed) = self.observed.remove(&id) else { return };
        let cgroup = observed.group.cgroup();
        let Some(ids) = self.by_path.get_mut(cgroup) else { return };
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            self.by_path.remove(cgroup);
        }
    }

    /// A group has gone; gives it.
    pub(super) fn end(&mut self, id: u64) -> Option<&mut Observed> {
        let observed = self.observed.get_mut(&id)?;
        observed.removed = true;
        if !self.gone.contains(&id) {
            self.gone.push(id);
        }
        Some(observed)
    }

    /// Those that have gone and are not let go of yet.
    pub(super) fn gone(&self) -> impl Iterator<Item = (u64, &Observed)> {
        self.gone.iter().filter_map(|id| Some((*id, self.observed.get(id)?)))
    }

    /// Lets go of those that have gone, but for those that stay; gives the paths of the others.
    pub(super) fn let_go(&mut self, stays: impl Fn(u64, &Observed) -> bool) -> Vec<String> {
        let lets = |(id, observed): (u64, &Observed)| (id, observed.group.cgroup().to_string());
        let lost: Vec<(u64, String)> = self.gone().filter(|(id, observed)| !stays(*id, observed)).map(lets).collect();
        lost.iter().for_each(|(id, _)| self.remove(*id));
        lost.into_iter().map(|(_, cgroup)| cgroup).collect()
    }

    /// All of them, as the collector sees them.
    pub(super) fn seen(&self) -> Arc<Vec<GroupSeen>> {
        let mut seen = self.seen.borrow_mut();
        for (id, observed) in self.gone() {
            let removed = !observed.awaits_its_ring();
            match self.observed.place(&id) {
                Some(place) if seen[place].removed != removed => Arc::make_mut(&mut seen)[place].removed = removed,
                _ => {}
            }
        }
        seen.clone()
    }

    /// All that have or had that path, by their numbers.
    pub(super) fn under(&self, cgroup: &str) -> impl Iterator<Item = (u64, &Observed)> {
        let ids = self.by_path.get(cgroup).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| Some((*id, self.observed.get(id)?)))
    }

    /// The one of that path that is there.
    pub(crate) fn living(&self, cgroup: &str) -> Option<(u64, &Observed)> {
        self.under(cgroup).find(|(_, observed)| !observed.removed)
    }

    /// The same, to be changed.
    pub(super) fn living_mut(&mut self, cgroup: &str) -> Option<&mut Observed> {
        let (id, _) = self.living(cgroup)?;
        self.observed.get_mut(&id)
    }

    /// The one of that path that is there; one that has gone, where no other has come.
    pub(super) fn at(&self, cgroup: &str) -> Option<&Observed> {
        self.living(cgroup).or_else(|| self.under(cgroup).next()).map(|(_, observed)| observed)
    }

    /// Whether that group or one above it is observed, or was.
    pub(super) fn cover(&self, cgroup: &str) -> bool {
        upwards(cgroup).any(|at| self.by_path.get(at).is_some())
    }

    /// Whether a group above that one is observed.
    pub(super) fn is_below_another(&self, cgroup: &str) -> bool {
        upwards(cgroup).skip(1).any(|at| self.living(at).is_some())
    }

    /// The next ones from a number on.
    pub(super) fn from(&self, id: u64) -> impl Iterator<Item = (u64, &Observed)> {
        self.observed.from(&id).map(|(id, observed)| (*id, observed))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.observed.keys().copied()
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Observed> {
        self.observed.get_mut(&id)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Observed> {
        self.observed.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memcg::cgroup::Cgroup;
    use crate::memcg::files::Dir;
    use crate::memcg::version::Version;

    #[test]
    fn a_path_finds_who_is_there_and_else_who_was() {
        let tree = tempfile::tempdir().unwrap();
        let mut groups = Groups::default();
        for (id, path) in [(1, "/a"), (2, "/b"), (5, "/a")] {
            let group = Cgroup::observed(Version::V2, Dir::open(tree.path()).unwrap(), path.to_string());
            groups.insert(id, Observed::new(&group, None));
        }
        let seen = |groups: &Groups| -> Vec<(&str, bool)> {
            let path = |cgroup: &str| if cgroup == "/a" { "/a" } else { "/b" };
            groups.seen().iter().map(|seen| (path(&seen.cgroup), seen.removed)).collect()
        };
        let under = |groups: &Groups, path: &str| groups.under(path).map(|(id, _)| id).collect::<Vec<u64>>();
        assert_eq!((under(&groups, "/a"), under(&groups, "/c")), (vec![1, 5], vec![]));
        groups.end(1);
        assert_eq!(seen(&groups), [("/a", true), ("/b", false), ("/a", false)]);
        assert_eq!((groups.living("/a").map(|(id, _)| id), groups.at("/a").is_some()), (Some(5), true));
        assert!(groups.cover("/a/x") && groups.cover("/b") && !groups.cover("/c") && !groups.cover("/ab"));
        assert!(groups.is_below_another("/b/x") && !groups.is_below_another("/b"));
        assert_eq!(groups.from(2).map(|(id, _)| id).collect::<Vec<u64>>(), [2, 5]);
        groups.end(5);
        assert!(groups.living("/a").is_none() && groups.living_mut("/a").is_none() && groups.at("/a").is_some());
        assert_eq!(groups.let_go(|id, _| id == 1), ["/a"]);
        assert_eq!(seen(&groups), [("/a", true), ("/b", false)]);
        assert_eq!(groups.let_go(|_, _| false), ["/a"]);
        assert!(groups.at("/a").is_none() && under(&groups, "/a").is_empty());
        groups.remove(2);
        assert_eq!(
            (groups.ids().count(), groups.values().count(), groups.gone().count(), seen(&groups).len()),
            (0, 0, 0, 0)
        );
    }
}

//! The groups that a hub observes, by their numbers and by their paths: of a whole machine there are thousands, and each
//! reading asks for every one of them by its path.

use super::observed::Observed;
use crate::map::Map;

/// The groups in the order in which they came.
#[derive(Default)]
pub(crate) struct Groups {
    observed: Map<u64, Observed>,
    /// The numbers of those that have or had that path.
    by_path: Map<String, Vec<u64>>,
}

impl Groups {
    /// A group has come; its number is higher than those before.
    pub(super) fn insert(&mut self, id: u64, observed: Observed) {
        self.by_path.or_insert_with(observed.group.cgroup().to_string(), Vec::new).push(id);
        self.observed.insert(id, observed);
    }

    pub(super) fn remove(&mut self, id: u64) {
        if let Some(observed) = self.observed.remove(&id) {
            self.unlist(id, observed.group.cgroup());
        }
    }

    /// Lets go of all but those that stay; gives the paths of the others.
    pub(super) fn keep(&mut self, stays: impl Fn(u64, &Observed) -> bool) -> Vec<String> {
        let mut gone = Vec::new();
        self.observed.retain(|id, observed| {
            let stays = stays(*id, observed);
            if !stays {
                gone.push((*id, observed.group.cgroup().to_string()));
            }
            stays
        });
        for (id, cgroup) in &gone {
            self.unlist(*id, cgroup);
        }
        gone.into_iter().map(|(_, cgroup)| cgroup).collect()
    }

    fn unlist(&mut self, id: u64, cgroup: &str) {
        let Some(ids) = self.by_path.get_mut(cgroup) else { return };
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            self.by_path.remove(cgroup);
        }
    }

    /// All that have or had that path, by their numbers.
    pub(super) fn under(&self, cgroup: &str) -> impl Iterator<Item = (u64, &Observed)> {
        let ids = self.by_path.get(cgroup).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| Some((*id, self.observed.get(id)?)))
    }

    /// The one of that path that is there.
    pub(super) fn living(&self, cgroup: &str) -> Option<(u64, &Observed)> {
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

    pub(super) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.observed.keys().copied()
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Observed> {
        self.observed.get_mut(&id)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Observed> {
        self.observed.values()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Observed)> {
        self.observed.iter().map(|(id, observed)| (*id, observed))
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
        let under = |groups: &Groups, path: &str| groups.under(path).map(|(id, _)| id).collect::<Vec<u64>>();
        assert_eq!((under(&groups, "/a"), under(&groups, "/c")), (vec![1, 5], vec![]));
        groups.get_mut(1).unwrap().removed = true;
        assert_eq!((groups.living("/a").map(|(id, _)| id), groups.at("/a").is_some()), (Some(5), true));
        groups.living_mut("/a").unwrap().removed = true;
        assert!(groups.living("/a").is_none() && groups.living_mut("/a").is_none() && groups.at("/a").is_some());
        assert_eq!(groups.keep(|_, observed| !observed.removed), ["/a", "/a"]);
        assert!(groups.at("/a").is_none() && under(&groups, "/a").is_empty());
        groups.remove(2);
        assert_eq!((groups.ids().count(), groups.values().count(), groups.iter().count()), (0, 0, 0));
    }
}

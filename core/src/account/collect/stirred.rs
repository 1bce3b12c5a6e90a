//! Which groups may have counted a kill that has no account. Of thousands that are watched an event concerns one or two, and
//! the counters of the others are not read for it.
//!
//! A kill shows without any counter: it is marked (tracepoint), and on v1 its group rings before it. So where the tracepoint
//! is read, only the counters of groups that something was heard of are held against the accounts; those of all where a mark
//! may have been lost, where a victim could not be placed, and where nothing but counters tells.

use super::Collector;
use crate::memcg::path::covers;

/// The groups of which something was heard since all kills had their accounts.
#[derive(Default)]
pub(super) struct Stirred {
    /// It may have been any.
    pub(super) all: bool,
    /// Each with whether it may have been one of those below it.
    some: Vec<(String, bool)>,
}

impl Stirred {
    /// Whether anything was heard.
    pub(super) fn any(&self) -> bool {
        self.all || !self.some.is_empty()
    }

    /// Whether something was heard that may be of that group.
    pub(super) fn may_be(&self, cgroup: &str) -> bool {
        let is = |(at, below): &(String, bool)| at == cgroup || *below && covers(at, cgroup);
        self.all || self.some.iter().any(is)
    }
}

impl Collector {
    /// Something was heard of a group, or of it or one below it.
    pub(super) fn stir(&mut self, cgroup: String, below: bool) {
        if !self.has_trace {
            self.stirred.all = true;
        } else if !self.stirred.some.contains(&(cgroup.clone(), below)) {
            self.stirred.some.push((cgroup, below));
        }
    }

    /// Whether the counters of a group are to be held against the accounts.
    pub(super) fn may_owe(&self, cgroup: &str) -> bool {
        !self.unclaimed.is_empty() || self.unplaced > 0 || self.stirred.may_be(cgroup)
    }
}

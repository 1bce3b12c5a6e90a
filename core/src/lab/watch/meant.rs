//! A watch of what has a name: a unit, a container, a pod or a job, wherever its groups stand and whenever they come.

use std::iter::Peekable;

use crate::account::postmortem::Subject;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::lab::host::Host;
use crate::lab::hub::names::Names;
use crate::lab::hub::State;
use crate::lab::watch::Watch;
use crate::memcg::path::covers;

/// Which groups a watch tells of.
pub(super) enum Meant {
    /// That one and those below it.
    Below(Group),
    /// Those that a subject means.
    Named(Subject),
}

impl Meant {
    /// Whether the group of that kernel path is one of them.
    pub(super) fn is(&self, cgroup: &str, names: &Names) -> bool {
        match self {
            Meant::Below(group) => group.covers(cgroup),
            Meant::Named(Subject::Last) => true,
            Meant::Named(subject) => subject.place(cgroup).is_some() || is_called(subject, cgroup, names),
        }
    }

    /// Whether any of them is there. A unit or a container may be watched before it is started, and of one that was never
    /// there it cannot be said that what nobody could place may be its own.
    pub(super) fn are_among(&self, state: &State) -> bool {
        let mut observed = state.world.groups.values().map(|observed| observed.group.cgroup());
        match self {
            Meant::Below(_) | Meant::Named(Subject::Last) => true,
            Meant::Named(_) => observed.any(|cgroup| self.is(cgroup, &state.world.names)),
        }
    }

    /// Whether a group of theirs is there now.
    pub(super) fn have_groups(&self, state: &State) -> bool {
        let mut there = state.world.groups.values().filter(|observed| !observed.removed);
        there.any(|observed| self.is(observed.group.cgroup(), &state.world.names))
    }

    /// Whether an OOM at the limit of another group is theirs: a victim stood among them, or nobody knows the victim and
    /// they stand below that limit.
    pub(super) fn is_hit_from(&self, cgroup: &str, mut victims: Peekable<impl Iterator<Item = bool>>) -> bool {
        let is_unknown = victims.peek().is_none();
        match self {
            Meant::Below(group) => covers(cgroup, group.cgroup()) && (is_unknown || victims.any(|inside| inside)),
            Meant::Named(_) => victims.any(|inside| inside),
        }
    }
}

/// Whether people call it so: the path has ids alone.
fn is_called(subject: &Subject, cgroup: &str, names: &Names) -> bool {
    match subject {
        Subject::Container(name) => names.of(cgroup).is_some_and(|named| named.name.as_ref() == Some(name)),
        Subject::Pod(name) => names.of(cgroup).is_some_and(|named| {
            let whole = named.namespace.zip(named.pod.clone()).map(|(space, pod)| format!("{space}/{pod}"));
            named.pod.as_ref() == Some(name) || whole.as_ref() == Some(name)
        }),
        _ => false,
    }
}

/// Opens a watch of the groups that are meant by a subject and of all below them: those that are there and those that are
/// made later, so that a unit or a container may be watched before it is started. [`Subject::Last`] means all groups of
/// this machine, as far as they are seen through the mount. A container may be named as its runtime does, a pod as
/// `NAME` or `NAMESPACE/NAME`, where the state of runtime or kubelet can be read.
///
/// # Errors
/// `InvalidInput` for an empty name and for a pid; `Unsupported` without a memory controller; `Io` where the directories
/// cannot be listened to (`fs.inotify.max_user_watches`).
pub fn watch_of(subject: &Subject) -> Result<Watch> {
    const OPERATION: &str = "watch";
    if subject.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "the name is empty"));
    }
    if let Subject::Pid(pid) = subject {
        return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "a watch is of groups, not of a process")
            .value(pid)
            .remedy("name its unit or its container, or give the directory of its group (/proc/PID/cgroup)"));
    }
    let host = Host::probe()?;
    let Some(mount) = host.mount.clone() else {
        return Err(Error::new(ErrorKind::Unsupported, OPERATION, "no mounted hierarchy has the memory controller"));
    };
    let mut watch = Group::top(&host, &mount)?.watch_recursive()?;
    watch.meant = Meant::Named(subject.clone());
    Ok(watch)
}

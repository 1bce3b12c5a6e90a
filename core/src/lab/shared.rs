//! What the groups and workers of one lab hold in common, and how it ends.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::ending::remove_tree;
use super::host::Host;
use super::hub::Hub;
use super::put_back::PutBack;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::supervisor::Supervisor;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::files::Dir;
use crate::memcg::limits::Limit;
use crate::memcg::owner::Maker;
use crate::memcg::version::Version;

/// How long the end of a lab may take before it is an error.
const END_DEADLINE: Duration = Duration::from_secs(15);

/// What the lab's groups and workers hold in common.
pub(crate) struct Shared {
    pub(crate) host: Host,
    pub(crate) version: Version,
    pub(crate) name: String,
    stand: Stand,
    pub(crate) dir: Dir,
    pub(crate) cgroup: String,
    pub(crate) supervisor: Arc<Supervisor>,
    pub(crate) hub: Arc<Hub>,
    /// What the limits of its groups sum up to.
    budget: Mutex<Budget>,
    unnamed: AtomicU64,
    closed: AtomicBool,
    pub(crate) maker: Maker,
}

/// The lab, in the hand of whoever ends it: it ends when this is dropped.
pub(crate) struct Owned(Arc<Shared>);

/// How a lab stands where it does, and so what becomes of that at its end.
pub(super) enum Stand {
    /// Made below that directory, and removed from it.
    Below(Dir),
    /// Around a group of somebody else's: nothing of that is removed, and this is put back.
    Around(PutBack),
}

/// Where a lab stands.
pub(super) struct Place {
    pub(super) host: Host,
    pub(super) version: Version,
    pub(super) name: String,
    pub(super) stand: Stand,
    pub(super) dir: Dir,
    pub(super) cgroup: String,
}

impl Owned {
    pub(super) fn new(shared: Shared) -> Owned {
        Owned(Arc::new(shared))
    }
}

impl Deref for Owned {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // An error cannot be returned here; the supervisor goes on removing, and gc finds what it cannot.
        let _ = self.0.close();
    }
}

impl Shared {
    pub(super) fn new(place: Place, supervisor: Arc<Supervisor>, hub: Hub) -> Shared {
        let Place { host, version, name, stand, dir, cgroup } = place;
        Shared {
            host,
            version,
            name,
            stand,
            dir,
            cgroup,
            supervisor,
            hub: Arc::new(hub),
            budget: Mutex::default(),
            unnamed: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            maker: Maker::this(),
        }
    }

    /// The next of the names that are given where none is asked for.
    pub(super) fn next_name(&self) -> String {
        format!("group{}", self.unnamed.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn check_open(&self, operation: &'static str) -> Result<()> {
        if self.is_closed() {
            return Err(Error::new(ErrorKind::Closed, operation, "the lab was closed")
                .path(self.dir.path())
                .remedy("make a new lab"));
        }
        self.maker.check(operation).map_err(|error| error.path(self.dir.path()))
    }

    pub(super) fn close(&self) -> Result<()> {
        self.maker.check("close lab").map_err(|error| error.path(self.dir.path()))?;
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let deadline = Instant::now() + END_DEADLINE;
        // The instance cannot be removed while its files are open here.
        let children = self.hub.close();
        let ended = self.supervisor.end(deadline);
        // Frozen ones die only now, as the supervisor has thawed them.
        for child in children {
            child.end_child(deadline);
        }
        // The supervisor does the work; where it was itself killed, the same is done from here.
        match &self.stand {
            Stand::Around(put_back) => ended.or_else(|error| match error.kind() {
                ErrorKind::Closed => put_back.write(&self.dir),
                _ => Err(error),
            }),
            Stand::Below(above) => {
                remove_tree(above, &self.dir, self.version, deadline).map_err(|error| ended.err().unwrap_or(error))
            }
        }
    }

    /// What is put back at the end, where the group is somebody else's.
    pub(crate) fn borrowed(&self) -> Option<&PutBack> {
        match &self.stand {
            Stand::Around(put_back) => Some(put_back),
            Stand::Below(_) => None,
        }
    }

    pub(super) fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a new group of that limit keeps the sum within the host's memory.
    pub(crate) fn check_budget(&self, above: Option<&Cgroup>, limit: Option<Limit>) -> Result<Option<u64>> {
        let base = above.map_or(self.cgroup.as_str(), Cgroup::cgroup);
        self.check_limit(&format!("{base}/ "), limit.and_then(Limit::bytes), self.dir.path())
    }

    /// The same for a group that changes its limit.
    pub(crate) fn check_budget_change(&self, group: &Cgroup, limit: Limit) -> Result<Option<u64>> {
        self.check_limit(group.cgroup(), limit.bytes(), group.path())
    }

    fn check_limit(&self, cgroup: &str, bytes: Option<u64>, path: &Path) -> Result<Option<u64>> {
        if let Some(bytes) = bytes {
            self.budget().check(cgroup, bytes, self.host.available_bytes, path)?;
        }
        Ok(bytes)
    }

    pub(crate) fn remember(&self, group: &Cgroup, bytes: Option<u64>) {
        self.budget().set(group.cgroup(), bytes);
    }

    pub(crate) fn forget(&self, group: &Cgroup) {
        self.budget().set(group.cgroup(), None);
        self.hub.unobserve(group.cgroup());
    }
}

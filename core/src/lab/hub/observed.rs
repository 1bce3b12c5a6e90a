//! A group that a hub observes: its notifications, and what was last known of it when it is gone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::sys::eventfd::EventFd;

use crate::error::Result;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::{Counters, Limit};

/// A group whose notifications are read.
pub(crate) struct Observed {
    pub(crate) group: Arc<Cgroup>,
    pub(super) notify: Option<Notify>,
    /// How often the kernel has notified (v1): at each OOM, and once at the end.
    pub(super) rung: u64,
    pub(crate) removed: bool,
    /// Its limit when it was last looked at.
    limit: Option<Limit>,
    /// `memory.oom.group` when it was last looked at.
    oom_group: bool,
    /// Its last counters, where they were read when everybody in it had ended.
    last: Option<Counters>,
}

pub(super) enum Notify {
    V1(EventFd),
    V2(OwnedFd),
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Notify::V1(event) => event.as_fd(),
            Notify::V2(events) => events.as_fd(),
        }
    }
}

impl Observed {
    pub(super) fn new(group: &Arc<Cgroup>, notify: Option<Notify>) -> Observed {
        let mut observed = Observed {
            group: group.clone(),
            notify,
            rung: 0,
            removed: false,
            limit: None,
            oom_group: false,
            last: None,
        };
        observed.look();
        observed
    }

    /// Remembers how it is set, for as long as that can be read.
    pub(super) fn look(&mut self) {
        if let Ok(limit) = self.group.limit() {
            self.limit = Some(limit);
        }
        if let Ok(oom_group) = self.group.oom_group() {
            self.oom_group = oom_group;
        }
    }

    /// Remembers all of it: it is about to be removed, and everybody in it may have ended.
    pub(super) fn look_at_last(&mut self) {
        self.look();
        self.last = self.group.counters().ok();
    }

    /// Its counters now, or at its end; an error where these were not read.
    pub(crate) fn counters(&self) -> Result<Counters> {
        match (self.group.counters(), &self.last) {
            (Err(_), Some(last)) => Ok(last.clone()),
            (read, _) => read,
        }
    }

    /// Its limit now; when it is gone a limit in bytes that was last read, but no "none": where an OOM was, there was one.
    pub(crate) fn limit(&self) -> Result<Limit> {
        match (self.group.limit(), self.limit) {
            (Err(_), Some(limit @ Limit::Bytes(_))) => Ok(limit),
            (read, _) => read,
        }
    }

    /// Whether its OOM kills the whole of it, now or when it was last looked at. A switch that was set later shows in
    /// what the kernel does.
    pub(crate) fn oom_group(&self) -> bool {
        self.group.oom_group().unwrap_or(self.oom_group)
    }
}

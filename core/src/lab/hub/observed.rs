//! A group that a hub observes: its notifications, and what was last known of it when it is gone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::sys::eventfd::EventFd;

use crate::error::Result;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::{Counters, Limit};
use crate::sys;

/// The ring at the end of a group comes from a work queue after a grace period of RCU: at once on an idle machine, after more
/// than a second where twenty processes wait for each CPU. Only a victim that nobody could place is kept waiting for it.
const ITS_END_WITHIN_NS: u64 = 10_000_000_000;

/// A group whose notifications are read.
pub(crate) struct Observed {
    pub(crate) group: Arc<Cgroup>,
    pub(super) notify: Option<Notify>,
    /// How often the kernel has notified while it was there (v1): at each OOM.
    pub(super) rung: u64,
    /// Rings that came when it may have been gone.
    pub(super) late_rings: u64,
    pub(crate) removed: bool,
    gone_ns: Option<u64>,
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
            late_rings: 0,
            removed: false,
            gone_ns: None,
            limit: None,
            oom_group: false,
            last: None,
        };
        observed.look();
        observed
    }

    /// It has gone, as the index is told. On v1 it rings once more for its end, after a grace period of RCU: that ring
    /// cannot be told from those of its OOMs, so whoever wants to know their number waits for it.
    pub(super) fn note_gone(&mut self) {
        self.gone_ns = Some(sys::monotonic_ns());
        self.take_rings();
    }

    pub(super) fn has_bell(&self) -> bool {
        matches!(self.notify, Some(Notify::V1(_)))
    }

    /// Whether the ring of its end may still come, and matters: where it has rung for nothing when it was gone there was no
    /// OOM, as it rings for one before anybody is killed.
    pub(crate) fn awaits_its_ring(&self) -> bool {
        let gone_for = |gone_ns: u64| sys::monotonic_ns().saturating_sub(gone_ns);
        self.has_bell() && self.late_rings > 0 && self.gone_ns.is_some_and(|gone| gone_for(gone) < ITS_END_WITHIN_NS)
    }

    pub(super) fn take_rings(&mut self) {
        if let Some(Notify::V1(event)) = &self.notify {
            self.late_rings += event.read().unwrap_or(0);
        }
    }

    /// For how many OOMs it has rung at least, as one ring may be that of its end; when that has come, for how many (v1).
    pub(super) fn ooms_rung(&self) -> u64 {
        self.rung + self.late_rings.saturating_sub(1)
    }

    /// It was there after it had rung, so these were no rings of its end.
    pub(super) fn rang_while_there(&mut self) {
        self.rung += std::mem::take(&mut self.late_rings);
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

#[cfg(test)]
mod tests {
    use nix::sys::eventfd::EfdFlags;

    use super::*;
    use crate::memcg::files::Dir;
    use crate::memcg::version::Version;

    /// What is known of a group of v1 that was gone when it had rung so often.
    fn gone_after(rings: u64) -> Observed {
        let tree = tempfile::tempdir().unwrap();
        let group = Cgroup::observed(Version::V1, Dir::open(tree.path()).unwrap(), "/g".to_string());
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).unwrap();
        for _ in 0..rings {
            event.write(1).unwrap();
        }
        let mut observed = Observed::new(&group, Some(Notify::V1(event)));
        observed.note_gone();
        observed
    }

    #[test]
    fn one_ring_may_be_that_of_its_end() {
        let none = gone_after(0);
        assert_eq!((none.awaits_its_ring(), none.ooms_rung()), (false, 0), "nothing to be waited for");
        let mut one = gone_after(1);
        assert_eq!((one.awaits_its_ring(), one.ooms_rung()), (true, 0));
        if let Some(Notify::V1(event)) = &one.notify {
            event.write(1).unwrap();
        }
        one.take_rings();
        assert_eq!(one.ooms_rung(), 1);
        // Of two one at least was for an OOM: that is not waited for.
        assert_eq!(gone_after(2).ooms_rung(), 1);
    }
}

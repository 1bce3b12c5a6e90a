//! A watch: the pollable stream of what happens in a group and below it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::event::{Event, EventKind};
use super::hub::{Hub, Look, State};
use super::trace::Tracefs;
use super::wait::Wait;
use crate::account::oom::Oom;
use crate::error::{Error, Result};
use crate::memcg::group::covers;
use crate::memcg::Group;

/// A pollable stream of the events of a group and of the groups below it, from the moment it was opened.
///
/// Several watches of one group see the same events, each in its own time. A watch may be used from any thread.
pub struct Watch {
    hub: Arc<Hub>,
    group: Group,
    bell: Arc<EventFd>,
    fd: Epoll,
    next_event: usize,
    next_oom: usize,
}

impl Group {
    /// Opens a watch. Open it before the workers start, so that it sees everything.
    ///
    /// # Errors
    /// `NotFound` where the group was removed; `Io` where no descriptor is to be had. A source that cannot be opened is
    /// named in each account instead.
    pub fn watch(&self) -> Result<Watch> {
        let _ = self.alive("watch group")?;
        if !self.0.dir.exists() {
            return Err(
                Error::new(crate::ErrorKind::NotFound, "watch group", "the group was removed").path(self.path())
            );
        }
        let hub = self.hub()?;
        let failed = |errno| Error::os("make watch", errno).path(self.path());
        let bell = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(failed)?);
        let fd = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        fd.add(hub.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(failed)?;
        fd.add(&*bell, EpollEvent::new(EpollFlags::EPOLLIN, 1)).map_err(failed)?;
        hub.add_watch(&bell);
        let state = hub.refresh();
        let (next_event, next_oom) = (state.events.len(), state.ooms.len());
        drop(state);
        Ok(Watch { hub, group: self.clone(), bell, fd, next_event, next_oom })
    }

    /// The hub of its lab; an opened group gets one of its own at the first watch.
    fn hub(&self) -> Result<Arc<Hub>> {
        if let Some(lab) = &self.0.lab {
            return Ok(lab.hub.clone());
        }
        if let Some(hub) = self.0.own_hub.get() {
            return Ok(hub.clone());
        }
        let name = crate::memcg::leftover::new_name();
        let mut missing = Vec::new();
        let tracefs =
            Tracefs::find().map_err(|error| missing.push(super::Missing::new("tracefs", error.to_string()))).ok();
        let hub = Hub::new(None, true, tracefs.as_ref().map(|tracefs| (tracefs, name.as_str())), missing)?;
        hub.observe(self)?;
        let hub = self.0.own_hub.get_or_init(|| Arc::new(hub));
        Ok(hub.clone())
    }
}

impl Watch {
    /// The group that is watched.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The one descriptor to poll for reading: readable when [`Watch::next`] or [`Watch::wait_oom`] may have something.
    /// Other records of the kernel log make it readable too; then `next` answers `None`.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.0.as_fd()
    }

    /// The next event; `None` when there is none by the deadline.
    ///
    /// # Errors
    /// `Interrupted`; `Io` where waiting failed.
    pub fn next<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<Option<Arc<Event>>> {
        let Watch { hub, group, bell, next_event, .. } = self;
        hub.wait_until(&mut wait.into(), |state| {
            while let Some(event) = state.events.get(*next_event) {
                *next_event += 1;
                if concerns(group, event) {
                    return Ok(Look::Done(event.clone()));
                }
            }
            let _ = bell.read();
            Ok(Look::Wait)
        })
    }

    /// The account of the next OOM of the group, of a group below it, or of a group above it that struck here; `None`
    /// when there is none by the deadline. Events that are passed over meanwhile can still be read with
    /// [`Watch::next`].
    ///
    /// # Errors
    /// `Interrupted`; `Io` where waiting failed.
    pub fn wait_oom<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<Option<Arc<Oom>>> {
        let Watch { hub, group, bell, next_oom, .. } = self;
        hub.wait_until(&mut wait.into(), |state: &mut State| {
            while let Some(oom) = state.ooms.get(*next_oom) {
                *next_oom += 1;
                if struck(group, oom) {
                    return Ok(Look::Done(oom.clone()));
                }
            }
            let _ = bell.read();
            Ok(Look::Wait)
        })
    }
}

/// What happened in the group or below it; losses concern everybody.
fn concerns(group: &Group, event: &Event) -> bool {
    match &event.group {
        Some(cgroup) => group.covers(cgroup),
        None => matches!(event.kind, EventKind::Lost { .. }),
    }
}

fn struck(group: &Group, oom: &Oom) -> bool {
    let inside = |cgroup: &str| group.covers(cgroup);
    let above = |cgroup: &str| covers(cgroup, group.cgroup());
    let victims = || oom.victims.iter().filter_map(|victim| victim.group.as_deref());
    match &oom.limit_group {
        Some(cgroup) => inside(cgroup) || above(cgroup) && (victims().any(inside) || victims().next().is_none()),
        None => victims().any(inside),
    }
}

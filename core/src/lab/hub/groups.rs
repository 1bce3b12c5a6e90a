//! Which groups a hub listens to: from the first look at one to the last.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::sys::epoll::{EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::observed::{Notify, Observed};
use super::{tag, Hub, State};
use crate::account::sign::Sign;
use crate::error::{Error, ErrorKind, Result};
use crate::memcg::cgroup::Cgroup;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};
use crate::sys::Named;

impl Hub {
    /// Starts to read a group's notifications, and remembers its counters as the "before" of its first OOM.
    pub(crate) fn observe(&self, group: &Arc<Cgroup>) -> Result<()> {
        let mut state = self.lock();
        self.observe_in(&mut state, group)
    }

    pub(super) fn observe_in(&self, state: &mut State, group: &Arc<Cgroup>) -> Result<()> {
        if group.ours {
            self.begin_anew(state, group.cgroup(), true);
        }
        if let Some(trace) = &state.trace {
            trace.expect_kills();
        }
        let (cgroup, counters) = (group.cgroup().to_string(), group.counters().ok());
        state.take(match group.ours {
            true => Sign::Began { cgroup, counters },
            false => Sign::Met { cgroup, counters },
        });
        let id = state.next_group;
        state.next_group += 1;
        let notify = self.listen(state, group, id)?;
        state.world.groups.insert(id, Observed::new(group, notify));
        state.take(Sign::Before { cgroup: group.cgroup().to_string(), scope: None });
        state.sample_usage(group);
        Ok(())
    }

    /// Registers for the notifications of a group; `None` where it has none, or may not be asked.
    fn listen(&self, state: &mut State, group: &Arc<Cgroup>, id: u64) -> Result<Option<Notify>> {
        let dir = &group.dir;
        let failed = |errno: std::io::Error| Error::os("watch group", errno).path(group.path());
        let add = |fd: &dyn AsFd, flags| {
            self.epoll.add(fd.as_fd(), EpollEvent::new(flags, tag::GROUP | id)).named("epoll_ctl").map_err(failed)
        };
        let refused = match group.version() {
            Version::V1 => {
                let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
                    .named("eventfd2")
                    .map_err(failed)?;
                let control = dir.open_file(v1::OOM_CONTROL, OFlag::O_RDONLY)?;
                match dir.write("cgroup.event_control", &format!("{} {}", event.as_raw_fd(), control.as_raw_fd())) {
                    Ok(()) => {
                        add(&event, EpollFlags::EPOLLIN)?;
                        return Ok(Some(Notify::V1(event)));
                    }
                    // Observing must go on without the right to register: the other sources remain.
                    Err(error) if group.ours => return Err(error),
                    Err(error) => error,
                }
            }
            Version::V2 => match dir.open_file(v2::EVENTS, OFlag::O_RDONLY) {
                Ok(events) => {
                    add(&events, EpollFlags::EPOLLPRI)?;
                    let _ = nix::sys::uio::pread(&events, &mut [0; 512], 0);
                    return Ok(Some(Notify::V2(events)));
                }
                Err(error) => error,
            },
        };
        if !dir.exists() {
            return Err(refused.with_kind(ErrorKind::NotFound));
        }
        // The top of a v2 hierarchy has none: the groups below it tell.
        let is_top = || group.version() == Version::V2 && v2::is_top(dir).unwrap_or(false);
        if refused.errno() != Some(libc::ENOENT) || !is_top() {
            state.miss("counters", format!("no OOM notification: {refused}"));
            state.world.unrung = true;
        }
        Ok(None)
    }

    /// The group is about to be removed by our own hand: what is read of it now is the last.
    pub(crate) fn look_at_last(&self, cgroup: &str) {
        let mut state = self.lock();
        if let Some(observed) = state.world.groups.living_mut(cgroup) {
            observed.look_at_last();
        }
    }

    /// The group is gone, by our own hand. It is forgotten when no account is open that may be of it.
    pub(crate) fn unobserve(&self, cgroup: &str) {
        let mut state = self.lock();
        let ids: Vec<u64> = state.world.groups.under(cgroup).map(|(id, _)| id).collect();
        for id in ids {
            self.silence(&mut state, id);
        }
        self.tidy(&mut state);
    }

    /// A group of that name begins anew: what is still open of the one before is concluded with what is known. `made`
    /// says that it was made just now, so that whatever is observed under that name has gone.
    pub(super) fn begin_anew(&self, state: &mut State, cgroup: &str, made: bool) {
        let before = |(_, old): &(u64, &Observed)| old.removed || made;
        let ids: Vec<u64> = state.world.groups.under(cgroup).filter(before).map(|(id, _)| id).collect();
        if ids.is_empty() {
            return;
        }
        if state.collector.is_open() {
            state.conclude_group(cgroup);
            self.collect(state);
            state.take(Sign::Concluded);
        }
        for id in ids {
            self.drop_group(state, id);
        }
        state.take(Sign::Forgotten { cgroup: cgroup.to_string() });
    }

    pub(super) fn drop_group(&self, state: &mut State, id: u64) {
        self.silence(state, id);
        state.world.groups.remove(id);
    }

    /// A group has gone: nothing of it is listened to any more.
    fn silence(&self, state: &mut State, id: u64) {
        let Some(observed) = state.world.groups.end(id) else { return };
        self.unlisten(observed.notify.take());
        let cgroup = observed.group.cgroup().to_string();
        state.bells.retain(|_, bell| {
            let stays = bell.group.cgroup() != cgroup;
            if !stays {
                let _ = self.epoll.delete(&*bell);
            }
            stays
        });
    }

    /// Nothing will come of a group any more.
    pub(super) fn unlisten(&self, notify: Option<Notify>) {
        if let Some(notify) = notify {
            let _ = self.epoll.delete(&notify);
        }
    }
}

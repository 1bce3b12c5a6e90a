//! A watch: the pollable stream of what happens in a group and below it.

use std::cell::RefCell;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

use self::meant::Meant;
use super::diary::Diary;
use super::hub::{Hub, Look, State};
use super::recording;
use crate::account::oom::Oom;
use crate::account::postmortem::entry::What;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::supervisor::{Options, Supervisor};
use crate::lab::group::Group;
use crate::lab::hub::backlog::Cursor;
use crate::lab::hub::names::Names;
use crate::memcg::owner;
use crate::observe::author::KilledBy;
use crate::observe::event::{Event, EventKind, Source};
use crate::observe::tracefs::Tracefs;
use crate::sys::Named;
use crate::wait::Wait;

pub(crate) mod meant;

/// A pollable stream of the events of a group and of the groups below it, from the moment it was opened.
///
/// Several watches of one group see the same events, each in its own time. A watch may be used from any thread.
pub struct Watch {
    hub: Arc<Hub>,
    group: Group,
    meant: Meant,
    cursor: Arc<Cursor>,
    fd: Epoll,
    diary: Option<Diary>,
    /// One of the groups that are meant has been seen.
    seen: bool,
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
        self.watch_with(self.hub()?)
    }

    /// The same, with the groups below: their counters and notifications are read too, also of those that are made
    /// later, so that an OOM in one of them is accounted for as if it were watched itself. In a lab this is what every
    /// watch does. Each group takes two descriptors.
    ///
    /// # Errors
    /// As [`Group::watch`]; `Io` where the directories cannot be listened to (`fs.inotify.max_user_watches`), or where this
    /// process has too few descriptors left for the groups that are there (`RLIMIT_NOFILE`).
    pub fn watch_recursive(&self) -> Result<Watch> {
        let watch = self.watch()?;
        if self.0.lab.is_none() || self.is_adopted() {
            watch.hub.observe_below(&self.0.cgroup)?;
        }
        Ok(watch)
    }

    fn watch_with(&self, hub: Arc<Hub>) -> Result<Watch> {
        let failed = |errno: std::io::Error| Error::os("make watch", errno).path(self.path());
        let bell =
            EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).named("eventfd2").map_err(failed)?;
        let fd = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).named("epoll_create1").map_err(failed)?;
        fd.add(hub.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, 0)).named("epoll_ctl").map_err(failed)?;
        fd.add(&bell, EpollEvent::new(EpollFlags::EPOLLIN, 1)).named("epoll_ctl").map_err(failed)?;
        let mut state = hub.refresh();
        let cursor = Arc::new(Cursor::new(bell, state.events.end(), state.ooms.end()));
        state.add_watch(&cursor);
        drop(state);
        let meant = Meant::Below(self.clone());
        Ok(Watch { hub, group: self.clone(), meant, cursor, fd, diary: None, seen: false })
    }

    /// Has everything recorded that the accounts of an opened group are made of, by the next watch of it that is opened
    /// while there is none: for [`replay`](crate::replay). A recording that stands at `path` is written over. The groups
    /// of a lab are recorded together, by [`LabOptions::record`](crate::LabOptions).
    ///
    /// # Errors
    /// `InvalidInput` where `path` is a link or a file that is no recording, or for a group of a lab; `Busy` while the
    /// group is watched; `Io`.
    pub fn record(&self, path: impl AsRef<Path>) -> Result<()> {
        const OPERATION: &str = "record group";
        if self.0.lab.is_some() {
            // A forked child learns that it is one, whatever it asks.
            self.lab(OPERATION)?;
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "the group belongs to a lab")
                .path(self.path())
                .remedy("record the whole lab: LabOptions.record"));
        }
        let own = self.0.own_hub.lock().unwrap_or_else(PoisonError::into_inner);
        if own.strong_count() > 0 {
            return Err(Error::new(ErrorKind::Busy, OPERATION, "the group is watched already")
                .path(self.path())
                .remedy("have it recorded before the first watch is opened"));
        }
        *self.0.record.lock().unwrap_or_else(PoisonError::into_inner) = Some(recording::begin(path.as_ref())?);
        Ok(())
    }

    /// The hub of its lab; an opened group has one of its own as long as it is watched.
    fn hub(&self) -> Result<Arc<Hub>> {
        if let Some(lab) = &self.0.lab {
            return Ok(lab.hub.clone());
        }
        let mut own = self.0.own_hub.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = own.upgrade() {
            return Ok(hub);
        }
        let record = self.0.record.lock().unwrap_or_else(PoisonError::into_inner).take();
        // An instance of tracefs has its owner's name, and somebody who removes it whatever becomes of this process:
        // where either cannot be had, none is made.
        let guarded = RefCell::new(None);
        let named = |tracefs: &Tracefs| {
            let name = owner::new_name()?;
            guarded.replace(Some(guardian(tracefs, &name)?));
            Ok(name)
        };
        let hub = Hub::new(None, true, Some(&named), Vec::new(), record)?;
        hub.lock().guardian = guarded.take();
        hub.observe_opened(&self.0.cgroup)?;
        let hub = Arc::new(hub);
        *own = Arc::downgrade(&hub);
        Ok(hub)
    }
}

/// An observer has no lab whose supervisor would outlive it: a supervisor with nobody to start removes its instance.
fn guardian(tracefs: &Tracefs, name: &str) -> Result<Supervisor> {
    let name =
        CString::new(name).map_err(|_| Error::new(crate::ErrorKind::Io, "guard tracing instance", "bad name"))?;
    let guardian = Supervisor::start(&Options { guards_only: true, ..Options::default() })?;
    guardian.guard_instance(tracefs.instances_dir(), &name)?;
    Ok(guardian)
}

impl Watch {
    /// The group that is watched; of [`watch_of`](crate::watch_of) the top of the hierarchy.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The one descriptor to poll for reading: readable when [`Watch::next`] or [`Watch::wait_oom`] may have something.
    /// Other records of the kernel log make it readable too; then `next` answers `None`.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.0.as_fd()
    }

    /// Says that this process is about to pass on to the process `target` a signal that it was sent by the process `pid` of the
    /// user `uid`, as `Worker::pass_on` does it: where that ends it, that sender is named. The
    /// answer is who that is, for where no tracepoint tells.
    ///
    /// # Errors
    /// `Closed` in a forked child.
    pub fn will_pass_on(&self, target: i32, signal: i32, pid: i32, uid: u32) -> Result<KilledBy> {
        self.hub.check("pass on signal")?;
        let mut state = self.hub.lock();
        state.will_pass_on(target, signal, pid, uid);
        Ok(state.passed_on(target, signal, None).unwrap_or_else(|| KilledBy::unknown(signal, "it was not passed on")))
    }

    /// Whether a group is there that the watch is of: what has a name may be watched before it is started.
    ///
    /// # Errors
    /// `Closed` in a forked child.
    pub fn has_groups(&self) -> Result<bool> {
        self.hub.check("look for groups")?;
        Ok(self.meant.have_groups(&self.hub.refresh()))
    }

    /// Keeps a record in a directory of whatever dies from now on: each death by a signal and each account that this watch
    /// gives is on the disk before it is given, within `most_bytes` in all, the oldest going first. It is what
    /// [`postmortem_with`](crate::postmortem_with) reads, also after a restart of the machine. The directory is made where it is
    /// not there, for its owner alone.
    ///
    /// # Errors
    /// `InvalidInput` for less than 64 KiB; `PermissionDenied` where others may write to the directory; `Busy` where another
    /// watch does; `Closed` in a forked child; `Io`. From then on also `next` and `wait_oom` give `Io` for what could not be written.
    pub fn keep_record(&mut self, directory: impl AsRef<Path>, most_bytes: u64) -> Result<()> {
        self.hub.check("keep record")?;
        let mut diary = Diary::open(directory.as_ref(), most_bytes)?;
        let group = self.group.cgroup().to_string();
        diary.write(crate::sys::monotonic_ns(), What::Watching { group })?;
        self.diary = Some(diary);
        Ok(())
    }

    /// The next event; `None` when there is none by the deadline.
    ///
    /// # Errors
    /// `Closed` where the lab was closed, and at once when its supervisor dies; `Interrupted`; `Io` where waiting failed.
    pub fn next<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<Option<Arc<Event>>> {
        let Watch { hub, meant, cursor, diary, .. } = self;
        let event = hub.wait_until(&mut wait.into(), |state| {
            let (next, first) = (cursor.event(), state.events.first());
            if next < first {
                cursor.read_events(first);
                return Ok(Look::Done(Arc::new(unread(first - next))));
            }
            for (number, event) in (next..).zip(state.events.since(next)) {
                if concerns(meant, event, &state.world.names) {
                    cursor.read_events(number + 1);
                    return Ok(Look::Done(event.clone()));
                }
            }
            cursor.read_events(state.events.end());
            let _ = cursor.bell.read();
            Ok(Look::Wait)
        })?;
        let told = event.as_deref().and_then(|event| Some((event.time_ns, What::of_event(event)?)));
        write(diary, told)?;
        Ok(event)
    }

    /// The account of the next OOM of the group, of a group below it, or of a group above it that struck here; `None`
    /// when there is none by the deadline. Events that are passed over meanwhile can still be read with
    /// [`Watch::next`].
    ///
    /// # Errors
    /// `Closed` where the lab was closed, and at once when its supervisor dies; `Interrupted`; `Io` where waiting failed.
    pub fn wait_oom<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<Option<Arc<Oom>>> {
        let Watch { hub, meant, cursor, diary, seen, .. } = self;
        let oom = hub.wait_until(&mut wait.into(), |state: &mut State| {
            *seen = *seen || meant.are_among(state);
            let (next, first) = (cursor.oom(), state.ooms.first());
            if next < first {
                state.events.push(unread(first - next));
            }
            // Where nothing else is observed, what nobody could place happened here.
            let names = &state.world.names;
            let is_all = || state.world.groups.values().all(|observed| meant.is(observed.group.cgroup(), names));
            for (number, oom) in (next.max(first)..).zip(state.ooms.since(next)) {
                if struck(meant, oom, names, *seen) || oom.limit_group.is_none() && *seen && is_all() {
                    cursor.read_ooms(number + 1);
                    return Ok(Look::Done(oom.clone()));
                }
            }
            cursor.read_ooms(state.ooms.end());
            let _ = cursor.bell.read();
            Ok(Look::Wait)
        })?;
        let at_ns = |oom: &Oom| oom.timings_ns.get("victim_marked").unwrap_or_else(crate::sys::monotonic_ns);
        write(diary, oom.as_deref().map(|oom| (at_ns(oom), What::of_oom(oom))))?;
        Ok(oom)
    }
}

fn write(diary: &mut Option<Diary>, told: Option<(u64, What)>) -> Result<()> {
    match (diary, told) {
        (Some(diary), Some((time_ns, what))) => diary.write(time_ns, what),
        _ => Ok(()),
    }
}

/// So much was not read in time and was forgotten.
fn unread(count: usize) -> Event {
    let kind = EventKind::Lost { count: count as u64 };
    Event { time_ns: crate::sys::monotonic_ns(), source: Source::Memoom, group: None, pid: None, kind }
}

/// What happened in the group or below it; losses concern everybody.
fn concerns(meant: &Meant, event: &Event, names: &Names) -> bool {
    match &event.group {
        Some(cgroup) => meant.is(cgroup, names),
        None => matches!(event.kind, EventKind::Lost { .. }),
    }
}

fn struck(meant: &Meant, oom: &Oom, names: &Names, seen: bool) -> bool {
    let inside = |cgroup: &str| meant.is(cgroup, names);
    let victims = || oom.victims.iter().filter_map(|victim| victim.group.as_deref());
    match &oom.limit_group {
        Some(cgroup) => inside(cgroup) || meant.is_hit_from(cgroup, victims().map(inside).peekable()),
        // Of a kill that nobody could place it may be known where it was counted, and else it may be anybody's who was
        // there.
        None => match (&oom.counted_in, victims().next()) {
            (Some(cgroup), None) => inside(cgroup),
            (None, None) => seen,
            _ => victims().any(inside),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a failure is the report
mod tests {
    use super::*;
    use crate::account::findings::tests::plain;
    use crate::account::postmortem::Subject;

    #[test]
    fn what_nobody_could_place_is_of_nobody_who_was_never_there() {
        let (unit, names) = (Meant::Named(Subject::Unit("web.service".to_string())), Names::default());
        let nowhere = Oom { limit_group: None, victims: Vec::new(), counted_in: None, ..plain() };
        assert!(struck(&unit, &nowhere, &names, true) && !struck(&unit, &nowhere, &names, false));
        let counted = |cgroup: &str| Oom { counted_in: Some(cgroup.to_string()), ..nowhere.clone() };
        assert!(struck(&unit, &counted("/system.slice/web.service"), &names, false));
        assert!(!struck(&unit, &counted("/system.slice/other.service"), &names, true));
    }
}

//! Where all sources of a lab (or of one opened group) come together: one epoll, one list of events, one collector.
//!
//! No thread runs here: whoever waits does the reading. When several threads wait, one polls and the others wait for
//! it, so that no wake is lost.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

use super::alarm::Bell;
use super::backlog::{Backlog, Cursor};
use super::event::{Event, EventKind, Source};
use super::kmsg::{Item, KernelLog, Record};
use super::trace::{TraceInstance, TraceItem, Tracefs};
use super::tree::Tree;
use super::wait::Wait;
use super::Missing;
use crate::account::collect::{Collector, Whose};
use crate::account::oom::{Blocked, Oom};
use crate::account::sample::Samples;
use crate::account::timeline::Timeline;
use crate::error::{Error, ErrorKind, Result};
use crate::memcg::block::Change;
use crate::memcg::{v1, v2, Group, Limit, Version};
use crate::pressure::supervisor::{Notice, Supervisor};
use crate::pressure::worker::{Exit, Process};
use crate::sys;

mod opened;

/// What an epoll entry stands for; the number of the group, worker or victim is in the low half.
mod tag {
    pub(super) const SUPERVISOR: u64 = 1 << 32;
    pub(super) const LOG: u64 = 2 << 32;
    pub(super) const TRACE: u64 = 3 << 32;
    pub(super) const GROUP: u64 = 4 << 32;
    pub(super) const CHANNEL: u64 = 5 << 32;
    pub(super) const VICTIM: u64 = 6 << 32;
    pub(super) const KICK: u64 = 7 << 32;
    pub(super) const CHILD: u64 = 8 << 32;
    pub(super) const BELL: u64 = 9 << 32;
    pub(super) const TREE: u64 = 10 << 32;
    pub(super) const TIMER: u64 = 11 << 32;
    pub(super) const KIND: u64 = !0 << 32;
}

/// While something may change without a wake (a task's state, the exit of a stranger), it is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How far the ancestors of a process are looked at.
const MOST_GENERATIONS: usize = 64;

/// All sources and what they said.
pub(crate) struct Hub {
    epoll: Epoll,
    /// Wakes whoever polls, for news that no descriptor brings (a notice read by another call).
    kick: EventFd,
    /// Wakes whoever polls while an account is open: that it is complete makes no other descriptor readable.
    timer: TimerFd,
    state: Mutex<State>,
    turn: Condvar,
}

/// What is known so far; always behind the hub's lock.
pub(crate) struct State {
    polling: bool,
    /// The lab was closed: nothing will come any more.
    closed: bool,
    supervisor: Option<Arc<Supervisor>>,
    log: Option<KernelLog>,
    trace: Option<TraceInstance>,
    pub(crate) groups: BTreeMap<u64, Observed>,
    next_group: u64,
    pub(crate) workers: BTreeMap<u64, Arc<Process>>,
    pub(crate) orphans: BTreeMap<i32, u64>,
    pub(crate) events: Backlog<Event>,
    pub(crate) ooms: Backlog<Oom>,
    pub(crate) collector: Collector,
    pub(crate) samples: Samples,
    pub(crate) missing: Vec<Missing>,
    watches: Vec<Weak<Cursor>>,
    /// The directory of an opened group, and what comes and goes in it.
    tree: Option<Tree>,
    bells: BTreeMap<u64, Bell>,
    next_bell: u64,
}

/// A group whose notifications are read.
pub(crate) struct Observed {
    pub(crate) group: Group,
    notify: Option<Notify>,
    /// How often the kernel has notified (v1): at each OOM, and once at the end.
    rung: u64,
    pub(crate) removed: bool,
}

enum Notify {
    V1(EventFd),
    V2(OwnedFd),
}

impl Hub {
    /// Opens the sources. One that cannot be had is named in the accounts, not an error.
    pub(crate) fn new(
        supervisor: Option<Arc<Supervisor>>,
        kernel_log: bool,
        tracefs: Option<(&Tracefs, &str)>,
        mut missing: Vec<Missing>,
    ) -> Result<Hub> {
        let failed = |errno: Errno| Error::os("make watch", errno);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        let readable = |tag| EpollEvent::new(EpollFlags::EPOLLIN, tag);
        let kick = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(failed)?;
        epoll.add(&kick, readable(tag::KICK)).map_err(failed)?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(failed)?;
        epoll.add(timer.as_fd(), readable(tag::TIMER)).map_err(failed)?;
        if let Some(supervisor) = &supervisor {
            epoll.add(supervisor.socket(), readable(tag::SUPERVISOR)).map_err(failed)?;
        }
        // Both name processes by the pids of the machine, which mean others in here, and nothing translates them.
        let foreign = !super::task::machine_pids();
        if foreign {
            let reason = "this process is in a pid namespace, and the kernel names processes as they are outside";
            missing.extend(kernel_log.then(|| Missing::new("kernel-log", reason)));
            missing.extend(tracefs.map(|_| Missing::new("tracefs", reason)));
        }
        let mut log = None;
        if kernel_log && !foreign {
            match KernelLog::open() {
                Ok(opened) => log = Some(opened),
                Err(error) => missing.push(Missing::new("kernel-log", error.to_string())),
            }
        }
        if let Some(log) = &log {
            epoll.add(log.as_fd(), readable(tag::LOG)).map_err(failed)?;
        }
        let mut trace = None;
        if let Some((tracefs, name)) = tracefs.filter(|_| !foreign) {
            match TraceInstance::create(tracefs, name) {
                Ok(created) => trace = Some(created),
                Err(error) => missing.push(Missing::new("tracefs", error.to_string())),
            }
        }
        if let Some(fd) = trace.as_ref().and_then(TraceInstance::as_fd) {
            epoll.add(fd, readable(tag::TRACE)).map_err(failed)?;
        }
        let collector = Collector::new(trace.is_some(), log.is_some());
        let state = State {
            polling: false,
            closed: false,
            supervisor,
            log,
            trace,
            groups: BTreeMap::new(),
            next_group: 0,
            workers: BTreeMap::new(),
            orphans: BTreeMap::new(),
            events: Backlog::default(),
            ooms: Backlog::default(),
            collector,
            samples: Samples::default(),
            missing,
            watches: Vec::new(),
            tree: None,
            bells: BTreeMap::new(),
            next_bell: 0,
        };
        Ok(Hub { epoll, kick, timer, state: Mutex::new(state), turn: Condvar::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in a reader leaves the lists whole: each change is one push.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one descriptor that becomes readable when a source has something.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// Starts to read a group's notifications, and remembers its counters as the "before" of its first OOM.
    pub(crate) fn observe(&self, group: &Group) -> Result<()> {
        let mut state = self.lock();
        self.observe_in(&mut state, group)
    }

    fn observe_in(&self, state: &mut State, group: &Group) -> Result<()> {
        let dir = &group.0.dir;
        let id = state.next_group;
        state.next_group += 1;
        let failed = |errno: Errno| Error::os("watch group", errno).path(group.path());
        let notify = match group.version() {
            Version::V1 => {
                let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(failed)?;
                let control = dir.open_file(v1::OOM_CONTROL, OFlag::O_RDONLY)?;
                use std::os::fd::AsRawFd;
                match dir.write("cgroup.event_control", &format!("{} {}", event.as_raw_fd(), control.as_raw_fd())) {
                    Ok(()) => {
                        self.epoll
                            .add(&event, EpollEvent::new(EpollFlags::EPOLLIN, tag::GROUP | id))
                            .map_err(failed)?;
                        Some(Notify::V1(event))
                    }
                    // Observing must go on without the right to register: the other sources remain.
                    Err(error) if group.0.lab.is_none() => {
                        state.miss("counters", format!("no OOM notification: {error}"));
                        None
                    }
                    Err(error) => return Err(error),
                }
            }
            Version::V2 => match dir.open_file(v2::EVENTS, OFlag::O_RDONLY) {
                Ok(events) => {
                    self.epoll.add(&events, EpollEvent::new(EpollFlags::EPOLLPRI, tag::GROUP | id)).map_err(failed)?;
                    let _ = nix::sys::uio::pread(&events, &mut [0; 512], 0);
                    Some(Notify::V2(events))
                }
                Err(error) => {
                    state.missing.push(Missing::new("counters", format!("no OOM notification: {error}")));
                    None
                }
            },
        };
        state.collector.before(group, None);
        state.groups.insert(id, Observed { group: group.clone(), notify, rung: 0, removed: false });
        state.sample_usage(group);
        Ok(())
    }

    /// The group is gone, by our own hand.
    pub(crate) fn unobserve(&self, group: &Group) {
        let mut state = self.lock();
        let ids: Vec<u64> = state
            .groups
            .iter()
            .filter(|(_, observed)| observed.group.cgroup() == group.cgroup())
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.drop_group(&mut state, id);
        }
        if !state.collector.is_open() {
            state.collector.forget(group.cgroup());
        }
    }

    /// How many accounts there are; what is under way is waited for no longer than one reading.
    pub(crate) fn accounts(&self) -> usize {
        let mut state = self.lock();
        if state.collector.is_open() && !state.polling {
            self.drain(&mut state);
        }
        state.ooms.end()
    }

    /// A worker is ready: its channel is read from now on.
    pub(crate) fn add_worker(&self, process: &Arc<Process>) -> Result<()> {
        let mut state = self.lock();
        if let Some(channel) = &process.channel {
            self.epoll
                .add(channel, EpollEvent::new(EpollFlags::EPOLLIN, tag::CHANNEL | process.id))
                .map_err(|errno| Error::os("watch worker", errno).value(process.pid))?;
        }
        if process.forked {
            // Nobody else reaps it; its pidfd tells of its end.
            self.epoll
                .add(&process.pidfd, EpollEvent::new(EpollFlags::EPOLLIN, tag::CHILD | process.id))
                .map_err(|errno| Error::os("watch worker", errno).value(process.pid))?;
        }
        // Of workers that have ended and that nobody holds any more, nothing will be asked.
        if !state.collector.is_open() {
            state.workers.retain(|_, old| Arc::strong_count(old) > 1 || old.progress().exit.is_none());
        }
        state.workers.insert(process.id, process.clone());
        if process.channel.is_none() {
            // A command grows by itself; a hog is looked at before each step.
            state.collector.before(&process.group, None);
        }
        if state.polling {
            // The call that started it may have read an exit meanwhile, and nothing else tells the one who polls.
            self.kick();
        }
        let name = crate::text::escape(&process.name);
        state.push(
            process.started_ns,
            Source::Memoom,
            Some(process.group.cgroup()),
            Some(process.pid),
            EventKind::Started { name },
        );
        Ok(())
    }

    pub(crate) fn note(&self, source: Source, group: &Group, pid: Option<i32>, kind: EventKind) {
        self.lock().push(sys::monotonic_ns(), source, Some(group.cgroup()), pid, kind);
    }

    pub(crate) fn note_limit(&self, group: &Group, limit: Limit) {
        self.note(Source::Memoom, group, None, EventKind::Limit { limit_bytes: limit.bytes() });
    }

    pub(crate) fn note_switch(&self, group: &Group, name: &str, on: bool) {
        self.note(Source::Memoom, group, None, EventKind::Switch { name: name.to_string(), on });
    }

    /// An alarm is set: its rings become events.
    pub(crate) fn add_bell(&self, bell: Bell) -> Result<()> {
        let mut state = self.lock();
        let id = state.next_bell;
        state.next_bell += 1;
        self.epoll
            .add(&bell, EpollEvent::new(bell.flags(), tag::BELL | id))
            .map_err(|errno| Error::os("add alarm", errno).path(bell.group.path()))?;
        state.bells.insert(id, bell);
        Ok(())
    }

    /// Has everything read again, by whoever polls.
    pub(crate) fn kick(&self) {
        let _ = self.kick.write(1);
    }

    pub(crate) fn timeline(&self) -> Timeline {
        let mut state = self.lock();
        self.drain(&mut state);
        Timeline::new(state.events.since(0).cloned().collect(), state.ooms.since(0).cloned().collect())
    }

    /// Reads what is there, without waiting.
    pub(crate) fn refresh(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if !state.polling {
            self.drain(&mut state);
        }
        state
    }

    /// Reads until `done` gives something. `None` at the deadline. `done` also says how soon to look again when no
    /// descriptor would tell ([`Look`]).
    pub(crate) fn wait_until<T>(
        &self,
        wait: &mut Wait<'_>,
        mut done: impl FnMut(&mut State) -> Result<Look<T>>,
    ) -> Result<Option<T>> {
        let mut state = self.lock();
        loop {
            if !state.polling {
                self.drain(&mut state);
                state.sample_when_due();
            }
            let again = match done(&mut state)? {
                Look::Done(value) => return Ok(Some(value)),
                Look::Again => Some(LOOK_AGAIN),
                Look::Wait => (state.collector.is_open() || state.looks_for_blocks()).then_some(LOOK_AGAIN),
            };
            if wait.expired() {
                return Ok(None);
            }
            if state.closed {
                return Err(Error::new(
                    ErrorKind::Closed,
                    "wait",
                    "the lab was closed, and nothing more will happen in it",
                ));
            }
            let slice = wait.slice(again);
            if state.polling {
                let longest = slice.unwrap_or(Duration::from_millis(50)).min(Duration::from_millis(50));
                state = self.turn.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                state.polling = true;
                let slice = [slice, state.samples.due_in()].into_iter().flatten().min();
                drop(state);
                let timeout = slice.map_or(PollTimeout::NONE, |slice| {
                    // Rounded up, so that the last slice does not spin.
                    PollTimeout::try_from(slice + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
                });
                let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
                let polled = poll(&mut fds, timeout);
                state = self.lock();
                state.polling = false;
                self.turn.notify_all();
                if let Err(errno) = polled {
                    if errno != Errno::EINTR {
                        return Err(Error::os("wait", errno));
                    }
                }
            }
            drop(state);
            // Not under the lock: the question may need a lock of the caller's own.
            wait.check()?;
            state = self.lock();
        }
    }

    /// Stops reading; the tracefs instance goes, as its files are closed. Gives back the forked children that have
    /// not ended, for nobody else reaps them.
    pub(crate) fn close(&self) -> Vec<Arc<Process>> {
        let mut state = self.lock();
        self.drain(&mut state);
        // What is still open gets its account now, with what is known.
        state.conclude();
        self.collect(&mut state);
        let ids: Vec<u64> = state.groups.keys().copied().collect();
        for id in ids {
            self.drop_group(&mut state, id);
        }
        if let Some(trace) = state.trace.take() {
            if let Some(fd) = trace.as_fd() {
                let _ = self.epoll.delete(fd);
            }
            drop(trace);
        }
        if let Some(log) = state.log.take() {
            let _ = self.epoll.delete(log.as_fd());
        }
        if let Some(supervisor) = state.supervisor.take() {
            let _ = self.epoll.delete(supervisor.socket());
        }
        let mut children = Vec::new();
        for (_, process) in std::mem::take(&mut state.workers) {
            if process.forked && process.progress().exit.is_none() {
                let _ = self.epoll.delete(&process.pidfd);
                children.push(process.clone());
            }
            process.progress().abandoned = true;
        }
        state.closed = true;
        self.turn.notify_all();
        // Whoever polls in another thread learns it too.
        self.kick();
        children
    }

    fn drop_group(&self, state: &mut State, id: u64) {
        if let Some(observed) = state.groups.remove(&id) {
            state.bells.retain(|_, bell| {
                let stays = bell.group.cgroup() != observed.group.cgroup();
                if !stays {
                    let _ = self.epoll.delete(&*bell);
                }
                stays
            });
            match &observed.notify {
                Some(Notify::V1(event)) => drop(self.epoll.delete(event)),
                Some(Notify::V2(events)) => drop(self.epoll.delete(events)),
                None => {}
            }
        }
    }

    /// Reads every source that has something. The order matters: a worker's last words before its exit, the evidence
    /// of a kill before the account of it.
    fn drain(&self, state: &mut State) {
        let had = (state.events.end(), state.ooms.end());
        let mut exits =
            state.supervisor.as_ref().is_some_and(|supervisor| supervisor.has_notices()) && self.read_exits(state);
        let mut ready = [EpollEvent::empty(); 64];
        loop {
            let count = match self.epoll.wait(&mut ready, EpollTimeout::ZERO) {
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                Err(_) => 0,
            };
            let mut evidence = state.collector.is_open() || std::mem::take(&mut exits);
            for entry in &ready[..count] {
                let number = entry.data() & !tag::KIND;
                match entry.data() & tag::KIND {
                    tag::CHANNEL => self.read_channel(state, number),
                    tag::GROUP => {
                        self.read_notification(state, number);
                        evidence = true;
                    }
                    tag::BELL => self.read_bell(state, number),
                    tag::TREE => self.read_tree(state),
                    tag::TIMER => drop(self.timer.wait()),
                    tag::VICTIM => evidence = true,
                    tag::LOG | tag::TRACE => evidence = true,
                    tag::SUPERVISOR => evidence |= self.read_exits(state),
                    tag::CHILD => evidence |= self.read_child(state, number),
                    tag::KICK => {
                        let _ = self.kick.read();
                        evidence |= self.read_exits(state);
                    }
                    _ => {}
                }
            }
            if evidence {
                self.collect(state);
            }
            if count < ready.len() {
                break;
            }
        }
        state.look_for_blocks();
        self.tidy(state);
        if had != (state.events.end(), state.ooms.end()) {
            state.ring();
        }
    }

    /// Reads the evidence of kills and settles what is complete. An account is settled only by a reading that began
    /// after the end of its last victim was seen.
    fn collect(&self, state: &mut State) {
        loop {
            state.seal();
            state.read_trace();
            state.read_log();
            self.watch_victims(state);
            let had = state.ooms.end();
            for (pidfd, _) in state.settle() {
                let _ = self.epoll.delete(&pidfd);
            }
            let sealed = state.collector.sealed();
            state.seal();
            // What waits for its turn, or for a line of the log, is looked at again by whoever waits.
            if state.ooms.end() == had && state.collector.sealed() <= sealed {
                break;
            }
        }
    }

    fn read_channel(&self, state: &mut State, id: u64) {
        let Some(process) = state.workers.get(&id).cloned() else { return };
        let open = process.read_channel(|time_ns, kind| {
            if matches!(kind, EventKind::Stepped { .. }) {
                state.collector.stepped(process.pid, time_ns);
            }
            state.push(time_ns, Source::Worker, Some(process.group.cgroup()), Some(process.pid), kind);
        });
        if !open {
            if let Some(channel) = &process.channel {
                let _ = self.epoll.delete(channel);
            }
        }
    }

    fn read_exits(&self, state: &mut State) -> bool {
        let Some(supervisor) = state.supervisor.clone() else { return false };
        let notices = match supervisor.notices() {
            Ok(notices) => notices,
            Err(error) => {
                // The supervisor was killed: its workers die with it, and nobody reaps them for us any more.
                let _ = self.epoll.delete(supervisor.socket());
                state.missing.push(Missing::new("supervisor", error.to_string()));
                state.supervisor = None;
                for process in state.workers.values().filter(|process| !process.forked) {
                    process.progress().abandoned = true;
                }
                return true;
            }
        };
        let mut killed = false;
        for notice in notices {
            match notice {
                Notice::Exit { id, pid, status, rusage, time_ns } => {
                    if let Some(process) = state.workers.get(&id).cloned() {
                        self.read_channel(state, id);
                        if let Some(channel) = &process.channel {
                            let _ = self.epoll.delete(channel);
                        }
                        let exit = Exit::new(status, rusage, time_ns);
                        killed |= exit.returncode == -libc::SIGKILL;
                        state.collector.look_for_debts();
                        let kind = EventKind::Exited { returncode: exit.returncode };
                        process.progress().exit = Some(exit);
                        state.push(time_ns, Source::Supervisor, Some(process.group.cgroup()), Some(pid), kind);
                    }
                }
                Notice::Orphan { pid, time_ns, .. } => {
                    state.orphans.insert(pid, time_ns);
                    state.collector.look_for_debts();
                    killed = true;
                }
                Notice::Lost { orphans } => {
                    state.push(sys::monotonic_ns(), Source::Supervisor, None, None, EventKind::Lost { count: orphans });
                }
            }
        }
        killed
    }

    /// A forked child has ended: it is reaped here.
    fn read_child(&self, state: &mut State, id: u64) -> bool {
        let Some(process) = state.workers.get(&id).cloned() else { return false };
        let exit = process.reap_child();
        if exit.is_some() || process.progress().abandoned {
            let _ = self.epoll.delete(&process.pidfd);
        }
        let Some(exit) = exit else { return false };
        process.progress().exit = Some(exit);
        let kind = EventKind::Exited { returncode: exit.returncode };
        state.push(exit.time_ns, Source::Memoom, Some(process.group.cgroup()), Some(process.pid), kind);
        exit.returncode == -libc::SIGKILL
    }

    fn read_notification(&self, state: &mut State, id: u64) {
        let Some(observed) = state.groups.get_mut(&id) else { return };
        match &observed.notify {
            Some(Notify::V1(event)) => observed.rung += event.read().unwrap_or(0),
            Some(Notify::V2(events)) => drop(nix::sys::uio::pread(events, &mut [0; 512], 0)),
            None => {}
        }
        let group = observed.group.clone();
        // The wake comes on a kill, on a block and on removal: only the files say which.
        match group.counters() {
            Ok(counters) => {
                let kind = EventKind::Notified { counters: Box::new(counters) };
                state.push(sys::monotonic_ns(), Source::Counters, Some(group.cgroup()), None, kind);
                state.collector.look_for_debts();
            }
            Err(_) => {
                let told_by_the_tree = state.tree.is_some();
                if let Some(observed) = state.groups.get_mut(&id) {
                    if observed.removed {
                        return;
                    }
                    observed.removed = !told_by_the_tree;
                    match observed.notify.take() {
                        Some(Notify::V1(event)) => drop(self.epoll.delete(&event)),
                        Some(Notify::V2(events)) => drop(self.epoll.delete(&events)),
                        None => {}
                    }
                }
                if !told_by_the_tree {
                    state.push(sys::monotonic_ns(), Source::Counters, Some(group.cgroup()), None, EventKind::Removed);
                }
            }
        }
    }

    /// An alarm went off. The removal of the group rings too, and for a stall for ever: then the alarm ends.
    fn read_bell(&self, state: &mut State, id: u64) {
        let Some(bell) = state.bells.get(&id) else { return };
        bell.take();
        let (group, alarm) = (bell.group.clone(), bell.text.clone());
        match group.usage_bytes() {
            Ok(usage_bytes) if group.0.dir.exists() => {
                let kind = EventKind::Alarm { alarm, usage_bytes };
                state.push(sys::monotonic_ns(), Source::Counters, Some(group.cgroup()), None, kind);
            }
            _ => {
                if let Some(bell) = state.bells.remove(&id) {
                    let _ = self.epoll.delete(&bell);
                }
            }
        }
    }

    /// The exit of a victim that is no worker of ours shows on its pidfd alone.
    fn watch_victims(&self, state: &mut State) {
        for (pidfd, number) in state.collector.unwatched() {
            let _ = self.epoll.add(pidfd, EpollEvent::new(EpollFlags::EPOLLIN, tag::VICTIM | number));
        }
    }
}

/// What a waiter found.
pub(crate) enum Look<T> {
    /// It is there.
    Done(T),
    /// Not yet; a source will tell.
    Wait,
    /// Not yet, and no source tells: look again soon.
    Again,
}

impl State {
    pub(crate) fn push(
        &mut self,
        time_ns: u64,
        source: Source,
        group: Option<&str>,
        pid: Option<i32>,
        kind: EventKind,
    ) {
        self.events.push(Event { time_ns, source, group: group.map(str::to_string), pid, kind });
    }

    /// Nobody will ask again: victims whose stack never came are taken without, and kills that nobody could place get an
    /// account that says so.
    fn conclude(&mut self) {
        let items = self.trace.as_mut().map(TraceInstance::finish);
        self.take_trace(items.unwrap_or_else(|| Ok(Vec::new())));
        let mut collector = std::mem::take(&mut self.collector);
        collector.claim(self, true);
        self.collector = collector;
    }

    fn read_trace(&mut self) {
        let Some(trace) = &mut self.trace else { return };
        let items = trace.read();
        self.take_trace(items);
    }

    fn take_trace(&mut self, items: Result<Vec<TraceItem>>) {
        let items = match items {
            Ok(items) => items,
            Err(error) => {
                self.missing.push(Missing::new("tracefs", error.to_string()));
                return;
            }
        };
        for item in items {
            match item {
                TraceItem::Victim(mut victim) => {
                    // The trace's own table of names may have none, or one from before the worker got its name.
                    let ours = |process: &Arc<Process>| process.pid == victim.invoker_pid && process.channel.is_some();
                    if victim.invoker_comm == b"<...>" || self.workers.values().any(ours) {
                        victim.invoker_comm = self.name_of(victim.invoker_pid);
                    }
                    if let Some(process) = super::task::Proc::system().process_of(victim.pid) {
                        if process != victim.pid {
                            self.collector.note_thread(victim.pid, process);
                        }
                    }
                    victim.pid = self.collector.process_of(victim.pid);
                    let whose = self.whose(victim.pid, victim.time_ns);
                    if let Whose::Ours(cgroup) = &whose {
                        let kind = EventKind::Victim {
                            comm: victim.comm.as_deref().map(crate::text::escape),
                            invoker_pid: victim.invoker_pid,
                            invoker_comm: crate::text::escape(&victim.invoker_comm),
                            call_path: victim.call_path.clone(),
                        };
                        self.push(victim.time_ns, Source::Tracefs, Some(cgroup), Some(victim.pid), kind);
                    }
                    self.collector.traced(victim, whose);
                }
                TraceItem::Lost { events, .. } => {
                    let count = events.unwrap_or(1);
                    self.push(sys::monotonic_ns(), Source::Tracefs, None, None, EventKind::Lost { count });
                    self.collector.lost("tracefs", count);
                }
                TraceItem::Unparsed(text) => {
                    let reason = format!("a line could not be read: {}", crate::error::printable(&text, 200));
                    self.missing.push(Missing::new("tracefs", reason));
                }
            }
        }
    }

    fn read_log(&mut self) {
        let Some(log) = &mut self.log else { return };
        let mut records: Vec<Record> = Vec::new();
        let mut lost = 0;
        loop {
            match log.read() {
                Ok(Some(Item::Record(record))) => records.push(record),
                Ok(Some(Item::Lost(count))) => lost += count,
                Ok(None) => break,
                Err(error) => {
                    self.missing.push(Missing::new("kernel-log", error.to_string()));
                    break;
                }
            }
        }
        if lost > 0 {
            self.push(sys::monotonic_ns(), Source::KernelLog, None, None, EventKind::Lost { count: lost });
            self.collector.lost("kernel-log", lost);
        }
        if !records.is_empty() || self.collector.looks_again() {
            let known: Vec<(i32, String)> =
                self.workers.values().map(|process| (process.pid, process.group.cgroup().to_string())).collect();
            let tops = self.tops();
            let claimed = self.collector.logged(records, &tops, |pid| {
                known.iter().find(|(known, _)| *known == pid).map(|(_, group)| group.clone())
            });
            let now = sys::monotonic_ns();
            for (group, record) in claimed {
                let kind = EventKind::Log { sequence: record.sequence, text: crate::text::escape(&record.text) };
                self.push(now, Source::KernelLog, group.as_deref(), None, kind);
            }
        }
    }

    /// The groups that are observed: an OOM counts if it struck in one of them or below.
    fn tops(&self) -> Vec<String> {
        self.groups.values().map(|observed| observed.group.cgroup().to_string()).collect()
    }

    /// The name of a process: our worker's, or what /proc says; empty when it has gone.
    fn name_of(&self, pid: i32) -> Vec<u8> {
        match self.workers.values().rev().find(|process| process.pid == pid && process.channel.is_some()) {
            Some(process) => process.name.clone(),
            None => super::task::Proc::system().stat(pid).ok().flatten().map(|stat| stat.comm).unwrap_or_default(),
        }
    }

    /// In whose group a process stands that was marked at that time: our worker's, or what /proc says while the process
    /// is there.
    fn whose(&self, pid: i32, time_ns: u64) -> Whose {
        use std::os::unix::ffi::OsStrExt;
        // A pid may belong to another process since its first owner was reaped.
        let still = |process: &Process| process.progress().exit.is_none_or(|exit| exit.time_ns >= time_ns);
        let worker =
            |pid: i32| self.workers.values().rev().find(|process| process.pid == pid).filter(|process| still(process));
        if let Some(process) = worker(pid) {
            return Whose::Ours(process.group.cgroup().to_string());
        }
        let Some(version) = self.groups.values().next().map(|observed| observed.group.version()) else {
            return Whose::Unknown;
        };
        let proc = super::task::Proc::system();
        let paths = proc.cgroups(pid).ok().flatten().unwrap_or_default();
        let path = match version {
            Version::V1 => paths.v1_memory,
            Version::V2 => paths.v2,
        };
        let cgroup = path.map(|path| crate::text::escape(path.as_os_str().as_bytes()));
        match cgroup {
            Some(cgroup) if self.groups.values().any(|observed| observed.group.covers(&cgroup)) => {
                return Whose::Ours(cgroup)
            }
            // A process late in its exit stands at the top of the hierarchy, wherever it stood before.
            Some(cgroup) if cgroup != "/" => return Whose::Strangers,
            _ => {}
        }
        // It stood where the worker stands of which it descends: nobody else has moved it.
        let mut at = pid;
        for _ in 0..MOST_GENERATIONS {
            if self.orphans.get(&at).is_some_and(|reaped_ns| *reaped_ns >= time_ns) {
                return Whose::OursSomewhere;
            }
            match proc.stat(at) {
                Ok(Some(stat)) if stat.ppid > 1 => at = stat.ppid,
                _ => break,
            }
            if let Some(process) = worker(at) {
                return Whose::Ours(process.group.cgroup().to_string());
            }
            if self.supervisor.as_ref().is_some_and(|supervisor| supervisor.pid() == at) {
                return Whose::OursSomewhere;
            }
        }
        Whose::Unknown
    }

    fn seal(&mut self) {
        let mut collector = std::mem::take(&mut self.collector);
        collector.seal(self);
        self.collector = collector;
    }

    /// Turns what is complete into accounts; gives back the pidfds that need no more watching.
    fn settle(&mut self) -> Vec<(OwnedFd, u64)> {
        let mut collector = std::mem::take(&mut self.collector);
        let (ooms, done) = collector.settle(self);
        self.collector = collector;
        for oom in ooms {
            let mut groups = self.groups.values().map(|observed| &observed.group);
            if let Some(group) = groups.find(|group| Some(group.cgroup()) == oom.limit_group.as_deref()).cloned() {
                self.sample(&group);
            }
            self.ooms.push(oom);
        }
        done
    }

    /// Whether a group is told to block that the kernel does not block itself (v2).
    fn looks_for_blocks(&self) -> bool {
        self.groups.values().any(|observed| observed.group.looks_for_block())
    }

    /// Looks at the groups that are told to block: who met the limit is stopped.
    fn look_for_blocks(&mut self) {
        let looking = self.groups.values().filter(|observed| observed.group.looks_for_block());
        for group in looking.map(|observed| observed.group.clone()).collect::<Vec<_>>() {
            match group.look_for_block() {
                Ok(Change::None) => {}
                Ok(Change::Blocked) => {
                    let kind = EventKind::Setting { file: "cgroup.freeze".to_string(), value: "1".to_string() };
                    self.push(sys::monotonic_ns(), Source::Memoom, Some(group.cgroup()), None, kind);
                    self.sample_usage(&group);
                }
                // The group may be removed meanwhile; what else fails is seen by the call that asks for it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => self.missing.push(Missing::new("block", error.to_string())),
            }
        }
    }

    /// A watch that is rung whenever there is news.
    pub(crate) fn add_watch(&mut self, cursor: &Arc<Cursor>) {
        self.watches.push(Arc::downgrade(cursor));
    }

    /// The groups that are observed and not removed.
    pub(crate) fn living_groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().filter(|observed| !observed.removed).map(|observed| &observed.group)
    }

    pub(crate) fn ring(&mut self) {
        self.watches.retain(|watch| match watch.upgrade() {
            Some(cursor) => {
                let _ = cursor.bell.write(1);
                true
            }
            None => false,
        });
    }

    /// A worker has come to rest in the OOM of its group: an account of its own, as nobody dies.
    pub(crate) fn tell_blocked(&mut self, group: &Group, blocked: Blocked) {
        let kind =
            EventKind::Blocked { state: blocked.state, wchan: blocked.wchan.clone(), stack: blocked.stack.clone() };
        self.push(sys::monotonic_ns(), Source::Procfs, Some(group.cgroup()), Some(blocked.pid), kind);
        let oom = self.collector.blocked(group, blocked, &self.missing);
        self.ooms.push(oom);
        self.ring();
    }
}

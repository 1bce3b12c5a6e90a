//! Where all sources of a lab (or of one opened group) come together: one epoll, one list of events, one collector.
//!
//! No thread runs here: whoever waits does the reading. When several threads wait, one polls and the others wait for
//! it, so that no wake is lost.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

use self::sampling::Samples;
use crate::account::collect::Collector;
use crate::account::oom::Oom;
use crate::account::record::{Heading, Recorder};
use crate::account::sign::Sign;
use crate::account::timeline::Timeline;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::process::Process;
use crate::helper::supervisor::Supervisor;
use crate::lab::group::alarm::Bell;
use crate::lab::hub::backlog::{Backlog, Cursor};
use crate::lab::hub::gauge::Gauge;
use crate::lab::hub::tree::Tree;
use crate::map::Map;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::owner::Maker;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2, Limit};
use crate::observe::event::{Event, EventKind, Source};
use crate::observe::kmsg::KernelLog;
use crate::observe::missing::Missing;
use crate::observe::trace::TraceInstance;
use crate::observe::tracefs::Tracefs;
use crate::sys::{self, Named};

pub(crate) mod backlog;
mod drain;
mod gauge;
mod observed;
mod opened;
pub(crate) mod sampling;
pub(crate) mod scene;
mod signals;
mod state;
pub(crate) mod tree;
mod waiting;

use self::observed::Notify;
pub(crate) use self::observed::Observed;
use self::scene::World;
use self::signals::Signals;
pub(crate) use self::waiting::Look;

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
    /// The epoll is shared with forked children, which must not touch it.
    maker: Maker,
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
    /// The supervisor has died, and why that is known: nobody starts, reaps or cleans up any more.
    pub(super) lost: Option<String>,
    log: Option<KernelLog>,
    trace: Option<TraceInstance>,
    pub(crate) world: World,
    next_group: u64,
    /// The account in which a worker died, for as long as the worker is asked for.
    pub(crate) deaths: Map<u64, Arc<Oom>>,
    pub(crate) events: Backlog<Event>,
    pub(crate) ooms: Backlog<Oom>,
    pub(crate) collector: Collector,
    recorder: Option<Recorder>,
    pub(crate) samples: Samples,
    gauge: Gauge,
    pub(crate) signals: Signals,
    watches: Vec<Weak<Cursor>>,
    /// The directory of an opened group, and what comes and goes in it.
    tree: Option<Tree>,
    bells: Map<u64, Bell>,
    next_bell: u64,
    /// How much of what happened a lab keeps.
    pub(crate) keep: Keep,
}

/// How much of what happened a lab keeps.
pub(crate) struct Keep {
    pub(crate) events: usize,
    pub(crate) ooms: usize,
}

impl Hub {
    /// Opens the sources. One that cannot be had is named in the accounts, not an error.
    pub(crate) fn new(
        supervisor: Option<Arc<Supervisor>>,
        kernel_log: bool,
        tracefs: Option<(&Tracefs, &str)>,
        mut missing: Vec<Missing>,
        record: Option<File>,
    ) -> Result<Hub> {
        let failed = |errno: std::io::Error| Error::os("make watch", errno);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).named("epoll_create1").map_err(failed)?;
        let readable = |tag| EpollEvent::new(EpollFlags::EPOLLIN, tag);
        let kick =
            EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).named("eventfd2").map_err(failed)?;
        epoll.add(&kick, readable(tag::KICK)).named("epoll_ctl").map_err(failed)?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).named("timerfd_create").map_err(failed)?;
        epoll.add(timer.as_fd(), readable(tag::TIMER)).named("epoll_ctl").map_err(failed)?;
        if let Some(supervisor) = &supervisor {
            epoll.add(supervisor.socket(), readable(tag::SUPERVISOR)).named("epoll_ctl").map_err(failed)?;
        }
        // Both name processes by the pids of the machine, which mean others in here. A report tells by the path of its
        // group whose it is all the same; a mark has nothing but the pid.
        let foreign = !crate::observe::task::machine_pids();
        if foreign {
            let reason = "this process is in a pid namespace, and the kernel names processes as they are outside";
            let but = format!("{reason}: of a report only the victim is known in here");
            missing.extend(kernel_log.then(|| Missing::new("kernel-log", but)));
            missing.extend(tracefs.map(|_| Missing::new("tracefs", reason)));
        }
        let mut log = None;
        if kernel_log {
            match KernelLog::open() {
                Ok(opened) => log = Some(opened),
                Err(error) => missing.push(Missing::new("kernel-log", error.to_string())),
            }
        }
        // What cannot be listened to is missing, as what cannot be opened is.
        let listened = log.as_ref().map_or(Ok(()), |log| epoll.add(log.as_fd(), readable(tag::LOG)));
        if let Err(errno) = listened {
            missing.push(Missing::new("kernel-log", Error::os("watch /dev/kmsg", errno).to_string()));
            log = None;
        }
        let mut trace = None;
        if let Some((tracefs, name)) = tracefs.filter(|_| !foreign) {
            match TraceInstance::create(tracefs, name) {
                Ok(created) => trace = Some(created),
                Err(error) => missing.push(Missing::new("tracefs", error.to_string())),
            }
        }
        let pipe = trace.as_ref().and_then(TraceInstance::as_fd);
        if let Err(errno) = pipe.map_or(Ok(()), |fd| epoll.add(fd, readable(tag::TRACE))) {
            missing.push(Missing::new("tracefs", Error::os("watch the trace", errno).to_string()));
            trace = None;
        }
        // Nothing is there yet; one that may not be asked would never say anything.
        epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO).named("epoll_wait").map_err(failed)?;
        let heading = Heading::new(sys::release(), trace.is_some(), log.is_some(), foreign);
        let recorder = record.map(|file| Recorder::new(Box::new(file), &heading)).transpose();
        let recorder = recorder.map_err(|error| Error::os("begin recording", error))?;
        let mut signals = Signals::default();
        signals.missing = match &trace {
            Some(trace) => trace.signals_missing().map(|error| format!("signals cannot be traced: {error}")),
            None => Some(match missing.iter().find(|one| one.source == "tracefs") {
                Some(one) => format!("signals are not traced: {}", one.reason),
                None => "signals are not traced: not asked for".to_string(),
            }),
        };
        let is_lab = supervisor.is_some();
        let mut state = State {
            polling: false,
            closed: false,
            lost: None,
            log,
            trace,
            world: World::new(supervisor, missing, signals.missing.is_none()),
            next_group: 0,
            deaths: Map::new(),
            events: Backlog::default(),
            ooms: Backlog::default(),
            collector: heading.collector(),
            recorder,
            samples: Samples::default(),
            gauge: Gauge::default(),
            signals,
            watches: Vec::new(),
            tree: None,
            bells: Map::new(),
            next_bell: 0,
            keep: Keep { events: usize::MAX, ooms: usize::MAX },
        };
        state.begin_growth(is_lab);
        Ok(Hub { maker: Maker::this(), epoll, kick, timer, state: Mutex::new(state), turn: Condvar::new() })
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
    pub(crate) fn observe(&self, group: &Arc<Cgroup>) -> Result<()> {
        let mut state = self.lock();
        self.observe_in(&mut state, group)
    }

    fn observe_in(&self, state: &mut State, group: &Arc<Cgroup>) -> Result<()> {
        if group.ours {
            self.begin_anew(state, group.cgroup(), true);
        }
        let (cgroup, counters) = (group.cgroup().to_string(), group.counters().ok());
        state.take(match group.ours {
            true => Sign::Began { cgroup, counters },
            false => Sign::Met { cgroup, counters },
        });
        let dir = &group.dir;
        let id = state.next_group;
        state.next_group += 1;
        let failed = |errno: std::io::Error| Error::os("watch group", errno).path(group.path());
        let notify = match group.version() {
            Version::V1 => {
                let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
                    .named("eventfd2")
                    .map_err(failed)?;
                let control = dir.open_file(v1::OOM_CONTROL, OFlag::O_RDONLY)?;
                use std::os::fd::AsRawFd;
                match dir.write("cgroup.event_control", &format!("{} {}", event.as_raw_fd(), control.as_raw_fd())) {
                    Ok(()) => {
                        self.epoll
                            .add(&event, EpollEvent::new(EpollFlags::EPOLLIN, tag::GROUP | id))
                            .named("epoll_ctl")
                            .map_err(failed)?;
                        Some(Notify::V1(event))
                    }
                    // Observing must go on without the right to register: the other sources remain.
                    Err(error) if !group.ours && !dir.exists() => return Err(error.with_kind(ErrorKind::NotFound)),
                    Err(error) if !group.ours => {
                        state.miss("counters", format!("no OOM notification: {error}"));
                        None
                    }
                    Err(error) => return Err(error),
                }
            }
            Version::V2 => match dir.open_file(v2::EVENTS, OFlag::O_RDONLY) {
                Ok(events) => {
                    self.epoll
                        .add(&events, EpollEvent::new(EpollFlags::EPOLLPRI, tag::GROUP | id))
                        .named("epoll_ctl")
                        .map_err(failed)?;
                    let _ = nix::sys::uio::pread(&events, &mut [0; 512], 0);
                    Some(Notify::V2(events))
                }
                Err(error) if !dir.exists() => return Err(error.with_kind(ErrorKind::NotFound)),
                // The top has none: the groups below it tell.
                Err(error) if error.errno() == Some(libc::ENOENT) && v2::is_top(dir).unwrap_or(false) => None,
                Err(error) => {
                    state.miss("counters", format!("no OOM notification: {error}"));
                    None
                }
            },
        };
        state.world.groups.insert(id, Observed::new(group, notify));
        state.take(Sign::Before { cgroup: group.cgroup().to_string(), scope: None });
        state.sample_usage(group);
        Ok(())
    }

    /// The group is about to be removed by our own hand: what is read of it now is the last.
    pub(crate) fn look_at_last(&self, cgroup: &str) {
        let mut state = self.lock();
        let mut observed = state.world.groups.values_mut();
        if let Some(observed) = observed.find(|one| !one.removed && one.group.cgroup() == cgroup) {
            observed.look_at_last();
        }
    }

    /// The group is gone, by our own hand. It is forgotten when no account is open that may be of it.
    pub(crate) fn unobserve(&self, cgroup: &str) {
        let mut state = self.lock();
        let ids: Vec<u64> = state
            .world
            .groups
            .iter()
            .filter(|(_, observed)| observed.group.cgroup() == cgroup)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.silence(&mut state, id);
        }
        self.tidy(&mut state);
    }

    /// A group of that name begins anew: what is still open of the one before is concluded with what is known. `made`
    /// says that it was made just now, so that whatever is observed under that name has gone.
    fn begin_anew(&self, state: &mut State, cgroup: &str, made: bool) {
        let before = |(_, old): &(&u64, &Observed)| (old.removed || made) && old.group.cgroup() == cgroup;
        let ids: Vec<u64> = state.world.groups.iter().filter(before).map(|(id, _)| *id).collect();
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
            let State { world: World { workers, .. }, deaths, .. } = &mut *state;
            workers.retain(|_, old| Arc::strong_count(old) > 1 || old.progress().exit.is_none());
            deaths.retain(|id, _| workers.get(id).is_some());
        }
        state.world.workers.insert(process.id, process.clone());
        let cgroup = process.group.cgroup().to_string();
        let (comm, started_ns) = (process.name.clone(), process.started_ns);
        state.take(Sign::Started { pid: process.pid, comm, cgroup: cgroup.clone(), started_ns });
        if process.channel.is_none() {
            // A command grows by itself; a hog is looked at before each step.
            state.gauge.begin();
            state.take(Sign::Before { cgroup, scope: None });
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

    pub(crate) fn note(&self, source: Source, group: &Cgroup, pid: Option<i32>, kind: EventKind) {
        self.lock().push(sys::monotonic_ns(), source, Some(group.cgroup()), pid, kind);
    }

    pub(crate) fn note_limit(&self, group: &Cgroup, limit: Limit) {
        self.note(Source::Memoom, group, None, EventKind::Limit { limit_bytes: limit.bytes() });
    }

    pub(crate) fn note_switch(&self, group: &Cgroup, name: &str, on: bool) {
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
        Timeline::new(state.events.all(), state.ooms.all()).behind(state.events.first(), state.ooms.first())
    }

    /// Stops reading; the tracefs instance goes, as its files are closed. Gives back the forked children that have
    /// not ended, for nobody else reaps them.
    pub(crate) fn close(&self) -> Vec<Arc<Process>> {
        let mut state = self.lock();
        self.drain(&mut state);
        // What is still open gets its account now, with what is known.
        state.conclude();
        self.collect(&mut state);
        let ids: Vec<u64> = state.world.groups.keys().copied().collect();
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
        if let Some(supervisor) = state.world.supervisor.take() {
            let _ = self.epoll.delete(supervisor.socket());
        }
        let mut children = Vec::new();
        for (_, process) in std::mem::take(&mut state.world.workers) {
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
        self.silence(state, id);
        state.world.groups.remove(&id);
    }

    /// A group has gone: nothing of it is listened to any more.
    fn silence(&self, state: &mut State, id: u64) {
        let Some(observed) = state.world.groups.get_mut(&id) else { return };
        observed.removed = true;
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
    fn unlisten(&self, notify: Option<Notify>) {
        if let Some(notify) = notify {
            let _ = self.epoll.delete(&notify);
        }
    }
}

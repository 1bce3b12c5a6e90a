//! Where all sources of a lab (or of one opened group) come together: one epoll, one list of events, one collector.
//!
//! No thread runs here: whoever waits does the reading. When several threads wait, one polls and the others wait for
//! it, so that no wake is lost.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::eventfd::EventFd;
use nix::sys::timerfd::TimerFd;

use self::sampling::Samples;
use crate::account::collect::Collector;
use crate::account::oom::Oom;
use crate::account::record::Recorder;
use crate::account::sign::Sign;
use crate::account::timeline::Timeline;
use crate::error::{Error, Result};
use crate::helper::descriptor::HeldStdio;
use crate::helper::process::Process;
use crate::helper::supervisor::Supervisor;
use crate::lab::bell::Bell;
use crate::lab::hub::backlog::{Backlog, Cursor};
use crate::lab::hub::gauge::Gauge;
use crate::lab::hub::tree::Tree;
use crate::map::Map;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::owner::Maker;
use crate::memcg::Limit;
use crate::observe::event::{Event, EventKind, Source};
use crate::observe::kmsg::KernelLog;
use crate::observe::trace::Trace;
use crate::sys::{self};

pub(crate) mod backlog;
pub(crate) mod drain;
mod gauge;
mod groups;
mod index;
pub(crate) mod names;
mod observed;
mod opened;
pub(crate) mod own;
pub(crate) mod sampling;
pub(crate) mod scene;
mod signals;
mod sources;
mod state;
pub(crate) mod tree;
mod waiting;
pub(crate) mod waits;

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

/// Where nothing wakes for a kill but the counters that say it, they are looked at this often.
const LOOK_UNRUNG: Duration = Duration::from_secs(1);

/// How far the ancestors of a process are looked at.
const MOST_GENERATIONS: usize = 64;

/// All sources and what they said.
pub(crate) struct Hub {
    /// The epoll is shared with forked children, which must not touch it.
    maker: Maker,
    /// Every file that is opened later has a number above them.
    _stdio: Arc<HeldStdio>,
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
    trace: Option<Trace>,
    /// Of an opened group: who removes the tracefs instance when this process cannot. It goes after the instance.
    pub(crate) guardian: Option<Supervisor>,
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
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in a reader leaves the lists whole: each change is one push.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A forked child has a copy, with which it may do nothing.
    pub(crate) fn check(&self, operation: &'static str) -> Result<()> {
        self.maker.check(operation)
    }

    /// The one descriptor that becomes readable when a source has something.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
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
        let ids: Vec<u64> = state.world.groups.ids().collect();
        for id in ids {
            self.drop_group(&mut state, id);
        }
        if let Some(trace) = state.trace.take() {
            for fd in trace.fds() {
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
}

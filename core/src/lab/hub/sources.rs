//! The sources of a hub are opened. One that cannot be had is named in the accounts, not an error.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

use super::backlog::Backlog;
use super::gauge::Gauge;
use super::sampling::Samples;
use super::scene::World;
use super::signals::Signals;
use super::{tag, Hub, Keep, State};
use crate::account::record::{Heading, Recorder};
use crate::error::{Error, Result};
use crate::helper::descriptor::hold_stdio;
use crate::helper::supervisor::Supervisor;
use crate::map::Map;
use crate::memcg::owner::Maker;
use crate::observe::kmsg::KernelLog;
use crate::observe::missing::Missing;
use crate::observe::trace::{Naming, Trace};
use crate::sys::size::Bounded;
use crate::sys::{self, Named};

impl Hub {
    /// Opens the sources. `trace` gives a name to the instance of tracefs if there has to be one; without it the
    /// tracepoints are not listened to.
    pub(crate) fn new(
        supervisor: Option<Arc<Supervisor>>,
        kernel_log: bool,
        trace: Option<Naming<'_>>,
        mut missing: Vec<Missing>,
        record: Option<File>,
    ) -> Result<Hub> {
        let failed = |errno: io::Error| Error::os("make watch", errno);
        sys::room::left().map_err(failed)?;
        let stdio = hold_stdio();
        let (epoll, kick, timer) = wakes().map_err(failed)?;
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
            missing.extend(trace.map(|_| Missing::new("tracefs", reason)));
        }
        let log = if kernel_log { open_log(&epoll, &mut missing) } else { None };
        let trace = trace.filter(|_| !foreign).and_then(|named| open_trace(&epoll, named, &mut missing));
        // Nothing is there yet; one that may not be asked would never say anything.
        epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO).named("epoll_wait").map_err(failed)?;
        let heading = Heading::new(sys::release(), trace.is_some(), log.is_some(), foreign);
        let recorder = record.map(|file| Recorder::new(Box::new(Bounded(file)), &heading)).transpose();
        let recorder = recorder.map_err(|error| Error::os("begin recording", error))?;
        let signals = Signals::new(signals_missing(trace.as_ref(), &missing));
        let is_lab = supervisor.is_some();
        let world = World::new(supervisor, missing, signals.missing.is_none());
        let mut state = State {
            polling: false,
            closed: false,
            lost: None,
            log,
            trace,
            guardian: None,
            world,
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
        let (state, turn) = (Mutex::new(state), Condvar::new());
        Ok(Hub { maker: Maker::this(), _stdio: stdio, epoll, kick, timer, state, turn })
    }
}

fn readable(tag: u64) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN, tag)
}

/// What wakes whoever polls: the epoll, and in it the kick and the timer.
fn wakes() -> io::Result<(Epoll, EventFd, TimerFd)> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).named("epoll_create1")?;
    let kick = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).named("eventfd2")?;
    epoll.add(&kick, readable(tag::KICK)).named("epoll_ctl")?;
    let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).named("timerfd_create")?;
    epoll.add(timer.as_fd(), readable(tag::TIMER)).named("epoll_ctl")?;
    Ok((epoll, kick, timer))
}

/// What cannot be listened to is missing, as what cannot be opened is.
fn open_log(epoll: &Epoll, missing: &mut Vec<Missing>) -> Option<KernelLog> {
    let opened = KernelLog::open().and_then(|log| match epoll.add(log.as_fd(), readable(tag::LOG)) {
        Ok(()) => Ok(log),
        Err(errno) => Err(Error::os("watch /dev/kmsg", errno)),
    });
    opened.map_err(|error| missing.push(Missing::new("kernel-log", error.to_string()))).ok()
}

fn open_trace(epoll: &Epoll, named: Naming<'_>, missing: &mut Vec<Missing>) -> Option<Trace> {
    let opened = Trace::open(named).and_then(|trace| {
        match trace.fds().into_iter().try_for_each(|fd| epoll.add(fd, readable(tag::TRACE))) {
            Ok(()) => Ok(trace),
            Err(errno) => Err(Error::os("watch the trace", errno)),
        }
    });
    opened.map_err(|error| missing.push(Missing::new("tracefs", error.to_string()))).ok()
}

/// Why nobody is told who sent a signal.
fn signals_missing(trace: Option<&Trace>, missing: &[Missing]) -> Option<String> {
    match trace {
        Some(trace) => trace.signals_missing().map(|error| format!("signals cannot be traced: {error}")),
        None => Some(match missing.iter().find(|one| one.source == "tracefs") {
            Some(one) => format!("signals are not traced: {}", one.reason),
            None => "signals are not traced: not asked for".to_string(),
        }),
    }
}

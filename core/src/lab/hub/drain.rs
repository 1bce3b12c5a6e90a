//! One reading of all sources of a lab: who has something to tell is asked for it.

use nix::errno::Errno;
use nix::sys::epoll::{EpollEvent, EpollFlags, EpollTimeout};

use super::{tag, Hub, Notify, State};
use crate::account::sign::Sign;
use crate::error::ErrorKind;
use crate::helper::process::Exit;
use crate::helper::supervisor::Notice;
use crate::memcg::contents::Contents;
use crate::memcg::Version;
use crate::observe::event::{EventKind, Source};
use crate::observe::trace::Trace;
use crate::sys;

#[cfg(test)]
thread_local! {
    /// How often this thread has read the sources, for a test of what a step costs.
    pub(crate) static READINGS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Hub {
    /// Reads every source that has something. The order matters: a worker's last words before its exit, the evidence
    /// of a kill before the account of it.
    pub(super) fn drain(&self, state: &mut State) {
        if !self.maker.is_this() {
            return;
        }
        #[cfg(test)]
        READINGS.with(|readings| readings.set(readings.get() + 1));
        let had = (state.events.end(), state.ooms.end());
        let mut exits = state.world.supervisor.as_ref().is_some_and(|supervisor| supervisor.has_notices())
            && self.read_exits(state);
        let mut ready = [EpollEvent::empty(); 64];
        loop {
            let count = match self.epoll.wait(&mut ready, EpollTimeout::ZERO) {
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                Err(errno) => {
                    state.miss("watch", format!("the sources could not be asked: {errno}"));
                    0
                }
            };
            let mut evidence = state.collector.looks_on(sys::monotonic_ns()) || std::mem::take(&mut exits);
            // Whoever polls a watch may have taken the wake.
            evidence |= state.trace.as_ref().is_some_and(Trace::has_news);
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
                    tag::TIMER => evidence |= self.timer.wait().is_ok() && state.look_unrung(),
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
            state.gauge.wake();
            state.ring();
        }
    }

    /// Reads the evidence of kills and settles what is complete. An account is settled only by a reading that began
    /// after the end of its last victim was seen.
    pub(super) fn collect(&self, state: &mut State) {
        self.end_rings(state);
        loop {
            state.seal();
            state.read_trace();
            self.watch_new_cpus(state);
            state.read_log();
            // A group that the sources name was made before they did; of a big machine its making may wait in a later
            // batch of the epoll, or have come since.
            self.read_tree(state);
            self.watch_victims(state);
            let had = state.ooms.end();
            state.settle();
            let sealed = state.collector.sealed();
            state.seal();
            // What waits for its turn, or for a line of the log, is looked at again by whoever waits.
            if state.ooms.end() == had && state.collector.sealed() <= sealed {
                break;
            }
        }
    }

    pub(super) fn read_channel(&self, state: &mut State, id: u64) {
        let Some(process) = state.world.workers.get(&id).cloned() else { return };
        let open = process.read_channel(|time_ns, kind| {
            if matches!(kind, EventKind::Stepped { .. }) {
                state.take(Sign::Stepped { pid: process.pid, end_ns: time_ns });
            }
            state.push(time_ns, Source::Worker, Some(process.group.cgroup()), Some(process.pid), kind);
        });
        if !open {
            if let Some(channel) = &process.channel {
                let _ = self.epoll.delete(channel);
            }
        }
    }

    pub(super) fn read_exits(&self, state: &mut State) -> bool {
        let Some(supervisor) = state.world.supervisor.clone() else { return false };
        let notices = match supervisor.notices() {
            Ok(notices) => notices,
            Err(error) => {
                // The supervisor was killed: its workers die with it, and nobody reaps them for us any more.
                let _ = self.epoll.delete(supervisor.socket());
                // By whom, the trace has said before it died.
                state.read_trace();
                state.miss("supervisor", error.to_string());
                state.world.supervisor = None;
                state.lost = Some(error.to_string());
                for process in state.world.workers.values().filter(|process| !process.forked) {
                    process.progress().abandoned = true;
                }
                // Whoever polls a watch is to ask, and to hear of it.
                state.ring();
                return true;
            }
        };
        // Also an end that was no kill: the counters are right by now, and say what became of its children.
        let mut ended = false;
        for notice in notices {
            match notice {
                Notice::Exit { id, pid, status, rusage, time_ns } => {
                    if let Some(process) = state.world.workers.get(&id).cloned() {
                        self.read_channel(state, id);
                        if let Some(channel) = &process.channel {
                            let _ = self.epoll.delete(channel);
                        }
                        let exit = Exit::new(status, rusage, time_ns);
                        ended = true;
                        state.take(Sign::Stirred { cgroup: process.group.cgroup().to_string(), below: true });
                        let kind = EventKind::Exited { returncode: exit.returncode };
                        process.end(exit);
                        state.push(time_ns, Source::Supervisor, Some(process.group.cgroup()), Some(pid), kind);
                    }
                }
                Notice::Orphan { pid, time_ns, .. } => {
                    state.world.orphans.insert(pid, time_ns);
                    state.take(Sign::Moved);
                    ended = true;
                }
                Notice::Lost { orphans } => {
                    state.push(sys::monotonic_ns(), Source::Supervisor, None, None, EventKind::Lost { count: orphans });
                }
            }
        }
        ended
    }

    /// A forked child has ended: it is reaped here.
    pub(super) fn read_child(&self, state: &mut State, id: u64) -> bool {
        let Some(process) = state.world.workers.get(&id).cloned() else { return false };
        let exit = process.reap_child();
        if exit.is_some() || process.progress().abandoned {
            let _ = self.epoll.delete(&process.pidfd);
        }
        let Some(exit) = exit else { return false };
        process.end(exit);
        let kind = EventKind::Exited { returncode: exit.returncode };
        state.push(exit.time_ns, Source::Memoom, Some(process.group.cgroup()), Some(process.pid), kind);
        state.take(Sign::Stirred { cgroup: process.group.cgroup().to_string(), below: true });
        true
    }

    pub(super) fn read_notification(&self, state: &mut State, id: u64) {
        let Some(observed) = state.world.groups.get_mut(id) else { return };
        match &observed.notify {
            Some(Notify::V1(event)) => observed.late_rings += event.read().unwrap_or(0),
            Some(Notify::V2(events)) => drop(nix::sys::uio::pread(events, &mut [0; 512], 0)),
            None => {}
        }
        observed.look();
        let group = observed.group.clone();
        // Before all else: what the group holds is what its victim is about to give back.
        if let Ok(contents) = Contents::read_at_once(&group.dir, group.version()) {
            let below = Contents::read_below(&group.dir, group.version()).unwrap_or_default();
            state.take(Sign::Held { cgroup: group.cgroup().to_string(), contents, below });
        }
        // The wake comes on a kill, on a block and on removal: only the files say which.
        match group.counters() {
            Ok(counters) => {
                if let Some(observed) = state.world.groups.get_mut(id) {
                    observed.rang_while_there();
                }
                // It rings when a process comes to rest, also when it should not have.
                group.wake_forgotten();
                state.expect_waits(id, &counters);
                let kind = EventKind::Notified { counters: Box::new(counters) };
                state.push(sys::monotonic_ns(), Source::Counters, Some(group.cgroup()), None, kind);
                state.take(Sign::Stirred { cgroup: group.cgroup().to_string(), below: false });
                if group.version() == Version::V1 {
                    state.take(Sign::Rang);
                }
            }
            // That it cannot be read now, for want of a descriptor perhaps, does not say that it has gone.
            Err(error) if error.kind() != ErrorKind::NotFound => state.miss("counters", error.to_string()),
            Err(_) => {
                let told_by_the_tree = state.tree.is_some();
                if let Some(observed) = state.world.groups.get_mut(id) {
                    if observed.removed {
                        self.end_ring(state, id);
                        return;
                    }
                    // The tree tells of it, and on v1 its last ring may be still to come.
                    if told_by_the_tree && observed.has_bell() {
                        return;
                    }
                    self.unlisten(observed.notify.take());
                }
                if !told_by_the_tree {
                    state.world.groups.end(id);
                    state.push(sys::monotonic_ns(), Source::Counters, Some(group.cgroup()), None, EventKind::Removed);
                }
            }
        }
    }

    /// An alarm went off. The removal of the group rings too, and for a stall for ever: then the alarm ends.
    pub(super) fn read_bell(&self, state: &mut State, id: u64) {
        let Some(bell) = state.bells.get(&id) else { return };
        bell.take();
        let (group, alarm) = (bell.group.clone(), bell.text.clone());
        match group.usage_bytes() {
            Ok(usage_bytes) if group.dir.exists() => {
                let kind = EventKind::Alarm { alarm, usage_bytes };
                state.push(sys::monotonic_ns(), Source::Counters, Some(group.cgroup()), None, kind);
            }
            Err(error) if error.kind() != ErrorKind::NotFound => state.miss("alarm", error.to_string()),
            _ => {
                if let Some(bell) = state.bells.remove(&id) {
                    let _ = self.epoll.delete(&bell);
                }
            }
        }
    }

    /// A CPU that has come has a ring of its own.
    fn watch_new_cpus(&self, state: &mut State) {
        let Some(trace) = &mut state.trace else { return };
        if trace.take_grown() {
            // Those that are watched already stay as they are.
            for fd in trace.fds() {
                let _ = self.epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, tag::TRACE));
            }
        }
    }

    /// The exit of a victim that is no worker of ours shows on its pidfd alone.
    pub(super) fn watch_victims(&self, state: &mut State) {
        state.world.watch(|pid, pidfd| {
            let number = u64::from(pid.unsigned_abs());
            let _ = self.epoll.add(pidfd, EpollEvent::new(EpollFlags::EPOLLIN, tag::VICTIM | number));
        });
    }
}

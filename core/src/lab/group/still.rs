//! A group whose limit is met, and in which everybody stands still, so that somebody outside can look.
//!
//! Everybody is stopped by SIGSTOP. On v1 the wait in the OOM comes before that, and a page or more of room ends it; on v2
//! the freeze does (`Group::block`), and everybody is thawed with the signal pending: neither the wait, nor the freezer of
//! v1, nor `cgroup.freeze` lets a tracer through that attaches by a signal, as gdb does.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::account::oom::Process;
use crate::error::{Error, Result};
use crate::lab::group::Group;
use crate::lab::hub::Look;
use crate::memcg::cgroup::processes_below;
use crate::memcg::version::Version;
use crate::memcg::Limit;
use crate::observe::task::{Proc, TaskState};
use crate::sys;
use crate::wait::Wait;

mod stops;

/// How long it may take until everybody has come to rest.
const REST_WITHIN: Duration = Duration::from_secs(2);

/// How long one that was killed meanwhile may take to its end.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Who meets the limit of a group at this moment.
#[derive(Debug)]
pub(crate) struct Meeting {
    /// The processes that wait in the OOM; nobody is named where the kernel does not tell (v2).
    pub(crate) waiting: Vec<Process>,
    /// The first of their threads that waits.
    pub(crate) thread: Option<i32>,
}

/// The processes of a group, held.
#[derive(Debug)]
pub(crate) struct Still {
    members: Vec<Member>,
    /// Who had not come to rest in time, with its state.
    pub(crate) restless: Vec<(i32, TaskState)>,
}

#[derive(Debug)]
struct Member {
    process: Process,
    pidfd: OwnedFd,
    /// It was we who stopped it.
    stopped: bool,
}

impl Still {
    /// Everybody who was held.
    pub(crate) fn processes(&self) -> Vec<Process> {
        self.members.iter().map(|member| member.process.clone()).collect()
    }

    /// The threads that had come to rest and do not stand still any more, with their states.
    pub(crate) fn went_on(&self) -> Vec<String> {
        let rested = |thread: &i32| self.restless.iter().all(|(restless, _)| restless != thread);
        shown(stops::went_on(&self.members).into_iter().filter(|(thread, _)| rested(thread)))
    }
}

impl Group {
    /// Whether the limit of this very group is met by somebody who waits (v1), or everybody is frozen at it (v2). For use
    /// in a wait: nothing is read of the sources.
    pub(crate) fn meeting(&self) -> Result<Look<Meeting>> {
        if self.version() == Version::V2 {
            // The hub looks at the group, freezes it and looks again.
            let met = self.0.cgroup.is_blocked();
            return Ok(if met { Look::Done(Meeting { waiting: Vec::new(), thread: None }) } else { Look::Wait });
        }
        if !self.0.is_under_oom()? {
            return Ok(Look::Wait);
        }
        // Who waits beside free memory is woken. An OOM of a group above marks this one too.
        if self.0.cgroup.wake_forgotten() || !self.0.cgroup.is_full()? {
            return Ok(Look::Again);
        }
        let (waiting, threads): (Vec<Process>, Vec<i32>) =
            processes_below(&self.0.dir)?.into_iter().filter_map(waits).unzip();
        Ok(match threads.first() {
            Some(&thread) => Look::Done(Meeting { waiting, thread: Some(thread) }),
            None => Look::Again,
        })
    }

    /// Has everybody in the group and below it stand still, with so much room above the limit.
    pub(crate) fn hold(&self, limit: Limit, wait: &mut Wait<'_>) -> Result<Still> {
        let mut still = Still { members: Vec::new(), restless: Vec::new() };
        let held = self.hold_into(&mut still, limit, wait);
        // Who came to its end before all stood still was not held.
        still.members.retain(|member| !sys::has_ended(member.pidfd.as_fd()));
        if held.is_err() {
            // Nobody may stay stopped for our mistakes.
            self.let_run(&still);
        }
        held.map(|()| still)
    }

    fn hold_into(&self, still: &mut Still, room: Limit, wait: &mut Wait<'_>) -> Result<()> {
        let hub = self.made("hold group")?.hub.clone();
        // Who forks while we stop appears in the next round.
        while self.take_in(still)? {}
        self.set_limit(room)?;
        // On v2 they leave the freezer for the stop, and come to no instruction of their own.
        self.0.let_go()?;
        let deadline = Instant::now() + REST_WITHIN;
        let mut restless = Vec::new();
        hub.wait_until(&mut wait.at_most(REST_WITHIN), |_| {
            self.take_in(still)?;
            restless = still.members.iter().flat_map(|member| moving(member.process.pid)).collect();
            Ok(if restless.is_empty() || Instant::now() >= deadline { Look::Done(()) } else { Look::Again })
        })?;
        still.restless = restless;
        Ok(())
    }

    /// Who has ended while it was held. One that was killed is on its way, and is waited for.
    pub(crate) fn ended(&self, still: &Still, wait: &mut Wait<'_>) -> Result<Vec<Process>> {
        let hub = self.made("hold group")?.hub.clone();
        hub.wait_until(&mut wait.at_most(END_WITHIN), |_| {
            let on_its_way =
                |member: &Member| !sys::has_ended(member.pidfd.as_fd()) && Proc::system().is_dying(member.process.pid);
            Ok(if still.members.iter().any(on_its_way) { Look::Again } else { Look::Done(()) })
        })?;
        let ended = still.members.iter().filter(|member| sys::has_ended(member.pidfd.as_fd()));
        Ok(ended.map(|member| member.process.clone()).collect())
    }

    /// One round over the processes of the group: who is new is taken in. Whether there was anybody new.
    fn take_in(&self, still: &mut Still) -> Result<bool> {
        let mut new = false;
        for pid in processes_below(self.alive("hold group")?)? {
            if still.members.iter().any(|member| member.process.pid == pid && !sys::has_ended(member.pidfd.as_fd())) {
                continue;
            }
            let pidfd = match sys::pidfd_open(pid) {
                Ok(pidfd) => pidfd,
                Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EINVAL)) => continue,
                Err(error) => return Err(Error::os("hold process", error).path(self.path()).value(pid)),
            };
            // The pid may have become another process between the list and the pidfd.
            if !processes_below(&self.0.dir)?.contains(&pid) || sys::has_ended(pidfd.as_fd()) {
                continue;
            }
            let Some(stat) = Proc::system().stat(pid)? else { continue };
            // Who was stopped before, or was to be, stays so afterwards.
            let stopped = stat.state != TaskState::Traced && !stops::is_stopped_by_another(pid)?;
            let process = Process { pid, comm: stat.comm };
            still.members.push(Member { process, pidfd, stopped });
            new = true;
            if let Some(member) = still.members.last().filter(|_| stopped) {
                signal(member, libc::SIGSTOP)?;
            }
        }
        Ok(new)
    }

    /// The kernel's choice takes its course: the limit as it was, the killer on, and everybody goes on. Gives the limit
    /// that the group has then: the usage, where that has risen above the old one.
    pub(crate) fn leave_to_kernel(&self, still: &Still, limit: Limit) -> Result<Limit> {
        let done = match self.version() {
            Version::V1 => self.lower_to(limit).and_then(|limit| self.set_oom_killer(true).map(|()| limit)),
            Version::V2 => self.set_limit(limit).and_then(|()| {
                self.0.unblock()?;
                self.limit()
            }),
        };
        self.let_run(still);
        done
    }

    /// The group goes on with a higher limit, at which it is held again.
    pub(crate) fn leave_to_run(&self, still: &Still, limit: Limit) -> Result<()> {
        let done = self.set_limit(limit).and_then(|()| self.0.let_go());
        self.let_run(still);
        done
    }

    /// v1 refuses a limit below the usage where nothing can be reclaimed.
    fn lower_to(&self, limit: Limit) -> Result<Limit> {
        let page = sys::page_size();
        let mut wanted = limit;
        // What nobody charges any more falls under one of these; everybody stands still.
        for _ in 0..16 {
            match self.set_limit(wanted) {
                Err(error) if error.errno() == Some(libc::EBUSY) => {
                    wanted = Limit::Bytes(self.usage_bytes()?.next_multiple_of(page)).max(limit);
                }
                set => return set.map(|()| wanted),
            }
        }
        self.limit()
    }

    /// Those that we have stopped go on. One that has ended is passed over.
    fn let_run(&self, still: &Still) {
        still.members.iter().filter(|member| member.stopped).for_each(stops::go_on);
    }

    /// From now on who meets the limit waits: at the limit nobody is killed.
    pub(crate) fn arm(&self) -> Result<()> {
        self.block()
    }

    /// Nobody is held at the limit any more.
    pub(crate) fn disarm(&self) -> Result<()> {
        match self.version() {
            Version::V1 => self.set_oom_killer(true),
            Version::V2 => self.0.unblock().map(drop),
        }
    }
}

fn signal(member: &Member, signal: i32) -> Result<()> {
    match sys::signal_process(member.pidfd.as_fd(), member.process.pid, signal) {
        Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
            Err(Error::os("hold process", error).value(format!("signal {signal} to pid {}", member.process.pid)))
        }
        _ => Ok(()),
    }
}

/// A process of which any thread waits in an OOM, and that thread.
fn waits(pid: i32) -> Option<(Process, i32)> {
    let proc = Proc::system();
    let waits = |thread: &i32| proc.waiting(*thread).ok().flatten().is_some_and(|seen| seen.blocked_in_memcg_oom);
    let thread = proc.threads(pid).into_iter().find(waits)?;
    Some((Process { pid, comm: proc.stat(pid).ok()??.comm }, thread))
}

/// Threads with the letters of their states.
pub(crate) fn shown(threads: impl IntoIterator<Item = (i32, TaskState)>) -> Vec<String> {
    threads.into_iter().map(|(thread, state)| format!("{thread} ({})", state.char())).collect()
}

/// The threads of a process that do not stand still, with their states.
fn moving(pid: i32) -> impl Iterator<Item = (i32, TaskState)> {
    let proc = Proc::system();
    let states = proc.threads(pid).into_iter().filter_map(move |thread| Some((thread, proc.stat(thread).ok()??.state)));
    let still = [TaskState::Stopped, TaskState::Traced, TaskState::Zombie, TaskState::Dead];
    states.filter(move |(_, state)| !still.contains(state))
}

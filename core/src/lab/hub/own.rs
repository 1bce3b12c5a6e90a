//! Signals to memoom itself: those that it passes on to a worker, whose sender is then the author of that worker's end, and
//! the one that ended its supervisor.

use std::cell::Cell;
use std::collections::VecDeque;

use super::State;
use crate::account::scene::Scene;
use crate::error::{Error, ErrorKind};
use crate::observe::author::{signal_name, unit_of, Author, KilledBy};
use crate::observe::signal::Signal;
use crate::observe::task::Proc;
use crate::text::shown;

/// Signals of either kind that are remembered: whoever asks does so a moment later.
const MOST: usize = 64;
/// What is left to do where the supervisor has died.
pub(crate) const LOST_REMEDY: &str = "make a new lab; closing this one removes its groups";

/// What is known of them.
#[derive(Default)]
pub(super) struct OwnSignals {
    /// Sent to this process, as the tracepoint told it.
    received: VecDeque<KilledBy>,
    /// Passed on to others.
    passed_on: VecDeque<PassedOn>,
    /// Who sent the supervisor SIGKILL.
    supervisor_killed: Option<KilledBy>,
}

/// A signal that is passed on.
struct PassedOn {
    target: i32,
    /// When that was said; it is sent after it.
    at_ns: u64,
    by: KilledBy,
    /// The tracepoint has told of its sending: what this process sends later is not that.
    told: Cell<bool>,
}

impl State {
    /// Keeps who sent it, where it went to this process or to the supervisor.
    pub(super) fn note_own_signal(&mut self, signal: &Signal, proc: &Proc) {
        if !signal.whole_process {
            return;
        }
        if Some(signal.target) == own_pid() {
            let by = self.author_of(signal, signal.target, proc);
            keep(&mut self.signals.own.received, by);
        } else if signal.signal == libc::SIGKILL && Some(signal.target) == self.supervisor_pid() {
            self.signals.own.supervisor_killed = Some(self.author_of(signal, signal.target, proc));
        }
    }

    /// This process is about to pass on to `target` a signal that `pid` has sent it (`si_pid`, `si_uid`): said before it is
    /// sent, so that whoever hears of the one that is sent knows it.
    pub(crate) fn will_pass_on(&mut self, target: i32, signal: i32, pid: i32, uid: u32) {
        // The kernel gives 0 for a sender whom this pid namespace does not have.
        let by = match pid {
            0 => KilledBy { pid: own_pid(), ..KilledBy::new(Author::Memoom, signal) }
                .because("it passed the signal on, which had come from outside of its pid namespace"),
            _ => KilledBy { pid: Some(pid), uid: Some(uid), ..self.seen_sender(signal, pid) },
        };
        let at_ns = crate::sys::monotonic_ns();
        keep(&mut self.signals.own.passed_on, PassedOn { target, at_ns, by, told: Cell::new(false) });
    }

    /// What can still be read of a sender.
    fn seen_sender(&self, signal: i32, pid: i32) -> KilledBy {
        let proc = Proc::system();
        let mut by = KilledBy::new(Author::Process, signal);
        by.comm = proc.status(pid).ok().flatten().map(|status| status.comm);
        self.place_sender(&mut by, pid, &proc);
        if by.comm.is_none() {
            by = by.because("it had ended before it could be looked at");
        }
        by
    }

    /// Adds where a sender stands, and who that makes it.
    pub(super) fn place_sender(&self, by: &mut KilledBy, sender: i32, proc: &Proc) {
        let paths = proc.cgroups(sender).ok().flatten().unwrap_or_default();
        by.group = self.world.group_of(sender);
        let named = [&paths.systemd, &paths.v2, &paths.v1_memory].into_iter().flatten();
        by.unit = named.map(|path| shown(path)).find_map(|path| unit_of(&path).map(str::to_string));
        if by.by == Author::Process || by.by == Author::CgroupKill {
            let known = by.comm.as_deref().and_then(|comm| Author::known(comm, by.unit.as_deref()));
            if let Some(known) = known {
                by.reason =
                    (by.by == Author::CgroupKill).then(|| "by cgroup.kill of a group that holds it".to_string());
                by.by = known;
            }
        }
    }

    /// This process sends that signal by itself: what was passed on before is not what may end the process now.
    pub(crate) fn forget_passed_on(&mut self, target: i32, signal: i32) {
        self.signals.own.passed_on.retain(|one| one.target != target || one.by.signal != signal);
    }

    /// Who sent memoom a signal that it passed on to that process; `None` where it did not. `sent_ns` is when the tracepoint
    /// saw it sent: each that is passed on is sent once.
    pub(crate) fn passed_on(&self, target: i32, signal: i32, sent_ns: Option<u64>) -> Option<KilledBy> {
        let same = |one: &&PassedOn| one.target == target && one.by.signal == signal;
        let mut kept = self.signals.own.passed_on.iter();
        let one = match sent_ns {
            Some(sent_ns) => kept.find(|one| same(one) && one.at_ns <= sent_ns && !one.told.replace(true))?,
            None => kept.rev().find(same)?,
        };
        let seen = &one.by;
        if seen.by == Author::Memoom {
            return Some(seen.clone().source("memoom"));
        }
        // What the tracepoint told was read when it was sent.
        let same = |by: &&KilledBy| by.signal == signal && by.pid == seen.pid;
        let by = self.signals.own.received.iter().rev().find(same).unwrap_or(seen);
        let own = own_pid().map_or_else(String::new, |pid| format!(" (pid {pid})"));
        let passed = format!("memoom{own} passed it on");
        let reason = by.reason.as_ref().map_or(passed.clone(), |reason| format!("{reason}; {passed}"));
        Some(by.clone().because(reason).source("memoom"))
    }

    /// That the supervisor has died, and who killed it; `None` where that was not seen.
    pub(crate) fn supervisor_killed(&self) -> Option<String> {
        let by = self.signals.own.supervisor_killed.as_ref()?;
        let signal = signal_name(by.signal);
        Some(format!("the lab's supervisor has died, as it was killed by {signal}, sent by {}", by.to_text()))
    }

    /// The answer of every wait where the supervisor has died.
    pub(super) fn lost_error(&self) -> Option<Error> {
        let why = self.lost.as_ref()?;
        Some(match self.supervisor_killed() {
            Some(by) => Error::new(ErrorKind::Closed, "wait", &by).remedy(LOST_REMEDY),
            None => Error::new(ErrorKind::Closed, "wait", why),
        })
    }
}

fn keep<T>(kept: &mut VecDeque<T>, one: T) {
    if kept.len() == MOST {
        kept.pop_front();
    }
    kept.push_back(one);
}

/// The pid of this process.
pub(super) fn own_pid() -> Option<i32> {
    i32::try_from(std::process::id()).ok()
}

//! The stops that others send. SIGCONT takes every stop with it that is still pending, so that is looked at before: who is
//! stopped by somebody else, or is about to be, stays so.

use std::os::fd::AsFd;

use super::{signal, Member};
use crate::error::Result;
use crate::observe::task::{has_signal, Proc, TaskState};
use crate::sys;

/// The stops that a program may handle, and those of a terminal.
const MILD: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// What of stops a process shows.
#[derive(Debug, Default)]
struct Stops {
    /// A stop has taken effect on one of its threads at least, and so will on the others.
    stopped: bool,
    traced: bool,
    /// What is pending for the process, a bit for each signal.
    shared: u64,
    /// What is pending for any of its threads alone.
    own: u64,
}

impl Stops {
    fn of(pid: i32) -> Result<Stops> {
        let mut stops = Stops::default();
        for thread in Proc::system().threads(pid) {
            let Some(status) = Proc::system().status(thread)? else { continue };
            stops.stopped |= status.state == Some(TaskState::Stopped);
            stops.traced |= status.traced;
            stops.shared |= status.pending_shared;
            stops.own |= status.pending;
        }
        Ok(stops)
    }
}

/// Whether somebody else has stopped a process that we have not, or is about to: whoever waits in an OOM, or is frozen, has
/// the signal pending until then.
pub(super) fn is_stopped_by_another(pid: i32) -> Result<bool> {
    let stops = Stops::of(pid)?;
    // That of a tracer's attach is the tracer's, who takes it away again.
    let own = has_signal(stops.own, libc::SIGSTOP) && !stops.traced;
    Ok(stops.stopped || has_signal(stops.shared, libc::SIGSTOP) || own)
}

/// One that we have stopped goes on, unless somebody else has stopped it meanwhile. Of one that cannot be read nothing is
/// known but that we stopped it.
pub(super) fn go_on(member: &Member) {
    let stops = Stops::of(member.process.pid).unwrap_or_default();
    // Behind a stop that has taken effect only a later one is pending. Where none has, it is ours. For a thread alone a stop
    // is what a tracer leaves behind that was killed before it got through.
    if stops.stopped && has_signal(stops.shared, libc::SIGSTOP) {
        return;
    }
    let _ = signal(member, libc::SIGCONT);
    for mild in MILD.into_iter().filter(|mild| has_signal(stops.shared | stops.own, *mild)) {
        let _ = signal(member, mild);
    }
}

/// The threads of those members that went on while they were held, with their states: somebody sent SIGCONT.
pub(super) fn went_on(members: &[Member]) -> Vec<(i32, TaskState)> {
    let there = members.iter().filter(|member| !sys::has_ended(member.pidfd.as_fd()));
    there.flat_map(|member| super::moving(member.process.pid)).collect()
}

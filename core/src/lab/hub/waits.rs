//! Who waits in an OOM of a group whose killer is off (v1). The step of a hog tells of itself; of a command, or of whatever
//! stands in a group that somebody else made, the ring of the group and a look do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Hub, State};
use crate::account::oom::Blocked;
use crate::helper::process::Process;
use crate::map::Map;
use crate::memcg::cgroup::{processes_below, Cgroup};
use crate::memcg::Counters;
use crate::observe::task::Proc;

/// Who found a little room (charged ahead and given back) waits again so soon: that is one wait, though the group rings anew.
const AGAIN_WITHIN: Duration = Duration::from_secs(1);

/// Who waits, of those who were told.
#[derive(Default)]
pub(super) struct Waits {
    /// By group that has rung while its killer is off.
    groups: Map<u64, Told>,
    /// No account is made of them: somebody else tells of it.
    untold: bool,
}

/// Of one group.
#[derive(Debug, Default)]
struct Told {
    pids: Vec<i32>,
    /// When the last of them was told.
    at: Option<Instant>,
    /// The group has rung, and nobody new has come to rest.
    rung: Option<Instant>,
}

impl Told {
    fn ring(&mut self, now: Instant) {
        if self.at.is_none_or(|at| now >= at + AGAIN_WITHIN) {
            self.pids.clear();
        }
        self.rung = Some(now);
    }

    fn tell(&mut self, pid: i32, now: Instant) {
        self.pids.push(pid);
        (self.at, self.rung) = (Some(now), None);
    }

    /// Whether somebody is about to wait of whom nothing is told. The ring of one who was told is followed by nobody new.
    fn expects(&self, now: Instant) -> bool {
        self.rung.is_some_and(|rung| self.pids.is_empty() || now < rung + AGAIN_WITHIN)
    }
}

/// A process with its wait; `None` if it does not wait in an OOM (v1), or has gone.
pub(crate) fn waiting(pid: i32, frozen: bool) -> Option<Blocked> {
    let proc = Proc::system();
    let waiting = proc.waiting(pid).ok()??;
    if !frozen && !waiting.blocked_in_memcg_oom {
        return None;
    }
    Some(Blocked {
        pid,
        comm: proc.stat(pid).ok()??.comm,
        state: waiting.state.char(),
        // Some kernels answer 0 for a wait channel that the stack shows: the wait is its innermost function.
        wchan: waiting.wchan.or_else(|| waiting.stack.as_ref().ok()?.first().map(|frame| frame.function.clone())),
        stack: waiting.stack.unwrap_or_default(),
    })
}

impl Hub {
    /// From now on nobody who waits gets an account.
    pub(crate) fn tell_no_waits(&self) {
        self.lock().world.waits.untold = true;
    }
}

impl State {
    /// A group has rung: where nobody is to be killed, somebody is about to wait.
    pub(super) fn expect_waits(&mut self, group: u64, counters: &Counters) {
        if !self.world.waits.untold && counters.under_oom == Some(true) && counters.oom_kill_disable == Some(true) {
            self.world.waits.groups.or_insert_with(group, Told::default).ring(Instant::now());
        }
    }

    /// Whether somebody waits, or is about to, of whom nothing is told yet: nothing tells when a task has come to rest.
    pub(super) fn expects_waits(&self) -> bool {
        let now = Instant::now();
        self.world.waits.groups.values().any(|told| told.expects(now))
    }

    /// A group was stopped at its limit (v2). Where a step led there the step tells.
    pub(super) fn tell_stopped(&mut self, group: &Arc<Cgroup>) {
        let stepping = |process: &Arc<Process>| {
            process.channel.is_some() && group.covers(process.group.cgroup()) && process.progress().is_stepping()
        };
        if self.world.waits.untold || self.world.workers.values().any(stepping) {
            return;
        }
        let stopped = processes_below(&group.dir).unwrap_or_default().into_iter().find_map(|pid| waiting(pid, true));
        if let Some(stopped) = stopped {
            self.tell_blocked(group, stopped);
        }
    }

    /// Tells of those who have come to rest, each once.
    pub(super) fn look_for_waits(&mut self) {
        let mut groups = std::mem::take(&mut self.world.waits.groups);
        groups.retain(|id, told| {
            let group = self.world.groups.get_mut(*id).map(|observed| observed.group.clone());
            let lasts = |group: &Arc<Cgroup>| group.is_under_oom().unwrap_or(false);
            let Some(group) = group.filter(lasts) else { return false };
            for pid in processes_below(&group.dir).unwrap_or_default() {
                let Some(blocked) = (!told.pids.contains(&pid)).then(|| waiting(pid, false)).flatten() else {
                    continue;
                };
                told.tell(pid, Instant::now());
                if !self.world.workers.values().any(|process| process.pid == pid && process.channel.is_some()) {
                    self.tell_blocked(&group, blocked);
                }
            }
            true
        });
        self.world.waits.groups = groups;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_again_at_once_was_told() {
        let (begun, mut told) = (Instant::now(), Told::default());
        told.ring(begun);
        assert!(told.expects(begun + 5 * AGAIN_WITHIN), "until somebody has come to rest");
        told.tell(1, begun);
        assert!(!told.expects(begun));
        // It found some room, and its group rings again; another one may have done that.
        told.ring(begun + AGAIN_WITHIN / 2);
        assert!(told.pids == [1] && told.expects(begun + AGAIN_WITHIN) && !told.expects(begun + 2 * AGAIN_WITHIN));
        // Much later it is news.
        told.ring(begun + 2 * AGAIN_WITHIN);
        assert!(told.pids.is_empty() && told.expects(begun + 5 * AGAIN_WITHIN));
    }
}

//! Who waits in an OOM of a group whose killer is off (v1). The step of a hog tells of itself; of a command, or of whatever
//! stands in a group that somebody else made, the ring of the group and a look do.

use std::sync::Arc;

use super::{Hub, State};
use crate::account::oom::Blocked;
use crate::helper::process::Process;
use crate::map::Map;
use crate::memcg::cgroup::{processes_below, Cgroup};
use crate::memcg::Counters;
use crate::observe::task::Proc;

/// Who waits, of those who were told.
#[derive(Default)]
pub(super) struct Waits {
    /// By group that has rung while its killer is off.
    groups: Map<u64, Vec<i32>>,
    /// No account is made of them: somebody else tells of it.
    untold: bool,
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
            self.world.waits.groups.insert(group, Vec::new());
        }
    }

    /// Whether somebody waits, or is about to, of whom nothing is told yet: nothing tells when a task has come to rest.
    pub(super) fn expects_waits(&self) -> bool {
        self.world.waits.groups.values().any(Vec::is_empty)
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
            let lasts = |counters: Counters| counters.under_oom == Some(true);
            let Some(group) = group.filter(|group| group.counters().is_ok_and(lasts)) else { return false };
            for pid in processes_below(&group.dir).unwrap_or_default() {
                let Some(blocked) = (!told.contains(&pid)).then(|| waiting(pid, false)).flatten() else { continue };
                told.push(pid);
                if !self.world.workers.values().any(|process| process.pid == pid && process.channel.is_some()) {
                    self.tell_blocked(&group, blocked);
                }
            }
            true
        });
        self.world.waits.groups = groups;
    }
}

//! Who ended a worker by a signal: the tracepoint's word, and without it what memoom did itself and what the account says.

use super::worker::Worker;
use crate::account::oom::Oom;
use crate::helper::process::Exit;
use crate::lab::hub::State;
use crate::observe::author::{Author, KilledBy};

/// A signal that was generated so long before a worker was ready may have been for it: it can be killed at its start.
const START_NS: u64 = 2_000_000_000;

impl Worker {
    /// Who sent the signal that ended it; `None` where it ended by itself. `own` is the account of the OOM that names it.
    pub(super) fn killed_by(&self, state: &State, exit: Exit, own: Option<&Oom>) -> Option<KilledBy> {
        let process = &self.process;
        let signal = -exit.returncode;
        if signal <= 0 {
            return None;
        }
        let since_ns = process.started_ns.saturating_sub(START_NS);
        let traced = state.killed_by(process.pid, signal, since_ns..=exit.time_ns);
        if traced.by != Author::Unknown {
            return Some(self.asked_of_memoom(state, traced));
        }
        if signal != libc::SIGKILL {
            return Some(state.passed_on(process.pid, signal, None).unwrap_or(traced));
        }
        if let Some(victim) = own.and_then(|oom| oom.victims.iter().find(|victim| victim.pid == process.pid)) {
            let by = KilledBy::new(Author::KernelOom, signal);
            return Some(match victim.sources.first() {
                Some(source) => by.source(source),
                None => by,
            });
        }
        if process.progress().killed_by_us || self.group_killed() {
            let memoom = KilledBy::new(Author::Memoom, signal).source("memoom");
            return Some(KilledBy { pid: pid(), ..memoom });
        }
        Some(traced)
    }

    /// Why it may have been killed in an OOM whose account does not name it: nobody else is known to have killed it, and
    /// its group had counted a kill by its end that no process is known for.
    pub(super) fn left_open(&self, state: &State, exit: Exit, own: bool, by: Option<&KilledBy>) -> Option<String> {
        let process = &self.process;
        let unknown = by.filter(|by| by.by == Author::Unknown && by.signal == libc::SIGKILL)?;
        // At its reaping the counter is right.
        if own || process.progress().oom_kill_at_end == Some(process.oom_kill_before) {
            return None;
        }
        let since_ns = process.started_ns.saturating_sub(START_NS);
        let open = state.collector.left_open(process.group.cgroup(), since_ns, exit.time_ns, &state.world)?;
        let sender = unknown.reason.as_deref().unwrap_or("nobody knows who sent its SIGKILL");
        Some(format!("{open}; {sender}"))
    }

    /// What this process or the supervisor sent because memoom was asked to.
    fn asked_of_memoom(&self, state: &State, by: KilledBy) -> KilledBy {
        let asked = self.process.progress().killed_by_us || self.group_killed();
        let by_host = by.pid == pid() && asked;
        let by_supervisor = by.pid.is_some() && by.pid == state.supervisor_pid();
        match by.by {
            Author::Process | Author::CgroupKill if by_host || by_supervisor => {
                KilledBy { by: Author::Memoom, reason: None, ..by }
            }
            _ => by,
        }
    }

    /// Its group, or a group above, was told to kill all that is inside.
    fn group_killed(&self) -> bool {
        self.process.group.was_killed()
    }
}

fn pid() -> Option<i32> {
    i32::try_from(std::process::id()).ok()
}

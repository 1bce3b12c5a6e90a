//! The end of a lab: every process ended and reaped, every guarded tree removed, every setting put back.

use crate::state::{Kind, State};
use crate::sys::{self, Errno, Poll};
use crate::text::{self, Decimal};
use crate::tree::{self, Spared};
use crate::wire::stage;

/// What could not be cleaned up; `stage` is `NONE` when nothing is left.
pub struct Left {
    pub stage: u32,
    pub errno: Errno,
    /// The guard concerned.
    pub name: Option<usize>,
    /// For processes: one of them.
    pub pid: i32,
}

impl Left {
    /// Whether another attempt may find less. Where a mount lies over a group no time mends that, and what is below the
    /// mount is not to be touched.
    fn is_worth_waiting(&self) -> bool {
        self.stage != stage::NONE && !(self.stage == stage::TREE && self.errno == sys::EXDEV)
    }
}

const SHORTEST_WAIT_NS: u64 = 100_000;
const LONGEST_WAIT_NS: u64 = 2_000_000;

/// Cleans up until nothing is left or the deadline (CLOCK_MONOTONIC) has passed.
pub fn clean(state: &mut State, deadline_ns: u64) -> Left {
    // Whatever keeps the host's CPU busy must not keep the cleanup waiting.
    sys::set_affinity(&state.cpus);
    let mut wait_ns = SHORTEST_WAIT_NS;
    let mut left;
    loop {
        left = attempt(state);
        if !left.is_worth_waiting() {
            break;
        }
        let now = sys::now_ns();
        if now >= deadline_ns {
            return left;
        }
        // A death wakes us at once; for what gives no sign (a group that is not quite empty yet) we look again soon.
        let timeout = wait_ns.min(deadline_ns - now);
        let mut files = [Poll { fd: state.signals, events: sys::POLLIN, revents: 0 }];
        let _ = sys::poll(&mut files, Some(timeout));
        if files[0].revents == 0 {
            wait_ns = (wait_ns * 2).min(LONGEST_WAIT_NS);
        }
    }
    left
}

/// One round: processes, trees, then what may only be done when these are gone.
fn attempt(state: &mut State) -> Left {
    kill_children(state);
    let mut left = Left { stage: stage::NONE, errno: 0, name: None, pid: 0 };
    let host = if sys::getppid() == state.host_pid { state.host_pid } else { -1 };
    let spared = Spared { own: state.own_pid, host };
    for index in 0..state.guards.len() {
        let guard = state.guards[index];
        if matches!(guard.kind, Kind::TreeV1 | Kind::TreeV2) {
            let result = tree::remove(guard.kind, guard.directory, guard.name(), guard.file, &spared);
            settle(state, &mut left, index, stage::TREE, result);
        }
    }
    // Dead ones may have made room in the trees: that is the next round's.
    if state.collect() && !left.is_worth_waiting() {
        let alive = state.workers.iter().find(|worker| worker.pid != 0 && !worker.ended);
        left =
            Left { stage: stage::PROCESSES, errno: sys::EBUSY, name: None, pid: alive.map_or(0, |worker| worker.pid) };
    }
    if left.is_worth_waiting() {
        return left;
    }
    for index in 0..state.guards.len() {
        let guard = state.guards[index];
        match guard.kind {
            Kind::Restore => {
                // Another lab may still need what we switched on.
                let result = if guard.directory < 0 || tree::childless(guard.directory) {
                    match sys::write(guard.file, guard.name().to_bytes()) {
                        // The group of the file was removed meanwhile.
                        Err(sys::ENODEV) => Ok(()),
                        other => other.map(drop),
                    }
                } else {
                    Ok(())
                };
                settle(state, &mut left, index, stage::RESTORE, result);
            }
            Kind::Instance => {
                let result = match sys::rmdirat(guard.directory, guard.name()) {
                    Err(sys::ENOENT) => Ok(()),
                    other => other,
                };
                settle(state, &mut left, index, stage::INSTANCE, result);
            }
            Kind::TreeV1 | Kind::TreeV2 | Kind::Free => {}
        }
    }
    left
}

/// Forgets a guard that is done, or notes the first that is not.
fn settle(state: &mut State, left: &mut Left, index: usize, stage: u32, result: Result<(), Errno>) {
    match result {
        Ok(()) => {
            let guard = &mut state.guards[index];
            sys::close(guard.directory);
            sys::close(guard.file);
            guard.kind = Kind::Free;
        }
        Err(errno) if !left.is_worth_waiting() => *left = Left { stage, errno, name: Some(index), pid: 0 },
        Err(_) => {}
    }
}

/// Kills our children: the workers, and who came to us when its parent died. None of them is reaped but by us, so
/// their pids are theirs.
fn kill_children(state: &mut State) {
    for worker in &state.workers {
        if worker.pid != 0 && !worker.ended {
            let _ = sys::kill(worker.pid, sys::SIGKILL);
        }
    }
    // /proc/self/task/PID/children; a kernel without it leaves the adopted ones to the trees.
    let pid = Decimal::new(state.own_pid as i64);
    let mut path = [0u8; 64];
    let mut length = 0;
    for part in [b"/proc/self/task/".as_slice(), pid.bytes(), b"/children"] {
        path[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    let Ok(path) = core::ffi::CStr::from_bytes_until_nul(&path) else {
        return;
    };
    let mut content = [0u8; 4096];
    if let Ok(children) = text::read_file(sys::AT_FDCWD, path, &mut content) {
        let whole = children.len() < 4096;
        let mut numbers = children.split(|&byte| byte == b' ').peekable();
        while let Some(word) = numbers.next() {
            // The last word of a full buffer may be cut; the next round sees it.
            if numbers.peek().is_none() && !whole {
                break;
            }
            if let Some(child) = text::number(word) {
                let _ = sys::kill(child as i32, sys::SIGKILL);
            }
        }
    }
}

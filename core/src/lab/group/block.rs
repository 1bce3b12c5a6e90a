//! Making an OOM wait: the v1 switch, and for v2, whose kernel has no such switch, the same done from outside.
//!
//! What memoom does on v2, while a group is told to block:
//!
//! - `memory.high` stands at the limit, and `memory.max` so far above it that the kernel kills only as a last resort.
//!   A process that goes over `memory.high` reclaims and is then slowed down, the more the further it goes.
//! - Whoever waits in memoom looks at the usage (woken by `memory.events`, and every 2 ms). Above the limit the group is
//!   frozen, and `memory.high` is written once more: that makes the kernel reclaim all it can. If the usage is still
//!   above the limit, an OOM would have come here, and the group stays frozen: it is *blocked*. Else it is let go.

use std::sync::{MutexGuard, PoisonError};

use super::control::{is_frozen, missing, write_freeze};
use crate::account::oom::Blocked;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::memcg::files::Dir;
use crate::memcg::limits::Limit;
use crate::memcg::v2;
use crate::memcg::version::Version;
use crate::observe::task::Proc;

/// What is changed on v2 while a group is told to block.
#[derive(Debug)]
pub(crate) struct Pause {
    /// The limit as the user knows it.
    pub(crate) limit_bytes: u64,
    /// `memory.high` before.
    high_before: Limit,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The limit was not met so far.
    Armed,
    /// The freeze is on its way.
    Freezing,
    /// The limit was met, nothing can be reclaimed, and everybody stands still.
    Blocked,
}

/// What a look at a group that is told to block has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    Blocked,
}

/// How far `memory.max` stands above `memory.high` on v2: a process is slowed down by up to 2 s for each 64 pages there, so
/// that even an unattended one needs minutes; and no more, so that a system call that takes very much is stopped.
fn headroom(limit_bytes: u64) -> u64 {
    (limit_bytes / 4).max(16 << 20)
}

impl Pause {
    /// A new limit while the group is told to block.
    pub(crate) fn set_limit(&mut self, dir: &Dir, limit: Limit) -> Result<()> {
        let Limit::Bytes(bytes) = limit else {
            return Err(Error::new(ErrorKind::InvalidInput, "set limit", "a group that blocks at its limit needs one")
                .path(dir.path())
                .remedy("turn the blocking off first: resume with the killer"));
        };
        let max = Limit::Bytes(bytes.saturating_add(headroom(bytes)));
        // The upper one first when it rises, last when it falls, so that no write finds the usage above memory.max.
        if bytes > self.limit_bytes {
            v2::set_limit(dir, v2::LIMIT, max)?;
            v2::set_limit(dir, v2::HIGH, limit)?;
        } else {
            v2::set_limit(dir, v2::HIGH, limit)?;
            v2::set_limit(dir, v2::LIMIT, max)?;
        }
        self.limit_bytes = bytes;
        Ok(())
    }
}

impl Group {
    /// From now on a process that meets the limit waits instead of being killed, until [`Group::resume`].
    ///
    /// On v1 this is the kernel's own switch (`memory.oom_control`), as [`Group::set_oom_killer`] sets it. On v2 it is
    /// done by memoom with `memory.high`, `memory.events` and `cgroup.freeze`, and differs:
    ///
    /// - *Everybody* in the group and below it stands still while it is blocked, not only who met the limit.
    /// - The usage rests a little above the limit (a percent or so), and a step may end there before it is noticed.
    /// - It needs somebody who waits in a call of this lab (`grow`, a watch, `wait`): meanwhile the kernel slows the group
    ///   down, and far above the limit (a quarter of it, at least 16 MiB) it kills.
    /// - The processes are in state S, frozen, and a system call that takes memory is stopped, not failed.
    ///
    /// # Errors
    /// `InvalidInput` without a limit (v2) or for an opened group; `Unsupported` where this kernel lacks `cgroup.freeze`
    /// (v2 before 5.2); `OutOfMemory` where the host has not the room above the limit; `NotFound`, `PermissionDenied`.
    pub fn block(&self) -> Result<()> {
        let lab = self.lab("block")?;
        let dir = self.alive("block")?;
        if self.0.version == Version::V1 {
            return self.set_oom_killer(false);
        }
        if self.pause().is_some() {
            return Ok(());
        }
        let Limit::Bytes(limit_bytes) = self.limit()? else {
            return Err(Error::new(ErrorKind::InvalidInput, "block", "the group has no limit at which to block")
                .path(dir.path())
                .remedy("set its limit first"));
        };
        if !dir.has("cgroup.freeze") && dir.exists() {
            return Err(missing("block", dir, "cgroup.freeze"));
        }
        let high_before = v2::limit(dir, v2::HIGH)?.ok_or_else(|| missing("block", dir, v2::HIGH))?;
        let max = Limit::Bytes(limit_bytes.saturating_add(headroom(limit_bytes)));
        let budget = lab.check_budget_change(self, max)?;
        v2::set_limit(dir, v2::HIGH, Limit::Bytes(limit_bytes))?;
        if let Err(error) = v2::set_limit(dir, v2::LIMIT, max) {
            v2::set_limit(dir, v2::HIGH, high_before)?;
            return Err(error);
        }
        *self.pause() = Some(Pause { limit_bytes, high_before, phase: Phase::Armed });
        lab.remember(self, budget);
        lab.hub.note_switch(self, "oom_killer", false);
        Ok(())
    }

    /// Whether a process that meets the limit would wait: `oom_kill_disable` (v1), or [`Group::block`] (v2).
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn blocking(&self) -> Result<bool> {
        match self.0.version {
            Version::V1 => Ok(self.counters()?.oom_kill_disable == Some(true)),
            Version::V2 => self.alive("read block").map(|_| self.pause().is_some()),
        }
    }

    /// The processes of the group and of the groups below it that wait in an OOM at this moment, with the proof: state
    /// and place of the wait. On v2, everybody while the group is blocked.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn blocked(&self) -> Result<Vec<Blocked>> {
        self.refresh();
        self.waiting()
    }

    /// The same, without a reading of the sources: for use in a wait.
    pub(crate) fn waiting(&self) -> Result<Vec<Blocked>> {
        let dir = self.alive("look who is blocked")?;
        let frozen = self.0.version == Version::V2;
        if frozen && !self.is_blocked() {
            return Ok(Vec::new());
        }
        Ok(processes_below(dir)?.into_iter().filter_map(|pid| waiting(pid, frozen)).collect())
    }

    pub(crate) fn pause(&self) -> MutexGuard<'_, Option<Pause>> {
        self.0.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the group, or one above it, is blocked by memoom (v2).
    pub(crate) fn is_blocked(&self) -> bool {
        self.chain().any(|group| group.pause().as_ref().is_some_and(|pause| pause.phase == Phase::Blocked))
    }

    /// Whether a look is due soon: the limit may be met without a wake.
    pub(crate) fn looks_for_block(&self) -> bool {
        self.pause().as_ref().is_some_and(|pause| pause.phase != Phase::Blocked)
    }

    /// One look at a group that is told to block (v2). Touches the group's files alone.
    pub(crate) fn look_for_block(&self) -> Result<Change> {
        let mut pause = self.pause();
        let Some(pause) = pause.as_mut() else { return Ok(Change::None) };
        let dir = &self.0.dir;
        let over = |limit: u64| Ok::<bool, Error>(dir.number(v2::USAGE)?.unwrap_or(0) > limit);
        match pause.phase {
            Phase::Armed if over(pause.limit_bytes)? => {
                write_freeze(dir, true)?;
                pause.phase = Phase::Freezing;
            }
            Phase::Freezing if is_frozen(dir)? => {
                // The write makes the kernel reclaim, as it would before it declares an OOM.
                v2::set_limit(dir, v2::HIGH, Limit::Bytes(pause.limit_bytes))?;
                if over(pause.limit_bytes)? {
                    pause.phase = Phase::Blocked;
                    return Ok(Change::Blocked);
                }
                write_freeze(dir, false)?;
                pause.phase = Phase::Armed;
            }
            _ => {}
        }
        Ok(Change::None)
    }

    /// Ends the standstill, and goes on looking for the next one (v2).
    pub(crate) fn let_go(&self) -> Result<()> {
        if let Some(pause) = self.pause().as_mut() {
            write_freeze(&self.0.dir, false)?;
            pause.phase = Phase::Armed;
        }
        Ok(())
    }

    /// Turns the blocking off (v2): `memory.high` as it was, `memory.max` at the limit or, where the usage is above it, at
    /// the usage, so that this write kills nobody and the next charge does. Gives the limit that is still to be set.
    pub(crate) fn unblock(&self) -> Result<Option<Limit>> {
        let dir = &self.0.dir;
        let mut pause = self.pause();
        let Some(found) = pause.take() else { return Ok(None) };
        let usage = dir.number(v2::USAGE)?.unwrap_or(0);
        let max = Limit::Bytes(found.limit_bytes.max(usage));
        let put_back = v2::set_limit(dir, v2::LIMIT, max)
            .and_then(|()| v2::set_limit(dir, v2::HIGH, found.high_before))
            .and_then(|()| write_freeze(dir, false));
        if let Err(error) = put_back {
            *pause = Some(found);
            return Err(error);
        }
        Ok(Some(Limit::Bytes(found.limit_bytes)))
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

/// The processes of a group and of those below it.
pub(crate) fn processes_below(dir: &Dir) -> Result<Vec<i32>> {
    use std::os::unix::ffi::OsStrExt;
    let text = dir.read("cgroup.procs")?.unwrap_or_default();
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
    for name in dir.dirs()? {
        // A group that is removed meanwhile has no processes.
        if let Ok(below) = dir.dir(std::ffi::OsStr::from_bytes(&name)) {
            pids.extend(processes_below(&below).unwrap_or_default());
        }
    }
    Ok(pids)
}

/// Whether an OOM of the group would make processes wait, by its own switch or by that of a group above it.
pub(crate) fn killer_is_off(group: &Group) -> Result<bool> {
    for at in group.chain() {
        if at.blocking()? {
            return Ok(true);
        }
    }
    Ok(false)
}

//! An OOM that waits on cgroup v2: what is changed of a group while it is told to block, and the looks at it.
//!
//! How it differs from the switch of v1 stands with `Group::block`, where users read it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::Cgroup;
use crate::error::{Error, ErrorKind, Result};
use crate::memcg::files::{missing, Dir};
use crate::memcg::freeze::{freeze_between_births, is_frozen, write_freeze};
use crate::memcg::limits::Limit;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};

/// What is changed on v2 while a group is told to block.
#[derive(Debug)]
pub(crate) struct Pause {
    /// The limit as the user knows it.
    pub(crate) limit_bytes: u64,
    /// `memory.high` before.
    high_before: Limit,
    phase: Phase,
    _counted: Counted,
}

/// So many pauses there are in this process: where there is none, no group is looked at for it.
static PAUSES: AtomicUsize = AtomicUsize::new(0);

/// Whether any group of this process is told to block (v2).
pub(crate) fn are_there() -> bool {
    PAUSES.load(Ordering::Acquire) > 0
}

/// One of them.
#[derive(Debug)]
struct Counted;

impl Counted {
    fn new() -> Counted {
        PAUSES.fetch_add(1, Ordering::AcqRel);
        Counted
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        PAUSES.fetch_sub(1, Ordering::AcqRel);
    }
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

/// What `memory.max` is while a group is told to block at a limit.
pub(crate) fn ceiling(limit_bytes: u64) -> Limit {
    Limit::Bytes(limit_bytes.saturating_add(headroom(limit_bytes)))
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
        let max = ceiling(bytes);
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

impl Cgroup {
    /// Has whoever meets this limit wait from now on (v2).
    pub(crate) fn arm(&self, limit_bytes: u64) -> Result<()> {
        let dir = &self.dir;
        let high_before = v2::limit(dir, v2::HIGH)?.ok_or_else(|| missing("block", dir, v2::HIGH))?;
        v2::set_limit(dir, v2::HIGH, Limit::Bytes(limit_bytes))?;
        if let Err(error) = v2::set_limit(dir, v2::LIMIT, ceiling(limit_bytes)) {
            v2::set_limit(dir, v2::HIGH, high_before)?;
            return Err(error);
        }
        *self.pause() = Some(Pause { limit_bytes, high_before, phase: Phase::Armed, _counted: Counted::new() });
        Ok(())
    }

    /// Whether a process that meets the limit would wait: `oom_kill_disable` (v1), or a [`Pause`] (v2).
    pub(crate) fn blocking(&self) -> Result<bool> {
        match self.version {
            Version::V1 => Ok(v1::read_oom_control(self.alive("read block")?)?.oom_kill_disable == Some(true)),
            Version::V2 => self.alive("read block").map(|_| self.pause().is_some()),
        }
    }

    pub(crate) fn pause(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the group, or one above it, is blocked by memoom (v2).
    pub(crate) fn is_blocked(self: &Arc<Self>) -> bool {
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
        let dir = &self.dir;
        let over = |limit: u64| Ok::<bool, Error>(dir.number(v2::USAGE)?.unwrap_or(0) > limit);
        match pause.phase {
            // While somebody is born there is another look.
            Phase::Armed if over(pause.limit_bytes)? && freeze_between_births(dir)? => pause.phase = Phase::Freezing,
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
            write_freeze(&self.dir, false)?;
            pause.phase = Phase::Armed;
        }
        Ok(())
    }

    /// Turns the blocking off (v2): `memory.high` as it was, `memory.max` at the limit or, where the usage is above it, at
    /// the usage, so that this write kills nobody and the next charge does. Gives the limit that is still to be set.
    pub(crate) fn unblock(&self) -> Result<Option<Limit>> {
        let dir = &self.dir;
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

/// Whether an OOM of the group would make processes wait, by its own switch or by that of a group above it.
pub(crate) fn killer_is_off(group: &Arc<Cgroup>) -> Result<bool> {
    for at in group.chain() {
        if at.blocking()? {
            return Ok(true);
        }
    }
    Ok(false)
}

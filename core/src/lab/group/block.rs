//! Making an OOM wait: the v1 switch, and for v2, whose kernel has no such switch, the same done from outside.
//!
//! What memoom does on v2, while a group is told to block:
//!
//! - `memory.high` stands at the limit, and `memory.max` so far above it that the kernel kills only as a last resort.
//!   A process that goes over `memory.high` reclaims and is then slowed down, the more the further it goes.
//! - Whoever waits in memoom looks at the usage (woken by `memory.events`, and every 2 ms). Above the limit the group is
//!   frozen, and `memory.high` is written once more: that makes the kernel reclaim all it can. If the usage is still
//!   above the limit, an OOM would have come here, and the group stays frozen: it is *blocked*. Else it is let go.

use crate::account::oom::Blocked;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::lab::hub::waits::waiting;
use crate::memcg::cgroup::pause::ceiling;
use crate::memcg::cgroup::processes_below;
use crate::memcg::files::missing;
use crate::memcg::freeze::FREEZE;
use crate::memcg::limits::Limit;
use crate::memcg::version::Version;

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
        let lab = self.made("block")?;
        let dir = self.alive("block")?;
        if self.0.version == Version::V1 {
            return self.set_oom_killer(false);
        }
        if self.0.blocking()? {
            return Ok(());
        }
        let Limit::Bytes(limit_bytes) = self.limit()? else {
            return Err(Error::new(ErrorKind::InvalidInput, "block", "the group has no limit at which to block")
                .path(dir.path())
                .remedy("set its limit first"));
        };
        if !dir.has(FREEZE) && dir.exists() {
            return Err(missing("block", dir, FREEZE));
        }
        let budget = lab.check_budget_change(&self.0.cgroup, ceiling(limit_bytes))?;
        self.0.arm(limit_bytes)?;
        lab.remember(&self.0.cgroup, budget);
        lab.hub.note_switch(&self.0, "oom_killer", false);
        Ok(())
    }

    /// Whether a process that meets the limit would wait: `oom_kill_disable` (v1), or [`Group::block`] (v2).
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn blocking(&self) -> Result<bool> {
        self.alive("read block")?;
        self.0.blocking()
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
        if frozen && !self.0.cgroup.is_blocked() {
            return Ok(Vec::new());
        }
        Ok(processes_below(dir)?.into_iter().filter_map(|pid| waiting(pid, frozen)).collect())
    }
}

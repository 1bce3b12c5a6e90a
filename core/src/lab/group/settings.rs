//! The limits and switches of a group: what it is made with, and what is changed later.

use std::sync::PoisonError;

use super::Group;
use crate::error::{Error, ErrorKind, Result};
use crate::memcg::limits::{Limit, Limits};
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};

impl Group {
    /// Settles what a new group is made with.
    pub(super) fn apply(&self, limits: &Limits, swap_is_on: bool) -> Result<()> {
        let dir = &self.0.dir;
        match self.0.version {
            Version::V1 => {
                if limits.high.is_some() {
                    return Err(v1::lacks("set high", v2::HIGH, dir));
                }
                if limits.oom_group.is_some() {
                    return Err(v1::lacks("set oom_group", v2::OOM_GROUP, dir));
                }
                if limits.swap == Some(Limit::Bytes(0)) && !v1::forbid_swap(dir)? && swap_is_on {
                    return Err(self.no_swap_switch());
                }
                if let Some(limit) = limits.limit {
                    v1::set_limit(dir, limit, limits.swap)?;
                }
                if let Some(on) = limits.oom_killer {
                    v1::set_oom_killer(dir, on)?;
                }
            }
            Version::V2 => {
                if limits.oom_killer.is_some() {
                    return Err(v2::lacks("set oom_killer", v1::OOM_CONTROL, dir));
                }
                if let Some(swap) = limits.swap {
                    if !v2::set_swap(dir, swap)? && swap_is_on {
                        return Err(self.no_swap_switch());
                    }
                }
                if let Some(high) = limits.high {
                    v2::set_limit(dir, v2::HIGH, high)?;
                }
                if let Some(on) = limits.oom_group {
                    v2::set_oom_group(dir, on)?;
                }
                if let Some(limit) = limits.limit {
                    v2::set_limit(dir, v2::LIMIT, limit)?;
                }
            }
        }
        Ok(())
    }

    /// The timeline begins with what the group was made with; what the kernel's own settings were is not told.
    pub(super) fn note_settings(&self, limits: &Limits) {
        let Some(lab) = &self.0.lab else { return };
        if let Some(limit) = limits.limit {
            lab.hub.note_limit(&self.0, limit);
        }
        for (name, on) in [("oom_killer", limits.oom_killer), ("oom_group", limits.oom_group)] {
            if let Some(on) = on {
                lab.hub.note_switch(&self.0, name, on);
            }
        }
    }

    fn no_swap_switch(&self) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            "keep swap out of group",
            "swap is on, and this kernel does not account swap to groups",
        )
        .path(self.path())
        .remedy("boot with swapaccount=1, or allow swap (swap = max); memoom never turns swap off for the machine")
    }

    /// The hard limit: `memory.limit_in_bytes` (v1), `memory.max` (v2).
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn limit(&self) -> Result<Limit> {
        self.alive("read limit")?;
        self.0.limit()
    }

    /// Sets the hard limit, and keeps the swap allowance in step (v1).
    ///
    /// # Errors
    /// `Busy` where the usage is above it and cannot be reclaimed (v1); `OutOfMemory` where the lab's limits would
    /// exceed the host's memory; `NotFound`, `PermissionDenied`.
    pub fn set_limit(&self, limit: Limit) -> Result<()> {
        let lab = self.lab("set limit")?;
        let dir = self.alive("set limit")?;
        self.check_lowered(limit)?;
        let budget = lab.check_budget_change(&self.0.cgroup, limit)?;
        if self.version() == Version::V2
            && limit.bytes().is_some_and(|limit| self.usage_bytes().is_ok_and(|now| now > limit))
        {
            self.foresee(limit);
        }
        match self.0.version {
            Version::V1 if self.is_adopted() => dir.write(v1::LIMIT, &limit.to_string())?,
            Version::V1 => {
                let swap = self.0.swap.lock().unwrap_or_else(PoisonError::into_inner);
                v1::set_limit(dir, limit, *swap)?;
                drop(swap);
                *self.0.woken_for.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            Version::V2 => match self.0.pause().as_mut() {
                Some(pause) => pause.set_limit(dir, limit)?,
                None => v2::set_limit(dir, v2::LIMIT, limit)?,
            },
        }
        lab.remember(&self.0.cgroup, budget);
        lab.hub.note_limit(&self.0, limit);
        Ok(())
    }

    /// The throttling limit `memory.high` (v2).
    ///
    /// # Errors
    /// `Unsupported` on v1, `NotFound`.
    pub fn high(&self) -> Result<Limit> {
        let dir = self.alive("read high")?;
        match self.0.version {
            Version::V1 => Err(v1::lacks("read high", v2::HIGH, dir)),
            Version::V2 => Ok(v2::limit(dir, v2::HIGH)?.unwrap_or(Limit::Max)),
        }
    }

    /// Sets the throttling limit `memory.high` (v2).
    ///
    /// # Errors
    /// `Unsupported` on v1, `NotFound`, `PermissionDenied`.
    pub fn set_high(&self, high: Limit) -> Result<()> {
        self.lab("set high")?;
        let dir = self.alive("set high")?;
        match self.0.version {
            Version::V1 => Err(v1::lacks("set high", v2::HIGH, dir)),
            Version::V2 if self.0.blocking()? => Err(Error::new(
                ErrorKind::Busy,
                "set high",
                "the group is told to block, which is done with memory.high",
            )
            .path(dir.path())
            .value(high)
            .remedy("turn the blocking off first: resume with the killer")),
            Version::V2 => {
                self.before_change(v2::HIGH)?;
                v2::set_limit(dir, v2::HIGH, high)?;
                self.note_setting(v2::HIGH, &high.to_string());
                Ok(())
            }
        }
    }

    /// Turns the OOM killer of the group on or off (v1: `memory.oom_control`). Off, a process that meets the limit in
    /// a page fault waits (state D); turned on again, the kernel chooses a victim at the next charge.
    ///
    /// # Errors
    /// `Unsupported` on v2, `NotFound`, `PermissionDenied`.
    pub fn set_oom_killer(&self, on: bool) -> Result<()> {
        let lab = self.lab("set oom_killer")?;
        let dir = self.alive("set oom_killer")?;
        if on && self.0.is_under_oom()? {
            self.foresee(self.limit()?);
        }
        match self.0.version {
            Version::V1 => {
                *self.0.woken_for.lock().unwrap_or_else(PoisonError::into_inner) = None;
                self.before_change(v1::OOM_CONTROL)?;
                v1::set_oom_killer(dir, on)?;
            }
            Version::V2 => return Err(v2::lacks("set oom_killer", v1::OOM_CONTROL, dir)),
        }
        lab.hub.note_switch(&self.0, "oom_killer", on);
        Ok(())
    }

    /// Whether the OOM killer of the group is on (v1).
    ///
    /// # Errors
    /// `Unsupported` on v2, `NotFound`.
    pub fn oom_killer(&self) -> Result<bool> {
        let dir = self.alive("read oom_killer")?;
        match self.0.version {
            Version::V1 => Ok(!self.0.blocking()?),
            Version::V2 => Err(v2::lacks("read oom_killer", v1::OOM_CONTROL, dir)),
        }
    }

    /// Sets `memory.oom.group` (v2): with it, an OOM kill takes every process of the group.
    ///
    /// # Errors
    /// `Unsupported` on v1, `NotFound`, `PermissionDenied`.
    pub fn set_oom_group(&self, on: bool) -> Result<()> {
        let lab = self.lab("set oom_group")?;
        let dir = self.alive("set oom_group")?;
        match self.0.version {
            Version::V1 => return Err(v1::lacks("set oom_group", v2::OOM_GROUP, dir)),
            Version::V2 => {
                self.before_change(v2::OOM_GROUP)?;
                v2::set_oom_group(dir, on)?;
            }
        }
        lab.hub.note_switch(&self.0, "oom_group", on);
        Ok(())
    }

    /// Whether `memory.oom.group` is set; `false` on v1, which has no such thing.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn oom_group(&self) -> Result<bool> {
        self.alive("read oom_group")?;
        self.0.oom_group()
    }
}

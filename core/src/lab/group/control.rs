//! The files of a group beyond its hard limit: protection, swap, reclaim, freezing, statistics.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::memcg::counters::{keyed, Stat};
use crate::memcg::files::{missing, Dir};
use crate::memcg::freeze::{self, CGROUP_EVENTS, FREEZE};
use crate::memcg::limits::Limit;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};
use crate::observe::event::{EventKind, Source};
use crate::wait::Wait;

const RECLAIM: &str = "memory.reclaim";
const FORCE_EMPTY: &str = "memory.force_empty";

impl Group {
    /// The protected amount `memory.min` (v2): below it nothing of the group is reclaimed.
    ///
    /// # Errors
    /// `Unsupported` on v1 or where the kernel lacks the file, `NotFound`.
    pub fn min(&self) -> Result<Limit> {
        self.v2_limit("read min", v2::MIN)
    }

    /// Sets the protected amount `memory.min` (v2).
    ///
    /// # Errors
    /// As [`Group::min`]; `InvalidInput` for an opened group, `PermissionDenied`.
    pub fn set_min(&self, min: Limit) -> Result<()> {
        self.set_v2_limit("set min", v2::MIN, min)
    }

    /// The protected amount `memory.low` (v2): below it the group is reclaimed only when nothing else is left.
    ///
    /// # Errors
    /// As [`Group::min`].
    pub fn low(&self) -> Result<Limit> {
        self.v2_limit("read low", v2::LOW)
    }

    /// Sets the protected amount `memory.low` (v2).
    ///
    /// # Errors
    /// As [`Group::set_min`].
    pub fn set_low(&self, low: Limit) -> Result<()> {
        self.set_v2_limit("set low", v2::LOW, low)
    }

    /// Compressed swap that the group may use: `memory.zswap.max` (v2, from 5.19~).
    ///
    /// # Errors
    /// As [`Group::min`].
    pub fn zswap(&self) -> Result<Limit> {
        self.v2_limit("read zswap", v2::ZSWAP_LIMIT)
    }

    /// Sets `memory.zswap.max` (v2).
    ///
    /// # Errors
    /// As [`Group::set_min`].
    pub fn set_zswap(&self, zswap: Limit) -> Result<()> {
        self.set_v2_limit("set zswap", v2::ZSWAP_LIMIT, zswap)
    }

    /// Swap that the group may use beyond its memory: `memory.swap.max` (v2), or `memory.memsw.limit_in_bytes` less the
    /// limit (v1).
    ///
    /// # Errors
    /// `Unsupported` where this kernel does not account swap to groups (the file is named), `NotFound`.
    pub fn swap(&self) -> Result<Limit> {
        let dir = self.alive("read swap")?;
        match self.0.version {
            Version::V2 => self.v2_limit("read swap", v2::SWAP_LIMIT),
            Version::V1 => match v1::limit(dir, v1::MEMSW_LIMIT)? {
                None => Err(missing("read swap", dir, v1::MEMSW_LIMIT)),
                Some(Limit::Max) => Ok(Limit::Max),
                Some(Limit::Bytes(memsw)) => {
                    Ok(self.limit()?.bytes().map_or(Limit::Max, |limit| Limit::Bytes(memsw.saturating_sub(limit))))
                }
            },
        }
    }

    /// Sets the swap that the group may use beyond its memory; on v1 it is kept in step when the limit changes.
    /// `memory.swappiness` of a v1 group becomes 0 with a swap of 0, and else what it is at the lab's top.
    ///
    /// # Errors
    /// As [`Group::swap`]; `Busy` (v1) where the group uses more and cannot give it back; `InvalidInput` for an opened
    /// group, `PermissionDenied`.
    pub fn set_swap(&self, swap: Limit) -> Result<()> {
        let lab = self.made("set swap")?.clone();
        let dir = self.alive("set swap")?;
        match self.0.version {
            Version::V2 => return self.set_v2_limit("set swap", v2::SWAP_LIMIT, swap),
            Version::V1 => {
                if !dir.has(v1::MEMSW_LIMIT) {
                    return Err(missing("set swap", dir, v1::MEMSW_LIMIT));
                }
                v1::set_limit(dir, self.limit()?, Some(swap))?;
                let swappiness = match swap {
                    Limit::Bytes(0) => Some("0".to_string()),
                    _ => lab.dir.read(v1::SWAPPINESS)?.map(|text| text.trim().to_string()),
                };
                if let (Some(value), true) = (swappiness, dir.has(v1::SWAPPINESS)) {
                    dir.write(v1::SWAPPINESS, &value)?;
                }
                *self.0.swap.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(swap);
            }
        }
        self.note_setting(v1::MEMSW_LIMIT, &swap.to_string());
        Ok(())
    }

    /// Swap that the group uses now, in bytes: `memory.swap.current` (v2), memory+swap less memory (v1); `None` where
    /// this kernel does not account it.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn swap_usage_bytes(&self) -> Result<Option<u64>> {
        let dir = self.alive("read swap usage")?;
        match self.0.version {
            Version::V2 => dir.number("memory.swap.current"),
            Version::V1 => {
                let memory = dir.number(v1::USAGE)?.unwrap_or(0);
                Ok(dir.number(v1::MEMSW_USAGE)?.map(|both| both.saturating_sub(memory)))
            }
        }
    }

    /// `memory.stat` at this moment, under the kernel's own names. The kernel brings it up to date every 2 seconds or
    /// so: right after a change it may still show what was before.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn stat(&self) -> Result<Stat> {
        let text = self.alive("read stat")?.read("memory.stat")?.unwrap_or_default();
        Ok(keyed(&text).collect())
    }

    /// Has the kernel reclaim so many bytes of the group: `memory.reclaim` (v2, from 5.19~). Answers whether it found as
    /// much (`false` is the kernel's EAGAIN).
    ///
    /// # Errors
    /// `Unsupported` on v1 (which has [`Group::force_empty`]) or where the kernel lacks the file; `InvalidInput` for an
    /// opened group.
    pub fn reclaim(&self, bytes: u64) -> Result<bool> {
        self.made("reclaim")?;
        let dir = self.alive("reclaim")?;
        if self.0.version == Version::V1 {
            return Err(v1::lacks("reclaim", RECLAIM, dir).remedy("v1 has force_empty, which takes what it can"));
        }
        match dir.write(RECLAIM, &bytes.to_string()) {
            Ok(()) => Ok(true),
            Err(error) if error.errno() == Some(libc::EAGAIN) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has the kernel take back all that it can of the group's memory: `memory.force_empty` (v1).
    ///
    /// # Errors
    /// `Unsupported` on v2 (which has [`Group::reclaim`]); `InvalidInput` for an opened group.
    pub fn force_empty(&self) -> Result<()> {
        self.made("force empty")?;
        let dir = self.alive("force empty")?;
        match self.0.version {
            Version::V1 => dir.write(FORCE_EMPTY, "0"),
            Version::V2 => Err(v2::lacks("force empty", FORCE_EMPTY, dir).remedy("v2 has reclaim, from 5.19 or so")),
        }
    }

    /// Sets `memory.failcnt` and, where swap is accounted, `memory.memsw.failcnt` back to 0 (v1).
    ///
    /// # Errors
    /// `Unsupported` on v2, whose `memory.events` cannot be reset; `InvalidInput` for an opened group.
    pub fn reset_failcnt(&self) -> Result<()> {
        self.made("reset failcnt")?;
        let dir = self.alive("reset failcnt")?;
        if self.0.version == Version::V2 {
            return Err(v2::lacks("reset failcnt", "memory.failcnt", dir)
                .remedy("v2 counts in memory.events, which cannot be reset: take the difference of two readings"));
        }
        for file in ["memory.failcnt", "memory.memsw.failcnt"] {
            if dir.has(file) {
                dir.write(file, "0")?;
            }
        }
        Ok(())
    }

    /// Stops every process of the group and of the groups below it where it stands: `cgroup.freeze` (v2, from 5.2~), and
    /// waits until the kernel says that all stand still (`frozen 1` in `cgroup.events`). SIGKILL still ends them.
    ///
    /// # Errors
    /// `Unsupported` on v1, whose freezer is another controller, or where the kernel lacks the file; `TimedOut` where
    /// some do not stop by the deadline: all are let go again. `InvalidInput` for an opened group.
    pub fn freeze<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        self.made("freeze")?;
        let dir = self.freezer("freeze")?;
        freeze::write_freeze(dir, true)?;
        let frozen = wait_for(dir, &mut wait.into(), |dir| Ok(freeze::is_frozen(dir)?.then_some(())));
        match frozen {
            Ok(Some(())) => {
                self.note_setting(FREEZE, "1");
                Ok(())
            }
            not => {
                freeze::write_freeze(dir, false)?;
                not?;
                Err(Error::new(ErrorKind::TimedOut, "freeze", "not every process stood still by the deadline")
                    .path(dir.path())
                    .remedy("wait longer: a process in a system call that cannot be interrupted stops at its end"))
            }
        }
    }

    /// Lets the processes of a frozen group go on (v2). A group that is not frozen is left alone.
    ///
    /// # Errors
    /// As [`Group::freeze`], but for the deadline.
    pub fn thaw(&self) -> Result<()> {
        self.made("thaw")?;
        freeze::write_freeze(self.freezer("thaw")?, false)?;
        self.note_setting(FREEZE, "0");
        Ok(())
    }

    /// Whether every process of the group stands still: `frozen` of `cgroup.events` (v2).
    ///
    /// # Errors
    /// `Unsupported` on v1 or where the kernel lacks it, `NotFound`.
    pub fn frozen(&self) -> Result<bool> {
        freeze::is_frozen(self.freezer("read frozen")?)
    }

    fn freezer(&self, operation: &'static str) -> Result<&Dir> {
        let dir = self.alive(operation)?;
        match self.0.version {
            Version::V1 => Err(v1::lacks(operation, FREEZE, dir)
                .remedy("v1 freezes by another controller (freezer); memoom uses the memory controller alone")),
            Version::V2 if !dir.has(FREEZE) && dir.exists() => Err(missing(operation, dir, FREEZE)),
            Version::V2 => Ok(dir),
        }
    }

    fn v2_limit(&self, operation: &'static str, file: &'static str) -> Result<Limit> {
        let dir = self.alive(operation)?;
        match self.0.version {
            Version::V1 => Err(v1::lacks(operation, file, dir)),
            Version::V2 => v2::limit(dir, file)?.ok_or_else(|| missing(operation, dir, file)),
        }
    }

    fn set_v2_limit(&self, operation: &'static str, file: &'static str, limit: Limit) -> Result<()> {
        self.lab(operation)?;
        let dir = self.alive(operation)?;
        if self.0.version == Version::V1 {
            return Err(v1::lacks(operation, file, dir));
        }
        v2::set_limit(dir, file, limit)?;
        self.note_setting(file, &limit.to_string());
        Ok(())
    }

    /// Puts a setting into the timeline.
    pub(crate) fn note_setting(&self, file: &str, value: &str) {
        if let Some(lab) = &self.0.lab {
            let kind = EventKind::Setting { file: file.to_string(), value: value.to_string() };
            lab.hub.note(Source::Memoom, &self.0, None, kind);
        }
    }
}

/// Waits until `look` gives something, woken by `cgroup.events`; `None` at the deadline.
fn wait_for<T>(dir: &Dir, wait: &mut Wait<'_>, mut look: impl FnMut(&Dir) -> Result<Option<T>>) -> Result<Option<T>> {
    // A change before the descriptor was opened shows in the look, one after it in the poll.
    let events = dir.open_file(CGROUP_EVENTS, OFlag::O_RDONLY)?;
    loop {
        let _ = nix::sys::uio::pread(&events, &mut [0; 256], 0);
        if let Some(found) = look(dir)? {
            return Ok(Some(found));
        }
        if wait.expired() {
            return Ok(None);
        }
        // Notifications of a group may be lost while it is being frozen by another; a look now and then costs nothing.
        let slice = wait.slice(Some(Duration::from_millis(50))).unwrap_or_default();
        let timeout = PollTimeout::try_from(slice + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(events.as_fd(), PollFlags::POLLPRI)];
        let _ = poll(&mut fds, timeout);
        wait.check()?;
    }
}

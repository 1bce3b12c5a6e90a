//! One memory cgroup: its limits, switches and counters, and its end.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::block::Pause;
use super::counters::Counters;
use super::ending::{kill_tree, remove_empty};
use super::files::{check_name, Dir};
use super::host::{Host, Version};
use super::lab;
use super::limits::{human_size, Limit, Limits};
use super::{v1, v2};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::hub::Hub;

/// How long a removal may wait for the kernel to let go of dead processes.
const REMOVE_DEADLINE: Duration = Duration::from_secs(10);

/// One memory cgroup (memcg): made in a lab, or an existing one opened by path to be observed only.
///
/// Clones are the same group. Every method may be called from any thread.
#[derive(Clone)]
pub struct Group(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) version: Version,
    pub(crate) dir: Dir,
    /// The path from the top of the hierarchy, as the kernel writes it in reports.
    pub(crate) cgroup: String,
    pub(crate) parent: Option<Group>,
    /// The lab that made it; an opened group has none.
    pub(crate) lab: Option<Arc<lab::Shared>>,
    /// The observer of an opened group; a lab's groups share the lab's.
    pub(crate) own_hub: Mutex<Weak<Hub>>,
    removed: AtomicBool,
    /// Everybody inside was killed: who is still there is on the way out.
    killed: AtomicBool,
    /// `tasks`, kept open for the workers that join (v1).
    tasks: OnceLock<OwnedFd>,
    /// Swap beyond the limit, to be kept in step when the limit changes (v1 counts memory+swap).
    pub(crate) swap: Mutex<Option<Limit>>,
    /// Whether an OOM is to make processes wait (v2: done by memoom).
    pub(crate) pause: Mutex<Option<Pause>>,
}

impl Group {
    /// Opens an existing group by the path of its directory, to be observed only: its limits and counters can be
    /// read and its OOMs watched; nothing of it is changed.
    ///
    /// # Errors
    /// `NotFound` where there is no such directory; `InvalidInput` where it is not a memory cgroup.
    pub fn open(path: impl AsRef<Path>) -> Result<Group> {
        let path = path.as_ref();
        let dir = Dir::open(path)
            .map_err(|error| error.remedy("give the directory of a group, such as /sys/fs/cgroup/..."))?;
        let version = if dir.has(v1::LIMIT) {
            Version::V1
        } else if dir.has(v2::LIMIT) || dir.has("cgroup.controllers") && dir.has(v2::USAGE) {
            Version::V2
        } else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "open group",
                "the directory is not a group of the memory controller",
            )
            .path(path)
            .remedy("give a directory with memory.limit_in_bytes (v1) or memory.max (v2) in it"));
        };
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let cgroup = Host::probe()
            .ok()
            .and_then(|host| host.cgroup_of(&real))
            .unwrap_or_else(|| crate::text::escape(real.as_os_str().as_bytes()));
        Ok(Group::build(version, dir, cgroup, None, None, None))
    }

    /// A group below this one that somebody else made, to be observed only.
    pub(crate) fn open_below(&self, name: &OsStr) -> Result<Group> {
        let dir = self.0.dir.dir(name)?;
        Ok(Group::build(self.version(), dir, self.path_below(name), Some(self.clone()), None, None))
    }

    /// The path from the top of the hierarchy that a group of that name below this one has.
    pub(crate) fn path_below(&self, name: &OsStr) -> String {
        format!("{}/{}", self.cgroup().trim_end_matches('/'), crate::text::escape(name.as_bytes()))
    }

    /// The top of a hierarchy, which has no limit of its own.
    pub(crate) fn top(host: &Host, path: &Path) -> Result<Group> {
        let Some(version) = host.version else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "open group",
                "no mounted hierarchy has the memory controller",
            )
            .path(path));
        };
        Ok(Group::build(version, Dir::open(path)?, host.cgroup_of(path).unwrap_or_default(), None, None, None))
    }

    fn build(
        version: Version,
        dir: Dir,
        cgroup: String,
        parent: Option<Group>,
        lab: Option<Arc<lab::Shared>>,
        swap: Option<Limit>,
    ) -> Group {
        Group(Arc::new(Inner {
            version,
            dir,
            cgroup,
            parent,
            lab,
            own_hub: Mutex::new(Weak::new()),
            removed: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            tasks: OnceLock::new(),
            swap: Mutex::new(swap),
            pause: Mutex::default(),
        }))
    }

    /// Makes a group in a lab, below `above` or at the lab's top. What was made is removed if any setting fails.
    pub(crate) fn make(lab: &Arc<lab::Shared>, above: Option<&Group>, name: &[u8], limits: &Limits) -> Result<Group> {
        let name = check_name(name)?;
        lab.check_open("create group")?;
        let version = lab.version;
        let parent_dir = above.map_or(&lab.dir, |group| &group.0.dir);
        let budget = lab.check_budget(above, limits.limit)?;
        if let (Some(group), Version::V2) = (above, version) {
            v2::enable_memory(&group.0.dir)?;
        }
        let dir = parent_dir.make_dir(name)?;
        let base = above.map_or(lab.cgroup.as_str(), |group| group.cgroup());
        let cgroup = format!("{base}/{}", crate::text::escape(name.as_bytes()));
        let group = Group::build(version, dir, cgroup, above.cloned(), Some(lab.clone()), limits.swap);
        let settled = group.apply(limits, lab.host.swap_total_bytes > 0).and_then(|()| lab.hub.observe(&group));
        if let Err(error) = settled {
            // Nothing half done: the directory goes again, whatever became of its settings.
            let _ = parent_dir.remove_dir(name);
            return Err(error);
        }
        lab.remember(&group, budget);
        group.note_settings(limits);
        Ok(group)
    }

    fn apply(&self, limits: &Limits, swap_is_on: bool) -> Result<()> {
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
    fn note_settings(&self, limits: &Limits) {
        let Some(lab) = &self.0.lab else { return };
        if let Some(limit) = limits.limit {
            lab.hub.note_limit(self, limit);
        }
        for (name, on) in [("oom_killer", limits.oom_killer), ("oom_group", limits.oom_group)] {
            if let Some(on) = on {
                lab.hub.note_switch(self, name, on);
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

    /// Makes a group below this one. On v2 a group with processes cannot have children with the memory controller.
    ///
    /// # Errors
    /// `InvalidInput` for the name or for an opened group, `AlreadyExists`, `Busy` (processes stand in this group,
    /// v2), `OutOfMemory` (the limits of the lab exceed the host's memory), `Unsupported` (a switch of the other
    /// version), `Closed`.
    pub fn child(&self, name: impl AsRef<[u8]>, limits: &Limits) -> Result<Group> {
        let lab = self.lab("create group")?;
        Group::make(lab, Some(self), name.as_ref(), limits)
    }

    /// The last component of its path.
    pub fn name(&self) -> String {
        crate::text::escape(self.0.dir.path().file_name().map_or(b"/", |name| name.as_bytes()))
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.0.dir.path()
    }

    /// Its path from the top of the hierarchy, as the kernel writes it in /proc/PID/cgroup and in reports.
    pub fn cgroup(&self) -> &str {
        &self.0.cgroup
    }

    /// The hierarchy in which it stands.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// The group above it in the lab; `None` at the lab's top and for an opened group.
    pub fn parent(&self) -> Option<&Group> {
        self.0.parent.as_ref()
    }

    /// The hard limit: `memory.limit_in_bytes` (v1), `memory.max` (v2).
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn limit(&self) -> Result<Limit> {
        let dir = self.alive("read limit")?;
        if let Some(pause) = &*self.pause() {
            return Ok(Limit::Bytes(pause.limit_bytes));
        }
        let limit = match self.0.version {
            Version::V1 => v1::limit(dir, v1::LIMIT),
            Version::V2 => v2::limit(dir, v2::LIMIT),
        };
        Ok(limit?.unwrap_or(Limit::Max))
    }

    /// Sets the hard limit, and keeps the swap allowance in step (v1).
    ///
    /// # Errors
    /// `Busy` where the usage is above it and cannot be reclaimed (v1); `OutOfMemory` where the lab's limits would
    /// exceed the host's memory; `NotFound`, `PermissionDenied`.
    pub fn set_limit(&self, limit: Limit) -> Result<()> {
        let lab = self.lab("set limit")?;
        let dir = self.alive("set limit")?;
        let budget = lab.check_budget_change(self, limit)?;
        if self.version() == Version::V2
            && limit.bytes().is_some_and(|limit| self.usage_bytes().is_ok_and(|now| now > limit))
        {
            self.foresee(limit);
        }
        match self.0.version {
            Version::V1 => {
                let swap = *self.0.swap.lock().unwrap_or_else(PoisonError::into_inner);
                v1::set_limit(dir, limit, swap)?;
            }
            Version::V2 => match self.pause().as_mut() {
                Some(pause) => pause.set_limit(dir, limit)?,
                None => v2::set_limit(dir, v2::LIMIT, limit)?,
            },
        }
        lab.remember(self, budget);
        lab.hub.note_limit(self, limit);
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
            Version::V2 if self.pause().is_some() => Err(Error::new(
                ErrorKind::Busy,
                "set high",
                "the group is told to block, which is done with memory.high",
            )
            .path(dir.path())
            .value(high)
            .remedy("turn the blocking off first: resume with the killer")),
            Version::V2 => {
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
        if on && self.counters()?.under_oom == Some(true) {
            self.foresee(self.limit()?);
        }
        match self.0.version {
            Version::V1 => v1::set_oom_killer(dir, on)?,
            Version::V2 => return Err(v2::lacks("set oom_killer", v1::OOM_CONTROL, dir)),
        }
        lab.hub.note_switch(self, "oom_killer", on);
        Ok(())
    }

    /// Whether the OOM killer of the group is on (v1).
    ///
    /// # Errors
    /// `Unsupported` on v2, `NotFound`.
    pub fn oom_killer(&self) -> Result<bool> {
        let dir = self.alive("read oom_killer")?;
        match self.0.version {
            Version::V1 => Ok(self.counters()?.oom_kill_disable != Some(true)),
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
            Version::V2 => v2::set_oom_group(dir, on)?,
        }
        lab.hub.note_switch(self, "oom_group", on);
        Ok(())
    }

    /// Whether `memory.oom.group` is set; `false` on v1, which has no such thing.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn oom_group(&self) -> Result<bool> {
        Ok(self.alive("read oom_group")?.number(v2::OOM_GROUP)? == Some(1))
    }

    /// Bytes charged now: `memory.usage_in_bytes` (v1), `memory.current` (v2). Up to 64 pages for each CPU may be
    /// charged in advance.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn usage_bytes(&self) -> Result<u64> {
        let file = if self.0.version == Version::V1 { v1::USAGE } else { v2::USAGE };
        Ok(self.alive("read usage")?.number(file)?.unwrap_or(0))
    }

    /// The most that was ever charged, in bytes; `None` where this kernel does not keep it (v2 before about 5.19).
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn peak_bytes(&self) -> Result<Option<u64>> {
        let file = if self.0.version == Version::V1 { "memory.max_usage_in_bytes" } else { "memory.peak" };
        self.alive("read peak")?.number(file)
    }

    /// All counters at this moment.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn counters(&self) -> Result<Counters> {
        let dir = self.alive("read counters")?;
        match self.0.version {
            Version::V1 => v1::counters(dir),
            Version::V2 => v2::counters(dir),
        }
    }

    /// The processes of the group (`cgroup.procs`), in the order in which the kernel scans them; those of groups
    /// below are not among them.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let text = self.alive("list processes")?.read("cgroup.procs")?.unwrap_or_default();
        Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    /// Ends every process of the group and of the groups below it with SIGKILL, turning a v1 OOM killer on first so
    /// that none stays blocked. Returns when the signals are sent.
    ///
    /// # Errors
    /// `InvalidInput` for an opened group; `NotFound`; `PermissionDenied`.
    pub fn kill(&self) -> Result<()> {
        self.lab("kill group")?;
        let dir = self.alive("kill group")?;
        self.0.killed.store(true, Ordering::Release);
        kill_tree(dir, self.0.version)?;
        // Whoever comes next must not find the group frozen.
        self.let_go()
    }

    /// Removes the group: it must have no process and no group below it. The kernel may take a moment to let go of a
    /// process that has ended, and after [`Group::kill`] the processes take one to end; that is waited for.
    ///
    /// # Errors
    /// `Busy` where processes or groups are inside (named); `InvalidInput` for an opened group.
    pub fn remove(&self) -> Result<()> {
        let lab = self.lab("remove group")?;
        let dir = self.alive("remove group")?;
        let above = self.0.parent.as_ref().map_or(&lab.dir, |group| &group.0.dir);
        let Some(name) = dir.path().file_name() else {
            return Err(
                Error::new(ErrorKind::InvalidInput, "remove group", "the top of the hierarchy stays").path(dir.path())
            );
        };
        let killed = self.chain().any(|group| group.0.killed.load(Ordering::Acquire));
        remove_empty(above, name, dir, killed, Instant::now() + REMOVE_DEADLINE)?;
        self.0.removed.store(true, Ordering::Release);
        lab.forget(self);
        Ok(())
    }

    /// The lab of a group that memoom made; an opened group is observed only.
    pub(crate) fn lab(&self, operation: &'static str) -> Result<&Arc<lab::Shared>> {
        match &self.0.lab {
            Some(lab) => lab.check_open(operation).map(|()| lab),
            None => Err(Error::new(ErrorKind::InvalidInput, operation, "the group was opened to be observed only")
                .path(self.path())
                .remedy("make a group of your own in a lab")),
        }
    }

    /// The directory, while the group is there.
    pub(crate) fn alive(&self, operation: &'static str) -> Result<&Dir> {
        if let Some(lab) = &self.0.lab {
            lab.check_open(operation)?;
        }
        if self.0.removed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::NotFound, operation, "the group was removed").path(self.path()));
        }
        Ok(&self.0.dir)
    }

    /// The file by which a worker joins (v1).
    pub(crate) fn tasks(&self) -> Result<BorrowedFd<'_>> {
        if let Some(tasks) = self.0.tasks.get() {
            return Ok(tasks.as_fd());
        }
        let opened = self.0.dir.open_file("tasks", OFlag::O_WRONLY)?;
        Ok(self.0.tasks.get_or_init(|| opened).as_fd())
    }

    /// OOM kill events of the group so far, by the file that costs least.
    pub(crate) fn kills(&self) -> Result<u64> {
        let mut counters = Counters::default();
        match self.0.version {
            Version::V1 => v1::oom_control(&self.0.dir.read(v1::OOM_CONTROL)?.unwrap_or_default(), &mut counters),
            Version::V2 => v2::events(&self.0.dir.read(v2::EVENTS)?.unwrap_or_default(), &mut counters),
        }
        Ok(counters.oom_kill.unwrap_or(0))
    }

    /// OOM kill events of the group and of the groups below it so far: v1 counts each group alone.
    pub(crate) fn kills_below(&self) -> Result<u64> {
        match self.0.version {
            Version::V1 => v1::kills_below(&self.0.dir),
            Version::V2 => self.kills(),
        }
    }

    /// A process starts in the group: who is found inside is not on the way out.
    pub(crate) fn enter(&self) {
        self.0.killed.store(false, Ordering::Release);
    }

    /// Has everything read that the sources have.
    pub(crate) fn refresh(&self) {
        if let Some(lab) = &self.0.lab {
            drop(lab.hub.refresh());
        }
    }

    /// This group and the groups above it in the lab, innermost first.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &Group> {
        std::iter::successors(Some(self), |group| group.0.parent.as_ref())
    }

    /// Whether the group of that kernel path is this one or stands below it.
    pub(crate) fn covers(&self, cgroup: &str) -> bool {
        covers(self.cgroup(), cgroup)
    }
}

/// Whether `inner` is `outer` or stands below it.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    outer == "/" || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.0.cgroup)
    }
}

impl Host {
    /// The path from the top of the hierarchy of a directory of the memory controller's mount.
    pub(crate) fn cgroup_of(&self, directory: &Path) -> Option<String> {
        let inside = directory.strip_prefix(self.mount.as_deref()?).ok()?;
        let base = self.mount_root.trim_end_matches('/');
        let inside: PathBuf = inside.components().collect();
        Some(if inside.as_os_str().is_empty() {
            if base.is_empty() {
                "/".to_string()
            } else {
                base.to_string()
            }
        } else {
            format!("{base}/{}", crate::text::escape(inside.as_os_str().as_bytes()))
        })
    }
}

/// The answer to a limit that is more than the host can give.
pub(crate) fn over_budget(path: &Path, wanted: u64, available: u64) -> Error {
    Error::new(
        ErrorKind::OutOfMemory,
        "set limit",
        &format!(
            "the limits of this lab would sum to {}, and the host has {} free",
            human_size(wanted),
            human_size(available)
        ),
    )
    .path(path)
    .value(wanted)
    .remedy("choose a smaller limit, so that the experiment cannot take the host's own memory")
}

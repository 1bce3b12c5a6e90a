//! One memory cgroup as its files show it, whoever made it and whatever is done with it.

use std::ffi::OsStr;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use nix::fcntl::OFlag;

use super::contents::Contents;
use super::counters::Counters;
use super::files::Dir;
use super::limits::Limit;
use super::path::covers;
use super::version::Version;
use super::{v1, v2};
use crate::error::{Error, ErrorKind, Result};

pub(crate) mod pause;
mod wake;

pub(crate) use self::pause::killer_is_off;
use self::pause::Pause;
use self::wake::Woken;

/// The files of a group, and what memoom has done with them. Behind an `Arc` it is the same group for everybody.
pub(crate) struct Cgroup {
    pub(crate) version: Version,
    pub(crate) dir: Dir,
    /// The path from the top of the hierarchy, as the kernel writes it in reports.
    path: String,
    parent: Option<Arc<Cgroup>>,
    /// Whether memoom made it: others are observed only.
    pub(crate) ours: bool,
    removed: AtomicBool,
    /// Everybody inside was killed: who is still there is on the way out.
    killed: AtomicBool,
    /// `tasks`, kept open for the workers that join (v1).
    tasks: OnceLock<OwnedFd>,
    /// Swap beyond the limit, to be kept in step when the limit changes (v1 counts memory+swap).
    pub(crate) swap: Mutex<Option<Limit>>,
    /// Whether an OOM is to make processes wait (v2: done by memoom).
    pause: Mutex<Option<Pause>>,
    /// What whoever waits in an OOM was last woken for (v1).
    pub(crate) woken_for: Mutex<Option<Woken>>,
}

impl Cgroup {
    /// The group of that directory, which somebody else has made or keeps.
    pub(crate) fn observed(version: Version, dir: Dir, path: String) -> Arc<Cgroup> {
        Arc::new(Cgroup::new(version, dir.observed(), path, None, None))
    }

    /// A group that memoom has made, with the swap that it may use.
    pub(crate) fn made(
        version: Version,
        dir: Dir,
        path: String,
        parent: Option<Arc<Cgroup>>,
        swap: Option<Limit>,
    ) -> Arc<Cgroup> {
        Arc::new(Cgroup { ours: true, ..Cgroup::new(version, dir, path, parent, swap) })
    }

    /// A group below this one that somebody else made.
    pub(crate) fn open_below(self: &Arc<Self>, name: &OsStr) -> Result<Arc<Cgroup>> {
        let dir = self.dir.dir(name)?.observed();
        Ok(Arc::new(Cgroup::new(self.version, dir, self.path_below(name), Some(self.clone()), None)))
    }

    fn new(version: Version, dir: Dir, path: String, parent: Option<Arc<Cgroup>>, swap: Option<Limit>) -> Cgroup {
        Cgroup {
            version,
            dir,
            path,
            parent,
            ours: false,
            removed: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            tasks: OnceLock::new(),
            swap: Mutex::new(swap),
            pause: Mutex::default(),
            woken_for: Mutex::default(),
        }
    }

    /// The path from the top of the hierarchy that a group of that name below this one has.
    pub(crate) fn path_below(&self, name: &OsStr) -> String {
        format!("{}/{}", self.path.trim_end_matches('/'), crate::text::escape(name.as_bytes()))
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Its path from the top of the hierarchy.
    pub(crate) fn cgroup(&self) -> &str {
        &self.path
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// This group and the groups above it that memoom made or watches, innermost first.
    pub(crate) fn chain(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Cgroup>> {
        std::iter::successors(Some(self), |group| group.parent.as_ref())
    }

    /// Whether the group of that kernel path is this one or stands below it.
    pub(crate) fn covers(&self, cgroup: &str) -> bool {
        covers(&self.path, cgroup)
    }

    /// The directory, while the group is there.
    pub(crate) fn alive(&self, operation: &'static str) -> Result<&Dir> {
        if self.removed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::NotFound, operation, "the group was removed").path(self.path()));
        }
        Ok(&self.dir)
    }

    /// Bytes charged now.
    pub(crate) fn usage_bytes(&self) -> Result<u64> {
        let file = if self.version == Version::V1 { v1::USAGE } else { v2::USAGE };
        let dir = self.alive("read usage")?;
        dir.number(file)?.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "read usage", "the group has no such file")
                .path(dir.path().join(file))
                .remedy("the top of the v2 hierarchy has no usage: read /proc/meminfo, or a group below it")
        })
    }

    /// The most that was ever charged.
    pub(crate) fn peak_bytes(&self) -> Result<Option<u64>> {
        let file = if self.version == Version::V1 { v1::PEAK } else { v2::PEAK };
        self.alive("read peak")?.number(file)
    }

    /// All counters at this moment.
    pub(crate) fn counters(&self) -> Result<Counters> {
        let dir = self.alive("read counters")?;
        match self.version {
            Version::V1 => v1::counters(dir),
            Version::V2 => v2::counters(dir),
        }
    }

    /// The files that tell what the group holds.
    pub(crate) fn contents(&self) -> Result<Contents> {
        Contents::read(self.alive("read composition")?, self.version)
    }

    /// The hard limit, as the user has set it.
    pub(crate) fn limit(&self) -> Result<Limit> {
        let dir = self.alive("read limit")?;
        if let Some(pause) = &*self.pause() {
            return Ok(Limit::Bytes(pause.limit_bytes));
        }
        let limit = match self.version {
            Version::V1 => v1::limit(dir, v1::LIMIT),
            Version::V2 => v2::limit(dir, v2::LIMIT),
        };
        Ok(limit?.unwrap_or(Limit::Max))
    }

    /// Whether `memory.oom.group` is set; v1 has no such thing.
    pub(crate) fn oom_group(&self) -> Result<bool> {
        let dir = self.alive("read oom_group")?;
        Ok(self.version == Version::V2 && dir.number(v2::OOM_GROUP)? == Some(1))
    }

    /// The processes of the group, in the order in which the kernel scans them.
    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        let text = self.alive("list processes")?.read("cgroup.procs")?.unwrap_or_default();
        Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    /// The file by which a worker joins (v1).
    pub(crate) fn tasks(&self) -> Result<BorrowedFd<'_>> {
        if let Some(tasks) = self.tasks.get() {
            return Ok(tasks.as_fd());
        }
        let opened = self.dir.open_file("tasks", OFlag::O_WRONLY)?;
        Ok(self.tasks.get_or_init(|| opened).as_fd())
    }

    /// OOM kill events of the group so far, by the file that costs least.
    pub(crate) fn kills(&self) -> Result<u64> {
        let counters = match self.version {
            Version::V1 => v1::read_oom_control(&self.dir)?,
            Version::V2 => {
                let mut counters = Counters::default();
                v2::events(&self.dir.read(v2::EVENTS)?.unwrap_or_default(), &mut counters);
                counters
            }
        };
        Ok(counters.oom_kill.unwrap_or(0))
    }

    /// Whether processes wait in an OOM of the group (v1); on v2 the kernel has no such wait.
    pub(crate) fn is_under_oom(&self) -> Result<bool> {
        let dir = self.alive("read under_oom")?;
        Ok(self.version == Version::V1 && v1::read_oom_control(dir)?.under_oom == Some(true))
    }

    /// OOM kill events of the group and of the groups below it so far: v1 counts each group alone.
    pub(crate) fn kills_below(&self) -> Result<u64> {
        match self.version {
            Version::V1 => v1::kills_below(&self.dir),
            Version::V2 => self.kills(),
        }
    }

    /// A process starts in the group: who is found inside is not on the way out.
    pub(crate) fn enter(&self) {
        self.killed.store(false, Ordering::Release);
    }

    /// Everybody inside is being killed.
    pub(crate) fn note_killed(&self) {
        self.killed.store(true, Ordering::Release);
    }

    /// Whether everybody inside was killed, in this group or in one above it.
    pub(crate) fn was_killed(self: &Arc<Self>) -> bool {
        self.chain().any(|group| group.killed.load(Ordering::Acquire))
    }

    /// The directory has gone.
    pub(crate) fn note_removed(&self) {
        self.removed.store(true, Ordering::Release);
    }
}

/// The processes of a group and of those below it.
pub(crate) fn processes_below(dir: &Dir) -> Result<Vec<i32>> {
    let text = dir.read("cgroup.procs")?.unwrap_or_default();
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
    for name in dir.dirs()? {
        let Some(below) = dir.dir_if_there(OsStr::from_bytes(&name))? else { continue };
        match processes_below(&below) {
            Ok(inside) => pids.extend(inside),
            // A group that is removed meanwhile has no processes.
            Err(_) if !below.exists() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pids)
}

impl fmt::Debug for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cgroup({})", self.path)
    }
}

//! One memory cgroup: how it is made or opened, its counters and processes, and its end.

use std::fmt;
use std::fs::File;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::ending::{kill_tree, remove_empty};
use super::host::Host;
use super::shared::{Owned, Shared};
use crate::account::composition::Composition;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::hub::Hub;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::counters::Counters;
use crate::memcg::files::{check_name, Dir};
use crate::memcg::limits::Limits;
use crate::memcg::owner::Maker;
use crate::memcg::path::covers;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};

pub(crate) mod alarm;
pub(crate) mod block;
pub(crate) mod control;
pub(crate) mod peak;
mod predict;
mod sample;
mod settings;
pub(crate) mod stall;
pub(crate) mod still;

/// What is opened while a group is made.
const DESCRIPTORS: usize = 6;

/// How long a removal may wait for the kernel to let go of dead processes.
const REMOVE_DEADLINE: Duration = Duration::from_secs(10);

/// One memory cgroup (memcg): made in a lab, or an existing one opened by path to be observed only.
///
/// Clones are the same group. Every method may be called from any thread.
#[derive(Clone)]
pub struct Group(pub(crate) Arc<Inner>);

/// A group is its files, and where it stands among the others.
pub(crate) struct Inner {
    pub(crate) cgroup: Arc<Cgroup>,
    parent: Option<Group>,
    /// The lab that made it; an opened group has none.
    pub(crate) lab: Option<Arc<Shared>>,
    maker: Maker,
    /// The observer of an opened group; a lab's groups share the lab's.
    pub(crate) own_hub: Mutex<Weak<Hub>>,
    /// Of a borrowed group, what gives it back when nobody holds it any longer.
    pub(super) keeper: Option<Owned>,
    /// The recording that the observer of an opened group is to make.
    pub(crate) record: Mutex<Option<File>>,
}

impl Deref for Inner {
    type Target = Cgroup;

    fn deref(&self) -> &Cgroup {
        &self.cgroup
    }
}

impl Group {
    /// Opens an existing group by the path of its directory, to be observed only: its limits and counters can be
    /// read and its OOMs watched; nothing of it is changed. The top of a hierarchy is one too: with
    /// [`Group::watch_recursive`] it is the whole machine.
    ///
    /// # Errors
    /// `NotFound` where there is no such directory; `InvalidInput` where it is not a memory cgroup.
    pub fn open(path: impl AsRef<Path>) -> Result<Group> {
        let path = path.as_ref();
        let dir = Dir::open(path)
            .map_err(|error| error.remedy("give the directory of a group, such as /sys/fs/cgroup/..."))?;
        let version = if dir.has(v1::LIMIT) {
            Version::V1
        } else if dir.has(v2::LIMIT) || dir.has("cgroup.controllers") && dir.has(v2::USAGE) || v2::is_top(&dir)? {
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
        let cgroup =
            Host::probe().ok().and_then(|host| host.cgroup_of(&real)).unwrap_or_else(|| crate::text::shown(&real));
        Ok(Group::observed(version, dir, cgroup))
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
        Ok(Group::observed(version, Dir::open(path)?, host.cgroup_of(path).unwrap_or_default()))
    }

    fn observed(version: Version, dir: Dir, cgroup: String) -> Group {
        Group::build(Cgroup::observed(version, dir, cgroup), None, None)
    }

    /// The group of those files, which the lab has made.
    pub(crate) fn of(lab: &Arc<Shared>, cgroup: &Arc<Cgroup>) -> Group {
        let parent = cgroup.chain().nth(1).map(|above| Group::of(lab, above));
        Group::build(cgroup.clone(), parent, Some(lab.clone()))
    }

    /// Somebody else's group, kept by a lab around it.
    pub(super) fn borrowed(cgroup: Arc<Cgroup>, keeper: Owned) -> Group {
        let lab = Some(Arc::clone(&keeper));
        let mut group = Group::build(cgroup, None, lab);
        if let Some(inner) = Arc::get_mut(&mut group.0) {
            inner.keeper = Some(keeper);
        }
        group
    }

    fn build(cgroup: Arc<Cgroup>, parent: Option<Group>, lab: Option<Arc<Shared>>) -> Group {
        Group(Arc::new(Inner {
            cgroup,
            parent,
            lab,
            keeper: None,
            maker: Maker::this(),
            own_hub: Mutex::default(),
            record: Mutex::default(),
        }))
    }

    /// Makes a group in a lab, below `above` or at the lab's top. What was made is removed if any setting fails.
    pub(crate) fn make(lab: &Arc<Shared>, above: Option<&Group>, name: &[u8], limits: &Limits) -> Result<Group> {
        let name = check_name(name)?;
        lab.check_open("create group")?;
        let version = lab.version;
        let parent_dir = above.map_or(&lab.dir, |group| &group.0.dir);
        let budget = lab.check_budget(above.map(|group| &*group.0.cgroup), limits.limit)?;
        if let (Some(group), Version::V2) = (above, version) {
            v2::enable_memory(&group.0.dir)?;
        }
        parent_dir.spare(DESCRIPTORS)?;
        let dir = parent_dir.make_dir(name)?;
        let base = above.map_or(lab.cgroup.as_str(), |group| group.cgroup());
        let cgroup = format!("{base}/{}", crate::text::escape(name.as_bytes()));
        let parent = above.map(|group| group.0.cgroup.clone());
        let cgroup = Cgroup::made(version, dir, cgroup, parent, limits.swap);
        let group = Group::build(cgroup, above.cloned(), Some(lab.clone()));
        let settled =
            group.apply(limits, lab.host.swap_total_bytes > 0).and_then(|()| lab.hub.observe(&group.0.cgroup));
        if let Err(error) = settled {
            // Nothing half done: the directory goes again, whatever became of its settings.
            let _ = parent_dir.remove_dir(&group.0.dir);
            return Err(error);
        }
        lab.remember(&group.0.cgroup, budget);
        group.note_settings(limits);
        Ok(group)
    }

    /// Makes a group below this one. On v2 a group with processes cannot have children with the memory controller.
    ///
    /// # Errors
    /// `InvalidInput` for the name or for an opened group, `AlreadyExists`, `Busy` (processes stand in this group,
    /// v2), `OutOfMemory` (the limits of the lab exceed the host's memory), `Unsupported` (a switch of the other
    /// version), `Closed`.
    pub fn child(&self, name: impl AsRef<[u8]>, limits: &Limits) -> Result<Group> {
        let lab = self.made("create group")?;
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
        self.0.cgroup.cgroup()
    }

    /// The hierarchy in which it stands.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// The group above it in the lab; `None` at the lab's top and for an opened group.
    pub fn parent(&self) -> Option<&Group> {
        self.0.parent.as_ref()
    }

    /// Bytes charged now: `memory.usage_in_bytes` (v1), `memory.current` (v2). Up to 64 pages for each CPU may be
    /// charged in advance.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn usage_bytes(&self) -> Result<u64> {
        self.alive("read usage")?;
        self.0.usage_bytes()
    }

    /// The most that was ever charged, in bytes; `None` where this kernel does not keep it (v2 before about 5.19).
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn peak_bytes(&self) -> Result<Option<u64>> {
        self.alive("read peak")?;
        self.0.peak_bytes()
    }

    /// All counters at this moment.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn counters(&self) -> Result<Counters> {
        self.alive("read counters")?;
        self.0.counters()
    }

    /// What the charged bytes of the group and of those below it are now, by what holds them: `memory.stat`, and on v1
    /// `memory.kmem.usage_in_bytes`. The kernel may be some seconds behind with the statistics.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn composition(&self) -> Result<Composition> {
        self.alive("read composition")?;
        Ok(Composition::of_contents(&self.0.contents()?, "memory.stat"))
    }

    /// The processes of the group (`cgroup.procs`), in the order in which the kernel scans them; those of groups
    /// below are not among them.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn processes(&self) -> Result<Vec<i32>> {
        self.alive("list processes")?;
        self.0.processes()
    }

    /// Ends every process of the group and of the groups below it with SIGKILL, turning a v1 OOM killer on first so
    /// that none stays blocked. Returns when everybody is in the exit, also who was being forked meanwhile; for a
    /// process that the kernel holds fast it waits one second.
    ///
    /// # Errors
    /// `InvalidInput` for an opened group; `NotFound`; `PermissionDenied`.
    pub fn kill(&self) -> Result<()> {
        self.made("kill group")?;
        let dir = self.alive("kill group")?;
        self.0.note_killed();
        kill_tree(dir, self.0.version)?;
        // Whoever comes next must not find the group frozen.
        self.0.let_go()
    }

    /// Removes the group: it must have no process and no group below it. The kernel may take a moment to let go of a
    /// process that has ended, and after [`Group::kill`] the processes take one to end; that is waited for.
    ///
    /// # Errors
    /// `Busy` where processes or groups are inside (named); `InvalidInput` for an opened group.
    pub fn remove(&self) -> Result<()> {
        let lab = self.made("remove group")?;
        let dir = self.alive("remove group")?;
        let above = self.0.parent.as_ref().map_or(&lab.dir, |group| &group.0.dir);
        let killed = self.0.cgroup.was_killed();
        remove_empty(above, dir, killed, Instant::now() + REMOVE_DEADLINE, &|| lab.hub.look_at_last(self.cgroup()))?;
        self.0.note_removed();
        lab.forget(&self.0.cgroup);
        Ok(())
    }

    /// The lab of a group that memoom made; an opened group is observed only.
    pub(crate) fn lab(&self, operation: &'static str) -> Result<&Arc<Shared>> {
        match &self.0.lab {
            Some(lab) => lab.check_open(operation).map(|()| lab),
            None => Err(self.0.maker.check(operation).err().unwrap_or_else(|| self.observed_only(operation))),
        }
    }

    fn observed_only(&self, operation: &'static str) -> Error {
        Error::new(ErrorKind::InvalidInput, operation, "the group was opened to be observed only")
            .path(self.path())
            .remedy("make a group of your own in a lab")
    }

    /// The directory, while the group is there.
    pub(crate) fn alive(&self, operation: &'static str) -> Result<&Dir> {
        match &self.0.lab {
            Some(lab) => lab.check_open(operation)?,
            None => self.0.maker.check(operation)?,
        }
        self.0.cgroup.alive(operation)
    }

    /// Has everything read that the sources have.
    pub(crate) fn refresh(&self) {
        // A forked child has no part in it.
        if let Some(lab) = self.0.lab.as_ref().filter(|lab| lab.maker.is_this()) {
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

/// The group below which a lab is to be made, or was.
pub(super) fn parent(host: &Host, path: &Path) -> Result<Group> {
    Group::open(path).or_else(|error| match &host.mount {
        // The top of a v2 hierarchy has no memory.max, and yet labs are made there.
        Some(mount) if mount == path => Group::top(host, path),
        _ => Err(error),
    })
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.cgroup())
    }
}

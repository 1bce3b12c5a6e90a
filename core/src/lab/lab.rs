//! One safe place for experiments: a subtree of its own and one supervisor; when it ends, nothing of it is left.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::group::{parent as parent_group, Group};
use super::host::Host;
use super::leftover;
use super::options::LabOptions;
use super::put_back::PutBack;
use super::recording;
use super::shared::{Owned, Place, Shared, Stand};
use crate::account::timeline::Timeline;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::descriptor::hold_stdio;
use crate::helper::supervisor::{self, Supervisor};
use crate::lab::hub::sampling::Samples;
use crate::lab::hub::{Hub, Keep};
use crate::memcg::files::Dir;
use crate::memcg::limits::Limits;
use crate::memcg::owner::{self};
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};
use crate::observe::missing::Missing;
use crate::observe::trace::Naming;
use crate::observe::tracefs::Tracefs;

/// One safe place for experiments.
///
/// A lab is a cgroup subtree of its own and one supervisor process, a child of this one. When the lab is closed or
/// dropped, or when this process ends in whatever way, every process, group and tracefs instance of it goes.
///
/// Calls may come from any thread. After a fork the child can do nothing with the lab, nor with its groups, workers and
/// watches: every call that could fail gives `Closed`, and the copies do no harm when dropped.
pub struct Lab {
    pub(super) shared: Owned,
}

impl Lab {
    /// Makes a lab on this host.
    ///
    /// # Errors
    /// `Unsupported` without a memory controller, `PermissionDenied` where no group may be made, each with the remedy;
    /// `Io` where the supervisor cannot be started.
    #[allow(clippy::new_without_default)] // it starts a process and may fail
    pub fn new() -> Result<Lab> {
        Lab::with(&LabOptions::default())
    }

    /// Makes a lab as told.
    ///
    /// # Errors
    /// As [`Lab::new`]; `NotFound` where `parent` is no directory; `Busy` where processes stand in it (v2); `InvalidInput`
    /// where it is in no cgroup file system, or where `record` is a link, or a file that is no recording.
    pub fn with(options: &LabOptions) -> Result<Lab> {
        let _stdio = hold_stdio();
        let host = Host::probe()?;
        let record = options.record.as_deref().map(recording::begin).transpose()?;
        let (above, version) = place(&host, options.parent.as_deref())?;
        // A lab whose owner has died and whose supervisor was killed too would stay for ever: whoever comes next
        // removes it. A failure here is not ours to report; `memoom gc` does.
        drop(leftover::remove_in(&above, version));

        let name = owner::new_name()?;
        let supervisor = Arc::new(Supervisor::start(&supervisor::Options {
            helper_dir: options.helper_dir.as_deref(),
            spares: version == Version::V1,
            guards_only: false,
        })?);
        let c_name = CString::new(name.as_str()).map_err(|_| Error::new(ErrorKind::Io, "make lab", "bad name"))?;
        let dir = make_guarded(&supervisor, &above, version, &c_name)?;
        let cgroup = host.cgroup_of(dir.path()).unwrap_or_else(|| format!("/{name}"));
        let stand = Stand::Below(above);
        Lab::equip(options, record, supervisor, Place { host, version, name, stand, dir, cgroup })
    }

    /// A lab around a group that somebody else keeps: a supervisor and the sources, and nothing is made.
    pub(super) fn around(options: &LabOptions, host: Host, group: &Group) -> Result<Lab> {
        let _stdio = hold_stdio();
        let (version, dir) = (group.version(), Dir::open(group.path())?);
        let supervisor = Arc::new(Supervisor::start(&supervisor::Options {
            helper_dir: options.helper_dir.as_deref(),
            spares: version == Version::V1,
            ..supervisor::Options::default()
        })?);
        let (name, cgroup) = (owner::new_name()?, group.cgroup().to_string());
        let stand = Stand::Around(PutBack::default());
        Lab::equip(options, None, supervisor, Place { host, version, name, stand, dir, cgroup })
    }

    /// The sources of what happens there.
    fn equip(options: &LabOptions, record: Option<File>, supervisor: Arc<Supervisor>, place: Place) -> Result<Lab> {
        let c_name =
            CString::new(place.name.as_str()).map_err(|_| Error::new(ErrorKind::Io, "make lab", "bad name"))?;
        let mut missing = Vec::new();
        // An instance of tracefs is registered as the directory is, before it is made.
        let named = |tracefs: &Tracefs| {
            drop(leftover::remove_instances(tracefs));
            supervisor.guard_instance(tracefs.instances_dir(), &c_name)?;
            Ok(place.name.clone())
        };
        let named: Option<Naming<'_>> = if options.call_path { Some(&named) } else { None };
        if named.is_none() {
            missing.push(Missing::new("tracefs", "not asked for (call_path is off)"));
        }
        if !options.kernel_log {
            missing.push(Missing::new("kernel-log", "not asked for (kernel_log is off)"));
        }
        let hub = Hub::new(Some(supervisor.clone()), options.kernel_log, named, missing, record)?;
        let mut state = hub.lock();
        state.samples = Samples::new(options.sample_every);
        state.keep = Keep { events: options.keep_events, ooms: options.keep_ooms };
        drop(state);
        Ok(Lab { shared: Owned::new(Shared::new(place, supervisor, hub)) })
    }

    /// Its name: the last component of its directory. It records the owner, so that `memoom gc` can tell whether
    /// the lab is still somebody's.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.shared.dir.path()
    }

    /// The host on which it stands, as it was when the lab was made.
    pub fn host(&self) -> &Host {
        &self.shared.host
    }

    /// The hierarchy in which it stands.
    pub fn version(&self) -> Version {
        self.shared.version
    }

    /// The process that starts, reaps and cleans up.
    pub fn supervisor_pid(&self) -> i32 {
        self.shared.supervisor.pid()
    }

    /// Makes a group at the lab's top. Without a name it gets one of its own.
    ///
    /// # Errors
    /// `InvalidInput` for the name, `AlreadyExists`, `OutOfMemory` (the limits of the lab exceed the host's memory),
    /// `Unsupported` (a switch of the other version), `Closed`.
    pub fn group(&self, name: Option<&str>, limits: &Limits) -> Result<Group> {
        match name {
            Some(name) => Group::make(&self.shared, None, name.as_bytes(), limits),
            None => Group::make(&self.shared, None, self.shared.next_name().as_bytes(), limits),
        }
    }

    /// As [`Lab::group`], with a name that need not be UTF-8.
    ///
    /// # Errors
    /// As [`Lab::group`].
    pub fn group_named(&self, name: &[u8], limits: &Limits) -> Result<Group> {
        Group::make(&self.shared, None, name, limits)
    }

    /// The groups of the lab that are there, in the order in which they were made; none in a forked child.
    pub fn groups(&self) -> Vec<Group> {
        if !self.shared.maker.is_this() {
            return Vec::new();
        }
        self.shared.hub.lock().living_groups().map(|cgroup| Group::of(&self.shared, cgroup)).collect()
    }

    /// Everything that happened so far, in order; nothing in a forked child.
    pub fn timeline(&self) -> Timeline {
        if !self.shared.maker.is_this() {
            return Timeline::new(Vec::new(), Vec::new());
        }
        self.shared.hub.timeline()
    }

    /// Ends the lab: every worker is killed, every group and the tracefs instance removed, the supervisor reaped.
    /// Closing twice is fine.
    ///
    /// # Errors
    /// `TimedOut` or `Busy` where something could not be removed, naming it; `Closed` in a forked child, which leaves the
    /// lab of its parent alone.
    pub fn close(&self) -> Result<()> {
        self.shared.close()
    }

    /// Whether this process may use the lab at all: what cannot fail asks here, where it is to fail.
    ///
    /// # Errors
    /// `Closed` in a forked child, naming the operation.
    pub fn check_process(&self, operation: &'static str) -> Result<()> {
        self.shared.maker.check(operation)
    }

    /// Whether the lab was closed.
    pub fn closed(&self) -> bool {
        self.shared.is_closed()
    }
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lab({})", self.shared.cgroup)
    }
}

/// Where a lab is to be made: below that directory, or where the host has room for it.
fn place(host: &Host, parent: Option<&Path>) -> Result<(Dir, Version)> {
    let (above, version) = if let Some(parent) = parent {
        host.require_room()?;
        let version = parent_group(host, parent)?.version();
        (Dir::open(parent)?, version)
    } else {
        host.require_lab()?;
        let (Some(parent), Some(version)) = (&host.parent, host.version) else {
            return Err(Error::new(ErrorKind::Unsupported, "make lab", "no place for a lab was found"));
        };
        (Dir::open(parent)?, version)
    };
    Ok((above.in_cgroups("make lab")?, version))
}

/// Makes the directory of a lab. It is registered before it is made: whatever dies from here on, the supervisor removes it.
fn make_guarded(supervisor: &Supervisor, above: &Dir, version: Version, name: &CStr) -> Result<Dir> {
    let generation = if version == Version::V1 { 1 } else { 2 };
    if version == Version::V2 {
        borrow_controller(supervisor, above)?;
    }
    let guard = supervisor.guard_tree(generation, above.as_fd(), name)?;
    let dir = above.make_dir(OsStr::from_bytes(name.to_bytes()))?;
    supervisor.hold_tree(guard, dir.as_fd())?;
    match version {
        Version::V1 => v1::count_below(&dir)?,
        Version::V2 => drop(v2::enable_memory(&dir)?),
    }
    Ok(dir)
}

/// Labs need the memory controller in the children of their parent. Where the parent does not give it yet, it is
/// switched on and the supervisor switches it off again at the end, if no other group is there by then.
fn borrow_controller(supervisor: &Supervisor, above: &Dir) -> Result<()> {
    if above.read(v2::SUBTREE_CONTROL)?.is_some_and(|text| v2::lists_memory(&text)) {
        return Ok(());
    }
    let control = above.open_file(v2::SUBTREE_CONTROL, nix::fcntl::OFlag::O_WRONLY)?;
    supervisor.guard_restore(control.as_fd(), above.as_fd(), c"-memory")?;
    v2::enable_memory(above).map(drop)
}

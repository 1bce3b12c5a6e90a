//! A group that somebody else keeps, borrowed: memoom's workers stand in it, its limit may be lowered, and everything is
//! put back at the end, whoever dies.

use std::path::Path;
use std::sync::Arc;

use nix::unistd::{access, geteuid, AccessFlags};

use super::group::Group;
use super::host::Host;
use super::lab::Lab;
use super::options::LabOptions;
use super::shared::Shared;
use crate::error::{Error, ErrorKind, Result};
use crate::memcg::files::Dir;
use crate::memcg::owner;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};
use crate::sys;

impl Group {
    /// Borrows an existing group that this process may write: a live container, unit or job. Hogs, tickers, commands and
    /// functions can be started in it, its limit lowered and its switches set, as in a group of a lab; what else would
    /// change it or end its processes is refused. All that memoom brings into it ends, and every file that was changed is
    /// put back, when the group is given back ([`Group::give_back`], or the last copy of it and of its workers is dropped),
    /// and also when this process or the supervisor dies in whatever way.
    ///
    /// It must be delegated to this process: by systemd (`Delegate=yes`), by its owner (another user than root who owns the
    /// directory), or as the top of a container. `forced` takes any other.
    ///
    /// An OOM in it may kill whoever stands there: that is what the kernel chooses by, and what is to be tried.
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput` as [`Group::open`]; `InvalidInput` for a group of a lab and for the top of a hierarchy;
    /// `PermissionDenied` where it may not be written or is not delegated; `Busy` where it has groups below it that have the
    /// memory controller (v2), so that no process may enter; `Io` where the supervisor cannot be started.
    pub fn adopt(path: impl AsRef<Path>, forced: bool) -> Result<Group> {
        const OPERATION: &str = "adopt group";
        let found = Group::open(path)?;
        let dir = &found.0.dir;
        let host = Host::probe()?;
        let refused = |kind, why: &str| Error::new(kind, OPERATION, why).path(dir.path());
        let names = found.cgroup().split('/');
        if names.clone().any(owner::is_name) {
            return Err(refused(ErrorKind::InvalidInput, "it belongs to a lab").remedy("use the lab's own groups"));
        }
        if found.cgroup() == "/" && !dir.has(v2::LIMIT) {
            return Err(refused(ErrorKind::InvalidInput, "the top of a hierarchy has no limit"));
        }
        let enter = if found.version() == Version::V1 { "tasks" } else { "cgroup.procs" };
        access(&dir.path().join(enter), AccessFlags::W_OK).map_err(|errno| {
            Error::os(OPERATION, errno)
                .path(dir.path().join(enter))
                .remedy("run as the user to whom the group was given, or as root; in a container the cgroup file system must be writable")
        })?;
        if !forced && !is_delegated(&host, dir.path(), found.cgroup()) {
            return Err(refused(ErrorKind::PermissionDenied, "it is not delegated to this process: another manager keeps it")
                .remedy("start it with Delegate=yes, name a group below it that is yours, or force it where you know that nobody minds"));
        }
        if found.version() == Version::V2 && dir.read(v2::SUBTREE_CONTROL)?.is_some_and(|text| v2::lists_memory(&text))
        {
            return Err(refused(
                ErrorKind::Busy,
                "it gives its groups the memory controller, so no process may enter it",
            )
            .remedy("adopt one of the groups below it"));
        }
        let lab = Lab::around(&LabOptions::default(), host, &found)?;
        lab.shared.hub.observe_opened(&found.0.cgroup)?;
        Ok(Group::borrowed(found.0.cgroup.clone(), lab.shared))
    }

    /// Ends what memoom has started in a borrowed group and puts back what was changed. Twice is fine.
    ///
    /// # Errors
    /// `InvalidInput` for a group that was not adopted; `Busy` or `TimedOut` where something could not be ended or put back,
    /// naming it.
    pub fn give_back(&self) -> Result<()> {
        match &self.0.keeper {
            Some(lab) => lab.close(),
            None => {
                if self.0.lab.is_some() {
                    // In a forked child it is nobody's to ask about.
                    self.lab("give back group")?;
                }
                Err(Error::new(ErrorKind::InvalidInput, "give back group", "the group was not adopted")
                    .path(self.path()))
            }
        }
    }

    /// Whether it is somebody else's.
    pub fn is_adopted(&self) -> bool {
        self.0.lab.as_ref().is_some_and(|lab| lab.borrowed().is_some())
    }

    /// What only the maker of a group may do to it.
    pub(crate) fn made(&self, operation: &'static str) -> Result<&Arc<Shared>> {
        let lab = self.lab(operation)?;
        if lab.borrowed().is_some() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                operation,
                "the group is somebody else's, and only borrowed",
            )
            .path(self.path())
            .remedy("make a group of your own in a lab"));
        }
        Ok(lab)
    }

    /// Before a file of the group is written: where the group is borrowed, what it says now is put back at the end.
    pub(crate) fn before_change(&self, file: &'static str) -> Result<()> {
        match self.0.lab.as_ref().and_then(|lab| Some((lab, lab.borrowed()?))) {
            Some((lab, put_back)) => put_back.guard(&lab.supervisor, &self.0.dir, file),
            None => Ok(()),
        }
    }

    /// A limit of a borrowed group is lowered only: to put a raised one back would take memory from its processes.
    pub(crate) fn check_lowered(&self, limit: crate::memcg::Limit) -> Result<()> {
        if !self.is_adopted() {
            return Ok(());
        }
        self.before_change(if self.version() == Version::V1 { v1::LIMIT } else { v2::LIMIT })?;
        let first = self.0.lab.as_ref().and_then(|lab| lab.borrowed()?.limit());
        match first {
            Some(first) if limit.bytes().is_none_or(|bytes| bytes > first) => Err(Error::new(
                ErrorKind::InvalidInput,
                "set limit",
                "the limit of a borrowed group can only be lowered",
            )
            .path(self.path())
            .value(limit)
            .remedy(&format!("choose one up to the {first} bytes that its keeper has set"))),
            _ => Ok(()),
        }
    }
}

/// Whether the group was given to this process to do with as it likes.
fn is_delegated(host: &Host, directory: &Path, cgroup: &str) -> bool {
    // The top of a container's own namespace, and all below it.
    let namespaced = host.own_group.as_deref().is_some_and(|own| own == "/") && host.mount_root == "/";
    if cgroup == "/"
        || namespaced && host.mount.as_deref().is_some_and(|mount| Dir::open(mount).is_ok_and(|top| top.has(v2::LIMIT)))
    {
        return true;
    }
    let top = host.mount.as_deref().unwrap_or(Path::new("/"));
    let user = geteuid();
    for directory in directory.ancestors().take_while(|above| above.starts_with(top) && *above != top) {
        let says = |name| sys::xattr(directory, name).is_ok_and(|value| value.as_deref() == Some(b"1"));
        if says(c"user.delegate") || says(c"trusted.delegate") {
            return true;
        }
        let owner = Dir::open(directory).and_then(|dir| dir.owner());
        if !user.is_root() && owner.is_ok_and(|(owner, _)| owner == user.as_raw()) {
            return true;
        }
    }
    false
}

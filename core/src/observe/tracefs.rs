//! Where tracefs is, and the instances in it.
//!
//! Where it is not mounted it is reached by a detached mount, so the mount table does not change.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{openat, OFlag};
use nix::sys::stat::Mode;
use nix::sys::statfs::fstatfs;
use nix::unistd::{unlinkat, UnlinkatFlags};

use crate::{Error, ErrorKind, Result};

/// How long the removal of an instance is tried again while something else still holds one of its files.
pub(super) const REMOVAL: Duration = Duration::from_secs(2);
pub(super) const DIRECTORY: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Where tracefs is: a directory of a mount that was there, or a detached mount of our own.
#[derive(Debug)]
pub(crate) struct Tracefs {
    // Held also for the other, so that a mount that is attached nowhere stays.
    root: OwnedFd,
    instances: OwnedFd,
    mount: Option<PathBuf>,
}

impl Tracefs {
    /// An existing writable mount if this mount namespace has one, else a detached mount (first in 5.2).
    ///
    /// # Errors
    /// `Unsupported` when the kernel has no tracefs or no detached mounts, `PermissionDenied` without
    /// CAP_SYS_ADMIN or under lockdown.
    pub(crate) fn find() -> Result<Tracefs> {
        let mountinfo = crate::sys::room::read(crate::sys::own_proc("mountinfo")).unwrap_or_default();
        for path in tracefs_mounts(&mountinfo) {
            let opened = openat(nix::fcntl::AT_FDCWD, &path, DIRECTORY, Mode::empty());
            // Something else may be mounted over it since.
            let Ok(root) = opened else { continue };
            if !fstatfs(&root).is_ok_and(|fs| fs.filesystem_type() == nix::sys::statfs::TRACEFS_MAGIC) {
                continue;
            }
            if let Ok(instances) = openat(&root, "instances", DIRECTORY, Mode::empty()) {
                return Ok(Tracefs { root, instances, mount: Some(path) });
            }
        }
        Tracefs::detached()
    }

    /// A detached mount, whatever else is mounted.
    pub(crate) fn detached() -> Result<Tracefs> {
        let operation = "reach tracefs";
        let remedy = "mount it: mount -t tracefs nodev /sys/kernel/tracing";
        let mount = crate::sys::mount::detached(c"tracefs").map_err(|source| match source.raw_os_error() {
            Some(libc::ENODEV) => Error::os(operation, source)
                .with_kind(ErrorKind::Unsupported)
                .reason("this kernel is built without tracefs (CONFIG_TRACING)")
                .remedy("use a kernel with CONFIG_FTRACE; the rest of the account does not need it"),
            Some(libc::EPERM | libc::EACCES) => Error::os(operation, source)
                .reason("tracefs is not mounted here, and mounting it detached needs CAP_SYS_ADMIN (and no lockdown)")
                .remedy("run as root, or have root mount it: mount -t tracefs nodev /sys/kernel/tracing"),
            _ => Error::os(operation, source)
                .with_kind(ErrorKind::Unsupported)
                .reason("tracefs is not mounted here, and this kernel makes no detached mount (first in 5.2)")
                .remedy(remedy),
        })?;
        let open = |at: BorrowedFd<'_>, name: &str| {
            openat(at, name, DIRECTORY, Mode::empty()).map_err(|errno| {
                Error::os(operation, errno)
                    .path(name)
                    .reason("the directory of the detached tracefs cannot be opened (lockdown?)")
                    .remedy(remedy)
            })
        };
        // fsmount gives an O_PATH fd; listing needs a real one.
        let root = open(mount.as_fd(), ".")?;
        let instances = open(root.as_fd(), "instances")?;
        Ok(Tracefs { root, instances, mount: None })
    }

    /// Whether nothing is attached to the mount namespace for it.
    #[cfg(test)]
    pub(crate) fn is_detached(&self) -> bool {
        self.mount.is_none()
    }

    /// Where it is mounted; `None` for a detached one.
    pub(crate) fn mount_point(&self) -> Option<&Path> {
        self.mount.as_deref()
    }

    /// The top of it.
    pub(super) fn root_dir(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The directory whose children are the instances.
    pub(crate) fn instances_dir(&self) -> BorrowedFd<'_> {
        self.instances.as_fd()
    }

    /// The names of all instances, of anybody; the ones that are not UTF-8 are not ours and are left out.
    pub(crate) fn list_instances(&self) -> Result<Vec<String>> {
        let fail = |errno| Error::os("list tracefs instances", errno);
        let mut dir = nix::dir::Dir::openat(&self.instances, ".", DIRECTORY, Mode::empty()).map_err(fail)?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let entry = entry.map_err(fail)?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_string()),
            }
        }
        Ok(names)
    }

    /// Removes one instance; one that is gone already is no error. The caller answers for the name being ours.
    ///
    /// # Errors
    /// `Busy` when something still holds one of its files after two seconds of trying.
    pub(crate) fn remove_instance(&self, name: &str) -> Result<()> {
        check_name(name)?;
        remove(self.instances.as_fd(), name)
    }
}

/// The mount points of writable, whole tracefs mounts in a `/proc/self/mountinfo`.
fn tracefs_mounts(mountinfo: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in mountinfo.split(|&byte| byte == b'\n') {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let Some(dash) = fields.iter().position(|field| *field == b"-") else { continue };
        let (Some(root), Some(point), Some(options), Some(fstype)) =
            (fields.get(3), fields.get(4), fields.get(5), fields.get(dash + 1))
        else {
            continue;
        };
        let read_only = options.split(|&byte| byte == b',').any(|option| option == b"ro");
        if *fstype == b"tracefs" && *root == b"/" && !read_only {
            found.push(PathBuf::from(OsStr::from_bytes(&crate::text::unescape_octal(point))));
        }
    }
    found
}

pub(super) fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty() || name == "." || name == ".." || name.len() > 255 || name.contains(['/', '\0', '\n']);
    if bad {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "name a tracefs instance",
            "the name is not one path component",
        )
        .value(name)
        .remedy("use 1 to 255 bytes without '/', newline and NUL"));
    }
    Ok(())
}

/// rmdir with a bound: EBUSY stays while a file of the instance is open, in us or in a forked copy of us.
pub(super) fn remove(instances: BorrowedFd<'_>, name: &str) -> Result<()> {
    let deadline = Instant::now() + REMOVAL;
    loop {
        match unlinkat(instances, name, UnlinkatFlags::RemoveDir) {
            // ENODEV: somebody else (the supervisor, another gc) is removing the same one at this moment.
            Ok(()) | Err(nix::Error::ENOENT | nix::Error::ENODEV) => return Ok(()),
            Err(nix::Error::EINTR) => {}
            // The kernel tells nobody when the last user has gone, so there is nothing to wait for.
            Err(nix::Error::EBUSY) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            Err(errno) => {
                return Err(Error::os("remove tracefs instance", errno)
                    .path(name)
                    .remedy("end the processes that hold its files (fuser), then: rmdir instances/NAME in tracefs"))
            }
        }
    }
}

/// The content of a file of tracefs, named from `dir`.
pub(super) fn read_file(dir: BorrowedFd<'_>, path: &str) -> Result<Vec<u8>> {
    let fail = |source: io::Error| Error::os("read tracefs file", source).path(path);
    let fd =
        openat(dir, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(|errno| fail(errno.into()))?;
    let mut text = Vec::new();
    File::from(fd).read_to_end(&mut text).map_err(fail)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_writable_tracefs_mounts_count() {
        let text = b"22 27 0:21 / /proc rw - proc proc rw\n\
            50 23 0:12 / /sys/kernel/tra\\040cing rw,nosuid shared:7 - tracefs tracefs rw\n\
            51 23 0:12 / /ro ro,nosuid - tracefs tracefs rw\n\
            52 23 0:12 /instances/x /part rw - tracefs tracefs rw\nnonsense\n\n";
        assert_eq!(tracefs_mounts(text), [PathBuf::from("/sys/kernel/tra cing")]);
        assert!(tracefs_mounts(b"").is_empty());
        assert_eq!(crate::text::unescape_octal(b"a\\134b\\"), b"a\\b\\");
    }
}

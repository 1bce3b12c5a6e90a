//! A directory of the cgroup file system, held open: every file is reached from it, one component at a time.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::dir::{Dir as Entries, Type};
use nix::errno::Errno;
use nix::fcntl::{openat, openat2, AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{fstatat, mkdirat, FileStat, Mode, SFlag};
use nix::sys::statfs::{fstatfs, CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC};
use nix::sys::uio::pread;
use nix::unistd::{unlinkat, UnlinkatFlags};

use super::kept::Kept;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::room::{self, Made};

/// An open directory and the path by which it is named in messages.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
    kept: Kept,
    /// Only looked at: no file is kept open, as of a whole machine's groups these would be too many, and what is mounted
    /// over it is what everybody else sees. Where something is to be changed or killed, a mount is not crossed.
    observed: bool,
    /// Its number, once it was asked for.
    inode: OnceLock<u64>,
}

/// What is said where no descriptor is left.
pub(crate) const TWO_FOR_EACH: &str = "each group takes two descriptors of this process";

/// What is said where the file system refuses to be written to, as in most containers.
const READ_ONLY: &str = "the cgroup file system is mounted read-only";
pub(crate) const WRITABLE: &str = "give this container a writable one: docker run --privileged (or --security-opt \
    writable-cgroups=true), podman run --security-opt unmask=/sys/fs/cgroup";

impl Dir {
    /// Opens the directory at a path that the user gave; symbolic links in it are followed, as everywhere.
    pub(crate) fn open(path: &Path) -> Result<Dir> {
        let fd = nix::fcntl::open(path, OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(|errno| Error::os("open directory", errno).path(path))?;
        Ok(Dir { fd, path: path.to_path_buf(), kept: Default::default(), observed: false, inode: OnceLock::new() })
    }

    /// The same to be looked at only.
    pub(crate) fn observed(self) -> Dir {
        Dir { observed: true, ..self }
    }

    /// Whether so many descriptors are left to this process, for what is not to fail in its midst.
    pub(crate) fn spare(&self, count: usize) -> Result<()> {
        let spared: std::io::Result<Vec<OwnedFd>> = (0..count).map(|_| self.fd.try_clone()).collect();
        spared.map(drop).map_err(|error| Error::os("create group", error).path(&self.path).reason(TWO_FOR_EACH))
    }

    /// Where it is, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path that leads to it wherever it stands, for calls that want a path.
    pub(crate) fn proc_path(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        crate::sys::own_proc(&format!("fd/{}", self.fd.as_raw_fd()))
    }

    /// Opens the directory of that name inside this one.
    pub(crate) fn dir(&self, name: &OsStr) -> Result<Dir> {
        let fd = self
            .open_at(name, OFlag::O_DIRECTORY | OFlag::O_RDONLY)
            .map_err(|errno| Error::os("open directory", errno).path(self.path.join(name)))?;
        Ok(Dir {
            fd,
            path: self.path.join(name),
            kept: Default::default(),
            observed: self.observed,
            inode: OnceLock::new(),
        })
    }

    /// The same; `None` where it is not there (any more).
    pub(crate) fn dir_if_there(&self, name: &OsStr) -> Result<Option<Dir>> {
        match self.dir(name) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if matches!(error.errno(), Some(libc::ENOENT | libc::ENODEV)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a directory; the name must be one component (see [`check_name`]).
    pub(crate) fn make_dir(&self, name: &OsStr) -> Result<Dir> {
        mkdirat(&self.fd, name, Mode::from_bits_truncate(0o755)).map_err(|errno| {
            let error = Error::os("create group", errno).path(self.path.join(name));
            match errno {
                Errno::EEXIST => error.reason("a group of that name is there already"),
                Errno::EROFS => error.reason(READ_ONLY).remedy(WRITABLE),
                Errno::EACCES | Errno::EPERM => error.reason("groups may not be made here").remedy(
                    "run as root, or in a group that is delegated to you: `memoom doctor` says how one is had here",
                ),
                Errno::ENOENT | Errno::ENODEV => error.reason("the parent group was removed"),
                _ => error,
            }
        })?;
        self.dir(name)
    }

    /// The user to whom the directory belongs, and whether others may write to it.
    pub(crate) fn owner(&self) -> Result<(u32, bool)> {
        self.stat().map(|stat| (stat.st_uid, stat.st_mode & 0o022 != 0))
    }

    /// Whether the directory is one of a cgroup file system. Elsewhere files of the same names may say anything.
    pub(crate) fn is_of_cgroups(&self) -> Result<bool> {
        let system = fstatfs(&self.fd)
            .map_err(|errno| Error::os("look at file system", errno).call("fstatfs").path(&self.path))?;
        Ok([CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC].contains(&system.filesystem_type()))
    }

    /// The same directory, unless it is seen to be none: what only looks like a group, with files of those names.
    pub(crate) fn in_cgroups(self, operation: &'static str) -> Result<Dir> {
        if self.is_of_cgroups().unwrap_or(true) {
            return Ok(self);
        }
        Err(Error::new(ErrorKind::InvalidInput, operation, "the directory is not in a cgroup file system")
            .path(&self.path)
            .remedy("give a group's directory; where something is mounted over the groups, unmount that"))
    }

    /// Removes an empty directory inside this one, under the name that it has now: somebody may have given it another one
    /// (v1), and something else its own. Where it has gone already, that is ENOENT.
    pub(crate) fn remove_dir(&self, inside: &Dir) -> std::result::Result<(), Errno> {
        let own = nix::sys::stat::fstat(&inside.fd)?;
        let is_own = |name: &OsStr| match fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok((stat.st_dev, stat.st_ino) == (own.st_dev, own.st_ino)),
            Err(Errno::ENOENT | Errno::ENODEV) => Ok(false),
            Err(errno) => Err(errno),
        };
        let remove = |name: &OsStr| unlinkat(&self.fd, name, UnlinkatFlags::RemoveDir);
        let first = inside.path.file_name().unwrap_or_default();
        if is_own(first)? {
            return remove(first);
        }
        for name in self.dirs().map_err(|error| Errno::from_raw(error.errno().unwrap_or(libc::EIO)))? {
            if is_own(OsStr::from_bytes(&name))? {
                return remove(OsStr::from_bytes(&name));
            }
        }
        Err(if inside.exists() { Errno::EXDEV } else { Errno::ENOENT })
    }

    /// The whole text of a file; `None` where this kernel does not have it.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>> {
        let opened;
        let fd = match self.kept.get(name) {
            Some(fd) => fd,
            None => {
                let fd = match self.open_at(OsStr::new(name), OFlag::O_RDONLY) {
                    Ok(fd) => fd,
                    Err(Errno::ENOENT) if self.exists() => return Ok(None),
                    Err(errno) => return Err(self.failed("read", name, errno)),
                };
                match if self.observed { Err(fd) } else { self.kept.keep(name, fd) } {
                    Ok(kept) => kept,
                    Err(fd) => {
                        opened = fd;
                        &opened
                    }
                }
            }
        };
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match pread(fd, &mut chunk, bytes.len() as i64) {
                Ok(0) => break,
                Ok(count) => {
                    bytes.try_reserve(count).map_err(|_| self.failed("read", name, Errno::ENOMEM))?;
                    bytes.extend_from_slice(&chunk[..count]);
                    // The kernel gives a page at a time: less is the end. One call then reads a whole small file.
                    if count < 1024 && bytes.len() == count {
                        break;
                    }
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.failed("read", name, errno)),
            }
        }
        // The list of a group's processes is as long as they are many.
        room::left_to_make(Made::Processes, bytes.len()).map_err(|_| self.failed("read", name, Errno::ENOMEM))?;
        Ok(Some(
            String::from_utf8(bytes).unwrap_or_else(|bytes| String::from_utf8_lossy(bytes.as_bytes()).into_owned()),
        ))
    }

    /// One number (`max` reads as `u64::MAX`); `None` where this kernel does not have the file.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>> {
        let Some(text) = self.read(name)? else { return Ok(None) };
        match text.trim() {
            "max" => Ok(Some(u64::MAX)),
            number => number.parse().map(Some).map_err(|_| {
                Error::new(ErrorKind::Io, "read number", "the file does not hold a number")
                    .path(self.path.join(name))
                    .value(number)
            }),
        }
    }

    /// Whether the file or directory of that name is there; also where the kernel would not say. Where fstatat(2) is
    /// refused, whether it can be named by an open file is asked instead.
    pub(crate) fn has(&self, name: &str) -> bool {
        let is_not = |errno| matches!(errno, Errno::ENOENT | Errno::ENODEV | Errno::ENOTDIR);
        match fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => true,
            Err(errno) if is_not(errno) => false,
            Err(_) => !self.open_at(OsStr::new(name), OFlag::O_PATH).is_err_and(is_not),
        }
    }

    /// Writes a value in one system call, as cgroup files need it.
    pub(crate) fn write(&self, name: &str, value: &str) -> Result<()> {
        self.write_with(name, value, false)
    }

    /// The same, perhaps with O_NONBLOCK, by which newer kernels set a limit without reclaim and kill.
    pub(crate) fn write_with(&self, name: &str, value: &str, nonblock: bool) -> Result<()> {
        let flags = if nonblock { OFlag::O_WRONLY | OFlag::O_NONBLOCK } else { OFlag::O_WRONLY };
        let fd =
            self.open_at(OsStr::new(name), flags).map_err(|errno| self.failed("write", name, errno).value(value))?;
        File::from(fd).write_all(value.as_bytes()).map_err(|error| {
            self.failed("write", name, Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))).value(value)
        })
    }

    /// Opens a file of this directory to be kept (for notifications, or to be handed to a child).
    pub(crate) fn open_file(&self, name: &str, flags: OFlag) -> Result<OwnedFd> {
        self.open_at(OsStr::new(name), flags).map_err(|errno| self.failed("open", name, errno))
    }

    /// How many links the directory has: two, and one for each directory inside.
    #[allow(clippy::useless_conversion)] // it has 32 bits on aarch64
    pub(crate) fn links(&self) -> Result<u64> {
        self.stat().map(|stat| u64::from(stat.st_nlink))
    }

    /// The number that the file system has for the directory, which is the group's own.
    pub(crate) fn inode(&self) -> Result<u64> {
        match self.inode.get() {
            Some(inode) => Ok(*inode),
            None => self.stat().map(|stat| *self.inode.get_or_init(|| stat.st_ino)),
        }
    }

    fn stat(&self) -> Result<FileStat> {
        nix::sys::stat::fstat(&self.fd).map_err(|errno| Error::os("look at group", errno).path(&self.path))
    }

    /// The names of the directories inside.
    pub(crate) fn dirs(&self) -> Result<Vec<Vec<u8>>> {
        let list = |errno| Error::os("list groups", errno).path(&self.path);
        let mut entries =
            Entries::openat(&self.fd, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
                .map_err(list)?;
        let mut names = Vec::new();
        for entry in entries.iter() {
            let entry = entry.map_err(list)?;
            let name = entry.file_name().to_bytes();
            let is_dir = match entry.file_type() {
                Some(kind) => kind == Type::Directory,
                None => match fstatat(&self.fd, entry.file_name(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                    Ok(stat) => SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR,
                    Err(Errno::ENOENT | Errno::ENODEV) => false,
                    Err(errno) => return Err(list(errno)),
                },
            };
            if is_dir && name != b"." && name != b".." {
                names.push(name.to_vec());
            }
        }
        Ok(names)
    }

    /// Whether the directory is still there: a removed one answers every look with ENODEV or ENOENT. Where the kernel
    /// would not say it is taken to be there.
    pub(crate) fn exists(&self) -> bool {
        let removed = match fstatat(&self.fd, ".", AtFlags::empty()) {
            Ok(stat) => stat.st_nlink == 0,
            Err(errno) => matches!(errno, Errno::ENOENT | Errno::ENODEV),
        };
        !removed && self.has("cgroup.procs")
    }

    fn failed(&self, verb: &'static str, name: &str, errno: Errno) -> Error {
        let error = Error::os(verb, errno).path(self.path.join(name));
        if (errno == Errno::ENODEV || errno == Errno::ENOENT) && !self.exists() {
            return error.with_kind(ErrorKind::NotFound).reason("the group was removed");
        }
        match errno {
            Errno::ENOENT => error.with_kind(ErrorKind::Unsupported).reason("this kernel does not have the file"),
            Errno::EACCES | Errno::EPERM => error.remedy("run as root, or in a delegated group"),
            Errno::EROFS => error.reason(READ_ONLY).remedy(WRITABLE),
            _ => error,
        }
    }

    /// One component, never a symbolic link, never out of this directory, and through a mount only to look: openat2 where
    /// the kernel has it (5.6), else the same but for the mount by O_NOFOLLOW, as there is only one component.
    fn open_at(&self, name: &OsStr, flags: OFlag) -> std::result::Result<OwnedFd, Errno> {
        if name.as_bytes().contains(&b'/') || name == ".." || name.is_empty() {
            return Err(Errno::EINVAL);
        }
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let within = match self.observed {
            true => ResolveFlag::RESOLVE_BENEATH,
            false => ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_XDEV,
        };
        let links = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        match openat2(&self.fd, name, OpenHow::new().flags(flags).resolve(within | links)) {
            // A filter of system calls may answer EPERM to what it does not know.
            Err(Errno::ENOSYS | Errno::EPERM) => openat(&self.fd, name, flags, Mode::empty()),
            other => other,
        }
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A name that may become a directory of the lab: one component, no `.` or `..`, no NUL, no newline, ≤ 255 bytes.
pub(crate) fn check_name(name: &[u8]) -> Result<&OsStr> {
    let why = match name {
        b"" => "the name is empty",
        b"." | b".." => "the name must not be . or ..",
        _ if name.len() > 255 => "the name is longer than 255 bytes",
        _ if name.contains(&b'/') => "the name must be one component, without /",
        _ if name.contains(&0) => "the name must not hold a NUL byte",
        _ if name.contains(&b'\n') => "the name must not hold a newline",
        // Names like memory.x or cgroup.x are the kernel's own files: mkdir gives EEXIST or EINVAL.
        _ => return Ok(OsStr::from_bytes(name)),
    };
    Err(Error::new(ErrorKind::InvalidInput, "name group", why).path(OsStr::from_bytes(name)))
}

/// The answer where a kernel of the right hierarchy does not have the file.
pub(crate) fn missing(operation: &'static str, dir: &Dir, file: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, "this kernel does not have the file").path(dir.path().join(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_more_than_one_component_or_too_long_are_refused() {
        let long = vec![b'x'; 10_000];
        for name in [b"".as_slice(), b".", b"..", b"a/b", b"/", b"a\0b", b"a\nb", &long] {
            assert_eq!(check_name(name).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        for name in [b"a".as_slice(), b"a b", b"\xff\xfe", b"...", b"-x", &[b'y'; 255]] {
            assert!(check_name(name).is_ok());
        }
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join("real"), "7\n").unwrap();
        std::os::unix::fs::symlink("real", tree.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/", tree.path().join("root")).unwrap();
        let dir = Dir::open(tree.path()).unwrap();
        assert_eq!(dir.number("real").unwrap(), Some(7));
        assert!(dir.read("link").is_err());
        assert!(dir.dir(OsStr::new("root")).is_err());
        assert!(dir.read("../real").is_err());
    }
}

//! The helper's program where it can be executed: in memory, or in a file without a name.

use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{fcntl, FcntlArg, SealFlag};

use crate::helper::descriptor::above_stdio;
use crate::sys::size::Bounded;
use crate::sys::{self, spawn, Named};
use crate::{Error, ErrorKind, Result};

/// Whether a failure means that programs cannot be executed from memory here.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    matches!(sys::errno(error), Some(libc::EACCES | libc::EPERM | libc::ENOSYS | libc::EINVAL))
}

/// The helper in a sealed anonymous file.
pub(super) fn in_memory() -> io::Result<OwnedFd> {
    let file = std::fs::File::from(above_stdio(spawn::memfd(true).named("memfd_create")?)?);
    Bounded(&file).write_all(spawn::HELPER).named("write")?;
    let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).named("fcntl (F_ADD_SEALS)")?;
    Ok(file.into())
}

/// The helper in a file without a name, in `directory` or where temporary files usually go, open for reading only.
pub(super) fn in_file(directory: Option<&Path>, refused: &io::Error) -> Result<OwnedFd> {
    let what = "start supervisor";
    let candidates: Vec<PathBuf> = match directory {
        Some(directory) => vec![directory.to_path_buf()],
        None => [std::env::temp_dir(), "/var/tmp".into(), "/run".into(), "/dev/shm".into()].to_vec(),
    };
    let mut last = None;
    for candidate in candidates {
        match unnamed_file(&candidate) {
            Ok(file) => return Ok(file),
            Err(error) => last = Some(Error::os(what, error).path(candidate)),
        }
    }
    let reason = format!("executing the helper from memory was refused ({refused}), and it could not be put in a file");
    let error = last.unwrap_or_else(|| Error::new(ErrorKind::PermissionDenied, what, ""));
    Err(error.reason(&reason).remedy("name a writable directory on a file system without `noexec` (helper_dir)"))
}

fn unnamed_file(directory: &Path) -> io::Result<OwnedFd> {
    // A directory mounted `noexec` refuses only at the execution; find out now, so that the next one is tried.
    if nix::sys::statvfs::statvfs(directory)?.flags().contains(nix::sys::statvfs::FsFlags::ST_NOEXEC) {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).mode(0o700).custom_flags(libc::O_TMPFILE);
    let mut file = match options.open(directory) {
        Ok(file) => file,
        // A file system without nameless files: a new name, taken away again at once.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => {
            let path = directory.join(format!(".memoom-helper-{}-{}", std::process::id(), sys::monotonic_ns()));
            let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o700).open(&path)?;
            std::fs::remove_file(&path)?;
            file
        }
        Err(error) => return Err(error),
    };
    Bounded(&file).write_all(spawn::HELPER)?;
    file.rewind()?;
    // What is open for writing cannot be executed.
    let reopened = std::fs::File::open(sys::own_proc(&format!("fd/{}", file.as_raw_fd())))?;
    drop(file);
    above_stdio(reopened.into())
}

/// Executes the helper from a file. A thread of the caller's may have forked while the file was open for writing,
/// and until that child executes, ours is refused: try again, for a bounded time.
pub(super) fn spawn(
    image: BorrowedFd<'_>,
    socket: BorrowedFd<'_>,
    host: Option<BorrowedFd<'_>>,
    place: u32,
) -> io::Result<spawn::Child> {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        match spawn::supervisor(image, socket, host, place) {
            Err(error) if sys::errno(&error) == Some(libc::ETXTBSY) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
}

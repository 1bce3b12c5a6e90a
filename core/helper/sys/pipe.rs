//! System calls for pipes, small processes, and the limits of both.

use super::{close, nr, plain, raw, Errno, Piece, AT_FDCWD, CLONE_PIDFD, EFAULT, ENOMEM, SIGCHLD};
use core::ffi::CStr;

const CLOEXEC: usize = 0o2_000_000;
const NONBLOCK: usize = 0o4_000;

/// A pipe that is read and written without waiting: the end to read, and the end to write; and how many bytes it holds.
pub fn pipe(wanted: usize) -> Result<([i32; 2], usize), Errno> {
    const F_SETPIPE_SZ: usize = 1031;
    const F_GETPIPE_SZ: usize = 1032;
    let mut ends = [-1i32; 2];
    // SAFETY: the kernel writes two ints.
    unsafe { raw(nr::PIPE2, ends.as_mut_ptr() as usize, CLOEXEC | NONBLOCK, 0, 0, 0, 0) }?;
    let size = plain(nr::FCNTL, ends[1] as usize, F_SETPIPE_SZ, wanted)
        // A user who has too much in pipes already, or a smaller bound for all: what it has.
        .or_else(|_| plain(nr::FCNTL, ends[1] as usize, F_GETPIPE_SZ, 0));
    match size {
        Ok(size) => Ok((ends, size)),
        Err(errno) => {
            close(ends[0]);
            close(ends[1]);
            Err(errno)
        }
    }
}

/// Writes the pieces.
///
/// # Safety
/// The pieces are memory that may be read.
pub unsafe fn writev(fd: i32, pieces: &[Piece]) -> Result<usize, Errno> {
    // SAFETY: the caller's promise.
    unsafe { raw(nr::WRITEV, fd as usize, pieces.as_ptr() as usize, pieces.len(), 0, 0, 0) }
}

/// Reads into the pieces.
///
/// # Safety
/// The pieces are memory that may be overwritten.
pub unsafe fn readv(fd: i32, pieces: &[Piece]) -> Result<usize, Errno> {
    // SAFETY: the caller's promise.
    unsafe { raw(nr::READV, fd as usize, pieces.as_ptr() as usize, pieces.len(), 0, 0, 0) }
}

/// An eventfd.
pub fn bell() -> Result<i32, Errno> {
    plain(nr::EVENTFD2, 0, CLOEXEC, 0).map(|fd| fd as i32)
}

/// An empty file of that name in the working directory, not opened.
pub fn make_file(name: &CStr) -> Result<(), Errno> {
    const REGULAR: usize = 0o100_600;
    // SAFETY: the kernel reads up to the NUL.
    unsafe { raw(nr::MKNODAT, AT_FDCWD as usize, name.as_ptr() as usize, REGULAR, 0, 0, 0) }.map(drop)
}

pub const RLIMIT_STACK: usize = 3;
pub const RLIMIT_NOFILE: usize = 7;

/// Raises the soft limit of this process to the hard one, and gives it.
pub fn raise_limit(resource: usize) -> usize {
    let mut limit = [0usize; 2];
    let address = limit.as_mut_ptr() as usize;
    // SAFETY: the kernel writes, then reads, one struct rlimit64.
    unsafe {
        if raw(nr::PRLIMIT64, 0, resource, 0, address, 0, 0).is_err() {
            return 0;
        }
        let before = limit[0];
        limit[0] = limit[1];
        if raw(nr::PRLIMIT64, 0, resource, address, 0, 0, 0).is_err() {
            return before;
        }
    }
    limit[0]
}

/// A child with a copy of this memory: `None` in the child, its pid and a pidfd in the parent.
///
/// # Safety
/// The child must not go on as if it were the parent.
pub unsafe fn fork() -> Result<Option<(i32, i32)>, Errno> {
    let mut pidfd: i32 = -1;
    let address = &raw mut pidfd as usize;
    // SAFETY: the kernel writes one int; the child has its own copy of everything.
    let pid = unsafe { raw(nr::CLONE, CLONE_PIDFD | SIGCHLD as usize, 0, address, 0, 0, 0) };
    // It writes the pidfd when the page for it is shared with the child already, and a copy of that may be refused.
    let pid = pid.map_err(|errno| if errno == EFAULT { ENOMEM } else { errno })?;
    // SAFETY: written behind the compiler's back.
    Ok((pid != 0).then(|| (pid as i32, unsafe { (&raw const pidfd).read_volatile() })))
}

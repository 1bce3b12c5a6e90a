//! File descriptors: their numbers, and waiting for them.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};

/// Waits until the file is readable or hung up; false at the deadline.
pub(crate) fn readable(file: BorrowedFd<'_>, deadline: Instant) -> nix::Result<bool> {
    poll_until(&mut [PollFd::new(file, PollFlags::POLLIN)], deadline)
}

/// Waits until one of the files is ready; false at the deadline. A signal handler of the caller's may run, and the
/// wait goes on.
pub(crate) fn poll_until(files: &mut [PollFd<'_>], deadline: Instant) -> nix::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up to whole milliseconds, or the last one would be spent spinning.
        let timeout = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        match nix::poll::poll(files, timeout) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

/// Where the caller has closed 0, 1 or 2, a new descriptor would take that number, and the next print would go
/// into it.
pub(crate) fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    fd.try_clone() // duplicates to 3 or above
}

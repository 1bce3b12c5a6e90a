//! File descriptors: their numbers, and waiting for them.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{fcntl, open, FcntlArg, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::stat::Mode;

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

/// Those of the numbers 0, 1 and 2 that the caller has closed, taken as long as this lives.
#[derive(Debug)]
pub(crate) struct HeldStdio {
    taken: Vec<OwnedFd>,
}

impl Drop for HeldStdio {
    fn drop(&mut self) {
        for fd in self.taken.drain(..) {
            let flags = fcntl(&fd, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
            if !flags.is_ok_and(|flags| flags.contains(OFlag::O_PATH)) {
                // The caller has given the number to a file of its own meanwhile (dup2).
                let _the_callers = fd.into_raw_fd();
            }
        }
    }
}

/// Who holds them at present.
static HELD: Mutex<Weak<HeldStdio>> = Mutex::new(Weak::new());

/// Takes them, so that no file of a lab gets such a number: the caller's next print would go into it, and a number that
/// is written to `tasks` moves a process. What takes them can be neither read nor written, as a closed one.
pub(crate) fn hold_stdio() -> Arc<HeldStdio> {
    let mut held = crate::sys::kept(&HELD);
    if let Some(there) = held.as_ref().and_then(|held| held.upgrade()) {
        return there;
    }
    let mut taken = Vec::new();
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    while let Some(fd) = open("/", flags, Mode::empty()).ok().filter(|fd| fd.as_raw_fd() <= 2) {
        taken.push(fd);
    }
    let new = Arc::new(HeldStdio { taken });
    if let Some(held) = &mut held {
        **held = Arc::downgrade(&new);
    }
    new
}

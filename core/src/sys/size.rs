//! Writing under a bound of the size of files (RLIMIT_FSIZE): the kernel then sends SIGXFSZ beside the error, of which most
//! programs die. The caller's program is not to die of what memoom writes.

use std::io::{self, Write};

/// Does what makes a file larger; where it may not become so large that is the error EFBIG, and no signal.
pub(crate) fn bounded<T>(write: impl FnOnce() -> T) -> T {
    // SAFETY: sets of ours, which live for the calls; zeroes are a valid set. The mask is this thread's alone, and so is the
    // signal, which the kernel sends to the thread that writes.
    unsafe {
        let mut only: libc::sigset_t = std::mem::zeroed();
        let (mut before, mut pending) = (only, only);
        libc::sigemptyset(&raw mut only);
        libc::sigaddset(&raw mut only, libc::SIGXFSZ);
        libc::sigpending(&raw mut pending);
        let was_pending = libc::sigismember(&raw const pending, libc::SIGXFSZ) == 1;
        let blocked = libc::pthread_sigmask(libc::SIG_BLOCK, &raw const only, &raw mut before) == 0;
        let result = write();
        if blocked {
            let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            if !was_pending {
                libc::sigtimedwait(&raw const only, std::ptr::null_mut(), &raw const at_once);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        }
        result
    }
}

/// A writer whose every write is [`bounded`].
pub(crate) struct Bounded<W>(pub(crate) W);

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        bounded(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

//! Memory behind a file: the page cache of a real file system, or the pages of a tmpfs.
//!
//! The file has no name, so nothing is left of it whoever dies. It stands in the working directory.

use super::touch::Touch;
use super::Taken;
use crate::sys::{self, Errno, Piece};
use crate::text::Decimal;
use core::ffi::CStr;

/// How many pages go into one system call.
const PIECES: usize = 16;
/// What one fallocate asks for: a huge page of this architecture.
const PART: usize = 2 << 20;
/// How much may be written before it has to be on the disk. What is not there cannot be dropped: a group full of it would
/// be a reason for an OOM, as no one waits for a disk on its behalf (v1).
const DIRTY: usize = 1 << 20;

/// How the pages come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Written, or read from a file without blocks.
    Cached,
    /// Written.
    Written,
    /// By fallocate(2), untouched.
    Allocated,
}

pub struct File {
    fd: i32,
    pub taken: usize,
    page: usize,
    /// The one page that is written from and read into.
    scratch: usize,
    touch: Touch,
    way: Way,
}

impl File {
    pub fn open(page: usize, mut touch: Touch, way: Way) -> Result<File, Errno> {
        let fd = match sys::nameless_file() {
            Err(sys::ENOTSUP | sys::EISDIR | sys::ENOENT | sys::EINVAL) => named_and_unlinked(),
            result => result,
        }?;
        let scratch = sys::map(0, page)?;
        // SAFETY: a fresh page of ours. Written first, as a page that was only read is none yet.
        unsafe {
            (scratch as *mut u8).write_volatile(0);
            touch.all(scratch, page, page);
        }
        Ok(File { fd, taken: 0, page, scratch, touch, way })
    }

    fn pieces(&self) -> [Piece; PIECES] {
        [Piece { base: self.scratch, len: self.page }; PIECES]
    }

    pub fn grow(&mut self, bytes: usize) -> Result<Taken, Errno> {
        let bytes = bytes.checked_next_multiple_of(self.page).ok_or(sys::ENOMEM)?;
        let before = self.taken;
        let wanted = before.checked_add(bytes).filter(|sum| isize::try_from(*sum).is_ok()).ok_or(sys::ENOMEM)?;
        if self.touch.reads() {
            sys::truncate(self.fd, wanted)?;
        }
        let mut errno = 0;
        let mut clean = before;
        while self.taken < wanted && errno == 0 {
            match self.part(wanted - self.taken) {
                Ok(0) => errno = sys::EIO,
                Ok(got) => {
                    self.taken += got;
                    if self.way == Way::Cached && (self.taken - clean >= DIRTY || self.taken == wanted) {
                        sys::write_back(self.fd, clean, self.taken - clean);
                        clean = self.taken;
                    }
                }
                Err(sys::EINTR) => {}
                Err(failed) => errno = failed,
            }
        }
        // What was begun of a page goes again, so that the account is in whole pages.
        self.taken &= !(self.page - 1);
        if errno != 0 {
            let _ = sys::truncate(self.fd, self.taken);
        }
        Taken::end(self.taken - before, errno)
    }

    /// Takes at most so much with one system call.
    fn part(&mut self, bytes: usize) -> Result<usize, Errno> {
        if self.way == Way::Allocated {
            let part = bytes.min(PART);
            return sys::fallocate(self.fd, self.taken, part).map(|()| part);
        }
        if self.touch.fills() {
            // SAFETY: a page of ours.
            unsafe { self.touch.fill(self.scratch, self.page) };
        }
        let pieces = self.pieces();
        let pieces = &pieces[..(bytes / self.page).clamp(1, PIECES)];
        // SAFETY: the one page of ours, which holds nothing of use.
        unsafe {
            if self.touch.reads() {
                sys::preadv(self.fd, pieces, self.taken)
            } else {
                sys::pwritev(self.fd, pieces, self.taken)
            }
        }
    }

    pub fn shrink(&mut self, bytes: usize) -> Result<usize, Errno> {
        let bytes = bytes.min(self.taken) & !(self.page - 1);
        sys::truncate(self.fd, self.taken - bytes)?;
        self.taken -= bytes;
        Ok(bytes)
    }

    pub fn is_hot(&self) -> bool {
        self.touch.is_hot()
    }

    /// Reads it all again.
    pub fn keep_hot(&self) -> bool {
        let pieces = self.pieces();
        let mut at = 0;
        while self.touch.is_hot() && at < self.taken {
            // SAFETY: the one page of ours, which holds nothing of use.
            match unsafe { sys::preadv(self.fd, &pieces, at) } {
                Ok(got) if got > 0 => at += got,
                _ => break,
            }
        }
        self.touch.is_hot()
    }
}

/// On a file system that has no files without names: a file whose name goes at once.
fn named_and_unlinked() -> Result<i32, Errno> {
    let mut name = [0u8; 32];
    let digits = Decimal::new(sys::getpid() as i64);
    name[..8].copy_from_slice(b".memoom-");
    name[8..8 + digits.bytes().len()].copy_from_slice(digits.bytes());
    let name = CStr::from_bytes_until_nul(&name).map_err(|_| sys::EINVAL)?;
    let fd = sys::new_file(name)?;
    sys::unlink(name)?;
    Ok(fd)
}

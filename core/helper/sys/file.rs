//! System calls for the files that a hog fills.

use super::{nr, plain, raw, Errno, AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_RDWR};
use core::ffi::CStr;

/// A piece of memory in a list of them (struct iovec).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Piece {
    pub base: usize,
    pub len: usize,
}

/// A new file without a name in the working directory; file systems differ in the errno with which they refuse.
pub fn nameless_file() -> Result<i32, Errno> {
    const O_TMPFILE: usize = 0o20_000_000 | O_DIRECTORY;
    let (flags, here) = (O_TMPFILE | O_RDWR | O_CLOEXEC, c".".as_ptr() as usize);
    // SAFETY: the kernel reads up to the NUL.
    unsafe { raw(nr::OPENAT, AT_FDCWD as usize, here, flags, 0o600, 0, 0) }.map(|fd| fd as i32)
}

/// A new file of that name in the working directory.
pub fn new_file(name: &CStr) -> Result<i32, Errno> {
    const O_CREAT_EXCL: usize = 0o300;
    let flags = O_CREAT_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC;
    // SAFETY: the kernel reads up to the NUL.
    unsafe { raw(nr::OPENAT, AT_FDCWD as usize, name.as_ptr() as usize, flags, 0o600, 0, 0) }.map(|fd| fd as i32)
}

/// Removes a name from the working directory.
pub fn unlink(name: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads up to the NUL.
    unsafe { raw(nr::UNLINKAT, AT_FDCWD as usize, name.as_ptr() as usize, 0, 0, 0, 0) }.map(drop)
}

/// A file in memory, without a place.
pub fn memfd() -> Result<i32, Errno> {
    const CLOEXEC: usize = 1;
    const NOEXEC_SEAL: usize = 8;
    let create = |flags| {
        // SAFETY: the kernel reads up to the NUL.
        unsafe { raw(nr::MEMFD_CREATE, c"memoom-hog".as_ptr() as usize, flags, 0, 0, 0, 0) }.map(|fd| fd as i32)
    };
    // Kernels before 6.3 do not know the second flag; later ones may insist on it.
    create(CLOEXEC | NOEXEC_SEAL).or_else(|_| create(CLOEXEC))
}

pub fn truncate(fd: i32, bytes: usize) -> Result<(), Errno> {
    plain(nr::FTRUNCATE, fd as usize, bytes, 0).map(drop)
}

/// Has the file system provide for a range of the file, which becomes longer where it has to.
pub fn fallocate(fd: i32, at: usize, bytes: usize) -> Result<(), Errno> {
    // SAFETY: numbers only.
    unsafe { raw(nr::FALLOCATE, fd as usize, 0, at, bytes, 0, 0) }.map(drop)
}

/// Writes a range of the file to its disk and waits until it is there. Where there is
/// nothing to write to, nothing happens.
pub fn write_back(fd: i32, at: usize, bytes: usize) {
    const WAIT_WRITE_WAIT: usize = 7;
    // SAFETY: numbers only.
    let _ = unsafe { raw(nr::SYNC_FILE_RANGE, fd as usize, at, bytes, WAIT_WRITE_WAIT, 0, 0) };
}

/// Writes the pieces at that place of the file.
///
/// # Safety
/// The pieces are memory that may be read.
pub unsafe fn pwritev(fd: i32, pieces: &[Piece], at: usize) -> Result<usize, Errno> {
    // SAFETY: the caller's promise; the upper half of the place is for 32-bit machines.
    unsafe { raw(nr::PWRITEV, fd as usize, pieces.as_ptr() as usize, pieces.len(), at, 0, 0) }
}

/// Reads from that place of the file into the pieces.
///
/// # Safety
/// The pieces are memory that may be overwritten.
pub unsafe fn preadv(fd: i32, pieces: &[Piece], at: usize) -> Result<usize, Errno> {
    // SAFETY: as above.
    unsafe { raw(nr::PREADV, fd as usize, pieces.as_ptr() as usize, pieces.len(), at, 0, 0) }
}

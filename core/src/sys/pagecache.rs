//! Whether a file's pages are ones that the kernel can drop.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::fcntl::{posix_fadvise, PosixFadviseAdvice};

/// A file without a name in that directory.
pub(crate) fn nameless_file(directory: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let open = |name: &CString, flags| {
        // SAFETY: a NUL-terminated name, which lives for the call; the result is a new descriptor of ours.
        unsafe {
            let flags = flags | libc::O_RDWR | libc::O_CLOEXEC;
            let fd = libc::openat(directory.as_raw_fd(), name.as_ptr(), flags, 0o600);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(OwnedFd::from_raw_fd(fd))
        }
    };
    let here = CString::from(c".");
    match open(&here, libc::O_TMPFILE) {
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::ENOENT | libc::EINVAL)) =>
        {
            // A file system that has no such files: one whose name goes at once.
            let name = CString::new(format!(".memoom-{}", std::process::id()))?;
            let file = open(&name, libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW)?;
            // SAFETY: as above.
            if unsafe { libc::unlinkat(directory.as_raw_fd(), name.as_ptr(), 0) } < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(file)
        }
        result => result,
    }
}

/// Writes a page to the file and looks: it must be in memory then, and out of it after it was written back and dropped.
pub(crate) fn is_dropped_at_wish(file: BorrowedFd<'_>) -> io::Result<bool> {
    let page = usize::try_from(super::page_size()).unwrap_or(4096);
    nix::sys::uio::pwrite(file, &vec![1; page], 0)?;
    if !in_memory(file, page)? {
        return Ok(false);
    }
    nix::unistd::fdatasync(file)?;
    posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    Ok(!in_memory(file, page)?)
}

/// Whether the first page of a file is in memory.
fn in_memory(file: BorrowedFd<'_>, page: usize) -> io::Result<bool> {
    let mut vector = 0u8;
    // SAFETY: a new mapping of one page where the kernel likes, never touched and taken away again; the kernel writes
    // one byte for its one page.
    unsafe {
        let (access, flags) = (libc::PROT_READ, libc::MAP_SHARED);
        let address = libc::mmap(std::ptr::null_mut(), page, access, flags, file.as_raw_fd(), 0);
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let result = libc::mincore(address, page, &raw mut vector);
        let error = io::Error::last_os_error();
        libc::munmap(address, page);
        if result < 0 {
            return Err(error);
        }
    }
    Ok(vector & 1 == 1)
}

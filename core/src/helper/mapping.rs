//! The mapping of a mailbox's page.
#![allow(unsafe_code)] // memory that another process writes too, behind atomics alone

use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use super::mailbox::Mailbox;

/// A mailbox that is shared with another process.
#[derive(Debug)]
pub(crate) struct Mapping(NonNull<Mailbox>);

// SAFETY: a mailbox is nothing but atomics, and the mapping belongs to no thread.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the file, which is as long as a mailbox and sealed so that nobody can shorten it. Its page is there when
    /// this returns, and charged to this process, so that the other one need not pay for it.
    pub(crate) fn new(file: BorrowedFd<'_>) -> io::Result<Mapping> {
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
        // SAFETY: a new mapping where the kernel likes, which replaces nothing.
        let address =
            unsafe { libc::mmap(std::ptr::null_mut(), size_of::<Mailbox>(), access, flags, file.as_raw_fd(), 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let mapping = Mapping(NonNull::new(address.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?);
        // Populating may fail without a word; a write does not.
        mapping.open();
        Ok(mapping)
    }
}

impl Deref for Mapping {
    type Target = Mailbox;

    fn deref(&self) -> &Mailbox {
        // SAFETY: mapped for reading and writing, page-aligned and long enough until `self` is dropped; the other
        // process changes it only through memory that is atomic here, and every content is valid.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our mapping of that very length; references to it do not outlive `self`.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Mailbox>()) };
    }
}

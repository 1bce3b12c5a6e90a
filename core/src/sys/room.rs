//! Room in this process: how much address space it may still have.
//!
//! An allocation that fails ends a program of Rust, and the program is the caller's. So whatever is as large as others make it
//! (the kernel's symbols, the list of a group's processes, a log) is taken only where it leaves room for all that is small.

use std::collections::TryReserveError;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::Call;

/// What everything small takes at most, of a lab with all sources, some hogs and their accounts: 1 MiB was measured, and what
/// the C library maps at a time is 1 MiB at least.
const SMALL: usize = 4 << 20;
/// Less than that is small whatever is made of it.
const LONG: usize = 64 << 10;

/// What most files of /proc and of a group fit in.
const PAGE: usize = 4096;

/// What is made of a text, beside the text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Made {
    /// As much again, or some times more.
    Lines = 4,
    /// Of each line of a few digits what is known of a process.
    Processes = 64,
}

/// Whether there is room for everything small.
///
/// # Errors
/// ENOMEM, with the call: `RLIMIT_AS`, or a machine that promises no more than it has (`vm.overcommit_memory`).
pub(crate) fn left() -> io::Result<()> {
    left_beside(0)
}

/// The same beside all that may be made of so many bytes that were read.
///
/// # Errors
/// As [`left`].
pub(crate) fn left_to_make(made: Made, length: usize) -> io::Result<()> {
    match length < LONG {
        true => Ok(()),
        false => left_beside(length.saturating_mul(made as usize)),
    }
}

/// A file of the kernel's, which is as long as others make it. It says that it has 0 bytes: `std::fs::read` feels its way
/// from 32 bytes on, in nine calls where four do.
///
/// # Errors
/// As [`left`]; what reading gives.
pub(crate) fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(PAGE);
    // Without asking for the size, which `File` would.
    File::open(path)?.take(u64::MAX).read_to_end(&mut bytes)?;
    left_to_make(Made::Lines, bytes.len())?;
    Ok(bytes)
}

/// The error of a list that cannot grow, as the kernel would say it.
pub(crate) fn refused(_: TryReserveError) -> io::Error {
    lacking(io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Named as [`left`] names it: one reason is told once.
fn lacking(source: io::Error) -> io::Error {
    io::Error::new(source.kind(), Call { name: "mmap", source })
}

fn left_beside(bytes: usize) -> io::Result<()> {
    let length = bytes.saturating_add(SMALL);
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping where the kernel likes, which replaces nothing; nobody touches it.
    let address = unsafe { libc::mmap(std::ptr::null_mut(), length, access, kind, -1, 0) };
    if address != libc::MAP_FAILED {
        // SAFETY: the mapping that was just made, of that very length.
        unsafe { libc::munmap(address, length) };
        return Ok(());
    }
    // A filter that refuses the call says nothing of room.
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::ENOMEM) => Err(lacking(error)),
        _ => Ok(()),
    }
}

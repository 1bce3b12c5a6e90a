//! System calls that map memory, fill it and give it back.

use super::{nr, raw, Errno};

/// Fresh zeroed memory of at least `bytes`, at `hint` if that is free.
pub fn map(hint: usize, bytes: usize) -> Result<usize, Errno> {
    // SAFETY: a new private anonymous mapping (read, write) that replaces nothing.
    unsafe { raw(nr::MMAP, hint, bytes, 3, 0x22, usize::MAX, 0) }
}

/// Maps the first bytes of a file for reading and writing, shared and with its pages present, at `hint` if that is
/// free.
pub fn map_file(hint: usize, bytes: usize, fd: i32) -> Result<usize, Errno> {
    const SHARED_POPULATE: usize = 0x8001;
    // SAFETY: a new mapping (read, write) that replaces nothing.
    unsafe { raw(nr::MMAP, hint, bytes, 3, SHARED_POPULATE, fd as usize, 0) }
}

/// Maps the first bytes of a file for reading and writing, shared, at `hint` if that is free.
pub fn map_shared(hint: usize, bytes: usize, fd: i32) -> Result<usize, Errno> {
    // SAFETY: a new mapping (read, write) that replaces nothing.
    unsafe { raw(nr::MMAP, hint, bytes, 3, 1, fd as usize, 0) }
}

/// Gives a mapping back.
///
/// # Safety
/// Nothing may refer to it any more.
pub unsafe fn unmap(address: usize, bytes: usize) {
    // SAFETY: the caller's promise.
    let _ = unsafe { raw(nr::MUNMAP, address, bytes, 0, 0, 0, 0) };
}

/// Changes a mapping's length, in place where there is room; says where it stands then.
///
/// # Safety
/// Nothing may refer to what is cut off, and the caller must use the new address.
pub unsafe fn remap(address: usize, bytes: usize, wanted: usize) -> Result<usize, Errno> {
    // SAFETY: the caller's promise; MREMAP_MAYMOVE is 1.
    unsafe { raw(nr::MREMAP, address, bytes, wanted, 1, 0, 0) }
}

/// Private anonymous memory.
pub const PRIVATE: usize = 0x22;
/// Anonymous memory that is a file of the kernel's own (shmem), not reckoned against the machine's commit limit.
pub const SHARED: usize = 0x4021;
/// With all pages present where the kernel can give them; what it cannot is left out without a word.
pub const POPULATED: usize = 0x8000;
/// Grows downwards when the page below is touched.
pub const GROWS_DOWN: usize = 0x100;
/// Of reserved huge pages of 2 MiB.
pub const HUGETLB: usize = 0x4_0000 | 21 << 26;

/// Fresh memory at this very address.
///
/// # Safety
/// What may be mapped there is the caller's, and nothing refers to it.
pub unsafe fn map_at(address: usize, bytes: usize, kind: usize) -> Result<(), Errno> {
    const FIXED: usize = 0x10;
    // SAFETY: the caller's promise.
    unsafe { raw(nr::MMAP, address, bytes, 3, kind | FIXED, usize::MAX, 0) }.map(drop)
}

pub const MADV_DONTNEED: usize = 4;
pub const MADV_REMOVE: usize = 9;
pub const MADV_HUGEPAGE: usize = 14;
pub const MADV_NOHUGEPAGE: usize = 15;
/// Linux 5.14.
pub const MADV_POPULATE_WRITE: usize = 23;
/// Linux 5.18.
pub const MADV_DONTNEED_LOCKED: usize = 24;

/// Advises the kernel about a range.
///
/// # Safety
/// With `MADV_DONTNEED` the content is gone: nothing may rely on it.
pub unsafe fn advise(address: usize, bytes: usize, advice: usize) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    unsafe { raw(nr::MADVISE, address, bytes, advice, 0, 0, 0) }.map(drop)
}

/// Locks a range into memory, with all its pages present.
pub fn lock(address: usize, bytes: usize) -> Result<(), Errno> {
    // SAFETY: nobody's memory changes its content or its place.
    unsafe { raw(nr::MLOCK, address, bytes, 0, 0, 0, 0) }.map(drop)
}

/// How many bytes of a mapping are in memory, from its beginning up to the first page that is not.
pub fn present(address: usize, bytes: usize, page: usize) -> usize {
    let mut vector = [0u8; 512];
    let mut at = 0;
    while at < bytes {
        let part = (bytes - at).min(vector.len() * page);
        // SAFETY: the kernel writes one byte for each page of the part, for which the vector has room.
        if unsafe { raw(nr::MINCORE, address + at, part, vector.as_mut_ptr() as usize, 0, 0, 0) }.is_err() {
            return at;
        }
        let pages = part.div_ceil(page);
        if let Some(first) = vector.iter().take(pages).position(|byte| byte & 1 == 0) {
            return at + first * page;
        }
        at += part;
    }
    bytes
}

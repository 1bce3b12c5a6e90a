//! What a hog is told to do: the kind of its memory and how it touches it.

/// What a hog takes and how, in one number: the kind, one of [`pattern`] above it, and above that what one object takes.
pub(crate) mod hog {
    /// Anonymous private memory in pages of the base size.
    pub(crate) const ANON: u32 = 0;
    /// Anonymous private memory in transparent huge pages.
    pub(crate) const ANON_THP: u32 = 1;
    /// Page cache of a file without a name in the working directory.
    pub(crate) const FILE: u32 = 2;
    /// Anonymous shared memory.
    pub(crate) const SHMEM: u32 = 3;
    /// A file of a tmpfs, which is the working directory; written, not mapped.
    pub(crate) const TMPFS: u32 = 4;
    /// A memfd, mapped.
    pub(crate) const MEMFD: u32 = 5;
    /// Anonymous private memory by mlock(2).
    pub(crate) const MLOCK: u32 = 6;
    /// Anonymous private memory by mmap(2) with MAP_POPULATE.
    pub(crate) const POPULATE: u32 = 7;
    /// Reserved huge pages.
    pub(crate) const HUGETLB: u32 = 8;
    /// Memory that grows downwards as a stack does.
    pub(crate) const STACK: u32 = 9;
    /// Small processes.
    pub(crate) const FORK: u32 = 10;
    /// Bytes in pipes.
    pub(crate) const PIPE: u32 = 11;
    /// Bytes in TCP connections.
    pub(crate) const SOCKET: u32 = 12;
    /// Empty files of a tmpfs, which is the working directory; goes with the bytes that each takes.
    pub(crate) const SLAB: u32 = 13;
    /// As TMPFS, by fallocate(2).
    pub(crate) const TMPFS_HUGE: u32 = 14;

    pub(crate) const fn work(kind: u32, pattern: u32) -> u32 {
        kind | pattern << 8
    }

    /// The same with the bytes that one object takes.
    pub(crate) const fn work_of(kind: u32, pattern: u32, each: u16) -> u32 {
        work(kind, pattern) | (each as u32) << 16
    }

    pub(crate) const fn each(work: u32) -> usize {
        (work >> 16) as usize
    }

    pub(crate) const fn kind(work: u32) -> u32 {
        work & 0xff
    }

    pub(crate) const fn pattern(work: u32) -> u32 {
        work >> 8 & 0xff
    }
}

/// How a hog touches what it takes.
pub(crate) mod pattern {
    /// One byte of each page is written, in order.
    pub(crate) const WRITE: u32 = 0;
    /// One byte of each page is read.
    pub(crate) const READ: u32 = 1;
    /// As WRITE, in no order.
    pub(crate) const RANDOM: u32 = 2;
    /// As WRITE, and while it waits all is touched again and again.
    pub(crate) const HOT: u32 = 3;
    /// Zeroes are written.
    pub(crate) const ZEROES: u32 = 4;
    /// Every byte is written, so that no compressor makes less of it.
    pub(crate) const INCOMPRESSIBLE: u32 = 5;
}

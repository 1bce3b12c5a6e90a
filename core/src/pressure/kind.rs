//! The kinds of memory that a hog takes, the ways of touching it, and what each needs of the machine.

use std::fmt;
use std::str::FromStr;

use crate::account::scope::Weight;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::wire::{hog, pattern};

/// The kind of memory that a hog takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Anonymous private memory in pages of the base size; each page is touched.
    #[default]
    Anon,
    /// Anonymous private memory in transparent huge pages, in steps of whole ones (2 MiB). Where the kernel has no huge
    /// page to give, as close below the limit, it takes base pages instead.
    AnonThp,
    /// The page cache of a file without a name on a real file system: written (and to the disk, a MiB at a time, as what
    /// is not there cannot be dropped), or only read. The kernel drops it before it declares an OOM, so `total_bytes` is
    /// what went through the cache, not what is still there.
    File,
    /// Anonymous shared memory (mmap(2) with `MAP_SHARED`); it counts as shmem.
    Shmem,
    /// A file of a tmpfs that nobody else sees, written with write(2) and never mapped: it is charged to the group and
    /// stands in no process's resident size, so it is not in the kernel's score. It goes with the hog.
    Tmpfs,
    /// A mapped memfd (memfd_create(2)); it counts as shmem.
    Memfd,
    /// Anonymous private memory, brought in and kept there by mlock(2), one call for each step.
    Mlock,
    /// Anonymous private memory, brought in by one mmap(2) with `MAP_POPULATE` for each step.
    Populate,
    /// Huge pages of the machine's reserve, in steps of whole ones (2 MiB). Most kernels do not charge them to the group.
    Hugetlb,
    /// A stack: memory that the kernel makes longer downwards as its lowest page is touched, up to the hard RLIMIT_STACK.
    Stack,
    /// Small processes, children of the hog, each with 64 KiB of its own; what the kernel takes for a process comes on
    /// top. Where the kernel kills one of them, the step is short with ECHILD, and what the dead held is no longer in
    /// the hog's total. They end with the hog.
    Fork,
    /// Bytes in pipes, in pages of the kernel. They are in nobody's resident size.
    Pipe,
    /// Bytes in TCP connections over the loopback; what the kernel takes for the packets comes on top. For packets it
    /// refuses more (ENOBUFS) and declares no OOM. v1 counts them apart, in `memory.kmem.tcp.usage_in_bytes`, and only
    /// where `memory.kmem.tcp.limit_in_bytes` was set before.
    Socket,
    /// Slab: inodes and dentries of empty files in a tmpfs that nobody else sees. The bytes are the kernel's word for the
    /// size of the two objects; they are in nobody's resident size.
    Slab,
    /// What meets a limit soonest: a tmpfs of huge pages, filled by fallocate(2) and touched by nobody; without the
    /// right to mount, transparent huge pages.
    AnyFastest,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 15] = [
        Kind::Anon,
        Kind::AnonThp,
        Kind::File,
        Kind::Shmem,
        Kind::Tmpfs,
        Kind::Memfd,
        Kind::Mlock,
        Kind::Populate,
        Kind::Hugetlb,
        Kind::Stack,
        Kind::Fork,
        Kind::Pipe,
        Kind::Socket,
        Kind::Slab,
        Kind::AnyFastest,
    ];

    /// The kind as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Anon => "anon",
            Kind::AnonThp => "anon-thp",
            Kind::File => "file",
            Kind::Shmem => "shmem",
            Kind::Tmpfs => "tmpfs",
            Kind::Memfd => "memfd",
            Kind::Mlock => "mlock",
            Kind::Populate => "populate",
            Kind::Hugetlb => "hugetlb",
            Kind::Stack => "stack",
            Kind::Fork => "fork",
            Kind::Pipe => "pipe",
            Kind::Socket => "socket",
            Kind::Slab => "slab",
            Kind::AnyFastest => "any-fastest",
        }
    }

    /// The patterns that make a difference for it.
    pub fn patterns(self) -> &'static [Pattern] {
        use Pattern::{Hot, Incompressible, Random, Read, Write, Zeroes};
        match self {
            Kind::Anon | Kind::AnonThp => &[Write, Random, Hot, Zeroes, Incompressible],
            Kind::Shmem | Kind::Memfd => &[Write, Read, Random, Hot, Zeroes, Incompressible],
            Kind::File => &[Write, Read, Hot, Zeroes, Incompressible],
            Kind::Tmpfs => &[Write, Hot, Zeroes, Incompressible],
            // The kernel brings their pages in, and they are zeroes.
            Kind::Mlock | Kind::Populate => &[Write, Hot, Zeroes, Incompressible],
            Kind::Stack => &[Write, Hot, Zeroes, Incompressible],
            Kind::Fork => &[Write, Zeroes, Incompressible],
            Kind::Hugetlb | Kind::Pipe | Kind::Socket | Kind::Slab | Kind::AnyFastest => &[Write],
        }
    }

    /// The least that it takes at once.
    pub(crate) fn unit(self) -> u64 {
        match self {
            Kind::AnonThp | Kind::Hugetlb => 2 << 20,
            Kind::Fork => 64 << 10,
            _ => crate::sys::page_size(),
        }
    }

    /// How much of the room below a limit may be asked for in one step, in sixteenths. The rest is for what the kernel
    /// itself takes with it.
    pub(crate) fn share(self) -> u64 {
        match self {
            Kind::Fork => 4,
            Kind::Socket | Kind::Slab => 8,
            _ => 15,
        }
    }

    /// How a step of it weighs on the group.
    pub(crate) fn weight(self, work: u32) -> Weight {
        match self {
            Kind::Anon | Kind::AnonThp | Kind::Shmem | Kind::Memfd | Kind::Mlock | Kind::Populate | Kind::Stack => {
                Weight::Resident
            }
            Kind::File | Kind::Hugetlb | Kind::Socket => Weight::None,
            Kind::Tmpfs | Kind::Fork | Kind::Pipe | Kind::Slab => Weight::Charged,
            Kind::AnyFastest if hog::kind(work) == hog::ANON_THP => Weight::Resident,
            Kind::AnyFastest => Weight::Charged,
        }
    }
}

/// How a hog touches what it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pattern {
    /// One byte of each page is written, in order.
    #[default]
    Write,
    /// One byte of each page is read, in order.
    Read,
    /// As `Write`, in an order that no read-ahead expects.
    Random,
    /// As `Write`; and while the hog waits it touches all that it holds again and again, so that the kernel finds
    /// nothing of it cold.
    Hot,
    /// Zeroes are written: what zswap and zram store in no space at all.
    Zeroes,
    /// Every byte is written, with content that no compressor makes smaller.
    Incompressible,
}

impl Pattern {
    /// All patterns.
    pub const ALL: [Pattern; 6] =
        [Pattern::Write, Pattern::Read, Pattern::Random, Pattern::Hot, Pattern::Zeroes, Pattern::Incompressible];

    /// The pattern as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Pattern::Write => "write",
            Pattern::Read => "read",
            Pattern::Random => "random",
            Pattern::Hot => "hot",
            Pattern::Zeroes => "zeroes",
            Pattern::Incompressible => "incompressible",
        }
    }

    pub(crate) fn number(self) -> u32 {
        match self {
            Pattern::Write => pattern::WRITE,
            Pattern::Read => pattern::READ,
            Pattern::Random => pattern::RANDOM,
            Pattern::Hot => pattern::HOT,
            Pattern::Zeroes => pattern::ZEROES,
            Pattern::Incompressible => pattern::INCOMPRESSIBLE,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The names of a list, as they stand in a remedy.
pub(crate) fn names<T: fmt::Display>(list: &[T]) -> String {
    list.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "read kind", "the kind of memory is unknown")
                .value(text)
                .remedy(&format!("use one of {}", names(&Kind::ALL)))
        })
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Pattern> {
        Pattern::ALL.into_iter().find(|pattern| pattern.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "read pattern", "the pattern of touching is unknown")
                .value(text)
                .remedy(&format!("use one of {}", names(&Pattern::ALL)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_refused_with_the_list() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse::<Kind>().unwrap(), kind);
            assert!(kind.patterns().contains(&Pattern::Write), "{kind}");
        }
        for pattern in Pattern::ALL {
            assert_eq!(pattern.name().parse::<Pattern>().unwrap(), pattern);
        }
        assert!("gold".parse::<Kind>().unwrap_err().to_string().contains("anon-thp"));
        assert!("slow".parse::<Pattern>().unwrap_err().to_string().contains("incompressible"));
    }
}

//! Tracepoints by perf_event_open(2): one descriptor for each event and CPU, and a ring of records shared with the kernel.
//!
//! A ring is never inherited: in a forked child (`VM_DONTCOPY`) its address is somebody else's, and is not touched.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{made, Named};

// From <linux/perf_event.h>, the same on every architecture; the libc crate has none of it.
const TYPE_TRACEPOINT: u32 = 2;
const SAMPLE: u64 = SAMPLE_TID | SAMPLE_TIME | SAMPLE_CALLCHAIN | SAMPLE_CPU | SAMPLE_RAW;
const SAMPLE_TID: u64 = 1 << 1;
const SAMPLE_TIME: u64 = 1 << 2;
const SAMPLE_CALLCHAIN: u64 = 1 << 5;
const SAMPLE_CPU: u64 = 1 << 7;
const SAMPLE_RAW: u64 = 1 << 10;
/// From 5.7, where the kernel counts events by group (CONFIG_CGROUP_PERF).
const SAMPLE_CGROUP: u64 = 1 << 21;
const DISABLED: u64 = 1;
const EXCLUDE_CALLCHAIN_USER: u64 = 1 << 22;
const USE_CLOCKID: u64 = 1 << 25;
const FD_CLOEXEC: libc::c_ulong = 1 << 3;
const ENABLE: libc::c_ulong = 0x2400;
const DISABLE: libc::c_ulong = 0x2401;
const SET_OUTPUT: libc::c_ulong = 0x2405;
const SET_FILTER: libc::c_ulong = 0x4008_2406;
const ID: libc::c_ulong = 0x8008_2407;
/// Where the page before the data has the kernel's end of it and ours.
const HEAD: usize = 1024;
const TAIL: usize = 1032;
/// No record of ours is larger: 127 addresses of a path and 300 bytes beside them.
const LARGEST: usize = 2048;

/// `struct perf_event_attr` as it was in 4.1 (PERF_ATTR_SIZE_VER5); the kernel takes the rest for zero.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clockid: i32,
    sample_regs_intr: u64,
    aux_watermark: u32,
    sample_max_stack: u16,
    reserved: u16,
}

/// Opens the tracepoint of that number on one CPU, for every process; it says nothing before it is enabled. A record has
/// the thread, CLOCK_MONOTONIC, the CPU, the kernel's call path and the event's own bytes.
pub(crate) fn open(tracepoint: u64, cpu: i32) -> io::Result<OwnedFd> {
    open_for(tracepoint, cpu, SAMPLE)
}

/// The same; behind all that the number of the group in which the thread stands, where the kernel tells it.
pub(crate) fn open_with_group(tracepoint: u64, cpu: i32) -> io::Result<OwnedFd> {
    match open_for(tracepoint, cpu, SAMPLE | SAMPLE_CGROUP) {
        Err(error) if super::errno(&error) == Some(libc::EINVAL) => open_for(tracepoint, cpu, SAMPLE),
        opened => opened,
    }
}

fn open_for(tracepoint: u64, cpu: i32, sample_type: u64) -> io::Result<OwnedFd> {
    let attributes = Attributes {
        kind: TYPE_TRACEPOINT,
        size: size_of::<Attributes>() as u32,
        config: tracepoint,
        sample_period: 1,
        sample_type,
        flags: DISABLED | EXCLUDE_CALLCHAIN_USER | USE_CLOCKID,
        wakeup_events: 1,
        clockid: libc::CLOCK_MONOTONIC,
        ..Attributes::default()
    };
    let (any_process, no_group): (libc::pid_t, libc::c_int) = (-1, -1);
    // SAFETY: the structure is plain data, has its own size in it, and lives for the call.
    let opened = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw const attributes, any_process, cpu, no_group, FD_CLOEXEC)
    };
    made(opened).named("perf_event_open")
}

/// Lets only those records through that the filter of tracefs describes.
pub(crate) fn set_filter(event: BorrowedFd<'_>, filter: &CStr) -> io::Result<()> {
    // SAFETY: the kernel reads a NUL-terminated string, which lives for the call.
    done(unsafe { libc::ioctl(event.as_raw_fd(), SET_FILTER as _, filter.as_ptr()) })
}

/// Has the records of an event written into the ring of another one of the same CPU.
pub(crate) fn set_output(event: BorrowedFd<'_>, other: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: integers only.
    done(unsafe { libc::ioctl(event.as_raw_fd(), SET_OUTPUT as _, other.as_raw_fd()) })
}

/// Switches an event on or off.
pub(crate) fn enable(event: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    // SAFETY: integers only.
    done(unsafe { libc::ioctl(event.as_raw_fd(), if on { ENABLE } else { DISABLE } as _, 0) })
}

/// The number of an event, which no other one has; an error where the descriptor is of something else.
pub(crate) fn id(event: BorrowedFd<'_>) -> io::Result<u64> {
    let mut id = 0u64;
    // SAFETY: the kernel writes eight bytes, which live for the call.
    done(unsafe { libc::ioctl(event.as_raw_fd(), ID as _, &raw mut id) })?;
    Ok(id)
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error()).named("ioctl");
    }
    Ok(())
}

/// The records of the events of one CPU.
#[derive(Debug)]
pub(crate) struct Ring {
    address: *mut u8,
    page: usize,
    /// Bytes of data behind the first page, a power of two.
    length: usize,
    maker: u32,
}

// SAFETY: the mapping belongs to no thread, and the record ends are read and written as atomics.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps the ring of an event, of that many bytes, a power of two and at least a page.
    pub(crate) fn map(event: BorrowedFd<'_>, length: usize) -> io::Result<Ring> {
        let page = usize::try_from(super::page_size()).unwrap_or(4096);
        let length = length.max(page);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping where the kernel likes, which replaces nothing.
        let address =
            unsafe { libc::mmap(std::ptr::null_mut(), page + length, access, libc::MAP_SHARED, event.as_raw_fd(), 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error()).named("mmap");
        }
        let ring = Ring { address: address.cast(), page, length, maker: std::process::id() };
        super::room::left()?;
        Ok(ring)
    }

    /// Whether it holds records that were not taken; no system call.
    pub(crate) fn has_news(&self) -> bool {
        self.is_ours() && self.end(HEAD).load(Ordering::Acquire) != self.end(TAIL).load(Ordering::Relaxed)
    }

    /// Whether the next record might not have found room, so that some may be lost; no system call.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.is_ours() && self.filled() > self.length.saturating_sub(LARGEST)
    }

    /// How many bytes of records wait.
    fn filled(&self) -> usize {
        let head = self.end(HEAD).load(Ordering::Acquire);
        let tail = self.end(TAIL).load(Ordering::Relaxed);
        usize::try_from(head.wrapping_sub(tail)).unwrap_or(self.length).min(self.length)
    }

    /// Adds all records that are there to `records`, whole ones one after the other, and makes room for others.
    pub(crate) fn take(&self, records: &mut Vec<u8>) {
        if !self.is_ours() {
            return;
        }
        let head = self.end(HEAD).load(Ordering::Acquire);
        let tail = self.end(TAIL).load(Ordering::Relaxed);
        let wanted = usize::try_from(head.wrapping_sub(tail)).unwrap_or(0).min(self.length);
        let at = usize::try_from(tail % self.length as u64).unwrap_or(0);
        let first = wanted.min(self.length - at);
        // SAFETY: both parts lie in the data of the mapping, between tail and head, where the kernel does not write until
        // the tail is moved.
        unsafe {
            let data = self.address.add(self.page);
            records.extend_from_slice(std::slice::from_raw_parts(data.add(at), first));
            records.extend_from_slice(std::slice::from_raw_parts(data, wanted - first));
        }
        self.end(TAIL).store(head, Ordering::Release);
    }

    fn end(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: within the first page of the mapping, aligned, and written by both sides as one word.
        unsafe { AtomicU64::from_ptr(self.address.add(offset).cast()) }
    }

    fn is_ours(&self) -> bool {
        self.maker == std::process::id()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: our mapping of that very length; no reference to it outlives `self`.
            unsafe { libc::munmap(self.address.cast(), self.page + self.length) };
        }
    }
}

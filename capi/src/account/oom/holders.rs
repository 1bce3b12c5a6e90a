//! Who held the memory of the group whose limit was hit, and who grew.
#![allow(unsafe_code)] // exported names

use std::ffi::c_char;
use std::mem::size_of;
use std::ptr;

use memoom::account::{Grower, Holder};

use super::memoom_oom;
use crate::ffi::{self, known};
use crate::list::Rows;
use crate::memcg::composition::memoom_composition;

/// What one process held before the kill, or what no process holds.
///
/// Ownership: borrowed from the account.
/// Since 0.1.
#[repr(C)]
pub struct memoom_holder {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name (comm), escaped; NULL for a row without a process.
    pub comm: *const c_char,
    /// The group in which it stood; NULL where no source tells.
    pub group: *const c_char,
    /// What a row without a process is: "no living process" or "smaller processes"; NULL for a process.
    pub what: *const c_char,
    /// Who says it: "report", "kernel-log", "tracefs", "procfs", "memory.stat", "sample".
    pub source: *const c_char,
    /// Resident in all; shared pages count for each of their processes. MEMOOM_UNKNOWN where no source tells.
    pub rss_bytes: u64,
    /// Its anonymous memory. MEMOOM_UNKNOWN where no source tells.
    pub anon_bytes: u64,
    /// Shared memory that it has mapped; in a row without a process, what nobody has mapped. MEMOOM_UNKNOWN where no source tells.
    pub shmem_bytes: u64,
    /// File pages that it has mapped; in a row without a process, page cache that nobody has mapped. MEMOOM_UNKNOWN where no source tells.
    pub file_bytes: u64,
    /// What of it is in swap. MEMOOM_UNKNOWN where no source tells.
    pub swap_bytes: u64,
    /// Its proportional share, read of processes that wait alone. MEMOOM_UNKNOWN where no source tells.
    pub pss_bytes: u64,
    /// By how much its own memory has grown. MEMOOM_UNKNOWN where no source tells.
    pub grown_bytes: u64,
    /// Since when, in nanoseconds of CLOCK_MONOTONIC. MEMOOM_UNKNOWN where no source tells.
    pub grown_since_ns: u64,
    /// How many processes the row stands for: 1, more for the smaller ones, 0 for what no process holds.
    pub processes: u64,
    /// When that was read, in nanoseconds of CLOCK_MONOTONIC.
    pub read_ns: u64,
    /// Its pid; 0 for a row without a process, and where the pid is unknown.
    pub pid: i32,
    /// 1 where it outlived the OOM, else 0.
    pub alive: u32,
}

/// The process whose memory rose most; it need not be the victim.
///
/// Ownership: borrowed from the account.
/// Since 0.1.
#[repr(C)]
pub struct memoom_grower {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name (comm), escaped; NULL where no source tells.
    pub comm: *const c_char,
    /// The group in which it stood; NULL where no source tells.
    pub group: *const c_char,
    /// Who says what it held at last.
    pub source: *const c_char,
    /// Its own memory (anonymous, shared and swapped) at first.
    pub from_bytes: u64,
    /// The same when the limit was hit.
    pub to_bytes: u64,
    /// By how much it rose.
    pub grown_bytes: u64,
    /// How long that took, in nanoseconds.
    pub over_ns: u64,
    /// By how much it rose in a second, on the average; MEMOOM_UNKNOWN where it took no time.
    pub bytes_per_sec: u64,
    /// What it held at last in percent of the limit; MEMOOM_UNKNOWN without a limit.
    pub limit_percent: u64,
    /// Since when, in nanoseconds of CLOCK_MONOTONIC.
    pub since_ns: u64,
    /// Its pid.
    pub pid: i32,
    /// 1 where it outlived the OOM, else 0.
    pub alive: u32,
}

pub(crate) fn holders(items: &[Holder]) -> Rows<memoom_holder> {
    Rows::of(items, |texts, one| memoom_holder {
        struct_size: size_of::<memoom_holder>(),
        comm: texts.maybe(one.comm.as_deref().map(ffi::escape)),
        group: texts.maybe(one.group.as_ref()),
        what: texts.maybe(one.what),
        source: texts.keep(one.source),
        rss_bytes: known(one.rss_bytes),
        anon_bytes: known(one.anon_bytes),
        shmem_bytes: known(one.shmem_bytes),
        file_bytes: known(one.file_bytes),
        swap_bytes: known(one.swap_bytes),
        pss_bytes: known(one.pss_bytes),
        grown_bytes: known(one.grown_bytes),
        grown_since_ns: known(one.grown_since_ns),
        processes: one.processes,
        read_ns: one.read_ns,
        pid: one.pid.unwrap_or(0),
        alive: u32::from(one.alive),
    })
}

pub(crate) fn grower(item: &Option<Grower>) -> Rows<memoom_grower> {
    Rows::of(item, |texts, one| memoom_grower {
        struct_size: size_of::<memoom_grower>(),
        comm: texts.maybe(one.comm.as_deref().map(ffi::escape)),
        group: texts.maybe(one.group.as_ref()),
        source: texts.keep(one.source),
        from_bytes: one.from_bytes,
        to_bytes: one.to_bytes,
        grown_bytes: one.grown_bytes,
        over_ns: one.over_ns,
        bytes_per_sec: known(one.bytes_per_sec),
        limit_percent: known(one.limit_percent),
        since_ns: one.since_ns,
        pid: one.pid,
        alive: u32::from(one.alive),
    })
}

/// How many rows tell who held the memory.
///
/// \param oom  an account, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_holder_count(oom: Option<&memoom_oom>) -> usize {
    ffi::get(oom, 0, |oom| oom.holders.len())
}

/// One of the rows, the largest first: a process, or what no living process held.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_holder_count - 1
///
/// Returns: the row; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_holder_at(oom: Option<&memoom_oom>, index: usize) -> *const memoom_holder {
    ffi::get(oom, ptr::null(), |oom| oom.holders.at(index))
}

/// The process whose memory rose most since the lab, the run or the watch began.
///
/// \param oom  an account, or NULL
///
/// Returns: the process; NULL where nobody was seen to grow, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_grower(oom: Option<&memoom_oom>) -> *const memoom_grower {
    ffi::get(oom, ptr::null(), |oom| oom.grower.at(0))
}

/// What the charged bytes of the group whose limit was hit were before the kill, by what holds them.
///
/// \param oom  an account, or NULL
///
/// Returns: the bytes; NULL where nothing was read in time, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_composition(oom: Option<&memoom_oom>) -> *const memoom_composition {
    ffi::get(oom, ptr::null(), |oom| oom.composition.as_ref().map_or(ptr::null(), ptr::from_ref))
}

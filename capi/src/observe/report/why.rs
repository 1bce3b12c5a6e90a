//! Why: what a report means, in sentences and findings, and who held the memory.
#![allow(unsafe_code)] // exported names

use std::ffi::c_char;
use std::mem::size_of;
use std::ptr;

use memoom::observe::report::Scope;

use super::memoom_report;
use crate::ffi::{self, known, pointer};
use crate::list::{findings, memoom_finding, Rows};
use crate::memcg::workload::memoom_workload;

/// Whose memory was out.
pub type memoom_scope = u32;
/// The report does not tell.
pub const MEMOOM_SCOPE_UNKNOWN: memoom_scope = 0;
/// A memory cgroup hit its limit.
pub const MEMOOM_SCOPE_MEMCG: memoom_scope = 1;
/// The machine ran out of memory.
pub const MEMOOM_SCOPE_GLOBAL: memoom_scope = 2;

/// Whose memory was out.
///
/// \param report  a report, or NULL
///
/// Returns: one of the MEMOOM_SCOPE_ numbers; MEMOOM_SCOPE_UNKNOWN where the report does not tell, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_scope(report: Option<&memoom_report>) -> memoom_scope {
    ffi::get(report, MEMOOM_SCOPE_UNKNOWN, |report| match report.report.scope {
        None => MEMOOM_SCOPE_UNKNOWN,
        Some(Scope::Memcg) => MEMOOM_SCOPE_MEMCG,
        Some(Scope::Global) => MEMOOM_SCOPE_GLOBAL,
    })
}

/// When it was, by the kernel's own clock: microseconds since boot at the first line.
///
/// \param report  a report, or NULL
///
/// Returns: the time; MEMOOM_UNKNOWN where the log lacks it, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_time_usec(report: Option<&memoom_report>) -> u64 {
    ffi::get(report, ffi::MEMOOM_UNKNOWN, |report| known(report.report.time_usec))
}

/// The answer in two or three plain sentences: what ran out and why, who held it, why this one was killed.
///
/// \param report  a report, or NULL
///
/// Returns: the sentences; NULL where the report holds too little for them, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_summary(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| pointer(&report.summary))
}

fn found(report: &memoom_report) -> &Rows<memoom_finding> {
    report.findings.get_or_init(|| findings(&report.report.findings))
}

/// How many findings the report has: why memory ran out, and what can be done.
///
/// \param report  a report, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_finding_count(report: Option<&memoom_report>) -> usize {
    ffi::get(report, 0, |report| found(report).len())
}

/// One of the findings, the most telling first.
///
/// \param report  a report, or NULL
/// \param index   from 0 to memoom_report_finding_count - 1
///
/// Returns: the finding; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_finding_at(report: Option<&memoom_report>, index: usize) -> *const memoom_finding {
    ffi::get(report, ptr::null(), |report| found(report).at(index))
}

/// Something that held memory at the OOM: a process, or a kind of memory that no process holds.
///
/// Ownership: borrowed from the report.
/// Since 0.1.
#[repr(C)]
pub struct memoom_consumer {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// "process"; or what no process holds: "shared-memory" (tmpfs, memfd), "page-cache", "slab", "reclaimable-slab",
    /// "kernel-stacks", "page-tables", "sockets", "percpu", "vmalloc", "huge-pages", "kernel" (where the kernel does not
    /// tell its parts), "untold" (what no number of the report explains).
    pub what: *const c_char,
    /// The name of the process (comm), escaped; NULL where it is none.
    pub comm: *const c_char,
    /// Bytes held.
    pub bytes: u64,
    /// Bytes of it that are swapped out, not in bytes; MEMOOM_UNKNOWN where the report lacks them.
    pub swap_bytes: u64,
    /// Its part in hundredths of the group's usage, or of the machine's memory; MEMOOM_UNKNOWN where that is not known.
    pub percent: u64,
    /// The pid of the process; 0 where it is none.
    pub pid: i32,
    /// 1 where the kernel killed it, else 0.
    pub killed: u32,
}

fn consumers(report: &memoom_report) -> &Rows<memoom_consumer> {
    report.consumers.get_or_init(|| {
        Rows::of(&report.report.consumers, |texts, one| memoom_consumer {
            struct_size: size_of::<memoom_consumer>(),
            what: texts.keep(one.what),
            comm: texts.maybe(one.comm.as_ref().map(|comm| ffi::escape(comm))),
            bytes: one.bytes,
            swap_bytes: known(one.swap_bytes),
            percent: known(one.percent),
            pid: one.pid.unwrap_or(0),
            killed: u32::from(one.killed),
        })
    })
}

/// How many consumers the report names: the largest processes, and each kind of memory that no process holds.
///
/// \param report  a report, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_consumer_count(report: Option<&memoom_report>) -> usize {
    ffi::get(report, 0, |report| consumers(report).len())
}

/// One of those that held the memory, the largest first.
///
/// \param report  a report, or NULL
/// \param index   from 0 to memoom_report_consumer_count - 1
///
/// Returns: the consumer; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_consumer_at(report: Option<&memoom_report>, index: usize) -> *const memoom_consumer {
    ffi::get(report, ptr::null(), |report| consumers(report).at(index))
}

/// What is behind the path of the group whose limit was hit: a pod, a container, a job, a unit.
///
/// \param report  a report, or NULL
///
/// Returns: the workload; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_workload(report: Option<&memoom_report>) -> *const memoom_workload {
    ffi::get(report, ptr::null(), |report| report.workload.as_ref().map_or(ptr::null(), ptr::from_ref))
}

/// What is behind the path of the victim's group.
///
/// \param report  a report, or NULL
///
/// Returns: the workload; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_victim_workload(report: Option<&memoom_report>) -> *const memoom_workload {
    ffi::get(report, ptr::null(), |report| report.victim_workload.as_ref().map_or(ptr::null(), ptr::from_ref))
}

//! The kernel's own OOM report, parsed.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, CString};
use std::mem::size_of;
use std::ptr;
use std::sync::{Arc, OnceLock};

use memoom::Report;

use self::memory_parts::Memory;
use self::tasks::memoom_task;
use self::why::memoom_consumer;
use crate::ffi::{self, known, pointer, text};
use crate::list::{memoom_finding, memoom_missing, missing, Rows};
use crate::memcg::workload::memoom_workload;

pub(crate) mod list;
pub(crate) mod memory;
pub(crate) mod memory_parts;
pub(crate) mod reader;
pub(crate) mod tasks;
pub(crate) mod why;

/// A process that the kernel killed, from its "Killed process" line. What the line lacks is MEMOOM_UNKNOWN.
///
/// Ownership: borrowed from the report.
/// Since 0.1.
#[repr(C)]
pub struct memoom_kill {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name (comm), escaped.
    pub comm: *const c_char,
    /// Address space in bytes.
    pub total_vm_bytes: u64,
    /// Resident anonymous memory in bytes.
    pub anon_rss_bytes: u64,
    /// Resident file pages in bytes.
    pub file_rss_bytes: u64,
    /// Resident shared memory in bytes.
    pub shmem_rss_bytes: u64,
    /// Page tables in bytes.
    pub pgtables_bytes: u64,
    /// Its user id.
    pub uid: u64,
    /// Its pid, in the initial pid namespace.
    pub pid: i32,
    /// Its oom_score_adj; MEMOOM_SCORE_UNKNOWN where the line lacks it.
    pub oom_score_adj: i32,
}

/// One OOM as the kernel reported it.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_report {
    pub(super) report: Arc<Report>,
    release: Option<CString>,
    invoker_comm: Option<CString>,
    constraint: Option<CString>,
    oom_memcg: Option<CString>,
    task_memcg: Option<CString>,
    chosen_comm: Option<CString>,
    group_kill: Option<CString>,
    lines: CString,
    kills: Rows<memoom_kill>,
    missing: Rows<memoom_missing>,
    pub(super) summary: Option<CString>,
    pub(super) workload: Option<memoom_workload>,
    pub(super) victim_workload: Option<memoom_workload>,
    // What is long or seldom asked for is made when it is.
    pub(super) findings: OnceLock<Rows<memoom_finding>>,
    pub(super) consumers: OnceLock<Rows<memoom_consumer>>,
    pub(super) tasks: OnceLock<Rows<memoom_task>>,
    memory: OnceLock<Memory>,
    json: OnceLock<CString>,
    text: OnceLock<CString>,
}

impl memoom_report {
    pub(crate) fn new(report: Arc<Report>) -> memoom_report {
        let escaped = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| text(ffi::escape(bytes)));
        memoom_report {
            release: escaped(&report.release),
            invoker_comm: report.invoker.as_ref().map(|one| text(ffi::escape(&one.comm))),
            constraint: report.constraint.as_ref().map(text),
            oom_memcg: escaped(&report.oom_memcg),
            task_memcg: escaped(&report.task_memcg),
            chosen_comm: report.chosen.as_ref().map(|one| text(ffi::escape(&one.comm))),
            group_kill: escaped(&report.group_kill),
            lines: text(&report.text),
            kills: Rows::of(&report.kills, |texts, one| memoom_kill {
                struct_size: size_of::<memoom_kill>(),
                comm: texts.keep(ffi::escape(&one.comm)),
                total_vm_bytes: known(one.total_vm_bytes),
                anon_rss_bytes: known(one.anon_rss_bytes),
                file_rss_bytes: known(one.file_rss_bytes),
                shmem_rss_bytes: known(one.shmem_rss_bytes),
                pgtables_bytes: known(one.pgtables_bytes),
                uid: known(one.uid.map(u64::from)),
                pid: one.pid,
                oom_score_adj: one.oom_score_adj.unwrap_or(ffi::MEMOOM_SCORE_UNKNOWN),
            }),
            missing: missing(report.missing.iter().map(|one| (one.source, &*one.reason))),
            summary: report.summary.as_ref().map(text),
            workload: report.workload.as_ref().map(memoom_workload::new),
            victim_workload: report.victim_workload.as_ref().map(memoom_workload::new),
            findings: OnceLock::new(),
            consumers: OnceLock::new(),
            tasks: OnceLock::new(),
            memory: OnceLock::new(),
            json: OnceLock::new(),
            text: OnceLock::new(),
            report,
        }
    }
}

/// The release of the kernel that printed it.
///
/// \param report  a report, or NULL
///
/// Returns: the text; NULL where the report lacks it, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_release(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| pointer(&report.release))
}

/// What confined the allocation, such as "CONSTRAINT_MEMCG".
///
/// \param report  a report, or NULL
///
/// Returns: the text; NULL where the report lacks it, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_constraint(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| pointer(&report.constraint))
}

/// The group whose limit was hit, escaped.
///
/// \param report  a report, or NULL
///
/// Returns: the text; NULL where the report lacks it, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_oom_memcg(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| pointer(&report.oom_memcg))
}

/// The victim's group, escaped.
///
/// \param report  a report, or NULL
///
/// Returns: the text; NULL where the report lacks it, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_task_memcg(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| pointer(&report.task_memcg))
}

/// The name of the task whose allocation failed, escaped.
///
/// \param report  a report, or NULL
///
/// Returns: the text; NULL where the report lacks it, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_invoker_comm(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| pointer(&report.invoker_comm))
}

/// The name of the task that was chosen, escaped.
///
/// \param report  a report, or NULL
///
/// Returns: the text; NULL where the report lacks it, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_chosen_comm(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| pointer(&report.chosen_comm))
}

/// The group that was killed as a whole (memory.oom.group), escaped.
///
/// \param report  a report, or NULL
///
/// Returns: the text; NULL where the report lacks it, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_group_kill(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| pointer(&report.group_kill))
}

/// The task whose allocation failed.
///
/// \param report  a report, or NULL
///
/// Returns: its thread id in the initial pid namespace; 0 where the report lacks it, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_invoker_pid(report: Option<&memoom_report>) -> i32 {
    ffi::get(report, 0, |report| report.report.invoker.as_ref().and_then(|one| one.pid).unwrap_or(0))
}

/// The task that was chosen.
///
/// \param report  a report, or NULL
///
/// Returns: its thread id in the initial pid namespace; 0 where the report lacks it, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_chosen_pid(report: Option<&memoom_report>) -> i32 {
    ffi::get(report, 0, |report| report.report.chosen.as_ref().map_or(0, |one| one.pid))
}

/// Bytes charged to the group whose limit was hit.
///
/// \param report  a report, or NULL
///
/// Returns: the bytes; MEMOOM_UNKNOWN where the report lacks them, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_usage_bytes(report: Option<&memoom_report>) -> u64 {
    ffi::get(report, ffi::MEMOOM_UNKNOWN, |report| known(report.report.memory.map(|memory| memory.usage_bytes)))
}

/// The limit that was hit.
///
/// \param report  a report, or NULL
///
/// Returns: the bytes; MEMOOM_UNLIMITED where there is none; MEMOOM_UNKNOWN where the report lacks it, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_limit_bytes(report: Option<&memoom_report>) -> u64 {
    ffi::get(report, ffi::MEMOOM_UNKNOWN, |report| {
        known(report.report.memory.map(|memory| memory.limit_bytes.unwrap_or(ffi::MEMOOM_UNLIMITED)))
    })
}

/// Whether the kernel found nobody to kill.
///
/// \param report  a report, or NULL
///
/// Returns: 1 or 0; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_no_killable(report: Option<&memoom_report>) -> u32 {
    ffi::get(report, 0, |report| u32::from(report.report.no_killable))
}

/// How many processes were killed.
///
/// \param report  a report, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_kill_count(report: Option<&memoom_report>) -> usize {
    ffi::get(report, 0, |report| report.kills.len())
}

/// One of the processes that were killed, in the order printed.
///
/// \param report  a report, or NULL
/// \param index   from 0 to memoom_report_kill_count - 1
///
/// Returns: the process; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_kill_at(report: Option<&memoom_report>, index: usize) -> *const memoom_kill {
    ffi::get(report, ptr::null(), |report| report.kills.at(index))
}

/// How many parts are not in this report.
///
/// \param report  a report, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_missing_count(report: Option<&memoom_report>) -> usize {
    ffi::get(report, 0, |report| report.missing.len())
}

/// One part that is not in this report.
///
/// \param report  a report, or NULL
/// \param index   from 0 to memoom_report_missing_count - 1
///
/// Returns: the part, and why; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_missing_at(report: Option<&memoom_report>, index: usize) -> *const memoom_missing {
    ffi::get(report, ptr::null(), |report| report.missing.at(index))
}

/// The kernel's lines, joined by newlines, control characters escaped as in /dev/kmsg.
///
/// \param report  a report, or NULL
///
/// Returns: the lines; NULL for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_lines(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| report.lines.as_ptr())
}

/// The report as a person reads it, with all that it holds but the kernel's own lines (memoom_report_lines).
///
/// \param report  a report, or NULL
///
/// Returns: the text, lines that end in newlines; NULL for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_to_text(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| ffi::kept(&report.text, &|| report.report.to_text() + "\n"))
}

/// The report as one JSON document ("memoom.report/1").
///
/// \param report  a report, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_to_json(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| ffi::kept(&report.json, &|| report.report.to_json()))
}

/// Frees a report that memoom_report_reader_next gave. One that a list or an account lends goes with that.
///
/// \param report  a report, or NULL, which does nothing
///
/// Ownership: takes the report; all that it lends ends with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_free(report: Option<Box<memoom_report>>) {
    ffi::free(report);
}

//! The kernel's own OOM report, parsed, from a live log or a saved one.
#![allow(unsafe_code)] // exported names, and bytes of the caller's

use std::ffi::{c_char, c_void, CString};
use std::mem::{size_of, MaybeUninit};
use std::ptr;
use std::sync::OnceLock;

use memoom::Report;

use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need, pointer, text};
use crate::list::{memoom_missing, missing, Rows};

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
    report: Report,
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
    json: OnceLock<CString>,
    text: OnceLock<CString>,
}

impl memoom_report {
    pub(crate) fn new(report: Report) -> memoom_report {
        let escaped = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| text(ffi::escape(bytes)));
        let number = |number: Option<u64>| number.unwrap_or(ffi::MEMOOM_UNKNOWN);
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
                total_vm_bytes: number(one.total_vm_bytes),
                anon_rss_bytes: number(one.anon_rss_bytes),
                file_rss_bytes: number(one.file_rss_bytes),
                shmem_rss_bytes: number(one.shmem_rss_bytes),
                pgtables_bytes: number(one.pgtables_bytes),
                uid: number(one.uid.map(u64::from)),
                pid: one.pid,
                oom_score_adj: one.oom_score_adj.unwrap_or(ffi::MEMOOM_SCORE_UNKNOWN),
            }),
            missing: missing(report.missing.iter().map(|one| (one.source.as_str(), one.reason.as_str()))),
            json: OnceLock::new(),
            text: OnceLock::new(),
            report,
        }
    }
}

/// The reports of a log.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_report_list {
    reports: Vec<memoom_report>,
    json: CString,
}

/// Reads every OOM report of a saved kernel log: raw /dev/kmsg records, or the text that dmesg, journalctl, syslog or a
/// console made of them, of any kernel from 3.10 on.
///
/// Lines that are no part of a report are passed over; a log without any gives an empty list.
///
/// \param bytes         the log; may be NULL where length is 0
/// \param length        its length in bytes
/// \param ret_list      where the list goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_PANIC.
/// Ownership: free the list with memoom_report_list_free; the log may go before.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_report_parse(
    bytes: *const c_void,
    length: usize,
    ret_list: Option<&mut MaybeUninit<Box<memoom_report_list>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_report_parse", reterr_error, || {
        let ret_list = need(ret_list, "ret_list")?;
        if isize::try_from(length).is_err() {
            return Err(Failure::input(format!("length is more than memory can hold (value {length})")));
        }
        let log = match length {
            0 => &[],
            length => {
                need((!bytes.is_null()).then_some(()), "bytes")?;
                // SAFETY: the caller promises `length` readable bytes.
                unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) }
            }
        };
        let reports = memoom::parse_reports(log);
        let json = text(memoom::reports_to_json(&reports));
        ret_list.write(Box::new(memoom_report_list {
            reports: reports.into_iter().map(memoom_report::new).collect(),
            json,
        }));
        Ok(())
    })
}

/// How many reports there are.
///
/// \param list  a list, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_list_count(list: Option<&memoom_report_list>) -> usize {
    ffi::get(list, 0, |list| list.reports.len())
}

/// One of the reports, in the order of their first lines.
///
/// \param list   a list, or NULL
/// \param index  from 0 to memoom_report_list_count - 1
///
/// Returns: the report; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the list.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_list_at(list: Option<&memoom_report_list>, index: usize) -> *const memoom_report {
    ffi::get(list, ptr::null(), |list| list.reports.get(index).map_or(ptr::null(), ptr::from_ref))
}

/// All reports as one JSON document ("memoom.reports/1").
///
/// \param list  a list, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the list.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_list_to_json(list: Option<&memoom_report_list>) -> *const c_char {
    ffi::get(list, ptr::null(), |list| list.json.as_ptr())
}

/// Frees a list.
///
/// \param list  a list, or NULL, which does nothing
///
/// Ownership: takes the list; its reports end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_list_free(list: Option<Box<memoom_report_list>>) {
    ffi::free(list);
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
    ffi::get(report, ffi::MEMOOM_UNKNOWN, |report| {
        report.report.memory.map_or(ffi::MEMOOM_UNKNOWN, |memory| memory.usage_bytes)
    })
}

/// The limit that was hit.
///
/// \param report  a report, or NULL
///
/// Returns: the bytes; MEMOOM_UNLIMITED (the same number as MEMOOM_UNKNOWN) where there is none or the report lacks it, and for
/// NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_limit_bytes(report: Option<&memoom_report>) -> u64 {
    ffi::get(report, ffi::MEMOOM_UNKNOWN, |report| {
        report.report.memory.and_then(|memory| memory.limit_bytes).unwrap_or(ffi::MEMOOM_UNKNOWN)
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

/// The report as a person reads it: a few lines.
///
/// \param report  a report, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_to_text(report: Option<&memoom_report>) -> *const c_char {
    ffi::get(report, ptr::null(), |report| report.text.get_or_init(|| text(report.report.to_text())).as_ptr())
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
    ffi::get(report, ptr::null(), |report| {
        report.json.get_or_init(|| text(serde_json::to_string(&report.report).unwrap_or_default())).as_ptr()
    })
}

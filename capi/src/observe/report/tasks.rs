//! The kernel's table of tasks in a report.
#![allow(unsafe_code)] // exported names

use std::ffi::c_char;
use std::mem::size_of;
use std::ptr;

use super::memoom_report;
use crate::ffi::{self, known, MEMOOM_SCORE_UNKNOWN, MEMOOM_UNKNOWN};
use crate::list::Rows;

/// One row of the task table. Which columns there are depends on the kernel; what it lacks is MEMOOM_UNKNOWN.
///
/// Ownership: borrowed from the report.
/// Since 0.1.
#[repr(C)]
pub struct memoom_task {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// The name of the thread (comm), escaped.
    pub comm: *const c_char,
    /// The user id.
    pub uid: u64,
    /// Address space, in pages.
    pub total_vm_pages: u64,
    /// Resident memory, in pages.
    pub rss_pages: u64,
    /// Its anonymous part, in pages (since 6.8).
    pub rss_anon_pages: u64,
    /// Its file part, in pages (since 6.8).
    pub rss_file_pages: u64,
    /// Its shared part, in pages (since 6.8).
    pub rss_shmem_pages: u64,
    /// Page tables, in bytes (since 4.15).
    pub pgtables_bytes: u64,
    /// Swapped out, in pages.
    pub swapents_pages: u64,
    /// The id of a thread that holds the process's memory.
    pub pid: i32,
    /// The process id; 0 where the row lacks it.
    pub tgid: i32,
    /// Its oom_score_adj; MEMOOM_SCORE_UNKNOWN where the row lacks it.
    pub oom_score_adj: i32,
    /// 0.
    pub reserved: u32,
}

fn tasks(report: &memoom_report) -> &Rows<memoom_task> {
    report.tasks.get_or_init(|| {
        Rows::of(&report.report.tasks, |texts, one| memoom_task {
            struct_size: size_of::<memoom_task>(),
            comm: texts.keep(ffi::escape(&one.comm)),
            uid: known(one.uid.map(u64::from)),
            total_vm_pages: known(one.total_vm_pages),
            rss_pages: known(one.rss_pages),
            rss_anon_pages: known(one.rss_anon_pages),
            rss_file_pages: known(one.rss_file_pages),
            rss_shmem_pages: known(one.rss_shmem_pages),
            pgtables_bytes: known(one.pgtables_bytes),
            swapents_pages: known(one.swapents_pages),
            pid: one.pid,
            tgid: one.tgid.unwrap_or(0),
            oom_score_adj: one.oom_score_adj.unwrap_or(MEMOOM_SCORE_UNKNOWN),
            reserved: 0,
        })
    })
}

/// The page of the machine that wrote the log.
///
/// \param report  a report, or NULL
///
/// Returns: its size in bytes; MEMOOM_UNKNOWN where the report does not tell, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_page_bytes(report: Option<&memoom_report>) -> u64 {
    ffi::get(report, MEMOOM_UNKNOWN, |report| known(report.report.page_bytes))
}

/// How many rows the task table has; none with vm.oom_dump_tasks 0.
///
/// \param report  a report, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_task_count(report: Option<&memoom_report>) -> usize {
    ffi::get(report, 0, |report| tasks(report).len())
}

/// One row of the task table, in the order printed.
///
/// \param report  a report, or NULL
/// \param index   from 0 to memoom_report_task_count - 1
///
/// Returns: the row; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_task_at(report: Option<&memoom_report>, index: usize) -> *const memoom_task {
    ffi::get(report, ptr::null(), |report| tasks(report).at(index))
}

//! The account of one OOM, part by part.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, CString};
use std::mem::size_of;
use std::ptr;
use std::sync::{Arc, OnceLock};

use memoom::{Cause, Oom};

use super::oom_rows::{blocked, memoom_blocked, memoom_predicted, memoom_process, memoom_victim, victims};
use crate::ffi::{self, pointer, text};
use crate::list::{candidates, frames, memoom_candidate, memoom_frame, memoom_missing, missing, Rows};
use crate::memcg::group_limits::memoom_counters;
use crate::memcg::host::{memoom_cgroup_version, version_number, MEMOOM_CGROUP_NONE};
use crate::observe::report::memoom_report;

/// The account of one OOM: whose limit, who asked, who was predicted, who was killed or blocked, and what is missing.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_oom {
    oom: Arc<Oom>,
    limit_group: Option<CString>,
    invoker: Rows<memoom_process>,
    predicted: Rows<memoom_predicted>,
    candidates: Rows<memoom_candidate>,
    victims: Rows<memoom_victim>,
    before: memoom_counters,
    after: memoom_counters,
    report: Option<memoom_report>,
    call_path: Rows<memoom_frame>,
    blocked: Rows<memoom_blocked>,
    blocked_stacks: Vec<Rows<memoom_frame>>,
    missing: Rows<memoom_missing>,
    json: OnceLock<CString>,
    text: OnceLock<CString>,
}

impl memoom_oom {
    pub(crate) fn new(oom: Arc<Oom>) -> memoom_oom {
        memoom_oom {
            limit_group: oom.limit_group.as_ref().map(text),
            invoker: Rows::of(&oom.invoker, |texts, one| memoom_process {
                struct_size: size_of::<memoom_process>(),
                comm: texts.keep(ffi::escape(&one.comm)),
                pid: one.pid,
                reserved: 0,
            }),
            predicted: Rows::of(&oom.predicted, |texts, one| memoom_predicted {
                struct_size: size_of::<memoom_predicted>(),
                comm: texts.keep(ffi::escape(&one.comm)),
                source: texts.keep(one.source),
                score: one.score,
                pid: one.pid,
                determined: u32::from(one.determined),
            }),
            candidates: candidates(&oom.candidates),
            victims: victims(&oom.victims),
            before: memoom_counters::new(&oom.counters.before),
            after: memoom_counters::new(&oom.counters.after),
            report: oom.report.clone().map(memoom_report::new),
            call_path: frames(&oom.call_path),
            blocked: blocked(&oom.blocked),
            blocked_stacks: oom.blocked.iter().map(|one| frames(&one.stack)).collect(),
            missing: missing(oom.missing.iter().map(|one| (one.source.as_str(), one.reason.as_str()))),
            json: OnceLock::new(),
            text: OnceLock::new(),
            oom,
        }
    }
}

/// The hierarchy in which the OOM struck.
///
/// \param oom  an account, or NULL
///
/// Returns: MEMOOM_CGROUP_V1 or MEMOOM_CGROUP_V2; MEMOOM_CGROUP_NONE for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_version(oom: Option<&memoom_oom>) -> memoom_cgroup_version {
    ffi::get(oom, MEMOOM_CGROUP_NONE, |oom| version_number(Some(oom.oom.hierarchy)))
}

/// The group whose limit was hit: an ancestor of the victim's group, or that group.
///
/// \param oom  an account, or NULL
///
/// Returns: its path as the kernel writes it, escaped; NULL where no source tells, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_limit_group(oom: Option<&memoom_oom>) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| pointer(&oom.limit_group))
}

/// The limit that was hit, in bytes.
///
/// \param oom  an account, or NULL
///
/// Returns: the bytes; MEMOOM_UNLIMITED where there is none, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_limit_bytes(oom: Option<&memoom_oom>) -> u64 {
    ffi::get(oom, ffi::MEMOOM_UNLIMITED, |oom| oom.oom.limit_bytes.unwrap_or(ffi::MEMOOM_UNLIMITED))
}

/// Bytes charged to the group whose limit was hit, before the OOM.
///
/// \param oom  an account, or NULL
///
/// Returns: the bytes; MEMOOM_UNKNOWN where no source tells, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_usage_before(oom: Option<&memoom_oom>) -> u64 {
    ffi::get(oom, ffi::MEMOOM_UNKNOWN, |oom| oom.oom.usage_bytes.before.unwrap_or(ffi::MEMOOM_UNKNOWN))
}

/// Bytes charged after the last victim had ended; for a blocked OOM, while it lasts.
///
/// \param oom  an account, or NULL
///
/// Returns: the bytes; MEMOOM_UNKNOWN where no source tells, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_usage_after(oom: Option<&memoom_oom>) -> u64 {
    ffi::get(oom, ffi::MEMOOM_UNKNOWN, |oom| oom.oom.usage_bytes.after.unwrap_or(ffi::MEMOOM_UNKNOWN))
}

/// The process in whose charge the limit was hit.
///
/// \param oom  an account, or NULL
///
/// Returns: the process; NULL where no source tells, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_invoker(oom: Option<&memoom_oom>) -> *const memoom_process {
    ffi::get(oom, ptr::null(), |oom| oom.invoker.at(0))
}

/// Who would be killed, computed before the kernel chose.
///
/// \param oom  an account, or NULL
///
/// Returns: the prediction; NULL where there was nothing to compute it from, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_predicted(oom: Option<&memoom_oom>) -> *const memoom_predicted {
    ffi::get(oom, ptr::null(), |oom| oom.predicted.at(0))
}

/// Whether the prediction named the process that the kernel chose.
///
/// \param oom  an account, or NULL
///
/// Returns: 1 where it did, 0 where the kernel chose another; -1 where there was no prediction or nobody died, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_predicted_right(oom: Option<&memoom_oom>) -> i32 {
    ffi::get(oom, -1, |oom| oom.oom.predicted_right().map_or(-1, i32::from))
}

/// How many processes the kernel had to choose from.
///
/// \param oom  an account, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_candidate_count(oom: Option<&memoom_oom>) -> usize {
    ffi::get(oom, 0, |oom| oom.candidates.len())
}

/// One of the processes, in the order of the kernel's scan.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_candidate_count - 1
///
/// Returns: the process; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_candidate_at(oom: Option<&memoom_oom>, index: usize) -> *const memoom_candidate {
    ffi::get(oom, ptr::null(), |oom| oom.candidates.at(index))
}

/// How many processes were killed; 0 for a blocked OOM.
///
/// \param oom  an account, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_victim_count(oom: Option<&memoom_oom>) -> usize {
    ffi::get(oom, 0, |oom| oom.victims.len())
}

/// One of the processes that were killed, in the order of the kills.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_victim_count - 1
///
/// Returns: the victim; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_victim_at(oom: Option<&memoom_oom>, index: usize) -> *const memoom_victim {
    ffi::get(oom, ptr::null(), |oom| oom.victims.at(index))
}

/// The process that the kernel chose, or the first that died.
///
/// \param oom  an account, or NULL
///
/// Returns: the victim; NULL for a blocked OOM, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_victim(oom: Option<&memoom_oom>) -> *const memoom_victim {
    ffi::get(oom, ptr::null(), |oom| {
        let chosen = oom.oom.victims.iter().position(|victim| victim.cause == Cause::Selected).unwrap_or(0);
        oom.victims.at(chosen)
    })
}

/// Whether a process was killed in this OOM.
///
/// \param oom  an account, or NULL
/// \param pid  its pid
///
/// Returns: 1 or 0; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_killed(oom: Option<&memoom_oom>, pid: i32) -> u32 {
    ffi::get(oom, 0, |oom| u32::from(oom.oom.killed(pid)))
}

/// The counters of the group whose limit was hit, before the OOM.
///
/// \param oom  an account, or NULL
///
/// Returns: the counters; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_counters_before(oom: Option<&memoom_oom>) -> *const memoom_counters {
    ffi::get(oom, ptr::null(), |oom| ptr::from_ref(&oom.before))
}

/// The counters of the group whose limit was hit, after the last victim had ended; for a blocked OOM, while it lasts.
///
/// \param oom  an account, or NULL
///
/// Returns: the counters; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_counters_after(oom: Option<&memoom_oom>) -> *const memoom_counters {
    ffi::get(oom, ptr::null(), |oom| ptr::from_ref(&oom.after))
}

/// The kernel's own report.
///
/// \param oom  an account, or NULL
///
/// Returns: the report; NULL where it was not printed or not read (the list of what is missing says why), and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_report(oom: Option<&memoom_oom>) -> *const memoom_report {
    ffi::get(oom, ptr::null(), |oom| oom.report.as_ref().map_or(ptr::null(), ptr::from_ref))
}

/// How many kernel functions the call path to the kill (or to the wait) has.
///
/// \param oom  an account, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_frame_count(oom: Option<&memoom_oom>) -> usize {
    ffi::get(oom, 0, |oom| oom.call_path.len())
}

/// One of the kernel functions, innermost first.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_frame_count - 1
///
/// Returns: the function; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_frame_at(oom: Option<&memoom_oom>, index: usize) -> *const memoom_frame {
    ffi::get(oom, ptr::null(), |oom| oom.call_path.at(index))
}

/// How many processes wait, as the OOM killer is off.
///
/// \param oom  an account, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_blocked_count(oom: Option<&memoom_oom>) -> usize {
    ffi::get(oom, 0, |oom| oom.blocked.len())
}

/// One of the processes that wait.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_blocked_count - 1
///
/// Returns: the process; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_blocked_at(oom: Option<&memoom_oom>, index: usize) -> *const memoom_blocked {
    ffi::get(oom, ptr::null(), |oom| oom.blocked.at(index))
}

/// How many kernel functions the stack of a process that waits has.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_blocked_count - 1
///
/// Returns: the number; 0 beyond the end, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_blocked_frame_count(oom: Option<&memoom_oom>, index: usize) -> usize {
    ffi::get(oom, 0, |oom| oom.blocked_stacks.get(index).map_or(0, Rows::len))
}

/// One of the kernel functions on the stack of a process that waits, innermost first.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_blocked_count - 1
/// \param frame  from 0 to memoom_oom_blocked_frame_count - 1
///
/// Returns: the function; NULL beyond either end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_blocked_frame_at(
    oom: Option<&memoom_oom>,
    index: usize,
    frame: usize,
) -> *const memoom_frame {
    ffi::get(oom, ptr::null(), |oom| oom.blocked_stacks.get(index).map_or(ptr::null(), |stack| stack.at(frame)))
}

/// A moment of the OOM, in nanoseconds of CLOCK_MONOTONIC.
///
/// The names: "step_started", "notified", "victim_marked", "victim_ended", "complete". Later versions may know more.
///
/// \param oom   an account, or NULL
/// \param name  the moment, or NULL
///
/// Returns: the time; MEMOOM_UNKNOWN where it was not seen, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn memoom_oom_timing_ns(oom: Option<&memoom_oom>, name: *const c_char) -> u64 {
    // SAFETY: the caller promises a string, or NULL.
    let name = unsafe { ffi::maybe_bytes(name) };
    ffi::get(oom, ffi::MEMOOM_UNKNOWN, |oom| {
        let found = oom.oom.timings_ns.iter().find(|(moment, _)| Some(moment.as_bytes()) == name);
        found.map_or(ffi::MEMOOM_UNKNOWN, |(_, time_ns)| *time_ns)
    })
}

/// How many pieces of evidence could not be had.
///
/// \param oom  an account, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_missing_count(oom: Option<&memoom_oom>) -> usize {
    ffi::get(oom, 0, |oom| oom.missing.len())
}

/// One piece of evidence that could not be had.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_missing_count - 1
///
/// Returns: the piece, and why; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_missing_at(oom: Option<&memoom_oom>, index: usize) -> *const memoom_missing {
    ffi::get(oom, ptr::null(), |oom| oom.missing.at(index))
}

/// The account as one JSON document ("memoom.oom/1").
///
/// \param oom  an account, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_to_json(oom: Option<&memoom_oom>) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| oom.json.get_or_init(|| text(oom.oom.to_json())).as_ptr())
}

/// The account as a person reads it: some lines, each ending in a newline.
///
/// \param oom  an account, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_to_text(oom: Option<&memoom_oom>) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| oom.text.get_or_init(|| text(oom.oom.to_text())).as_ptr())
}

/// Frees an account.
///
/// \param oom  an account, or NULL, which does nothing
///
/// Ownership: takes the account; what it holds ends with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_free(oom: Option<Box<memoom_oom>>) {
    ffi::free(oom);
}

impl memoom_oom {
    pub(crate) fn killed(&self, pid: i32) -> bool {
        self.oom.killed(pid)
    }
}

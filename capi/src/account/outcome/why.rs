//! Why a worker ended as it did: summary and findings, who sent the signal, and what held a command that was throttled.
#![allow(unsafe_code)] // exported names

use std::ffi::c_char;
use std::mem::size_of;
use std::ptr;

use memoom::account::Throttled;

use super::memoom_outcome;
use crate::account::killed_by::memoom_killed_by;
use crate::ffi::{self, known};
use crate::list::{memoom_finding, memoom_frame, Rows};

/// The outcome in a few plain sentences: how it ended, and why.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the sentences; NULL for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_summary(outcome: Option<&memoom_outcome>) -> *const c_char {
    ffi::get(outcome, ptr::null(), |outcome| outcome.summary.as_ptr())
}

/// How many findings the outcome has of its own; those of an OOM stand in its account.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_finding_count(outcome: Option<&memoom_outcome>) -> usize {
    ffi::get(outcome, 0, |outcome| outcome.findings.len())
}

/// One of the findings.
///
/// \param outcome  an outcome, or NULL
/// \param index    from 0 to memoom_outcome_finding_count - 1
///
/// Returns: the finding; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_finding_at(outcome: Option<&memoom_outcome>, index: usize) -> *const memoom_finding {
    ffi::get(outcome, ptr::null(), |outcome| outcome.findings.at(index))
}

/// The outcome in 15 lines at most, each ending in a newline.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_to_short_text(outcome: Option<&memoom_outcome>) -> *const c_char {
    ffi::get(outcome, ptr::null(), |outcome| ffi::kept(&outcome.short_text, &|| outcome.outcome.to_short_text()))
}

/// How many OOMs of its group killed others and not the worker: it went on after them.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_ooms_inside(outcome: Option<&memoom_outcome>) -> u64 {
    ffi::get(outcome, 0, |outcome| outcome.outcome.ooms_inside)
}

/// What shows that memory.high held a command until its time was up (v2).
///
/// Its kernel stack: memoom_outcome_throttled_frame_at.
///
/// Ownership: borrowed from the outcome.
/// Since 0.1.
#[repr(C)]
pub struct memoom_throttled {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// The group that has the memory.high.
    pub group: *const c_char,
    /// The kernel function in which its process waited; NULL where it was on a CPU just then.
    pub wchan: *const c_char,
    /// memory.high in bytes.
    pub high_bytes: u64,
    /// What the group used when the time was up.
    pub usage_bytes: u64,
    /// By how much that was above memory.high.
    pub over_bytes: u64,
    /// How often the group went over it.
    pub high_events: u64,
    /// How long at least one of its tasks waited for memory (PSI), in microseconds; MEMOOM_UNKNOWN without PSI.
    pub stalled_usec: u64,
    /// How long the command had been running, in microseconds.
    pub elapsed_usec: u64,
    /// The process that was looked at.
    pub pid: i32,
    /// 0.
    pub reserved: u32,
}

pub(super) fn throttled(item: &Option<Throttled>) -> Rows<memoom_throttled> {
    Rows::of(item, |texts, one| memoom_throttled {
        struct_size: size_of::<memoom_throttled>(),
        group: texts.keep(&one.group),
        wchan: texts.maybe(one.wchan.as_ref()),
        high_bytes: one.high_bytes,
        usage_bytes: one.usage_bytes,
        over_bytes: one.over_bytes,
        high_events: one.high_events,
        stalled_usec: known(one.stalled_usec),
        elapsed_usec: one.elapsed_usec,
        pid: one.pid,
        reserved: 0,
    })
}

/// What held a command whose verdict is MEMOOM_VERDICT_THROTTLED.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the numbers; NULL where memory.high did not hold it, and for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_throttled(outcome: Option<&memoom_outcome>) -> *const memoom_throttled {
    ffi::get(outcome, ptr::null(), |outcome| outcome.throttled.at(0))
}

/// How many kernel functions the stack of the throttled process has.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 where none could be read, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_throttled_frame_count(outcome: Option<&memoom_outcome>) -> usize {
    ffi::get(outcome, 0, |outcome| outcome.throttled_stack.len())
}

/// One of the kernel functions on the stack of the throttled process, innermost first.
///
/// \param outcome  an outcome, or NULL
/// \param index    from 0 to memoom_outcome_throttled_frame_count - 1
///
/// Returns: the function; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_throttled_frame_at(
    outcome: Option<&memoom_outcome>,
    index: usize,
) -> *const memoom_frame {
    ffi::get(outcome, ptr::null(), |outcome| outcome.throttled_stack.at(index))
}

/// Who sent the signal that ended the worker.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: who it was, with "unknown" and the reason where nobody can tell; NULL where the worker ended by itself, and
/// for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Needs: a tracefs instance (root) to name other processes; without it what memoom has killed and OOM kills are known.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_killed_by(outcome: Option<&memoom_outcome>) -> *const memoom_killed_by {
    ffi::get(outcome, ptr::null(), |outcome| outcome.killed_by.at(0))
}

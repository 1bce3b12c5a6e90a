//! Each time that a run was held at its limit, and what the command of `at_limit` did.
#![allow(unsafe_code)] // exported names

use std::ffi::c_char;
use std::mem::size_of;
use std::ptr;

use memoom::account::AtLimit;

use super::memoom_outcome;
use crate::ffi;
use crate::list::Rows;

/// One time that a run was held at its limit, before anybody died (memoom_run_options.at_limit).
///
/// Ownership: borrowed from the outcome.
/// Since 0.1.
#[repr(C)]
pub struct memoom_at_limit {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// What the command wrote to standard output and error, as far as it was kept; a NUL byte is escaped.
    pub hook_output: *const c_char,
    /// Why it could not be run, or was ended early; NULL where it ran.
    pub hook_error: *const c_char,
    /// What came next: "kernel" (the kernel chooses its victim), "raised" (a higher limit) or "ended" (nobody was left).
    pub then: *const c_char,
    /// The limit in bytes.
    pub limit_bytes: u64,
    /// What was charged to the group just then, in bytes.
    pub usage_bytes: u64,
    /// The limit with which it went on, in bytes, or MEMOOM_UNLIMITED.
    pub limit_after_bytes: u64,
    /// How long everybody was held, in nanoseconds.
    pub held_ns: u64,
    /// Whom the kernel would have killed; 0 where it could take nobody.
    pub predicted_pid: i32,
    /// Who met the limit; 0 where that could not be told.
    pub invoker_pid: i32,
    /// Its exit status, or minus the signal that ended it; INT32_MIN where it did not run.
    pub hook_returncode: i32,
    /// 1 where its time was over, and it was killed; else 0.
    pub hook_timed_out: u32,
}

pub(super) fn at_limit(items: Option<&Vec<AtLimit>>) -> Rows<memoom_at_limit> {
    Rows::of(items.into_iter().flatten(), |texts, one| memoom_at_limit {
        struct_size: size_of::<memoom_at_limit>(),
        hook_output: texts.keep(&one.hook.output),
        hook_error: texts.maybe(one.hook.error.as_ref()),
        then: texts.keep(one.then),
        limit_bytes: one.limit_bytes,
        usage_bytes: one.usage_bytes,
        limit_after_bytes: one.limit_after_bytes,
        held_ns: one.held_ns,
        predicted_pid: one.predicted.as_ref().map_or(0, |victim| victim.pid),
        invoker_pid: one.invoker.as_ref().map_or(0, |invoker| invoker.pid),
        hook_returncode: one.hook.returncode.unwrap_or(i32::MIN),
        hook_timed_out: one.hook.timed_out.into(),
    })
}

/// How often the run was held at its limit.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 where it never met it or was not to be held, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_at_limit_count(outcome: Option<&memoom_outcome>) -> usize {
    ffi::get(outcome, 0, |outcome| outcome.at_limit.len())
}

/// One of these times, in their order.
///
/// \param outcome  an outcome, or NULL
/// \param index    from 0 to memoom_outcome_at_limit_count - 1
///
/// Returns: what was seen and done; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_at_limit_at(outcome: Option<&memoom_outcome>, index: usize) -> *const memoom_at_limit {
    ffi::get(outcome, ptr::null(), |outcome| outcome.at_limit.at(index))
}

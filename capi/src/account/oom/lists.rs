//! The parts of an account that are lists: the processes, and the kernel functions on the way.
#![allow(unsafe_code)] // exported names

use std::ptr;

use memoom::Cause;

use super::memoom_oom;
use super::rows::{memoom_blocked, memoom_predicted, memoom_process, memoom_victim};
use crate::ffi;
use crate::list::{memoom_candidate, memoom_frame, Rows};

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

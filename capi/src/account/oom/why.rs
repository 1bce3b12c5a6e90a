//! Why it came to this: the summary and the findings of an account.
#![allow(unsafe_code)] // exported names

use std::ffi::c_char;
use std::ptr;

use super::memoom_oom;
use crate::ffi;
use crate::list::memoom_finding;

/// The account in two or three plain sentences: what filled the limit, who grew, why this one died, what would have helped.
///
/// \param oom  an account, or NULL
///
/// Returns: the sentences; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_summary(oom: Option<&memoom_oom>) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| oom.summary.as_ptr())
}

/// How many findings the account has.
///
/// \param oom  an account, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_finding_count(oom: Option<&memoom_oom>) -> usize {
    ffi::get(oom, 0, |oom| oom.findings.len())
}

/// One of the findings; what a reader needs first comes first.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_finding_count - 1
///
/// Returns: the finding; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_finding_at(oom: Option<&memoom_oom>, index: usize) -> *const memoom_finding {
    ffi::get(oom, ptr::null(), |oom| oom.findings.at(index))
}

/// The account in 15 lines at most, each ending in a newline: without call path and without the kernel's own lines.
///
/// \param oom  an account, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_to_short_text(oom: Option<&memoom_oom>) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| ffi::kept(&oom.short_text, &|| oom.oom.to_short_text()))
}

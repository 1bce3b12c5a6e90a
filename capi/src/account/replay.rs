//! Recordings: the accounts that one led to, made again.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::{c_char, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::Arc;

use super::oom::memoom_oom;
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need};

/// Accounts, in the order in which they were complete.
///
/// Thread safety: it never changes, so any number of threads may read it.
pub struct memoom_oom_list(Vec<memoom_oom>);

/// Makes the accounts again that a recording led to (memoom_lab_options.record, memoom_group_record, memoom run
/// --record): on any machine, and without any right. An account says the same as it did then; where another version of
/// memoom made the recording, it says what this one concludes from it.
///
/// \param path          the recording
/// \param ret_list      where the list of the accounts goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_NOT_FOUND where there is no such file; MEMOOM_ERR_INVALID_INPUT for NULL, and where it
/// is no recording or a line of it is damaged (its number is named; a last line that was broken off is left out);
/// MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Ownership: free the list with memoom_oom_list_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_replay(
    path: *const c_char,
    ret_list: Option<&mut MaybeUninit<Box<memoom_oom_list>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_replay", reterr_error, || {
        // SAFETY: the caller promises a string.
        let path = unsafe { ffi::bytes(path, "path") }?;
        let ret_list = need(ret_list, "ret_list")?;
        let ooms = memoom::replay(OsStr::from_bytes(path))?;
        ret_list.write(Box::new(memoom_oom_list(ooms.into_iter().map(|oom| memoom_oom::new(Arc::new(oom))).collect())));
        Ok(())
    })
}

/// How many accounts there are.
///
/// \param list  a list, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_list_count(list: Option<&memoom_oom_list>) -> usize {
    ffi::get(list, 0, |list| list.0.len())
}

/// One of the accounts.
///
/// \param list   a list, or NULL
/// \param index  from 0 to memoom_oom_list_count - 1
///
/// Returns: the account; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the list; it must not be freed.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_list_at(list: Option<&memoom_oom_list>, index: usize) -> *const memoom_oom {
    ffi::get(list, ptr::null(), |list| list.0.get(index).map_or(ptr::null(), ptr::from_ref))
}

/// Frees a list.
///
/// \param list  a list, or NULL, which does nothing
///
/// Ownership: takes the list; its accounts end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_list_free(list: Option<Box<memoom_oom_list>>) {
    ffi::free(list);
}

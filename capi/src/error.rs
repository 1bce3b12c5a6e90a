//! What C asks an error, and the names of the statuses.
#![allow(unsafe_code)] // exported names

use std::ffi::c_char;
use std::ptr;

pub use crate::failure::*;
use crate::ffi;

/// The status that the failed call returned.
///
/// \param error  an error, or NULL
///
/// Returns: the status; MEMOOM_OK for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_error_status(error: Option<&memoom_error>) -> memoom_status {
    ffi::get(error, MEMOOM_OK, |error| error.status)
}

/// The errno of the system call that failed.
///
/// \param error  an error, or NULL
///
/// Returns: the errno; 0 where no system call failed, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_error_errno(error: Option<&memoom_error>) -> i32 {
    ffi::get(error, 0, |error| error.errno)
}

/// What was tried, such as "create group"; the name of the function where an argument was refused at once.
///
/// \param error  an error, or NULL
///
/// Returns: the operation; NULL for NULL.
/// Ownership: borrowed from the error.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_error_operation(error: Option<&memoom_error>) -> *const c_char {
    ffi::get(error, ptr::null(), |error| error.operation.as_ptr())
}

/// The file or directory concerned, as raw bytes.
///
/// \param error  an error, or NULL
///
/// Returns: the path; NULL where no path is concerned, and for NULL.
/// Ownership: borrowed from the error.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_error_path(error: Option<&memoom_error>) -> *const c_char {
    ffi::get(error, ptr::null(), |error| ffi::pointer(&error.path))
}

/// The whole error in one line: operation, path, value, reason and remedy.
///
/// \param error  an error, or NULL
///
/// Returns: the message; NULL for NULL.
/// Ownership: borrowed from the error.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_error_message(error: Option<&memoom_error>) -> *const c_char {
    ffi::get(error, ptr::null(), |error| error.message.as_ptr())
}

/// Frees an error.
///
/// \param error  an error, or NULL, which does nothing
///
/// Ownership: takes the error; its strings end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_error_free(error: Option<Box<memoom_error>>) {
    ffi::free(error);
}

/// The name of a status, such as "invalid-input".
///
/// \param status  what a call returned
///
/// Returns: the name; "ok" for MEMOOM_OK, "other" for a number that the library does not know.
/// Ownership: static; never freed.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_status_name(status: memoom_status) -> *const c_char {
    status_name(status).as_ptr()
}

//! Sizes as users write them.
#![allow(unsafe_code)] // exported names, and a string of the caller's

use std::ffi::c_char;
use std::mem::MaybeUninit;

use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need};

/// Reads a size as the kernel does: a whole number, then perhaps one of K, M, G, T, P, E (powers of 1024); "max" is
/// MEMOOM_UNLIMITED.
///
/// "80M" is 80 * 1048576 bytes. Signs, fractions and other suffixes ("MB", "MiB") are refused.
///
/// \param text          the size
/// \param ret_bytes     where the bytes go
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for anything that is not a size; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_parse_size(
    text: *const c_char,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_parse_size", reterr_error, || {
        // SAFETY: the caller promises a string.
        let text = unsafe { ffi::bytes(text, "text") }?;
        let ret_bytes = need(ret_bytes, "ret_bytes")?;
        let limit: memoom::Limit = ffi::utf8(text, "text")?.parse()?;
        ret_bytes.write(limit.bytes().unwrap_or(ffi::MEMOOM_UNLIMITED));
        Ok(())
    })
}

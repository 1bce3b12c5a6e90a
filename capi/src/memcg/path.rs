//! Which group stands below which.

#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::c_char;
use std::mem::MaybeUninit;

use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need};

/// Whether a group is another one or stands below it, by their paths as the kernel and the events write them.
///
/// "/a" covers "/a" and "/a/b", and not "/ab"; "/" covers every group. With it the events of a timeline can be sorted
/// by groups.
///
/// \param outer         the path of the group that may stand above
/// \param inner         the path of the other
/// \param ret_covers    where 1 goes if it is so, and 0 if not
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for a path that is no UTF-8; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_cgroup_covers(
    outer: *const c_char,
    inner: *const c_char,
    ret_covers: Option<&mut MaybeUninit<u32>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_cgroup_covers", reterr_error, || {
        // SAFETY: the caller promises two strings.
        let (outer, inner) = unsafe { (ffi::bytes(outer, "outer")?, ffi::bytes(inner, "inner")?) };
        let ret_covers = need(ret_covers, "ret_covers")?;
        ret_covers.write(memoom::covers(ffi::utf8(outer, "outer")?, ffi::utf8(inner, "inner")?).into());
        Ok(())
    })
}

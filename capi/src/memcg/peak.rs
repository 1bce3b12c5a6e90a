//! The most that a group has used since a moment of the caller's choice.
#![allow(unsafe_code)] // exported names

use std::mem::MaybeUninit;

use memoom::Peak;

use super::group::memoom_group;
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need};

/// The mark of the most that a group has used.
///
/// On v2 (memory.peak) a reset counts for this object alone; on v1 (memory.max_usage_in_bytes) for everybody.
///
/// Thread safety: calls may come from any thread, except memoom_peak_free.
pub struct memoom_peak {
    peak: Peak,
}

/// Opens the mark of the most that was charged.
///
/// \param group         the group, made by memoom
/// \param ret_peak      where the mark goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group; MEMOOM_ERR_UNSUPPORTED where this kernel keeps
/// none (v2 before about 5.19); MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Ownership: free the mark with memoom_peak_free; it lives on without the object of its group.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_peak_open(
    group: Option<&memoom_group>,
    ret_peak: Option<&mut MaybeUninit<Box<memoom_peak>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_peak_open", reterr_error, || {
        let (group, ret_peak) = (need(group, "group")?, need(ret_peak, "ret_peak")?);
        ret_peak.write(Box::new(memoom_peak { peak: group.group.open_peak()? }));
        Ok(())
    })
}

/// The most that was charged since the last reset, or ever.
///
/// \param peak          the mark
/// \param ret_bytes     where the bytes go
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_peak_bytes(
    peak: Option<&memoom_peak>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_peak_bytes", reterr_error, || {
        let (peak, ret_bytes) = (need(peak, "peak")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(peak.peak.bytes()?);
        Ok(())
    })
}

/// Begins anew: from now on the most since this moment.
///
/// \param peak          the mark
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_UNSUPPORTED where this kernel's file cannot be reset (v2
/// before about 6.12); MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_peak_reset(
    peak: Option<&memoom_peak>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_peak_reset", reterr_error, || Ok(need(peak, "peak")?.peak.reset()?))
}

/// Closes and frees a mark.
///
/// \param peak  a mark, or NULL, which does nothing
///
/// Ownership: takes the mark.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_peak_free(peak: Option<Box<memoom_peak>>) {
    ffi::free(peak);
}

//! What a group is limited to and what the kernel counts for it: limits, switches, counters.
#![allow(unsafe_code)] // exported names, and a struct of the caller's

use std::mem::{size_of, MaybeUninit};

use memoom::Counters;

use super::group::memoom_group;
use super::settings::{bytes_of, memoom_switch, new_limit, new_switch, switch_of};
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, known, need};

/// The hard limit: memory.limit_in_bytes (v1), memory.max (v2).
///
/// \param group         the group
/// \param ret_bytes     where the bytes go, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_limit(
    group: Option<&memoom_group>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_limit", reterr_error, || {
        let (group, ret_bytes) = (need(group, "group")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(bytes_of(group.group.limit()?));
        Ok(())
    })
}

/// Sets the hard limit, and keeps the swap allowance in step (v1).
///
/// \param group         the group, made by memoom
/// \param bytes         bytes, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_BUSY where the usage is
/// above it and cannot be reclaimed (v1); MEMOOM_ERR_OUT_OF_MEMORY where the limits of the lab would exceed the host's
/// memory;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_set_limit(
    group: Option<&memoom_group>,
    bytes: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_set_limit", reterr_error, || {
        Ok(need(group, "group")?.group.set_limit(new_limit("bytes", bytes)?)?)
    })
}

/// The throttling limit memory.high (v2).
///
/// \param group         the group
/// \param ret_bytes     where the bytes go, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_UNSUPPORTED on v1;
/// MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_high(
    group: Option<&memoom_group>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_high", reterr_error, || {
        let (group, ret_bytes) = (need(group, "group")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(bytes_of(group.group.high()?));
        Ok(())
    })
}

/// Sets the throttling limit memory.high (v2).
///
/// \param group         the group, made by memoom
/// \param bytes         bytes, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED on v1;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_set_high(
    group: Option<&memoom_group>,
    bytes: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_set_high", reterr_error, || {
        Ok(need(group, "group")?.group.set_high(new_limit("bytes", bytes)?)?)
    })
}

/// Whether the OOM killer of the group is on (v1).
///
/// \param group         the group
/// \param ret_on        where MEMOOM_ON or MEMOOM_OFF goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_UNSUPPORTED on v2;
/// MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_oom_killer(
    group: Option<&memoom_group>,
    ret_on: Option<&mut MaybeUninit<memoom_switch>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_oom_killer", reterr_error, || {
        let (group, ret_on) = (need(group, "group")?, need(ret_on, "ret_on")?);
        ret_on.write(switch_of(group.group.oom_killer()?));
        Ok(())
    })
}

/// Turns the OOM killer of the group on or off (v1: memory.oom_control).
///
/// Off, a process that meets the limit in a page fault waits (state D); turned on again, the kernel chooses a victim at
/// the next charge.
///
/// \param group         the group, made by memoom
/// \param on            MEMOOM_ON or MEMOOM_OFF
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED on v2;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_set_oom_killer(
    group: Option<&memoom_group>,
    on: memoom_switch,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_set_oom_killer", reterr_error, || {
        Ok(need(group, "group")?.group.set_oom_killer(new_switch("on", on)?)?)
    })
}

/// Whether memory.oom.group is set; MEMOOM_OFF on v1, which has no such thing.
///
/// \param group         the group
/// \param ret_on        where MEMOOM_ON or MEMOOM_OFF goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_oom_group(
    group: Option<&memoom_group>,
    ret_on: Option<&mut MaybeUninit<memoom_switch>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_oom_group", reterr_error, || {
        let (group, ret_on) = (need(group, "group")?, need(ret_on, "ret_on")?);
        ret_on.write(switch_of(group.group.oom_group()?));
        Ok(())
    })
}

/// Sets memory.oom.group (v2): with it, an OOM kill takes every process of the group.
///
/// \param group         the group, made by memoom
/// \param on            MEMOOM_ON or MEMOOM_OFF
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED on v1;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_set_oom_group(
    group: Option<&memoom_group>,
    on: memoom_switch,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_set_oom_group", reterr_error, || {
        Ok(need(group, "group")?.group.set_oom_group(new_switch("on", on)?)?)
    })
}

/// Bytes charged now: memory.usage_in_bytes (v1), memory.current (v2).
///
/// Up to 64 pages for each CPU may be charged in advance.
///
/// \param group         the group
/// \param ret_bytes     where the bytes go
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_usage(
    group: Option<&memoom_group>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_usage", reterr_error, || {
        let (group, ret_bytes) = (need(group, "group")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(group.group.usage_bytes()?);
        Ok(())
    })
}

/// The most that was ever charged, in bytes: memory.max_usage_in_bytes (v1), memory.peak (v2, from about 5.19).
///
/// \param group         the group
/// \param ret_bytes     where the bytes go; MEMOOM_UNKNOWN where this kernel does not keep them
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_peak(
    group: Option<&memoom_group>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_peak", reterr_error, || {
        let (group, ret_bytes) = (need(group, "group")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(known(group.group.peak_bytes()?));
        Ok(())
    })
}

/// What the kernel counted for a group. A counter that this kernel or hierarchy lacks is MEMOOM_UNKNOWN.
///
/// These are numbers of events, never of dead processes: with memory.oom.group the first victim is counted twice, and
/// lowering a v2 limit under the usage raises oom thousands of times for one kill. As an argument, begin with
/// MEMOOM_COUNTERS_INIT.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_counters {
    /// As an argument, sizeof(memoom_counters); as a result, the bytes that the library has filled.
    pub struct_size: usize,
    /// Bytes charged: memory.usage_in_bytes (v1), memory.current (v2).
    pub usage_bytes: u64,
    /// The most ever charged, in bytes: memory.max_usage_in_bytes (v1), memory.peak (v2, from about 5.19).
    pub peak_bytes: u64,
    /// OOM kill events: memory.oom_control (v1, from 4.13), memory.events (v2).
    pub oom_kill: u64,
    /// Times the limit was hit and an OOM declared: memory.events (v2).
    pub oom: u64,
    /// Kills of the whole group: memory.events (v2, from about 5.17).
    pub oom_group_kill: u64,
    /// Times the usage was about to go over memory.max: memory.events (v2).
    pub max: u64,
    /// Times the usage went over memory.high: memory.events (v2).
    pub high: u64,
    /// Times the group was reclaimed below memory.low: memory.events (v2).
    pub low: u64,
    /// Times a charge failed at the limit: memory.failcnt (v1).
    pub failcnt: u64,
    /// 1 while processes wait for the OOM to end: memory.oom_control (v1).
    pub under_oom: u64,
    /// 1 while the OOM killer is off: memory.oom_control (v1).
    pub oom_kill_disable: u64,
}

impl Default for memoom_counters {
    fn default() -> memoom_counters {
        memoom_counters::new(&Counters::default())
    }
}

// SAFETY: repr(C), a usize first, then u64.
unsafe impl ffi::Struct for memoom_counters {
    const NAME: &'static str = "memoom_counters";
}

impl memoom_counters {
    pub(crate) fn new(counters: &Counters) -> memoom_counters {
        memoom_counters {
            struct_size: size_of::<memoom_counters>(),
            usage_bytes: known(counters.usage_bytes),
            peak_bytes: known(counters.peak_bytes),
            oom_kill: known(counters.oom_kill),
            oom: known(counters.oom),
            oom_group_kill: known(counters.oom_group_kill),
            max: known(counters.max),
            high: known(counters.high),
            low: known(counters.low),
            failcnt: known(counters.failcnt),
            under_oom: known(counters.under_oom.map(u64::from)),
            oom_kill_disable: known(counters.oom_kill_disable.map(u64::from)),
        }
    }
}

/// All counters of a group at this moment.
///
/// \param group         the group
/// \param ret_counters  where the counters go: a struct that began with MEMOOM_COUNTERS_INIT
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or a struct without its size; MEMOOM_ERR_NOT_FOUND where the
/// group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_counters(
    group: Option<&memoom_group>,
    ret_counters: *mut memoom_counters,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_counters", reterr_error, || {
        let group = need(group, "group")?;
        // SAFETY: the caller promises a struct of its struct_size, or NULL.
        let output = unsafe { ffi::output(ret_counters, "ret_counters") }?;
        output.write(&memoom_counters::new(&group.group.counters()?));
        Ok(())
    })
}

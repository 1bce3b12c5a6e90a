//! How long the processes of a group wait for memory (PSI), and the alarms that a group can be given.
#![allow(unsafe_code)] // exported names, and strings and structs of the caller's

use std::ffi::c_char;
use std::mem::{size_of, MaybeUninit};

use memoom::{Alarm, Pressure};

use super::group::memoom_group;
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need};

/// How long tasks of a group have waited for memory (PSI). Begin with MEMOOM_PRESSURE_INIT.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_pressure {
    /// As an argument, sizeof(memoom_pressure).
    pub struct_size: usize,
    /// While at least one task waited: share of the last 10 seconds, in percent.
    pub some_avg10: f64,
    /// Share of the last minute, in percent.
    pub some_avg60: f64,
    /// Share of the last 5 minutes, in percent.
    pub some_avg300: f64,
    /// All the time so far, in microseconds.
    pub some_total_usec: u64,
    /// While all tasks that wanted to run waited: share of the last 10 seconds, in percent.
    pub full_avg10: f64,
    /// Share of the last minute, in percent.
    pub full_avg60: f64,
    /// Share of the last 5 minutes, in percent.
    pub full_avg300: f64,
    /// All the time so far, in microseconds.
    pub full_total_usec: u64,
}

impl Default for memoom_pressure {
    fn default() -> memoom_pressure {
        memoom_pressure::new(&Pressure::default())
    }
}

// SAFETY: repr(C), a usize first, then numbers of 8 bytes, of which every bit pattern is a value.
unsafe impl ffi::Struct for memoom_pressure {
    const NAME: &'static str = "memoom_pressure";
}

impl memoom_pressure {
    fn new(pressure: &Pressure) -> memoom_pressure {
        let Pressure { some, full, .. } = pressure;
        memoom_pressure {
            struct_size: size_of::<memoom_pressure>(),
            some_avg10: some.avg10,
            some_avg60: some.avg60,
            some_avg300: some.avg300,
            some_total_usec: some.total_usec,
            full_avg10: full.avg10,
            full_avg60: full.avg60,
            full_avg300: full.avg300,
            full_total_usec: full.total_usec,
        }
    }
}

/// How long tasks of the group have waited for memory: memory.pressure (v2).
///
/// \param group         the group
/// \param ret_pressure  where it goes: a struct that began with MEMOOM_PRESSURE_INIT
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or a struct without its size; MEMOOM_ERR_UNSUPPORTED on v1, and
/// where the kernel has no PSI or it is off; MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_pressure(
    group: Option<&memoom_group>,
    ret_pressure: *mut memoom_pressure,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_pressure", reterr_error, || {
        let group = need(group, "group")?;
        // SAFETY: the caller promises a struct of its struct_size, or NULL.
        let output = unsafe { ffi::output(ret_pressure, "ret_pressure") }?;
        output.write(&memoom_pressure::new(&group.group.pressure()?));
        Ok(())
    })
}

/// Asks the kernel for a notification: each time it comes, the watches of the group have an event of the kind "alarm". It
/// stays set until the group or the lab ends.
///
/// On v1: "threshold SIZE" (the usage crosses it) or "level low|medium|critical[,hierarchy|,local]"
/// (memory.pressure_level). On v2: "some STALL_USEC WINDOW_USEC" or "full STALL_USEC WINDOW_USEC" (memory.pressure), with a
/// window of 500,000 to 10,000,000 microseconds.
///
/// \param group         the group, made by memoom
/// \param alarm         the alarm
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, an opened group, an unknown alarm or numbers that the kernel
/// refuses; MEMOOM_ERR_UNSUPPORTED for an alarm of the other hierarchy, or where PSI is off;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_add_alarm(
    group: Option<&memoom_group>,
    alarm: *const c_char,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_add_alarm", reterr_error, || {
        let group = need(group, "group")?;
        // SAFETY: the caller promises a string.
        let alarm = ffi::utf8(unsafe { ffi::bytes(alarm, "alarm") }?, "alarm")?;
        Ok(group.group.add_alarm(&alarm.parse::<Alarm>()?)?)
    })
}

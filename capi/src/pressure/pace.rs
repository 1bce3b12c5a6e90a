//! The pace of a hog: how fast it takes its steps, and when it stops by itself.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::c_char;
use std::mem::{size_of, MaybeUninit};
use std::ptr;

use memoom::{Pace, Paced, Stop};

use super::hog::{memoom_grow, memoom_grow_status};
use super::worker::memoom_worker;
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need, Done, MEMOOM_UNCHANGED};

/// How fast a hog takes its steps, and when it stops by itself. Begin with MEMOOM_PACE_INIT: step after step, until one
/// is not whole (killed, blocked or short), which ends every pace.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_pace {
    /// sizeof(memoom_pace).
    pub struct_size: usize,
    /// Bytes in a second; MEMOOM_UNCHANGED for step after step.
    pub rate_bytes: u64,
    /// Stop when the hog holds so many bytes; MEMOOM_UNCHANGED for no such end.
    pub total_bytes: u64,
    /// Stop when so many bytes are left below the limit that has the least room; MEMOOM_UNCHANGED for no such end. The
    /// usage then stands at most 64 pages, which the kernel charges ahead, and one page of the hog's kind below that
    /// mark, and never above it.
    pub below_bytes: u64,
    /// Stop when an event of this kind (such as "notified", "victim" or "exited") happens in the hog's group or below
    /// it; NULL for no such end.
    pub until: *const c_char,
}

impl Default for memoom_pace {
    fn default() -> memoom_pace {
        memoom_pace {
            struct_size: size_of::<memoom_pace>(),
            rate_bytes: MEMOOM_UNCHANGED,
            total_bytes: MEMOOM_UNCHANGED,
            below_bytes: MEMOOM_UNCHANGED,
            until: ptr::null(),
        }
    }
}

// SAFETY: repr(C), a usize first, then integers and a pointer without padding.
unsafe impl ffi::Struct for memoom_pace {
    const NAME: &'static str = "memoom_pace";
}

/// # Safety
/// The string is NULL or ends in NUL.
unsafe fn pace_of(given: &memoom_pace) -> Done<Pace> {
    let memoom_pace { struct_size: _, rate_bytes, total_bytes, below_bytes, until } = *given;
    let some = |bytes: u64| (bytes != MEMOOM_UNCHANGED).then_some(bytes);
    // SAFETY: our caller's promise.
    let until = unsafe { ffi::maybe_bytes(until) }.map(|until| ffi::utf8(until, "pace.until")).transpose()?;
    Ok(Pace {
        rate_bytes: some(rate_bytes),
        total_bytes: some(total_bytes),
        below_bytes: some(below_bytes),
        until: until.map(str::to_string),
    })
}

/// Why a hog stopped.
pub type memoom_stop = u32;
/// For a reason that this version of the C face has no number for.
pub const MEMOOM_STOP_OTHER: memoom_stop = 0;
/// It holds the bytes that were wanted.
pub const MEMOOM_STOP_TOTAL: memoom_stop = 1;
/// It is as near to the limit as was wanted.
pub const MEMOOM_STOP_BELOW: memoom_stop = 2;
/// The event has happened.
pub const MEMOOM_STOP_EVENT: memoom_stop = 3;
/// The last step was not whole: its status says it.
pub const MEMOOM_STOP_STEP: memoom_stop = 4;

/// How a pace ended. As an argument, begin with MEMOOM_PACED_INIT.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_paced {
    /// sizeof(memoom_paced).
    pub struct_size: usize,
    /// Steps that were taken.
    pub steps: u64,
    /// Bytes that the hog holds.
    pub total_bytes: u64,
    /// Why it stopped.
    pub stop: memoom_stop,
    /// How the last step ended; 0 where there was none.
    pub status: memoom_grow_status,
    /// Why a short last step was short, as errno has it; else 0.
    pub error_number: i32,
    /// 0.
    pub reserved: u32,
}

impl Default for memoom_paced {
    fn default() -> memoom_paced {
        memoom_paced {
            struct_size: size_of::<memoom_paced>(),
            steps: 0,
            total_bytes: 0,
            stop: 0,
            status: 0,
            error_number: 0,
            reserved: 0,
        }
    }
}

// SAFETY: repr(C), a usize first, then integers without padding.
unsafe impl ffi::Struct for memoom_paced {
    const NAME: &'static str = "memoom_paced";
}

impl memoom_paced {
    fn new(paced: &Paced) -> memoom_paced {
        let last = paced.last.as_ref().map(memoom_grow::new).unwrap_or_default();
        memoom_paced {
            steps: paced.steps,
            total_bytes: paced.total_bytes,
            stop: match paced.stop {
                Stop::Total => MEMOOM_STOP_TOTAL,
                Stop::Below => MEMOOM_STOP_BELOW,
                Stop::Event => MEMOOM_STOP_EVENT,
                Stop::Step => MEMOOM_STOP_STEP,
                _ => MEMOOM_STOP_OTHER,
            },
            status: last.status,
            error_number: last.error_number,
            ..memoom_paced::default()
        }
    }
}

/// Has a hog take steps at a pace until one of its ends is reached.
///
/// \param worker        the hog
/// \param pace          how fast, and until when; NULL for MEMOOM_PACE_INIT
/// \param timeout_ns    how long it may take, or MEMOOM_FOREVER
/// \param ret_paced     where the answer goes: a struct that began with MEMOOM_PACED_INIT
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_hog_grow; MEMOOM_ERR_INVALID_INPUT also for a rate of 0, an event that does not exist, or a hog of
/// the kind file without an end; MEMOOM_ERR_TIMED_OUT where no end was reached in time: the hog stands still then,
/// unless a step goes on.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_hog_pace(
    worker: Option<&memoom_worker>,
    pace: *const memoom_pace,
    timeout_ns: u64,
    ret_paced: *mut memoom_paced,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_hog_pace", reterr_error, || {
        let hog = need(worker, "worker")?.as_hog()?;
        // SAFETY: the caller promises options of their struct_size, or NULL, with a string; and a struct of its size.
        let (pace, output) = unsafe { (pace_of(&ffi::options(pace)?)?, ffi::output(ret_paced, "ret_paced")?) };
        output.write(&memoom_paced::new(&hog.pace(&pace, ffi::wait(timeout_ns))?));
        Ok(())
    })
}

//! A ticker: a worker that takes no memory and says that it is alive.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::c_char;
use std::mem::{size_of, MaybeUninit};
use std::ptr;
use std::time::Duration;

use memoom::TickerOptions;

use super::hog::score;
use super::worker::memoom_worker;
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need, Done};
use crate::memcg::group::memoom_group;

/// What a new ticker may be told. Begin with MEMOOM_TICKER_OPTIONS_INIT: "ticker", once a second.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_ticker_options {
    /// sizeof(memoom_ticker_options).
    pub struct_size: usize,
    /// Its name, as the kernel shows it (comm): 1 to 15 bytes of UTF-8; NULL for "ticker".
    pub name: *const c_char,
    /// The period in nanoseconds.
    pub every_ns: u64,
    /// Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE.
    pub oom_score_adj: i32,
    /// 0.
    pub reserved: u32,
}

impl Default for memoom_ticker_options {
    fn default() -> memoom_ticker_options {
        memoom_ticker_options {
            struct_size: size_of::<memoom_ticker_options>(),
            name: ptr::null(),
            every_ns: 1_000_000_000,
            oom_score_adj: 0,
            reserved: 0,
        }
    }
}

// SAFETY: repr(C), a usize first, then a pointer and integers without padding.
unsafe impl ffi::Struct for memoom_ticker_options {
    const NAME: &'static str = "memoom_ticker_options";
}

/// # Safety
/// The name is NULL or ends in NUL.
pub(super) unsafe fn ticker_options(given: &memoom_ticker_options) -> Done<TickerOptions> {
    let memoom_ticker_options { struct_size: _, name, every_ns, oom_score_adj, reserved } = *given;
    if reserved != 0 {
        return Err(Failure::input("options.reserved is not 0"));
    }
    // SAFETY: our caller's promise.
    let name = unsafe { ffi::maybe_bytes(name) }.map(|name| ffi::utf8(name, "options.name")).transpose()?;
    Ok(TickerOptions {
        name: name.map_or(TickerOptions::default().name, str::to_string),
        every: Duration::from_nanos(every_ns),
        oom_score_adj: score(oom_score_adj)?,
    })
}

/// Starts a ticker: a worker that takes no memory and reports that it is alive, every so often.
///
/// \param group         the group, made by memoom
/// \param options       what it is told; NULL for MEMOOM_TICKER_OPTIONS_INIT
/// \param ret_worker    where the worker goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_hog_spawn; MEMOOM_ERR_INVALID_INPUT also for a period of 0.
/// Ownership: free the worker with memoom_worker_free; the process itself ends with the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_ticker_spawn(
    group: Option<&memoom_group>,
    options: *const memoom_ticker_options,
    ret_worker: Option<&mut MaybeUninit<Box<memoom_worker>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_ticker_spawn", reterr_error, || {
        let (group, ret_worker) = (need(group, "group")?, need(ret_worker, "ret_worker")?);
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options = unsafe { ffi::options(options) }?;
        // SAFETY: the strings of the options are the caller's promise too.
        let options = unsafe { ticker_options(&options) }?;
        ret_worker.write(memoom_worker::other(group.group.ticker_with(&options)?));
        Ok(())
    })
}

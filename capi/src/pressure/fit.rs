//! The least limit under which a command passes.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::{c_char, CString};
use std::mem::{size_of, MaybeUninit};
use std::ptr;
use std::sync::OnceLock;

use memoom::{Command, Fit, Fitted, Run};

use super::command::{command, memoom_command_options};
use super::run::{memoom_run_options, run_of};
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, known, need};

/// How the least limit of a command is looked for. Begin with MEMOOM_FIT_OPTIONS_INIT: at most 12 runs, within 2 %,
/// slowed above 10 %.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_fit_options {
    /// sizeof(memoom_fit_options).
    pub struct_size: usize,
    /// The limit of the first run in bytes; MEMOOM_UNCHANGED for four fifths of the memory that the host has free.
    pub most_bytes: u64,
    /// A command that looks at what a run left behind, outside the limit: its arguments, then NULL. A run passes where
    /// both end with 0. NULL for none.
    pub check: *const *const c_char,
    /// The most runs that are made.
    pub runs: u32,
    /// By how many thousandths the answer may lie above the largest limit that failed.
    pub within_permille: u32,
    /// By how many thousandths a run may take longer than the first before it counts as slowed.
    pub slower_permille: u32,
    /// memory.high of each run at so many thousandths of its limit (v2); 0 for none.
    pub high_permille: u32,
}

impl Default for memoom_fit_options {
    fn default() -> memoom_fit_options {
        memoom_fit_options {
            struct_size: size_of::<memoom_fit_options>(),
            most_bytes: ffi::MEMOOM_UNCHANGED,
            check: ptr::null(),
            runs: 12,
            within_permille: 20,
            slower_permille: 100,
            high_permille: 0,
        }
    }
}

// SAFETY: repr(C), a usize first, then a u64, a pointer and an even number of 32-bit integers.
unsafe impl ffi::Struct for memoom_fit_options {
    const NAME: &'static str = "memoom_fit_options";
}

/// The least limit of a command, and the runs that say so.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_fitted {
    fitted: Fitted,
    json: OnceLock<CString>,
    text: OnceLock<CString>,
}

/// Looks for the least limit under which a command passes, by runs under limits, each in a lab of its own: a search led
/// by what the runs used. Nothing runs without a limit.
///
/// \param argv          the program and its arguments, then NULL; a program without "/" is looked for in PATH
/// \param options       how each run is made, but for its limit; NULL for MEMOOM_RUN_OPTIONS_INIT. Without a timeout a
///                      run has ten times as long as the first one took, and 10 seconds
/// \param fit           how the limit is looked for; NULL for MEMOOM_FIT_OPTIONS_INIT
/// \param ret_fitted    where the answer goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also when the command fails under every limit; MEMOOM_ERR_INVALID_INPUT for NULL, 0 runs,
/// nothing within which the answer must lie, or more than 1000 of high_permille; else as memoom_run.
/// Ownership: free the answer with memoom_fitted_free.
/// Thread safety: any thread.
/// Needs: root, or a memory group that is delegated to this user.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_fit(
    argv: *const *const c_char,
    options: *const memoom_run_options,
    fit: *const memoom_fit_options,
    ret_fitted: Option<&mut MaybeUninit<Box<memoom_fitted>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_fit", reterr_error, || {
        let ret_fitted = need(ret_fitted, "ret_fitted")?;
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options: memoom_run_options = unsafe { ffi::options(options) }?;
        // SAFETY: the same.
        let memoom_fit_options {
            struct_size: _,
            most_bytes,
            check,
            runs,
            within_permille,
            slower_permille,
            high_permille,
        } = unsafe { ffi::options(fit) }?;
        // SAFETY: the lists and strings are the caller's promise too.
        let run = Run { command: unsafe { super::run::command_of(argv, &options) }?, ..unsafe { run_of(&options) }? };
        let check: Option<Command> = match check.is_null() {
            true => None,
            // SAFETY: not NULL, so the caller's promise holds.
            false => Some(unsafe { command(check, &memoom_command_options::default()) }?),
        };
        let most = (most_bytes != ffi::MEMOOM_UNCHANGED).then_some(most_bytes);
        let high_permille = (high_permille != 0).then_some(high_permille);
        let fit = Fit { check, most, runs, within_permille, slower_permille, high_permille, ..Fit::new(run) };
        let fitted = fit.fit(memoom::Wait::forever())?;
        ret_fitted.write(Box::new(memoom_fitted { fitted, json: OnceLock::new(), text: OnceLock::new() }));
        Ok(())
    })
}

/// The least limit under which the command passed, in bytes.
///
/// \param fitted  an answer, or NULL
///
/// Returns: the bytes; MEMOOM_UNKNOWN where it passed under none, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_fitted_limit_bytes(fitted: Option<&memoom_fitted>) -> u64 {
    ffi::get(fitted, ffi::MEMOOM_UNKNOWN, |it| known(it.fitted.limit_bytes))
}

/// The largest limit under which the command failed, in bytes.
///
/// \param fitted  an answer, or NULL
///
/// Returns: the bytes; MEMOOM_UNKNOWN where it failed under none, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_fitted_failed_bytes(fitted: Option<&memoom_fitted>) -> u64 {
    ffi::get(fitted, ffi::MEMOOM_UNKNOWN, |it| known(it.fitted.failed_bytes))
}

/// The least limit under which the command passed and took no longer than it may, in bytes, when every larger one that
/// was tried held that too.
///
/// \param fitted  an answer, or NULL
///
/// Returns: the bytes; MEMOOM_UNKNOWN where there is none, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_fitted_unslowed_bytes(fitted: Option<&memoom_fitted>) -> u64 {
    ffi::get(fitted, ffi::MEMOOM_UNKNOWN, |it| known(it.fitted.unslowed_bytes))
}

/// How many runs were made.
///
/// \param fitted  an answer, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_fitted_run_count(fitted: Option<&memoom_fitted>) -> usize {
    ffi::get(fitted, 0, |it| it.fitted.runs.len())
}

/// The answer as one JSON document on one line, schema "memoom.fit/1", with every run.
///
/// \param fitted  an answer, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the answer.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_fitted_to_json(fitted: Option<&memoom_fitted>) -> *const c_char {
    ffi::get(fitted, ptr::null(), |it| ffi::kept(&it.json, &|| it.fitted.to_json()))
}

/// The answer as a person reads it: the limit, how close it is, where it is not slowed, and a line for each run.
///
/// \param fitted  an answer, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the answer.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_fitted_to_text(fitted: Option<&memoom_fitted>) -> *const c_char {
    ffi::get(fitted, ptr::null(), |it| ffi::kept(&it.text, &|| it.fitted.to_text()))
}

/// Frees an answer.
///
/// \param fitted  an answer, or NULL, which does nothing
///
/// Ownership: takes the answer; its strings end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_fitted_free(fitted: Option<Box<memoom_fitted>>) {
    ffi::free(fitted);
}

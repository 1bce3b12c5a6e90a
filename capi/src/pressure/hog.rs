//! A hog: a worker that takes memory in acknowledged steps.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::{c_char, OsStr};
use std::mem::{size_of, MaybeUninit};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

use memoom::{Grow, GrowStatus, HogOptions};

use super::worker::memoom_worker;
use crate::account::oom::rows::memoom_state;
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need, Done};
use crate::memcg::group::memoom_group;

/// What a new hog may be told. Begin with MEMOOM_HOG_OPTIONS_INIT: "hog", anonymous memory, 10 MiB a step.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_hog_options {
    /// sizeof(memoom_hog_options).
    pub struct_size: usize,
    /// Its name, as the kernel shows it (comm): 1 to 15 bytes of UTF-8; NULL for "hog".
    pub name: *const c_char,
    /// The kind of memory, one of MEMOOM_KIND_...; NULL for MEMOOM_KIND_ANON.
    pub kind: *const c_char,
    /// Bytes of a step that does not say how many.
    pub step_bytes: u64,
    /// Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE.
    pub oom_score_adj: i32,
    /// 1: take a step even where it makes the kernel try without end, as every process in reach of the limit has
    /// oom_score_adj -1000. Such a step needs a timeout, and at its end the hog is killed. 0: such a step is refused.
    /// (What force_within_ns is to a command or a function, which have no steps with timeouts of their own.)
    pub force: u32,
    /// How the memory is touched, one of MEMOOM_PATTERN_...; NULL for MEMOOM_PATTERN_WRITE. A pattern that makes no
    /// difference to the kind is refused.
    pub pattern: *const c_char,
    /// For MEMOOM_KIND_FILE the directory in which its file stands, without a name; NULL for the first of the directory
    /// for temporary files, /var/tmp, the working directory and $HOME that is on a real file system.
    pub directory: *const c_char,
}

impl Default for memoom_hog_options {
    fn default() -> memoom_hog_options {
        memoom_hog_options {
            struct_size: size_of::<memoom_hog_options>(),
            name: ptr::null(),
            kind: ptr::null(),
            step_bytes: 10 << 20,
            oom_score_adj: 0,
            force: 0,
            pattern: ptr::null(),
            directory: ptr::null(),
        }
    }
}

// SAFETY: repr(C), a usize first, then pointers and integers without padding.
unsafe impl ffi::Struct for memoom_hog_options {
    const NAME: &'static str = "memoom_hog_options";
}

/// # Safety
/// The strings are NULL or end in NUL.
pub(super) unsafe fn hog_options(given: &memoom_hog_options) -> Done<HogOptions> {
    let memoom_hog_options { struct_size: _, name, kind, step_bytes, oom_score_adj, force, pattern, directory } =
        *given;
    if force > 1 {
        return Err(Failure::input(format!("options.force is neither 0 nor 1 (value {force})")));
    }
    // SAFETY: our caller's promise.
    let (name, kind, pattern, directory) = unsafe {
        (ffi::maybe_bytes(name), ffi::maybe_bytes(kind), ffi::maybe_bytes(pattern), ffi::maybe_bytes(directory))
    };
    let defaults = HogOptions::default();
    Ok(HogOptions {
        name: name.map_or(Ok(defaults.name), |name| ffi::utf8(name, "options.name").map(str::to_string))?,
        kind: match kind {
            Some(kind) => ffi::utf8(kind, "options.kind")?.parse()?,
            None => defaults.kind,
        },
        pattern: match pattern {
            Some(pattern) => ffi::utf8(pattern, "options.pattern")?.parse()?,
            None => defaults.pattern,
        },
        directory: directory.map(|path| PathBuf::from(OsStr::from_bytes(path))),
        step_bytes,
        oom_score_adj: score(oom_score_adj)?,
        force: force == 1,
    })
}

pub(crate) fn score(oom_score_adj: i32) -> Done<i16> {
    i16::try_from(oom_score_adj)
        .map_err(|_| Failure::input(format!("options.oom_score_adj is outside -1000 to 1000 (value {oom_score_adj})")))
}

/// How a step of a hog ended.
pub type memoom_grow_status = u32;
/// In a way that this version of the C face has no number for.
pub const MEMOOM_GROW_OTHER: memoom_grow_status = 0;
/// Every page of the step was taken.
pub const MEMOOM_GROW_GREW: memoom_grow_status = 1;
/// The hog was killed in the step.
pub const MEMOOM_GROW_KILLED: memoom_grow_status = 2;
/// The hog waits in the OOM of its group, as the OOM killer is off (v1).
pub const MEMOOM_GROW_BLOCKED: memoom_grow_status = 3;
/// The kernel gave less than was asked for and refused the rest in a system call: taken_bytes and error_number say so.
pub const MEMOOM_GROW_SHORT: memoom_grow_status = 4;

/// The answer to a step. As an argument, begin with MEMOOM_GROW_INIT.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_grow {
    /// sizeof(memoom_grow).
    pub struct_size: usize,
    /// Bytes of the step that were asked for.
    pub step_bytes: u64,
    /// Bytes that the hog holds by its own word: a killed or blocked step counts nothing.
    pub total_bytes: u64,
    /// How it ended.
    pub status: memoom_grow_status,
    /// The letter of the hog's state where it is blocked: 'D'; else 0. The account of the OOM has its stack.
    pub blocked_state: memoom_state,
    /// Bytes that the step took: those asked for, rounded up to whole pages (of the kind's size); fewer for a short step;
    /// 0 for one that killed or blocked the hog. Page tables and the like come on top of them.
    pub taken_bytes: u64,
    /// Why a short step was short, as errno has it; else 0.
    pub error_number: i32,
    /// 0.
    pub reserved: u32,
}

impl Default for memoom_grow {
    fn default() -> memoom_grow {
        memoom_grow {
            struct_size: size_of::<memoom_grow>(),
            step_bytes: 0,
            total_bytes: 0,
            status: 0,
            blocked_state: 0,
            taken_bytes: 0,
            error_number: 0,
            reserved: 0,
        }
    }
}

// SAFETY: repr(C), a usize first, then integers without padding.
unsafe impl ffi::Struct for memoom_grow {
    const NAME: &'static str = "memoom_grow";
}

impl memoom_grow {
    pub(crate) fn new(grow: &Grow) -> memoom_grow {
        memoom_grow {
            step_bytes: grow.step_bytes,
            total_bytes: grow.total_bytes,
            status: match grow.status {
                GrowStatus::Grew => MEMOOM_GROW_GREW,
                GrowStatus::Killed => MEMOOM_GROW_KILLED,
                GrowStatus::Blocked => MEMOOM_GROW_BLOCKED,
                GrowStatus::Short => MEMOOM_GROW_SHORT,
                _ => MEMOOM_GROW_OTHER,
            },
            blocked_state: grow.blocked.as_ref().map_or(0, |blocked| u32::from(blocked.state)),
            taken_bytes: grow.taken_bytes,
            error_number: grow.errno.unwrap_or(0),
            ..memoom_grow::default()
        }
    }
}

/// Starts a hog. It has taken no memory yet and charges at most 128 KiB to the group, or 12
/// pages where that is more.
///
/// \param group         the group, made by memoom
/// \param options       what it is told; NULL for MEMOOM_HOG_OPTIONS_INIT
/// \param ret_worker    where the worker goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the options, an opened group, or a limit below what a process
/// needs to start; MEMOOM_ERR_UNSUPPORTED where this machine lacks what the kind needs, with the remedy;
/// MEMOOM_ERR_PERMISSION_DENIED for an oom_score_adj that this process may not set;
/// MEMOOM_ERR_WORKER_GONE where it was killed before it was ready; MEMOOM_ERR_BUSY for a group that has groups below it
/// (v2); MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Ownership: free the worker with memoom_worker_free; the process itself ends with the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_hog_spawn(
    group: Option<&memoom_group>,
    options: *const memoom_hog_options,
    ret_worker: Option<&mut MaybeUninit<Box<memoom_worker>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_hog_spawn", reterr_error, || {
        let (group, ret_worker) = (need(group, "group")?, need(ret_worker, "ret_worker")?);
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options = unsafe { ffi::options(options) }?;
        // SAFETY: the strings of the options are the caller's promise too.
        let options = unsafe { hog_options(&options) }?;
        ret_worker.write(memoom_worker::hog(group.group.hog(&options)?));
        Ok(())
    })
}

/// Has a hog take one step and says how it ended. The answer is never guessed from time: blocked is proved by the
/// group's under_oom, the state D and the place of the wait.
///
/// \param worker        the hog
/// \param size_bytes    bytes of the step; MEMOOM_UNCHANGED for the hog's own step
/// \param timeout_ns    how long to wait for the answer, or MEMOOM_FOREVER
/// \param ret_grow      where the answer goes: a struct that began with MEMOOM_GROW_INIT
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also when the hog was killed or is blocked; MEMOOM_ERR_INVALID_INPUT for NULL, a worker that is
/// no hog, 0 bytes, where neither the group nor a group above it has a limit, or where nobody may be killed at the limit
/// and the hog is not forced; MEMOOM_ERR_BUSY while an earlier step goes on, also one that another thread asked for;
/// MEMOOM_ERR_WORKER_GONE; MEMOOM_ERR_OUT_OF_MEMORY, or what fits the errno, where a system call gave nothing of the step;
/// MEMOOM_ERR_TIMED_OUT: the step goes on, see memoom_hog_finish; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread; of several that step one hog each gets the answer to its own step, or MEMOOM_ERR_BUSY at once.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_hog_grow(
    worker: Option<&memoom_worker>,
    size_bytes: u64,
    timeout_ns: u64,
    ret_grow: *mut memoom_grow,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_hog_grow", reterr_error, || {
        let hog = need(worker, "worker")?.as_hog()?;
        // SAFETY: the caller promises a struct of its struct_size, or NULL.
        let output = unsafe { ffi::output(ret_grow, "ret_grow") }?;
        let size = (size_bytes != ffi::MEMOOM_UNCHANGED).then_some(size_bytes);
        output.write(&memoom_grow::new(&hog.grow(size, ffi::wait(timeout_ns))?));
        Ok(())
    })
}

/// Waits for the answer to a step that was blocked, or that was still going on at its deadline.
///
/// \param worker        the hog
/// \param timeout_ns    how long to wait for the answer, or MEMOOM_FOREVER
/// \param ret_grow      where the answer goes: a struct that began with MEMOOM_GROW_INIT
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_hog_grow; MEMOOM_ERR_INVALID_INPUT also where no step is going on.
/// Thread safety: any thread; every one that waits for the step gets its answer.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_hog_finish(
    worker: Option<&memoom_worker>,
    timeout_ns: u64,
    ret_grow: *mut memoom_grow,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_hog_finish", reterr_error, || {
        let hog = need(worker, "worker")?.as_hog()?;
        // SAFETY: the caller promises a struct of its struct_size, or NULL.
        let output = unsafe { ffi::output(ret_grow, "ret_grow") }?;
        output.write(&memoom_grow::new(&hog.finish(ffi::wait(timeout_ns))?));
        Ok(())
    })
}

/// Has a hog give back its newest memory.
///
/// \param worker        the hog
/// \param size_bytes    how much; it is rounded down to whole pages
/// \param timeout_ns    how long to wait for the answer, or MEMOOM_FOREVER
/// \param ret_bytes     where the bytes that were given back go
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or a worker that is no hog; MEMOOM_ERR_BUSY while a step goes
/// on; MEMOOM_ERR_WORKER_GONE; MEMOOM_ERR_TIMED_OUT; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_hog_shrink(
    worker: Option<&memoom_worker>,
    size_bytes: u64,
    timeout_ns: u64,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_hog_shrink", reterr_error, || {
        let (worker, ret_bytes) = (need(worker, "worker")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(worker.as_hog()?.shrink(size_bytes, ffi::wait(timeout_ns))?);
        Ok(())
    })
}

/// Bytes that a hog holds, by its own word.
///
/// \param worker  a worker, or NULL
///
/// Returns: the bytes; 0 for a worker that is no hog, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_hog_total_bytes(worker: Option<&memoom_worker>) -> u64 {
    ffi::get(worker, 0, |worker| worker.as_hog().map_or(0, |hog| hog.total_bytes()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_and_pattern_has_its_constant() {
        let header = include_str!("../../cbindgen.toml");
        let kinds = memoom::Kind::ALL.map(|kind| ("KIND", kind.name()));
        let patterns = memoom::Pattern::ALL.map(|pattern| ("PATTERN", pattern.name()));
        for (what, name) in kinds.into_iter().chain(patterns) {
            let line = format!("#define MEMOOM_{what}_{} \"{name}\"", name.to_uppercase().replace('-', "_"));
            assert!(header.contains(&line), "{line}");
        }
        assert_eq!(header.matches("#define MEMOOM_KIND_").count(), memoom::Kind::ALL.len());
        assert_eq!(header.matches("#define MEMOOM_PATTERN_").count(), memoom::Pattern::ALL.len());
    }
}

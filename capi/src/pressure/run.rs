//! The one-call entry: a command under a limit, and its outcome.
#![allow(unsafe_code)] // exported names, strings and descriptors of the caller's

use std::ffi::{c_char, OsStr};
use std::mem::{size_of, MaybeUninit};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::time::Duration;

use memoom::{Hook, LabOptions, Limits, Run, StopAtLimit};

use super::command::{command, memoom_command_options};
use crate::account::outcome::memoom_outcome;
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need, Done};
use crate::memcg::settings::{limit, memoom_switch, switch, MEMOOM_SWITCH_UNCHANGED};

/// How memoom_run runs a command and memoom_run_function a function. Begin with MEMOOM_RUN_OPTIONS_INIT: no limit, swap
/// kept out, no timeout, the rest is the caller's.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_run_options {
    /// sizeof(memoom_run_options).
    pub struct_size: usize,
    /// The hard limit: bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED.
    pub limit_bytes: u64,
    /// Swap that the command may use beyond its memory: bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED.
    pub swap_bytes: u64,
    /// The throttling limit memory.high (v2 only): bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED.
    pub high_bytes: u64,
    /// How long it may run, or MEMOOM_FOREVER; then it and all its children are killed.
    pub timeout_ns: u64,
    /// The whole environment: "NAME=VALUE" strings, then NULL. NULL for the caller's environment.
    pub env: *const *const c_char,
    /// The working directory; NULL for the caller's.
    pub cwd: *const c_char,
    /// memory.oom.group (v2 only), an OOM kill takes its children too: MEMOOM_ON, MEMOOM_OFF or MEMOOM_SWITCH_UNCHANGED.
    pub oom_group: memoom_switch,
    /// Standard input: a descriptor of the caller's, which stays the caller's, MEMOOM_FD_INHERIT or MEMOOM_FD_NULL.
    pub stdin_fd: i32,
    /// Standard output, likewise.
    pub stdout_fd: i32,
    /// Standard error, likewise.
    pub stderr_fd: i32,
    /// Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE.
    pub oom_score_adj: i32,
    /// 0.
    pub reserved: u32,
    /// A file into which everything is recorded that the accounts are made of (memoom_lab_options.record); NULL for none.
    pub record: *const c_char,
    /// A command line for /bin/sh that is run outside of the group when the limit is met, while everybody inside stands still
    /// and before anybody dies; NULL for none, "builtin" for the memory
    /// by mapping. {pid} (the predicted victim, or else who met the limit), {invoker}, {group}
    /// and {pids} are filled in, and stand in its environment too (memoom-run(1)). A line "memoom: raise SIZE" of its output
    /// raises the limit; else the kernel's choice takes its course. memoom_outcome_at_limit_at has what it wrote.
    pub at_limit: *const c_char,
    /// The room above the limit while everybody stands still: bytes, at least a page.
    pub headroom_bytes: u64,
    /// How long that command may take, or MEMOOM_FOREVER; then it and all its children are killed.
    pub at_limit_timeout_ns: u64,
    /// The limit to which it is raised after that command where it is lower, or MEMOOM_UNCHANGED.
    pub raise_bytes: u64,
}

impl Default for memoom_run_options {
    fn default() -> memoom_run_options {
        let memoom_command_options {
            struct_size: _,
            env,
            cwd,
            stdin_fd,
            stdout_fd,
            stderr_fd,
            oom_score_adj,
            force_within_ns: _, // its timeout is that
        } = memoom_command_options::default();
        memoom_run_options {
            struct_size: size_of::<memoom_run_options>(),
            limit_bytes: ffi::MEMOOM_UNCHANGED,
            swap_bytes: 0,
            high_bytes: ffi::MEMOOM_UNCHANGED,
            timeout_ns: ffi::MEMOOM_FOREVER,
            env,
            cwd,
            oom_group: MEMOOM_SWITCH_UNCHANGED,
            stdin_fd,
            stdout_fd,
            stderr_fd,
            oom_score_adj,
            reserved: 0,
            record: ptr::null(),
            at_limit: ptr::null(),
            headroom_bytes: 4 << 20,
            at_limit_timeout_ns: 60_000_000_000,
            raise_bytes: ffi::MEMOOM_UNCHANGED,
        }
    }
}

// SAFETY: repr(C), a usize first, then u64, pointers and an even number of 32-bit integers, then pointers and
// u64.
unsafe impl ffi::Struct for memoom_run_options {
    const NAME: &'static str = "memoom_run_options";
}

/// Runs a command under limits in a lab of its own, waits for its end and gives the verdict with its evidence. Whatever
/// the command leaves behind is killed then.
///
/// \code
/// const char *argv[] = {"./server", "--self-test", NULL};
/// memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
/// memoom_outcome *outcome = NULL;
/// options.limit_bytes = 80 << 20;
/// if (memoom_run(argv, &options, &outcome, NULL) == MEMOOM_OK && memoom_outcome_oom_killed(outcome))
///     fputs(memoom_oom_to_text(memoom_outcome_oom(outcome)), stderr);
/// memoom_outcome_free(outcome);
/// \endcode
///
/// \param argv          the program and its arguments, then NULL; a program without "/" is looked for in PATH
/// \param options       how it is run; NULL for MEMOOM_RUN_OPTIONS_INIT
/// \param ret_outcome   where the outcome goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also when the command failed, was OOM-killed or ran too long (that is an outcome); else as
/// memoom_lab_create, memoom_group_create and memoom_command_spawn.
/// Ownership: free the outcome with memoom_outcome_free.
/// Thread safety: any thread.
/// Needs: root, or a memory group that is delegated to this user.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_run(
    argv: *const *const c_char,
    options: *const memoom_run_options,
    ret_outcome: Option<&mut MaybeUninit<Box<memoom_outcome>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_run", reterr_error, || {
        let ret_outcome = need(ret_outcome, "ret_outcome")?;
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options: memoom_run_options = unsafe { ffi::options(options) }?;
        // SAFETY: the lists and strings are the caller's promise too.
        let run = Run { command: unsafe { command_of(argv, &options) }?, ..unsafe { run_of(&options) }? };
        ret_outcome.write(memoom_outcome::new(run.run(memoom::Wait::forever())?));
        Ok(())
    })
}

/// The command itself.
///
/// # Safety
/// As [`command`], with the lists and strings of the options.
pub(super) unsafe fn command_of(argv: *const *const c_char, options: &memoom_run_options) -> Done<memoom::Command> {
    let memoom_run_options { env, cwd, stdin_fd, stdout_fd, stderr_fd, oom_score_adj, .. } = *options;
    let rest = memoom_command_options::default();
    let own = memoom_command_options { env, cwd, stdin_fd, stdout_fd, stderr_fd, oom_score_adj, ..rest };
    // SAFETY: our caller's promise.
    unsafe { command(argv, &own) }
}

/// What is the same for commands and functions.
///
/// # Safety
/// The strings are NULL or end in NUL.
pub(crate) unsafe fn run_of(options: &memoom_run_options) -> Done<Run> {
    #[rustfmt::skip]
    let memoom_run_options {
        struct_size: _, limit_bytes, swap_bytes, high_bytes, timeout_ns, env: _, cwd: _, oom_group,
        stdin_fd: _, stdout_fd: _, stderr_fd: _, oom_score_adj: _, reserved, record,
        at_limit, headroom_bytes, at_limit_timeout_ns, raise_bytes,
    } = *options;
    if reserved != 0 {
        return Err(crate::error::Failure::input("options.reserved is not 0"));
    }
    // SAFETY: our caller's promise.
    let record = unsafe { ffi::maybe_bytes(record) };
    // SAFETY: the same.
    let at_limit = unsafe { ffi::maybe_bytes(at_limit) }.map(|text| StopAtLimit {
        headroom_bytes,
        // Centuries are for ever.
        timeout: Duration::from_nanos(at_limit_timeout_ns),
        raise_bytes: (raise_bytes != ffi::MEMOOM_UNCHANGED).then_some(raise_bytes),
        ..StopAtLimit::new(Hook::of(OsStr::from_bytes(text)))
    });
    Ok(Run {
        command: memoom::Command::default(),
        limits: Limits {
            limit: limit("options.limit_bytes", limit_bytes)?,
            swap: limit("options.swap_bytes", swap_bytes)?,
            high: limit("options.high_bytes", high_bytes)?,
            oom_group: switch("options.oom_group", oom_group)?,
            oom_killer: None,
        },
        timeout: ffi::timeout(timeout_ns),
        lab: LabOptions { record: record.map(|path| OsStr::from_bytes(path).into()), ..LabOptions::default() },
        at_limit,
    })
}

//! A command of the caller's as a worker.
#![allow(unsafe_code)] // exported names, strings and descriptors of the caller's

use std::ffi::{c_char, OsStr, OsString};
use std::mem::{size_of, MaybeUninit};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use memoom::{Command, Stdio};

use super::hog::score;
use super::worker::memoom_worker;
use crate::error::{memoom_error, memoom_status, Failure, Own};
use crate::ffi::{self, need, Done};
use crate::memcg::group::memoom_group;

/// For a standard descriptor of a command: where the caller's goes. It is not -1, which an open(2) that failed gives.
pub const MEMOOM_FD_INHERIT: i32 = -3;
/// For a standard descriptor of a command: to /dev/null.
pub const MEMOOM_FD_NULL: i32 = -2;

/// What a new command may be told beside its arguments. Begin with MEMOOM_COMMAND_OPTIONS_INIT: all is the caller's.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_command_options {
    /// sizeof(memoom_command_options).
    pub struct_size: usize,
    /// The whole environment: "NAME=VALUE" strings, then NULL. NULL for the caller's environment.
    pub env: *const *const c_char,
    /// The working directory; NULL for the caller's.
    pub cwd: *const c_char,
    /// Standard input: a descriptor of the caller's, which stays the caller's, MEMOOM_FD_INHERIT or MEMOOM_FD_NULL.
    pub stdin_fd: i32,
    /// Standard output, likewise.
    pub stdout_fd: i32,
    /// Standard error, likewise.
    pub stderr_fd: i32,
    /// Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE.
    pub oom_score_adj: i32,
    /// Nanoseconds after which it is killed, whatever the caller does by then; with it, it is started even where the
    /// kernel would try without end, as every process in reach of a limit has oom_score_adj -1000. 0: never, and such a
    /// start is refused.
    pub force_within_ns: u64,
}

impl Default for memoom_command_options {
    fn default() -> memoom_command_options {
        memoom_command_options {
            struct_size: size_of::<memoom_command_options>(),
            env: ptr::null(),
            cwd: ptr::null(),
            stdin_fd: MEMOOM_FD_INHERIT,
            stdout_fd: MEMOOM_FD_INHERIT,
            stderr_fd: MEMOOM_FD_INHERIT,
            oom_score_adj: 0,
            force_within_ns: 0,
        }
    }
}

// SAFETY: repr(C), a usize first, then pointers, an even number of i32 and a u64.
unsafe impl ffi::Struct for memoom_command_options {
    const NAME: &'static str = "memoom_command_options";
}

/// The core's command of C's arguments.
///
/// # Safety
/// The lists are NULL or end in NULL; strings are NULL or end in NUL.
pub(crate) unsafe fn command(argv: *const *const c_char, options: &memoom_command_options) -> Done<Command> {
    let memoom_command_options {
        struct_size: _,
        env,
        cwd,
        stdin_fd,
        stdout_fd,
        stderr_fd,
        oom_score_adj,
        force_within_ns,
    } = *options;
    // SAFETY: our caller's promise.
    let (argv, env, cwd) = unsafe { (ffi::strings(argv), ffi::strings(env), ffi::maybe_bytes(cwd)) };
    let owned = |bytes: &[u8]| OsStr::from_bytes(bytes).to_os_string();
    Ok(Command {
        argv: need(argv, "argv")?.into_iter().map(owned).collect(),
        env: env.map(|env| env.into_iter().map(pair).collect::<Done<Vec<_>>>()).transpose()?,
        cwd: cwd.map(|cwd| PathBuf::from(owned(cwd))),
        stdio: [
            stdio("options.stdin_fd", stdin_fd)?,
            stdio("options.stdout_fd", stdout_fd)?,
            stdio("options.stderr_fd", stderr_fd)?,
        ],
        oom_score_adj: score(oom_score_adj)?,
        force_within: force_within(force_within_ns),
    })
}

/// After how long a worker is killed; 0 is never.
pub(crate) fn force_within(ns: u64) -> Option<Duration> {
    (ns != 0).then(|| Duration::from_nanos(ns))
}

/// `NAME=VALUE` as a pair.
fn pair(entry: &[u8]) -> Done<(OsString, OsString)> {
    let Some(at) = entry.iter().position(|&byte| byte == b'=') else {
        return Err(Failure::input(format!("options.env has an entry without \"=\" (value {})", ffi::escape(entry))));
    };
    let owned = |bytes: &[u8]| OsStr::from_bytes(bytes).to_os_string();
    Ok((owned(&entry[..at]), owned(&entry[at + 1..])))
}

fn stdio(parameter: &'static str, fd: i32) -> Done<Stdio> {
    match fd {
        MEMOOM_FD_INHERIT => Ok(Stdio::Inherit),
        MEMOOM_FD_NULL => Ok(Stdio::Null),
        -1 => Err(Failure::input(format!(
            "{parameter} is no descriptor (value -1, as a failed open(2) gives); remedy: look at errno where it was opened, or give MEMOOM_FD_INHERIT or MEMOOM_FD_NULL"
        ))),
        fd if fd < 0 => Err(Failure::input(format!(
            "{parameter} is no descriptor (value {fd}); remedy: give an open one, MEMOOM_FD_INHERIT or MEMOOM_FD_NULL"
        ))),
        fd => {
            // SAFETY: the caller promises that it stays open during the call; one that is not open is refused by the kernel.
            let copy = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
            copy.map(|fd| Stdio::Fd(Arc::new(fd))).map_err(|error| Own::System(parameter, error).into())
        }
    }
}

/// Starts a command in a group. It stands there before its first instruction, in the caller's process group, with
/// default signal handling and no descriptor but the three standard ones.
///
/// \param group         the group, made by memoom
/// \param argv          the program and its arguments, then NULL; a program without "/" is looked for in PATH
/// \param options       what it is told; NULL for MEMOOM_COMMAND_OPTIONS_INIT
/// \param ret_worker    where the worker goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, no argument, the options, an opened group, or an oom_score_adj
/// of -1000 where a limit has nobody else to take and options.force_within_ns is 0;
/// MEMOOM_ERR_NOT_FOUND where the program is not there and MEMOOM_ERR_PERMISSION_DENIED where it may not be run, with the
/// errno of execve(2); MEMOOM_ERR_IO also for a descriptor that is not open; for the rest as memoom_hog_spawn.
/// Ownership: free the worker with memoom_worker_free; the process itself ends with the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_command_spawn(
    group: Option<&memoom_group>,
    argv: *const *const c_char,
    options: *const memoom_command_options,
    ret_worker: Option<&mut MaybeUninit<Box<memoom_worker>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_command_spawn", reterr_error, || {
        let (group, ret_worker) = (need(group, "group")?, need(ret_worker, "ret_worker")?);
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options = unsafe { ffi::options(options) }?;
        // SAFETY: the lists and strings are the caller's promise too.
        let command = unsafe { command(argv, &options) }?;
        ret_worker.write(memoom_worker::other(group.group.command(&command)?));
        Ok(())
    })
}

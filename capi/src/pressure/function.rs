//! A function of the caller's as a worker, and the one call that runs one.
#![allow(unsafe_code)] // exported names, and a fork that calls back into C

use std::ffi::{c_char, c_void};
use std::mem::{size_of, MaybeUninit};
use std::ptr;

use memoom::Function;

use super::command::force_within;
use super::hog::score;
use super::run::{memoom_run_options, run_of};
use super::worker::memoom_worker;
use crate::account::outcome::memoom_outcome;
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need, utf8, Done};
use crate::memcg::group::memoom_group;

/// A function of the caller's that runs in a forked child, in a group. What it returns is the exit code (its low 8 bits).
///
/// The child is a copy of the process that called, as fork(2) makes it, with these differences: it stands in the group,
/// its oom_score_adj and its name are those of the options, it raises no SIGCHLD, wait(2) and waitpid(-1, ...) of the
/// caller do not see it, and handlers of pthread_atfork(3) do not run. When the function returns the child ends as with
/// _exit(2).
///
/// It may use: everything, where the caller has one thread; where it has several, what signal-safety(7) lists (malloc
/// is not on that list), and memory that was there or comes from mmap(2). Descriptors, handlers, the signal mask and the
/// process group are the caller's. It may fork and execute; what it leaves behind in the group is killed at the lab's
/// end.
///
/// It must not: use objects of memoom's other than plain results, longjmp(3) out or throw (so no assertion of a test
/// framework: return a number and assert on the outcome), or rely on buffers of stdio being written (fflush(3) would
/// write the caller's unwritten text a second time: fflush before the call, or write with dprintf(3)).
///
/// A number is all that comes back, and only its low 8 bits: 300 becomes exit status 44, and 256 becomes 0, which reads
/// as success. Whatever is more goes through memory that is shared with the child:
///
/// \code
/// struct result { size_t taken; };
///
/// static int32_t fill(void *argument)
/// {
///     struct result *result = argument;
///     volatile char *memory = malloc(64 << 20);
///     for (; memory && result->taken < 64 << 20; result->taken += 4096)
///         memory[result->taken] = 1; // killed here, the caller still reads how far it came
///     return memory ? 0 : 1;
/// }
/// struct result *result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
/// \endcode
///
/// examples/c/hand_back.c is the whole program. The page of such memory is charged to whoever touches it first: write to it
/// before the call.
///
/// The pages that it shares with the caller are not charged to the group, but they count for its score when the kernel
/// chooses a victim.
pub type memoom_function = Option<unsafe extern "C" fn(argument: *mut c_void) -> i32>;

/// What a function is told. Begin with MEMOOM_FUNCTION_OPTIONS_INIT.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_function_options {
    /// sizeof(memoom_function_options).
    pub struct_size: usize,
    /// The name of the child as the kernel shows it, 1 to 15 bytes of UTF-8; NULL for "function".
    pub name: *const c_char,
    /// Its oom_score_adj, -1000 to 1000. Below the caller's own it needs CAP_SYS_RESOURCE.
    pub oom_score_adj: i32,
    /// 0.
    pub reserved: u32,
    /// Nanoseconds after which it is killed, whatever the caller does by then; with it, it is started even where the
    /// kernel would try without end, as every process in reach of a limit has oom_score_adj -1000. 0: never, and such a
    /// start is refused.
    pub force_within_ns: u64,
}

impl Default for memoom_function_options {
    fn default() -> memoom_function_options {
        memoom_function_options {
            struct_size: size_of::<memoom_function_options>(),
            name: ptr::null(),
            oom_score_adj: 0,
            reserved: 0,
            force_within_ns: 0,
        }
    }
}

// SAFETY: repr(C), a usize first, then a pointer, two 32-bit integers and a u64.
unsafe impl ffi::Struct for memoom_function_options {
    const NAME: &'static str = "memoom_function_options";
}

/// An argument on its way through the fork; only the child looks at it.
fn body(function: memoom_function, argument: *mut c_void) -> Done<impl FnOnce() -> i32> {
    let function = need(function, "function")?;
    // SAFETY: the caller promises a function that may be called with this argument in a forked child.
    Ok(move || unsafe { function(argument) })
}

/// Runs a function in a forked child that stands in a group. It begins there: nothing that it does is charged elsewhere.
///
/// \param group         the group, made by memoom
/// \param function      what runs; see memoom_function for what it may use
/// \param argument      what it is given; NULL is passed on
/// \param options       what it is told; NULL for MEMOOM_FUNCTION_OPTIONS_INIT
/// \param ret_worker    where the worker goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the options or an opened group; MEMOOM_ERR_WORKER_GONE where
/// the child ended before the function began; for the rest as memoom_hog_spawn.
/// Ownership: free the worker with memoom_worker_free; the process itself ends with the lab. Its zombie, which only
/// memoom sees, is reaped by the next call that looks at the lab, at the latest by the one that closes it.
/// Thread safety: any thread; in a process with several, see memoom_function.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_function_spawn(
    group: Option<&memoom_group>,
    function: memoom_function,
    argument: *mut c_void,
    options: *const memoom_function_options,
    ret_worker: Option<&mut MaybeUninit<Box<memoom_worker>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_function_spawn", reterr_error, || {
        let (group, ret_worker) = (need(group, "group")?, need(ret_worker, "ret_worker")?);
        let body = body(function, argument)?;
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options = unsafe { ffi::options(options) }?;
        let memoom_function_options { struct_size: _, name, oom_score_adj, reserved, force_within_ns } = options;
        if reserved != 0 {
            return Err(Failure::input("options.reserved is not 0"));
        }
        let mut function = Function {
            oom_score_adj: score(oom_score_adj)?,
            force_within: force_within(force_within_ns),
            ..Function::default()
        };
        // SAFETY: the string is the caller's promise too.
        if let Some(name) = unsafe { ffi::maybe_bytes(name) } {
            function.name = utf8(name, "options.name")?.to_string();
        }
        // SAFETY: the comment of memoom_function is what the caller promises.
        ret_worker.write(memoom_worker::other(unsafe { group.group.function(&function, body) }?));
        Ok(())
    })
}

/// Runs a function in a forked child under limits, in a lab of its own, waits for its end and gives the verdict with
/// its evidence. Whatever it leaves behind is killed then, and no child is left.
///
/// \code
/// static int32_t fill(void *argument)
/// {
///     size_t bytes = *(size_t *)argument, at;
///     volatile char *memory = malloc(bytes); // volatile: a compiler may leave out what nobody reads
///     for (at = 0; memory && at < bytes; at += 4096)
///         memory[at] = 1;
///     return memory ? 0 : 1;
/// }
/// size_t bytes = 200 << 20;
/// memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
/// memoom_outcome *outcome = NULL;
/// options.limit_bytes = 80 << 20;
/// if (memoom_run_function(fill, &bytes, &options, &outcome, NULL) == MEMOOM_OK && memoom_outcome_oom_killed(outcome))
///     fputs(memoom_oom_to_text(memoom_outcome_oom(outcome)), stderr);
/// memoom_outcome_free(outcome);
/// \endcode
///
/// \param function      what runs; see memoom_function for what it may use
/// \param argument      what it is given; NULL is passed on
/// \param options       how it is run; NULL for MEMOOM_RUN_OPTIONS_INIT. What is for commands alone must be as the _INIT
///                      has it: env, cwd and the three descriptors
/// \param ret_outcome   where the outcome goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also when the function gave a number other than 0, was OOM-killed or ran too long (that is an
/// outcome); else as memoom_lab_create, memoom_group_create and memoom_function_spawn.
/// Ownership: free the outcome with memoom_outcome_free.
/// Thread safety: any thread; in a process with several, see memoom_function.
/// Needs: root, or a memory group that is delegated to this user.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_run_function(
    function: memoom_function,
    argument: *mut c_void,
    options: *const memoom_run_options,
    ret_outcome: Option<&mut MaybeUninit<Box<memoom_outcome>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_run_function", reterr_error, || {
        let (body, ret_outcome) = (body(function, argument)?, need(ret_outcome, "ret_outcome")?);
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options: memoom_run_options = unsafe { ffi::options(options) }?;
        let defaults = memoom_run_options::default();
        let fds = |options: &memoom_run_options| [options.stdin_fd, options.stdout_fd, options.stderr_fd];
        if !options.env.is_null() || !options.cwd.is_null() || fds(&options) != fds(&defaults) {
            return Err(Failure::input(
                "options.env, cwd, stdin_fd, stdout_fd and stderr_fd are for commands; remedy: leave them as the _INIT has them, and let the function change what it needs",
            ));
        }
        let function = Function { oom_score_adj: score(options.oom_score_adj)?, ..Function::default() };
        // SAFETY: the strings of the options are the caller's promise too.
        let run = unsafe { run_of(&options) }?;
        // SAFETY: the comment of memoom_function is what the caller promises.
        let outcome = unsafe { run.function(memoom::Wait::forever(), &function, body) }?;
        ret_outcome.write(memoom_outcome::new(outcome));
        Ok(())
    })
}

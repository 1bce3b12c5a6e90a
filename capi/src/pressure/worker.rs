//! A worker: one process in a group, how it is told to end, and how it ended.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, CString};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;

use memoom::{Hog, Worker};

use crate::account::oom::rows::memoom_state;
use crate::account::outcome::memoom_outcome;
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need, text, Done};

/// One process in a group: a hog, a ticker or a command.
///
/// Thread safety: calls may come from any thread at any time, except memoom_worker_free. After a fork the child must not
/// use it.
pub struct memoom_worker {
    role: Role,
    name: CString,
}

enum Role {
    Hog(Hog),
    Other(Worker),
}

impl memoom_worker {
    pub(crate) fn hog(hog: Hog) -> Box<memoom_worker> {
        Box::new(memoom_worker { name: text(hog.name()), role: Role::Hog(hog) })
    }

    pub(crate) fn other(worker: Worker) -> Box<memoom_worker> {
        Box::new(memoom_worker { name: text(worker.name()), role: Role::Other(worker) })
    }

    pub(crate) fn worker(&self) -> &Worker {
        match &self.role {
            Role::Hog(hog) => hog.worker(),
            Role::Other(worker) => worker,
        }
    }

    /// It as a hog, for what only hogs can.
    pub(crate) fn as_hog(&self) -> Done<&Hog> {
        match &self.role {
            Role::Hog(hog) => Ok(hog),
            Role::Other(_) => Err(Failure::input("the worker is no hog; remedy: start one with memoom_hog_spawn")),
        }
    }
}

/// The pid of a worker, in the pid namespace of this process. It stays the same after the worker has ended.
///
/// \param worker  a worker, or NULL
///
/// Returns: the pid; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_worker_pid(worker: Option<&memoom_worker>) -> i32 {
    ffi::get(worker, 0, |worker| worker.worker().pid())
}

/// The name of a worker, as the kernel shows it (comm), escaped.
///
/// \param worker  a worker, or NULL
///
/// Returns: the name; NULL for NULL.
/// Ownership: borrowed from the worker.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_worker_name(worker: Option<&memoom_worker>) -> *const c_char {
    ffi::get(worker, ptr::null(), |worker| worker.name.as_ptr())
}

/// A descriptor of the process that becomes readable at its end (pidfd_open(2)).
///
/// \param worker  a worker, or NULL
///
/// Returns: the descriptor; -1 for NULL.
/// Ownership: borrowed from the worker: do not close it.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_worker_pidfd(worker: Option<&memoom_worker>) -> i32 {
    ffi::get(worker, -1, |worker| worker.worker().pidfd().as_raw_fd())
}

/// Whether a worker has ended.
///
/// \param worker  a worker, or NULL
///
/// Returns: 1 or 0; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_worker_ended(worker: Option<&memoom_worker>) -> u32 {
    ffi::get(worker, 0, |worker| u32::from(worker.worker().ended()))
}

/// How often a ticker has reported that it is alive.
///
/// \param worker  a worker, or NULL
///
/// Returns: the number; 0 for a worker that is no ticker, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_worker_ticks(worker: Option<&memoom_worker>) -> u64 {
    ffi::get(worker, 0, |worker| worker.worker().ticks())
}

/// The state of a worker now.
///
/// \param worker        the worker
/// \param ret_state     where the letter goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_PERMISSION_DENIED where /proc hides the process;
/// MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Needs: /proc.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_worker_state(
    worker: Option<&memoom_worker>,
    ret_state: Option<&mut MaybeUninit<memoom_state>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_worker_state", reterr_error, || {
        let (worker, ret_state) = (need(worker, "worker")?, need(ret_state, "ret_state")?);
        // The letters are ASCII.
        ret_state.write(u32::from(worker.worker().state()?));
        Ok(())
    })
}

/// Sends a signal to a worker. One that has ended is left alone.
///
/// \param worker        the worker
/// \param signal        the number of the signal
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or a number that is no signal; MEMOOM_ERR_PERMISSION_DENIED
/// where the process has changed its user; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_worker_signal(
    worker: Option<&memoom_worker>,
    signal: i32,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_worker_signal", reterr_error, || Ok(need(worker, "worker")?.worker().signal(signal)?))
}

/// Passes on to a worker a signal that this process was sent, as a handler with SA_SIGINFO, sigwaitinfo(2) or a signalfd
/// tells it: where that ends the worker, memoom_outcome_killed_by names the sender. Not for a signal handler.
///
/// \param worker        the worker
/// \param signal        the number of the signal, si_signo
/// \param pid           who sent it, si_pid; 0 for one that this pid namespace does not have
/// \param uid           whose process that is, si_uid
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_worker_signal.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_worker_pass_on(
    worker: Option<&memoom_worker>,
    signal: i32,
    pid: i32,
    uid: u32,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_worker_pass_on", reterr_error, || {
        Ok(need(worker, "worker")?.worker().pass_on(signal, pid, uid)?)
    })
}

/// Sends SIGKILL to a worker. One that has ended is left alone.
///
/// \param worker        the worker
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_PERMISSION_DENIED where the process has changed its
/// user; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_worker_kill(
    worker: Option<&memoom_worker>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_worker_kill", reterr_error, || Ok(need(worker, "worker")?.worker().kill()?))
}

/// Waits for the end of a worker and gives the verdict, with the account of every OOM of its group while it lived.
///
/// It can be asked any number of times. A signal handler of the caller's does not end the wait.
///
/// \param worker        the worker
/// \param timeout_ns    how long to wait, or MEMOOM_FOREVER
/// \param ret_outcome   where the outcome goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_TIMED_OUT when it still runs at the deadline; MEMOOM_ERR_INVALID_INPUT for NULL;
/// MEMOOM_ERR_CLOSED where the lab was closed; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Ownership: free the outcome with memoom_outcome_free; it lives on without the worker.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_worker_wait(
    worker: Option<&memoom_worker>,
    timeout_ns: u64,
    ret_outcome: Option<&mut MaybeUninit<Box<memoom_outcome>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_worker_wait", reterr_error, || {
        let (worker, ret_outcome) = (need(worker, "worker")?, need(ret_outcome, "ret_outcome")?);
        ret_outcome.write(memoom_outcome::new(worker.worker().wait(ffi::wait(timeout_ns))?));
        Ok(())
    })
}

/// Frees the object of a worker. The process goes on until it ends, is killed, or its lab is closed.
///
/// \param worker  a worker, or NULL, which does nothing
///
/// Ownership: takes the object; its name and its pidfd end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_worker_free(worker: Option<Box<memoom_worker>>) {
    ffi::free(worker);
}

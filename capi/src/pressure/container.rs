//! A container of a pod: what runs in it, how it is started again, and its resize in place.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::c_char;
use std::mem::{size_of, MaybeUninit};
use std::ptr;

use memoom::{Container, ContainerKind, ContainerOptions, Limit};

use super::command::{command, memoom_command_options};
use super::hog::{hog_options, memoom_hog_options};
use super::pod::{memoom_pod, yes};
use super::ticker::{memoom_ticker_options, ticker_options};
use super::worker::memoom_worker;
use crate::account::outcome::memoom_outcome;
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, known, need, Done};
use crate::memcg::group::memoom_group;
use crate::memcg::settings::{limit, memoom_switch, switch, MEMOOM_SWITCH_UNCHANGED};

/// What a new container may be told. Begin with MEMOOM_CONTAINER_OPTIONS_INIT: an app container without limit and request.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_container_options {
    /// sizeof(memoom_container_options).
    pub struct_size: usize,
    /// Its limit: bytes or MEMOOM_UNLIMITED.
    pub limit_bytes: u64,
    /// The memory that it requests: bytes, or MEMOOM_UNCHANGED for as much as its limit. It is not enforced: the class of the
    /// pod and oom_score_adj follow from it.
    pub request_bytes: u64,
    /// Swap that it may use beyond its memory: bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED. 0 makes an OOM come at the limit
    /// and nowhere else.
    pub swap_bytes: u64,
    /// When it runs, one of MEMOOM_CONTAINER_...; NULL for MEMOOM_CONTAINER_APP.
    pub kind: *const c_char,
    /// memory.oom.group (v2 only), an OOM kill takes the whole container: MEMOOM_ON, MEMOOM_OFF, or MEMOOM_SWITCH_UNCHANGED for
    /// as the pod has it.
    pub oom_group: memoom_switch,
    /// 0.
    pub reserved: u32,
}

impl Default for memoom_container_options {
    fn default() -> memoom_container_options {
        memoom_container_options {
            struct_size: size_of::<memoom_container_options>(),
            limit_bytes: ffi::MEMOOM_UNLIMITED,
            request_bytes: ffi::MEMOOM_UNCHANGED,
            swap_bytes: 0,
            kind: ptr::null(),
            oom_group: MEMOOM_SWITCH_UNCHANGED,
            reserved: 0,
        }
    }
}

// SAFETY: repr(C), a usize first, then u64, a pointer and two u32.
unsafe impl ffi::Struct for memoom_container_options {
    const NAME: &'static str = "memoom_container_options";
}

/// # Safety
/// The kind is NULL or ends in NUL.
unsafe fn container_options(given: &memoom_container_options) -> Done<ContainerOptions> {
    let memoom_container_options { struct_size: _, limit_bytes, request_bytes, swap_bytes, kind, oom_group, reserved } =
        *given;
    if reserved != 0 {
        return Err(Failure::input("options.reserved is not 0"));
    }
    // SAFETY: our caller's promise.
    let kind = unsafe { ffi::maybe_bytes(kind) };
    Ok(ContainerOptions {
        kind: match kind {
            Some(kind) => ffi::utf8(kind, "options.kind")?.parse()?,
            None => ContainerKind::App,
        },
        limit: limit("options.limit_bytes", limit_bytes)?.unwrap_or(Limit::Max),
        request: request("options.request_bytes", request_bytes)?,
        swap: limit("options.swap_bytes", swap_bytes)?,
        oom_group: switch("options.oom_group", oom_group)?,
    })
}

fn request(name: &'static str, bytes: u64) -> Done<Option<u64>> {
    match limit(name, bytes)? {
        None => Ok(None),
        Some(Limit::Bytes(bytes)) => Ok(Some(bytes)),
        Some(Limit::Max) => {
            Err(Failure::input(format!("{name} is MEMOOM_UNLIMITED; remedy: give bytes, or MEMOOM_UNCHANGED")))
        }
    }
}

/// A container of a pod.
///
/// Thread safety: calls may come from any thread at any time, except memoom_container_free. After a fork the child must not
/// use it.
pub struct memoom_container {
    container: Container,
    group: Box<memoom_group>,
}

/// Makes a container of a pod: a group below the pod's, with the limit, and on v2 with memory.oom.group. Nothing runs in it
/// yet. The limit of the pod, where it was not told one, follows.
///
/// \param pod            the pod
/// \param name           the name of its group, as for memoom_group_create, but required
/// \param options        what it is told; NULL for MEMOOM_CONTAINER_OPTIONS_INIT
/// \param ret_container  where the container goes
/// \param reterr_error   where the error goes on failure, or NULL
///
/// Returns: as memoom_group_create_child; MEMOOM_ERR_INVALID_INPUT also for a request above the limit; MEMOOM_ERR_BUSY also
/// where a container of the pod was started.
/// Ownership: free the container with memoom_container_free; that leaves its group and processes to the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_container_create(
    pod: Option<&memoom_pod>,
    name: *const c_char,
    options: *const memoom_container_options,
    ret_container: Option<&mut MaybeUninit<Box<memoom_container>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_container_create", reterr_error, || {
        let (pod, ret_container) = (need(pod, "pod")?, need(ret_container, "ret_container")?);
        // SAFETY: the caller promises a string.
        let name = unsafe { ffi::bytes(name, "name") }?;
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options: memoom_container_options = unsafe { ffi::options(options) }?;
        // SAFETY: the strings of the options are the caller's promise too.
        let options = unsafe { container_options(&options) }?;
        let container = pod.pod.container(name, &options)?;
        let group = memoom_group::new(container.group().clone());
        ret_container.write(Box::new(memoom_container { container, group }));
        Ok(())
    })
}

/// The group of a container.
///
/// \param container  a container, or NULL
///
/// Returns: the group; NULL for NULL.
/// Ownership: borrowed from the container: do not free it.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_container_group(container: Option<&memoom_container>) -> *const memoom_group {
    ffi::get(container, ptr::null(), |it| &raw const *it.group)
}

/// When a container runs: "app", "init" or "sidecar".
///
/// \param container  a container, or NULL
///
/// Returns: the kind; NULL for NULL.
/// Ownership: nobody's: it stays for ever.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_container_kind(container: Option<&memoom_container>) -> *const c_char {
    ffi::get(container, ptr::null(), |it| {
        let kind = match it.container.kind() {
            ContainerKind::App => c"app",
            ContainerKind::Init => c"init",
            ContainerKind::Sidecar => c"sidecar",
            _ => c"other",
        };
        kind.as_ptr()
    })
}

/// The memory that a container requests: its limit where it was told nothing.
///
/// \param container  a container, or NULL
///
/// Returns: bytes; MEMOOM_UNKNOWN where it requests nothing and has no limit, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_container_request_bytes(container: Option<&memoom_container>) -> u64 {
    ffi::get(container, ffi::MEMOOM_UNKNOWN, |it| known(it.container.request_bytes()))
}

/// The oom_score_adj of what is started in a container: what the kubelet would give, or the caller's own where that is lower
/// and may not be set (the ability lower-oom-score-adj of the host).
///
/// \param container  a container, or NULL
///
/// Returns: -1000 to 1000; MEMOOM_SCORE_UNKNOWN for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_container_oom_score_adj(container: Option<&memoom_container>) -> i32 {
    ffi::get(container, ffi::MEMOOM_SCORE_UNKNOWN, |it| i32::from(it.container.oom_score_adj()))
}

/// How often the main process of a container was started again.
///
/// \param container  a container, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_container_restarts(container: Option<&memoom_container>) -> u32 {
    ffi::get(container, 0, |it| it.container.restarts())
}

/// Starts a command in a container. The first is the main process, by whose end the container has ended; while that runs,
/// others are as if executed in it.
///
/// \param container     the container
/// \param argv          the program and its arguments, as for memoom_command_spawn
/// \param options       what it is told; NULL for MEMOOM_COMMAND_OPTIONS_INIT. An oom_score_adj of 0 is the container's
/// \param ret_worker    where the worker goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_command_spawn; MEMOOM_ERR_BUSY where an init container that was made before it has not ended with 0, or
/// a sidecar has not been started.
/// Ownership: free the worker with memoom_worker_free; the process itself ends with the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_container_spawn_command(
    container: Option<&memoom_container>,
    argv: *const *const c_char,
    options: *const memoom_command_options,
    ret_worker: Option<&mut MaybeUninit<Box<memoom_worker>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_container_spawn_command", reterr_error, || {
        let (container, ret_worker) = (need(container, "container")?, need(ret_worker, "ret_worker")?);
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options = unsafe { ffi::options(options) }?;
        // SAFETY: the lists and strings are the caller's promise too.
        let command = unsafe { command(argv, &options) }?;
        ret_worker.write(memoom_worker::other(container.container.command(&command)?));
        Ok(())
    })
}

/// Starts a hog in a container; for the rest as memoom_container_spawn_command.
///
/// \param container     the container
/// \param options       what it is told; NULL for MEMOOM_HOG_OPTIONS_INIT. An oom_score_adj of 0 is the container's
/// \param ret_worker    where the worker goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_hog_spawn; MEMOOM_ERR_BUSY as memoom_container_spawn_command.
/// Ownership: free the worker with memoom_worker_free; the process itself ends with the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_container_spawn_hog(
    container: Option<&memoom_container>,
    options: *const memoom_hog_options,
    ret_worker: Option<&mut MaybeUninit<Box<memoom_worker>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_container_spawn_hog", reterr_error, || {
        let (container, ret_worker) = (need(container, "container")?, need(ret_worker, "ret_worker")?);
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options = unsafe { ffi::options(options) }?;
        // SAFETY: the strings of the options are the caller's promise too.
        let options = unsafe { hog_options(&options) }?;
        ret_worker.write(memoom_worker::hog(container.container.hog(&options)?));
        Ok(())
    })
}

/// Starts a ticker in a container; for the rest as memoom_container_spawn_command.
///
/// \param container     the container
/// \param options       what it is told; NULL for MEMOOM_TICKER_OPTIONS_INIT. An oom_score_adj of 0 is the container's
/// \param ret_worker    where the worker goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_ticker_spawn; MEMOOM_ERR_BUSY as memoom_container_spawn_command.
/// Ownership: free the worker with memoom_worker_free; the process itself ends with the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_container_spawn_ticker(
    container: Option<&memoom_container>,
    options: *const memoom_ticker_options,
    ret_worker: Option<&mut MaybeUninit<Box<memoom_worker>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_container_spawn_ticker", reterr_error, || {
        let (container, ret_worker) = (need(container, "container")?, need(ret_worker, "ret_worker")?);
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options = unsafe { ffi::options(options) }?;
        // SAFETY: the strings of the options are the caller's promise too.
        let options = unsafe { ticker_options(&options) }?;
        ret_worker.write(memoom_worker::other(container.container.ticker(&options)?));
        Ok(())
    })
}

/// Waits for the end of the main process of a container, ends what that has left in it, and starts the same command again,
/// as the kubelet does with a sidecar, and with others by their restart policy.
///
/// \param container     the container
/// \param timeout_ns    how long to wait for the end, or MEMOOM_FOREVER
/// \param ret_outcome   where the outcome of the one that ended goes
/// \param ret_worker    where the new one goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_worker_wait and memoom_container_spawn_command; MEMOOM_ERR_INVALID_INPUT also where the main process is no
/// command.
/// Ownership: free the outcome with memoom_outcome_free and the worker with memoom_worker_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_container_restart(
    container: Option<&memoom_container>,
    timeout_ns: u64,
    ret_outcome: Option<&mut MaybeUninit<Box<memoom_outcome>>>,
    ret_worker: Option<&mut MaybeUninit<Box<memoom_worker>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_container_restart", reterr_error, || {
        let container = need(container, "container")?;
        let (ret_outcome, ret_worker) = (need(ret_outcome, "ret_outcome")?, need(ret_worker, "ret_worker")?);
        let (outcome, worker) = container.container.restart(ffi::wait(timeout_ns))?;
        ret_outcome.write(memoom_outcome::new(outcome));
        ret_worker.write(memoom_worker::other(worker));
        Ok(())
    })
}

/// Gives a container another limit, as the kubelet does in place: upwards the pod's limit first, downwards the container's.
/// What the pod was told to have at most stays. Processes that run keep their oom_score_adj.
///
/// Downwards, a limit that the usage has reached already is refused, as the kubelet refuses it from 1.34. Where it is forced,
/// it is written all the same, as before: on v2 the kernel then reclaims, and kills in the container; v1 refuses what it
/// cannot reclaim.
///
/// \param container      the container
/// \param limit_bytes    its new limit: bytes or MEMOOM_UNLIMITED
/// \param request_bytes  its new request: bytes, or MEMOOM_UNCHANGED
/// \param forced         1 to write a limit that the usage has reached; else 0
/// \param reterr_error   where the error goes on failure, or NULL
///
/// Returns: as memoom_group_set_limit; MEMOOM_ERR_BUSY also for a limit that the usage has reached; MEMOOM_ERR_INVALID_INPUT
/// for NULL, a request above the limit, and where the pod would be of another class.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_container_resize(
    container: Option<&memoom_container>,
    limit_bytes: u64,
    request_bytes: u64,
    forced: u32,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_container_resize", reterr_error, || {
        let container = need(container, "container")?;
        let Some(limit) = limit("limit_bytes", limit_bytes)? else {
            return Err(Failure::input("limit_bytes is MEMOOM_UNCHANGED; remedy: give bytes or MEMOOM_UNLIMITED"));
        };
        let request = request("request_bytes", request_bytes)?;
        Ok(container.container.resize(limit, request, yes("forced", forced)?)?)
    })
}

/// Frees a container; its group and processes end with the lab.
///
/// \param container  a container, or NULL, which does nothing
///
/// Ownership: takes the container; its group as an object ends with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_container_free(container: Option<Box<memoom_container>>) {
    ffi::free(container);
}

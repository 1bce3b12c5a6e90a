//! A pod as the kubelet lays it out: a group with a limit, the pause process, and its class.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::c_char;
use std::mem::{size_of, MaybeUninit};
use std::ptr;

use memoom::{Pod, PodOptions, Qos};

use super::worker::memoom_worker;
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need};
use crate::memcg::group::memoom_group;
use crate::memcg::lab::memoom_lab;
use crate::memcg::settings::limit;

/// What a new pod may be told. Begin with MEMOOM_POD_OPTIONS_INIT: its limit follows from its containers.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_pod_options {
    /// sizeof(memoom_pod_options).
    pub struct_size: usize,
    /// The limit of the pod: bytes, MEMOOM_UNLIMITED, or MEMOOM_UNCHANGED for what its containers may take together, and none
    /// where one of them has none.
    pub limit_bytes: u64,
    /// The memory of the node, of which a request is a share in oom_score_adj: bytes, or MEMOOM_UNCHANGED for this machine's.
    pub node_bytes: u64,
    /// 1: an OOM kill takes one process of a container, not all of them (the kubelet's singleProcessOOMKill). 0: on v2 it
    /// takes all; on v1 it always takes one.
    pub single_process_oom_kill: u32,
    /// 0.
    pub reserved: u32,
}

impl Default for memoom_pod_options {
    fn default() -> memoom_pod_options {
        memoom_pod_options {
            struct_size: size_of::<memoom_pod_options>(),
            limit_bytes: ffi::MEMOOM_UNCHANGED,
            node_bytes: ffi::MEMOOM_UNCHANGED,
            single_process_oom_kill: 0,
            reserved: 0,
        }
    }
}

// SAFETY: repr(C), a usize first, then u64 and two u32.
unsafe impl ffi::Struct for memoom_pod_options {
    const NAME: &'static str = "memoom_pod_options";
}

/// A pod as the kubelet lays it out: a group with a limit, the pause process, and a group for each container.
///
/// Thread safety: calls may come from any thread at any time, except memoom_pod_free. After a fork the child must not use
/// it.
pub struct memoom_pod {
    pub(crate) pod: Pod,
    group: Box<memoom_group>,
    pause: Box<memoom_worker>,
}

/// Makes a pod in a lab: its group, and in a group below that the pause process, which takes no memory.
///
/// Its containers are made (memoom_container_create) before the first of them is started, as they are one specification:
/// from their requests and limits follow the class of the pod, its limit and the oom_score_adj of each.
///
/// \param lab           the lab
/// \param name          the name of its group, as for memoom_group_create; NULL for one of memoom's choice
/// \param options       what it is told; NULL for MEMOOM_POD_OPTIONS_INIT
/// \param ret_pod       where the pod goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_group_create and memoom_ticker_spawn; MEMOOM_ERR_INVALID_INPUT also for a node of 0 bytes, and where
/// the memory of this machine cannot be read.
/// Ownership: free the pod with memoom_pod_free; that leaves its groups and processes to the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_pod_create(
    lab: Option<&memoom_lab>,
    name: *const c_char,
    options: *const memoom_pod_options,
    ret_pod: Option<&mut MaybeUninit<Box<memoom_pod>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_pod_create", reterr_error, || {
        let (lab, ret_pod) = (need(lab, "lab")?, need(ret_pod, "ret_pod")?);
        // SAFETY: the caller promises a string, or NULL.
        let name = unsafe { ffi::maybe_bytes(name) };
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options = unsafe { ffi::options(options) }?;
        let memoom_pod_options { struct_size: _, limit_bytes, node_bytes, single_process_oom_kill, reserved } = options;
        if reserved != 0 {
            return Err(Failure::input("options.reserved is not 0"));
        }
        let options = PodOptions {
            limit: limit("options.limit_bytes", limit_bytes)?,
            node_bytes: (node_bytes != ffi::MEMOOM_UNCHANGED).then_some(node_bytes),
            single_process_oom_kill: yes("options.single_process_oom_kill", single_process_oom_kill)?,
        };
        let pod = match name {
            Some(name) => lab.lab.pod_named(name, &options)?,
            None => lab.lab.pod(None, &options)?,
        };
        let (group, pause) = (memoom_group::new(pod.group().clone()), memoom_worker::other(pod.pause().clone()));
        ret_pod.write(Box::new(memoom_pod { pod, group, pause }));
        Ok(())
    })
}

/// A flag that is 0 or 1.
pub(super) fn yes(name: &'static str, flag: u32) -> ffi::Done<bool> {
    match flag {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::input(format!("{name} is neither 0 nor 1 (value {flag})"))),
    }
}

/// The group of a pod, which has its limit; the groups of its containers stand below it.
///
/// \param pod  a pod, or NULL
///
/// Returns: the group; NULL for NULL.
/// Ownership: borrowed from the pod: do not free it.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_pod_group(pod: Option<&memoom_pod>) -> *const memoom_group {
    ffi::get(pod, ptr::null(), |pod| &raw const *pod.group)
}

/// The pause process of a pod, in a group of its own below the pod's. It has oom_score_adj -998, or the caller's own where
/// that may not be lowered.
///
/// \param pod  a pod, or NULL
///
/// Returns: the worker; NULL for NULL.
/// Ownership: borrowed from the pod: do not free it.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_pod_pause(pod: Option<&memoom_pod>) -> *const memoom_worker {
    ffi::get(pod, ptr::null(), |pod| &raw const *pod.pause)
}

/// The quality-of-service class of a pod, by memory alone and by the containers that it has now: "guaranteed" (every container
/// has a limit, and requests as much), "besteffort" (none has a request or a limit) or "burstable".
///
/// \param pod  a pod, or NULL
///
/// Returns: the class; NULL for NULL.
/// Ownership: nobody's: it stays for ever.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_pod_qos(pod: Option<&memoom_pod>) -> *const c_char {
    ffi::get(pod, ptr::null(), |pod| {
        let class = match pod.pod.qos() {
            Qos::Guaranteed => c"guaranteed",
            Qos::Burstable => c"burstable",
            Qos::BestEffort => c"besteffort",
            _ => c"other",
        };
        class.as_ptr()
    })
}

/// Ends every process of a pod and removes its groups.
///
/// \param pod           the pod
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: as memoom_group_kill and memoom_group_remove.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_pod_remove(
    pod: Option<&memoom_pod>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_pod_remove", reterr_error, || Ok(need(pod, "pod")?.pod.remove()?))
}

/// Frees a pod; its groups and processes end with the lab, or by memoom_pod_remove.
///
/// \param pod  a pod, or NULL, which does nothing
///
/// Ownership: takes the pod; its group and its pause process as objects end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_pod_free(pod: Option<Box<memoom_pod>>) {
    ffi::free(pod);
}

//! What stands behind the path of a group: a pod, a container, a job, a unit.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::{c_char, CString};
use std::mem::MaybeUninit;
use std::ptr;

use memoom::memcg::Workload;

use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, known, need, pointer, text};

/// What a group belongs to, as the names in its path tell: a container, a pod, a batch job, a virtual machine, a systemd
/// unit, a login session, or the whole machine.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_workload {
    kind: Option<CString>,
    words: Option<CString>,
    ask: Option<CString>,
    runtime: Option<CString>,
    unit: Option<CString>,
    slice: Option<CString>,
    container_id: Option<CString>,
    pod_uid: Option<CString>,
    qos: Option<CString>,
    name: Option<CString>,
    job: Option<CString>,
    step: Option<CString>,
    session: Option<CString>,
    below: Option<CString>,
    user: Option<u32>,
}

impl memoom_workload {
    pub(crate) fn new(workload: &Workload) -> memoom_workload {
        let kept = |part: &Option<String>| part.as_ref().map(text);
        memoom_workload {
            kind: Some(text(workload.kind.name())),
            words: Some(text(&workload.words)),
            ask: kept(&workload.ask),
            runtime: workload.runtime.map(text),
            unit: kept(&workload.unit),
            slice: kept(&workload.slice),
            container_id: kept(&workload.container_id),
            pod_uid: kept(&workload.pod_uid),
            qos: workload.qos.map(text),
            name: kept(&workload.name),
            job: kept(&workload.job),
            step: kept(&workload.step),
            session: kept(&workload.session),
            below: kept(&workload.below),
            user: workload.user,
        }
    }
}

/// Tells what is behind the path of a group, as far as its names do. Nothing of the machine is asked, so a path out of the
/// log of another one will do.
///
/// \param path          the path from the top of the hierarchy, as the kernel or an account writes it
/// \param ret_workload  where the workload goes; NULL goes there where the names tell nothing
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where the names tell nothing; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_PANIC.
/// Ownership: free the workload with memoom_workload_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_workload_of(
    path: *const c_char,
    ret_workload: Option<&mut MaybeUninit<Option<Box<memoom_workload>>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_workload_of", reterr_error, || {
        // SAFETY: the caller promises a string.
        let path = unsafe { ffi::bytes(path, "path") }?;
        let ret_workload = need(ret_workload, "ret_workload")?;
        ret_workload.write(memoom::memcg::workload(path).map(|one| Box::new(memoom_workload::new(&one))));
        Ok(())
    })
}

/// What it is: "container", "pod", "pods" (all of a node, or of one quality of service), "job", "virtual-machine",
/// "service", "scope", "session", "user", "slice", "lab" (of memoom's) or "machine" (all that runs).
///
/// \param workload  a workload, or NULL
///
/// Returns: the name; NULL for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_kind(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.kind))
}

/// All of it as a phrase, such as "the containerd container 3f5e0a1b2c3d of the burstable pod 1234-...".
///
/// \param workload  a workload, or NULL
///
/// Returns: the phrase; NULL for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_words(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.words))
}

/// A command that shows more of it, on the machine itself.
///
/// \param workload  a workload, or NULL
///
/// Returns: the command; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_ask(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.ask))
}

/// What made it: "Kubernetes" for a pod; "containerd", "Docker", "CRI-O", "Podman", "LXC", "Slurm", ...
///
/// \param workload  a workload, or NULL
///
/// Returns: the name; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_runtime(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.runtime))
}

/// The systemd unit, a service or scope, as systemctl(1) takes it.
///
/// \param workload  a workload, or NULL
///
/// Returns: the unit; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_unit(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.unit))
}

/// The innermost systemd slice, as systemctl(1) takes it.
///
/// \param workload  a workload, or NULL
///
/// Returns: the slice; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_slice(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.slice))
}

/// The id of the container, as much of it as the path has.
///
/// \param workload  a workload, or NULL
///
/// Returns: the id; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_container_id(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.container_id))
}

/// The uid of the Kubernetes pod.
///
/// \param workload  a workload, or NULL
///
/// Returns: the uid; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_pod_uid(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.pod_uid))
}

/// The quality of service of the pods: "guaranteed", "burstable" or "besteffort".
///
/// \param workload  a workload, or NULL
///
/// Returns: the name; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_qos(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.qos))
}

/// The name of a container, virtual machine or application that has one in its path.
///
/// \param workload  a workload, or NULL
///
/// Returns: the name; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_name(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.name))
}

/// The id of the batch job, or of the task of an orchestrator.
///
/// \param workload  a workload, or NULL
///
/// Returns: the id; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_job(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.job))
}

/// The step of the batch job.
///
/// \param workload  a workload, or NULL
///
/// Returns: the step; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_step(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.step))
}

/// The number of the login session.
///
/// \param workload  a workload, or NULL
///
/// Returns: the number; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_session(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.session))
}

/// What the path has below it.
///
/// \param workload  a workload, or NULL
///
/// Returns: the path; NULL where the path does not tell, and for NULL.
/// Ownership: borrowed from the workload.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_below(workload: Option<&memoom_workload>) -> *const c_char {
    ffi::get(workload, ptr::null(), |workload| pointer(&workload.below))
}

/// The user whose it is.
///
/// \param workload  a workload, or NULL
///
/// Returns: the user id; MEMOOM_UNKNOWN where the path does not tell, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_user(workload: Option<&memoom_workload>) -> u64 {
    ffi::get(workload, ffi::MEMOOM_UNKNOWN, |workload| known(workload.user.map(u64::from)))
}

/// Frees a workload that memoom_workload_of gave. One that a report or an account lends goes with that.
///
/// \param workload  a workload, or NULL, which does nothing
///
/// Ownership: takes the workload; its strings end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_workload_free(workload: Option<Box<memoom_workload>>) {
    ffi::free(workload);
}

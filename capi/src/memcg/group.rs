//! The group: how it is made, opened, looked at, emptied and removed.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::{c_char, CString, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use memoom::Group;

use super::host::{memoom_cgroup_version, version_number, MEMOOM_CGROUP_NONE};
use super::lab::memoom_lab;
use super::settings::{limits, memoom_group_options};
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need, text};

/// One memory cgroup: made in a lab, or an existing one opened to be observed only.
///
/// Thread safety: calls may come from any thread at any time, except memoom_group_free. After a fork the child must not
/// use it.
pub struct memoom_group {
    pub(crate) group: Group,
    name: CString,
    path: CString,
    cgroup: CString,
}

impl memoom_group {
    pub(crate) fn new(group: Group) -> Box<memoom_group> {
        let (name, cgroup) = (text(group.name()), text(group.cgroup()));
        let path = text(group.path().as_os_str().as_bytes());
        Box::new(memoom_group { group, name, path, cgroup })
    }
}

/// Makes a group in a lab. What was made is removed again if any setting fails.
///
/// \param lab           the lab
/// \param name          its name, one path component of at most 255 bytes of any value but NUL, newline and "/"; NULL
///                      for a name of memoom's choice
/// \param options       its settings; NULL for MEMOOM_GROUP_OPTIONS_INIT
/// \param ret_group     where the group goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the name or the options; MEMOOM_ERR_ALREADY_EXISTS;
/// MEMOOM_ERR_OUT_OF_MEMORY where the limits of the lab would exceed the host's memory; MEMOOM_ERR_UNSUPPORTED for a
/// setting of the other cgroup version; MEMOOM_ERR_CLOSED; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Ownership: free the group with memoom_group_free; that leaves the cgroup itself to the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_create(
    lab: Option<&memoom_lab>,
    name: *const c_char,
    options: *const memoom_group_options,
    ret_group: Option<&mut MaybeUninit<Box<memoom_group>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_create", reterr_error, || {
        let (lab, ret_group) = (need(lab, "lab")?, need(ret_group, "ret_group")?);
        // SAFETY: the caller promises a string, or NULL.
        let name = unsafe { ffi::maybe_bytes(name) };
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let limits = limits(&unsafe { ffi::options(options) }?)?;
        let group = match name {
            Some(name) => lab.lab.group_named(name, &limits)?,
            None => lab.lab.group(None, &limits)?,
        };
        ret_group.write(memoom_group::new(group));
        Ok(())
    })
}

/// Makes a group below another. On v2 a group with processes cannot have children with the memory controller.
///
/// \param parent        the group above it, made by memoom
/// \param name          its name, as for memoom_group_create, but required
/// \param options       its settings; NULL for MEMOOM_GROUP_OPTIONS_INIT
/// \param ret_group     where the group goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_BUSY where processes stand in the parent (v2); MEMOOM_ERR_INVALID_INPUT also for a
/// parent that was opened to be observed; MEMOOM_ERR_NOT_FOUND where the parent was removed; for the rest as
/// memoom_group_create.
/// Ownership: free the group with memoom_group_free; it does not end with its parent's object.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_create_child(
    parent: Option<&memoom_group>,
    name: *const c_char,
    options: *const memoom_group_options,
    ret_group: Option<&mut MaybeUninit<Box<memoom_group>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_create_child", reterr_error, || {
        let (parent, ret_group) = (need(parent, "parent")?, need(ret_group, "ret_group")?);
        // SAFETY: the caller promises a string.
        let name = unsafe { ffi::bytes(name, "name") }?;
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let limits = limits(&unsafe { ffi::options(options) }?)?;
        ret_group.write(memoom_group::new(parent.group.child(name, &limits)?));
        Ok(())
    })
}

/// Opens an existing group, to be observed only: nothing of it is changed.
///
/// \param path          its directory, below the mount of the memory controller
/// \param ret_group     where the group goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or a directory that is no memory cgroup; MEMOOM_ERR_NOT_FOUND;
/// MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Ownership: free the group with memoom_group_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_open(
    path: *const c_char,
    ret_group: Option<&mut MaybeUninit<Box<memoom_group>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_open", reterr_error, || {
        // SAFETY: the caller promises a string.
        let path = unsafe { ffi::bytes(path, "path") }?;
        let ret_group = need(ret_group, "ret_group")?;
        ret_group.write(memoom_group::new(Group::open(OsStr::from_bytes(path))?));
        Ok(())
    })
}

/// The last component of the path of a group, escaped.
///
/// \param group  a group, or NULL
///
/// Returns: the name; NULL for NULL.
/// Ownership: borrowed from the group.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_group_name(group: Option<&memoom_group>) -> *const c_char {
    ffi::get(group, ptr::null(), |group| group.name.as_ptr())
}

/// The directory of a group.
///
/// \param group  a group, or NULL
///
/// Returns: the path, as raw bytes, so that it can be opened; NULL for NULL.
/// Ownership: borrowed from the group.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_group_path(group: Option<&memoom_group>) -> *const c_char {
    ffi::get(group, ptr::null(), |group| group.path.as_ptr())
}

/// The path of a group from the top of the hierarchy, as the kernel writes it in /proc/PID/cgroup and in reports.
///
/// \param group  a group, or NULL
///
/// Returns: the path, escaped; NULL for NULL.
/// Ownership: borrowed from the group.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_group_cgroup(group: Option<&memoom_group>) -> *const c_char {
    ffi::get(group, ptr::null(), |group| group.cgroup.as_ptr())
}

/// The hierarchy in which a group stands.
///
/// \param group  a group, or NULL
///
/// Returns: MEMOOM_CGROUP_V1 or MEMOOM_CGROUP_V2; MEMOOM_CGROUP_NONE for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_group_version(group: Option<&memoom_group>) -> memoom_cgroup_version {
    ffi::get(group, MEMOOM_CGROUP_NONE, |group| version_number(Some(group.group.version())))
}

/// The processes of a group (cgroup.procs), in the order in which the kernel scans them; those of groups below are not
/// among them.
///
/// \param group         the group
/// \param ret_pids      where the pids go, as many as fit; may be NULL where capacity is 0
/// \param capacity      how many pids fit there
/// \param ret_count     where the number of processes goes; more than capacity where not all fitted
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_processes(
    group: Option<&memoom_group>,
    ret_pids: *mut i32,
    capacity: usize,
    ret_count: Option<&mut MaybeUninit<usize>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_processes", reterr_error, || {
        let (group, ret_count) = (need(group, "group")?, need(ret_count, "ret_count")?);
        if capacity > 0 {
            need((!ret_pids.is_null()).then_some(()), "ret_pids")?;
        }
        let pids = group.group.processes()?;
        let fitting = pids.len().min(capacity);
        if fitting > 0 {
            // SAFETY: the caller promises room for `capacity` pids.
            unsafe { ptr::copy_nonoverlapping(pids.as_ptr(), ret_pids, fitting) };
        }
        ret_count.write(pids.len());
        Ok(())
    })
}

/// Ends every process of a group and of the groups below it with SIGKILL, turning a v1 OOM killer on first so that none
/// stays blocked. Returns when everybody is in the exit, also who was being forked meanwhile; for a process that the kernel
/// holds fast it waits one second.
///
/// \param group         the group, made by memoom
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group; MEMOOM_ERR_NOT_FOUND where the group was
/// removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_kill(
    group: Option<&memoom_group>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_kill", reterr_error, || Ok(need(group, "group")?.group.kill()?))
}

/// How many groups of a lab are there.
///
/// \param lab  a lab, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_lab_group_count(lab: Option<&memoom_lab>) -> usize {
    ffi::get(lab, 0, |lab| lab.lab.groups().len())
}

/// One of the groups of a lab that are there, in the order in which they were made.
///
/// \param lab           the lab
/// \param index         from 0 to memoom_lab_group_count - 1
/// \param ret_group     where the group goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or beyond the last; MEMOOM_ERR_PANIC.
/// Ownership: free the group with memoom_group_free.
/// Thread safety: any thread; a group that another thread removes between two calls moves the later ones up.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_lab_group_at(
    lab: Option<&memoom_lab>,
    index: usize,
    ret_group: Option<&mut MaybeUninit<Box<memoom_group>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_lab_group_at", reterr_error, || {
        let (lab, ret_group) = (need(lab, "lab")?, need(ret_group, "ret_group")?);
        lab.lab.check_process("get group of lab")?;
        let groups = lab.lab.groups();
        let count = groups.len();
        let beyond = || Failure::input(format!("index {index} is beyond the last of {count} groups"));
        ret_group.write(memoom_group::new(groups.into_iter().nth(index).ok_or_else(beyond)?));
        Ok(())
    })
}

/// Notes in the lab's timeline what the group uses now ("usage"), and what each process in it and below it holds
/// ("share"): the resident bytes of /proc/PID/stat and the swapped ones. A share that has not changed is not told again;
/// a process that has gone is told once, with 0.
///
/// \param group         the group, made by memoom
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group, which has no timeline;
/// MEMOOM_ERR_NOT_FOUND where it was removed; MEMOOM_ERR_PERMISSION_DENIED where /proc hides the processes;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_sample(
    group: Option<&memoom_group>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_sample", reterr_error, || Ok(need(group, "group")?.group.sample()?))
}

/// Has everything recorded that the accounts of an opened group are made of, by the next watch of it that is opened while
/// there is none: for memoom_replay. A recording that stands at the path is written over. The groups of a lab are
/// recorded together (memoom_lab_options.record).
///
/// \param group         the group, opened by its path
/// \param path          the file
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, for a group of a lab, and for a link or a file that is no
/// recording; MEMOOM_ERR_BUSY while the group is watched; MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_NOT_FOUND,
/// MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_record(
    group: Option<&memoom_group>,
    path: *const c_char,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_record", reterr_error, || {
        let group = need(group, "group")?;
        // SAFETY: the caller promises a string.
        let path = unsafe { ffi::bytes(path, "path") }?;
        Ok(group.group.record(OsStr::from_bytes(path))?)
    })
}

/// Removes a group: it must have no process and no group below it. The kernel may take a moment to let go of a process
/// that has ended; that is waited for. The object stays valid until it is freed.
///
/// \param group         the group, made by memoom
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_BUSY where processes or groups are inside (named); MEMOOM_ERR_INVALID_INPUT for NULL
/// or an opened group; MEMOOM_ERR_NOT_FOUND where it was removed before; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_remove(
    group: Option<&memoom_group>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_remove", reterr_error, || Ok(need(group, "group")?.group.remove()?))
}

/// Frees the object of a group. The cgroup stays until memoom_group_remove or the end of its lab.
///
/// \param group  a group, or NULL, which does nothing
///
/// Ownership: takes the object; its strings end with it. Workers and watches of the group live on.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_group_free(group: Option<Box<memoom_group>>) {
    ffi::free(group);
}

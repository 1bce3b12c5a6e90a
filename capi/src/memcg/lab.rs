//! The lab: one safe place for experiments, and the removal of those whose owners have died.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::{c_char, CString, OsStr};
use std::mem::{size_of, MaybeUninit};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;
use std::time::Duration;

use memoom::{Lab, LabOptions};

use super::host::{memoom_cgroup_version, version_number, MEMOOM_CGROUP_NONE};
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need, text, Done};
use crate::list::Rows;

/// In memoom_lab_options.flags: do not read the kernel log; accounts then lack the kernel's report.
pub const MEMOOM_LAB_NO_KERNEL_LOG: u64 = 1;
/// In memoom_lab_options.flags: do not trace; accounts then take the call path from the kernel's report.
pub const MEMOOM_LAB_NO_CALL_PATH: u64 = 2;

/// What a new lab may be told. Begin with MEMOOM_LAB_OPTIONS_INIT, which is right for almost everybody.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_lab_options {
    /// sizeof(memoom_lab_options).
    pub struct_size: usize,
    /// The directory below which the lab is made; NULL for memoom_host_parent.
    pub parent: *const c_char,
    /// Where the helper program may be written when the kernel forbids running it from memory (vm.memfd_noexec 2);
    /// NULL for the system's directory of temporary files.
    pub helper_dir: *const c_char,
    /// MEMOOM_LAB_ flags; 0 for none.
    pub flags: u64,
    /// How often whoever waits in the lab (for a worker, a step, an event) samples every group of it meanwhile, as
    /// memoom_group_sample does, in microseconds; 0 for never. Nobody samples while nobody waits.
    pub sample_every_usec: u64,
    /// How many events the lab keeps for its timeline and for watches that have not read them: the last ones; 0 for
    /// 16384, UINT64_MAX for all. What was forgotten is counted (memoom_timeline_forgotten_events), and told to such a
    /// watch as an event "lost".
    pub keep_events: u64,
    /// The same for accounts, which are larger; 0 for 512. A worker keeps the account of its own death all the same.
    pub keep_ooms: u64,
    /// A file into which everything is recorded that the accounts of the lab are made of, for memoom_replay: records of
    /// the kernel log, marks, counters, names and numbers of processes; NULL for none. A recording that stands there is
    /// written over; a link, or another file, is MEMOOM_ERR_INVALID_INPUT.
    pub record: *const c_char,
}

impl Default for memoom_lab_options {
    fn default() -> memoom_lab_options {
        memoom_lab_options {
            struct_size: size_of::<memoom_lab_options>(),
            parent: ptr::null(),
            helper_dir: ptr::null(),
            flags: 0,
            sample_every_usec: 0,
            keep_events: 0,
            keep_ooms: 0,
            record: ptr::null(),
        }
    }
}

// SAFETY: repr(C), a usize first, then pointers and u64.
unsafe impl ffi::Struct for memoom_lab_options {
    const NAME: &'static str = "memoom_lab_options";
}

/// One safe place for experiments: a cgroup subtree of its own and one supervisor process, a child of this process.
///
/// When the lab is closed or freed, or when this process ends in whatever way, every process, group and trace of it
/// goes. The supervisor is reaped by memoom_lab_close; a program that calls wait(-1) before may reap it instead, which
/// does no harm.
///
/// Thread safety: calls may come from any thread at any time, except memoom_lab_free. After a fork the child must not
/// use the lab (it gets MEMOOM_ERR_CLOSED); freeing its copy does no harm.
pub struct memoom_lab {
    pub(crate) lab: Lab,
    name: CString,
    path: CString,
}

/// Makes a lab.
///
/// A lab that a dead process has left in the same place is removed first.
///
/// \param options       what it is told; NULL for MEMOOM_LAB_OPTIONS_INIT
/// \param ret_lab       where the lab goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for the options; MEMOOM_ERR_UNSUPPORTED without a memory controller;
/// MEMOOM_ERR_PERMISSION_DENIED where no group may be made; MEMOOM_ERR_NOT_FOUND where the parent is no directory;
/// MEMOOM_ERR_BUSY where processes stand in it (v2); MEMOOM_ERR_IO where the supervisor cannot be started;
/// MEMOOM_ERR_PANIC.
/// Ownership: free the lab with memoom_lab_free.
/// Thread safety: any thread.
/// Needs: root, or a memory group that is delegated to this user.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_lab_create(
    options: *const memoom_lab_options,
    ret_lab: Option<&mut MaybeUninit<Box<memoom_lab>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_lab_create", reterr_error, || {
        let ret_lab = need(ret_lab, "ret_lab")?;
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let options = unsafe { ffi::options(options) }?;
        // SAFETY: the strings of the options are the caller's promise too.
        let options = unsafe { lab_options(&options) }?;
        let lab = Lab::with(&options)?;
        let (name, path) = (text(lab.name()), text(lab.path().as_os_str().as_bytes()));
        ret_lab.write(Box::new(memoom_lab { lab, name, path }));
        Ok(())
    })
}

/// # Safety
/// The strings are NULL or end in NUL.
unsafe fn lab_options(given: &memoom_lab_options) -> Done<LabOptions> {
    let memoom_lab_options {
        struct_size: _,
        parent,
        helper_dir,
        flags,
        sample_every_usec,
        keep_events,
        keep_ooms,
        record,
    } = *given;
    if flags & !(MEMOOM_LAB_NO_KERNEL_LOG | MEMOOM_LAB_NO_CALL_PATH) != 0 {
        return Err(Failure::input(format!(
            "options.flags has bits that this libmemoom does not know (value {flags:#x})"
        )));
    }
    // SAFETY: our caller's promise.
    let path = |string| unsafe { ffi::maybe_bytes(string) }.map(|bytes| PathBuf::from(OsStr::from_bytes(bytes)));
    let default = LabOptions::default();
    let kept = |given: u64, default: usize| match given {
        0 => default,
        given => usize::try_from(given).unwrap_or(usize::MAX),
    };
    Ok(LabOptions {
        parent: path(parent),
        helper_dir: path(helper_dir),
        kernel_log: flags & MEMOOM_LAB_NO_KERNEL_LOG == 0,
        call_path: flags & MEMOOM_LAB_NO_CALL_PATH == 0,
        record: path(record),
        sample_every: (sample_every_usec != 0).then(|| Duration::from_micros(sample_every_usec)),
        keep_events: kept(keep_events, default.keep_events),
        keep_ooms: kept(keep_ooms, default.keep_ooms),
    })
}

/// The name of the lab: the last component of its directory.
///
/// \param lab  a lab, or NULL
///
/// Returns: the name; NULL for NULL.
/// Ownership: borrowed from the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_lab_name(lab: Option<&memoom_lab>) -> *const c_char {
    ffi::get(lab, ptr::null(), |lab| lab.name.as_ptr())
}

/// The directory of the lab.
///
/// \param lab  a lab, or NULL
///
/// Returns: the path, as raw bytes; NULL for NULL.
/// Ownership: borrowed from the lab.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_lab_path(lab: Option<&memoom_lab>) -> *const c_char {
    ffi::get(lab, ptr::null(), |lab| lab.path.as_ptr())
}

/// The hierarchy in which the lab stands.
///
/// \param lab  a lab, or NULL
///
/// Returns: MEMOOM_CGROUP_V1 or MEMOOM_CGROUP_V2; MEMOOM_CGROUP_NONE for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_lab_version(lab: Option<&memoom_lab>) -> memoom_cgroup_version {
    ffi::get(lab, MEMOOM_CGROUP_NONE, |lab| version_number(Some(lab.lab.version())))
}

/// The process that starts, reaps and cleans up.
///
/// \param lab  a lab, or NULL
///
/// Returns: its pid; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_lab_supervisor_pid(lab: Option<&memoom_lab>) -> i32 {
    ffi::get(lab, 0, |lab| lab.lab.supervisor_pid())
}

/// Ends a lab: every worker is killed, every group and trace removed, the supervisor reaped.
///
/// Closing twice is fine. The lab, its groups and its workers stay valid objects until they are freed; what would need
/// the lab gives MEMOOM_ERR_CLOSED.
///
/// \param lab           the lab
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_TIMED_OUT or MEMOOM_ERR_BUSY where something could
/// not be removed, naming it; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_lab_close(
    lab: Option<&memoom_lab>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_lab_close", reterr_error, || Ok(need(lab, "lab")?.lab.close()?))
}

/// Frees a lab, after closing it where that was not done. What fails on the way cannot be told here: close first.
///
/// \param lab  a lab, or NULL, which does nothing
///
/// Ownership: takes the lab; its strings end with it. Its groups and workers are objects of their own.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_lab_free(lab: Option<Box<memoom_lab>>) {
    ffi::free(lab);
}

/// A lab that somebody had left behind.
///
/// Ownership: borrowed from the list.
/// Since 0.1.
#[repr(C)]
pub struct memoom_leftover {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// The directory of the lab, or the name of its trace; raw bytes.
    pub path: *const c_char,
    /// Why it was removed, or why not.
    pub reason: *const c_char,
    /// 1 where it was removed, else 0.
    pub removed: u32,
    /// 0.
    pub reserved: u32,
}

/// What memoom_gc found.
///
/// Thread safety: it never changes, so any number of threads may read it.
pub struct memoom_leftover_list(Rows<memoom_leftover>);

/// Removes the labs whose owners have died. Those of living owners are not touched, nor those of which nobody can tell
/// from here whether the owner lives (another pid namespace, a /proc that hides it), nor what another user has made under
/// such a name; the list says so of each.
///
/// \param ret_list      where the list of what was found goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where something could not be removed (the list names it); MEMOOM_ERR_INVALID_INPUT for a
/// NULL ret_list; MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Ownership: free the list with memoom_leftover_list_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_gc(
    ret_list: Option<&mut MaybeUninit<Box<memoom_leftover_list>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_gc", reterr_error, || {
        let ret_list = need(ret_list, "ret_list")?;
        ret_list.write(leftovers(&memoom::gc()?));
        Ok(())
    })
}

/// The same for the labs that were made with a parent of the caller's (memoom_lab_options.parent): they are looked for in
/// that directory, and nowhere else.
///
/// \param parent        the directory of a group
/// \param ret_list      where the list of what was found goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where something could not be removed (the list names it); MEMOOM_ERR_INVALID_INPUT for a
/// NULL argument and for a directory that is not a group of the memory controller; MEMOOM_ERR_NOT_FOUND;
/// MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Ownership: free the list with memoom_leftover_list_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_gc_below(
    parent: *const c_char,
    ret_list: Option<&mut MaybeUninit<Box<memoom_leftover_list>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_gc_below", reterr_error, || {
        let ret_list = need(ret_list, "ret_list")?;
        // SAFETY: the caller's promise, a string that lives for the call.
        let parent = unsafe { ffi::bytes(parent, "parent") }?;
        ret_list.write(leftovers(&memoom::gc_below(OsStr::from_bytes(parent))?));
        Ok(())
    })
}

fn leftovers(found: &[memoom::memcg::Leftover]) -> Box<memoom_leftover_list> {
    Box::new(memoom_leftover_list(Rows::of(found, |texts, one| memoom_leftover {
        struct_size: size_of::<memoom_leftover>(),
        path: texts.keep(one.path.as_os_str().as_bytes()),
        reason: texts.keep(&one.reason),
        removed: u32::from(one.removed),
        reserved: 0,
    })))
}

/// How many labs were found.
///
/// \param list  a list, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_leftover_list_count(list: Option<&memoom_leftover_list>) -> usize {
    ffi::get(list, 0, |list| list.0.len())
}

/// One of the labs that were found.
///
/// \param list   a list, or NULL
/// \param index  from 0 to memoom_leftover_list_count - 1
///
/// Returns: the lab that was left behind; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the list.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_leftover_list_at(list: Option<&memoom_leftover_list>, index: usize) -> *const memoom_leftover {
    ffi::get(list, ptr::null(), |list| list.0.at(index))
}

/// Frees a list.
///
/// \param list  a list, or NULL, which does nothing
///
/// Ownership: takes the list; what it holds ends with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_leftover_list_free(list: Option<Box<memoom_leftover_list>>) {
    ffi::free(list);
}

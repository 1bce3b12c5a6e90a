//! Who killed what memoom did not start, from what is still there.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::{c_char, CString, OsStr};
use std::mem::{size_of, MaybeUninit};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

use memoom::{Postmortem, PostmortemOptions, Subject};

use super::killed_by::{killed_by, memoom_killed_by};
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need, pointer, text};
use crate::list::Rows;

/// What a death is asked about by.
pub type memoom_subject = u32;
/// The last OOM kill on this machine; the name is NULL.
pub const MEMOOM_SUBJECT_LAST: memoom_subject = 0;
/// A process: the name is its pid, in digits.
pub const MEMOOM_SUBJECT_PID: memoom_subject = 1;
/// A group: the name is its directory.
pub const MEMOOM_SUBJECT_GROUP: memoom_subject = 2;
/// A systemd unit, such as "nginx.service".
pub const MEMOOM_SUBJECT_UNIT: memoom_subject = 3;
/// A container, by its id or at least four characters of its beginning.
pub const MEMOOM_SUBJECT_CONTAINER: memoom_subject = 4;
/// A pod, by its uid or at least four characters of its beginning.
pub const MEMOOM_SUBJECT_POD: memoom_subject = 5;
/// A Slurm job, or a step of one: "JOB" or "JOB.STEP".
pub const MEMOOM_SUBJECT_SLURM: memoom_subject = 6;

/// Where else to look. Begin with MEMOOM_POSTMORTEM_OPTIONS_INIT: nowhere.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_postmortem_options {
    /// sizeof(memoom_postmortem_options).
    pub struct_size: usize,
    /// The directory in which a watch keeps its record (memoom_watch_keep_record), or NULL.
    pub record: *const c_char,
    /// A saved kernel log, which is read in place of this machine's: whatever it tells of, also of another machine. NULL
    /// for this machine's.
    pub log: *const c_char,
}

impl Default for memoom_postmortem_options {
    fn default() -> memoom_postmortem_options {
        memoom_postmortem_options {
            struct_size: size_of::<memoom_postmortem_options>(),
            record: ptr::null(),
            log: ptr::null(),
        }
    }
}

// SAFETY: repr(C), a usize first, then two pointers.
unsafe impl ffi::Struct for memoom_postmortem_options {
    const NAME: &'static str = "memoom_postmortem_options";
}

/// Who killed something, as far as what is left can tell.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_postmortem {
    killed_by: Rows<memoom_killed_by>,
    limit_group: Option<CString>,
    victim_pid: i32,
    json: CString,
    text: CString,
    full_text: CString,
}

/// Names who killed what memoom did not watch, from what is still there: the kernel log, the counters of the group and
/// of those above it and, for a unit, what systemctl(1) tells, which is run for that.
///
/// \param subject         one of the MEMOOM_SUBJECT_ numbers
/// \param name            which one; NULL for MEMOOM_SUBJECT_LAST
/// \param ret_postmortem  where the answer goes
/// \param reterr_error    where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where nobody can be named (that is an answer, with the reason); MEMOOM_ERR_INVALID_INPUT for
/// an unknown subject, a name that is missing, empty or no pid, one that several have, and a directory that is no
/// group; MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_PERMISSION_DENIED or MEMOOM_ERR_IO for the directory of a group;
/// MEMOOM_ERR_PANIC.
/// Ownership: free the answer with memoom_postmortem_free.
/// Thread safety: any thread.
/// Needs: a readable kernel log (/dev/kmsg) or the group; what cannot be read is named in the answer.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_postmortem_of(
    subject: memoom_subject,
    name: *const c_char,
    ret_postmortem: Option<&mut MaybeUninit<Box<memoom_postmortem>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_postmortem_of", reterr_error, || {
        // SAFETY: the caller promises a string.
        unsafe { ask(subject, name, &PostmortemOptions::default(), ret_postmortem) }
    })
}

/// The same with the record of a watch, or with another log: then the process, the unit or the group may be long gone.
///
/// \param subject         one of the MEMOOM_SUBJECT_ numbers
/// \param name            which one; NULL for MEMOOM_SUBJECT_LAST
/// \param options         where else to look; NULL for MEMOOM_POSTMORTEM_OPTIONS_INIT
/// \param ret_postmortem  where the answer goes
/// \param reterr_error    where the error goes on failure, or NULL
///
/// Returns: as memoom_postmortem_of; also MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_PERMISSION_DENIED or MEMOOM_ERR_IO for a record
/// or a log that cannot be read.
/// Ownership: free the answer with memoom_postmortem_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_postmortem_with(
    subject: memoom_subject,
    name: *const c_char,
    options: *const memoom_postmortem_options,
    ret_postmortem: Option<&mut MaybeUninit<Box<memoom_postmortem>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_postmortem_with", reterr_error, || {
        // SAFETY: the caller promises options of their struct_size, or NULL.
        let memoom_postmortem_options { struct_size: _, record, log } = unsafe { ffi::options(options) }?;
        let path = |text: Option<&[u8]>| text.map(|text| PathBuf::from(OsStr::from_bytes(text)));
        // SAFETY: the caller promises strings.
        let options =
            unsafe { PostmortemOptions { record: path(ffi::maybe_bytes(record)), log: path(ffi::maybe_bytes(log)) } };
        // SAFETY: the same.
        unsafe { ask(subject, name, &options, ret_postmortem) }
    })
}

/// Asks, and gives the answer away.
///
/// # Safety
/// The name is NULL or a string.
unsafe fn ask(
    subject: memoom_subject,
    name: *const c_char,
    options: &PostmortemOptions,
    ret_postmortem: Option<&mut MaybeUninit<Box<memoom_postmortem>>>,
) -> ffi::Done<()> {
    let ret_postmortem = need(ret_postmortem, "ret_postmortem")?;
    let made = if subject == MEMOOM_SUBJECT_LAST {
        memoom::postmortem_with(&Subject::Last, options)?
    } else {
        // SAFETY: the caller's promise.
        let name = unsafe { ffi::bytes(name, "name") }?;
        match subject {
            MEMOOM_SUBJECT_GROUP => memoom::postmortem_of_group_with(OsStr::from_bytes(name), options)?,
            _ => memoom::postmortem_with(&named(subject, ffi::utf8(name, "name")?)?, options)?,
        }
    };
    ret_postmortem.write(memoom_postmortem::new(&made));
    Ok(())
}

/// What a name means.
pub(crate) fn named(subject: memoom_subject, name: &str) -> ffi::Done<Subject> {
    Ok(match subject {
        MEMOOM_SUBJECT_GROUP => Subject::Group(name.to_string()),
        // 0 is no pid, and is refused as such.
        MEMOOM_SUBJECT_PID => Subject::Pid(name.parse().unwrap_or(0)),
        MEMOOM_SUBJECT_UNIT => Subject::Unit(name.to_string()),
        MEMOOM_SUBJECT_CONTAINER => Subject::Container(name.to_string()),
        MEMOOM_SUBJECT_POD => Subject::Pod(name.to_string()),
        MEMOOM_SUBJECT_SLURM => Subject::slurm(name),
        _ => return Err(crate::failure::Failure::input("subject is none of the MEMOOM_SUBJECT_ numbers")),
    })
}

impl memoom_postmortem {
    fn new(made: &Postmortem) -> Box<memoom_postmortem> {
        Box::new(memoom_postmortem {
            killed_by: killed_by(Some(&made.killed_by)),
            limit_group: made.limit_group.as_ref().map(text),
            victim_pid: made.victim.as_ref().map_or(0, |victim| victim.pid),
            json: text(made.to_json()),
            text: text(made.to_text()),
            full_text: text(made.to_full_text()),
        })
    }
}

/// Who it was.
///
/// \param postmortem  an answer, or NULL
///
/// Returns: who it was, with "unknown" and the reason where nobody can be named; NULL for NULL.
/// Ownership: borrowed from the answer.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_postmortem_killed_by(postmortem: Option<&memoom_postmortem>) -> *const memoom_killed_by {
    ffi::get(postmortem, ptr::null(), |postmortem| postmortem.killed_by.at(0))
}

/// Who was killed.
///
/// \param postmortem  an answer, or NULL
///
/// Returns: the pid; 0 where no source names it, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_postmortem_victim_pid(postmortem: Option<&memoom_postmortem>) -> i32 {
    ffi::get(postmortem, 0, |postmortem| postmortem.victim_pid)
}

/// The group whose limit was hit, by the kernel's log.
///
/// \param postmortem  an answer, or NULL
///
/// Returns: the group, as the kernel writes its path; NULL where no source tells, for an OOM of the whole machine, and
/// for NULL.
/// Ownership: borrowed from the answer.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_postmortem_limit_group(postmortem: Option<&memoom_postmortem>) -> *const c_char {
    ffi::get(postmortem, ptr::null(), |postmortem| pointer(&postmortem.limit_group))
}

/// The answer as a person reads it, with the evidence.
///
/// \param postmortem  an answer, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the answer.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_postmortem_to_text(postmortem: Option<&memoom_postmortem>) -> *const c_char {
    ffi::get(postmortem, ptr::null(), |postmortem| postmortem.text.as_ptr())
}

/// The same with what the kernel reported.
///
/// \param postmortem  an answer, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the answer.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_postmortem_to_full_text(postmortem: Option<&memoom_postmortem>) -> *const c_char {
    ffi::get(postmortem, ptr::null(), |postmortem| postmortem.full_text.as_ptr())
}

/// The answer as one JSON document ("memoom.postmortem/1").
///
/// \param postmortem  an answer, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the answer.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_postmortem_to_json(postmortem: Option<&memoom_postmortem>) -> *const c_char {
    ffi::get(postmortem, ptr::null(), |postmortem| postmortem.json.as_ptr())
}

/// Frees an answer.
///
/// \param postmortem  an answer, or NULL, which does nothing
///
/// Ownership: takes the answer; its strings end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_postmortem_free(postmortem: Option<Box<memoom_postmortem>>) {
    ffi::free(postmortem);
}

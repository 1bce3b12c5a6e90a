//! A watch: the pollable stream of what happens in a group.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

use memoom::{Subject, Watch};

use super::event::memoom_event;
use crate::account::oom::memoom_oom;
use crate::account::postmortem::{memoom_subject, named, MEMOOM_SUBJECT_LAST};
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need};
use crate::memcg::group::memoom_group;
use crate::memcg::settings::{memoom_switch, switch_of};

/// A pollable stream of the events of a group and of the groups below it, from the moment it was opened.
///
/// Several watches of one group see the same events, each in its own time.
///
/// Thread safety: calls may come from any thread, except memoom_watch_free; a call that waits makes other calls on the
/// same watch wait too. After a fork the child must not use it.
pub struct memoom_watch {
    watch: Mutex<Watch>,
    fd: RawFd,
}

impl memoom_watch {
    fn of(watch: Watch) -> Box<memoom_watch> {
        let fd = watch.as_fd().as_raw_fd();
        Box::new(memoom_watch { watch: Mutex::new(watch), fd })
    }
}

/// Opens a watch. Open it before the workers start, so that it sees everything.
///
/// \param group         the group; one that was opened by path will do
/// \param ret_watch     where the watch goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where a source of events cannot be had (each account names it); MEMOOM_ERR_INVALID_INPUT for
/// NULL; MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Ownership: free the watch with memoom_watch_free; it lives on without the object of its group.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_watch_open(
    group: Option<&memoom_group>,
    ret_watch: Option<&mut MaybeUninit<Box<memoom_watch>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_watch_open", reterr_error, || {
        let (group, ret_watch) = (need(group, "group")?, need(ret_watch, "ret_watch")?);
        ret_watch.write(memoom_watch::of(group.group.watch()?));
        Ok(())
    })
}

/// Opens a watch of a group and of all groups below it.
///
/// The counters and notifications of the groups below are read too, also of those that are made later, so that an OOM in
/// one of them is accounted for as if it were watched itself. In a lab this is what memoom_watch_open does.
///
/// \param group         the group; one that was opened by path will do
/// \param ret_watch     where the watch goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where a source of events cannot be had (each account names it); MEMOOM_ERR_INVALID_INPUT for
/// NULL; MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO where the directories cannot be
/// listened to (fs.inotify.max_user_watches); MEMOOM_ERR_PANIC.
/// Ownership: free the watch with memoom_watch_free; it lives on without the object of its group.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_watch_open_recursive(
    group: Option<&memoom_group>,
    ret_watch: Option<&mut MaybeUninit<Box<memoom_watch>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_watch_open_recursive", reterr_error, || {
        let (group, ret_watch) = (need(group, "group")?, need(ret_watch, "ret_watch")?);
        ret_watch.write(memoom_watch::of(group.group.watch_recursive()?));
        Ok(())
    })
}

/// Opens a watch of all groups that a subject means, and of all below them: those that are there and those that are made
/// later, so that a unit or a container may be watched before it is started.
///
/// A container may also be named as its runtime does, a pod as "NAME" or "NAMESPACE/NAME", where the state of the runtime
/// or of the kubelet can be read.
///
/// \param subject       one of the MEMOOM_SUBJECT_ numbers; MEMOOM_SUBJECT_LAST is all groups of this machine
/// \param name          which one; NULL for MEMOOM_SUBJECT_LAST. Of MEMOOM_SUBJECT_GROUP the path from the top of the
///                      hierarchy, as the kernel writes it
/// \param ret_watch     where the watch goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where a source of events cannot be had (each account names it); MEMOOM_ERR_INVALID_INPUT for
/// an unknown subject, a name that is missing or empty, and for a pid; MEMOOM_ERR_UNSUPPORTED without a memory controller;
/// MEMOOM_ERR_IO where the directories cannot be listened to (fs.inotify.max_user_watches); MEMOOM_ERR_PANIC.
/// Ownership: free the watch with memoom_watch_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_watch_open_of(
    subject: memoom_subject,
    name: *const c_char,
    ret_watch: Option<&mut MaybeUninit<Box<memoom_watch>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_watch_open_of", reterr_error, || {
        let ret_watch = need(ret_watch, "ret_watch")?;
        let subject = match subject {
            MEMOOM_SUBJECT_LAST => Subject::Last,
            _ => {
                // SAFETY: the caller promises a string.
                let name = ffi::utf8(unsafe { ffi::bytes(name, "name") }?, "name")?;
                named(subject, name)?
            }
        };
        ret_watch.write(memoom_watch::of(memoom::watch_of(&subject)?));
        Ok(())
    })
}

/// Whether a group is there that the watch is of: what has a name may be watched before it is started.
///
/// \param watch         the watch
/// \param ret_on        where MEMOOM_ON or MEMOOM_OFF goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_CLOSED; MEMOOM_ERR_PANIC.
/// Thread safety: any thread; see memoom_watch.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_watch_has_groups(
    watch: Option<&memoom_watch>,
    ret_on: Option<&mut MaybeUninit<memoom_switch>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_watch_has_groups", reterr_error, || {
        let (watch, ret_on) = (need(watch, "watch")?, need(ret_on, "ret_on")?);
        let watch = watch.watch.lock().unwrap_or_else(PoisonError::into_inner);
        ret_on.write(switch_of(watch.has_groups()?));
        Ok(())
    })
}

/// The descriptor to poll for reading: it is readable when memoom_watch_next or memoom_watch_wait_oom may have
/// something.
///
/// Other records of the kernel log make it readable too: call memoom_watch_next with a timeout of 0 until it gives no
/// event.
///
/// \param watch  a watch, or NULL
///
/// Returns: the descriptor; -1 for NULL.
/// Ownership: borrowed from the watch: do not read from it and do not close it.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_watch_fd(watch: Option<&memoom_watch>) -> i32 {
    ffi::get(watch, -1, |watch| watch.fd)
}

/// The next event.
///
/// \param watch         the watch
/// \param timeout_ns    how long to wait, 0 to look only, or MEMOOM_FOREVER
/// \param ret_event     where the event goes; NULL goes there where none came by the deadline
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where none came; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Ownership: free the event with memoom_event_free.
/// Thread safety: any thread; see memoom_watch.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_watch_next(
    watch: Option<&memoom_watch>,
    timeout_ns: u64,
    ret_event: Option<&mut MaybeUninit<Option<Box<memoom_event>>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_watch_next", reterr_error, || {
        let (watch, ret_event) = (need(watch, "watch")?, need(ret_event, "ret_event")?);
        let mut watch = watch.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let event = watch.next(ffi::wait(timeout_ns))?;
        ret_event.write(event.map(|event| Box::new(memoom_event::new(event))));
        Ok(())
    })
}

/// The account of the next OOM of the group, of a group below it, or of a group above it that struck here.
///
/// The events that are passed over meanwhile can still be had from memoom_watch_next.
///
/// \param watch         the watch
/// \param timeout_ns    how long to wait, 0 to look only, or MEMOOM_FOREVER
/// \param ret_oom       where the account goes; NULL goes there where none came by the deadline
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where none came; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Ownership: free the account with memoom_oom_free.
/// Thread safety: any thread; see memoom_watch.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_watch_wait_oom(
    watch: Option<&memoom_watch>,
    timeout_ns: u64,
    ret_oom: Option<&mut MaybeUninit<Option<Box<memoom_oom>>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_watch_wait_oom", reterr_error, || {
        let (watch, ret_oom) = (need(watch, "watch")?, need(ret_oom, "ret_oom")?);
        let mut watch = watch.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let oom = watch.wait_oom(ffi::wait(timeout_ns))?;
        ret_oom.write(oom.map(|oom| Box::new(memoom_oom::new(oom))));
        Ok(())
    })
}

/// Keeps a record in a directory of whatever dies from now on: each death by a signal and each account that this watch
/// gives is on the disk before it is given, the oldest going first. It is what memoom_postmortem_with reads, also after a
/// restart of the machine.
///
/// From then on memoom_watch_next and memoom_watch_wait_oom give MEMOOM_ERR_IO for what could not be written.
///
/// \param watch         the watch
/// \param directory     where; it is made, for its owner alone, where it is not there
/// \param most_bytes    the most bytes it takes in all, at least 65536
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL and fewer bytes; MEMOOM_ERR_PERMISSION_DENIED where others may write
/// to the directory; MEMOOM_ERR_BUSY where another watch does; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread; see memoom_watch.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_watch_keep_record(
    watch: Option<&memoom_watch>,
    directory: *const c_char,
    most_bytes: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_watch_keep_record", reterr_error, || {
        let watch = need(watch, "watch")?;
        // SAFETY: the caller promises a string.
        let directory = OsStr::from_bytes(unsafe { ffi::bytes(directory, "directory") }?);
        let mut watch = watch.watch.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(watch.keep_record(directory, most_bytes)?)
    })
}

/// Closes and frees a watch.
///
/// \param watch  a watch, or NULL, which does nothing
///
/// Ownership: takes the watch; its descriptor ends with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_watch_free(watch: Option<Box<memoom_watch>>) {
    ffi::free(watch);
}

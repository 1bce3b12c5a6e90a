//! A group of somebody else's: borrowed, and given back.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::{c_char, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;

use memoom::Group;

use super::group::memoom_group;
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need};

/// Borrows an existing group that this process may write: a live container, unit or job.
///
/// Hogs, tickers, commands and functions can be started in it, its limit lowered and its switches set; what else would
/// change it or end its processes is refused. All that memoom brings into it ends, and every file that was changed is put
/// back, by memoom_group_give_back, when the last object of the group and of its workers is freed, and also when this
/// process or the supervisor dies in whatever way. An OOM in it may kill whoever stands there.
///
/// \param path          its directory, below the mount of the memory controller
/// \param forced        0; or 1 to take a group that is not delegated to this process (by systemd's Delegate=yes, by its
///                      owner, or as the top of a container)
/// \param ret_group     where the group goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, a directory that is no memory cgroup, a group of a lab and the top of
/// a hierarchy; MEMOOM_ERR_NOT_FOUND; MEMOOM_ERR_PERMISSION_DENIED where it may not be written or is not delegated;
/// MEMOOM_ERR_BUSY where it has groups below it with the memory controller (v2); MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Ownership: free the group with memoom_group_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_adopt(
    path: *const c_char,
    forced: u32,
    ret_group: Option<&mut MaybeUninit<Box<memoom_group>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_adopt", reterr_error, || {
        // SAFETY: the caller promises a string.
        let path = unsafe { ffi::bytes(path, "path") }?;
        let ret_group = need(ret_group, "ret_group")?;
        ret_group.write(memoom_group::new(Group::adopt(OsStr::from_bytes(path), forced != 0)?));
        Ok(())
    })
}

/// Ends what memoom has started in a borrowed group and puts back what was changed. Twice is fine.
///
/// \param group         a group of memoom_group_adopt
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL and for a group that was not adopted; MEMOOM_ERR_BUSY or
/// MEMOOM_ERR_TIMED_OUT where something could not be ended or put back; MEMOOM_ERR_CLOSED in a forked child;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_give_back(
    group: Option<&memoom_group>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_give_back", reterr_error, || Ok(need(group, "group")?.group.give_back()?))
}

//! A filesystem reached without being attached: nobody else sees it, and it is gone when its fd is closed.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::made;

// From <linux/mount.h>; not every libc target defines them.
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;

/// Mounts `fstype` detached, without options; see [`detached_with`].
pub(crate) fn detached(fstype: &CStr) -> io::Result<OwnedFd> {
    detached_with(fstype, &[])
}

/// Mounts `fstype` detached (`fsopen`, `fsconfig`, `fsmount`; first in 5.2): the mount table of the namespace
/// stays as it is. The fd is an `O_PATH` one, for use as the directory of `openat`.
pub(crate) fn detached_with(fstype: &CStr, options: &[(&CStr, &CStr)]) -> io::Result<OwnedFd> {
    // SAFETY: fsopen reads a NUL-terminated string, which `fstype` is for the whole call.
    let context = made(unsafe { libc::syscall(libc::SYS_fsopen, fstype.as_ptr(), FSOPEN_CLOEXEC) })?;
    for (key, value) in options {
        // SAFETY: `context` is an open fd of fsopen; key and value are NUL-terminated strings for the whole call.
        let set = unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                context.as_raw_fd(),
                FSCONFIG_SET_STRING,
                key.as_ptr(),
                value.as_ptr(),
                0 as libc::c_int,
            )
        };
        if set < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: `context` is an open fd of fsopen; this command takes no key, no value and no auxiliary number.
    let done = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            std::ptr::null::<libc::c_char>(),
            std::ptr::null::<libc::c_char>(),
            0 as libc::c_int,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `context` is an open fd of fsopen; the call takes integers only.
    made(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0 as libc::c_uint) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_filesystem_is_enodev() {
        let error = detached(c"memoom-no-such-fs").expect_err("no such filesystem");
        // Without CAP_SYS_ADMIN the right is refused before the name is looked up.
        assert!(matches!(error.raw_os_error(), Some(libc::ENODEV | libc::EPERM | libc::ENOSYS)), "{error}");
    }
}

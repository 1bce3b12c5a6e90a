//! System calls that make, become and reap a process.

use super::{arch, nr, raw, Errno, AT_EMPTY_PATH, CLONE_INTO_CGROUP, CLONE_PIDFD, CLONE_VFORK, CLONE_VM, SIGCHLD};

/// A child that has ended.
pub struct Ended {
    pub pid: i32,
    pub status: i32,
    /// struct rusage: user and system time as seconds and microseconds, then the greatest size in KiB.
    pub usage: [u64; 18],
}

/// Reaps one child: the given one, waiting for it, or with -1 any that has ended.
pub fn reap(pid: i32) -> Result<Option<Ended>, Errno> {
    const WNOHANG: usize = 1;
    const WALL: usize = 0x4000_0000;
    let mut ended = Ended { pid: 0, status: 0, usage: [0; 18] };
    let options = if pid < 0 { WNOHANG | WALL } else { WALL };
    let status = &mut ended.status as *mut i32 as usize;
    // SAFETY: the kernel writes one int and one struct rusage of 144 bytes.
    let got = unsafe { raw(nr::WAIT4, pid as usize, status, options, ended.usage.as_mut_ptr() as usize, 0, 0) }?;
    ended.pid = got as i32;
    Ok((got != 0).then_some(ended))
}

/// Executes a program; comes back only with an error.
///
/// # Safety
/// `path` is NUL-terminated, `argv` and `envp` are NULL-terminated arrays of such strings.
pub unsafe fn execve(path: *const u8, argv: *const *const u8, envp: *const *const u8) -> Errno {
    // SAFETY: the caller's promise.
    match unsafe { raw(nr::EXECVE, path as usize, argv as usize, envp as usize, 0, 0, 0) } {
        Ok(_) => 0,
        Err(errno) => errno,
    }
}

/// Executes an open file; comes back only with an error.
///
/// # Safety
/// As [`execve`].
pub unsafe fn execveat(fd: i32, argv: *const *const u8, envp: *const *const u8) -> Errno {
    let path = c"".as_ptr() as usize;
    // SAFETY: the caller's promise.
    match unsafe { raw(nr::EXECVEAT, fd as usize, path, argv as usize, envp as usize, AT_EMPTY_PATH, 0) } {
        Ok(_) => 0,
        Err(errno) => errno,
    }
}

/// struct clone_args up to `cgroup` (CLONE_ARGS_SIZE_VER2).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// A child that shares this memory and runs `body(argument)` on its own stack until it executes or exits; the
/// parent sleeps until then. With `cgroup` it is born in that group (v2). Gives the pid and a pidfd.
///
/// # Safety
/// `body` must not return, must not unwind, and must leave the shared memory as the parent expects it; `stack` is
/// memory for it alone.
pub unsafe fn vfork<T>(
    body: extern "C" fn(*mut T) -> !,
    argument: *mut T,
    stack: &mut [u8],
    cgroup: Option<i32>,
) -> Result<(i32, i32), Errno> {
    let flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
    let mut pidfd: i32 = -1;
    let bottom = stack.as_mut_ptr() as usize;
    let top = (bottom + stack.len()) & !15;
    let args = CloneArgs {
        flags: (flags | CLONE_INTO_CGROUP) as u64,
        pidfd: &mut pidfd as *mut i32 as u64,
        exit_signal: SIGCHLD as u64,
        stack: bottom as u64,
        stack_size: (top - bottom) as u64,
        cgroup: cgroup.unwrap_or(0) as u64,
        ..CloneArgs::default()
    };
    let (number, a, b, c) = match cgroup {
        Some(_) => (nr::CLONE3, &args as *const CloneArgs as usize, core::mem::size_of::<CloneArgs>(), 0),
        None => (nr::CLONE, flags | SIGCHLD as usize, top, &mut pidfd as *mut i32 as usize),
    };
    // SAFETY: the child gets its own stack and, as the body does not return, never comes back from the call.
    let result = unsafe { arch::call_child(number, [a, b, c], body as usize, argument as usize) };
    if result < 0 {
        return Err(-result as Errno);
    }
    // SAFETY: the kernel wrote it behind the compiler's back.
    Ok((result as i32, unsafe { core::ptr::read_volatile(&pidfd) }))
}

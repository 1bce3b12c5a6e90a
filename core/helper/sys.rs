//! The system calls of the helper, raw: no libc, no errno variable, nothing allocated.
//!
//! Wrappers whose arguments cannot break memory safety are safe functions; the few that hand addresses to the
//! kernel or take over its answer as an address are `unsafe`.

mod file;
mod memory;
mod message;
mod net;
mod pipe;
mod process;

pub use file::*;
pub use memory::*;
pub use message::*;
pub use net::*;
pub use pipe::*;
pub use process::*;

use crate::arch::{self, nr};
pub use crate::arch::{O_DIRECTORY, O_NOFOLLOW};

/// An errno.
pub type Errno = i32;

pub const EPERM: Errno = 1;
pub const ENOENT: Errno = 2;
pub const EINTR: Errno = 4;
pub const EIO: Errno = 5;
pub const ENOEXEC: Errno = 8;
pub const ECHILD: Errno = 10;
pub const EAGAIN: Errno = 11;
pub const ENOMEM: Errno = 12;
pub const EACCES: Errno = 13;
pub const EFAULT: Errno = 14;
pub const EBUSY: Errno = 16;
pub const EEXIST: Errno = 17;
pub const EXDEV: Errno = 18;
pub const ENODEV: Errno = 19;
pub const ENOTDIR: Errno = 20;
pub const EMFILE: Errno = 24;
pub const EISDIR: Errno = 21;
pub const EINVAL: Errno = 22;
pub const ENOSYS: Errno = 38;
pub const ELOOP: Errno = 40;
pub const EPROTO: Errno = 71;
pub const ENOTSUP: Errno = 95;
pub const ENOBUFS: Errno = 105;

pub const O_RDONLY: usize = 0;
pub const O_WRONLY: usize = 1;
pub const O_RDWR: usize = 2;
pub const O_CLOEXEC: usize = 0o2_000_000;
pub const AT_FDCWD: i32 = -100;
pub const AT_EMPTY_PATH: usize = 0x1000;
const AT_REMOVEDIR: usize = 0x200;

pub const SIGKILL: usize = 9;
pub const SIGCHLD: u32 = 17;
pub const SIGXFSZ: u32 = 25;

pub const CLONE_VM: usize = 0x100;
pub const CLONE_PIDFD: usize = 0x1000;
pub const CLONE_VFORK: usize = 0x4000;
/// Linux 5.7.
pub const CLONE_INTO_CGROUP: usize = 0x2_0000_0000;

pub const POLLIN: i16 = 1;
pub const POLLOUT: i16 = 4;
pub const POLLERR: i16 = 8;
pub const POLLHUP: i16 = 16;

pub const PR_SET_PDEATHSIG: usize = 1;
pub const PR_SET_NAME: usize = 15;
pub const PR_SET_CHILD_SUBREAPER: usize = 36;
pub const PR_SET_THP_DISABLE: usize = 41;

const MSG_DONTWAIT: usize = 0x40;
const MSG_NOSIGNAL: usize = 0x4000;
const MSG_CTRUNC: i32 = 8;
const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;

/// The system call itself.
///
/// # Safety
/// The caller answers for what the kernel reads and writes at the addresses among the arguments.
#[inline(always)]
unsafe fn raw(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> Result<usize, Errno> {
    // SAFETY: the caller's promise.
    let result = unsafe { arch::call(number, [a, b, c, d, e, f]) };
    if (-4095..0).contains(&result) {
        Err(-result as Errno)
    } else {
        Ok(result as usize)
    }
}

/// For calls whose arguments are numbers only.
fn plain(number: usize, a: usize, b: usize, c: usize) -> Result<usize, Errno> {
    // SAFETY: used below only for calls that take no addresses.
    unsafe { raw(number, a, b, c, 0, 0, 0) }
}

pub fn exit(status: usize) -> ! {
    loop {
        let _ = plain(nr::EXIT_GROUP, status, 0, 0);
    }
}

pub fn getpid() -> i32 {
    plain(nr::GETPID, 0, 0, 0).unwrap_or(0) as i32
}

pub fn getppid() -> i32 {
    plain(nr::GETPPID, 0, 0, 0).unwrap_or(0) as i32
}

pub fn close(fd: i32) {
    if fd >= 0 {
        let _ = plain(nr::CLOSE, fd as usize, 0, 0);
    }
}

pub fn dup3(from: i32, to: i32, flags: usize) -> Result<(), Errno> {
    plain(nr::DUP3, from as usize, to as usize, flags).map(drop)
}

/// Marks a file descriptor close-on-exec.
pub fn cloexec(fd: i32) -> Result<(), Errno> {
    plain(nr::FCNTL, fd as usize, 2, 1).map(drop)
}

/// Closes `first` and all above it; Linux 5.9.
pub fn close_range(first: i32) -> Result<(), Errno> {
    plain(nr::CLOSE_RANGE, first as usize, u32::MAX as usize, 0).map(drop)
}

pub fn fchdir(fd: i32) -> Result<(), Errno> {
    plain(nr::FCHDIR, fd as usize, 0, 0).map(drop)
}

pub const SCHED_OTHER: usize = 0;
pub const SCHED_FIFO: usize = 1;

/// The scheduling of this process; a refusal changes nothing.
pub fn set_scheduler(policy: usize, priority: i32) {
    // SAFETY: the kernel reads the one integer, which lives for the call.
    let _ = unsafe { raw(nr::SCHED_SETSCHEDULER, 0, policy, &priority as *const i32 as usize, 0, 0, 0) };
}

/// The CPUs that this process may use; how many words of the mask the kernel filled.
pub fn affinity(mask: &mut [u64]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the length that is given.
    unsafe { raw(nr::SCHED_GETAFFINITY, 0, size_of_val(mask), mask.as_mut_ptr() as usize, 0, 0, 0) }
        .map(|bytes| bytes / 8)
}

/// Keeps this process on the CPUs of the mask; a refusal changes nothing.
pub fn set_affinity(mask: &[u64]) {
    // SAFETY: the kernel reads the mask, which lives for the call.
    let _ = unsafe { raw(nr::SCHED_SETAFFINITY, 0, size_of_val(mask), mask.as_ptr() as usize, 0, 0, 0) };
}

pub fn setpgid(pid: i32, pgid: i32) -> Result<(), Errno> {
    plain(nr::SETPGID, pid as usize, pgid as usize, 0).map(drop)
}

pub fn kill(pid: i32, signal: usize) -> Result<(), Errno> {
    plain(nr::KILL, pid as usize, signal, 0).map(drop)
}

pub fn pidfd_open(pid: i32) -> Result<i32, Errno> {
    plain(nr::PIDFD_OPEN, pid as usize, 0, 0).map(|fd| fd as i32)
}

pub fn pidfd_kill(pidfd: i32) -> Result<(), Errno> {
    // SAFETY: the third argument is the null siginfo, the fourth the flags.
    unsafe { raw(nr::PIDFD_SEND_SIGNAL, pidfd as usize, SIGKILL, 0, 0, 0, 0) }.map(drop)
}

/// A prctl whose argument is a number.
pub fn prctl(option: usize, value: usize) -> Result<(), Errno> {
    // SAFETY: used for options without addresses.
    unsafe { raw(nr::PRCTL, option, value, 0, 0, 0, 0) }.map(drop)
}

/// The name that the kernel shows for this process; `name` ends with a NUL.
pub fn set_name(name: &core::ffi::CStr) {
    // SAFETY: the kernel reads up to the NUL, at most 16 bytes.
    let _ = unsafe { raw(nr::PRCTL, PR_SET_NAME, name.as_ptr() as usize, 0, 0, 0, 0) };
}

pub fn chdir(path: &core::ffi::CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads up to the NUL.
    unsafe { raw(nr::CHDIR, path.as_ptr() as usize, 0, 0, 0, 0, 0) }.map(drop)
}

pub fn openat(directory: i32, path: &core::ffi::CStr, flags: usize) -> Result<i32, Errno> {
    // SAFETY: the kernel reads up to the NUL.
    unsafe { raw(nr::OPENAT, directory as usize, path.as_ptr() as usize, flags | O_CLOEXEC, 0, 0, 0) }
        .map(|fd| fd as i32)
}

pub fn rmdirat(directory: i32, name: &core::ffi::CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads up to the NUL.
    unsafe { raw(nr::UNLINKAT, directory as usize, name.as_ptr() as usize, AT_REMOVEDIR, 0, 0, 0) }.map(drop)
}

pub fn read(fd: i32, to: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the slice's length.
    unsafe { raw(nr::READ, fd as usize, to.as_mut_ptr() as usize, to.len(), 0, 0, 0) }
}

pub fn pread(fd: i32, to: &mut [u8], offset: usize) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the slice's length.
    unsafe { raw(nr::PREAD64, fd as usize, to.as_mut_ptr() as usize, to.len(), offset, 0, 0) }
}

pub fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel only reads the slice.
    unsafe { raw(nr::WRITE, fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0) }
}

/// Adds one to an eventfd; allocates nothing.
pub fn ring(fd: i32) -> Result<(), Errno> {
    write(fd, &1u64.to_ne_bytes()).map(drop)
}

pub fn getdents(fd: i32, to: &mut [u64]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the slice's length in bytes.
    unsafe { raw(nr::GETDENTS64, fd as usize, to.as_mut_ptr() as usize, core::mem::size_of_val(to), 0, 0, 0) }
}

/// Opens what stands in a directory under that name: no symbolic link, and nothing that is mounted over it, from wherever
/// (openat2, Linux 5.6). Where that call is not to be had, a link is refused all the same.
pub fn open_inside(directory: i32, name: &core::ffi::CStr, flags: usize) -> Result<i32, Errno> {
    const RESOLVE_NO_XDEV: u64 = 1;
    const RESOLVE_NO_SYMLINKS: u64 = 4;
    const RESOLVE_BENEATH: u64 = 8;
    // struct open_how: flags, mode, resolve.
    let resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
    let how = [(flags | O_CLOEXEC | O_NOFOLLOW) as u64, 0, resolve];
    let (path, address) = (name.as_ptr() as usize, how.as_ptr() as usize);
    // SAFETY: the kernel reads the path up to its NUL, and the three numbers.
    let opened = unsafe { raw(nr::OPENAT2, directory as usize, path, address, size_of_val(&how), 0, 0) };
    match opened {
        // A filter of system calls may answer EPERM to what it does not know.
        Err(ENOSYS | EPERM) => openat(directory, name, flags | O_NOFOLLOW),
        opened => opened.map(|fd| fd as i32),
    }
}

/// What is wanted to be known of an open file; device and inode say which one it is.
pub struct Stat {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
}

pub fn fstat(fd: i32) -> Result<Stat, Errno> {
    // struct stat of both architectures: st_dev first, then st_ino; st_size at byte 48.
    let mut stat = [0u64; 18];
    // SAFETY: the kernel fills one struct stat of 144 (x86-64) or 128 bytes (aarch64).
    unsafe { raw(nr::FSTAT, fd as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0) }?;
    Ok(Stat { device: stat[0], inode: stat[1], size: stat[6] })
}

/// CLOCK_MONOTONIC.
pub fn now_ns() -> u64 {
    let mut time = [0u64; 2];
    // SAFETY: the kernel writes one timespec.
    let _ = unsafe { raw(nr::CLOCK_GETTIME, 1, time.as_mut_ptr() as usize, 0, 0, 0, 0) };
    time[0] * 1_000_000_000 + time[1]
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Poll {
    pub fd: i32,
    pub events: i16,
    pub revents: i16,
}

/// Waits for one of the files; without a timeout for ever.
pub fn poll(files: &mut [Poll], timeout_ns: Option<u64>) -> Result<usize, Errno> {
    let time = timeout_ns.map(|ns| [ns / 1_000_000_000, ns % 1_000_000_000]);
    let address = time.as_ref().map_or(0, |time| time.as_ptr() as usize);
    // SAFETY: the kernel writes the slice's `revents` and reads (and may update) the timespec, which lives until
    // after the call; the null mask leaves the signal mask alone.
    unsafe { raw(nr::PPOLL, files.as_mut_ptr() as usize, files.len(), address, 0, 8, 0) }
}

/// Sets the signal mask.
pub fn mask(mask: u64) -> Result<(), Errno> {
    // SAFETY: the kernel reads eight bytes; SIG_SETMASK is 2.
    unsafe { raw(nr::RT_SIGPROCMASK, 2, &mask as *const u64 as usize, 0, 8, 0, 0) }.map(drop)
}

/// Gives every signal its default disposition again: an ignored one stays ignored over exec otherwise.
pub fn default_signals() {
    let action = [0u64; 4]; // SIG_DFL, no flags, no restorer, empty mask
    for signal in 1..=64 {
        // SAFETY: the kernel reads one struct sigaction; no handler is installed. SIGKILL and SIGSTOP give EINVAL.
        let _ = unsafe { raw(nr::RT_SIGACTION, signal, action.as_ptr() as usize, 0, 8, 0, 0) };
    }
}

/// A file that is readable when one of the signals is pending.
pub fn signalfd(mask: u64) -> Result<i32, Errno> {
    const SFD_NONBLOCK: usize = 0o4000;
    let flags = O_CLOEXEC | SFD_NONBLOCK;
    // SAFETY: the kernel reads eight bytes.
    unsafe { raw(nr::SIGNALFD4, usize::MAX, &mask as *const u64 as usize, 8, flags, 0, 0) }.map(|fd| fd as i32)
}

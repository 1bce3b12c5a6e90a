//! Every system call that nix does not wrap safely; with the mapping of a mailbox the only unsafe code of the core.
#![allow(unsafe_code)]

pub(crate) mod bpf;
pub(crate) mod fork;
pub(crate) mod mount;
#[cfg(test)]
mod numbers_tests;
pub(crate) mod pagecache;
pub(crate) mod perf;
pub(crate) mod room;
pub(crate) mod size;
pub(crate) mod spawn;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, TryLockError};

/// A failed system call and its name, for whoever has to allow it.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {source}")]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) source: io::Error,
}

/// The name of the system call that may fail goes with its error.
pub(crate) trait Named<T> {
    /// The same result; an error knows which call it was.
    fn named(self, name: &'static str) -> io::Result<T>;
}

impl<T, E: Into<io::Error>> Named<T> for Result<T, E> {
    fn named(self, name: &'static str) -> io::Result<T> {
        self.map_err(|error| {
            let source = error.into();
            io::Error::new(source.kind(), Call { name, source })
        })
    }
}

/// The errno of an error, also of one with the name of its call.
pub(crate) fn errno(error: &io::Error) -> Option<i32> {
    let call = error.get_ref().and_then(|inner| inner.downcast_ref::<Call>());
    call.map_or_else(|| error.raw_os_error(), |call| call.source.raw_os_error())
}

/// What a system call has returned that makes a descriptor.
fn made(returned: libc::c_long) -> io::Result<OwnedFd> {
    let number = libc::c_int::try_from(returned).unwrap_or(-1);
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A file descriptor of a process (pidfd_open, from 5.3): it never means another process, however pids are reused.
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    made(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Whether two processes have one and the same memory (kcmp(2), KCMP_VM); an error where the kernel has no such call or
/// the processes may not be looked at.
pub(crate) fn same_memory(one: i32, other: i32) -> io::Result<bool> {
    const KCMP_VM: libc::c_int = 1;
    // SAFETY: integers only; the last two are not used for memory.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_VM, 0, 0) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result == 0)
}

/// Sends a signal to the process of a pidfd (pidfd_send_signal, from 5.1).
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: integers and a null siginfo, which the call allows; the descriptor is borrowed for the call.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sends a signal to the process of a pidfd, by its pid where the call is not to be had (Valgrind does not know it)
/// and the process has not ended.
pub(crate) fn signal_process(pidfd: BorrowedFd<'_>, pid: i32, signal: i32) -> io::Result<()> {
    match pidfd_send_signal(pidfd, signal) {
        // A filter may refuse the call, as it may the right: by pid the kernel decides.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => match has_ended(pidfd) {
            true => Ok(()),
            false => signal_pid(pid, signal),
        },
        sent => sent,
    }
}

/// Whether the process of a pidfd has ended.
pub(crate) fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    let mut poll = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure of ours, which lives for the call.
    unsafe { libc::poll(&mut poll, 1, 0) > 0 }
}

/// Sends a signal by pid alone.
pub(crate) fn signal_pid(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: two integers.
    if unsafe { libc::kill(pid, signal) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sends a signal to one thread of a process (tgkill).
#[cfg(test)]
pub(crate) fn signal_thread(pid: i32, thread: i32, signal: i32) -> io::Result<()> {
    // SAFETY: three integers.
    if unsafe { libc::syscall(libc::SYS_tgkill, pid, thread, signal) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A copy of a standard descriptor of this process, which ends with an execve; an error where it is closed. One that ends
/// with an execve itself is closed for whoever is executed: it may be a file that the caller, or we, opened when the number
/// was free.
pub(crate) fn standard(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: integers only.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: integers only.
    made(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) }.into())
}

/// The size of a page in bytes.
pub(crate) fn page_size() -> u64 {
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}

/// What sysinfo(2) says.
fn info() -> io::Result<libc::sysinfo> {
    // SAFETY: the structure is plain data, ours, and filled by the kernel.
    unsafe {
        let mut info: libc::sysinfo = std::mem::zeroed();
        if libc::sysinfo(&raw mut info) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(info)
    }
}

/// Bytes of memory that are free, and bytes of swap that are on, as the kernel says without /proc (sysinfo(2)).
pub(crate) fn memory() -> io::Result<(u64, u64)> {
    let info = info()?;
    let unit = u64::from(info.mem_unit);
    Ok(((info.freeram + info.bufferram) * unit, info.totalswap * unit))
}

/// Bytes of swap that are on, and bytes of it that are free (sysinfo(2)).
pub(crate) fn swap() -> io::Result<(u64, u64)> {
    let info = info()?;
    let unit = u64::from(info.mem_unit);
    Ok((info.totalswap * unit, info.freeswap * unit))
}

/// The kernel release, as it is without /proc (uname(2)).
pub(crate) fn release() -> String {
    // SAFETY: the structure is plain data, ours, and filled by the kernel with a text that ends with NUL.
    unsafe {
        let mut names: libc::utsname = std::mem::zeroed();
        libc::uname(&raw mut names);
        std::ffi::CStr::from_ptr(names.release.as_ptr()).to_string_lossy().into_owned()
    }
}

/// The unit in which /proc gives times (USER_HZ), a hundred on every machine of ours.
pub(crate) fn ticks_per_second() -> i64 {
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 {
        ticks
    } else {
        100
    }
}

/// A file about this process that /proc keeps for each thread. The name is that of the calling thread (`thread-self`, from
/// 3.17): once the first thread of a process has ended, `self` has no mounts, namespaces and descriptors any more.
pub(crate) fn own_proc(file: &str) -> std::path::PathBuf {
    std::path::Path::new("/proc/thread-self").join(file)
}

/// What a process keeps for later, unless another thread is there at this moment: in a forked child that one may hold the
/// lock for ever, as it does not exist.
pub(crate) fn kept<T>(place: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match place.try_lock() {
        Ok(place) => Some(place),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A number that nobody else has got at the same time (getrandom(2)).
pub(crate) fn random() -> u32 {
    let mut bytes = [0u8; 4];
    // SAFETY: four bytes of ours, which live for the call.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    // Refused where a filter knows no such call: then the clock serves.
    if got == 4 {
        u32::from_ne_bytes(bytes)
    } else {
        monotonic_ns() as u32
    }
}

/// How many CPUs may hold pages that the kernel has charged in advance.
pub(crate) fn online_cpus() -> u64 {
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u64::try_from(count).unwrap_or(1)
}

/// The time of CLOCK_MONOTONIC in nanoseconds: the clock of every event.
pub(crate) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours and lives for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CLOCK_REALTIME in nanoseconds; 0 before 1970.
pub(crate) fn realtime_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// An extended attribute of a file; `None` where it has none of that name.
pub(crate) fn xattr(path: &std::path::Path, name: &std::ffi::CStr) -> io::Result<Option<Vec<u8>>> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    let mut value = [0u8; 256];
    // SAFETY: both strings end in NUL, and the buffer is as long as is said.
    let got = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    match usize::try_from(got) {
        Ok(length) => Ok(Some(value[..length].to_vec())),
        Err(_) => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENODATA) => Ok(None),
            error => Err(error),
        },
    }
}

/// CPU time of this thread in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours and lives for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

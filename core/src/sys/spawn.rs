//! Starting the supervisor, and receiving file descriptors from it.
//!
//! The child shares this process's memory until it executes (`CLONE_VM | CLONE_VFORK`): nothing is copied, however
//! large the caller is, and no fork handler of the caller's runs.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use super::{made, Named};

/// The embedded helper, as core/build.rs made it.
pub(crate) static HELPER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/memoom-helper"));

/// A child of this process.
pub(crate) struct Child {
    /// Its process id.
    pub(crate) pid: i32,
    /// A handle to it.
    pub(crate) pidfd: OwnedFd,
}

/// What the child works with; shared memory, so nothing here may move while it runs.
struct Plan {
    image: RawFd,
    socket: RawFd,
    host: RawFd,
    argv: [*const libc::c_char; 2],
    envp: [*const libc::c_char; 3],
    errno: i32,
    /// The call that failed with it.
    call: &'static str,
}

/// Executes the helper in `image` as the supervisor, with `socket` as descriptor 3, the image as 4 and, if given, a
/// pidfd of the host as 5. `place` tells this lab from the others of the host.
///
/// # Errors
/// The errno of the clone, of the preparation in the child, or of the execution.
pub(crate) fn supervisor(
    image: BorrowedFd<'_>,
    socket: BorrowedFd<'_>,
    host: Option<BorrowedFd<'_>>,
    place: u32,
) -> io::Result<Child> {
    let place = CString::new(format!("PLACE={place}"))?;
    let mut plan = Plan {
        image: image.as_raw_fd(),
        socket: socket.as_raw_fd(),
        host: host.map_or(-1, |host| host.as_raw_fd()),
        argv: [c"memoom-super".as_ptr(), std::ptr::null()],
        envp: [c"MEMOOM=supervisor".as_ptr(), place.as_ptr(), std::ptr::null()],
        errno: 0,
        call: "execveat",
    };
    let mut stack = vec![0u128; 4096]; // 64 KiB, aligned as a stack must be
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let all = u64::MAX;
    let mut before = 0u64;
    // SAFETY: the child runs `child` on its own stack and this thread sleeps until it has executed or ended, so
    // `plan`, `stack` and `pidfd` outlive it. Every signal is blocked meanwhile, the C library's own included
    // (hence the raw call), so that no handler of the caller's runs in the child. The kernel reads and writes
    // eight bytes for the masks.
    let pid = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const all, &raw mut before, 8);
        let top = stack.as_mut_ptr().add(stack.len());
        let pid = libc::clone(child, top.cast(), flags, (&raw mut plan).cast(), &raw mut pidfd);
        let error = io::Error::last_os_error();
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const before, std::ptr::null::<u64>(), 8);
        if pid < 0 {
            return Err(error).named("clone");
        }
        pid
    };
    // SAFETY: the kernel has just made it for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd((&raw const pidfd).read_volatile()) };
    // SAFETY: written by the child, which is through with it.
    let errno = unsafe { (&raw const plan.errno).read_volatile() };
    if errno != 0 {
        // SAFETY: a child of ours that has ended; without a place for the status. ECHILD where it reaps itself.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
        // SAFETY: as above.
        let call = unsafe { (&raw const plan.call).read_volatile() };
        return Err(io::Error::from_raw_os_error(errno)).named(call);
    }
    Ok(Child { pid, pidfd })
}

/// The child's body: raw system calls only, as the memory is the parent's.
extern "C" fn child(plan: *mut libc::c_void) -> libc::c_int {
    let plan = plan.cast::<Plan>();
    // SAFETY: the parent's plan, which it does not touch while we run; every call takes numbers or the plan's
    // strings and arrays, which end with NUL and NULL.
    unsafe {
        let failed = 'steps: {
            // First out of the way of 3 to 5: each of the three may be one of these numbers, or 0 to 2 where the
            // caller has closed them.
            let mut fds = [(*plan).socket, (*plan).image, (*plan).host];
            for fd in &mut fds {
                if *fd >= 0 {
                    *fd = libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, 6);
                    if *fd < 0 {
                        (*plan).call = "fcntl (F_DUPFD_CLOEXEC)";
                        break 'steps true;
                    }
                }
            }
            for (fd, to) in fds.into_iter().zip(3..) {
                if fd < 0 {
                    libc::close(to);
                } else if libc::dup2(fd, to) < 0 {
                    (*plan).call = "dup2";
                    break 'steps true;
                }
            }
            let path = c"".as_ptr();
            let (argv, envp) = (&raw const (*plan).argv, &raw const (*plan).envp);
            libc::syscall(libc::SYS_execveat, 4, path, argv, envp, libc::AT_EMPTY_PATH);
            let errno = *libc::__errno_location();
            // Valgrind looks for a file of the name that the memory file shows and finds none; by this way it does.
            libc::syscall(libc::SYS_execve, c"/proc/self/fd/4".as_ptr(), argv, envp);
            *libc::__errno_location() = errno;
            true
        };
        if failed {
            (&raw mut (*plan).errno).write_volatile(*libc::__errno_location());
        }
        libc::_exit(127)
    }
}

/// An anonymous file that can be sealed and, where the kernel makes the difference (6.3), executed or not.
pub(crate) fn memfd(executable: bool) -> io::Result<OwnedFd> {
    const MFD_NOEXEC_SEAL: libc::c_uint = 0x8;
    const MFD_EXEC: libc::c_uint = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let create = |flags: libc::c_uint| -> io::Result<OwnedFd> {
        // SAFETY: a NUL-terminated name and flags.
        made(unsafe { libc::syscall(libc::SYS_memfd_create, c"memoom".as_ptr(), flags) })
    };
    // Named either way: a kernel told to refuse what might be executed (vm.memfd_noexec) refuses the undecided too.
    match create(flags | if executable { MFD_EXEC } else { MFD_NOEXEC_SEAL }) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => create(flags),
        other => other,
    }
}

/// Keeps the process of that pid on the CPU that this thread is on; `last` is where it was kept before. Whether the
/// kernel did so.
pub(crate) fn follow(pid: i32, last: &AtomicI32) -> bool {
    // SAFETY: no arguments; cpu_set_t is plain data, of the size given to the kernel.
    unsafe {
        let cpu = libc::sched_getcpu();
        if cpu < 0 || cpu == last.load(Ordering::Relaxed) {
            return cpu >= 0;
        }
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if cpu as usize >= 8 * size_of::<libc::cpu_set_t>() {
            return false;
        }
        libc::CPU_SET(cpu as usize, &mut set);
        let kept = libc::sched_setaffinity(pid, size_of::<libc::cpu_set_t>(), &raw const set) == 0;
        last.store(if kept { cpu } else { -1 }, Ordering::Relaxed);
        kept
    }
}

/// On how many processors this thread may run; 1 when the kernel does not say.
pub(crate) fn processors() -> usize {
    // SAFETY: cpu_set_t is plain data, of the size given to the kernel.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        match libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) {
            0 => libc::CPU_COUNT(&set) as usize,
            _ => 1,
        }
    }
}

/// Reaps an ended child by its pidfd. Whoever else reaped it first (`wait` of the caller's, an ignored SIGCHLD)
/// did what was wanted. Gives the code with which it exited, if it did and nobody else has it.
pub(crate) fn reap(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    // SAFETY: siginfo_t is plain data, filled by the kernel; the fields are those of a child that has ended.
    let (result, code) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let id = pidfd.as_raw_fd() as libc::id_t;
        let result = libc::waitid(libc::P_PIDFD, id, &raw mut info, libc::WEXITED | libc::WNOHANG | libc::__WALL);
        (result, (info.si_code == libc::CLD_EXITED).then(|| info.si_status()))
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ECHILD) {
            return Err(error);
        }
        return Ok(None);
    }
    Ok(code)
}

/// Receives one datagram without waiting, with at most one file descriptor. A length of 0 is the end of file.
pub(crate) fn receive(socket: BorrowedFd<'_>, to: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    const SPACE: usize = 24; // CMSG_SPACE of one descriptor
    let mut control = [0u64; SPACE / 8];
    let mut vector = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    // SAFETY: msghdr is plain data; the kernel writes at most the lengths given; the control message is read only
    // as far as the kernel says it reaches, and its descriptor is a new one of ours.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut vector;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = SPACE as _;
        let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
        let length = libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags);
        if length < 0 {
            return Err(io::Error::last_os_error());
        }
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        let mut fd = None;
        if !message.is_null()
            && (*message).cmsg_level == libc::SOL_SOCKET
            && (*message).cmsg_type == libc::SCM_RIGHTS
            && (*message).cmsg_len as usize >= libc::CMSG_LEN(4) as usize
        {
            fd = Some(OwnedFd::from_raw_fd(libc::CMSG_DATA(message).cast::<RawFd>().read_unaligned()));
        }
        Ok((length as usize, fd))
    }
}

//! A forked child of this process that runs a function in a group, and its end.
//!
//! The child is made with no exit signal. Until it is reaped here, through its pidfd, nobody notices it: it raises no
//! SIGCHLD, `wait` and `waitpid(-1)` do not see it (only `__WALL` and `__WCLONE` show such children), and an ignored
//! SIGCHLD does not throw its status away. `fork(3)` offers none of that. The price is that handlers of
//! `pthread_atfork` do not run, so that in a process with several threads the child may use what POSIX allows there.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{catch_unwind, AssertUnwindSafe};

use super::spawn::Child;

/// Where a child that could not begin had failed; 0 is that it has begun.
pub(crate) const SCORE: i32 = 1;
/// At entering the group.
pub(crate) const JOIN: i32 = 2;

/// The exit code of a function that panicked, as that of a program.
const PANICKED: i32 = 101;

/// What the child does before the function.
pub(crate) struct Plan<'a> {
    /// The group's `tasks` or `cgroup.procs`, open for writing: the child writes its own number there.
    pub(crate) join: BorrowedFd<'a>,
    /// What goes into /proc/self/oom_score_adj, as text.
    pub(crate) score: &'a [u8],
    /// Its name.
    pub(crate) name: &'a std::ffi::CStr,
    /// Where it writes one [`SCORE`], [`JOIN`] or 0 and the errno, two i32.
    pub(crate) report: BorrowedFd<'a>,
}

/// Forks. In the child `body` runs, and what it gives is the exit code.
///
/// # Safety
/// The body runs in a copy of this process with this one thread: a lock that another thread holds at this moment is
/// never released there.
pub(crate) unsafe fn fork(plan: &Plan<'_>, body: impl FnOnce() -> i32) -> io::Result<Child> {
    let mut pidfd: RawFd = -1;
    let mut flags = libc::CLONE_PIDFD as u64; // no exit signal in the low byte
    let tid = thread_id_address();
    if !tid.is_null() {
        flags |= (libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;
    }
    let no_stack = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: as fork(2): the child gets a copy of everything, this stack among it. The kernel writes the pidfd to
    // our variable, and in the child's copy its number to where the C library keeps the thread's.
    #[cfg(target_arch = "x86_64")]
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, no_stack, &raw mut pidfd, tid, 0) };
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: as above; other machines have the last two the other way round.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, no_stack, &raw mut pidfd, 0, tid) };
    match pid {
        0 => {
            // SAFETY: the child, with the copies of the plan's descriptors and texts.
            let failed = unsafe { prepare(plan) };
            if report(plan.report, failed) && failed.0 == 0 {
                // SAFETY: the child's own copies, which nobody uses any more.
                unsafe {
                    libc::close(plan.join.as_raw_fd());
                    libc::close(plan.report.as_raw_fd());
                }
                // A panic must not reach the copies of our callers' frames.
                exit(catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED));
            }
            exit(127)
        }
        pid if pid < 0 => Err(io::Error::last_os_error()),
        pid => {
            // SAFETY: the kernel has just made the descriptor for us.
            let pidfd = unsafe { OwnedFd::from_raw_fd((&raw const pidfd).read_volatile()) };
            Ok(Child { pid: pid as i32, pidfd })
        }
    }
}

/// Where the C library keeps the number of this thread: glibc has told it to the kernel, which tells it us where it
/// can (CONFIG_CHECKPOINT_RESTORE). NULL where what stands there is something else.
fn thread_id_address() -> *mut libc::pid_t {
    const PR_GET_TID_ADDRESS: libc::c_int = 40;
    let mut address: *mut libc::pid_t = std::ptr::null_mut();
    // SAFETY: the kernel writes one pointer to our variable; what it points to is the C library's, alive as long as
    // this thread, and read once.
    unsafe {
        if libc::prctl(PR_GET_TID_ADDRESS, &raw mut address) == 0
            && !address.is_null()
            && address.read_volatile() == libc::syscall(libc::SYS_gettid) as libc::pid_t
        {
            return address;
        }
    }
    std::ptr::null_mut()
}

/// # Safety
/// Only in the child: it changes the process. Raw calls alone, as the memory may be half changed by other threads.
unsafe fn prepare(plan: &Plan<'_>) -> (i32, i32) {
    // SAFETY: the texts live in the child's copy, the descriptors are open there.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, plan.name.as_ptr());
        // Before the group is entered: what /proc allocates is not to be charged to it.
        let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file < 0 || libc::write(file, plan.score.as_ptr().cast(), plan.score.len()) < 0 {
            return (SCORE, errno());
        }
        libc::close(file);
        if libc::write(plan.join.as_raw_fd(), c"0".as_ptr().cast(), 1) < 0 {
            return (JOIN, errno());
        }
    }
    (0, 0)
}

fn errno() -> i32 {
    // SAFETY: the C library's own number of this thread.
    unsafe { *libc::__errno_location() }
}

fn report(to: BorrowedFd<'_>, (stage, errno): (i32, i32)) -> bool {
    let words = [stage, errno];
    // SAFETY: eight bytes of ours.
    unsafe { libc::write(to.as_raw_fd(), words.as_ptr().cast(), 8) == 8 }
}

fn exit(code: i32) -> ! {
    // SAFETY: ends the child at once: no exit handler and no buffer of the parent's is run a second time.
    unsafe { libc::_exit(code) }
}

/// How a child ended, and what it used.
pub(crate) struct Ended {
    /// As `waitpid` gives it.
    pub(crate) status: i32,
    /// As `wait4` gives it.
    pub(crate) usage: libc::rusage,
}

/// Reaps a child that [`fork`] made, if it has ended.
///
/// # Errors
/// ECHILD where somebody waited for every kind of child and took it.
pub(crate) fn reap(pidfd: BorrowedFd<'_>) -> io::Result<Option<Ended>> {
    // SAFETY: both structures are plain data of ours, filled by the kernel; the C library's waitid has no place for
    // the second.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let mut usage: libc::rusage = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        loop {
            let fd = pidfd.as_raw_fd();
            if libc::syscall(libc::SYS_waitid, libc::P_PIDFD, fd, &raw mut info, flags, &raw mut usage) == 0 {
                break;
            }
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EINTR) {
                return Err(error);
            }
        }
        if info.si_pid() == 0 {
            return Ok(None);
        }
        let status = if info.si_code == libc::CLD_EXITED { info.si_status() << 8 } else { info.si_status() };
        Ok(Some(Ended { status, usage }))
    }
}

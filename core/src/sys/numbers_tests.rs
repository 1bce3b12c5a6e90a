//! The helper's own list of system calls, held against the C library's for this architecture.

#[cfg_attr(target_arch = "x86_64", path = "../../helper/arch/x86_64/nr.rs")]
#[cfg_attr(target_arch = "aarch64", path = "../../helper/arch/aarch64/nr.rs")]
mod nr;

macro_rules! same {
    ($($ours:ident $theirs:ident,)*) => {
        [$((stringify!($ours), nr::$ours, libc::$theirs as usize),)*]
    };
}

// Long: one table, a line for each call.
#[test]
fn the_helper_calls_what_it_says() {
    let numbers = same![
        READ SYS_read,
        WRITE SYS_write,
        CLOSE SYS_close,
        FSTAT SYS_fstat,
        MMAP SYS_mmap,
        MUNMAP SYS_munmap,
        RT_SIGACTION SYS_rt_sigaction,
        RT_SIGPROCMASK SYS_rt_sigprocmask,
        PREAD64 SYS_pread64,
        READV SYS_readv,
        WRITEV SYS_writev,
        MREMAP SYS_mremap,
        MINCORE SYS_mincore,
        MADVISE SYS_madvise,
        GETPID SYS_getpid,
        SOCKET SYS_socket,
        CONNECT SYS_connect,
        RECVFROM SYS_recvfrom,
        SENDMSG SYS_sendmsg,
        RECVMSG SYS_recvmsg,
        BIND SYS_bind,
        LISTEN SYS_listen,
        GETSOCKNAME SYS_getsockname,
        SETSOCKOPT SYS_setsockopt,
        CLONE SYS_clone,
        EXECVE SYS_execve,
        WAIT4 SYS_wait4,
        KILL SYS_kill,
        FCNTL SYS_fcntl,
        FTRUNCATE SYS_ftruncate,
        CHDIR SYS_chdir,
        FCHDIR SYS_fchdir,
        SETPGID SYS_setpgid,
        GETPPID SYS_getppid,
        SCHED_SETSCHEDULER SYS_sched_setscheduler,
        MLOCK SYS_mlock,
        PRCTL SYS_prctl,
        SCHED_SETAFFINITY SYS_sched_setaffinity,
        SCHED_GETAFFINITY SYS_sched_getaffinity,
        GETDENTS64 SYS_getdents64,
        CLOCK_GETTIME SYS_clock_gettime,
        EXIT_GROUP SYS_exit_group,
        OPENAT SYS_openat,
        MKNODAT SYS_mknodat,
        UNLINKAT SYS_unlinkat,
        PPOLL SYS_ppoll,
        SYNC_FILE_RANGE SYS_sync_file_range,
        FALLOCATE SYS_fallocate,
        ACCEPT4 SYS_accept4,
        SIGNALFD4 SYS_signalfd4,
        EVENTFD2 SYS_eventfd2,
        DUP3 SYS_dup3,
        PIPE2 SYS_pipe2,
        PREADV SYS_preadv,
        PWRITEV SYS_pwritev,
        PRLIMIT64 SYS_prlimit64,
        MEMFD_CREATE SYS_memfd_create,
        EXECVEAT SYS_execveat,
        PIDFD_SEND_SIGNAL SYS_pidfd_send_signal,
        PIDFD_OPEN SYS_pidfd_open,
        CLONE3 SYS_clone3,
        CLOSE_RANGE SYS_close_range,
        OPENAT2 SYS_openat2,
    ];
    for (name, ours, theirs) in numbers {
        assert_eq!(ours, theirs, "{name}");
    }
}

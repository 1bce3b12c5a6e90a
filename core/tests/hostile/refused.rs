//! A filter of system calls (seccomp) that refuses one call after the other: what goes without it goes on, what does not
//! is an error that names the call and what helps, soon, and nothing is left behind.
#![allow(unsafe_code)] // installing a filter

use std::path::Path;
use std::time::{Duration, Instant};

use memoom::Limits;

use super::common::{gone_by, lab, patience, slow, LONG};
use super::visitor;

/// Which call a copy of this program is to be refused, and with which errno.
const REFUSE: &str = "MEMOOM_REFUSE";

macro_rules! calls {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name),)*] };
}

/// What the library, the supervisor and the workers call, but for what a program cannot live without: to read, write,
/// map and end, and to know itself and the time.
const CALLS: &[(&str, libc::c_long)] = calls![
    SYS_openat SYS_openat2 SYS_newfstatat SYS_fstat SYS_statx SYS_statfs SYS_fstatfs SYS_getdents64 SYS_readlinkat
    SYS_faccessat SYS_faccessat2 SYS_mkdirat SYS_unlinkat SYS_lseek SYS_pread64 SYS_pwrite64 SYS_fcntl SYS_dup3
    SYS_ftruncate SYS_memfd_create SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_eventfd2 SYS_timerfd_create
    SYS_timerfd_settime SYS_inotify_init1 SYS_inotify_add_watch SYS_signalfd4 SYS_socketpair SYS_sendmsg SYS_recvmsg
    SYS_ppoll SYS_pidfd_open SYS_pidfd_send_signal SYS_kill SYS_clone SYS_clone3 SYS_execve SYS_execveat SYS_wait4
    SYS_waitid SYS_prctl SYS_setpgid SYS_sched_getaffinity SYS_sched_setaffinity SYS_getcpu SYS_prlimit64 SYS_getrandom
    SYS_fsopen SYS_fsconfig SYS_fsmount SYS_perf_event_open SYS_bpf SYS_ioctl SYS_close_range SYS_sysinfo SYS_uname SYS_kcmp SYS_chdir SYS_fchdir SYS_madvise SYS_mincore SYS_mlock SYS_rt_sigprocmask SYS_rt_sigaction
];

/// The same calls by the names that only older machines have.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[(&str, libc::c_long)] =
    calls![SYS_open SYS_stat SYS_lstat SYS_access SYS_readlink SYS_poll SYS_epoll_wait SYS_dup2 SYS_getdents];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[(&str, libc::c_long)] = &[];

pub fn each_call_refused() {
    let Some(lab) = lab() else { return };
    let base = lab.group(Some("base"), &Limits::default()).unwrap();
    let mut wrong = Vec::new();
    for (name, number) in CALLS.iter().chain(OLD_CALLS) {
        std::env::set_var(REFUSE, number.to_string());
        let began = Instant::now();
        let Some(said) = visitor::hear("refused", &["--mount"], "exec \"$@\"", base.path()) else { continue };
        let took = began.elapsed();
        let gone = gone_by(Instant::now() + patience().max(Duration::from_secs(5)), || labs_in(base.path()));
        let name = name.strip_prefix("SYS_").unwrap();
        println!("{name}: {said} ({} ms)", took.as_millis());
        let soon = if slow() { LONG } else { Duration::from_secs(5) };
        // A call about a file is named by what was done to which file.
        let names_it =
            said.starts_with("fine") || said.contains("remedy") && (said.contains(name) || said.contains(" /"));
        if !names_it || took > soon || !gone {
            wrong.push(format!("{name} after {} ms, gone {gone}: {said}", took.as_millis()));
        }
    }
    std::env::remove_var(REFUSE);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn labs_in(base: &Path) -> bool {
    std::fs::read_dir(base).unwrap().flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("memoom-"))
}

/// Has the kernel refuse one call to this process and to what it starts.
pub fn refuse(number: u32, errno: i32) {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const ANSWER: u16 = 0x06; // BPF_RET | BPF_K
    const REFUSED: u32 = 0x0005_0000; // SECCOMP_RET_ERRNO
    const ALLOWED: u32 = 0x7fff_0000;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 0, 1, number),
        step(ANSWER, 0, 0, REFUSED | errno as u32),
        step(ANSWER, 0, 0, ALLOWED),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: a program of ours, which the kernel copies.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

/// A whole life of a lab, under the filter; says how far it came.
pub fn inside(parent: &Path) -> String {
    let number: u32 = std::env::var(REFUSE).unwrap().parse().unwrap();
    refuse(number, libc::EPERM);
    super::life::inside(parent)
}

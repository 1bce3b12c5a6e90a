//! The system calls of the helper, raw: no libc, no errno variable, nothing allocated.
//!
//! Wrappers whose arguments cannot break memory safety are safe functions; the few that hand addresses to the
//! kernel or take over its answer as an address are `unsafe`.

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "memoom's helper knows the system calls of x86_64 only; add those of this architecture to core/helper/sys.rs"
);

/// An errno.
pub type Errno = i32;

pub const ENOENT: Errno = 2;
pub const EINTR: Errno = 4;
pub const ENOEXEC: Errno = 8;
pub const EAGAIN: Errno = 11;
pub const ENOMEM: Errno = 12;
pub const EACCES: Errno = 13;
pub const EBUSY: Errno = 16;
pub const EXDEV: Errno = 18;
pub const ENOTDIR: Errno = 20;
pub const EINVAL: Errno = 22;
pub const ELOOP: Errno = 40;
pub const EPROTO: Errno = 71;
pub const ENOTSUP: Errno = 95;

pub const O_RDONLY: usize = 0;
pub const O_WRONLY: usize = 1;
pub const O_RDWR: usize = 2;
pub const O_DIRECTORY: usize = 0o200_000;
pub const O_NOFOLLOW: usize = 0o400_000;
pub const O_CLOEXEC: usize = 0o2_000_000;
pub const AT_FDCWD: i32 = -100;
pub const AT_EMPTY_PATH: usize = 0x1000;
const AT_REMOVEDIR: usize = 0x200;

pub const SIGKILL: usize = 9;
pub const SIGCHLD: u32 = 17;

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

const MSG_DONTWAIT: usize = 0x40;
const MSG_NOSIGNAL: usize = 0x4000;
const MSG_CTRUNC: i32 = 8;
const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;

mod nr {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const FSTAT: usize = 5;
    pub const MMAP: usize = 9;
    pub const MUNMAP: usize = 11;
    pub const RT_SIGACTION: usize = 13;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const PREAD64: usize = 17;
    pub const MREMAP: usize = 25;
    pub const MADVISE: usize = 28;
    pub const GETPID: usize = 39;
    pub const SENDMSG: usize = 46;
    pub const RECVMSG: usize = 47;
    pub const CLONE: usize = 56;
    pub const EXECVE: usize = 59;
    pub const WAIT4: usize = 61;
    pub const KILL: usize = 62;
    pub const FCNTL: usize = 72;
    pub const CHDIR: usize = 80;
    pub const FCHDIR: usize = 81;
    pub const SETPGID: usize = 109;
    pub const GETPPID: usize = 110;
    pub const PRCTL: usize = 157;
    pub const SCHED_SETSCHEDULER: usize = 144;
    pub const SCHED_SETAFFINITY: usize = 203;
    pub const SCHED_GETAFFINITY: usize = 204;
    pub const GETDENTS64: usize = 217;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const UNLINKAT: usize = 263;
    pub const PPOLL: usize = 271;
    pub const SIGNALFD4: usize = 289;
    pub const DUP3: usize = 292;
    pub const EXECVEAT: usize = 322;
    pub const PIDFD_SEND_SIGNAL: usize = 424;
    pub const PIDFD_OPEN: usize = 434;
    pub const CLONE3: usize = 435;
    pub const CLOSE_RANGE: usize = 436;
}

/// The system call itself.
///
/// # Safety
/// The caller answers for what the kernel reads and writes at the addresses among the arguments.
#[inline(always)]
unsafe fn raw(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the registers are those of the kernel's calling convention; memory is the caller's promise.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
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
    unsafe { raw(nr::SCHED_GETAFFINITY, 0, size_of_val(mask), mask.as_mut_ptr() as usize, 0, 0, 0) }.map(|bytes| bytes / 8)
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

/// Device and size of an open file.
pub fn fstat(fd: i32) -> Result<(u64, u64), Errno> {
    let mut stat = [0u64; 18]; // struct stat of x86_64: st_dev first, st_size at byte 48, 144 bytes in all
                               // SAFETY: the kernel writes 144 bytes.
    unsafe { raw(nr::FSTAT, fd as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0) }?;
    Ok((stat[0], stat[6]))
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
pub fn mask(mask: u64) {
    // SAFETY: the kernel reads eight bytes; SIG_SETMASK is 2.
    let _ = unsafe { raw(nr::RT_SIGPROCMASK, 2, &mask as *const u64 as usize, 0, 8, 0, 0) };
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
    let flags = O_CLOEXEC | 0o4000; // SFD_CLOEXEC | SFD_NONBLOCK
                                    // SAFETY: the kernel reads eight bytes.
    unsafe { raw(nr::SIGNALFD4, usize::MAX, &mask as *const u64 as usize, 8, flags, 0, 0) }.map(|fd| fd as i32)
}

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

#[repr(C)]
struct Vector {
    base: usize,
    len: usize,
}

#[repr(C)]
struct Header {
    name: usize,
    name_len: usize,
    vector: *mut Vector,
    vectors: usize,
    control: *mut u64,
    control_len: usize,
    flags: i32,
}

/// Sends one datagram without waiting, with a file descriptor if `fd` is not negative.
pub fn send(socket: i32, bytes: &[u8], fd: i32) -> Result<(), Errno> {
    let mut vector = Vector { base: bytes.as_ptr() as usize, len: bytes.len() };
    // One struct cmsghdr: length 16 + 4, SOL_SOCKET and SCM_RIGHTS (both 1), the descriptor, padding.
    let mut control = [20u64, 1 | 1 << 32, fd as u32 as u64];
    let control_len = if fd >= 0 { 24 } else { 0 };
    let header = Header {
        name: 0,
        name_len: 0,
        vector: &mut vector,
        vectors: 1,
        control: control.as_mut_ptr(),
        control_len,
        flags: 0,
    };
    // SAFETY: the kernel reads the header and what it points to, all of which lives until the call returns.
    unsafe {
        raw(nr::SENDMSG, socket as usize, &header as *const Header as usize, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0)
    }
    .map(drop)
}

/// What [`receive`] got.
pub struct Received {
    /// Zero is the end of file.
    pub len: usize,
    pub fds: [i32; 8],
    pub fd_count: usize,
}

/// Receives one datagram without waiting, with its file descriptors (close-on-exec).
pub fn receive(socket: i32, to: &mut [u8]) -> Result<Received, Errno> {
    let mut vector = Vector { base: to.as_mut_ptr() as usize, len: to.len() };
    let mut control = [0u64; 2 + 4]; // a cmsghdr and eight descriptors
    let mut header = Header {
        name: 0,
        name_len: 0,
        vector: &mut vector,
        vectors: 1,
        control: control.as_mut_ptr(),
        control_len: core::mem::size_of_val(&control),
        flags: 0,
    };
    let flags = MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    // SAFETY: the kernel writes at most the lengths given in the header; all of it lives until the call returns.
    let len = unsafe { raw(nr::RECVMSG, socket as usize, &mut header as *mut Header as usize, flags, 0, 0, 0) }?;
    let mut received = Received { len, fds: [-1; 8], fd_count: 0 };
    if header.control_len >= 20 && control[1] == (1 | 1 << 32) {
        received.fd_count = ((control[0] as usize).saturating_sub(16) / 4).min(8);
        for index in 0..received.fd_count {
            received.fds[index] = (control[2 + index / 2] >> (32 * (index % 2))) as u32 as i32;
        }
    }
    if header.flags & MSG_CTRUNC != 0 {
        for fd in received.fds {
            close(fd);
        }
        return Err(EPROTO);
    }
    Ok(received)
}

/// Fresh zeroed memory of at least `bytes`, at `hint` if that is free.
pub fn map(hint: usize, bytes: usize) -> Result<usize, Errno> {
    // SAFETY: a new private anonymous mapping (read, write) that replaces nothing.
    unsafe { raw(nr::MMAP, hint, bytes, 3, 0x22, usize::MAX, 0) }
}

/// Maps the first bytes of a file for reading and writing, shared and with its pages present, at `hint` if that is
/// free.
pub fn map_file(hint: usize, bytes: usize, fd: i32) -> Result<usize, Errno> {
    const SHARED_POPULATE: usize = 0x8001;
    // SAFETY: a new mapping (read, write) that replaces nothing.
    unsafe { raw(nr::MMAP, hint, bytes, 3, SHARED_POPULATE, fd as usize, 0) }
}

/// Gives a mapping back.
///
/// # Safety
/// Nothing may refer to it any more.
pub unsafe fn unmap(address: usize, bytes: usize) {
    // SAFETY: the caller's promise.
    let _ = unsafe { raw(nr::MUNMAP, address, bytes, 0, 0, 0, 0) };
}

/// Changes a mapping's length, in place where there is room; says where it stands then.
///
/// # Safety
/// Nothing may refer to what is cut off, and the caller must use the new address.
pub unsafe fn remap(address: usize, bytes: usize, wanted: usize) -> Result<usize, Errno> {
    // SAFETY: the caller's promise; MREMAP_MAYMOVE is 1.
    unsafe { raw(nr::MREMAP, address, bytes, wanted, 1, 0, 0) }
}

pub const MADV_DONTNEED: usize = 4;
pub const MADV_NOHUGEPAGE: usize = 15;

/// Advises the kernel about a range.
///
/// # Safety
/// With `MADV_DONTNEED` the content is gone: nothing may rely on it.
pub unsafe fn advise(address: usize, bytes: usize, advice: usize) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    unsafe { raw(nr::MADVISE, address, bytes, advice, 0, 0, 0) }.map(drop)
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
    let result: isize;
    // SAFETY: the child gets its own stack and never comes back from the call; the parent sees an ordinary system
    // call that changes memory. Registers other than rax, rcx and r11 survive in both.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") 0usize, in("r8") 0usize,
            in("r12") body, in("r13") argument,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    if result < 0 {
        return Err(-result as Errno);
    }
    // SAFETY: the kernel wrote it behind the compiler's back.
    Ok((result as i32, unsafe { core::ptr::read_volatile(&pidfd) }))
}

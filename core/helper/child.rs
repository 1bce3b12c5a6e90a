//! What a new process does between its birth and its program; it shares the supervisor's memory all that time.

use crate::state::SOCKET;
use crate::sys::{self, Errno};
use crate::text::Decimal;
use crate::wire::{stage, MOST_COMM};

/// How the child enters its group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It was born there, or is to be in none.
    Born,
    /// It writes `0` to this file: the group's `tasks`.
    Tasks(i32),
    /// It writes `0` to `cgroup.procs` of this directory.
    Directory(i32),
}

/// What the child executes.
#[derive(Clone, Copy)]
pub enum Program {
    /// The helper itself, as a worker.
    Image(i32),
    /// The first of these paths that can be executed; a NULL ends them.
    Paths(*const *const u8),
}

/// Everything the child needs, made by the supervisor before, and where it leaves its error.
pub struct Plan {
    pub parent: i32,
    pub pgid: i32,
    pub entry: Entry,
    /// What the kernel shows until the program is executed; NUL-terminated.
    pub name: [u8; MOST_COMM + 1],
    /// To be written, unless the child inherits it anyway.
    pub oom_score_adj: Option<i32>,
    /// The working directory, if not negative.
    pub cwd: i32,
    /// The CPUs that it may use; null for those of the supervisor at this moment.
    pub cpus: *const [u64; crate::turn::MASK_WORDS],
    pub program: Program,
    /// What becomes its descriptors 0, 1 and 2, as far as not negative.
    pub stdio: [i32; 3],
    /// What becomes descriptor 3, if not negative.
    pub task: i32,
    /// The arguments. For a command one more pointer is writable before the first.
    pub argv: *mut *const u8,
    pub envp: *const *const u8,
    /// Written by the child when it fails; the parent reads it after the child's end.
    pub stage: u32,
    pub errno: Errno,
}

/// The body of the child.
pub extern "C" fn run(plan: *mut Plan) -> ! {
    // SAFETY: the supervisor sleeps until this process executes or exits, so the plan is ours alone.
    let (stage, errno) = unsafe { become_program(&*plan) };
    // SAFETY: as above; volatile, because another process reads it.
    unsafe {
        (&raw mut (*plan).stage).write_volatile(stage);
        (&raw mut (*plan).errno).write_volatile(errno);
    }
    sys::exit(127)
}

/// Comes back only with what failed.
///
/// # Safety
/// The plan's pointers are valid NULL-terminated arrays of NUL-terminated strings.
unsafe fn become_program(plan: &Plan) -> (u32, Errno) {
    match prepare(plan) {
        // SAFETY: the caller's promise.
        Ok(()) => (stage::EXEC, unsafe { execute(plan) }),
        Err(failed) => failed,
    }
}

fn prepare(plan: &Plan) -> Result<(), (u32, Errno)> {
    // Who dies before its program begins is not to be taken for the supervisor.
    if let Ok(name) = core::ffi::CStr::from_bytes_until_nul(&plan.name) {
        sys::set_name(name);
    }
    sys::prctl(sys::PR_SET_PDEATHSIG, sys::SIGKILL).map_err(|errno| (stage::CLONE, errno))?;
    if sys::getppid() != plan.parent {
        sys::exit(127); // the supervisor died before the line above
    }
    // SAFETY: null, or the supervisor's, which sleeps meanwhile.
    if let Some(cpus) = unsafe { plan.cpus.as_ref() } {
        sys::set_affinity(cpus);
    }
    // The caller's process group, so that a framework's timeout reaches the worker. In another session it cannot
    // be, which is no reason to fail.
    let _ = sys::setpgid(0, plan.pgid);
    // Before the group is entered: what /proc allocates is not to be charged to it.
    if let Some(value) = plan.oom_score_adj {
        write_score(value).map_err(|errno| (stage::SCORE, errno))?;
    }
    match plan.entry {
        Entry::Born => Ok(()),
        Entry::Tasks(fd) => sys::write(fd, b"0").map(drop),
        Entry::Directory(fd) => crate::text::write_file(fd, c"cgroup.procs", b"0"),
    }
    .map_err(|errno| (stage::JOIN, errno))?;
    // Descriptors that came with a request never have these three numbers, which the supervisor keeps in use.
    for (to, from) in plan.stdio.into_iter().enumerate() {
        if from >= 0 {
            sys::dup3(from, to as i32, 0).map_err(|errno| (stage::FILES, errno))?;
        }
    }
    if plan.task >= 0 {
        // In place of the supervisor's own socket, which ends here anyway.
        sys::dup3(plan.task, SOCKET, 0).map_err(|errno| (stage::FILES, errno))?;
    }
    if plan.cwd >= 0 {
        sys::fchdir(plan.cwd).map_err(|errno| (stage::CHDIR, errno))?;
    }
    Ok(())
}

/// Sets what the kernel adds to the score of this process.
pub fn write_score(value: i32) -> Result<(), Errno> {
    let fd = sys::openat(sys::AT_FDCWD, c"/proc/self/oom_score_adj", sys::O_WRONLY)?;
    let result = sys::write(fd, Decimal::new(value as i64).bytes());
    sys::close(fd);
    result.map(drop)
}

/// # Safety
/// As [`become_program`].
unsafe fn execute(plan: &Plan) -> Errno {
    // A hog is told by an error that its file may not become so large.
    let blocked = if matches!(plan.program, Program::Image(_)) { 1 << (sys::SIGXFSZ - 1) } else { 0 };
    let _ = sys::mask(blocked);
    match plan.program {
        // SAFETY: the caller's promise.
        Program::Image(fd) => unsafe { sys::execveat(fd, plan.argv, plan.envp) },
        // SAFETY: the caller's promise.
        Program::Paths(paths) => unsafe { try_paths(paths, plan.argv, plan.envp) },
    }
}

/// As execvp(3): goes on to the next path where there is no such file, remembers a refusal, and hands a file that
/// is no program of the kernel's to the shell.
///
/// # Safety
/// As [`become_program`]; the pointer before `argv[0]` can be written too.
unsafe fn try_paths(mut paths: *const *const u8, argv: *mut *const u8, envp: *const *const u8) -> Errno {
    let mut last = sys::ENOENT;
    let mut refused = false;
    // SAFETY: the caller's promise.
    unsafe {
        while !(*paths).is_null() {
            last = sys::execve(*paths, argv, envp);
            match last {
                sys::ENOENT | sys::ENOTDIR => {}
                sys::EACCES => refused = true,
                sys::ENOEXEC => {
                    let shell = c"/bin/sh".as_ptr() as *const u8;
                    *argv = *paths;
                    *argv.sub(1) = shell;
                    return sys::execve(shell, argv.sub(1), envp);
                }
                other => return other,
            }
            paths = paths.add(1);
        }
    }
    if refused {
        sys::EACCES
    } else {
        last
    }
}

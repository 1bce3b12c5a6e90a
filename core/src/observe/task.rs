//! One process as `/proc` shows it: state, wait channel, kernel stack, memory, cgroup.
//!
//! The root is a parameter, so that a fixture tree can stand in for the kernel. A process that has gone is
//! `Ok(None)`; one that may not be read is an error.

use std::io;
use std::path::PathBuf;

use self::text::{parse_cgroup, parse_pss, parse_stat, parse_status, parse_wchan};
use super::callpath::{base_name, parse_proc_stack, Frame};
use crate::sys::room;
use crate::{Error, Result};

#[cfg(test)]
mod tests;
pub(crate) mod text;

/// A task's state, the letter of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TaskState {
    /// `R`: on a CPU or ready for one.
    Running,
    /// `S`: waits, and any signal wakes it.
    Sleeping,
    /// `D`: waits, and at most a fatal signal wakes it.
    DiskSleep,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: stopped by a debugger.
    Traced,
    /// `Z`: ended, not reaped.
    Zombie,
    /// `X` (or `x`): being removed.
    Dead,
    /// `I`: an idle kernel thread.
    Idle,
    /// `P`: a parked kernel thread.
    Parked,
    /// A letter of some other kernel (`K`, `W`, ...).
    Other(char),
}

impl TaskState {
    /// The state of a letter.
    pub(crate) fn from_char(letter: char) -> TaskState {
        match letter {
            'R' => TaskState::Running,
            'S' => TaskState::Sleeping,
            'D' => TaskState::DiskSleep,
            'T' => TaskState::Stopped,
            't' => TaskState::Traced,
            'Z' => TaskState::Zombie,
            'X' | 'x' => TaskState::Dead,
            'I' => TaskState::Idle,
            'P' => TaskState::Parked,
            other => TaskState::Other(other),
        }
    }

    /// The letter, as `ps` shows it.
    pub(crate) fn char(self) -> char {
        match self {
            TaskState::Running => 'R',
            TaskState::Sleeping => 'S',
            TaskState::DiskSleep => 'D',
            TaskState::Stopped => 'T',
            TaskState::Traced => 't',
            TaskState::Zombie => 'Z',
            TaskState::Dead => 'X',
            TaskState::Idle => 'I',
            TaskState::Parked => 'P',
            TaskState::Other(letter) => letter,
        }
    }
}

/// `/proc/PID/status`; the memory lines are missing for kernel threads and for a process that has given up its
/// memory. From 6.16 on the kernel sums its per-CPU counters for them, so they are exact there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) comm: Vec<u8>,
    pub(crate) state: Option<TaskState>,
    pub(crate) tgid: Option<i32>,
    pub(crate) ppid: Option<i32>,
    /// The real user id.
    pub(crate) uid: Option<u32>,
    /// The pid in each pid namespace, outermost (that of the reader) first.
    pub(crate) ns_pids: Vec<i32>,
    pub(crate) vm_rss_bytes: Option<u64>,
    pub(crate) rss_anon_bytes: Option<u64>,
    pub(crate) rss_file_bytes: Option<u64>,
    pub(crate) rss_shmem_bytes: Option<u64>,
    pub(crate) vm_swap_bytes: Option<u64>,
    /// Page tables of all levels.
    pub(crate) vm_pte_bytes: Option<u64>,
    pub(crate) threads: Option<u32>,
    /// The signals that are pending for this thread alone (SigPnd): the bit N - 1 is that of signal N.
    pub(crate) pending: u64,
    /// Those that are pending for the whole process (ShdPnd).
    pub(crate) pending_shared: u64,
    /// Somebody traces it.
    pub(crate) traced: bool,
}

impl Status {
    /// SIGKILL is pending.
    pub(crate) fn is_killed(&self) -> bool {
        has_signal(self.pending | self.pending_shared, libc::SIGKILL)
    }
}

/// Whether a signal is in a mask as the kernel shows it.
pub(crate) fn has_signal(mask: u64, signal: i32) -> bool {
    mask >> (signal - 1) & 1 == 1
}

/// What memoom needs of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) comm: Vec<u8>,
    pub(crate) state: TaskState,
    pub(crate) ppid: i32,
    /// It is in its exit (PF_EXITING), and takes and forks nothing any more.
    pub(crate) exiting: bool,
    /// When it started, in clock ticks since boot: with the pid this names a process for good.
    pub(crate) starttime_ticks: u64,
    /// The resident pages by the counter that the OOM score of kernels before 7.0 reads too: cheap, and on many
    /// CPUs not exact (6.2 on).
    pub(crate) rss_pages: u64,
    /// How it ended, as wait(2) has it: of a zombie, for whoever may trace it; 0 for all others.
    pub(crate) wait_status: i32,
}

/// The memory cgroup of a process, relative to the mount of the hierarchy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CgroupPaths {
    /// In the v1 hierarchy that has the memory controller.
    pub(crate) v1_memory: Option<PathBuf>,
    /// In the v2 hierarchy; it need not have the memory controller.
    pub(crate) v2: Option<PathBuf>,
    /// In the hierarchy of systemd's own, which has no controller (v1).
    pub(crate) systemd: Option<PathBuf>,
}

/// What a blocked task shows, read in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) state: TaskState,
    /// `None` when it waits for nothing, when the kernel does not say, and for the moment in which a task is in D
    /// already but still on its CPU (long on a loaded machine): read again for it.
    pub(crate) wchan: Option<String>,
    /// Empty for a task on a CPU; an error when it may not be read (it needs CAP_SYS_ADMIN).
    pub(crate) stack: Result<Vec<Frame>, String>,
    /// Whether this is the wait for a memory cgroup whose OOM killer is off.
    pub(crate) blocked_in_memcg_oom: bool,
}

/// A proc filesystem.
#[derive(Debug, Clone)]
pub(crate) struct Proc {
    root: PathBuf,
    system: bool,
}

impl Proc {
    /// The machine's own, `/proc`.
    pub(crate) fn system() -> Proc {
        Proc { root: PathBuf::from("/proc"), system: true }
    }

    /// A tree that looks like one.
    #[cfg(test)]
    pub(crate) fn at(root: impl Into<PathBuf>) -> Proc {
        Proc { root: root.into(), system: false }
    }

    /// `/proc/PID/NAME`; `None` when the process has gone.
    fn read(&self, pid: i32, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.root.join(pid.to_string()).join(name);
        let fail = |source: io::Error| Error::os("read process", source).path(&path);
        let mut again = true;
        loop {
            let error = match room::read(&path) {
                Ok(text) => return Ok(Some(text)),
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::ESRCH) => return Ok(None),
                Some(libc::ENOENT) => {}
                Some(libc::EACCES | libc::EPERM) => {
                    return Err(fail(error)
                        .reason("the process may not be read (another user's, or /proc is mounted with hidepid)")
                        .remedy("run as root or with CAP_SYS_PTRACE; a stack needs CAP_SYS_ADMIN"))
                }
                _ => return Err(fail(error)),
            }
            // hidepid=2 hides processes of others as if they had gone; the signal 0 tells the two apart.
            let there = self.system
                && pid > 0
                && !matches!(nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None), Err(nix::Error::ESRCH));
            // A kernel may be built without one file (stack, wchan) of a process that is there.
            let directory = path.parent().is_some_and(|directory| directory.exists());
            match (there || directory, again) {
                (false, _) => return Ok(None),
                // It may have started, or gone, between the two looks.
                (true, true) => again = false,
                (true, false) if directory => {
                    return Err(fail(error)
                        .with_kind(crate::ErrorKind::Unsupported)
                        .reason("this kernel has no such file"))
                }
                (true, false) => {
                    return Err(fail(error)
                        .with_kind(crate::ErrorKind::PermissionDenied)
                        .reason("the process is there, but /proc hides it (hidepid)")
                        .remedy("run as root or with CAP_SYS_PTRACE"))
                }
            }
        }
    }

    /// `status`.
    pub(crate) fn status(&self, pid: i32) -> Result<Option<Status>> {
        Ok(self.read(pid, "status")?.map(|text| parse_status(&text)))
    }

    /// `stat`; `None` also for text that is none.
    pub(crate) fn stat(&self, pid: i32) -> Result<Option<Stat>> {
        Ok(self.read(pid, "stat")?.and_then(|text| parse_stat(&text)))
    }

    /// `wchan`: the function it waits in; the inner `None` when there is none or the kernel does not say.
    pub(crate) fn wchan(&self, pid: i32) -> Result<Option<Option<String>>> {
        Ok(self.read(pid, "wchan")?.map(|text| parse_wchan(&text)))
    }

    /// `stack`, innermost first.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_SYS_ADMIN, `Unsupported` without CONFIG_STACKTRACE.
    pub(crate) fn stack(&self, pid: i32) -> Result<Option<Vec<Frame>>> {
        Ok(self.read(pid, "stack")?.map(|text| parse_proc_stack(&text)))
    }

    /// `Pss` of `smaps_rollup` (from 4.14), its proportional share: a page that n processes have counts 1/n for each. The
    /// kernel walks the whole address space for it.
    pub(crate) fn pss_bytes(&self, pid: i32) -> Result<Option<u64>> {
        let text = self.read(pid, "smaps_rollup")?;
        Ok(text.and_then(|text| parse_pss(&text)))
    }

    /// `oom_score_adj`.
    pub(crate) fn oom_score_adj(&self, pid: i32) -> Result<Option<i16>> {
        let text = self.read(pid, "oom_score_adj")?;
        Ok(text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok()))
    }

    /// `cgroup`.
    pub(crate) fn cgroups(&self, pid: i32) -> Result<Option<CgroupPaths>> {
        Ok(self.read(pid, "cgroup")?.map(|text| parse_cgroup(&text)))
    }

    /// The threads of a process, the first one among them; none when it has gone.
    pub(crate) fn threads(&self, pid: i32) -> Vec<i32> {
        let entries = std::fs::read_dir(self.root.join(pid.to_string()).join("task"));
        let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.parse().ok()).collect()
    }

    /// Whether a thread of `parent` waits until its `child` executes a program or ends (vfork(2)). That the two share
    /// their memory has been seen before.
    pub(crate) fn waits_in_vfork(&self, parent: i32, child: i32) -> bool {
        self.threads(parent).into_iter().any(|thread| {
            let waits = self.stat(thread).ok().flatten().is_some_and(|stat| stat.state == TaskState::DiskSleep);
            // Kernels without CONFIG_PROC_CHILDREN do not say which thread's child it is.
            let made = self.read(parent, &format!("task/{thread}/children")).ok().flatten();
            let made = made.as_deref().map(String::from_utf8_lossy);
            let child = child.to_string();
            waits && made.is_none_or(|made| made.split_ascii_whitespace().any(|pid| pid == child))
        })
    }

    /// Whether a process has gone, is a zombie, or has SIGKILL waiting for it.
    pub(crate) fn is_ending(&self, pid: i32) -> bool {
        match self.status(pid) {
            Ok(Some(status)) => status.is_killed() || matches!(status.state, Some(TaskState::Zombie | TaskState::Dead)),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Whether a process is in its exit (PF_EXITING), a zombie, dead or gone. One that cannot be read is not known to be.
    pub(crate) fn is_exiting(&self, pid: i32) -> bool {
        let exiting = |stat: Stat| stat.exiting || matches!(stat.state, TaskState::Zombie | TaskState::Dead);
        self.stat(pid).is_ok_and(|stat| stat.is_none_or(exiting))
    }

    /// Whether a process is ending or in its exit: what [`Proc::is_ending`] or [`Proc::is_exiting`] says.
    pub(crate) fn is_dying(&self, pid: i32) -> bool {
        self.is_ending(pid) || self.is_exiting(pid)
    }

    /// The process of a thread: its own pid for the first one.
    ///
    /// What `/proc/PID/status` holds of a task's memory while it is read would keep that of a victim in its exit, and
    /// the kernel might kill another one for it: so it is read for other threads only, which have no pidfd.
    pub(crate) fn process_of(&self, thread: i32) -> Option<i32> {
        if self.system && crate::sys::pidfd_open(thread).is_ok() {
            return Some(thread);
        }
        self.status(thread).ok()??.tgid
    }

    /// State, wait channel and stack together, of one wait as far as that can be seen: all are read again when the
    /// task fell asleep or woke up in between.
    pub(crate) fn waiting(&self, pid: i32) -> Result<Option<Waiting>> {
        let Some(mut before) = self.stat(pid)? else { return Ok(None) };
        // A task that changes faster than it can be read is not blocked, so a few looks are enough.
        for last in [false, false, true] {
            let wchan = match self.wchan(pid) {
                Ok(Some(wchan)) => wchan,
                Ok(None) => return Ok(None),
                Err(_) => None,
            };
            let stack = match self.stack(pid) {
                Ok(Some(stack)) => Ok(stack),
                Ok(None) => return Ok(None),
                Err(error) => Err(error.to_string()),
            };
            let Some(stat) = self.stat(pid)? else { return Ok(None) };
            if stat.state == before.state || last {
                let frames = stack.as_deref().unwrap_or_default();
                let blocked_in_memcg_oom = blocked_in_memcg_oom(wchan.as_deref(), frames, stat.state);
                return Ok(Some(Waiting { state: stat.state, wchan, stack, blocked_in_memcg_oom }));
            }
            before = stat;
        }
        Ok(None)
    }
}

/// Whether the pids of this process are those of the machine: it stands in the first pid namespace. Where /proc does not
/// say, they are not taken for them.
pub(crate) fn machine_pids() -> bool {
    use crate::memcg::owner::{pid_namespace, FIRST_PID_NAMESPACE};
    pid_namespace().is_ok_and(|number| number == FIRST_PID_NAMESPACE)
}

/// Whether a task in this state waits for its memory cgroup because the OOM killer is off: state D, and the wait
/// in `mem_cgroup_oom_synchronize`. The stack decides; the wait channel only where there is no stack.
pub(crate) fn blocked_in_memcg_oom(wchan: Option<&str>, stack: &[Frame], state: TaskState) -> bool {
    if state != TaskState::DiskSleep {
        return false;
    }
    // The function kept its name from 3.12 to 7.x. A link-time optimiser may inline it into its only caller, which
    // sleeps nowhere else.
    let is_wait = |name: &str| matches!(base_name(name), "mem_cgroup_oom_synchronize" | "pagefault_out_of_memory");
    if stack.is_empty() {
        return wchan.is_some_and(is_wait);
    }
    // Only what the scheduler stands on may come before it: deeper in the stack it would be a different wait.
    let scheduler = |name: &str| {
        let name = base_name(name);
        name == "schedule" || name == "__schedule" || name.starts_with("schedule_") || name == "__switch_to"
    };
    stack.iter().find(|frame| !scheduler(&frame.function)).is_some_and(|frame| is_wait(&frame.function))
}

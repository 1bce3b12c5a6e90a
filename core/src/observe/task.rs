//! One process as `/proc` shows it: state, wait channel, kernel stack, memory, cgroup.
//!
//! The root is a parameter, so that a fixture tree can stand in for the kernel. A process that has gone is
//! `Ok(None)`; one that may not be read is an error.

use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::callpath::{base_name, parse_proc_stack, Frame};
use crate::{Error, Result};

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
    /// SIGKILL is pending.
    pub(crate) killed: bool,
}

/// What memoom needs of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) comm: Vec<u8>,
    pub(crate) state: TaskState,
    pub(crate) ppid: i32,
    /// When it started, in clock ticks since boot: with the pid this names a process for good.
    pub(crate) starttime_ticks: u64,
    /// The resident pages by the counter that the OOM score of kernels before 7.0 reads too: cheap, and on many
    /// CPUs not exact (6.2 on).
    pub(crate) rss_pages: u64,
}

/// The memory cgroup of a process, relative to the mount of the hierarchy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CgroupPaths {
    /// In the v1 hierarchy that has the memory controller.
    pub(crate) v1_memory: Option<PathBuf>,
    /// In the v2 hierarchy; it need not have the memory controller.
    pub(crate) v2: Option<PathBuf>,
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
            let error = match std::fs::read(&path) {
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
            Ok(Some(status)) => status.killed || matches!(status.state, Some(TaskState::Zombie | TaskState::Dead)),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// The process of a thread: its own pid for the first one.
    pub(crate) fn process_of(&self, thread: i32) -> Option<i32> {
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

/// Whether the pids of this process are those of the machine: it stands in the first pid namespace.
pub(crate) fn machine_pids() -> bool {
    // PROC_PID_INIT_INO, the number of that namespace on every kernel (include/linux/proc_ns.h).
    const FIRST: u64 = 0xEFFF_FFFC;
    // 0: /proc does not say.
    matches!(crate::memcg::leftover::pid_namespace(), 0 | FIRST)
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

fn parse_wchan(text: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(text).ok()?.trim();
    (!name.is_empty() && name != "0").then(|| name.to_string())
}

/// `status`, ignoring keys it does not know.
fn parse_status(text: &[u8]) -> Status {
    let mut status = Status::default();
    for line in text.split(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (key, value) = (&line[..colon], &line[colon + 1..]);
        if key == b"Name" {
            status.comm = unescape_name(value.strip_prefix(b"\t").unwrap_or(value));
            continue;
        }
        let Ok(value) = std::str::from_utf8(value) else { continue };
        let first = value.split_ascii_whitespace().next();
        let bytes = || first.and_then(|number| number.parse::<u64>().ok()).and_then(|kib| kib.checked_mul(1024));
        match key {
            b"State" => status.state = first.and_then(|word| word.chars().next()).map(TaskState::from_char),
            b"Tgid" => status.tgid = first.and_then(|number| number.parse().ok()),
            b"PPid" => status.ppid = first.and_then(|number| number.parse().ok()),
            b"Uid" => status.uid = first.and_then(|number| number.parse().ok()),
            b"NSpid" => status.ns_pids = value.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect(),
            b"VmRSS" => status.vm_rss_bytes = bytes(),
            b"RssAnon" => status.rss_anon_bytes = bytes(),
            b"RssFile" => status.rss_file_bytes = bytes(),
            b"RssShmem" => status.rss_shmem_bytes = bytes(),
            b"VmSwap" => status.vm_swap_bytes = bytes(),
            b"VmPTE" => status.vm_pte_bytes = bytes(),
            b"SigPnd" | b"ShdPnd" => {
                let pending = first.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0);
                status.killed |= pending >> (libc::SIGKILL - 1) & 1 == 1;
            }
            b"Threads" => status.threads = first.and_then(|number| number.parse().ok()),
            _ => {}
        }
    }
    status
}

/// The kernel writes newline and backslash of a name as `\n` and `\\` (older kernels other controls as `\ooo`).
fn unescape_name(text: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'\\' {
            name.push(first);
            continue;
        }
        let octal = tail.get(..3).filter(|digits| digits.iter().all(|digit| (b'0'..b'8').contains(digit)));
        match (octal, tail.first()) {
            (Some(digits), _) => {
                name.push(digits.iter().fold(0u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = &tail[3..];
            }
            (None, Some(b'n')) => {
                name.push(b'\n');
                rest = &tail[1..];
            }
            (None, Some(b'\\')) => {
                name.push(b'\\');
                rest = &tail[1..];
            }
            (None, _) => name.push(b'\\'),
        }
    }
    name
}

/// `stat`: the comm may hold `)` and blanks, so the fields are counted from its last `)`.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|&byte| byte == b'(')?;
    let close = text.iter().rposition(|&byte| byte == b')').filter(|close| *close > open)?;
    let fields: Vec<&str> = std::str::from_utf8(&text[close + 1..]).ok()?.split_ascii_whitespace().collect();
    // The first of these is field 3.
    let field = |number: usize| fields.get(number - 3);
    Some(Stat {
        comm: text[open + 1..close].to_vec(),
        state: TaskState::from_char(field(3)?.chars().next()?),
        ppid: field(4)?.parse().ok()?,
        starttime_ticks: field(22)?.parse().ok()?,
        rss_pages: field(24)?.parse::<i64>().ok()?.max(0).unsigned_abs(),
    })
}

/// `cgroup`: `N:memory:/…` (the controllers may be several) and `0::/…`; a path may hold colons.
fn parse_cgroup(text: &[u8]) -> CgroupPaths {
    let mut paths = CgroupPaths::default();
    for line in text.split(|&byte| byte == b'\n') {
        let mut parts = line.splitn(3, |&byte| byte == b':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let path = || Some(PathBuf::from(std::ffi::OsString::from_vec(path.to_vec())));
        if number == b"0" && controllers.is_empty() {
            paths.v2 = path();
        } else if controllers.split(|&byte| byte == b',').any(|name| name == b"memory") {
            paths.v1_memory = path();
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::super::live;
    use super::*;
    use crate::ErrorKind;
    use std::path::Path;

    const STATUS: &[u8] = b"Name:\ta\\nb\\\\ c)\nUmask:\t0022\nState:\tD (disk sleep)\nTgid:\t70\nNgid:\t0\nPid:\t71\nPPid:\t1\n\
        Uid:\t1000\t1001\t1002\t1003\nNSpid:\t71\t3\nVmPeak:\t 9 kB\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\n\
        RssFile:\t     512 kB\nRssShmem:\t     512 kB\nVmPTE:\t      44 kB\nVmSwap:\t       8 kB\nThreads:\t2\nNew:\tx\n";

    #[test]
    fn a_status_is_read_by_its_keys() {
        let status = parse_status(STATUS);
        assert_eq!(status.comm, b"a\nb\\ c)");
        assert_eq!(status.state, Some(TaskState::DiskSleep));
        assert_eq!((status.tgid, status.ppid, status.uid, status.threads), (Some(70), Some(1), Some(1000), Some(2)));
        assert_eq!(status.ns_pids, [71, 3]);
        assert_eq!((status.vm_rss_bytes, status.rss_anon_bytes), (Some(2048 << 10), Some(1024 << 10)));
        assert_eq!((status.rss_file_bytes, status.rss_shmem_bytes), (Some(512 << 10), Some(512 << 10)));
        assert_eq!((status.vm_pte_bytes, status.vm_swap_bytes), (Some(44 << 10), Some(8 << 10)));
        let zombie = parse_status(b"Name:\tx\nState:\tZ (zombie)\n");
        assert_eq!((zombie.state, zombie.vm_rss_bytes), (Some(TaskState::Zombie), None));
    }

    #[test]
    fn a_stat_is_read_from_the_right() {
        let tail =
            " S 5791 5791 2988 0 -1 4194304 103 0 0 0 0 0 0 0 20 0 1 0 116920 3133440 390 18446744073709551615\n";
        for comm in ["cat", ") R 1 (", "a b", "((", "))"] {
            let stat = parse_stat(format!("5796 ({comm}){tail}").as_bytes()).expect("a stat");
            assert_eq!(stat.comm, comm.as_bytes());
            assert_eq!((stat.state, stat.ppid), (TaskState::Sleeping, 5791));
            assert_eq!((stat.starttime_ticks, stat.rss_pages), (116_920, 390));
        }
        for bad in [b"".as_slice(), b"1", b"1 (", b"1 (x)", b"1 )x(", b"1 (x) S 1"] {
            assert_eq!(parse_stat(bad), None);
        }
    }

    #[test]
    fn cgroup_paths_may_hold_colons() {
        let paths = parse_cgroup(b"9:name=systemd:/\n4:cpuset,memory:/a:b/c d\n0::/x:y\n");
        assert_eq!(paths.v1_memory.as_deref(), Some(Path::new("/a:b/c d")));
        assert_eq!(paths.v2.as_deref(), Some(Path::new("/x:y")));
        assert_eq!(parse_cgroup(b"3:memory_x:/a\n"), CgroupPaths::default());
    }

    #[test]
    fn every_state_letter_comes_back() {
        for letter in "RSDTtZXIPKW".chars() {
            assert_eq!(TaskState::from_char(letter).char(), letter);
        }
    }

    #[test]
    fn the_stack_decides_and_the_wait_channel_stands_in() {
        use TaskState::{DiskSleep, Running, Sleeping};
        let stack = |names: &[&str]| -> Vec<Frame> {
            let text: String = names.iter().map(|name| format!("[<0>] {name}+0x1/0x2\n")).collect();
            parse_proc_stack(text.as_bytes())
        };
        let wait = stack(&["mem_cgroup_oom_synchronize", "pagefault_out_of_memory", "exc_page_fault"]);
        assert!(blocked_in_memcg_oom(None, &wait, DiskSleep));
        assert!(!blocked_in_memcg_oom(Some("mem_cgroup_oom_synchronize"), &wait, Sleeping));
        assert!(!blocked_in_memcg_oom(None, &wait, Running));
        assert!(blocked_in_memcg_oom(
            None,
            &stack(&["__schedule", "schedule", "mem_cgroup_oom_synchronize.isra.0"]),
            DiskSleep
        ));
        assert!(blocked_in_memcg_oom(None, &stack(&["pagefault_out_of_memory.llvm.12"]), DiskSleep));
        assert!(blocked_in_memcg_oom(Some("mem_cgroup_oom_synchronize"), &[], DiskSleep));
        assert!(!blocked_in_memcg_oom(Some("mem_cgroup_handle_over_high"), &[], DiskSleep));
        assert!(!blocked_in_memcg_oom(None, &[], DiskSleep));
        // A different wait, whatever the channel said a moment before.
        let io = stack(&["io_schedule", "folio_wait_bit", "pagefault_out_of_memory"]);
        assert!(!blocked_in_memcg_oom(Some("mem_cgroup_oom_synchronize"), &io, DiskSleep));
    }

    #[test]
    fn a_fixture_tree_stands_in_for_proc() {
        let tree = tempfile::tempdir().expect("a directory");
        let proc_root = Proc::at(tree.path());
        let dir = tree.path().join("71");
        std::fs::create_dir(&dir).expect("mkdir");
        for (name, text) in [
            ("status", STATUS),
            ("stat", b"71 (x) D 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 0 5 0\n".as_slice()),
            ("wchan", b"mem_cgroup_oom_synchronize"),
            ("stack", b"[<0>] mem_cgroup_oom_synchronize+0x1/0x2\n"),
            ("oom_score_adj", b"-998\n"),
            ("cgroup", b"4:memory:/g\n"),
        ] {
            std::fs::write(dir.join(name), text).expect("write");
        }
        let waiting = proc_root.waiting(71).expect("readable").expect("there");
        assert!(waiting.blocked_in_memcg_oom);
        assert_eq!(waiting.wchan.as_deref(), Some("mem_cgroup_oom_synchronize"));
        assert_eq!(proc_root.oom_score_adj(71).expect("readable"), Some(-998));
        assert_eq!(proc_root.status(72).expect("no error"), None);
        assert_eq!(proc_root.waiting(72).expect("no error"), None);
        std::fs::remove_file(dir.join("stack")).expect("rm");
        let error = proc_root.stack(71).expect_err("the process is there, the file is not");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        // Without a stack the wait channel decides, and the reason is kept.
        let waiting = proc_root.waiting(71).expect("readable").expect("there");
        assert!(waiting.blocked_in_memcg_oom && waiting.stack.is_err());
    }

    #[test]
    fn the_own_process_can_be_read() {
        let system = Proc::system();
        let pid = i32::try_from(std::process::id()).expect("a pid");
        let status = system.status(pid).expect("readable").expect("there");
        assert!(status.vm_rss_bytes.is_some_and(|rss| rss > 0) && status.ns_pids.first() == Some(&pid));
        assert!(system.stat(pid).expect("readable").expect("there").starttime_ticks > 0);
        assert_eq!(system.status(i32::MAX).expect("no error"), None);
    }

    #[test]
    fn a_reaped_process_is_none_and_a_zombie_is_a_zombie() {
        let mut child = std::process::Command::new("true").spawn().expect("true starts");
        let pid = i32::try_from(child.id()).expect("a pid");
        let id = nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(pid));
        let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
        nix::sys::wait::waitid(id, flags).expect("it ends");
        let waiting = Proc::system().waiting(pid).expect("readable").expect("a zombie is there");
        assert_eq!(waiting.state, TaskState::Zombie);
        child.wait().expect("reaped");
        assert_eq!(Proc::system().waiting(pid).expect("no error"), None);
    }

    #[test]
    fn a_hog_blocked_by_the_oom_killer_being_off_is_seen() {
        let Some(group) = live::Group::new("obs-task", 16 << 20) else { return };
        group.set("memory.oom_control", "1");
        let mut hog = group.spawn("exec tail /dev/zero");
        let pid = i32::try_from(hog.id()).expect("a pid");
        let system = Proc::system();
        group.wait_under_oom();
        // under_oom, then D and the stack, are there a moment before the task has left its CPU and has a channel.
        let deadline = std::time::Instant::now() + live::DEADLINE;
        let waiting = loop {
            let waiting = system.waiting(pid).expect("readable").expect("there");
            if waiting.blocked_in_memcg_oom && waiting.wchan.is_some() {
                break waiting;
            }
            assert!(std::time::Instant::now() < deadline, "not seen as blocked: {waiting:?}");
            std::thread::yield_now();
        };
        assert_eq!(waiting.state, TaskState::DiskSleep);
        assert_eq!(waiting.wchan.as_deref(), Some("mem_cgroup_oom_synchronize"));
        let stack = waiting.stack.expect("root may read it");
        assert_eq!(stack.first().map(|frame| frame.function.as_str()), Some("mem_cgroup_oom_synchronize"));
        assert_eq!(stack.first().and_then(Frame::step), Some(super::super::callpath::Step::Wait));
        let cgroup = system.cgroups(pid).expect("readable").expect("there");
        assert_eq!(cgroup.v1_memory.as_deref(), Some(group.relative()));
        hog.kill().expect("a blocked task can be killed");
        hog.wait().expect("reaped");
    }
}

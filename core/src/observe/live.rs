//! What live tests share: a v1 group of their own, and a reason when there cannot be one.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a live test waits for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Says why a live test does not run; with MEMOOM_REQUIRE=1 that is a failure.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("MEMOOM_REQUIRE").is_none_or(|value| value != "1"), "MEMOOM_REQUIRE=1: {reason}");
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// A memory cgroup of one test, removed at its end.
pub(crate) struct Group {
    path: PathBuf,
    relative: PathBuf,
}

impl Group {
    /// A v1 group with a limit; `None`, and the reason said, where there is no v1 memory controller to write to.
    pub(crate) fn new(name: &str, limit: u64) -> Option<Group> {
        let relative = PathBuf::from(format!("/memoom-dev-{name}-{}", std::process::id()));
        let path = Path::new("/sys/fs/cgroup/memory").join(relative.strip_prefix("/").expect("absolute"));
        if let Err(error) = fs::create_dir(&path) {
            skip(&format!("no v1 memory group can be made at {}: {error}", path.display()));
            return None;
        }
        let group = Group { path, relative };
        group.set("memory.limit_in_bytes", &limit.to_string());
        Some(group)
    }

    /// The path as the kernel names it.
    pub(crate) fn relative(&self) -> &Path {
        &self.relative
    }

    pub(crate) fn set(&self, file: &str, value: &str) {
        fs::write(self.path.join(file), value).unwrap_or_else(|error| panic!("{file} = {value}: {error}"));
    }

    pub(crate) fn get(&self, file: &str) -> String {
        fs::read_to_string(self.path.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// A shell that joins the group first and then runs the script.
    pub(crate) fn spawn(&self, script: &str) -> Child {
        let script = format!("echo 0 > '{}/tasks' && {script}", self.path.display());
        Command::new("sh").arg("-c").arg(script).stdout(Stdio::null()).spawn().expect("sh starts")
    }

    /// Waits until a task is blocked: the eventfd of v1 fires, and fires at once when it is so already.
    pub(crate) fn wait_under_oom(&self) {
        use nix::poll::{poll, PollFd, PollFlags};
        use std::os::fd::AsRawFd;
        let event = nix::sys::eventfd::EventFd::new().expect("an eventfd");
        let control = fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_CLOEXEC)
            .open(self.path.join("memory.oom_control"))
            .expect("oom_control opens");
        self.set("cgroup.event_control", &format!("{} {}", event.as_fd().as_raw_fd(), control.as_raw_fd()));
        let deadline = Instant::now() + DEADLINE;
        while !self.get("memory.oom_control").contains("under_oom 1") {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no task was blocked");
            let mut fds = [PollFd::new(event.as_fd(), PollFlags::POLLIN)];
            let millis = u16::try_from(left.as_millis()).unwrap_or(u16::MAX);
            poll(&mut fds, millis).expect("poll");
            if fds[0].any().unwrap_or(false) {
                let _ = event.read();
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        // A reaped task leaves its group a moment later on kernels from 6.19.
        while let Err(error) = fs::remove_dir(&self.path) {
            if error.raw_os_error() == Some(libc::ENOENT) || Instant::now() > deadline {
                break;
            }
            let _ = fs::write(self.path.join("memory.oom_control"), "0");
            for pid in fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default().lines() {
                if let Ok(pid) = pid.parse() {
                    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
                }
            }
            std::thread::yield_now();
        }
    }
}

//! What the storm needs of the kernel and the standard library does not have: mounts of its own, whoever is orphaned
//! below it, and signals that hit the process that was meant.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null;

/// Gives this process mounts of its own, with an empty /tmp and /dev/shm, so that what is left in them is ours; and makes
/// it the one to whom the orphans below it come, so that nobody is overlooked.
pub fn alone() -> std::io::Result<()> {
    let done = |result: i32| if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) };
    let tmpfs = c"tmpfs".as_ptr();
    // SAFETY: numbers, and strings that end with NUL and live for the whole calls.
    unsafe {
        // Whoever started this in the background, or by nohup, has these ignored, and so would every host.
        for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGTERM] {
            libc::signal(signal, libc::SIG_DFL);
        }
        done(libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1))?;
        done(libc::unshare(libc::CLONE_NEWNS))?;
        done(libc::mount(null(), c"/".as_ptr(), null(), libc::MS_REC | libc::MS_PRIVATE, null()))?;
        done(libc::mount(tmpfs, c"/tmp".as_ptr(), tmpfs, 0, null()))?;
        done(libc::mount(tmpfs, c"/dev/shm".as_ptr(), tmpfs, 0, null()))
    }
}

/// The directory of the tracefs instances, as this process reaches it; `None` where it may not. It is mounted for a
/// moment only, as hosts are to reach it in their own way.
pub fn instances() -> Option<OwnedFd> {
    let (tracefs, at) = (c"tracefs".as_ptr(), c"/tmp".as_ptr());
    // SAFETY: as above; what is mounted over /tmp is taken away again.
    let mounted = unsafe { libc::mount(tracefs, at, tracefs, 0, null()) } == 0;
    let directory = mounted.then(|| fs::File::open("/tmp/instances").ok()).flatten();
    if mounted {
        // SAFETY: as above; the open directory keeps it within reach.
        unsafe { libc::umount2(at, libc::MNT_DETACH) };
    }
    directory.map(OwnedFd::from)
}

/// A process that cannot become another.
pub struct Held {
    pub pid: i32,
    pidfd: OwnedFd,
}

impl Held {
    /// That process, if it is still among those that `look` gives once it is held.
    pub fn take(pid: i32, look: impl FnOnce() -> Vec<i32>) -> Option<Held> {
        // SAFETY: numbers alone.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: the kernel has just made it for us.
        let pidfd = unsafe { OwnedFd::from_raw_fd(fd) };
        look().contains(&pid).then_some(Held { pid, pidfd })
    }

    /// Sends a signal; whether it was there to get it.
    pub fn signal(&self, signal: i32) -> bool {
        // SAFETY: an open pidfd, and nothing to be said beside the signal.
        let sent =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.pidfd.as_raw_fd(), signal, null::<u8>(), 0) };
        sent == 0
    }
}

/// The children of a process, also those that its other threads have made.
pub fn children(pid: i32) -> Vec<i32> {
    let mut found = BTreeSet::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let listed = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(listed.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    found.into_iter().collect()
}

/// Name and state of a process, for whoever reads that it is left.
pub fn describe(pid: i32) -> String {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let stat = read("stat");
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('?');
    let groups = read("cgroup").lines().filter(|line| !line.ends_with(":/")).collect::<Vec<_>>().join(" ");
    let line = read("cmdline").replace('\0', " ");
    format!("pid {pid} ({}, state {state}, wchan {}) {line:?} in {groups}", read("comm").trim(), read("wchan"))
}

//! What a round could leave behind: processes, groups, tracefs instances, mounts, files and settings.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sys::wait::{waitpid, WaitPidFlag};
use nix::unistd::Pid;

use super::beside::Beside;
use super::process::{children, describe, instances};

/// Where settings of the whole machine stand.
const SETTINGS: &[&str] = &["/proc/sys/vm", "/proc/sys/kernel", "/sys/kernel/mm/transparent_hugepage"];
/// What changes by itself there.
const ALIVE: &[&str] = &["random", "ns_last_pid", "pty", "perf_event_max_sample_rate", "sched_", "tainted"];

/// How it was before the storm.
pub struct Before {
    mounts: String,
    files: Vec<PathBuf>,
    used: u64,
    settings: BTreeMap<PathBuf, String>,
    instances: Option<OwnedFd>,
    children: Vec<i32>,
    base: PathBuf,
    top: PathBuf,
}

impl Before {
    pub fn now(beside: &Beside) -> Before {
        let top = memoom::Host::probe().unwrap().parent.unwrap();
        Before {
            mounts: fs::read_to_string("/proc/self/mountinfo").unwrap(),
            files: files(),
            used: used(),
            settings: settings(),
            instances: instances(),
            children: beside.children(),
            base: beside.base().into(),
            top,
        }
    }

    /// The labs of that process, whether it told of them or not.
    pub fn labs(&self, host: i32) -> Vec<PathBuf> {
        [&self.base, &self.top].into_iter().flat_map(|place| named_after(host, place)).collect()
    }

    /// Whether tracefs can be looked into.
    pub fn sees_instances(&self) -> bool {
        self.instances.is_some()
    }

    /// Where the hosts make their labs.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The processes that have come to us as orphans; those of them that have ended are reaped.
    pub fn strangers(&self) -> Vec<i32> {
        let own = i32::try_from(std::process::id()).unwrap();
        let ended = |pid: i32| matches!(waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)), Ok(status) if status.pid().is_some());
        children(own).into_iter().filter(|pid| !self.children.contains(pid) && !ended(*pid)).collect()
    }

    /// What is left of that host's labs, and of anybody that it has started.
    pub fn left(&self, host: i32) -> Vec<String> {
        let mut left: Vec<String> =
            self.strangers().into_iter().map(|pid| format!("a process: {}", describe(pid))).collect();
        for lab in self.labs(host) {
            left.push(format!("a group: {}", tree(&lab)));
        }
        if let Some(instances) = &self.instances {
            let place = PathBuf::from(format!("/proc/self/fd/{}", instances.as_raw_fd()));
            left.extend(named_after(host, &place).iter().map(|one| format!("a tracefs instance: {}", one.display())));
        }
        left
    }

    /// What has changed that is nobody's.
    pub fn changed(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        if mounts != self.mounts {
            found.push(format!("mounts, before:\n{}now:\n{mounts}", self.mounts));
        }
        found.extend(files().iter().filter(|file| !self.files.contains(file)).map(|file| format!("a file: {file:?}")));
        if used() > self.used {
            found.push(format!("{} pages of files in /tmp and /dev/shm that nobody sees", used() - self.used));
        }
        let now = settings();
        for (file, value) in &self.settings {
            if now.get(file) != Some(value) {
                found.push(format!("a setting: {} was {value:?} and is {:?}", file.display(), now.get(file)));
            }
        }
        found
    }
}

fn named_after(host: i32, place: &Path) -> Vec<PathBuf> {
    let prefix = format!("memoom-{host:x}-");
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)).map(|entry| entry.path()).collect()
}

/// The groups of a tree and who stands in them.
pub fn groups(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![top.to_path_buf()];
    let mut at = 0;
    while at < found.len() {
        let below = fs::read_dir(&found[at]).into_iter().flatten().flatten();
        found.extend(below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()));
        at += 1;
    }
    found
}

/// Who stands in a tree.
pub fn processes(top: &Path) -> Vec<i32> {
    let listed =
        groups(top).into_iter().map(|group| fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default());
    listed.flat_map(|text| text.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()).collect()
}

fn tree(top: &Path) -> String {
    let who: Vec<String> = processes(top).into_iter().map(describe).collect();
    format!("{} with {} groups and [{}]", top.display(), groups(top).len(), who.join("; "))
}

fn files() -> Vec<PathBuf> {
    // /tmp and /dev/shm are the storm's own; elsewhere others write too.
    let places = [("/tmp", ""), ("/dev/shm", ""), ("/var/tmp", "memoom"), (".", "memoom")];
    let mut found = Vec::new();
    for (place, prefix) in places {
        let entries = fs::read_dir(place).into_iter().flatten().flatten();
        let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        found.extend(ours.map(|entry| entry.path()));
    }
    found
}

/// Pages of the two file systems in memory: of files without a name too.
fn used() -> u64 {
    let of = |place| nix::sys::statvfs::statvfs(place).map_or(0, |found| found.blocks() - found.blocks_free());
    of("/tmp") + of("/dev/shm")
}

fn settings() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for place in SETTINGS {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if ALIVE.iter().any(|alive| name.starts_with(alive)) {
                continue;
            }
            if let Ok(text) = fs::read_to_string(entry.path()) {
                found.insert(entry.path(), text);
            }
        }
    }
    found
}

//! What really happened, and what had to: from the kernel's files alone, read and reckoned here once more.

use std::path::{Path, PathBuf};

use memoom::Version;

use crate::common::actor::read;
use crate::common::page_bytes;

/// One process as /proc shows it, in pages.
#[derive(Debug, Clone)]
pub struct Task {
    pub pid: i32,
    pub pages: u64,
    /// Of these, what its death gives back: pages of its program's file are charged to whoever read them first.
    pub own: u64,
    pub oom_score_adj: i64,
}

/// Every process that stands in a group or below it.
pub fn processes(path: &Path) -> Vec<i32> {
    let mut pids: Vec<i32> =
        read(path.join("cgroup.procs")).lines().filter_map(|line| line.trim().parse().ok()).collect();
    for below in below(path) {
        pids.extend(processes(&below));
    }
    pids
}

fn below(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// What the kernel scores of each process of a group.
pub fn tasks(path: &Path) -> Vec<Task> {
    let page = page_bytes();
    processes(path)
        .into_iter()
        .filter_map(|pid| {
            let resident: u64 = read(format!("/proc/{pid}/statm")).split(' ').nth(1)?.parse().ok()?;
            let status = read(format!("/proc/{pid}/status"));
            let size = |key: &str| -> Option<u64> {
                let line = status.lines().find_map(|line| line.strip_prefix(key))?;
                line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024 / page)
            };
            let pages = resident + size("VmPTE:")? + size("VmSwap:").unwrap_or(0);
            let oom_score_adj = read(format!("/proc/{pid}/oom_score_adj")).trim().parse().ok()?;
            let own = size("RssAnon:")?;
            Some(Task { pid, pages, own, oom_score_adj })
        })
        .collect()
}

/// Who must be chosen: the highest score, and how far ahead of the next it is, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub pid: i32,
    pub margin: u64,
    /// Before 5.9 all scores below 1 were equal.
    pub positive: bool,
}

/// Reckons the choice when `grower` takes all the room that is left (nobody does when the limit itself is lowered).
pub fn choice(tasks: &[Task], grower: Option<i32>, limit_pages: u64, room_pages: u64) -> Option<Choice> {
    let share = (limit_pages / 1000) as i64;
    let mut scores: Vec<(i64, i32)> = tasks
        .iter()
        .filter(|task| task.oom_score_adj != -1000)
        .map(|task| {
            let growth = if Some(task.pid) == grower { room_pages } else { 0 };
            ((task.pages + growth) as i64 + task.oom_score_adj * share, task.pid)
        })
        .collect();
    scores.sort_unstable();
    let (score, pid) = scores.pop()?;
    let margin = scores.pop().map_or(u64::MAX, |(second, _)| (score - second).unsigned_abs());
    Some(Choice { pid, margin, positive: score >= 1 })
}

fn number(path: PathBuf) -> u64 {
    read(path).trim().parse().unwrap_or(0)
}

fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

pub fn usage(path: &Path, version: Version) -> u64 {
    number(path.join(if version == Version::V1 { "memory.usage_in_bytes" } else { "memory.current" }))
}

/// What is charged to the group and can be reclaimed without swap: page cache, also from under a process, and on v2 the
/// kernel's own caches.
pub fn reclaimable(path: &Path, version: Version) -> u64 {
    let text = read(path.join("memory.stat"));
    let keys: &[&str] = if version == Version::V1 {
        &["total_active_file", "total_inactive_file"]
    } else {
        &["active_file", "inactive_file", "slab_reclaimable"]
    };
    keys.iter().filter_map(|key| keyed(&text, key)).sum()
}

/// Kill events that the kernel counted in a group and below it.
pub fn kills(path: &Path, version: Version) -> u64 {
    match version {
        // v1 counts in each group its own.
        Version::V1 => {
            keyed(&read(path.join("memory.oom_control")), "oom_kill").unwrap_or(0)
                + below(path).iter().map(|below| kills(below, version)).sum::<u64>()
        }
        Version::V2 => keyed(&read(path.join("memory.events")), "oom_kill").unwrap_or(0),
    }
}

/// Whether this process may give a process a lower `oom_score_adj` than its own: CAP_SYS_RESOURCE.
pub fn may_lower_scores() -> bool {
    let status = read("/proc/self/status");
    let caps = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or("0");
    u64::from_str_radix(caps.trim(), 16).is_ok_and(|caps| caps >> 24 & 1 == 1)
}

/// Whether the kernel never kills a process for an OOM.
pub fn spared(pid: i32) -> bool {
    read(format!("/proc/{pid}/oom_score_adj")).trim() == "-1000"
}

/// Whether a process is there and not a zombie.
pub fn lives(pid: i32) -> bool {
    crate::common::process_is_there(pid)
}

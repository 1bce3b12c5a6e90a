//! What the files of `/proc/PID` hold, line by line.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::{CgroupPaths, Stat, Status, TaskState};
use crate::text::stat_fields;

pub(crate) fn parse_wchan(text: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(text).ok()?.trim();
    (!name.is_empty() && name != "0").then(|| name.to_string())
}

/// `status`, ignoring keys it does not know.
pub(crate) fn parse_status(text: &[u8]) -> Status {
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
                *(if key == b"SigPnd" { &mut status.pending } else { &mut status.pending_shared }) = pending;
            }
            b"TracerPid" => status.traced = first.is_some_and(|pid| pid != "0"),
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

/// `stat`, as far as it is wanted.
pub(crate) fn parse_stat(text: &[u8]) -> Option<Stat> {
    let (comm, fields) = stat_fields(text)?;
    let field = |number: usize| fields.get(number - 3);
    // include/linux/sched.h
    const PF_EXITING: u64 = 4;
    Some(Stat {
        comm: comm.to_vec(),
        state: TaskState::from_char(field(3)?.chars().next()?),
        ppid: field(4)?.parse().ok()?,
        exiting: field(9)?.parse::<u64>().ok()? & PF_EXITING != 0,
        starttime_ticks: field(22)?.parse().ok()?,
        rss_pages: field(24)?.parse::<i64>().ok()?.max(0).unsigned_abs(),
        wait_status: field(52).and_then(|status| status.parse().ok()).unwrap_or(0),
    })
}

/// `cgroup`: `N:memory:/…` (the controllers may be several) and `0::/…`; a path may hold colons.
pub(crate) fn parse_cgroup(text: &[u8]) -> CgroupPaths {
    let mut paths = CgroupPaths::default();
    for line in text.split(|&byte| byte == b'\n') {
        let mut parts = line.splitn(3, |&byte| byte == b':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let path = || Some(PathBuf::from(std::ffi::OsString::from_vec(path.to_vec())));
        if number == b"0" && controllers.is_empty() {
            paths.v2 = path();
        } else if controllers == b"name=systemd" {
            paths.systemd = path();
        } else if controllers.split(|&byte| byte == b',').any(|name| name == b"memory") {
            paths.v1_memory = path();
        }
    }
    paths
}

/// `smaps_rollup`: its `Pss`.
pub(crate) fn parse_pss(text: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

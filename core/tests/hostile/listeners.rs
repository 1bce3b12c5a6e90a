//! Who may not listen to the tracepoints in the first way listens in the second, and what is heard without its path is taken
//! for no more than it says.
#![allow(unsafe_code)] // capabilities are given up

use std::path::Path;

use memoom::{GrowStatus, HogOptions, Lab, LabOptions, Limits, Verdict};

use super::common::LONG;
use super::{refused, visitor};

/// CAP_SYSLOG: who lacks it may see no addresses of the kernel.
const CAP_SYSLOG: u32 = 34;

pub fn without_perf_events_a_path_comes_from_an_instance() {
    visitor::run_apart("no-perf-events");
}

pub fn an_oom_without_a_path_is_one() {
    visitor::run_apart("no-symbols");
}

fn without_a_log(parent: &Path) -> Lab {
    Lab::with(&LabOptions { parent: Some(parent.into()), kernel_log: false, ..LabOptions::default() }).unwrap()
}

pub fn without_perf_events(parent: &Path) -> String {
    refused::refuse(libc::SYS_perf_event_open as u32, libc::EPERM);
    let lab = without_a_log(parent);
    let (path, missing) = kill(&lab);
    // The host has asked whether tracefs can be reached, which is all that an instance needs.
    assert_eq!(path > 0, lab.host().can("tracefs"), "{missing:?}");
    lab.close().unwrap();
    "done".to_string()
}

pub fn without_symbols(parent: &Path) -> String {
    let lab = without_a_log(parent);
    give_up(CAP_SYSLOG);
    let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let hidden = symbols.lines().all(|line| line.starts_with("0000000000000000"));
    let (path, missing) = kill(&lab);
    // Where an instance is listened to, the kernel names them itself.
    assert!(path > 0 || !hidden || missing.contains(&"tracefs"), "{missing:?}");
    lab.close().unwrap();
    "done".to_string()
}

/// An OOM that is told as one: the length of its path, and what its account lacks.
fn kill(lab: &Lab) -> (usize, Vec<&'static str>) {
    let group = lab.group(Some("listened"), &Limits::bytes(16 << 20)).unwrap();
    let mut watch = group.watch().unwrap();
    let hog = group.hog(&HogOptions::named("listened")).unwrap();
    while hog.grow(Some(4 << 20), LONG).unwrap().status == GrowStatus::Grew {}
    let outcome = hog.wait(LONG).unwrap();
    assert_eq!(outcome.verdict, Verdict::OomKilled, "{}", outcome.to_text());
    let oom = watch.wait_oom(LONG).unwrap().unwrap();
    assert!(oom.killed(hog.pid()), "{}", oom.to_text());
    (oom.call_path.len(), oom.missing.iter().map(|one| one.source).collect())
}

/// This thread does without that capability from now on.
fn give_up(capability: u32) {
    // _LINUX_CAPABILITY_VERSION_3 of this thread; then effective, permitted and inheritable, of the first 32 and the others.
    let (header, mut sets) = ([0x2008_0522u32, 0], [0u32; 6]);
    // SAFETY: both have the size and form that the calls read and write.
    unsafe {
        assert_eq!(libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()), 0);
        sets[(capability / 32 * 3) as usize] &= !(1 << (capability % 32));
        assert_eq!(libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()), 0);
    }
}

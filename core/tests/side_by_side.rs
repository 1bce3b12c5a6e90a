//! Labs of one process at a time. Alone in its program, as every lab of a process counts here.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use common::{lab, LONG};
use memoom::{GrowStatus, Hog, HogOptions, Lab, Limits};

/// Where a hog may run, as the kernel writes it, after it has made a step.
fn cpus_after_a_step(lab: &Lab) -> (Hog, String) {
    let group = lab.group(None, &Limits::bytes(16 << 20)).unwrap();
    let hog = group.hog(&HogOptions::default()).unwrap();
    assert_eq!(hog.grow(Some(1 << 20), LONG).unwrap().status, GrowStatus::Grew);
    let status = std::fs::read_to_string(format!("/proc/{}/status", hog.pid())).unwrap();
    let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    (hog, cpus.trim().to_string())
}

#[test]
fn the_hogs_of_a_lab_share_a_cpu_and_those_of_labs_side_by_side_share_none() {
    let Some(first) = lab() else { return };
    if std::thread::available_parallelism().unwrap().get() < 2 {
        println!("not here: one CPU");
        return;
    }
    let (_hog, cpu) = cpus_after_a_step(&first);
    assert!(cpu.parse::<u32>().is_ok(), "one CPU, and not {cpu}");
    let (_another, same) = cpus_after_a_step(&first);
    assert_eq!(cpu, same);
    // Whichever pid it has, and whichever labs were there before.
    for _ in 0..6 {
        let second = lab().unwrap();
        assert_ne!(cpus_after_a_step(&second).1, cpu);
        second.close().unwrap();
    }
}

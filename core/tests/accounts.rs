//! What an account says has happened, once, and in time: events that are told once, kills without any evidence but the
//! counters, groups that go at once, labs that live long.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::time::Duration;

use common::{lab, LONG};
use memoom::{EventKind, Group, GrowStatus, HogOptions, Limits};

const MIB: u64 = 1 << 20;

/// Grows a hog of the group until the kernel has killed it.
fn kill_a_hog(group: &Group) {
    let hog = group.hog(&HogOptions::named("eater")).unwrap();
    while hog.grow(Some(4 * MIB), LONG).unwrap().status == GrowStatus::Grew {}
    assert!(hog.wait(LONG).unwrap().oom_killed);
}

#[test]
fn every_record_of_the_log_is_one_event() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("once"), &Limits::bytes(16 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    for _ in 0..4 {
        kill_a_hog(&group);
    }
    let mut seen = Vec::new();
    while let Some(event) = watch.next(Duration::ZERO).unwrap() {
        if let EventKind::Log { sequence, .. } = event.kind {
            seen.push(sequence);
        }
    }
    let in_the_timeline: Vec<u64> = lab
        .timeline()
        .events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Log { sequence, .. } => Some(sequence),
            _ => None,
        })
        .collect();
    for mut sequences in [seen, in_the_timeline] {
        let all = sequences.len();
        assert!(all >= 4 || std::fs::File::open("/dev/kmsg").is_err(), "{all} lines of 4 kills");
        sequences.sort_unstable();
        sequences.dedup();
        assert_eq!(sequences.len(), all, "of {all} events {} are told again", all - sequences.len());
    }
    lab.close().unwrap();
}

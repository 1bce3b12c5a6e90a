//! The timeline has what every process of a group holds: by its steps, when asked, and while somebody waits.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{lab, LONG};
use memoom::{Command, ErrorKind, EventKind, Group, HogOptions, Lab, LabOptions, Limits, Timeline};

const MIB: u64 = 1 << 20;

/// All shares that were told, by pid.
fn shares(timeline: &Timeline) -> BTreeMap<i32, Vec<u64>> {
    let mut shares: BTreeMap<i32, Vec<u64>> = BTreeMap::new();
    for event in &timeline.events {
        if let (Some(pid), EventKind::Share { rss_bytes, .. }) = (event.pid, &event.kind) {
            shares.entry(pid).or_default().push(*rss_bytes);
        }
    }
    shares
}

fn usages(timeline: &Timeline, group: &Group) -> Vec<u64> {
    let of = |event: &&std::sync::Arc<memoom::Event>| event.group.as_deref() == Some(group.cgroup());
    let usage = |event: &std::sync::Arc<memoom::Event>| match event.kind {
        EventKind::Usage { usage_bytes } => Some(usage_bytes),
        _ => None,
    };
    timeline.events.iter().filter(of).filter_map(usage).collect()
}

#[test]
fn steps_are_sampled_and_a_share_is_told_when_it_changes() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("steps"), &Limits::bytes(64 * MIB)).unwrap();
    let hog = group.hog(&HogOptions::named("grows")).unwrap();
    let still = group.hog(&HogOptions::named("stands")).unwrap();
    for _ in 0..3 {
        hog.grow(Some(8 * MIB), LONG).unwrap();
    }
    let timeline = lab.timeline();
    let told = shares(&timeline);
    let grown = &told[&hog.pid()];
    assert!(grown.windows(2).all(|pair| pair[0] != pair[1]), "{grown:?}");
    // The kernel's counter may lag by some pages for each CPU.
    let last = *grown.last().unwrap();
    assert!((23 * MIB..26 * MIB).contains(&last), "{grown:?}");
    assert_eq!(told[&still.pid()].len(), 1, "it has not changed: {told:?}");
    let limit = timeline.events.iter().find(|event| matches!(event.kind, EventKind::Limit { .. })).unwrap();
    assert_eq!(limit.kind, EventKind::Limit { limit_bytes: Some(64 * MIB) });
    // Once at its making, once for each step.
    assert_eq!(usages(&timeline, &group).len(), 4);

    still.kill().unwrap();
    still.wait(LONG).unwrap();
    group.sample().unwrap();
    let timeline = lab.timeline();
    assert_eq!(shares(&timeline)[&still.pid()].last(), Some(&0), "it has gone");
    assert_eq!(usages(&timeline, &group).len(), 5);
    group.sample().unwrap();
    let again = shares(&lab.timeline());
    assert_eq!(again, shares(&timeline), "nothing has changed");
    lab.close().unwrap();
    assert_eq!(group.sample().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn an_opened_group_has_no_timeline() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("opened"), &Limits::bytes(16 * MIB)).unwrap();
    let error = Group::open(group.path()).unwrap().sample().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    group.remove().unwrap();
    assert_eq!(group.sample().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn whoever_waits_samples_a_command_and_its_child() {
    if lab().is_none() {
        return;
    }
    let options = LabOptions { sample_every: Some(Duration::from_millis(2)), ..LabOptions::default() };
    let lab = Lab::with(&options).unwrap();
    let group = lab.group(Some("command"), &Limits::bytes(64 * MIB)).unwrap();
    // A shell that grows, with a child beside it; it ends by itself when it is large enough.
    let script = "x=xxxxxxxxxxxxxxxx; sleep 1000 & for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do x=$x$x; done; kill $!; wait";
    let worker = group.command(&Command::new(["/bin/sh", "-c", script])).unwrap();
    worker.wait(LONG).unwrap();
    let told = shares(&lab.timeline());
    assert!(told.contains_key(&worker.pid()) && told.len() >= 2, "the shell and its child: {told:?}");
    let most = told[&worker.pid()].iter().max().unwrap();
    assert!(*most > 2 * MIB, "{told:?}");
    assert!(usages(&lab.timeline(), &group).len() > 2);
}

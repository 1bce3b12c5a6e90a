//! An OOM at once, by every way; a block and its three ends, by the same calls on v1 and v2.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::time::{Duration, Instant};

use common::{lab, LONG};
use memoom::{
    Command, ErrorKind, Group, GrowStatus, Hog, HogOptions, Lab, Limit, Limits, Resume, Verdict, Version, Way,
};

const MIB: u64 = 1 << 20;

fn hog(group: &Group, name: &str, bytes: u64) -> Hog {
    let hog = group.hog(&HogOptions::named(name)).unwrap();
    assert_eq!(hog.grow(Some(bytes), LONG).unwrap().status, GrowStatus::Grew);
    hog
}

/// The victim is that hog and nobody else, the limit is what it was, and no worker of memoom's own is left.
fn check(triggered: &memoom::Triggered, way: Way, victim: &Hog, others: &[&Hog], group: &Group) {
    let oom = &triggered.oom;
    println!("{}", oom.to_text());
    assert_eq!(triggered.way, way);
    assert!(oom.killed(victim.pid()), "{}", oom.to_text());
    let outcome = victim.wait(LONG).unwrap();
    assert_eq!(outcome.verdict, Verdict::OomKilled);
    for other in others {
        assert!(!other.ended(), "{} was taken too", other.name());
    }
    assert_eq!(group.limit().unwrap(), Limit::Bytes(64 * MIB));
    let expected: Vec<i32> =
        others.iter().filter(|hog| hog.group().cgroup() == group.cgroup()).map(|hog| hog.pid()).collect();
    assert_eq!(group.processes().unwrap(), expected);
}

#[test]
fn the_surest_way_takes_the_largest_or_the_target() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("now"), &Limits::bytes(64 * MIB)).unwrap();
    let (large, small, third) =
        (hog(&group, "large", 24 * MIB), hog(&group, "small", 8 * MIB), hog(&group, "third", 9 * MIB));
    let triggered = group.oom_now(None, None, LONG).unwrap();
    check(&triggered, Way::Squeeze, &large, &[&small, &third], &group);
    let triggered = group.oom_now(Some(small.worker()), None, LONG).unwrap();
    check(&triggered, Way::Squeeze, &small, &[&third], &group);
    let gone = group.oom_now(Some(small.worker()), None, LONG).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::WorkerGone);
    lab.close().unwrap();
}

/// It holds 24 MiB, and takes and gives back another one without end.
const RESTLESS: &str = "import mmap\nheld = bytearray(24 << 20)\nfor at in range(0, len(held), 4096): held[at] = 1\n\
    while True:\n    part = mmap.mmap(-1, 1 << 20)\n\
    \x20   for at in range(0, len(part), 4096): part[at] = 1\n    part.close()";

/// Between the limit and the score it would be the other's turn.
#[test]
fn the_target_beside_one_that_takes_memory_at_every_moment() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("restless"), &Limits::bytes(64 * MIB)).unwrap();
    let begin = || {
        let restless = group.command(&Command::new(["python3", "-S", "-c", RESTLESS])).unwrap();
        let deadline = Instant::now() + LONG;
        while group.usage_bytes().unwrap() < 24 * MIB {
            assert!(Instant::now() < deadline, "it does not begin");
            std::thread::sleep(Duration::from_millis(2));
        }
        restless
    };
    let mut restless = begin();
    for _ in 0..10 {
        let target = hog(&group, "target", 8 * MIB);
        let triggered = group.oom_now(Some(target.worker()), None, LONG).unwrap();
        assert!(triggered.oom.killed(target.pid()), "{}", triggered.oom.to_text());
        assert_eq!(target.wait(LONG).unwrap().verdict, Verdict::OomKilled);
        assert_eq!(group.limit().unwrap(), Limit::Bytes(64 * MIB));
        if restless.ended() {
            // The kernel of 7.2 does not wait for the exit of a victim (docs/kernel.md 33), which takes long under emulation:
            // then it is the other's turn, but behind the target.
            let outcome = restless.wait(LONG).unwrap();
            assert!(common::slow() && outcome.verdict == Verdict::OomKilled, "{}", outcome.to_text());
            let ooms = lab.timeline().ooms;
            let at = |pid: i32| ooms.iter().position(|oom| oom.killed(pid));
            assert!(at(target.pid()).is_some() && at(target.pid()) <= at(restless.pid()), "{}", outcome.to_text());
            restless = begin();
        }
    }
    lab.close().unwrap();
}

#[test]
fn from_inside_by_an_ancestor_and_by_a_neighbour() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("inside"), &Limits::bytes(64 * MIB)).unwrap();
    let triggered = group.oom_now(None, None, LONG).unwrap();
    assert_eq!((triggered.way, triggered.oom.victims[0].comm.as_slice()), (Way::Inside, b"ballast".as_slice()));
    let large = hog(&group, "large", 40 * MIB);
    let triggered = group.oom_now(Some(large.worker()), Some(Way::Inside), LONG).unwrap();
    check(&triggered, Way::Inside, &large, &[], &group);
    assert!(group.oom_now(None, Some(Way::Ancestor), LONG).unwrap_err().to_string().contains("stands above"));

    let top = lab.group(Some("top"), &Limits::bytes(64 * MIB)).unwrap();
    let (child, other) =
        (top.child("child", &Limits::default()).unwrap(), top.child("other", &Limits::default()).unwrap());
    for way in [Way::Ancestor, Way::Neighbour] {
        let (large, small) = (hog(&child, "large", 30 * MIB), hog(&other, "small", 6 * MIB));
        let triggered = child.oom_now(Some(large.worker()), Some(way), LONG).unwrap();
        check(&triggered, way, &large, &[&small], &top);
        assert_eq!(triggered.oom.limit_group.as_deref(), Some(top.cgroup()));
        small.kill().unwrap();
        small.wait(LONG).unwrap();
    }
    let error = child.oom_now(None, Some(Way::Inside), LONG);
    assert!(error.is_ok(), "the limit above is met from inside too: {error:?}");
    let free = lab.group(Some("free"), &Limits::default()).unwrap();
    assert_eq!(free.oom_now(None, Some(Way::Inside), LONG).unwrap_err().kind(), ErrorKind::InvalidInput);
    lab.close().unwrap();
}

#[test]
fn a_limit_written_below_the_usage() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("write"), &Limits::bytes(64 * MIB)).unwrap();
    if group.version() == Version::V1 {
        for way in [Way::Write, Way::Nonblock] {
            let error = group.oom_now(None, Some(way), LONG).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("memory.max") && error.to_string().contains("squeeze"), "{error}");
        }
        return;
    }
    let empty = group.oom_now(None, Some(Way::Write), LONG).unwrap_err();
    assert!(empty.to_string().contains("no process"), "{empty}");
    for way in [Way::Write, Way::Nonblock] {
        let large = hog(&group, "large", 24 * MIB);
        let triggered = group.oom_now(Some(large.worker()), Some(way), LONG).unwrap();
        assert!(triggered.way == way || triggered.way == Way::Write, "{:?}", triggered.way);
        println!("{way} came by {}", triggered.way);
        check(&triggered, triggered.way, &large, &[], &group);
    }
    lab.close().unwrap();
}

/// A group of 64M in which `waits` (8M) waits at the limit in a step of 40M, and `large` holds 24M.
fn blocked(lab: &Lab, name: &str) -> (Group, Hog, Hog) {
    let group = lab.group(Some(name), &Limits::bytes(64 * MIB)).unwrap();
    let (large, waits) = (hog(&group, "large", 34 * MIB), hog(&group, "waits", 8 * MIB));
    group.block().unwrap();
    assert!(group.blocking().unwrap());
    assert_eq!(group.wait_blocked(std::time::Duration::ZERO).unwrap(), None);
    let grow = waits.grow(Some(30 * MIB), LONG).unwrap();
    assert_eq!(grow.status, GrowStatus::Blocked);
    let proof = grow.blocked.unwrap();
    println!(
        "{} rests in state {} at {:?} with usage {}",
        name,
        proof.state,
        proof.wchan,
        group.usage_bytes().unwrap()
    );
    let who = group.wait_blocked(LONG).unwrap().unwrap();
    assert!(who.iter().any(|one| one.pid == waits.pid()), "{who:?}");
    assert_eq!(group.limit().unwrap(), Limit::Bytes(64 * MIB));
    let usage = group.usage_bytes().unwrap();
    assert!((63 * MIB..80 * MIB).contains(&usage), "{usage}");
    assert_eq!(group.counters().unwrap().oom_kill, Some(0));
    assert_eq!(group.oom_now(None, None, LONG).unwrap_err().kind(), ErrorKind::InvalidInput);
    (group, large, waits)
}

#[test]
fn a_block_ends_by_room() {
    let Some(lab) = lab() else { return };
    let (group, large, waits) = blocked(&lab, "raise");
    let low = group.resume(Resume::Raise(Limit::Bytes(64 * MIB)), LONG).unwrap_err();
    assert_eq!(low.kind(), ErrorKind::InvalidInput);
    group.resume(Resume::Raise(Limit::Bytes(96 * MIB)), LONG).unwrap();
    assert_eq!(waits.finish(LONG).unwrap().status, GrowStatus::Grew);
    assert!(group.blocking().unwrap() && !large.ended());
    assert_eq!(group.limit().unwrap(), Limit::Bytes(96 * MIB));
    assert_eq!(group.blocked().unwrap(), []);
    // It still blocks, at the new limit.
    assert_eq!(large.grow(Some(60 * MIB), LONG).unwrap().status, GrowStatus::Blocked);
    group.resume(Resume::Kill(large.worker()), LONG).unwrap();
    assert!(large.ended() && !waits.ended());
    group.resume(Resume::Killer, LONG).unwrap();
    assert!(!group.blocking().unwrap());
    lab.close().unwrap();
}

#[test]
fn a_block_ends_by_the_kernels_choice() {
    let Some(lab) = lab() else { return };
    let (group, large, waits) = blocked(&lab, "killer");
    // 8M and what it took of its step is less than 34M.
    let mut watch = group.watch().unwrap();
    group.resume(Resume::Killer, LONG).unwrap();
    let oom = watch.wait_oom(LONG).unwrap().expect("the account of the kill");
    assert!(oom.killed(large.pid()), "{}", oom.to_text());
    assert_eq!(waits.finish(LONG).unwrap().status, GrowStatus::Grew);
    assert!(!group.blocking().unwrap() && !waits.ended());
    assert_eq!(group.limit().unwrap(), Limit::Bytes(64 * MIB));
    if group.version() == Version::V2 {
        assert_eq!(group.high().unwrap(), Limit::Max);
        assert!(!group.frozen().unwrap());
    }
    // From here on the kernel kills again.
    assert_eq!(waits.grow(Some(60 * MIB), LONG).unwrap().status, GrowStatus::Killed);
    lab.close().unwrap();
}

#[test]
fn a_block_ends_by_a_death_and_with_the_lab() {
    let Some(lab) = lab() else { return };
    let (group, large, waits) = blocked(&lab, "kill");
    let other = lab.group(Some("elsewhere"), &Limits::bytes(16 * MIB)).unwrap();
    let stranger = hog(&other, "stranger", MIB);
    assert_eq!(group.resume(Resume::Kill(stranger.worker()), LONG).unwrap_err().kind(), ErrorKind::InvalidInput);
    group.resume(Resume::Kill(large.worker()), LONG).unwrap();
    assert_eq!(large.wait(LONG).unwrap().verdict, Verdict::Killed);
    assert_eq!(waits.finish(LONG).unwrap().status, GrowStatus::Grew);
    assert!(group.blocking().unwrap());
    // Left blocked: the lab ends all the same.
    assert_eq!(waits.grow(Some(60 * MIB), LONG).unwrap().status, GrowStatus::Blocked);
    let path = group.path().to_path_buf();
    lab.close().unwrap();
    assert!(!path.exists());
}

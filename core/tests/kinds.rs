//! Each kind of memory moves the counters that are its own, is given back exactly, and ends at the limit in its own way.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::{lab, LONG};
use memoom::{ErrorKind, Group, GrowStatus, Hog, HogOptions, Kind, Lab, Limit, Limits, Pattern, Version};

const MIB: u64 = 1 << 20;

fn options(kind: Kind, pattern: Pattern) -> HogOptions {
    HogOptions { kind, pattern, step_bytes: 8 * MIB, ..HogOptions::named(kind.name()) }
}

/// The hog, or `None` with the reason printed where this machine lacks what the kind needs. The reason has a remedy.
fn hog(group: &Group, kind: Kind, pattern: Pattern) -> Option<Hog> {
    match group.hog(&options(kind, pattern)) {
        Ok(hog) => Some(hog),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("remedy"), "{error}");
            println!("{kind}: {error}");
            None
        }
    }
}

/// A line of the group's memory.stat in bytes; the kernel may be some seconds behind with it.
fn stat(group: &Group, key: &str) -> u64 {
    let text = fs::read_to_string(group.path().join("memory.stat")).unwrap();
    let line = text.lines().find(|line| line.split(' ').next() == Some(key));
    line.unwrap_or_else(|| panic!("no {key} in {text}")).split(' ').nth(1).unwrap().parse().unwrap()
}

/// Waits until the line is what it should be.
#[track_caller]
fn stat_becomes(group: &Group, key: &str, wanted: std::ops::RangeInclusive<u64>) {
    let deadline = Instant::now() + LONG;
    loop {
        let is = stat(group, key);
        if wanted.contains(&is) {
            return;
        }
        assert!(Instant::now() < deadline, "{key} is {is}, not in {wanted:?}");
        // Nothing tells of a flush of the statistics.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The lines of memory.stat that show the kind, on v1 and on v2.
fn shown(lab: &Lab, kind: Kind) -> &'static [&'static str] {
    match (lab.version(), kind) {
        (Version::V1, Kind::Anon | Kind::Populate) => &["rss"],
        (Version::V1, Kind::AnonThp) => &["rss", "rss_huge"],
        (Version::V1, Kind::File) => &["cache"],
        (Version::V1, Kind::Mlock) => &["rss", "unevictable"],
        (Version::V1, _) => &["cache", "shmem"],
        (Version::V2, Kind::Anon | Kind::Populate) => &["anon"],
        (Version::V2, Kind::AnonThp) => &["anon", "anon_thp"],
        (Version::V2, Kind::File) => &["file"],
        (Version::V2, Kind::Mlock) => &["anon", "unevictable"],
        (Version::V2, _) => &["file", "shmem"],
    }
}

const CHARGED: [Kind; 9] = [
    Kind::Anon,
    Kind::AnonThp,
    Kind::File,
    Kind::Shmem,
    Kind::Tmpfs,
    Kind::Memfd,
    Kind::Mlock,
    Kind::Populate,
    Kind::AnyFastest,
];

#[test]
fn every_kind_takes_and_gives_back_what_it_says() {
    let Some(lab) = lab() else { return };
    for kind in CHARGED {
        let group = lab.group(Some(kind.name()), &Limits::bytes(96 * MIB)).unwrap();
        let Some(hog) = hog(&group, kind, Pattern::Write) else { continue };
        let before = group.usage_bytes().unwrap();
        for step in 1..=4 {
            let grow = hog.grow(None, LONG).unwrap();
            assert_eq!(
                (grow.status, grow.step_bytes, grow.taken_bytes, grow.total_bytes, grow.errno),
                (GrowStatus::Grew, 8 * MIB, 8 * MIB, step * 8 * MIB, None),
                "{kind}"
            );
        }
        // The kernel keeps up to 64 pages for each CPU charged ahead; page tables and the like come on top.
        let slack = 2 * MIB;
        let usage = group.usage_bytes().unwrap() - before;
        assert!((32 * MIB - slack..32 * MIB + slack).contains(&usage), "{kind}: {usage} for 32 MiB");
        for key in shown(&lab, kind) {
            stat_becomes(&group, key, 32 * MIB - slack..=32 * MIB + slack);
        }
        assert_eq!(hog.shrink(24 * MIB, LONG).unwrap(), 24 * MIB, "{kind}");
        assert_eq!(hog.total_bytes(), 8 * MIB, "{kind}");
        for key in shown(&lab, kind) {
            stat_becomes(&group, key, 8 * MIB - slack..=8 * MIB + slack);
        }
        let usage = group.usage_bytes().unwrap() - before;
        assert!(usage < 8 * MIB + slack, "{kind}: {usage} for 8 MiB");
        // What was given back can be taken again, and all of it given back.
        assert_eq!(hog.grow(Some(16 * MIB), LONG).unwrap().total_bytes, 24 * MIB, "{kind}");
        assert_eq!(hog.shrink(u64::MAX, LONG).unwrap(), 24 * MIB, "{kind}");
        assert_eq!(hog.grow(Some(1), LONG).unwrap().taken_bytes, hog.total_bytes(), "{kind}");
        hog.kill().unwrap();
        assert!(!hog.wait(LONG).unwrap().oom_killed);
        group.remove().unwrap();
    }
    lab.close().unwrap();
}

#[test]
fn every_kind_that_cannot_be_reclaimed_ends_at_the_limit() {
    let Some(lab) = lab() else { return };
    for kind in CHARGED.into_iter().filter(|kind| *kind != Kind::File) {
        let group = lab.group(Some(kind.name()), &Limits::bytes(32 * MIB)).unwrap();
        let Some(hog) = hog(&group, kind, Pattern::Write) else { continue };
        let steps: Vec<_> = (0..8).map_while(|_| hog.grow(None, LONG).ok()).map(|grow| grow.status).collect();
        let killed = steps
            .iter()
            .position(|status| *status == GrowStatus::Killed)
            .unwrap_or_else(|| panic!("{kind}: {steps:?}"));
        assert!(killed <= 4, "{kind}: {steps:?}");
        assert!(steps[..killed].iter().all(|status| *status == GrowStatus::Grew), "{kind}: {steps:?}");
        let outcome = hog.wait(LONG).unwrap();
        assert!(outcome.oom_killed, "{kind}: {}", outcome.to_json());
        let oom = outcome.oom().unwrap();
        assert_eq!(oom.predicted.as_ref().map(|one| one.pid), Some(hog.pid()), "{kind}: {}", oom.to_text());
    }
    lab.close().unwrap();
}

#[test]
fn page_cache_is_dropped_before_anybody_is_killed() {
    let Some(lab) = lab() else { return };
    for pattern in [Pattern::Write, Pattern::Read] {
        let group = lab.group(Some(pattern.name()), &Limits::bytes(24 * MIB)).unwrap();
        let Some(hog) = hog(&group, Kind::File, pattern) else { return };
        for step in 1..=8 {
            let grow = hog.grow(None, LONG).unwrap();
            assert_eq!((grow.status, grow.total_bytes), (GrowStatus::Grew, step * 8 * MIB), "{pattern}");
        }
        assert!(group.usage_bytes().unwrap() <= 24 * MIB);
        assert_eq!(group.counters().unwrap().oom_kill, Some(0));
        assert!(!hog.ended());
    }
    lab.close().unwrap();
}

#[test]
fn every_pattern_of_every_kind_takes_the_whole_step() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("patterns"), &Limits::bytes(64 * MIB)).unwrap();
    for kind in CHARGED {
        for &pattern in kind.patterns() {
            let before = group.usage_bytes().unwrap();
            let Some(hog) = hog(&group, kind, pattern) else { continue };
            // An odd number of pages, that is no power of two.
            let grow = hog.grow(Some(6 * MIB), LONG).unwrap();
            assert_eq!((grow.status, grow.taken_bytes), (GrowStatus::Grew, 6 * MIB), "{kind} {pattern}");
            let usage = group.usage_bytes().unwrap().saturating_sub(before);
            assert!((5 * MIB..8 * MIB).contains(&usage), "{kind} {pattern}: {usage} for 6 MiB");
            assert_eq!(hog.shrink(6 * MIB, LONG).unwrap(), 6 * MIB, "{kind} {pattern}");
            hog.kill().unwrap();
            hog.wait(LONG).unwrap();
        }
    }
    lab.close().unwrap();
}

#[test]
fn with_the_killer_off_a_fault_blocks_and_a_system_call_is_short() {
    let Some(lab) = lab() else { return };
    if lab.version() != Version::V1 {
        return;
    }
    let limits = Limits { oom_killer: Some(false), ..Limits::bytes(20 * MIB) };
    for kind in CHARGED.into_iter().filter(|kind| *kind != Kind::File) {
        let group = lab.group(Some(kind.name()), &limits).unwrap();
        let Some(hog) = hog(&group, kind, Pattern::Write) else { continue };
        let grow = (0..4).map(|_| hog.grow(None, LONG).unwrap()).find(|grow| grow.status != GrowStatus::Grew).unwrap();
        match kind {
            Kind::Anon | Kind::AnonThp | Kind::Shmem | Kind::Memfd => {
                assert_eq!((grow.status, grow.taken_bytes), (GrowStatus::Blocked, 0), "{kind}");
                group.set_limit(Limit::Bytes(32 * MIB)).unwrap();
                let grow = hog.finish(LONG).unwrap();
                assert_eq!((grow.status, grow.total_bytes), (GrowStatus::Grew, 24 * MIB), "{kind}");
            }
            _ => {
                assert_eq!(grow.status, GrowStatus::Short, "{kind}: {grow:?}");
                let errno = if kind == Kind::Mlock { libc::EAGAIN } else { libc::ENOMEM };
                assert_eq!(grow.errno, Some(errno), "{kind}");
                assert!(grow.taken_bytes > 0 && grow.taken_bytes < 8 * MIB, "{kind}: {grow:?}");
                assert_eq!(grow.total_bytes, hog.total_bytes(), "{kind}");
                assert!((18 * MIB..20 * MIB).contains(&hog.total_bytes()), "{kind}: {}", hog.total_bytes());
                // There is no room for more than a page or two, and nobody is killed for them. The kernel's own memory
                // for the mapping may be what is refused: ENOMEM for mlock too.
                let refused = hog.grow(None, LONG);
                assert!(
                    refused.as_ref().is_err_and(|error| matches!(error.errno(), Some(libc::EAGAIN | libc::ENOMEM)))
                        || refused.as_ref().is_ok_and(|grow| grow.status == GrowStatus::Short),
                    "{kind}: {refused:?}"
                );
                assert_eq!(hog.shrink(4 * MIB, LONG).unwrap(), 4 * MIB, "{kind}");
                assert_eq!(hog.grow(Some(2 * MIB), LONG).unwrap().status, GrowStatus::Grew, "{kind}");
            }
        }
        assert_eq!(group.counters().unwrap().oom_kill, Some(0), "{kind}");
    }
    lab.close().unwrap();
}

//! Each kind of memory moves the counters that are its own, is given back exactly, and ends at the limit in its own way.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::kinds::{hog, CHARGED};
use common::{charged_ahead, lab, page_bytes, LONG};
use memoom::{Group, GrowStatus, HogOptions, Kind, Lab, Limits, Pattern, Version};

const MIB: u64 = 1 << 20;

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

const THP: &str = "/sys/kernel/mm/transparent_hugepage";

/// How many huge pages of 2 MiB faults have brought on the whole machine; the kernel counts each size since 6.8.
fn huge_faults() -> u64 {
    let count = fs::read_to_string(format!("{THP}/hugepages-2048kB/stats/anon_fault_alloc"));
    count.ok().and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// What a hog has in huge pages of 2 MiB. The group's own number is kept for each CPU up to 64 of them on 5.10, and the
/// process's is of the size of one entry of the upper table alone, which is 32 MiB with pages of 16 KiB.
fn huge_bytes(hog: &memoom::Hog, faults_before: u64) -> u64 {
    if fs::read_to_string(format!("{THP}/hpage_pmd_size")).unwrap().trim() != (2 * MIB).to_string() {
        return (huge_faults() - faults_before) * 2 * MIB;
    }
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", hog.pid())).unwrap();
    let huge = rollup.lines().find_map(|line| line.strip_prefix("AnonHugePages:")).unwrap();
    huge.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// The lines of memory.stat that show the kind, on v1 and on v2.
fn shown(lab: &Lab, kind: Kind) -> &'static [&'static str] {
    match (lab.version(), kind) {
        (Version::V1, Kind::Anon | Kind::Populate) => &["rss"],
        (Version::V1, Kind::AnonThp) => &["rss"],
        (Version::V1, Kind::File) => &["cache"],
        (Version::V1, Kind::Mlock) => &["rss", "unevictable"],
        (Version::V1, _) => &["cache", "shmem"],
        (Version::V2, Kind::Anon | Kind::Populate) => &["anon"],
        (Version::V2, Kind::AnonThp) => &["anon"],
        (Version::V2, Kind::File) => &["file"],
        (Version::V2, Kind::Mlock) => &["anon", "unevictable"],
        (Version::V2, _) => &["file", "shmem"],
    }
}

#[test]
fn every_kind_takes_and_gives_back_what_it_says() {
    let Some(lab) = lab() else { return };
    for kind in CHARGED {
        let group = lab.group(Some(kind.name()), &Limits::bytes(96 * MIB)).unwrap();
        let Some(hog) = hog(&group, kind, Pattern::Write) else { continue };
        let before = group.usage_bytes().unwrap();
        let huge_before = huge_faults();
        for step in 1..=4 {
            let grow = hog.grow(None, LONG).unwrap();
            assert_eq!(
                (grow.status, grow.step_bytes, grow.taken_bytes, grow.total_bytes, grow.errno),
                (GrowStatus::Grew, 8 * MIB, 8 * MIB, step * 8 * MIB, None),
                "{kind}"
            );
        }
        // Page tables and the like come on top, and for the usage what is charged ahead, before or now.
        let slack = 2 * MIB;
        let usage_slack = slack + charged_ahead();
        let usage = group.usage_bytes().unwrap() - before;
        assert!(usage.abs_diff(32 * MIB) < usage_slack, "{kind}: {usage} for 32 MiB");
        for key in shown(&lab, kind) {
            stat_becomes(&group, key, 32 * MIB - slack..=32 * MIB + slack);
        }
        if kind == Kind::AnonThp {
            assert_eq!(huge_bytes(&hog, huge_before), 32 * MIB);
        }
        assert_eq!(hog.shrink(24 * MIB, LONG).unwrap(), 24 * MIB, "{kind}");
        assert_eq!(hog.total_bytes(), 8 * MIB, "{kind}");
        for key in shown(&lab, kind) {
            stat_becomes(&group, key, 8 * MIB - slack..=8 * MIB + slack);
        }
        let usage = group.usage_bytes().unwrap().saturating_sub(before);
        assert!(usage < 8 * MIB + usage_slack, "{kind}: {usage} for 8 MiB");
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
        let group = lab.group(Some(pattern.name()), &Limits::bytes(6 * MIB)).unwrap();
        let Some(hog) = hog(&group, Kind::File, pattern) else { return };
        for step in 1..=8 {
            let grow = hog.grow(None, LONG).unwrap();
            assert_eq!((grow.status, grow.total_bytes), (GrowStatus::Grew, step * 8 * MIB), "{pattern}");
        }
        assert!(group.usage_bytes().unwrap() <= 6 * MIB);
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
            let (least, most) = ((5 * MIB).saturating_sub(charged_ahead()), 8 * MIB + charged_ahead());
            assert!((least..most).contains(&usage), "{kind} {pattern}: {usage} for 6 MiB");
            assert_eq!(hog.shrink(6 * MIB, LONG).unwrap(), 6 * MIB, "{kind} {pattern}");
            hog.kill().unwrap();
            hog.wait(LONG).unwrap();
        }
    }
    lab.close().unwrap();
}

/// The scheduling policy of a process, as /proc/PID/stat has it: 0 for the usual one, 1 for SCHED_FIFO.
fn policy(pid: i32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(38).unwrap().parse().unwrap()
}

/// Who stands still goes first, and takes no time; who touches its memory without end does not.
#[test]
fn who_keeps_its_memory_hot_goes_before_nobody() {
    let Some(lab) = lab() else { return };
    let group = lab.group(None, &Limits::bytes(64 * MIB)).unwrap();
    for kind in [Kind::Anon, Kind::File, Kind::Stack] {
        let options = |pattern| HogOptions { kind, pattern, ..HogOptions::named("goes") };
        let [cold, hot] = [Pattern::Write, Pattern::Hot].map(|pattern| {
            let hog = group.hog(&options(pattern)).unwrap();
            assert_eq!(hog.grow(Some(4 * MIB), LONG).unwrap().status, GrowStatus::Grew);
            hog
        });
        // Without CAP_SYS_NICE nobody goes first.
        assert!(policy(cold.pid()) <= 1, "{}", kind.name());
        assert_eq!(policy(hot.pid()), 0, "{}", kind.name());
    }
    lab.close().unwrap();
}

/// What shows a kind of kernel memory, in bytes; `None` where this kernel does not show it apart.
fn shown_bytes(group: &Group, kind: Kind) -> Option<u64> {
    let number = |file: &str| fs::read_to_string(group.path().join(file)).ok()?.trim().parse().ok();
    let line = |key: &str| {
        let text = fs::read_to_string(group.path().join("memory.stat")).ok()?;
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
    };
    match (group.version(), kind) {
        (Version::V1, Kind::Stack | Kind::Fork) => line("rss"),
        (Version::V1, Kind::Socket) => number("memory.kmem.tcp.usage_in_bytes"),
        (Version::V1, _) => number("memory.kmem.usage_in_bytes"),
        (Version::V2, Kind::Stack | Kind::Fork) => line("anon"),
        (Version::V2, Kind::Socket) => line("sock"),
        (Version::V2, Kind::Slab) => line("slab"),
        (Version::V2, _) => line("kernel"),
    }
}

#[test]
fn what_the_kernel_keeps_for_a_hog_is_charged_and_given_back() {
    let Some(lab) = lab() else { return };
    // How much more than its own bytes the kernel takes for it, at most, in percent. For a process it is page tables, a
    // kernel stack and a stack, up to 24 pages for its own 64 KiB, whatever the size of a page.
    let of_a_process = 24 * page_bytes() * 100 / (64 << 10);
    for (kind, more) in
        [(Kind::Stack, 10), (Kind::Fork, of_a_process), (Kind::Pipe, 10), (Kind::Socket, 60), (Kind::Slab, 60)]
    {
        let group = lab.group(Some(kind.name()), &Limits::bytes(96 * MIB)).unwrap();
        if kind == Kind::Socket && lab.version() == Version::V1 {
            // v1 counts the memory of sockets only where it has had a limit.
            fs::write(group.path().join("memory.kmem.tcp.limit_in_bytes"), "96M").unwrap();
        }
        let Some(hog) = hog(&group, kind, Pattern::Write) else { continue };
        let fits = |taken: u64, bytes: u64| {
            let slack = MIB + MIB / 2;
            (taken.saturating_sub(taken / 10 + slack)..=taken + taken * more / 100 + slack).contains(&bytes)
        };
        let empty = shown_bytes(&group, kind);
        let usage = group.usage_bytes().unwrap();
        let becomes = |taken: u64| {
            let deadline = Instant::now() + LONG;
            loop {
                // v1 counts the memory of sockets apart, outside of the limit.
                let apart = kind == Kind::Socket && group.version() == Version::V1;
                let now = group.usage_bytes().unwrap().saturating_sub(usage);
                let shown = shown_bytes(&group, kind).map(|bytes| bytes.saturating_sub(empty.unwrap_or(0)));
                if (apart || fits(taken, now)) && shown.is_none_or(|bytes| fits(taken, bytes)) {
                    return;
                }
                assert!(Instant::now() < deadline, "{kind}: {now} charged and {shown:?} shown for {taken} bytes");
                // Freed objects go after a grace period, and statistics are flushed now and then.
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        for _ in 0..4 {
            let grow = hog.grow(Some(2 * MIB), LONG).unwrap();
            assert_eq!((grow.status, grow.errno), (GrowStatus::Grew, None), "{kind}");
            assert!((2 * MIB..2 * MIB + (64 << 10)).contains(&grow.taken_bytes), "{kind}: {grow:?}");
        }
        becomes(hog.total_bytes());
        let held = hog.total_bytes();
        let given = hog.shrink(5 * MIB, LONG).unwrap();
        // Only whole tasks and buffers are given back; a connection gives to the byte.
        let slack = if kind == Kind::Socket { 0 } else { 64 << 10 };
        assert!((5 * MIB - slack..=5 * MIB).contains(&given), "{kind}: {given}");
        assert_eq!(hog.total_bytes(), held - given, "{kind}");
        becomes(hog.total_bytes());
        let grow = hog.grow(Some(MIB), LONG).unwrap();
        assert_eq!((grow.status, grow.errno), (GrowStatus::Grew, None), "{kind}");
        assert_eq!(hog.shrink(u64::MAX, LONG).unwrap() / MIB, 4, "{kind}");
        assert_eq!(hog.total_bytes(), 0, "{kind}");
        hog.grow(Some(MIB), LONG).unwrap();
        hog.kill().unwrap();
        hog.wait(LONG).unwrap();
        // Nothing of it is left: its children, if any, end with it.
        assert!(common::gone_by(Instant::now() + LONG, || !group.processes().unwrap().is_empty()), "{kind}");
    }
    lab.close().unwrap();
}

#[test]
fn what_the_kernel_keeps_for_a_hog_ends_at_the_limit_in_its_own_way() {
    let Some(lab) = lab() else { return };
    for kind in [Kind::Stack, Kind::Fork, Kind::Pipe, Kind::Socket, Kind::Slab] {
        if kind == Kind::Socket && lab.version() == Version::V1 {
            continue; // its memory has a limit of its own there
        }
        let group = lab.group(Some(kind.name()), &Limits::bytes(16 * MIB)).unwrap();
        let Some(hog) = hog(&group, kind, Pattern::Write) else { continue };
        let grow = (0..40).map(|_| hog.grow(Some(MIB), LONG).unwrap()).find(|grow| grow.status != GrowStatus::Grew);
        let grow = grow.unwrap_or_else(|| panic!("{kind}: no end at 16 MiB"));
        match (kind, grow.status) {
            // The victim is one of the processes, or the hog, whose own size is no smaller.
            (Kind::Fork, GrowStatus::Short) => assert_eq!(grow.errno, Some(libc::ECHILD)),
            // The network is refused memory before anybody is killed; what is no packet may meet the limit first.
            (Kind::Socket, GrowStatus::Short) => assert_eq!(grow.errno, Some(libc::ENOBUFS)),
            (_, status) => {
                assert_eq!(status, GrowStatus::Killed, "{kind}: {grow:?}");
                assert!(hog.wait(LONG).unwrap().oom_killed, "{kind}");
            }
        }
        if grow.status == GrowStatus::Killed || kind == Kind::Fork {
            assert!(group.counters().unwrap().oom_kill.is_none_or(|kills| kills > 0), "{kind}");
        }
        if (kind, grow.status) == (Kind::Socket, GrowStatus::Short) {
            // A refused packet ends anywhere in a page; all of it can be given back all the same.
            let held = hog.total_bytes();
            assert_eq!((hog.shrink(u64::MAX, LONG).unwrap(), hog.total_bytes()), (held, 0), "{grow:?}");
        }
        hog.kill().unwrap();
        hog.wait(LONG).unwrap();
    }
    lab.close().unwrap();
}

#[test]
fn reserved_huge_pages_come_from_the_machine_s_reserve() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("reserve"), &Limits::bytes(64 * MIB)).unwrap();
    let Some(hog) = hog(&group, Kind::Hugetlb, Pattern::Write) else { return };
    let free = || -> u64 {
        let text = fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").unwrap();
        text.trim().parse().unwrap()
    };
    let before = free();
    let grow = hog.grow(Some(3 * MIB), LONG).unwrap();
    assert_eq!((grow.status, grow.taken_bytes, free()), (GrowStatus::Grew, 4 * MIB, before - 2));
    assert_eq!(hog.shrink(3 * MIB, LONG).unwrap(), 2 * MIB);
    assert_eq!(free(), before - 1);
    // More than the reserve has is refused, and takes nothing.
    let error = hog.grow(Some((before + 1) * 2 * MIB), LONG).unwrap_err();
    assert!(error.to_string().contains("reserve of huge pages has not so many left"), "{error}");
    assert_eq!((free(), hog.total_bytes()), (before - 1, 2 * MIB));
    hog.kill().unwrap();
    hog.wait(LONG).unwrap();
    assert_eq!(free(), before);
    lab.close().unwrap();
}

//! Kills by the hundred: what the groups have counted is what the accounts tell, with a victim or with the gap named. With
//! nobody who reads meanwhile, and under a kernel log that is flooded, wrapped and cleared.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{gone_by, lab, slow, told, EATS, LONG};
use memoom::{Command, Group, Lab, LabOptions, Limits, Oom, Stdio, Verdict, Watch, Worker};

const MIB: u64 = 1 << 20;

/// As many groups as a test has: MEMOOM_BURST_GROUPS, 200.
fn groups() -> usize {
    told("MEMOOM_BURST_GROUPS", if slow() { 40 } else { 200 })
}

/// All accounts of a lab, by the watches of its groups: each account once.
fn accounts(watches: &mut [Watch], kills: u64) -> Vec<Arc<Oom>> {
    let mut all: Vec<Arc<Oom>> = Vec::new();
    let mut take = |watch: &mut Watch, wait: Duration| {
        while let Some(oom) = watch.wait_oom(wait).unwrap() {
            if !all.iter().any(|known| Arc::ptr_eq(known, &oom)) {
                all.push(oom);
            }
        }
        all.len() as u64
    };
    let deadline = Instant::now() + LONG;
    let mut first = Duration::from_millis(200);
    while Instant::now() < deadline {
        if watches.iter_mut().map(|watch| take(watch, std::mem::take(&mut first))).max() >= Some(kills) {
            break;
        }
        first = Duration::from_millis(200);
    }
    // None more than there were.
    for watch in watches.iter_mut() {
        take(watch, Duration::ZERO);
    }
    all
}

/// The sum of what the groups count is that of the accounts, and each victim has one.
fn adds_up(what: &str, groups: &[Group], accounts: &[Arc<Oom>]) {
    let counted: u64 = groups.iter().map(|group| group.counters().unwrap().oom_kill.unwrap()).sum();
    let named = |oom: &&Arc<Oom>| oom.victims.is_empty() && oom.missing.iter().any(|one| one.source == "victim");
    let nameless = accounts.iter().filter(named).count() as u64;
    let mut pids: Vec<i32> = accounts.iter().flat_map(|oom| &oom.victims).map(|victim| victim.pid).collect();
    let told = pids.len() as u64;
    pids.sort_unstable();
    pids.dedup();
    let silent = accounts.iter().filter(|oom| oom.report.as_ref().is_none_or(|report| report.invoker.is_none()));
    let silent: Vec<&Arc<Oom>> = silent.collect();
    println!(
        "{what}: {counted} kills, {} accounts, {told} victims, {nameless} gaps named, {} without a report",
        accounts.len(),
        silent.len()
    );
    assert_eq!(pids.len() as u64, told, "a victim has two accounts");
    assert_eq!(told + nameless, counted, "{}", accounts.iter().map(|oom| oom.to_text()).collect::<String>());
    for oom in silent {
        let says = oom.missing.iter().any(|one| one.source == "report");
        assert!(says || oom.victims.is_empty(), "why there is no report is not said\n{}", oom.to_text());
    }
}

/// Groups that are all killed at about the same time; `reads` while it goes on, or not before it is over.
fn burst(lab: &Lab, name: &str, reads: bool) {
    let count = groups();
    let limits = Limits::bytes(4 * MIB);
    let groups: Vec<Group> = (0..count).map(|at| lab.group(Some(&format!("{name}{at}")), &limits).unwrap()).collect();
    let mut watches: Vec<Watch> = groups.iter().map(|group| group.watch().unwrap()).collect();
    let command = Command::new(["sh", "-c", EATS]);
    let workers: Vec<Worker> = groups.iter().map(|group| group.command(&command).unwrap()).collect();
    if !reads {
        let left = || groups.iter().any(|group| group.counters().unwrap().oom_kill == Some(0));
        assert!(gone_by(Instant::now() + LONG, left), "not all were killed");
    }
    for worker in &workers {
        let outcome = worker.wait(LONG).unwrap();
        assert_eq!(outcome.verdict, Verdict::OomKilled, "{}", outcome.to_text());
    }
    let found = accounts(&mut watches, count as u64);
    adds_up(name, &groups, &found);
    for group in &groups {
        group.remove().unwrap();
    }
}

#[test]
fn two_hundred_groups_at_once() {
    let Some(lab) = lab() else { return };
    burst(&lab, "read", true);
    lab.close().unwrap();
}

#[test]
fn two_hundred_groups_and_nobody_reads() {
    let Some(lab) = lab() else { return };
    burst(&lab, "unread", false);
    lab.close().unwrap();
}

/// One who starts a child that is killed, and goes on as `sleep` when it has reaped it. The child alone can be chosen.
fn with_a_child_that_is_killed(lab: &Lab) -> (Group, Watch) {
    let group = lab.group(None, &Limits::bytes(16 * MIB)).unwrap();
    let watch = group.watch().unwrap();
    let adj = "/proc/self/oom_score_adj";
    let line = format!("echo -1000 > {adj}; sh -c 'echo 1000 > {adj}; {EATS}'; exec sleep 1000");
    let stdio = [Stdio::Null, Stdio::Null, Stdio::Null];
    let command = Command { stdio, ..Command::new(["sh", "-c", &line]) };
    let parent = group.command(&command).unwrap();
    let comm = || std::fs::read_to_string(format!("/proc/{}/comm", parent.pid())).unwrap();
    assert!(gone_by(Instant::now() + LONG, || comm().trim() != "sleep"), "the child was not killed");
    (group, watch)
}

/// Nobody has read anything before both had gone: no look at /proc, and no time, tells them apart.
#[test]
fn a_victim_that_had_gone_is_told_from_a_stranger_s_by_its_last_word() {
    let Some(strange) = lab() else { return };
    let ours = Lab::with(&LabOptions { kernel_log: false, ..LabOptions::default() }).unwrap();
    if !ours.host().can("tracefs") {
        eprintln!("skipped: nothing tells of victims here");
        return;
    }
    let (group, mut watch) = with_a_child_that_is_killed(&ours);
    drop(with_a_child_that_is_killed(&strange));
    let oom = watch.wait_oom(LONG).unwrap().expect("its account");
    let stood: Vec<_> = oom.victims.iter().map(|victim| victim.group.as_deref()).collect();
    assert_eq!(stood, [Some(group.cgroup())], "{}", oom.to_text());
    ours.close().unwrap();
    strange.close().unwrap();
}

/// The log is everybody's: only in a virtual machine of the tests is it flooded.
#[test]
fn under_a_log_that_is_flooded_wrapped_and_cleared() {
    if std::env::var_os("MEMOOM_ENTRY").is_none() {
        eprintln!("skipped: the kernel log of this machine is not the test's own (tests/kernels sets MEMOOM_ENTRY)");
        return;
    }
    let Some(lab) = lab() else { return };
    let _ = std::fs::write("/proc/sys/kernel/printk_devkmsg", "on");
    let stop = Arc::new(AtomicBool::new(false));
    let flood = |what: fn()| {
        let stop = stop.clone();
        std::thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                what();
            }
        })
    };
    let noise = flood(|| {
        let mut log = std::fs::OpenOptions::new().write(true).open("/dev/kmsg").unwrap();
        for _ in 0..2000 {
            let _ = log.write_all(format!("<12>{}\n", "noise ".repeat(60)).as_bytes());
        }
    });
    let clearing = flood(|| drop(std::process::Command::new("dmesg").arg("-C").status()));
    burst(&lab, "flooded", true);
    burst(&lab, "wrapped", false);
    stop.store(true, Ordering::Release);
    noise.join().unwrap();
    clearing.join().unwrap();
    lab.close().unwrap();
}

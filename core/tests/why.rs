//! Why it happened, live: each scenario that people ask about, with the kernel's log and without it, and what the account
//! and the outcome must say of it: the code, the words, who killed, the verdict.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, unsafe_code)] // a failure is the report

mod common;
#[path = "why/kernel.rs"]
mod kernel;
#[path = "why/shared.rs"]
mod shared;

use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::findings::{found, grow_to_the_end, lacks, next_oom, says};
use common::{charged_ahead, gone_by, lab, lab_with, LONG};
use memoom::{
    Author, Command, ErrorKind, Group, GrowStatus, Hog, HogOptions, Kind, Lab, LabOptions, Limit, Limits, Outcome, Run,
    Stdio, Verdict, Version,
};

const MIB: u64 = 1 << 20;

/// A lab with the kernel's log, and one without it; none where this machine can have none.
fn labs() -> Vec<(LabOptions, Lab)> {
    if lab().is_none() {
        return Vec::new();
    }
    let options = [true, false].map(|kernel_log| LabOptions { kernel_log, ..LabOptions::default() });
    options.into_iter().map(|options| (options.clone(), Lab::with(&options).unwrap())).collect()
}

fn hog(group: &Group, name: &str, kind: Kind, oom_score_adj: i16) -> Hog {
    group.hog(&HogOptions { kind, oom_score_adj, step_bytes: 4 * MIB, ..HogOptions::named(name) }).unwrap()
}

fn grown(hog: &Hog, bytes: u64) {
    let step = hog.grow(Some(bytes), LONG).unwrap();
    assert_eq!(step.status, GrowStatus::Grew, "{step:?}");
}

/// The kernel's OOM killer ended it, by every word of its outcome.
fn oom_killed(outcome: &Outcome) {
    let by = outcome.killed_by.as_ref().map(|by| by.by);
    let said = (outcome.verdict, outcome.oom_killed, outcome.returncode, by);
    assert_eq!(said, (Verdict::OomKilled, true, -9, Some(Author::KernelOom)), "{}", outcome.to_text());
    says(&outcome.summary, &["was killed in an OOM"]);
}

/// Runs a command under a limit, in a lab with those sources.
fn run(lab: &LabOptions, argv: &[&str], limits: Limits, timeout: Option<Duration>) -> Outcome {
    let run = Run { command: Command::new(argv.iter().copied()), limits, timeout, lab: lab.clone(), at_limit: None };
    let outcome = run.run(LONG).unwrap();
    println!("{}: {}", outcome.verdict.name(), outcome.summary);
    outcome
}

#[test]
fn the_limit_of_an_ancestor_is_named_and_its_childs_own_too() {
    for (_, lab) in labs() {
        let node = lab.group(Some("node"), &Limits::bytes(200 * MIB)).unwrap();
        let pod = node.child("pod", &Limits::bytes(24 * MIB)).unwrap();
        let app = pod.child("app", &Limits::default()).unwrap();
        let tools = app.child("tools", &Limits::bytes(64 * MIB)).unwrap();
        let mut watch = tools.watch().unwrap();
        let eater = tools.command(&Command::new(["tail", "/dev/zero"])).unwrap();
        oom_killed(&eater.wait(LONG).unwrap());
        let oom = next_oom(&mut watch);
        assert_eq!((oom.limit_group.as_deref(), oom.limit_bytes), (Some(pod.cgroup()), Some(24 * MIB)));
        let finding = found(&oom, "ancestor-limit");
        says(&finding.text, &["24M", pod.cgroup(), tools.cgroup(), "no limit of its own"]);
        says(&oom.summary, &[&finding.text]);
        lacks(&oom, &["neighbour-filled-it"]);
        lab.close().unwrap();
    }
}

#[test]
fn a_neighbour_that_filled_the_limit_is_named() {
    for (_, lab) in labs() {
        let pod = lab.group(Some("pod"), &Limits::bytes(32 * MIB)).unwrap();
        let small = pod.child("small", &Limits::bytes(16 * MIB)).unwrap();
        let large = pod.child("large", &Limits::default()).unwrap();
        let mut watch = pod.watch().unwrap();
        let keeper = hog(&large, "keeper", Kind::Anon, 0);
        grown(&keeper, 24 * MIB);
        let late = hog(&small, "late", Kind::Anon, 900);
        grow_to_the_end(&late);
        oom_killed(&late.worker().wait(LONG).unwrap());
        let oom = next_oom(&mut watch);
        let finding = found(&oom, "neighbour-filled-it");
        says(&finding.text, &[large.cgroup(), "32M", small.cgroup()]);
        says(&found(&oom, "ancestor-limit").text, &[pod.cgroup(), "its own 16M"]);
        says(&found(&oom, "score-adjusted").text, &["keeper", "it has 0, and late", "has 900"]);
        says(&oom.summary, &[pod.cgroup(), &finding.text]);
        lab.close().unwrap();
    }
}

#[test]
fn one_that_did_not_grow_is_a_casualty() {
    for (_, lab) in labs() {
        let group = lab.group(Some("mixed"), &Limits::bytes(32 * MIB)).unwrap();
        let mut watch = group.watch().unwrap();
        // It outweighs whatever the other can take: the adjustment counts in thousandths of whole thousands of pages.
        let bystander = hog(&group, "bystander", Kind::Anon, 1000);
        grown(&bystander, 2 * MIB);
        let leaker = hog(&group, "leaker", Kind::Anon, 0);
        // The first kill gives back what one step can take at most.
        let mut oom = None;
        while oom.is_none() && leaker.grow(Some(MIB), LONG).unwrap().status == GrowStatus::Grew {
            oom = watch.wait_oom(Duration::ZERO).unwrap();
        }
        let oom = oom.unwrap_or_else(|| next_oom(&mut watch));
        println!("{}", oom.summary);
        let outcome = bystander.worker().wait(LONG).unwrap();
        oom_killed(&outcome);
        let finding = found(&oom, "grower-survived");
        says(&finding.text, &["leaker (pid", "outlived the OOM; the kernel killed bystander", "casualty"]);
        says(&oom.summary, &[&finding.text]);
        says(&outcome.summary, &["casualty"]);
        let grower = oom.grower.as_ref().unwrap();
        assert_eq!((grower.pid, grower.alive), (leaker.worker().pid(), true), "{grower:?}");
        lacks(&oom, &["one-process-grew"]);
        lab.close().unwrap();
    }
}

#[test]
fn a_parent_that_survives_and_fails_is_no_victim() {
    for (options, lab) in labs() {
        lab.close().unwrap();
        let outcome = run(&options, &["sh", "-c", "tail /dev/zero; exit 1"], Limits::bytes(16 * MIB), None);
        let said = (outcome.verdict, outcome.returncode, outcome.ooms_inside, outcome.oom_killed);
        assert_eq!(said, (Verdict::Exited, 1, 1, false), "{}", outcome.to_text());
        assert!(outcome.killed_by.is_none(), "{:?}", outcome.killed_by);
        says(
            &outcome.summary,
            &[
                "exited with status 1",
                "An OOM happened inside, and the command ended with status 1 after it",
                "tail (pid",
            ],
        );
        let oom = &outcome.ooms[0];
        assert!(!oom.killed(outcome.pid) && oom.victim().unwrap().comm == b"tail", "{}", oom.to_text());
        found(oom, "one-process-grew");
        // One that goes on to succeed has handled it.
        let outcome = run(&options, &["sh", "-c", "tail /dev/zero; exit 0"], Limits::bytes(16 * MIB), None);
        assert_eq!((outcome.verdict, outcome.returncode, outcome.ooms_inside), (Verdict::Exited, 0, 1));
        says(&outcome.summary, &["An OOM happened inside, and the command handled it."]);
    }
}

#[test]
fn held_by_memory_high_is_throttled_and_neither_blocked_nor_killed() {
    let high = |high| Limits { high: Some(Limit::Bytes(high)), ..Limits::bytes(256 * MIB) };
    for (options, lab) in labs() {
        let version = lab.version();
        if version == Version::V1 {
            let error = lab.group(Some("high"), &high(8 * MIB)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            lab.close().unwrap();
            continue;
        }
        lab.close().unwrap();
        let after = Some(Duration::from_secs(3));
        let outcome = run(&options, &["tail", "/dev/zero"], high(8 * MIB), after);
        assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Throttled, -9), "{}", outcome.to_text());
        assert!(outcome.ooms.is_empty() && !outcome.oom_killed && outcome.ooms_inside == 0, "{}", outcome.to_text());
        let by = outcome.killed_by.as_ref().expect("a signal ended it");
        assert_eq!((by.by, by.reason.as_deref()), (Author::Memoom, Some("its timeout of 3 s was over")));
        let held = outcome.throttled.as_ref().expect("what held it");
        assert!(held.high_bytes == 8 * MIB && held.high_events > 0, "{held:?}");
        assert!(held.usage_bytes + charged_ahead() >= held.high_bytes, "{held:?}");
        assert_eq!(outcome.findings.iter().map(|one| one.code).collect::<Vec<_>>(), ["throttled"]);
        says(&outcome.summary, &["as memory.high held it", "It was no OOM: memory.high of", "(8M) slowed it down"]);
        // One that only takes long is not held, whatever its memory.high is.
        let outcome = run(&options, &["sleep", "1000"], high(128 * MIB), Some(Duration::from_millis(200)));
        assert_eq!((outcome.verdict, outcome.throttled.is_none()), (Verdict::Timeout, true), "{}", outcome.to_text());
    }
}

#[test]
fn a_limit_set_below_the_usage_says_so() {
    for (_, lab) in labs() {
        let group = lab.group(Some("resized"), &Limits::bytes(64 * MIB)).unwrap();
        let mut watch = group.watch().unwrap();
        let holder = hog(&group, "holder", Kind::Anon, 0);
        grown(&holder, 32 * MIB);
        let set = group.set_limit(Limit::Bytes(8 * MIB));
        if lab.version() == Version::V1 {
            // v1 refuses what it cannot reclaim, and kills nobody.
            assert_eq!(set.unwrap_err().kind(), ErrorKind::Busy);
            assert!(watch.wait_oom(Duration::ZERO).unwrap().is_none());
            lab.close().unwrap();
            continue;
        }
        set.unwrap();
        let outcome = holder.worker().wait(LONG).unwrap();
        oom_killed(&outcome);
        let oom = next_oom(&mut watch);
        assert_eq!((oom.limit_group.as_deref(), oom.limit_bytes), (Some(group.cgroup()), Some(8 * MIB)));
        let finding = found(&oom, "limit-lowered");
        says(&finding.text, &["memory.max", "set to 8M, below the usage of"]);
        says(&oom.summary, &[&finding.text]);
        lab.close().unwrap();
    }
}

#[test]
fn a_runtime_and_its_tools_die_together() {
    let Some(lab) = lab_with(Version::V2) else { return };
    lab.close().unwrap();
    for (options, lab) in labs() {
        lab.close().unwrap();
        let limits = Limits { oom_group: Some(true), ..Limits::bytes(24 * MIB) };
        let script = "sleep 1000 & sleep 1000 & tail /dev/zero; exit 1";
        let outcome = run(&options, &["sh", "-c", script], limits, None);
        oom_killed(&outcome);
        let oom = outcome.oom().expect("the account of its own OOM");
        let mut died: Vec<&[u8]> = oom.victims.iter().map(|victim| &victim.comm[..]).collect();
        died.sort_unstable();
        // What the shell has forked and has not executed yet still has its name.
        let all = died.len() == 4 && died.contains(&&b"sh"[..]) && died.contains(&&b"tail"[..]);
        assert!(all && died.iter().all(|name| [&b"sh"[..], b"sleep", b"tail"].contains(name)), "{}", oom.to_text());
        assert_eq!(oom.victim().unwrap().comm, b"tail", "{}", oom.to_text());
        let finding = found(oom, "group-kill");
        says(&finding.text, &["memory.oom.group took the whole group: with tail", "sh (pid", "sleep (pid"]);
        says(&oom.summary, &[&finding.text]);
        says(&outcome.summary, &["memory.oom.group"]);
        lacks(oom, &["grower-survived"]);
    }
}

#[test]
fn a_limit_below_any_start_says_what_a_start_needs() {
    for (options, lab) in labs() {
        lab.close().unwrap();
        let tiny = [64 << 10, 96 << 10].map(|limit| (limit, ["true", "", ""]));
        let small = [(128 << 10, ["cat", "/dev/null", "/dev/null"]), (320 << 10, ["perl", "-e", "0"])];
        for (limit, argv) in tiny.into_iter().chain(small) {
            let outcome = run(&options, &argv, Limits::bytes(limit), None);
            oom_killed(&outcome);
            let oom = outcome.oom().expect("the account of its own OOM");
            // With other pages it was not tried what a start needs.
            if common::page_bytes() == 4096 {
                let finding = found(oom, "limit-below-start");
                says(&finding.text, &[&format!("is below what {} (pid", argv[0]), "needs to start"]);
                says(&oom.summary, &[&finding.text]);
            }
        }
    }
}

#[test]
fn a_limit_below_any_execution_is_named() {
    if lab().is_none() {
        return;
    }
    for bytes in [0, 4 << 10, 16 << 10] {
        let run = Run { command: Command::new(["true"]), limits: Limits::bytes(bytes), ..Run::default() };
        match run.run(LONG) {
            Ok(outcome) => oom_killed(&outcome),
            // Nobody is killed whose execution fails.
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
                says(&error.to_string(), &["start command", "below what a process needs to start", "remedy"]);
            }
        }
    }
}

#[test]
fn a_kill_after_and_beside_a_real_oom_is_its_senders() {
    for (options, lab) in labs() {
        if !lab.host().can("tracefs") {
            continue;
        }
        let group = lab.group(Some("both"), &Limits::bytes(16 * MIB)).unwrap();
        let mut watch = group.watch().unwrap();
        let [after, beside] = [(); 2].map(|()| group.command(&Command::new(["sleep", "1000"])).unwrap());
        let leaker = hog(&group, "leaker", Kind::Anon, 500);
        // Beside: the sender waits for the group to fill, and strikes while it does.
        let line = format!("kill -9 {}", beside.pid());
        let mut sender = std::process::Command::new("sh").args(["-c", &line]).spawn().unwrap();
        grow_to_the_end(&leaker);
        assert!(sender.wait().unwrap().success());
        oom_killed(&leaker.worker().wait(LONG).unwrap());
        let oom = next_oom(&mut watch);
        let victims: Vec<i32> = oom.victims.iter().map(|victim| victim.pid).collect();
        assert_eq!(victims, [leaker.worker().pid()], "{}", oom.to_text());
        let line = format!("kill -9 {}", after.pid());
        assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
        for worker in [&beside, &after] {
            let outcome = worker.wait(LONG).unwrap();
            let by = outcome.killed_by.as_ref().expect("a signal ended it");
            assert_eq!((outcome.verdict, by.by, by.signal), (Verdict::Killed, Author::Process, 9), "{by:?}");
            assert!(!outcome.oom_killed && by.pid.is_some(), "{}", outcome.to_text());
            says(&outcome.summary, &["killed by SIGKILL, sent by", "it was not an OOM"]);
        }
        lab.close().unwrap();
        // A command that meets an OOM inside, and is killed by somebody else then.
        let script = "tail /dev/zero; kill -9 $$; sleep 1000";
        let outcome = run(&options, &["sh", "-c", script], Limits::bytes(16 * MIB), None);
        let by = outcome.killed_by.as_ref().expect("a signal ended it");
        assert_eq!((outcome.verdict, by.by, outcome.ooms_inside), (Verdict::Killed, Author::Itself, 1), "{by:?}");
        says(&outcome.summary, &["it was not an OOM", "An OOM happened inside"]);
    }
}

#[test]
fn a_crowd_is_many_processes() {
    for (_, lab) in labs() {
        let group = lab.group(Some("crowd"), &Limits::bytes(24 * MIB)).unwrap();
        let mut watch = group.watch().unwrap();
        let crowd = (0..12).map(|number| hog(&group, &format!("job{number}"), Kind::Anon, 0)).collect::<Vec<_>>();
        let mut round = crowd.iter().cycle();
        // The one that is killed may be the one that grows.
        while round.next().unwrap().grow(Some(MIB / 2), LONG).is_ok_and(|step| step.status == GrowStatus::Grew) {}
        let oom = next_oom(&mut watch);
        let finding = found(&oom, "many-processes");
        says(&finding.text, &["12 processes fill the limit together"]);
        says(&oom.summary, &[&finding.text]);
        let outcome = crowd.iter().find(|hog| oom.killed(hog.worker().pid())).unwrap().worker().wait(LONG).unwrap();
        oom_killed(&outcome);
        let inside = || group.processes().unwrap().len() == 12;
        assert!(gone_by(Instant::now() + LONG, inside), "{:?}", group.processes());
        lab.close().unwrap();
    }
}

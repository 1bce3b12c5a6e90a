//! Bad input gets an error that names operation, path, value and remedy, and nothing is half done.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::time::Duration;

use common::{lab, LONG};
use memoom::{Error, ErrorKind, Group, HogOptions, Lab, LabOptions, Limit, Limits, Version};
use serde_json::Value;

const MIB: u64 = 1 << 20;

fn says(error: &Error, kind: ErrorKind, parts: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(!text.contains('\n') && text.len() < 1000, "one short line: {text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// The cases of one table of `tests/bad_input.json`, which all faces read.
fn cases(table: &str) -> Vec<Value> {
    let tables: Value = serde_json::from_str(include_str!("../../tests/bad_input.json")).unwrap();
    tables[table].as_array().unwrap_or_else(|| panic!("no table {table}")).clone()
}

/// The error is that of the case.
fn is_of(case: &Value, error: &Error) {
    assert_eq!(case["kind"], error.kind().name(), "{error}");
    let parts: Vec<&str> = case["says"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    says(error, error.kind(), &parts);
}

#[test]
fn names_that_cannot_be_groups() {
    let Some(lab) = lab() else { return };
    let limits = Limits::bytes(32 * MIB);
    for case in cases("group names") {
        let name = memoom::unescape(case["name"].as_str().unwrap());
        let name = name.repeat(case["times"].as_u64().unwrap_or(1) as usize);
        is_of(&case, &lab.group_named(&name, &limits).unwrap_err());
    }
    says(&lab.group_named(b"a\0b", &limits).unwrap_err(), ErrorKind::InvalidInput, &["name group", "NUL"]);
    let group = lab.group_named(b"caf\xc3\xa9 \xff", &limits).unwrap();
    assert!(group.path().exists() && group.name() == "caf\\xc3\\xa9 \\xff");
    let taken = lab.group_named(b"caf\xc3\xa9 \xff", &limits).unwrap_err();
    says(&taken, ErrorKind::AlreadyExists, &["create group", "there already"]);
    assert!(group.path().exists(), "the group that had the name stays");
}

#[test]
fn limits_that_cannot_be() {
    let Some(lab) = lab() else { return };
    let huge = lab.group(Some("huge"), &Limits::bytes(1 << 50)).unwrap_err();
    says(&huge, ErrorKind::OutOfMemory, &["set limit", "the host has", "remedy", &(1u64 << 50).to_string()]);
    assert!(!lab.path().join("huge").exists(), "nothing half done");
    let half = lab.host().available_bytes / 2 + MIB;
    let first = lab.group(Some("first"), &Limits::bytes(half)).unwrap();
    says(&lab.group(Some("second"), &Limits::bytes(half)).unwrap_err(), ErrorKind::OutOfMemory, &["would sum to"]);
    // What stands below a limit is bounded by it.
    first.child("inside", &Limits::bytes(half)).unwrap();
    let small = lab.group(Some("small"), &Limits::bytes(64 << 10)).unwrap();
    let error = small.hog(&HogOptions::default()).unwrap_err();
    says(
        &error,
        ErrorKind::InvalidInput,
        &["start hog", "below what a process needs to start", "65536", "small", "remedy"],
    );
    assert_eq!(small.processes().unwrap(), Vec::<i32>::new());
    let free = lab.group(Some("free"), &Limits::default()).unwrap();
    let hog = free.hog(&HogOptions::default()).unwrap();
    says(&hog.grow(None, LONG).unwrap_err(), ErrorKind::InvalidInput, &["grow", "has a limit", "free", "remedy"]);
    // Armed after the start it works.
    free.set_limit(Limit::Bytes(32 * MIB)).unwrap();
    assert_eq!(hog.grow(Some(MIB), LONG).unwrap().total_bytes, MIB);
    says(&hog.grow(Some(0), LONG).unwrap_err(), ErrorKind::InvalidInput, &["0 bytes"]);
}

#[test]
fn switches_of_the_other_hierarchy() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("switches"), &Limits::bytes(32 * MIB)).unwrap();
    let wrong = match lab.version() {
        Version::V1 => {
            says(
                &group.set_oom_group(true).unwrap_err(),
                ErrorKind::Unsupported,
                &["set oom_group", "memory.oom.group", "v2", "remedy"],
            );
            says(&group.set_high(Limit::Max).unwrap_err(), ErrorKind::Unsupported, &["memory.high", "v2"]);
            Limits { oom_group: Some(true), ..Limits::bytes(32 * MIB) }
        }
        Version::V2 => {
            says(
                &group.set_oom_killer(false).unwrap_err(),
                ErrorKind::Unsupported,
                &["set oom_killer", "memory.oom_control", "v1", "remedy"],
            );
            Limits { oom_killer: Some(false), ..Limits::bytes(32 * MIB) }
        }
    };
    says(&lab.group(Some("wrong"), &wrong).unwrap_err(), ErrorKind::Unsupported, &["remedy"]);
    assert!(!lab.path().join("wrong").exists(), "nothing half done");
}

#[test]
fn what_is_closed_or_gone() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("gone"), &Limits::bytes(32 * MIB)).unwrap();
    let hog = group.hog(&HogOptions::default()).unwrap();
    says(&group.remove().unwrap_err(), ErrorKind::Busy, &["remove group", &hog.pid().to_string(), "remedy"]);
    says(
        &hog.wait(Duration::from_millis(1)).unwrap_err(),
        ErrorKind::TimedOut,
        &["wait for worker", &hog.pid().to_string()],
    );
    says(&hog.finish(LONG).unwrap_err(), ErrorKind::InvalidInput, &["no step"]);
    hog.kill().unwrap();
    let outcome = hog.wait(LONG).unwrap();
    assert!(!outcome.oom_killed);
    says(
        &hog.grow(None, LONG).unwrap_err(),
        ErrorKind::WorkerGone,
        &["grow", "ended", &hog.pid().to_string(), "remedy"],
    );
    hog.kill().unwrap();
    group.remove().unwrap();
    for error in [
        group.usage_bytes().unwrap_err(),
        group.set_limit(Limit::Max).unwrap_err(),
        group.hog(&HogOptions::default()).unwrap_err(),
        group.watch().map(drop).unwrap_err(),
        group.remove().unwrap_err(),
    ] {
        says(&error, ErrorKind::NotFound, &["the group was removed", "gone"]);
    }
    // Removed by somebody else, behind our back.
    let stolen = lab.group(Some("stolen"), &Limits::bytes(32 * MIB)).unwrap();
    let mut watch = stolen.watch().unwrap();
    std::fs::remove_dir(stolen.path()).unwrap();
    says(&stolen.usage_bytes().unwrap_err(), ErrorKind::NotFound, &["the group was removed", "stolen"]);
    says(&stolen.hog(&HogOptions::default()).unwrap_err(), ErrorKind::NotFound, &["stolen"]);
    says(&stolen.watch().map(drop).unwrap_err(), ErrorKind::NotFound, &["the group was removed", "stolen"]);
    assert!(watch.wait_oom(Duration::from_millis(50)).unwrap().is_none(), "a removal is no OOM");
    lab.close().unwrap();
    lab.close().unwrap();
    says(&lab.group(None, &Limits::default()).unwrap_err(), ErrorKind::Closed, &["create group", "closed", "remedy"]);
    says(&stolen.usage_bytes().unwrap_err(), ErrorKind::Closed, &["closed"]);
}

#[test]
fn workers_that_cannot_be() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("workers"), &Limits::bytes(32 * MIB)).unwrap();
    for case in cases("hogs") {
        let refused = case["memory"].as_str().unwrap_or("anon").parse().and_then(|kind| {
            let options = HogOptions {
                name: case["name"].as_str().unwrap_or("h").to_string(),
                kind,
                step_bytes: case["step_bytes"].as_u64().unwrap_or(MIB),
                oom_score_adj: case["oom_score_adj"].as_i64().unwrap_or(0) as i16,
                ..HogOptions::default()
            };
            group.hog(&options).map(drop)
        });
        is_of(&case, &refused.unwrap_err());
    }
    says(&group.ticker("t", Duration::ZERO).unwrap_err(), ErrorKind::InvalidInput, &["start ticker", "zero"]);
    says(&group.command(&memoom::Command::default()).unwrap_err(), ErrorKind::InvalidInput, &["no program"]);
    says(&group.command(&memoom::Command::new(["a\0b"])).unwrap_err(), ErrorKind::InvalidInput, &["NUL"]);
    if !lab.host().can("lower-oom-score-adj") {
        let options = HogOptions { oom_score_adj: -500, ..HogOptions::default() };
        says(&group.hog(&options).unwrap_err(), ErrorKind::PermissionDenied, &["oom_score_adj", "CAP_SYS_RESOURCE"]);
    }
    assert_eq!(group.processes().unwrap(), Vec::<i32>::new());
}

#[test]
fn opened_groups_are_observed_only() {
    let Some(lab) = lab() else { return };
    for case in cases("groups to open") {
        is_of(&case, &Group::open(case["path"].as_str().unwrap()).unwrap_err());
    }
    let made = lab.group(Some("made"), &Limits::bytes(32 * MIB)).unwrap();
    let opened = Group::open(made.path()).unwrap();
    assert_eq!(opened.cgroup(), made.cgroup());
    assert_eq!(opened.limit().unwrap(), Limit::Bytes(32 * MIB));
    for error in [
        opened.set_limit(Limit::Max).unwrap_err(),
        opened.kill().unwrap_err(),
        opened.remove().unwrap_err(),
        opened.hog(&HogOptions::default()).map(drop).unwrap_err(),
        opened.child("x", &Limits::default()).unwrap_err(),
    ] {
        says(&error, ErrorKind::InvalidInput, &["observed only", "made", "remedy"]);
    }
}

#[test]
fn parents_that_cannot_have_labs() {
    if lab().is_none() {
        return;
    }
    for case in cases("parents of labs") {
        let parent = Some(case["path"].as_str().unwrap().into());
        is_of(&case, &Lab::with(&LabOptions { parent, ..LabOptions::default() }).unwrap_err());
    }
}

#[test]
fn without_kernel_log_and_tracefs_the_account_says_what_is_missing() {
    if lab().is_none() {
        return;
    }
    let lab = Lab::with(&LabOptions { kernel_log: false, call_path: false, ..LabOptions::default() }).unwrap();
    let group = lab.group(Some("blind"), &Limits::bytes(32 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let hog = group.hog(&HogOptions::named("unseen")).unwrap();
    while hog.grow(None, LONG).unwrap().status == memoom::GrowStatus::Grew {}
    let oom = watch.wait_oom(LONG).unwrap().expect("the counters are enough");
    assert!(oom.killed(hog.pid()), "{}", oom.to_text());
    assert_eq!(oom.predicted_right(), Some(true));
    assert!(oom.report.is_none() && oom.call_path.is_empty());
    for source in ["tracefs", "kernel-log", "call-path"] {
        assert!(oom.missing.iter().any(|missing| missing.source == source), "{source}: {:?}", oom.missing);
    }
    assert!(hog.wait(LONG).unwrap().oom_killed);
}

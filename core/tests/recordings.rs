//! Recordings: whatever a lab concludes, its recording concludes again, and those of tests/signs conclude what they did
//! when they were made, on any machine and without any right.
//!
//! With `MEMOOM_RECORD=DIR` the recordings of the scenes below are put there, each with its accounts: so those of
//! tests/signs were made (see the README there).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::kept::Kept;
use common::{lab, LONG};
use memoom::{Command, Group, GrowStatus, Hog, HogOptions, Lab, LabOptions, Limit, Limits, Oom, Resume, Version};

const MIB: u64 = 1 << 20;

/// A scene in a lab that is recorded: its accounts are the same when they are made again from the recording.
fn scene(name: &str, options: &LabOptions, play: impl FnOnce(&Lab) -> Option<usize>) {
    let Some(probe) = lab() else { return };
    let version = probe.version();
    drop(probe);
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path().join("signs");
    let lab = Lab::with(&LabOptions { record: Some(path.clone()), ..options.clone() }).unwrap();
    let Some(least) = play(&lab) else { return };
    // The end of the lab concludes what is open.
    let before = lab.timeline().ooms.len();
    lab.close().unwrap();
    let told: Vec<String> = lab.timeline().ooms.iter().map(|oom| oom.to_json()).collect();
    let again: Vec<String> = memoom::replay(&path).unwrap().iter().map(Oom::to_json).collect();
    assert!(before >= least, "{name}: {before} accounts of {least}");
    assert_eq!(again.len(), told.len(), "{name}");
    for (again, told) in again.iter().zip(&told) {
        assert_eq!(again, told, "{name}");
    }
    keep(name, version, &path, &told);
}

/// Puts a recording with its accounts where `MEMOOM_RECORD` says.
fn keep(name: &str, version: Version, path: &Path, told: &[String]) {
    let Some(to) = std::env::var_os("MEMOOM_RECORD").map(PathBuf::from) else { return };
    let foreign = if std::process::id() < 10 { "-pidns" } else { "" };
    let to = to.join(format!("{name}{foreign}-{}", version.name()));
    fs::copy(path, to.with_extension("jsonl")).unwrap();
    fs::write(to.with_extension("json"), told.join("\n") + "\n").unwrap();
}

fn hog(group: &Group, name: &str) -> Hog {
    group.hog(&HogOptions::named(name)).unwrap()
}

fn grow_until_it_ends(hog: &Hog) -> GrowStatus {
    loop {
        let status = hog.grow(Some(4 * MIB), LONG).unwrap().status;
        if status != GrowStatus::Grew {
            return status;
        }
    }
}

fn kill(group: &Group, name: &str) {
    let hog = hog(group, name);
    grow_until_it_ends(&hog);
    assert!(hog.wait(LONG).unwrap().oom_killed);
}

#[test]
fn a_kill() {
    scene("kill", &LabOptions::default(), |lab| {
        let group = lab.group(Some("one"), &Limits::bytes(16 * MIB)).unwrap();
        kill(&group, "eater");
        Some(1)
    });
}

#[test]
fn several_kills_and_one_who_stays() {
    scene("several", &LabOptions::default(), |lab| {
        let group = lab.group(Some("several"), &Limits::bytes(24 * MIB)).unwrap();
        let quiet = hog(&group, "quiet");
        quiet.grow(Some(2 * MIB), LONG).unwrap();
        for _ in 0..3 {
            kill(&group, "eater");
        }
        Some(3)
    });
}

#[test]
fn a_command_that_grows_by_itself() {
    scene("command", &LabOptions::default(), |lab| {
        let group = lab.group(Some("command"), &Limits::bytes(16 * MIB)).unwrap();
        let command = group.command(&Command::new(["tail", "/dev/zero"])).unwrap();
        assert!(command.wait(LONG).unwrap().oom_killed);
        Some(1)
    });
}

#[test]
fn no_log() {
    scene("no-log", &LabOptions { kernel_log: false, ..LabOptions::default() }, |lab| {
        kill(&lab.group(Some("nolog"), &Limits::bytes(16 * MIB)).unwrap(), "eater");
        Some(1)
    });
}

#[test]
fn no_tracepoint() {
    scene("no-tracepoint", &LabOptions { call_path: false, ..LabOptions::default() }, |lab| {
        kill(&lab.group(Some("notrace"), &Limits::bytes(16 * MIB)).unwrap(), "eater");
        Some(1)
    });
}

#[test]
fn neither_log_nor_tracepoint() {
    scene("bare", &LabOptions { kernel_log: false, call_path: false, ..LabOptions::default() }, |lab| {
        kill(&lab.group(Some("bare"), &Limits::bytes(16 * MIB)).unwrap(), "eater");
        Some(1)
    });
}

#[test]
fn a_limit_of_an_ancestor() {
    scene("ancestor", &LabOptions::default(), |lab| {
        let above = lab.group(Some("above"), &Limits::bytes(24 * MIB)).unwrap();
        let (one, other) =
            (above.child("one", &Limits::default()).unwrap(), above.child("other", &Limits::default()).unwrap());
        let quiet = hog(&other, "quiet");
        quiet.grow(Some(4 * MIB), LONG).unwrap();
        kill(&one, "eater");
        Some(1)
    });
}

#[test]
fn a_group_that_is_removed_at_once_after_its_kill() {
    scene("removed", &LabOptions::default(), |lab| {
        let group = lab.group(Some("brief"), &Limits::bytes(16 * MIB)).unwrap();
        let command = group.command(&Command::new(["tail", "/dev/zero"])).unwrap();
        let kills = || group.counters().unwrap().oom_kill.unwrap_or(0);
        let deadline = Instant::now() + LONG;
        while kills() == 0 {
            assert!(Instant::now() < deadline, "no kill");
            std::thread::yield_now();
        }
        group.kill().unwrap();
        group.remove().unwrap();
        drop(command);
        // The account comes with the readings of another group's events.
        let other = lab.group(Some("other"), &Limits::bytes(16 * MIB)).unwrap();
        other.command(&Command::new(["true"])).unwrap().wait(LONG).unwrap();
        Some(0)
    });
}

#[test]
fn a_block_and_its_end() {
    scene("block", &LabOptions::default(), |lab| {
        let group = lab.group(Some("blocked"), &Limits::bytes(16 * MIB)).unwrap();
        if let Err(error) = group.block() {
            eprintln!("skipped: {error}");
            return None;
        }
        let hog = hog(&group, "waiter");
        assert_eq!(grow_until_it_ends(&hog), GrowStatus::Blocked);
        group.resume(Resume::Raise(Limit::Bytes(32 * MIB)), LONG).unwrap();
        assert_eq!(hog.finish(LONG).unwrap().status, GrowStatus::Grew);
        assert_eq!(grow_until_it_ends(&hog), GrowStatus::Blocked);
        group.resume(Resume::Killer, LONG).unwrap();
        assert!(hog.wait(LONG).unwrap().oom_killed);
        Some(3)
    });
}

#[test]
fn a_group_that_is_killed_as_a_whole() {
    scene("whole", &LabOptions::default(), |lab| {
        if lab.version() == Version::V1 {
            return None;
        }
        let limits = Limits { oom_group: Some(true), ..Limits::bytes(24 * MIB) };
        let group = lab.group(Some("whole"), &limits).unwrap();
        let quiet = group.command(&Command::new(["sleep", "1000"])).unwrap();
        kill(&group, "eater");
        quiet.wait(LONG).unwrap();
        Some(1)
    });
}

#[test]
fn children_of_a_command() {
    scene("children", &LabOptions::default(), |lab| {
        let group = lab.group(Some("children"), &Limits::bytes(16 * MIB)).unwrap();
        let command = group.command(&Command::new(["sh", "-c", "tail /dev/zero; tail /dev/zero; exit 3"])).unwrap();
        assert_eq!(command.wait(LONG).unwrap().returncode, 3);
        Some(2)
    });
}

#[test]
fn ten_reports_are_printed_and_no_more() {
    scene("suppressed", &LabOptions::default(), |lab| {
        let group = lab.group(Some("many"), &Limits::bytes(16 * MIB)).unwrap();
        let command = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do tail /dev/zero; done";
        let command = group.command(&Command::new(["sh", "-c", command])).unwrap();
        command.wait(LONG).unwrap();
        Some(10)
    });
}

/// Its first thread ends while another one goes on to take memory: the kernel names that one.
#[test]
fn a_process_whose_first_thread_has_ended() {
    scene("threads", &LabOptions::default(), |lab| {
        let group = lab.group(Some("threads"), &Limits::bytes(32 * MIB)).unwrap();
        let program = "import ctypes, os, threading\n\
                       def eat():\n    held = []\n    while True:\n        held.append(bytearray(1 << 20))\n\
                       threading.Thread(target=eat).start()\n\
                       ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)\n";
        let python = std::env::var("MEMOOM_PYTHON").unwrap_or_else(|_| "python3".to_string());
        let command = match group.command(&Command::new([python.as_str(), "-c", program])) {
            Ok(command) => command,
            Err(error) => {
                eprintln!("skipped: {error}");
                return None;
            }
        };
        let outcome = command.wait(LONG).unwrap();
        assert!(outcome.oom_killed, "{}", outcome.to_text());
        Some(1)
    });
}

/// A group of somebody else's: what its own watch tells is what its recording leads to.
fn opened(name: &str, end: impl FnOnce(Group)) {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some(name), &Limits::bytes(16 * MIB)).unwrap();
    let kept = Kept::new("memoom-recordings-");
    let path = kept.path().join("signs");
    assert_eq!(group.record(&path).unwrap_err().kind(), memoom::ErrorKind::InvalidInput, "a lab is recorded whole");
    let opened = Group::open(group.path()).unwrap();
    opened.record(&path).unwrap();
    let mut watch = opened.watch_recursive().unwrap();
    assert_eq!(opened.record(&path).unwrap_err().kind(), memoom::ErrorKind::Busy);
    end(group);
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    drop(watch);
    let again: Vec<String> = memoom::replay(&path).unwrap().iter().map(Oom::to_json).collect();
    assert_eq!(again, [oom.to_json()]);
    keep(name, lab.version(), &path, &again);
    lab.close().unwrap();
}

#[test]
fn an_opened_group_is_recorded_by_its_own_watch() {
    opened("opened", |group| kill(&group, "eater"));
}

#[test]
fn an_opened_group_that_vanishes_with_its_victim() {
    opened("vanished", |group| {
        kill(&group, "eater");
        group.remove().unwrap();
    });
}

#[test]
fn the_recordings_of_tests_signs_conclude_what_they_did() {
    let signs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/signs");
    let mut files: Vec<PathBuf> = fs::read_dir(&signs).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    assert!(files.len() >= 30, "{} recordings", files.len());
    let update = std::env::var_os("MEMOOM_UPDATE").is_some_and(|value| value == "1");
    let begun = Instant::now();
    for path in &files {
        let ooms = memoom::replay(path).unwrap();
        let again: String = ooms.iter().map(|oom| oom.to_json() + "\n").collect();
        if update {
            fs::write(path.with_extension("json"), &again).unwrap();
            continue;
        }
        let told = fs::read_to_string(path.with_extension("json")).unwrap();
        for (again, told) in again.lines().zip(told.lines()) {
            assert_eq!(again, told, "{}: MEMOOM_UPDATE=1 takes what is concluded now", path.display());
        }
        assert_eq!(again.lines().count(), told.lines().count(), "{}", path.display());
    }
    let took = begun.elapsed();
    println!("{} recordings in {took:?}", files.len());
    assert!(took < Duration::from_secs(5), "{took:?}");
}

//! How workers end, and that the verdict holds: no OOM kill is missed, and no other kill is taken for one.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{lab, EATS, LONG};
use memoom::{Command, ErrorKind, GrowStatus, HogOptions, LabOptions, Limits, Run, Stdio, Verdict, Version};

const MIB: u64 = 1 << 20;

fn run(limit: u64, argv: &[&str]) -> memoom::Outcome {
    let run = Run { command: Command::new(argv.iter().copied()), limits: Limits::bytes(limit), ..Run::default() };
    run.run(LONG).unwrap()
}

#[test]
fn exits_kills_and_oom_kills_are_told_apart() {
    if lab().is_none() {
        return;
    }
    let outcome = run(64 * MIB, &["true"]);
    assert_eq!((outcome.verdict, outcome.returncode, outcome.ooms.len()), (Verdict::Exited, 0, 0));
    let outcome = run(64 * MIB, &["sh", "-c", "exit 7"]);
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Exited, 7));
    let outcome = run(64 * MIB, &["sh", "-c", "kill -9 $$"]);
    assert_eq!((outcome.verdict, outcome.returncode, outcome.oom_killed), (Verdict::Killed, -9, false));
    assert!(
        outcome.evidence.iter().any(|one| one.source == "counters" && one.says == "oom_kill stayed 0"),
        "{:?}",
        outcome.evidence
    );
    let outcome = run(64 * MIB, &["sh", "-c", "kill -TERM $$"]);
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Killed, -15));
    let outcome = run(16 * MIB, &["sh", "-c", EATS]);
    assert_eq!((outcome.verdict, outcome.returncode, outcome.oom_killed), (Verdict::OomKilled, -9, true));
    let oom = outcome.oom().expect("the account of its own OOM");
    assert_eq!(oom.limit_bytes, Some(16 * MIB));
    assert!(oom.killed(outcome.pid) && oom.victims[0].comm == b"sh", "{}", oom.to_text());
    // Of a command nothing is known before: the kernel's table is scored, and it prints 10 in 5 seconds at most.
    match &oom.predicted {
        Some(predicted) => assert_eq!((predicted.pid, predicted.source), (outcome.pid, "report")),
        None => assert!(oom.missing.iter().any(|one| one.source == "report"), "{}", oom.to_text()),
    }
}

/// Nobody looks at the watch until all of them have gone, as on a machine that is too busy.
#[test]
fn members_that_had_gone_before_anybody_asked_are_placed_by_the_counters() {
    let Some(lab) = common::lab_with(Version::V2) else { return };
    let limits = Limits { oom_group: Some(true), ..Limits::bytes(64 * MIB) };
    let whole = lab.group(Some("whole"), &limits).unwrap();
    let one = whole.child("one", &Limits::default()).unwrap();
    let other = whole.child("other", &Limits::default()).unwrap();
    let mut watch = whole.watch().unwrap();
    // The shell's child is nobody's worker, and nothing is known of it before.
    let parent = other.command(&Command::new(["sh", "-c", "sleep 1000 & wait"])).unwrap();
    let both = || other.processes().unwrap().len() == 2;
    assert!(common::gone_by(Instant::now() + LONG, || !both()), "{:?}", other.processes());
    let child = other.processes().unwrap().into_iter().find(|pid| *pid != parent.pid()).unwrap();
    let eater = one.command(&Command::new(["sh", "-c", EATS])).unwrap();
    // The files alone: the watch is not read, and the supervisor reaps.
    let left = || {
        [&one, &other].iter().any(|group| !fs::read_to_string(group.path().join("cgroup.procs")).unwrap().is_empty())
    };
    assert!(common::gone_by(Instant::now() + LONG, left), "{:?}", whole.processes());
    assert!(common::gone_by(Instant::now() + LONG, || Path::new(&format!("/proc/{child}")).exists()));
    let oom = watch.wait_oom(LONG).unwrap().expect("one account");
    let mut victims: Vec<(i32, Option<&str>)> =
        oom.victims.iter().map(|victim| (victim.pid, victim.group.as_deref())).collect();
    victims.sort_unstable();
    let mut expected =
        vec![(eater.pid(), Some(one.cgroup())), (parent.pid(), Some(other.cgroup())), (child, Some(other.cgroup()))];
    expected.sort_unstable();
    assert_eq!(victims, expected, "{}", oom.to_text());
    assert!(watch.wait_oom(Duration::ZERO).unwrap().is_none());
    lab.close().unwrap();
}

#[test]
fn what_a_command_used_is_known_without_a_report() {
    if lab().is_none() {
        return;
    }
    let lab = LabOptions { kernel_log: false, ..LabOptions::default() };
    let command = Command::new(["sh", "-c", EATS]);
    let outcome = Run { command, limits: Limits::bytes(16 * MIB), lab, ..Run::default() }.run(LONG).unwrap();
    let oom = outcome.oom().expect("the account of its own OOM");
    assert!(oom.report.is_none(), "{}", oom.to_text());
    // Kernels before 5.19 have no memory.peak; the last reading is all there is then.
    if oom.counters.after.peak_bytes.is_some() {
        let before = oom.usage_bytes.before.expect("a usage");
        assert!((15 * MIB..=16 * MIB).contains(&before), "{}", oom.to_text());
        assert!(oom.usage_bytes.after.expect("a usage") < before, "{}", oom.to_text());
    }
}

/// A program of Python's that writes so many MiB at once, beside the interpreter's own few, and ends.
fn holds(mib: u64) -> String {
    format!("held = bytearray({mib} << 20)\nfor at in range(0, len(held), 4096): held[at] = 1")
}

#[test]
fn the_peak_of_a_run_is_its_groups_and_a_worker_of_a_lab_has_none() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("peak"), &Limits::bytes(64 * MIB)).unwrap();
    let worker = group.command(&Command::new(["python3", "-S", "-c", &holds(24)])).unwrap();
    let of_a_lab = worker.wait(LONG).unwrap();
    assert_eq!((of_a_lab.returncode, of_a_lab.peak_bytes), (0, None));
    // Kernels before 5.19 have no memory.peak.
    let kept = group.peak_bytes().unwrap().is_some();
    lab.close().unwrap();
    for (mib, limit, killed) in [(24, 96, false), (40, 96, false), (200, 48, true)] {
        let outcome = run(limit * MIB, &["python3", "-S", "-c", &holds(mib)]);
        assert_eq!(outcome.oom_killed, killed, "{}", outcome.to_text());
        assert_eq!(outcome.peak_bytes.is_some(), kept, "{:?}", outcome.missing);
        let Some(peak) = outcome.peak_bytes else { continue };
        let expected = if killed { (limit - 1) * MIB..=limit * MIB } else { mib * MIB..=(mib + 16) * MIB };
        assert!(expected.contains(&peak), "{peak} for {mib} MiB under {limit} MiB");
        assert!(outcome.to_json().contains(&format!(r#","peak_bytes":{peak},"#)), "{}", outcome.to_json());
    }
}

#[test]
fn a_command_that_does_not_start_says_why_and_leaves_nothing() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("start"), &Limits::bytes(32 * MIB)).unwrap();
    let plain = tempfile::NamedTempFile::new().unwrap();
    for (program, errno, kind) in [
        ("/nowhere/at-all", libc::ENOENT, ErrorKind::NotFound),
        ("no-such-program-here", libc::ENOENT, ErrorKind::NotFound),
        (plain.path().to_str().unwrap(), libc::EACCES, ErrorKind::PermissionDenied),
        ("/", libc::EACCES, ErrorKind::PermissionDenied),
    ] {
        let error = group.command(&Command::new([program])).unwrap_err();
        assert_eq!((error.errno(), error.kind()), (Some(errno), kind), "{program}: {error}");
        assert!(error.to_string().contains(program), "{error}");
    }
    assert_eq!(group.processes().unwrap(), Vec::<i32>::new());
    lab.close().unwrap();
}

/// std::io::pipe is younger than the compiler that we promise to do with.
fn pipe() -> (OwnedFd, OwnedFd) {
    nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap()
}

#[test]
fn a_command_has_its_environment_directory_and_descriptors() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("stdio"), &Limits::bytes(32 * MIB)).unwrap();
    let (reader, writer) = pipe();
    let mut command = Command::new([
        "sh",
        "-c",
        "read line; echo \"$WORD in $(pwd): $line\"; ls /proc/self/fd | wc -l; ls /no 2>/dev/null",
    ]);
    command.env = Some(vec![("WORD".into(), "hello".into()), ("PATH".into(), "/usr/bin:/bin".into())]);
    command.cwd = Some("/".into());
    let input = {
        let (reader, writer) = pipe();
        std::io::Write::write_all(&mut File::from(writer), b"from the pipe\n").unwrap();
        reader
    };
    command.stdio = [Stdio::Fd(Arc::new(input)), Stdio::Fd(Arc::new(writer)), Stdio::Null];
    let worker = group.command(&command).unwrap();
    // Our copy of the writing end goes, so that the pipe ends with the command.
    drop(command);
    let mut said = String::new();
    File::from(reader).read_to_string(&mut said).unwrap();
    // The three standard ones and the directory that ls itself opens.
    assert_eq!(said, "hello in /: from the pipe\n4\n");
    assert_eq!(worker.wait(LONG).unwrap().returncode, 2);
    lab.close().unwrap();
}

#[test]
fn a_deadline_kills_the_command_and_its_children() {
    if lab().is_none() {
        return;
    }
    let run = Run {
        command: Command::new(["sh", "-c", "sleep 1000 & sleep 1000"]),
        limits: Limits::bytes(32 * MIB),
        timeout: Some(Duration::from_millis(300)),
        ..Run::default()
    };
    let outcome = run.run(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode, outcome.oom_killed), (Verdict::Timeout, -9, false));
}

#[test]
fn a_child_of_the_command_that_is_killed_is_accounted_for() {
    if lab().is_none() {
        return;
    }
    let outcome = run(24 * MIB, &["sh", "-c", &format!("sh -c '{EATS}'; exit 3")]);
    assert_eq!((outcome.verdict, outcome.returncode, outcome.oom_killed), (Verdict::Exited, 3, false));
    assert_eq!(outcome.ooms.len(), 1);
    let oom = &outcome.ooms[0];
    assert!(!oom.killed(outcome.pid) && oom.victims.len() == 1, "{}", oom.to_text());
    assert!(
        oom.victims[0].sources.contains(&"tracefs") && oom.victims[0].sources.contains(&"kernel-log"),
        "{}",
        oom.to_text()
    );
}

#[test]
fn a_kill_by_hand_after_an_oom_is_no_oom_kill() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("twice"), &Limits::bytes(32 * MIB)).unwrap();
    let bystander = group.ticker("bystander", Duration::from_secs(1)).unwrap();
    let hog = group.hog(&HogOptions::named("eater")).unwrap();
    let status = (0..8).map(|_| hog.grow(None, LONG).unwrap().status).find(|status| *status != GrowStatus::Grew);
    assert_eq!(status, Some(GrowStatus::Killed));
    assert!(hog.wait(LONG).unwrap().oom_killed);
    bystander.signal(libc::SIGKILL).unwrap();
    let outcome = bystander.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.oom_killed), (Verdict::Killed, false));
    assert!(outcome.evidence.iter().any(|one| one.says.contains("no OOM names")), "{:?}", outcome.evidence);
    lab.close().unwrap();
}

#[test]
fn an_ancestors_limit_is_named() {
    let Some(lab) = lab() else { return };
    let outer = lab.group(Some("outer"), &Limits::bytes(32 * MIB)).unwrap();
    let inner = outer.child("inner", &Limits::default()).unwrap();
    let other = outer.child("other", &Limits::bytes(64 * MIB)).unwrap();
    let mut watch = inner.watch().unwrap();
    let mut above = outer.watch().unwrap();
    let bystander = other.hog(&HogOptions::named("bystander")).unwrap();
    bystander.grow(Some(4 * MIB), LONG).unwrap();
    let hog = inner.hog(&HogOptions::named("eater")).unwrap();
    while hog.grow(None, LONG).unwrap().status == GrowStatus::Grew {}
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert_eq!(oom.limit_group.as_deref(), Some(outer.cgroup()), "{}", oom.to_text());
    assert_eq!(oom.victims[0].group.as_deref(), Some(inner.cgroup()));
    assert_eq!(oom.predicted_right(), Some(true), "{}", oom.to_text());
    assert_eq!(oom.candidates.len(), 2, "the scope is the ancestor's subtree: {}", oom.to_text());
    let counters = oom.victim_counters.as_ref().expect("the victim's group is another one");
    assert_eq!(counters.after.oom_kill, Some(1));
    assert_eq!(*above.wait_oom(LONG).unwrap().expect("the same account"), *oom);
    assert!(!bystander.ended());
    lab.close().unwrap();
}

#[test]
fn a_watch_of_a_closed_lab_ends() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("closed"), &Limits::bytes(32 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let waiting = std::thread::spawn(move || watch.wait_oom(None).unwrap_err().kind());
    let mut other = group.watch().unwrap();
    lab.close().unwrap();
    assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
    assert_eq!(other.wait_oom(None).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn many_workers_in_a_row_leave_no_descriptors() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("row"), &Limits::bytes(32 * MIB)).unwrap();
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let once = || {
        let hog = group.hog(&HogOptions::default()).unwrap();
        hog.kill().unwrap();
        hog.wait(LONG).unwrap();
    };
    once();
    once();
    let before = open();
    for _ in 0..50 {
        once();
    }
    // Other tests of this program open and close descriptors too, but not fifty at once.
    assert!(open() < before + 50, "{} descriptors before, {} after 50 workers", before, open());
    lab.close().unwrap();
}

//! Workers made in advance, against the running kernel; see `tests.rs`.
#![allow(clippy::unwrap_used)]

use super::start::Started;
use super::tests::{answer, children_of, ended, exit_of, soon, step, Group, MIB};
use super::*;
use crate::helper::wire::{hog, Message};
use std::fs;

fn with_spares() -> Supervisor {
    Supervisor::start(&Options { spares: true, ..Options::default() }).unwrap()
}

/// The spare's pid, once the supervisor has told it.
fn spare(supervisor: &Supervisor) -> i32 {
    supervisor.prepare();
    let deadline = soon();
    loop {
        supervisor.notices().unwrap();
        // It may have been told with the answer to something else.
        if let Some(pid) = supervisor.inner.lock().unwrap().spare.as_ref().and_then(|spare| spare.pid()) {
            return pid;
        }
        assert!(Instant::now() < deadline, "no spare");
        let _ = readable(supervisor.socket(), deadline).unwrap();
    }
}

fn start(supervisor: &Supervisor, group: &Group, name: &[u8], oom_score_adj: i16) -> Result<Started> {
    let entry = group.entry();
    let role = Role::Hog { work: hog::ANON, directory: None };
    supervisor.spawn(&Start { name, join: group.join(&entry), oom_score_adj, role })
}

#[test]
fn a_spare_becomes_the_hog_that_is_asked_for() {
    let Some(group) = Group::v1() else { return };
    let supervisor = with_spares();
    group.guard(&supervisor);
    for (name, score) in [(&b"memoom_test_hog"[..], 0), (b"x", 321)] {
        let expected = spare(&supervisor);
        let deadline = soon();
        while fs::read_to_string(format!("/proc/{expected}/comm")).unwrap() != "memoom-spare\n" {
            // The supervisor tells of it as soon as it executes; its first steps come after that.
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        assert!(!group.read("tasks").contains(&expected.to_string()));
        let hog = start(&supervisor, &group, name, score).unwrap();
        assert_eq!(hog.pid, expected, "it was not the spare");
        // Everything that an ordinarily started one shows.
        let read = |file: &str| fs::read(format!("/proc/{}/{file}", hog.pid)).unwrap();
        assert_eq!(read("comm"), [name, b"\n"].concat());
        assert_eq!(read("cmdline"), [name, b"\0"].concat());
        assert_eq!(read("oom_score_adj"), format!("{score}\n").into_bytes());
        assert_eq!(nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(hog.pid))), Ok(nix::unistd::getpgrp()));
        assert!(group.read("tasks").lines().any(|line| line == hog.pid.to_string()));
        let mut files: Vec<String> = fs::read_dir(format!("/proc/{}/fd", hog.pid))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, ["0", "1"], "the two bells, and nothing else");
        let Message::Grew { total_bytes, .. } = step(&hog, 10 * MIB) else { panic!() };
        assert_eq!(total_bytes, 10 * MIB);
        hog.channel.as_ref().unwrap().shrink(MIB).unwrap();
        assert!(matches!(answer(&hog), Message::Shrunk { bytes: MIB, .. }));
    }
    supervisor.end(soon()).unwrap();
    assert!(!group.path().exists());
}

#[test]
fn a_spare_becomes_a_ticker() {
    let Some(group) = Group::v1() else { return };
    let supervisor = with_spares();
    group.guard(&supervisor);
    let expected = spare(&supervisor);
    let entry = group.entry();
    let role = Role::Ticker { every: Duration::from_millis(5) };
    let started =
        supervisor.spawn(&Start { name: b"ticker", join: group.join(&entry), oom_score_adj: 0, role }).unwrap();
    assert_eq!(started.pid, expected);
    assert!(matches!(answer(&started), Message::Tick { .. }));
    supervisor.end(soon()).unwrap();
}

#[test]
fn a_dead_spare_is_replaced_in_the_ordinary_way() {
    let Some(group) = Group::v1() else { return };
    let supervisor = with_spares();
    group.guard(&supervisor);
    let dead = spare(&supervisor);
    let pidfd = sys::pidfd_open(dead).unwrap();
    sys::pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL).unwrap();
    assert!(ended(pidfd.as_fd(), Duration::from_secs(5)));
    let hog = start(&supervisor, &group, b"hog", 0).unwrap();
    assert_ne!(hog.pid, dead);
    assert!(matches!(step(&hog, MIB), Message::Grew { .. }));
    drop(hog.channel);
    let hog = Started { channel: None, ..hog };
    assert_eq!(exit_of(&supervisor, &hog).code(), Some(0));
    supervisor.end(soon()).unwrap();
}

#[test]
fn what_a_spare_cannot_become_is_named_and_leaves_nothing() {
    let Some(group) = Group::v1() else { return };
    let supervisor = with_spares();
    let score = spare(&supervisor);
    let own: i32 = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
    match start(&supervisor, &group, b"hog", -1000) {
        Ok(hog) => assert_eq!(hog.pid, score),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            assert!(error.to_string().contains("oom_score_adj") && own > -1000, "{error}");
        }
    }
    spare(&supervisor);
    let entry = group.entry();
    let deadline = soon();
    while fs::remove_dir(group.path()).is_err() {
        // The worker above, where it was allowed: its channel was dropped, and it ends.
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let role = Role::Hog { work: hog::ANON, directory: None };
    let gone = Start { name: b"x", join: Join::Tasks(entry.as_fd()), oom_score_adj: 0, role };
    let error = supervisor.spawn(&gone).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let unused = spare(&supervisor);
    while children_of(supervisor.pid()).trim() != unused.to_string() {
        assert!(Instant::now() < deadline, "{} beside {unused}", children_of(supervisor.pid()));
        std::thread::yield_now();
    }
    supervisor.end(soon()).unwrap();
    assert!(!Path::new(&format!("/proc/{unused}")).exists(), "a spare that nobody needed must end with the lab");
}

#[test]
fn a_spare_enters_a_full_group_whose_killer_is_off() {
    let Some(group) = Group::v1() else { return };
    let supervisor = with_spares();
    group.guard(&supervisor);
    let blocked = super::tests::blocked_hog(&supervisor, &group);
    spare(&supervisor);
    // Nothing that it needs is charged there any more.
    let second = start(&supervisor, &group, b"second", 0).unwrap();
    assert!(group.read("tasks").lines().any(|line| line == second.pid.to_string()));
    supervisor.end(soon()).unwrap();
    assert!(ended(blocked.pidfd.as_fd(), Duration::from_secs(5)));
}

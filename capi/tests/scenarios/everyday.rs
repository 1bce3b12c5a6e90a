//! Everyday use, without an experiment: commands, events, numbers.

use std::time::Duration;

use super::face::{Face, Output, Settings};
use super::{lab, says, LONG, MIB};

pub fn commands<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let group = F::group(&lab, b"commands", &Settings::bytes(64 * MIB)).unwrap();
    let run = |argv: &[&str], env: Option<&[&str]>| {
        let output = if env.is_some() { Output::Null } else { Output::Inherit };
        F::wait(&F::command(&group, argv, env, output)?, LONG)
    };
    let outcome = run(&["/bin/sh", "-c", "exit 7"], None).unwrap();
    assert_eq!((outcome.verdict.as_str(), outcome.returncode, outcome.oom_killed), ("exited", 7, false));
    assert!(outcome.json.starts_with("{\"schema\":\"memoom.outcome/1\""));
    let outcome =
        run(&["/bin/sh", "-c", "test \"$KEY\" = 'a b' && echo out && exit 3"], Some(&["KEY=a b", "PATH=/bin"]))
            .unwrap();
    assert_eq!(outcome.returncode, 3, "the environment arrives");
    let outcome = run(&["sh", "-c", "kill -TERM $$"], None).unwrap();
    assert_eq!((outcome.verdict.as_str(), outcome.returncode), ("killed", -libc::SIGTERM));
    let missing = run(&["/nowhere/at-all"], None).unwrap_err();
    assert_eq!((missing.kind.as_str(), missing.errno), ("not-found", libc::ENOENT), "{}", missing.message);
    assert!(missing.message.contains("/nowhere/at-all"));
    let denied = run(&["/proc/version"], None).unwrap_err();
    assert_eq!((denied.kind.as_str(), denied.errno), ("permission-denied", libc::EACCES), "{}", denied.message);
    F::close(&lab).unwrap();

    // The one call: an exit, a time-out, an OOM kill. The shell doubles a string until the limit.
    assert_eq!(F::run(&["/bin/sh", "-c", "exit 5"], 64 * MIB, None).unwrap().returncode, 5);
    let late = F::run(&["/bin/sh", "-c", "while :; do :; done"], 64 * MIB, Some(Duration::from_millis(100))).unwrap();
    assert_eq!((late.verdict.as_str(), late.oom_killed), ("timeout", false));
    let killed =
        F::run(&["/bin/sh", "-c", "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"], 32 * MIB, Some(LONG)).unwrap();
    assert_eq!((killed.verdict.as_str(), killed.returncode), ("oom-killed", -libc::SIGKILL), "{}", killed.json);
    assert!(killed.has_own_oom);
}

pub fn events<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let group = F::group(&lab, b"events", &Settings::bytes(64 * MIB)).unwrap();
    let mut watch = F::watch(&group).unwrap();
    assert!(F::watch_fd(&watch) >= 0);
    assert!(F::next(&mut watch, Duration::ZERO).unwrap().is_none(), "nothing has happened yet");
    assert!(F::wait_oom(&mut watch, Duration::ZERO).unwrap().is_none());
    let hog = F::hog_with(&group, "stepper", "anon", 2 * MIB, 0).unwrap();
    assert_eq!(F::worker_name(&hog), "stepper");
    assert_eq!(F::grow(&hog, None, LONG).unwrap().total_bytes, 2 * MIB);
    assert_eq!(F::shrink(&hog, MIB, LONG).unwrap(), MIB);
    assert_eq!(F::grow(&hog, Some(3 * MIB), LONG).unwrap().total_bytes, 4 * MIB);
    let fd = F::watch_fd(&watch);
    assert!(is_readable(fd), "the watch is readable while events wait");
    F::kill(&hog).unwrap();
    let mut seen = Vec::new();
    while let Some(event) = F::next(&mut watch, LONG).unwrap() {
        assert!(event.time_ns > 0 && !event.source.is_empty());
        let document: serde_json::Value = serde_json::from_str(&event.json).unwrap();
        assert_eq!(
            (document["kind"].as_str(), document["source"].as_str()),
            (Some(event.kind.as_str()), Some(event.source.as_str()))
        );
        if event.kind == "stepped" || event.kind == "exited" {
            assert_eq!(event.pid, Some(F::pid(&hog)));
        }
        let over = event.kind == "exited";
        seen.push(event.kind);
        if over {
            break;
        }
    }
    for kind in ["started", "stepping", "stepped", "shrunk", "exited"] {
        assert!(seen.iter().any(|one| one == kind), "{kind} is not among {seen:?}");
    }
    let outcome = F::wait(&hog, LONG).unwrap();
    assert_eq!((outcome.verdict.as_str(), outcome.oom_killed), ("killed", false));
    let (kinds, json) = F::timeline(&lab).unwrap();
    assert!(kinds.iter().any(|kind| kind == "exited"));
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["events"].as_array().unwrap().len(), kinds.len());
    F::close(&lab).unwrap();
}

fn is_readable(fd: i32) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    #[allow(unsafe_code)]
    // SAFETY: one struct, and a descriptor that its watch keeps open.
    let ready = unsafe { libc::poll(&mut poll, 1, 60_000) };
    ready == 1
}

pub fn numbers<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let group = F::group(&lab, b"numbers", &Settings::bytes(64 * MIB)).unwrap();
    assert_eq!(F::limit(&group).unwrap(), Some(64 * MIB));
    F::set_limit(&group, None).unwrap();
    assert_eq!(F::limit(&group).unwrap(), None);
    F::set_limit(&group, Some(48 * MIB)).unwrap();
    assert_eq!(F::limit(&group).unwrap(), Some(48 * MIB));
    let big = F::hog_with(&group, "big", "anon", 16 * MIB, 0).unwrap();
    let small = F::hog_with(&group, "small", "anon", 4 * MIB, 0).unwrap();
    for hog in [&big, &small] {
        assert_eq!(F::grow(hog, None, LONG).unwrap().status, "grew");
    }
    assert_eq!(F::groups(&lab).unwrap(), [F::lab_path(&lab).join("numbers")]);
    F::sample(&group).unwrap();
    let (kinds, json) = F::timeline(&lab).unwrap();
    assert!(kinds.iter().any(|kind| kind == "share"), "{kinds:?}");
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let share = |pid: i32| {
        let events = document["events"].as_array().unwrap().iter().rev();
        let mut told = events.filter(|event| event["kind"] == "share" && event["pid"] == pid);
        told.next().and_then(|event| event["rss_bytes"].as_u64()).unwrap()
    };
    assert!(share(F::pid(&big)) > share(F::pid(&small)) + 10 * MIB);
    let mut pids = F::processes(&group).unwrap();
    pids.sort_unstable();
    let mut expected = vec![F::pid(&big), F::pid(&small)];
    expected.sort_unstable();
    assert_eq!(pids, expected);
    let usage = F::usage(&group).unwrap();
    assert!((20 * MIB..48 * MIB).contains(&usage), "{usage}");
    assert!(F::peak(&group).unwrap().is_none_or(|peak| peak >= 20 * MIB));
    let counters = F::counters(&group).unwrap();
    assert!(counters.usage_bytes.unwrap() >= 20 * MIB && counters.oom_kill == Some(0), "{counters:?}");
    let predicted = F::predict(&group).unwrap();
    assert_eq!(predicted.pid, Some(F::pid(&big)));
    let score = |pid| predicted.candidates.iter().find(|one| one.0 == pid).map(|one| one.2).unwrap();
    assert!(score(F::pid(&big)) > score(F::pid(&small)));
    // Observed by path, it is the same group.
    let opened = F::open(&F::group_path(&group)).unwrap();
    assert_eq!(F::cgroup(&opened), F::cgroup(&group));
    assert_eq!(F::limit(&opened).unwrap(), Some(48 * MIB));
    says(F::set_limit(&opened, None), "invalid-input", &["set limit", "observed only", "remedy"]);
    F::kill_group(&group).unwrap();
    for hog in [&big, &small] {
        assert_eq!(F::wait(hog, LONG).unwrap().returncode, -libc::SIGKILL);
    }
    // On v2 a group has children or processes, never both: now it has none of either.
    let child = F::child(&group, b"inside", &Settings::bytes(16 * MIB)).unwrap();
    assert!(F::cgroup(&child).ends_with("/numbers/inside"));
    says(F::remove(&group), "busy", &["remove group", "inside"]);
    F::remove(&child).unwrap();
    F::remove(&group).unwrap();
    F::close(&lab).unwrap();
}

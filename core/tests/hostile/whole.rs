//! The top of the hierarchy, watched with all that is below it: the whole machine in one observer.

use std::process::Command;
use std::time::{Duration, Instant};

use memoom::{Group, Limits};

use super::common::{gone_by, lab, process_is_there, EATS, LONG};

pub fn the_whole_machine_in_one_observer() {
    let Some(lab) = lab() else { return };
    let top = Group::open(lab.host().mount.as_ref().unwrap()).unwrap();
    assert_eq!(top.cgroup(), "/", "of a cgroup namespace this is the top too");
    assert_eq!(top.limit().unwrap().bytes(), None);
    // On v2 the top has no usage: unknown, not 0.
    let usage = top.usage_bytes();
    assert!(usage.as_ref().is_ok_and(|bytes| *bytes > 0) || usage.is_err(), "{usage:?}");
    let mut watch = top.watch_recursive().unwrap();
    // Groups that are made later, two levels of them.
    let outer = lab.group(Some("later"), &Limits::bytes(24 << 20)).unwrap();
    let group = outer.child("below", &Limits::default()).unwrap();
    while watch.next(Duration::ZERO).unwrap().is_some() {}
    // Nobody reaps the victim before all is read: of a zombie v1 says that it stands at the top.
    let eats = format!("echo $$ > \"$1\"/cgroup.procs || exit; {EATS}");
    let mut eater = Command::new("sh").args(["-c", &eats, "eater"]).arg(group.path()).spawn().unwrap();
    let pid = eater.id() as i32;
    let deadline = Instant::now() + LONG;
    assert!(gone_by(deadline, || process_is_there(pid)), "it was to be killed");
    // Other tests have OOMs of their own on this machine, and the kernel prints 10 reports in 5 seconds for all of them.
    let mut others = String::new();
    loop {
        let Some(oom) = watch.wait_oom(deadline).unwrap() else {
            panic!("an account of a group that was made later; there were\n{others}");
        };
        let text = oom.to_text();
        let victim = oom.victims.iter().find(|victim| victim.pid == pid);
        if victim.is_none() && oom.limit_group.as_deref() != Some(outer.cgroup()) {
            others += &text;
            continue;
        }
        let placed = victim.and_then(|victim| victim.group.as_deref());
        let reported = oom.report.as_ref().is_some_and(|report| report.invoker.is_some());
        if reported || placed.is_some() {
            assert_eq!(placed, Some(group.cgroup()), "{text}");
            assert_eq!(oom.limit_group.as_deref(), Some(outer.cgroup()), "{text}");
            assert_eq!(oom.limit_bytes, Some(24 << 20), "{text}");
            assert!(oom.counters.after.oom_kill.is_some(), "{text}");
        } else {
            // Killed at once with others, unseen and without a report: that is said.
            assert!(oom.missing.iter().any(|missing| ["limit-group", "victim"].contains(&missing.source)), "{text}");
        }
        break;
    }
    assert!(!eater.wait().unwrap().success());
    drop(watch);
    lab.close().unwrap();
}

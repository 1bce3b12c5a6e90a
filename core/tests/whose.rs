//! What has a name is watched by its name: before it is there, wherever it stands, and nobody else with it.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use common::{lab, LONG};
use memoom::{watch_of, ErrorKind, Group, GrowStatus, HogOptions, Lab, Limits, Subject, Wait};

/// A group of that name with a hog that the kernel has killed.
fn killed_in(lab: &Lab, name: &str) -> Group {
    let group = lab.group(Some(name), &Limits::bytes(16 << 20)).unwrap();
    let hog = group.hog(&HogOptions::named("whose")).unwrap();
    while hog.grow(None, Wait::from(LONG)).unwrap().status == GrowStatus::Grew {}
    hog.wait(LONG).unwrap();
    group
}

#[test]
fn a_unit_is_watched_before_it_is_there_and_no_other_with_it() {
    let Some(lab) = lab() else { return };
    let unit = format!("memoom-whose-{}.service", std::process::id());
    let mut watch = watch_of(&Subject::Unit(unit.clone())).unwrap();
    // Somebody reads while it happens, as an observer does: a victim that has gone can be asked nothing.
    let reader = std::thread::spawn(move || {
        let first = watch.wait_oom(LONG).unwrap().expect("the account of the unit's OOM");
        (first, watch.wait_oom(LONG).unwrap().expect("the account of the second"))
    });
    killed_in(&lab, "another.service");
    let group = killed_in(&lab, &unit);
    let cgroup = group.cgroup().to_string();
    // What comes again under its name is seen too.
    group.remove().unwrap();
    killed_in(&lab, &unit);
    let (oom, again) = reader.join().unwrap();
    assert_eq!(oom.limit_group.as_deref(), Some(cgroup.as_str()), "{}", oom.to_text());
    let behind = oom.limit_workload.as_ref().expect("what stands behind the path");
    assert_eq!(behind.unit.as_deref(), Some(unit.as_str()));
    assert!(oom.to_text().contains(&format!("{cgroup}, the systemd service {unit} (limit 16M)")), "{}", oom.to_text());
    let victim = oom.victims.first().unwrap_or_else(|| panic!("{}", oom.to_text()));
    assert_eq!(victim.workload.as_ref(), Some(behind));
    assert_eq!(again.limit_group, oom.limit_group);
    assert!(!again.killed(victim.pid), "{}", again.to_text());
    lab.close().unwrap();
}

#[test]
fn what_names_no_group_is_refused() {
    for subject in [Subject::Unit(String::new()), Subject::Pid(1)] {
        assert_eq!(watch_of(&subject).err().unwrap().kind(), ErrorKind::InvalidInput, "{subject:?}");
    }
}

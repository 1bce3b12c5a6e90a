//! What has a name is watched by its name: before it is there, wherever it stands, and nobody else with it.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use common::{lab, process_is_there, LONG};
use memoom::{
    watch_of, Command, ErrorKind, EventKind, Group, GrowStatus, HogOptions, Lab, Limits, Subject, Version, Wait,
};

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
    assert!(!watch.has_groups().unwrap());
    // Somebody reads while it happens, as an observer does: a victim that has gone can be asked nothing.
    let reader = std::thread::spawn(move || {
        let first = watch.wait_oom(LONG).unwrap().expect("the account of the unit's OOM");
        let again = watch.wait_oom(LONG).unwrap().expect("the account of the second");
        (first, again, watch)
    });
    killed_in(&lab, "another.service");
    let group = killed_in(&lab, &unit);
    let cgroup = group.cgroup().to_string();
    // What comes again under its name is seen too.
    group.remove().unwrap();
    let group = killed_in(&lab, &unit);
    let (oom, again, watch) = reader.join().unwrap();
    assert!(watch.has_groups().unwrap());
    group.remove().unwrap();
    assert!(!watch.has_groups().unwrap());
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

/// Who has gone before anybody looks was where it says itself, not where its killer and parent stands.
#[test]
fn whoever_is_killed_and_reaped_at_once_stood_in_its_own_group() {
    let Some(lab) = lab() else { return };
    if lab.version() == Version::V1 || !lab.host().can("tracefs") || std::env::var_os("MEMOOM_TRACE").is_some() {
        return eprintln!("skipped: the events of v2 alone tell the group, where perf_event_open is allowed");
    }
    let [stood, killer] = ["stood", "killer"].map(|name| lab.group(Some(name), &Limits::default()).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo").display().to_string();
    let script = "mkfifo $2; sh -c 'echo $$ >$1/cgroup.procs; echo; exec sleep 1000' sh $1 >$2 & read line <$2
        kill -9 $!; wait $!";
    let group = stood.path().display().to_string();
    let worker = killer.command(&Command::new(["sh", "-c", script, "sh", &group, &fifo])).unwrap();
    // Nothing of the lab is read before all of them have gone; nothing else tells of that.
    while process_is_there(worker.pid()) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    worker.wait(LONG).unwrap();
    let timeline = lab.timeline();
    let killed = timeline.events.iter().filter_map(|event| match &event.kind {
        EventKind::Killed { placed_by, .. } => Some((event.group.as_deref(), *placed_by)),
        _ => None,
    });
    assert_eq!(killed.collect::<Vec<_>>(), [(Some(stood.cgroup()), "tracefs")]);
    lab.close().unwrap();
}

#[test]
fn what_names_no_group_is_refused() {
    for subject in [Subject::Unit(String::new()), Subject::Pid(1)] {
        assert_eq!(watch_of(&subject).err().unwrap().kind(), ErrorKind::InvalidInput, "{subject:?}");
    }
}

use super::super::callpath::Step;
use super::super::live;
use super::super::tracefs::REMOVAL;
use super::*;
use std::time::Instant;

use nix::poll::{poll, PollFd, PollFlags};
use nix::time::{clock_gettime, ClockId};

fn tracefs() -> Option<Tracefs> {
    Tracefs::find().map_err(|error| live::skip(&error.to_string())).ok()
}

fn name(test: &str) -> String {
    format!("memoom-dev-obs-{test}-{}", std::process::id())
}

/// Waits for the victim of that pid, as other tests may kill at the same time; says when the first wake came.
fn wait_victim(instance: &mut TraceInstance, pid: i32) -> (TraceVictim, u64) {
    let deadline = Instant::now() + live::DEADLINE;
    let mut woken = None;
    loop {
        assert!(Instant::now() < deadline, "no victim came");
        let mut fds = [PollFd::new(instance.as_fd().expect("open"), PollFlags::POLLIN)];
        poll(&mut fds, 1000u16).expect("poll");
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock");
        let victims: Vec<TraceVictim> = instance
            .read()
            .expect("readable")
            .into_iter()
            .filter_map(|item| match item {
                TraceItem::Victim(victim) => Some(victim),
                TraceItem::Signal(_) | TraceItem::Delivered(_) => None,
                other => panic!("{other:?}"),
            })
            .collect();
        let now = u64::try_from(now.tv_sec() * 1_000_000_000 + now.tv_nsec()).expect("positive");
        let waiting = instance.pending.iter().filter_map(|(_, item)| match item {
            TraceItem::Victim(victim) => Some(victim),
            _ => None,
        });
        if woken.is_none() && victims.iter().chain(waiting).any(|victim| victim.pid == pid) {
            woken = Some(now);
        }
        if let Some(victim) = victims.into_iter().find(|victim| victim.pid == pid) {
            return (victim, woken.expect("set"));
        }
    }
}

#[test]
fn a_name_is_one_component() {
    for bad in ["", ".", "..", "a/b", "a\nb", "a\0b", &"a".repeat(256)] {
        assert_eq!(check_name(bad).expect_err("bad").kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
    check_name("memoom-1").expect("good");
}

#[test]
fn the_mount_table_stays_and_the_instance_goes() {
    let Some(tracefs) = tracefs() else { return };
    let before = std::fs::read("/proc/self/mountinfo").expect("mountinfo");
    let detached = Tracefs::detached().expect("a detached mount is possible where tracefs is");
    assert!(detached.is_detached());
    let name = name("gone");
    let instance = TraceInstance::create(&detached, &name).expect("created");
    // Both views show the same instances.
    assert!(tracefs.list_instances().expect("listed").contains(&name));
    let error = TraceInstance::create(&detached, &name).expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(tracefs.list_instances().expect("listed").contains(&name), "the failed one removed the other's");
    drop(instance);
    assert!(!tracefs.list_instances().expect("listed").contains(&name));
    tracefs.remove_instance(&name).expect("gone already is no error");
    assert_eq!(before, std::fs::read("/proc/self/mountinfo").expect("mountinfo"));
}

#[test]
fn two_may_remove_one_instance_at_a_time() {
    let Some(tracefs) = tracefs() else { return };
    for _ in 0..5 {
        let name = name("both");
        mkdirat(tracefs.instances_dir(), name.as_str(), Mode::S_IRWXU).expect("made");
        std::thread::scope(|scope| {
            let removals = [(); 2].map(|()| scope.spawn(|| tracefs.remove_instance(&name)));
            for removal in removals {
                removal.join().expect("no panic").expect("whoever comes second finds it gone");
            }
        });
        assert!(!tracefs.list_instances().expect("listed").contains(&name));
    }
}

#[test]
fn a_held_instance_is_busy_within_a_bound() {
    let Some(tracefs) = tracefs() else { return };
    let name = name("held");
    let instance = TraceInstance::create(&tracefs, &name).expect("created");
    let held = instance.as_fd().expect("open").try_clone_to_owned().expect("dup");
    let started = Instant::now();
    assert_eq!(instance.remove().expect_err("held").kind(), ErrorKind::Busy);
    assert!(started.elapsed() < REMOVAL * 2);
    drop(held);
    tracefs.remove_instance(&name).expect("free now");
    assert!(!tracefs.list_instances().expect("listed").contains(&name));
}

#[test]
fn a_kill_wakes_the_poll_and_shows_its_path() {
    let Some(tracefs) = tracefs() else { return };
    let Some(group) = live::Group::new("obs-trace", 16 << 20) else { return };
    let mut instance = TraceInstance::create(&tracefs, &name("path")).expect("created");
    let mut hog = group.spawn("exec tail /dev/zero");
    let pid = i32::try_from(hog.id()).expect("a pid");
    let (victim, woken_ns) = wait_victim(&mut instance, pid);
    hog.wait().expect("reaped");
    assert_eq!(victim.invoker_pid, pid);
    assert!(victim.comm.as_deref().is_none_or(|comm| comm == b"tail"));
    // The clock of a trace is read without a lock (ktime_get_mono_fast_ns) and may be ahead by the slope of an update of
    // the timekeeper: 5 to 11 us were seen.
    let (marked, woken) = (victim.time_ns, woken_ns + 100_000);
    assert!(marked <= woken && woken - marked < 1_000_000_000, "{marked} {woken_ns}");
    let steps: Vec<Step> = victim.call_path.iter().filter_map(Frame::step).collect();
    let order = [Step::Kill, Step::Oom, Step::Charge, Step::Fault];
    let mut rest = steps.iter();
    for step in order {
        assert!(rest.any(|found| *found == step), "{step:?} is not in its place in {:?}", victim.call_path);
    }
    assert!(victim.call_path.iter().all(|frame| frame.offset.is_some()));
    assert_eq!(instance.lost(), 0);
    instance.remove().expect("removed");
}

#[test]
fn twenty_kills_are_twenty_victims() {
    let Some(tracefs) = tracefs() else { return };
    let Some(group) = live::Group::new("obs-many", 4 << 20) else { return };
    let mut instance = TraceInstance::create(&tracefs, &name("many")).expect("created");
    let mut expected = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let mut hog = group.spawn("exec tail /dev/zero");
        expected.insert(i32::try_from(hog.id()).expect("a pid"));
        hog.wait().expect("reaped");
    }
    let mut seen = 0;
    for item in instance.finish().expect("readable") {
        match item {
            TraceItem::Victim(victim) if expected.contains(&victim.pid) => {
                assert!(!victim.call_path.is_empty());
                seen += 1;
            }
            TraceItem::Victim(_) | TraceItem::Signal(_) | TraceItem::Delivered(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, 20);
}

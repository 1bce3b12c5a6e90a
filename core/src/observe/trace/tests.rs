//! Both ways of listening, against the kernel.

use std::time::Instant;

use nix::poll::{poll, PollFd, PollFlags};

use super::super::callpath::Step;
use super::super::live;
use super::*;
use crate::sys::monotonic_ns;

/// Both ways, each where it is to be had.
fn ways(test: &str) -> Vec<Trace> {
    let mut ways = Vec::new();
    match Perf::open() {
        Ok(perf) => ways.push(Trace::Perf(perf)),
        Err(error) => live::skip(&error.to_string()),
    }
    let name = format!("memoom-dev-obs-{test}-{}", std::process::id());
    match Tracefs::find().and_then(|tracefs| TraceInstance::create(&tracefs, &name)) {
        Ok(instance) => ways.push(Trace::Instance(instance)),
        Err(error) => live::skip(&error.to_string()),
    }
    ways
}

/// Waits for the victim of that pid, as other tests may kill at the same time; says when the first wake came.
fn wait_victim(trace: &mut Trace, pid: i32) -> (TraceVictim, u64) {
    let deadline = Instant::now() + live::DEADLINE;
    let mut woken = None;
    loop {
        assert!(Instant::now() < deadline, "no victim came");
        let mut fds: Vec<PollFd<'_>> = trace.fds().into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        poll(&mut fds, 1000u16).expect("poll");
        let now = monotonic_ns();
        let victims: Vec<TraceVictim> = trace
            .read()
            .expect("readable")
            .into_iter()
            .filter_map(|item| match item {
                TraceItem::Victim(victim) => Some(victim),
                TraceItem::Signal(_) | TraceItem::Delivered(_) => None,
                other => panic!("{other:?}"),
            })
            .collect();
        let waits = match &trace {
            Trace::Instance(instance) => instance.waits_for(pid),
            Trace::Perf(_) => false,
        };
        if woken.is_none() && (waits || victims.iter().any(|victim| victim.pid == pid)) {
            woken = Some(now);
        }
        if let Some(victim) = victims.into_iter().find(|victim| victim.pid == pid) {
            return (victim, woken.expect("set"));
        }
    }
}

fn functions(victim: &TraceVictim) -> Vec<&str> {
    victim.call_path.iter().map(|frame| frame.function.as_str()).collect()
}

#[test]
fn a_kill_wakes_the_poll_and_shows_its_path_in_both_ways() {
    let Some(group) = live::Group::new("obs-trace", 16 << 20) else { return };
    let mut ways = ways("path");
    let mut hog = group.spawn("exec tail /dev/zero");
    let pid = i32::try_from(hog.id()).expect("a pid");
    let mut told = Vec::new();
    for trace in &mut ways {
        let (victim, woken_ns) = wait_victim(trace, pid);
        assert_eq!(victim.invoker_pid, pid);
        assert!(victim.comm.as_deref().is_none_or(|comm| comm == b"tail"));
        // The clock of a trace is read without a lock (ktime_get_mono_fast_ns) and may be ahead by the slope of an update
        // of the timekeeper: 5 to 11 us were seen.
        let woken_ns = woken_ns + 100_000;
        assert!(victim.time_ns <= woken_ns && woken_ns - victim.time_ns < 1_000_000_000, "{victim:?} {woken_ns}");
        let steps: Vec<Step> = victim.call_path.iter().filter_map(Frame::step).collect();
        let mut rest = steps.iter();
        for step in [Step::Kill, Step::Oom, Step::Charge, Step::Fault] {
            assert!(rest.any(|found| *found == step), "{step:?} is not in its place in {:?}", victim.call_path);
        }
        assert!(victim.call_path.iter().all(|frame| frame.offset.is_some()));
        told.push(victim);
    }
    hog.wait().expect("reaped");
    if let [one, other] = told.as_slice() {
        // The tracepoint reads the clock for each listener anew, and an instance prints microseconds.
        assert!(one.time_ns.abs_diff(other.time_ns) < 1_000_000, "{one:?} {other:?}");
        assert_eq!(functions(one), functions(other));
        let (name, time_ns) = (one.invoker_comm.clone(), one.time_ns);
        assert_eq!(*one, TraceVictim { invoker_comm: name, time_ns, ..other.clone() });
    }
}

#[test]
fn twenty_kills_are_twenty_victims_in_both_ways() {
    let Some(group) = live::Group::new("obs-many", 4 << 20) else { return };
    let mut ways = ways("many");
    let mut expected = Vec::new();
    for _ in 0..20 {
        let mut hog = group.spawn("exec tail /dev/zero");
        expected.push(i32::try_from(hog.id()).expect("a pid"));
        hog.wait().expect("reaped");
    }
    for trace in &mut ways {
        let mut seen = Vec::new();
        for item in trace.finish().expect("readable") {
            match item {
                TraceItem::Victim(victim) if expected.contains(&victim.pid) => {
                    assert!(!victim.call_path.is_empty());
                    seen.push(victim.pid);
                }
                TraceItem::Victim(_) | TraceItem::Signal(_) | TraceItem::Delivered(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, expected, "in the order of the kills");
    }
}

#[test]
fn a_wake_that_somebody_else_took_does_not_hide_the_record() {
    let Some(group) = live::Group::new("obs-wake", 4 << 20) else { return };
    let Ok(perf) = Perf::open().map_err(|error| live::skip(&error.to_string())) else { return };
    let trace = Trace::Perf(perf);
    let mut hog = group.spawn("exec tail /dev/zero");
    hog.wait().expect("reaped");
    let ask = || {
        let mut fds: Vec<PollFd<'_>> = trace.fds().into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        poll(&mut fds, 0u16).expect("poll")
    };
    ask();
    ask();
    assert!(trace.has_news(), "the fd may have fallen silent, the ring has not");
}

#[test]
fn where_neither_way_is_open_both_say_why() {
    let perf = Error::os("open tracepoints", std::io::Error::from_raw_os_error(libc::EACCES));
    let instance =
        Error::os("create instance", std::io::Error::from_raw_os_error(libc::EROFS)).path("/sys/kernel/tracing");
    let told = super::both(&perf, instance);
    assert_eq!(told.concerned_path(), Some(std::path::Path::new("/sys/kernel/tracing")));
    let told = told.to_string();
    assert!(
        told.contains("Read-only") && told.contains("perf_event_open") && told.contains("Permission denied"),
        "{told}"
    );
}

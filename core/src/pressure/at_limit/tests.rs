//! Who meets the limit, looked at without anybody who reads the sources.

use std::time::{Duration, Instant};

use crate::lab::group::Group;
use crate::lab::hub::Look;
use crate::memcg::version::Version;
use crate::memcg::Limit;
use crate::observe::live;
use crate::observe::task::{Proc, TaskState};
use crate::pressure::command::Command;
use crate::pressure::kind::Kind;
use crate::pressure::step::GrowStatus;
use crate::{sys, Hog, HogOptions, Lab, Limits, Worker};

const MIB: u64 = 1 << 20;
const LONG: Duration = Duration::from_secs(20);

/// Room can come after the ring, as the memory that the kernel has charged ahead on another CPU does.
#[test]
fn who_waits_at_a_limit_that_has_room_again_goes_on() {
    let Ok(lab) = Lab::new().map_err(|error| live::skip(&error.to_string())) else { return };
    if lab.version() != Version::V1 {
        return;
    }
    let group = lab.group(None, &Limits::bytes(16 * MIB)).expect("a group");
    group.arm().expect("armed");
    // The kernel wakes nobody when its own memory is given back.
    let names = group.hog(&HogOptions { kind: Kind::Slab, ..HogOptions::named("names") });
    let Ok(names) = names.map_err(|error| live::skip(&error.to_string())) else { return };
    assert_eq!(names.grow(Some(8 * MIB), LONG).expect("an answer").status, GrowStatus::Grew);
    let hog = group.hog(&HogOptions::named("waits")).expect("a hog");
    blocks(&group, &hog);
    names.shrink(6 * MIB, LONG).expect("an answer");
    until("it goes on", || {
        let _ = group.meeting().expect("readable");
        group.waiting().expect("readable").is_empty()
    });
    lab.close().expect("an end");
}

/// Steps it until it waits at the limit. What another CPU has charged ahead may come back when it waits already: then it is
/// woken, and takes that too.
fn blocks(group: &Group, hog: &Hog) {
    let deadline = Instant::now() + LONG;
    let mut grow = hog.grow(Some(MIB), LONG);
    loop {
        let is_blocked = grow.expect("an answer").status == GrowStatus::Blocked;
        if is_blocked && matches!(group.meeting(), Ok(Look::Done(_))) {
            return;
        }
        assert!(Instant::now() < deadline, "it never waits");
        grow = if is_blocked { hog.finish(LONG) } else { hog.grow(Some(MIB), LONG) };
    }
}

/// A group whose limit is met by waiting, where that is to be had.
fn armed() -> Option<(Lab, Group)> {
    let lab = Lab::new().map_err(|error| live::skip(&error.to_string())).ok()?;
    if lab.version() != Version::V1 {
        return None;
    }
    let group = lab.group(None, &Limits::bytes(16 * MIB)).expect("a group");
    group.arm().expect("armed");
    Some((lab, group))
}

/// Holds everybody in the group, has `meanwhile` happen, and lets them go on with room.
fn held(group: &Group, meanwhile: impl FnOnce()) -> Vec<String> {
    let still = group.hold(Limit::Bytes(17 * MIB), &mut LONG.into()).expect("held");
    assert!(still.restless.is_empty(), "{:?}", still.restless);
    meanwhile();
    let went_on = still.went_on();
    group.leave_to_run(&still, Limit::Bytes(64 * MIB)).expect("left");
    went_on
}

fn is_stopped(pid: i32) -> bool {
    Proc::system().stat(pid).expect("readable").expect("there").state == TaskState::Stopped
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

const ENDS: &str = "raise SystemExit(7)";

/// A Python program that has met the limit between its first and its last lines, and waits.
fn waits(group: &Group, first: &str, last: &str) -> Worker {
    let script = format!("{first}\nheld = []\nfor _ in range(300): held.append(b'x' * 65536)\n{last}");
    let worker = group.command(&Command::new(["python3", "-S", "-c", &script])).expect("a command");
    until("it waits", || matches!(group.meeting(), Ok(Look::Done(_))));
    worker
}

/// Whether it is stopped, and stays so until it is told to go on.
fn is_stopped_until_told(worker: &Worker) {
    until("stopped", || is_stopped(worker.pid()));
    assert!(!worker.ended());
    worker.signal(libc::SIGCONT).expect("sent");
    assert_eq!(worker.wait(LONG).expect("an end").returncode, 7);
}

#[test]
fn a_stop_that_somebody_sent_to_one_that_waits_stays() {
    let Some((lab, group)) = armed() else { return };
    let worker = waits(&group, "", ENDS);
    worker.signal(libc::SIGSTOP).expect("sent");
    assert!(!is_stopped(worker.pid()), "who waits in an OOM is not stopped");
    assert_eq!(held(&group, || ()), Vec::<String>::new());
    is_stopped_until_told(&worker);
    lab.close().expect("an end");
}

#[test]
fn a_stop_that_another_thread_has_taken_stays() {
    let Some((lab, group)) = armed() else { return };
    let worker = waits(
        &group,
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
        ENDS,
    );
    let pid = worker.pid();
    let other = *Proc::system().threads(pid).iter().find(|thread| **thread != pid).expect("a second thread");
    sys::signal_thread(pid, other, libc::SIGSTOP).expect("sent");
    until("one thread of two is stopped", || is_stopped(other) && !is_stopped(pid));
    held(&group, || ());
    is_stopped_until_told(&worker);
    lab.close().expect("an end");
}

#[test]
fn a_stop_that_somebody_sends_meanwhile_stays_and_a_tracers_does_not() {
    let Some((lab, group)) = armed() else { return };
    let worker = waits(&group, "", ENDS);
    held(&group, || worker.signal(libc::SIGSTOP).expect("sent"));
    is_stopped_until_told(&worker);
    drop(worker);

    group.set_limit(Limit::Bytes(16 * MIB)).expect("set");
    let worker = waits(&group, "", ENDS);
    // What an attach sends whose tracer is killed: it is for one thread.
    held(&group, || sys::signal_thread(worker.pid(), worker.pid(), libc::SIGSTOP).expect("sent"));
    assert_eq!(worker.wait(LONG).expect("an end").returncode, 7);
    lab.close().expect("an end");
}

#[test]
fn a_stop_of_a_terminal_is_handled_when_everybody_goes_on() {
    let Some((lab, group)) = armed() else { return };
    let handles = "import os, signal\nsignal.signal(signal.SIGTSTP, lambda *_: os._exit(3))";
    let worker = waits(&group, handles, "while True: signal.pause()");
    held(&group, || worker.signal(libc::SIGTSTP).expect("sent"));
    assert_eq!(worker.wait(LONG).expect("an end").returncode, 3);
    lab.close().expect("an end");
}

#[test]
fn who_is_let_go_on_by_somebody_meanwhile_is_told() {
    let Some((lab, group)) = armed() else { return };
    let worker = group.command(&Command::new(["sleep", "1000"])).expect("a command");
    let went_on = held(&group, || {
        worker.signal(libc::SIGCONT).expect("sent");
        until("it goes on", || !is_stopped(worker.pid()));
    });
    assert!(went_on.len() == 1 && went_on[0].starts_with(&format!("{} (", worker.pid())), "{went_on:?}");
    assert_eq!(held(&group, || ()), Vec::<String>::new());
    lab.close().expect("an end");
}

//! Processes that the kernel may not kill: refused where it may kill nobody else, and where they are forced, ended at
//! their deadline with nothing left behind.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, unsafe_code)] // a failure is the report

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{gone_by, lab, process_is_there, LONG};
use memoom::{
    Command, Error, ErrorKind, Function, Group, GrowStatus, HogOptions, Lab, LabOptions, Limits, Run, Verdict, Wait,
    Worker,
};

const MIB: u64 = 1 << 20;
/// Long enough for the limit to be met, also under emulation.
const WITHIN: Duration = Duration::from_secs(3);
const GROWS: [&str; 3] = ["/bin/sh", "-c", common::EATS];

fn grows(oom_score_adj: i16, force_within: Option<Duration>) -> Command {
    Command { oom_score_adj, force_within, ..Command::new(GROWS) }
}

fn sleeps(oom_score_adj: i16, force_within: Option<Duration>) -> Command {
    Command { oom_score_adj, force_within, ..Command::new(["/bin/sleep", "600"]) }
}

fn refused<T>(result: Result<T, Error>) {
    let error = result.err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains("-1000"), "{error}");
}

/// Whether this process may make a worker that nobody may kill; the reason why not names the right.
fn may(result: Result<Worker, Error>) -> Option<Worker> {
    match result {
        Ok(worker) => Some(worker),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            assert!(error.to_string().contains("CAP_SYS_RESOURCE"), "{error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// Takes more than any limit of this file, by page faults.
fn touch() -> i32 {
    let (read, write) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a fresh mapping, of which each page is written once.
    unsafe {
        let address = libc::mmap(std::ptr::null_mut(), 64 << 20, read, write, -1, 0);
        for page in (0..64 << 20).step_by(4096) {
            address.cast::<u8>().add(page).write_volatile(1);
        }
    }
    0
}

fn function(group: &Group, oom_score_adj: i16, force_within: Option<Duration>) -> Result<Worker, Error> {
    let function = Function { oom_score_adj, force_within, ..Function::default() };
    // SAFETY: the body makes system calls only.
    unsafe { group.function(&function, touch) }
}

/// It met the limit, the kernel killed nobody, and memoom ended it at its deadline.
fn ended_by_its_deadline(group: &Group, worker: &Worker) {
    let before = Instant::now();
    let outcome = worker.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Killed, -9), "{}", outcome.to_text());
    assert!(before.elapsed() < LONG);
    let counters = group.counters().unwrap();
    assert_eq!(counters.oom_kill.unwrap_or(0), 0, "{counters:?}");
    // v1 counts no failure where the equal limit of memory+swap was met first.
    let met = counters.oom.is_some_and(|times| times > 0) || counters.peak_bytes.is_some_and(|peak| peak > 15 * MIB);
    assert!(met, "the limit was met: {counters:?}");
    assert!(gone_by(Instant::now() + LONG, || group.processes().unwrap().contains(&worker.pid())));
}

#[test]
fn without_anybody_to_kill_a_worker_is_refused() {
    let Some(lab) = lab() else { return };
    let outer = lab.group(Some("outer"), &Limits::bytes(32 * MIB)).unwrap();
    let group = outer.child("inner", &Limits::default()).unwrap();
    refused(group.command(&grows(-1000, None)));
    refused(function(&group, -1000, None));
    let none = group.command(&grows(-1000, Some(Duration::ZERO))).err().unwrap();
    assert!(none.kind() == ErrorKind::InvalidInput && none.to_string().contains("deadline"), "{none}");
    let run = Run { command: grows(-1000, None), limits: Limits::bytes(16 * MIB), ..Run::default() };
    refused(run.run(LONG));
    assert!(group.processes().unwrap().is_empty());
    // Without a limit nothing is met, and with somebody to kill the kernel has a way out.
    let free = lab.group(Some("free"), &Limits::default()).unwrap();
    drop(may(free.command(&sleeps(-1000, None))));
    drop(may(function(&free, -1000, None)));
    group.ticker("may die", Duration::from_secs(60)).unwrap();
    drop(may(group.command(&sleeps(-1000, None))));
    lab.close().unwrap();
}

#[test]
fn a_deadline_holds_while_nobody_waits() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("deadlines"), &Limits::bytes(32 * MIB)).unwrap();
    let soon = Some(Duration::from_millis(100));
    let (first, second) = (group.command(&sleeps(0, soon)).unwrap(), group.command(&sleeps(0, None)).unwrap());
    // Nothing of memoom's is called until it is gone.
    assert!(gone_by(Instant::now() + LONG, || process_is_there(first.pid())));
    assert_eq!(first.wait(LONG).unwrap().returncode, -9);
    assert!(!second.ended());
    // One that ended before its deadline leaves room for others: more of them come and go than deadlines are kept.
    for _ in 0..70 {
        let quick = Command { force_within: Some(LONG), ..Command::new(["/bin/true"]) };
        assert_eq!(group.command(&quick).unwrap().wait(LONG).unwrap().returncode, 0);
    }
    lab.close().unwrap();
}

#[test]
fn what_is_forced_spins_until_its_deadline() {
    if lab().is_none() {
        return;
    }
    // Hundreds of reports a second flood the log meanwhile; nobody reads them, as the emulated machine is busy enough.
    let quiet = LabOptions { kernel_log: false, call_path: false, ..LabOptions::default() };
    let lab = Lab::with(&quiet).unwrap();
    let group = lab.group(Some("commands"), &Limits::bytes(16 * MIB)).unwrap();
    let Some(command) = may(group.command(&grows(-1000, Some(WITHIN)))) else { return };
    ended_by_its_deadline(&group, &command);
    let group = lab.group(Some("functions"), &Limits::bytes(16 * MIB)).unwrap();
    ended_by_its_deadline(&group, &function(&group, -1000, Some(WITHIN)).unwrap());

    let group = lab.group(Some("hogs"), &Limits::bytes(16 * MIB)).unwrap();
    let start = |force| group.hog(&HogOptions { oom_score_adj: -1000, force, ..HogOptions::default() }).unwrap();
    let hog = start(false);
    refused(hog.grow(Some(32 * MIB), WITHIN));
    hog.kill().unwrap();
    hog.wait(LONG).unwrap();
    let hog = start(true);
    assert_eq!(hog.grow(Some(4 * MIB), LONG).unwrap().status, GrowStatus::Grew);
    let error = hog.grow(Some(32 * MIB), Wait::forever()).unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("no deadline"), "{error}");
    let error = hog.grow(Some(32 * MIB), WITHIN).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    ended_by_its_deadline(&group, &hog);

    let run = Run {
        command: grows(-1000, None),
        limits: Limits::bytes(16 * MIB),
        timeout: Some(WITHIN),
        lab: quiet,
        at_limit: None,
    };
    assert_eq!(run.run(LONG).unwrap().verdict, Verdict::Timeout);
    let path = lab.path().to_path_buf();
    lab.close().unwrap();
    assert!(!path.exists());
}

/// A command that has frozen itself by the freezer of v1, whose SIGKILL waits until it is thawed.
#[test]
fn who_is_frozen_and_killed_keeps_nobody_waiting() {
    let freezer = Path::new("/sys/fs/cgroup/freezer");
    let Some(_lab) = lab() else { return };
    let frozen = freezer.join(format!("memoom-unkillable-{}", std::process::id()));
    if !freezer.join("tasks").exists() || std::fs::create_dir(&frozen).is_err() {
        return eprintln!("skipped: no freezer of cgroup v1");
    }
    let script = "echo $$ >$1/cgroup.procs; echo FROZEN >$1/freezer.state; exit 7";
    let command = Command::new(["/bin/sh", "-c", script, "sh", frozen.to_str().unwrap()]);
    let run = Run { command, limits: Limits::bytes(64 * MIB), timeout: Some(Duration::from_secs(1)), ..Run::default() };
    let began = Instant::now();
    let mut pid = 0;
    let result = run.run_with(Wait::from(2 * LONG), |worker| pid = worker.pid());
    let took = began.elapsed();
    let stands = process_is_there(pid);
    std::fs::write(frozen.join("freezer.state"), "THAWED").unwrap();
    let error = result.expect_err("it cannot end");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains("THAWED") && stands, "{error}");
    assert!(took < LONG, "after {took:?}");
    assert!(gone_by(Instant::now() + LONG, || process_is_there(pid)), "the supervisor ends it when it is thawed");
    assert!(gone_by(Instant::now() + LONG, || std::fs::remove_dir(&frozen).is_err()));
}

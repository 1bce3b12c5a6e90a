//! Functions in forked children: how they end, that nobody but memoom notices them, and that none is left.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, unsafe_code)] // a failure is the report

mod common;

use std::time::{Duration, Instant};

use common::{gone_by, lab, process_is_there, LONG};
use memoom::{ErrorKind, Function, Limits, Run, Verdict};

const MIB: usize = 1 << 20;

/// Touches memory that comes straight from the kernel: tests have threads, so nothing else may be used.
fn touch(bytes: usize) -> i32 {
    let (read, write) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a fresh mapping, of which each page is written once.
    unsafe {
        let address = libc::mmap(std::ptr::null_mut(), bytes, read, write, -1, 0);
        if address == libc::MAP_FAILED {
            return 99;
        }
        for page in (0..bytes).step_by(4096) {
            address.cast::<u8>().add(page).write_volatile(1);
        }
    }
    0
}

fn pause() -> i32 {
    // SAFETY: no arguments.
    unsafe { libc::pause() };
    0
}

fn run(limit: usize, timeout: Option<Duration>, body: impl FnOnce() -> i32) -> memoom::Outcome {
    let run = Run { limits: Limits::bytes(limit as u64), timeout, ..Run::default() };
    // SAFETY: the bodies of this file make system calls only.
    unsafe { run.function(LONG, &Function::default(), body) }.unwrap()
}

#[test]
fn functions_end_as_commands_do() {
    if lab().is_none() {
        return;
    }
    let outcome = run(64 * MIB, None, || 7);
    assert_eq!((outcome.verdict, outcome.returncode, outcome.ooms.len()), (Verdict::Exited, 7, 0));
    let outcome = run(64 * MIB, None, || touch(16 * MIB));
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Exited, 0));
    // SAFETY: two numbers; the number of the process is its own, though no C library call has forked it.
    let outcome = run(64 * MIB, None, || unsafe { libc::raise(libc::SIGTERM) });
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Killed, -15));
    let outcome = run(16 * MIB, None, || touch(64 * MIB));
    assert_eq!((outcome.verdict, outcome.returncode, outcome.oom_killed), (Verdict::OomKilled, -9, true));
    let oom = outcome.oom().expect("the account of its own OOM");
    assert_eq!(oom.limit_bytes, Some(16 * MIB as u64));
    assert!(oom.killed(outcome.pid) && oom.victims[0].comm == b"function", "{}", oom.to_text());
    let outcome = run(16 * MIB, Some(Duration::from_millis(50)), pause);
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Timeout, -9));
}

#[test]
fn the_child_stands_in_its_group_with_its_name_and_score() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("stands"), &Limits::bytes(32 * MIB as u64)).unwrap();
    let function = Function { name: "victim_1".to_string(), oom_score_adj: 300, ..Function::default() };
    // SAFETY: a system call only.
    let worker = unsafe { group.function(&function, pause) }.unwrap();
    let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", worker.pid())).unwrap();
    assert_eq!(group.processes().unwrap(), [worker.pid()]);
    assert_eq!((of("comm").trim(), of("oom_score_adj").trim()), ("victim_1", "300"));
    assert_eq!(
        of("stat").rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap(),
        std::process::id().to_string()
    );
    worker.kill().unwrap();
    let outcome = worker.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.name.as_slice()), (Verdict::Killed, b"victim_1".as_slice()));
    assert!(!std::path::Path::new(&format!("/proc/{}", worker.pid())).exists(), "a zombie is left");
}

#[test]
fn waits_of_the_caller_do_not_see_it() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("unseen"), &Limits::bytes(32 * MIB as u64)).unwrap();
    // SAFETY: a number only.
    let worker = unsafe { group.function(&Function::default(), || 5) }.unwrap();
    let mut poll =
        libc::pollfd { fd: std::os::fd::AsRawFd::as_raw_fd(&worker.pidfd()), events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure of ours; plain data for the status.
    unsafe {
        assert_eq!(libc::poll(&mut poll, 1, 60_000), 1);
        // A zombie now, which is no business of a wait for any child.
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let result = libc::waitid(libc::P_ALL, 0, &raw mut info, flags);
        assert!(result < 0 || info.si_pid() != worker.pid());
    }
    assert_eq!(worker.wait(LONG).unwrap().returncode, 5);
}

#[test]
fn closing_the_lab_ends_and_reaps_what_runs() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("ends"), &Limits::bytes(32 * MIB as u64)).unwrap();
    // SAFETY: a system call only.
    let worker = unsafe { group.function(&Function::default(), pause) }.unwrap();
    lab.close().unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{}", worker.pid())).exists(), "it runs, or a zombie is left");
    assert_eq!(worker.wait(LONG).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn it_dies_with_a_caller_that_is_killed() {
    if lab().is_none() {
        return;
    }
    let own = std::env::current_exe().unwrap();
    let mut child = std::process::Command::new(own)
        .args(["--ignored", "--exact", "killed_caller", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let told =
        lines.find_map(|line| line.unwrap().split_once("worker ").map(|(_, pid)| pid.trim().parse::<i32>().unwrap()));
    let pid = told.expect("the pid of the function");
    assert!(process_is_there(pid));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(gone_by(Instant::now() + LONG, || process_is_there(pid)), "{pid} runs on");
}

/// Not a test: the program that [`it_dies_with_a_caller_that_is_killed`] kills.
#[test]
#[ignore = "started by another test"]
fn killed_caller() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("killed"), &Limits::bytes(32 * MIB as u64)).unwrap();
    // SAFETY: a system call only.
    let worker = unsafe { group.function(&Function::default(), pause) }.unwrap();
    println!("worker {}", worker.pid());
    pause();
}

#[test]
fn what_is_wrong_is_said_and_leaves_nothing() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("wrong"), &Limits::bytes(32 * MIB as u64)).unwrap();
    let named = |name: &str| Function { name: name.to_string(), ..Function::default() };
    for function in
        [named(""), named("a name that is too long"), Function { oom_score_adj: 2000, ..Function::default() }]
    {
        // SAFETY: it does not run.
        let error = unsafe { group.function(&function, || 0) }.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    assert!(group.processes().unwrap().is_empty());
}

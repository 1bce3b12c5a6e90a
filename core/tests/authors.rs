//! Who sent the signal: each kind of author is named, and none is taken for another.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, unsafe_code)] // a failure is the report

#[path = "authors/children.rs"]
mod children;
mod common;
#[path = "authors/passed_on.rs"]
mod passed_on;

use std::time::{Duration, Instant};

use common::person::Person;
use common::{lab, LONG};
use memoom::{
    Author, Command, EventKind, Function, Group, HogOptions, KilledBy, Lab, LabOptions, Limits, Outcome, Run, Subject,
    Verdict, Version, Watch,
};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

const MIB: u64 = 1 << 20;

/// Whether the tracepoints can be had here; without them other processes are not named.
fn traced(lab: &Lab) -> bool {
    lab.host().can("tracefs")
}

fn group(lab: &Lab) -> Group {
    lab.group(None, &Limits::bytes(64 * MIB)).unwrap()
}

fn me() -> Option<i32> {
    i32::try_from(std::process::id()).ok()
}

/// The outcome of a worker, and who killed it.
fn end(worker: &memoom::Worker) -> (Outcome, KilledBy) {
    let outcome = worker.wait(LONG).unwrap();
    let killed_by = outcome.killed_by.clone().expect("a signal ended it");
    (outcome, killed_by)
}

/// The next process of the group that is told to have been killed, but for those of `not`.
fn next_killed(watch: &mut Watch, not: &[i32]) -> (i32, KilledBy) {
    let deadline = Instant::now() + LONG;
    loop {
        let event = watch.next(deadline).unwrap().expect("an event");
        if let (EventKind::Killed { killed_by, .. }, Some(pid)) = (&event.kind, event.pid) {
            if !not.contains(&pid) {
                return (pid, (**killed_by).clone());
            }
        }
    }
}

#[test]
fn a_person_is_named() {
    let Some(lab) = lab().filter(traced) else { return };
    for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGINT, libc::SIGSEGV, libc::SIGALRM, libc::SIGPROF, 40] {
        let worker = group(&lab).command(&Command::new(["sleep", "1000"])).unwrap();
        let person = Person::does("sh", &format!("kill -{signal} {}", worker.pid()));
        let (outcome, by) = end(&worker);
        assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Killed, -signal));
        assert_eq!((by.by, by.pid, by.signal), (Author::Process, Some(person.pid()), signal), "{by:?}");
        assert_eq!((by.comm.as_deref(), by.source), (Some(&b"sh"[..]), Some("tracefs")), "{by:?}");
        // SAFETY: no arguments.
        assert_eq!(by.uid, Some(unsafe { libc::getuid() }));
        assert!(by.group.is_some(), "{by:?}");
        let at_ns = by.at_ns.unwrap();
        assert!(outcome.started_ns - 1_000_000_000 < at_ns && at_ns <= outcome.ended_ns);
        assert!(outcome.headline().contains(&format!("sent by sh (pid {}", by.pid.unwrap())), "{}", outcome.headline());
    }
    lab.close().unwrap();
}

#[test]
fn a_parent_and_the_process_itself_are_told_apart() {
    let Some(lab) = lab().filter(traced) else { return };
    let group = group(&lab);
    let mut watch = group.watch().unwrap();
    let shell = group.command(&Command::new(["sh", "-c", "sleep 1000 & kill -9 $!; wait; kill -9 $$"])).unwrap();
    let (child, by) = next_killed(&mut watch, &[]);
    assert_eq!((by.by, by.pid), (Author::Process, Some(shell.pid())), "{by:?}");
    assert_ne!(child, shell.pid());
    let (_, by) = end(&shell);
    assert_eq!((by.by, by.pid), (Author::Itself, Some(shell.pid())), "{by:?}");
    assert_eq!(by.comm.as_deref(), Some(&b"sh"[..]), "{by:?}");
    let by_event = next_killed(&mut watch, &[child]);
    assert_eq!(by_event, (shell.pid(), by));
    lab.close().unwrap();
}

#[test]
fn timeout_is_named() {
    let Some(lab) = lab().filter(traced) else { return };
    let group = group(&lab);
    let mut watch = group.watch().unwrap();
    let timeout = group.command(&Command::new(["timeout", "-s", "KILL", "0.05", "sleep", "1000"])).unwrap();
    let (_, by) = next_killed(&mut watch, &[timeout.pid()]);
    assert_eq!((by.by, by.pid), (Author::Process, Some(timeout.pid())), "{by:?}");
    assert!(by.comm.as_deref().is_none_or(|comm| comm == b"timeout"), "{by:?}");
    // It is one of the process group that it kills then.
    let (_, by) = end(&timeout);
    assert_eq!((by.by, by.pid), (Author::Itself, Some(timeout.pid())), "{by:?}");
    lab.close().unwrap();
}

#[test]
fn whoever_has_ended_or_runs_another_program_by_now_is_named_as_it_was() {
    let Some(lab) = lab().filter(traced) else { return };
    for (line, then) in [("kill -9 $0; exec sleep 1000", "sh"), ("exec env kill -9 $0", "kill")] {
        let worker = group(&lab).command(&Command::new(["sleep", "1000"])).unwrap();
        let mut person =
            std::process::Command::new("sh").args(["-c", line, &worker.pid().to_string()]).spawn().unwrap();
        let other = std::path::PathBuf::from(format!("/proc/{}/comm", person.id()));
        if then == "sh" {
            let runs = || std::fs::read(&other).is_ok_and(|comm| comm == b"sleep\n");
            assert!(common::gone_by(Instant::now() + LONG, || !runs()));
        } else {
            person.wait().unwrap();
        }
        let (_, by) = end(&worker);
        assert_eq!((by.by, by.pid), (Author::Process, i32::try_from(person.id()).ok()), "{by:?}");
        // Where no program may be asked to note it, nobody knows what it was called.
        assert!(by.comm.as_deref().is_none_or(|comm| comm == then.as_bytes()), "{by:?}");
        let _ = person.kill();
        person.wait().unwrap();
    }
    lab.close().unwrap();
}

#[test]
fn a_thread_that_has_ended_is_its_process() {
    let Some(lab) = lab().filter(traced) else { return };
    let worker = group(&lab).command(&Command::new(["sleep", "1000"])).unwrap();
    let pid = Pid::from_raw(worker.pid());
    std::thread::spawn(move || kill(pid, Signal::SIGKILL).unwrap()).join().unwrap();
    let (_, by) = end(&worker);
    assert_eq!((by.pid, by.comm.is_some()), (me(), true), "{by:?}");
    lab.close().unwrap();
}

#[test]
fn a_timer_is_nobody_who_was_on_the_cpu() {
    let Some(lab) = lab().filter(traced) else { return };
    let group = group(&lab);
    // Whoever is interrupted has nothing to do with it: others run on every CPU meanwhile.
    let busy = "for i in 1 2 3 4; do while :; do :; done & done; wait";
    let busy = group.command(&Command::new(["sh", "-c", busy])).unwrap();
    let worker = group.command(&Command::new(["perl", "-e", "alarm 1; sleep 1000"])).unwrap();
    let (_, by) = end(&worker);
    assert_eq!((by.by, by.signal, by.pid, by.comm.as_ref()), (Author::Kernel, libc::SIGALRM, None, None), "{by:?}");
    assert!(by.reason.as_deref().is_some_and(|why| why.contains("alarm")), "{by:?}");
    group.kill().unwrap();
    let _ = busy.wait(LONG).unwrap();
    lab.close().unwrap();
}

#[test]
fn what_memoom_was_asked_for_is_its_own() {
    let Some(lab) = lab() else { return };
    let sleeps = Command::new(["sleep", "1000"]);
    let worker = group(&lab).command(&sleeps).unwrap();
    worker.kill().unwrap();
    let (_, by) = end(&worker);
    assert_eq!((by.by, by.pid), (Author::Memoom, me()), "{by:?}");
    let whole = group(&lab);
    let worker = whole.command(&sleeps).unwrap();
    whole.kill().unwrap();
    let (_, by) = end(&worker);
    assert_eq!((by.by, by.pid), (Author::Memoom, me()), "{by:?}");
    lab.close().unwrap();
    for call_path in [true, false] {
        let run = Run {
            command: sleeps.clone(),
            limits: Limits::bytes(64 * MIB),
            timeout: Some(Duration::from_millis(50)),
            lab: LabOptions { call_path, ..LabOptions::default() },
            at_limit: None,
        };
        let outcome = run.run(LONG).unwrap();
        let by = outcome.killed_by.as_ref().expect("a signal ended it");
        assert_eq!((outcome.verdict, by.by, by.pid), (Verdict::Timeout, Author::Memoom, me()), "{by:?}");
        assert_eq!(by.reason.as_deref(), Some("its timeout of 0.05 s was over"));
    }
}

#[test]
fn the_same_process_by_its_own_hand_is_a_process() {
    let Some(lab) = lab().filter(traced) else { return };
    let worker = group(&lab).command(&Command::new(["sleep", "1000"])).unwrap();
    kill(Pid::from_raw(worker.pid()), Signal::SIGKILL).unwrap();
    let (_, by) = end(&worker);
    assert_eq!((by.by, by.pid), (Author::Process, me()), "memoom was not asked: {by:?}");
    lab.close().unwrap();
}

#[test]
fn the_kernel_says_why() {
    let Some(lab) = lab().filter(traced) else { return };
    let group = group(&lab);
    let cpu = group.command(&Command::new(["sh", "-c", "ulimit -t 1; while :; do :; done"])).unwrap();
    // SAFETY: a write to an address where nothing is, which the kernel refuses.
    let faulty = unsafe {
        group.function(&Function::default(), || {
            std::ptr::with_exposed_provenance_mut::<u8>(8).write_volatile(1);
            0
        })
    };
    let (outcome, by) = end(&faulty.unwrap());
    assert_eq!((outcome.returncode, by.by), (-libc::SIGSEGV, Author::Kernel), "{by:?}");
    assert!(by.reason.as_deref().unwrap().contains("(a fault)"), "{by:?}");
    let (outcome, by) = end(&cpu);
    assert_eq!(by.by, Author::Kernel, "{by:?} {}", outcome.returncode);
    assert!(by.reason.as_deref().unwrap().contains("RLIMIT_CPU"), "{by:?}");
    lab.close().unwrap();
}

#[test]
fn the_end_of_a_pid_namespace_takes_the_others() {
    let Some(lab) = lab().filter(traced) else { return };
    let group = group(&lab);
    let mut watch = group.watch().unwrap();
    let script = "sleep 1000 & exec sleep 0.5";
    let outer = group.command(&Command::new(["unshare", "-pf", "sh", "-c", script])).unwrap();
    let outcome = outer.wait(LONG).unwrap();
    if outcome.returncode != 0 {
        eprintln!("skipped: no pid namespace can be made here: {outcome}", outcome = outcome.to_text());
        return;
    }
    let (_, by) = next_killed(&mut watch, &[]);
    assert_eq!(by.by, Author::Kernel, "{by:?}");
    assert!(by.reason.as_deref().unwrap().contains("pid namespace"), "{by:?}");
    lab.close().unwrap();
}

#[test]
fn a_parent_that_ends_is_why_its_child_does() {
    let Some(lab) = lab().filter(traced) else { return };
    let group = group(&lab);
    let mut watch = group.watch().unwrap();
    let parent =
        group.command(&Command::new(["sh", "-c", "setpriv --pdeathsig KILL sleep 1000 & sleep 0.2; exit 3"])).unwrap();
    assert_eq!(parent.wait(LONG).unwrap().returncode, 3);
    let (_, by) = next_killed(&mut watch, &[]);
    assert_eq!((by.by, by.pid), (Author::Kernel, Some(parent.pid())), "{by:?}");
    assert!(by.reason.as_deref().unwrap().contains("PR_SET_PDEATHSIG"), "{by:?}");
    lab.close().unwrap();
}

#[test]
fn cgroup_kill_is_told_with_its_writer() {
    let Some(lab) = common::lab_with(Version::V2).filter(traced) else { return };
    let group = group(&lab);
    let file = group.path().join("cgroup.kill");
    if !file.exists() {
        return;
    }
    let worker = group.command(&Command::new(["sleep", "1000"])).unwrap();
    let person = Person::does("sh", &format!("echo 1 > {}", file.display()));
    let (_, by) = end(&worker);
    assert_eq!((by.by, by.pid), (Author::CgroupKill, Some(person.pid())), "{by:?}");
    assert_eq!(by.comm.as_deref(), Some(&b"sh"[..]), "{by:?}");
    lab.close().unwrap();
}

#[test]
fn an_oom_kill_is_the_kernels_whatever_may_be_read() {
    if lab().is_none() {
        return;
    }
    for (kernel_log, call_path) in [(true, true), (true, false), (false, true), (false, false)] {
        let run = Run {
            command: Command::new(["tail", "/dev/zero"]),
            limits: Limits::bytes(16 * MIB),
            lab: LabOptions { kernel_log, call_path, ..LabOptions::default() },
            ..Run::default()
        };
        let outcome = run.run(LONG).unwrap();
        let by = outcome.killed_by.as_ref().expect("a signal ended it");
        assert_eq!((outcome.verdict, by.by), (Verdict::OomKilled, Author::KernelOom), "{}", outcome.to_text());
        assert!(by.source.is_some(), "{by:?}");
    }
}

#[test]
fn without_the_tracepoints_nobody_is_blamed() {
    if lab().is_none() {
        return;
    }
    let lab = Lab::with(&LabOptions { call_path: false, ..LabOptions::default() }).unwrap();
    let worker = group(&lab).command(&Command::new(["sleep", "1000"])).unwrap();
    kill(Pid::from_raw(worker.pid()), Signal::SIGKILL).unwrap();
    let (outcome, by) = end(&worker);
    assert_eq!((outcome.verdict, by.by, by.source), (Verdict::Killed, Author::Unknown, None), "{by:?}");
    assert!(by.reason.as_deref().unwrap().contains("not asked for (call_path is off)"), "{by:?}");
    lab.close().unwrap();
}

/// How many rounds the two races have.
fn rounds() -> u64 {
    common::told("MEMOOM_RUNS", 25)
}

/// A SIGKILL within 5 ms of the OOM of a sibling: neither is taken for the other.
#[test]
fn a_kill_beside_an_oom_is_not_taken_for_it() {
    let Some(lab) = lab().filter(traced) else { return };
    let mut random = common::Random::new();
    for round in 0..rounds() {
        let group = lab.group(None, &Limits::bytes(8 * MIB)).unwrap();
        let hog = group.hog(&HogOptions { oom_score_adj: 1000, ..HogOptions::named("hog") }).unwrap();
        let sleeper = group.command(&Command::new(["sleep", "1000"])).unwrap();
        let after = Duration::from_micros(random.below(5000));
        let pid = Pid::from_raw(sleeper.pid());
        std::thread::scope(|scope| {
            scope.spawn(|| hog.grow(Some(16 * MIB), LONG).unwrap());
            // The moment is what is tried, so it is spent on the processor.
            let start = Instant::now();
            while start.elapsed() < after {}
            kill(pid, Signal::SIGKILL).unwrap();
        });
        let (outcome, by) = end(&sleeper);
        assert_eq!((outcome.verdict, by.by, by.pid), (Verdict::Killed, Author::Process, me()), "round {round}: {by:?}");
        let (outcome, by) = end(hog.worker());
        assert_eq!((outcome.verdict, by.by), (Verdict::OomKilled, Author::KernelOom), "round {round}: {by:?}");
        group.remove().unwrap();
    }
    lab.close().unwrap();
}

/// The same process is killed and meets its limit at the same time: whoever was first is the author.
#[test]
fn whoever_was_first_is_the_author() {
    let Some(lab) = lab().filter(traced) else { return };
    let mut random = common::Random::new();
    let mut found = [0, 0];
    for round in 0..rounds() {
        let group = lab.group(None, &Limits::bytes(8 * MIB)).unwrap();
        let hog = group.hog(&HogOptions::named("hog")).unwrap();
        let before = group.counters().unwrap().oom_kill;
        let after = Duration::from_micros(random.below(5000));
        let pid = Pid::from_raw(hog.worker().pid());
        std::thread::scope(|scope| {
            // It may be killed before it is asked.
            scope.spawn(|| drop(hog.grow(Some(16 * MIB), LONG)));
            let start = Instant::now();
            while start.elapsed() < after {}
            // It may have ended, and been reaped, by now.
            let _ = kill(pid, Signal::SIGKILL);
        });
        let (outcome, by) = end(hog.worker());
        let counted = group.counters().unwrap().oom_kill.unwrap_or(0) > before.unwrap_or(0);
        // The kernel counts before it sends, so a kill may come between the two.
        let right = match by.by {
            Author::KernelOom => counted && outcome.oom_killed,
            Author::Process => by.pid == me() && outcome.verdict == Verdict::Killed,
            _ => false,
        };
        assert!(right, "round {round}, counted {counted}: {}", outcome.to_text());
        found[usize::from(outcome.oom_killed)] += 1;
        group.remove().unwrap();
    }
    println!("killed first {}, OOM first {}", found[0], found[1]);
    lab.close().unwrap();
}

/// What memoom did not watch is named by what is left of it.
#[test]
fn a_death_is_named_afterwards() {
    let Some(lab) = lab().filter(|lab| lab.host().can("kernel-log")) else { return };
    let [full, quiet] = [16, 64].map(|mib| lab.group(None, &Limits::bytes(mib * MIB)).unwrap());
    let eater = full.command(&Command::new(["tail", "/dev/zero"])).unwrap();
    assert!(eater.wait(LONG).unwrap().oom_killed);
    let killed = quiet.command(&Command::new(["sleep", "1000"])).unwrap();
    let alive = memoom::account::postmortem(&Subject::Pid(killed.pid())).unwrap();
    assert_eq!((alive.killed_by.by, alive.victim.is_none()), (Author::Unknown, true), "{}", alive.to_text());
    kill(Pid::from_raw(killed.pid()), Signal::SIGKILL).unwrap();
    assert!(!killed.wait(LONG).unwrap().oom_killed);
    let answer = memoom::account::postmortem(&Subject::Pid(eater.pid())).unwrap();
    assert_eq!(answer.killed_by.by, Author::KernelOom, "{}", answer.to_text());
    assert_eq!(answer.victim.as_ref().map(|victim| victim.pid), Some(eater.pid()), "{}", answer.to_text());
    let answer = memoom::account::postmortem_of_group(full.path()).unwrap();
    assert_eq!(answer.killed_by.by, Author::KernelOom, "{}", answer.to_text());
    for answer in [
        memoom::account::postmortem(&Subject::Pid(killed.pid())).unwrap(),
        memoom::account::postmortem_of_group(quiet.path()).unwrap(),
    ] {
        assert_eq!(answer.killed_by.by, Author::Unknown, "{}", answer.to_text());
        assert!(answer.killed_by.reason.is_some_and(|why| why.contains("nothing that is left names")));
    }
    lab.close().unwrap();
}

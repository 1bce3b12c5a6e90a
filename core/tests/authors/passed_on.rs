//! Signals to memoom itself: those that it passes on, and the one that ends its supervisor.

use memoom::ErrorKind;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use super::*;

/// Whoever stays where it is, so that there is time to read who it is.
fn somebody() -> Person {
    Person::does("sh", ":")
}

#[test]
fn a_signal_that_is_passed_on_has_its_first_sender() {
    let Some(lab) = lab() else { return };
    drop(lab);
    for call_path in [true, false] {
        let lab = Lab::with(&LabOptions { call_path, ..LabOptions::default() }).unwrap();
        let sender = somebody();
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGUSR1, libc::SIGQUIT] {
            let group = group(&lab);
            let mut watch = group.watch().unwrap();
            let worker = group.command(&Command::new(["sleep", "1000"])).unwrap();
            worker.pass_on(signal, sender.pid(), 0).unwrap();
            let (outcome, by) = end(&worker);
            assert_eq!((by.by, by.pid, by.uid), (Author::Process, Some(sender.pid()), Some(0)), "{by:?}");
            assert_eq!((by.comm.as_deref(), by.signal), (Some(&b"sh"[..]), signal), "{by:?}");
            let passed = format!("memoom (pid {}) passed it on", std::process::id());
            assert_eq!(by.reason.as_deref(), Some(&*passed));
            assert!(outcome.summary.contains(&format!("sh (pid {}", sender.pid())), "{}", outcome.summary);
            // Only the tracepoints tell a watch of it.
            if call_path && lab.host().can("tracefs") {
                assert_eq!(next_killed(&mut watch, &[]), (worker.pid(), by), "the watch says the same");
            }
        }
        lab.close().unwrap();
    }
}

#[test]
fn what_is_not_passed_on_is_memooms_own_and_a_sender_from_outside_has_no_name() {
    let Some(lab) = lab().filter(traced) else { return };
    let sender = somebody();
    let worker = group(&lab).command(&Command::new(["sleep", "1000"])).unwrap();
    worker.pass_on(libc::SIGCONT, sender.pid(), 0).unwrap();
    worker.signal(libc::SIGTERM).unwrap();
    let (_, by) = end(&worker);
    assert_eq!((by.by, by.pid, by.reason), (Author::Process, me(), None), "another signal was passed on");
    let worker = group(&lab).command(&Command::new(["sleep", "1000"])).unwrap();
    worker.pass_on(libc::SIGTERM, 0, 0).unwrap();
    let (_, by) = end(&worker);
    assert_eq!((by.by, by.pid), (Author::Memoom, me()), "{by:?}");
    assert!(by.reason.as_deref().is_some_and(|why| why.contains("outside of its pid namespace")), "{by:?}");
    lab.close().unwrap();
}

/// Whether a process handles SIGTERM now.
fn handles_term(pid: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught.is_some_and(|caught| u64::from_str_radix(caught.trim(), 16).is_ok_and(|mask| mask >> 14 & 1 == 1))
}

/// What ends a worker is what was sent last, and nobody is blamed for what it has handled before.
#[test]
fn what_was_passed_on_and_handled_has_ended_nobody() {
    let Some(lab) = lab().filter(traced) else { return };
    let sender = somebody();
    for by_hand in [false, true] {
        let once = "trap 'trap - TERM' TERM; while :; do sleep 0.01; done";
        let worker = group(&lab).command(&Command::new(["sh", "-c", once])).unwrap();
        assert!(common::gone_by(Instant::now() + LONG, || !handles_term(worker.pid())), "it sets no trap");
        worker.pass_on(libc::SIGTERM, sender.pid(), 0).unwrap();
        assert!(common::gone_by(Instant::now() + LONG, || handles_term(worker.pid())), "it keeps its trap");
        match by_hand {
            false => worker.signal(libc::SIGTERM).unwrap(),
            true => kill(Pid::from_raw(worker.pid()), Signal::SIGTERM).unwrap(),
        }
        let (_, by) = end(&worker);
        assert_eq!((by.by, by.pid, by.reason.as_deref()), (Author::Process, me(), None), "{by_hand}: {by:?}");
    }
    lab.close().unwrap();
}

/// Shells, Python and servers handle a signal and then send it to themselves.
#[test]
fn a_signal_that_is_sent_again_to_oneself_has_its_first_sender_too() {
    let Some(lab) = lab().filter(traced) else { return };
    let again = "trap 'trap - TERM; kill -TERM $$' TERM; while :; do sleep 0.01; done";
    let worker = group(&lab).command(&Command::new(["sh", "-c", again])).unwrap();
    assert!(common::gone_by(Instant::now() + LONG, || !handles_term(worker.pid())), "it sets no trap");
    let person = Person::does("sh", &format!("kill -TERM {}", worker.pid()));
    let (_, by) = end(&worker);
    assert_eq!((by.by, by.pid), (Author::Itself, Some(worker.pid())), "{by:?}");
    let first = format!("it had been sent the same before, by sh (pid {}", person.pid());
    assert!(by.reason.as_deref().is_some_and(|why| why.starts_with(&first)), "{by:?}");
    lab.close().unwrap();
}

#[test]
fn whoever_killed_the_supervisor_is_named() {
    let Some(lab) = lab().filter(traced) else { return };
    let group = group(&lab);
    let worker = group.command(&Command::new(["sleep", "1000"])).unwrap();
    let person = Person::does("sh", &format!("kill -9 {}", lab.supervisor_pid()));
    let error = worker.wait(LONG).unwrap_err();
    let said = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Closed, "{said}");
    let who = format!("supervisor has died, as it was killed by SIGKILL, sent by sh (pid {}", person.pid());
    assert!(said.contains(&who) && said.contains(&format!("(value sleep (pid {}))", worker.pid())), "{said}");
    // So does what comes too late.
    let late = group.command(&Command::new(["sleep", "1000"])).unwrap_err();
    assert!(late.kind() == ErrorKind::Closed && late.to_string().contains(&who), "{late}");
    lab.close().unwrap();
}

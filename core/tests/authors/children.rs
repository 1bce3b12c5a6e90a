//! Children that a signal ends and that are reaped at once, and processes that a signal does not end.

use super::*;

/// The deaths by a signal that the watch tells of, when all is over.
fn all_killed(watch: &mut Watch) -> Vec<(i32, KilledBy)> {
    let mut killed = Vec::new();
    while let Some(event) = watch.next(Duration::from_millis(100)).unwrap() {
        if let (EventKind::Killed { killed_by, .. }, Some(pid)) = (&event.kind, event.pid) {
            killed.push((pid, (**killed_by).clone()));
        }
    }
    killed
}

#[test]
fn a_child_that_ends_itself_and_is_reaped_at_once_is_told() {
    let Some(lab) = lab().filter(traced) else { return };
    let group = group(&lab);
    let mut watch = group.watch().unwrap();
    let script = "for signal in KILL TERM SEGV PROF; do sh -c \"kill -$signal \\$\\$; sleep 1000\"; done; exit 0";
    let outcome = group.command(&Command::new(["sh", "-c", script])).unwrap().wait(LONG).unwrap();
    assert_eq!(outcome.returncode, 0);
    let killed = all_killed(&mut watch);
    let signals: Vec<i32> = killed.iter().map(|(_, by)| by.signal).collect();
    assert_eq!(signals, [libc::SIGKILL, libc::SIGTERM, libc::SIGSEGV, libc::SIGPROF], "{killed:?}");
    for (pid, by) in killed {
        assert_eq!((by.by, by.pid, by.comm.as_deref()), (Author::Itself, Some(pid), Some(&b"sh"[..])), "{by:?}");
    }
    lab.close().unwrap();
}

#[test]
fn whoever_handles_a_signal_and_ends_by_itself_was_not_killed() {
    let Some(lab) = lab().filter(traced) else { return };
    let group = group(&lab);
    let mut watch = group.watch().unwrap();
    // It kills its own child, leaves it as a zombie, and ends well.
    let daemon =
        "sleep 1000 & child=$!; trap 'kill -9 $child; exit 0' TERM; echo ready >&2; while :; do sleep 0.01; done";
    // The daemon is reaped when its kill has been told: where both it and its child have gone nobody knows where they stood.
    let script =
        "mkfifo $2; exec 3<>$2 4<&3; sh -c \"$1\" 2>&3 & read ready <&4; kill -TERM $!; read told <&4; wait $!";
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo").display().to_string();
    let worker = group.command(&Command::new(["sh", "-c", script, "sh", daemon, &fifo])).unwrap();
    let first = next_killed(&mut watch, &[]);
    std::fs::write(&fifo, "told\n").unwrap();
    let outcome = worker.wait(LONG).unwrap();
    assert_eq!(outcome.returncode, 0, "{}", outcome.to_text());
    let killed: Vec<_> = [first].into_iter().chain(all_killed(&mut watch)).collect();
    let signals: Vec<(i32, Author)> = killed.iter().map(|(_, by)| (by.signal, by.by)).collect();
    assert_eq!(signals, [(libc::SIGKILL, Author::Process)], "the child of the daemon alone: {killed:?}");
    lab.close().unwrap();
}

/// A handler that leaves the next signal of its kind to the kernel.
extern "C" fn handled_once(signal: libc::c_int) {
    // SAFETY: signal(2) may be called in a handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

#[test]
fn a_fault_is_the_kernels_also_after_one_that_was_sent_and_handled() {
    let Some(lab) = lab().filter(traced) else { return };
    // SAFETY: the child has one thread; it sets a handler, sends itself a signal, and writes where nothing is.
    let faulty = unsafe {
        group(&lab).function(&Function::default(), || {
            libc::signal(libc::SIGSEGV, handled_once as extern "C" fn(libc::c_int) as libc::sighandler_t);
            libc::raise(libc::SIGSEGV);
            std::ptr::with_exposed_provenance_mut::<u8>(8).write_volatile(1);
            0
        })
    };
    let (outcome, by) = end(&faulty.unwrap());
    assert_eq!((outcome.returncode, by.by), (-libc::SIGSEGV, Author::Kernel), "{by:?}");
    assert!(by.reason.as_deref().unwrap().contains("(a fault)"), "{by:?}");
    lab.close().unwrap();
}

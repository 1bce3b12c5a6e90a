//! Stop at the limit and look: everybody is held before anybody dies, the hook runs outside, and nothing is left of it.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::time::{Duration, Instant};

use common::{gone_by, lab, patience, process_is_there, EATS, LONG};
use memoom::{
    AtLimit, Command, ErrorKind, Hook, HookAnswer, HookFunction, LabOptions, Limits, Outcome, Run, StopAtLimit,
    Verdict, Version,
};

const MIB: u64 = 1 << 20;
/// A shell that grows beyond 24 MiB, and ends.
const GROWS: &str = "x=aaaaaaaaaaaaaaaa; while [ ${#x} -lt 12000000 ]; do x=$x$x; done";

/// A run of a shell under 24 MiB that is held at its limit.
fn held(script: &str, stop: StopAtLimit) -> Run {
    let command = Command::new(["sh", "-c", script]);
    Run { command, limits: Limits::bytes(24 * MIB), at_limit: Some(stop), ..Run::default() }
}

/// Its outcome, and the one time that it was held.
fn once(script: &str, stop: StopAtLimit) -> (Outcome, AtLimit) {
    let outcome = held(script, stop).run(LONG).unwrap();
    let met = outcome.at_limit.clone().unwrap();
    assert_eq!(met.len(), 1, "{outcome:#?}");
    (outcome, met[0].clone())
}

fn is_whole(outcome: &Outcome) {
    assert_eq!((outcome.verdict, outcome.oom_killed), (Verdict::OomKilled, true), "{}", outcome.to_text());
    assert!(outcome.oom().unwrap().killed(outcome.pid), "{}", outcome.to_text());
}

#[test]
fn everybody_is_held_before_anybody_dies_and_then_the_kernel_chooses() {
    if lab().is_none() {
        return;
    }
    let stop = StopAtLimit::new(Hook::shell(
        "echo pid=$MEMOOM_PID invoker=$MEMOOM_INVOKER of={pid} group=$MEMOOM_GROUP pids={pids}; \
         grep -h ^State /proc/{pid}/task/*/status; grep memory /proc/self/cgroup || cat /proc/self/cgroup",
    ));
    let (outcome, met) = once(EATS, stop);
    is_whole(&outcome);
    let output = String::from_utf8(met.hook.output.clone()).unwrap();
    let pid = outcome.pid;
    assert!(
        output.starts_with(&format!("pid={pid} invoker={pid} of={pid} group={} pids={pid}\n", met.group)),
        "{output}"
    );
    assert!(output.contains("State:\tT (stopped)"), "{output}");
    assert!(output.contains("/hook\n"), "the hook stands in a group of its own: {output}");
    assert_eq!((met.hook.returncode, met.hook.timed_out, &met.hook.error), (Some(0), false, &None));
    assert_eq!(met.predicted.as_ref().map(|victim| victim.pid), Some(pid));
    assert_eq!(met.invoker.as_ref().map(|invoker| invoker.pid), Some(pid));
    assert_eq!((met.limit_bytes, met.then), (24 * MIB, "kernel"));
    assert!(met.usage_bytes > 23 * MIB && met.held_ns > 0 && met.died.is_empty(), "{met:?}");
    assert!(met.time_ns < outcome.ended_ns && met.time_ns > outcome.started_ns);
    assert_eq!(met.held, "stopped");
    assert!(outcome.to_short_text().contains("\n  | pid="), "{}", outcome.to_short_text());
    assert!(outcome.to_json().contains("\"at_limit\":[{\"time_ns\":"));
}

#[test]
fn a_run_that_was_not_told_to_stop_says_so_and_one_that_never_met_its_limit_too() {
    if lab().is_none() {
        return;
    }
    let run = held("exit 3", StopAtLimit::new(Hook::shell("true")));
    let outcome = run.run(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Exited, 3));
    assert_eq!(outcome.at_limit, Some(Vec::new()));
    let outcome = Run { at_limit: None, ..run }.run(LONG).unwrap();
    assert_eq!(outcome.at_limit, None);
    let without = Run { limits: Limits::default(), ..held("true", StopAtLimit::new(Hook::shell("true"))) };
    assert_eq!(without.run(LONG).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_hook_that_fails_hangs_crashes_or_is_not_there_leaves_the_account_whole() {
    let Some(lab) = lab() else { return };
    drop(lab);
    // Long enough for a shell to say what it has started, also on an emulated machine.
    let timeout = Duration::from_millis(if common::slow() { 10_000 } else { 300 });
    let quick = |hook| StopAtLimit { timeout, ..StopAtLimit::new(hook) };
    let (outcome, met) = once(EATS, quick(Hook::shell("exit 3")));
    is_whole(&outcome);
    assert_eq!((met.hook.returncode, met.hook.timed_out), (Some(3), false));
    let (outcome, met) = once(EATS, quick(Hook::shell("kill -SEGV $$")));
    is_whole(&outcome);
    assert_eq!(met.hook.returncode, Some(-11));
    let (outcome, met) = once(EATS, quick(Hook::Command(vec!["/nowhere/hook".into()])));
    is_whole(&outcome);
    assert!(met.hook.error.as_ref().unwrap().contains("/nowhere/hook"), "{met:?}");
    assert_eq!(met.hook.returncode, None);

    // Its children are in a session of their own, where no process group would find them.
    let (outcome, met) = once(EATS, quick(Hook::shell("setsid sleep 1000 & echo $!; trap '' TERM; sleep 1000")));
    is_whole(&outcome);
    assert_eq!((met.hook.timed_out, met.hook.returncode), (true, Some(-9)), "{met:?}");
    let child: i32 = String::from_utf8(met.hook.output).unwrap().trim().parse().unwrap();
    assert!(gone_by(Instant::now() + patience(), || process_is_there(child)), "pid {child} is left");

    let (outcome, met) = once(EATS, quick(Hook::shell("exec cat /dev/zero")));
    is_whole(&outcome);
    assert!(met.hook.timed_out && met.hook.output.len() == 64 << 10 && met.hook.dropped_bytes > 0);
}

#[test]
fn a_hook_may_kill_whom_it_looks_at() {
    if lab().is_none() {
        return;
    }
    let (outcome, met) =
        once(EATS, StopAtLimit::new(Hook::shell("kill -9 {pid}; while kill -0 {pid} 2>/dev/null; do :; done")));
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Killed, -9), "{}", outcome.to_text());
    assert!(outcome.ooms.is_empty(), "nobody was killed by the kernel: {}", outcome.to_text());
    assert_eq!(met.then, "ended", "{met:?}");
    assert_eq!(met.died.iter().map(|one| one.pid).collect::<Vec<_>>(), [outcome.pid]);
}

#[test]
fn a_raised_limit_lets_it_go_on_and_holds_it_again_at_the_new_one() {
    if lab().is_none() {
        return;
    }
    let grows = &format!("{GROWS}; echo done");
    let stop = StopAtLimit { raise_bytes: Some(200 * MIB), ..StopAtLimit::new(Hook::shell("true")) };
    let (outcome, met) = once(grows, stop);
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Exited, 0), "{}", outcome.to_text());
    assert_eq!((met.then, met.limit_after_bytes), ("raised", 200 * MIB));
    assert!(outcome.ooms.is_empty(), "{}", outcome.to_text());

    let (outcome, met) = once(grows, StopAtLimit::new(Hook::shell("echo 'memoom: raise 200M'")));
    assert_eq!((outcome.verdict, met.then), (Verdict::Exited, "raised"), "{}", outcome.to_text());

    // The same word at the new limit raises nothing any more.
    let outcome = held(EATS, StopAtLimit::new(Hook::shell("echo 'memoom: raise 48M'"))).run(LONG).unwrap();
    is_whole(&outcome);
    let met = outcome.at_limit.unwrap();
    let then: Vec<_> = met.iter().map(|met| (met.limit_bytes, met.then)).collect();
    assert_eq!(then, [(24 * MIB, "raised"), (48 * MIB, "kernel")]);
}

#[test]
fn of_two_processes_both_stand_still() {
    if lab().is_none() {
        return;
    }
    // The small one counts without taking memory; what it has written while it was held is none.
    let counts = format!("i=0; while :; do i=$((i+1)); echo $i; done >/dev/null & {EATS}");
    let hook = Hook::shell("for p in $(echo {pids} | tr , ' '); do cut -d' ' -f14,15 /proc/$p/stat; done; sleep 0.2; for p in $(echo {pids} | tr , ' '); do cut -d' ' -f14,15 /proc/$p/stat; done");
    let (outcome, met) = once(&counts, StopAtLimit::new(hook));
    is_whole(&outcome);
    assert_eq!(met.processes.len(), 2, "{met:?}");
    let output = String::from_utf8(met.hook.output).unwrap();
    let times: Vec<&str> = output.lines().collect();
    assert_eq!(times[..2], times[2..], "no processor time goes by while they are held");
    assert_eq!(met.predicted.unwrap().pid, outcome.pid);
}

#[test]
fn who_was_stopped_before_stays_so() {
    let Some(lab) = lab() else { return };
    if lab.version() != Version::V1 {
        return;
    }
    let script = format!(
        "sleep 1000 & s=$!; kill -STOP $s; until grep -q 'State:.T' /proc/$s/status; do :; done; {GROWS}; \
         grep -c 'State:.T' /proc/$s/status; exec grep -q 'State:.T' /proc/$s/status"
    );
    let stop = StopAtLimit { raise_bytes: Some(200 * MIB), ..StopAtLimit::new(Hook::shell("true")) };
    let (outcome, met) = once(&script, stop);
    assert_eq!((outcome.verdict, outcome.returncode, met.processes.len()), (Verdict::Exited, 0, 2), "{met:?}");
}

#[test]
fn a_function_looks_and_answers() {
    if lab().is_none() {
        return;
    }
    let raises = HookFunction::new(|met: &AtLimit, _: Instant| {
        assert!(!met.processes.is_empty());
        Ok(HookAnswer::Raise(met.limit_bytes + 200 * MIB))
    });
    let (outcome, met) = once(GROWS, StopAtLimit::new(Hook::Function(raises)));
    assert_eq!((outcome.returncode, met.then, met.hook.kind), (0, "raised", "function"));
    let fails = HookFunction::new(|_: &AtLimit, _: Instant| Err("it broke".to_string()));
    let (outcome, met) = once(EATS, StopAtLimit::new(Hook::Function(fails)));
    is_whole(&outcome);
    assert_eq!(met.hook.error.as_deref(), Some("it broke"));
}

#[test]
fn the_time_for_which_it_is_held_is_none_of_its_own() {
    if lab().is_none() {
        return;
    }
    let stop = StopAtLimit { raise_bytes: Some(200 * MIB), ..StopAtLimit::new(Hook::shell("sleep 3")) };
    let run =
        Run { timeout: Some(Duration::from_millis(if common::slow() { 60_000 } else { 2500 })), ..held(GROWS, stop) };
    let outcome = run.run(LONG).unwrap();
    assert_eq!(outcome.verdict, Verdict::Exited, "{}", outcome.to_text());
}

#[test]
fn a_run_inside_a_run_is_held_by_the_limit_that_was_met() {
    let Some(lab) = lab() else { return };
    // On v2 a group has either processes or groups with controllers.
    if lab.version() != Version::V1 {
        return;
    }
    let outer = lab.group(Some("outer"), &Limits::bytes(200 * MIB)).unwrap();
    let lab_options = LabOptions { parent: Some(outer.path().to_path_buf()), ..LabOptions::default() };
    let run = Run { lab: lab_options, ..held(EATS, StopAtLimit::new(Hook::shell("true"))) };
    let outcome = run.run(LONG).unwrap();
    is_whole(&outcome);
    assert_eq!(outcome.at_limit.unwrap().len(), 1);

    // The limit above is met first: nobody is held at the one below.
    outer.set_limit(memoom::Limit::Bytes(16 * MIB)).unwrap();
    let outcome = run.run(LONG).unwrap();
    is_whole(&outcome);
    assert_eq!(outcome.at_limit, Some(Vec::new()));
}

#[test]
fn nothing_is_left_when_the_supervisor_dies_while_everybody_is_held() {
    let Some(lab) = lab() else { return };
    let above = lab.group(Some("above"), &Limits::default()).unwrap();
    let options = LabOptions { parent: Some(above.path().to_path_buf()), ..LabOptions::default() };
    let stop = StopAtLimit::new(Hook::shell("kill -9 $(cut -d' ' -f4 /proc/$$/stat); sleep 1000"));
    let error = Run { lab: options, ..held(EATS, stop) }.run(LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    let left = || std::fs::read_dir(above.path()).unwrap().flatten().find(|entry| entry.path().is_dir());
    assert!(gone_by(Instant::now() + patience(), || left().is_some()), "left: {:?}", left());
}

#[test]
fn the_built_in_hook_tells_the_memory_by_mapping_and_what_has_grown() {
    if lab().is_none() {
        return;
    }
    let stop = StopAtLimit { raise_bytes: Some(48 * MIB), ..StopAtLimit::new(Hook::of("builtin")) };
    let outcome = held(EATS, stop).run(LONG).unwrap();
    is_whole(&outcome);
    let met = outcome.at_limit.as_ref().unwrap();
    assert_eq!(met.len(), 2, "{}", outcome.to_text());
    let [first, second] = [&met[0].hook, &met[1].hook].map(|hook| {
        assert_eq!((hook.kind, &hook.error, hook.mapped.len()), ("builtin", &None, 1), "{}", outcome.to_text());
        &hook.mapped[0]
    });
    // What is charged is resident in this one process, but for page tables and the kernel's own.
    assert!(first.heap_bytes + first.anonymous_bytes > 20 * MIB, "{first:?}");
    assert!(first.largest.iter().any(|one| one.kind == "file") && first.stack_bytes > 0, "{first:?}");
    assert_eq!(first.grown_bytes, None);
    assert!(second.grown_bytes.unwrap() > 16 << 20, "{second:?}");
    assert!(!first.frames.is_empty() && first.frames[0].file.is_some(), "{first:?}");
    assert!(outcome.to_text().contains("since it was held before"), "{}", outcome.to_text());
}

/// What a tracer leaves behind that is killed before it got through: a stop for one thread that is still to be delivered.
#[test]
fn a_stop_that_a_killed_tracer_leaves_behind_holds_nobody() {
    if lab().is_none() {
        return;
    }
    let leaves = "python3 -S -c 'import ctypes; assert ctypes.CDLL(None).tgkill({pid}, {pid}, 19) == 0'";
    let (outcome, met) = once(EATS, StopAtLimit::new(Hook::shell(leaves)));
    is_whole(&outcome);
    assert_eq!(met.hook.returncode, Some(0), "{met:?}");
}

/// Whoever stops the command while it is held means it: it does not go on with the others.
#[test]
fn a_stop_that_is_sent_meanwhile_stays() {
    if lab().is_none() {
        return;
    }
    let run = held(EATS, StopAtLimit::new(Hook::shell("kill -STOP {pid}")));
    let outcome = Run { timeout: Some(Duration::from_secs(1)), ..run }.run(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.ooms.len()), (Verdict::Timeout, 0), "{}", outcome.to_text());
}

#[test]
fn who_thrashes_without_end_is_held_too() {
    let Some(lab) = lab() else { return };
    if lab.version() != Version::V1 {
        return;
    }
    // Most of its limit is its own memory, and of the file that it reads in turn nothing stays. It reads in small pieces, as
    // pages that are still on their way from the disk cannot be dropped: read ahead by megabytes, they meet the limit.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, vec![1; 64 * MIB as usize]).unwrap();
    std::fs::File::open(&file).unwrap().sync_all().unwrap();
    let script = format!(
        "import os\nheld = bytearray(26 << 20)\nfor at in range(0, len(held), 4096): held[at] = 1\n\
         file = os.open('{}', os.O_RDONLY)\n\
         os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)\n\
         os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)\n\
         piece = [bytearray(512 << 10)]\n\
         while True:\n    for at in range(0, {}, 512 << 10): os.preadv(file, piece, at)",
        file.display(),
        64 * MIB
    );
    let command = Command::new(["python3", "-S", "-c", &script]);
    let stop = StopAtLimit::new(Hook::shell("kill -9 {pid}"));
    let run = Run { command, limits: Limits::bytes(36 * MIB), at_limit: Some(stop), ..Run::default() };
    let outcome = run.run(LONG).unwrap();
    let met = outcome.at_limit.as_ref().unwrap();
    assert_eq!((met.len(), met[0].then), (1, "ended"), "{}", outcome.to_text());
    assert!(outcome.to_text().contains("nobody waits: files are dropped and read again"), "{}", outcome.to_text());
    assert!(outcome.ooms.is_empty(), "{}", outcome.to_text());
}

const TOLD: &str = "MEMOOM_TEST_GROWS";

#[inline(never)]
fn takes_all(held: &mut Vec<Vec<u8>>) {
    held.push(std::hint::black_box(vec![1; 1 << 20])); // here it meets the limit
}

/// No test by itself: the program that the next one looks at.
#[test]
fn it_grows_where_it_is_told_to() {
    let mut held = Vec::new();
    while std::env::var_os(TOLD).is_some() {
        takes_all(&mut held);
    }
}

#[test]
fn the_built_in_hook_names_the_callers_with_their_lines() {
    if lab().is_none() {
        return;
    }
    let this = std::env::current_exe().unwrap();
    let arguments = ["--exact", "it_grows_where_it_is_told_to", "--nocapture", "--test-threads=1"];
    let argv = std::iter::once(this.into_os_string()).chain(arguments.map(Into::into));
    let env = std::env::vars_os().chain([(TOLD.into(), "1".into())]).collect();
    let command = Command { env: Some(env), ..Command::new(argv) };
    let stop = StopAtLimit::new(Hook::of("builtin"));
    let run = Run { command, limits: Limits::bytes(64 * MIB), at_limit: Some(stop), ..Run::default() };
    let outcome = run.run(LONG).unwrap();
    let frames = &outcome.at_limit.as_ref().unwrap()[0].hook.mapped[0].frames;
    let name = |frame: &memoom::observe::UserFrame| {
        String::from_utf8_lossy(frame.function.as_deref().unwrap_or_default()).into_owned()
    };
    let at = frames.iter().position(|frame| name(frame) == "at_limit::takes_all");
    let frame = &frames[at.unwrap_or_else(|| panic!("{}", outcome.to_text()))];
    let text = include_str!("at_limit.rs");
    let line = 1 + text.lines().position(|line| line.ends_with("// here it meets the limit")).unwrap();
    assert_eq!(frame.line, u32::try_from(line).ok(), "{}", outcome.to_text());
    assert!(frame.source.as_ref().unwrap().ends_with(b"tests/at_limit.rs"), "{frame:?}");
    let caller = frames.iter().find(|frame| name(frame) == "at_limit::it_grows_where_it_is_told_to");
    // No frame pointer is needed on the way up.
    let by = [Some(&frames[0]), Some(frame), caller].map(|frame| frame.map(|frame| frame.found_by));
    assert_eq!(by, [Some("register"), Some("unwind-table"), Some("unwind-table")], "{}", outcome.to_text());
    assert!(outcome.to_text().contains(&format!("at_limit.rs:{line})")), "{}", outcome.to_text());
}

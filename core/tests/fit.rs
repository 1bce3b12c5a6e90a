//! The least limit of programs whose need is known.

use memoom::{Command, Fit, Run, Stdio, Verdict};

mod common;

/// A program of Python's that holds so many MiB at once, beside the interpreter's own few.
fn holds(mib: u64) -> Run {
    let script = format!("held = bytearray({mib} << 20)\nfor at in range(0, len(held), 4096): held[at] = 1");
    let command =
        Command { stdio: [Stdio::Null, Stdio::Null, Stdio::Null], ..Command::new(["python3", "-S", "-c", &script]) };
    Run { command, ..Run::default() }
}

#[test]
fn the_least_limit_is_found_in_twelve_runs_and_holds() {
    let Some(lab) = common::lab() else { return };
    lab.close().expect("an end");
    for mib in [24, 70] {
        let run = holds(mib);
        let fitted =
            Fit { most: Some(512 << 20), ..Fit::new(run.clone()) }.fit(memoom::Wait::forever()).expect("a fit");
        let (limit, failed) = (fitted.limit_bytes.expect("a limit"), fitted.failed_bytes.expect("one that fails"));
        assert!(fitted.runs.len() <= 12, "{} runs", fitted.runs.len());
        assert!(limit >= mib << 20 && limit <= (mib + 16) << 20, "{limit} for {mib} MiB");
        assert!(limit - failed <= limit / 50 + 4096, "{failed} fails, {limit} passes");
        let tight = fitted.runs.iter().find(|run| run.limit_bytes == failed).expect("the run that failed");
        assert_eq!(tight.verdict, Verdict::OomKilled);
    }
}

#[test]
fn what_never_passes_has_no_limit_and_a_reason() {
    let Some(lab) = common::lab() else { return };
    lab.close().expect("an end");
    let run = Run { command: Command::new(["false"]), ..Run::default() };
    let fitted = Fit { most: Some(64 << 20), ..Fit::new(run) }.fit(memoom::Wait::forever()).expect("a fit");
    assert_eq!((fitted.limit_bytes, fitted.runs.len()), (None, 1));
    assert!(fitted.reason.as_deref().expect("a reason").contains("exit status 1"), "{fitted:?}");
}

#[test]
fn a_check_decides_what_passing_means() {
    let Some(lab) = common::lab() else { return };
    lab.close().expect("an end");
    let run = Run { command: Command::new(["true"]), ..Run::default() };
    let check = Some(Command::new(["sh", "-c", "exit 3"]));
    let fitted = Fit { most: Some(64 << 20), check, ..Fit::new(run) }.fit(memoom::Wait::forever()).expect("a fit");
    assert_eq!(fitted.limit_bytes, None);
    assert_eq!(fitted.runs[0].check_returncode, Some(3));
}

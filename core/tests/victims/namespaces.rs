//! Namespaces: the kernel names processes and groups as they are outside; an account must name them as they are here.

use std::process::Stdio;

use memoom::{Command, GrowStatus, HogOptions, Limits, Run, Verdict};

use crate::common::{lab, LONG};

const MIB: u64 = 1 << 20;
/// Tells a copy of this program that it stands inside, and in which kind of namespace.
const INSIDE: &str = "MEMOOM_INSIDE";

/// unshare(1) with these options, or why not.
fn can_unshare(options: &[&str]) -> bool {
    let tried = std::process::Command::new("unshare").args(options).arg("true").stderr(Stdio::null()).status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        eprintln!("skipped: unshare {} does not work here", options.join(" "));
    }
    can
}

pub fn a_victim_in_a_pid_namespace_below() {
    if lab().is_none() || !can_unshare(&["--pid", "--fork"]) {
        return;
    }
    // The shell is pid 1 of its namespace, so it has a child die.
    let command = Command::new(["unshare", "--pid", "--fork", "sh", "-c", "(exec tail /dev/zero); exit 4"]);
    let run = Run { command, limits: Limits::bytes(16 * MIB), ..Run::default() };
    let outcome = run.run(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Exited, 4));
    assert_eq!(outcome.ooms.len(), 1, "{outcome:#?}");
    let victim = outcome.ooms[0].victim().expect("a victim");
    assert_eq!(victim.comm, b"tail");
    // Its pid there is 2 or 3; here it was started after the worker.
    assert!(victim.pid > outcome.pid, "{victim:?}, worker {}", outcome.pid);
}

pub fn a_lab_inside_a_pid_namespace() {
    again_inside("pid", &["--pid", "--fork", "--mount-proc"]);
}

pub fn a_lab_inside_a_cgroup_namespace() {
    again_inside("cgroup", &["--cgroup"]);
}

/// Runs this program once more inside, where `inside` does the work.
fn again_inside(kind: &str, options: &[&str]) {
    if lab().is_none() || !can_unshare(options) {
        return;
    }
    let mut command = std::process::Command::new("unshare");
    command.args(options).arg(std::env::current_exe().unwrap()).env(INSIDE, kind);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("inside: as it should be"), "{said}");
}

/// The part that is done inside; `false` where this is not inside.
pub fn inside() -> bool {
    let Ok(kind) = std::env::var(INSIDE) else { return false };
    let lab = lab().expect("a lab inside");
    let outer = lab.group(Some("outer"), &Limits::bytes(24 * MIB)).unwrap();
    let group = outer.child("inner", &Limits::default()).unwrap();
    let mut watch = outer.watch().unwrap();
    let hog = group.hog(&HogOptions::named("grower")).unwrap();
    let other = group.hog(&HogOptions::named("other")).unwrap();
    other.grow(Some(2 * MIB), LONG).unwrap();
    while hog.grow(Some(4 * MIB), LONG).unwrap().status == GrowStatus::Grew {}
    let outcome = hog.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::OomKilled, -9), "{kind}: {outcome:#?}");
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert_eq!(
        oom.victims.iter().map(|victim| victim.pid).collect::<Vec<_>>(),
        [hog.pid()],
        "{kind}: {}",
        oom.to_text()
    );
    assert_eq!(oom.limit_group.as_deref(), Some(outer.cgroup()), "{kind}: {}", oom.to_text());
    assert_eq!(oom.victims[0].group.as_deref(), Some(group.cgroup()), "{kind}: {}", oom.to_text());
    assert_eq!(oom.predicted_right(), Some(true), "{kind}: {}", oom.to_text());
    // What names processes as they are outside is used as far as it can be, and that is said.
    let foreign = oom.missing.iter().filter(|missing| missing.reason.contains("pid namespace")).count();
    assert_eq!(foreign, if kind == "pid" { 2 } else { 0 }, "{:?}", oom.missing);
    match &oom.report {
        Some(report) if report.invoker.is_some() => {
            assert_eq!((report.kills.len(), report.kills[0].pid), (1, hog.pid()), "{kind}: {}", oom.to_text());
            let rows: Vec<(i32, &[u8])> = report.tasks.iter().map(|row| (row.pid, row.comm.as_slice())).collect();
            assert_eq!(rows, [(hog.pid(), &b"grower"[..]), (other.pid(), b"other")], "{kind}: {}", oom.to_text());
            assert_eq!(oom.invoker.as_ref().map(|invoker| invoker.pid), Some(hog.pid()), "{kind}: {}", oom.to_text());
            assert!(oom.victims[0].sources.contains(&"kernel-log") && !oom.call_path.is_empty(), "{}", oom.to_text());
        }
        // The kernel prints ten in 5 seconds.
        _ => assert!(oom.missing.iter().any(|missing| missing.source == "report"), "{kind}: {}", oom.to_text()),
    }
    // A kill by hand is none, inside too.
    other.signal(libc::SIGKILL).unwrap();
    assert_eq!(other.wait(LONG).unwrap().verdict, Verdict::Killed, "{kind}");
    lab.close().unwrap();
    println!("inside: as it should be");
    true
}

//! A process without a free descriptor: a file that cannot be opened is not a group that has gone, nor a process that
//! was killed.

use std::fs::File;
use std::path::Path;

use memoom::{Command, EventKind, GrowStatus, HogOptions, Lab, LabOptions, Limits};
use nix::sys::resource::{getrlimit, setrlimit, Resource};

use super::common::{lab, LONG};
use super::visitor;

pub fn nothing_is_said_that_is_not_so() {
    let Some(lab) = lab() else { return };
    let base = lab.group(Some("base"), &Limits::default()).unwrap();
    visitor::run("no-descriptors", &["--mount"], "exec \"$@\"", base.path());
}

/// Whether the process is there, asked without a file.
fn lives(pid: i32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
}

fn pids(file: &Path) -> Vec<i32> {
    std::fs::read_to_string(file).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// Takes every descriptor that this process may still have.
struct Taken {
    files: Vec<File>,
    soft: u64,
}

impl Taken {
    fn all() -> Taken {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 128.min(soft), hard).unwrap();
        let mut files = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        Taken { files, soft }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.files.clear();
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, self.soft, hard).unwrap();
    }
}

pub fn inside(parent: &Path) -> String {
    let lab = Lab::with(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() }).unwrap();
    let group = lab.group(Some("short"), &Limits::bytes(24 << 20)).unwrap();
    let grower = group.hog(&HogOptions::named("grower")).unwrap();
    let kept = group.hog(&HogOptions::named("kept")).unwrap();
    let mut watch = group.watch().unwrap();
    let mut taken = Taken::all();
    // The notification of the kill comes, and the counters cannot be read.
    let mut last = GrowStatus::Grew;
    while last == GrowStatus::Grew {
        last = grower.grow(Some(4 << 20), LONG).unwrap().status;
    }
    assert_eq!(last, GrowStatus::Killed);
    while watch.next(std::time::Duration::from_millis(50)).unwrap().is_some() {}
    // Nobody is said to be killed who lives, nor a group to be removed that stands.
    let killed = group.kill();
    assert!(killed.is_err() && lives(kept.pid()), "{killed:?}");
    let removed = group.remove();
    assert!(removed.is_err(), "{removed:?}");
    assert!(lives(kept.pid()));
    // With each one more there may be enough for a part of a start.
    let started = loop {
        match group.command(&Command::new(["sleep", "1000"])) {
            Ok(worker) => break worker,
            Err(error) => assert_eq!(error.errno(), Some(nix::libc::EMFILE), "{error}"),
        }
        taken.files.pop().expect("a start takes fewer");
    };
    drop(taken);
    let mut inside: Vec<i32> = pids(&group.path().join("cgroup.procs"));
    inside.sort_unstable();
    let mut expected = [kept.pid(), started.pid()];
    expected.sort_unstable();
    assert_eq!(inside, expected, "a start that failed left somebody");
    let timeline = lab.timeline();
    let gone = timeline.events.iter().find(|event| matches!(event.kind, EventKind::Removed));
    assert!(gone.is_none(), "{gone:?}");
    assert!(group.path().exists() && !kept.ended());
    group.kill().unwrap();
    assert_eq!(kept.wait(LONG).unwrap().returncode, -9);
    group.remove().unwrap();
    assert!(!group.path().exists());
    lab.close().unwrap();
    "done".to_string()
}

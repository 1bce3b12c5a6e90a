//! A process without a free descriptor: a file that cannot be opened is not a group that has gone, nor a process that
//! was killed. And one that has closed descriptors which it did not know.
#![allow(unsafe_code)] // fork, close_range

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use memoom::{Command, EventKind, Group, GrowStatus, HogOptions, Lab, LabOptions, Limits};
use nix::libc;
use nix::sys::resource::{getrlimit, setrlimit, Resource};

use super::common::LONG;
use super::{life, visitor};

pub fn nothing_is_said_that_is_not_so() {
    visitor::run_apart("no-descriptors");
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
            Err(error) => assert_eq!(error.errno(), Some(libc::EMFILE), "{error}"),
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

pub fn what_a_daemon_opens_stays_open() {
    visitor::run_apart("daemon");
}

pub fn a_group_for_which_no_descriptor_is_left_is_not_begun() {
    visitor::run_apart("many-groups");
}

/// It makes and watches more groups than it may have descriptors for.
pub fn many_groups(parent: &Path) -> String {
    const OPEN: u64 = 160;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, OPEN, hard).unwrap();
    let lab = Lab::with(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() }).unwrap();
    let top = lab.group(Some("top"), &Limits::default()).unwrap();
    let mut made = Vec::new();
    let refused = loop {
        match top.child(format!("g{}", made.len()), &Limits::bytes(16 << 20)) {
            Ok(group) => made.push(group),
            Err(error) => break error,
        }
    };
    let told = |error: &memoom::Error| {
        let text = error.to_string();
        assert_eq!(error.errno(), Some(libc::EMFILE), "{text}");
        assert!(text.contains("each group takes two descriptors") && text.contains("RLIMIT_NOFILE"), "{text}");
    };
    told(&refused);
    // Two each, and a sixteenth for files that are kept open.
    assert!(made.len() as u64 > OPEN / 4, "only {} groups", made.len());
    for group in made.split_off(made.len() * 2 / 3) {
        group.remove().unwrap();
    }
    let dirs = std::fs::read_dir(top.path()).unwrap();
    let dirs = dirs.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(dirs, made.len(), "one is half made");
    let seen = Group::open(top.path()).unwrap();
    told(&seen.watch_recursive().map(drop).unwrap_err());
    setrlimit(Resource::RLIMIT_NOFILE, OPEN * 4, hard).unwrap();
    seen.watch_recursive().unwrap();
    drop(seen);
    lab.close().unwrap();
    "done".to_string()
}

pub fn what_takes_a_number_that_a_lab_held_stays_open() {
    visitor::run_apart("closed-stdin");
}

/// It has closed its standard input before the lab, and opens another one while that is there.
pub fn closed_stdin(parent: &Path) -> String {
    let what = || std::fs::read_link("/proc/self/fd/0").ok();
    // SAFETY: nobody of this process reads from it.
    assert_eq!(unsafe { libc::close(0) }, 0);
    let lab = Lab::with(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() }).unwrap();
    assert_eq!(what().as_deref(), Some(Path::new("/")), "nobody can read from it");
    let other = File::open("/dev/null").unwrap();
    // SAFETY: as a shell does it.
    assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), 0) }, 0);
    lab.close().unwrap();
    assert_eq!(what().as_deref(), Some(Path::new("/dev/null")));
    "done".to_string()
}

/// Between two labs it becomes a daemon: at first its child does, then it does so itself.
pub fn daemon(parent: &Path) -> String {
    let before = life::inside(parent);
    // SAFETY: nothing of this process waits in another thread; the child ends by itself.
    let child = unsafe { libc::fork() };
    let lost = without_what_was_open(parent, &before);
    if child == 0 {
        lost.iter().for_each(|lost| eprintln!("in the child {lost}"));
        // SAFETY: ends the child, and none of the parent's doings at exit.
        unsafe { libc::_exit(i32::from(!lost.is_empty())) };
    }
    let mut status = 0;
    // SAFETY: a child of ours.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(status == 0 && lost.is_empty(), "{status}, {lost:?}");
    "done".to_string()
}

/// Closes all beside 0 to 2, opens something else in its place, and has another lab; what has changed by that.
fn without_what_was_open(parent: &Path, before: &str) -> Vec<String> {
    // SAFETY: what is closed is used by nobody any more, as the labs say.
    assert_eq!(unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) }, 0);
    let files: Vec<File> = (0..64).map(|_| File::open("/dev/null").unwrap()).collect();
    let after = life::inside(parent);
    let is_there = |file: &File| std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok();
    let lost = files.iter().filter(|file| is_there(file).is_none_or(|what| what != Path::new("/dev/null")));
    let mut lost: Vec<String> = lost.map(|file| format!("{file:?} is {:?}", is_there(file))).collect();
    // What is not open any more must not be closed by its number.
    files.into_iter().for_each(std::mem::forget);
    lost.extend((before != after).then(|| format!("{after}, before {before}")));
    lost
}

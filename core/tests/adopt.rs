//! A group that somebody else keeps, borrowed: pressed from inside, and left as it was found, whoever dies.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{gone_by, kill, lab, LONG};
use memoom::{ErrorKind, Group, GrowStatus, HogOptions, Host, Limit, Limits, Version};

const MIB: u64 = 1 << 20;

/// A group that no lab has made, with a process of its keeper's in it.
struct Given {
    path: PathBuf,
    limit: &'static str,
    keeper: Child,
    /// What was switched on for it at the top.
    borrowed: Option<PathBuf>,
}

impl Given {
    /// None where this machine cannot have a lab either.
    fn new(name: &str) -> Option<Given> {
        let probe = lab()?;
        let version = probe.version();
        drop(probe);
        let mount = Host::probe().unwrap().mount.unwrap();
        let control = mount.join("cgroup.subtree_control");
        let lacks = |text: String| !text.split_whitespace().any(|one| one == "memory");
        let lacks_memory = version == Version::V2 && lacks(std::fs::read_to_string(&control).unwrap());
        if lacks_memory {
            std::fs::write(&control, "+memory").unwrap();
        }
        let path = mount.join(format!("given-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let (limit, enter) = match version {
            Version::V1 => ("memory.limit_in_bytes", "tasks"),
            Version::V2 => ("memory.max", "cgroup.procs"),
        };
        std::fs::write(path.join(limit), (256 * MIB).to_string()).unwrap();
        let keeper = Command::new("sleep").arg("1000").spawn().unwrap();
        std::fs::write(path.join(enter), keeper.id().to_string()).unwrap();
        Some(Given { path, limit, keeper, borrowed: lacks_memory.then_some(control) })
    }

    fn limit(&self) -> String {
        std::fs::read_to_string(self.path.join(self.limit)).unwrap().trim().to_string()
    }

    /// Everybody in it but the keeper's own process has gone, and the limit is the keeper's.
    fn is_as_it_was(&self) -> bool {
        let inside = std::fs::read_to_string(self.path.join("cgroup.procs")).unwrap();
        inside.trim() == self.keeper.id().to_string() && self.limit() == (256 * MIB).to_string()
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
        gone_by(Instant::now() + LONG, || self.path.exists() && std::fs::remove_dir(&self.path).is_err());
        if let Some(control) = &self.borrowed {
            let _ = std::fs::write(control, "-memory");
        }
    }
}

#[test]
fn a_given_group_is_pressed_and_left_as_it_was() {
    let Some(mut given) = Given::new("pressed") else { return };
    let error = Group::adopt(&given.path, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(error.to_string().contains("not delegated"), "{error}");

    let group = Group::adopt(&given.path, true).unwrap();
    assert!(group.is_adopted());
    let mut watch = group.watch().unwrap();
    group.set_limit(Limit::Bytes(32 * MIB)).unwrap();
    assert_eq!(given.limit(), (32 * MIB).to_string());
    let hog = group.hog(&HogOptions::named("pressing")).unwrap();
    let mut grow = hog.grow(None, LONG).unwrap();
    while grow.status == GrowStatus::Grew {
        grow = hog.grow(None, LONG).unwrap();
    }
    assert_eq!(grow.status, GrowStatus::Killed);
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert_eq!(oom.limit_group.as_deref(), Some(group.cgroup()), "{}", oom.to_text());
    assert!(oom.killed(hog.pid()), "{}", oom.to_text());
    assert!(hog.wait(LONG).unwrap().oom_killed);
    let second = group.hog(&HogOptions::named("second")).unwrap();
    group.give_back().unwrap();
    assert!(given.is_as_it_was());
    assert!(given.keeper.try_wait().unwrap().is_none());
    assert_eq!(second.grow(None, LONG).unwrap_err().kind(), ErrorKind::Closed);
    group.give_back().unwrap();
}

#[test]
fn what_only_the_keeper_may_do_is_refused() {
    let Some(given) = Given::new("kept") else { return };
    let group = Group::adopt(&given.path, true).unwrap();
    for (what, done) in [
        ("kill", group.kill()),
        ("remove", group.remove()),
        ("child", group.child("below", &Limits::default()).map(drop)),
        ("raise", group.set_limit(Limit::Bytes(512 * MIB))),
        ("no limit", group.set_limit(Limit::Max)),
    ] {
        assert_eq!(done.unwrap_err().kind(), ErrorKind::InvalidInput, "{what}");
    }
    drop(group);
    assert!(given.is_as_it_was());
    let lab = lab().unwrap();
    let ours = lab.group(Some("ours"), &Limits::default()).unwrap();
    assert_eq!(Group::adopt(ours.path(), true).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(ours.give_back().unwrap_err().kind(), ErrorKind::InvalidInput);
    lab.close().unwrap();
}

/// Not a test by itself: a host that has borrowed a group and waits to be killed.
#[test]
#[ignore = "started by the other tests"]
fn an_adopter() {
    let Ok(path) = std::env::var("MEMOOM_GIVEN") else { return };
    let group = Group::adopt(path, true).unwrap();
    group.set_limit(Limit::Bytes(64 * MIB)).unwrap();
    let hog = group.hog(&HogOptions::named("borrower")).unwrap();
    hog.grow(None, LONG).unwrap();
    println!("READY {}", hog.pid());
    let _ = hog.wait(Duration::from_secs(600));
}

/// That host, and the pid of its hog.
fn adopter(path: &Path) -> (Child, i32) {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program)
        .args(["--exact", "an_adopter", "--nocapture", "--include-ignored"])
        .env("MEMOOM_GIVEN", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.find_map(|line| line.unwrap().split_once("READY ").map(|(_, pid)| pid.parse().unwrap()));
    (child, ready.expect("its hog"))
}

fn parent_of(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn when_the_host_is_killed_everything_is_put_back() {
    let Some(given) = Given::new("host") else { return };
    let (mut host, _) = adopter(&given.path);
    assert_eq!(given.limit(), (64 * MIB).to_string());
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(gone_by(Instant::now() + LONG, || !given.is_as_it_was()), "the limit is {}", given.limit());
}

#[test]
fn when_the_supervisor_is_killed_the_host_puts_back() {
    let Some(given) = Given::new("supervisor") else { return };
    let group = Group::adopt(&given.path, true).unwrap();
    group.set_limit(Limit::Bytes(64 * MIB)).unwrap();
    let hog = group.hog(&HogOptions::named("borrower")).unwrap();
    kill(parent_of(hog.pid()));
    assert_eq!(hog.wait(LONG).unwrap_err().kind(), ErrorKind::Closed);
    group.give_back().unwrap();
    assert!(gone_by(Instant::now() + LONG, || !given.is_as_it_was()), "the limit is {}", given.limit());
}

//! Who stands beside the storm and must not feel it: a lab of this process, a lab of another one, and a tree of groups that
//! is no lab's.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use memoom::{Group, HogOptions, Lab, LabOptions, Limits, Version, Worker};

use super::activity;

const MIB: u64 = 1 << 20;

/// Whoever stands beside it. All of them are in one lab, which goes with this process.
pub struct Beside {
    outer: Lab,
    base: Group,
    lab: Lab,
    hog: Worker,
    ticker: Worker,
    canary: Group,
    sleeper: Worker,
    /// The other process, its lab, and its workers.
    other: Child,
    other_lab: PathBuf,
    other_pids: String,
    settings: Vec<(PathBuf, String)>,
}

impl Beside {
    pub fn new() -> Beside {
        let quiet = LabOptions { kernel_log: false, call_path: false, ..LabOptions::default() };
        let outer = Lab::with(&quiet).unwrap();
        let base = outer.group(Some("base"), &Limits::default()).unwrap();
        let canary = outer.group(Some("canary"), &Limits::default()).unwrap();
        let leaf = canary.child("leaf", &Limits::bytes(48 * MIB)).unwrap();
        let sleeper = leaf.command(&memoom::Command::new(["sleep", "100000"])).unwrap();
        let lab = Lab::with(&LabOptions { parent: Some(base.path().into()), ..quiet }).unwrap();
        let group = lab.group(Some("kept"), &Limits::bytes(32 * MIB)).unwrap();
        let hog = group.hog(&HogOptions::named("kept")).unwrap().worker().clone();
        let ticker = group.ticker("kept", Duration::from_millis(50)).unwrap();
        let mut other = copy("idle", base.path());
        let other_lab = PathBuf::from(first_line(&mut other));
        let mut beside = Beside {
            outer,
            base,
            lab,
            hog,
            ticker,
            canary: leaf,
            sleeper,
            other,
            other_pids: String::new(),
            other_lab,
            settings: Vec::new(),
        };
        beside.other_pids = beside.pids_of_the_other();
        assert!(!beside.other_pids.is_empty(), "the lab of the other process has no worker");
        beside.settings = beside.settings_now();
        beside
    }

    /// Where the hosts of the storm make their labs.
    pub fn base(&self) -> &Path {
        self.base.path()
    }

    /// The children of this process that are none of the storm's.
    pub fn children(&self) -> Vec<i32> {
        let other = i32::try_from(self.other.id()).unwrap();
        vec![self.outer.supervisor_pid(), self.lab.supervisor_pid(), other]
    }

    /// This program once more, told to do something of its own in the same place.
    pub fn start_a_copy(&self, role: &str) -> Child {
        copy(role, self.base())
    }

    fn pids_of_the_other(&self) -> String {
        fs::read_to_string(self.other_lab.join("kept/cgroup.procs")).unwrap_or_default()
    }

    /// What is set in the groups beside it.
    fn settings_now(&self) -> Vec<(PathBuf, String)> {
        let files: &[&str] = match self.outer.version() {
            Version::V1 => &["memory.limit_in_bytes", "memory.oom_control", "memory.swappiness", "cgroup.procs"],
            Version::V2 => &["memory.max", "memory.high", "memory.oom.group", "cgroup.freeze", "cgroup.procs"],
        };
        let groups = [self.canary.path(), self.hog.group().path(), &self.other_lab.join("kept")];
        let files = groups.iter().flat_map(|group| files.iter().map(|file| group.join(file)));
        files.map(|file| (file.clone(), fs::read_to_string(&file).unwrap_or_default())).collect()
    }

    /// What has been touched of it.
    pub fn touched(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for (what, worker) in [("hog", &self.hog), ("ticker", &self.ticker), ("canary", &self.sleeper)] {
            if worker.ended() {
                found.push(format!("the {what} beside it has ended: {:?}", worker.wait(Duration::ZERO)));
            }
        }
        if let Some(status) = self.other.try_wait().unwrap() {
            found.push(format!("the other process has ended: {status}"));
        }
        if self.pids_of_the_other() != self.other_pids {
            found.push("the workers of the other process are others".to_string());
        }
        let now = self.settings_now();
        for (before, now) in self.settings.iter().zip(&now).filter(|(before, now)| before != now) {
            found.push(format!("{}: {:?} is {:?} now", before.0.display(), before.1, now.1));
        }
        found
    }

    /// Ends it, and shows that it has lived until then.
    pub fn end(mut self) {
        let ticks = self.ticker.ticks();
        assert!(ticks > 0, "the ticker beside it has not ticked");
        drop(self.other.stdin.take());
        assert!(self.other.wait().unwrap().success());
        self.lab.close().unwrap();
        self.outer.close().unwrap();
    }
}

fn copy(role: &str, base: &Path) -> Child {
    Command::new("/proc/self/exe")
        .env(activity::ROLE, role)
        .env(activity::BASE, base)
        // What it could leave behind is an instance of tracefs, which is made where perf_event_open is not to be had.
        .envs((role == "observe").then_some(("MEMOOM_TRACE", "instance")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a copy says when it is ready.
pub fn first_line(copy: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(copy.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_string()
}

//! What a face must offer, and the plain values in which every face answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a call failed.
#[derive(Debug)]
pub struct Failure {
    pub kind: String,
    pub message: String,
    pub errno: i32,
}

pub type Got<T> = Result<T, Failure>;

/// The settings of a group. `None` leaves alone; `Some(None)` is "no limit".
#[derive(Clone, Copy, Default)]
pub struct Settings {
    pub limit: Option<Option<u64>>,
    pub high: Option<Option<u64>>,
    pub oom_group: Option<bool>,
    pub oom_killer: Option<bool>,
}

impl Settings {
    pub fn bytes(limit: u64) -> Settings {
        Settings { limit: Some(Some(limit)), ..Settings::default() }
    }
}

/// The answer to a step: "grew", "short", "killed" or "blocked".
#[derive(Debug, PartialEq)]
pub struct Step {
    pub status: String,
    pub step_bytes: u64,
    pub taken_bytes: u64,
    pub errno: i32,
    pub total_bytes: u64,
    pub blocked_state: Option<char>,
}

#[derive(Debug, Default, PartialEq)]
pub struct Counters {
    pub usage_bytes: Option<u64>,
    pub oom_kill: Option<u64>,
    pub oom_group_kill: Option<u64>,
    pub failcnt: Option<u64>,
    pub max: Option<u64>,
    pub under_oom: Option<u64>,
    pub oom_kill_disable: Option<u64>,
}

#[derive(Debug)]
pub struct Happened {
    pub time_ns: u64,
    pub source: String,
    pub kind: String,
    pub pid: Option<i32>,
    pub json: String,
}

#[derive(Debug)]
pub struct Blocked {
    pub pid: i32,
    pub state: char,
    pub wchan: Option<String>,
    pub stack: Vec<String>,
}

/// An account, field by field.
#[derive(Debug)]
pub struct Account {
    pub limit_group: Option<String>,
    pub limit_bytes: Option<u64>,
    pub usage_before: Option<u64>,
    pub usage_after: Option<u64>,
    pub invoker: Option<i32>,
    pub predicted: Option<(i32, String, i64)>,
    pub predicted_right: Option<bool>,
    /// pid, name, score, eligible.
    pub candidates: Vec<(i32, String, i64, bool)>,
    /// pid, name, cause.
    pub victims: Vec<(i32, String, String)>,
    pub chosen: Option<i32>,
    pub before: Counters,
    pub after: Counters,
    /// The pids that the kernel's report says were killed.
    pub report_kills: Option<Vec<i32>>,
    pub functions: Vec<String>,
    pub steps: Vec<String>,
    pub blocked: Vec<Blocked>,
    pub disagreements: Vec<(String, Option<String>)>,
    pub missing: Vec<String>,
    pub victim_marked_ns: Option<u64>,
    pub json: String,
    pub text: String,
}

impl Account {
    pub fn killed(&self, pid: i32) -> bool {
        self.victims.iter().any(|(victim, ..)| *victim == pid)
    }
}

#[derive(Debug)]
pub struct Ended {
    pub verdict: String,
    pub oom_killed: bool,
    pub returncode: i32,
    pub pid: i32,
    pub ooms: Vec<Account>,
    /// Whether the account of the OOM that killed it is among them.
    pub has_own_oom: bool,
    pub evidence: Vec<(String, String)>,
    pub json: String,
}

pub struct Predicted {
    pub pid: Option<i32>,
    pub candidates: Vec<(i32, String, i64, bool)>,
}

/// Where a command's standard output goes: to the caller's, or to nowhere.
#[derive(Clone, Copy, PartialEq)]
pub enum Output {
    Inherit,
    Null,
}

/// How fast a hog grows, and until when.
#[derive(Default)]
pub struct At<'a> {
    pub rate: Option<u64>,
    pub total: Option<u64>,
    pub below: Option<u64>,
    pub until: Option<&'a str>,
}

/// How that ended: "total", "below", "event" or "step".
#[derive(Debug)]
pub struct Arrived {
    pub stop: String,
    pub steps: u64,
    pub total_bytes: u64,
    pub status: Option<String>,
}

pub trait Face {
    type Lab;
    type Group;
    type Worker;
    type Watch;

    fn lab() -> Got<Self::Lab>;
    fn lab_below(parent: &Path) -> Got<Self::Lab>;
    fn version(lab: &Self::Lab) -> u32;
    fn lab_path(lab: &Self::Lab) -> PathBuf;
    fn available_bytes() -> u64;
    fn close(lab: &Self::Lab) -> Got<()>;
    /// The kinds of the events, and the document.
    fn timeline(lab: &Self::Lab) -> Got<(Vec<String>, String)>;

    fn group(lab: &Self::Lab, name: &[u8], settings: &Settings) -> Got<Self::Group>;
    fn child(group: &Self::Group, name: &[u8], settings: &Settings) -> Got<Self::Group>;
    fn open(path: &Path) -> Got<Self::Group>;
    fn group_name(group: &Self::Group) -> String;
    fn group_path(group: &Self::Group) -> PathBuf;
    fn cgroup(group: &Self::Group) -> String;
    fn limit(group: &Self::Group) -> Got<Option<u64>>;
    fn set_limit(group: &Self::Group, limit: Option<u64>) -> Got<()>;
    fn set_high(group: &Self::Group, high: Option<u64>) -> Got<()>;
    fn oom_killer(group: &Self::Group) -> Got<bool>;
    fn set_oom_killer(group: &Self::Group, on: bool) -> Got<()>;
    fn oom_group(group: &Self::Group) -> Got<bool>;
    fn set_oom_group(group: &Self::Group, on: bool) -> Got<()>;
    fn usage(group: &Self::Group) -> Got<u64>;
    fn peak(group: &Self::Group) -> Got<Option<u64>>;
    fn counters(group: &Self::Group) -> Got<Counters>;
    fn processes(group: &Self::Group) -> Got<Vec<i32>>;
    fn predict(group: &Self::Group) -> Got<Predicted>;
    fn kill_group(group: &Self::Group) -> Got<()>;
    fn remove(group: &Self::Group) -> Got<()>;
    fn sample(group: &Self::Group) -> Got<()>;
    /// The directories of the groups that are there.
    fn groups(lab: &Self::Lab) -> Got<Vec<PathBuf>>;

    fn hog(group: &Self::Group, name: &str) -> Got<Self::Worker>;
    fn hog_with(group: &Self::Group, name: &str, kind: &str, step: u64, oom_score_adj: i32) -> Got<Self::Worker>;
    fn hog_of(group: &Self::Group, kind: &str, pattern: &str, directory: Option<&Path>) -> Got<Self::Worker>;
    fn ticker(group: &Self::Group, name: &str, every: Duration) -> Got<Self::Worker>;
    fn ticker_scored(group: &Self::Group, name: &str, oom_score_adj: i32) -> Got<Self::Worker>;
    fn command(group: &Self::Group, argv: &[&str], env: Option<&[&str]>, output: Output) -> Got<Self::Worker>;
    fn pid(worker: &Self::Worker) -> i32;
    fn worker_name(worker: &Self::Worker) -> String;
    fn state(worker: &Self::Worker) -> Got<char>;
    fn ended(worker: &Self::Worker) -> bool;
    fn ticks(worker: &Self::Worker) -> u64;
    fn signal(worker: &Self::Worker, signal: i32) -> Got<()>;
    fn kill(worker: &Self::Worker) -> Got<()>;
    fn wait(worker: &Self::Worker, timeout: Duration) -> Got<Ended>;
    fn grow(worker: &Self::Worker, size: Option<u64>, timeout: Duration) -> Got<Step>;
    fn finish(worker: &Self::Worker, timeout: Duration) -> Got<Step>;
    fn pace(worker: &Self::Worker, at: &At<'_>, timeout: Duration) -> Got<Arrived>;
    fn shrink(worker: &Self::Worker, size: u64, timeout: Duration) -> Got<u64>;

    fn watch(group: &Self::Group) -> Got<Self::Watch>;
    fn watch_fd(watch: &Self::Watch) -> i32;
    fn next(watch: &mut Self::Watch, timeout: Duration) -> Got<Option<Happened>>;
    fn wait_oom(watch: &mut Self::Watch, timeout: Duration) -> Got<Option<Account>>;

    fn run(argv: &[&str], limit: u64, timeout: Option<Duration>) -> Got<Ended>;
    fn parse_size(text: &str) -> Got<Option<u64>>;
}

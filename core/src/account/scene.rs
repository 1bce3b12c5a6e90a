//! What the collector asks of the world. The hub answers it of this machine; whoever else can answer gets the same accounts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::oom::SwapUse;
use super::sign::Whose;
use super::victim::Input;
use crate::memcg::contents::{Below, Contents};
use crate::memcg::version::Version;
use crate::memcg::workload::Named;
use crate::memcg::{Counters, Limit};
use crate::observe::missing::Missing;

/// A group that is observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupSeen {
    /// Its path as the kernel writes it.
    pub(crate) cgroup: String,
    pub(crate) version: Version,
    /// It has gone, and its counters with it, and on v1 nothing more will be heard of it.
    pub(crate) removed: bool,
}

/// A worker, as far as its life is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WorkerSeen {
    pub(crate) id: u64,
    pub(crate) pid: i32,
    #[serde(serialize_with = "crate::text::bytes", deserialize_with = "crate::text::from_bytes")]
    pub(crate) name: Vec<u8>,
    /// What runs it, where it is a script.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::text::maybe_bytes",
        deserialize_with = "crate::text::maybe_from_bytes"
    )]
    pub(crate) interpreter: Option<Vec<u8>>,
    pub(crate) group: String,
    pub(crate) oom_score_adj: i16,
    /// It runs our own program: a hog or a ticker.
    #[serde(default)]
    pub(crate) is_ours: bool,
    /// A child of this process, which the supervisor does not reap.
    pub(crate) forked: bool,
    /// Its status as subprocess has it, and when it was reaped.
    pub(crate) exit: Option<(i32, u64)>,
    pub(crate) killed_by_us: bool,
    /// Whether somebody other than the OOM killer was seen to send it SIGKILL; null where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kill_sent: Option<bool>,
    /// Nobody will ever tell of its end.
    pub(crate) abandoned: bool,
}

impl WorkerSeen {
    /// Whether nothing more is to be heard of it.
    pub(crate) fn is_over(&self) -> bool {
        self.exit.is_some() || self.abandoned
    }
}

/// The questions of the collector. Groups are named by their paths, processes by their pids.
pub(crate) trait Scene {
    /// CLOCK_MONOTONIC at this moment.
    fn now_ns(&self) -> u64;

    /// Bytes of a page.
    fn page_bytes(&self) -> u64;

    /// CPUs that are online.
    fn cpus(&self) -> u64;

    /// The groups that are observed, in the order in which they came. There may be thousands, so the list is shared.
    fn groups(&self) -> Arc<Vec<GroupSeen>>;

    /// A group and those above it that memoom made or watches, innermost first.
    fn chain(&self, cgroup: &str) -> Vec<String>;

    /// The counters of a group now, or at its end; the reason where they cannot be read.
    fn counters(&self, cgroup: &str) -> Result<Counters, String>;

    /// The groups directly below it now; none where they cannot be read.
    fn below(&self, cgroup: &str) -> Vec<Below>;

    /// What swap it may use beyond its limit, without what it uses; `None` where that cannot be read.
    fn swap(&self, cgroup: &str) -> Option<SwapUse>;

    /// What people call the container or the pod behind it; `None` where no state that can be read tells.
    fn named(&self, cgroup: &str) -> Option<Named>;

    /// What it holds now.
    fn contents(&self, cgroup: &str) -> Option<Contents>;

    /// Its limit now, or at its end; the reason where it cannot be read.
    fn limit(&self, cgroup: &str) -> Result<Limit, String>;

    /// Whether it has `memory.oom.group` set, or had when it was last looked at.
    fn oom_group(&self, cgroup: &str) -> bool;

    /// Whether it has a process that the kernel would kill with the group, and that still lives.
    fn has_left(&self, cgroup: &str) -> bool;

    /// The processes of it and of those below it, in the order of the kernel's scan; none where they cannot be read.
    fn living(&self, cgroup: &str) -> Vec<Input>;

    /// The proportional share of a process, which is dear to read.
    fn pss_bytes(&self, pid: i32) -> Option<u64>;

    /// The workers, in the order in which they were started.
    fn workers(&self) -> Vec<WorkerSeen>;

    /// Whether a process descended from our workers and was reaped by the supervisor.
    fn is_orphan(&self, pid: i32) -> bool;

    /// The evidence that cannot be had at all.
    fn missing(&self) -> Vec<Missing>;

    /// Keeps hold of a process, so that its end shows; `false` where it has gone already, or is no process.
    fn follow(&self, pid: i32) -> bool;

    /// Whether a process that is followed has ended.
    fn has_ended(&self, pid: i32) -> bool;

    /// Nobody asks about it any more.
    fn let_go(&self, pid: i32);

    /// In whose group a process stands that was marked at that time.
    fn whose(&self, pid: i32, time_ns: u64) -> Whose;

    /// The group in which a process stands, whosever that is.
    fn group_of(&self, pid: i32) -> Option<String>;

    /// The process of a thread, while that is there.
    fn process_of(&self, thread: i32) -> Option<i32>;

    /// The name of a process; empty where it has gone.
    fn comm_of(&self, pid: i32) -> Vec<u8>;

    /// When each report began that the kernel log still holds, in microseconds of its clock; empty where it cannot be
    /// read.
    fn reports_begun(&self) -> Vec<u64>;

    /// Whether a process has ended or is on its way out.
    fn is_ending(&self, pid: i32) -> bool;

    /// Whether a process has SIGKILL and is not reaped yet.
    fn is_dying(&self, pid: i32) -> bool;
}

/// The newest worker of that pid.
pub(crate) fn worker(scene: &dyn Scene, pid: i32) -> Option<WorkerSeen> {
    scene.workers().into_iter().rev().find(|worker| worker.pid == pid)
}

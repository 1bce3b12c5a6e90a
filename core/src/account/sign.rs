//! What the collector is told. All that it knows comes in as one of these, or as an answer of the [`Scene`](super::scene).

use serde::{Deserialize, Serialize};

use super::oom::{Blocked, Oom};
use super::scope::Scope;
use super::victim::Input;
use crate::memcg::contents::{Below, Contents};
use crate::memcg::Counters;
use crate::observe::kmsg::Record;
use crate::observe::missing::SourceName;
use crate::observe::trace::TraceVictim;

/// One thing that was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sign {
    /// From now on growth is told; `whole` says that nobody can have had anything before.
    Begins { whole: bool },
    /// A worker was started, and holds nothing of the group yet.
    Started {
        pid: i32,
        #[serde(serialize_with = "crate::text::bytes", deserialize_with = "crate::text::from_bytes")]
        comm: Vec<u8>,
        cgroup: String,
        started_ns: u64,
    },
    /// All processes of a group and of those below it were looked at.
    Looked { cgroup: String, inputs: Vec<Input>, time_ns: u64 },
    /// What a group holds was looked at.
    Sampled { cgroup: String, contents: Contents },
    /// Something comes that may lead to an OOM of a group, or of one above it; and whom the kernel would take then.
    Before { cgroup: String, scope: Option<Box<Scope>> },
    /// A group is observed from now on: what it has counted before is none of ours.
    Met { cgroup: String, counters: Option<Counters> },
    /// A group was made while we watched: whatever it counts has happened since.
    Began { cgroup: String, counters: Option<Counters> },
    /// A group has gone; another one may get its name.
    Forgotten { cgroup: String },
    /// The step of a process is over: what was predicted for it says nothing of later OOMs.
    Stepped { pid: i32, end_ns: u64 },
    /// The kernel has notified of a group, and this is what it held just then.
    Held {
        cgroup: String,
        contents: Contents,
        #[serde(default)]
        below: Vec<Below>,
    },
    /// A group of v1 has rung: the kernel is about to kill.
    Rang,
    /// The counters of some group have moved, or a process has ended.
    Moved,
    /// Those of that group have, or a process of it has ended; or it may be one of those below it too.
    Stirred { cgroup: String, below: bool },
    /// The tracepoint and the log are read from now on.
    Reading,
    /// A thread and its process.
    Thread { thread: i32, process: i32 },
    /// The tracepoint has marked a victim.
    Traced { victim: Box<TraceVictim>, whose: Whose },
    /// A process has told its parent that a signal has ended it, and stood in that group then; or `by_parent`: the parent
    /// stands there.
    Stood { pid: i32, cgroup: String, by_parent: bool, time_ns: u64 },
    /// The OOM killer sent SIGKILL to a process: to a victim, which it marks then, or to one with the victim's memory.
    Signalled {
        pid: i32,
        #[serde(serialize_with = "crate::text::bytes", deserialize_with = "crate::text::from_bytes")]
        comm: Vec<u8>,
        /// The thread in whose charge it did.
        invoker: i32,
        time_ns: u64,
        whose: Whose,
    },
    /// Records of a source were overwritten before they could be read.
    Lost {
        #[serde(deserialize_with = "crate::observe::missing::source")]
        source: SourceName,
        count: u64,
    },
    /// New records of the kernel log, and those that are kept are to be looked through again.
    Logged { records: Vec<Record> },
    /// A group has gone that rang so often (v1): what nobody could place may be its own.
    Gone { cgroup: String, rung: u64 },
    /// Nobody will ask again whose kills are: of that group, whose accounts wait for nothing more, or of any.
    Concludes { cgroup: Option<String> },
    /// The accounts of that group are complete.
    Concluded,
    /// Who has ended by now is to be looked at.
    Seal,
    /// What is complete is to be given back.
    Settle,
    /// A process waits in an OOM of a group.
    Blocked { cgroup: String, blocked: Blocked },
}

/// In whose group a process stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Whose {
    /// In an observed group.
    Ours(String),
    /// In one of ours, nobody knows which: an orphan of one of our workers.
    OursSomewhere,
    /// In another.
    Strangers,
    /// It descends from nobody of a lab's, and where it stands nobody can say: it is in its exit.
    Unrelated,
    /// It has gone already.
    Unknown,
}

/// What the collector says to it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Accounts that are complete.
    pub(crate) ooms: Vec<Oom>,
    /// Records of the log that tell of our groups, each with its group; each record once.
    pub(crate) records: Vec<(Option<String>, Record)>,
}

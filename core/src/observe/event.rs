//! One thing that happened: when, by whose word, where, and what.

use serde::Serialize;

use super::author::KilledBy;
use super::callpath::Frame;
use crate::memcg::Counters;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Source {
    /// memoom itself: what it did, such as starting a worker or setting a limit.
    Memoom,
    /// The worker, over its channel: steps and ticks.
    Worker,
    /// The supervisor, which reaps: exits.
    Supervisor,
    /// The group's files: the v1 eventfd of `memory.oom_control`, v2 `memory.events`, the counters.
    Counters,
    /// `/dev/kmsg`.
    KernelLog,
    /// The tracepoints of tracefs: `oom/mark_victim`, `signal/signal_generate`, `signal/signal_deliver`.
    Tracefs,
    /// `/proc/PID`: state, wait channel, stack.
    Procfs,
}

impl Source {
    /// The name of every source, in the order in which this type has them. The C face tells them to its readers.
    pub const NAMES: [&'static str; 7] =
        ["memoom", "worker", "supervisor", "counters", "kernel-log", "tracefs", "procfs"];

    /// The name as it stands in documents.
    pub fn name(self) -> &'static str {
        Source::NAMES[self as usize]
    }
}

/// One thing that happened in a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "schema", rename = "memoom.event/1")]
pub struct Event {
    /// When, in nanoseconds of CLOCK_MONOTONIC; the kernel's own stamp where the source has one.
    pub time_ns: u64,
    /// Who said it.
    pub source: Source,
    /// The group, as the kernel writes its path; `None` for what concerns no group.
    pub group: Option<String>,
    /// The process concerned.
    pub pid: Option<i32>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// The form of this document.
    pub const SCHEMA: &'static str = "memoom.event/1";

    /// The event as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A worker is ready in its group.
    Started {
        /// Its name, as the kernel shows it.
        name: String,
    },
    /// A hog was told to take a step.
    Stepping {
        /// Bytes of the step.
        step_bytes: u64,
    },
    /// A hog has taken a step and touched every page of it.
    Stepped {
        /// Bytes of the step.
        step_bytes: u64,
        /// Bytes that it holds now.
        total_bytes: u64,
    },
    /// A hog has given memory back.
    Shrunk {
        /// Bytes given back.
        step_bytes: u64,
        /// Bytes that it holds now.
        total_bytes: u64,
    },
    /// A hog's step failed in a system call.
    StepFailed {
        /// The errno.
        errno: i32,
    },
    /// A ticker reports that it is alive.
    Ticked {
        /// Ticks so far.
        count: u64,
    },
    /// A process ended.
    Exited {
        /// Its status as subprocess has it: negative for a signal.
        returncode: i32,
    },
    /// The kernel notified of an OOM (v1), or `memory.events` changed (v2). A wake alone proves nothing; the counters
    /// say what it was.
    Notified {
        /// The counters at that moment.
        counters: Box<Counters>,
    },
    /// Who would be killed if the step met the limit.
    Predicted {
        /// The name of the predicted victim.
        comm: String,
        /// Its score in pages.
        score: i64,
    },
    /// The kernel marked a victim.
    Victim {
        /// Its name, where this kernel says it.
        comm: Option<String>,
        /// The process in whose charge the kernel chose.
        invoker_pid: i32,
        /// Its name.
        invoker_comm: String,
        /// The kernel functions on the way, innermost first.
        call_path: Vec<Frame>,
    },
    /// A process was ended by a signal: SIGKILL was sent to it, or another signal took effect that ends it.
    Killed {
        /// Its name, where a source tells.
        comm: Option<String>,
        /// How it is known that it stood in the group: `procfs`, `seen` (it was seen there before), or, where it had gone
        /// before it could be looked at, `tracefs` (by what it told its parent of its end; v2 from 5.7), else `sender` (who sent
        /// the signal stands there) or `parent` (its parent does).
        placed_by: &'static str,
        /// Who sent it.
        killed_by: Box<KilledBy>,
    },
    /// A record of the kernel log that belongs to the group.
    Log {
        /// Its number in the log.
        sequence: u64,
        /// Its text.
        text: String,
    },
    /// A process waits in the OOM, as the killer is off.
    Blocked {
        /// Its state, D.
        state: char,
        /// The wait channel.
        wchan: Option<String>,
        /// The kernel stack, innermost first.
        stack: Vec<Frame>,
    },
    /// A sample of the usage.
    Usage {
        /// Bytes charged.
        usage_bytes: u64,
    },
    /// A sample of what a process holds; 0 when it has gone.
    Share {
        /// Its name at that moment.
        comm: String,
        /// Bytes resident: anonymous, file and shared pages.
        rss_bytes: u64,
        /// Bytes swapped out.
        swap_bytes: u64,
    },
    /// The hard limit was set.
    Limit {
        /// Bytes; null for none.
        limit_bytes: Option<u64>,
    },
    /// A switch was set.
    Switch {
        /// `oom_killer` or `oom_group`.
        name: String,
        /// On or off.
        on: bool,
    },
    /// Another file of the group was written.
    Setting {
        /// The file, such as `memory.low`.
        file: String,
        /// What was written.
        value: String,
    },
    /// An alarm of the group went off.
    Alarm {
        /// The alarm as it was set, such as `threshold 41943040` or `some 150000 1000000`.
        alarm: String,
        /// Bytes charged at that moment.
        usage_bytes: u64,
    },
    /// The group was removed.
    Removed,
    /// Something was lost: records of the log overwritten, events of the trace dropped.
    Lost {
        /// How many, as far as known.
        count: u64,
    },
}

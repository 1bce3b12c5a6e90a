//! The kernel's OOM report, read from a log: any kernel from 3.10 on, raw `/dev/kmsg` records or the text that
//! dmesg, journald, syslog, a serial console or a mail made of them.
//!
//! The parser is total. It never fails and never panics: lines it does not know are skipped, and what a report
//! lacks is named in its [`missing`](Report::missing). Time and memory grow linearly with the input.
//!
//! What the kernel prints is not what the kernel did: of more than ten OOMs in five seconds only the
//! `Killed process` lines are printed, fragments of a line may be interleaved with other lines, and long paths are
//! cut. Counters (`memory.events`) are the truth about numbers; a report explains.

mod again;
mod anchor;
mod assemble;
mod blanks;
mod clock;
mod coded;
mod consumers;
mod counters;
mod csv;
mod draft;
mod dress;
mod edge;
mod fill;
mod finish;
mod fold;
mod joined;
mod json;
mod kill;
mod line_kind;
mod lines;
mod listing;
mod log;
mod mem_info;
mod mem_read;
mod page;
mod panic;
mod parse;
mod parts;
mod pieces;
mod place;
mod plain;
mod program;
mod raw;
mod reader;
mod reflow;
mod scan;
mod seen;
mod shape;
mod show;
mod source;
mod stream;
mod sum_up;
mod table;
mod trace;
mod turn;
mod unpack;
mod usage;
mod value;
mod whole;
mod why;
mod wide;

use serde::Serialize;

use super::finding::Finding;
use super::kmsg::Record;
pub use crate::memcg::Stat;
use crate::memcg::Workload;
use crate::observe::missing::Missing;
pub use consumers::Consumer;
pub use log::ReportLog;
pub use mem_info::{FreeBlocks, HugePages, MemInfo, Node, Slab, Zone};
pub use reader::ReportReader;
pub use usage::{GroupStat, Protection, Usage};

/// Every OOM report in a log, in the order of their first lines; those of several hosts at once in the order of their last.
///
/// The shape of the log is found line by line: `/dev/kmsg` records; dmesg plain, `-T`, `-x`, `-r`, `-S`, coloured; journalctl's
/// short formats; syslog files and RFC 5424; consoles with carriage returns; kubectl and container loggers; JSON objects
/// (journalctl -o json, docker, collectors); quoted and wrapped mail; the source of a web page; UTF-16; bare text. What a logger
/// of another form puts around its lines is learnt from those that are beyond doubt. Other programs' lines are left out.
pub fn parse_reports(input: &[u8]) -> Vec<Report> {
    let mut assembler = assemble::Assembler::default();
    stream::lines(input, |line| assembler.feed(line));
    assembler.finish()
}

/// The same for records that were read live. Records whose facility is not the kernel's are left out.
pub fn parse_records(records: &[Record]) -> Vec<Report> {
    let mut assembler = assemble::Assembler::default();
    for line in records.iter().map(stream::of_record) {
        assembler.feed(&line);
    }
    assembler.finish()
}

/// The document `memoom.reports/1`: `{"schema":"memoom.reports/1","reports":[…]}`, on one line.
pub fn reports_to_json(reports: &[Report]) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        reports: &'a [Report],
    }
    crate::text::json(&Document { schema: "memoom.reports/1", reports })
}

/// One OOM as the kernel reported it.
///
/// What the log does not hold is `None` (JSON null) or empty, and named in [`missing`](Report::missing). Names and
/// paths are bytes; JSON shows them with `\xNN` for what is not printable ASCII, and for the backslash.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "schema", rename = "memoom.report/1")]
#[non_exhaustive]
pub struct Report {
    /// The kernel's release, from `CPU: … Not tainted 6.1.0-50 …`.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub release: Option<Vec<u8>>,
    /// Whose memory was out: a cgroup's or the machine's. From the names of the groups and the heading of the kill
    /// line, not from `constraint`, which 5.0 prints wrongly.
    pub scope: Option<Scope>,
    /// The kernel's clock at the first line, in microseconds since boot.
    pub time_usec: Option<u64>,
    /// The calendar time of the first line, as the logger printed it.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub logged_at: Option<Vec<u8>>,
    /// The number of the first `/dev/kmsg` record.
    pub first_sequence: Option<u64>,
    /// The number of the last `/dev/kmsg` record.
    pub last_sequence: Option<u64>,
    /// The task whose allocation failed, from `… invoked oom-killer: …`.
    pub invoker: Option<Invoker>,
    /// The CPU it ran on, from `CPU: 0 …`.
    pub cpu: Option<u32>,
    /// `CONSTRAINT_MEMCG` and its like, from `oom-kill:constraint=` (since 5.0).
    pub constraint: Option<String>,
    /// The allocation's node mask as printed, `(null)` when there was none.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub nodemask: Option<Vec<u8>>,
    /// The invoker's cpuset: the name of its leaf group, not a path.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub cpuset: Option<Vec<u8>>,
    /// The memory nodes that the cpuset allows, as printed.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub mems_allowed: Option<Vec<u8>>,
    /// The group whose limit was hit, as a path from the root of the hierarchy. From `oom_memcg=`, before 5.0 from
    /// `… as a result of limit of …`, without a victim from `Memory cgroup stats for …:`.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub oom_memcg: Option<Vec<u8>>,
    /// The victim's group. From `task_memcg=`; before 5.0 `Task in … killed`, the group of the task that was chosen.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub task_memcg: Option<Vec<u8>>,
    /// The task that was chosen, from `task=…,pid=…,uid=…`, before 5.0 from `Kill process …`.
    pub chosen: Option<Chosen>,
    /// `memory: usage …kB, limit …kB, failcnt …`
    pub memory: Option<Usage>,
    /// `swap: usage …` (cgroup v2).
    pub swap: Option<Usage>,
    /// `memory+swap: usage …` (cgroup v1).
    pub memory_swap: Option<Usage>,
    /// `kmem: usage …` (cgroup v1).
    pub kmem: Option<Usage>,
    /// The group's statistics in the kernel's own names and units: bytes, pages or events as memory.stat documents
    /// them. The `name:…KB` values of kernels up to 5.2 are converted to bytes.
    pub stat: Stat,
    /// Up to 5.2 on cgroup v1: the statistics of the groups below, in the order printed.
    pub stats: Vec<GroupStat>,
    /// Whether the kernel cut the statistics (5.3 to 6.4 print them as one record of limited length).
    pub stat_truncated: bool,
    /// The protection of the group's children that was in use (since 6.19).
    pub protection: Option<Protection>,
    /// The task table; empty with vm.oom_dump_tasks=0.
    pub tasks: Vec<Task>,
    /// The page of the machine that wrote the log, in bytes: the table counts in pages what the kill line of the same
    /// process has in kB. Absent where the two do not stand together.
    pub page_bytes: Option<u64>,
    /// `Kill process … score … or sacrifice child` (before 5.1).
    pub sacrifice: Option<Sacrifice>,
    /// The processes killed, in the order printed, each once.
    pub kills: Vec<Kill>,
    /// Processes killed because they share the victim's memory (before 4.2 `Kill process … sharing same memory`).
    pub shared_memory: Vec<Process>,
    /// Processes that could not be killed although they hold a victim's memory, from `… has mm pinned by …`.
    pub pinned: Vec<Process>,
    /// Victims spared because they were ending anyway, from `OOM victim … is already exiting`.
    pub already_exiting: Vec<Process>,
    /// The group that was killed as a whole, from `Tasks in … are going to be killed due to memory.oom.group set`.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub group_kill: Option<Vec<u8>>,
    /// Whether the kernel found nobody to kill.
    pub no_killable: bool,
    /// The invoker's call trace, innermost function first.
    pub call_trace: Vec<TraceFrame>,
    /// What the reaper said about the victims, perhaps seconds later.
    pub reaper: Vec<Reaped>,
    /// How many reports the kernel left out before this one, on the whole machine, from `… callbacks suppressed`.
    pub suppressed_before: Option<u64>,
    /// The state of the machine's memory, where the machine ran out of it.
    pub mem_info: Option<MemInfo>,
    /// What is behind the path of the group whose limit was hit: a pod, a container, a job, a unit; `None` where the path
    /// does not tell.
    pub workload: Option<Workload>,
    /// The same of the victim's group.
    pub victim_workload: Option<Workload>,
    /// Who held the memory, the largest first: the largest processes, and each kind of memory that no process holds.
    pub consumers: Vec<Consumer>,
    /// What it means: why memory ran out, and what can be done; the most telling first.
    pub findings: Vec<Finding>,
    /// The answer in a few sentences: what ran out and why, who held it, why this one was killed.
    pub summary: Option<String>,
    /// What is not in this report, and why. The sources are fields of the report; `report` is all but the kill, `log`
    /// records lost between its lines.
    pub missing: Vec<Missing>,
    /// The kernel's lines, joined by newlines, control characters escaped as in `/dev/kmsg`.
    pub text: String,
}

impl Task {
    /// The process of the thread that the row names.
    pub(crate) fn process(&self) -> i32 {
        self.tgid.unwrap_or(self.pid)
    }
}

impl Report {
    /// The process of a thread, as far as the task table tells.
    pub(crate) fn process_of(&self, thread: i32) -> Option<i32> {
        self.tasks.iter().find(|task| task.pid == thread)?.tgid
    }

    /// The form of this document.
    pub const SCHEMA: &'static str = "memoom.report/1";

    /// The report as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

/// Whose memory was out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// A memory cgroup hit its limit.
    Memcg,
    /// The machine ran out of memory.
    Global,
}

/// The task whose allocation failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Invoker {
    /// Its name, at most 15 bytes of anything.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
    /// Its thread id in the initial pid namespace, from the `CPU: … PID: …` line.
    pub pid: Option<i32>,
    /// The allocation's flags in hexadecimal, as printed: `0xcc0`.
    pub gfp_mask: Option<String>,
    /// Their names (since 4.6): `GFP_KERNEL`.
    pub gfp_flags: Option<String>,
    /// The order of the allocation: 2^order pages; -1 for sysrq.
    pub order: Option<i32>,
    /// The invoker's oom_score_adj.
    pub oom_score_adj: Option<i32>,
}

/// The task that was chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Chosen {
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
    /// Its thread id in the initial pid namespace; the kill line may name another thread of the process.
    pub pid: i32,
    /// Its user id (since 5.0).
    pub uid: Option<u32>,
}

/// One row of the task table. Which columns there are depends on the kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Task {
    /// The id of a thread that holds the process's memory.
    pub pid: i32,
    /// The process id.
    pub tgid: Option<i32>,
    /// The user id.
    pub uid: Option<u32>,
    /// The thread's name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
    /// Address space, in pages.
    pub total_vm_pages: Option<u64>,
    /// Resident memory, in pages.
    pub rss_pages: Option<u64>,
    /// Its anonymous part, in pages (since 6.8).
    pub rss_anon_pages: Option<u64>,
    /// Its file part, in pages (since 6.8).
    pub rss_file_pages: Option<u64>,
    /// Its shared part, in pages (since 6.8).
    pub rss_shmem_pages: Option<u64>,
    /// Page tables, in bytes (since 4.15).
    pub pgtables_bytes: Option<u64>,
    /// Number of lowest-level page tables (before 4.15).
    pub nr_ptes: Option<u64>,
    /// Number of middle page tables (4.1 to 4.14).
    pub nr_pmds: Option<u64>,
    /// Number of upper page tables (some builds before 4.15).
    pub nr_puds: Option<u64>,
    /// Swapped out, in pages.
    pub swapents_pages: Option<u64>,
    /// oom_score_adj; -1000 is never killed.
    pub oom_score_adj: Option<i32>,
}

/// A process that the kernel killed, from `Killed process …`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Kill {
    /// The process id in the initial pid namespace.
    pub pid: i32,
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
    /// Its user id (since 5.4, and in el7 and el8).
    pub uid: Option<u32>,
    /// Address space in bytes, `total-vm`.
    pub total_vm_bytes: Option<u64>,
    /// Resident anonymous memory in bytes, `anon-rss`.
    pub anon_rss_bytes: Option<u64>,
    /// Resident file pages in bytes, `file-rss`.
    pub file_rss_bytes: Option<u64>,
    /// Resident shared memory in bytes, `shmem-rss` (since 4.5).
    pub shmem_rss_bytes: Option<u64>,
    /// Page tables in bytes, `pgtables` (since 5.4).
    pub pgtables_bytes: Option<u64>,
    /// Its oom_score_adj (since 5.4).
    pub oom_score_adj: Option<i32>,
}

/// `Kill process … (…) score … or sacrifice child`: who was chosen; the kill may then take a child.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sacrifice {
    /// The process id.
    pub pid: i32,
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
    /// Its badness, 0 to about 2000.
    pub score: Option<i64>,
}

/// A process named in passing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Process {
    /// The process id.
    pub pid: i32,
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
}

/// One function of a call trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TraceFrame {
    /// Its name, with the compiler's suffixes (`.cold`).
    pub function: String,
    /// Bytes from its start to the return address; `None` where a tool wrote the line of the source in its place.
    pub offset: Option<u64>,
    /// Its length in bytes; `None` likewise.
    pub size: Option<u64>,
    /// The module that it belongs to.
    pub module: Option<String>,
    /// Whether the unwinder was not sure (`?`).
    pub uncertain: bool,
}

/// What the OOM reaper did to a victim's memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Reaped {
    /// The victim.
    pub pid: i32,
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
    /// `reaped process …`; `false` is `unable to reap` or `giving up`.
    pub reaped: bool,
    /// Anonymous memory left, in bytes.
    pub anon_rss_bytes: Option<u64>,
    /// File pages left, in bytes.
    pub file_rss_bytes: Option<u64>,
    /// Shared memory left, in bytes.
    pub shmem_rss_bytes: Option<u64>,
}

//! From signs to accounts: what the sources say about kills is put together until an OOM is complete.
//!
//! A kill shows in the tracepoint, in the kernel log and in the counters. The kernel marks the victim and prints the
//! kill line while it holds the victim's task lock, so both are there before the victim's end can be seen: once every
//! victim has ended and the sources have been read, nothing more will come. Only `memory.oom.group` goes on killing
//! after the first one; there the group's last process is waited for.

use std::collections::VecDeque;
use std::time::Duration;

use self::before::Before;
use self::claims::Debt;
use self::episode::Episode;
use self::gaps::{Begun, Gap};
use self::outside::Outside;
use self::reading::Reading;
use self::records::Records;
use self::remembered::Remembered;
use self::stirred::Stirred;
use self::tally::Tally;
use self::threads::Unexplained;
use self::unclaimed::Unclaimed;
use super::growth::Growth;
use super::sign::Whose;
use super::victim::Candidate;
use crate::map::Map;
use crate::memcg::contents::{Below, Contents};
use crate::memcg::path::covers;
use crate::memcg::Counters;
use crate::observe::missing::Missing;

mod account;
mod before;
mod claims;
mod contents;
mod disagree;
mod door;
mod episode;
mod exits;
mod gaps;
mod holding;
mod logs;
mod marks;
mod members;
mod outside;
mod owing;
mod parts;
mod reading;
mod records;
mod remembered;
mod settle;
mod stirred;
mod tally;
#[cfg(test)]
mod tests;
mod threads;
mod unclaimed;

/// A victim that does not end, or a group that does not empty, keeps an account open no longer than this.
const COMPLETE_WITHIN: Duration = Duration::from_secs(10);
/// A kill line that is printed, and a mark of a kill that is counted, show after so long at the latest.
const LINE_WITHIN: Duration = Duration::from_millis(200);
/// Records kept for a report that is still being printed.
const MOST_RECORDS: usize = 8192;
/// Victims of unknown groups kept until the log says whose they are.
const MOST_UNCLAIMED: usize = 1024;

/// Puts signs together; one for each hub.
#[derive(Default)]
pub(crate) struct Collector {
    has_trace: bool,
    has_log: bool,
    before: Map<String, Box<Before>>,
    /// Whose limit the step of a process would meet.
    foreseen: Map<i32, String>,
    /// How many kill events of each group have an account.
    tallies: Map<String, Box<Tally>>,
    unclaimed: VecDeque<Unclaimed>,
    /// Counted kills that no source has placed yet, and since when.
    debt: Option<Debt>,
    /// Whose counters may have moved: there debts are looked for.
    stirred: Stirred,
    /// When a group of v1 last rang: before the kill that it rings for is counted.
    rung_ns: Option<u64>,
    /// The last kills with an account that no process is known for.
    unexplained: VecDeque<Unexplained>,
    /// Accounted kills of which nobody knows in which of our groups they were.
    unplaced: u64,
    /// Who stood in the last scopes, and where: a victim may be gone before /proc is asked. And whose the threads are that
    /// were told of: where the first thread has ended the kernel names another.
    remembered: Remembered,
    /// Who shares the memory of a process, by the last scope.
    sharing: Vec<(i32, Candidate)>,
    records: Records,
    /// Inside a pid namespace: reports that name processes as they are outside. They are read all the same.
    outside: Option<Outside>,
    /// The reports among the records that are dealt with, by their first record.
    told: Vec<u64>,
    /// What the groups held when the kernel last notified of them.
    notified: Map<String, (Contents, Vec<Below>)>,
    /// How many OOMs each group has had.
    occurrences: Map<String, u64>,
    /// The same when they were last looked at.
    sampled: Map<String, Contents>,
    /// How the processes have grown.
    growth: Growth,
    /// Whose limit the last OOM hit, and when the counters were read for it.
    last_struck: Option<(String, u64)>,
    /// Workers of which the counters have told, by their numbers.
    judged: Vec<u64>,
    /// The last victims that have an account, and until when whoever has the pid is the same process.
    accounted: VecDeque<(i32, u64)>,
    open: Vec<Episode>,
    /// Where accounts that are not complete may stand; `None` for "anywhere".
    waiting: Vec<Option<String>>,
    lost: Vec<Missing>,
    /// Where sources have lost something.
    gaps: VecDeque<Gap>,
    /// The reports of the whole machine.
    begun: Begun,
    next: u64,
    /// A victim was claimed after the log had been looked through for those known by then.
    look_again: bool,
    /// When the last reading of the tracepoint and of the log began.
    read_ns: u64,
    /// When the one before it did.
    read_before_ns: u64,
    /// A group whose accounts are concluded with what is known.
    hurried: Option<String>,
}

impl Collector {
    pub(crate) fn new(has_trace: bool, has_log: bool) -> Collector {
        Collector { has_trace, has_log, ..Collector::default() }
    }

    /// One that stands in a pid namespace: the log that it is given tells of processes as they are outside.
    pub(crate) fn inside_namespace(has_log: bool) -> Collector {
        Collector { outside: has_log.then(Outside::default), ..Collector::default() }
    }

    /// Whether something is not complete yet.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty() || self.debt.is_some()
    }

    /// Whether an account that is not complete may be of a group that has gone, or of one below it.
    pub(crate) fn may_need(&self, cgroup: &str) -> bool {
        let unplaced = |episode: &Episode| episode.kills.iter().all(|kill| kill.victim.group.is_none());
        self.debt.is_some()
            || !self.unclaimed.is_empty()
            || self.open.iter().any(|episode| unplaced(episode) || episode.stands_below(cgroup))
    }

    /// Whether the sources are to be read again without their word. Nobody who asks how a worker ended has to wait for
    /// more than what is open: at its reaping the counters are right.
    pub(crate) fn looks_on(&self, now_ns: u64) -> bool {
        self.is_open() || self.has_unclaimed() || self.expecting(now_ns)
    }

    /// Whether an account that is not complete may say something of a worker. What it surely does not say anything of, the
    /// worker's outcome does not wait for.
    pub(crate) fn concerns(&self, pid: i32, cgroup: &str) -> bool {
        let related = |at: &str| covers(at, cgroup) || covers(cgroup, at);
        self.debt.is_some()
            || self.open.iter().any(|episode| {
                let mut kills = episode.kills.iter().map(|kill| &kill.victim);
                let counted = || episode.counted_in.as_deref().is_none_or(related);
                episode.has(pid)
                    || kills.any(|victim| victim.group.as_deref().is_none_or(related))
                    || episode.kills.is_empty() && counted()
            })
    }

    /// The tracepoint and the log are read from now on.
    fn reads(&mut self, now_ns: u64) {
        self.remembered.pass(now_ns);
        self.growth.read(now_ns);
        self.read_before_ns = self.read_ns;
        self.read_ns = now_ns;
    }

    /// Whether the tracepoint is read.
    pub(crate) fn has_trace(&self) -> bool {
        self.has_trace
    }

    /// Whether the kernel log is read.
    pub(crate) fn has_log(&self) -> bool {
        self.has_log
    }
}

/// Kill events of a group itself: v1 counts no other; v2 counts those below it too, but not in `events.local`.
fn own_kills(counters: &Counters) -> u64 {
    counters.local.get("oom_kill").or(counters.oom_kill).unwrap_or(0)
}

/// Whether less than so long has passed since a moment.
fn within(longest: Duration, since_ns: u64, now_ns: u64) -> bool {
    Duration::from_nanos(now_ns.saturating_sub(since_ns)) < longest
}

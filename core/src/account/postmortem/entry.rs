//! One line of the record that a watch keeps: a death that was watched, for whoever asks on another day.

use serde::{Deserialize, Serialize};

use crate::account::oom::{Oom, Process};
use crate::account::Subject;
use crate::observe::author::{Author, KilledBy};
use crate::observe::event::{Event, EventKind};
use crate::observe::report::Report;

/// The form of a line.
const SCHEMA: &str = "memoom.record/1";
/// The most of a summary, in bytes, and of victims that are kept.
const MOST_SUMMARY: usize = 4096;
const MOST_VICTIMS: usize = 64;

/// A line of the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    schema: String,
    /// The boot in which it was, by its id.
    pub(crate) boot: String,
    /// When it was written, in nanoseconds of CLOCK_REALTIME.
    pub(crate) wall_ns: u64,
    /// When it was, in nanoseconds of CLOCK_MONOTONIC.
    pub(crate) time_ns: u64,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(crate) enum What {
    /// From here on a group and those below it were watched.
    Watching { group: String },
    /// An OOM, and whom it took.
    Oom { limit_group: Option<String>, victims: Vec<Dead>, summary: String },
    /// A process that a signal ended.
    Killed { dead: Dead, by: Box<Sender> },
}

/// One who died.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dead {
    pub(crate) pid: i32,
    #[serde(serialize_with = "crate::text::bytes", deserialize_with = "crate::text::from_bytes")]
    pub(crate) comm: Vec<u8>,
    pub(crate) group: Option<String>,
}

/// Who sent the signal: [`KilledBy`], as it can be read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sender {
    by: String,
    signal: i32,
    pid: Option<i32>,
    #[serde(serialize_with = "crate::text::maybe_bytes", deserialize_with = "crate::text::maybe_from_bytes")]
    comm: Option<Vec<u8>>,
    uid: Option<u32>,
    group: Option<String>,
    unit: Option<String>,
    at_ns: Option<u64>,
    reason: Option<String>,
}

impl Sender {
    pub(super) fn of(by: &KilledBy) -> Sender {
        Sender {
            by: by.by.name().to_string(),
            signal: by.signal,
            pid: by.pid,
            comm: by.comm.clone(),
            uid: by.uid,
            group: by.group.clone(),
            unit: by.unit.clone(),
            at_ns: by.at_ns,
            reason: by.reason.clone(),
        }
    }

    /// The same again; `None` for an author that this memoom does not know.
    fn killed_by(&self) -> Option<KilledBy> {
        Some(KilledBy {
            pid: self.pid,
            comm: self.comm.clone(),
            uid: self.uid,
            group: self.group.clone(),
            unit: self.unit.clone(),
            at_ns: self.at_ns,
            reason: self.reason.clone(),
            ..KilledBy::new(Author::of_name(&self.by)?, self.signal).source("record")
        })
    }
}

/// A death that a record tells of.
#[derive(Debug, Clone)]
pub(crate) struct Told<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) victim: Process,
    pub(crate) killed_by: KilledBy,
    pub(crate) limit_group: Option<&'a str>,
    pub(crate) summary: Option<&'a str>,
}

impl Told<'_> {
    /// Whether it was after the kill that the kernel's log tells of: a second at least, as their clocks are two.
    pub(super) fn is_after(&self, report: &Report, boot: &str) -> bool {
        let usec = self.entry.time_ns / 1000;
        self.entry.boot == boot && report.time_usec.is_some_and(|reported| usec > reported + 1_000_000)
    }
}

impl Entry {
    /// A line of that moment.
    pub(crate) fn new(boot: &str, wall_ns: u64, time_ns: u64, what: What) -> Entry {
        Entry { schema: SCHEMA.to_string(), boot: boot.to_string(), wall_ns, time_ns, what }
    }

    /// A line as it stands in the file; `None` where it is none, or of another form.
    pub(crate) fn parse(line: &[u8]) -> Option<Entry> {
        let text = std::str::from_utf8(line).ok()?;
        serde_json::from_str(text).ok().filter(|entry: &Entry| entry.schema == SCHEMA)
    }

    /// The death of the subject, where this line tells of it. A pid is one of this boot only.
    pub(super) fn tells<'a>(&'a self, subject: &Subject, boot: &str) -> Option<Told<'a>> {
        let is_meant = |dead: &&Dead| match subject {
            Subject::Last => true,
            Subject::Pid(pid) => dead.pid == *pid && self.boot == boot,
            _ => dead.group.as_deref().is_some_and(|group| subject.place(group).is_some()),
        };
        let told = |dead: &Dead, killed_by: KilledBy| {
            let victim = Process { pid: dead.pid, comm: dead.comm.clone() };
            Told { entry: self, victim, killed_by, limit_group: None, summary: None }
        };
        match &self.what {
            What::Watching { .. } => None,
            What::Oom { limit_group, victims, summary } => {
                let by = KilledBy::new(Author::KernelOom, libc::SIGKILL).source("record");
                let told = told(victims.iter().find(is_meant)?, by);
                Some(Told { limit_group: limit_group.as_deref(), summary: Some(summary), ..told })
            }
            What::Killed { dead, by } => {
                let by = by.killed_by().filter(|by| *subject != Subject::Last || by.by == Author::KernelOom)?;
                is_meant(&dead).then(|| told(dead, by))
            }
        }
    }
}

impl What {
    /// What is kept of an account.
    pub(crate) fn of_oom(oom: &Oom) -> What {
        let dead = |victim: &crate::account::oom::Victim| Dead {
            pid: victim.pid,
            comm: victim.comm.clone(),
            group: victim.group.clone(),
        };
        let mut summary = oom.summary.clone();
        let most = (0..=MOST_SUMMARY).rev().find(|at| summary.is_char_boundary(*at)).unwrap_or(0);
        summary.truncate(most);
        let victims = oom.victims.iter().take(MOST_VICTIMS).map(dead).collect();
        What::Oom { limit_group: oom.limit_group.clone(), victims, summary }
    }

    /// What is kept of an event; most are not.
    pub(crate) fn of_event(event: &Event) -> Option<What> {
        let EventKind::Killed { comm, killed_by, .. } = &event.kind else { return None };
        let comm = comm.as_deref().map(crate::text::unescape).unwrap_or_default();
        let dead = Dead { pid: event.pid?, comm, group: event.group.clone() };
        Some(What::Killed { dead, by: Box::new(Sender::of(killed_by)) })
    }
}

/// A moment of CLOCK_REALTIME as people write it: `2026-11-29 03:14:15 UTC`.
pub(super) fn utc(wall_ns: u64) -> String {
    let seconds = wall_ns / 1_000_000_000;
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let is_leap = |year: u64| year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{:02}-{:02} {hour:02}:{minute:02}:{second:02} UTC", month + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_as_it_was_written() {
        let by = KilledBy { pid: Some(7), comm: Some(b"s\nh".to_vec()), ..KilledBy::new(Author::Process, 15) };
        let dead = Dead { pid: 9, comm: b"a\xff".to_vec(), group: Some("/g/below".to_string()) };
        let entry = Entry::new("b", 5, 6, What::Killed { dead, by: Box::new(Sender::of(&by)) });
        let line = crate::text::json(&entry);
        assert_eq!(Entry::parse(line.as_bytes()).as_ref(), Some(&entry), "{line}");
        assert_eq!(Entry::parse(&line.as_bytes()[..line.len() - 3]), None);
        assert_eq!(Entry::parse(line.replace("record/1", "record/9").as_bytes()), None);
        let told = entry.tells(&Subject::Group("/g".to_string()), "another").unwrap();
        assert_eq!((told.killed_by.by, told.killed_by.pid, told.killed_by.source), (by.by, by.pid, Some("record")));
        assert_eq!((told.victim.pid, &told.victim.comm[..]), (9, &b"a\xff"[..]));
        // A pid of another boot is somebody else, and the last OOM kill is none by a process.
        assert!(entry.tells(&Subject::Pid(9), "b").is_some() && entry.tells(&Subject::Pid(9), "another").is_none());
        assert!(entry.tells(&Subject::Last, "b").is_none());
    }

    #[test]
    fn a_moment_as_people_write_it() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400_000_000_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_964_399_000_000_000), "2026-11-29 14:59:59 UTC");
    }
}

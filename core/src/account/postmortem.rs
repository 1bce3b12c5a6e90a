//! Who killed what memoom did not start: an answer from what is still there, as a pure function of the evidence.

pub(crate) mod entry;
mod subject;

use serde::Serialize;

use self::entry::{utc, Entry, Told};
pub use self::subject::Subject;
use super::oom::Process;
use super::outcome::Evidence;
use crate::memcg::limits::human_size;
use crate::memcg::{Counters, Limit, Version};
use crate::observe::author::{Author, KilledBy};
use crate::observe::missing::Missing;
use crate::observe::report::{Kill, Report};

/// What was found of it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The reports of the kernel log, oldest first.
    pub(crate) reports: Vec<Report>,
    /// When the oldest record was written, in microseconds since boot.
    pub(crate) log_begins_usec: Option<u64>,
    /// Why the kernel log says nothing, or less than all.
    pub(crate) log_missing: Option<String>,
    /// The lines of a watch's record, oldest first, and the id of this boot.
    pub(crate) entries: Vec<Entry>,
    pub(crate) boot: String,
    /// The process lives.
    pub(crate) alive: bool,
    /// Where groups were looked for, where a group is asked about.
    pub(crate) looked_at: Option<String>,
    /// The groups that are asked about, as far as they are still there.
    pub(crate) places: Vec<String>,
    /// Those and all above them, the innermost first.
    pub(crate) groups: Vec<GroupCount>,
    /// What else says something, and what could not be had.
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) missing: Vec<Missing>,
}

/// What a group has counted since it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupCount {
    /// Its path, as the kernel writes it.
    pub group: String,
    /// The hierarchy in which it stands.
    pub version: Version,
    /// Its own hard limit in bytes; null where it has none, or where it could not be read, as `missing` then says.
    pub limit: Option<Limit>,
    /// OOM kills of processes in it and in the groups below it: v1 counts each group alone, so that groups which were
    /// removed are not among them; null where this kernel does not count them.
    pub kills_below: Option<u64>,
    /// Its counters.
    pub counters: Counters,
}

/// Who killed something, as far as what is left can tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Postmortem {
    /// The name and version of this document's form.
    pub schema: &'static str,
    /// What was asked about.
    pub subject: String,
    /// Who it was, or why that is unknown.
    pub killed_by: KilledBy,
    /// Who was killed, where a source names it.
    pub victim: Option<Process>,
    /// The group whose limit was hit; null where no source tells, and for an OOM of the whole machine.
    pub limit_group: Option<String>,
    /// When, in microseconds since boot, by the kernel's log.
    pub time_usec: Option<u64>,
    /// The group, and those above it, as far as they are still there: the innermost first.
    pub groups: Vec<GroupCount>,
    /// What the kernel reported of it.
    pub report: Option<Report>,
    /// What each source says.
    pub evidence: Vec<Evidence>,
    /// The sources that could not be had, and why.
    pub missing: Vec<Missing>,
}

impl Postmortem {
    /// The form of this document.
    pub const SCHEMA: &'static str = "memoom.postmortem/1";

    /// The answer from the evidence.
    pub(crate) fn of(subject: &Subject, found: &Found) -> Postmortem {
        let mut made = Postmortem {
            schema: Postmortem::SCHEMA,
            subject: subject.text(),
            killed_by: KilledBy::unknown(libc::SIGKILL, ""),
            victim: None,
            limit_group: None,
            time_usec: None,
            groups: found.groups.clone(),
            report: None,
            evidence: found.evidence.clone(),
            missing: found.log_missing.iter().map(|why| Missing::new("kernel-log", why.clone())).collect(),
        };
        made.missing.extend(found.missing.iter().cloned());
        let told = found.reports.iter().rev().find_map(|report| Some((report, subject.killed(report)?)));
        let recorded = found.entries.iter().rev().find_map(|entry| entry.tells(subject, &found.boot));
        made.evidence.extend(found.begins().filter(|_| recorded.is_none()));
        // What the log tells of it tells better, unless the record tells of a later death.
        let after = |one: &Told| told.is_none_or(|(report, _)| one.is_after(report, &found.boot));
        let recorded = recorded.filter(after).filter(|_| !found.alive);
        let counted = made.count(found);
        made.killed_by = match (recorded, told, counted) {
            (Some(one), ..) => made.recall(one),
            _ if found.alive => KilledBy::unknown(libc::SIGKILL, "a process of that pid lives"),
            (None, Some((report, kill)), _) => made.tell(report, kill),
            (None, None, Some(kills)) if kills > 0 => KilledBy::new(Author::KernelOom, libc::SIGKILL)
                .source("counters")
                .because("the kernel has counted OOM kills there; its log no longer tells whom"),
            (None, None, counted) => KilledBy::unknown(libc::SIGKILL, found.why_not(subject, counted)),
        };
        made
    }

    /// The OOM kills that were counted in the groups that are asked about; `None` where nobody counted.
    fn count(&mut self, found: &Found) -> Option<u64> {
        let mut kills = None;
        for one in &self.groups {
            if found.places.contains(&one.group) {
                kills = one.kills_below.map(|more| kills.unwrap_or(0) + more).or(kills);
            }
            self.evidence.extend(one.says().map(|says| Evidence { source: "counters", says }));
        }
        kills
    }

    fn tell(&mut self, report: &Report, kill: &Kill) -> KilledBy {
        let comm = crate::text::escape(&kill.comm);
        self.victim = Some(Process { pid: kill.pid, comm: kill.comm.clone() });
        self.limit_group = report.oom_memcg.as_deref().map(crate::text::escape);
        self.time_usec = report.time_usec;
        self.report = Some(report.clone());
        let whose = self.limit_group.as_ref().map_or_else(String::new, |group| format!(", at the limit of {group}"));
        let says = format!("the kernel's OOM killer killed pid {} ({comm}){whose}", kill.pid);
        self.evidence.push(Evidence { source: "kernel-log", says });
        KilledBy::new(Author::KernelOom, libc::SIGKILL).source("kernel-log")
    }

    /// What a watch has written down of it.
    fn recall(&mut self, told: Told<'_>) -> KilledBy {
        let who = format!("pid {} ({})", told.victim.pid, crate::text::escape(&told.victim.comm));
        let signal = crate::observe::author::signal_name(told.killed_by.signal);
        let mut says = format!("{}: {who} was ended by {signal}", utc(told.entry.wall_ns));
        says += &told.summary.map_or_else(String::new, |summary| format!(", in an OOM: {summary}"));
        self.evidence.push(Evidence { source: "record", says });
        self.limit_group = told.limit_group.map(str::to_string);
        self.victim = Some(told.victim);
        told.killed_by
    }

    /// The answer as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }

    /// The answer as text for a person.
    pub fn to_text(&self) -> String {
        let victim = self.victim.as_ref().map(|one| format!("{} (pid {})", crate::text::escape(&one.comm), one.pid));
        let mut text = match (self.killed_by.by, &victim) {
            (Author::Unknown, _) => format!("{}: {}\n", self.subject, self.killed_by.to_text()),
            (_, Some(victim)) => format!("{}: {victim} was killed by {}\n", self.subject, self.killed_by.to_text()),
            (_, None) => format!("{}: killed by {}\n", self.subject, self.killed_by.to_text()),
        };
        for one in &self.evidence {
            text += &format!("  evidence    {}: {}\n", one.source, one.says);
        }
        for one in &self.missing {
            text += &format!("  missing     {}: {}\n", one.source, one.reason);
        }
        text
    }

    /// The same with what the kernel reported.
    pub fn to_full_text(&self) -> String {
        self.to_text() + &self.report.as_ref().map_or(String::new(), |report| report.to_text() + "\n")
    }
}

impl GroupCount {
    /// What matters of it here, as a line; nothing of a group that neither had a limit nor counted anything.
    fn says(&self) -> Option<String> {
        let counters = &self.counters;
        let limit = self.limit.and_then(Limit::bytes).map(|bytes| format!("limit {}", human_size(bytes)));
        let peak = counters.peak_bytes.filter(|_| limit.is_some()).map(|bytes| format!("peak {}", human_size(bytes)));
        let counted = [
            ("oom", counters.local.get("oom").or(counters.oom)),
            ("oom_kill", self.kills_below),
            ("failcnt", counters.failcnt),
            ("high", counters.high),
        ];
        let counted = counted.into_iter().filter_map(|(name, number)| Some((name, number?)));
        let counted: Vec<_> = counted.filter(|(name, number)| *number > 0 || *name == "oom_kill").collect();
        if limit.is_none() && counted.iter().all(|(_, number)| *number == 0) && counters.oom_kill.is_some() {
            return None;
        }
        // Whoever reads the file finds another number there, where v1 counts each group by itself.
        let summed = self.kills_below != counters.oom_kill;
        let counted = counted.into_iter().map(|(name, number)| match name == "oom_kill" && summed {
            true => format!("{name} {number} with the groups below"),
            false => format!("{name} {number}"),
        });
        let parts: Vec<String> = limit.into_iter().chain(peak).chain(counted).collect();
        (!parts.is_empty()).then(|| format!("{}: {}", self.group, parts.join(", ")))
    }
}

impl Found {
    /// Whether the log tells of the subject.
    pub(crate) fn tells_of(&self, subject: &Subject) -> bool {
        self.reports.iter().any(|report| subject.killed(report).is_some())
    }

    /// Since when the record tells, where there is one that tells of no such death.
    fn begins(&self) -> Option<Evidence> {
        let first = self.entries.first()?;
        let says = format!("a watch has written since {}, and tells of no such death", utc(first.wall_ns));
        Some(Evidence { source: "record", says })
    }

    /// Why nobody can be named.
    fn why_not(&self, subject: &Subject, counted: Option<u64>) -> String {
        let unread = self.missing.iter().any(|one| ["counters", "groups-below"].contains(&one.source));
        if counted == Some(0) && !unread {
            // What a removed group has counted is in those above it on v2 alone.
            return match self.groups.iter().any(|one| one.version == Version::V1) {
                true => {
                    "no OOM kill is counted there, in the groups that have not been removed: whoever died of a \
                         signal in one of them was killed by somebody else, and nothing that is left names the sender"
                }
                false => {
                    "the kernel has counted no OOM kill there: whoever died of a signal there was killed by \
                          somebody else, and nothing that is left names the sender"
                }
            }
            .to_string();
        }
        let since = match self.log_begins_usec {
            Some(usec) => {
                format!(", which reaches back to {}.{:06} s after the boot,", usec / 1_000_000, usec % 1_000_000)
            }
            None => String::new(),
        };
        match (&self.log_missing, subject) {
            (Some(why), _) if self.log_begins_usec.is_none() => format!("the kernel log cannot be read: {why}"),
            (_, Subject::Last) => format!("the kernel log{since} tells of no OOM kill"),
            (_, Subject::Pid(pid)) => format!(
                "the kernel log{since} names no OOM kill of pid {pid}, and nothing that is left names who sent it a signal"
            ),
            _ => match &self.looked_at {
                Some(top) if self.places.is_empty() => format!(
                    "no group of it is there any more below {top}, and the kernel log{since} tells of no OOM kill there"
                ),
                _ => format!("the kernel log{since} tells of no OOM kill there"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::report::parse_reports;

    const LOG: &[u8] = b"[   10.000000] a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
        [   10.000001] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/pod,task_memcg=/pod/one,task=a,pid=501,uid=0\n\
        [   10.000002] Memory cgroup out of memory: Killed process 501 (a) total-vm:2400kB, anon-rss:400kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:48kB oom_score_adj:0\n";

    fn found() -> Found {
        Found { reports: parse_reports(LOG), log_begins_usec: Some(1), ..Found::default() }
    }

    fn of(subject: Subject, found: &Found) -> (Author, Option<i32>, Option<String>) {
        let made = Postmortem::of(&subject, found);
        assert!(
            made.killed_by.by != Author::Unknown || made.killed_by.reason.as_deref().is_some_and(|why| !why.is_empty())
        );
        (made.killed_by.by, made.victim.map(|one| one.pid), made.limit_group)
    }

    fn counted(oom_kill: u64) -> GroupCount {
        let counters = Counters { oom_kill: Some(oom_kill), ..Counters::default() };
        let version = Version::V2;
        GroupCount { group: "/g".to_string(), version, limit: None, kills_below: Some(oom_kill), counters }
    }

    #[test]
    fn a_sum_of_counters_is_called_one() {
        let says = |below| GroupCount { kills_below: Some(below), ..counted(1) }.says();
        assert_eq!(says(1).as_deref(), Some("/g: oom_kill 1"));
        assert_eq!(says(3).as_deref(), Some("/g: oom_kill 3 with the groups below"));
    }

    #[test]
    fn the_log_names_who_it_tells_of_and_nobody_else() {
        let told = (Author::KernelOom, Some(501), Some("/pod".to_string()));
        let nobody = (Author::Unknown, None, None);
        for (subject, expected) in [
            (Subject::Last, &told),
            (Subject::Pid(501), &told),
            (Subject::Pid(50), &nobody),
            (Subject::Group("/pod".to_string()), &told),
            (Subject::Group("/pod/one".to_string()), &told),
            // A sibling did not die, though the limit above it was hit; nor does a name that begins alike.
            (Subject::Group("/pod/two".to_string()), &nobody),
            (Subject::Group("/pod/on".to_string()), &nobody),
        ] {
            assert_eq!(of(subject.clone(), &found()), *expected, "{subject:?}");
        }
    }

    #[test]
    fn the_counters_speak_where_the_log_does_not() {
        let forbidden = || Some("forbidden".to_string());
        let silent = |one: GroupCount| Found {
            places: vec![one.group.clone()],
            groups: vec![one],
            log_missing: forbidden(),
            ..Found::default()
        };
        let group = || Subject::Group("/g".to_string());
        assert_eq!(of(group(), &silent(counted(2))).0, Author::KernelOom);
        assert_eq!(of(group(), &silent(counted(0))).0, Author::Unknown);
        // What the group above has counted may have been in a sibling.
        let above = Found { places: vec!["/g/below".to_string()], ..silent(counted(2)) };
        assert_eq!(of(Subject::Group("/g/below".to_string()), &above).0, Author::Unknown);
        let gone = Found {
            log_missing: forbidden(),
            missing: vec![Missing::new("counters", "it was removed")],
            ..Found::default()
        };
        let made = Postmortem::of(&group(), &gone);
        assert_eq!(made.killed_by.to_text(), "unknown because the kernel log cannot be read: forbidden");
        assert_eq!(made.missing.len(), 2);
    }

    #[test]
    fn a_record_tells_what_nothing_else_does() {
        let boot = "this";
        let dead = |pid| super::entry::Dead { pid, comm: b"a".to_vec(), group: Some("/pod/one".to_string()) };
        let by = KilledBy { pid: Some(4), ..KilledBy::new(Author::Process, 9) };
        let killed = |pid| super::entry::What::Killed { dead: dead(pid), by: Box::new(super::entry::Sender::of(&by)) };
        let begins = super::entry::What::Watching { group: "/pod".to_string() };
        let with = |entries: Vec<Entry>| Found { entries, boot: boot.to_string(), ..found() };
        let at = |time_ns, what| Entry::new(boot, 1, time_ns, what);
        // The log tells of an OOM kill of pid 501 at 10 s; the record of another process of that pid, later.
        let later = with(vec![at(1, begins.clone()), at(20_000_000_000, killed(501))]);
        assert_eq!(of(Subject::Pid(501), &later).0, Author::Process);
        let before = with(vec![at(5_000_000_000, killed(501))]);
        assert_eq!(of(Subject::Pid(501), &before).0, Author::KernelOom);
        // The same death in both: the log's report is shown, and the record is not said to be silent of it.
        let both = with(vec![at(1, begins.clone()), at(10_000_000_000, killed(501))]);
        let made = Postmortem::of(&Subject::Pid(501), &both);
        assert!(made.report.is_some() && !made.to_text().contains("no such death"), "{}", made.to_text());
        let other = with(vec![at(1, begins), at(2, killed(77))]);
        assert_eq!(of(Subject::Pid(77), &other), (Author::Process, Some(77), None));
        assert_eq!(of(Subject::Pid(78), &other).0, Author::Unknown);
        let made = Postmortem::of(&Subject::Pid(78), &other);
        assert!(made.to_text().contains("a watch has written since 1970-01-01"), "{}", made.to_text());
    }

    #[test]
    fn who_lives_was_not_killed() {
        let alive = Found { alive: true, ..found() };
        let made = Postmortem::of(&Subject::Pid(501), &alive);
        assert_eq!((made.killed_by.by, made.victim), (Author::Unknown, None));
    }
}

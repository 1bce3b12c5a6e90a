//! Who killed what memoom did not start: an answer from what is still there, as a pure function of the evidence.

use serde::Serialize;

use super::oom::Process;
use super::outcome::Evidence;
use crate::memcg::path::covers;
use crate::memcg::Counters;
use crate::observe::author::{Author, KilledBy};
use crate::observe::missing::Missing;
use crate::observe::report::{Kill, Report};

/// Whose death is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// The last OOM kill on this machine.
    Last,
    /// A process, by its pid as this machine's first pid namespace has it.
    Pid(i32),
    /// A group and those below it, by its path as the kernel writes it.
    Group(String),
}

/// What was found of it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The reports of the kernel log, oldest first.
    pub(crate) reports: Vec<Report>,
    /// When the oldest record was written, in microseconds since boot.
    pub(crate) log_begins_usec: Option<u64>,
    /// Why the kernel log says nothing, or less than all.
    pub(crate) log_missing: Option<String>,
    /// The process lives.
    pub(crate) alive: bool,
    /// The counters of the group, where one is asked about; or why they cannot be read.
    pub(crate) counters: Option<Result<Counters, String>>,
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
            evidence: Vec::new(),
            missing: found.log_missing.iter().map(|why| Missing::new("kernel-log", why.clone())).collect(),
        };
        let told = found.reports.iter().rev().find_map(|report| Some((report, subject.killed(report)?)));
        let counted = made.count(found);
        made.killed_by = match (told, counted) {
            (_, _) if found.alive => KilledBy::unknown(libc::SIGKILL, "a process of that pid lives"),
            (Some((report, kill)), _) => made.tell(report, kill),
            (None, Some(kills)) if kills > 0 => KilledBy::new(Author::KernelOom, libc::SIGKILL)
                .source("counters")
                .because("the kernel has counted OOM kills there; its log no longer tells whom"),
            (None, counted) => KilledBy::unknown(libc::SIGKILL, found.why_not(subject, counted)),
        };
        made
    }

    fn count(&mut self, found: &Found) -> Option<u64> {
        match found.counters.as_ref()? {
            Ok(counters) => {
                let kills = counters.oom_kill;
                let says = kills.map_or_else(
                    || "this kernel does not count oom_kill".to_string(),
                    |kills| format!("oom_kill is {kills}"),
                );
                self.evidence.push(Evidence { source: "counters", says });
                kills
            }
            Err(why) => {
                self.missing.push(Missing::new("counters", why.clone()));
                None
            }
        }
    }

    fn tell(&mut self, report: &Report, kill: &Kill) -> KilledBy {
        let comm = crate::text::escape(&kill.comm);
        self.victim = Some(Process { pid: kill.pid, comm: kill.comm.clone() });
        self.limit_group = report.oom_memcg.as_deref().map(crate::text::escape);
        self.time_usec = report.time_usec;
        let whose = self.limit_group.as_ref().map_or_else(String::new, |group| format!(", at the limit of {group}"));
        let says = format!("the kernel's OOM killer killed pid {} ({comm}){whose}", kill.pid);
        self.evidence.push(Evidence { source: "kernel-log", says });
        KilledBy::new(Author::KernelOom, libc::SIGKILL).source("kernel-log")
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
}

impl Subject {
    fn text(&self) -> String {
        match self {
            Subject::Last => "the last OOM kill".to_string(),
            Subject::Pid(pid) => format!("pid {pid}"),
            Subject::Group(group) => group.clone(),
        }
    }

    /// The kill of a report that is asked about: the last of several.
    fn killed<'a>(&self, report: &'a Report) -> Option<&'a Kill> {
        match self {
            Subject::Last => report.kills.last(),
            Subject::Pid(pid) => {
                report.kills.iter().find(|kill| report.process_of(kill.pid).unwrap_or(kill.pid) == *pid)
            }
            Subject::Group(group) => {
                let inside = |path: &Option<Vec<u8>>| {
                    path.as_deref().is_some_and(|path| covers(group, &crate::text::escape(path)))
                };
                let in_it = inside(&report.task_memcg) || inside(&report.group_kill);
                in_it.then(|| report.kills.last()).flatten()
            }
        }
    }
}

impl Found {
    /// Why nobody can be named.
    fn why_not(&self, subject: &Subject, counted: Option<u64>) -> String {
        if let Some(0) = counted {
            return "the kernel has counted no OOM kill there: whoever died of a signal there was killed by somebody else, \
                    and nothing that is left names the sender"
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
            (_, Subject::Group(_)) => format!("the kernel log{since} tells of no OOM kill there"),
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

    fn counted(oom_kill: u64) -> Option<Result<Counters, String>> {
        Some(Ok(Counters { oom_kill: Some(oom_kill), ..Counters::default() }))
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
        let silent = |counters| Found { counters, log_missing: Some("forbidden".to_string()), ..Found::default() };
        let group = || Subject::Group("/g".to_string());
        assert_eq!(of(group(), &silent(counted(2))).0, Author::KernelOom);
        assert_eq!(of(group(), &silent(counted(0))).0, Author::Unknown);
        let gone = silent(Some(Err("it was removed".to_string())));
        let made = Postmortem::of(&group(), &gone);
        assert_eq!(made.killed_by.to_text(), "unknown because the kernel log cannot be read: forbidden");
        assert_eq!(made.missing.len(), 2);
    }

    #[test]
    fn who_lives_was_not_killed() {
        let alive = Found { alive: true, ..found() };
        let made = Postmortem::of(&Subject::Pid(501), &alive);
        assert_eq!((made.killed_by.by, made.victim), (Author::Unknown, None));
    }
}

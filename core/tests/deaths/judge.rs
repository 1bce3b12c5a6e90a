//! What was said of a death against what is known of it, and the table of all.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use memoom::{Author, KilledBy, Oom};

use super::stage::{Log, Means};

/// Who did it, as the one knows who had it done.
#[derive(Debug)]
pub enum Truth {
    /// The kernel's OOM killer: at whose limit, who grew, and what must be said of it.
    Oom { limit: String, grower: Option<i32>, code: Option<&'static str> },
    /// This process, by that signal, known as one of these.
    Sent { authors: &'static [Author], pid: i32, signals: &'static [i32] },
    /// The kernel itself, and a part of the reason.
    Kernel { because: &'static str },
}

/// A death, and what memoom said of it.
#[derive(Debug)]
pub struct Death {
    pub truth: Truth,
    pub by: Option<KilledBy>,
    pub oom: Option<Arc<Oom>>,
    /// Nothing was said of it at all.
    pub untold: bool,
    /// The whole of it, for whoever has to find a fault.
    pub text: String,
}

/// How well it was told.
#[derive(Debug)]
pub enum Judgement {
    /// The author, with a report of the kernel or without.
    Named { report: bool },
    /// Nobody, and why.
    Unknown(String),
    /// Another one.
    Wrong(String),
}

pub fn judge(death: &Death) -> Judgement {
    let wrong = |what: &str| Judgement::Wrong(format!("{what}\nthe truth: {:?}\n{}", death.truth, death.text));
    if death.untold {
        return Judgement::Unknown("it was not told".to_string());
    }
    let Some(by) = &death.by else { return wrong("no signal is said to have ended it") };
    if by.by == Author::Unknown {
        return match by.reason.as_deref().unwrap_or_default() {
            "" => wrong("nobody is named, and no reason is given"),
            reason => Judgement::Unknown(reason.to_string()),
        };
    }
    let in_oom = by.by == Author::KernelOom;
    match &death.truth {
        Truth::Oom { .. } if !in_oom => wrong("it was an OOM"),
        Truth::Oom { limit, grower, code } => match &death.oom {
            None => Judgement::Unknown("the OOM has no account".to_string()),
            Some(oom) => judge_oom(oom, limit, *grower, *code).unwrap_or_else(|what| wrong(&what)),
        },
        Truth::Sent { authors, pid, signals } => {
            match authors.contains(&by.by) && by.pid == Some(*pid) && signals.contains(&by.signal) {
                true => Judgement::Named { report: false },
                false => wrong("another one sent it"),
            }
        }
        Truth::Kernel { because } => {
            match by.by == Author::Kernel && by.reason.as_deref().is_some_and(|reason| reason.contains(because)) {
                true => Judgement::Named { report: false },
                false => wrong("the kernel did it, for another reason"),
            }
        }
    }
}

/// An account that names another limit or another grower is wrong; one that leaves them open does not know.
fn judge_oom(oom: &Oom, limit: &str, grower: Option<i32>, code: Option<&str>) -> Result<Judgement, String> {
    match oom.limit_group.as_deref() {
        None => return Ok(Judgement::Unknown("whose limit it was is open".to_string())),
        Some(said) if said != limit => return Err(format!("the limit was that of {limit}, not of {said}")),
        Some(_) => {}
    }
    match (grower, oom.grower.as_ref().map(|one| one.pid)) {
        (Some(_), None) => return Ok(Judgement::Unknown("who grew is open".to_string())),
        (Some(pid), Some(said)) if pid != said => return Err(format!("pid {pid} grew, not {said}")),
        _ => {}
    }
    let said: Vec<&str> = oom.findings.iter().map(|finding| finding.code).collect();
    match code {
        Some(code) if !said.contains(&code) => Ok(Judgement::Unknown(format!("{code} is not said, but {said:?}"))),
        _ => Ok(Judgement::Named { report: has_report(oom) }),
    }
}

/// Whether the kernel has printed more of it than the line of the kill.
pub fn has_report(oom: &Oom) -> bool {
    oom.report.as_ref().is_some_and(|report| report.invoker.is_some())
}

#[derive(Default)]
struct Row {
    named: u64,
    reports: u64,
    unknown: u64,
    wrong: u64,
    cannot: bool,
}

/// How the deaths of each kind were told.
#[derive(Default)]
pub struct Table {
    rows: BTreeMap<(Means, Log), Row>,
    reasons: BTreeMap<String, u64>,
}

impl Table {
    pub fn note(&mut self, means: Means, log: Log, judged: Judgement) {
        let row = self.rows.entry((means, log)).or_default();
        match judged {
            Judgement::Named { report } => {
                row.named += 1;
                row.reports += u64::from(report);
            }
            Judgement::Unknown(why) => {
                row.unknown += 1;
                *self.reasons.entry(why).or_default() += 1;
            }
            Judgement::Wrong(_) => row.wrong += 1,
        }
    }

    /// This machine has no such death.
    pub fn cannot(&mut self, means: Means, log: Log) {
        self.rows.entry((means, log)).or_default().cannot = true;
    }

    pub fn deaths(&self) -> u64 {
        self.rows.values().map(|row| row.named + row.unknown + row.wrong).sum()
    }

    pub fn named(&self) -> u64 {
        self.rows.values().map(|row| row.named).sum()
    }

    /// How many deaths in that state of the log had a report of the kernel.
    pub fn reported(&self, log: Log) -> u64 {
        self.rows.iter().filter(|((_, at), _)| *at == log).map(|(_, row)| row.reports).sum()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:24} {:11} {:>6} {:>12} {:>8} {:>6}",
            "author", "log", "named", "with report", "unknown", "wrong"
        )?;
        for ((means, log), row) in &self.rows {
            let (means, log) = (means.name(), log.name());
            match row.cannot {
                true => writeln!(f, "{means:24} {log:11} not on this kernel")?,
                false => writeln!(
                    f,
                    "{means:24} {log:11} {:6} {:12} {:8} {:6}",
                    row.named, row.reports, row.unknown, row.wrong
                )?,
            }
        }
        let (deaths, named) = (self.deaths(), self.named());
        writeln!(f, "{named} of {deaths} named ({:.1} %)", named as f64 * 100.0 / deaths.max(1) as f64)?;
        for (reason, count) in &self.reasons {
            writeln!(f, "  unknown {count} times because {reason}")?;
        }
        Ok(())
    }
}

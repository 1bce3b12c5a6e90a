//! The least limit under which a command passes, found by runs under limits.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::command::Command;
use super::run::Run;
use crate::account::outcome::Verdict;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::lab::host::Host;
use crate::lab::options::LabOptions;
use crate::memcg::limits::human_size;
use crate::memcg::{Limit, Limits, Stat};
use crate::wait::Wait;

mod search;
mod settings;
mod slowed;

use search::Search;
pub use settings::FitSettings;
use slowed::is_slowed;

/// How the least limit of a command is looked for.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The command, its timeout, and the settings beside the limit. Each run has a lab of its own, without kernel log
    /// and tracepoint: the counters tell whether it was an OOM.
    pub run: Run,
    /// A command that looks at what a run left behind, outside the limit: the run passes where both end with 0.
    pub check: Option<Command>,
    /// The limit of the first run, in bytes; `None` for four fifths of the memory that the host has free. Nothing runs
    /// without a limit, so that a command that wants everything takes no other process down.
    pub most: Option<u64>,
    /// The most runs that are made, the first among them.
    pub runs: u32,
    /// By how many thousandths the answer may lie above the largest limit that failed.
    pub within_permille: u32,
    /// By how many thousandths a run may take longer than the first before it counts as slowed.
    pub slower_permille: u32,
    /// `memory.high` of each run at so many thousandths of its limit, as Kubernetes and systemd may set it (v2); `None` for
    /// none.
    pub high_permille: Option<u32>,
}

/// One run under one limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FitRun {
    /// The limit, in bytes.
    pub limit_bytes: u64,
    /// Whether the command, and the check, ended with 0.
    pub passed: bool,
    /// How the command ended.
    pub verdict: Verdict,
    /// Its status as subprocess has it.
    pub returncode: i32,
    /// The status of the check; `None` where none was made.
    pub check_returncode: Option<i32>,
    /// How many OOMs its group had.
    pub ooms: usize,
    /// From its start to its end, in nanoseconds.
    pub elapsed_ns: u64,
    /// The most that was charged, in bytes; `None` where the kernel keeps no mark (v2 before about 5.19).
    pub peak_bytes: Option<u64>,
    /// The time in which no task of the group could go on for want of memory, in microseconds: `memory.pressure`
    /// (v2).
    pub stalled_usec: Option<u64>,
    /// Pages of files that had been dropped and were read again: `workingset_refault_file` (or `workingset_refault`) of
    /// `memory.stat`.
    pub refaults: Option<u64>,
    /// Pages that had gone to swap and were read again: `workingset_refault_anon`; `None` on kernels that count them with
    /// the others.
    pub refaults_anon: Option<u64>,
    /// How often its group went over `memory.high` and was throttled: `memory.events` (v2).
    pub high_events: Option<u64>,
    /// Whether it passed but took longer than it may, or did not end in time.
    pub slowed: bool,
    /// Of what a slowed run had more than the first one: `refaults` (files were dropped and read again), `swap`,
    /// `throttling` (`memory.high`). Empty where no counter tells.
    pub slowed_by: Vec<&'static str>,
}

/// The least limit of a command, and the runs that say so.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Fitted {
    /// The name and version of this document's form.
    pub schema: &'static str,
    /// The least limit under which it passed, in bytes; `None` where it passed under none.
    pub limit_bytes: Option<u64>,
    /// The largest limit under which it failed, in bytes; `None` where it failed under none.
    pub failed_bytes: Option<u64>,
    /// The least limit under which it passed and took no longer than it may, in bytes, when every larger one that was
    /// tried held that too.
    pub unslowed_bytes: Option<u64>,
    /// By how many thousandths a run may take longer than the first.
    pub slower_permille: u32,
    /// What to write where; `None` where it passed under no limit.
    pub settings: Option<FitSettings>,
    /// Every run, in order.
    pub runs: Vec<FitRun>,
    /// Why there is no limit, or no closer one.
    pub reason: Option<String>,
}

impl Fit {
    /// At most 12 runs, within 2 %, slowed above 10 %.
    pub fn new(run: Run) -> Fit {
        #[rustfmt::skip]
        let fit = Fit {
            run, check: None, most: None, runs: 12, within_permille: 20, slower_permille: 100, high_permille: None,
        };
        fit
    }

    /// Looks for the least limit.
    ///
    /// # Errors
    /// `InvalidInput` for no runs, nothing within which the answer must lie, or a `memory.high` of nothing; else as [`Run::run`]. That the command
    /// fails under every limit is a result.
    pub fn fit<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Fitted> {
        let mut wait = wait.into();
        if self.runs == 0 || self.within_permille == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "fit", "no run, or no distance, would ever be enough")
                .remedy("allow at least one run, and a distance of 1 thousandth"));
        }
        if self.high_permille.is_some_and(|high| high == 0 || high > 1000) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "fit",
                "memory.high would be nothing, or more than the limit",
            )
            .remedy("give 1 to 1000 thousandths of the limit"));
        }
        let page = crate::sys::page_size();
        let most = match self.most {
            Some(most) => most,
            None => Host::probe()?.available_bytes / 5 * 4,
        };
        let most = most / page * page;
        let first = self.once(most, None, &mut wait)?;
        let mut runs = vec![first];
        if !runs[0].passed {
            let reason = format!("it does not pass under {} either: {}", human_size(most), runs[0].why());
            return Ok(self.fitted(runs, Some(reason)));
        }
        // A run that is reclaimed again and again may never end; it has failed long before.
        let patience = self.run.timeout.unwrap_or_else(|| runs[0].elapsed() * 10 + Duration::from_secs(10));
        let mut search = Search::new(most, runs[0].peak_bytes, u64::from(self.within_permille), page);
        let mut reason = None;
        while let Some(limit) = search.next() {
            if runs.len() >= self.runs as usize {
                reason = Some(format!("{} runs were made; more would come closer", runs.len()));
                break;
            }
            let run = self.once(limit, Some(patience), &mut wait)?;
            search.told(limit, run.passed, run.peak_bytes);
            runs.push(run);
        }
        while let Some(limit) = self.next_unslowed(&runs, page).filter(|_| runs.len() < self.runs as usize) {
            runs.push(self.once(limit, Some(patience), &mut wait)?);
        }
        Ok(self.fitted(runs, reason))
    }

    /// The middle between the least limit that is not slowed and the largest below it that is, while they are apart.
    fn next_unslowed(&self, runs: &[FitRun], page: u64) -> Option<u64> {
        let unslowed = self.unslowed(runs)?;
        // Above what it ever used no limit can slow it.
        let share = u64::from(self.high_permille.unwrap_or(1000));
        let unslowed = unslowed.min(runs[0].peak_bytes.map_or(unslowed, |peak| (peak / share * 1000).max(page)));
        let is_slowed = |run: &&FitRun| run.passed && is_slowed(run, &runs[0], self.slower_permille);
        let slowed = runs.iter().filter(is_slowed).map(|run| run.limit_bytes);
        let slowed = slowed.filter(|limit| *limit < unslowed).max()?;
        let middle = (slowed as f64 * unslowed as f64).sqrt() as u64 / page * page;
        let apart = unslowed - slowed > unslowed / 1000 * u64::from(self.within_permille);
        (apart && middle > slowed && middle < unslowed).then_some(middle)
    }

    fn unslowed(&self, runs: &[FitRun]) -> Option<u64> {
        let is_slowed = |run: &FitRun| is_slowed(run, &runs[0], self.slower_permille);
        let above =
            runs.iter().filter(|run| !run.passed || is_slowed(run)).map(|run| run.limit_bytes).max().unwrap_or(0);
        let held = runs.iter().filter(|run| run.passed && run.limit_bytes > above && !is_slowed(run));
        held.map(|run| run.limit_bytes).min()
    }

    fn once(&self, limit: u64, patience: Option<Duration>, wait: &mut Wait<'_>) -> Result<FitRun> {
        let page = crate::sys::page_size();
        let high = self.high_permille.map(|high| Limit::Bytes(limit / page * u64::from(high) / 1000 * page));
        let limits =
            Limits { limit: Some(Limit::Bytes(limit)), high: high.or(self.run.limits.high), ..self.run.limits };
        // Nobody reads the accounts of a search: the counters tell whether it was an OOM.
        let lab = LabOptions { kernel_log: false, call_path: false, ..self.run.lab.clone() };
        let run = Run { limits, timeout: self.run.timeout.or(patience), lab, ..self.run.clone() };
        let (lab, group) = run.make_lab()?;
        let began = Instant::now();
        let worker = group.command(&run.command)?;
        let outcome = run.ended(&worker, None, wait.reborrow());
        let elapsed_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let used = Used::of(&group);
        lab.close()?;
        let outcome = outcome?;
        let mut passed = outcome.verdict == Verdict::Exited && outcome.returncode == 0;
        let mut check_returncode = None;
        if let Some(check) = self.check.as_ref().filter(|_| passed) {
            let looked = Run { command: check.clone(), ..Run::default() }.run(wait.reborrow())?;
            check_returncode = Some(looked.returncode);
            passed = looked.returncode == 0;
        }
        let Used { stalled_usec, refaults, refaults_anon, high_events } = used;
        let (verdict, returncode, ooms) = (outcome.verdict, outcome.returncode, outcome.ooms.len());
        let (limit_bytes, peak_bytes) = (limit, outcome.peak_bytes);
        #[rustfmt::skip]
        let run = FitRun {
            limit_bytes, passed, verdict, returncode, check_returncode, ooms, elapsed_ns, peak_bytes, stalled_usec, refaults,
            refaults_anon, high_events, slowed: false, slowed_by: Vec::new(),
        };
        Ok(run)
    }

    fn fitted(&self, mut runs: Vec<FitRun>, reason: Option<String>) -> Fitted {
        let limit_bytes = runs.iter().filter(|run| run.passed).map(|run| run.limit_bytes).min();
        let failed = runs.iter().filter(|run| !run.passed).map(|run| run.limit_bytes);
        let failed_bytes = failed.filter(|failed| limit_bytes.is_none_or(|passed| *failed < passed)).max();
        let unslowed_bytes = if runs[0].passed { self.unslowed(&runs) } else { None };
        let slower_permille = self.slower_permille;
        slowed::tell(&mut runs, slower_permille);
        let settings = limit_bytes.map(|passes| FitSettings::of(passes, unslowed_bytes));
        let schema = "memoom.fit/1";
        Fitted { schema, limit_bytes, failed_bytes, unslowed_bytes, slower_permille, settings, runs, reason }
    }
}

/// What the group's own files say at the end of a run.
struct Used {
    stalled_usec: Option<u64>,
    refaults: Option<u64>,
    refaults_anon: Option<u64>,
    high_events: Option<u64>,
}

impl Used {
    /// What cannot be read is unknown: the run itself is not worth less for it.
    fn of(group: &Group) -> Used {
        let stat = group.stat().ok();
        let stat = stat.as_ref();
        Used {
            stalled_usec: group.pressure().ok().map(|pressure| pressure.full.total_usec),
            refaults: stat.and_then(Stat::refaults),
            refaults_anon: stat.and_then(|stat| stat.get("workingset_refault_anon")),
            high_events: group.counters().ok().and_then(|counters| counters.high),
        }
    }
}

impl FitRun {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.elapsed_ns)
    }

    /// What a run came to, in words.
    fn why(&self) -> String {
        let ended = self.ended();
        match (self.slowed, &self.slowed_by[..]) {
            (false, _) => ended,
            (true, []) => format!("{ended}, slowed"),
            (true, by) => format!("{ended}, slowed by {}", by.join(" and ")),
        }
    }

    fn ended(&self) -> String {
        match (self.verdict, self.check_returncode) {
            (Verdict::OomKilled, _) => "OOM-killed".to_string(),
            (Verdict::Timeout, _) => "it did not end in time".to_string(),
            (_, Some(status)) if status != 0 => format!("the check ended with {status}"),
            (_, _) if self.passed => "passed".to_string(),
            (_, _) if self.returncode < 0 => format!("ended by signal {}", -self.returncode),
            (_, _) => format!("exit status {}", self.returncode),
        }
    }
}

impl Fitted {
    /// The answer as one JSON document on one line, `schema` "memoom.fit/1".
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }

    /// The answer as a person reads it: the limit, how close it is, where it is not slowed, and a line for each run.
    pub fn to_text(&self) -> String {
        let mut text = match (self.limit_bytes, self.failed_bytes) {
            (Some(limit), Some(failed)) => format!(
                "It passes under {} ({limit} bytes) and fails under {} ({failed} bytes).\n",
                human_size(limit),
                human_size(failed)
            ),
            (Some(limit), None) => {
                format!("It passes under {} ({limit} bytes); nothing that was tried fails.\n", human_size(limit))
            }
            (None, _) => "It passes under no limit that was tried.\n".to_string(),
        };
        if let Some(reason) = &self.reason {
            let _ = writeln!(text, "{}{}.", reason[..1].to_uppercase(), &reason[1..]);
        }
        match self.unslowed_bytes {
            Some(bytes) if Some(bytes) != self.limit_bytes => {
                let percent = self.slower_permille / 10;
                let _ = writeln!(text, "It is not slowed by more than {percent} % from {} on.", human_size(bytes));
            }
            _ => {}
        }
        let _ = writeln!(text, "{:>12}  {:>10}  {:>12}  {:>9}  result", "limit", "time", "peak", "refaults");
        for run in &self.runs {
            let known = |value: Option<u64>| value.map_or("?".to_string(), |value| value.to_string());
            let _ = writeln!(
                text,
                "{:>12}  {:>7} ms  {:>12}  {:>9}  {}",
                human_size(run.limit_bytes),
                run.elapsed_ns / 1_000_000,
                run.peak_bytes.map_or("?".to_string(), human_size),
                known(run.refaults),
                run.why()
            );
        }
        if let Some(settings) = &self.settings {
            text.push_str(&settings.to_text());
        }
        text
    }
}

//! Deaths by the hundred, each with an author that is known beforehand: what memoom says of each is held against it, with
//! the kernel's log readable, its reports suppressed, and no log at all. Nobody else may be named; where nobody is, the
//! reason is.
//!
//! `MEMOOM_DEATHS` says how many (40; `make deaths`: 2000), `MEMOOM_SEED` repeats one: the seed of a wrong one is printed.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;
#[path = "deaths/judge.rs"]
mod judge;
#[path = "deaths/people.rs"]
mod people;
#[path = "deaths/stage.rs"]
mod stage;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

use common::{told, Random, EATS, LONG};
use judge::{has_report, Judgement, Table};
use memoom::{Command, Lab, LabOptions, Limits};
use people::People;
use stage::{Log, Means, Stage};

/// The kernel prints ten reports of OOMs in so long a time, for the whole machine.
const WINDOW: Duration = Duration::from_secs(5);
const REPORTS: usize = 10;
/// A lab remembers all that happened in it, so it is for so many deaths.
const DEATHS_PER_LAB: u64 = 100;

#[test]
fn the_author_of_each_death_is_named() {
    let Some(lab) = common::lab() else { return };
    let traced = lab.host().can("tracefs");
    lab.close().unwrap();
    let deaths: u64 = told("MEMOOM_DEATHS", 40);
    let people = People::new();
    let mut table = Table::default();
    let mut wrong = Vec::new();
    let mut seeds = Random::new();
    // A given seed is that of the first death under each state of the log, so that it repeats one of any.
    let given = std::env::var_os("MEMOOM_SEED").map(|_| seeds.seed());
    let begun = Instant::now();
    for (number, log) in Log::ALL.into_iter().enumerate() {
        // Each share is a third, the first ones one more where it does not divide.
        let share = (deaths + 2 - number as u64) / 3;
        let mut run = Run::of(log);
        for at in 0..share {
            let (seed, means) = seed_of(at, given, &mut seeds);
            let judged = catch_unwind(AssertUnwindSafe(|| run.death(means, seed, &people)));
            if judged.is_err() {
                // Whatever still stands goes with its lab.
                run.lab = None;
            }
            let judged = judged.unwrap_or_else(|_| Some(Judgement::Wrong("the death could not be staged".to_string())));
            let Some(judged) = judged else {
                table.cannot(means, log);
                continue;
            };
            if let Judgement::Wrong(why) = &judged {
                eprintln!("MEMOOM_SEED={seed} MEMOOM_DEATHS=3 repeats it: {means:?}, log {log:?}: {why}");
                wrong.push(seed);
            }
            table.note(means, log, judged);
        }
        run.end();
    }
    println!("{deaths} deaths in {:.1} s\n{table}", begun.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "{} wrong authors", wrong.len());
    if traced {
        assert!(table.named() * 100 >= table.deaths() * 95, "fewer than 95 % are named");
    }
    // In a virtual machine of the tests nobody else uses the reports up.
    if std::env::var_os("MEMOOM_ENTRY").is_some() && deaths >= 40 {
        assert!(table.reported(Log::Readable) > table.reported(Log::Suppressed), "the log was not suppressed");
    }
}

/// The seed of a death, which draws all of it, and by what it is: the given one for the first, else such that the means
/// come in turn.
fn seed_of(at: u64, given: Option<u64>, seeds: &mut Random) -> (u64, Means) {
    let draw = |seed: u64| (seed, Means::draw(&mut Random::seeded(seed)));
    if let (0, Some(seed)) = (at, given) {
        return draw(seed);
    }
    let wanted = Means::ALL[usize::try_from(at).unwrap() % Means::ALL.len()];
    loop {
        let (seed, means) = draw(seeds.seed());
        seeds.below(u64::MAX);
        if means == wanted {
            return (seed, means);
        }
    }
}

/// The deaths of one state of the log.
struct Run {
    log: Log,
    lab: Option<Lab>,
    deaths: u64,
    /// When our last OOMs were.
    ooms: VecDeque<Instant>,
}

impl Run {
    fn of(log: Log) -> Run {
        Run { log, lab: None, deaths: 0, ooms: VecDeque::new() }
    }

    /// Stages one death and judges what is said of it; `None` where this machine cannot have it.
    fn death(&mut self, means: Means, seed: u64, people: &People) -> Option<Judgement> {
        if self.deaths % DEATHS_PER_LAB == 0 {
            self.end();
        }
        self.deaths += 1;
        let kernel_log = self.log != Log::Absent;
        let lab =
            self.lab.get_or_insert_with(|| Lab::with(&LabOptions { kernel_log, ..LabOptions::default() }).unwrap());
        let stage = Stage { lab, people, inner: RefCell::default() };
        if !stage.can(means) {
            return None;
        }
        if means.is_oom() {
            match self.log {
                Log::Readable => wait_for_a_report(&mut self.ooms),
                Log::Suppressed => use_up_the_reports(),
                Log::Absent => {}
            }
        }
        let mut random = Random::seeded(seed);
        let _ = Means::draw(&mut random);
        let death = stage.play(means, &mut random);
        Some(judge::judge(&death))
    }

    fn end(&mut self) {
        if let Some(lab) = self.lab.take() {
            lab.close().unwrap();
        }
    }
}

/// Until the kernel would print a report: it tells nobody when, so the window is waited for.
fn wait_for_a_report(ooms: &mut VecDeque<Instant>) {
    while ooms.len() >= REPORTS - 2 {
        let first = ooms.pop_front().unwrap();
        std::thread::sleep(WINDOW.saturating_sub(first.elapsed()));
    }
    ooms.push_back(Instant::now());
}

/// Has the kernel print all the reports of a window, until it kills somebody without one: its log says that it prints no
/// more, however slow the machine is.
fn use_up_the_reports() {
    let lab = Lab::with(&LabOptions { call_path: false, ..LabOptions::default() }).unwrap();
    let deadline = Instant::now() + LONG;
    // Mostly they are used up still. Else all of them at once, each in a group of its own: one after the other may take longer
    // than the window.
    let mut eaters = 1;
    loop {
        let eaters: Vec<_> = (0..std::mem::replace(&mut eaters, REPORTS + 1))
            .map(|_| lab.group(None, &Limits::bytes(4 << 20)).unwrap())
            .map(|group| group.command(&Command::new(["sh", "-c", EATS])).unwrap())
            .collect();
        let outcomes: Vec<_> = eaters.iter().map(|eater| eater.wait(LONG).unwrap()).collect();
        assert!(outcomes.iter().all(|outcome| outcome.oom_killed));
        if outcomes.iter().any(|outcome| !outcome.oom().is_some_and(|oom| has_report(oom))) {
            break;
        }
        assert!(Instant::now() < deadline, "the kernel prints reports without end");
    }
    lab.close().unwrap();
}

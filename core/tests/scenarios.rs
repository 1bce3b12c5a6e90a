//! Random OOM scenarios: groups in groups, processes of every kind, scores, limits, kills by hand. Each account is held
//! against what the kernel's files, the exits and the plan itself say, which is reckoned without any account.
//!
//! `MEMOOM_RUNS` says how many (25), `MEMOOM_SEED` repeats one: the seed of a scenario that fails is printed.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;
#[path = "scenarios/judge.rs"]
mod judge;
#[path = "scenarios/plan.rs"]
mod plan;
#[path = "scenarios/recorded.rs"]
mod recorded;
#[path = "scenarios/stage.rs"]
mod stage;
#[path = "scenarios/truth.rs"]
mod truth;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Instant;

use common::Random;
use recorded::Recorded;

fn main() {
    common::actor::act_if_told();
    common::runner::run(&[
        ("random_scenarios", random_scenarios),
        ("a_scenario_that_fails_leaves_its_recording", recorded::a_scenario_that_fails_leaves_its_recording),
    ]);
}

/// Each scenario has a lab of its own for so long only, as a lab remembers everything that happened in it.
const SCENARIOS_PER_LAB: u32 = 50;

fn random_scenarios() {
    let runs: u32 = common::told("MEMOOM_RUNS", 25);
    let mut seeds = Random::new();
    let mut seed = seeds.seed();
    let may_lower_scores = truth::may_lower_scores();
    let mut tally = judge::Tally::default();
    let mut failed = Vec::new();
    let begun = Instant::now();
    let mut lab = None;
    for run in 0..runs {
        if run % SCENARIOS_PER_LAB == 0 || lab.is_none() {
            let Some(made) = Recorded::lab() else { return };
            lab = Some(made);
        }
        let Some(on) = &mut lab else { return };
        let mut random = Random::seeded(seed);
        let plan = plan::Plan::draw(&mut random, on.lab.version(), may_lower_scores);
        let played = catch_unwind(AssertUnwindSafe(|| {
            let mut played = stage::play(&on.lab, &plan, &mut random);
            judge::judge(&plan, &mut played, &mut tally);
            stage::clear(played);
        }));
        if played.is_err() {
            eprintln!("MEMOOM_SEED={seed} MEMOOM_RUNS=1 repeats it\n{plan:?}");
            failed.push(seed);
            // Whatever still stands goes with its lab; what was seen stays.
            let recording = lab.take().map(Recorded::keep);
            eprintln!("what was seen is in {}: memoom replay", recording.unwrap_or_default().display());
        }
        seed = seeds.below(u64::MAX);
    }
    println!("{runs} scenarios in {:.1} s: {tally}", begun.elapsed().as_secs_f64());
    assert!(failed.is_empty(), "{} of {runs} failed; their seeds: {failed:?}", failed.len());
}

//! A storm of signals: host, supervisor, workers, or host and supervisor together, at random moments of random activity.
//! Whoever dies, two seconds later nothing of it is left, and nobody beside it was touched.
//!
//! `MEMOOM_STORM_SIGNALS` says how many (60), `MEMOOM_SEED` repeats a round: that of one that leaves something is printed.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

#[path = "storm/activity.rs"]
mod activity;
#[path = "storm/acts.rs"]
mod acts;
#[path = "storm/beside.rs"]
mod beside;
mod common;
#[path = "storm/left.rs"]
mod left;
#[path = "storm/process.rs"]
mod process;
#[path = "storm/round.rs"]
mod round;
#[path = "storm/shot.rs"]
mod shot;
#[path = "storm/stranger.rs"]
mod stranger;

use std::time::Instant;

use beside::Beside;
use common::Random;
use left::Before;
use round::Tally;

fn main() {
    if activity::act_if_told() {
        return;
    }
    // From the first thread, as the others are to see the same mounts.
    let alone = process::alone();
    if let Err(why) = &alone {
        println!("without mounts of its own: {why}");
    }
    common::runner::run(&[
        ("a_killed_observer_leaves_no_instance", a_killed_observer_leaves_no_instance),
        ("storm", storm),
        ("who_is_frozen_for_long_is_waited_for", who_is_frozen_for_long_is_waited_for),
    ]);
}

/// An observer has no lab, and its instance goes with it all the same.
fn a_killed_observer_leaves_no_instance() {
    let Some(outer) = common::lab() else { return };
    drop(outer);
    let beside = Beside::new();
    let before = Before::now(&beside);
    let mut observer = beside.start_a_copy("observe");
    let pid = i32::try_from(observer.id()).unwrap();
    let watches = beside::first_line(&mut observer);
    let standing = before.left(pid);
    observer.kill().unwrap();
    observer.wait().unwrap();
    let gone = common::gone_by(Instant::now() + common::patience(), || !before.left(pid).is_empty());
    assert!(gone, "{:?}", before.left(pid));
    // Where tracefs can be had at all the observer had an instance, or there was nothing to leave.
    println!("{watches}: {standing:?}");
    assert!(standing.iter().any(|one| one.contains("tracefs instance")) || !before.sees_instances(), "{standing:?}");
    beside.end();
}

/// A stranger keeps a worker frozen for longer than the supervisor is in haste; what is left goes when the worker can.
/// In long runs alone, as it takes its time.
fn who_is_frozen_for_long_is_waited_for() {
    let Some(outer) = common::lab() else { return };
    drop(outer);
    if signals() <= 60 {
        println!("not in a short run");
        return;
    }
    let beside = Beside::new();
    let before = Before::now(&beside);
    let mut host = beside.start_a_copy("idle");
    let pid = i32::try_from(host.id()).unwrap();
    beside::first_line(&mut host);
    let workers = shot::workers(&before, pid);
    assert!(!workers.is_empty());
    let Some(frozen) = stranger::Frozen::all_by_v1(&workers) else {
        println!("not here: v2 thaws whatever is in a lab");
        return beside.end();
    };
    host.kill().unwrap();
    host.wait().unwrap();
    let held = Instant::now() + std::time::Duration::from_secs(12);
    assert!(!common::gone_by(held, || !before.left(pid).is_empty()), "nobody was frozen");
    frozen.thaw();
    let gone = common::gone_by(Instant::now() + common::patience(), || !before.left(pid).is_empty());
    assert!(gone, "{:?}", before.left(pid));
    beside.end();
}

/// How many signals: MEMOOM_STORM_SIGNALS, 60.
fn signals() -> u64 {
    common::told("MEMOOM_STORM_SIGNALS", 60)
}

fn storm() {
    let Some(outer) = common::lab() else { return };
    drop(outer);
    let mut seeds = Random::new();
    let mut seed = seeds.seed();
    let mut beside = Beside::new();
    let before = Before::now(&beside);
    let mut tally = Tally::default();
    let begun = Instant::now();
    while tally.signals() < signals() {
        let found = round::play(seed, &mut beside, &before, &mut tally);
        for one in &found {
            println!("round {}: {one}\n  MEMOOM_SEED={seed} MEMOOM_STORM_SIGNALS=1 begins with it", tally.rounds);
        }
        tally.left.extend(found);
        assert!(tally.left.len() < 20, "{tally}");
        seed = seeds.below(u64::MAX);
        // Whoever waits for a long run sees that it goes on.
        if tally.rounds % 50 == 0 {
            println!("{} rounds, {} signals in {:.0} s", tally.rounds, tally.signals(), begun.elapsed().as_secs_f64());
        }
    }
    println!("{tally}\nin {:.0} s", begun.elapsed().as_secs_f64());
    beside.end();
    assert!(tally.left.is_empty(), "{}", tally.left.join("\n"));
}

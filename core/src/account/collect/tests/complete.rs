//! When an account is complete, and in which order they come.

use super::made::*;
use crate::account::collect::Collector;
use crate::account::oom::Cause;
use crate::account::sign::{Sign, Whose};
use crate::memcg::version::Version;
use crate::memcg::{Counters, Stat};

#[test]
fn a_kill_that_all_sources_tell_is_one_account() {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    play.exits(7, -9);
    let ooms = play.read_for(50 * MS);
    assert_eq!(victims(&ooms), [[7]]);
    let victim = &ooms[0].victims[0];
    assert_eq!((victim.cause, victim.group.as_deref()), (Cause::Selected, Some(G)));
    assert_eq!(victim.sources, ["tracefs", "kernel-log"]);
    assert_eq!((ooms[0].limit_group.as_deref(), ooms[0].limit_bytes), (Some(G), Some(64 << 20)));
    assert!(ooms[0].disagreements.is_empty(), "{:?}", ooms[0].disagreements);
    assert_eq!(lacks(&ooms[0], "report"), [""; 0]);
    assert!(!play.collector.is_open() && play.read_for(50 * MS).is_empty());
}

#[test]
fn an_account_waits_for_the_end_of_its_victim() {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    assert!(play.read_for(1000 * MS).is_empty(), "its victim lives");
    play.exits(7, -9);
    assert_eq!(play.read_for(50 * MS).len(), 1);
}

#[test]
fn the_sources_are_read_once_more_after_the_end() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    play.tell(Sign::Seal);
    // It ends after the look at it: what it printed last may stand in no reading yet.
    play.ends(7);
    play.tell(Sign::Reading);
    assert!(play.tell(Sign::Settle).is_empty());
    assert_eq!(play.read().len(), 1);
}

#[test]
fn a_victim_that_does_not_end_is_not_waited_for_longer_than_ten_seconds() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    assert!(play.read_for(9_900 * MS).is_empty());
    let ooms = play.read_for(300 * MS);
    assert_eq!(lacks(&ooms[0], "exit"), ["a victim had not ended within 10 seconds"]);
}

#[test]
fn a_line_that_is_late_is_waited_for_and_then_named() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.ends(7);
    assert!(play.read_for(150 * MS).is_empty(), "its line may come");
    let ooms = play.read_for(200 * MS);
    assert_eq!(ooms[0].victims[0].sources, ["tracefs"]);
    assert!(ooms[0].disagreements.iter().any(|one| one.says == "tracefs tells of pid 7, kernel-log does not"));
    // It comes after all: that is no second kill.
    play.prints_line(7);
    assert!(play.read_for(1000 * MS).is_empty() && !play.collector.is_open());
}

#[test]
fn a_line_that_comes_in_time_is_in_the_account() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.ends(7);
    assert!(play.read_for(100 * MS).is_empty());
    play.prints_line(7);
    let ooms = play.read_for(50 * MS);
    assert_eq!(ooms[0].victims[0].sources, ["tracefs", "kernel-log"]);
}

#[test]
fn accounts_come_in_the_order_of_the_kills() {
    let mut play = Play::new();
    play.counts(G, 2);
    play.marks(7, Play::ours(G));
    play.marks(8, Play::ours(G));
    // The later one ends first, and is told first.
    play.prints_line(8);
    play.ends(8);
    assert!(play.read_for(50 * MS).is_empty(), "the first one is not complete");
    play.prints_line(7);
    play.ends(7);
    assert_eq!(victims(&play.read_for(50 * MS)), [[7], [8]]);
}

#[test]
fn a_kill_of_strangers_is_nobody_s_account() {
    let mut play = Play::new();
    play.marks(7, Whose::Strangers);
    play.prints_report(7, "/system.slice/other");
    play.ends(7);
    assert!(play.read_for(1000 * MS).is_empty() && !play.collector.is_open());
}

/// Of thousands that are watched.
#[test]
fn an_account_reads_the_counters_of_the_groups_that_it_is_about() {
    let mut play = Play::new();
    let others: Vec<String> = (0..100).map(|at| format!("/memoom-1/other{at}")).collect();
    others.iter().for_each(|other| play.group(other));
    for kills in 1..3 {
        play.world.read.borrow_mut().clear();
        play.world.with(G, |group| {
            let own = Stat::from_iter([("oom_kill", kills), ("oom", kills)]);
            group.counters = Ok(Counters { oom_kill: Some(kills), local: own, ..Counters::default() });
        });
        play.tell(Sign::Stirred { cgroup: G.to_string(), below: false });
        play.marks(6 + kills as i32, Play::ours(G));
        play.prints_report(6 + kills as i32, G);
        play.ends(6 + kills as i32);
        play.tell(Sign::Stirred { cgroup: G.to_string(), below: true });
        assert_eq!(play.read_for(50 * MS).len(), 1);
        assert!(play.world.read.borrow().iter().all(|read| read == G), "{:?}", play.world.read.borrow());
    }
    // A victim that nobody could place may be of any.
    play.counts(&others[50], 1);
    play.marks(9, Whose::Unknown);
    play.ends(9);
    let ooms = play.read_for(1000 * MS);
    assert_eq!(ooms[0].victims[0].group.as_deref(), Some(others[50].as_str()));
}

/// Where no mark tells of kills, whatever moves may be one of any group.
#[test]
fn without_the_tracepoint_all_counters_are_held_against_the_accounts() {
    let mut play = Play::of(Collector::new(false, true), Version::V2);
    play.group(G);
    play.group(OTHER);
    play.world.read.borrow_mut().clear();
    play.tell(Sign::Stirred { cgroup: G.to_string(), below: false });
    play.read();
    assert!([G, OTHER].iter().all(|cgroup| play.world.read.borrow().iter().any(|read| read == cgroup)));
}

/// A mark that was overwritten may have been of any group.
#[test]
fn after_a_loss_all_counters_are_held_against_the_accounts() {
    let mut play = Play::new();
    play.group(OTHER);
    play.world.with(OTHER, |group| {
        let own = Stat::from_iter([("oom_kill", 1), ("oom", 1)]);
        group.counters = Ok(Counters { oom_kill: Some(1), local: own, ..Counters::default() });
    });
    assert!(play.read_for(500 * MS).is_empty(), "nothing was heard of it");
    play.tell(Sign::Lost { source: "tracefs", count: 1 });
    let ooms = play.read_for(1000 * MS);
    assert_eq!(ooms.len(), 1);
    assert_eq!(ooms[0].counted_in.as_deref(), Some(OTHER));
}

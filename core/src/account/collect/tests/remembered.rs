//! What is remembered of a pid, and for how long.

use super::made::*;
use crate::account::collect::Collector;
use crate::account::scene::Scene;
use crate::account::sign::{Sign, Whose};
use crate::memcg::version::Version;

/// A play in which pid 55 stood in the table of an OOM of G.
fn one_that_was_seen() -> Play {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_table(7, G, &[7, 55]);
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(50 * MS)), [[7]]);
    play
}

#[test]
fn one_of_a_table_that_has_gone_is_known_by_it() {
    let mut play = one_that_was_seen();
    play.marks(55, Whose::Unknown);
    play.counts(G, 2);
    play.ends(55);
    assert_eq!(victims(&play.read_for(300 * MS)), [[55]]);
}

#[test]
fn a_pid_is_somebody_elses_when_its_group_has_gone() {
    let mut play = one_that_was_seen();
    play.world.groups.borrow_mut().clear();
    play.tell(Sign::Forgotten { cgroup: G.to_string() });
    play.group(G);
    play.marks(55, Whose::Unknown);
    play.ends(55);
    assert_eq!(victims(&play.read_for(1000 * MS)), Vec::<Vec<i32>>::new(), "the kill of a stranger is none of ours");
}

#[test]
fn a_pid_is_somebody_elses_after_a_while() {
    let mut play = one_that_was_seen();
    play.later(11_000 * MS);
    play.read();
    play.marks(55, Whose::Unknown);
    play.ends(55);
    assert_eq!(victims(&play.read_for(1000 * MS)), Vec::<Vec<i32>>::new(), "the kill of a stranger is none of ours");
}

#[test]
fn a_worker_that_has_the_pid_of_a_victim_is_another_one() {
    let mut play = Play::of(Collector::new(false, false), Version::V2);
    play.group(G);
    for kills in 1..=2 {
        let started_ns = play.world.now_ns();
        play.tell(Sign::Started { pid: 7, comm: b"hog".to_vec(), cgroup: G.to_string(), started_ns });
        play.worker(7, G);
        play.counts(G, kills);
        let now_ns = play.world.now_ns();
        play.world.workers.borrow_mut().last_mut().unwrap().exit = Some((-9, now_ns));
        play.tell(Sign::Moved);
        assert_eq!(victims(&play.read_for(100 * MS)), [[7]], "kill {kills}");
    }
}

#[test]
fn a_strangers_kill_is_not_taken_for_ours_whose_mark_comes_late() {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(55, Whose::Unrelated);
    play.ends(55);
    assert!(play.read_for(100 * MS).is_empty());
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(100 * MS)), [[7]]);
    assert!(play.read_for(1000 * MS).is_empty(), "the kill of a stranger is none of ours");
}

#[test]
fn who_was_moved_into_a_group_is_told_all_the_same() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(55, Whose::Unrelated);
    play.prints_line(55);
    play.ends(55);
    assert_eq!(victims(&play.read_for(1000 * MS)), [[55]]);
}

#[test]
fn nobodys_outcome_waits_for_a_victim_of_another_group() {
    let mut play = Play::new();
    play.group(OTHER);
    play.worker(7, G);
    play.worker(8, OTHER);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    assert!(play.read_for(100 * MS).is_empty() && play.collector.is_open());
    assert!(play.collector.concerns(7, G) && play.collector.concerns(9, G), "its own and its neighbours do");
    assert!(play.collector.concerns(9, LAB), "so does one of a group above");
    assert!(!play.collector.concerns(8, OTHER));
}

#[test]
fn a_victim_that_does_not_end_keeps_no_account_of_another_limit_waiting() {
    let mut play = Play::new();
    play.group(LAB);
    play.group(OTHER);
    play.worker(7, G);
    play.worker(8, OTHER);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    play.counts(OTHER, 1);
    play.marks(8, Play::ours(OTHER));
    play.prints_report(8, OTHER);
    play.exits(8, -9);
    assert_eq!(victims(&play.read_for(50 * MS)), [[8]]);
    play.later(1000 * MS);
    play.exits(7, -9);
    let ooms = play.read_for(50 * MS);
    assert_eq!(victims(&ooms), [[7]]);
    let kills = (ooms[0].counters.before.oom_kill, ooms[0].counters.after.oom_kill);
    assert_eq!(kills, (Some(0), Some(1)), "its counters are held against those before it");
    assert!(ooms[0].disagreements.is_empty(), "{:?}", ooms[0].disagreements);
}

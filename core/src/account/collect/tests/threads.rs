//! Threads that the kernel names in the place of their processes, and which worker a kill belongs to.

use super::made::*;
use crate::account::scene::Scene;
use crate::account::sign::{Sign, Whose};

/// A thread of a worker is marked, which nobody can ask any more, and its report is suppressed.
fn marks_a_thread(play: &mut Play, thread: i32) {
    play.world.gone.borrow_mut().push(thread);
    let kills = play.world.counters(G).ok().and_then(|now| now.oom_kill).unwrap_or(0);
    play.counts(G, kills + 1);
    play.marks(thread, Whose::Unknown);
    play.prints_line(thread);
}

/// Whether somebody was seen to send SIGKILL to each of the workers.
fn sent(play: &Play, seen: &[Option<bool>]) {
    for (worker, seen) in play.world.workers.borrow_mut().iter_mut().zip(seen) {
        worker.kill_sent = *seen;
    }
}

#[test]
fn a_thread_that_nobody_can_ask_is_of_the_worker_that_died_with_it() {
    let mut play = Play::new();
    play.worker(7, G);
    play.worker(8, G);
    sent(&play, &[Some(false), Some(true)]);
    // The other one had its SIGKILL from a program.
    play.exits(8, -9);
    play.read();
    marks_a_thread(&mut play, 70);
    assert!(play.read_for(60 * MS).is_empty() && play.collector.looks_again());
    play.tell(Sign::Logged { records: Vec::new() });
    play.exits(7, -9);
    let ooms = play.read_for(500 * MS);
    assert_eq!(victims(&ooms), [[7]]);
    assert!(lacks(&ooms[0], "victim")[0].contains("taken for a thread of it"), "{:?}", ooms[0].missing);
    assert_eq!(ooms[0].disagreements, [], "{:?}", ooms[0].disagreements);
    assert_eq!(play.collector.left_open(G, 0, u64::MAX, &play.world), None);
    assert!(play.read_for(1000 * MS).is_empty(), "once");
}

#[test]
fn a_worker_that_is_dying_beside_such_a_thread_is_waited_for() {
    let mut play = Play::new();
    play.worker(7, G);
    sent(&play, &[Some(false)]);
    marks_a_thread(&mut play, 70);
    play.ends(7);
    assert!(play.read_for(1000 * MS).is_empty(), "it is not reaped");
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(100 * MS)), [[7]]);
}

#[test]
fn two_threads_are_of_the_two_workers_that_died() {
    let mut play = Play::new();
    play.worker(7, G);
    play.worker(8, G);
    sent(&play, &[Some(false), Some(false)]);
    marks_a_thread(&mut play, 70);
    marks_a_thread(&mut play, 80);
    play.exits(7, -9);
    play.exits(8, -9);
    let mut ooms = play.read_for(500 * MS);
    ooms.extend(play.read_for(500 * MS));
    assert_eq!(victims(&ooms), [[7], [8]]);
}

#[test]
fn a_plain_kill_beside_such_a_victim_stays_one() {
    // It was seen to be sent, or the worker ended in another way, or before, or stands elsewhere.
    for (seen, returncode, before, cgroup) in [
        (Some(true), -9, false, G),
        (Some(false), 0, false, G),
        (Some(false), -9, true, G),
        (Some(false), -9, false, OTHER),
    ] {
        let mut play = Play::new();
        play.group(OTHER);
        play.worker(7, cgroup);
        sent(&play, &[seen]);
        if before {
            play.exits(7, returncode);
        }
        play.read();
        marks_a_thread(&mut play, 70);
        let ooms = match before {
            true => play.read_for(500 * MS),
            false => {
                play.read_for(50 * MS);
                play.exits(7, returncode);
                play.read_for(500 * MS)
            }
        };
        assert_eq!(victims(&ooms), [[70]], "{seen:?} {returncode} {before} {cgroup}");
    }
}

#[test]
fn where_two_explanations_are_left_neither_is_taken() {
    for workers in [&[None][..], &[Some(false), Some(false)]] {
        let mut play = Play::new();
        for (pid, _) in (7..).zip(workers) {
            play.worker(pid, G);
        }
        sent(&play, workers);
        marks_a_thread(&mut play, 70);
        let marked_ns = play.world.now_ns();
        for (pid, _) in (7..).zip(workers) {
            play.exits(pid, -9);
        }
        let ended_ns = play.world.now_ns();
        assert_eq!(victims(&play.read_for(500 * MS)), [[70]]);
        let open = |from_ns, to_ns| {
            play.collector.left_open(G, from_ns, to_ns, &play.world).is_some_and(|why| why.contains("pid 70"))
        };
        assert!(open(0, ended_ns));
        // Who ended before it, or began after it, was not killed in it; nor who stood elsewhere.
        assert!(!open(0, marked_ns - 100_000_000) && !open(ended_ns, u64::MAX));
        assert_eq!(play.collector.left_open(OTHER, 0, ended_ns, &play.world), None);
    }
}

#[test]
fn a_kill_of_which_nobody_is_named_stays_open_to_who_died_then() {
    let mut play = Play::new();
    play.read();
    play.counts(G, 1);
    assert_eq!(play.read_for(500 * MS).len(), 1);
    assert!(play
        .collector
        .left_open(G, 0, u64::MAX, &play.world)
        .is_some_and(|why| why.contains("nobody can say of whom")));
    assert_eq!(play.collector.left_open(OTHER, 0, u64::MAX, &play.world), None);
}

#[test]
fn a_victim_that_is_a_process_leaves_nothing_open() {
    let mut play = Play::new();
    play.worker(7, G);
    sent(&play, &[None]);
    play.counts(G, 1);
    play.marks(9, Play::ours(G));
    play.prints_line(9);
    play.ends(9);
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(500 * MS)), [[9]]);
    assert_eq!(play.collector.left_open(G, 0, u64::MAX, &play.world), None);
}

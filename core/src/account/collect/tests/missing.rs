//! What could not be had: records that were lost, no source at all, limits, names used again; and blocks.

use super::made::*;
use crate::account::collect::Collector;
use crate::account::oom::Blocked;
use crate::account::scene::Scene;
use crate::account::sign::Sign;
use crate::memcg::version::Version;
use crate::memcg::Counters;

#[test]
fn records_that_were_lost_are_named_by_the_account_they_may_belong_to() {
    let mut play = Play::new();
    play.read();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.ends(7);
    play.tell(Sign::Lost { source: "kernel-log", count: 4 });
    let ooms = play.read_for(400 * MS);
    assert_eq!(lacks(&ooms[0], "kernel-log"), ["4 records were overwritten before they could be read"]);
    assert!(lacks(&ooms[0], "report")[0].contains("records of the kernel log that could not be read"));
    let why = "records of kernel-log were overwritten before they could be read";
    assert!(ooms[0].disagreements.iter().any(|one| one.because.as_deref() == Some(why)));
    // The next one has nothing to do with it.
    play.later(1000 * MS);
    play.read();
    play.read();
    play.counts(G, 2);
    play.marks(8, Play::ours(G));
    play.prints_report(8, G);
    play.ends(8);
    assert_eq!(lacks(&play.read_for(400 * MS)[0], "kernel-log"), [""; 0]);
}

#[test]
fn a_report_that_the_kernel_kept_to_itself_is_told_from_one_that_nobody_knows_of() {
    for (begun, why) in [(10, "the kernel had printed 10 reports"), (9, "no source says why")] {
        let mut play = Play::new();
        let now_usec = play.world.now_ns() / 1000;
        play.world.begun.borrow_mut().extend((0..begun).map(|at| now_usec - at));
        play.counts(G, 1);
        play.marks(7, Play::ours(G));
        play.prints_line(7);
        play.ends(7);
        let said = &lacks(&play.read_for(400 * MS)[0], "report")[0];
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_thread_that_the_kernel_marks_is_its_process() {
    let mut play = Play::new();
    play.worker(7, G);
    play.tell(Sign::Thread { thread: 70, process: 7 });
    play.counts(G, 1);
    play.marks(70, Play::ours(G));
    play.prints_line(70);
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(400 * MS)), [[7]]);
}

#[test]
fn without_any_source_the_counters_say_whom_it_hit() {
    let mut play = Play::of(Collector::new(false, false), Version::V2);
    play.group(G);
    for pid in [7, 8, 9] {
        play.worker(pid, G);
    }
    play.world.workers.borrow_mut()[1].killed_by_us = true;
    play.counts(G, 1);
    play.exits(8, -9);
    play.exits(9, 0);
    play.exits(7, -9);
    let ooms = play.read_for(100 * MS);
    assert_eq!((victims(&ooms), ooms[0].victims[0].sources.as_slice()), (vec![vec![7]], &["counters"][..]));
    assert!(play.read_for(1000 * MS).is_empty(), "once");
}

#[test]
fn without_any_source_a_ring_has_the_counters_read_again_for_a_while() {
    let mut play = Play::of(Collector::new(false, false), Version::V1);
    play.group(G);
    let now = play.world.now_ns();
    assert!(!play.collector.looks_on(now));
    play.tell(Sign::Rang);
    let now = play.world.now_ns();
    assert!(play.collector.looks_on(now) && !play.collector.is_open(), "nobody's outcome waits for it");
    play.later(600 * MS);
    let now = play.world.now_ns();
    assert!(!play.collector.looks_on(now));
}

/// With `memory.oom.group`: the counter rises from one to the next, and some were counted a while ago.
#[test]
fn without_any_source_the_dying_of_a_whole_group_are_waited_for() {
    let mut play = Play::of(Collector::new(false, false), Version::V2);
    play.group(G);
    play.world.with(G, |group| (group.oom_group, group.left) = (true, true));
    for pid in [7, 8, 9] {
        play.worker(pid, G);
    }
    play.counts(G, 2);
    play.tell(Sign::Seal);
    play.later(28 * MS);
    play.tell(Sign::Reading);
    play.tell(Sign::Settle);
    // They have the signal, and one reading later more of them are counted.
    for pid in [7, 8, 9] {
        play.ends(pid);
    }
    play.counts(G, 4);
    assert!(play.read_for(300 * MS).is_empty(), "they are not reaped yet");
    play.world.with(G, |group| group.left = false);
    for pid in [7, 8, 9] {
        play.exits(pid, -9);
    }
    assert_eq!(victims(&play.read_for(100 * MS)), [[7, 8, 9]]);
    assert!(play.read_for(1000 * MS).is_empty(), "once");
}

#[test]
fn a_whole_group_of_strangers_that_was_killed_is_one_account() {
    let mut play = Play::of(Collector::new(false, false), Version::V2);
    play.group(G);
    play.world.with(G, |group| (group.oom_group, group.left) = (true, true));
    play.counts(G, 2);
    assert!(play.read_for(100 * MS).is_empty(), "the kernel goes on");
    play.counts(G, 4);
    play.world.with(G, |group| group.left = false);
    let ooms = play.read_for(100 * MS);
    assert_eq!(victims(&ooms), [[]; 1] as [[i32; 0]; 1]);
    assert!(lacks(&ooms[0], "victim")[0].starts_with("kills were counted (4 in "), "{:?}", ooms[0].missing);
    assert!(play.read_for(1000 * MS).is_empty(), "once");
}

#[test]
fn a_block_is_an_account_of_its_own() {
    let mut play = Play::of(Collector::new(true, true), Version::V1);
    play.group(G);
    play.world.with(G, |group| {
        group.counters = Ok(Counters { oom_kill_disable: Some(true), under_oom: Some(true), ..Counters::default() });
    });
    let blocked =
        Blocked { pid: 7, comm: b"hog".to_vec(), state: 'D', wchan: Some("mem_cgroup_oom".into()), stack: Vec::new() };
    let ooms = play.tell(Sign::Blocked { cgroup: G.to_string(), blocked });
    assert_eq!((ooms[0].victims.len(), ooms[0].blocked[0].pid), (0, 7));
    assert_eq!((ooms[0].limit_group.as_deref(), ooms[0].limit_bytes), (Some(G), Some(64 << 20)));
    assert!(!play.collector.is_open());
}

#[test]
fn a_limit_that_cannot_be_read_is_not_no_limit() {
    let mut play = Play::new();
    play.world.with(G, |group| group.limit = Err("no descriptor is left".to_string()));
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.ends(7);
    let ooms = play.read_for(400 * MS);
    assert_eq!((ooms[0].limit_bytes, lacks(&ooms[0], "limit")), (None, vec!["no descriptor is left".to_string()]));
}

#[test]
fn a_new_group_of_an_old_name_begins_at_nothing() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.ends(7);
    assert_eq!(play.read_for(400 * MS).len(), 1);
    play.world.groups.borrow_mut().clear();
    play.tell(Sign::Forgotten { cgroup: G.to_string() });
    play.group(G);
    play.counts(G, 1);
    play.marks(8, Play::ours(G));
    play.prints_line(8);
    play.ends(8);
    let ooms = play.read_for(400 * MS);
    assert_eq!(victims(&ooms), [[8]]);
    assert!(ooms[0].disagreements.is_empty(), "{:?}", ooms[0].disagreements);
}

#[test]
fn what_is_counted_before_we_look_is_none_of_ours() {
    let mut play = Play::of(Collector::new(true, true), Version::V2);
    play.group(LAB);
    play.world.with(LAB, |group| group.counters = Ok(Counters { oom_kill: Some(5), ..Counters::default() }));
    play.tell(Sign::Forgotten { cgroup: LAB.to_string() });
    let counters = play.world.counters(LAB).ok();
    play.tell(Sign::Met { cgroup: LAB.to_string(), counters });
    play.tell(Sign::Moved);
    assert!(play.read_for(1000 * MS).is_empty());
}

#[test]
fn at_the_end_what_is_open_is_concluded() {
    let mut play = Play::new();
    play.read();
    play.counts(G, 1);
    play.read();
    play.tell(Sign::Concludes { cgroup: None });
    let ooms = play.read();
    assert_eq!((ooms.len(), lacks(&ooms[0], "victim").len()), (1, 1));
}

#[test]
fn a_group_whose_name_is_taken_is_concluded_at_once() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    assert!(play.read().is_empty(), "its victim lives");
    play.tell(Sign::Concludes { cgroup: Some(G.to_string()) });
    let ooms = play.read();
    assert_eq!(lacks(&ooms[0], "exit"), ["a victim had not ended when the group went"]);
    play.tell(Sign::Concluded);
    assert!(!play.collector.is_open());
}

#[test]
fn inside_a_pid_namespace_the_counters_open_and_the_path_tells() {
    let mut play = Play::of(Collector::inside_namespace(true), Version::V2);
    play.group(G);
    play.worker(7, G);
    play.counts(G, 1);
    // Outside it is another number, and by the name it is the same.
    play.world.workers.borrow_mut()[0].name = b"p507".to_vec();
    play.prints_report(507, G);
    play.exits(7, -9);
    let ooms = play.read_for(400 * MS);
    assert_eq!(victims(&ooms), [[7]]);
    assert_eq!(ooms[0].victims[0].sources, ["counters", "kernel-log"]);
    assert_eq!(ooms[0].report.as_ref().map(|report| report.kills[0].pid), Some(7));
}

#[test]
fn a_status_that_is_no_kill_is_explained() {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.exits(7, 3);
    let ooms = play.read_for(400 * MS);
    assert!(ooms[0].disagreements.iter().any(|one| one.says == "pid 7 was killed in an OOM and ended with status 3"));
}

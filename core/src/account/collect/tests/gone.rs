//! Victims that had gone before anybody could ask where they stood.

use super::made::*;
use super::{mark, KILLED};
use crate::account::collect::Collector;
use crate::account::oom::Cause;
use crate::account::scene::Scene;
use crate::account::sign::{Sign, Whose};
use crate::memcg::version::Version;

#[test]
fn a_victim_that_had_gone_belongs_to_the_group_that_counts_one_more() {
    let mut play = Play::new();
    play.group(OTHER);
    play.world.gone.borrow_mut().push(7);
    play.read();
    play.counts(G, 1);
    play.marks(7, Whose::Unknown);
    play.prints_line(7);
    let ooms = play.read_for(500 * MS);
    assert_eq!((victims(&ooms), ooms[0].victims[0].group.as_deref()), (vec![vec![7]], Some(G)));
}

#[test]
fn two_victims_that_had_gone_are_told_apart_by_when_they_were_counted() {
    let mut play = Play::new();
    play.group(OTHER);
    play.world.gone.borrow_mut().extend([7, 8]);
    for (pid, cgroup) in [(7, OTHER), (8, G)] {
        play.read();
        play.counts(cgroup, 1);
        play.read();
        play.marks(pid, Whose::Unknown);
        play.prints_line(pid);
        play.later(8 * MS);
    }
    let mut ooms = play.read_for(500 * MS);
    ooms.extend(play.read_for(500 * MS));
    let placed: Vec<_> = ooms.iter().flat_map(|oom| &oom.victims).map(|one| (one.pid, one.group.as_deref())).collect();
    assert_eq!(placed, [(7, Some(OTHER)), (8, Some(G))]);
}

/// Kills by strangers at the same moment leave nobody to tell them apart, but what the dead have said.
#[test]
fn the_last_word_of_a_victim_that_had_gone_places_it_among_strangers() {
    let stood = |pid, by_parent, time_ns| Sign::Stood { pid, cgroup: G.to_string(), by_parent, time_ns };
    for by_parent in [false, true] {
        let mut play = Play::new();
        play.group(OTHER);
        play.world.gone.borrow_mut().extend([6, 7, 8]);
        play.read();
        play.counts(G, 1);
        play.counts(OTHER, 1);
        for pid in [6, 7, 8] {
            play.marks(pid, Whose::Unknown);
        }
        // One that had the pid before is none of this.
        play.tell(stood(6, by_parent, 1));
        play.tell(stood(7, by_parent, play.world.now_ns()));
        let ooms = play.read_for(500 * MS);
        let named = ooms.iter().flat_map(|oom| &oom.victims).map(|one| (one.pid, one.group.as_deref()));
        assert_eq!(named.collect::<Vec<_>>(), [(7, Some(G))], "{by_parent}");
    }
    // Two children of the same parent, and one kill: that tells nothing.
    let mut play = Play::new();
    play.world.gone.borrow_mut().extend([7, 8]);
    play.read();
    play.counts(G, 1);
    for pid in [7, 8] {
        play.marks(pid, Whose::Unknown);
        play.tell(stood(pid, true, play.world.now_ns()));
    }
    let ooms = play.read_for(500 * MS);
    assert_eq!(victims(&ooms), [Vec::<i32>::new()]);
}

#[test]
fn a_kill_that_nobody_tells_of_gets_an_account_that_says_so() {
    let mut play = Play::new();
    play.read();
    play.counts(G, 1);
    assert!(play.read_for(150 * MS).is_empty(), "a source may still tell");
    let ooms = play.read_for(200 * MS);
    assert!(ooms[0].victims.is_empty());
    let said = &lacks(&ooms[0], "victim")[0];
    assert!(said.contains("1 in /memoom-1/g") && said.contains("neither the tracepoint nor the kernel log"), "{said}");
    assert_eq!(ooms[0].limit_group.as_deref(), Some(G));
    assert!(play.read_for(1000 * MS).is_empty(), "once");
}

#[test]
fn who_descends_from_a_worker_is_ours_whatever_is_counted() {
    let mut play = Play::new();
    play.world.gone.borrow_mut().push(7);
    play.world.orphans.borrow_mut().push(7);
    play.counts(G, 1);
    play.marks(7, Whose::OursSomewhere);
    play.prints_line(7);
    let ooms = play.read_for(500 * MS);
    assert_eq!((victims(&ooms), ooms[0].victims[0].group.as_deref()), (vec![vec![7]], Some(G)));
}

#[test]
fn the_ring_of_a_group_that_has_gone_places_its_victim() {
    let mut play = Play::of(Collector::new(true, true), Version::V1);
    play.group(G);
    play.world.gone.borrow_mut().push(7);
    play.marks(7, Whose::Unknown);
    play.world.with(G, |group| (group.counters, group.removed) = (Err("gone".to_string()), true));
    play.tell(Sign::Gone { cgroup: G.to_string(), rung: 1 });
    play.prints_line(7);
    let ooms = play.read_for(500 * MS);
    assert_eq!((victims(&ooms), ooms[0].victims[0].group.as_deref()), (vec![vec![7]], Some(G)));
    assert!(lacks(&ooms[0], "counters")[0].contains("gone"), "{:?}", ooms[0].missing);
}

#[test]
fn the_ring_of_an_end_that_comes_late_places_its_victim_all_the_same() {
    let mut play = Play::of(Collector::new(true, true), Version::V1);
    play.group(G);
    play.group(OTHER);
    play.world.gone.borrow_mut().extend([7, 8]);
    play.marks(7, Whose::Unknown);
    play.prints_line(7);
    // It has rung once, which may be for its end.
    play.world.with(G, |group| group.counters = Err("gone".to_string()));
    play.tell(Sign::Gone { cgroup: G.to_string(), rung: 0 });
    // Whoever is placed meanwhile has an account meanwhile.
    play.counts(OTHER, 1);
    play.marks(8, Play::ours(OTHER));
    play.prints_line(8);
    assert_eq!(victims(&play.read_for(100 * MS)), [[8]]);
    assert!(play.read_for(5000 * MS).is_empty());
    play.world.with(G, |group| group.removed = true);
    play.tell(Sign::Gone { cgroup: G.to_string(), rung: 1 });
    let ooms = play.read_for(500 * MS);
    assert_eq!((victims(&ooms), ooms[0].victims[0].group.as_deref()), (vec![vec![7]], Some(G)));
}

#[test]
fn a_group_that_is_killed_as_a_whole_is_waited_for_until_nobody_is_left() {
    let mut play = Play::new();
    play.world.with(G, |group| (group.oom_group, group.left) = (true, true));
    play.counts(G, 3);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.ends(7);
    assert!(play.read_for(1000 * MS).is_empty(), "another one is left");
    let mut member = mark(8, &["mark_oom_victim", "__oom_kill_process", "oom_kill_memcg_member"]);
    (member.time_ns, member.invoker_pid) = (play.world.now_ns(), 1007);
    play.tell(Sign::Traced { victim: Box::new(member), whose: Play::ours(G) });
    play.prints_line(8);
    play.ends(8);
    play.world.with(G, |group| group.left = false);
    let ooms = play.read_for(300 * MS);
    let causes: Vec<_> = ooms[0].victims.iter().map(|victim| (victim.pid, victim.cause)).collect();
    assert_eq!(causes, [(7, Cause::Selected), (8, Cause::Group)]);
    let twice = "with memory.oom.group the kernel counts the chosen process twice";
    assert!(ooms[0].disagreements.iter().any(|one| one.because.as_deref() == Some(twice)));
    assert!(play.read_for(1000 * MS).is_empty(), "the third count is no other kill");
}

/// Without the log nothing but the thread that killed them says that they belong together.
#[test]
fn members_that_had_gone_are_joined_by_the_thread_that_killed_them() {
    let member = ["mark_oom_victim", "__oom_kill_process", "oom_kill_memcg_member"];
    // The one that can be placed comes last, or first of the members.
    for placed in [9, 8] {
        let mut play = Play::of(Collector::new(true, false), Version::V2);
        play.group(G);
        play.world.with(G, |group| group.oom_group = true);
        play.read();
        // The chosen one counts twice.
        play.counts(G, 4);
        for (pid, way) in [(7, KILLED), (8, &member[..]), (9, &member[..])] {
            let mut victim = mark(pid, way);
            (victim.time_ns, victim.invoker_pid) = (play.world.now_ns() + pid as u64, 1007);
            let whose = if pid == placed { Play::ours(G) } else { Whose::Unknown };
            play.tell(Sign::Traced { victim: Box::new(victim), whose });
        }
        for pid in [7, 8, 9] {
            play.ends(pid);
        }
        let ooms = play.read_for(600 * MS);
        let told: Vec<_> =
            ooms[0].victims.iter().map(|victim| (victim.pid, victim.cause, victim.group.as_deref())).collect();
        let [chosen, one, other] = [(7, Cause::Selected), (8, Cause::Group), (9, Cause::Group)];
        assert_eq!(
            told,
            [chosen, one, other].map(|(pid, cause)| (pid, cause, Some(G))),
            "{placed}: {}",
            ooms[0].to_json()
        );
        assert_eq!(ooms.len(), 1);
        assert!(play.read_for(1000 * MS).is_empty(), "the fourth count is no other kill");
    }
}

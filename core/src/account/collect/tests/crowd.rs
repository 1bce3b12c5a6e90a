//! A machine on which others are killed all the time: none of them is taken for ours, and none keeps an account waiting.

use super::made::*;
use super::{mark, KILLED};
use crate::account::collect::Collector;
use crate::account::oom::Oom;
use crate::account::scene::Scene;
use crate::account::sign::{Sign, Whose};
use crate::account::victim::Input;
use crate::memcg::version::Version;

/// An observer of G and OTHER, which somebody else made.
fn observer() -> Play {
    let mut play = Play::of(Collector::new(true, true), Version::V1);
    play.group(G);
    play.group(OTHER);
    play.read();
    play
}

/// A process is marked that had gone when its mark was read, and held so much.
fn marks_one_that_had_gone(play: &mut Play, pid: i32, mib: u64) {
    let mut victim = mark(pid, KILLED);
    (victim.time_ns, victim.anon_rss_bytes) = (play.world.now_ns(), Some(mib << 20));
    victim.invoker_pid = 1000 + pid;
    play.world.gone.borrow_mut().push(pid);
    play.tell(Sign::Traced { victim: Box::new(victim), whose: Whose::Unknown });
    play.prints_line(pid);
}

fn looks(play: &mut Play, cgroup: &str, pids: &[i32]) {
    let input = |pid: &i32| Input { pid: *pid, group: cgroup.to_string(), rss_pages: 900, ..Input::default() };
    let time_ns = play.world.now_ns();
    play.tell(Sign::Looked { cgroup: cgroup.to_string(), inputs: pids.iter().map(input).collect(), time_ns });
}

fn placed(ooms: &[Oom]) -> Vec<(i32, Option<&str>)> {
    ooms.iter().flat_map(|oom| &oom.victims).map(|victim| (victim.pid, victim.group.as_deref())).collect()
}

#[test]
fn who_was_seen_in_a_group_is_placed_by_that() {
    let mut play = observer();
    looks(&mut play, G, &[7]);
    marks_one_that_had_gone(&mut play, 55, 4);
    play.counts(G, 1);
    marks_one_that_had_gone(&mut play, 7, 4);
    marks_one_that_had_gone(&mut play, 56, 4);
    let ooms = play.read_for(100 * MS);
    assert_eq!(placed(&ooms), [(7, Some(G))]);
    assert!(play.read_for(1000 * MS).is_empty(), "the others are strangers");
}

#[test]
fn who_was_seen_in_a_group_long_ago_may_be_another_by_now() {
    let mut play = observer();
    looks(&mut play, G, &[7]);
    play.later(11_000 * MS);
    play.read();
    marks_one_that_had_gone(&mut play, 7, 4);
    assert!(play.read_for(1000 * MS).is_empty());
    // Nor is it who was not met by a later look.
    looks(&mut play, G, &[8]);
    looks(&mut play, G, &[]);
    play.read();
    marks_one_that_had_gone(&mut play, 8, 4);
    assert!(play.read_for(1000 * MS).is_empty());
}

#[test]
fn a_line_places_who_was_seen_where_there_is_no_tracepoint() {
    let mut play = Play::of(Collector::new(false, true), Version::V1);
    play.group(G);
    play.read();
    looks(&mut play, G, &[7]);
    play.world.gone.borrow_mut().extend([7, 55]);
    play.prints_line(55);
    play.counts(G, 1);
    play.prints_line(7);
    assert_eq!(placed(&play.read_for(300 * MS)), [(7, Some(G))]);
    assert!(play.read_for(1000 * MS).is_empty(), "the other is a stranger");
}

/// A shell that moves itself into a group has memory that the group it comes from is charged for.
#[test]
fn a_victim_larger_than_the_limit_is_not_passed_over_for_a_smaller_one() {
    let mut play = observer();
    play.counts(G, 1);
    marks_one_that_had_gone(&mut play, 7, 65);
    marks_one_that_had_gone(&mut play, 55, 4);
    let ooms = play.read_for(600 * MS);
    assert_eq!(ooms.len(), 1);
    assert_eq!(placed(&ooms), []);
    let said = &lacks(&ooms[0], "victim")[0];
    assert!(said.contains("(pid 7, 55)"), "{said}");
    // Alone it is the one.
    play.counts(G, 2);
    marks_one_that_had_gone(&mut play, 9, 65);
    assert_eq!(placed(&play.read_for(600 * MS)), [(9, Some(G))]);
}

#[test]
fn a_mark_that_comes_late_is_not_passed_over_for_one_in_time() {
    let mut play = observer();
    play.counts(G, 1);
    marks_one_that_had_gone(&mut play, 55, 4);
    play.read();
    play.later(12 * MS);
    marks_one_that_had_gone(&mut play, 7, 4);
    let ooms = play.read_for(600 * MS);
    assert_eq!((ooms.len(), placed(&ooms)), (1, vec![]), "nobody can tell");
}

/// Readings for so long, in which a stranger is killed every 20 ms; when the first account came, and all of them.
fn among_strangers(play: &mut Play, longest_ms: u64, mut meanwhile: impl FnMut(&mut Play, u64)) -> (u64, Vec<Oom>) {
    let (mut first_ms, mut ooms) = (u64::MAX, Vec::new());
    for at_ms in (0..longest_ms).step_by(20) {
        marks_one_that_had_gone(play, 10_000 + i32::try_from(at_ms).unwrap(), 4);
        meanwhile(play, at_ms);
        let found = play.read_for(20 * MS);
        if !found.is_empty() {
            first_ms = first_ms.min(at_ms);
        }
        ooms.extend(found);
    }
    (first_ms, ooms)
}

#[test]
fn strangers_that_are_killed_on_and_on_keep_no_account_waiting() {
    let mut play = observer();
    // A child whose parent has reaped it: nobody can place it, and nobody tells it from a stranger.
    play.counts(G, 1);
    marks_one_that_had_gone(&mut play, 7, 4);
    let (first_ms, ooms) = among_strangers(&mut play, 3000, |_, _| {});
    assert!(first_ms <= 300, "after {first_ms} ms");
    assert_eq!(ooms.len(), 1);
    assert_eq!(ooms[0].counted_in.as_deref(), Some(G));
    // Who was killed long after it may not have been the one.
    let said = &lacks(&ooms[0], "victim")[0];
    assert!(said.contains("(pid 7, 10000)"), "{said}");
}

#[test]
fn kills_that_another_group_goes_on_to_count_keep_no_account_waiting() {
    let mut play = observer();
    let (mut others, mut named) = (0, false);
    play.counts(G, 1);
    marks_one_that_had_gone(&mut play, 7, 4);
    let (first_ms, ooms) = among_strangers(&mut play, 3000, |play, at_ms| {
        if at_ms % 100 == 0 {
            others += 1;
            play.counts(OTHER, others);
            marks_one_that_had_gone(play, 20_000 + i32::try_from(at_ms).unwrap(), 4);
        }
        // One that is placed at once, while the others are not.
        if at_ms == 1000 {
            play.counts(G, 2);
            play.marks(8, Play::ours(G));
            play.prints_line(8);
            play.ends(8);
        }
    });
    assert!(first_ms <= 300, "after {first_ms} ms");
    for oom in &ooms {
        named |= oom.killed(8);
        assert!(oom.victims.is_empty() || oom.killed(8), "{}", oom.to_text());
    }
    assert!(named, "{} accounts, none of them of the one that was placed", ooms.len());
}

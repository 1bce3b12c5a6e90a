//! A pid that has come round is another process, whatever was known of the one before.

use std::time::Duration;

use super::made::*;
use super::{mark, KILLED};
use crate::account::collect::Collector;
use crate::account::scene::Scene;
use crate::account::scope::Scope;
use crate::account::sign::{Sign, Whose};
use crate::account::victim::{predict, Input};
use crate::memcg::contents::Contents;
use crate::memcg::version::Version;

const A_MINUTE: Duration = Duration::from_secs(60);

/// What a look before a step of a hog meets.
fn scope(play: &Play, pids: &[i32]) -> Scope {
    let input = |pid: &i32| Input { pid: *pid, group: G.to_string(), rss_pages: 100, ..Input::default() };
    let read: Vec<Input> = pids.iter().map(input).collect();
    Scope {
        limit_group: G.to_string(),
        prediction: predict(read.clone(), 16_384, 0),
        expected: false,
        growing: None,
        sharing: Vec::new(),
        read,
        contents: Contents {
            version: Version::V2,
            usage_bytes: None,
            stat: String::new(),
            kernel_bytes: None,
            tcp_bytes: None,
            swap_bytes: None,
            read_ns: play.world.now_ns(),
        },
    }
}

fn look(play: &mut Play, pids: &[i32]) {
    let scope = Some(Box::new(scope(play, pids)));
    play.tell(Sign::Before { cgroup: G.to_string(), scope });
}

/// A kill of ours beside that of a stranger whose pid one of ours had: the counters owe one.
fn strangers_beside_one_of_ours(play: &mut Play, stranger: i32, ours: i32) {
    play.marks(stranger, Whose::Unknown);
    play.counts(G, 1);
    play.marks(ours, Play::ours(G));
    play.prints_line(ours);
    play.ends(stranger);
    play.ends(ours);
    assert_eq!(victims(&play.read_for(500 * MS)), [[ours]]);
    assert!(play.read_for(500 * MS).is_empty(), "no account of somebody else's kill");
}

#[test]
fn who_was_seen_in_a_group_that_has_gone_is_nobody() {
    let mut play = Play::new();
    look(&mut play, &[7]);
    play.tell(Sign::Forgotten { cgroup: G.to_string() });
    play.read();
    play.later(A_MINUTE);
    play.tell(Sign::Began { cgroup: G.to_string(), counters: None });
    strangers_beside_one_of_ours(&mut play, 7, 8);
}

#[test]
fn who_stood_in_the_table_of_an_old_report_is_nobody() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(6, Play::ours(G));
    play.prints_table(6, G, &[6, 7]);
    play.ends(6);
    assert_eq!(victims(&play.read_for(50 * MS)), [[6]]);
    play.tell(Sign::Forgotten { cgroup: G.to_string() });
    play.read();
    play.later(A_MINUTE);
    play.counts(G, 0);
    play.tell(Sign::Began { cgroup: G.to_string(), counters: None });
    strangers_beside_one_of_ours(&mut play, 7, 8);
}

#[test]
fn who_was_not_there_at_the_last_look_is_nobody() {
    let mut play = Play::new();
    look(&mut play, &[7, 8]);
    play.later(A_MINUTE);
    look(&mut play, &[8]);
    play.later(A_MINUTE);
    play.read();
    strangers_beside_one_of_ours(&mut play, 7, 8);
}

#[test]
fn a_mark_of_before_the_last_look_is_of_the_one_that_was_there() {
    let mut play = Play::new();
    look(&mut play, &[7]);
    play.counts(G, 1);
    let mut victim = mark(7, KILLED);
    victim.time_ns = play.world.now_ns();
    play.prints_line(7);
    play.ends(7);
    look(&mut play, &[]);
    play.tell(Sign::Traced { victim: Box::new(victim), whose: Whose::Unknown });
    assert_eq!(victims(&play.read_for(500 * MS)), [[7]]);
}

#[test]
fn a_line_with_the_pid_of_a_worker_that_ended_long_ago_is_a_stranger_s() {
    let mut play = Play::of(Collector::new(false, true), Version::V2);
    play.group(G);
    play.worker(7, G);
    play.exits(7, 0);
    play.later(A_MINUTE);
    play.read();
    play.read();
    play.prints_line(7);
    assert!(play.read_for(500 * MS).is_empty());
}

#[test]
fn a_worker_with_the_pid_of_an_earlier_victim_gets_its_account() {
    let mut play = Play::of(Collector::new(false, false), Version::V2);
    play.group(G);
    for kills in 1..=2 {
        play.later(A_MINUTE);
        play.worker(7, G);
        play.counts(G, kills);
        play.exits(7, -9);
        assert_eq!(victims(&play.read_for(500 * MS)), [[7]], "kill {kills}");
        // The pid is free again.
        play.world.ended.borrow_mut().clear();
    }
}

#[test]
fn a_group_that_is_made_anew_has_had_no_oom() {
    let mut play = Play::new();
    for (kills, occurrence) in [(1, 1), (2, 2), (1, 1)] {
        if kills == 1 {
            play.tell(Sign::Forgotten { cgroup: G.to_string() });
            play.counts(G, 0);
            play.tell(Sign::Began { cgroup: G.to_string(), counters: None });
        }
        play.counts(G, kills);
        play.marks(7, Play::ours(G));
        play.prints_report(7, G);
        play.ends(7);
        assert_eq!(play.read_for(500 * MS)[0].occurrence, Some(occurrence));
    }
}

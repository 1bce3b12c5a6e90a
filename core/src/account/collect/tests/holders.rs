//! Who held the memory where the kernel's table is not there, and who of them had gone before the account was made.

use super::made::*;
use crate::account::collect::Collector;
use crate::account::oom::Oom;
use crate::account::scene::Scene;
use crate::account::sign::Sign;
use crate::account::victim::Input;
use crate::memcg::contents::Contents;
use crate::memcg::version::Version;

/// A group in which pid 7 held 1 MiB and pid 8 so many pages when they were looked at, without a log.
fn seen(pages: u64) -> Play {
    let mut play = Play::of(Collector::new(true, false), Version::V1);
    play.group(G);
    play.worker(7, G);
    let input = |pid: i32, rss_pages: u64| Input {
        pid,
        comm: format!("p{pid}").into_bytes(),
        group: G.to_string(),
        rss_pages,
        ..Input::default()
    };
    let inputs = vec![input(7, 256), input(8, pages)];
    let time_ns = play.world.now_ns();
    play.tell(Sign::Looked { cgroup: G.to_string(), inputs, time_ns });
    play.read();
    play
}

/// The group notifies of an OOM, and holds so much when that is read.
fn notifies(play: &mut Play, mib: u64) {
    tells(play, mib, mib, None);
}

/// The same, with so much of it in the statistics, and what the kernel itself holds.
fn tells(play: &mut Play, mib: u64, told_mib: u64, kernel_bytes: Option<u64>) {
    let contents = Contents {
        version: Version::V1,
        usage_bytes: Some(mib << 20),
        stat: format!("cache 0\nrss {}\nshmem 0\nswap 0\n", told_mib << 20),
        kernel_bytes,
        tcp_bytes: None,
        swap_bytes: None,
        read_ns: play.world.now_ns(),
    };
    play.tell(Sign::Held { cgroup: G.to_string(), contents, below: Vec::new() });
}

#[test]
fn what_was_read_when_the_victim_had_given_back_its_memory_is_not_what_filled_the_limit() {
    for (mib, told) in [(1, false), (40, false), (64, true)] {
        let mut play = seen(100);
        notifies(&mut play, mib);
        kills(&mut play);
        let oom = account(&mut play);
        assert_eq!((oom.composition.is_some(), lacks(&oom, "composition").is_empty()), (told, told), "{mib} MiB of 64");
    }
}

#[test]
fn what_a_victim_in_its_exit_has_taken_out_of_the_parts_is_not_there_either() {
    for (told_mib, kernel_bytes, told) in [(50, Some(1 << 20), false), (63, Some(1 << 20), true), (50, None, true)] {
        let mut play = seen(100);
        tells(&mut play, 64, told_mib, kernel_bytes);
        kills(&mut play);
        let oom = account(&mut play);
        assert_eq!(oom.composition.is_some(), told, "{told_mib} of 64 MiB, {kernel_bytes:?}");
    }
}

/// Pid 7 is killed, and by the time that its account is made nobody is left.
fn kills(play: &mut Play) {
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
}

fn account(play: &mut Play) -> Oom {
    play.exits(7, -9);
    play.read_for(500 * MS).remove(0)
}

fn held(oom: &Oom) -> Vec<(i32, bool)> {
    oom.holders.iter().filter_map(|holder| Some((holder.pid?, holder.alive))).collect()
}

#[test]
fn a_worker_that_has_died_since_held_what_it_was_seen_to_hold() {
    let mut play = seen(9000);
    play.worker(8, G);
    kills(&mut play);
    play.exits(8, -9);
    let oom = account(&mut play);
    assert_eq!(held(&oom), [(8, true), (7, false)]);
    assert_eq!(oom.grower.as_ref().map(|grower| (grower.pid, grower.to_bytes)), Some((8, 9000 << 12)));
    assert_eq!(lacks(&oom, "holders"), [""; 0]);
}

#[test]
fn a_victim_of_a_later_kill_was_there_at_the_one_before() {
    let mut play = seen(9000);
    kills(&mut play);
    play.counts(G, 2);
    play.marks(8, Play::ours(G));
    play.ends(8);
    assert_eq!(held(&account(&mut play)), [(8, true), (7, false)]);
    // And who was killed before is no holder of what comes later.
    let mut play = seen(9000);
    play.counts(G, 1);
    play.marks(8, Play::ours(G));
    play.ends(8);
    assert_eq!(victims(&play.read_for(500 * MS)), [[8]]);
    play.counts(G, 2);
    play.marks(7, Play::ours(G));
    assert_eq!(held(&account(&mut play)), [(7, false)]);
}

#[test]
fn who_had_gone_before_the_kill_held_nothing() {
    let mut play = seen(9000);
    play.worker(8, G);
    play.exits(8, 0);
    kills(&mut play);
    let oom = account(&mut play);
    assert_eq!((held(&oom), oom.grower.as_ref().map(|grower| grower.pid)), (vec![(7, false)], Some(7)));
    let mut play = seen(9000);
    let time_ns = play.world.now_ns();
    play.tell(Sign::Looked { cgroup: G.to_string(), inputs: Vec::new(), time_ns });
    kills(&mut play);
    assert_eq!(held(&account(&mut play)), [(7, false)]);
}

#[test]
fn where_nobody_knows_whether_it_was_there_nobody_is_said_to_have_grown() {
    let mut play = seen(9000);
    kills(&mut play);
    let oom = account(&mut play);
    assert_eq!((held(&oom), oom.grower.as_ref().map(|grower| grower.pid)), (vec![(7, false)], None));
    let said = &lacks(&oom, "holders")[0];
    assert!(said.starts_with("p8 (pid 8) held 35.2M when it was last seen"), "{said}");
    // What is less than the kernel charges ahead is no matter.
    let mut play = seen(100);
    kills(&mut play);
    let oom = account(&mut play);
    assert_eq!(oom.grower.as_ref().map(|grower| grower.pid), Some(7));
    assert_eq!(lacks(&oom, "holders"), [""; 0]);
}

//! Workers in full groups: whatever they say, nothing is allocated for it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use super::tests::{answer, blocked_hog, ended, exit_of, hog, soon, step, supervisor, Group, MIB};
use super::*;
use crate::helper::channel::Channel;
use crate::helper::supervisor::start::Started;
use crate::helper::wire::Message;

fn ticker(supervisor: &Supervisor, group: &Group, every: Duration) -> Started {
    let entry = group.entry();
    let role = Role::Ticker { every };
    supervisor.spawn(&Start { name: b"ticker", join: group.join(&entry), oom_score_adj: 0, role }).unwrap()
}

fn next_tick(ticker: &Started) -> u64 {
    match answer(ticker) {
        Message::Tick { n, .. } => n,
        other => panic!("{other:?}"),
    }
}

fn number(group: &Group, file: &str) -> u64 {
    group.read(file).trim().parse().unwrap()
}

#[test]
fn a_ticker_goes_on_in_a_full_group_beside_a_blocked_hog() {
    let Some(group) = Group::v1() else { return };
    let supervisor = supervisor();
    group.guard(&supervisor);
    let ticker = ticker(&supervisor, &group, Duration::from_millis(1));
    let hog = blocked_hog(&supervisor, &group);
    let first = next_tick(&ticker);
    while next_tick(&ticker) < first + 500 {}
    assert!(group.read("memory.oom_control").contains("under_oom 1"));
    assert!(hog.channel.as_ref().unwrap().try_receive().unwrap().is_none());
    assert!(!ended(hog.pidfd.as_fd(), Duration::ZERO) && !ended(ticker.pidfd.as_fd(), Duration::ZERO));
    supervisor.end(soon()).unwrap();
    assert!(!group.path().exists());
}

/// Fills a group of 16 MiB to the last byte, and has the hog answer there.
fn fill_exactly(killer: bool) {
    let Some(group) = Group::v1() else { return };
    let supervisor = supervisor();
    group.guard(&supervisor);
    let hog = hog(&supervisor, &group).unwrap();
    group.write("memory.limit_in_bytes", "16M");
    group.write("memory.oom_control", if killer { "0" } else { "1" });
    assert!(matches!(step(&hog, 12 * MIB), Message::Grew { .. }));
    while number(&group, "memory.usage_in_bytes") < 16 * MIB {
        assert!(matches!(step(&hog, 1), Message::Grew { .. }));
    }
    // The kernel charges in advance, for each processor. Below the limit that is set now it has to give that back.
    let deadline = soon();
    loop {
        let usage = number(&group, "memory.usage_in_bytes");
        let lowered = std::fs::write(group.path().join("memory.limit_in_bytes"), usage.to_string());
        if lowered.is_ok() && number(&group, "memory.usage_in_bytes") == number(&group, "memory.limit_in_bytes") {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    for _ in 0..100 {
        assert!(matches!(step(&hog, 0), Message::Grew { bytes: 0, .. }));
        hog.channel.as_ref().unwrap().shrink(0).unwrap();
        assert!(matches!(answer(&hog), Message::Shrunk { bytes: 0, .. }));
    }
    let control = group.read("memory.oom_control");
    assert!(control.contains("under_oom 0") && control.contains("oom_kill 0"), "{control}");
    supervisor.end(soon()).unwrap();
}

#[test]
fn a_step_that_just_fits_is_acknowledged_with_the_killer_off() {
    fill_exactly(false);
}

#[test]
fn a_step_that_just_fits_is_acknowledged_with_the_killer_on() {
    fill_exactly(true);
}

#[test]
fn a_worker_starts_within_128_kib() {
    for role in [Role::Hog { work: wire::hog::ANON, directory: None }, Role::Ticker { every: Duration::from_millis(1) }]
    {
        let Some(group) = Group::v1() else { return };
        let supervisor = supervisor();
        group.guard(&supervisor);
        group.write("memory.limit_in_bytes", "128K");
        let entry = group.entry();
        let start = Start { name: b"small", join: group.join(&entry), oom_score_adj: 0, role };
        let worker = supervisor.spawn(&start).unwrap();
        println!(
            "{role:?}: at most {} bytes, {} of the kernel",
            number(&group, "memory.max_usage_in_bytes"),
            number(&group, "memory.kmem.usage_in_bytes")
        );
        assert!(!ended(worker.pidfd.as_fd(), Duration::ZERO));
        supervisor.end(soon()).unwrap();
    }
}

#[test]
fn a_thousand_ticks_charge_nothing() {
    let Some(group) = Group::v1() else { return };
    let supervisor = supervisor();
    group.guard(&supervisor);
    let ticker = ticker(&supervisor, &group, Duration::from_millis(1));
    let first = next_tick(&ticker);
    // What the kernel has charged in advance it may give back at any time, so less is no sign of anything.
    let before = ["memory.usage_in_bytes", "memory.kmem.usage_in_bytes"].map(|file| (file, number(&group, file)));
    while next_tick(&ticker) < first + 1000 {}
    for (file, before) in before {
        let after = number(&group, file);
        assert!(after <= before, "{file}: {before} -> {after}");
    }
    supervisor.end(soon()).unwrap();
}

#[test]
fn a_worker_ends_with_its_channel() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let workers = [hog(&supervisor, &group).unwrap(), ticker(&supervisor, &group, Duration::from_secs(1000))];
    for worker in workers {
        drop(worker.channel);
        let worker = Started { channel: None, ..worker };
        assert_eq!(exit_of(&supervisor, &worker).code(), Some(0));
    }
}

#[test]
fn a_second_command_waits_for_the_answer_to_the_first() {
    let (channel, _page) = Channel::new().unwrap();
    channel.grow(1).unwrap();
    assert_eq!(channel.shrink(1).unwrap_err().kind(), ErrorKind::Busy);
}

#[test]
fn what_is_no_message_is_an_error_once() {
    let (channel, page) = Channel::new().unwrap();
    let worker = super::super::mapping::Mapping::new(page.as_fd()).unwrap();
    let own = sys::pidfd_open(std::process::id() as i32).unwrap();
    for garbage in [&b""[..], b"abc", &[0xff; wire::MOST]] {
        worker.to_host.put(garbage);
        assert_eq!(channel.try_receive().unwrap_err().kind(), ErrorKind::Io);
        assert!(channel.try_receive().unwrap().is_none());
    }
    worker.to_host.put(Message::Tick { n: 1, time_ns: 2 }.encode().bytes());
    assert_eq!(channel.receive(own.as_fd(), soon()).unwrap(), Message::Tick { n: 1, time_ns: 2 });
    // The host looks again only when the bell has rung, and not for ever.
    let error = channel.receive(own.as_fd(), Instant::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = nix::unistd::ftruncate(&page, 0).unwrap_err();
    assert_eq!(error, nix::errno::Errno::EPERM, "the page of the host could be cut off");
}

//! Who is the victim where that is not plain: processes that share memory, threads, a vfork, scores, forty kills at
//! once, namespaces, and ends that look like an OOM kill and are none.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;
#[path = "victims/namespaces.rs"]
mod namespaces;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::actor::{read, Actor};
use common::{gone_by, lab, process_is_there, EATS, LONG};
use memoom::{Cause, Command, Group, GrowStatus, HogOptions, Limits, Oom, Verdict, Watch};

const MIB: u64 = 1 << 20;

fn main() {
    common::actor::act_if_told();
    if namespaces::inside() {
        return;
    }
    common::runner::run(&[
        ("forty_kills_are_forty_accounts", forty_kills_are_forty_accounts),
        ("kills_in_a_row_are_each_accounted_for", kills_in_a_row_are_each_accounted_for),
        ("whoever_shares_the_memory_dies_too", whoever_shares_the_memory_dies_too),
        ("whoever_shares_the_memory_of_a_command_dies_too", whoever_shares_the_memory_of_a_command_dies_too),
        ("a_child_in_vfork_is_not_chosen", a_child_in_vfork_is_not_chosen),
        ("a_process_whose_first_thread_has_ended", a_process_whose_first_thread_has_ended),
        ("threads_without_a_report_are_laid_to_their_process", threads_without_a_report_are_laid_to_their_process),
        ("a_plain_kill_beside_such_a_thread", a_plain_kill_beside_such_a_thread),
        ("a_thread_asks_and_its_process_is_named", a_thread_asks_and_its_process_is_named),
        ("scores_say_who_may_die", scores_say_who_may_die),
        ("a_larger_child_dies_and_its_parent_lives", a_larger_child_dies_and_its_parent_lives),
        ("ends_that_only_look_like_an_oom_kill", ends_that_only_look_like_an_oom_kill),
        ("a_victim_in_a_pid_namespace_below", namespaces::a_victim_in_a_pid_namespace_below),
        ("a_lab_inside_a_pid_namespace", namespaces::a_lab_inside_a_pid_namespace),
        ("a_lab_inside_a_cgroup_namespace", namespaces::a_lab_inside_a_cgroup_namespace),
        ("without_tracefs", without_tracefs),
        ("without_the_kernel_log", without_the_kernel_log),
        ("without_both", without_both),
    ]);
}

/// A hog that has met the limit: it grew in steps until somebody died. It cannot be chosen before anybody larger.
fn squeeze(group: &Group, watch: &mut Watch) -> Arc<Oom> {
    let hog = group.hog(&HogOptions::named("squeezer")).unwrap();
    while hog.grow(Some(2 * MIB), LONG).unwrap().status == GrowStatus::Grew
        && group.counters().unwrap().oom_kill == Some(0)
    {}
    watch.wait_oom(LONG).unwrap().expect("an account")
}

fn forty_kills_are_forty_accounts() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("forty"), &Limits::bytes(8 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let mut actor = Actor::start(&group, 0).unwrap();
    // Where each stood is seen for as long as it is there, so the watch is read meanwhile.
    let killing = std::thread::spawn(move || {
        let begun = Instant::now();
        assert_eq!(actor.order("deaths 40").as_deref(), Some("40"));
        (begun.elapsed(), actor)
    });
    let mut accounts = Vec::new();
    while accounts.len() < 40 {
        match watch.wait_oom(LONG / 4).unwrap() {
            Some(oom) => accounts.push(oom),
            None => break,
        }
    }
    let (took, _actor) = killing.join().unwrap();
    assert!(watch.wait_oom(Duration::ZERO).unwrap().is_none(), "more accounts than kills");
    assert_eq!(accounts.len(), 40);
    assert_eq!(group.counters().unwrap().oom_kill, Some(40));
    let mut pids = Vec::new();
    let mut bare = 0;
    for oom in &accounts {
        let named = |source: &str| oom.missing.iter().any(|missing| missing.source == source);
        let full = oom.report.as_ref().is_some_and(|report| report.invoker.is_some());
        assert_eq!(full, !named("report"), "a report is there, or it is named as missing\n{}", oom.to_text());
        bare += u32::from(!full);
        // Other labs kill at the same time: a victim that was gone before it was asked may be anybody's.
        assert_eq!(oom.victims.len(), usize::from(!named("victim")), "{}", oom.to_text());
        pids.extend(oom.victims.iter().map(|victim| victim.pid));
    }
    let known = pids.len();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), known, "a victim has two accounts");
    println!(
        "40 kills in {:.2} s: 40 accounts, {known} with their victim, {bare} name a report that was not printed",
        took.as_secs_f64()
    );
    // The kernel prints 10 in 5 seconds.
    let printed = 10 * (1 + took.as_secs() as u32 / 5 + 1);
    assert!(bare >= 40u32.saturating_sub(printed), "{bare} without a report");
    lab.close().unwrap();
}

/// Nobody reads the watch meanwhile. Nobody else kills either: who had gone before it was asked would be anybody's.
fn kills_in_a_row_are_each_accounted_for() {
    let Some(lab) = lab() else { return };
    let outer = lab.group(Some("many"), &Limits::default()).unwrap();
    let mut watch = outer.watch().unwrap();
    let script = format!("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sh -c '{EATS}'; done");
    let group = outer.child("shell", &Limits::bytes(4 * MIB)).unwrap();
    let worker = group.command(&Command::new(["sh", "-c", &script])).unwrap();
    worker.wait(LONG).unwrap();
    let mut pids = Vec::new();
    while let Some(oom) = watch.wait_oom(Duration::ZERO).unwrap() {
        assert_eq!(oom.victims.len(), 1, "{}", oom.to_text());
        assert!(
            oom.report.as_ref().is_some_and(|report| report.invoker.is_some())
                || oom.missing.iter().any(|missing| missing.source == "report")
        );
        pids.push(oom.victims[0].pid);
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 14, "14 kills, 14 accounts");
    assert_eq!(group.counters().unwrap().oom_kill, Some(14));
    lab.close().unwrap();
}

fn whoever_shares_the_memory_dies_too() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("shared"), &Limits::bytes(32 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let mut actor = Actor::start(&group, 1000).unwrap();
    actor.order(&format!("grow {}", 8 * MIB)).unwrap();
    let twin: i32 = actor.order("share").unwrap().parse().unwrap();
    let oom = squeeze(&group, &mut watch);
    let mut causes: Vec<(i32, Cause)> = oom.victims.iter().map(|victim| (victim.pid, victim.cause)).collect();
    causes.sort_by_key(|(_, cause)| *cause == Cause::SharedMm);
    assert_eq!(causes.len(), 2, "{}", oom.to_text());
    assert_eq!(causes.iter().map(|(_, cause)| *cause).collect::<Vec<_>>(), [Cause::Selected, Cause::SharedMm]);
    assert!(oom.killed(twin) && oom.killed(actor.worker.pid()), "{}", oom.to_text());
    let explained = |part: &str| {
        oom.disagreements
            .iter()
            .any(|one| one.says.contains(part) && one.because.as_deref().is_some_and(|why| why.contains("memory")))
    };
    assert!(explained("2 processes died, and the kernel names 1"), "{}", oom.to_text());
    // Only one of them was counted, and yet both were OOM-killed.
    let outcome = actor.worker.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::OomKilled, -9), "{outcome:#?}");
    // The memory is back when the last of them has gone; until then the kernel may take the squeezer, too.
    assert!(matches!(group.counters().unwrap().oom_kill, Some(1 | 2)), "{}", oom.to_text());
    assert!(!process_is_there(twin));
    lab.close().unwrap();
}

/// Nobody looked at them before, as no hog took a step.
fn whoever_shares_the_memory_of_a_command_dies_too() {
    let Some(lab) = lab().filter(|lab| lab.host().can("tracefs")) else { return };
    let group = lab.group(Some("twins"), &Limits::bytes(32 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let mut actor = Actor::start(&group, 0).unwrap();
    let twin: i32 = actor.order("share").unwrap().parse().unwrap();
    actor.tell(&format!("grow {}", 64 * MIB));
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert!(oom.killed(twin) && oom.killed(actor.worker.pid()) && oom.victims.len() == 2, "{}", oom.to_text());
    let outcome = actor.worker.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.oom_killed), (Verdict::OomKilled, true), "{}", outcome.to_text());
    assert!(
        !outcome.findings.iter().chain(&oom.findings).any(|one| one.code == "freed-too-little"),
        "{}",
        oom.to_text()
    );
    lab.close().unwrap();
}

fn a_child_in_vfork_is_not_chosen() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("vfork"), &Limits::bytes(32 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let mut actor = Actor::start(&group, 1000).unwrap();
    actor.order(&format!("grow {}", 8 * MIB)).unwrap();
    let child: i32 = actor.order("vfork").unwrap().parse().unwrap();
    let prediction = group.predict().unwrap();
    let row = prediction.candidates.iter().find(|candidate| candidate.pid == child).expect("the child is in the table");
    assert!(!row.eligible && row.reason.as_deref().is_some_and(|reason| reason.contains("vfork")), "{row:?}");
    assert_eq!(prediction.predicted, Some(actor.worker.pid()), "{prediction:#?}");
    let oom = squeeze(&group, &mut watch);
    assert_eq!(oom.victim().unwrap().pid, actor.worker.pid(), "{}", oom.to_text());
    assert_eq!(oom.predicted_right(), Some(true), "{}", oom.to_text());
    // It stood on its parent's memory, so it went with it.
    assert!(
        oom.victims.iter().any(|victim| victim.pid == child && victim.cause == Cause::SharedMm),
        "{}",
        oom.to_text()
    );
    lab.close().unwrap();
}

fn a_process_whose_first_thread_has_ended() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("headless"), &Limits::bytes(32 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let mut actor = Actor::start(&group, 1000).unwrap();
    let pid = actor.worker.pid();
    actor.tell(&format!("leave {}", 8 * MIB));
    let is_zombie =
        || read(format!("/proc/{pid}/stat")).rsplit(')').next().is_some_and(|rest| rest.trim().starts_with('Z'));
    assert!(gone_by(Instant::now() + LONG, || !is_zombie()), "the first thread did not end");
    let prediction = group.predict().unwrap();
    let row = prediction.candidates.iter().find(|candidate| candidate.pid == pid).expect("it is in the table");
    assert!(row.eligible && row.rss_pages >= 8 * MIB / common::page_bytes(), "{row:?}");
    let oom = squeeze(&group, &mut watch);
    assert_eq!(oom.victims.len(), 1, "{}", oom.to_text());
    assert_eq!(oom.victims[0].pid, pid, "the process, not its thread\n{}", oom.to_text());
    assert_eq!(oom.predicted_right(), Some(true), "{}", oom.to_text());
    assert!(actor.worker.wait(LONG).unwrap().oom_killed);
    lab.close().unwrap();
}

/// More reports than the kernel prints within 5 seconds: those that come now are suppressed, on the whole machine.
fn use_up_the_reports(lab: &memoom::Lab) {
    let group = lab.group(None, &Limits::bytes(8 * MIB)).unwrap();
    let mut actor = Actor::start(&group, 0).unwrap();
    assert_eq!(actor.order("deaths 12").as_deref(), Some("12"));
}

fn threads_without_a_report_are_laid_to_their_process() {
    let Some(lab) = lab() else { return };
    let rounds: u32 = std::env::var("MEMOOM_ROUNDS").map_or(8, |rounds| rounds.parse().unwrap());
    let (mut bare, mut taken) = (0, 0);
    for round in 0..rounds {
        if round % 8 == 0 {
            use_up_the_reports(&lab);
        }
        let group = lab.group(Some(&format!("headless-{round}")), &Limits::bytes(16 * MIB)).unwrap();
        let mut actor = Actor::start(&group, 0).unwrap();
        actor.tell(&format!("leave-and-die {}", 64 * MIB));
        let outcome = actor.worker.wait(LONG).unwrap();
        assert_eq!((outcome.verdict, outcome.returncode), (Verdict::OomKilled, -9), "{}", outcome.to_text());
        let oom = outcome.oom().expect("its account");
        assert_eq!(oom.victims.len(), 1, "{}", oom.to_text());
        assert!(oom.disagreements.iter().all(|one| one.because.is_some()), "{}", oom.to_text());
        bare += u32::from(oom.report.as_ref().is_none_or(|report| report.invoker.is_none()));
        taken += u32::from(oom.missing.iter().any(|one| one.reason.contains("taken for a thread")));
    }
    println!("{rounds} of {rounds} rounds: {bare} without a report, {taken} laid to its process by its end");
    lab.close().unwrap();
}

/// A process whose first thread has ended is killed by a program while another is OOM-killed beside it.
fn a_plain_kill_beside_such_a_thread() {
    let Some(lab) = lab() else { return };
    use_up_the_reports(&lab);
    let group = lab.group(Some("beside"), &Limits::bytes(24 * MIB)).unwrap();
    for _ in 0..4 {
        let mut killed = Actor::start(&group, 0).unwrap();
        killed.tell(&format!("leave {}", 2 * MIB));
        let mut dies = Actor::start(&group, 1000).unwrap();
        dies.tell(&format!("leave-and-die {}", 64 * MIB));
        let dead = dies.worker.wait(LONG).unwrap();
        assert_eq!(dead.verdict, Verdict::OomKilled, "{}", dead.to_text());
        let kill = std::process::Command::new("sh").args(["-c", &format!("kill -9 {}", killed.worker.pid())]).status();
        assert!(kill.unwrap().success());
        let outcome = killed.worker.wait(LONG).unwrap();
        assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Killed, -9), "{}", outcome.to_text());
    }
    lab.close().unwrap();
}

fn a_thread_asks_and_its_process_is_named() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("threads"), &Limits::bytes(24 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let bystander = group.hog(&HogOptions { oom_score_adj: 1000, ..HogOptions::named("bystander") }).unwrap();
    bystander.grow(Some(4 * MIB), LONG).unwrap();
    let mut actor = Actor::start(&group, 0).unwrap();
    // The bystander dies for it, so that whoever asked lives on and can be asked who it was.
    let thread: i32 = actor.order(&format!("thread {}", 22 * MIB)).expect("it lives").parse().unwrap();
    assert_ne!(thread, actor.worker.pid());
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert!(oom.killed(bystander.pid()) && oom.victims.len() == 1, "{}", oom.to_text());
    assert_eq!(oom.invoker.as_ref().unwrap().pid, actor.worker.pid(), "{}", oom.to_text());
    assert!(!actor.worker.ended());
    lab.close().unwrap();
}

fn scores_say_who_may_die() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("scores"), &Limits::bytes(32 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let start = |name: &str, oom_score_adj: i16| group.hog(&HogOptions { oom_score_adj, ..HogOptions::named(name) });
    let (spared, least) = match start("spared", -1000) {
        Ok(hog) => (Some(hog), -999),
        Err(error) => {
            // Lowering needs a right that not every root has; then the error says which.
            assert!(error.to_string().contains("CAP_SYS_RESOURCE"), "{error}");
            (None, 0)
        }
    };
    if let Some(spared) = &spared {
        assert_eq!(spared.grow(Some(8 * MIB), LONG).unwrap().status, GrowStatus::Grew);
    }
    let low = start("low", least).unwrap();
    let high = start("high", 1000).unwrap();
    for hog in [&low, &high] {
        assert_eq!(hog.grow(Some(2 * MIB), LONG).unwrap().status, GrowStatus::Grew);
    }
    let prediction = group.predict().unwrap();
    assert_eq!(prediction.predicted, Some(high.pid()), "{prediction:#?}");
    if let Some(spared) = &spared {
        let row = prediction.candidates.iter().find(|one| one.pid == spared.pid()).unwrap();
        assert!(!row.eligible && row.reason.as_deref().is_some_and(|reason| reason.contains("-1000")), "{row:?}");
    }
    let oom = squeeze(&group, &mut watch);
    assert_eq!(oom.victims[0].pid, high.pid(), "{}", oom.to_text());
    assert_eq!(oom.victims[0].oom_score_adj, Some(1000));
    assert_eq!(oom.predicted_right(), Some(true));
    assert!(spared.is_none_or(|spared| !spared.ended()) && !low.ended());
    lab.close().unwrap();
}

fn a_larger_child_dies_and_its_parent_lives() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("family"), &Limits::bytes(24 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let mut actor = Actor::start(&group, 0).unwrap();
    let child: i32 = actor.order(&format!("child {}", 4 * MIB)).unwrap().parse().unwrap();
    assert_eq!(actor.order(&format!("child-grow {}", 32 * MIB)).as_deref(), Some("ended"));
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert_eq!(oom.victims.iter().map(|victim| victim.pid).collect::<Vec<_>>(), [child], "{}", oom.to_text());
    assert_eq!(oom.victims[0].group.as_deref(), Some(group.cgroup()));
    assert!(!actor.worker.ended());
    lab.close().unwrap();
}

fn ends_that_only_look_like_an_oom_kill() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("others"), &Limits::bytes(24 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let mut exits = Actor::start(&group, 0).unwrap();
    let killed = Actor::start(&group, 0).unwrap();
    let oom = squeeze(&group, &mut watch);
    assert_eq!(oom.victims[0].comm, b"squeezer", "{}", oom.to_text());
    // The status that a shell gives to a killed program, as a plain exit code.
    exits.tell("exit 137");
    let outcome = exits.worker.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode, outcome.oom_killed), (Verdict::Exited, 137, false));
    // By another program, with the signal of the OOM killer, in a group that had an OOM.
    let kill = std::process::Command::new("sh").args(["-c", &format!("kill -9 {}", killed.worker.pid())]).status();
    assert!(kill.unwrap().success());
    let outcome = killed.worker.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode, outcome.oom_killed), (Verdict::Killed, -9, false), "{outcome:#?}");
    assert!(watch.wait_oom(Duration::ZERO).unwrap().is_none(), "one OOM, one account");
    lab.close().unwrap();
}

/// One kill of a command's child in a lab that has not all sources: the account is there, and what is missing is named.
fn one_kill(options: &memoom::LabOptions, expected: &[&str]) {
    if lab().is_none() {
        return;
    }
    let lab = memoom::Lab::with(options).unwrap();
    let group = lab.group(Some("few"), &Limits::bytes(8 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let worker = group.command(&Command::new(["sh", "-c", "(exec tail /dev/zero); exit 3"])).unwrap();
    let outcome = worker.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::Exited, 3));
    let oom = watch.wait_oom(LONG).unwrap().expect("an account, whatever is missing");
    assert!(watch.wait_oom(Duration::ZERO).unwrap().is_none(), "one kill, one account");
    for source in expected {
        assert!(oom.missing.iter().any(|missing| missing.source == *source), "{source}: {:?}", oom.missing);
    }
    assert!(
        oom.victims.len() == 1 || oom.missing.iter().any(|missing| missing.source == "victim"),
        "{}",
        oom.to_text()
    );
    assert_eq!(oom.limit_group.as_deref(), Some(group.cgroup()), "{}", oom.to_text());
    lab.close().unwrap();
}

fn without_tracefs() {
    one_kill(&memoom::LabOptions { call_path: false, ..Default::default() }, &["tracefs"]);
}

fn without_the_kernel_log() {
    one_kill(&memoom::LabOptions { kernel_log: false, ..Default::default() }, &["kernel-log"]);
}

fn without_both() {
    let options = memoom::LabOptions { kernel_log: false, call_path: false, ..Default::default() };
    one_kill(&options, &["kernel-log", "tracefs", "victim", "call-path", "prediction"]);
}

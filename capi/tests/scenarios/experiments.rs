//! The five experiments: two hogs take 10M in turn under a limit of 80M, beside a ticker.

use std::time::{Duration, Instant};

use super::face::{Account, Face, Settings, Step};
use super::{lab_on, LONG, MIB};

const LIMIT: u64 = 80 * MIB;

/// What every experiment begins with.
struct Stage<F: Face> {
    lab: F::Lab,
    group: F::Group,
    watch: F::Watch,
    hogs: [F::Worker; 2],
    ticker: F::Worker,
}

impl<F: Face> Stage<F> {
    fn set(version: u32, settings: Settings) -> Option<Stage<F>> {
        let lab = lab_on::<F>(version)?;
        let group = F::group(&lab, b"experiment", &Settings { limit: Some(Some(LIMIT)), ..settings }).unwrap();
        let watch = F::watch(&group).unwrap();
        let hogs = ["alloc_memory_1", "alloc_memory_2"].map(|name| F::hog(&group, name).unwrap());
        let ticker = F::ticker(&group, "print_counter", Duration::from_millis(50)).unwrap();
        Some(Stage { lab, group, watch, hogs, ticker })
    }

    /// The hogs step in turn until a step does not grow or somebody was killed. Gives the last step, and whose it was.
    fn step_until_the_limit(&self) -> (usize, Step) {
        for turn in 0..9 {
            let at = turn % 2;
            let step = F::grow(&self.hogs[at], None, LONG).unwrap();
            assert_eq!(step.step_bytes, 10 * MIB);
            if step.status != "grew" || self.hogs.iter().any(F::ended) {
                return (at, step);
            }
        }
        panic!("nine steps of 10M stayed within a limit of 80M");
    }

    /// A number of a flat kernel file of the group, read without memoom.
    fn number(&self, file: &str, key: &str) -> Option<u64> {
        let text = std::fs::read_to_string(F::group_path(&self.group).join(file)).unwrap();
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
    }

    fn account(&mut self) -> Account {
        F::wait_oom(&mut self.watch, LONG).unwrap().expect("the account of the OOM")
    }

    /// Waits for ticks that come from now on.
    fn hear_ticks(&mut self, more: u64) {
        let wanted = F::ticks(&self.ticker) + more;
        while F::ticks(&self.ticker) < wanted {
            F::next(&mut self.watch, LONG).unwrap().expect("the ticker goes on");
        }
    }

    /// In a full group whose killer is off the kernel cannot charge the ticker's messages, so they may not arrive; that
    /// it goes on is seen by the times it has slept.
    fn see_ticker_awake(&mut self) {
        let status = format!("/proc/{}/status", F::pid(&self.ticker));
        let sleeps = || -> u64 {
            let text = std::fs::read_to_string(&status).expect("the ticker lives");
            text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok()).unwrap()
        };
        let (before, deadline) = (sleeps(), Instant::now() + LONG);
        while sleeps() < before + 4 {
            assert!(Instant::now() < deadline, "the ticker goes on");
            F::next(&mut self.watch, Duration::from_millis(20)).unwrap();
        }
        assert!(!F::ended(&self.ticker));
    }

    fn pids(&self) -> [i32; 3] {
        [F::pid(&self.hogs[0]), F::pid(&self.hogs[1]), F::pid(&self.ticker)]
    }

    /// Ends the lab and looks that nothing of it is left.
    fn close(self) {
        let (path, pids) = (F::lab_path(&self.lab), self.pids());
        let (kinds, json) = F::timeline(&self.lab).unwrap();
        for kind in ["started", "stepping", "stepped", "predicted", "ticked"] {
            assert!(kinds.iter().any(|one| one == kind), "{kind} is not in the timeline");
        }
        assert!(json.starts_with("{\"schema\":\"memoom.timeline/1\""));
        F::close(&self.lab).unwrap();
        assert!(!path.exists(), "the lab's groups are gone");
        for pid in pids {
            assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "pid {pid} is gone");
        }
    }
}

/// The functions that the way must lead through, innermost first; a list is of names, of which one must be there.
#[track_caller]
fn goes_through(functions: &[String], way: &[&[&str]]) {
    let mut rest = functions.iter().map(|function| function.split('.').next().unwrap_or_default());
    for names in way {
        assert!(
            rest.any(|function| names.iter().any(|name| function.starts_with(name))),
            "{names:?} in its place of {functions:?}"
        );
    }
}

const FAULT: &[&str] = &[
    "handle_mm_fault",
    "__handle_mm_fault",
    "do_user_addr_fault",
    "exc_page_fault",
    "asm_exc_page_fault",
    "do_page_fault",
];
const CHARGE: &[&str] =
    &["try_charge", "__mem_cgroup_charge", "charge_memcg", "mem_cgroup_charge", "mem_cgroup_try_charge"];

/// What holds for every kill.
fn check_kill<F: Face>(stage: &Stage<F>, oom: &Account, kills_before: u64) {
    let shown = &oom.text;
    let victim = oom.chosen.expect("a victim");
    assert!(stage.pids()[..2].contains(&victim), "a hog is the victim: {shown}");
    let (predicted, name, score) = oom.predicted.as_ref().expect("a prediction");
    assert_eq!(*predicted, victim, "predicted and actual: {shown}");
    assert_eq!(oom.predicted_right, Some(true));
    assert!(name.starts_with("alloc_memory_") && *score > 0);
    assert!(oom.candidates.len() >= 3 && oom.candidates.iter().any(|one| one.0 == victim && one.3), "{shown}");
    assert_eq!(oom.limit_group.as_deref(), Some(F::cgroup(&stage.group).as_str()));
    assert_eq!(oom.limit_bytes, Some(LIMIT));
    assert!(oom.usage_before.unwrap() > oom.usage_after.unwrap(), "{shown}");
    assert!(oom.invoker.is_some(), "{shown}");
    assert_eq!(oom.before.oom_kill, Some(kills_before));
    assert!(oom.after.oom_kill > oom.before.oom_kill, "{shown}");
    assert!(oom.disagreements.iter().all(|(_, because)| because.is_some()), "{:?}: {shown}", oom.disagreements);
    let kills = oom.report_kills.as_ref().unwrap_or_else(|| panic!("no report; missing {:?}: {shown}", oom.missing));
    assert!(kills.contains(&victim), "the kernel's report names the victim: {shown}");
    goes_through(
        &oom.functions,
        &[
            &["oom_kill_process", "__oom_kill_process", "mark_oom_victim"],
            &["out_of_memory"],
            &["mem_cgroup_oom", "mem_cgroup_out_of_memory", "try_charge"],
        ],
    );
    goes_through(&oom.functions, &[&["out_of_memory"], CHARGE, FAULT]);
    for step in ["fault", "charge", "oom", "kill"] {
        assert!(oom.steps.iter().any(|one| one == step), "{step}: {:?}", oom.steps);
    }
    assert!(oom.victim_marked_ns.is_some() && oom.json.starts_with("{\"schema\":\"memoom.oom/1\""));
    let document: serde_json::Value = serde_json::from_str(&oom.json).unwrap();
    assert_eq!(document["victims"][0]["pid"], oom.victims[0].0);
}

/// The victim's outcome, and that the others live on.
fn check_survivors<F: Face>(stage: &mut Stage<F>, oom: &Account) {
    let victim = oom.chosen.unwrap();
    let at = stage.hogs.iter().position(|hog| F::pid(hog) == victim).unwrap();
    let outcome = F::wait(&stage.hogs[at], LONG).unwrap();
    assert_eq!((outcome.verdict.as_str(), outcome.returncode, outcome.pid), ("oom-killed", -libc::SIGKILL, victim));
    assert!(outcome.oom_killed && outcome.has_own_oom && outcome.ooms.iter().any(|one| one.killed(victim)));
    assert!(outcome.evidence.len() >= 2, "{:?}", outcome.evidence);
    let usage = F::usage(&stage.group).unwrap();
    assert!(usage < LIMIT - 8 * MIB, "the usage dropped: {usage}");
    let other = &stage.hogs[1 - at];
    assert!(!F::ended(other) && F::state(other).unwrap() == 'S');
    let step = F::grow(other, Some(MIB), LONG).unwrap();
    assert_eq!((step.status.as_str(), step.step_bytes), ("grew", MIB), "the other hog goes on");
    stage.hear_ticks(2);
}

pub fn v1_kill<F: Face>() {
    let Some(mut stage) = Stage::<F>::set(1, Settings::default()) else { return };
    stage.step_until_the_limit();
    let oom = stage.account();
    check_kill(&stage, &oom, 0);
    check_survivors(&mut stage, &oom);
    assert_eq!(stage.number("memory.oom_control", "oom_kill "), Some(1));
    assert_eq!(F::counters(&stage.group).unwrap().oom_kill, Some(1));
    stage.close();
}

pub fn v2_kill<F: Face>() {
    let Some(mut stage) = Stage::<F>::set(2, Settings::default()) else { return };
    stage.step_until_the_limit();
    let oom = stage.account();
    check_kill(&stage, &oom, 0);
    check_survivors(&mut stage, &oom);
    assert_eq!(stage.number("memory.events", "oom_kill "), Some(1));
    let counters = F::counters(&stage.group).unwrap();
    assert!(counters.oom_kill == Some(1) && counters.max > Some(0), "{counters:?}");
    stage.close();
}

/// A group whose killer is off, and a hog that waits in it.
fn blocked<F: Face>() -> Option<(Stage<F>, usize)> {
    let mut stage = Stage::<F>::set(1, Settings { oom_killer: Some(false), ..Settings::default() })?;
    assert!(!F::oom_killer(&stage.group).unwrap());
    let (at, step) = stage.step_until_the_limit();
    assert_eq!((step.status.as_str(), step.blocked_state), ("blocked", Some('D')));
    let oom = stage.account();
    let shown = &oom.text;
    assert!(oom.victims.is_empty() && oom.chosen.is_none(), "{shown}");
    let one = oom.blocked.first().unwrap_or_else(|| panic!("nobody is blocked: {shown}"));
    assert_eq!((one.pid, one.state), (F::pid(&stage.hogs[at]), 'D'));
    assert!(one.wchan.as_deref().is_some_and(|wchan| wchan.starts_with("mem_cgroup_oom_synchronize")), "{shown}");
    assert!(one.stack.iter().any(|function| function.starts_with("mem_cgroup_oom_synchronize")), "{:?}", one.stack);
    assert!(oom.steps.iter().any(|step| step == "wait"), "{:?}", oom.steps);
    assert_eq!(F::state(&stage.hogs[at]).unwrap(), 'D');
    assert_eq!(stage.number("memory.oom_control", "under_oom "), Some(1));
    let counters = F::counters(&stage.group).unwrap();
    assert_eq!((counters.under_oom, counters.oom_kill_disable, counters.oom_kill), (Some(1), Some(1), Some(0)));
    // At the limit, and not growing while time goes by.
    let usage = F::usage(&stage.group).unwrap();
    assert!(usage <= LIMIT && usage + MIB >= LIMIT, "{usage}");
    stage.see_ticker_awake();
    // The kernel's own objects for the ticker's messages come and go, and what a CPU has charged ahead (64 pages) is
    // given back when another group charges there; a hog would take megabytes.
    assert!(F::usage(&stage.group).unwrap().abs_diff(usage) < MIB);
    assert_eq!(F::state(&stage.hogs[at]).unwrap(), 'D');
    assert_eq!(F::state(&stage.hogs[1 - at]).unwrap(), 'S', "the other hog lives");
    Some((stage, at))
}

pub fn v1_block<F: Face>(signal: i32) {
    let Some((mut stage, at)) = blocked::<F>() else { return };
    super::says(F::grow(&stage.hogs[at], None, LONG), "busy", &["grow", "still going on", "remedy"]);
    F::signal(&stage.hogs[at], signal).unwrap();
    let outcome = F::wait(&stage.hogs[at], LONG).unwrap();
    assert_eq!((outcome.verdict.as_str(), outcome.returncode), ("killed", -signal));
    assert!(!outcome.oom_killed && !outcome.has_own_oom);
    assert_eq!(F::finish(&stage.hogs[at], LONG).unwrap().status, "killed");
    assert_eq!(stage.number("memory.oom_control", "oom_kill "), Some(0), "nobody was OOM-killed");
    assert!(!F::ended(&stage.hogs[1 - at]));
    stage.hear_ticks(2);
    stage.close();
}

pub fn v1_resume<F: Face>() {
    let Some((mut stage, at)) = blocked::<F>() else { return };
    F::set_oom_killer(&stage.group, true).unwrap();
    let step = F::finish(&stage.hogs[at], LONG).unwrap();
    assert_eq!((step.status.as_str(), step.step_bytes), ("grew", 10 * MIB), "the blocked step completed");
    let oom = stage.account();
    check_kill(&stage, &oom, 0);
    assert_eq!(oom.chosen, Some(F::pid(&stage.hogs[1 - at])), "the other hog was killed: {}", oom.text);
    assert_eq!(F::state(&stage.hogs[at]).unwrap(), 'S');
    assert_eq!(stage.number("memory.oom_control", "under_oom "), Some(0));
    assert_eq!(stage.number("memory.oom_control", "oom_kill "), Some(1));
    check_survivors(&mut stage, &oom);
    stage.close();
}

pub fn v2_group<F: Face>() {
    let Some(mut stage) = Stage::<F>::set(2, Settings { oom_group: Some(true), ..Settings::default() }) else { return };
    assert!(F::oom_group(&stage.group).unwrap());
    stage.step_until_the_limit();
    let oom = stage.account();
    check_kill(&stage, &oom, 0);
    for (pid, worker) in stage.pids().into_iter().zip([&stage.hogs[0], &stage.hogs[1], &stage.ticker]) {
        assert!(oom.killed(pid), "pid {pid}: {}", oom.text);
        let outcome = F::wait(worker, LONG).unwrap();
        assert!(outcome.oom_killed && outcome.has_own_oom, "{}", outcome.json);
    }
    assert_eq!(oom.victims.iter().filter(|(.., cause)| cause == "group").count(), 2, "{}", oom.text);
    assert_eq!(F::processes(&stage.group).unwrap(), Vec::<i32>::new());
    let procs = std::fs::read_to_string(F::group_path(&stage.group).join("cgroup.procs")).unwrap();
    assert_eq!(procs, "");
    // The kernel counts group kills from about 5.17 on.
    let counted = stage.number("memory.events", "oom_group_kill ");
    assert!(counted.is_none_or(|count| count == 1), "{counted:?}");
    assert_eq!(F::counters(&stage.group).unwrap().oom_group_kill, counted);
    stage.close();
}

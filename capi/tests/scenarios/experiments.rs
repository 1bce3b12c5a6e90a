//! The five experiments, as `tests/experiments.json` has them: two hogs step in turn under a limit, beside a ticker.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::face::{Account, Face, Settings, Step};
use super::{lab_on, LONG, MIB};

const LIMIT: u64 = 80 * MIB;

/// What all faces read.
fn data() -> Value {
    serde_json::from_str(include_str!("../../../tests/experiments.json")).unwrap()
}

fn experiments() -> Vec<Value> {
    data()["experiments"].as_array().unwrap().clone()
}

pub fn names() -> Vec<String> {
    experiments().iter().map(|one| one["name"].as_str().unwrap().to_string()).collect()
}

/// What every experiment begins with.
struct Stage<F: Face> {
    lab: F::Lab,
    group: F::Group,
    watch: F::Watch,
    hogs: [F::Worker; 2],
    ticker: F::Worker,
}

impl<F: Face> Stage<F> {
    fn set(experiment: &Value) -> Option<Stage<F>> {
        let stage = &data()["stage"];
        assert_eq!((&stage["limit_bytes"], &stage["step_bytes"]), (&Value::from(LIMIT), &Value::from(10 * MIB)));
        let lab = lab_on::<F>(if experiment["hierarchy"] == "v1" { 1 } else { 2 })?;
        let [oom_killer, oom_group] = ["oom_killer", "oom_group"].map(|name| experiment["settings"][name].as_bool());
        let settings = Settings { limit: Some(Some(LIMIT)), oom_killer, oom_group, ..Settings::default() };
        let group = F::group(&lab, b"experiment", &settings).unwrap();
        assert!(oom_killer.is_none_or(|on| F::oom_killer(&group).unwrap() == on));
        assert!(oom_group.is_none_or(|on| F::oom_group(&group).unwrap() == on));
        let watch = F::watch(&group).unwrap();
        let hogs = [0, 1].map(|at| F::hog(&group, stage["hogs"][at].as_str().unwrap()).unwrap());
        let ticker = F::ticker(&group, stage["ticker"].as_str().unwrap(), Duration::from_millis(50)).unwrap();
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

/// What the kernel's own files and the face's counters say at the end.
fn check_counters<F: Face>(stage: &Stage<F>, experiment: &Value) {
    let v1 = experiment["hierarchy"] == "v1";
    let file = if v1 { "memory.oom_control" } else { "memory.events" };
    let counters = F::counters(&stage.group).unwrap();
    for (name, wanted) in experiment["counters"].as_object().unwrap() {
        let read = stage.number(file, &format!("{name} "));
        // The kernel counts group kills from about 5.17 on, and kills of v1 from 4.13 on.
        assert!(read == wanted.as_u64() || read.is_none() && name.ends_with("kill"), "{name}: {read:?}, not {wanted}");
        let said = match name.as_str() {
            "oom_kill" => counters.oom_kill,
            "oom_group_kill" => counters.oom_group_kill,
            "under_oom" => counters.under_oom,
            _ => panic!("no counter of that name: {name}"),
        };
        assert_eq!(said, read, "{name}");
    }
    assert!(v1 || counters.max > Some(0), "{counters:?}");
}

/// The outcomes of those whom the account calls dead, by the causes that the experiment has.
fn check_dead<F: Face>(stage: &Stage<F>, oom: &Account, experiment: &Value) {
    let mut causes: Vec<&str> = oom.victims.iter().map(|(.., cause)| cause.as_str()).collect();
    causes.sort_unstable();
    assert_eq!(Value::from(causes), experiment["causes"], "{}", oom.text);
    for worker in stage.hogs.iter().chain([&stage.ticker]).filter(|worker| oom.killed(F::pid(worker))) {
        let outcome = F::wait(worker, LONG).unwrap();
        assert_eq!((outcome.verdict.as_str(), outcome.returncode), ("oom-killed", -libc::SIGKILL), "{}", outcome.json);
        assert_eq!(outcome.pid, F::pid(worker));
        assert!(outcome.oom_killed && outcome.has_own_oom && outcome.evidence.len() >= 2, "{:?}", outcome.evidence);
        assert!(outcome.ooms.iter().any(|one| one.killed(outcome.pid)), "{}", outcome.json);
    }
}

/// Those who must live go on, and nobody else is there.
fn check_living<F: Face>(stage: &mut Stage<F>, experiment: &Value) {
    let live: Vec<&str> = experiment["live"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let hogs: Vec<&F::Worker> = stage.hogs.iter().filter(|hog| !F::ended(hog)).collect();
    assert_eq!(hogs.len(), live.iter().filter(|one| **one == "hog").count(), "hogs that live");
    let usage = F::usage(&stage.group).unwrap();
    assert!(usage < LIMIT - 8 * MIB, "the usage dropped: {usage}");
    for hog in hogs {
        assert_eq!(F::state(hog).unwrap(), 'S');
        let step = F::grow(hog, Some(MIB), LONG).unwrap();
        assert_eq!((step.status.as_str(), step.step_bytes), ("grew", MIB), "the other hog goes on");
    }
    if live.contains(&"ticker") {
        stage.hear_ticks(2);
    }
    if live.is_empty() {
        assert_eq!(F::processes(&stage.group).unwrap(), Vec::<i32>::new());
        assert_eq!(std::fs::read_to_string(F::group_path(&stage.group).join("cgroup.procs")).unwrap(), "");
    }
}

/// A group whose killer is off, and a hog that waits in it: everybody lives, and nothing grows.
fn check_block<F: Face>(stage: &mut Stage<F>, at: usize, step: &Step) {
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
    super::says(F::grow(&stage.hogs[at], None, LONG), "busy", &["grow", "still going on", "remedy"]);
}

/// The blocked hog is ended by a signal: a death, and none of the kernel's.
fn end_by<F: Face>(hog: &F::Worker, signal: i32) {
    F::signal(hog, signal).unwrap();
    let outcome = F::wait(hog, LONG).unwrap();
    assert_eq!((outcome.verdict.as_str(), outcome.returncode), ("killed", -signal));
    assert!(!outcome.oom_killed && !outcome.has_own_oom);
    assert_eq!(F::finish(hog, LONG).unwrap().status, "killed");
}

/// The killer is on again: the blocked step completes.
fn resume<F: Face>(stage: &Stage<F>, at: usize) {
    F::set_oom_killer(&stage.group, true).unwrap();
    let step = F::finish(&stage.hogs[at], LONG).unwrap();
    assert_eq!((step.status.as_str(), step.step_bytes), ("grew", 10 * MIB), "the blocked step completed");
    assert_eq!(F::state(&stage.hogs[at]).unwrap(), 'S');
}

fn play<F: Face>(experiment: &Value, signal: Option<i32>) {
    let Some(mut stage) = Stage::<F>::set(experiment) else { return };
    let (at, step) = stage.step_until_the_limit();
    let blocked = experiment["at_the_limit"] == "block";
    if blocked {
        check_block(&mut stage, at, &step);
    }
    if let Some(signal) = signal {
        end_by::<F>(&stage.hogs[at], signal);
    }
    if experiment["then"]["oom_killer"] == true {
        resume(&stage, at);
    }
    if !experiment["causes"].as_array().unwrap().is_empty() {
        let oom = stage.account();
        check_kill(&stage, &oom, 0);
        check_dead(&stage, &oom, experiment);
        if blocked {
            assert_eq!(oom.chosen, Some(F::pid(&stage.hogs[1 - at])), "the other hog was killed: {}", oom.text);
        }
    }
    check_living(&mut stage, experiment);
    check_counters(&stage, experiment);
    stage.close();
}

/// Plays the experiment of that name, once for each signal that it ends with.
pub fn run<F: Face>(name: &str) {
    let experiment = experiments().into_iter().find(|one| one["name"] == name).unwrap();
    match experiment["then"]["signals"].as_array() {
        Some(signals) => {
            for signal in signals {
                play::<F>(&experiment, Some(i32::try_from(signal.as_i64().unwrap()).unwrap()));
            }
        }
        None => play::<F>(&experiment, None),
    }
}

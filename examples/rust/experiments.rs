//! The five experiments in Rust: two hogs and a ticker in a group limited to 80M.
//!
//! `cargo run --example experiments [EXPERIMENT...]` runs those of this machine's hierarchy, prints what happened, and
//! exits 0 only if every check held; 77 with the reason where this machine cannot run them.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program

use std::process::ExitCode;
use std::time::{Duration, Instant};

use memoom::{
    ErrorKind, EventKind, Group, GrowStatus, Hog, HogOptions, Lab, Limits, Oom, Result, Step, Timeline, Version, Watch,
    Worker,
};

const LIMIT: u64 = 80 << 20;
/// Every wait ends here at the latest; an emulated machine is slow.
const LONG: Duration = Duration::from_secs(60);

/// What was to be seen, and what was.
#[derive(Default)]
struct Checks(Vec<(String, bool, String)>);

impl Checks {
    fn see(&mut self, name: &str, passed: bool, seen: impl ToString) {
        self.0.push((name.to_string(), passed, seen.to_string()));
    }

    fn print(&self) -> bool {
        for (name, passed, seen) in &self.0 {
            println!("  [{}] {name}: {seen}", if *passed { "ok" } else { "FAILED" });
        }
        self.0.iter().all(|(_, passed, _)| *passed)
    }
}

/// What every experiment begins with.
struct Stage {
    lab: Lab,
    group: Group,
    watch: Watch,
    hogs: [Hog; 2],
    ticker: Worker,
}

impl Stage {
    fn set(limits: Limits) -> Result<Stage> {
        let lab = Lab::new()?;
        let group = lab.group(Some("experiment"), &limits)?;
        let watch = group.watch()?;
        let hogs = [group.hog(&HogOptions::named("alloc_memory_1"))?, group.hog(&HogOptions::named("alloc_memory_2"))?];
        let ticker = group.ticker("print_counter", Duration::from_millis(200))?;
        Ok(Stage { lab, group, watch, hogs, ticker })
    }

    /// The hogs take 10 MB in turn until one of them cannot, or one of them is killed. Gives the one that stepped last.
    fn step_until_the_limit(&self) -> Result<(usize, GrowStatus)> {
        for turn in 0.. {
            let at = turn % 2;
            let grow = match self.hogs[at].grow(None, LONG) {
                // The other hog's step has killed this one, and its end was heard only now.
                Err(error) if error.kind() == ErrorKind::WorkerGone => return Ok((at, GrowStatus::Killed)),
                other => other?,
            };
            println!(
                "  {} {}: usage {} KiB",
                self.hogs[at].name(),
                grow.status.name(),
                self.group.usage_bytes()? >> 10
            );
            if grow.status != GrowStatus::Grew || self.hogs.iter().any(|hog| hog.ended()) {
                return Ok((at, grow.status));
            }
        }
        unreachable!("the loop ends only by return")
    }

    fn oom(&mut self) -> Result<std::sync::Arc<Oom>> {
        let oom = self.watch.wait_oom(LONG)?;
        Ok(oom.expect("the kernel has killed, so the watch has an account"))
    }

    /// Whether the ticker goes on: a tick that it had not sent before.
    fn still_ticks(&mut self) -> Result<bool> {
        let before = self.ticker.ticks();
        let deadline = Instant::now() + LONG;
        while let Some(event) = self.watch.next(deadline)? {
            if matches!(event.kind, EventKind::Ticked { count } if count > before) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn steps_of(oom: &Oom) -> Vec<Step> {
    oom.call_path.iter().filter_map(|frame| frame.step()).collect()
}

/// What holds for every kill.
fn check_kill(stage: &mut Stage, oom: &Oom, checks: &mut Checks) -> Result<()> {
    let victim = oom.victim().map_or("nobody".to_string(), |victim| {
        format!("{} (pid {})", String::from_utf8_lossy(&victim.comm), victim.pid)
    });
    checks.see("the kernel killed the predicted hog", oom.predicted_right() == Some(true), &victim);
    let (before, after) = (oom.counters.before.oom_kill, oom.counters.after.oom_kill);
    checks.see("oom_kill rose", after > before, format!("{before:?} -> {after:?}"));
    let report = oom.report.as_ref();
    let named = report.is_some_and(|report| {
        report.kills.iter().any(|kill| oom.victim().is_some_and(|victim| victim.pid == kill.pid))
    });
    checks.see(
        "the kernel's report names the victim",
        named,
        report.map_or("no report".to_string(), |report| report.kills.len().to_string() + " kills"),
    );
    let steps = steps_of(oom);
    let all = [Step::Fault, Step::Charge, Step::Oom, Step::Kill].iter().all(|step| steps.contains(step));
    checks.see(
        "the call path goes from the fault over the charge to the kill",
        all,
        format!("{} functions", oom.call_path.len()),
    );
    let dropped = stage.group.usage_bytes()?;
    checks.see("the usage dropped", dropped < LIMIT - (8 << 20), format!("{} KiB", dropped >> 10));
    Ok(())
}

fn check_survivors(stage: &mut Stage, oom: &Oom, checks: &mut Checks) -> Result<()> {
    let other = stage.hogs.iter().filter(|hog| !hog.ended() && !oom.killed(hog.pid())).count();
    checks.see("the other hog lives", other == 1, format!("{other} hogs live"));
    let ticks = stage.still_ticks()?;
    checks.see("the ticker lives", ticks, format!("{} ticks", stage.ticker.ticks()));
    Ok(())
}

fn kill(checks: &mut Checks) -> Result<Timeline> {
    let mut stage = Stage::set(Limits::bytes(LIMIT))?;
    stage.step_until_the_limit()?;
    let oom = stage.oom()?;
    print!("{}", oom.to_text());
    check_kill(&mut stage, &oom, checks)?;
    check_survivors(&mut stage, &oom, checks)?;
    finish(stage)
}

fn blocked_stage(checks: &mut Checks) -> Result<(Stage, usize)> {
    let mut stage = Stage::set(Limits { oom_killer: Some(false), ..Limits::bytes(LIMIT) })?;
    let (at, status) = stage.step_until_the_limit()?;
    let oom = stage.oom()?;
    print!("{}", oom.to_text());
    checks.see("the stepping hog stopped at the limit", status == GrowStatus::Blocked, status.name());
    checks.see("it is in state D", stage.hogs[at].state()? == 'D', stage.hogs[at].state()?);
    let blocked = oom.blocked.first();
    let wchan = blocked.and_then(|blocked| blocked.wchan.clone()).unwrap_or_default();
    checks.see(
        "it waits in the OOM of its group",
        wchan.starts_with("mem_cgroup_oom_synchronize") && steps_of(&oom).contains(&Step::Wait),
        wchan,
    );
    let counters = stage.group.counters()?;
    checks.see("under_oom is 1", counters.under_oom == Some(true), format!("{:?}", counters.under_oom));
    let usage = stage.group.usage_bytes()?;
    checks.see(
        "the usage is at the limit",
        usage + (1 << 20) >= LIMIT && usage <= LIMIT,
        format!("{} KiB", usage >> 10),
    );
    let ticks = stage.still_ticks()?;
    checks.see("the ticker lives", ticks, format!("{} ticks", stage.ticker.ticks()));
    // It may fall a little: the kernel takes back what it had charged in advance for other processors.
    checks.see(
        "the usage does not grow",
        stage.group.usage_bytes()? <= usage && !stage.hogs[0].ended() && !stage.hogs[1].ended(),
        "both hogs live",
    );
    Ok((stage, at))
}

fn block(checks: &mut Checks) -> Result<Timeline> {
    let (stage, at) = blocked_stage(checks)?;
    stage.hogs[at].signal(2)?;
    let outcome = stage.hogs[at].wait(LONG)?;
    checks.see("SIGINT ends the blocked hog", outcome.returncode == -2 && !outcome.oom_killed, outcome.verdict.name());
    let killed = stage.group.counters()?.oom_kill;
    checks.see("nobody was OOM-killed", killed == Some(0), format!("{killed:?}"));
    finish(stage)
}

fn resume(checks: &mut Checks) -> Result<Timeline> {
    let (mut stage, at) = blocked_stage(checks)?;
    stage.group.set_oom_killer(true)?;
    let grow = stage.hogs[at].finish(LONG)?;
    let oom = stage.oom()?;
    print!("{}", oom.to_text());
    checks.see("the blocked hog's step completed", grow.status == GrowStatus::Grew, grow.status.name());
    checks.see("the other hog was killed", oom.killed(stage.hogs[1 - at].pid()), stage.hogs[1 - at].name());
    // It says that its step is done a moment before it goes to sleep until the next, and nothing tells of the latter.
    let deadline = Instant::now() + LONG;
    let mut state = stage.hogs[at].state()?;
    while state == 'R' && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
        state = stage.hogs[at].state()?;
    }
    checks.see("the blocked hog is back in S", state == 'S', state);
    let under_oom = stage.group.counters()?.under_oom;
    checks.see("under_oom is 0", under_oom == Some(false), format!("{under_oom:?}"));
    check_kill(&mut stage, &oom, checks)?;
    check_survivors(&mut stage, &oom, checks)?;
    finish(stage)
}

fn group(checks: &mut Checks) -> Result<Timeline> {
    let mut stage = Stage::set(Limits { oom_group: Some(true), ..Limits::bytes(LIMIT) })?;
    stage.step_until_the_limit()?;
    let oom = stage.oom()?;
    print!("{}", oom.to_text());
    let all = [stage.hogs[0].pid(), stage.hogs[1].pid(), stage.ticker.pid()];
    checks.see(
        "every process of the group was killed",
        all.iter().all(|pid| oom.killed(*pid)),
        format!("{} victims", oom.victims.len()),
    );
    let left = stage.group.processes()?;
    checks.see("cgroup.procs is empty", left.is_empty(), format!("{left:?}"));
    let counters = stage.group.counters()?;
    // The event is counted from about 5.17 on.
    checks.see(
        "the group kill is counted",
        counters.oom_group_kill.is_none_or(|count| count == 1),
        format!("{:?}", counters.oom_group_kill),
    );
    check_kill(&mut stage, &oom, checks)?;
    finish(stage)
}

fn finish(stage: Stage) -> Result<Timeline> {
    let timeline = stage.lab.timeline();
    stage.lab.close()?;
    Ok(timeline)
}

fn print_timeline(timeline: &Timeline) {
    let start = timeline.events.first().map_or(0, |event| event.time_ns);
    for event in &timeline.events {
        let what = match &event.kind {
            EventKind::Started { name } => format!("started {name}"),
            EventKind::Usage { usage_bytes } => format!("usage {} KiB", usage_bytes >> 10),
            EventKind::Stepped { total_bytes, .. } => format!("has {} MiB", total_bytes >> 20),
            EventKind::Predicted { comm, score } => format!("at the limit the kernel would kill {comm}, score {score}"),
            EventKind::Victim { comm, invoker_comm, .. } => {
                format!("marked as victim: {} (asked by {invoker_comm})", comm.as_deref().unwrap_or("?"))
            }
            EventKind::Exited { returncode } => format!("ended: {returncode}"),
            EventKind::Blocked { state, .. } => format!("blocked in state {state}"),
            EventKind::Switch { name, on } => format!("{name} {}", if *on { "on" } else { "off" }),
            _ => continue,
        };
        let pid = event.pid.map_or(String::new(), |pid| format!("pid {pid} "));
        println!("  {:>9.3} ms  {pid}{what}", (event.time_ns - start) as f64 / 1e6);
    }
}

fn main() -> ExitCode {
    let version = match Lab::new() {
        Ok(lab) => lab.version(),
        Err(error) => {
            eprintln!("cannot run here: {error}");
            return ExitCode::from(77);
        }
    };
    type Experiment = fn(&mut Checks) -> Result<Timeline>;
    let all: [(&str, Version, Experiment); 5] = [
        ("v1-kill", Version::V1, kill),
        ("v1-block", Version::V1, block),
        ("v1-resume", Version::V1, resume),
        ("v2-kill", Version::V2, kill),
        ("v2-group", Version::V2, group),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut good = true;
    for (name, of, experiment) in all {
        if wanted.is_empty() && of != version || !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        println!("== {name}");
        if of != version {
            eprintln!("{name} needs the memory controller on the other hierarchy");
            return ExitCode::from(77);
        }
        let mut checks = Checks::default();
        match experiment(&mut checks) {
            Ok(timeline) => print_timeline(&timeline),
            Err(error) => checks.see("the experiment ran", false, error),
        }
        good &= checks.print();
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

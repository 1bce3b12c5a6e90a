//! The face of the core's own types.

use std::ffi::OsString;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use memoom::{
    Cause, Command, Group, Grow, Hog, HogOptions, Host, Lab, LabOptions, Limit, Limits, Oom, Outcome, Pace, Run, Stdio,
    TickerOptions, Version, Watch, Worker,
};

use super::face::{
    Account, Arrived, At, Blocked, Counters, Ended, Face, Failure, Got, Happened, Output, Predicted, Settings, Step,
};

pub struct Rust;

pub enum Either {
    Hog(Hog),
    Other(Worker),
}

impl Either {
    fn worker(&self) -> &Worker {
        match self {
            Either::Hog(hog) => hog.worker(),
            Either::Other(worker) => worker,
        }
    }

    fn hog(&self) -> &Hog {
        match self {
            Either::Hog(hog) => hog,
            Either::Other(worker) => panic!("{worker:?} is no hog"),
        }
    }
}

impl From<memoom::Error> for Failure {
    fn from(error: memoom::Error) -> Failure {
        Failure { kind: error.kind().name().to_string(), message: error.to_string(), errno: error.errno().unwrap_or(0) }
    }
}

fn limit(bytes: Option<u64>) -> Limit {
    bytes.map_or(Limit::Max, Limit::Bytes)
}

fn limits(settings: &Settings) -> Limits {
    let Settings { limit: hard, high, oom_group, oom_killer } = *settings;
    Limits { limit: hard.map(limit), high: high.map(limit), oom_group, oom_killer, ..Limits::default() }
}

fn step(grow: &Grow) -> Step {
    Step {
        status: grow.status.name().to_string(),
        step_bytes: grow.step_bytes,
        taken_bytes: grow.taken_bytes,
        errno: grow.errno.unwrap_or(0),
        total_bytes: grow.total_bytes,
        blocked_state: grow.blocked.as_ref().map(|blocked| blocked.state),
    }
}

fn counters(counters: &memoom::Counters) -> Counters {
    Counters {
        usage_bytes: counters.usage_bytes,
        oom_kill: counters.oom_kill,
        oom_group_kill: counters.oom_group_kill,
        failcnt: counters.failcnt,
        max: counters.max,
        under_oom: counters.under_oom.map(u64::from),
        oom_kill_disable: counters.oom_kill_disable.map(u64::from),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn candidates(items: &[memoom::Candidate]) -> Vec<(i32, String, i64, bool)> {
    items.iter().map(|one| (one.pid, text(&one.comm), one.score, one.eligible)).collect()
}

fn account(oom: &Oom) -> Account {
    let cause = |cause: Cause| match cause {
        Cause::Selected => "selected",
        Cause::Group => "group",
        Cause::SharedMm => "shared-mm",
        _ => "other",
    };
    Account {
        limit_group: oom.limit_group.clone(),
        limit_bytes: oom.limit_bytes,
        usage_before: oom.usage_bytes.before,
        usage_after: oom.usage_bytes.after,
        invoker: oom.invoker.as_ref().map(|one| one.pid),
        predicted: oom.predicted.as_ref().map(|one| (one.pid, text(&one.comm), one.score)),
        predicted_right: oom.predicted_right(),
        candidates: candidates(&oom.candidates),
        victims: oom.victims.iter().map(|one| (one.pid, text(&one.comm), cause(one.cause).to_string())).collect(),
        chosen: oom.victim().map(|victim| victim.pid),
        before: counters(&oom.counters.before),
        after: counters(&oom.counters.after),
        report_kills: oom.report.as_ref().map(|report| report.kills.iter().map(|kill| kill.pid).collect()),
        functions: oom.call_path.iter().map(|frame| frame.function.clone()).collect(),
        steps: oom.call_path.iter().filter_map(|frame| frame.step()).map(|step| step.name().to_string()).collect(),
        blocked: oom
            .blocked
            .iter()
            .map(|one| Blocked {
                pid: one.pid,
                state: one.state,
                wchan: one.wchan.clone(),
                stack: one.stack.iter().map(|frame| frame.function.clone()).collect(),
            })
            .collect(),
        disagreements: oom.disagreements.iter().map(|one| (one.says.clone(), one.because.clone())).collect(),
        missing: oom.missing.iter().map(|one| one.source.to_string()).collect(),
        victim_marked_ns: oom.timings_ns.get("victim_marked"),
        json: oom.to_json(),
        text: oom.to_text(),
    }
}

fn ended(outcome: &Outcome) -> Ended {
    Ended {
        verdict: outcome.verdict.name().to_string(),
        oom_killed: outcome.oom_killed,
        returncode: outcome.returncode,
        pid: outcome.pid,
        ooms: outcome.ooms.iter().map(|oom| account(oom)).collect(),
        has_own_oom: outcome.oom().is_some(),
        evidence: outcome.evidence.iter().map(|one| (one.source.to_string(), one.says.clone())).collect(),
        json: outcome.to_json(),
    }
}

impl Face for Rust {
    type Lab = Lab;
    type Group = Group;
    type Worker = Either;
    type Watch = Watch;

    fn lab() -> Got<Lab> {
        Ok(Lab::new()?)
    }
    fn lab_below(parent: &Path) -> Got<Lab> {
        Ok(Lab::with(&LabOptions { parent: Some(parent.to_path_buf()), ..LabOptions::default() })?)
    }
    fn version(lab: &Lab) -> u32 {
        match lab.version() {
            Version::V1 => 1,
            Version::V2 => 2,
        }
    }
    fn lab_path(lab: &Lab) -> PathBuf {
        lab.path().to_path_buf()
    }
    fn available_bytes() -> u64 {
        Host::probe().unwrap().available_bytes
    }
    fn close(lab: &Lab) -> Got<()> {
        Ok(lab.close()?)
    }
    fn timeline(lab: &Lab) -> Got<(Vec<String>, String)> {
        let timeline = lab.timeline();
        let kind = |event: &memoom::Event| serde_json::to_value(event).unwrap()["kind"].as_str().unwrap().to_string();
        Ok((timeline.events.iter().map(|event| kind(event)).collect(), timeline.to_json()))
    }

    fn group(lab: &Lab, name: &[u8], settings: &Settings) -> Got<Group> {
        Ok(lab.group_named(name, &limits(settings))?)
    }
    fn child(group: &Group, name: &[u8], settings: &Settings) -> Got<Group> {
        Ok(group.child(name, &limits(settings))?)
    }
    fn open(path: &Path) -> Got<Group> {
        Ok(Group::open(path)?)
    }
    fn group_name(group: &Group) -> String {
        group.name()
    }
    fn group_path(group: &Group) -> PathBuf {
        group.path().to_path_buf()
    }
    fn cgroup(group: &Group) -> String {
        group.cgroup().to_string()
    }
    fn limit(group: &Group) -> Got<Option<u64>> {
        Ok(group.limit()?.bytes())
    }
    fn set_limit(group: &Group, bytes: Option<u64>) -> Got<()> {
        Ok(group.set_limit(limit(bytes))?)
    }
    fn set_high(group: &Group, bytes: Option<u64>) -> Got<()> {
        Ok(group.set_high(limit(bytes))?)
    }
    fn oom_killer(group: &Group) -> Got<bool> {
        Ok(group.oom_killer()?)
    }
    fn set_oom_killer(group: &Group, on: bool) -> Got<()> {
        Ok(group.set_oom_killer(on)?)
    }
    fn oom_group(group: &Group) -> Got<bool> {
        Ok(group.oom_group()?)
    }
    fn set_oom_group(group: &Group, on: bool) -> Got<()> {
        Ok(group.set_oom_group(on)?)
    }
    fn usage(group: &Group) -> Got<u64> {
        Ok(group.usage_bytes()?)
    }
    fn peak(group: &Group) -> Got<Option<u64>> {
        Ok(group.peak_bytes()?)
    }
    fn counters(group: &Group) -> Got<Counters> {
        Ok(counters(&group.counters()?))
    }
    fn processes(group: &Group) -> Got<Vec<i32>> {
        Ok(group.processes()?)
    }
    fn predict(group: &Group) -> Got<Predicted> {
        let prediction = group.predict()?;
        Ok(Predicted { pid: prediction.predicted, candidates: candidates(&prediction.candidates) })
    }
    fn kill_group(group: &Group) -> Got<()> {
        Ok(group.kill()?)
    }
    fn remove(group: &Group) -> Got<()> {
        Ok(group.remove()?)
    }
    fn sample(group: &Group) -> Got<()> {
        Ok(group.sample()?)
    }
    fn groups(lab: &Lab) -> Got<Vec<PathBuf>> {
        Ok(lab.groups().iter().map(|group| group.path().to_path_buf()).collect())
    }

    fn hog(group: &Group, name: &str) -> Got<Either> {
        Ok(Either::Hog(group.hog(&HogOptions::named(name))?))
    }
    fn hog_with(group: &Group, name: &str, kind: &str, step_bytes: u64, oom_score_adj: i32) -> Got<Either> {
        let oom_score_adj = i16::try_from(oom_score_adj).unwrap();
        Ok(Either::Hog(group.hog(&HogOptions {
            name: name.to_string(),
            kind: kind.parse()?,
            step_bytes,
            oom_score_adj,
            ..HogOptions::default()
        })?))
    }
    fn hog_of(group: &Group, kind: &str, pattern: &str, directory: Option<&Path>) -> Got<Either> {
        Ok(Either::Hog(group.hog(&HogOptions {
            kind: kind.parse()?,
            pattern: pattern.parse()?,
            directory: directory.map(Path::to_path_buf),
            ..HogOptions::default()
        })?))
    }
    fn ticker(group: &Group, name: &str, every: Duration) -> Got<Either> {
        Ok(Either::Other(group.ticker(name, every)?))
    }
    fn ticker_scored(group: &Group, name: &str, oom_score_adj: i32) -> Got<Either> {
        let oom_score_adj = i16::try_from(oom_score_adj).unwrap();
        let options = TickerOptions { name: name.to_string(), oom_score_adj, ..TickerOptions::default() };
        Ok(Either::Other(group.ticker_with(&options)?))
    }
    fn command(group: &Group, argv: &[&str], env: Option<&[&str]>, output: Output) -> Got<Either> {
        let pair = |entry: &&str| {
            entry.split_once('=').map(|(key, value)| (OsString::from(key), OsString::from(value))).unwrap()
        };
        let mut command = Command::new(argv.iter().copied());
        command.env = env.map(|env| env.iter().map(pair).collect());
        if output == Output::Null {
            command.stdio[1] = Stdio::Null;
        }
        Ok(Either::Other(group.command(&command)?))
    }
    fn pid(worker: &Either) -> i32 {
        worker.worker().pid()
    }
    fn worker_name(worker: &Either) -> String {
        worker.worker().name()
    }
    fn state(worker: &Either) -> Got<char> {
        Ok(worker.worker().state()?)
    }
    fn ended(worker: &Either) -> bool {
        worker.worker().ended()
    }
    fn ticks(worker: &Either) -> u64 {
        worker.worker().ticks()
    }
    fn signal(worker: &Either, signal: i32) -> Got<()> {
        Ok(worker.worker().signal(signal)?)
    }
    fn kill(worker: &Either) -> Got<()> {
        Ok(worker.worker().kill()?)
    }
    fn wait(worker: &Either, timeout: Duration) -> Got<Ended> {
        Ok(ended(&worker.worker().wait(timeout)?))
    }
    fn grow(worker: &Either, size: Option<u64>, timeout: Duration) -> Got<Step> {
        Ok(step(&worker.hog().grow(size, timeout)?))
    }
    fn finish(worker: &Either, timeout: Duration) -> Got<Step> {
        Ok(step(&worker.hog().finish(timeout)?))
    }
    fn pace(worker: &Either, at: &At<'_>, timeout: Duration) -> Got<Arrived> {
        let At { rate, total, below, until } = *at;
        let pace = Pace { rate_bytes: rate, total_bytes: total, below_bytes: below, until: until.map(str::to_string) };
        let paced = worker.hog().pace(&pace, timeout)?;
        Ok(Arrived {
            stop: paced.stop.name().to_string(),
            steps: paced.steps,
            total_bytes: paced.total_bytes,
            status: paced.last.map(|last| last.status.name().to_string()),
        })
    }
    fn shrink(worker: &Either, size: u64, timeout: Duration) -> Got<u64> {
        Ok(worker.hog().shrink(size, timeout)?)
    }

    fn watch(group: &Group) -> Got<Watch> {
        Ok(group.watch()?)
    }
    fn watch_fd(watch: &Watch) -> i32 {
        watch.as_fd().as_raw_fd()
    }
    fn next(watch: &mut Watch, timeout: Duration) -> Got<Option<Happened>> {
        Ok(watch.next(timeout)?.map(|event| {
            let document = serde_json::to_value(&*event).unwrap();
            Happened {
                time_ns: event.time_ns,
                source: document["source"].as_str().unwrap().to_string(),
                kind: document["kind"].as_str().unwrap().to_string(),
                pid: event.pid,
                json: document.to_string(),
            }
        }))
    }
    fn wait_oom(watch: &mut Watch, timeout: Duration) -> Got<Option<Account>> {
        Ok(watch.wait_oom(timeout)?.map(|oom| account(&oom)))
    }

    fn run(argv: &[&str], limit: u64, timeout: Option<Duration>) -> Got<Ended> {
        let run = Run {
            command: Command::new(argv.iter().copied()),
            limits: Limits::bytes(limit),
            timeout,
            lab: LabOptions::default(),
            at_limit: None,
        };
        Ok(ended(&run.run(memoom::Wait::forever())?))
    }
    fn parse_size(text: &str) -> Got<Option<u64>> {
        Ok(text.parse::<Limit>()?.bytes())
    }
}

//! What memoom's steps take, through the public interface: `figures WHAT COUNT` prints the microseconds of each, one a line.
//!
//! `open-full`, `close-full`: a lab with all evidence; `open-bare`, `close-bare`: one without the tracepoints. `run-full`,
//! `run-bare` (without the tracepoints), `run-none` (without the log too): `/bin/true` in a lab of its own. `cycle-KIND`: a
//! group of 16 MiB, a hog of that kind until the kernel kills it, the whole account, and the group's removal, in one lab.
//! `labs-N`: the same cycle of huge pages in N labs at a time: all the time by all the cycles, once. `death-event`: from a kill
//! to the worker's pidfd; `death-outcome`: to its outcome. `step-KIND`: a step of a page. `read-PATH`: the reports of a log.
#![allow(clippy::print_stdout)] // it is a program

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use memoom::observe::{ReportLog, Wait};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use memoom::{Command, GrowStatus, HogOptions, Kind, Lab, LabOptions, Limits, Run};

const LONG: Duration = Duration::from_secs(60);
const LIMIT: u64 = 16 << 20;
/// The first cycles of a lab, which are not shown.
const WARM: usize = 2;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Anything<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, count] = words.as_slice() else { return Err("usage: figures WHAT COUNT".into()) };
    let count: usize = count.parse()?;
    let (step, evidence) = what.split_once('-').ok_or("WHAT is a step and its kind: open-full")?;
    match step {
        "open" | "close" => labs(&options(evidence), count, step == "open"),
        "run" => runs(&options(evidence), count),
        "cycle" => cycles(evidence.parse()?, count),
        "labs" => side_by_side(evidence.parse()?, count),
        "death" => deaths(evidence == "event", count),
        "step" => steps(evidence.parse()?, count),
        "read" => reads(evidence, count),
        _ => Err("the step is open, close, run, cycle, labs, death, step or read".into()),
    }
}

fn options(evidence: &str) -> LabOptions {
    LabOptions { call_path: evidence == "full", kernel_log: evidence != "none", ..LabOptions::default() }
}

fn show(began: Instant) {
    println!("{:.1}", began.elapsed().as_secs_f64() * 1e6);
}

/// The first one of a process reads what the others have at hand, and is not shown.
fn labs(options: &LabOptions, count: usize, opened: bool) -> Anything<()> {
    Lab::with(options)?.close()?;
    for _ in 0..count {
        let began = Instant::now();
        let lab = Lab::with(options)?;
        if opened {
            show(began);
        }
        let began = Instant::now();
        lab.close()?;
        if !opened {
            show(began);
        }
    }
    Ok(())
}

fn runs(options: &LabOptions, count: usize) -> Anything<()> {
    let run = Run { command: Command::new(["/bin/true"]), lab: options.clone(), ..Run::default() };
    run.run(LONG)?;
    for _ in 0..count {
        let began = Instant::now();
        run.run(LONG)?;
        show(began);
    }
    Ok(())
}

fn reads(path: &str, count: usize) -> Anything<()> {
    for _ in 0..count {
        let began = Instant::now();
        let mut log = ReportLog::open(path)?;
        while log.next(Wait::forever())?.is_some() {}
        show(began);
    }
    Ok(())
}

/// Cycles in so many labs at a time, each with a thread of its own. What a process and a lab take once comes before: the
/// floor has it neither.
fn side_by_side(labs: usize, count: usize) -> Anything<()> {
    let ready = Barrier::new(labs);
    let cycles = || -> Anything<(Instant, Instant)> {
        let lab = Lab::new()?;
        let warm = (0..WARM).try_for_each(|_| cycle(&lab, Kind::AnonThp));
        // Also one that failed: the others wait for it.
        ready.wait();
        warm?;
        let began = Instant::now();
        (0..count).try_for_each(|_| cycle(&lab, Kind::AnonThp))?;
        let ended = Instant::now();
        lab.close()?;
        Ok((began, ended))
    };
    let spans = thread::scope(|scope| {
        let running: Vec<_> = (0..labs).map(|_| scope.spawn(|| cycles().map_err(|error| error.to_string()))).collect();
        let ended = running.into_iter().map(|one| one.join().unwrap_or_else(|_| Err("a thread panicked".to_string())));
        ended.collect::<Result<Vec<_>, _>>()
    })?;
    let began = spans.iter().map(|span| span.0).min().ok_or("no lab")?;
    let ended = spans.iter().map(|span| span.1).max().ok_or("no lab")?;
    println!("{:.1}", (ended - began).as_secs_f64() * 1e6 / (labs * count) as f64);
    Ok(())
}

/// From the kill of a worker to its end as the host sees it, or to the whole outcome.
fn deaths(event: bool, count: usize) -> Anything<()> {
    let lab = Lab::new()?;
    let group = lab.group(None, &Limits::bytes(LIMIT))?;
    for _ in 0..count {
        let hog = group.hog(&HogOptions::named("death"))?;
        let began = Instant::now();
        hog.kill()?;
        if event {
            poll(&mut [PollFd::new(hog.pidfd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
            show(began);
        }
        hog.wait(LONG)?;
        if !event {
            show(began);
        }
    }
    Ok(lab.close()?)
}

fn steps(kind: Kind, count: usize) -> Anything<()> {
    let lab = Lab::new()?;
    let group = lab.group(None, &Limits::bytes(1 << 30))?;
    let hog = group.hog(&HogOptions { kind, ..HogOptions::named("step") })?;
    for _ in 0..count {
        let began = Instant::now();
        if hog.grow(Some(4096), LONG)?.status != GrowStatus::Grew {
            return Err("it did not grow".into());
        }
        show(began);
    }
    Ok(lab.close()?)
}

fn cycles(kind: Kind, count: usize) -> Anything<()> {
    let lab = Lab::new()?;
    for at in 0..count + WARM {
        let began = Instant::now();
        cycle(&lab, kind)?;
        if at >= WARM {
            show(began);
        }
    }
    Ok(lab.close()?)
}

fn cycle(lab: &Lab, kind: Kind) -> Anything<()> {
    let group = lab.group(None, &Limits::bytes(LIMIT))?;
    let mut watch = group.watch()?;
    let hog = group.hog(&HogOptions { kind, ..HogOptions::named("cycle") })?;
    while hog.grow(Some(2 * LIMIT), LONG)?.status == GrowStatus::Grew {}
    let oom = watch.wait_oom(LONG)?.ok_or("no account")?;
    if oom.victims.is_empty() || oom.call_path.is_empty() {
        return Err(format!("the account is not whole:\n{}", oom.to_text()).into());
    }
    drop((watch, hog));
    Ok(group.remove()?)
}

//! What memoom's steps take, through the public interface: `figures WHAT COUNT` prints the microseconds of each, one a line.
//!
//! `open-full`, `close-full`: a lab with all evidence; `open-bare`, `close-bare`: one without the tracepoints. `run-full`,
//! `run-bare` (without the tracepoints), `run-none` (without the log too): `/bin/true` in a lab of its own. `cycle-KIND`: a
//! group of 16 MiB, a hog of that kind until the kernel kills it, the whole account, and the group's removal, in one lab.
//! `read-PATH`: the reports of a log.
#![allow(clippy::print_stdout)] // it is a program

use std::time::{Duration, Instant};

use memoom::observe::{ReportLog, Wait};
use memoom::{Command, GrowStatus, HogOptions, Kind, Lab, LabOptions, Limits, Run};

const LONG: Duration = Duration::from_secs(60);
const LIMIT: u64 = 16 << 20;

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
        "read" => reads(evidence, count),
        _ => Err("the step is open, close, run, cycle or read".into()),
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

fn cycles(kind: Kind, count: usize) -> Anything<()> {
    let lab = Lab::new()?;
    for at in 0..count + 2 {
        let began = Instant::now();
        let group = lab.group(None, &Limits::bytes(LIMIT))?;
        let mut watch = group.watch()?;
        let hog = group.hog(&HogOptions { kind, ..HogOptions::named("cycle") })?;
        while hog.grow(Some(2 * LIMIT), LONG)?.status == GrowStatus::Grew {}
        let oom = watch.wait_oom(LONG)?.ok_or("no account")?;
        if oom.victims.is_empty() || oom.call_path.is_empty() {
            return Err(format!("the account is not whole:\n{}", oom.to_text()).into());
        }
        drop((watch, hog));
        group.remove()?;
        if at >= 2 {
            show(began);
        }
    }
    Ok(lab.close()?)
}

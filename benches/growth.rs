//! What grows with what: `growth WHAT SIZE` prints the microseconds of one step at that size, some times, one a line.
//!
//! `groups`: an OOM with its account in a lab that has so many other groups; `observed`: one in a group that somebody else
//! made, seen by an observer of so many; `bytes`: what a group of a lab takes of this process (bytes, no time); `workers`: a worker is started and killed
//! beside so many that sit still; `tasks`: a report whose table has so many rows is read; `log`: so many MiB of reports.
#![allow(clippy::print_stdout)] // it is a program

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, process};

use memoom::observe::{parse_reports, ReportReader};
use memoom::{Group, GrowStatus, HogOptions, Kind, Lab, Limits};

const LONG: Duration = Duration::from_secs(120);
const TIMES: usize = 5;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Anything<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, size] = words.as_slice() else {
        return Err("usage: growth groups|observed|bytes|workers|tasks|log SIZE".into());
    };
    let size: usize = size.parse()?;
    match what.as_str() {
        "groups" => groups(size),
        "observed" => observed(size),
        "bytes" => bytes(size),
        "workers" => workers(size),
        "tasks" => tasks(size),
        "log" => log(size),
        _ => Err("what grows is groups, observed, bytes, workers, tasks or log".into()),
    }
}

fn timed(mut step: impl FnMut() -> Anything<()>) -> Anything<()> {
    for at in 0..=TIMES {
        let began = Instant::now();
        step()?;
        // The first one finds nothing at hand.
        if at > 0 {
            println!("{:.1}", began.elapsed().as_secs_f64() * 1e6);
        }
    }
    Ok(())
}

fn groups(size: usize) -> Anything<()> {
    let lab = Lab::new()?;
    let _others = (1..size).map(|_| lab.group(None, &Limits::default())).collect::<Result<Vec<_>, _>>()?;
    timed(|| {
        let group = lab.group(None, &Limits::bytes(4 << 20))?;
        let mut watch = group.watch()?;
        let hog = group.hog(&HogOptions { kind: Kind::Populate, ..HogOptions::named("growth") })?;
        while hog.grow(Some(8 << 20), LONG)?.status == GrowStatus::Grew {}
        watch.wait_oom(LONG)?.ok_or("no account")?;
        drop((watch, hog));
        Ok(group.remove()?)
    })?;
    Ok(lab.close()?)
}

/// A directory with groups of cgroup v1, which go with it.
struct Foreign(PathBuf);

impl Foreign {
    fn new(size: usize) -> Anything<Foreign> {
        let foreign = Foreign(PathBuf::from(format!("/sys/fs/cgroup/memory/memoom-dev-growth-{}", process::id())));
        fs::create_dir(&foreign.0)?;
        for at in 1..size {
            fs::create_dir(foreign.0.join(format!("other{at}")))?;
        }
        Ok(foreign)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // Also a group in which something went wrong.
        let inside = fs::read_dir(&self.0).into_iter().flatten().flatten().map(|entry| entry.path());
        inside.filter(|path| path.is_dir()).for_each(|path| drop(fs::remove_dir(path)));
        let _ = fs::remove_dir(&self.0);
    }
}

fn observed(size: usize) -> Anything<()> {
    let foreign = Foreign::new(size)?;
    let mut watch = Group::open(&foreign.0)?.watch_recursive()?;
    let mut number = 0;
    timed(|| {
        number += 1;
        let group = foreign.0.join(format!("struck{number}"));
        fs::create_dir(&group)?;
        fs::write(group.join("memory.limit_in_bytes"), "4194304")?;
        // As by whoever reads all the time.
        while watch.next(Duration::ZERO)?.is_some() {}
        let script = format!("echo $$ > {}; exec tail /dev/zero", group.join("tasks").display());
        let mut struck = process::Command::new("sh").args(["-c", &script]).spawn()?;
        watch.wait_oom(LONG)?.ok_or("no account")?;
        let ended = struck.wait()?;
        fs::remove_dir(&group)?;
        while watch.next(Duration::ZERO)?.is_some() {}
        if ended.success() {
            return Err("it was not killed".into());
        }
        Ok(())
    })
}

/// The resident memory of this process.
fn resident() -> Anything<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
}

fn bytes(size: usize) -> Anything<()> {
    let lab = Lab::new()?;
    let make =
        |count: usize| (0..count).map(|_| lab.group(None, &Limits::bytes(64 << 10))).collect::<Result<Vec<_>, _>>();
    let _some = make(64)?;
    let before = resident()?;
    let _groups = make(size)?;
    println!("{:.1}", (resident()? - before) / size as f64);
    Ok(lab.close()?)
}

fn workers(size: usize) -> Anything<()> {
    let lab = Lab::new()?;
    let group = lab.group(None, &Limits::default())?;
    let _others = (1..size).map(|_| group.hog(&HogOptions::named("still"))).collect::<Result<Vec<_>, _>>()?;
    timed(|| {
        let hog = group.hog(&HogOptions::named("growth"))?;
        hog.kill()?;
        hog.wait(LONG)?;
        Ok(())
    })?;
    Ok(lab.close()?)
}

fn tasks(size: usize) -> Anything<()> {
    let log = table(size);
    timed(|| match parse_reports(&log).first() {
        Some(report) if report.tasks.len() == size => Ok(()),
        _ => Err("not all tasks were read".into()),
    })
}

/// A report as 6.12 prints it.
fn table(rows: usize) -> Vec<u8> {
    let mut log = String::from(
        "[    1.000001] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
         [    1.000002] memory: usage 4096kB, limit 4096kB, failcnt 7\n\
         [    1.000003] Tasks state (memory values in pages):\n\
         [    1.000004] [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents \
         oom_score_adj name\n",
    );
    for pid in 1..=rows {
        log += &format!("[    1.{:06}] [{pid:7}]     0 {pid:5}     1634      512      500       12         0    45056        0             0 task-{pid}\n", pid + 4);
    }
    log += "[    2.000000] Memory cgroup out of memory: Killed process 1 (task-1) total-vm:6536kB, anon-rss:2000kB, \
            file-rss:48kB, shmem-rss:0kB, UID:0 pgtables:44kB oom_score_adj:0\n";
    log.into_bytes()
}

/// Reports of four rows each, later and later, fed in pieces as from a pipe.
fn log(mib: usize) -> Anything<()> {
    let report = String::from_utf8(table(4))?;
    timed(|| {
        let (mut reader, mut found, mut fed) = (ReportReader::new(), 0, 0);
        for at in 1u64.. {
            let later = report
                .replace("[    1.", &format!("[{:5}.", at * 10))
                .replace("[    2.", &format!("[{:5}.", at * 10 + 1));
            let piece = later.replace("total-vm:", &format!("total-vm:{at}"));
            found += reader.feed(piece.as_bytes()).len();
            fed += piece.len();
            if fed >= mib << 20 {
                break;
            }
        }
        found += reader.finish().len();
        if found == 0 {
            Err("no report".into())
        } else {
            Ok(())
        }
    })
}

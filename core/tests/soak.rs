//! Cycles without end, of every end that a worker can have: no verdict is wrong, no kill is missed or told twice, no
//! prediction that is certain is wrong, and nothing grows. `make soak`; MEMOOM_SOAK_CYCLES says how many (60).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::{lab, page_bytes, told, Random, EATS, LONG};
use memoom::{Command, Group, GrowStatus, Hog, HogOptions, Lab, LabOptions, Limits, Stdio, Verdict, Watch};

const MIB: u64 = 1 << 20;

/// One lab at a time: what the machine's kernel log holds is for all.
static ALONE: Mutex<()> = Mutex::new(());

/// What has been counted so far.
#[derive(Default)]
struct Count {
    cycles: u64,
    verdicts: u64,
    wrong: Vec<String>,
    kills: u64,
    accounts: u64,
    nameless: u64,
    determined: u64,
    right: u64,
}

/// Memory and descriptors of a process.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    rss_kib: u64,
    descriptors: usize,
}

fn size(pid: u32) -> Size {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    Size { rss_kib: pages * page_bytes() / 1024, descriptors }
}

/// A step of a hog; where none comes to its end, what the kernel shows of it.
fn grow(hog: &Hog, bytes: u64) -> GrowStatus {
    hog.grow(Some(bytes), LONG).map(|grow| grow.status).unwrap_or_else(|error| {
        let shows = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", hog.pid())).unwrap_or_default();
        let [stat, wchan, stack, sched] = ["stat", "wchan", "stack", "sched"].map(shows);
        panic!("{error}\n{stat}{wchan}\n{stack}{sched}\n{}", fs::read_to_string("/proc/loadavg").unwrap())
    })
}

/// Grows a hog until somebody of its group has been killed.
fn grow_to_a_kill(group: &Group, hog: &Hog, before: u64) {
    while grow(hog, 2 * MIB) == GrowStatus::Grew && group.counters().unwrap().oom_kill == Some(before) {}
}

impl Count {
    fn ended(&mut self, what: &str, outcome: &memoom::Outcome, expected: Verdict) {
        self.verdicts += 1;
        if outcome.verdict != expected {
            self.wrong.push(format!("cycle {}: {what}: {expected:?} expected\n{}", self.cycles, outcome.to_text()));
        }
    }

    /// As many accounts as were counted, each of another victim, and none behind them.
    fn accounts(&mut self, lab: &Lab, watch: &mut Watch, kills: u64, pids: &[i32]) {
        self.kills += kills;
        for _ in 0..kills {
            let Some(oom) = watch.wait_oom(LONG / 2).unwrap() else {
                let timeline = lab.timeline().to_text(false);
                let lines: Vec<&str> = timeline.lines().collect();
                let last = lines[lines.len().saturating_sub(40)..].join("\n");
                let what = format!("{kills} kills, {pids:?} among the victims\n{last}");
                self.wrong.push(format!("cycle {}: a kill without an account: {what}", self.cycles));
                return;
            };
            self.accounts += 1;
            if oom.victims.is_empty() && oom.missing.iter().any(|one| one.source == "victim") {
                self.nameless += 1;
            } else if !pids.is_empty() && !oom.victims.iter().any(|victim| pids.contains(&victim.pid)) {
                self.wrong.push(format!("cycle {}: another victim than {pids:?}\n{}", self.cycles, oom.to_text()));
            }
            if oom.predicted.as_ref().is_some_and(|predicted| predicted.determined) && !oom.victims.is_empty() {
                self.determined += 1;
                match oom.predicted_right() {
                    Some(true) => self.right += 1,
                    _ => self.wrong.push(format!("cycle {}: the prediction\n{}", self.cycles, oom.to_text())),
                }
            }
        }
        if let Some(oom) = watch.wait_oom(Duration::ZERO).unwrap() {
            self.wrong.push(format!("cycle {}: an account without a kill\n{}", self.cycles, oom.to_text()));
        }
    }

    fn cycle(&mut self, lab: &Lab, kind: u64) {
        let group = lab.group(Some("cycle"), &Limits::bytes(24 * MIB)).unwrap();
        let mut watch = group.watch().unwrap();
        let command = |argv: &[&str]| {
            // A shell says of each child that it was killed.
            let stdio = [Stdio::Null, Stdio::Null, Stdio::Null];
            group.command(&Command { stdio, ..Command::new(argv.iter().copied()) }).unwrap()
        };
        let mut victims = Vec::new();
        match kind {
            0 => self.ended("true", &command(&["true"]).wait(LONG).unwrap(), Verdict::Exited),
            1 => {
                let worker = command(&["sleep", "1000"]);
                worker.signal(libc::SIGKILL).unwrap();
                self.ended("killed by hand", &worker.wait(LONG).unwrap(), Verdict::Killed);
            }
            2 => {
                let hog = group.hog(&HogOptions::named("alone")).unwrap();
                grow_to_a_kill(&group, &hog, 0);
                self.ended("a hog", &hog.wait(LONG).unwrap(), Verdict::OomKilled);
                victims.push(hog.pid());
            }
            3 => {
                let hogs = ["large", "small"].map(|name| group.hog(&HogOptions::named(name)).unwrap());
                assert_eq!(grow(&hogs[0], 14 * MIB), GrowStatus::Grew);
                grow_to_a_kill(&group, &hogs[1], 0);
                self.ended("the larger of two", &hogs[0].wait(LONG).unwrap(), Verdict::OomKilled);
                victims.push(hogs[0].pid());
                // Kernels that do not wait for a victim may take the other as well.
                if group.counters().unwrap().oom_kill == Some(1) {
                    hogs[1].signal(libc::SIGKILL).unwrap();
                    self.ended("the smaller of two", &hogs[1].wait(LONG).unwrap(), Verdict::Killed);
                } else {
                    self.ended("the smaller of two", &hogs[1].wait(LONG).unwrap(), Verdict::OomKilled);
                    victims.push(hogs[1].pid());
                }
            }
            4 => {
                let worker = command(&["sh", "-c", EATS]);
                self.ended("a command", &worker.wait(LONG).unwrap(), Verdict::OomKilled);
                victims.push(worker.pid());
            }
            _ => {
                let worker = command(&["sh", "-c", &format!("sh -c '{EATS}'; exit 3")]);
                self.ended("whose child was killed", &worker.wait(LONG).unwrap(), Verdict::Exited);
            }
        }
        let kills = group.counters().unwrap().oom_kill.expect("oom_kill");
        self.accounts(lab, &mut watch, kills, &victims);
        drop(watch);
        group.remove().unwrap();
        self.cycles += 1;
    }
}

/// Whether the last half of the samples grows: the most of its second part against the most of its first.
fn grows(samples: &[Size], of: impl Fn(&Size) -> u64, tolerance: u64) -> Option<(u64, u64)> {
    let half = &samples[samples.len() / 2..];
    let (early, late) = half.split_at(half.len() / 2);
    let most = |part: &[Size]| part.iter().map(&of).max().unwrap_or(0);
    let (early, late) = (most(early), most(late));
    (late > early + tolerance).then_some((early, late))
}

fn soak(name: &str, options: &LabOptions) {
    let cycles: u64 = told("MEMOOM_SOAK_CYCLES", 60);
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if lab().is_none() {
        return;
    }
    // Of a short run what the lab keeps must be full before its middle, as of a long one.
    let keep = usize::try_from(cycles).unwrap();
    let options = LabOptions { keep_events: 16_384.min(keep * 6), keep_ooms: 512.min(keep / 6), ..options.clone() };
    let lab = Lab::with(&options).unwrap();
    let supervisor = u32::try_from(lab.supervisor_pid()).unwrap();
    let mut random = Random::new();
    let (mut hosts, mut supervisors) = (Vec::new(), Vec::new());
    let mut count = Count::default();
    let begun = Instant::now();
    for cycle in 0..cycles {
        // Each kind once in six, in an order that is another each time.
        count.cycle(&lab, if cycle < 6 { cycle } else { random.below(6) });
        hosts.push(size(std::process::id()));
        supervisors.push(size(supervisor));
        assert!(count.wrong.len() < 10, "{}", count.wrong.join("\n"));
    }
    lab.close().unwrap();
    let took = begun.elapsed().as_secs_f64();
    let Count { verdicts, wrong, kills, accounts, nameless, determined, right, .. } = &count;
    println!("{name}: {cycles} cycles in {took:.1} s");
    println!("  verdicts     {verdicts}, {} of all checks wrong", wrong.len());
    println!("  accounts     {accounts} of {kills} kills, {nameless} without a victim's name");
    println!("  predictions  {right} right of {determined} that are certain");
    for (who, samples) in [("host", &hosts), ("supervisor", &supervisors)] {
        let at = |part: usize| samples[(samples.len() * part / 4).min(samples.len() - 1)];
        let rss: Vec<String> = [0, 1, 2, 3, 4].map(|part| at(part).rss_kib.to_string()).to_vec();
        let descriptors: Vec<String> = [0, 1, 2, 3, 4].map(|part| at(part).descriptors.to_string()).to_vec();
        println!("  {who:<11}  {} KiB resident, {} descriptors by quarter", rss.join(" "), descriptors.join(" "));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (who, samples) in [("host", &hosts), ("supervisor", &supervisors)] {
        assert_eq!(leaks(samples), Vec::<String>::new(), "{who}, {name}");
    }
}

/// What grows over the last half of the samples.
fn leaks(samples: &[Size]) -> Vec<String> {
    // A short run is mostly the allocator's first use of its memory: 1 MiB of a long one is 0.1 KiB a cycle.
    let tolerance = 1024 + samples[samples.len() / 2].rss_kib / 20;
    let memory = grows(samples, |size| size.rss_kib, tolerance);
    // A victim that is still followed, or a worker that is not let go yet.
    let descriptors = grows(samples, |size| size.descriptors as u64, 8);
    let said =
        |what: &str, found: Option<(u64, u64)>| found.map(|(early, late)| format!("{what}: {early} then {late}"));
    [said("KiB resident", memory), said("descriptors", descriptors)].into_iter().flatten().collect()
}

#[test]
fn a_leak_is_found_and_a_first_use_is_none() {
    let run = |cycles: u64, rss_kib: &dyn Fn(u64) -> u64, descriptors: &dyn Fn(u64) -> usize| -> Vec<Size> {
        (0..cycles).map(|at| Size { rss_kib: rss_kib(at), descriptors: descriptors(at) }).collect()
    };
    let flat = |_| 20;
    // All that a lab keeps is there before the middle; a victim is followed for a while.
    let filled = run(10_000, &|at| 5000 + at.min(4000) * 2, &|at| 20 + usize::from(at % 7 == 0) * 4);
    assert_eq!(leaks(&filled), Vec::<String>::new());
    // 1 KiB, or one descriptor in ten cycles.
    let found = leaks(&run(10_000, &|at| 5000 + at, &flat));
    assert!(found.len() == 1 && found[0].starts_with("KiB resident"), "{found:?}");
    let found = leaks(&run(1000, &|_| 5000, &|at| 20 + at as usize / 10));
    assert!(found.len() == 1 && found[0].starts_with("descriptors"), "{found:?}");
}

#[test]
fn with_evidence() {
    soak("with evidence", &LabOptions::default());
}

#[test]
fn without_evidence() {
    soak("without evidence", &LabOptions { kernel_log: false, call_path: false, ..LabOptions::default() });
}

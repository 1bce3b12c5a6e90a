//! What live tests share: a lab if this machine can have one, and the look at what is left behind.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report
#![allow(dead_code)] // each test program uses its part

pub mod actor;
pub mod findings;
pub mod kept;
pub mod kinds;
pub mod person;
mod processes;
pub mod runner;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use memoom::{Host, Lab, Version};

/// Every wait of a test ends here at the latest; guests under emulation are slow.
pub const LONG: Duration = Duration::from_secs(60);

/// What a shell does to take memory until it is killed.
pub const EATS: &str = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done";

/// Whether a live test that cannot run is a failure.
pub fn required() -> bool {
    std::env::var_os("MEMOOM_REQUIRE").is_some_and(|value| value == "1")
}

/// Whether bounds are to be generous, as on an emulated machine.
pub fn slow() -> bool {
    std::env::var_os("MEMOOM_SLOW").is_some()
}

/// How long it may take until nothing is left, whoever died.
pub fn patience() -> Duration {
    if slow() {
        LONG
    } else {
        Duration::from_secs(2)
    }
}

/// How many there are, unless told otherwise by that variable.
pub fn told<T: FromStr>(variable: &str, usual: T) -> T {
    std::env::var(variable).ok().and_then(|given| given.parse().ok()).unwrap_or(usual)
}

/// A lab, or the reason why this machine cannot have one. With MEMOOM_REQUIRE=1 that is a failure.
pub fn lab() -> Option<Lab> {
    match Lab::new() {
        Ok(lab) => Some(lab),
        Err(error) if required() => panic!("live tests are required and cannot run: {error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// The same for what only one hierarchy has.
pub fn lab_with(version: Version) -> Option<Lab> {
    lab().filter(|lab| lab.version() == version)
}

/// Whether a directory or process is gone by the deadline.
pub fn gone_by(deadline: Instant, mut is_there: impl FnMut() -> bool) -> bool {
    loop {
        if !is_there() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        // Nothing tells of the end of a group that another process removes: it is looked at again and again.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The shortest of some runs: nothing is said of a busy machine.
pub fn shortest(runs: usize, mut run: impl FnMut()) -> Duration {
    let took = (0..runs).map(|_| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    });
    took.min().unwrap()
}

/// The size of a page: 4 KiB on x86-64, up to 64 KiB elsewhere.
#[allow(unsafe_code)]
pub fn page_bytes() -> u64 {
    // SAFETY: the call takes an integer and touches no memory of ours.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()
}

/// By how much the usage of a group may be ahead of what is used: 64 pages for each CPU.
#[allow(unsafe_code)]
pub fn charged_ahead() -> u64 {
    // SAFETY: the call takes an integer and touches no memory of ours.
    64 * page_bytes() * u64::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap()
}

pub fn process_is_there(pid: i32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) => false,
    }
}

/// Has another process kill that one; whoever is about to wait has begun to by then.
pub fn kill(pid: i32) {
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
}

/// The name of a lab whose owner has died.
pub fn name_of_a_dead_one(lab: &Lab) -> String {
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    let pid = gone.id();
    gone.wait().unwrap();
    let mut parts: Vec<String> = lab.name().split('-').map(str::to_string).collect();
    parts[1] = format!("{pid:x}");
    parts.join("-")
}

/// The labs and tracefs instances that stand now, by name.
pub fn standing() -> Vec<PathBuf> {
    let host = Host::probe().unwrap();
    let mut names: Vec<PathBuf> = Vec::new();
    for directory in host.parent.iter().map(PathBuf::as_path).chain([Path::new("/sys/kernel/tracing/instances")]) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("memoom-") {
                names.push(entry.path());
            }
        }
    }
    names
}

/// A small generator of numbers (xorshift), seeded from the clock; the seed is printed so that a run can be repeated.
pub struct Random(u64);

impl Random {
    /// The random numbers of one seed, the same each time.
    pub fn seeded(seed: u64) -> Random {
        let mut random = Random(seed | 1);
        // Seeds that are alike begin alike.
        for _ in 0..16 {
            random.below(1);
        }
        random
    }

    pub fn new() -> Random {
        let seed = std::env::var("MEMOOM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            now.as_nanos() as u64 | 1
        });
        println!("MEMOOM_SEED={seed}");
        Random(seed)
    }

    /// What [`Random::seeded`] would need now.
    pub fn seed(&self) -> u64 {
        self.0
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

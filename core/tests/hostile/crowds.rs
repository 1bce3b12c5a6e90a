//! Many: groups beside a lab, and labs at once. What a lab costs does not grow with who stands beside it.
//! `MEMOOM_CROWD=5000` and `MEMOOM_LABS=1000` for long runs.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use memoom::{GrowStatus, HogOptions, Lab, LabOptions, Limits};
use nix::sys::resource::{getrlimit, setrlimit, Resource};

use super::common::{gone_by, lab, shortest, told, LONG};

fn quick(base: &Path) -> LabOptions {
    LabOptions { parent: Some(base.into()), kernel_log: false, call_path: false, ..LabOptions::default() }
}

pub fn groups_beside_a_lab() {
    let Some(outer) = lab() else { return };
    let base = outer.group(Some("base"), &Limits::default()).unwrap();
    let options = quick(base.path());
    let open = || Lab::with(&options).unwrap().close().unwrap();
    let first = memoom::gc_below(base.path()).unwrap().len();
    let (alone, gc_alone) = (shortest(8, open), shortest(8, || drop(memoom::gc_below(base.path()).unwrap())));
    let many = told("MEMOOM_CROWD", 300);
    for number in 0..many {
        fs::create_dir(base.path().join(format!("other-{number}"))).unwrap();
    }
    let (among, gc_among) = (shortest(8, open), shortest(8, || drop(memoom::gc_below(base.path()).unwrap())));
    println!("a lab: alone {alone:?}, beside {many} groups {among:?}; gc: {gc_alone:?}, {gc_among:?}");
    // To list a directory takes its time: some hundred nanoseconds a name, and more in a virtual machine.
    let listing = Duration::from_micros(40) * many as u32;
    assert!(among < alone * 4 + listing, "alone {alone:?}, beside {many} groups {among:?}");
    assert_eq!(memoom::gc_below(base.path()).unwrap().len(), first);
    for number in 0..many {
        let name = base.path().join(format!("other-{number}"));
        assert!(gone_by(Instant::now() + LONG, || name.exists() && fs::remove_dir(&name).is_err()));
    }
    outer.close().unwrap();
}

/// Descriptors of this process, and the bytes that are its own.
fn held() -> (u64, u64) {
    let open = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")).unwrap();
    (open, own.trim().parse::<u64>().unwrap() << 10)
}

/// The bytes that a process holds alone.
fn private_bytes(pid: i32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let of = |name: &str| {
        maps.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
    };
    [of("Private_Clean:"), of("Private_Dirty:")].into_iter().flatten().sum::<u64>() << 10
}

pub fn labs_at_once() {
    let Some(outer) = lab() else { return };
    let base = outer.group(Some("base"), &Limits::default()).unwrap();
    let options = quick(base.path());
    let many = told("MEMOOM_LABS", 50);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let before = held();
    let mut labs = Vec::new();
    let mut times = Vec::new();
    for _ in 0..many {
        let began = Instant::now();
        let lab = Lab::with(&options).unwrap();
        let group = lab.group(None, &Limits::bytes(16 << 20)).unwrap();
        let hog = group.hog(&HogOptions::default()).unwrap();
        times.push(began.elapsed());
        labs.push((lab, group, hog));
    }
    let after = held();
    let count = many as u64;
    let (open, own) = ((after.0 - before.0) / count, after.1.saturating_sub(before.1) / count);
    let theirs = labs.iter().map(|(lab, ..)| private_bytes(lab.supervisor_pid())).sum::<u64>() / count;
    let fifth = many / 5;
    let (first, last) = (times[..fifth].iter().min().unwrap(), times[many - fifth..].iter().min().unwrap());
    println!("{many} labs: {open} descriptors and {own} bytes each here, {theirs} in its supervisor; first {first:?}, last {last:?}");
    assert!(open <= 24 && own <= 128 << 10 && theirs <= 256 << 10, "{open} descriptors, {own} and {theirs} bytes");
    // Each is a lab of its own.
    for (_, group, hog) in &labs[many - 3..] {
        while hog.grow(Some(4 << 20), LONG).unwrap().status == GrowStatus::Grew {}
        assert!(hog.wait(LONG).unwrap().oom_killed);
        assert_eq!(group.processes().unwrap(), [0; 0]);
    }
    let paths: Vec<_> = labs.iter().map(|(lab, ..)| lab.path().to_path_buf()).collect();
    drop(labs);
    assert!(paths.iter().all(|path| !path.exists()));
    assert!(held().0 <= before.0 + 1, "{} descriptors, {} before", held().0, before.0);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    outer.close().unwrap();
}

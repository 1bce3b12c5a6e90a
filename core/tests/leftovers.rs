//! Whatever dies, nothing is left: the host is killed in the middle of each experiment, the supervisor too.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{gone_by, kill, lab, name_of_a_dead_one, patience, process_is_there, LONG};
use memoom::{GrowStatus, HogOptions, Lab, Limits, Version};

const MIB: u64 = 1 << 20;

/// What the host of a test had made when it was killed.
struct Made {
    path: std::path::PathBuf,
    pids: Vec<i32>,
    supervisor: i32,
}

/// Runs this test program as a host that stops in the middle of `scene`.
#[allow(clippy::zombie_processes)] // the caller waits for it
fn host(scene: &str) -> (Child, Made) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_host_that_will_be_killed", "--nocapture", "--include-ignored"])
        .env("MEMOOM_SCENE", scene)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    for line in out.lines() {
        let line = line.unwrap();
        if let Some((_, made)) = line.split_once("MADE ") {
            let mut words = made.split(' ');
            let path = words.next().unwrap().into();
            let mut pids: Vec<i32> = words.map(|word| word.parse().unwrap()).collect();
            let supervisor = pids.remove(0);
            return (child, Made { path, pids, supervisor });
        }
    }
    panic!("the host of scene {scene} did not come to its middle");
}

/// Not a test by itself: the host that the others kill.
#[test]
#[ignore = "started by the other tests"]
fn a_host_that_will_be_killed() {
    let Ok(scene) = std::env::var("MEMOOM_SCENE") else { return };
    let lab = Lab::new().unwrap();
    let mut limits = Limits::bytes(80 * MIB);
    match scene.as_str() {
        "v1-block" | "v1-resume" => limits.oom_killer = Some(false),
        "v2-group" => limits.oom_group = Some(true),
        _ => {}
    }
    let outer = lab.group(Some("outer"), &Limits::default()).unwrap();
    let group = outer.child("inner", &limits).unwrap();
    let hogs = ["alloc_memory_1", "alloc_memory_2"].map(|name| group.hog(&HogOptions::named(name)).unwrap());
    let ticker = group.ticker("print_counter", Duration::from_secs(1)).unwrap();
    // A child of a command is nobody's worker, and goes all the same.
    let command = group.command(&memoom::Command::new(["sh", "-c", "sleep 1000 & wait"])).unwrap();
    let mut blocked = false;
    'steps: for _ in 0..3 {
        for hog in &hogs {
            assert_eq!(hog.grow(None, LONG).unwrap().status, GrowStatus::Grew);
        }
        if scene == "v1-block" || scene == "v1-resume" {
            continue 'steps;
        }
    }
    if scene == "v1-block" || scene == "v1-resume" {
        blocked = hogs.iter().any(|hog| hog.grow(Some(40 * MIB), LONG).unwrap().status == GrowStatus::Blocked);
        assert!(blocked);
    }
    if scene == "v1-resume" {
        group.set_oom_killer(true).unwrap();
    }
    let _ = blocked;
    let mut pids = vec![lab.supervisor_pid(), hogs[0].pid(), hogs[1].pid(), ticker.pid(), command.pid()];
    pids.extend(group.processes().unwrap_or_default());
    let pids: Vec<String> = pids.iter().map(i32::to_string).collect();
    println!("MADE {} {}", lab.path().display(), pids.join(" "));
    std::io::stdout().flush().unwrap();
    // Ends with the pipe if nobody kills it.
    let _ = std::io::stdin().read_line(&mut String::new());
    drop(lab);
}

fn instance_is_there(path: &std::path::Path) -> bool {
    // Where tracefs is mounted; elsewhere only memoom's own list sees it.
    let name = path.file_name().unwrap();
    std::path::Path::new("/sys/kernel/tracing/instances").join(name).exists()
        || memoom::gc().unwrap().iter().any(|left| left.path.ends_with(name))
}

#[test]
fn killing_the_host_leaves_nothing() {
    let Some(lab) = lab() else { return };
    let scenes: &[&str] = match lab.version() {
        Version::V1 => &["v1-kill", "v1-block", "v1-resume"],
        Version::V2 => &["v2-kill", "v2-group"],
    };
    drop(lab);
    for scene in scenes {
        let (mut child, made) = host(scene);
        assert!(made.path.exists() && process_is_there(made.supervisor), "{scene}");
        child.kill().unwrap();
        let killed = Instant::now();
        let groups = gone_by(killed + patience(), || made.path.exists());
        let processes = gone_by(killed + patience(), || made.pids.iter().any(|pid| process_is_there(*pid)));
        let supervisor = gone_by(killed + patience(), || process_is_there(made.supervisor));
        let took = killed.elapsed();
        child.wait().unwrap();
        assert!(groups, "{scene}: groups are left: {}", made.path.display());
        assert!(processes, "{scene}: processes are left");
        assert!(supervisor, "{scene}: the supervisor is left");
        assert!(!instance_is_there(&made.path), "{scene}: the tracefs instance is left");
        println!("{scene}: nothing is left {} ms after the host's SIGKILL", took.as_millis());
    }
}

#[test]
fn when_host_and_supervisor_are_killed_the_next_lab_cleans_up() {
    let Some(probe) = lab() else { return };
    drop(probe);
    let (mut child, made) = host("kill");
    // The supervisor first: else it would clean up.
    kill(made.supervisor);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(gone_by(Instant::now() + LONG, || process_is_there(made.supervisor)));
    // Its workers die with it; the groups stay, and so does what their children started.
    let next = Lab::new().unwrap();
    assert!(!made.path.exists(), "the next lab has not removed {}", made.path.display());
    assert!(made.pids.iter().all(|pid| gone_by(Instant::now() + LONG, || process_is_there(*pid))));
    next.close().unwrap();
    assert!(memoom::gc()
        .unwrap()
        .iter()
        .all(|left| left.removed || !left.path.ends_with(made.path.file_name().unwrap())));
    assert!(!instance_is_there(&made.path));
}

/// The supervisor may be cleaning up while somebody collects, or two collect at once.
#[test]
fn two_that_collect_at_once_are_not_in_each_others_way() {
    let Some(lab) = lab() else { return };
    let base = lab.group(Some("base"), &Limits::default()).unwrap();
    let dead = base.path().join(name_of_a_dead_one(&lab));
    for _ in 0..5 {
        for group in 0..100 {
            std::fs::create_dir_all(dead.join(format!("group{group}"))).unwrap();
        }
        let collect = || memoom::gc_below(base.path()).unwrap();
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(collect);
            (collect(), one.join().unwrap())
        });
        for found in one.iter().chain(&other).filter(|found| found.path == dead) {
            assert!(found.removed, "{}", found.reason);
        }
        assert!(!dead.exists());
    }
    lab.close().unwrap();
}

#[test]
fn the_lab_of_a_living_owner_is_not_touched() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("kept"), &Limits::bytes(32 * MIB)).unwrap();
    let hog = group.hog(&HogOptions::named("kept")).unwrap();
    let found = memoom::gc().unwrap();
    let own = found.iter().find(|left| left.path == lab.path()).expect("gc sees the lab");
    assert!(!own.removed && own.reason.contains("lives"), "{own:?}");
    assert!(group.path().exists() && !hog.ended());
    lab.close().unwrap();
    assert!(!group.path().exists());
}

#[test]
fn a_killed_supervisor_is_an_error_with_a_name_and_the_close_still_cleans() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("orphaned"), &Limits::bytes(32 * MIB)).unwrap();
    let hog = group.hog(&HogOptions::named("orphaned")).unwrap();
    kill(lab.supervisor_pid());
    let error = hog.wait(LONG).unwrap_err();
    assert_eq!(error.kind(), memoom::ErrorKind::Closed, "{error}");
    assert!(error.to_string().contains("supervisor"), "{error}");
    assert!(gone_by(Instant::now() + LONG, || process_is_there(hog.pid())));
    assert!(group.hog(&HogOptions::default()).unwrap_err().to_string().contains("supervisor"));
    let path = lab.path().to_path_buf();
    lab.close().unwrap();
    assert!(!path.exists());
}

type Waiting = Box<dyn FnMut() -> memoom::Result<()> + Send>;

/// Every call that waits, each until something happens that never will.
fn waits(group: &memoom::Group, hog: &memoom::Hog) -> Vec<(&'static str, Waiting)> {
    let ticker = group.ticker("waited", Duration::from_secs(100)).unwrap();
    let (mut events, mut ooms) = (group.watch().unwrap(), group.watch().unwrap());
    vec![
        ("wait_oom", Box::new(move || ooms.wait_oom(LONG).map(|oom| assert!(oom.is_none())))),
        (
            "next",
            Box::new(move || loop {
                // What happened before is told first.
                if events.next(LONG)?.is_none() {
                    return Ok(());
                }
            }),
        ),
        (
            "wait",
            Box::new({
                let hog = hog.clone();
                move || hog.wait(LONG).map(drop)
            }),
        ),
        (
            "finish",
            Box::new({
                let hog = hog.clone();
                move || loop {
                    hog.grow(Some(4096), LONG)?;
                    hog.shrink(4096, LONG)?;
                }
            }),
        ),
        ("wait of another", Box::new(move || ticker.wait(LONG).map(drop))),
    ]
}

#[test]
fn every_wait_ends_at_once_when_the_supervisor_dies() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("waited"), &Limits::bytes(32 * MIB)).unwrap();
    let hog = group.hog(&HogOptions::named("waited")).unwrap();
    let waits = waits(&group, &hog);
    let killed = std::thread::scope(|scope| {
        let waiting: Vec<_> = waits
            .into_iter()
            .map(|(name, mut wait)| {
                (
                    name,
                    scope.spawn(move || {
                        let error = wait().unwrap_err();
                        (error, Instant::now())
                    }),
                )
            })
            .collect();
        kill(lab.supervisor_pid());
        let killed = Instant::now();
        for (name, thread) in waiting {
            let (error, at) = thread.join().unwrap();
            assert_eq!(error.kind(), memoom::ErrorKind::Closed, "{name}: {error}");
            assert!(at.saturating_duration_since(killed) < Duration::from_secs(5), "{name}: it came late");
        }
        killed
    });
    println!("all waits ended within {} ms", killed.elapsed().as_millis());
    // From now on as well, also without waiting: "nothing happened" would be read as "no OOM".
    let mut late = group.watch().unwrap();
    for error in [
        late.wait_oom(Duration::from_secs(60)).map(drop).unwrap_err(),
        late.next(Duration::ZERO).map(drop).unwrap_err(),
        hog.grow(None, LONG).map(drop).unwrap_err(),
        hog.shrink(4096, LONG).map(drop).unwrap_err(),
        hog.wait(LONG).map(drop).unwrap_err(),
        hog.wait_blocked(Instant::now() + LONG).map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), memoom::ErrorKind::Closed, "{error}");
        assert!(error.to_string().contains("supervisor has died") && error.to_string().contains("remedy"), "{error}");
    }
    let path = lab.path().to_path_buf();
    lab.close().unwrap();
    assert!(!path.exists());
}

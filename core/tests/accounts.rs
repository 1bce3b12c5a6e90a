//! What an account says has happened, once, and in time: events that are told once, kills without any evidence but the
//! counters, groups that go at once, labs that live long.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::kept::Kept;
use common::{lab, shortest, EATS, LONG};
use memoom::{
    Command, EventKind, Group, GrowStatus, HogOptions, Lab, LabOptions, Limits, Oom, Outcome, Verdict, Version,
};

const MIB: u64 = 1 << 20;

/// One at a time: a kill elsewhere whose victim is gone before it is asked may be anybody's, and then that is all that an
/// account can say.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Grows a hog of the group until the kernel has killed it.
fn kill_a_hog(group: &Group) {
    let hog = group.hog(&HogOptions::named("eater")).unwrap();
    while hog.grow(Some(4 * MIB), LONG).unwrap().status == GrowStatus::Grew {}
    assert!(hog.wait(LONG).unwrap().oom_killed);
}

#[test]
fn every_record_of_the_log_is_one_event() {
    let _alone = alone();
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("once"), &Limits::bytes(16 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    for _ in 0..4 {
        kill_a_hog(&group);
    }
    let mut seen = Vec::new();
    while let Some(event) = watch.next(Duration::ZERO).unwrap() {
        if let EventKind::Log { sequence, .. } = event.kind {
            seen.push(sequence);
        }
    }
    let in_the_timeline: Vec<u64> = lab
        .timeline()
        .events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Log { sequence, .. } => Some(sequence),
            _ => None,
        })
        .collect();
    for mut sequences in [seen, in_the_timeline] {
        let all = sequences.len();
        assert!(all >= 4 || std::fs::File::open("/dev/kmsg").is_err(), "{all} lines of 4 kills");
        sequences.sort_unstable();
        sequences.dedup();
        assert_eq!(sequences.len(), all, "of {all} events {} are told again", all - sequences.len());
    }
    lab.close().unwrap();
}

/// A lab with neither the kernel log nor the tracepoint, as in a container.
fn bare_lab() -> Option<Lab> {
    lab()?;
    Some(Lab::with(&LabOptions { kernel_log: false, call_path: false, ..LabOptions::default() }).unwrap())
}

/// Descriptors of this program that are open on something of a lab.
fn descriptors_of(lab: &Lab) -> usize {
    let all = fs::read_dir("/proc/self/fd").unwrap().flatten();
    all.filter_map(|one| fs::read_link(one.path()).ok()).filter(|to| to.to_string_lossy().contains(lab.name())).count()
}

#[test]
fn without_evidence_nobody_waits_for_a_time_to_pass() {
    let _alone = alone();
    let Some(bare) = bare_lab() else { return };
    let labs = [bare, Lab::new().unwrap()];
    let groups = labs.each_ref().map(|lab| lab.group(Some("plain"), &Limits::bytes(16 * MIB)).unwrap());
    let (mut exits, mut kills) = ([Duration::MAX; 2], [Duration::MAX; 2]);
    // A wait of half a second, as there was, is in the shortest of any number; what a busy machine does to one is not.
    for round in 1.. {
        for (at, group) in groups.iter().enumerate() {
            exits[at] = exits[at].min(shortest(1, || {
                let worker = group.command(&Command::new(["true"])).unwrap();
                assert_eq!(worker.wait(LONG).unwrap().verdict, Verdict::Exited);
            }));
            kills[at] = kills[at].min(shortest(1, || kill_a_hog(group)));
        }
        let holds = [exits, kills].iter().all(|[bare, full]| *bare <= *full + Duration::from_millis(250));
        if round >= 5 && holds {
            break;
        }
        assert!(round < 40, "without evidence and with it: a command {exits:?}, a kill {kills:?}");
    }
    labs.iter().for_each(|lab| lab.close().unwrap());
}

#[test]
fn without_evidence_one_of_two_hogs_is_accounted_for_at_its_end() {
    let _alone = alone();
    let Some(lab) = bare_lab() else { return };
    let group = lab.group(Some("two"), &Limits::bytes(24 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let mut slowest = Duration::ZERO;
    for round in 0..8 {
        let hogs = ["one", "other"].map(|name| group.hog(&HogOptions::named(name)).unwrap());
        // The last step is told and not waited for: the account alone is.
        let mut at = 0;
        while group.counters().unwrap().oom_kill == Some(round) {
            match hogs[at % 2].grow(Some(2 * MIB), LONG).unwrap().status {
                GrowStatus::Grew => at += 1,
                _ => break,
            }
        }
        let begun = Instant::now();
        let oom = watch.wait_oom(LONG).unwrap().expect("an account");
        slowest = slowest.max(begun.elapsed());
        assert_eq!(oom.victims.len(), 1, "{}", oom.to_text());
        for hog in hogs {
            let died = oom.killed(hog.pid());
            group.command(&Command::new(["true"])).unwrap().wait(LONG).unwrap();
            if !died {
                hog.kill().unwrap();
            }
            assert_eq!(hog.wait(LONG).unwrap().oom_killed, died, "{}", oom.to_text());
        }
    }
    assert!(watch.wait_oom(Duration::ZERO).unwrap().is_none(), "more accounts than kills");
    println!("the slowest account came {slowest:?} after the step");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    lab.close().unwrap();
}

#[test]
fn without_evidence_a_child_that_is_killed_is_counted_at_its_parents_end() {
    let _alone = alone();
    let Some(lab) = bare_lab() else { return };
    let group = lab.group(Some("child"), &Limits::bytes(16 * MIB)).unwrap();
    let script = format!("sh -c '{EATS}'; exit 3");
    let outcome = group.command(&Command::new(["sh", "-c", &script])).unwrap().wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode, outcome.ooms.len()), (Verdict::Exited, 3, 1), "{outcome:#?}");
    let oom = &outcome.ooms[0];
    assert!(oom.victims.is_empty() && oom.missing.iter().any(|one| one.source == "victim"), "{}", oom.to_text());
    lab.close().unwrap();
}

#[test]
fn descriptors_of_removed_groups_are_closed() {
    let _alone = alone();
    for lab in [bare_lab(), lab()].into_iter().flatten() {
        let mut counts = Vec::new();
        for cycle in 0..24 {
            let group = lab.group(Some("cycle"), &Limits::bytes(16 * MIB)).unwrap();
            kill_a_hog(&group);
            group.remove().unwrap();
            drop(group);
            if cycle >= 4 {
                counts.push(descriptors_of(&lab));
            }
        }
        let (first, last) = (counts[0], counts[counts.len() - 1]);
        assert!(last <= first, "descriptors by cycle: {counts:?}");
        lab.close().unwrap();
    }
}

/// A unit of somebody else's, as a service manager makes it: its OOM kills the whole of it, and it is removed as soon as
/// the kernel allows. Gives the pid of its first process.
fn short_lived_unit(path: &Path, version: Version, ends: &Ends) -> i32 {
    fs::create_dir(path).unwrap();
    let limit = if version == Version::V1 { "memory.limit_in_bytes" } else { "memory.max" };
    fs::write(path.join(limit), (16 * MIB).to_string()).unwrap();
    if version == Version::V2 {
        fs::write(path.join("memory.oom.group"), "1").unwrap();
    }
    // Both observers have it: of one that came and went before that, on a busy machine, v1 leaves nothing but a name.
    let name = format!("/{}", path.file_name().unwrap().to_str().unwrap());
    let observed = || ends.seen.lock().unwrap().iter().filter(|group| group.ends_with(&name)).count() >= 2;
    assert!(common::gone_by(Instant::now() + LONG, || !observed()), "nobody observes {}", path.display());
    let helper = if version == Version::V2 { "sleep 1000 &" } else { "" };
    let script = format!("echo $$ > '{}/cgroup.procs'; {helper} echo inside; {EATS}", path.display());
    let mut shell = std::process::Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = i32::try_from(shell.id()).unwrap();
    let mut inside = [0; 7];
    shell.stdout.take().unwrap().read_exact(&mut inside).unwrap();
    // Again and again, and never a moment later than it can be.
    let begun = Instant::now();
    while let Err(error) = fs::remove_dir(path) {
        assert!(begun.elapsed() < LONG, "{error}");
        let _ = shell.try_wait().unwrap();
    }
    shell.wait().unwrap();
    pid
}

/// What the observers and whoever makes the units tell each other.
#[derive(Default)]
struct Ends {
    /// Each group once for each observer that has it.
    seen: Mutex<Vec<String>>,
    /// How many units there were in all.
    units: OnceLock<usize>,
}

/// Reads the accounts of a directory and of all below it, and records what they are made of: until there are as many as
/// units, once their number is told, and then for as long as anything takes that nobody could place.
fn observer(directory: &Path, record: &Path, ends: &Arc<Ends>) -> JoinHandle<Vec<Arc<Oom>>> {
    let group = Group::open(directory).unwrap();
    group.record(record).unwrap();
    let mut watch = group.watch_recursive().unwrap();
    let ends = ends.clone();
    std::thread::spawn(move || {
        let (mut accounts, mut seen) = (Vec::new(), Vec::new());
        let mut deadline = None;
        loop {
            let number = ends.units.get();
            let until = number.map(|_| *deadline.get_or_insert_with(|| Instant::now() + LONG));
            let all_there = number.is_some_and(|number| accounts.len() >= *number);
            let wait = if all_there { Duration::from_secs(2) } else { Duration::from_millis(10) };
            match watch.wait_oom(wait).unwrap() {
                Some(oom) => accounts.push(oom),
                None if all_there || until.is_some_and(|until| Instant::now() >= until) => return accounts,
                None => {}
            }
            // The first look at a group is told when its notifications are registered.
            while let Some(event) = watch.next(Duration::ZERO).unwrap() {
                let group = event.group.clone().filter(|group| !seen.contains(group));
                if let (Some(group), EventKind::Usage { .. }) = (group, &event.kind) {
                    seen.push(group.clone());
                    ends.seen.lock().unwrap().push(group);
                }
            }
        }
    })
}

#[test]
fn a_unit_that_goes_at_once_has_one_account_for_each_observer() {
    let _alone = alone();
    let Some(lab) = lab() else { return };
    // The lab's directory stands for a slice, which has the controller for those below.
    let slice = lab.path().to_path_buf();
    lab.group(Some("first"), &Limits::bytes(16 * MIB)).unwrap();
    let kept = Kept::new("memoom-accounts-");
    let ends = Arc::new(Ends::default());
    let observers = ["one.jsonl", "other.jsonl"].map(|name| observer(&slice, &kept.path().join(name), &ends));
    let mut units = Vec::new();
    for round in 0..12 {
        let unit = slice.join(format!("unit{round}.service"));
        units.push(short_lived_unit(&unit, lab.version(), &ends));
    }
    ends.units.set(units.len()).unwrap();
    for observer in observers {
        let accounts = observer.join().unwrap();
        let all = || accounts.iter().map(|oom| oom.to_text()).collect::<String>();
        assert_eq!(accounts.len(), units.len(), "{}", all());
        // They may be complete in another order than that of the kills, as they are of different groups.
        let told = units.iter().filter(|pid| accounts.iter().filter(|oom| oom.killed(**pid)).count() == 1).count();
        // On v1 it may be impossible to tell one from those that others on this machine kill meanwhile.
        let nameless = |oom: &&Arc<Oom>| oom.victims.is_empty() && oom.missing.iter().any(|one| one.source == "victim");
        assert_eq!(told + accounts.iter().filter(nameless).count(), units.len(), "{units:?}\n{}", all());
        for oom in &accounts {
            // It was gone before anybody could read it: then that is said, and nothing else in its place.
            let says = |source: &str| oom.missing.iter().any(|one| one.source == source);
            assert_eq!(oom.limit_group.is_none(), says("limit-group"), "{}", oom.to_text());
            assert!(
                oom.limit_bytes == Some(16 * MIB) || oom.limit_bytes.is_none() && says("limit"),
                "{}",
                oom.to_text()
            );
            let unknown = oom.usage_bytes.after.is_none() || oom.counters.after.oom_kill.is_none();
            assert!(!unknown || says("counters") || says("limit-group"), "{}", oom.to_text());
            assert!(!oom.to_text().contains("no limit"), "{}", oom.to_text());
        }
    }
    lab.close().unwrap();
}

/// A pod with two containers, whose own limit is hit: the kernel's table holds the processes of both.
#[test]
fn candidates_at_an_ancestors_limit_stand_in_their_own_groups() {
    let _alone = alone();
    let Some(lab) = lab() else { return };
    let pod = lab.group(Some("pod"), &Limits::bytes(24 * MIB)).unwrap();
    let one = pod.child("one", &Limits::default()).unwrap();
    let other = pod.child("other", &Limits::default()).unwrap();
    let bystander = one.command(&Command::new(["sleep", "1000"])).unwrap();
    // An agent watches one container from outside; the limit is hit above it, and the other one is none of its.
    let mut outside = Group::open(other.path()).unwrap().watch().unwrap();
    let mut inside = pod.watch().unwrap();
    let eater = other.command(&Command::new(["sh", "-c", EATS])).unwrap();
    for watch in [&mut inside, &mut outside] {
        let oom = watch.wait_oom(LONG).unwrap().expect("an account");
        // Who looks from outside may not be able to tell it from what others on this machine kill meanwhile.
        let nameless = oom.victims.is_empty() && oom.missing.iter().any(|one| one.source == "victim");
        assert!(oom.killed(eater.pid()) || nameless, "{}", oom.to_text());
        let group = |pid: i32| oom.candidates.iter().find(|one| one.pid == pid).map(|one| one.group.as_deref());
        if oom.candidates.is_empty() {
            // Others on this machine have had the kernel's reports.
            assert!(oom.missing.iter().any(|one| one.source == "report"), "{}", oom.to_text());
            continue;
        }
        assert_eq!(group(eater.pid()), Some(Some(other.cgroup())), "{}", oom.to_text());
        assert_eq!(group(bystander.pid()), Some(Some(one.cgroup())), "{}", oom.to_text());
        let placed = format!("(pid {}), in {}: selected", eater.pid(), other.cgroup());
        assert!(oom.to_short_text().contains(&placed), "{}", oom.to_text());
        assert!(oom.missing.iter().all(|one| one.source != "candidates"), "{}", oom.to_text());
    }
    lab.close().unwrap();
}

#[test]
fn a_lab_keeps_what_it_is_told_to_keep_and_says_what_it_forgot() {
    let _alone = alone();
    if lab().is_none() {
        return;
    }
    let options = LabOptions { keep_events: 100, keep_ooms: 3, ..LabOptions::default() };
    let lab = Lab::with(&options).unwrap();
    let group = lab.group(Some("long"), &Limits::bytes(16 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let first = group.hog(&HogOptions::named("first")).unwrap();
    while first.grow(Some(4 * MIB), LONG).unwrap().status == GrowStatus::Grew {}
    for _ in 0..8 {
        kill_a_hog(&group);
    }
    let timeline = lab.timeline();
    assert_eq!((timeline.events.len(), timeline.ooms.len()), (100, 3));
    assert_eq!(timeline.forgotten_ooms, 6);
    assert!(timeline.forgotten_events >= 50, "{}", timeline.forgotten_events);
    assert!(timeline.to_text(true).starts_with("forgotten before: "), "{}", timeline.to_text(true));
    // Whoever has not read them is told so, and the account of a death is there whenever it is asked for.
    let unread = watch.next(Duration::ZERO).unwrap().expect("an event");
    assert!(matches!(unread.kind, EventKind::Lost { count } if count >= 50), "{unread:?}");
    let outcome = first.wait(LONG).unwrap();
    assert!(outcome.oom_killed && outcome.oom().is_some(), "{outcome:#?}");
    assert!(outcome.missing.iter().any(|one| one.source == "ooms"), "{outcome:#?}");
    lab.close().unwrap();
}

/// cgroup v2 counts the chosen one twice, and nothing else tells of the others.
#[test]
fn without_evidence_a_group_that_is_killed_as_a_whole_has_one_account() {
    let _alone = alone();
    let Some(lab) = bare_lab().filter(|lab| lab.version() == Version::V2) else { return };
    let limits = Limits { oom_group: Some(true), ..Limits::bytes(24 * MIB) };
    let group = lab.group(Some("whole"), &limits).unwrap();
    for _ in 0..3 {
        let mut watch = group.watch().unwrap();
        let others = [0, 1].map(|_| group.command(&Command::new(["sleep", "1000"])).unwrap());
        let hog = group.hog(&HogOptions::named("eater")).unwrap();
        while hog.grow(Some(4 * MIB), LONG).unwrap().status == GrowStatus::Grew {}
        let mut pids = vec![hog.pid()];
        let killed = |outcome: &Outcome| assert!(outcome.oom_killed, "{}", outcome.to_text());
        killed(&hog.wait(LONG).unwrap());
        for other in others {
            killed(&other.wait(LONG).unwrap());
            pids.push(other.pid());
        }
        let oom = watch.wait_oom(LONG).unwrap().expect("an account");
        assert!(oom.victims.len() == 3 && pids.iter().all(|pid| oom.killed(*pid)), "{}", oom.to_text());
        if let Some(oom) = watch.wait_oom(Duration::from_millis(500)).unwrap() {
            panic!("there was one OOM\n{}", oom.to_text());
        }
    }
    lab.close().unwrap();
}

/// The group has the name of one before it, in which a worker was killed by hand.
#[test]
fn without_evidence_a_kill_is_not_laid_to_one_who_ended_before() {
    let _alone = alone();
    let Some(lab) = bare_lab() else { return };
    let eats = format!("sh -c '{EATS}'; exit 3");
    for anew in [true, false] {
        let mut group = lab.group(Some("again"), &Limits::bytes(16 * MIB)).unwrap();
        let sleeper = group.command(&Command::new(["sleep", "1000"])).unwrap();
        sleeper.signal(libc::SIGKILL).unwrap();
        assert_eq!(sleeper.wait(LONG).unwrap().verdict, Verdict::Killed);
        if anew {
            group.remove().unwrap();
            group = lab.group(Some("again"), &Limits::bytes(16 * MIB)).unwrap();
        }
        let outcome = group.command(&Command::new(["sh", "-c", &eats])).unwrap().wait(LONG).unwrap();
        assert_eq!(outcome.ooms.len(), 1, "{outcome:#?}");
        assert!(outcome.ooms[0].victims.is_empty(), "{}", outcome.ooms[0].to_text());
        group.remove().unwrap();
    }
    lab.close().unwrap();
}

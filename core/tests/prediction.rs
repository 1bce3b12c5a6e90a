//! Two hogs of random sizes in random order: the predicted victim is the actual one every time, and nothing is left.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use common::{lab, standing, told, Random, LONG};
use memoom::{EventKind, Group, GrowStatus, Hog, HogOptions, Limits};

const MIB: u64 = 1 << 20;

/// One hog stands still at a random size, which it gives; the other grows in random steps until the limit is met.
fn until_the_limit(group: &Group, hogs: &[Hog; 2], random: &mut Random) -> u64 {
    let stands = random.below(2) as usize;
    let size = 4096 * (1 + random.below(75 * MIB / 4096));
    assert_eq!(hogs[stands].grow(Some(size), LONG).unwrap().status, GrowStatus::Grew);
    loop {
        let step = 4096 * (1 + random.below(20 * MIB / 4096));
        let grow = hogs[1 - stands].grow(Some(step), LONG).unwrap();
        if grow.status == GrowStatus::Killed || group.counters().unwrap().oom_kill > Some(0) {
            return size;
        }
    }
}

#[test]
fn the_predicted_victim_is_the_actual_one_every_time() {
    let runs: u32 = told("MEMOOM_RUNS", 200);
    let mut random = Random::new();
    let before = standing();
    let Some(lab) = lab() else { return };
    let mut right = 0;
    let mut drawn_again = 0;
    let mut reports = 0;
    while right < runs {
        let group = lab.group(None, &Limits::bytes(80 * MIB)).unwrap();
        let mut watch = group.watch().unwrap();
        let hogs = ["alloc_memory_1", "alloc_memory_2"].map(|name| group.hog(&HogOptions::named(name)).unwrap());
        let size = until_the_limit(&group, &hogs, &mut random);
        let oom = watch.wait_oom(LONG).unwrap().expect("the account of the OOM");
        let predicted = oom.predicted.as_ref().expect("a prediction from before the step");
        assert_eq!(predicted.source, "procfs");
        if predicted.determined {
            assert_eq!(oom.predicted_right(), Some(true), "run {right}: stood at {size}\n{}", oom.to_text());
            right += 1;
        } else {
            // The kernel itself compares counters that are off by as much: no prediction can be held to that.
            drawn_again += 1;
        }
        assert_eq!(oom.victims.len(), 1, "{}", oom.to_text());
        assert_eq!(
            oom.counters.after.oom_kill,
            oom.counters.before.oom_kill.map(|count| count + 1),
            "{}",
            oom.to_text()
        );
        assert_eq!(oom.limit_group.as_deref(), Some(group.cgroup()));
        reports += u32::from(oom.report.as_ref().is_some_and(|report| report.invoker.is_some()));
        let victim = hogs.iter().find(|hog| oom.killed(hog.pid())).unwrap();
        assert!(victim.wait(LONG).unwrap().oom_killed);
        group.kill().unwrap();
        for hog in &hogs {
            hog.wait(LONG).unwrap();
        }
        group.remove().unwrap();
    }
    println!(
        "predicted = actual in {right} of {right} runs; {drawn_again} drawn again as too close; {reports} full reports"
    );
    let timeline = lab.timeline();
    assert_eq!(timeline.ooms.len() as u32, right + drawn_again);
    assert!(timeline.events.iter().any(|event| matches!(event.kind, EventKind::Predicted { .. })));
    let (path, supervisor) = (lab.path().to_path_buf(), lab.supervisor_pid());
    lab.close().unwrap();
    assert!(!path.exists() && !common::process_is_there(supervisor));
    let left: Vec<_> = standing()
        .into_iter()
        .filter(|name| !before.contains(name) && name.ends_with(path.file_name().unwrap()))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

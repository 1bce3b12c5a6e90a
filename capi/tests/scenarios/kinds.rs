//! The kinds of memory that a hog takes: started, grown, given back, and what each cannot.

use std::path::Path;
use std::time::{Duration, Instant};

use super::face::{At, Face, Settings};
use super::{lab, page_bytes, says, LONG, MIB};

/// Every kind takes its steps and gives them back; what this machine lacks for one is said with a remedy.
pub fn all<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let group = F::group(&lab, b"kinds", &Settings::bytes(64 * MIB)).unwrap();
    let mut ran = 0;
    for kind in memoom::Kind::ALL {
        let hog = match F::hog_of(&group, kind.name(), "write", None) {
            Ok(hog) => hog,
            Err(failure) => {
                assert_eq!(failure.kind, "unsupported", "{}", failure.message);
                assert!(failure.message.contains("remedy"), "{}", failure.message);
                eprintln!("{kind}: {}", failure.message);
                continue;
            }
        };
        let grow = F::grow(&hog, Some(6 * MIB), LONG).unwrap();
        assert_eq!((grow.status.as_str(), grow.step_bytes, grow.errno), ("grew", 6 * MIB, 0), "{kind}");
        assert_eq!(grow.taken_bytes, grow.total_bytes, "{kind}");
        // Of slab whole objects, of everything else whole pages: up when taken, down when given back.
        let part = if kind == memoom::Kind::Slab { 2048 } else { 1 };
        assert!((6 * MIB..6 * MIB + part).contains(&grow.taken_bytes), "{kind}: {grow:?}");
        let given = F::shrink(&hog, 2 * MIB, LONG).unwrap();
        assert!((2 * MIB - part..=2 * MIB).contains(&given) && given + part > 2 * MIB, "{kind}: {given}");
        let total = F::grow(&hog, Some(4 * MIB), LONG).unwrap().total_bytes;
        assert!((8 * MIB..8 * MIB + 3 * part).contains(&total), "{kind}: {total}");
        F::kill(&hog).unwrap();
        assert!(!F::wait(&hog, LONG).unwrap().oom_killed, "{kind}");
        ran += 1;
    }
    assert!(ran >= 5, "nearly every kind works everywhere, and {ran} did");
    F::close(&lab).unwrap();
}

pub fn that_cannot_be<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let group = F::group(&lab, b"kinds", &Settings::bytes(64 * MIB)).unwrap();
    let refused =
        |kind: &str, pattern: &str, directory: Option<&str>| F::hog_of(&group, kind, pattern, directory.map(Path::new));
    says(refused("gold", "write", None), "invalid-input", &["read kind", "gold", "anon-thp", "remedy"]);
    says(refused("anon", "slow", None), "invalid-input", &["read pattern", "slow", "incompressible", "remedy"]);
    says(refused("anon", "read", None), "invalid-input", &["start hog", "anon, read", "remedy", "random"]);
    says(refused("anon", "write", Some("/tmp")), "invalid-input", &["only a hog of the kind file", "remedy"]);
    says(refused("file", "write", Some("/nowhere")), "not-found", &["start hog", "/nowhere", "remedy"]);
    says(refused("file", "write", Some("/dev/shm")), "unsupported", &["/dev/shm", "page cache", "remedy"]);
    assert_eq!(F::processes(&group).unwrap(), Vec::<i32>::new());
    F::close(&lab).unwrap();
}

/// A hog that grows by itself: to a sum, at a rate, to a mark below the limit, until an event, to its end.
pub fn paces<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let group = F::group(&lab, b"paces", &Settings::bytes(40 * MIB)).unwrap();
    let hog = F::hog_with(&group, "paced", "anon", 3 * MIB, 0).unwrap();
    let arrived = F::pace(&hog, &At { total: Some(8 * MIB), ..At::default() }, LONG).unwrap();
    assert_eq!((arrived.stop.as_str(), arrived.steps, arrived.total_bytes), ("total", 3, 8 * MIB));
    let begin = Instant::now();
    let at = At { rate: Some(20 * MIB), total: Some(12 * MIB), ..At::default() };
    let arrived = F::pace(&hog, &at, LONG).unwrap();
    assert_eq!((arrived.stop.as_str(), arrived.total_bytes), ("total", 12 * MIB));
    // Four steps of a MiB in a fifth of a second: the last one is due when three have had their time.
    assert!(arrived.steps == 4 && begin.elapsed() >= Duration::from_millis(150), "{arrived:?}, {:?}", begin.elapsed());
    let arrived = F::pace(&hog, &At { below: Some(4 * MIB), ..At::default() }, LONG).unwrap();
    assert_eq!(arrived.stop, "below");
    let usage = F::usage(&group).unwrap();
    assert!(usage <= 36 * MIB && usage > 36 * MIB - (64 + 2) * page_bytes(), "{usage}");
    // The ticker's tick is the event.
    let ticker = F::ticker(&group, "tick", Duration::from_millis(50)).unwrap();
    let at = At { rate: Some(4096), until: Some("ticked"), ..At::default() };
    let arrived = F::pace(&hog, &at, LONG).unwrap();
    assert_eq!(arrived.stop, "event");
    F::kill(&ticker).unwrap();
    F::wait(&ticker, LONG).unwrap();
    says(
        F::pace(&hog, &At { rate: Some(1), ..At::default() }, Duration::from_secs(1)),
        "timed-out",
        &["pace", "remedy"],
    );
    says(F::pace(&hog, &At { rate: Some(0), ..At::default() }, LONG), "invalid-input", &["pace", "rate", "remedy"]);
    says(F::pace(&hog, &At { until: Some("rain"), ..At::default() }, LONG), "invalid-input", &["rain", "notified"]);
    let arrived = F::pace(&hog, &At::default(), LONG).unwrap();
    assert_eq!((arrived.stop.as_str(), arrived.status.as_deref()), ("step", Some("killed")));
    assert!(F::wait(&hog, LONG).unwrap().oom_killed);
    F::close(&lab).unwrap();
}

/// Every worker has the score that it is given, and a right that is lacking is named.
pub fn scores<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let group = F::group(&lab, b"scores", &Settings::bytes(32 * MIB)).unwrap();
    let score = |worker: &F::Worker| {
        std::fs::read_to_string(format!("/proc/{}/oom_score_adj", F::pid(worker))).unwrap().trim().to_string()
    };
    assert_eq!(score(&F::ticker_scored(&group, "t", 500).unwrap()), "500");
    assert_eq!(score(&F::hog_with(&group, "h", "anon", MIB, 1000).unwrap()), "1000");
    says(F::ticker_scored(&group, "t", 1001), "invalid-input", &["start ticker", "-1000 to 1000", "1001"]);
    match F::ticker_scored(&group, "t", -1000) {
        Ok(ticker) => {
            assert_eq!(score(&ticker), "-1000");
            F::kill_group(&group).unwrap();
            F::wait(&ticker, LONG).unwrap();
            only_unkillable::<F>(&lab);
        }
        Err(failure) => says::<()>(Err(failure), "permission-denied", &["oom_score_adj", "CAP_SYS_RESOURCE"]),
    }
    F::close(&lab).unwrap();
}

/// Where nobody may be killed the kernel would try without end: that step is refused.
fn only_unkillable<F: Face>(lab: &F::Lab) {
    let group = F::group(lab, b"spins", &Settings::bytes(16 * MIB)).unwrap();
    let hog = F::hog_with(&group, "spared", "anon", 4 * MIB, -1000).unwrap();
    assert_eq!(F::grow(&hog, Some(4 * MIB), LONG).unwrap().status, "grew");
    says(F::grow(&hog, Some(20 * MIB), LONG), "invalid-input", &["grow", "-1000", "spins", "force", "remedy"]);
    assert!(!F::ended(&hog));
    // With one that may be killed the step is taken.
    let other = F::ticker(&group, "may die", Duration::from_secs(60)).unwrap();
    assert!(F::predict(&group).unwrap().pid == Some(F::pid(&other)));
}

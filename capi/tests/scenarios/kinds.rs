//! The kinds of memory that a hog takes: started, grown, given back, and what each cannot.

use std::path::Path;

use super::face::{Face, Settings};
use super::{lab, says, LONG, MIB};

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
        assert_eq!(
            (grow.status.as_str(), grow.step_bytes, grow.taken_bytes, grow.total_bytes, grow.errno),
            ("grew", 6 * MIB, 6 * MIB, 6 * MIB, 0),
            "{kind}"
        );
        assert_eq!(F::shrink(&hog, 2 * MIB, LONG).unwrap(), 2 * MIB, "{kind}");
        assert_eq!(F::grow(&hog, Some(4 * MIB), LONG).unwrap().total_bytes, 8 * MIB, "{kind}");
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

//! Scenarios written once, against a trait that every face can fill.

pub mod bad_input;
pub mod c_account;
pub mod c_call;
pub mod c_face;
pub mod everyday;
pub mod experiments;
pub mod face;
pub mod kinds;
pub mod rust_face;

use std::time::Duration;

use face::{Face, Failure};

/// Every wait ends here at the latest; an emulated machine is slow.
pub const LONG: Duration = Duration::from_secs(60);
pub const MIB: u64 = 1 << 20;

/// The size of a page of this machine.
#[allow(unsafe_code)]
pub fn page_bytes() -> u64 {
    // SAFETY: the call takes an integer and touches no memory of ours.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()
}

/// A lab, or `None` with the reason printed where this machine cannot have one. With MEMOOM_REQUIRE=1 that is a failure.
pub fn lab<F: Face>() -> Option<F::Lab> {
    match F::lab() {
        Ok(lab) => Some(lab),
        Err(failure) if std::env::var_os("MEMOOM_REQUIRE").is_some_and(|value| value == "1") => {
            panic!("live tests are required and cannot run: {}", failure.message)
        }
        Err(failure) => {
            eprintln!("cannot run here: {}", failure.message);
            None
        }
    }
}

/// A lab on that version of the hierarchy; another version is not for this experiment.
pub fn lab_on<F: Face>(version: u32) -> Option<F::Lab> {
    let lab = lab::<F>()?;
    if F::version(&lab) == version {
        return Some(lab);
    }
    eprintln!("not applicable: the memory controller of this machine is on cgroup v{}", F::version(&lab));
    None
}

/// The failure has that kind and says those things, in one short line.
#[track_caller]
pub fn says<T>(result: Result<T, Failure>, kind: &str, parts: &[&str]) {
    let Err(failure) = result else { panic!("no failure, where {kind} was due ({parts:?})") };
    assert_eq!(failure.kind, kind, "{}", failure.message);
    assert!(!failure.message.contains('\n') && failure.message.len() < 1000, "one short line: {}", failure.message);
    for part in parts {
        assert!(failure.message.contains(part), "{part:?} is not in: {}", failure.message);
    }
}

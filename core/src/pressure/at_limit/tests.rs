//! Who meets the limit, looked at without anybody who reads the sources.

use std::time::{Duration, Instant};

use crate::lab::hub::Look;
use crate::memcg::version::Version;
use crate::observe::live;
use crate::pressure::kind::Kind;
use crate::pressure::step::GrowStatus;
use crate::{HogOptions, Lab, Limits};

const MIB: u64 = 1 << 20;
const LONG: Duration = Duration::from_secs(20);

/// Room can come after the ring, as the memory that the kernel has charged ahead on another CPU does.
#[test]
fn who_waits_at_a_limit_that_has_room_again_goes_on() {
    let Ok(lab) = Lab::new().map_err(|error| live::skip(&error.to_string())) else { return };
    if lab.version() != Version::V1 {
        return;
    }
    let group = lab.group(None, &Limits::bytes(16 * MIB)).expect("a group");
    group.arm().expect("armed");
    // The kernel wakes nobody when its own memory is given back.
    let names = group.hog(&HogOptions { kind: Kind::Slab, ..HogOptions::named("names") });
    let Ok(names) = names.map_err(|error| live::skip(&error.to_string())) else { return };
    assert_eq!(names.grow(Some(8 * MIB), LONG).expect("an answer").status, GrowStatus::Grew);
    let hog = group.hog(&HogOptions::named("waits")).expect("a hog");
    let blocked = (0..64).any(|_| hog.grow(Some(MIB), LONG).expect("an answer").status == GrowStatus::Blocked);
    assert!(blocked && matches!(group.meeting(), Ok(Look::Done(_))));
    names.shrink(6 * MIB, LONG).expect("an answer");
    let deadline = Instant::now() + LONG;
    while !group.waiting().expect("readable").is_empty() {
        assert!(Instant::now() < deadline, "it waits at {:?} of {:?}", group.usage_bytes(), group.limit());
        let _ = group.meeting().expect("readable");
        std::thread::sleep(Duration::from_millis(2));
    }
    lab.close().expect("an end");
}

//! Hogs of every kind of memory, as far as this machine has them.

use memoom::{ErrorKind, Group, Hog, HogOptions, Kind, Pattern};

const MIB: u64 = 1 << 20;

pub fn options(kind: Kind, pattern: Pattern) -> HogOptions {
    HogOptions { kind, pattern, step_bytes: 8 * MIB, ..HogOptions::named(kind.name()) }
}

/// The hog, or `None` with the reason printed where this machine lacks what the kind needs. The reason has a remedy.
pub fn hog(group: &Group, kind: Kind, pattern: Pattern) -> Option<Hog> {
    match group.hog(&options(kind, pattern)) {
        Ok(hog) => Some(hog),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("remedy"), "{error}");
            // Huge pages are reserved by whoever wants them; the rest must be there where everything must run.
            assert!(!super::required() || kind == Kind::Hugetlb, "MEMOOM_REQUIRE=1, and {error}");
            println!("{kind}: {error}");
            None
        }
    }
}

pub const CHARGED: [Kind; 9] = [
    Kind::Anon,
    Kind::AnonThp,
    Kind::File,
    Kind::Shmem,
    Kind::Tmpfs,
    Kind::Memfd,
    Kind::Mlock,
    Kind::Populate,
    Kind::AnyFastest,
];

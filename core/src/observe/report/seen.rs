//! What has been there before, by fingerprints: whoever writes a log cannot know by which keys they are made, so that two things
//! do not have the same.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// A set of fingerprints.
#[derive(Debug, Default)]
pub(super) struct Seen {
    keys: RandomState,
    prints: HashSet<u64, BuildHasherDefault<AsItIs>>,
}

/// A fingerprint is as good as random already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0 << 8 | u64::from(byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

impl Seen {
    /// The fingerprint of something, in this set.
    pub fn print(&self, of: impl Hash) -> u64 {
        self.keys.hash_one(of)
    }

    /// Whether that is there.
    pub fn has(&self, print: u64) -> bool {
        self.prints.contains(&print)
    }

    /// Puts it in; whether it was not there.
    pub fn put(&mut self, print: u64) -> bool {
        self.prints.insert(print)
    }

    /// Takes it out.
    pub fn take(&mut self, print: u64) {
        self.prints.remove(&print);
    }
}

//! The files of a group that are kept open, as they are read before every step and for every account: a reading then costs a
//! tenth of opening the file anew. Of thousands of groups they would be too many, so that all together take a part of what
//! this process may open.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;

use nix::sys::resource::{getrlimit, Resource};

use super::names::{v1, v2};

/// Their names.
const NAMES: [&str; 10] = [
    v1::LIMIT,
    v1::USAGE,
    v1::PEAK,
    v1::FAILCNT,
    v1::OOM_CONTROL,
    v2::LIMIT,
    v2::USAGE,
    v2::PEAK,
    v2::EVENTS,
    v2::LOCAL_EVENTS,
];
/// They take no more than this part of the descriptors that this process may have.
const PART: u64 = 16;

/// So many are open in this process.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// Those of one group.
#[derive(Debug, Default)]
pub(super) struct Kept([OnceLock<Counted>; NAMES.len()]);

#[derive(Debug)]
struct Counted(OwnedFd);

impl Drop for Counted {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Kept {
    /// The file of that name, where it is open.
    pub(super) fn get(&self, name: &str) -> Option<&OwnedFd> {
        Some(&self.place(name)?.get()?.0)
    }

    /// Keeps a file, or gives it back where it is none of these or there are too many.
    pub(super) fn keep(&self, name: &str, fd: OwnedFd) -> Result<&OwnedFd, OwnedFd> {
        let Some(place) = self.place(name).filter(|_| OPEN.load(Ordering::Relaxed) < most()) else { return Err(fd) };
        let counted = || {
            OPEN.fetch_add(1, Ordering::Relaxed);
            Counted(fd)
        };
        Ok(&place.get_or_init(counted).0)
    }

    fn place(&self, name: &str) -> Option<&OnceLock<Counted>> {
        NAMES.iter().position(|kept| *kept == name).map(|at| &self.0[at])
    }
}

/// So many may be open. It changes with the limit of the process.
fn most() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(most, _)| most / PART)
}

//! The place of a lab among those that this process has open: the lowest that is free.
//!
//! The hogs of a lab share one CPU (see the helper's `turn`). By its place the helper gives those of labs side by side
//! different ones, as long as there are some; the pid of a supervisor, which is as good as random, put every second pair on
//! the same.

use std::sync::atomic::{AtomicU64, Ordering};

/// A bit for each place that is taken. Who comes when all are, stands behind the last.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// A place, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place(u32);

impl Place {
    pub(super) fn take() -> Place {
        Place::among(&TAKEN)
    }

    fn among(taken: &AtomicU64) -> Place {
        let with_one_more = |taken: u64| Some(taken | taken.wrapping_add(1));
        let (Ok(before) | Err(before)) = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_one_more);
        Place(before.trailing_ones())
    }

    pub(super) fn number(&self) -> u32 {
        self.0
    }

    fn leave(&self, taken: &AtomicU64) {
        if let Some(bit) = 1u64.checked_shl(self.0) {
            taken.fetch_and(!bit, Ordering::Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave(&TAKEN);
    }
}

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;

    use super::*;

    #[test]
    fn the_lowest_that_is_free_is_taken_and_none_twice() {
        let places = AtomicU64::new(0);
        let mut taken: Vec<_> = (0..64).map(|_| ManuallyDrop::new(Place::among(&places))).collect();
        assert_eq!(taken.iter().map(|place| place.number()).collect::<Vec<_>>(), (0..64).collect::<Vec<_>>());
        let behind = ManuallyDrop::new(Place::among(&places));
        assert_eq!(behind.number(), 64);
        behind.leave(&places);
        assert_eq!(ManuallyDrop::new(Place::among(&places)).number(), 64);
        taken.swap_remove(5).leave(&places);
        assert_eq!(ManuallyDrop::new(Place::among(&places)).number(), 5);
    }
}

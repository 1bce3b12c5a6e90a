//! What happened, in order, kept until nobody will ask for it any more; and how far each watch has read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use nix::sys::eventfd::EventFd;

/// Things in order, each with a number that stays the same when earlier ones are forgotten.
pub(crate) struct Backlog<T> {
    first: usize,
    items: VecDeque<Arc<T>>,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Backlog { first: 0, items: VecDeque::new() }
    }
}

impl<T> Backlog<T> {
    pub(crate) fn push(&mut self, item: T) -> Arc<T> {
        let item = Arc::new(item);
        self.items.push_back(item.clone());
        item
    }

    /// The number of the first that is still there.
    pub(crate) fn first(&self) -> usize {
        self.first
    }

    /// The number of the one that comes next.
    pub(crate) fn end(&self) -> usize {
        self.first + self.items.len()
    }

    /// All that are still there.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.items.iter().cloned().collect()
    }

    /// Those from a number on, as far as they are there.
    pub(crate) fn since(&self, number: usize) -> impl Iterator<Item = &Arc<T>> {
        self.items.iter().skip(number.saturating_sub(self.first))
    }

    /// Forgets those before a number.
    pub(crate) fn forget(&mut self, before: usize) {
        let count = before.saturating_sub(self.first).min(self.items.len());
        for _ in 0..count {
            self.items.pop_front();
        }
        self.first += count;
    }
}

/// How far a watch has read, and what rings when there is more.
pub(crate) struct Cursor {
    pub(crate) bell: EventFd,
    event: AtomicUsize,
    oom: AtomicUsize,
}

impl Cursor {
    pub(crate) fn new(bell: EventFd, event: usize, oom: usize) -> Cursor {
        Cursor { bell, event: AtomicUsize::new(event), oom: AtomicUsize::new(oom) }
    }

    /// The number of the next event to read. Read and written under the hub's lock.
    pub(crate) fn event(&self) -> usize {
        self.event.load(Ordering::Relaxed)
    }

    /// The number of the next account to read.
    pub(crate) fn oom(&self) -> usize {
        self.oom.load(Ordering::Relaxed)
    }

    pub(crate) fn read_events(&self, next: usize) {
        self.event.store(next, Ordering::Relaxed);
    }

    pub(crate) fn read_ooms(&self, next: usize) {
        self.oom.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_when_earlier_ones_go() {
        let mut backlog = Backlog::default();
        (0..10).for_each(|item| drop(backlog.push(item)));
        backlog.forget(4);
        backlog.forget(2);
        assert_eq!((backlog.first(), backlog.end()), (4, 10));
        assert_eq!(backlog.since(8).map(|item| **item).collect::<Vec<_>>(), [8, 9]);
        assert_eq!(backlog.since(0).map(|item| **item).collect::<Vec<_>>(), [4, 5, 6, 7, 8, 9]);
        backlog.forget(100);
        backlog.push(10);
        assert_eq!((backlog.first(), backlog.end()), (10, 11));
    }
}

//! Who a pid was: where processes stood and whose threads were told of, for the time when they have gone and nobody can be
//! asked any more.
//!
//! The kernel gives the pid of a process that was reaped to another one, on a busy machine within minutes. So a pid is
//! remembered no longer than an account can be open, nor longer than the group in which it was seen, and not when a
//! worker of that pid starts.

use super::COMPLETE_WITHIN;
use crate::map::Map;
use crate::memcg::path::covers;

/// So many processes, and so many threads.
const MOST: usize = 4096;

/// What is remembered by pid.
#[derive(Default)]
pub(super) struct Remembered {
    members: Map<i32, Member>,
    threads: Map<i32, Thread>,
    /// When the sources were last read: by this the age of what is remembered is told.
    now_ns: u64,
}

/// A process of a scope.
struct Member {
    /// Where it stood; `None` for "somewhere below".
    group: Option<String>,
    /// The group of whose scope it was.
    below: Option<String>,
    seen_ns: u64,
}

struct Thread {
    process: i32,
    seen_ns: u64,
}

impl Remembered {
    /// The sources are read from now on.
    pub(super) fn pass(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
    }

    /// A process was seen in the scope of `below`.
    pub(super) fn member(&mut self, pid: i32, group: Option<String>, below: Option<&str>, seen_ns: u64) {
        if self.members.len() > MOST {
            self.members.clear();
        }
        let before = if self.is_fresh(pid) { self.members.remove(&pid) } else { None };
        let group = group.or_else(|| before.and_then(|before| before.group));
        self.members.insert(pid, Member { group, below: below.map(str::to_string), seen_ns });
    }

    /// A thread of a process was told of.
    pub(super) fn thread(&mut self, thread: i32, process: i32, seen_ns: u64) {
        if self.threads.len() > MOST {
            self.threads.clear();
        }
        self.threads.insert(thread, Thread { process, seen_ns });
    }

    fn is_fresh(&self, pid: i32) -> bool {
        self.members.get(&pid).is_some_and(|member| self.counts(member.seen_ns))
    }

    fn counts(&self, seen_ns: u64) -> bool {
        super::within(COMPLETE_WITHIN, seen_ns, self.now_ns)
    }

    /// Whether that pid was a process of a scope.
    pub(super) fn is_member(&self, pid: i32) -> bool {
        self.is_fresh(pid)
    }

    /// Where it stood: `None` for one that was none, `Some(None)` for "in one of ours".
    pub(super) fn place(&self, pid: i32) -> Option<Option<String>> {
        let member = self.members.get(&pid).filter(|_| self.is_fresh(pid))?;
        Some(member.group.clone())
    }

    /// The process of a thread, as far as that is known; else it is one itself.
    pub(super) fn process_of(&self, thread: i32) -> i32 {
        let known = self.threads.get(&thread).filter(|known| self.counts(known.seen_ns));
        known.map_or(thread, |known| known.process)
    }

    /// A worker of that pid has started: whoever had the number before has gone.
    pub(super) fn begins(&mut self, pid: i32) {
        self.members.remove(&pid);
        self.threads.retain(|thread, known| *thread != pid && known.process != pid);
    }

    /// A group has gone, and with it all who stood in it.
    pub(super) fn forget(&mut self, cgroup: &str) {
        let within = |at: &Option<String>| at.as_deref().is_some_and(|at| covers(cgroup, at));
        self.members.retain(|_, member| !within(&member.group) && !within(&member.below));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_pid_is_remembered_for_a_while_and_as_long_as_its_group() {
        let mut remembered = Remembered::default();
        remembered.pass(5 * S);
        remembered.member(7, Some("/lab/a".to_string()), Some("/lab/a"), 5 * S);
        remembered.member(8, None, Some("/lab/b"), 5 * S);
        remembered.member(8, None, Some("/lab/b"), 6 * S);
        assert_eq!(remembered.place(7), Some(Some("/lab/a".to_string())));
        assert_eq!(remembered.place(8), Some(None));
        assert_eq!(remembered.place(9), None);
        remembered.pass(15 * S);
        assert!(!remembered.is_member(7) && remembered.is_member(8));
        remembered.forget("/lab/b");
        assert!(!remembered.is_member(8));
    }

    #[test]
    fn what_was_seen_of_a_place_stays_until_the_pid_is_another() {
        let mut remembered = Remembered::default();
        remembered.member(7, Some("/lab/a".to_string()), Some("/lab"), S);
        remembered.member(7, None, Some("/lab"), 2 * S);
        assert_eq!(remembered.place(7), Some(Some("/lab/a".to_string())));
        remembered.begins(7);
        assert_eq!(remembered.place(7), None);
    }

    #[test]
    fn a_thread_is_one_of_that_process_for_a_while() {
        let mut remembered = Remembered::default();
        remembered.pass(S);
        remembered.thread(71, 7, S);
        assert_eq!((remembered.process_of(71), remembered.process_of(72)), (7, 72));
        remembered.pass(12 * S);
        assert_eq!(remembered.process_of(71), 71);
        remembered.thread(71, 7, 12 * S);
        remembered.begins(71);
        assert_eq!(remembered.process_of(71), 71);
    }
}

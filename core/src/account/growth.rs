//! How the memory of each process has grown, as far as it was looked at: from what, since when, and when it stood still.

use std::collections::VecDeque;
use std::time::Duration;

use crate::account::victim::Input;
use crate::map::Map;
use crate::memcg::path::covers;

/// Processes that are remembered; of more than that, those that have gone are forgotten.
const MOST_KNOWN: usize = 4096;
/// Moments of each process that are remembered; of more than that, every second one is forgotten.
const MOST_POINTS: usize = 32;
/// Looks at all processes that are remembered.
const MOST_LOOKS: usize = 16;
/// What a process may take or give back and still count as standing still: what the kernel's counters are off by.
const STILL_BYTES: u64 = 512 << 10;

/// What is told of a process may be told so long after it was.
const ABOUT: Duration = Duration::from_secs(10);

/// A time that stands for that of the reading to come.
pub(crate) const BEFORE_THE_NEXT_READING: u64 = u64::MAX;

/// Pids, to be looked up.
type Set = Map<i32, ()>;

/// What a process held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) rss_bytes: u64,
    pub(crate) swap_bytes: u64,
    /// The parts of what is resident; older kernels do not tell them.
    pub(crate) anon_bytes: Option<u64>,
    pub(crate) file_bytes: Option<u64>,
    pub(crate) shmem_bytes: Option<u64>,
}

impl Held {
    pub(crate) fn of(input: &Input, page: u64) -> Held {
        let parts = [input.anon_bytes, input.file_bytes, input.shmem_bytes];
        // The parts and the sum are of two files, and a process may have grown in between.
        let sum = parts.iter().flatten().sum::<u64>();
        Held {
            rss_bytes: input.rss_pages.saturating_mul(page).max(sum),
            swap_bytes: input.swap_pages.saturating_mul(page),
            anon_bytes: input.anon_bytes,
            file_bytes: input.file_bytes,
            shmem_bytes: input.shmem_bytes,
        }
    }

    /// What it has of the group's memory and swap: not the file pages, which are the program's own and others' too.
    pub(crate) fn own_bytes(&self) -> u64 {
        let resident = self.anon_bytes.zip(self.shmem_bytes).map_or(self.rss_bytes, |(anon, shmem)| anon + shmem);
        resident + self.swap_bytes
    }
}

/// So much at a moment of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) time_ns: u64,
    pub(crate) bytes: u64,
}

/// One process, as it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) comm: Vec<u8>,
    pub(crate) group: String,
    pub(crate) held: Held,
    /// When it was last looked at.
    pub(crate) seen_ns: u64,
    /// What it had when all began, or 0 for one that came later.
    pub(crate) first: Point,
    /// Where it stood later, oldest first; only changes.
    points: Vec<Point>,
    /// When a look did not meet it any more.
    gone_ns: Option<u64>,
}

impl Seen {
    /// What it had at that moment, by the last look before it.
    pub(crate) fn bytes_at(&self, time_ns: u64) -> u64 {
        let before = self.points.iter().rev().find(|point| point.time_ns <= time_ns);
        before.unwrap_or(&self.first).bytes
    }

    /// Since when it has stood still at `bytes`, if it was seen to; `None` while it grew until it was looked at last.
    pub(crate) fn still_since(&self, bytes: u64) -> Option<u64> {
        let there = |point: &&Point| point.bytes.abs_diff(bytes) <= STILL_BYTES.max(bytes / 32);
        let since = self.points.iter().rev().take_while(there).last()?;
        (self.seen_ns > since.time_ns).then_some(since.time_ns)
    }

    /// Whether a look before that moment, or at it, did not meet it any more.
    pub(crate) fn gone_by(&self, time_ns: u64) -> bool {
        self.gone_ns.is_some_and(|gone_ns| gone_ns <= time_ns)
    }

    fn saw(&mut self, input: &Input, time_ns: u64, page: u64) {
        self.comm.clone_from(&input.comm);
        self.group.clone_from(&input.group);
        self.held = Held::of(input, page);
        self.seen_ns = time_ns;
        let bytes = self.held.own_bytes();
        if self.points.last().is_none_or(|last| last.bytes.abs_diff(bytes) >= STILL_BYTES / 4) {
            self.points.push(Point { time_ns, bytes });
        }
        if self.points.len() > MOST_POINTS {
            let mut at = 0;
            self.points.retain(|_| {
                at += 1;
                at % 2 == 0
            });
        }
    }
}

/// All that were seen.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    known: Map<i32, Seen>,
    /// When all were looked at last: what is seen for the first time has come since then.
    looked_ns: u64,
    /// When they were before that, the latest last.
    looks: VecDeque<u64>,
    /// Who is seen for the first time had nothing before: the group was made by us, or was looked at before.
    whole: bool,
    /// Bytes of a page.
    page: u64,
}

impl Growth {
    /// From now on; `whole` says that nobody can have had anything before.
    pub(crate) fn since(time_ns: u64, whole: bool, page: u64) -> Growth {
        Growth { known: Map::new(), looked_ns: time_ns, looks: VecDeque::new(), whole, page }
    }

    /// A worker was started, and holds nothing of the group yet.
    pub(crate) fn born(&mut self, pid: i32, comm: &[u8], group: &str, time_ns: u64) {
        let seen = Seen {
            comm: comm.to_vec(),
            group: group.to_string(),
            held: Held::default(),
            seen_ns: time_ns,
            first: Point { time_ns, bytes: 0 },
            points: Vec::new(),
            gone_ns: None,
        };
        self.known.insert(pid, seen);
        self.forget();
    }

    /// These processes were looked at.
    pub(crate) fn saw<'a>(&mut self, inputs: impl IntoIterator<Item = &'a Input>, time_ns: u64) {
        let (whole, looked_ns, page) = (self.whole, self.looked_ns, self.page);
        for input in inputs.into_iter().filter(|input| input.rss_pages > 0) {
            let bytes = Held::of(input, page).own_bytes();
            let first = match whole {
                true => Point { time_ns: looked_ns, bytes: 0 },
                false => Point { time_ns, bytes },
            };
            let seen = self.known.or_insert_with(input.pid, || Seen {
                comm: Vec::new(),
                group: String::new(),
                held: Held::default(),
                seen_ns: time_ns,
                first,
                points: Vec::new(),
                gone_ns: None,
            });
            if seen.gone_ns.is_some() {
                // The pid has a new owner.
                *seen = Seen { first, points: Vec::new(), gone_ns: None, ..seen.clone() };
            }
            seen.saw(input, time_ns, page);
        }
        self.forget();
    }

    /// All processes of a group and of those below it were looked at: who is not among them has gone.
    pub(crate) fn saw_all(&mut self, cgroup: &str, inputs: &[Input], time_ns: u64) {
        let there: Set = inputs.iter().map(|input| (input.pid, ())).collect();
        self.known.retain(|pid, seen| {
            if covers(cgroup, &seen.group) && there.get(pid).is_none() {
                seen.gone_ns.get_or_insert(time_ns);
            }
            true
        });
        self.saw(inputs, time_ns);
        if self.whole {
            self.looks.push_back(self.looked_ns);
        }
        if self.looks.len() > MOST_LOOKS {
            self.looks.pop_front();
        }
        self.looked_ns = time_ns;
        self.whole = true;
    }

    /// A group has gone, with all its processes; what they did before may still be read once.
    pub(crate) fn forget_group(&mut self, cgroup: &str) {
        for seen in self.known.values_mut().filter(|seen| covers(cgroup, &seen.group)) {
            seen.gone_ns.get_or_insert(BEFORE_THE_NEXT_READING);
        }
    }

    /// The sources are read from now on.
    pub(crate) fn read(&mut self, time_ns: u64) {
        for seen in self.known.values_mut().filter(|seen| seen.gone_ns == Some(BEFORE_THE_NEXT_READING)) {
            seen.gone_ns = Some(time_ns);
        }
    }

    /// What was seen of a process that may have lived at about that moment: some time later its pid is another's.
    pub(crate) fn of(&self, pid: i32, time_ns: u64) -> Option<&Seen> {
        let until = |gone_ns: u64| gone_ns.saturating_add(ABOUT.as_nanos() as u64);
        self.known.get(&pid).filter(|seen| seen.gone_ns.is_none_or(|gone_ns| until(gone_ns) >= time_ns))
    }

    /// All that were seen in a group or below it, whether they have gone or not.
    pub(crate) fn below<'a>(&'a self, cgroup: &'a str) -> impl Iterator<Item = (i32, &'a Seen)> {
        self.known.iter().filter(|(_, seen)| covers(cgroup, &seen.group)).map(|(pid, seen)| (*pid, seen))
    }

    /// The group in which a process was seen that lived at that moment: not long before, so that its pid is not another's by
    /// now, and not gone by then.
    pub(crate) fn stood(&self, pid: i32, time_ns: u64) -> Option<&str> {
        let seen = self.known.get(&pid)?;
        let recent = seen.seen_ns.saturating_add(ABOUT.as_nanos() as u64) >= time_ns;
        let there = seen.gone_ns.is_none_or(|gone_ns| time_ns <= gone_ns);
        (recent && there).then_some(seen.group.as_str())
    }

    /// Since when a process can have come that was there at `at_ns` and was never seen: the last look before that, as it may
    /// have gone when all were looked at again. `None` where it may have been there before.
    pub(crate) fn unseen_since(&self, at_ns: u64) -> Option<u64> {
        let mut looks = self.looks.iter().copied().chain(self.whole.then_some(self.looked_ns));
        looks.rfind(|look_ns| *look_ns <= at_ns)
    }

    fn forget(&mut self) {
        if self.known.len() > MOST_KNOWN {
            self.known.retain(|_, seen| seen.gone_ns.is_none());
        }
        if self.known.len() > MOST_KNOWN {
            self.known.clear();
            self.looks.clear();
            self.whole = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys;

    const MIB: u64 = 1 << 20;

    fn input(pid: i32, mib: u64) -> Input {
        Input {
            pid,
            comm: format!("p{pid}").into_bytes(),
            group: "/lab/g".to_string(),
            rss_pages: mib * MIB / sys::page_size(),
            ..Input::default()
        }
    }

    #[test]
    fn who_comes_later_has_grown_from_nothing() {
        let mut growth = Growth::since(5, false, sys::page_size());
        growth.saw_all("/lab", &[input(1, 40)], 10);
        growth.saw_all("/lab", &[input(1, 40), input(2, 8)], 20);
        assert_eq!(growth.of(1, 0).unwrap().first, Point { time_ns: 10, bytes: 40 * MIB });
        assert_eq!(growth.of(2, 0).unwrap().first, Point { time_ns: 10, bytes: 0 });
        // In a group of our own nobody had anything before.
        let mut growth = Growth::since(5, true, sys::page_size());
        growth.saw(&[input(1, 40)], 10);
        assert_eq!(growth.of(1, 0).unwrap().first, Point { time_ns: 5, bytes: 0 });
    }

    #[test]
    fn it_is_known_when_a_process_stood_still() {
        let mut growth = Growth::since(0, true, sys::page_size());
        for (time_ns, one, other) in [(10, 20, 1), (20, 40, 1), (30, 40, 8), (40, 40, 16)] {
            growth.saw_all("/lab", &[input(1, one), input(2, other)], time_ns);
        }
        let (one, other) = (growth.of(1, 0).unwrap(), growth.of(2, 0).unwrap());
        assert_eq!(one.still_since(40 * MIB), Some(20));
        assert_eq!(other.bytes_at(20), MIB);
        // It has grown until it was looked at last, and since.
        assert_eq!((other.still_since(16 * MIB), other.still_since(24 * MIB)), (None, None));
    }

    #[test]
    fn one_that_was_never_seen_has_come_since_the_last_look_before_its_death() {
        let mut growth = Growth::since(5, false, sys::page_size());
        assert_eq!(growth.unseen_since(7), None);
        for time_ns in [10, 20, 30] {
            growth.saw_all("/lab", &[], time_ns);
        }
        // It had gone by the look at 30.
        assert_eq!([9, 25, 35].map(|at_ns| growth.unseen_since(at_ns)), [None, Some(20), Some(30)]);
    }

    #[test]
    fn a_pid_that_comes_again_is_another_process() {
        let mut growth = Growth::since(0, true, sys::page_size());
        growth.saw_all("/lab", &[input(1, 40)], 10);
        growth.saw_all("/lab", &[], 20);
        growth.saw_all("/lab", &[input(1, 2)], 30);
        assert_eq!(growth.of(1, 0).unwrap().first, Point { time_ns: 20, bytes: 0 });
    }

    #[test]
    fn what_was_seen_of_a_process_is_not_of_a_later_one() {
        let mut growth = Growth::since(0, true, sys::page_size());
        growth.saw_all("/lab/g", &[input(1, 40)], 10);
        growth.forget_group("/lab/g");
        growth.read(20);
        let soon = 20 + ABOUT.as_nanos() as u64;
        assert!(growth.of(1, soon).is_some() && growth.of(1, soon + 1).is_none());
    }

    #[test]
    fn a_long_life_is_remembered_in_parts() {
        let mut growth = Growth::since(0, true, sys::page_size());
        for step in 1..=1000 {
            growth.saw(&[input(1, step)], step * 10);
        }
        let seen = growth.of(1, 0).unwrap();
        assert!(seen.points.len() <= MOST_POINTS && seen.bytes_at(10_000) == 1000 * MIB);
    }
}

//! The tracepoints by perf_event_open(2): for each CPU one descriptor an event, and one ring of records.
//!
//! Opening takes half a millisecond. The last one to close a tracepoint waits for the kernel some 35 ms for each of the
//! three, so a process keeps one set that nobody uses, switched off, for its next lab: while that one is there, to close
//! another waits for nothing. It goes with the process, however that ends.

mod names;
mod records;

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use nix::sys::resource::{getrlimit, Resource};

use self::names::Names;
use self::records::{records, Events, Sample};
use super::super::callpath::without_machinery;
use super::super::kallsyms::{self, Symbols};
use super::super::signal;
use super::TraceItem;
use crate::memcg::owner::Maker;
use crate::order::order_long;
use crate::sys::perf;
use crate::{Error, Result};

/// The ring of a CPU: room for about 600 records with their paths between two reads; the signals of the whole machine
/// come too.
const RING: usize = 256 << 10;
/// A ring has no fewer bytes, and all rings of a set together have no more than `ALL_RINGS` as long as they have more.
const LEAST_RING: usize = 64 << 10;
const ALL_RINGS: usize = 4 << 20;
/// More descriptors a set would need too many of what a process has (1024 by default).
const MOST_DESCRIPTORS: usize = 256;
/// And this part of what it may have is left to the rest of the process, and to the labs to come.
const LEFT_TO_OTHERS: u64 = 2;
/// So often the rings are read again while there is more, so that what happened on several CPUs comes in its order.
const MOST_ROUNDS: usize = 8;
const ONLINE: &str = "/sys/devices/system/cpu/online";

/// What the events look like, read from tracefs once in a process.
static EVENTS: OnceLock<Events> = OnceLock::new();
/// The set that nobody uses.
static PARKED: Mutex<Option<Parked>> = Mutex::new(None);

/// All descriptors and rings of one listener. Dropped, it waits for the next one.
#[derive(Debug)]
pub(crate) struct Perf {
    maker: Maker,
    cpus: Vec<Cpu>,
    online: File,
    /// What `online` said when the CPUs were opened.
    online_then: Vec<u8>,
    events: &'static Events,
    /// Every CPU that was online has all of its events, and nothing was lost: what a ring says next is of no listener before.
    whole: bool,
    /// A CPU has come since its descriptors were asked for.
    grown: bool,
    /// What senders were called at the moment; `None` where that is not to be had.
    names: Option<Arc<Names>>,
}

/// A set that is switched off. A process that becomes a daemon closes descriptors that it does not know, and theirs may be
/// others' by the time that the set is wanted again.
struct Parked {
    maker: Maker,
    cpus: Vec<Cpu>,
    online_then: Vec<u8>,
    /// The numbers of the events, CPU by CPU.
    ids: Vec<u64>,
}

impl Parked {
    /// Whether it is of this process, and all there.
    fn is_ours(&self) -> bool {
        let events = self.cpus.iter().flat_map(|cpu| &cpu.events);
        self.maker.is_this() && events.zip(&self.ids).all(|(event, id)| is_event(event, *id))
    }

    /// Closes what is still its own.
    fn close(self) {
        let events = self.cpus.into_iter().flat_map(|cpu| cpu.events);
        for (event, id) in events.zip(self.ids) {
            if !is_event(&event, id) {
                let _somebody_elses = event.into_raw_fd();
            }
        }
    }
}

fn is_event(event: &OwnedFd, id: u64) -> bool {
    perf::id(event.as_fd()).is_ok_and(|now| now == id)
}

#[derive(Debug)]
struct Cpu {
    number: i32,
    ring: perf::Ring,
    /// The ring is that of the first.
    events: Vec<OwnedFd>,
}

impl Perf {
    /// The set that waits, or a new one.
    ///
    /// # Errors
    /// `PermissionDenied` (`kernel.perf_event_paranoid`, a filter of system calls, hidden symbols), `Unsupported` where
    /// the kernel has no such event or the machine more CPUs than there are descriptors.
    pub(crate) fn open() -> Result<Perf> {
        kallsyms::check()?;
        let failed = |source: io::Error| Error::os("open tracepoints", source);
        let mut set = Perf::empty()?;
        match parked().and_then(|mut place| place.take()) {
            Some(parked) => set.take_over(parked),
            None => set.open_all(None).map_err(failed)?,
        }
        set.names = set.events.signals.is_ok().then(Names::noted).flatten();
        set.switch(true).map_err(failed)?;
        Ok(set)
    }

    /// One that listens to no CPU yet.
    fn empty() -> Result<Perf> {
        let events = known_events()?;
        let failed = |source: io::Error| Error::os("open tracepoints", source);
        let online = File::open(ONLINE).map_err(|source| failed(source).path(ONLINE))?;
        Ok(Perf {
            maker: Maker::this(),
            cpus: Vec::new(),
            online,
            online_then: Vec::new(),
            events,
            whole: false,
            grown: false,
            names: None,
        })
    }

    /// Opens the events of every CPU, each with a ring of that many bytes, or as many as become the machine.
    fn open_all(&mut self, ring: Option<usize>) -> io::Result<()> {
        self.online_then = content(&self.online)?;
        let numbers = numbers(&self.online_then);
        let wanted = numbers.len() * self.events.count();
        let (most, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
        // The next descriptors have the numbers behind this one, or they fill gaps before it.
        if numbers.is_empty() || wanted > MOST_DESCRIPTORS || !leaves_enough(self.online.as_raw_fd(), wanted, most) {
            let reason = format!("{} CPUs need more descriptors than a process should take", numbers.len());
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        let ring = ring.unwrap_or_else(|| ring_bytes(numbers.len()));
        numbers.into_iter().try_for_each(|number| self.add(number, ring))?;
        self.whole = true;
        Ok(())
    }

    /// Goes on with the set that waited; what is left in its rings was somebody else's.
    fn take_over(&mut self, parked: Parked) {
        parked.cpus.iter().for_each(|cpu| cpu.ring.take(&mut Vec::new()));
        (self.cpus, self.online_then, self.whole) = (parked.cpus, parked.online_then, true);
    }

    /// Opens the events of one CPU, switched off.
    fn add(&mut self, number: i32, ring: usize) -> io::Result<()> {
        let victim = perf::open(self.events.victim.id, number)?;
        let ring = perf::Ring::map(victim.as_fd(), ring)?;
        let mut events = vec![victim];
        if let Ok((sent, delivered)) = &self.events.signals {
            // Who tells its parent that a signal has ended it says where it stood.
            let sent = (perf::open_with_group(sent.id, number)?, signal::generated());
            let delivered = (perf::open(delivered.id, number)?, signal::delivered());
            for (event, filter) in [sent, delivered] {
                perf::set_filter(event.as_fd(), &CString::new(filter)?)?;
                perf::set_output(event.as_fd(), events[0].as_fd())?;
                events.push(event);
            }
        }
        self.cpus.push(Cpu { number, ring, events });
        Ok(())
    }

    fn switch(&self, on: bool) -> io::Result<()> {
        self.cpus.iter().flat_map(|cpu| &cpu.events).try_for_each(|event| perf::enable(event.as_fd(), on))
    }

    /// Whether the next lab would hear the whole machine, and nothing that was for this one: what a full ring has lost, the
    /// kernel says when there is room again.
    fn may_serve_again(&self) -> bool {
        self.whole && !self.cpus.iter().any(|cpu| cpu.ring.is_nearly_full())
    }

    /// Keeps it for the next lab, if there is none yet that waits.
    fn park(&mut self) {
        // First: a forked child may hold the descriptors for longer, and nobody is to work for it at each signal.
        if self.switch(false).is_err() || !self.may_serve_again() {
            return;
        }
        let ids: io::Result<Vec<u64>> =
            self.cpus.iter().flat_map(|cpu| &cpu.events).map(|event| perf::id(event.as_fd())).collect();
        if let (Ok(ids), Some(mut place)) = (ids, parked().filter(|place| place.is_none())) {
            let (cpus, online_then) = (std::mem::take(&mut self.cpus), std::mem::take(&mut self.online_then));
            *place = Some(Parked { maker: self.maker, cpus, online_then, ids });
        }
    }

    pub(super) fn expect_kills(&self) {
        // A failure shows when a path is to be named.
        let _ = Symbols::get();
    }

    pub(super) fn signals_missing(&self) -> Option<&Error> {
        self.events.signals.as_ref().err().map(Arc::as_ref)
    }

    /// The first event of each CPU. They are no epoll of their own: the kernel takes a source of a third epoll in a row at
    /// most 100 times (`reverse_path_check` in fs/eventpoll.c), so no lab could have more watches than that.
    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.cpus.iter().filter_map(|cpu| cpu.events.first()).map(OwnedFd::as_fd).collect()
    }

    pub(super) fn take_grown(&mut self) -> bool {
        std::mem::take(&mut self.grown)
    }

    pub(super) fn has_news(&self) -> bool {
        self.cpus.iter().any(|cpu| cpu.ring.has_news())
    }

    pub(super) fn read(&mut self) -> Result<Vec<TraceItem>> {
        let mut samples = Vec::new();
        self.follow_cpus(&mut samples)?;
        let mut bytes = Vec::new();
        for _ in 0..MOST_ROUNDS {
            let had = samples.len();
            for cpu in &self.cpus {
                bytes.clear();
                if cpu.ring.is_nearly_full() {
                    // The kernel tells of a loss with the next record alone, which may come after the account.
                    samples.push(lost(cpu.number));
                }
                cpu.ring.take(&mut bytes);
                records(&bytes, cpu.number, self.events, &mut samples);
            }
            if samples.len() == had {
                break;
            }
        }
        order_long(&mut samples, |sample| sample.time_ns);
        for sample in &mut samples {
            if let (TraceItem::Signal(signal), Some(names)) = (&mut sample.item, &self.names) {
                let noted = signal.signal != names::NOT_NOTED;
                signal.sender_then = noted.then(|| names.of(signal.sender)).flatten();
            }
        }
        self.whole &= !samples.iter().any(|sample| matches!(sample.item, TraceItem::Lost { .. }));
        Ok(match samples.iter().any(|sample| !sample.path.is_empty()) {
            true => named(samples, Symbols::get()),
            false => samples.into_iter().map(|sample| sample.item).collect(),
        })
    }

    /// A CPU that has come since is listened to from now on; what happened on it before is lost.
    fn follow_cpus(&mut self, samples: &mut Vec<Sample>) -> Result<()> {
        let failed = |source: io::Error| Error::os("read online CPUs", source).path(ONLINE);
        let now = content(&self.online).map_err(failed)?;
        if now == self.online_then {
            return Ok(());
        }
        let numbers = numbers(&now);
        let ring = ring_bytes(numbers.len());
        self.online_then = now;
        self.cpus.retain(|cpu| numbers.contains(&cpu.number));
        for number in numbers {
            if self.cpus.iter().any(|cpu| cpu.number == number) {
                continue;
            }
            samples.push(lost(number));
            self.whole = false;
            self.add(number, ring).and_then(|()| self.switch(true)).map_err(failed)?;
            self.grown = true;
        }
        Ok(())
    }
}

impl Drop for Perf {
    fn drop(&mut self) {
        // In a forked child the descriptors are copies; what the parent hears is no business of the child's.
        if self.maker.is_this() {
            self.park();
        }
    }
}

fn known_events() -> Result<&'static Events> {
    if let Some(events) = EVENTS.get() {
        return Ok(events);
    }
    let read = Events::read()?;
    Ok(EVENTS.get_or_init(|| read))
}

/// The place of the set that waits; `None` where somebody else is there. What a parent has left there is closed, and so is
/// the rest of a set of which this process has closed some.
fn parked() -> Option<MutexGuard<'static, Option<Parked>>> {
    let mut place = crate::sys::kept(&PARKED)?;
    if let Some(set) = place.take_if(|set| !set.is_ours()) {
        set.close();
    }
    Some(place)
}

/// Whether that many descriptors more, behind this one, leave a process what it needs beside them.
fn leaves_enough(last: RawFd, wanted: usize, most: u64) -> bool {
    let last = u64::try_from(last).unwrap_or(0);
    last.saturating_add(wanted as u64) < most / LEFT_TO_OTHERS
}

/// The bytes of a CPU's ring, a power of two, where there are so many.
fn ring_bytes(cpus: usize) -> usize {
    let share = (ALL_RINGS / cpus.max(1)).clamp(LEAST_RING, RING);
    1 << share.ilog2()
}

/// Something of that CPU was lost, nobody knows how much.
fn lost(cpu: i32) -> Sample {
    let cpu = u32::try_from(cpu).unwrap_or_default();
    Sample { time_ns: 0, item: TraceItem::Lost { cpu, events: None }, path: Vec::new() }
}

fn content(file: &File) -> io::Result<Vec<u8>> {
    let mut text = vec![0; 1024];
    let length = file.read_at(&mut text, 0)?;
    text.truncate(length);
    Ok(text)
}

/// The numbers of a list such as `0-3,8,10-11`.
fn numbers(list: &[u8]) -> Vec<i32> {
    let text = String::from_utf8_lossy(list);
    let mut numbers = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse(), last.parse::<i32>()) {
            numbers.extend(first..=last);
        }
    }
    numbers
}

/// Puts the names of the functions for their addresses. Where the names are not to be had, what was told is told without a
/// path, and why.
fn named(mut samples: Vec<Sample>, symbols: Result<Arc<Symbols>>) -> Vec<TraceItem> {
    let mut nameless = None;
    let mut symbols = symbols.map_err(|error| nameless = Some(error)).unwrap_or_default();
    // Of a module that has come since the list was read.
    if nameless.is_none() && samples.iter().flat_map(|sample| &sample.path).any(|address| symbols.lacks(*address)) {
        match Symbols::renew() {
            Ok(newer) => symbols = newer,
            Err(error) => nameless = Some(error),
        }
    }
    for Sample { item, path, .. } in &mut samples {
        let place = match item {
            TraceItem::Victim(victim) => &mut victim.call_path,
            TraceItem::Signal(signal) => &mut signal.call_path,
            _ => continue,
        };
        *place = without_machinery(path.iter().filter_map(|address| symbols.frame(*address)).collect());
    }
    let told = samples.into_iter().map(|sample| sample.item);
    nameless.map(|error| TraceItem::Nameless(error.to_string())).into_iter().chain(told).collect()
}

#[cfg(test)]
mod tests;

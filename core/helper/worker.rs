//! The workers: a hog takes memory in acknowledged steps, a ticker only says that it is alive.
//!
//! A worker of a v1 group whose OOM killer is off is blocked by any page fault that needs a page. So everything it
//! will touch is touched before READY, and a step faults nowhere but in the memory that it takes.

use crate::hog::{Arena, Store, Taken};
use crate::mailbox::Mailbox;
use crate::sys::{self, Errno};
use crate::turn::Turn;
use crate::wire::{Command, Message, MOST};
use crate::Auxiliary;
use core::ffi::CStr;

// What stands where other programs have their standard files, in every worker.
const COMMAND_BELL: i32 = 0;
const ANSWER_BELL: i32 = 1;
const PAGE: i32 = 2;

/// Where the mailbox is mapped: the program ends far below, and both share the tables of their two mebibytes.
const MAILBOX: usize = 0x50_0000;

/// How long a hog that keeps its memory hot rests between two rounds.
const HOT_PAUSE_NS: u64 = 10_000_000;

/// Touches the program's pages and the stack below the present frame.
#[inline(never)]
pub fn prefault(auxiliary: Auxiliary) {
    const PT_LOAD: u32 = 1;
    for index in 0..auxiliary.header_count {
        // SAFETY: the kernel's word for where the program headers are: 56 bytes each, with type, flags, offset,
        // address, physical address, size in the file, size in memory, alignment.
        let (kind, address, size) = unsafe {
            let header = (auxiliary.headers + index * 56) as *const u64;
            (*header as u32, *header.add(2) as usize, *header.add(5) as usize)
        };
        let mut at = address & !(auxiliary.page - 1);
        while kind == PT_LOAD && at < address + size {
            // SAFETY: a page of a segment that the kernel has mapped for reading.
            unsafe { (at as *const u8).read_volatile() };
            at += auxiliary.page;
        }
    }
    let mut deep = [0u8; 8192];
    let mut at = 0;
    while at < deep.len() {
        // SAFETY: an element of the array; volatile, or the array would not be made.
        unsafe { (&raw mut deep[at]).write_volatile(1) };
        at += 1024;
    }
}

/// The worker's end of the talk with the host. Nothing here allocates, in this program or in the kernel: what is
/// allocated is charged to the group, and in a full one fails, blocks or sets off an OOM.
pub struct Talk {
    mailbox: &'static Mailbox,
    /// The last command.
    seen: u32,
}

impl Talk {
    /// Without its mailbox a worker is of no use, and cannot say so.
    pub fn open() -> Talk {
        let Ok(address) = sys::map_file(MAILBOX, core::mem::size_of::<Mailbox>(), PAGE) else { sys::exit(1) };
        sys::close(PAGE);
        // SAFETY: mapped for good, page-aligned and long enough; the host changes it through atomics only, and every
        // content is valid.
        Talk { mailbox: unsafe { &*(address as *const Mailbox) }, seen: 0 }
    }

    pub fn tell(&self, message: Message) {
        self.mailbox.to_host.put(message.encode().bytes());
        while let Err(sys::EINTR) = sys::ring(ANSWER_BELL) {}
    }

    /// The next command, or nothing for what is none; the program ends when the host has closed its end.
    fn next(&mut self) -> Option<Command> {
        let mut bytes = [0u8; MOST];
        loop {
            self.wait();
            match self.mailbox.to_worker.take(&mut self.seen, &mut bytes) {
                Ok(Some(length)) => return Command::decode(bytes.get(..length)?),
                Ok(None) => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether the host rings within that time; the bell is left as it is.
    fn rings_within(&self, ns: u64) -> bool {
        let mut files = [sys::Poll { fd: COMMAND_BELL, events: sys::POLLIN, revents: 0 }];
        let _ = sys::poll(&mut files, Some(ns));
        files[0].revents != 0
    }

    /// Waits for the host's bell and clears it; the program ends when the host has closed its end.
    fn wait(&self) {
        match sys::read(COMMAND_BELL, &mut [0; 8]) {
            Ok(_) | Err(sys::EINTR) => {}
            Err(_) => sys::exit(1),
        }
        if self.mailbox.is_closed() {
            sys::exit(0);
        }
    }
}

/// The hog's whole life.
pub fn hog(name: &CStr, work: u32, home: Option<usize>, auxiliary: Auxiliary) -> ! {
    sys::set_name(name);
    let talk = Talk::open();
    live_as_hog(talk, Arena::new(auxiliary.page), work, home, auxiliary)
}

/// From where it is in its group and has its name.
pub fn live_as_hog(
    mut talk: Talk,
    arena: Result<Arena, Errno>,
    work: u32,
    home: Option<usize>,
    auxiliary: Auxiliary,
) -> ! {
    let mut store = match arena.and_then(|arena| Store::open(work, arena)) {
        Ok(store) => store,
        Err(errno) => {
            talk.tell(Message::Failed { errno, total_bytes: 0 });
            sys::exit(1)
        }
    };
    prefault(auxiliary);
    talk.tell(Message::Ready { pid: sys::getpid(), page_bytes: auxiliary.page as u64 });
    let mut turn = Turn::new(home);
    loop {
        while store.keep_hot() && !talk.rings_within(HOT_PAUSE_NS) {}
        let command = talk.next();
        let start_ns = sys::now_ns();
        let message = match command {
            Some(Command::Grow { bytes }) => {
                turn.begin();
                let taken = store.grow(bytes);
                // One that goes on touching stands still at no moment, and would take the CPU from everybody.
                if !store.is_hot() {
                    turn.end();
                }
                let (end_ns, total_bytes) = (sys::now_ns(), store.total() as u64);
                taken.map(|Taken { bytes, errno }| Message::Grew {
                    total_bytes,
                    bytes: bytes as u64,
                    errno,
                    start_ns,
                    end_ns,
                })
            }
            Some(Command::Shrink { bytes }) => {
                let given = store.shrink(bytes);
                let (end_ns, total_bytes) = (sys::now_ns(), store.total() as u64);
                given.map(|bytes| Message::Shrunk { total_bytes, bytes: bytes as u64, start_ns, end_ns })
            }
            None => Err(sys::EPROTO),
        };
        talk.tell(message.unwrap_or_else(|errno| Message::Failed { errno, total_bytes: store.total() as u64 }));
    }
}

/// The ticker's whole life.
pub fn ticker(name: &CStr, period_ns: u64, auxiliary: Auxiliary) -> ! {
    sys::set_name(name);
    live_as_ticker(&Talk::open(), period_ns, auxiliary)
}

/// From where it is in its group and has its name.
pub fn live_as_ticker(talk: &Talk, period_ns: u64, auxiliary: Auxiliary) -> ! {
    let period = period_ns.max(1);
    prefault(auxiliary);
    talk.tell(Message::Ready { pid: sys::getpid(), page_bytes: auxiliary.page as u64 });
    let start = sys::now_ns();
    let mut n: u64 = 1;
    loop {
        let due = start.saturating_add(n.saturating_mul(period));
        let now = sys::now_ns();
        if now < due {
            let mut files = [sys::Poll { fd: COMMAND_BELL, events: sys::POLLIN, revents: 0 }];
            let _ = sys::poll(&mut files, Some(due - now));
            if files[0].revents != 0 {
                // Nothing is ever said to a ticker but the end, which leaves here.
                talk.wait();
            }
            continue;
        }
        // A newer tick overwrites one that was not read, and a ticker that slept too long skips some: the numbers
        // tell.
        n = n.max((now - start) / period);
        talk.tell(Message::Tick { n, time_ns: now });
        n += 1;
    }
}

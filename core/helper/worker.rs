//! The workers: a hog takes memory in acknowledged steps, a ticker only says that it is alive.
//!
//! A worker of a v1 group whose OOM killer is off is blocked by any page fault that needs a page. So everything it
//! will touch is touched before READY, and a step faults nowhere but in the memory that it takes.

use crate::mailbox::Mailbox;
use crate::turn::Turn;
use crate::sys::{self, Errno};
use crate::wire::{hog, Command, Message, MOST};
use crate::Auxiliary;
use core::ffi::CStr;

// What stands where other programs have their standard files, in every worker.
const COMMAND_BELL: i32 = 0;
const ANSWER_BELL: i32 = 1;
const PAGE: i32 = 2;

/// Where the mailbox is mapped: the program ends far below, and both share the tables of their two mebibytes.
const MAILBOX: usize = 0x50_0000;

/// Far from the program, the stack and the kernel's own choices, so a hog's memory can grow in place up to terabytes.
const ARENA: usize = 0x1000_0000_0000;

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

/// The memory of a hog: one mapping that grows at its end, so that a step needs no new kernel object and the
/// number of steps has no bound.
pub struct Arena {
    base: usize,
    /// Bytes mapped; the first page is the arena's own, so that there is a mapping to grow from the start.
    mapped: usize,
    /// Bytes taken, beginning after the first page.
    taken: usize,
    page: usize,
}

impl Arena {
    pub fn new(page: usize) -> Result<Arena, Errno> {
        // Not touched: its page tables may come with the first step's faults, which may block anyway.
        let base = sys::map(ARENA, page)?;
        // SAFETY: fresh memory without content. A kernel without huge pages refuses, which is as good.
        let _ = unsafe { sys::advise(base, page, sys::MADV_NOHUGEPAGE) };
        Ok(Arena { base, mapped: page, taken: 0, page })
    }

    fn grow(&mut self, bytes: u64) -> Result<usize, Errno> {
        let bytes = usize::try_from(bytes).map_err(|_| sys::ENOMEM)?;
        let bytes = bytes.checked_next_multiple_of(self.page).ok_or(sys::ENOMEM)?;
        let wanted = self.taken.checked_add(bytes).and_then(|sum| sum.checked_add(self.page)).ok_or(sys::ENOMEM)?;
        if wanted > self.mapped {
            // Whatever the kernel calls it (EINVAL, EFAULT when it is beyond all addresses), there is no room.
            // SAFETY: nothing but this struct refers to the mapping.
            self.base = unsafe { sys::remap(self.base, self.mapped, wanted) }.map_err(|_| sys::ENOMEM)?;
            self.mapped = wanted;
        }
        let mut at = self.base + self.page + self.taken;
        let end = at + bytes;
        while at < end {
            // SAFETY: inside the mapping.
            unsafe { (at as *mut u8).write_volatile(1) };
            at += self.page;
        }
        self.taken += bytes;
        Ok(bytes)
    }

    fn shrink(&mut self, bytes: u64) -> Result<usize, Errno> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.taken) & !(self.page - 1);
        if bytes == 0 {
            return Ok(0);
        }
        let keep = self.page + self.taken - bytes;
        // The pages first: that needs no memory. Cutting the mapping may need some in the kernel, and where it is
        // refused the range simply stays for the next step.
        // SAFETY: the content of these pages is of no use to anyone.
        unsafe { sys::advise(self.base + keep, bytes, sys::MADV_DONTNEED) }?;
        self.taken -= bytes;
        // SAFETY: nothing refers to what is cut off.
        if let Ok(base) = unsafe { sys::remap(self.base, self.mapped, keep) } {
            self.base = base;
            self.mapped = keep;
        }
        Ok(bytes)
    }
}

/// The hog's whole life.
pub fn hog(name: &CStr, kind: u32, home: Option<usize>, auxiliary: Auxiliary) -> ! {
    sys::set_name(name);
    let talk = Talk::open();
    live_as_hog(talk, Arena::new(auxiliary.page), kind, home, auxiliary)
}

/// From where it is in its group and has its name.
pub fn live_as_hog(
    mut talk: Talk,
    arena: Result<Arena, Errno>,
    kind: u32,
    home: Option<usize>,
    auxiliary: Auxiliary,
) -> ! {
    let page = auxiliary.page;
    let mut arena = match arena {
        Ok(arena) if kind == hog::ANON => arena,
        other => {
            let errno = other.err().unwrap_or(sys::ENOTSUP);
            talk.tell(Message::Failed { errno, total_bytes: 0 });
            sys::exit(1)
        }
    };
    prefault(auxiliary);
    talk.tell(Message::Ready { pid: sys::getpid(), page_bytes: page as u64 });
    let mut turn = Turn::new(home);
    loop {
        let command = talk.next();
        let start_ns = sys::now_ns();
        let result = match command {
            Some(Command::Grow { bytes }) => {
                turn.begin();
                let grown = arena.grow(bytes);
                turn.end();
                grown
            }
            Some(Command::Shrink { bytes }) => arena.shrink(bytes),
            None => Err(sys::EPROTO),
        };
        let end_ns = sys::now_ns();
        let total_bytes = arena.taken as u64;
        talk.tell(match (command, result) {
            (Some(Command::Shrink { .. }), Ok(bytes)) => {
                Message::Shrunk { total_bytes, bytes: bytes as u64, start_ns, end_ns }
            }
            (_, Ok(bytes)) => Message::Grew { total_bytes, bytes: bytes as u64, start_ns, end_ns },
            (_, Err(errno)) => Message::Failed { errno, total_bytes },
        });
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

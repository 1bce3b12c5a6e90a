//! What a sender was called when it sent a signal. It may have executed another program, or ended, by the time that its record
//! is read; so a program in the kernel notes it at the event. Where that is refused, /proc is asked later.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use super::super::super::signal::Then;
use super::super::layout::Layout;
use crate::sys::bpf::Notes;
use crate::sys::perf;

/// The program, loaded once in a process; `None` where it is refused.
static NOTES: OnceLock<Option<Notes>> = OnceLock::new();
/// The event to which it is attached, for as long as somebody listens: the kernel attaches a program once.
static ATTACHED: Mutex<Weak<Names>> = Mutex::new(Weak::new());

/// Of whoever tells its parent of its own end nothing is noted: that is told by the thousand.
pub(super) const NOT_NOTED: i32 = libc::SIGCHLD;

/// The names of senders are noted for as long as this is kept.
#[derive(Debug)]
pub(super) struct Names {
    notes: &'static Notes,
    _event: OwnedFd,
}

impl Names {
    /// Begins to note who sends signals, by the event of that layout on any CPU that is there.
    pub(super) fn noted(sent: &Layout, cpu: i32) -> Option<Arc<Names>> {
        let mut attached = crate::sys::kept(&ATTACHED)?;
        if let Some(names) = attached.upgrade() {
            return Some(names);
        }
        let load = || Notes::load(i16::try_from(sent.offset("sig")?).ok()?, NOT_NOTED).ok();
        let notes = NOTES.get_or_init(load).as_ref()?;
        let event = perf::open(sent.id, cpu).ok()?;
        notes.attach(event.as_fd()).ok()?;
        let names = Arc::new(Names { notes, _event: event });
        *attached = Arc::downgrade(&names);
        Some(names)
    }

    /// What that thread was called when it last sent a signal.
    pub(super) fn of(&self, thread: i32) -> Option<Then> {
        let (comm, uid) = self.notes.of(thread)?;
        Some(Then { comm, uid })
    }
}

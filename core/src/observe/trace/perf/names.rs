//! What a sender was called when it sent a signal. It may have executed another program, or ended, by the time that its record
//! is read; so a program in the kernel notes it at the event. Where that is refused, /proc is asked later.

use std::sync::{Arc, Mutex, Weak};

use super::super::super::signal::Then;
use crate::sys::bpf::Notes;

/// Of whoever listens in this process: one program serves them all.
static BEGUN: Mutex<Weak<Names>> = Mutex::new(Weak::new());

/// Of whoever tells its parent of its own end nothing is noted: that is told by the thousand.
pub(super) const NOT_NOTED: i32 = libc::SIGCHLD;

/// The names of senders are noted for as long as this is kept.
#[derive(Debug)]
pub(super) struct Names(Notes);

impl Names {
    /// Begins to note who sends signals.
    pub(super) fn noted() -> Option<Arc<Names>> {
        let mut begun = crate::sys::kept(&BEGUN)?;
        if let Some(names) = begun.upgrade() {
            return Some(names);
        }
        let names = Arc::new(Names::begin().ok()?);
        *begun = Arc::downgrade(&names);
        Some(names)
    }

    fn begin() -> std::io::Result<Names> {
        Notes::begin(c"signal_generate", NOT_NOTED).map(Names)
    }

    /// What that thread was called when it last sent a signal.
    pub(super) fn of(&self, thread: i32) -> Option<Then> {
        let (comm, uid) = self.0.of(thread)?;
        Some(Then { comm, uid })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stderr)] // a failure is the report
mod tests {
    use super::Names;

    /// Behind a perf event a tracepoint has room for 64 programs, those of other tools among them.
    #[test]
    fn names_are_noted_beside_any_number_of_others() {
        let first = match Names::begin() {
            Ok(first) => first,
            Err(error) => return eprintln!("skipped: {error}"),
        };
        let others: Vec<_> = (0..70).map(|_| Names::begin().unwrap()).collect();
        let thread = nix::unistd::gettid().as_raw();
        // It is ignored.
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGURG).unwrap();
        for names in [&first].into_iter().chain(&others) {
            let comm = names.of(thread).unwrap().comm;
            assert_eq!(comm, std::fs::read("/proc/thread-self/comm").unwrap().trim_ascii_end());
        }
    }
}

//! The victims and their call path, and who sent the signals that end processes, from the tracepoints `oom/mark_victim`,
//! `signal/signal_generate` and `signal/signal_deliver`.
//!
//! They are listened to by perf_event_open(2), which takes half a millisecond and leaves nothing behind whatever dies;
//! where that is not to be had (a filter of system calls, hidden symbols, more CPUs than descriptors), by a private
//! instance of tracefs. Both say the same.

mod instance;
mod layout;
mod perf;
pub(crate) mod text;
mod values;

use std::os::fd::BorrowedFd;

use serde::{Deserialize, Serialize};

use self::instance::TraceInstance;
use self::perf::Perf;
use super::callpath::Frame;
use super::signal::{Delivered, Signal};
use super::tracefs::Tracefs;
use crate::{Error, Result};

/// The event of a victim, in the task that asked for the memory.
const VICTIM: &str = "events/oom/mark_victim";
/// The event of a signal, in its sender.
const GENERATE: &str = "events/signal/signal_generate";
/// The event of a signal, in the thread that takes it.
const DELIVER: &str = "events/signal/signal_deliver";

/// Set to `instance` it says that perf_event_open(2) is not to be tried: for the tests of the other way.
const WAY: &str = "MEMOOM_TRACE";

/// Gives a name to an instance of tracefs, when everything is ready for its removal.
pub(crate) type Naming<'a> = &'a dyn Fn(&Tracefs) -> Result<String>;

/// The tracepoints, listened to in one way or the other.
#[derive(Debug)]
pub(crate) enum Trace {
    Perf(Perf),
    Instance(TraceInstance),
}

impl Trace {
    /// Begins to listen. `named` is asked only where an instance of tracefs has to be made.
    ///
    /// # Errors
    /// As [`Tracefs::find`]; `Unsupported` when the kernel has no such event; those of `named`.
    pub(crate) fn open(named: Naming<'_>) -> Result<Trace> {
        let mut refused = None;
        if std::env::var_os(WAY).is_none_or(|way| way != "instance") {
            match Perf::open() {
                Ok(perf) => return Ok(Trace::Perf(perf)),
                Err(error) => refused = Some(error),
            }
        }
        let instance = Tracefs::find().and_then(|tracefs| {
            let name = named(&tracefs)?;
            TraceInstance::create(&tracefs, &name)
        });
        instance.map(Trace::Instance).map_err(|error| match refused {
            Some(refused) => both(&refused, error),
            None => error,
        })
    }

    /// Makes ready for kills: what would take long when the first one comes is done now.
    pub(crate) fn expect_kills(&self) {
        if let Trace::Perf(perf) = self {
            perf.expect_kills();
        }
    }

    /// Why nothing is known of signals; `None` where they are listened to.
    pub(crate) fn signals_missing(&self) -> Option<&Error> {
        match self {
            Trace::Perf(perf) => perf.signals_missing(),
            Trace::Instance(instance) => instance.signals_missing(),
        }
    }

    /// The fds to poll: one becomes readable at a record, though not always a second time ([`Trace::has_news`]).
    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Trace::Perf(perf) => perf.fds(),
            Trace::Instance(instance) => instance.as_fd().into_iter().collect(),
        }
    }

    /// Whether there are fds that were not there when this was asked last: of a CPU that has come.
    pub(crate) fn take_grown(&mut self) -> bool {
        match self {
            Trace::Perf(perf) => perf.take_grown(),
            Trace::Instance(_) => false,
        }
    }

    /// Whether there are records of which the fd may have told somebody who did not read them. No system call.
    pub(crate) fn has_news(&self) -> bool {
        match self {
            Trace::Perf(perf) => perf.has_news(),
            // Its fd stays readable.
            Trace::Instance(_) => false,
        }
    }

    /// What has come since the last call, without waiting. What is not whole yet is kept for the next call.
    pub(crate) fn read(&mut self) -> Result<Vec<TraceItem>> {
        match self {
            Trace::Perf(perf) => perf.read(),
            Trace::Instance(instance) => instance.read(),
        }
    }

    /// The same, for the end: a victim whose stack never came is given without one.
    pub(crate) fn finish(&mut self) -> Result<Vec<TraceItem>> {
        match self {
            Trace::Perf(perf) => perf.read(),
            Trace::Instance(instance) => instance.finish(),
        }
    }
}

/// Neither way is open: the one that leaves nothing behind is what a remedy may open again, so both say why.
fn both(refused: &Error, error: Error) -> Error {
    let reason = format!("{error}; nor by perf_event_open: {refused}");
    let told = Error::new(error.kind(), "open tracepoints", &reason);
    match error.errno().and(error.concerned_path()) {
        Some(path) => told.path(path),
        None => told,
    }
}

/// One thing that the tracepoints told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TraceItem {
    /// A process was marked as a victim.
    Victim(TraceVictim),
    /// Somebody sent a signal that may end a process.
    Signal(Box<Signal>),
    /// A signal took effect that ends its process.
    Delivered(Delivered),
    /// The buffer of a CPU overflowed before it was read.
    Lost {
        /// The CPU.
        cpu: u32,
        /// How many events; `None` when the kernel does not know.
        events: Option<u64>,
    },
    /// The functions of the paths that came with this could not be named, and why.
    Nameless(String),
    /// Text that is no known record, so that nothing is dropped silently.
    Unparsed(Vec<u8>),
}

/// One `oom/mark_victim` event with the stack of the task that asked for the memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct TraceVictim {
    /// When, in CLOCK_MONOTONIC; of an instance in microseconds.
    pub(crate) time_ns: u64,
    /// The CPU of the invoker.
    pub(crate) cpu: u32,
    /// The thread whose charge went over the limit (a thread id).
    pub(crate) invoker_pid: i32,
    /// Its name; `<...>` when the kernel had not recorded it.
    #[serde(serialize_with = "crate::text::bytes", deserialize_with = "crate::text::from_bytes")]
    pub(crate) invoker_comm: Vec<u8>,
    /// The victim.
    pub(crate) pid: i32,
    /// This and the following: `None` on kernels whose event has only the pid.
    #[serde(serialize_with = "crate::text::maybe_bytes", deserialize_with = "crate::text::maybe_from_bytes")]
    pub(crate) comm: Option<Vec<u8>>,
    /// Address space.
    pub(crate) total_vm_bytes: Option<u64>,
    /// Resident anonymous memory.
    pub(crate) anon_rss_bytes: Option<u64>,
    /// Resident file pages.
    pub(crate) file_rss_bytes: Option<u64>,
    /// Resident shared memory.
    pub(crate) shmem_rss_bytes: Option<u64>,
    /// The user.
    pub(crate) uid: Option<u32>,
    /// Page tables.
    pub(crate) pgtables_bytes: Option<u64>,
    /// The victim's `oom_score_adj`.
    pub(crate) oom_score_adj: Option<i16>,
    /// How the invoker came to the kill, innermost first, without the tracing machinery; empty when the kernel
    /// gave no stack.
    pub(crate) call_path: Vec<Frame>,
}

#[cfg(test)]
mod tests;

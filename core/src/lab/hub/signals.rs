//! Who sent fatal signals to processes of the observed groups, read while the senders can still be read.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::State;
use crate::account::scene::Scene;
use crate::account::sign::Whose;
use crate::observe::author::{unit_of, Author, KilledBy};
use crate::observe::event::{EventKind, Source};
use crate::observe::signal::{Delivered, Origin, Signal};
use crate::observe::task::Proc;

/// Signals of our processes that are remembered.
const MOST_SENT: usize = 2048;

/// What the tracepoints of signals said of our processes.
#[derive(Default)]
pub(crate) struct Signals {
    sent: VecDeque<Sent>,
    delivered: VecDeque<(i32, Delivered)>,
    /// Why nothing is heard of signals.
    pub(crate) missing: Option<String>,
    /// When records were last lost.
    lost_ns: Option<u64>,
}

/// A signal and who sent it.
struct Sent {
    /// The process to which it was sent.
    target: i32,
    signal: i32,
    by: KilledBy,
}

impl State {
    /// Somebody sent a signal that may end one of our processes.
    pub(super) fn note_signal(&mut self, signal: Signal) {
        let proc = Proc::system();
        let target = match signal.whole_process && signal.origin() != Origin::Oom {
            true => signal.target,
            false => proc.process_of(signal.target).unwrap_or_else(|| self.collector.process_of(signal.target)),
        };
        let whose = self.world.whose(target, signal.time_ns);
        if whose == Whose::Strangers {
            return;
        }
        let by = self.author_of(&signal, target, &proc);
        if let (Whose::Ours(cgroup), libc::SIGKILL) = (&whose, signal.signal) {
            self.tell_killed(signal.time_ns, cgroup, target, by.clone());
        }
        self.signals.sent.push_back(Sent { target, signal: signal.signal, by });
        if self.signals.sent.len() > MOST_SENT {
            self.signals.sent.pop_front();
        }
    }

    /// A signal took effect that ends its process.
    pub(super) fn note_delivered(&mut self, delivered: Delivered) {
        let process = Proc::system().process_of(delivered.thread);
        let target = process.unwrap_or_else(|| self.collector.process_of(delivered.thread));
        let whose = self.world.whose(target, delivered.time_ns);
        if whose == Whose::Strangers {
            return;
        }
        self.signals.delivered.push_back((target, delivered));
        if self.signals.delivered.len() > MOST_SENT {
            self.signals.delivered.pop_front();
        }
        if let Whose::Ours(cgroup) = whose {
            let by = self.killed_by(target, delivered.signal, 0..=delivered.time_ns);
            self.tell_killed(delivered.time_ns, &cgroup, target, by);
        }
    }

    fn tell_killed(&mut self, time_ns: u64, cgroup: &str, pid: i32, killed_by: KilledBy) {
        let kind = EventKind::Killed { killed_by: Box::new(killed_by) };
        self.push(time_ns, Source::Tracefs, Some(cgroup), Some(pid), kind);
    }

    /// The supervisor's pid, while there is one.
    pub(crate) fn supervisor_pid(&self) -> Option<i32> {
        self.world.supervisor.as_ref().map(|supervisor| supervisor.pid())
    }

    /// Records of the trace were overwritten before they were read.
    pub(super) fn lost_signals(&mut self) {
        self.signals.lost_ns = Some(crate::sys::monotonic_ns());
    }

    /// Who sent this signal, by the way to it and by who stands there.
    fn author_of(&self, signal: &Signal, target: i32, proc: &Proc) -> KilledBy {
        let told =
            |by: Author| KilledBy { at_ns: Some(signal.time_ns), ..KilledBy::new(by, signal.signal).source("tracefs") };
        let origin = signal.origin();
        // The invoker of an OOM may be about to die of it: nothing of it is read.
        if origin == Origin::Oom {
            return told(Author::KernelOom);
        }
        let sender = proc.process_of(signal.sender).unwrap_or(signal.sender);
        let own = sender == target;
        match origin {
            Origin::Timer => told(Author::Itself).because("a timer that it had set ran out"),
            Origin::Kernel(reason) if own => match reason {
                Some(reason) => told(Author::Kernel).because(reason),
                None => told(Author::Kernel),
            },
            Origin::Call if own => KilledBy { pid: Some(sender), ..told(Author::Itself) },
            Origin::Kernel(reason) => {
                let by = self.with_sender(told(Author::Kernel), sender, signal, proc);
                KilledBy { reason: reason.map(str::to_string), ..by }
            }
            Origin::CgroupKill => self.with_sender(told(Author::CgroupKill), sender, signal, proc),
            Origin::Oom | Origin::Call => self.with_sender(told(Author::Process), sender, signal, proc),
        }
    }

    /// Adds what can still be read of the sender, and who that makes it.
    fn with_sender(&self, mut by: KilledBy, sender: i32, signal: &Signal, proc: &Proc) -> KilledBy {
        by.pid = Some(sender);
        if let Ok(Some(status)) = proc.status(sender) {
            by.comm = Some(status.comm);
            by.uid = status.uid;
        } else {
            // It has ended already; of a thread of it the name is no more than that of a thread.
            by.comm = signal.sender_comm.clone().filter(|_| sender == signal.sender);
        }
        let paths = proc.cgroups(sender).ok().flatten().unwrap_or_default();
        let text = |path: &Path| crate::text::escape(path.as_os_str().as_bytes());
        // A process late in its exit stands at the top of each hierarchy.
        by.group = paths.v1_memory.as_deref().or(paths.v2.as_deref()).map(text);
        let named = [&paths.systemd, &paths.v2, &paths.v1_memory].into_iter().flatten();
        by.unit = named.map(|path| text(path)).find_map(|path| unit_of(&path).map(str::to_string));
        if by.by == Author::Process || by.by == Author::CgroupKill {
            let known = by.comm.as_deref().and_then(|comm| Author::known(comm, by.unit.as_deref()));
            if let Some(known) = known {
                by.reason =
                    (by.by == Author::CgroupKill).then(|| "by cgroup.kill of a group that holds it".to_string());
                by.by = known;
            }
        }
        by
    }

    /// Who ended the process of that pid, which died by that signal, sent within that time. Only what the tracepoints said.
    pub(crate) fn killed_by(&self, pid: i32, signal: i32, within: RangeInclusive<u64>) -> KilledBy {
        if let Some(reason) = &self.signals.missing {
            return KilledBy::unknown(signal, reason.clone());
        }
        let delivered = self
            .signals
            .delivered
            .iter()
            .rev()
            .find(|(of, delivered)| *of == pid && delivered.signal == signal && within.contains(&delivered.time_ns))
            .map(|(_, delivered)| delivered);
        // Of the signals of that number the last one before it took effect; of SIGKILL there is but one that counts.
        let until = delivered.map_or(*within.end(), |delivered| delivered.time_ns);
        let in_time = |at_ns: u64| (*within.start()..=until).contains(&at_ns);
        let sent = self
            .signals
            .sent
            .iter()
            .rev()
            .find(|sent| sent.target == pid && sent.signal == signal && sent.by.at_ns.is_some_and(in_time));
        if let Some(sent) = sent {
            return sent.by.clone();
        }
        if let Some((delivered, origin)) = delivered.and_then(|one| Some((one, one.origin()?))) {
            let by = match origin {
                Origin::Timer => KilledBy::new(Author::Itself, signal).because("a timer that it had set ran out"),
                Origin::Kernel(Some(reason)) => KilledBy::new(Author::Kernel, signal).because(reason),
                _ => KilledBy::new(Author::Kernel, signal),
            };
            return KilledBy { at_ns: Some(delivered.time_ns), ..by.source("tracefs") };
        }
        let reason = match self.signals.lost_ns {
            Some(_) => "records of the trace were overwritten before they could be read",
            None if delivered.is_some() => {
                "a process sent it, and the sender of this signal is not traced (programs send it too often)"
            }
            None => "nobody was seen to send it: the kernel ends a process in this way by seccomp, or after a fault of its own",
        };
        KilledBy::unknown(signal, reason)
    }
}

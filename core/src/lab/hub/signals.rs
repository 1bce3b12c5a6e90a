//! Who sent fatal signals to processes of the observed groups, read while the senders can still be read.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::own::{own_pid, OwnSignals};
use super::State;
use crate::account::scene::Scene;
use crate::account::sign::{Sign, Whose};
use crate::helper::process::Process;
use crate::observe::author::{Author, KilledBy};
use crate::observe::event::{EventKind, Source};
use crate::observe::signal::{is_sent, Delivered, Origin, Signal};
use crate::observe::task::{Proc, TaskState};
use crate::observe::trace::TraceItem;

/// Signals of our processes that are remembered.
const MOST_SENT: usize = 2048;
/// A signal that has ended a process which nobody can look at any more was sent so short a time before.
const AT_ONCE_NS: u64 = 1_000_000_000;

/// What the tracepoints of signals said of our processes.
#[derive(Default)]
pub(crate) struct Signals {
    sent: VecDeque<Sent>,
    /// With the process, and whether the watches know of it.
    delivered: VecDeque<(i32, Delivered, bool)>,
    /// Where those stood that have told their parents of their end, of what is being read: the process, the group's number.
    stood: Vec<(i32, u64)>,
    /// Why nothing is heard of signals.
    pub(crate) missing: Option<String>,
    /// When records were last lost.
    lost_ns: Option<u64>,
    pub(super) own: OwnSignals,
}

/// A signal and who sent it.
struct Sent {
    /// The process to which it was sent.
    target: i32,
    comm: String,
    signal: i32,
    by: KilledBy,
    /// The watches know that its target has ended by it.
    told: bool,
}

impl Sent {
    fn is_older(&self, time_ns: u64, than_ns: u64) -> bool {
        self.by.at_ns.is_none_or(|at_ns| time_ns.saturating_sub(at_ns) > than_ns)
    }
}

impl Signals {
    /// Nothing is heard yet, or ever, for that reason.
    pub(super) fn new(missing: Option<String>) -> Signals {
        Signals { missing, ..Signals::default() }
    }

    /// Keeps where processes stood when they ended: of who has gone before it could be looked at nothing else tells.
    pub(super) fn hear_where(&mut self, items: &[TraceItem]) {
        let word = |item: &TraceItem| match item {
            TraceItem::Signal(signal) => signal.last_stood(),
            _ => None,
        };
        self.stood.clear();
        self.stood.extend(items.iter().filter_map(word));
    }
}

impl State {
    /// Somebody sent a signal that may end one of our processes, or a process says that one has ended it.
    pub(super) fn note_signal(&mut self, signal: Signal) {
        if signal.signal == libc::SIGCHLD {
            return self.note_last_word(&signal);
        }
        // Nothing is said of it: what tells of OOMs tells whether it was one.
        if signal.may_be_of_an_oom() {
            return;
        }
        let proc = Proc::system();
        self.note_own_signal(&signal, &proc);
        let target = match signal.whole_process && signal.origin() != Origin::Oom {
            true => signal.target,
            false => proc.process_of(signal.target).unwrap_or_else(|| self.collector.process_of(signal.target)),
        };
        let whose = self.world.whose(target, signal.time_ns);
        if whose == Whose::Strangers {
            return;
        }
        let by = self.author_of(&signal, target, &proc);
        let comm = crate::text::escape(&signal.target_comm);
        let mut sent = Sent { target, comm, signal: signal.signal, by, told: false };
        if signal.signal == libc::SIGKILL {
            if sent.by.by == Author::KernelOom {
                let (comm, invoker, time_ns) = (signal.target_comm.clone(), signal.sender, signal.time_ns);
                self.take(Sign::Signalled { pid: target, comm, invoker, time_ns, whose: whose.clone() });
            } else {
                self.note_kill(&signal, target, matches!(whose, Whose::Unknown | Whose::Unrelated));
            }
            sent.told = self.tell_killed(signal.time_ns, &whose, target, Some(sent.comm.clone()), sent.by.clone());
        }
        self.signals.sent.push_back(sent);
        if self.signals.sent.len() > MOST_SENT {
            self.signals.sent.pop_front();
        }
    }

    /// Somebody other than the OOM killer sent SIGKILL. `unknown` says that its target had gone: it may have been a
    /// thread of a worker.
    fn note_kill(&self, signal: &Signal, target: i32, unknown: bool) {
        let lived = |process: &Process| process.progress().exit.is_none_or(|exit| exit.time_ns >= signal.time_ns);
        for process in self.world.workers.values().filter(|process| lived(process)) {
            let mut progress = process.progress();
            progress.kill_sent |= process.pid == target;
            progress.kill_may_be_sent |= unknown && process.name == signal.target_comm;
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
        self.signals.delivered.push_back((target, delivered, false));
        if self.signals.delivered.len() > MOST_SENT {
            self.signals.delivered.pop_front();
        }
        let by = self.killed_by(target, delivered.signal, 0..=delivered.time_ns);
        let comm = self.last_sent(target).map(|sent| sent.comm.clone());
        let told = self.tell_killed(delivered.time_ns, &whose, target, comm, by);
        if let Some((_, _, known)) = self.signals.delivered.back_mut() {
            *known = told;
        }
    }

    /// A process has told its parent that a signal has ended it: so it is known of every signal, and where the process
    /// stood, when both it and whoever sent the signal have gone.
    fn note_last_word(&mut self, word: &Signal) {
        if !word.is_last_word() {
            return;
        }
        let proc = Proc::system();
        let pid = proc.process_of(word.sender).unwrap_or_else(|| self.collector.process_of(word.sender));
        let of_child = self.world.whose(pid, word.time_ns);
        let parents = || Some((self.ours(word.target, word.time_ns)?, "parent"));
        let placed = match of_child {
            Whose::Ours(cgroup) => Some((cgroup, "procfs")),
            Whose::Strangers => None,
            _ => self.stood_in(pid).or_else(parents),
        };
        let Some((cgroup, placed_by)) = placed else { return };
        if self.collector.is_unclaimed(pid) {
            let by_parent = placed_by == "parent";
            self.take(Sign::Stood { pid, cgroup: cgroup.clone(), by_parent, time_ns: word.time_ns });
        }
        // A process in its exit also speaks for the dead that it leaves behind: while it is there, its own end is asked for.
        let status = match proc.stat(pid) {
            Ok(Some(stat)) if matches!(stat.state, TaskState::Zombie | TaskState::Dead) => {
                Some(stat.wait_status & 0x7f)
            }
            _ => None,
        };
        let delivered = self.signals.delivered.iter().rev().find(|(of, ..)| *of == pid);
        if status == Some(0) || delivered.is_some_and(|(_, _, told)| *told) {
            return;
        }
        let by = match (self.last_sent(pid), status) {
            // Of one that was sent long before nobody knows whether it was handled.
            (Some(sent), None) if sent.signal != libc::SIGKILL && sent.is_older(word.time_ns, AT_ONCE_NS) => return,
            (Some(sent), status)
                if status.is_none_or(|signal| signal == sent.signal || sent.signal == libc::SIGKILL) =>
            {
                if sent.told {
                    return;
                }
                sent.by.clone()
            }
            (_, Some(signal)) => self.killed_by(pid, signal, 0..=word.time_ns),
            // Nobody was seen to send it one, and it says no more which it was.
            (_, None) => return,
        };
        let comm = self.last_sent(pid).map(|sent| sent.comm.clone());
        let comm = comm.or_else(|| word.sender_comm.as_deref().map(crate::text::escape));
        self.place_killed(word.time_ns, &cgroup, placed_by, pid, comm, by);
        if let Some(sent) = self.signals.sent.iter_mut().rev().find(|sent| sent.target == pid) {
            sent.told = true;
        }
    }

    /// What was sent to a process last, or the SIGKILL that it was sent.
    fn last_sent(&self, pid: i32) -> Option<&Sent> {
        let to_it = || self.signals.sent.iter().rev().filter(|sent| sent.target == pid);
        to_it().find(|sent| sent.signal == libc::SIGKILL).or_else(|| to_it().next())
    }

    /// Tells of a process of ours, and whether it could. One that had gone before it could be looked at is taken for one
    /// where the sender is: it is mostly its parent that kills a process and reaps it at once.
    fn tell_killed(
        &mut self,
        time_ns: u64,
        whose: &Whose,
        pid: i32,
        comm: Option<String>,
        killed_by: KilledBy,
    ) -> bool {
        let seen = || {
            let group = self.collector.seen_in(pid, time_ns).filter(|group| self.observes(group))?;
            Some((group.to_string(), "seen"))
        };
        let senders = || Some((self.ours(killed_by.pid?, time_ns)?, "sender"));
        let placed = match whose {
            Whose::Ours(cgroup) => Some((cgroup.clone(), "procfs")),
            _ => self.stood_in(pid).or_else(seen).or_else(senders),
        };
        let Some((cgroup, placed_by)) = placed else { return false };
        self.place_killed(time_ns, &cgroup, placed_by, pid, comm, killed_by);
        true
    }

    fn place_killed(
        &mut self,
        time_ns: u64,
        cgroup: &str,
        placed_by: &'static str,
        pid: i32,
        comm: Option<String>,
        killed_by: KilledBy,
    ) {
        let kind = EventKind::Killed { comm, placed_by, killed_by: Box::new(killed_by) };
        self.push(time_ns, Source::Tracefs, Some(cgroup), Some(pid), kind);
    }

    /// The group of ours in which a process stood at its end, by its own last word; and how that is known.
    fn stood_in(&self, pid: i32) -> Option<(String, &'static str)> {
        let (_, number) = self.signals.stood.iter().find(|(of, _)| *of == pid)?;
        Some((self.world.group_of_number(*number)?, "tracefs"))
    }

    fn observes(&self, cgroup: &str) -> bool {
        self.world.groups.cover(cgroup)
    }

    /// The group of a process, where that is one of ours.
    fn ours(&self, pid: i32, time_ns: u64) -> Option<String> {
        match self.world.whose(pid, time_ns) {
            Whose::Ours(cgroup) => Some(cgroup),
            _ => None,
        }
    }

    /// The supervisor's pid, while there is one.
    pub(crate) fn supervisor_pid(&self) -> Option<i32> {
        self.world.supervisor.as_ref().map(|supervisor| supervisor.pid())
    }

    /// Records of the trace were overwritten before they were read.
    pub(super) fn lost_signals(&mut self) {
        self.signals.lost_ns = Some(crate::sys::monotonic_ns());
        for process in self.world.workers.values() {
            process.progress().kill_may_be_sent = true;
        }
    }

    /// Who sent this signal, by the way to it and by who stands there.
    pub(super) fn author_of(&self, signal: &Signal, target: i32, proc: &Proc) -> KilledBy {
        let told =
            |by: Author| KilledBy { at_ns: Some(signal.time_ns), ..KilledBy::new(by, signal.signal).source("tracefs") };
        let origin = signal.origin();
        // The invoker of an OOM may be about to die of it: nothing of it is read.
        if origin == Origin::Oom {
            return told(Author::KernelOom);
        }
        let sender = signal.sender_process.or_else(|| proc.process_of(signal.sender)).unwrap_or(signal.sender);
        let own = sender == target;
        match origin {
            Origin::Kernel(Some(reason)) => told(Author::Kernel).because(reason),
            Origin::Kernel(None) => told(Author::Kernel),
            Origin::Follows(reason) if own => told(Author::Kernel).because(reason),
            // The event names its target, so nothing need be read of a process that is about to be gone.
            Origin::Call if own => {
                let comm = Some(signal.target_comm.clone());
                let reason = self.sent_before(target, signal.signal);
                KilledBy { pid: Some(sender), comm, reason, ..told(Author::Itself) }
            }
            Origin::Follows(reason) => self.with_sender(told(Author::Kernel), sender, signal, proc).because(reason),
            Origin::CgroupKill => self.with_sender(told(Author::CgroupKill), sender, signal, proc),
            Origin::Call if Some(sender) == own_pid() => {
                match self.passed_on(target, signal.signal, Some(signal.time_ns)) {
                    Some(by) => KilledBy { at_ns: Some(signal.time_ns), ..by.source("tracefs") },
                    None => self.with_sender(told(Author::Process), sender, signal, proc),
                }
            }
            Origin::Oom | Origin::Call => self.with_sender(told(Author::Process), sender, signal, proc),
        }
    }

    /// Who sent a process a signal that it now sends to itself: shells and interpreters handle it and end by it all the same.
    fn sent_before(&self, target: i32, signal: i32) -> Option<String> {
        let same = |sent: &&Sent| sent.target == target && sent.signal == signal && sent.by.by != Author::Itself;
        let before = self.signals.sent.iter().rev().find(same)?;
        Some(format!("it had been sent the same before, by {}", before.by.to_text()))
    }

    /// Adds what can still be read of the sender, and who that makes it.
    fn with_sender(&self, mut by: KilledBy, sender: i32, signal: &Signal, proc: &Proc) -> KilledBy {
        by.pid = Some(sender);
        let then = signal.sender_then.as_ref();
        if let Ok(Some(status)) = proc.status(sender) {
            // It may have executed another program since.
            let first = then.filter(|_| signal.sender == sender).map(|then| then.comm.clone());
            by.comm = Some(first.unwrap_or(status.comm));
            by.uid = then.map(|then| then.uid).or(status.uid);
        } else {
            by.comm = then.map(|then| then.comm.clone()).or_else(|| signal.sender_comm.clone());
            by.uid = then.map(|then| then.uid);
            by.reason = Some(match signal.sender_process {
                Some(_) => "it had ended before it could be looked at".to_string(),
                None => "it had ended before it could be looked at, and this is its thread or its pid".to_string(),
            });
        }
        self.place_sender(&mut by, sender, proc);
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
            .find(|(of, one, _)| *of == pid && one.signal == signal && within.contains(&one.time_ns))
            .map(|(_, delivered, _)| delivered);
        if let Some(fault) = delivered.and_then(Delivered::fault) {
            let by = KilledBy::new(Author::Kernel, signal).because(fault);
            return KilledBy { at_ns: delivered.map(|one| one.time_ns), ..by.source("tracefs") };
        }
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
        if let Some(delivered) = delivered.filter(|one| one.is_the_kernels()) {
            let by = KilledBy::new(Author::Kernel, signal).source("tracefs");
            return KilledBy { at_ns: Some(delivered.time_ns), ..by };
        }
        let reason = match self.signals.lost_ns {
            Some(_) => "records of the trace were overwritten before they could be read",
            None if !is_sent(signal) => "no call was seen to send it, and the kernel's own timers and queues are not traced",
            None => "nobody was seen to send it: the kernel ends a process in this way by seccomp, or after a fault of its own",
        };
        KilledBy::unknown(signal, reason)
    }
}

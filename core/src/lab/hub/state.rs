//! What the hub knows, and what a record of the kernel changes in it.

use std::sync::Arc;

use super::State;
use crate::account::oom::{Blocked, Oom};
use crate::account::scene::Scene;
use crate::account::sign::{Sign, Told, Whose};
use crate::error::{ErrorKind, Result};
use crate::helper::process::Process;
use crate::lab::hub::backlog::Cursor;
use crate::memcg::cgroup::pause::{self, Change};
use crate::memcg::cgroup::Cgroup;
use crate::observe::event::{Event, EventKind, Source};
use crate::observe::kmsg::{Item, Record};
use crate::observe::task::Proc;
use crate::observe::trace::{Trace, TraceItem};
use crate::sys;

impl State {
    /// Tells the collector, which may ask this machine what it wants to know beside.
    pub(crate) fn take(&mut self, sign: Sign) -> Told {
        let Some(recorder) = &mut self.recorder else { return self.collector.take(sign, &self.world) };
        let (told, written) = recorder.take(&mut self.collector, sign, &self.world);
        if let Err(error) = written {
            // Half a recording is one too; that it ends here is said once.
            self.recorder = None;
            self.miss("recording", format!("it ends early: {error}"));
        }
        told
    }

    pub(crate) fn push(
        &mut self,
        time_ns: u64,
        source: Source,
        group: Option<&str>,
        pid: Option<i32>,
        kind: EventKind,
    ) {
        self.events.push(Event { time_ns, source, group: group.map(str::to_string), pid, kind });
    }

    /// Nobody will ask again: victims whose stack never came are taken without, and kills that nobody could place get an
    /// account that says so.
    pub(super) fn conclude(&mut self) {
        let items = self.trace.as_mut().map(Trace::finish);
        self.take_trace(items.unwrap_or_else(|| Ok(Vec::new())));
        self.take(Sign::Concludes { cgroup: None });
    }

    /// The same for one group that has gone.
    pub(super) fn conclude_group(&mut self, cgroup: &str) {
        self.read_trace();
        self.read_log();
        self.take(Sign::Concludes { cgroup: Some(cgroup.to_string()) });
    }

    /// The tracepoint is read before the log.
    pub(super) fn read_trace(&mut self) {
        self.take(Sign::Reading);
        let Some(trace) = &mut self.trace else { return };
        let items = trace.read();
        self.take_trace(items);
    }

    pub(super) fn take_trace(&mut self, items: Result<Vec<TraceItem>>) {
        let items = match items {
            Ok(items) => items,
            Err(error) => {
                self.miss("tracefs", error.to_string());
                return;
            }
        };
        self.signals.hear_where(&items);
        for item in items {
            match item {
                TraceItem::Victim(mut victim) => {
                    // The trace's own table of names may have none, or one from before the worker got its name.
                    let ours = |process: &Arc<Process>| process.pid == victim.invoker_pid && process.channel.is_some();
                    if victim.invoker_comm == b"<...>" || self.world.workers.values().any(ours) {
                        victim.invoker_comm = self.name_of(victim.invoker_pid);
                    }
                    if let Some(process) = Proc::system().process_of(victim.pid) {
                        if process != victim.pid {
                            self.take(Sign::Thread { thread: victim.pid, process });
                        }
                    }
                    victim.pid = self.collector.process_of(victim.pid);
                    let whose = self.world.whose(victim.pid, victim.time_ns);
                    if let Whose::Ours(cgroup) = &whose {
                        let kind = EventKind::Victim {
                            comm: victim.comm.as_deref().map(crate::text::escape),
                            invoker_pid: victim.invoker_pid,
                            invoker_comm: crate::text::escape(&victim.invoker_comm),
                            call_path: victim.call_path.clone(),
                        };
                        self.push(victim.time_ns, Source::Tracefs, Some(cgroup), Some(victim.pid), kind);
                    }
                    self.take(Sign::Traced { victim: Box::new(victim), whose });
                }
                TraceItem::Signal(signal) => self.note_signal(*signal),
                TraceItem::Delivered(delivered) => self.note_delivered(delivered),
                TraceItem::Lost { events, .. } => {
                    self.lost_signals();
                    let count = events.unwrap_or(1);
                    self.push(sys::monotonic_ns(), Source::Tracefs, None, None, EventKind::Lost { count });
                    self.take(Sign::Lost { source: "tracefs", count });
                }
                TraceItem::Nameless(reason) => self.miss("tracefs", reason),
                TraceItem::Unparsed(text) => {
                    let reason = format!("a line could not be read: {}", crate::error::printable(&text, 200));
                    self.miss("tracefs", reason);
                }
            }
        }
    }

    pub(super) fn read_log(&mut self) {
        let Some(log) = &mut self.log else { return };
        let mut records: Vec<Record> = Vec::new();
        let mut lost = 0;
        loop {
            match log.read() {
                Ok(Some(Item::Record(record))) => records.push(record),
                Ok(Some(Item::Lost(count))) => lost += count,
                Ok(None) => break,
                Err(error) => {
                    self.miss("kernel-log", error.to_string());
                    break;
                }
            }
        }
        if lost > 0 {
            self.push(sys::monotonic_ns(), Source::KernelLog, None, None, EventKind::Lost { count: lost });
            self.take(Sign::Lost { source: "kernel-log", count: lost });
        }
        if !records.is_empty() || self.collector.looks_again() {
            let claimed = self.take(Sign::Logged { records }).records;
            let now = sys::monotonic_ns();
            for (group, record) in claimed {
                let kind = EventKind::Log { sequence: record.sequence, text: crate::text::escape(&record.text) };
                self.push(now, Source::KernelLog, group.as_deref(), None, kind);
            }
        }
    }

    /// The name of a process: our worker's, or what /proc says; empty when it has gone.
    pub(super) fn name_of(&self, pid: i32) -> Vec<u8> {
        match self.world.workers.values().rev().find(|process| process.pid == pid && process.channel.is_some()) {
            Some(process) => process.name.clone(),
            None => Proc::system().stat(pid).ok().flatten().map(|stat| stat.comm).unwrap_or_default(),
        }
    }

    pub(super) fn seal(&mut self) {
        self.take(Sign::Seal);
    }

    /// Turns what is complete into accounts.
    pub(super) fn settle(&mut self) {
        let ooms = self.take(Sign::Settle).ooms;
        for oom in ooms {
            let met = oom.limit_group.as_deref().and_then(|cgroup| self.world.groups.at(cgroup));
            if let Some(group) = met.map(|observed| observed.group.clone()) {
                self.sample(&group);
            }
            let oom = self.ooms.push(oom);
            self.tell_victims(&oom);
        }
    }

    /// A worker keeps the account of its own death, however long ago that was when it is asked.
    fn tell_victims(&mut self, oom: &Arc<Oom>) {
        for victim in &oom.victims {
            if let Some(process) = self.world.workers.values().rev().find(|process| process.pid == victim.pid) {
                self.deaths.insert(process.id, oom.clone());
            }
        }
    }

    /// Whether somebody is about to wait in an OOM (v1), or a group is told to block that the kernel does not block itself (v2).
    pub(super) fn looks_for_blocks(&self) -> bool {
        self.expects_waits()
            || pause::are_there() && self.world.groups.values().any(|observed| observed.group.looks_for_block())
    }

    /// Looks who waits (v1), and at the groups that are told to block: who met the limit is stopped (v2).
    pub(super) fn look_for_blocks(&mut self) {
        self.look_for_waits();
        if !pause::are_there() {
            return;
        }
        let looking = self.world.groups.values().filter(|observed| observed.group.looks_for_block());
        for group in looking.map(|observed| observed.group.clone()).collect::<Vec<_>>() {
            match group.look_for_block() {
                Ok(Change::None) => {}
                Ok(Change::Blocked) => {
                    let kind = EventKind::Setting { file: "cgroup.freeze".to_string(), value: "1".to_string() };
                    self.push(sys::monotonic_ns(), Source::Memoom, Some(group.cgroup()), None, kind);
                    self.sample_usage(&group);
                    self.tell_stopped(&group);
                }
                // The group may be removed meanwhile; what else fails is seen by the call that asks for it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => self.miss("block", error.to_string()),
            }
        }
    }

    /// A watch that is rung whenever there is news.
    pub(crate) fn add_watch(&mut self, cursor: &Arc<Cursor>) {
        self.watches.push(Arc::downgrade(cursor));
    }

    /// The groups that are observed and not removed.
    pub(crate) fn living_groups(&self) -> impl Iterator<Item = &Arc<Cgroup>> {
        self.world.groups.values().filter(|observed| !observed.removed).map(|observed| &observed.group)
    }

    pub(crate) fn ring(&mut self) {
        self.watches.retain(|watch| match watch.upgrade() {
            Some(cursor) => {
                let _ = cursor.bell.write(1);
                true
            }
            None => false,
        });
    }

    /// A worker has come to rest in the OOM of its group: an account of its own, as nobody dies.
    pub(crate) fn tell_blocked(&mut self, group: &Arc<Cgroup>, blocked: Blocked) {
        let kind =
            EventKind::Blocked { state: blocked.state, wchan: blocked.wchan.clone(), stack: blocked.stack.clone() };
        self.push(sys::monotonic_ns(), Source::Procfs, Some(group.cgroup()), Some(blocked.pid), kind);
        let told = self.take(Sign::Blocked { cgroup: group.cgroup().to_string(), blocked });
        for oom in told.ooms {
            self.ooms.push(oom);
        }
        self.ring();
    }
}

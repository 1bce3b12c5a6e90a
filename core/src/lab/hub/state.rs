//! What the hub knows, and what a record of the kernel changes in it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::{State, MOST_GENERATIONS};
use crate::account::collect::{Last, Whose};
use crate::account::oom::Blocked;
use crate::error::{ErrorKind, Result};
use crate::helper::process::Process;
use crate::lab::hub::backlog::Cursor;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::pause::Change;
use crate::memcg::version::Version;
use crate::observe::event::{Event, EventKind, Source};
use crate::observe::kmsg::{Item, Record};
use crate::observe::missing::Missing;
use crate::observe::task::Proc;
use crate::observe::trace::{TraceInstance, TraceItem};
use crate::sys;

impl State {
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
        let items = self.trace.as_mut().map(TraceInstance::finish);
        self.take_trace(items.unwrap_or_else(|| Ok(Vec::new())));
        let mut collector = std::mem::take(&mut self.collector);
        collector.claim(self, Last::Of(None));
        self.collector = collector;
    }

    /// The same for one group that has gone.
    pub(super) fn conclude_group(&mut self, cgroup: &str) {
        self.read_trace();
        self.read_log();
        let mut collector = std::mem::take(&mut self.collector);
        collector.claim(self, Last::Of(Some(cgroup)));
        collector.hurry(cgroup);
        self.collector = collector;
    }

    /// The tracepoint is read before the log.
    pub(super) fn read_trace(&mut self) {
        self.collector.reads();
        let Some(trace) = &mut self.trace else { return };
        let items = trace.read();
        self.take_trace(items);
    }

    pub(super) fn take_trace(&mut self, items: Result<Vec<TraceItem>>) {
        let items = match items {
            Ok(items) => items,
            Err(error) => {
                self.missing.push(Missing::new("tracefs", error.to_string()));
                return;
            }
        };
        for item in items {
            match item {
                TraceItem::Victim(mut victim) => {
                    // The trace's own table of names may have none, or one from before the worker got its name.
                    let ours = |process: &Arc<Process>| process.pid == victim.invoker_pid && process.channel.is_some();
                    if victim.invoker_comm == b"<...>" || self.workers.values().any(ours) {
                        victim.invoker_comm = self.name_of(victim.invoker_pid);
                    }
                    if let Some(process) = Proc::system().process_of(victim.pid) {
                        if process != victim.pid {
                            self.collector.note_thread(victim.pid, process);
                        }
                    }
                    victim.pid = self.collector.process_of(victim.pid);
                    let whose = self.whose(victim.pid, victim.time_ns);
                    if let Whose::Ours(cgroup) = &whose {
                        let kind = EventKind::Victim {
                            comm: victim.comm.as_deref().map(crate::text::escape),
                            invoker_pid: victim.invoker_pid,
                            invoker_comm: crate::text::escape(&victim.invoker_comm),
                            call_path: victim.call_path.clone(),
                        };
                        self.push(victim.time_ns, Source::Tracefs, Some(cgroup), Some(victim.pid), kind);
                    }
                    self.collector.traced(victim, whose);
                }
                TraceItem::Lost { events, .. } => {
                    let count = events.unwrap_or(1);
                    self.push(sys::monotonic_ns(), Source::Tracefs, None, None, EventKind::Lost { count });
                    self.collector.lost("tracefs", count);
                }
                TraceItem::Unparsed(text) => {
                    let reason = format!("a line could not be read: {}", crate::error::printable(&text, 200));
                    self.missing.push(Missing::new("tracefs", reason));
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
                    self.missing.push(Missing::new("kernel-log", error.to_string()));
                    break;
                }
            }
        }
        if lost > 0 {
            self.push(sys::monotonic_ns(), Source::KernelLog, None, None, EventKind::Lost { count: lost });
            self.collector.lost("kernel-log", lost);
        }
        let again = self.collector.looks_again();
        if !records.is_empty() || again {
            let known: Vec<(i32, String)> =
                self.workers.values().map(|process| (process.pid, process.group.cgroup().to_string())).collect();
            let tops = self.tops();
            let claimed = self.collector.logged(records, &tops, &|pid| {
                known.iter().find(|(known, _)| *known == pid).map(|(_, group)| group.clone())
            });
            let now = sys::monotonic_ns();
            for (group, record) in claimed {
                let kind = EventKind::Log { sequence: record.sequence, text: crate::text::escape(&record.text) };
                self.push(now, Source::KernelLog, group.as_deref(), None, kind);
            }
        }
    }

    /// The groups that are observed: an OOM counts if it struck in one of them or below.
    pub(super) fn tops(&self) -> Vec<String> {
        self.groups.values().map(|observed| observed.group.cgroup().to_string()).collect()
    }

    /// The name of a process: our worker's, or what /proc says; empty when it has gone.
    pub(super) fn name_of(&self, pid: i32) -> Vec<u8> {
        match self.workers.values().rev().find(|process| process.pid == pid && process.channel.is_some()) {
            Some(process) => process.name.clone(),
            None => Proc::system().stat(pid).ok().flatten().map(|stat| stat.comm).unwrap_or_default(),
        }
    }

    /// Where /proc says that a process stands.
    pub(crate) fn group_by_proc(&self, pid: i32) -> Option<String> {
        use std::os::unix::ffi::OsStrExt;
        let version = self.groups.values().next()?.group.version();
        let paths = Proc::system().cgroups(pid).ok()??;
        let path = match version {
            Version::V1 => paths.v1_memory,
            Version::V2 => paths.v2,
        };
        path.map(|path| crate::text::escape(path.as_os_str().as_bytes()))
    }

    /// In whose group a process stands that was marked at that time: our worker's, or what /proc says while the process
    /// is there.
    pub(crate) fn whose(&self, pid: i32, time_ns: u64) -> Whose {
        // A pid may belong to another process since its first owner was reaped.
        let still = |process: &Process| process.progress().exit.is_none_or(|exit| exit.time_ns >= time_ns);
        let worker =
            |pid: i32| self.workers.values().rev().find(|process| process.pid == pid).filter(|process| still(process));
        if let Some(process) = worker(pid) {
            return Whose::Ours(process.group.cgroup().to_string());
        }
        if self.groups.values().next().is_none() {
            return Whose::Unknown;
        }
        let proc = Proc::system();
        match self.group_by_proc(pid) {
            Some(cgroup) if self.groups.values().any(|observed| observed.group.covers(&cgroup)) => {
                return Whose::Ours(cgroup)
            }
            // A process late in its exit stands at the top of the hierarchy, wherever it stood before.
            Some(cgroup) if cgroup != "/" => return Whose::Strangers,
            _ => {}
        }
        // It stood where the worker stands of which it descends: nobody else has moved it.
        let mut at = pid;
        for _ in 0..MOST_GENERATIONS {
            if self.orphans.get(&at).is_some_and(|reaped_ns| *reaped_ns >= time_ns) {
                return Whose::OursSomewhere;
            }
            match proc.stat(at) {
                Ok(Some(stat)) if stat.ppid > 1 => at = stat.ppid,
                _ => break,
            }
            if let Some(process) = worker(at) {
                return Whose::Ours(process.group.cgroup().to_string());
            }
            if self.supervisor.as_ref().is_some_and(|supervisor| supervisor.pid() == at) {
                return Whose::OursSomewhere;
            }
        }
        Whose::Unknown
    }

    pub(super) fn seal(&mut self) {
        let mut collector = std::mem::take(&mut self.collector);
        collector.seal(self);
        self.collector = collector;
    }

    /// Turns what is complete into accounts; gives back the pidfds that need no more watching.
    pub(super) fn settle(&mut self) -> Vec<(OwnedFd, u64)> {
        let mut collector = std::mem::take(&mut self.collector);
        let (ooms, done) = collector.settle(self);
        self.collector = collector;
        for oom in ooms {
            let is_met = |group: &&Arc<Cgroup>| Some(group.cgroup()) == oom.limit_group.as_deref();
            let met = self.groups.values().map(|observed| &observed.group).find(is_met).cloned();
            if let Some(group) = met {
                self.sample(&group);
            }
            self.ooms.push(oom);
        }
        done
    }

    /// Whether a group is told to block that the kernel does not block itself (v2).
    pub(super) fn looks_for_blocks(&self) -> bool {
        self.groups.values().any(|observed| observed.group.looks_for_block())
    }

    /// Looks at the groups that are told to block: who met the limit is stopped.
    pub(super) fn look_for_blocks(&mut self) {
        let looking = self.groups.values().filter(|observed| observed.group.looks_for_block());
        for group in looking.map(|observed| observed.group.clone()).collect::<Vec<_>>() {
            match group.look_for_block() {
                Ok(Change::None) => {}
                Ok(Change::Blocked) => {
                    let kind = EventKind::Setting { file: "cgroup.freeze".to_string(), value: "1".to_string() };
                    self.push(sys::monotonic_ns(), Source::Memoom, Some(group.cgroup()), None, kind);
                    self.sample_usage(&group);
                }
                // The group may be removed meanwhile; what else fails is seen by the call that asks for it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => self.missing.push(Missing::new("block", error.to_string())),
            }
        }
    }

    /// A watch that is rung whenever there is news.
    pub(crate) fn add_watch(&mut self, cursor: &Arc<Cursor>) {
        self.watches.push(Arc::downgrade(cursor));
    }

    /// The groups that are observed and not removed.
    pub(crate) fn living_groups(&self) -> impl Iterator<Item = &Arc<Cgroup>> {
        self.groups.values().filter(|observed| !observed.removed).map(|observed| &observed.group)
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
        let oom = self.collector.blocked(group, blocked, &self.missing);
        self.ooms.push(oom);
        self.ring();
    }
}

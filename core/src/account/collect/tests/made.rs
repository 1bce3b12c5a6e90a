//! A world that is made up, and a collector in it that is told signs one by one.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use super::{mark, KILLED};
use crate::account::collect::Collector;
use crate::account::oom::{Oom, SwapUse};
use crate::account::scene::{GroupSeen, Scene, WorkerSeen};
use crate::account::sign::{Sign, Whose};
use crate::account::victim::Input;
use crate::map::Map;
use crate::memcg::contents::{Below, Contents};
use crate::memcg::version::Version;
use crate::memcg::workload::Named;
use crate::memcg::{Counters, Limit, Stat};
use crate::observe::kmsg::Record;
use crate::observe::missing::Missing;

pub(super) const LAB: &str = "/memoom-1";
pub(super) const G: &str = "/memoom-1/g";
pub(super) const OTHER: &str = "/memoom-1/other";
pub(super) const MS: Duration = Duration::from_millis(1);

/// A group that is made up.
pub(super) struct Group {
    pub(super) cgroup: String,
    pub(super) counters: Result<Counters, String>,
    pub(super) limit: Result<Limit, String>,
    pub(super) oom_group: bool,
    pub(super) left: bool,
    pub(super) removed: bool,
}

/// A world that answers what it was told to.
pub(in crate::account::collect) struct Made {
    pub(super) version: Version,
    pub(super) now_ns: Cell<u64>,
    pub(super) groups: RefCell<Vec<Group>>,
    pub(super) workers: RefCell<Vec<WorkerSeen>>,
    pub(super) orphans: RefCell<Vec<i32>>,
    /// Processes that have ended, and those that had gone before anybody could hold on to them.
    pub(super) ended: RefCell<Vec<i32>>,
    pub(super) gone: RefCell<Vec<i32>>,
    pub(super) threads: RefCell<Map<i32, i32>>,
    pub(super) begun: RefCell<Vec<u64>>,
    /// Whose counters were read.
    pub(super) read: RefCell<Vec<String>>,
}

impl Made {
    /// In which nothing has happened yet.
    pub(in crate::account::collect) fn of(version: Version) -> Made {
        Made {
            version,
            now_ns: Cell::new(1_000_000_000),
            groups: RefCell::default(),
            workers: RefCell::default(),
            orphans: RefCell::default(),
            ended: RefCell::default(),
            gone: RefCell::default(),
            threads: RefCell::default(),
            begun: RefCell::default(),
            read: RefCell::default(),
        }
    }

    pub(super) fn with<T>(&self, cgroup: &str, of: impl FnOnce(&mut Group) -> T) -> Option<T> {
        self.groups.borrow_mut().iter_mut().find(|group| group.cgroup == cgroup).map(of)
    }
}

impl Scene for Made {
    fn now_ns(&self) -> u64 {
        // No two readings of a clock are the same.
        self.now_ns.set(self.now_ns.get() + 1);
        self.now_ns.get()
    }
    fn page_bytes(&self) -> u64 {
        4096
    }
    fn cpus(&self) -> u64 {
        2
    }
    fn groups(&self) -> Arc<Vec<GroupSeen>> {
        let seen =
            |group: &Group| GroupSeen { cgroup: group.cgroup.clone(), version: self.version, removed: group.removed };
        Arc::new(self.groups.borrow().iter().map(seen).collect())
    }
    fn chain(&self, cgroup: &str) -> Vec<String> {
        vec![cgroup.to_string()]
    }
    fn counters(&self, cgroup: &str) -> Result<Counters, String> {
        self.read.borrow_mut().push(cgroup.to_string());
        self.with(cgroup, |group| group.counters.clone()).unwrap_or_else(|| Err("it is not there".to_string()))
    }
    fn below(&self, _: &str) -> Vec<Below> {
        Vec::new()
    }
    fn swap(&self, _: &str) -> Option<SwapUse> {
        None
    }
    fn named(&self, _: &str) -> Option<Named> {
        None
    }
    fn contents(&self, _: &str) -> Option<Contents> {
        None
    }
    fn limit(&self, cgroup: &str) -> Result<Limit, String> {
        self.with(cgroup, |group| group.limit.clone()).unwrap_or_else(|| Err("it is not there".to_string()))
    }
    fn oom_group(&self, cgroup: &str) -> bool {
        self.with(cgroup, |group| group.oom_group).unwrap_or(false)
    }
    fn has_left(&self, cgroup: &str) -> bool {
        self.with(cgroup, |group| group.left).unwrap_or(false)
    }
    fn living(&self, _: &str) -> Vec<Input> {
        Vec::new()
    }
    fn pss_bytes(&self, _: i32) -> Option<u64> {
        None
    }
    fn workers(&self) -> Vec<WorkerSeen> {
        self.workers.borrow().clone()
    }
    fn is_orphan(&self, pid: i32) -> bool {
        self.orphans.borrow().contains(&pid)
    }
    fn missing(&self) -> Vec<Missing> {
        Vec::new()
    }
    fn follow(&self, pid: i32) -> bool {
        !self.gone.borrow().contains(&pid)
    }
    fn has_ended(&self, pid: i32) -> bool {
        self.ended.borrow().contains(&pid)
    }
    fn let_go(&self, _: i32) {}
    fn whose(&self, _: i32, _: u64) -> Whose {
        Whose::Unknown
    }
    fn group_of(&self, _: i32) -> Option<String> {
        None
    }
    fn process_of(&self, thread: i32) -> Option<i32> {
        Some(self.threads.borrow().get(&thread).copied().unwrap_or(thread))
    }
    fn comm_of(&self, _: i32) -> Vec<u8> {
        Vec::new()
    }
    fn reports_begun(&self) -> Vec<u64> {
        self.begun.borrow().clone()
    }
    fn is_ending(&self, pid: i32) -> bool {
        self.ended.borrow().contains(&pid)
    }
    fn is_dying(&self, pid: i32) -> bool {
        self.ended.borrow().contains(&pid)
    }
}

/// A collector in such a world, with the readings that a hub makes.
pub(super) struct Play {
    pub(super) collector: Collector,
    pub(super) world: Made,
    pub(super) sequence: u64,
}

impl Play {
    pub(super) fn of(collector: Collector, version: Version) -> Play {
        let world = Made::of(version);
        let mut play = Play { collector, world, sequence: 0 };
        play.tell(Sign::Begins { whole: true });
        play
    }

    /// With log and tracepoint, and one group.
    pub(super) fn new() -> Play {
        let mut play = Play::of(Collector::new(true, true), Version::V2);
        play.group(G);
        play
    }

    pub(super) fn tell(&mut self, sign: Sign) -> Vec<Oom> {
        self.collector.take(sign, &self.world).ooms
    }

    pub(super) fn group(&mut self, cgroup: &str) {
        let own = Stat::from_iter([("oom_kill", 0), ("oom", 0)]);
        let counters = Counters { oom_kill: Some(0), local: own, ..Counters::default() };
        self.world.groups.borrow_mut().push(Group {
            cgroup: cgroup.to_string(),
            counters: Ok(counters.clone()),
            limit: Ok(Limit::Bytes(64 << 20)),
            oom_group: false,
            left: false,
            removed: false,
        });
        self.tell(Sign::Began { cgroup: cgroup.to_string(), counters: Some(counters) });
        self.tell(Sign::Before { cgroup: cgroup.to_string(), scope: None });
    }

    pub(super) fn worker(&mut self, pid: i32, cgroup: &str) {
        let id = self.world.workers.borrow().len() as u64;
        self.world.workers.borrow_mut().push(WorkerSeen {
            id,
            pid,
            name: b"hog".to_vec(),
            interpreter: None,
            group: cgroup.to_string(),
            oom_score_adj: 0,
            is_ours: false,
            forked: false,
            exit: None,
            killed_by_us: false,
            kill_sent: None,
            abandoned: false,
        });
    }

    /// A worker is reaped with that status.
    pub(super) fn exits(&mut self, pid: i32, returncode: i32) {
        let now_ns = self.world.now_ns();
        for worker in self.world.workers.borrow_mut().iter_mut().filter(|worker| worker.pid == pid) {
            worker.exit = Some((returncode, now_ns));
        }
        self.world.ended.borrow_mut().push(pid);
        self.tell(Sign::Moved);
    }

    /// Somebody else ends.
    pub(super) fn ends(&mut self, pid: i32) {
        self.world.ended.borrow_mut().push(pid);
    }

    /// The group counts that many kills by now.
    pub(super) fn counts(&mut self, cgroup: &str, kills: u64) {
        self.world.with(cgroup, |group| {
            group.counters = Ok(Counters {
                oom_kill: Some(kills),
                local: Stat::from_iter([("oom_kill", kills), ("oom", kills)]),
                ..Counters::default()
            });
        });
        self.tell(Sign::Moved);
    }

    pub(super) fn later(&self, by: Duration) {
        self.world.now_ns.set(self.world.now_ns.get() + by.as_nanos() as u64);
    }

    /// The tracepoint marks a process.
    pub(super) fn marks(&mut self, pid: i32, whose: Whose) {
        let mut victim = mark(pid, KILLED);
        victim.time_ns = self.world.now_ns();
        victim.comm = Some(format!("p{pid}").into_bytes());
        // Each OOM is of another thread that asks for memory.
        victim.invoker_pid = 1000 + pid;
        self.tell(Sign::Traced { victim: Box::new(victim), whose });
    }

    pub(super) fn ours(cgroup: &str) -> Whose {
        Whose::Ours(cgroup.to_string())
    }

    pub(super) fn record(&mut self, text: &str) -> Record {
        self.sequence += 1;
        let usec = self.world.now_ns() / 1000;
        Record::parse(format!("6,{},{usec},-;{text}\n", self.sequence).as_bytes()).expect("a record")
    }

    /// The log shows the line of a kill alone.
    pub(super) fn prints_line(&mut self, pid: i32) {
        let line = self.record(&kill_line(pid));
        self.tell(Sign::Logged { records: vec![line] });
    }

    /// The log shows a whole report, without the table of processes.
    pub(super) fn prints_report(&mut self, pid: i32, cgroup: &str) {
        self.prints_table(pid, cgroup, &[]);
    }

    /// The log shows a whole report, with those processes in its table.
    pub(super) fn prints_table(&mut self, pid: i32, cgroup: &str, tasks: &[i32]) {
        let mut lines = vec![
            format!("p{pid} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"),
            format!("CPU: 0 UID: 0 PID: {pid} Comm: p{pid} Not tainted 6.18.0 #1"),
            "memory: usage 65536kB, limit 65536kB, failcnt 7".to_string(),
            format!("Memory cgroup stats for {cgroup}:"),
        ];
        if !tasks.is_empty() {
            lines.push("Tasks state (memory values in pages):".to_string());
            let columns = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name";
            lines.push(columns.to_string());
        }
        let row =
            |pid: &i32| format!("[{pid:7}]     0 {pid:5}    18000    15000    150000        0             0 p{pid}");
        lines.extend(tasks.iter().map(row));
        lines.extend([
            format!(
                "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={cgroup},\
                 task_memcg={cgroup},task=p{pid},pid={pid},uid=0"
            ),
            kill_line(pid),
        ]);
        let records = lines.iter().map(|line| self.record(line)).collect();
        self.tell(Sign::Logged { records });
    }

    /// One reading of all sources that says nothing new.
    pub(super) fn read(&mut self) -> Vec<Oom> {
        self.tell(Sign::Seal);
        self.tell(Sign::Reading);
        self.tell(Sign::Settle)
    }

    /// Readings, as somebody who waits makes them, until there are accounts or so long has passed.
    pub(super) fn read_for(&mut self, longest: Duration) -> Vec<Oom> {
        let mut passed = Duration::ZERO;
        while passed < longest {
            let ooms = self.read();
            if !ooms.is_empty() {
                return ooms;
            }
            self.later(2 * MS);
            passed += 2 * MS;
        }
        Vec::new()
    }
}

pub(super) fn kill_line(pid: i32) -> String {
    format!(
        "Memory cgroup out of memory: Killed process {pid} (p{pid}) total-vm:70000kB, anon-rss:60000kB, file-rss:0kB, \
         shmem-rss:0kB, UID:0 pgtables:150kB oom_score_adj:0"
    )
}

pub(super) fn victims(ooms: &[Oom]) -> Vec<Vec<i32>> {
    ooms.iter().map(|oom| oom.victims.iter().map(|victim| victim.pid).collect()).collect()
}

pub(super) fn lacks(oom: &Oom, source: &str) -> Vec<String> {
    oom.missing.iter().filter(|one| one.source == source).map(|one| one.reason.to_string()).collect()
}

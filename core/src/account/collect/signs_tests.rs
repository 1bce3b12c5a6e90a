//! The collector on signs that are made up, in a world that is: what it concludes, and when.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::tests::{mark, KILLED};
use super::Collector;
use crate::account::oom::SwapUse;
use crate::account::oom::{Blocked, Cause, Oom};
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

mod pids;

const LAB: &str = "/memoom-1";
const G: &str = "/memoom-1/g";
const OTHER: &str = "/memoom-1/other";
const MS: Duration = Duration::from_millis(1);

/// A group that is made up.
struct Group {
    cgroup: String,
    counters: Result<Counters, String>,
    limit: Result<Limit, String>,
    oom_group: bool,
    left: bool,
    removed: bool,
}

/// A world that answers what it was told to.
struct Made {
    version: Version,
    now_ns: Cell<u64>,
    groups: RefCell<Vec<Group>>,
    workers: RefCell<Vec<WorkerSeen>>,
    orphans: RefCell<Vec<i32>>,
    /// Processes that have ended, and those that had gone before anybody could hold on to them.
    ended: RefCell<Vec<i32>>,
    gone: RefCell<Vec<i32>>,
    threads: RefCell<Map<i32, i32>>,
    begun: RefCell<Vec<u64>>,
}

impl Made {
    fn with<T>(&self, cgroup: &str, of: impl FnOnce(&mut Group) -> T) -> Option<T> {
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
    fn groups(&self) -> Vec<GroupSeen> {
        let seen =
            |group: &Group| GroupSeen { cgroup: group.cgroup.clone(), version: self.version, removed: group.removed };
        self.groups.borrow().iter().map(seen).collect()
    }
    fn chain(&self, cgroup: &str) -> Vec<String> {
        vec![cgroup.to_string()]
    }
    fn counters(&self, cgroup: &str) -> Result<Counters, String> {
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
struct Play {
    collector: Collector,
    world: Made,
    sequence: u64,
}

impl Play {
    fn of(collector: Collector, version: Version) -> Play {
        let world = Made {
            version,
            now_ns: Cell::new(1_000_000_000),
            groups: RefCell::default(),
            workers: RefCell::default(),
            orphans: RefCell::default(),
            ended: RefCell::default(),
            gone: RefCell::default(),
            threads: RefCell::default(),
            begun: RefCell::default(),
        };
        let mut play = Play { collector, world, sequence: 0 };
        play.tell(Sign::Begins { whole: true });
        play
    }

    /// With log and tracepoint, and one group.
    fn new() -> Play {
        let mut play = Play::of(Collector::new(true, true), Version::V2);
        play.group(G);
        play
    }

    fn tell(&mut self, sign: Sign) -> Vec<Oom> {
        self.collector.take(sign, &self.world).ooms
    }

    fn group(&mut self, cgroup: &str) {
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

    fn worker(&mut self, pid: i32, cgroup: &str) {
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
    fn exits(&mut self, pid: i32, returncode: i32) {
        let now_ns = self.world.now_ns();
        for worker in self.world.workers.borrow_mut().iter_mut().filter(|worker| worker.pid == pid) {
            worker.exit = Some((returncode, now_ns));
        }
        self.world.ended.borrow_mut().push(pid);
        self.tell(Sign::Moved);
    }

    /// Somebody else ends.
    fn ends(&mut self, pid: i32) {
        self.world.ended.borrow_mut().push(pid);
    }

    /// The group counts that many kills by now.
    fn counts(&mut self, cgroup: &str, kills: u64) {
        self.world.with(cgroup, |group| {
            group.counters = Ok(Counters {
                oom_kill: Some(kills),
                local: Stat::from_iter([("oom_kill", kills), ("oom", kills)]),
                ..Counters::default()
            });
        });
        self.tell(Sign::Moved);
    }

    fn later(&self, by: Duration) {
        self.world.now_ns.set(self.world.now_ns.get() + by.as_nanos() as u64);
    }

    /// The tracepoint marks a process.
    fn marks(&mut self, pid: i32, whose: Whose) {
        let mut victim = mark(pid, KILLED);
        victim.time_ns = self.world.now_ns();
        victim.comm = Some(format!("p{pid}").into_bytes());
        // Each OOM is of another thread that asks for memory.
        victim.invoker_pid = 1000 + pid;
        self.tell(Sign::Traced { victim: Box::new(victim), whose });
    }

    fn ours(cgroup: &str) -> Whose {
        Whose::Ours(cgroup.to_string())
    }

    fn record(&mut self, text: &str) -> Record {
        self.sequence += 1;
        let usec = self.world.now_ns() / 1000;
        Record::parse(format!("6,{},{usec},-;{text}\n", self.sequence).as_bytes()).expect("a record")
    }

    /// The log shows the line of a kill alone.
    fn prints_line(&mut self, pid: i32) {
        let line = self.record(&kill_line(pid));
        self.tell(Sign::Logged { records: vec![line] });
    }

    /// The log shows a whole report.
    fn prints_report(&mut self, pid: i32, cgroup: &str) {
        let lines = [
            format!("p{pid} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"),
            format!("CPU: 0 UID: 0 PID: {pid} Comm: p{pid} Not tainted 6.18.0 #1"),
            "memory: usage 65536kB, limit 65536kB, failcnt 7".to_string(),
            format!("Memory cgroup stats for {cgroup}:"),
            format!(
                "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={cgroup},\
                 task_memcg={cgroup},task=p{pid},pid={pid},uid=0"
            ),
            kill_line(pid),
        ];
        let records = lines.iter().map(|line| self.record(line)).collect();
        self.tell(Sign::Logged { records });
    }

    /// One reading of all sources that says nothing new.
    fn read(&mut self) -> Vec<Oom> {
        self.tell(Sign::Seal);
        self.tell(Sign::Reading);
        self.tell(Sign::Settle)
    }

    /// Readings, as somebody who waits makes them, until there are accounts or so long has passed.
    fn read_for(&mut self, longest: Duration) -> Vec<Oom> {
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

fn kill_line(pid: i32) -> String {
    format!(
        "Memory cgroup out of memory: Killed process {pid} (p{pid}) total-vm:70000kB, anon-rss:60000kB, file-rss:0kB, \
         shmem-rss:0kB, UID:0 pgtables:150kB oom_score_adj:0"
    )
}

fn victims(ooms: &[Oom]) -> Vec<Vec<i32>> {
    ooms.iter().map(|oom| oom.victims.iter().map(|victim| victim.pid).collect()).collect()
}

fn lacks(oom: &Oom, source: &str) -> Vec<String> {
    oom.missing.iter().filter(|one| one.source == source).map(|one| one.reason.to_string()).collect()
}

#[test]
fn a_kill_that_all_sources_tell_is_one_account() {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    play.exits(7, -9);
    let ooms = play.read_for(50 * MS);
    assert_eq!(victims(&ooms), [[7]]);
    let victim = &ooms[0].victims[0];
    assert_eq!((victim.cause, victim.group.as_deref()), (Cause::Selected, Some(G)));
    assert_eq!(victim.sources, ["tracefs", "kernel-log"]);
    assert_eq!((ooms[0].limit_group.as_deref(), ooms[0].limit_bytes), (Some(G), Some(64 << 20)));
    assert!(ooms[0].disagreements.is_empty(), "{:?}", ooms[0].disagreements);
    assert_eq!(lacks(&ooms[0], "report"), [""; 0]);
    assert!(!play.collector.is_open() && play.read_for(50 * MS).is_empty());
}

#[test]
fn an_account_waits_for_the_end_of_its_victim() {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    assert!(play.read_for(1000 * MS).is_empty(), "its victim lives");
    play.exits(7, -9);
    assert_eq!(play.read_for(50 * MS).len(), 1);
}

#[test]
fn the_sources_are_read_once_more_after_the_end() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    play.tell(Sign::Seal);
    // It ends after the look at it: what it printed last may stand in no reading yet.
    play.ends(7);
    play.tell(Sign::Reading);
    assert!(play.tell(Sign::Settle).is_empty());
    assert_eq!(play.read().len(), 1);
}

#[test]
fn a_victim_that_does_not_end_is_not_waited_for_longer_than_ten_seconds() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    assert!(play.read_for(9_900 * MS).is_empty());
    let ooms = play.read_for(300 * MS);
    assert_eq!(lacks(&ooms[0], "exit"), ["a victim had not ended within 10 seconds"]);
}

#[test]
fn a_line_that_is_late_is_waited_for_and_then_named() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.ends(7);
    assert!(play.read_for(150 * MS).is_empty(), "its line may come");
    let ooms = play.read_for(200 * MS);
    assert_eq!(ooms[0].victims[0].sources, ["tracefs"]);
    assert!(ooms[0].disagreements.iter().any(|one| one.says == "tracefs tells of pid 7, kernel-log does not"));
    // It comes after all: that is no second kill.
    play.prints_line(7);
    assert!(play.read_for(1000 * MS).is_empty() && !play.collector.is_open());
}

#[test]
fn a_line_that_comes_in_time_is_in_the_account() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.ends(7);
    assert!(play.read_for(100 * MS).is_empty());
    play.prints_line(7);
    let ooms = play.read_for(50 * MS);
    assert_eq!(ooms[0].victims[0].sources, ["tracefs", "kernel-log"]);
}

#[test]
fn accounts_come_in_the_order_of_the_kills() {
    let mut play = Play::new();
    play.counts(G, 2);
    play.marks(7, Play::ours(G));
    play.marks(8, Play::ours(G));
    // The later one ends first, and is told first.
    play.prints_line(8);
    play.ends(8);
    assert!(play.read_for(50 * MS).is_empty(), "the first one is not complete");
    play.prints_line(7);
    play.ends(7);
    assert_eq!(victims(&play.read_for(50 * MS)), [[7], [8]]);
}

#[test]
fn a_kill_of_strangers_is_nobody_s_account() {
    let mut play = Play::new();
    play.marks(7, Whose::Strangers);
    play.prints_report(7, "/system.slice/other");
    play.ends(7);
    assert!(play.read_for(1000 * MS).is_empty() && !play.collector.is_open());
}

#[test]
fn a_victim_that_had_gone_belongs_to_the_group_that_counts_one_more() {
    let mut play = Play::new();
    play.group(OTHER);
    play.world.gone.borrow_mut().push(7);
    play.read();
    play.counts(G, 1);
    play.marks(7, Whose::Unknown);
    play.prints_line(7);
    let ooms = play.read_for(500 * MS);
    assert_eq!((victims(&ooms), ooms[0].victims[0].group.as_deref()), (vec![vec![7]], Some(G)));
}

#[test]
fn two_victims_that_had_gone_are_told_apart_by_when_they_were_counted() {
    let mut play = Play::new();
    play.group(OTHER);
    play.world.gone.borrow_mut().extend([7, 8]);
    for (pid, cgroup) in [(7, OTHER), (8, G)] {
        play.read();
        play.counts(cgroup, 1);
        play.read();
        play.marks(pid, Whose::Unknown);
        play.prints_line(pid);
        play.later(8 * MS);
    }
    let mut ooms = play.read_for(500 * MS);
    ooms.extend(play.read_for(500 * MS));
    let placed: Vec<_> = ooms.iter().flat_map(|oom| &oom.victims).map(|one| (one.pid, one.group.as_deref())).collect();
    assert_eq!(placed, [(7, Some(OTHER)), (8, Some(G))]);
}

#[test]
fn a_kill_that_nobody_tells_of_gets_an_account_that_says_so() {
    let mut play = Play::new();
    play.read();
    play.counts(G, 1);
    assert!(play.read_for(150 * MS).is_empty(), "a source may still tell");
    let ooms = play.read_for(200 * MS);
    assert!(ooms[0].victims.is_empty());
    let said = &lacks(&ooms[0], "victim")[0];
    assert!(said.contains("1 in /memoom-1/g") && said.contains("neither the tracepoint nor the kernel log"), "{said}");
    assert_eq!(ooms[0].limit_group.as_deref(), Some(G));
    assert!(play.read_for(1000 * MS).is_empty(), "once");
}

#[test]
fn who_descends_from_a_worker_is_ours_whatever_is_counted() {
    let mut play = Play::new();
    play.world.gone.borrow_mut().push(7);
    play.world.orphans.borrow_mut().push(7);
    play.counts(G, 1);
    play.marks(7, Whose::OursSomewhere);
    play.prints_line(7);
    let ooms = play.read_for(500 * MS);
    assert_eq!((victims(&ooms), ooms[0].victims[0].group.as_deref()), (vec![vec![7]], Some(G)));
}

#[test]
fn the_ring_of_a_group_that_has_gone_places_its_victim() {
    let mut play = Play::of(Collector::new(true, true), Version::V1);
    play.group(G);
    play.world.gone.borrow_mut().push(7);
    play.marks(7, Whose::Unknown);
    play.world.with(G, |group| (group.counters, group.removed) = (Err("gone".to_string()), true));
    play.tell(Sign::Gone { cgroup: G.to_string(), rung: 1 });
    play.prints_line(7);
    let ooms = play.read_for(500 * MS);
    assert_eq!((victims(&ooms), ooms[0].victims[0].group.as_deref()), (vec![vec![7]], Some(G)));
    assert!(lacks(&ooms[0], "counters")[0].contains("gone"), "{:?}", ooms[0].missing);
}

#[test]
fn a_group_that_is_killed_as_a_whole_is_waited_for_until_nobody_is_left() {
    let mut play = Play::new();
    play.world.with(G, |group| (group.oom_group, group.left) = (true, true));
    play.counts(G, 3);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.ends(7);
    assert!(play.read_for(1000 * MS).is_empty(), "another one is left");
    let mut member = mark(8, &["mark_oom_victim", "__oom_kill_process", "oom_kill_memcg_member"]);
    (member.time_ns, member.invoker_pid) = (play.world.now_ns(), 1007);
    play.tell(Sign::Traced { victim: Box::new(member), whose: Play::ours(G) });
    play.prints_line(8);
    play.ends(8);
    play.world.with(G, |group| group.left = false);
    let ooms = play.read_for(300 * MS);
    let causes: Vec<_> = ooms[0].victims.iter().map(|victim| (victim.pid, victim.cause)).collect();
    assert_eq!(causes, [(7, Cause::Selected), (8, Cause::Group)]);
    let twice = "with memory.oom.group the kernel counts the chosen process twice";
    assert!(ooms[0].disagreements.iter().any(|one| one.because.as_deref() == Some(twice)));
    assert!(play.read_for(1000 * MS).is_empty(), "the third count is no other kill");
}

/// Without the log nothing but the thread that killed them says that they belong together.
#[test]
fn members_that_had_gone_are_joined_by_the_thread_that_killed_them() {
    let member = ["mark_oom_victim", "__oom_kill_process", "oom_kill_memcg_member"];
    // The one that can be placed comes last, or first of the members.
    for placed in [9, 8] {
        let mut play = Play::of(Collector::new(true, false), Version::V2);
        play.group(G);
        play.world.with(G, |group| group.oom_group = true);
        play.read();
        // The chosen one counts twice.
        play.counts(G, 4);
        for (pid, way) in [(7, KILLED), (8, &member[..]), (9, &member[..])] {
            let mut victim = mark(pid, way);
            (victim.time_ns, victim.invoker_pid) = (play.world.now_ns() + pid as u64, 1007);
            let whose = if pid == placed { Play::ours(G) } else { Whose::Unknown };
            play.tell(Sign::Traced { victim: Box::new(victim), whose });
        }
        for pid in [7, 8, 9] {
            play.ends(pid);
        }
        let ooms = play.read_for(600 * MS);
        let told: Vec<_> =
            ooms[0].victims.iter().map(|victim| (victim.pid, victim.cause, victim.group.as_deref())).collect();
        let [chosen, one, other] = [(7, Cause::Selected), (8, Cause::Group), (9, Cause::Group)];
        assert_eq!(
            told,
            [chosen, one, other].map(|(pid, cause)| (pid, cause, Some(G))),
            "{placed}: {}",
            ooms[0].to_json()
        );
        assert_eq!(ooms.len(), 1);
        assert!(play.read_for(1000 * MS).is_empty(), "the fourth count is no other kill");
    }
}

#[test]
fn records_that_were_lost_are_named_by_the_account_they_may_belong_to() {
    let mut play = Play::new();
    play.read();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.ends(7);
    play.tell(Sign::Lost { source: "kernel-log", count: 4 });
    let ooms = play.read_for(400 * MS);
    assert_eq!(lacks(&ooms[0], "kernel-log"), ["4 records were overwritten before they could be read"]);
    assert!(lacks(&ooms[0], "report")[0].contains("records of the kernel log that could not be read"));
    let why = "records of kernel-log were overwritten before they could be read";
    assert!(ooms[0].disagreements.iter().any(|one| one.because.as_deref() == Some(why)));
    // The next one has nothing to do with it.
    play.later(1000 * MS);
    play.read();
    play.read();
    play.counts(G, 2);
    play.marks(8, Play::ours(G));
    play.prints_report(8, G);
    play.ends(8);
    assert_eq!(lacks(&play.read_for(400 * MS)[0], "kernel-log"), [""; 0]);
}

#[test]
fn a_report_that_the_kernel_kept_to_itself_is_told_from_one_that_nobody_knows_of() {
    for (begun, why) in [(10, "the kernel had printed 10 reports"), (9, "no source says why")] {
        let mut play = Play::new();
        let now_usec = play.world.now_ns() / 1000;
        play.world.begun.borrow_mut().extend((0..begun).map(|at| now_usec - at));
        play.counts(G, 1);
        play.marks(7, Play::ours(G));
        play.prints_line(7);
        play.ends(7);
        let said = &lacks(&play.read_for(400 * MS)[0], "report")[0];
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_thread_that_the_kernel_marks_is_its_process() {
    let mut play = Play::new();
    play.worker(7, G);
    play.tell(Sign::Thread { thread: 70, process: 7 });
    play.counts(G, 1);
    play.marks(70, Play::ours(G));
    play.prints_line(70);
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(400 * MS)), [[7]]);
}

#[test]
fn without_any_source_the_counters_say_whom_it_hit() {
    let mut play = Play::of(Collector::new(false, false), Version::V2);
    play.group(G);
    for pid in [7, 8, 9] {
        play.worker(pid, G);
    }
    play.world.workers.borrow_mut()[1].killed_by_us = true;
    play.counts(G, 1);
    play.exits(8, -9);
    play.exits(9, 0);
    play.exits(7, -9);
    let ooms = play.read_for(100 * MS);
    assert_eq!((victims(&ooms), ooms[0].victims[0].sources.as_slice()), (vec![vec![7]], &["counters"][..]));
    assert!(play.read_for(1000 * MS).is_empty(), "once");
}

#[test]
fn without_any_source_a_ring_has_the_counters_read_again_for_a_while() {
    let mut play = Play::of(Collector::new(false, false), Version::V1);
    play.group(G);
    let now = play.world.now_ns();
    assert!(!play.collector.looks_on(now));
    play.tell(Sign::Rang);
    let now = play.world.now_ns();
    assert!(play.collector.looks_on(now) && !play.collector.is_open(), "nobody's outcome waits for it");
    play.later(600 * MS);
    let now = play.world.now_ns();
    assert!(!play.collector.looks_on(now));
}

#[test]
fn a_block_is_an_account_of_its_own() {
    let mut play = Play::of(Collector::new(true, true), Version::V1);
    play.group(G);
    play.world.with(G, |group| {
        group.counters = Ok(Counters { oom_kill_disable: Some(true), under_oom: Some(true), ..Counters::default() });
    });
    let blocked =
        Blocked { pid: 7, comm: b"hog".to_vec(), state: 'D', wchan: Some("mem_cgroup_oom".into()), stack: Vec::new() };
    let ooms = play.tell(Sign::Blocked { cgroup: G.to_string(), blocked });
    assert_eq!((ooms[0].victims.len(), ooms[0].blocked[0].pid), (0, 7));
    assert_eq!((ooms[0].limit_group.as_deref(), ooms[0].limit_bytes), (Some(G), Some(64 << 20)));
    assert!(!play.collector.is_open());
}

#[test]
fn a_limit_that_cannot_be_read_is_not_no_limit() {
    let mut play = Play::new();
    play.world.with(G, |group| group.limit = Err("no descriptor is left".to_string()));
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.ends(7);
    let ooms = play.read_for(400 * MS);
    assert_eq!((ooms[0].limit_bytes, lacks(&ooms[0], "limit")), (None, vec!["no descriptor is left".to_string()]));
}

#[test]
fn a_new_group_of_an_old_name_begins_at_nothing() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.ends(7);
    assert_eq!(play.read_for(400 * MS).len(), 1);
    play.world.groups.borrow_mut().clear();
    play.tell(Sign::Forgotten { cgroup: G.to_string() });
    play.group(G);
    play.counts(G, 1);
    play.marks(8, Play::ours(G));
    play.prints_line(8);
    play.ends(8);
    let ooms = play.read_for(400 * MS);
    assert_eq!(victims(&ooms), [[8]]);
    assert!(ooms[0].disagreements.is_empty(), "{:?}", ooms[0].disagreements);
}

#[test]
fn what_is_counted_before_we_look_is_none_of_ours() {
    let mut play = Play::of(Collector::new(true, true), Version::V2);
    play.group(LAB);
    play.world.with(LAB, |group| group.counters = Ok(Counters { oom_kill: Some(5), ..Counters::default() }));
    play.tell(Sign::Forgotten { cgroup: LAB.to_string() });
    let counters = play.world.counters(LAB).ok();
    play.tell(Sign::Met { cgroup: LAB.to_string(), counters });
    play.tell(Sign::Moved);
    assert!(play.read_for(1000 * MS).is_empty());
}

#[test]
fn at_the_end_what_is_open_is_concluded() {
    let mut play = Play::new();
    play.read();
    play.counts(G, 1);
    play.read();
    play.tell(Sign::Concludes { cgroup: None });
    let ooms = play.read();
    assert_eq!((ooms.len(), lacks(&ooms[0], "victim").len()), (1, 1));
}

#[test]
fn a_group_whose_name_is_taken_is_concluded_at_once() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    assert!(play.read().is_empty(), "its victim lives");
    play.tell(Sign::Concludes { cgroup: Some(G.to_string()) });
    let ooms = play.read();
    assert_eq!(lacks(&ooms[0], "exit"), ["a victim had not ended when the group went"]);
    play.tell(Sign::Concluded);
    assert!(!play.collector.is_open());
}

#[test]
fn inside_a_pid_namespace_the_counters_open_and_the_path_tells() {
    let mut play = Play::of(Collector::inside_namespace(true), Version::V2);
    play.group(G);
    play.worker(7, G);
    play.counts(G, 1);
    // Outside it is another number, and by the name it is the same.
    play.world.workers.borrow_mut()[0].name = b"p507".to_vec();
    play.prints_report(507, G);
    play.exits(7, -9);
    let ooms = play.read_for(400 * MS);
    assert_eq!(victims(&ooms), [[7]]);
    assert_eq!(ooms[0].victims[0].sources, ["counters", "kernel-log"]);
    assert_eq!(ooms[0].report.as_ref().map(|report| report.kills[0].pid), Some(7));
}

#[test]
fn a_status_that_is_no_kill_is_explained() {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.exits(7, 3);
    let ooms = play.read_for(400 * MS);
    assert!(ooms[0].disagreements.iter().any(|one| one.says == "pid 7 was killed in an OOM and ended with status 3"));
}

/// A thread of a worker is marked, which nobody can ask any more, and its report is suppressed.
fn marks_a_thread(play: &mut Play, thread: i32) {
    play.world.gone.borrow_mut().push(thread);
    let kills = play.world.counters(G).ok().and_then(|now| now.oom_kill).unwrap_or(0);
    play.counts(G, kills + 1);
    play.marks(thread, Whose::Unknown);
    play.prints_line(thread);
}

/// Whether somebody was seen to send SIGKILL to each of the workers.
fn sent(play: &Play, seen: &[Option<bool>]) {
    for (worker, seen) in play.world.workers.borrow_mut().iter_mut().zip(seen) {
        worker.kill_sent = *seen;
    }
}

#[test]
fn a_thread_that_nobody_can_ask_is_of_the_worker_that_died_with_it() {
    let mut play = Play::new();
    play.worker(7, G);
    play.worker(8, G);
    sent(&play, &[Some(false), Some(true)]);
    // The other one had its SIGKILL from a program.
    play.exits(8, -9);
    play.read();
    marks_a_thread(&mut play, 70);
    assert!(play.read_for(60 * MS).is_empty() && play.collector.looks_again());
    play.tell(Sign::Logged { records: Vec::new() });
    play.exits(7, -9);
    let ooms = play.read_for(500 * MS);
    assert_eq!(victims(&ooms), [[7]]);
    assert!(lacks(&ooms[0], "victim")[0].contains("taken for a thread of it"), "{:?}", ooms[0].missing);
    assert_eq!(ooms[0].disagreements, [], "{:?}", ooms[0].disagreements);
    assert_eq!(play.collector.left_open(G, 0, u64::MAX, &play.world), None);
    assert!(play.read_for(1000 * MS).is_empty(), "once");
}

#[test]
fn a_worker_that_is_dying_beside_such_a_thread_is_waited_for() {
    let mut play = Play::new();
    play.worker(7, G);
    sent(&play, &[Some(false)]);
    marks_a_thread(&mut play, 70);
    play.ends(7);
    assert!(play.read_for(1000 * MS).is_empty(), "it is not reaped");
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(100 * MS)), [[7]]);
}

#[test]
fn two_threads_are_of_the_two_workers_that_died() {
    let mut play = Play::new();
    play.worker(7, G);
    play.worker(8, G);
    sent(&play, &[Some(false), Some(false)]);
    marks_a_thread(&mut play, 70);
    marks_a_thread(&mut play, 80);
    play.exits(7, -9);
    play.exits(8, -9);
    let mut ooms = play.read_for(500 * MS);
    ooms.extend(play.read_for(500 * MS));
    assert_eq!(victims(&ooms), [[7], [8]]);
}

#[test]
fn a_plain_kill_beside_such_a_victim_stays_one() {
    // It was seen to be sent, or the worker ended in another way, or before, or stands elsewhere.
    for (seen, returncode, before, cgroup) in [
        (Some(true), -9, false, G),
        (Some(false), 0, false, G),
        (Some(false), -9, true, G),
        (Some(false), -9, false, OTHER),
    ] {
        let mut play = Play::new();
        play.group(OTHER);
        play.worker(7, cgroup);
        sent(&play, &[seen]);
        if before {
            play.exits(7, returncode);
        }
        play.read();
        marks_a_thread(&mut play, 70);
        let ooms = match before {
            true => play.read_for(500 * MS),
            false => {
                play.read_for(50 * MS);
                play.exits(7, returncode);
                play.read_for(500 * MS)
            }
        };
        assert_eq!(victims(&ooms), [[70]], "{seen:?} {returncode} {before} {cgroup}");
    }
}

#[test]
fn where_two_explanations_are_left_neither_is_taken() {
    for workers in [&[None][..], &[Some(false), Some(false)]] {
        let mut play = Play::new();
        for (pid, _) in (7..).zip(workers) {
            play.worker(pid, G);
        }
        sent(&play, workers);
        marks_a_thread(&mut play, 70);
        let marked_ns = play.world.now_ns();
        for (pid, _) in (7..).zip(workers) {
            play.exits(pid, -9);
        }
        let ended_ns = play.world.now_ns();
        assert_eq!(victims(&play.read_for(500 * MS)), [[70]]);
        let open = |from_ns, to_ns| {
            play.collector.left_open(G, from_ns, to_ns, &play.world).is_some_and(|why| why.contains("pid 70"))
        };
        assert!(open(0, ended_ns));
        // Who ended before it, or began after it, was not killed in it; nor who stood elsewhere.
        assert!(!open(0, marked_ns - 100_000_000) && !open(ended_ns, u64::MAX));
        assert_eq!(play.collector.left_open(OTHER, 0, ended_ns, &play.world), None);
    }
}

#[test]
fn a_kill_of_which_nobody_is_named_stays_open_to_who_died_then() {
    let mut play = Play::new();
    play.read();
    play.counts(G, 1);
    assert_eq!(play.read_for(500 * MS).len(), 1);
    assert!(play
        .collector
        .left_open(G, 0, u64::MAX, &play.world)
        .is_some_and(|why| why.contains("nobody can say of whom")));
    assert_eq!(play.collector.left_open(OTHER, 0, u64::MAX, &play.world), None);
}

#[test]
fn a_victim_that_is_a_process_leaves_nothing_open() {
    let mut play = Play::new();
    play.worker(7, G);
    sent(&play, &[None]);
    play.counts(G, 1);
    play.marks(9, Play::ours(G));
    play.prints_line(9);
    play.ends(9);
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(500 * MS)), [[9]]);
    assert_eq!(play.collector.left_open(G, 0, u64::MAX, &play.world), None);
}

/// A report whose table has one more process.
fn report_with(play: &mut Play, pid: i32, cgroup: &str, beside: i32) {
    let row = |pid: i32| format!("[{pid:7}]     0 {pid:5}    18000    15000    150000        0             0 p{pid}");
    let lines = [
        format!("p{pid} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"),
        format!("Memory cgroup stats for {cgroup}:"),
        "Tasks state (memory values in pages):".to_string(),
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name".to_string(),
        row(pid),
        row(beside),
        format!(
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={cgroup},\
             task_memcg={cgroup},task=p{pid},pid={pid},uid=0"
        ),
        kill_line(pid),
    ];
    let records = lines.iter().map(|line| play.record(line)).collect();
    play.tell(Sign::Logged { records });
}

/// A play in which pid 55 stood in the table of an OOM of G.
fn one_that_was_seen() -> Play {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    report_with(&mut play, 7, G, 55);
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(50 * MS)), [[7]]);
    play
}

#[test]
fn one_of_a_table_that_has_gone_is_known_by_it() {
    let mut play = one_that_was_seen();
    play.marks(55, Whose::Unknown);
    play.counts(G, 2);
    play.ends(55);
    assert_eq!(victims(&play.read_for(300 * MS)), [[55]]);
}

#[test]
fn a_pid_is_somebody_elses_when_its_group_has_gone() {
    let mut play = one_that_was_seen();
    play.world.groups.borrow_mut().clear();
    play.tell(Sign::Forgotten { cgroup: G.to_string() });
    play.group(G);
    play.marks(55, Whose::Unknown);
    play.ends(55);
    assert_eq!(victims(&play.read_for(1000 * MS)), Vec::<Vec<i32>>::new(), "the kill of a stranger is none of ours");
}

#[test]
fn a_pid_is_somebody_elses_after_a_while() {
    let mut play = one_that_was_seen();
    play.later(11_000 * MS);
    play.read();
    play.marks(55, Whose::Unknown);
    play.ends(55);
    assert_eq!(victims(&play.read_for(1000 * MS)), Vec::<Vec<i32>>::new(), "the kill of a stranger is none of ours");
}

#[test]
fn a_worker_that_has_the_pid_of_a_victim_is_another_one() {
    let mut play = Play::of(Collector::new(false, false), Version::V2);
    play.group(G);
    for kills in 1..=2 {
        let started_ns = play.world.now_ns();
        play.tell(Sign::Started { pid: 7, comm: b"hog".to_vec(), cgroup: G.to_string(), started_ns });
        play.worker(7, G);
        play.counts(G, kills);
        let now_ns = play.world.now_ns();
        play.world.workers.borrow_mut().last_mut().unwrap().exit = Some((-9, now_ns));
        play.tell(Sign::Moved);
        assert_eq!(victims(&play.read_for(100 * MS)), [[7]], "kill {kills}");
    }
}

#[test]
fn a_strangers_kill_is_not_taken_for_ours_whose_mark_comes_late() {
    let mut play = Play::new();
    play.worker(7, G);
    play.counts(G, 1);
    play.marks(55, Whose::Unrelated);
    play.ends(55);
    assert!(play.read_for(100 * MS).is_empty());
    play.marks(7, Play::ours(G));
    play.prints_line(7);
    play.exits(7, -9);
    assert_eq!(victims(&play.read_for(100 * MS)), [[7]]);
    assert!(play.read_for(1000 * MS).is_empty(), "the kill of a stranger is none of ours");
}

#[test]
fn who_was_moved_into_a_group_is_told_all_the_same() {
    let mut play = Play::new();
    play.counts(G, 1);
    play.marks(55, Whose::Unrelated);
    play.prints_line(55);
    play.ends(55);
    assert_eq!(victims(&play.read_for(1000 * MS)), [[55]]);
}

#[test]
fn nobodys_outcome_waits_for_a_victim_of_another_group() {
    let mut play = Play::new();
    play.group(OTHER);
    play.worker(7, G);
    play.worker(8, OTHER);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    assert!(play.read_for(100 * MS).is_empty() && play.collector.is_open());
    assert!(play.collector.concerns(7, G) && play.collector.concerns(9, G), "its own and its neighbours do");
    assert!(play.collector.concerns(9, LAB), "so does one of a group above");
    assert!(!play.collector.concerns(8, OTHER));
}

#[test]
fn a_victim_that_does_not_end_keeps_no_account_of_another_limit_waiting() {
    let mut play = Play::new();
    play.group(LAB);
    play.group(OTHER);
    play.worker(7, G);
    play.worker(8, OTHER);
    play.counts(G, 1);
    play.marks(7, Play::ours(G));
    play.prints_report(7, G);
    play.counts(OTHER, 1);
    play.marks(8, Play::ours(OTHER));
    play.prints_report(8, OTHER);
    play.exits(8, -9);
    assert_eq!(victims(&play.read_for(50 * MS)), [[8]]);
    play.later(1000 * MS);
    play.exits(7, -9);
    let ooms = play.read_for(50 * MS);
    assert_eq!(victims(&ooms), [[7]]);
    let kills = (ooms[0].counters.before.oom_kill, ooms[0].counters.after.oom_kill);
    assert_eq!(kills, (Some(0), Some(1)), "its counters are held against those before it");
    assert!(ooms[0].disagreements.is_empty(), "{:?}", ooms[0].disagreements);
}

use super::gaps::without_group;
use super::{Candidate, Cause, Collector, TraceVictim, Whose};
use crate::account::oom::SwapUse;
use crate::account::scene::{GroupSeen, Scene, WorkerSeen};
use crate::account::scope::from_report;
use crate::account::victim::Input;
use crate::memcg::contents::{Below, Contents};
use crate::memcg::workload::Named;
use crate::memcg::{Counters, Limit};
use crate::observe::callpath::Frame;
use crate::observe::missing::Missing;
use crate::observe::report::parse_reports;

/// A world in which nothing happens: no group, no worker, and nobody that can be followed.
pub(super) struct Still;

impl Scene for Still {
    fn now_ns(&self) -> u64 {
        1
    }
    fn groups(&self) -> Vec<GroupSeen> {
        Vec::new()
    }
    fn chain(&self, cgroup: &str) -> Vec<String> {
        vec![cgroup.to_string()]
    }
    fn page_bytes(&self) -> u64 {
        4096
    }
    fn cpus(&self) -> u64 {
        1
    }
    fn reports_begun(&self) -> Vec<u64> {
        Vec::new()
    }
    fn counters(&self, _: &str) -> Result<Counters, String> {
        Err("nothing is there".to_string())
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
    fn limit(&self, _: &str) -> Result<Limit, String> {
        Err("nothing is there".to_string())
    }
    fn oom_group(&self, _: &str) -> bool {
        false
    }
    fn has_left(&self, _: &str) -> bool {
        false
    }
    fn living(&self, _: &str) -> Vec<Input> {
        Vec::new()
    }
    fn pss_bytes(&self, _: i32) -> Option<u64> {
        None
    }
    fn workers(&self) -> Vec<WorkerSeen> {
        Vec::new()
    }
    fn is_orphan(&self, _: i32) -> bool {
        false
    }
    fn missing(&self) -> Vec<Missing> {
        Vec::new()
    }
    fn follow(&self, _: i32) -> bool {
        false
    }
    fn has_ended(&self, _: i32) -> bool {
        true
    }
    fn let_go(&self, _: i32) {}
    fn whose(&self, _: i32, _: u64) -> Whose {
        Whose::Unknown
    }
    fn group_of(&self, _: i32) -> Option<String> {
        None
    }
    fn process_of(&self, _: i32) -> Option<i32> {
        None
    }
    fn comm_of(&self, _: i32) -> Vec<u8> {
        Vec::new()
    }
    fn is_ending(&self, _: i32) -> bool {
        true
    }
    fn is_dying(&self, _: i32) -> bool {
        true
    }
}

/// A mark of that process, on this way to it.
pub(super) fn mark(pid: i32, way: &[&str]) -> TraceVictim {
    let frame = |name: &&str| Frame { function: (*name).to_string(), offset: None, size: None, module: None };
    TraceVictim { pid, invoker_pid: 9, call_path: way.iter().map(frame).collect(), ..TraceVictim::default() }
}

pub(super) const KILLED: &[&str] = &["mark_oom_victim", "__oom_kill_process", "oom_kill_process", "out_of_memory"];
const ENDING: &[&str] = &["mark_oom_victim", "oom_kill_process", "out_of_memory"];

#[test]
fn a_process_that_died_with_another_s_memory_stays_a_victim_when_it_is_chosen_again() {
    let mut collector = Collector::new(true, false);
    let twin = Candidate {
        pid: 8,
        comm: b"twin".to_vec(),
        score: 0,
        oom_score_adj: 0,
        eligible: true,
        reason: None,
        group: Some("/memoom-1".to_string()),
        rss_pages: 1,
        swap_pages: 0,
        pgtable_pages: 0,
    };
    collector.sharing = vec![(7, twin)];
    let ours = || Whose::Ours("/memoom-1".to_string());
    collector.traced(mark(7, KILLED), ours(), &Still);
    // The memory is not free yet, and a charge fails again: the kernel takes the one that has SIGKILL already.
    collector.traced(mark(8, ENDING), ours(), &Still);
    let [episode] = collector.open.as_slice() else { panic!("{} accounts", collector.open.len()) };
    let victims: Vec<(i32, Cause)> = episode.kills.iter().map(|kill| (kill.victim.pid, kill.victim.cause)).collect();
    assert_eq!(victims, [(7, Cause::Selected), (8, Cause::SharedMm)]);
    assert!(episode.ending.is_empty());
    // One that ended for another reason is no victim.
    collector.traced(mark(11, ENDING), ours(), &Still);
    assert_eq!(collector.open.last().map(|episode| episode.ending.clone()), Some(vec![11]));
}

#[test]
fn the_table_of_an_ancestors_oom_names_no_groups() {
    let text = "\
b invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[    501]     0   501      600      100    49152        0             0 a
[    502]     0   502      600     9000    49152        0             0 b
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/pod,task_memcg=/pod/two,task=b,pid=502,uid=0
Memory cgroup out of memory: Killed process 502 (b) total-vm:2400kB, anon-rss:36000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:48kB oom_score_adj:0
";
    let reports = parse_reports(text.as_bytes());
    let known = |pid: i32| (pid == 502).then(|| "/pod/two".to_string());
    let prediction = from_report(&reports[0], &known, 4096).expect("a table");
    let groups: Vec<(i32, Option<&str>)> =
        prediction.candidates.iter().map(|one| (one.pid, one.group.as_deref())).collect();
    assert_eq!(groups, [(501, None), (502, Some("/pod/two"))]);
    let missing = without_group(&prediction.candidates).expect("an entry");
    assert_eq!(missing.source, "candidates");
    assert!(missing.reason.ends_with("says where pid 501 stood"), "{}", missing.reason);
    assert_eq!(without_group(&prediction.candidates[1..]), None);
}

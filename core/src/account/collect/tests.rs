//! The collector on signs that are made up, in a world that is: what it concludes, and when.

mod complete;
mod crowd;
mod gone;
mod holders;
pub(super) mod made;
mod missing;
mod pids;
mod remembered;
mod threads;

use super::gaps::without_group;
use super::{Collector, Whose};
use crate::account::oom::Cause;
use crate::account::scope::from_report;
use crate::account::sign::Sign;
use crate::account::victim::Candidate;
use crate::memcg::version::Version;
use crate::observe::callpath::Frame;
use crate::observe::report::parse_reports;
use crate::observe::trace::TraceVictim;

/// A mark of that process, on this way to it.
fn mark(pid: i32, way: &[&str]) -> TraceVictim {
    let frame = |name: &&str| Frame { function: (*name).to_string(), offset: None, size: None, module: None };
    TraceVictim { pid, invoker_pid: 9, call_path: way.iter().map(frame).collect(), ..TraceVictim::default() }
}

const KILLED: &[&str] = &["mark_oom_victim", "__oom_kill_process", "oom_kill_process", "out_of_memory"];
const ENDING: &[&str] = &["mark_oom_victim", "oom_kill_process", "out_of_memory"];

#[test]
fn a_process_that_died_with_another_s_memory_stays_a_victim_when_it_is_chosen_again() {
    let world = made::Made::of(Version::V2);
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
    collector.traced(mark(7, KILLED), ours(), &world);
    // The memory is not free yet, and a charge fails again: the kernel takes the one that has SIGKILL already.
    collector.traced(mark(8, ENDING), ours(), &world);
    let [episode] = collector.open.as_slice() else { panic!("{} accounts", collector.open.len()) };
    let victims: Vec<(i32, Cause)> = episode.kills.iter().map(|kill| (kill.victim.pid, kill.victim.cause)).collect();
    assert_eq!(victims, [(7, Cause::Selected), (8, Cause::SharedMm)]);
    assert!(episode.ending.is_empty());
    // One that ended for another reason is no victim.
    collector.traced(mark(11, ENDING), ours(), &world);
    assert_eq!(collector.open.last().map(|episode| episode.ending.clone()), Some(vec![11]));
}

#[test]
fn whoever_has_the_signal_of_a_kill_and_no_mark_shared_the_memory_of_its_victim() {
    let mut world = made::Play::of(Collector::new(true, false), Version::V1);
    world.group("/memoom-1");
    let ours = || Whose::Ours("/memoom-1".to_string());
    let signalled = |pid, time_ns| Sign::Signalled { pid, comm: b"twin".to_vec(), invoker: 9, time_ns, whose: ours() };
    let marked = |pid, time_ns| {
        let victim = TraceVictim { time_ns, ..mark(pid, KILLED) };
        Sign::Traced { victim: Box::new(victim), whose: ours() }
    };
    // The chosen one has its signal, and then its mark; the others have a signal alone, each once.
    let one = [signalled(7, 10), marked(7, 11), signalled(8, 12), signalled(8, 13), signalled(6, 14)];
    // The next one in the charge of the same thread is a victim of its own.
    let next = [signalled(5, 20), marked(5, 21)];
    for sign in one.into_iter().chain(next) {
        world.tell(sign);
    }
    let victims = world
        .collector
        .open
        .iter()
        .map(|episode| episode.kills.iter().map(|kill| (kill.victim.pid, kill.victim.cause)).collect::<Vec<_>>());
    assert_eq!(
        victims.collect::<Vec<_>>(),
        [vec![(7, Cause::Selected), (8, Cause::SharedMm), (6, Cause::SharedMm)], vec![(5, Cause::Selected)]]
    );
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
    assert!(missing.reason.ends_with("says where a (pid 501) stood"), "{}", missing.reason);
    assert_eq!(without_group(&prediction.candidates[1..]), None);
    // Inside a pid namespace, of a process that is not in it.
    let unknown = without_group(&[Candidate { pid: 0, ..prediction.candidates[0].clone() }]).expect("an entry");
    assert!(unknown.reason.ends_with("says where a (pid unknown) stood"), "{}", unknown.reason);
    assert_eq!(
        Candidate { pid: 0, ..prediction.candidates[0].clone() }.line().split_whitespace().nth(3),
        Some("unknown")
    );
}

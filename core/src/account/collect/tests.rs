use super::{Candidate, Cause, Collector, TraceVictim, Whose};
use crate::observe::callpath::Frame;

/// A mark of that process, on this way to it.
fn mark(pid: i32, way: &[&str]) -> TraceVictim {
    let frame = |name: &&str| Frame { function: (*name).to_string(), offset: None, size: None, module: None };
    TraceVictim { pid, invoker_pid: 9, call_path: way.iter().map(frame).collect(), ..TraceVictim::default() }
}

const KILLED: &[&str] = &["mark_oom_victim", "__oom_kill_process", "oom_kill_process", "out_of_memory"];
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
        group: "/memoom-1".to_string(),
        rss_pages: 1,
        swap_pages: 0,
        pgtable_pages: 0,
    };
    collector.sharing = vec![(7, twin)];
    let ours = || Whose::Ours("/memoom-1".to_string());
    collector.traced(mark(7, KILLED), ours());
    // The memory is not free yet, and a charge fails again: the kernel takes the one that has SIGKILL already.
    collector.traced(mark(8, ENDING), ours());
    let [episode] = collector.open.as_slice() else { panic!("{} accounts", collector.open.len()) };
    let victims: Vec<(i32, Cause)> = episode.kills.iter().map(|kill| (kill.victim.pid, kill.victim.cause)).collect();
    assert_eq!(victims, [(7, Cause::Selected), (8, Cause::SharedMm)]);
    assert!(episode.ending.is_empty());
    // One that ended for another reason is no victim.
    collector.traced(mark(11, ENDING), ours());
    assert_eq!(collector.open.last().map(|episode| episode.ending.clone()), Some(vec![11]));
}

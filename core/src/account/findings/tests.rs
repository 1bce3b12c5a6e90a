//! Each code is found where its numbers are there, and not where they are not.

use super::findings;
use crate::account::composition::Composition;
use crate::account::grower::Grower;
use crate::account::holders::Holder;
use crate::account::oom::{Blocked, Cause, GroupUse, Oom, Span, SwapUse, Victim};
use crate::account::victim::Candidate;
use crate::memcg::version::Version;
use crate::memcg::{Counters, Stat};
use crate::observe::callpath::Frame;

const MIB: u64 = 1 << 20;

/// A victim of 10 MiB under 16 MiB, of which nothing is to be said but by what a test changes.
pub(crate) fn plain() -> Oom {
    let victim = Victim {
        pid: 7,
        comm: b"victim".to_vec(),
        cause: Cause::Selected,
        group: Some("/lab/run".to_string()),
        workload: None,
        anon_rss_bytes: Some(4 * MIB),
        oom_score_adj: Some(0),
        sources: vec!["tracefs"],
    };
    Oom {
        schema: Oom::SCHEMA,
        schema_revision: Oom::REVISION,
        hierarchy: Version::V2,
        limit_group: Some("/lab/run".to_string()),
        limit_workload: None,
        limit_bytes: Some(16 * MIB),
        usage_bytes: Span { before: Some(16 * MIB), after: Some(2 * MIB) },
        composition: Some(Composition { usage_bytes: Some(16 * MIB), source: "report", ..Composition::default() }),
        holders: Vec::new(),
        grower: None,
        groups: Vec::new(),
        swap: None,
        occurrence: Some(1),
        least_start_bytes: None,
        counted_in: None,
        invoker: None,
        predicted: None,
        candidates: Vec::new(),
        victims: vec![victim],
        counters: Span { before: Counters::default(), after: Counters::default() },
        victim_counters: None,
        report: None,
        call_path: Vec::new(),
        blocked: Vec::new(),
        timings_ns: Stat::default(),
        disagreements: Vec::new(),
        missing: Vec::new(),
        findings: Vec::new(),
        summary: String::new(),
    }
}

fn codes(change: impl FnOnce(&mut Oom)) -> Vec<&'static str> {
    let mut oom = plain();
    change(&mut oom);
    let found = findings(&oom);
    for one in &found {
        assert!(one.text.ends_with('.') && !one.evidence.is_empty(), "{one:?}");
    }
    found.iter().map(|finding| finding.code).collect()
}

fn made(oom: &mut Oom) -> &mut Composition {
    oom.composition.get_or_insert_default()
}

fn holder(pid: i32, mib: u64) -> Holder {
    Holder {
        pid: Some(pid),
        comm: Some(b"p".to_vec()),
        processes: 1,
        anon_bytes: Some(mib * MIB),
        shmem_bytes: Some(0),
        grown_bytes: Some(mib * MIB),
        ..Holder::default()
    }
}

fn grower(pid: i32, mib: u64) -> Grower {
    Grower {
        pid,
        comm: Some(b"grower".to_vec()),
        group: None,
        from_bytes: 0,
        to_bytes: mib * MIB,
        grown_bytes: mib * MIB,
        over_ns: 9,
        bytes_per_sec: None,
        limit_percent: Some(50),
        since_ns: 1,
        alive: true,
        source: "report",
    }
}

fn candidate(pid: i32, rss_pages: u64, oom_score_adj: i16) -> Candidate {
    let input = crate::account::victim::Input { pid, rss_pages, oom_score_adj, ..Default::default() };
    crate::account::victim::predict(vec![input], 4096, 0).candidates.remove(0)
}

#[test]
fn what_each_process_costs_the_kernel_is_no_leak() {
    let remedy = |processes: i32| {
        let mut oom = plain();
        made(&mut oom).kernel_bytes = Some(6 * MIB);
        made(&mut oom).kernel_other_bytes = Some(6 * MIB);
        oom.holders = (1..=processes).map(|pid| holder(pid, 1)).collect();
        findings(&oom).into_iter().find(|one| one.code == "kernel-memory").and_then(|one| one.remedy).unwrap()
    };
    assert!(remedy(2).starts_with("look for many open files"), "{}", remedy(2));
    assert!(remedy(12).starts_with("raise the limit: so much is what processes cost"), "{}", remedy(12));
}

#[test]
fn nothing_is_said_without_evidence() {
    assert_eq!(codes(|_| ()), [""; 0]);
}

#[test]
fn what_filled_it() {
    assert_eq!(codes(|oom| made(oom).shmem_bytes = Some(12 * MIB)), ["shared-memory"]);
    assert_eq!(codes(|oom| made(oom).shmem_bytes = Some(MIB)), [""; 0]);
    assert_eq!(codes(|oom| made(oom).sock_bytes = Some(9 * MIB)), ["kernel-memory"]);
    assert_eq!(codes(|oom| made(oom).sock_bytes = Some(MIB)), [""; 0]);
    assert_eq!(codes(|oom| made(oom).file_bytes = Some(9 * MIB)), ["page-cache-stuck"]);
    let sampled = |oom: &mut Oom| {
        made(oom).file_bytes = Some(9 * MIB);
        made(oom).source = "sample";
    };
    assert_eq!(codes(sampled), [""; 0], "it may have been dropped since");
    assert_eq!(codes(|oom| made(oom).unevictable_bytes = Some(9 * MIB)), ["locked-memory"]);
    assert_eq!(codes(|oom| made(oom).huge_bytes = Some(9 * MIB)), ["huge-pages"]);
    assert_eq!(codes(|oom| made(oom).huge_bytes = Some(MIB)), [""; 0]);
}

#[test]
fn shared_memory_that_went_with_the_victim_is_not_said_to_stay() {
    let text = |after: u64| {
        let mut oom = plain();
        made(&mut oom).shmem_bytes = Some(12 * MIB);
        let nobody = Holder { what: Some("no living process"), shmem_bytes: Some(12 * MIB), ..Holder::default() };
        (oom.holders, oom.usage_bytes.after) = (vec![nobody, holder(7, 1)], Some(after));
        super::findings(&oom).iter().find(|one| one.code == "shared-memory").expect("said").text.clone()
    };
    assert!(text(14 * MIB).contains("frees nothing of it as long as the files stay"), "{}", text(14 * MIB));
    assert!(text(MIB).contains("they went with") && text(MIB).contains("1M were left"), "{}", text(MIB));
}

#[test]
fn page_tables_are_named_on_v1_and_come_back_late() {
    let mut oom = plain();
    oom.hierarchy = Version::V1;
    let limit = oom.limit_bytes.unwrap();
    (oom.usage_bytes.before, oom.usage_bytes.after) = (Some(limit), Some(limit));
    let composition = made(&mut oom);
    (composition.kernel_bytes, composition.kernel_other_bytes) = (Some(12 * MIB), Some(12 * MIB));
    let said = |oom: &Oom| super::findings(oom).iter().map(|one| (one.code, one.text.clone())).collect::<Vec<_>>();
    let without = said(&oom);
    assert_eq!(without.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["kernel-memory", "freed-too-little"]);
    assert!(without[0].1.ends_with("cgroup v1 does not tell of what kind it is."), "{without:?}");
    made(&mut oom).page_tables_bytes = Some(11 * MIB);
    let with = said(&oom);
    assert_eq!(with.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["kernel-memory"], "they come back");
    assert!(with[0].1.contains("11M of it page tables"), "{with:?}");
}

#[test]
fn files_that_are_locked_are_not_said_to_be_written_too_fast() {
    let remedy = |field: fn(&mut Composition) -> &mut Option<u64>| {
        let mut oom = plain();
        made(&mut oom).file_bytes = Some(9 * MIB);
        *field(made(&mut oom)) = Some(8 * MIB);
        let found = super::findings(&oom).into_iter().find(|one| one.code == "page-cache-stuck").expect("said");
        (found.text.contains("in time"), found.remedy.unwrap())
    };
    let (in_time, locked) = remedy(|made| &mut made.unevictable_bytes);
    assert!(!in_time && locked.contains("mlock"), "{locked}");
    let (in_time, dirty) = remedy(|made| &mut made.dirty_bytes);
    assert!(in_time && dirty.contains("fsync"), "{dirty}");
}

#[test]
fn who_grew() {
    assert_eq!(codes(|oom| oom.grower = Some(grower(7, 8))), ["one-process-grew"]);
    assert_eq!(codes(|oom| oom.grower = Some(grower(7, 1))), [""; 0]);
    assert_eq!(codes(|oom| oom.grower = Some(grower(8, 8))), ["grower-survived"]);
    let crowd = |oom: &mut Oom| oom.holders = (1..=16).map(|pid| holder(pid, 1)).collect();
    assert_eq!(codes(crowd), ["many-processes"]);
    assert_eq!(codes(|oom| oom.holders = vec![holder(7, 8), holder(8, 8)]), [""; 0]);
    // Memory in swap, or charged to others, is the process's too: more than the limit is no share of it.
    let text = |percent: u64| {
        let mut oom = plain();
        oom.grower = Some(Grower { limit_percent: Some(percent), ..grower(7, 8) });
        super::findings(&oom).remove(0).text
    };
    assert!(text(100).contains(", 100 % of the limit"), "{}", text(100));
    assert!(
        text(150).contains(", more than the limit, with what is in swap") && !text(150).contains('%'),
        "{}",
        text(150)
    );
}

#[test]
fn whose_limit() {
    let above = |oom: &mut Oom| oom.limit_group = Some("/lab".to_string());
    assert_eq!(codes(above), ["ancestor-limit"]);
    let neighbour = |usage: u64| {
        move |oom: &mut Oom| {
            above(oom);
            let one = |group: &str, mib: u64| GroupUse {
                group: group.to_string(),
                usage_bytes: Some(mib * MIB),
                limit_bytes: None,
            };
            oom.groups = vec![one("/lab/run", 4), one("/lab/other", usage)];
        }
    };
    assert_eq!(codes(neighbour(12)), ["ancestor-limit", "neighbour-filled-it"]);
    assert_eq!(codes(neighbour(2)), ["ancestor-limit"]);
    // What it held less of than its victim alone was read when that had gone.
    for (held, says) in [(3, ", which held 4M and had no limit of its own."), (5, ", which had no limit of its own.")] {
        let mut oom = plain();
        neighbour(2)(&mut oom);
        oom.holders = vec![holder(7, held)];
        let found = findings(&oom).remove(0);
        assert!(found.text.ends_with(says), "{}", found.text);
    }
    assert_eq!(codes(|oom| oom.least_start_bytes = Some(17 * MIB)), ["limit-below-start"]);
    let swap = |total: u64, free: u64, limit: Option<u64>| {
        move |oom: &mut Oom| {
            made(oom).anon_bytes = Some(15 * MIB);
            made(oom).shmem_bytes = Some(0);
            let usage_bytes = None;
            oom.swap =
                Some(SwapUse { host_total_bytes: total, host_free_bytes: free, usage_bytes, limit_bytes: limit });
        }
    };
    assert_eq!(codes(swap(0, 0, None)), ["no-swap"]);
    assert_eq!(codes(swap(99 * MIB, 0, None)), ["swap-full"]);
    assert_eq!(codes(swap(99 * MIB, 90 * MIB, None)), [""; 0]);
}

#[test]
fn why_this_one_and_what_the_kill_brought() {
    let adjusted = |adj: i16| move |oom: &mut Oom| oom.candidates = vec![candidate(7, 10, adj), candidate(8, 900, 0)];
    assert_eq!(codes(adjusted(500)), ["score-adjusted"]);
    assert_eq!(codes(adjusted(0)), [""; 0]);
    let path = |function: &str| vec![Frame { function: function.to_string(), offset: None, size: None, module: None }];
    assert_eq!(codes(|oom| oom.call_path = path("bpf_oom_kill_process")), ["bpf-policy"]);
    assert_eq!(codes(|oom| oom.call_path = path("oom_kill_process")), [""; 0]);
    assert_eq!(codes(|oom| oom.call_path = path("memory_max_write")), ["limit-lowered"]);
    let member = |oom: &mut Oom| {
        let other = Victim { pid: 8, cause: Cause::Group, ..oom.victims[0].clone() };
        oom.victims.push(other);
    };
    assert_eq!(codes(member), ["group-kill"]);
    assert_eq!(codes(|oom| oom.usage_bytes.after = Some(15 * MIB)), ["freed-too-little"]);
    assert_eq!(codes(|oom| oom.occurrence = Some(3)), ["repeated"]);
}

#[test]
fn who_waits() {
    let waits = |version: Version| {
        move |oom: &mut Oom| {
            oom.hierarchy = version;
            oom.victims.clear();
            oom.blocked = vec![Blocked { pid: 7, comm: b"b".to_vec(), state: 'D', wchan: None, stack: Vec::new() }];
        }
    };
    assert_eq!(codes(waits(Version::V1)), ["killer-off"]);
    assert_eq!(codes(waits(Version::V2)), ["paused"]);
    let nobody = |oom: &mut Oom| {
        oom.victims.clear();
        oom.candidates = vec![candidate(7, 10, -1000)];
    };
    assert_eq!(codes(nobody), ["nobody-to-kill"]);
}

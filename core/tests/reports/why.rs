//! What reports mean: each finding by the numbers that show it, and none without them.

use memoom::observe::report::Report;

use super::{log, parse_reports};

/// A report of the machine's OOM: the mask and order of the allocation, lines of Mem-Info, rows, the end of the summary.
fn global(mask: &str, order: i32, info: &str, constraint: &str) -> Report {
    let text = format!(
        "a invoked oom-killer: gfp_mask={mask}, order={order}, oom_score_adj=0
Mem-Info:
{info}
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[      7]     0     7     1000      100     4096        0             0 a
oom-kill:constraint={constraint},nodemask=0,cpuset=x,mems_allowed=0,global_oom,task_memcg=/,task=a,pid=7,uid=0
Out of memory: Killed process 7 (a) total-vm:4000kB, anon-rss:400kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0
"
    );
    let mut reports = parse_reports(text.as_bytes());
    assert_eq!(reports.len(), 1, "{text}");
    reports.remove(0)
}

fn codes(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

fn zone(name: &str, numbers: &str, lists: &str) -> String {
    format!("Node 0 {name} {numbers}\nNode 0 {name}: {lists}")
}

#[test]
fn a_slab_leak_is_named() {
    let report = &parse_reports(&log("made/6.1-global-slab.log"))[0];
    assert_eq!(codes(report), ["kernel-memory", "no-swap"]);
    let finding = &report.findings[0];
    assert!(finding.text.contains("1536 MiB (80 % of the machine's memory)"), "{}", finding.text);
    assert!(finding.text.contains("The largest caches: filp with 1441 MiB"), "{}", finding.text);
    assert_eq!(
        finding.evidence,
        ["consumers.0.bytes = 1610612736", "consumers.0.percent = 80", "mem_info.slabs.1.total_bytes = 1510998016"]
    );
    assert_eq!(report.consumers[0].bytes, 1_610_612_736, "the evidence is in the document");
    let summary = report.summary.as_deref().unwrap();
    assert!(
        summary.starts_with("The machine ran out of memory: 46.9 MiB of 1915 MiB were free. python3 (pid 812) held ")
    );
    assert!(summary.contains("no process holds the 1536 MiB of unreclaimable slab (80 %)"), "{summary}");
    assert!(summary.ends_with("The kernel killed python3 (pid 812): it had the highest score, by its size."));
    assert_eq!(
        report.to_line(),
        "[ 4000.000001] the machine: killed python3 (812), anon 68.4 MiB; most was held by unreclaimable slab, 1536 MiB"
    );
}

#[test]
fn low_memory_of_32_bits() {
    let report = &parse_reports(&log("made/3.10-lowmem.log"))[0];
    assert_eq!(codes(report)[0], "lowmem-exhausted");
    let info = report.mem_info.as_ref().unwrap();
    assert_eq!((info.pages.get("slab_reclaimable"), info.pages.len()), (Some(150_000), 18), "lines without a prefix");
    assert!(report.findings[0].evidence.contains(&"node 0 zone HighMem free_bytes = 2122792960".to_string()));
}

#[test]
fn a_device_that_reaches_little() {
    let low = zone("DMA", "free:100kB min:100kB low:110kB high:120kB managed:15360kB", "25*4kB (U) = 100kB");
    let high =
        zone("Normal", "free:900000kB min:100kB low:110kB high:120kB managed:1000000kB", "225000*4kB (U) = 900000kB");
    let report = global("0xcc1(GFP_KERNEL|GFP_DMA)", 0, &format!("{low}\n{high}"), "CONSTRAINT_NONE");
    assert_eq!(codes(&report)[0], "dma-zone");
    // The same zones for an allocation that may come from all of them: it is not the zone.
    let report = global("0xcc0(GFP_KERNEL)", 0, &format!("{low}\n{high}"), "CONSTRAINT_NONE");
    assert!(!codes(&report).contains(&"dma-zone"));
}

#[test]
fn memory_in_pieces() {
    let pieces = zone(
        "Normal",
        "free:40000kB min:1000kB low:2000kB high:3000kB",
        "10000*4kB (UM) 0*8kB 0*16kB 0*32kB = 40000kB",
    );
    let report = global("0xcc0(GFP_KERNEL)", 2, &pieces, "CONSTRAINT_NONE");
    assert_eq!(codes(&report)[0], "fragmentation");
    assert!(report.findings[0].text.contains("needed 16 KiB in a row (order 2)"), "{}", report.findings[0].text);
    let one = zone(
        "Normal",
        "free:40000kB min:1000kB low:2000kB high:3000kB",
        "9992*4kB (UM) 0*8kB 0*16kB 1*32kB (U) = 40000kB",
    );
    assert!(!codes(&global("0xcc0(GFP_KERNEL)", 2, &one, "CONSTRAINT_NONE")).contains(&"fragmentation"));
    let reserved = one.replace("1*32kB (U)", "1*32kB (H)");
    assert!(codes(&global("0xcc0(GFP_KERNEL)", 2, &reserved, "CONSTRAINT_NONE")).contains(&"fragmentation"));
    assert!(!codes(&global("0xcc0(GFP_KERNEL)", 0, &pieces, "CONSTRAINT_NONE")).contains(&"fragmentation"));
}

#[test]
fn memory_for_movable_pages_alone() {
    let zone =
        zone("DMA32", "free:66000kB min:1000kB low:2000kB high:3000kB free_cma:65600kB", "16500*4kB (C) = 66000kB");
    assert_eq!(codes(&global("0xcc0(GFP_KERNEL)", 0, &zone, "CONSTRAINT_NONE"))[0], "cma-only");
    let movable = global("0x100cca(GFP_HIGHUSER_MOVABLE)", 0, &zone, "CONSTRAINT_NONE");
    assert!(!codes(&movable).contains(&"cma-only"));
}

#[test]
fn confinement_and_the_hand() {
    let nodes =
        "Node 0 Normal free:100kB min:100kB low:1kB high:1kB\nNode 1 Normal free:204800kB min:1kB low:1kB high:1kB";
    let report = global("0xcc0", 0, nodes, "CONSTRAINT_CPUSET");
    assert_eq!(codes(&report)[0], "cpuset-confined");
    assert!(report.findings[0].text.ends_with("Other nodes had 200 MiB free."), "{}", report.findings[0].text);
    assert_eq!(codes(&global("0xcc0", 0, nodes, "CONSTRAINT_MEMORY_POLICY"))[0], "mempolicy-confined");
    let report = global("0xcc0", -1, nodes, "CONSTRAINT_NONE");
    assert_eq!(codes(&report)[0], "manual");
    assert!(report.summary.unwrap().starts_with("The OOM killer was called by hand"));
}

#[test]
fn huge_pages_swap_and_what_no_process_holds() {
    let info = "active_anon:1000 inactive_anon:0 active_file:10 inactive_file:10
 shmem:900 slab_unreclaimable:100 free:500
Node 0 Normal free:2000kB min:2000kB low:3000kB high:4000kB managed:1048576kB
Node 0 Normal: 500*4kB (U) = 2000kB
Node 0 hugepages_total=256 hugepages_free=256 hugepages_surp=0 hugepages_size=2048kB
Free swap  = 0kB
Total swap = 102400kB
262144 pages RAM
0 pages reserved";
    let report = global("0xcc0", 0, info, "CONSTRAINT_NONE");
    assert_eq!(codes(&report), ["huge-pages", "untold-memory", "swap-full"]);
    assert!(report.findings[0].text.starts_with("Of 512 MiB set aside as huge pages, 512 MiB were not in use"));
    assert_eq!((report.consumers[0].what, report.consumers[0].percent), ("huge-pages", Some(50)));
    assert_eq!((report.consumers[1].what, report.consumers[1].percent), ("untold", Some(49)));
}

fn group(stat: &str, end: &str) -> Report {
    let text = format!(
        "a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
memory: usage 102400kB, limit 102400kB, failcnt 3
swap: usage 0kB, limit 0kB, failcnt 0
Memory cgroup stats for /docker/0123456789ab:
{stat}
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[      7]     0     7    10000      256     4096        0             0 a
[      8]     0     8    10000     2560     4096        0          -900 b
{end}
"
    );
    let mut reports = parse_reports(text.as_bytes());
    assert_eq!(reports.len(), 1, "{text}");
    reports.remove(0)
}

#[test]
fn a_group_that_a_tmpfs_fills() {
    let end = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/docker/0123456789ab,task_memcg=/docker/0123456789ab/x,task=a,pid=7,uid=0
Memory cgroup out of memory: Killed process 7 (a) total-vm:40000kB, anon-rss:1024kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0";
    let report = group("anon 2097152\nfile 100663296\nshmem 99614720\nunevictable 52428800", end);
    assert_eq!(codes(&report), ["ancestor-limit", "shared-memory", "locked-memory", "no-swap", "score-adjusted"]);
    let summary = report.summary.as_deref().unwrap();
    assert!(
        summary.starts_with(
            "The Docker container 0123456789ab reached its memory limit of 100 MiB. b (pid 8) held 10 MiB"
        ),
        "{summary}"
    );
    assert!(summary.contains("no process holds the 95 MiB of shared memory (tmpfs, memfd) (95 %)"), "{summary}");
    assert_eq!(report.workload.as_ref().unwrap().container_id.as_deref(), Some("0123456789ab"));
}

#[test]
fn an_empty_report_has_no_findings() {
    let report =
        &parse_reports(b"Memory cgroup out of memory: Killed process 7 (a) total-vm:40000kB, anon-rss:1024kB\n")[0];
    assert!(report.findings.is_empty());
    assert_eq!(
        report.summary.as_deref(),
        Some("A memory cgroup reached its memory limit. The kernel killed a (pid 7), which held 1 MiB of anonymous memory.")
    );
}

/// Nobody may be killed: for the machine there is no limit to raise.
#[test]
fn a_remedy_fits_what_ran_out() {
    let remedy = |heading: &str, adj: &str| {
        let log = format!(
            "[    4.100000] swapper/0 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
             [    4.100001] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n\
             [    4.100002] [     82]     0    82       10        5     8192        0         {adj} init\n\
             [    4.100003] {heading}\n"
        );
        let report = super::parse_reports(log.as_bytes()).remove(0);
        let finding = report.findings.into_iter().find(|finding| finding.code == "nobody-to-kill").unwrap();
        finding.remedy.unwrap().to_string()
    };
    let machine = "Kernel panic - not syncing: System is deadlocked on memory";
    let machine = format!("Out of memory and no killable processes...\n[    4.100004] {machine}");
    assert!(!remedy(&machine, "    0").contains("limit"));
    assert!(remedy(&machine, "-1000").contains("oom_score_adj"));
}

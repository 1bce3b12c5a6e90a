//! Reports in mails about the kernel: quoted in prose, broken at blanks, with the lines of the source behind each function.

use memoom::observe::report::{MemInfo, Report, ReportReader, Scope};

use super::parse_reports;

fn one(log: &str) -> Report {
    let mut reports = parse_reports(log.as_bytes());
    assert_eq!(reports.len(), 1, "{reports:#?}");
    reports.remove(0)
}

fn reason<'a>(report: &'a Report, source: &str) -> Option<&'a str> {
    report.missing.iter().find(|missing| missing.source == source).map(|missing| missing.reason.as_ref())
}

/// Whoever writes about the kernel's words quotes them; a line of a log that names nobody is told by more than these words.
#[test]
fn a_sentence_about_nobody_to_kill_is_no_report() {
    for text in [
        "there is \"Out of memory and no killable processes...\" message printed as\na warning\n",
        "> > due to \"Out of memory and no killable processes...\"\n> > as said\n",
        "2. it prints\n   the 'Out of memory and no killable processes...' message, which\n",
    ] {
        let mut reader = ReportReader::new();
        let mut reports = reader.feed(text.as_bytes());
        reports.extend(reader.finish());
        assert!(reports.is_empty(), "{text}: {reports:#?}");
        assert!(reader.lookalikes().0 > 0, "{text}");
    }
    for text in [
        "{\"msg\": \"Out of memory and no killable processes...\"}\n",
        "msg=\"Out of memory and no killable processes...\"\n",
        "node-1 kernel: Out of memory and no killable processes...\n",
    ] {
        assert!(one(text).no_killable, "{text}");
    }
}

/// scripts/decode_stacktrace.sh of the kernel's sources.
#[test]
fn functions_with_the_lines_of_the_source() {
    let report = one("[   66.100001][  T248] hog invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP), order=0, oom_score_adj=-1000\n\
         [   66.100002][  T248] CPU: 1 UID: 0 PID: 248 Comm: hog Not tainted 6.17.0-rc3 #1 PREEMPTLAZY\n\
         [   66.100003][  T248] Call Trace:\n\
         [   66.100004][  T248]  ? show_stack (arch/x86/kernel/dumpstack.c:319)\n\
         [   66.100005][  T248]  dump_header (mm/oom_kill.c:468 (discriminator 1))\n\
         [   66.100006][  T248]  oom_kill_process.cold (mm/oom_kill.c:450 (discriminator 1) mm/oom_kill.c:1041 (discriminator 1))\n\
         [   66.100007][  T248]  out_of_memory (mm/oom_kill.c:1180)\n\
         [   66.100008][  T248]  __alloc_pages_may_oom (mm/page_alloc.c:4026)\n\
         [   66.100009][  T248]  __alloc_pages_slowpath+0x39d/0x6e0\n\
         [   66.100010][  T248]  xfs_buf_read (fs/xfs/xfs_buf.c:12) xfs\n\
         [   66.100011][  T248] EIP: 0xb7d730cf\n\
         [   66.100012][  T248] Code: 8d 04 33 8d 92 40 07 00 00\n");
    let shown: Vec<_> =
        report.call_trace.iter().map(|frame| (frame.function.as_str(), frame.offset, frame.uncertain)).collect();
    assert_eq!(
        shown,
        [
            ("show_stack", None, true),
            ("dump_header", None, false),
            ("oom_kill_process.cold", None, false),
            ("out_of_memory", None, false),
            ("__alloc_pages_may_oom", None, false),
            ("__alloc_pages_slowpath", Some(0x39d), false),
            ("xfs_buf_read", None, false),
        ]
    );
    assert_eq!(report.call_trace[6].module.as_deref(), Some("xfs"));
    assert_eq!((report.scope, reason(&report, "call_trace")), (Some(Scope::Global), None));
    let text = report.to_text();
    assert!(text.contains("? show_stack, dump_header, ") && text.contains("__alloc_pages_slowpath+0x39d/0x6e0"));
    assert!(report.to_json().contains(r#"{"function":"out_of_memory","offset":null,"size":null,"module":null"#));
}

/// A page about memory shows the call stacks of allocations behind an excerpt of an OOM.
#[test]
fn frames_of_another_matter_are_not_the_report_s() {
    let prose = "A line of prose stands here.\n".repeat(9);
    let report = one(&format!(
        "[    4.300001] swapper/0 invoked oom-killer: gfp_mask=0x6040c0(GFP_KERNEL|__GFP_COMP), nodemask=(null), order=0, oom_score_adj=0\n\
         ...\n{prose}\x20126 alloc_vector+0xbe/0x830 [nic] waste=233856/1856 age=280763 pid=1330\n\
         \x20    __kmem_cache_alloc_node+0x11f/0x4e0\n     __kmalloc_node+0x4e/0x140\n     alloc_vector+0xbe/0x830 [nic]\n"
    ));
    assert!(report.call_trace.is_empty() && reason(&report, "call_trace").is_some(), "{:?}", report.call_trace);
    // Right behind the invoker they are, also without any heading, as on 32-bit ARM.
    let report = one("sshd invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=0, oom_score_adj=0\n\
         [<c011e49c>] (unwind_backtrace+0x0/0xf0) from [<c015e570>] (dump_header+0x48/0x114)\n\
         [<c015e570>] (dump_header+0x48/0x114) from [<c015e76c>] (oom_kill_process+0x48/0x18c)\n");
    assert_eq!(report.call_trace.len(), 2);
}

const OVERVIEW: &str = "[  332.100001] hog invoked oom-killer: gfp_mask=0x6040c0(GFP_KERNEL|__GFP_COMP), order=3,\n\
    oom_score_adj=0\n\
    [  332.100002] Mem-Info:\n\
    [  332.100003] active_anon:144 inactive_anon:4026083 isolated_anon:0\n\
    [  332.100003]  free:34555 free_pcp:20 free_cma:0\n\
    [  332.100004] Node 0 active_anon:576kB inactive_anon:16104332kB\n\
    active_file:180kB shmem:25480kB shmem_thp: 0kB anon_thp:\n\
    4kB kernel_stack:2400kB all_unreclaimable?\nyes\n\
    [  332.100005] Node 0 Normal free:58128kB min:5832kB low:72888kB\n\
    high:87464kB reserved_highatomic:0KB writepending:76kB present:14417920kB\n\
    managed:14101104kB free_cma:0kB\n\
    [  332.100006] lowmem_reserve[]: 0 0 0 0\n\
    [  332.100007] Node 0 Normal: 784*4kB (UME) 409*8kB (UME) 183*16kB\n\
    (UME) 67*32kB (UME) 38*64kB (E) =\n58456kB\n\
    [  332.100008] Node 0 hugepages_total=4 hugepages_free=3\n\
    hugepages_surp=0 hugepages_size=2048kB\n\
    [  332.100009] 6513 total pagecache pages\n\
    [  332.100010] 4181246 pages RAM\n\
    [  332.100011] 95612 pages reserved\n";

fn overview(report: &Report) -> &MemInfo {
    report.mem_info.as_ref().unwrap()
}

/// Whatever the width is at which a mail program broke them.
#[test]
fn an_overview_that_was_broken_at_blanks() {
    let report = one(OVERVIEW);
    let info = overview(&report);
    let node = &info.nodes[0];
    assert_eq!(node.stat.iter().collect::<Vec<_>>(), {
        let kib = |name, kib: u64| (name, kib << 10);
        [
            kib("active_anon", 576),
            kib("inactive_anon", 16_104_332),
            kib("active_file", 180),
            kib("shmem", 25_480),
            kib("shmem_thp", 0),
            kib("anon_thp", 4),
            kib("kernel_stack", 2400),
        ]
    });
    assert_eq!(node.all_unreclaimable, Some(true));
    let zone = &node.zones[0];
    assert_eq!((zone.high_bytes, zone.present_bytes), (Some(87_464 << 10), Some(14_417_920 << 10)));
    assert_eq!(zone.managed_bytes, Some(14_101_104 << 10));
    let blocks: Vec<_> = zone.free_blocks.iter().map(|block| (block.order, block.count)).collect();
    assert_eq!(blocks, [(0, 784), (1, 409), (2, 183), (3, 67), (4, 38)]);
    assert_eq!(zone.free_blocks[2].types.as_deref(), Some("UME"));
    assert_eq!((node.huge_pages[0].total, node.huge_pages[0].free, node.huge_pages[0].size_bytes), (4, 3, 2 << 20));
    assert_eq!((info.page_cache_pages, info.ram_pages), (Some(6513), Some(4_181_246)));
    let finds = |report: &Report| report.findings.iter().any(|finding| finding.code == "fragmentation");
    assert!(!finds(&report));
    // What the line of the free lists lacks may have been free: nothing follows from it.
    let cut = one(&OVERVIEW.replace(" 183*16kB\n(UME) 67*32kB (UME) 38*64kB (E) =\n58456kB", ""));
    assert_eq!(overview(&cut).nodes[0].zones[0].free_blocks.len(), 2);
    assert!(!finds(&cut) && !cut.to_text().contains("the largest free block"));
    let whole = one(&OVERVIEW.replace("183*16kB\n(UME) 67*32kB (UME) 38*64kB (E) =\n", "= "));
    assert!(finds(&whole) && whole.to_text().contains("the largest free block"));
}

/// Before 3.10 counts stand between the overview and the kill that later kernels do not print.
#[test]
fn counts_of_old_kernels_belong_to_the_overview() {
    let report = one("DMA: 1*4kB 2*8kB 0*16kB = 20kB\n\
         Normal: 3*4kB 0*8kB 1*16kB = 28kB\n\
         1310719 pages of RAM\n46843 reserved pages\n3211 pages shared\n17 pages swap cached\n\
         Out of memory: kill process 2216 (hog) score 1018 or a child\nKilled process 2216 (hog)\n");
    let info = overview(&report);
    assert_eq!((info.ram_pages, info.reserved_pages, info.swap_cache_pages), (Some(1_310_719), Some(46_843), Some(17)));
    let report = one("1310719 pages RAM\n46843 pages reserved\n3211 pages shared\n1239812 pages non-shared\n\
         Out of memory: Kill process 2216 (hog) score 10 or sacrifice child\n\
         Killed process 2216 (hog) total-vm:9180kB, anon-rss:1900kB, file-rss:512kB\n");
    assert_eq!((overview(&report).ram_pages, report.scope), (Some(1_310_719), Some(Scope::Global)));
}

/// For a group the kernel panics where the setting is compulsory alone, and never as nobody may be killed.
#[test]
fn a_panic_tells_whose_memory_was_out() {
    let invoked = "[   10.100000] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n";
    for (words, scope) in [
        ("Out of memory: system-wide panic_on_oom is enabled", Some(Scope::Global)),
        ("Out of memory: compulsory panic_on_oom is enabled", None),
        ("out of memory. panic_on_oom is selected", Some(Scope::Global)),
        ("out of memory(memcg). panic_on_oom is selected.", Some(Scope::Memcg)),
        ("Out of memory and no killable processes...", Some(Scope::Global)),
    ] {
        let panic = format!("[   10.100009] Kernel panic - not syncing: {words}\n");
        let behind = "[   10.100010] CPU: 0 PID: 1 Comm: init Not tainted 5.1 #1\n[   10.100011] Call Trace:\n\
                      [   10.100012]  panic+0x10f/0x2e9\n[   10.100013]  out_of_memory+0x1/0x2\n";
        let report = one(&[invoked, &panic, behind].concat());
        assert_eq!((report.scope, report.call_trace.len()), (scope, 0), "{words}");
        let alone = one(&[&panic, behind].concat());
        assert_eq!((alone.scope, alone.no_killable), (scope, words.contains("no killable")), "{words}");
        assert!(reason(&alone, "report").unwrap().contains(if alone.no_killable { "end of" } else { "panic" }));
    }
    let deadlock = "[   10.100008] Out of memory and no killable processes...\n\
         [   10.100009] Kernel panic - not syncing: System is deadlocked\non memory\n";
    assert_eq!(one(deadlock).scope, Some(Scope::Global));
    let invoked = [invoked, "[   10.100009] Kernel panic - not syncing: System is deadlocked on memory\n"].concat();
    assert!(one(&invoked).no_killable && reason(&one(&invoked), "kills").is_none());
}

/// On 64 bits it is the zone for what can be moved that the kernel's own memory may not come from.
#[test]
fn memory_that_is_free_in_the_zone_movable_alone() {
    let log = "[   10.100000] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
         [   10.100001] Mem-Info:\n\
         [   10.100002] Node 0 Normal free:4kB min:8kB low:9kB high:10kB present:4000kB managed:4000kB\n\
         [   10.100003] lowmem_reserve[]: 0 0 0\n\
         [   10.100004] Node 0 Movable free:4000kB min:8kB low:9kB high:10kB present:8000kB managed:8000kB\n\
         [   10.100005] lowmem_reserve[]: 0 0 0\n";
    let remedy = |log: &str| {
        let report = one(log);
        let found = report.findings.iter().find(|finding| finding.code == "lowmem-exhausted").unwrap();
        found.remedy.as_deref().unwrap_or_default().to_string()
    };
    assert!(remedy(log).contains("Movable"));
    assert!(remedy(&log.replace("Movable", "HighMem")).contains("64-bit"));
}

/// Small machines run kernels without the names of their functions; 32-bit ones have memory that the kernel itself cannot use.
#[test]
fn frames_without_names_and_frames_before_a_broken_date() {
    let report = one("Mon Apr 12 18:29:48 2021 kern.warn kernel: [  267.720081] ap invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0\n\
         Mon Apr 12 18:29:48 2021 kern.warn kernel: [  267.728264] CPU: 0 PID: 1685 Comm: ap Not tainted 5.4.108 #0\n\
         Mon Apr 12 18:29:48 2021 kern.warn kernel: [  267.734375] Stack : 80690000 80631cf4 00000000 00000000\n\
         Mon Apr 12 18:29:48 2021 kern.warn kernel: [  267.770000] Call Trace:\n\
         Mon Apr 12 18:29:48 2021 kern.warn kernel: [  267.795708] [<800a22e4>] 0x800a22e4\n\
         Mon Apr 12 18:29:48 2021 kern.warn kernel: [  267.799805] [<800b513c>] 0x800b513c\n");
    assert!(reason(&report, "call_trace").unwrap().contains("without the names"), "{:?}", report.missing);
    let report = one("> Feb 4 16:15:15 kernel: df_inode invoked oom-killer: gfp_mask=0xd0,\norder=0, oomkilladj=0\n\
         > Feb 4 16:15:16 kernel: [<c01408cb>] out_of_memory+0x69/0x18e\n\
         > Feb 4 16:15:16 kernel: [<c0141f8a>] __get_free_pages+0x39/0x47 Feb 4\n\
         16:15:16 kernel: [<c011bbc8>] copy_process+0x89/0x1051\n");
    let names: Vec<_> = report.call_trace.iter().map(|frame| frame.function.as_str()).collect();
    assert_eq!(names, ["out_of_memory", "__get_free_pages", "copy_process"]);
}

/// Whoever explains a log quotes a line of it from another file first: one kill.
#[test]
fn a_choice_that_is_quoted_from_another_log() {
    let quoted = "It was in messages:\nJul 27 13:29:54 kernel: Out of memory: Kill process 17982 (java) score 77 or sacrifice child\n\n";
    let table = "[511250.459172] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n\
         [511250.459178] [  444]     0   444    30482      118      63        0             0 journal\n";
    let kill = "[511250.459581] Out of memory: Kill process 17982 (java) score 77 or sacrifice child\n\
         [511250.459642] Killed process 17982 (java) total-vm:19803312kB, anon-rss:2540308kB, file-rss:0kB, shmem-rss:0kB\n";
    for log in [[quoted, table, kill].concat(), [table, kill, "As in messages:\n", quoted].concat()] {
        let report = one(&log);
        assert_eq!((report.kills.len(), report.tasks.len(), report.time_usec), (1, 1, Some(511_250_459_172)));
    }
    // Another score, or another time of the same clock, is another choice.
    assert_eq!(parse_reports([&quoted.replace("77", "78"), table, kill].concat().as_bytes()).len(), 2);
    let earlier = "[  250.459581] Out of memory: Kill process 17982 (java) score 77 or sacrifice child\n";
    assert_eq!(parse_reports([earlier, table, kill].concat().as_bytes()).len(), 2);
}

/// Swap that is being switched off has no size any more, and tasks have pages in it.
#[test]
fn swap_that_is_being_switched_off() {
    let log = "[   10.100000] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
         [   10.100001] Mem-Info:\n\
         [   10.100002] Free swap  = -245804kB\n\
         [   10.100003] Total swap = 0kB\n\
         [   10.100004] 458615 pages RAM\n\
         [   10.100005] [ pid ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n\
         [   10.100006] [ 4928]     0  4928   293741    66123   827392    30111             0 hog\n";
    let finds = |log: &str| one(log).findings.iter().any(|finding| finding.code == "no-swap");
    assert!(!finds(log) && finds(&log.replace("30111", "    0")));
}

/// What an overview tells of which lines are left out says nothing of what nobody holds.
#[test]
fn an_overview_without_some_of_its_lines() {
    let log = "[   10.100000] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
         [   10.100001] Mem-Info:\n\
         [   10.100002] active_anon:10 inactive_anon:20 isolated_anon:0\n\
         [   10.100003]  active_file:1 inactive_file:2 isolated_file:0\n\
         [   10.100004]  slab_reclaimable:3 slab_unreclaimable:4\n\
         [   10.100005]  free:5 free_pcp:0 free_cma:0\n\
         [   10.100006] Normal: 1*4kB 2*8kB = 20kB\n\
         [   10.100007] 100000 pages RAM\n\
         [   10.100008] 0 pages reserved\n";
    let untold = |log: &str| one(log).consumers.iter().any(|consumer| consumer.what == "untold");
    assert!(untold(log));
    for line in [
        "[   10.100003]  active_file:1 inactive_file:2 isolated_file:0\n",
        "[   10.100004]  slab_reclaimable:3 slab_unreclaimable:4\n",
    ] {
        assert!(!untold(&log.replace(line, "")), "{line}");
    }
}

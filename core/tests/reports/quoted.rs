//! Logs as people quote them: broken twice, shortened by hand, beside the source that prints them.

use memoom::observe::report::{Report, Scope};

use super::parse_reports;

fn one(log: &str) -> Report {
    let mut reports = parse_reports(log.as_bytes());
    assert_eq!(reports.len(), 1, "{reports:#?}");
    reports.remove(0)
}

fn said(report: &Report, source: &str) -> bool {
    report.missing.iter().any(|missing| missing.source == source)
}

/// A terminal breaks in the middle of words, and a mail program what is left of it at blanks.
#[test]
fn lines_that_were_broken_twice() {
    let report = one("[   61.200100] hog invoked oom-\n\
         killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
         [   61.200110] CPU: 1 PID: 812 Comm: hog Not \n\
         tainted 6.9.2+ #4\n\
         [   61.200120] memory: usage 2048kB, limit 20\n\
         48kB, failcnt 31\n\
         [   61.200130] \n\
         oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom\n\
         _memcg=/small,task_m\n\
         emcg=/small/one,task=hog,pid=812,uid=7\n\
         [   61.200140] Memory cgroup out of memory: Killed process 812 (hog) \n\
         total-vm:9180kB, anon-rss:1900kB, file-rss\n\
         :512kB, shmem-rss:0kB, UID:7 pgtables:48kB oom_score_adj:0\n\
         [   61.200150] oom_reaper: reaped process 812 (hog), now anon-rss:0kB, file-\n\
         rss:0kB, shmem-rss:0kB\n");
    let invoker = report.invoker.as_ref().unwrap();
    assert_eq!((invoker.comm.as_slice(), invoker.pid, invoker.order), (&b"hog"[..], Some(812), Some(0)));
    assert_eq!(report.release.as_deref(), Some(&b"6.9.2+"[..]));
    assert_eq!(report.memory.unwrap().limit_bytes, Some(2 << 20));
    assert_eq!((report.oom_memcg.as_deref(), report.task_memcg.as_deref()), {
        (Some(&b"/small"[..]), Some(&b"/small/one"[..]))
    });
    let (chosen, kill) = (report.chosen.as_ref().unwrap(), &report.kills[0]);
    assert_eq!((chosen.pid, chosen.uid, report.mems_allowed.as_deref()), (812, Some(7), Some(&b"0"[..])));
    assert_eq!((kill.total_vm_bytes, kill.file_rss_bytes, kill.uid), (Some(9180 << 10), Some(512 << 10), Some(7)));
    assert_eq!((kill.pgtables_bytes, kill.oom_score_adj), (Some(48 << 10), Some(0)));
    assert!(!said(&report, "kills") && !said(&report, "chosen"), "{:?}", report.missing);

    let old = one("[   95.100000] Memory cgroup out of memory: Kill process 284 \n\
         (two words) score \n\
         870 or sacrifice child\n\
         [   95.100200] Killed process 284 (two words) total-vm:37044kB, \n\
         anon-rss:76kB, file-rss:632kB, shmem-rss:0kB\n");
    let sacrifice = old.sacrifice.as_ref().unwrap();
    assert_eq!((sacrifice.pid, sacrifice.comm.as_slice(), sacrifice.score), (284, &b"two words"[..], Some(870)));
    assert_eq!((old.scope, old.kills[0].file_rss_bytes), (Some(Scope::Memcg), Some(632 << 10)));
}

/// Whoever quotes a line may leave its end out.
#[test]
fn lines_that_were_shortened_by_hand() {
    let report = one("[  700.100000] Memory cgroup out of memory: Killed process 3370 (a (b)) ....\n");
    assert_eq!((report.kills[0].pid, report.kills[0].comm.as_slice()), (3370, &b"a (b)"[..]));
    assert!(said(&report, "kills"), "its sizes are left out: {:?}", report.missing);

    let report = one("[  701.100000] hog node1 invoked oom-killer\n\
         [  701.200000] Out of memory: Killed process 12 (hog)\n");
    assert_eq!(report.invoker.as_ref().unwrap().comm, b"hog node1");
    assert!(said(&report, "invoker"), "{:?}", report.missing);
    assert_eq!(report.kills[0].pid, 12);

    let prose = "We saw that the killer was invoked\nand that it was the OOM killer invoked oom-killer\n";
    assert_eq!(parse_reports(prose.as_bytes()), []);
}

/// The sources of the kernel print these words; they are no log.
#[test]
fn what_the_kernels_source_prints() {
    let source = "\tpr_info(\"oom-kill:constraint=%s,nodemask=%*pbl\",\n\
        -\tpr_warn(\"%s invoked oom-killer: gfp_mask=%#x(%pGg), order=%d, oom_score_adj=%hd\\n\",\n\
        +\t\t\"%s invoked oom-killer: gfp_mask=%#x(%pGg), order=%d, oom_score_adj=%d\\n\",\n\
        \tpr_info(\"[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\\n\");\n\
        \tpr_info(\"Tasks state (memory values in pages):\\n\");\n\
        \tpr_info(\"Memory cgroup stats for \");\n\
        \tpr_cont(\"Memory limit reached of cgroup \");\n\
        \tpr_warn(\"Out of memory and no killable processes...\\n\");\n";
    assert_eq!(parse_reports(source.as_bytes()), []);
    let quoted =
        "+\techo \"[    1.500000] Memory cgroup out of memory: Killed process 7 (hog) total-vm:8kB, anon-rss:4kB, \
        file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\" > /dev/kmsg\n";
    assert_eq!(one(quoted).kills[0].pid, 7);
}

/// The policy of a BPF program stands on a second line of the message about the invoker.
#[test]
fn an_invoker_with_a_policy() {
    let report = one("[  315.224875] kworker/u17:0 invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n\
         \x20              oom_policy=steady\n\
         [  315.226532] CPU: 1 UID: 0 PID: 74 Comm: kworker/u17:0 Not tainted 6.16.0-9 #102 PREEMPT(full)\n");
    assert_eq!(report.invoker.as_ref().unwrap().pid, Some(74));
    assert!(!said(&report, "invoker"), "{:?}", report.missing);
}

/// Who called the killer tells whose memory it was, where nothing else does.
#[test]
fn the_trace_tells_that_it_was_the_machines_memory() {
    let log = |caller: &str| {
        format!(
            "[    9.100000] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
             [    9.100001] CPU: 1 PID: 12 Comm: hog Not tainted 5.9.0 #1\n[    9.100002] Call Trace:\n\
             [    9.100003]  dump_header+0x64/0x274\n[    9.100004]  oom_kill_process+0x284/0x290\n\
             [    9.100005]  out_of_memory+0x220/0x790\n[    9.100006]  ? find_lock_task_mm+0x10/0x90\n\
             [    9.100007]  {caller}+0xd60/0xeb0\n[    9.100008]  do_fork+0x1/0x20\n"
        )
    };
    for caller in ["__alloc_pages_slowpath.constprop.0", "__alloc_pages_may_oom", "pagefault_out_of_memory"] {
        assert_eq!(one(&log(caller)).scope, Some(Scope::Global), "{caller}");
    }
    assert_eq!(one(&log("mem_cgroup_out_of_memory")).scope, Some(Scope::Memcg));
    assert_eq!(one(&log("bpf_out_of_memory")).scope, None, "it may be either");

    let panic = one("[   48.100000] Tasks state (memory values in pages):\n\
         [   48.100001] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n\
         [   48.100002] [   2578]    81  2578      523        0   393216        6          -900 dbus-daemon\n\
         [   48.100003] Out of memory and no killable processes...\n\
         [   48.100004] Kernel panic - not syncing: System is deadlocked on memory\n");
    assert_eq!((panic.scope, panic.no_killable, panic.tasks.len()), (Some(Scope::Global), true, 1));
}

/// The kernel of OpenVZ has a line of its own.
#[test]
fn a_container_of_openvz() {
    let reports = parse_reports(
        b"Nov 24 12:17:04 node kernel: [758955.653217] OOM killer in rage, 2 tasks killed in ub 77\n\
          Nov 24 12:17:04 node kernel: [758955.653313] Out of memory in UB 77: OOM killed process 2173 (php) x) score 0 \
          vm:281988kB, rss:17004kB, swap:0kB\n\
          Nov 24 12:17:07 node kernel: [758957.803617] Out of memory in UB 77: OOM killed process 2174 (php) score 0 \
          vm:281988kB, rss:17008kB, swap:0kB\n",
    );
    let kills: Vec<_> = reports.iter().map(|report| (report.kills[0].pid, report.kills[0].comm.as_slice())).collect();
    assert_eq!(kills, [(2173, &b"php) x"[..]), (2174, b"php")]);
    assert_eq!((reports[0].scope, reports[0].kills[0].total_vm_bytes), (Some(Scope::Memcg), Some(281_988 << 10)));
    assert!(!said(&reports[0], "kills"), "{:?}", reports[0].missing);

    let broken = one(
        "Nov 24 12:17:04 node kernel: [758955.653217] OOM killer in rage, 2 tasks killed in ub 77, as it comes again\n\
        Nov 24 12:17:04 node kernel: [758955.653313] Out of memory in UB 77: OOM \n\
        killed process 2173 (php) score 0 vm:281988kB, rss:17004kB, swap:0kB\n",
    );
    assert_eq!((broken.kills[0].pid, broken.kills[0].total_vm_bytes), (2173, Some(281_988 << 10)));
}

/// The kernel prints the zones of the nodes alone to which a task is confined, and a node may have nothing that it can use.
#[test]
fn a_node_that_the_allocation_cannot_use() {
    let report = one("[    5.100000] init invoked oom-killer: gfp_mask=0x400dc2(GFP_HIGHUSER), order=0, oom_score_adj=0\n\
         [    5.100001] CPU: 8 PID: 82 Comm: init Not tainted 5.8.2-1 #1\n\
         [    5.100002] Mem-Info:\n\
         [    5.100003] active_anon:392 inactive_anon:18 isolated_anon:0\n\
         \x20                free:1598494 free_pcp:73 free_cma:0\n\
         [    5.100004] Node 4 Movable free:1300212kB min:916kB low:1392kB high:2692kB present:1300234kB managed:1300234kB\n\
         [    5.100005] lowmem_reserve[]: 0 0 0 0 0\n\
         [    5.100006] Node 4 Movable: 1*4kB (M) 0*8kB 317*4096kB (M) = 1298436kB\n\
         [    5.100007] oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=far,mems_allowed=4,global_oom,\
         task_memcg=/a,task=init,pid=82,uid=0\n\
         [    5.100008] Out of memory: Killed process 82 (init) total-vm:40kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, \
         UID:0 pgtables:8kB oom_score_adj:0\n");
    let info = report.mem_info.as_ref().unwrap();
    assert_eq!((info.total_bytes, info.page_bytes), (None, Some(4096)), "more is free than these zones have");
    let finding = &report.findings[0];
    assert_eq!(finding.code, "cpuset-confined");
    assert!(finding.text.contains("are in Movable, out of its reach"), "{}", finding.text);
}

/// A name that a terminal broke at the end of a row stands whole in the kill line.
#[test]
fn a_name_that_was_broken_in_a_row() {
    let report =
        one("[    7.100000] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n\
         [    7.100001] [     82]     0    82       10        5     8192        0             0 stre\nss\n\
         [    7.100002] Out of memory: Killed process 82 (stress) total-vm:40kB, anon-rss:20kB, file-rss:0kB, \
         shmem-rss:0kB, UID:0 pgtables:8kB oom_score_adj:0\n");
    assert_eq!(report.tasks[0].comm, b"stress");
}

/// What a program prints its lines by, and what it looks for, is no report; what is longer than any name is none.
#[test]
fn formats_and_patterns_are_no_names() {
    for text in [
        "line := fmt.Sprintf(\"Jan 21 22:01:49 host kernel: [62279.421192] Killed process 1234 (%s) total-vm:1460016kB\", name)",
        "pattern:invoked_oom-killer:gfp_mask=0x: invoked oom-killer: gfp_mask=",
    ] {
        assert_eq!(parse_reports(text.as_bytes()), [], "{text}");
    }
    let said = one("It says `Out of memory: Killed process 77 ((sd-pam))`, which (as far as I see) is no service.\n");
    assert_eq!(said.kills[0].comm, b"(sd-pam)");
}

/// Whoever writes a summary down may put blanks behind its commas, but a group may be named as its words are.
#[test]
fn blanks_in_a_summary() {
    let of = |end: &str| one(&format!("[   61.200130] oom-kill:constraint=CONSTRAINT_MEMCG,{end}\n"));
    let written = of(" nodemask=(null), oom_memcg=/a, task_memcg=/a/b, task=hog, pid=7, uid=0");
    assert_eq!((written.oom_memcg.as_deref(), written.task_memcg.as_deref()), (Some(&b"/a"[..]), Some(&b"/a/b"[..])));
    assert_eq!((written.chosen.unwrap().pid, written.nodemask.as_deref()), (7, Some(&b"(null)"[..])));
    let named = of("nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a, task=init, pid=1, uid=0,task_memcg=/a, task=init, pid=1, uid=0,task=hog,pid=7,uid=0");
    assert_eq!((named.chosen.unwrap().pid, named.oom_memcg.as_deref()), (7, Some(&b"/a, task=init, pid=1, uid=0"[..])));
}

/// What stands in a page's own words: a calendar time in the letters of another language.
#[test]
fn times_of_other_languages_are_readable() {
    let kill =
        "Memory cgroup out of memory: Killed process 5 (java) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB";
    let report = one(&format!("[二 9月  3 05:57:48 2024] {kill}\n"));
    assert!(report.to_text().contains("二 9月  3 05:57:48 2024"), "{}", report.to_text());
    let report = one(&format!("[\u{202e}二 9月  3 05:57:48 2024] {kill}\n"));
    assert!(!report.to_text().contains('\u{202e}'), "it would turn the line around");
}

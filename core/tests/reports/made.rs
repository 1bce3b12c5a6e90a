//! The logs written by hand: formats of kernels without a capture, and damaged logs.

use memoom::observe::report::{Report, Scope, Usage};

use super::{log, parse_reports};

fn one(name: &str) -> Report {
    let mut reports = parse_reports(&log(&format!("made/{name}")));
    assert_eq!(reports.len(), 1, "{name}: {reports:#?}");
    reports.remove(0)
}

fn usage(usage: Option<Usage>) -> (u64, Option<u64>, u64) {
    let usage = usage.unwrap();
    (usage.usage_bytes / 1024, usage.limit_bytes.map(|limit| limit / 1024), usage.failcnt)
}

fn text(bytes: &Option<Vec<u8>>) -> &str {
    std::str::from_utf8(bytes.as_deref().unwrap()).unwrap()
}

fn sources(report: &Report) -> Vec<&str> {
    report.missing.iter().map(|missing| missing.source).collect()
}

/// chosen, first kill: pid, comm, uid
type Person<'a> = (i32, &'a str, Option<u32>);

fn people(report: &Report) -> (Person<'_>, Person<'_>) {
    let (chosen, kill) = (report.chosen.as_ref().unwrap(), &report.kills[0]);
    let name = |comm| std::str::from_utf8(comm).unwrap();
    ((chosen.pid, name(&chosen.comm), chosen.uid), (kill.pid, name(&kill.comm), kill.uid))
}

#[test]
fn el7() {
    let report = one("el7-3.10.log");
    assert_eq!(text(&report.release), "3.10.0-1160.el7.x86_64");
    let invoker = report.invoker.as_ref().unwrap();
    assert_eq!(
        (invoker.comm.as_slice(), invoker.pid, invoker.gfp_mask.as_deref()),
        (&b"httpd"[..], Some(19051), Some("0xd0"))
    );
    assert_eq!((invoker.gfp_flags.as_deref(), invoker.order, invoker.oom_score_adj), (None, Some(0), Some(0)));
    assert_eq!((report.scope, report.cpu, report.time_usec), (Some(Scope::Memcg), Some(2), Some(86_514_235_781)));
    assert_eq!((text(&report.cpuset), text(&report.mems_allowed)), ("/", "0"));
    assert_eq!((text(&report.oom_memcg), text(&report.task_memcg)), ("/docker/9f2c", "/docker/9f2c"));
    assert_eq!(usage(report.memory), (524_288, Some(524_288), 1827));
    assert_eq!(usage(report.memory_swap), (524_288, Some(1_048_576), 0));
    assert_eq!(usage(report.kmem), (0, None, 0));
    assert_eq!(report.swap, None);
    assert_eq!(
        (report.stat.len(), report.stat.get("rss"), report.stat.get("cache")),
        (10, Some(524_224 * 1024), Some(65_536))
    );
    assert_eq!(report.tasks.len(), 2);
    assert_eq!(
        (report.tasks[1].nr_ptes, report.tasks[1].swapents_pages, report.tasks[1].pgtables_bytes),
        (Some(310), Some(0), None)
    );
    assert_eq!(people(&report), ((19051, "httpd", None), (19051, "httpd", Some(48))));
    assert_eq!(report.sacrifice.as_ref().unwrap().score, Some(998));
    assert_eq!(report.kills[0].shmem_rss_bytes, Some(0));
    let frames: Vec<_> = report.call_trace.iter().map(|frame| (frame.function.as_str(), frame.uncertain)).collect();
    assert_eq!(frames.len(), 6);
    assert_eq!((frames[0], frames[3]), (("dump_stack", false), ("oom_unkillable_task", true)));
    assert_eq!(sources(&report), [""; 0]);
}

#[test]
fn fragments_of_3_10_a_child_is_taken_and_a_sharer_too() {
    let report = one("3.10-fragments.kmsg");
    assert_eq!((text(&report.task_memcg), text(&report.oom_memcg)), ("/a b,c=d", "/a b"));
    assert_eq!(text(&report.release), "3.10.108");
    assert_eq!(report.invoker.as_ref().unwrap().pid, Some(300));
    assert_eq!(usage(report.memory), (102_400, Some(102_400), 7));
    assert_eq!(usage(report.memory_swap).1, None);
    assert_eq!(report.stat.get("rss"), Some(1024 * 1024));
    assert_eq!(report.stats.len(), 1);
    assert_eq!(
        (report.stats[0].path.as_slice(), report.stats[0].stat.get("rss_huge")),
        (&b"/a b,c=d"[..], Some(2 << 20))
    );
    assert_eq!(people(&report), ((300, "java", None), (301, "java helper", None)));
    assert_eq!(report.kills[0].shmem_rss_bytes, None);
    assert_eq!((report.shared_memory[0].pid, report.shared_memory[0].comm.as_slice()), (302, &b"vforked"[..]));
    assert_eq!((report.first_sequence, report.last_sequence), (Some(800), Some(817)));
}

#[test]
fn kernel_3_18() {
    let report = one("3.18.log");
    assert_eq!((text(&report.release), usage(report.kmem).1), ("3.18.140", None));
    assert_eq!(report.stat.get("writeback"), Some(0));
    assert_eq!(people(&report), ((812, "stress", None), (812, "stress", None)));
    assert_eq!(report.kills[0].total_vm_bytes, Some(80_000 << 10));
    assert_eq!(report.call_trace.len(), 2);
}

#[test]
fn kernel_4_4_decoded_with_a_forged_line() {
    let report = one("4.4.log");
    assert_eq!((text(&report.release), text(&report.oom_memcg)), ("4.4.0-31-generic", "/kubepods/pod1"));
    assert_eq!(text(&report.task_memcg), "/kubepods/pod1/3f5e");
    assert_eq!((text(&report.cpuset), text(&report.mems_allowed)), ("3f5e", "0-1"));
    let task = &report.tasks[0];
    assert_eq!(
        (task.uid, task.nr_ptes, task.nr_pmds, task.oom_score_adj),
        (Some(1_001_240_000), Some(1201), Some(6), Some(936))
    );
    assert_eq!(people(&report), ((27523, "node", None), (27523, "node", None)));
    assert_eq!(report.stats[0].stat.get("rss"), Some(2_097_132 << 10));
    assert_eq!(report.invoker.as_ref().unwrap().oom_score_adj, Some(936));
}

#[test]
fn kernel_4_14_with_two_blanks_and_a_late_reaper() {
    let report = one("4.14.log");
    let invoker = report.invoker.as_ref().unwrap();
    assert_eq!(
        (invoker.gfp_flags.as_deref(), invoker.order, text(&report.nodemask)),
        (Some("GFP_KERNEL"), Some(0), "(null)")
    );
    assert_eq!((report.stat.get("shmem"), report.kills[0].shmem_rss_bytes), (Some(0), Some(0)));
    assert_eq!(
        (report.reaper[0].pid, report.reaper[0].file_rss_bytes, report.reaper[0].reaped),
        (77, Some(4096), true)
    );
    assert!(report.text.ends_with("oom_reaper: reaped process 77 (dd), now anon-rss:0kB, file-rss:4kB, shmem-rss:0kB"));
}

#[test]
fn kernel_4_19_in_the_journal_over_midnight() {
    let report = one("4.19-journal.log");
    assert_eq!(text(&report.logged_at), "Mar 05 23:59:59");
    assert_eq!((text(&report.oom_memcg), text(&report.task_memcg)), ("/ci", "/ci/job"));
    assert_eq!((report.tasks[0].pgtables_bytes, report.tasks[0].oom_score_adj), (Some(458_752), Some(-500)));
    assert_eq!(report.kills.len(), 1);
    assert_eq!(text(&report.group_kill), "/ci");
    assert!(report.text.contains("COMPACTION is disabled!!!"));
    assert!(!report.text.contains("quoted"));
}

#[test]
fn kernel_5_0_prints_the_wrong_constraint() {
    let report = one("5.0-constraint-none.log");
    assert_eq!((report.constraint.as_deref(), report.scope), (Some("CONSTRAINT_NONE"), Some(Scope::Memcg)));
    assert_eq!((&report.cpuset, text(&report.oom_memcg)), (&None, "/x"));
    assert_eq!(people(&report), ((901, "a.out", Some(0)), (901, "a.out", None)));
    assert_eq!((report.time_usec, report.sacrifice.as_ref().unwrap().score), (None, Some(1000)));
    assert_eq!(report.invoker.as_ref().unwrap().gfp_flags.as_deref(), Some("GFP_HIGHUSER_MOVABLE"));
}

#[test]
fn kernel_5_2_prints_statistics_of_every_group() {
    let report = one("5.2-legacy-stat.log");
    assert_eq!((report.stat.len(), report.stat.get("rss")), (13, Some(0)));
    let groups: Vec<_> = report.stats.iter().map(|group| (group.path.as_slice(), group.stat.get("rss"))).collect();
    assert_eq!(groups, [(&b"/p/one"[..], Some(102_400)), (b"/p/two", Some(8_192_000))]);
    assert_eq!((text(&report.oom_memcg), text(&report.task_memcg)), ("/p", "/p/two"));
    assert_eq!(report.kills[0].uid, None);
}

#[test]
fn el8() {
    let report = one("el8-240.log");
    assert_eq!(text(&report.release), "4.18.0-240.el8.x86_64");
    assert_eq!(text(&report.logged_at), "Tue Mar  2 10:11:12 2021");
    let stat: Vec<_> = report.stat.iter().collect();
    assert_eq!(stat.len(), 6);
    assert_eq!((stat[0], stat[5]), (("anon", 262_000_000), ("pgfault", 70_001)));
    assert_eq!(report.call_trace[1].module.as_deref(), Some("xfs"));
    assert_eq!((usage(report.memory_swap), text(&report.cpuset)), ((262_144, Some(262_144), 31), "db"));
    assert_eq!(people(&report), ((5120, "mysqld", Some(27)), (5120, "mysqld", Some(27))));
    assert_eq!((report.kills[0].pgtables_bytes, report.kills[0].oom_score_adj), (None, None));
}

#[test]
fn a_global_oom_with_callers() {
    let report = one("6.8-global.log");
    assert_eq!(
        (report.scope, &report.oom_memcg, text(&report.task_memcg)),
        (Some(Scope::Global), &None, "/user.slice")
    );
    assert_eq!(text(&report.release), "6.8.9-arch1-1");
    assert_eq!((report.memory, report.stat.len(), report.tasks.len()), (None, 0, 2));
    let task = &report.tasks[1];
    assert_eq!((task.rss_anon_pages, task.rss_file_pages, task.rss_shmem_pages), (Some(123_000), Some(400), Some(56)));
    assert_eq!((report.tasks[0].swapents_pages, report.tasks[0].oom_score_adj), (Some(12), Some(-1000)));
    assert_eq!(report.call_trace[1].module.as_deref(), Some("ext4"));
    assert_eq!(
        report.invoker.as_ref().unwrap().gfp_flags.as_deref(),
        Some("GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO")
    );
    assert_eq!(report.invoker.as_ref().unwrap().order, Some(9));
    assert_eq!(report.reaper[0].shmem_rss_bytes, Some(224 << 10));
    assert_eq!(sources(&report), [""; 0]);
}

#[test]
fn fragments_of_two_callers() {
    let report = one("6.19-fragments-callers.kmsg");
    assert_eq!((text(&report.oom_memcg), text(&report.task_memcg)), ("/g,task=1", "/g,task=1/leaf"));
    assert_eq!(people(&report), ((70, "one", Some(0)), (70, "one", Some(0))));
    let protection = report.protection.unwrap();
    assert_eq!((protection.min_bytes, protection.low_bytes), (1 << 20, 2 << 20));
    assert_eq!(report.stat.iter().collect::<Vec<_>>(), [("anon", 4_100_096), ("file", 0)]);
    assert_eq!((text(&report.group_kill), report.kills.len()), ("/g,task=1", 1));
    assert_eq!(usage(report.swap), (0, Some(0), 9));
    assert_eq!(report.last_sequence, Some(128));
    assert_eq!(sources(&report), [""; 0]);
}

#[test]
fn forged_records_are_left_out() {
    let report = one("forged.kmsg");
    assert_eq!((report.kills.len(), report.kills[0].pid, report.no_killable), (1, 3, false));
    assert_eq!(sources(&report), ["report"]);
}

#[test]
fn nobody_to_kill() {
    let reports = parse_reports(&log("made/no-victim-storm.log"));
    assert_eq!(reports.len(), 4);
    assert!(reports[..2].iter().all(|report| report.no_killable && report.kills.is_empty() && report.chosen.is_none()));
    assert_eq!((text(&reports[0].oom_memcg), reports[0].scope), ("/N", Some(Scope::Memcg)));
    assert_eq!(sources(&reports[0]), [""; 0]);
    assert_eq!(usage(reports[1].memory).2, 20);
    assert_eq!((reports[2].kills[0].pid, &reports[2].invoker), (7, &None));
    assert_eq!(sources(&reports[2]), ["report"]);
    // The log ends within the last one.
    assert_eq!(sources(&reports[3]), ["release", "call_trace", "stat", "tasks", "chosen", "kills"]);
}

#[test]
fn a_log_that_begins_within_a_report() {
    let reports = parse_reports(&log("made/headless.log"));
    assert_eq!(reports.len(), 2, "a pause of ninety seconds parts them: {reports:#?}");
    assert_eq!((text(&reports[0].oom_memcg), reports[0].tasks.len(), reports[0].kills.len()), ("/N", 1, 0));
    assert_eq!((reports[0].already_exiting[0].pid, reports[0].already_exiting[0].comm.as_slice()), (94, &b"task"[..]));
    assert_eq!(sources(&reports[0]), ["invoker", "release", "call_trace", "memory", "kills"]);
    assert_eq!(reports[1].kills[0].pid, 94);
}

#[test]
fn statistics_that_the_kernel_cut() {
    let report = one("6.1-stat-cut.kmsg");
    assert!(report.stat_truncated && sources(&report).contains(&"stat"));
    assert_eq!(report.stat.get("anon"), Some(100_000_000_000));
    assert!(report.stat.iter().all(|(_, value)| value >= 100_000_000_000), "no value with lost digits");
    assert!(report.stat.len() > 20 && report.stat.len() < 47);
}

#[test]
fn a_path_longer_than_a_record() {
    let report = one("long-path.kmsg");
    assert_eq!(text(&report.oom_memcg), "/top");
    assert_eq!(report.task_memcg.as_ref().unwrap().len(), 1023);
    assert_eq!(people(&report), ((600, "longp5", Some(0)), (600, "longp5", Some(0))));
    assert!(report
        .missing
        .iter()
        .any(|missing| missing.source == "task_memcg" && missing.reason.contains("may be cut")));
}

#[test]
fn a_reaper_speaks_of_an_older_report() {
    let mut bytes = log("made/6.8-global.log");
    let other = log("made/no-victim-storm.log");
    let reaper = bytes.windows(10).position(|window| window == b"[  502.000").unwrap();
    let tail = bytes.split_off(reaper);
    bytes.extend_from_slice(&other);
    bytes.extend_from_slice(&tail);
    let reports = parse_reports(&bytes);
    assert_eq!((reports.len(), reports[0].reaper.len()), (5, 1));
}

#[test]
fn numbers_that_do_not_fit_are_named() {
    let line = b"[    1.000000] x invoked oom-killer: gfp_mask=0xcc0, order=99999999999, oom_score_adj=0\n\
        [    1.000001] memory: usage 99999999999999999999kB, limit 1kB, failcnt 0\n\
        [    1.000002] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a,task_memcg=/a,task=x,pid=99999999999,uid=0\n\
        [    1.000003] Memory cgroup out of memory: Killed process 5 (x) total-vm:99999999999999999999kB, anon-rss:1kB\n";
    let reports = parse_reports(line);
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].memory, &reports[0].chosen, reports[0].kills[0].total_vm_bytes), (None, &None, None));
    for source in ["invoker", "memory", "chosen", "kills"] {
        assert!(sources(&reports[0]).contains(&source), "{source}: {:?}", reports[0].missing);
    }
}

#[test]
fn arm64_in_a_pod() {
    let report = one("5.15-arm64.log");
    let frames: Vec<&str> = report.call_trace.iter().map(|frame| frame.function.as_str()).collect();
    assert_eq!(frames, ["dump_backtrace", "show_stack", "el0_svc", "el0t_64_sync"]);
    assert_eq!((text(&report.release), text(&report.mems_allowed)), ("5.15.0-1030-aws", "0-1"));
    assert!(text(&report.oom_memcg).ends_with("-pod0a1b.slice/cri-containerd-77.scope"));
    assert_eq!(report.stat.iter().collect::<Vec<_>>(), [("anon", 103_809_024), ("file", 0), ("kernel_stack", 49_152)]);
    assert_eq!(people(&report), ((4321, "stress-ng-vm", Some(0)), (4321, "stress-ng-vm", Some(0))));
    assert_eq!((report.tasks.len(), report.tasks[0].oom_score_adj), (2, Some(-998)));
    assert_eq!(sources(&report), [""; 0]);
}

#[test]
fn s390_through_rsyslog() {
    let report = one("4.15-s390-syslog.log");
    let frames: Vec<_> = report.call_trace.iter().map(|frame| (frame.function.as_str(), frame.offset)).collect();
    assert_eq!(frames, [("show_stack", Some(0x62)), ("dump_stack", Some(0x82)), ("dump_header", Some(0x8c))]);
    assert_eq!((report.scope, text(&report.logged_at)), (Some(Scope::Global), "Mar  3 04:05:06"));
    assert_eq!(people(&report), ((2222, "java", None), (2222, "java", None)));
    assert_eq!((report.reaper.len(), report.tasks.len()), (1, 2));
    assert_eq!(sources(&report), [""; 0]);
}

#[test]
fn names_that_look_like_fields_and_a_cpuset() {
    let report = one("6.12-cpuset-names.log");
    assert_eq!((report.constraint.as_deref(), report.scope), (Some("CONSTRAINT_CPUSET"), Some(Scope::Global)));
    assert_eq!((text(&report.nodemask), text(&report.cpuset)), ("0-1", "batch"));
    assert_eq!(text(&report.task_memcg), "/sys,task=1.slice/a,b");
    assert_eq!(people(&report), ((5555, "my app] x,1", Some(1001)), (5555, "my app] x,1", Some(1001))));
    assert_eq!(report.invoker.as_ref().unwrap().comm, b"my app] x,1");
    assert_eq!(text(&report.release), "6.12.5-200.fc41.x86_64");
    assert_eq!(report.call_trace[1].module.as_deref(), Some("zfs"));
    assert_eq!((report.tasks[0].rss_shmem_pages, report.tasks[0].swapents_pages), (Some(100), Some(50)));
    assert_eq!(sources(&report), [""; 0]);
}

#[test]
fn el6() {
    let report = one("el6.log");
    assert_eq!((text(&report.release), report.scope), ("2.6.32-754.el6.x86_64", Some(Scope::Global)));
    assert_eq!(people(&report), ((999, "httpd", None), (999, "httpd", Some(48))));
    assert!(report.call_trace.len() == 2 && report.call_trace.iter().all(|frame| frame.uncertain));
    assert_eq!((report.tasks[0].rss_pages, report.tasks[0].oom_score_adj), (Some(30_000), Some(0)));
}

#[test]
fn one_json_object_a_line() {
    let report = one("docker-json.log");
    assert_eq!(people(&report), ((77, "node \"x\"", Some(0)), (77, "node \"x\"", Some(0))));
    assert_eq!((text(&report.oom_memcg), usage(report.memory)), ("/docker/c1", (65_536, Some(65_536), 9)));
    assert_eq!((report.time_usec, text(&report.logged_at)), (Some(10_000_001), "2026-11-23T00:00:01.000000001Z"));
    let journal = parse_reports(&log("made/journal-json.log"));
    let kills: Vec<_> = journal.iter().map(|report| (report.kills[0].pid, report.kills[0].comm.as_slice())).collect();
    assert_eq!(kills, [(77, &b"node"[..]), (9, b"\xff")], "a line of another program is left out");
    assert_eq!((journal[0].time_usec, journal[1].time_usec), (Some(10_000_001), Some(30_000_000)));
    assert_eq!(journal[0].invoker.as_ref().unwrap().comm, b"node");
    let export = b"__CURSOR=s=1\nMESSAGE=node invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n_TRANSPORT=kernel\n\n";
    assert_eq!(parse_reports(export)[0].invoker.as_ref().unwrap().comm, b"node");
}

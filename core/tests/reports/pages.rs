//! Logs out of exports, documents and paragraphs: what the kernel's lines say is the same in each.

use memoom::observe::report::Report;

use super::parse_reports;

const LINES: [&str; 19] = [
    "two words invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "CPU: 3 PID: 412 Comm: two words Not tainted 6.7.12-cloud-arm64 #1",
    "Hardware name: Example, Inc. Board/Board, BIOS 7 04/01/2031",
    "Call trace:",
    " dump_backtrace+0x94/0x114",
    " out_of_memory+0x1a8/0x4f0",
    " mem_cgroup_out_of_memory+0x13c/0x150",
    "memory: usage 4096kB, limit 4096kB, failcnt 18",
    "swap: usage 0kB, limit 0kB, failcnt 0",
    "Memory cgroup stats for /shop/till-2.scope:",
    "anon 3932160",
    "file 65536",
    "Tasks state (memory values in pages):",
    "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    "[    412]  1000   412     3000      960    57344        0             0 two words",
    "[    413]  1000   413      800       64    40960        0          -500 sh",
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/shop/till-2.scope,\
     task_memcg=/shop/till-2.scope,task=two words,pid=412,uid=1000",
    "Memory cgroup out of memory: Killed process 412 (two words) total-vm:12000kB, anon-rss:3840kB, file-rss:0kB, \
     shmem-rss:0kB, UID:1000 pgtables:56kB oom_score_adj:0",
    "oom_reaper: reaped process 412 (two words), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
];

/// Without the times and the text, which tell how the lines came.
fn essence(log: &str) -> Vec<Report> {
    let mut reports = parse_reports(log.as_bytes());
    for report in &mut reports {
        (report.time_usec, report.logged_at) = (None, None);
        report.text.clear();
        // Times of a longer unit tell no gap.
        report.missing.retain(|missing| missing.source != "report");
    }
    reports
}

fn same(name: &str, log: &str) {
    let plain = essence(&LINES.join("\n"));
    assert_eq!(plain.len(), 1);
    assert!(plain[0].call_trace.len() == 3 && plain[0].tasks.len() == 2 && plain[0].reaper.len() == 1);
    assert!(plain[0].stat.iter().count() == 2 && plain[0].missing.is_empty(), "{:?}", plain[0].missing);
    let seen = essence(log);
    assert_eq!(seen, plain, "{name}:\n{log}");
}

fn each(line: impl Fn(usize, &str) -> String) -> Vec<String> {
    LINES.iter().enumerate().map(|(at, text)| line(at, text)).collect()
}

fn journal(at: usize, text: &str) -> String {
    format!("Nov  3 07:21:{:02} till kernel: {text}", at / 2)
}

/// As a mail program fills a paragraph: broken at blanks and behind hyphens.
fn filled(text: &str, columns: usize, mark: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while rest.len() > columns {
        let breaks = |at: &usize| {
            let bytes = rest.as_bytes();
            bytes[*at] == b' ' || bytes[at - 1] == b'-' && bytes[at - 2].is_ascii_alphanumeric()
        };
        let Some(at) = (20..=columns).rev().chain(columns..rest.len()).find(breaks) else { break };
        out += &format!("{mark}{}\n", rest[..at].trim_end());
        rest = rest[at..].trim_start();
    }
    out + mark + rest + "\n"
}

#[test]
fn columns_behind_the_log() {
    let doubled = |text: &str| text.replace('"', "\"\"");
    let search = each(|at, text| {
        format!("\"{}\",2031-11-03T07:21:{:02}.000+0000,till,linux,3", doubled(&journal(at, text)), at / 2)
    });
    same("raw event first", &format!("_raw,_time,host,source,weight\n{}\n", search.join("\n")));
    let cells =
        each(|at, text| format!("\"2031-11-03 07:21:{:02}\";\"{}\";\"till\";\"warning\"", at / 2, doubled(text)));
    same("cells", &cells.join("\n"));
    same("newest first", &cells.iter().rev().cloned().collect::<Vec<_>>().join("\r\n"));
}

#[test]
fn members_of_any_name() {
    let object =
        |name: &str| each(|at, text| format!("{{\"n\":{at},\"{name}\":{text:?},\"host\":\"till\"}}")).join("\n");
    for name in ["short_message", "SyslogMessage", "what"] {
        same(name, &object(name));
        same(name, &format!("[{}]", object(name).replace('\n', ",\n")));
    }
    let both = each(|at, text| format!("{{\"n\":{at},\"short_message\":{:?},\"full_message\":{text:?}}}", &text[..9]));
    same("short and full", &both.join("\n"));
}

#[test]
fn paragraphs() {
    let dated = |form: fn(usize) -> String| each(|at, text| form(at) + text).join(" ");
    type Form = (&'static str, fn(usize) -> String);
    let forms: [Form; 5] = [
        ("journal", |at| format!("Nov  3 07:21:{:02} till kernel: ", at / 2)),
        ("iso", |at| format!("2031-11-03T07:21:{:02}+01:00 till kernel: ", at / 2)),
        ("kernel's clock", |at| format!("[{:5}.000001] ", 700 + at / 2)),
        ("both", |at| format!("Nov  3 07:21:{:02} till kernel: [{:5}.000001] ", at / 2, 700 + at / 2)),
        ("dmesg -T", |at| format!("[Mon Nov  3 07:21:{:02} 2031] ", at / 2)),
    ];
    for (name, form) in forms {
        let line = dated(form);
        same(name, &line);
        same(name, &format!("<p>{}</p>\n", line.replace('<', "&lt;")));
        for columns in [66, 72, 78] {
            let text = format!("It happened again:\n\n{}\nWhy?\n", filled(&line, columns, ""));
            same(&format!("{name} of {columns}"), &text);
            same(&format!("{name} of {columns}, quoted"), &filled(&line, columns, "> "));
        }
    }
}

/// Lines of their own that were broken behind a hyphen too.
#[test]
fn names_with_hyphens() {
    for columns in [58, 66, 72] {
        same("hyphens", &each(|at, text| filled(&journal(at, text), columns, "")).concat());
    }
}

/// What a crash left in the firmware has its newest piece first.
#[test]
fn pieces_of_a_crash() {
    let lines = each(|at, text| format!("<4>[{:5}.000001] {text}\n", 700 + at / 2));
    let (older, newer) = lines.split_at(9);
    same("crash", &format!("Panic#1 Part1\n{}Panic#1 Part2\n{}", newer.concat(), older.concat()));
    same("crash", &format!("Panic#1 Part2\n{}Panic#1 Part1\n{}", older.concat(), newer.concat()));
}

#[test]
fn bars_that_markdown_escapes() {
    let log = "| kernel | hog invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE\\|__GFP_COMP), order=0, \
        oom_score_adj=0 |\n";
    let report = parse_reports(log.as_bytes()).remove(0);
    assert_eq!(report.invoker.unwrap().gfp_flags.as_deref(), Some("GFP_HIGHUSER_MOVABLE|__GFP_COMP"));
}

/// Others' lines stand among those of the table of slabs.
#[test]
fn a_table_of_slabs_with_other_lines_in_it() {
    let log = "[    5.100000] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
        [    5.100001] Mem-Info:\n[    5.100002] Unreclaimable slab info:\n\
        [    5.100003] Name                      Used          Total\n[    5.100004] one                     12KB         16KB\n\
        [    5.100005] audit: type=1400 audit(17.1:2): denied\n[    5.100006] two words               20KB         24KB\n\
        [    5.100007] Out of memory: Killed process 12 (hog) total-vm:40kB, anon-rss:20kB, file-rss:0kB, shmem-rss:0kB\n";
    let info = parse_reports(log.as_bytes()).remove(0).mem_info.unwrap();
    let slabs: Vec<_> = info.slabs.iter().map(|slab| (slab.name.as_str(), slab.total_bytes >> 10)).collect();
    assert_eq!(slabs, [("one", 16), ("two words", 24)]);
}

/// Programs that look for these words are no log.
#[test]
fn what_looks_for_a_report() {
    let program = "INVOKED = re.compile(r\"^(?P<name>.+?) invoked oom-killer: \")\n\
        STATS = r'Memory cgroup stats for (?P<path>\\S+)'\n\tregexp.MustCompile(`Memory cgroup stats for (.*)`)\n\
        if line[:2] == '4,' and ' invoked oom-killer: ' in line:\n\
        [ \"x\" ] && grep ' invoked oom-killer:' /var/log/messages\n";
    assert_eq!(parse_reports(program.as_bytes()), []);
}

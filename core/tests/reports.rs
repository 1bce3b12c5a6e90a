//! The report parser against the logs of tests/logs: live captures field by field, logs written by hand, the same
//! capture in the dress of every logger, and damage of every kind.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};

use memoom::observe::report::{parse_records, parse_reports, reports_to_json, Report};
use memoom::observe::Record;
use serde_json::Value;

#[path = "reports/damage.rs"]
mod damage;
#[path = "reports/dress.rs"]
mod dress;
#[path = "reports/golden.rs"]
mod golden;
#[path = "reports/growth.rs"]
mod growth;
#[path = "reports/hosts.rs"]
mod hosts;
#[path = "reports/log.rs"]
mod log_file;
#[path = "reports/made.rs"]
mod made;
#[path = "reports/mails.rs"]
mod mails;
#[path = "reports/pages.rs"]
mod pages;
#[path = "reports/quoted.rs"]
mod quoted;
#[path = "reports/reader.rs"]
mod reader;
#[path = "reports/wardrobe.rs"]
mod wardrobe;
#[path = "reports/why.rs"]
mod why;

fn logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/logs")
}

fn log(name: &str) -> Vec<u8> {
    std::fs::read(logs().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every log of tests/logs and tests/logs/made.
fn all_logs() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for directory in ["", "made"] {
        for entry in std::fs::read_dir(logs().join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "kmsg" || extension == "log") {
                found.push((path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(found.len() > 15, "the logs are not there");
    found
}

const CAPTURES: [&str; 7] = [
    "6.18.44-v1-plain",
    "6.18.44-v1-weird_comm_1",
    "interleaved-6.18.44-v1-run0",
    "v1-5.10",
    "v2-6.1",
    "v2-6.12-16k",
    "v2-7.2",
];

/// What follows from the other fields: expected.py knows what the log says, not what it means.
const EXPLAINED: [&str; 6] = ["mem_info", "workload", "victim_workload", "consumers", "findings", "summary"];

#[test]
fn every_field_of_every_capture() {
    for name in CAPTURES {
        let expected: Value = serde_json::from_slice(&log(&format!("{name}.expected.json"))).unwrap();
        let seen: Value =
            serde_json::from_str(&reports_to_json(&parse_reports(&log(&format!("{name}.kmsg"))))).unwrap();
        assert_eq!(seen["schema"], expected["schema"]);
        let (seen, expected) = (seen["reports"].as_array().unwrap(), expected["reports"].as_array().unwrap());
        assert_eq!(seen.len(), expected.len(), "{name}");
        for (at, (seen, expected)) in seen.iter().zip(expected).enumerate() {
            let (seen, expected) = (seen.as_object().unwrap(), expected.as_object().unwrap());
            let own: Vec<_> = seen.keys().filter(|key| !EXPLAINED.contains(&key.as_str())).collect();
            assert_eq!(own, expected.keys().collect::<Vec<_>>(), "{name} {at}");
            for (key, value) in expected {
                assert_eq!(&seen[key], value, "{name}, report {at}, {key}");
            }
        }
    }
}

/// The order of counters is part of the document; comparing maps would not see it.
#[test]
fn statistics_keep_the_order_of_the_kernel() {
    for name in CAPTURES {
        let expected: Value = serde_json::from_slice(&log(&format!("{name}.expected.json"))).unwrap();
        for (seen, expected) in
            parse_reports(&log(&format!("{name}.kmsg"))).iter().zip(expected["reports"].as_array().unwrap())
        {
            let keys: Vec<&str> = seen.stat.iter().map(|(key, _)| key).collect();
            assert_eq!(keys, expected["stat"].as_object().unwrap().keys().collect::<Vec<_>>());
        }
    }
}

#[test]
fn kills_and_invokers_are_as_many_as_their_lines() {
    // Group kills print their first victim twice.
    for (name, twice) in [("v1-5.10", 0), ("v2-6.1", 1), ("v2-7.2", 1), ("interleaved-6.18.44-v1-run0", 0)] {
        let bytes = log(&format!("{name}.kmsg"));
        let count = |needle: &str| String::from_utf8_lossy(&bytes).matches(needle).count();
        let reports = parse_reports(&bytes);
        assert_eq!(
            reports.iter().map(|report| report.kills.len()).sum::<usize>(),
            count("Killed process") - twice,
            "{name}"
        );
        assert_eq!(
            reports.iter().filter(|report| report.invoker.is_some()).count(),
            count("invoked oom-killer"),
            "{name}"
        );
        assert_eq!(reports.iter().map(|report| report.tasks.len()).sum::<usize>(), task_rows(&bytes), "{name}");
    }
}

fn task_rows(bytes: &[u8]) -> usize {
    bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| {
            let text = line.splitn(2, |&byte| byte == b';').nth(1).unwrap_or_default();
            text.starts_with(b"[ ") && !text.starts_with(b"[  pid")
        })
        .count()
}

fn records(bytes: &[u8]) -> Vec<Record> {
    bytes.split(|&byte| byte == b'\n').filter_map(Record::parse).collect()
}

#[test]
fn live_records_give_what_a_saved_log_gives() {
    for (name, bytes) in all_logs() {
        if name.ends_with(".kmsg") {
            assert_eq!(parse_records(&records(&bytes)), parse_reports(&bytes), "{name}");
        }
    }
}

/// The documents byte for byte: the tests of the C and Python faces compare with the same digests.
/// MEMOOM_UPDATE=1 writes them anew.
#[test]
fn documents_are_the_same_bytes_from_every_face() {
    let digest = |document: &str| {
        document
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    };
    let seen: String = all_logs()
        .iter()
        .map(|(name, bytes)| format!("{:016x}  {name}\n", digest(&reports_to_json(&parse_reports(bytes)))))
        .collect();
    let file = logs().join("documents.fnv1a");
    if std::env::var_os("MEMOOM_UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&file, &seen).unwrap();
    }
    assert_eq!(seen, std::fs::read_to_string(file).unwrap());
    for (name, bytes) in all_logs() {
        let reports = parse_reports(&bytes);
        let joined: Vec<String> = reports.iter().map(Report::to_json).collect();
        let whole = format!("{{\"schema\":\"memoom.reports/1\",\"reports\":[{}]}}", joined.join(","));
        assert_eq!(reports_to_json(&reports), whole, "{name}");
    }
}

#[test]
fn the_document_begins_with_its_schema() {
    assert_eq!(reports_to_json(&[]), r#"{"schema":"memoom.reports/1","reports":[]}"#);
    let json = reports_to_json(&parse_reports(&log("v2-6.1.kmsg")));
    assert!(json.starts_with(r#"{"schema":"memoom.reports/1","reports":[{"schema":"memoom.report/1","release":"6.1.0"#));
}

#[test]
fn the_text_holds_the_lines_of_the_report_and_no_others() {
    let bytes = log("interleaved-6.18.44-v1-run0.kmsg");
    let reports = parse_reports(&bytes);
    let text = &reports[0].text;
    assert!(text.starts_with("python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL)"), "{text}");
    assert!(text.contains("\noom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/memoom_oomlog2,task_memcg=/memoom_oomlog2,task=python3,pid=3419,uid=0\n"));
    assert!(text.ends_with("oom_score_adj:0") && !text.contains("memoom-noise"));
    // The kernel's lines, less the notice before the report, with the seven pieces of the summary as one.
    let own = records(&bytes).iter().filter(|record| record.facility() == 0 && !record.continuation).count() - 1;
    assert_eq!(text.lines().count(), own);
}

// Long: it holds the report as it is printed.
#[test]
fn a_report_for_people() {
    let reports = parse_reports(&log("v2-6.1.kmsg"));
    let text = reports[2].to_text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..12],
        [
            "memory cgroup out of memory in /G, kernel 6.1.0-50-cloud-amd64, 5.183627 s after boot",
            "  The group /G reached its memory limit of 16 MiB. grouphog (pid 90) held 16.0 MiB (99 %). The kernel killed grouphog",
            "  (pid 90) and 2 more: it had the highest score, by its size.",
            "  - grouphog (pid 90) held 16.0 MiB, 99 % of the group's memory.",
            "      remedy: find out why it needs that much, or give it more",
            "  - All of /G was killed at once, 3 processes, as memory.oom.group is set.",
            "  held by:",
            "      16.0 MiB   99 %  grouphog (90), killed",
            "        72 KiB   <1 %  protected (89)",
            "        64 KiB   <1 %  (idle2) (88), killed",
            "        64 KiB   <1 %  idle 1 (87), killed",
            "        40 KiB   <1 %  no process: page tables",
        ]
    );
    let stat = lines.iter().position(|line| *line == "  statistics:").unwrap();
    assert_eq!(lines[stat + 1], "    anon 16732160, file 0, kernel 45056, kernel_stack 0, pagetables 40960, sec_pagetables 0, percpu 0, sock 0,");
    let tasks = lines.iter().position(|line| line.starts_with("  tasks:")).unwrap();
    assert_eq!(
        lines[tasks..tasks + 3],
        [
            "  tasks: 4, the largest first, columns in pages of 4 KiB; above 100 %: pages that others are charged for are resident too",
            "      16.4 MiB >100%  grouphog         pid 90      uid 0 total_vm 16634 rss 4192 pgtables_bytes 69632 swapents 0 oom_score_adj 0",
            "        72 KiB  <1 %  protected        pid 89      uid 0 total_vm 250 rss 18 pgtables_bytes 28672 swapents 0 oom_score_adj -1000",
        ]
    );
    assert_eq!(
        lines[tasks + 5..tasks + 11],
        [
            "  chosen: grouphog (90), uid 0, in /G",
            "  killed: grouphog (90), uid 0, anon 16380 KiB, file 0 B, shmem 388 KiB, page tables 68 KiB, address space 66536 KiB, oom_score_adj 0",
            "  killed: (idle2) (88), uid 0, anon 64 KiB, file 0 B, shmem 8 KiB, page tables 28 KiB, address space 1000 KiB, oom_score_adj 0",
            "  killed: idle 1 (87), uid 0, anon 64 KiB, file 0 B, shmem 8 KiB, page tables 28 KiB, address space 1000 KiB, oom_score_adj 0",
            "  the whole group /G was killed",
            "  call trace:",
        ]
    );
    assert!(lines[tasks + 11].starts_with("    dump_stack_lvl+0x44/0x5c, dump_header+0x4c/0x22b, "));
    assert!(text.ends_with(", exc_page_fault+0x70/0x170, asm_exc_page_fault+0x22/0x30"));
    // Nothing that a report holds is left out: each number of its document is in the text.
    for name in CAPTURES {
        for report in parse_reports(&log(&format!("{name}.kmsg"))) {
            let text = report.to_text();
            for (key, value) in report.stat.iter() {
                assert!(text.contains(&format!("{key} {value}")), "{name}: {key}");
            }
            for task in &report.tasks {
                assert!(text.contains(&format!("pid {} ", task.pid)), "{name}: {}", task.pid);
            }
            assert_eq!(text.matches("+0x").count(), report.call_trace.len(), "{name}");
            assert_eq!(text.matches("  killed: ").count(), report.kills.len(), "{name}");
            assert_eq!(text.matches("  missing: ").count(), report.missing.len(), "{name}");
        }
    }
    let bare = reports.iter().find(|report| report.invoker.is_none()).unwrap().to_text();
    assert!(bare.contains("missing: report (only the kill is in the log"), "{bare}");
}

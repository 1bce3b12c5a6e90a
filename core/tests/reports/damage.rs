//! Damaged and hostile input: no panic, sane documents.

use super::{all_logs, parse_reports, reports_to_json, Report};

/// What must hold of any input.
pub(super) fn check(bytes: &[u8]) -> Vec<Report> {
    let reports = parse_reports(bytes);
    for report in &reports {
        assert!(report.missing.len() <= 40);
        // Two bytes of UTF-16 may be three of UTF-8, and each of them is written as four characters.
        assert!(report.text.len() <= bytes.len() * 6 + 64);
        let mut pids: Vec<i32> = report.kills.iter().map(|kill| kill.pid).collect();
        pids.sort_unstable();
        assert!(pids.windows(2).all(|pair| pair[0] != pair[1]), "a process is killed twice");
    }
    reports
}

/// The logs, long ones cut so that the quadratic loops below stay short.
fn samples() -> Vec<(String, Vec<u8>)> {
    let mut samples = all_logs();
    for (_, bytes) in &mut samples {
        let end =
            bytes.iter().enumerate().filter(|(at, &byte)| byte == b'\n' && *at >= 6000).map(|(at, _)| at + 1).next();
        bytes.truncate(end.unwrap_or(bytes.len()));
    }
    samples
}

#[test]
fn cut_at_every_byte() {
    for (_, bytes) in samples() {
        // Without optimisation all of them would take minutes: some hundred places of each then.
        let step = if cfg!(debug_assertions) { 1 + bytes.len() / 400 } else { 1 };
        for end in (0..bytes.len()).step_by(step) {
            check(&bytes[..end]);
        }
    }
}

#[test]
fn begun_at_every_line_and_without_each_line() {
    for (name, bytes) in samples() {
        let lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        let whole = check(&bytes).len();
        for at in 0..lines.len() {
            check(&lines[at..].concat());
            // Without this line the kills of a group are the kills of as many reports.
            if lines[at].windows(16).any(|window| window == b"memory.oom.group") {
                continue;
            }
            let without = check(&[lines[..at].concat(), lines[at + 1..].concat()].concat()).len();
            assert!(without.abs_diff(whole) <= 1, "{name} without line {at}: {without} instead of {whole} reports");
        }
    }
}

/// xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }
}

/// How often each log is damaged; without optimisation each time takes twenty times as long.
const ROUNDS: usize = if cfg!(debug_assertions) { 24 } else { 60 };

#[test]
fn flipped_bytes_and_shuffled_lines() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (_, bytes) in samples() {
        for round in 0..ROUNDS {
            let mut damaged = bytes.clone();
            for _ in 0..=round {
                let at = random.next(damaged.len());
                damaged[at] = match random.next(4) {
                    0 => b'\n',
                    1 => b" ,:;()[]<>=-#\\"[random.next(14)],
                    _ => random.next(256) as u8,
                };
            }
            let json = reports_to_json(&check(&damaged));
            assert!(json.starts_with(r#"{"schema""#) && serde_json::from_str::<serde_json::Value>(&json).is_ok());
        }
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        for _ in 0..ROUNDS / 3 {
            for at in (1..lines.len()).rev() {
                lines.swap(at, random.next(at + 1));
            }
            check(&lines.concat());
        }
    }
}

/// What the fuzzer found.
#[test]
fn impossible_times_of_day() {
    let line = "Mar 06 99:99:99 host kernel: memory: usage 1kB, limit 1kB, failcnt 5\n";
    check(format!("{line}{}", line.replace("99:99:99", "00:00:00").replace("memory:", "kmem:")).as_bytes());
}

/// UTF-16 that lost one byte is text of another script from there on.
#[test]
fn utf16_that_slips() {
    let whole = super::log("made/powershell-utf16.log");
    for at in 2..400 {
        check(&[&whole[..at], &whole[at + 1..]].concat());
    }
}

#[test]
fn noise() {
    let mut random = Random(42);
    for _ in 0..300 {
        let length = random.next(4000);
        let bytes: Vec<u8> = (0..length).map(|_| random.next(256) as u8).collect();
        check(&bytes);
    }
    // Random words of the grammar find more than random bytes.
    const WORDS: [&str; 40] = [
        "a invoked oom-killer: ",
        "gfp_mask=0xcc0(GFP_KERNEL), ",
        "order=0, ",
        "oom_score_adj=0",
        "\n",
        "\n",
        "\n",
        "4,1,2,-;",
        "4,2,3,c;",
        "[    1.000000] ",
        "Task in ",
        " killed as a result of limit of ",
        "/a",
        "memory: usage ",
        "1kB, limit 2kB, failcnt 3",
        "Memory cgroup stats for ",
        ":",
        " cache:4KB",
        "anon 1",
        "Tasks state (memory values in pages):",
        "[  pid  ]   uid  tgid total_vm ",
        "rss nr_ptes swapents oom_score_adj name",
        "[ 7] ",
        "0 ",
        "7 ",
        "oom-kill:constraint=",
        "CONSTRAINT_MEMCG",
        ",nodemask=(null)",
        ",oom_memcg=",
        ",task_memcg=",
        ",task=",
        ",pid=7",
        ",uid=0",
        "Memory cgroup out of memory: ",
        "Killed process 7 (a) ",
        "total-vm:1kB, anon-rss:1kB",
        "Tasks in /a are going to be killed due to memory.oom.group set",
        "oom_reaper: reaped process 7 (a), now anon-rss:0kB",
        "> ",
        "Nov 23 00:00:01 host kernel: ",
    ];
    for _ in 0..4000 {
        let count = random.next(80);
        let text: String = (0..count).map(|_| WORDS[random.next(WORDS.len())]).collect();
        check(text.as_bytes());
    }
}

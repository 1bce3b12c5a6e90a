//! A log that is fed piece by piece gives what the whole gives, with memory bounded by a window.

use std::collections::BTreeSet;

use memoom::observe::report::{Report, ReportReader};

use super::{all_logs, log, parse_reports};

fn fed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Report> {
    let mut reader = ReportReader::new();
    let mut reports: Vec<Report> = pieces.into_iter().flat_map(|piece| reader.feed(piece)).collect();
    reports.extend(reader.finish());
    reports
}

#[test]
fn pieces_of_any_size_give_what_the_whole_gives() {
    for (name, bytes) in all_logs() {
        for size in [7, 4096, usize::MAX] {
            assert_eq!(
                fed(bytes.chunks(size.min(bytes.len().max(1)))),
                parse_reports(&bytes),
                "{name} in pieces of {size}"
            );
        }
    }
}

/// What lies between two reports is let go, and of many reports the first are given while the log goes on.
#[test]
fn reports_far_apart_are_all_found_and_given_before_the_end() {
    let at = |second: usize| {
        format!(
            "[{second:>5}.000001] a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n[{second:>5}.000002] Memory cgroup out of memory: Killed process {second} (a) total-vm:4kB, anon-rss:4kB\n"
        )
    };
    // Twice what is kept in front of a report and behind it.
    let noise = b"Nov 23 00:00:01 host app[7]: the room is a zoom of boom\n".repeat(640 << 4);
    let seconds: Vec<usize> = (1..=80).map(|at| at * 10).collect();
    let (many, few) = seconds.split_at(77);
    let mut parts = vec![noise.clone(), many.iter().flat_map(|&second| at(second).into_bytes()).collect()];
    for &second in few {
        parts.extend([noise.clone(), at(second).into_bytes()]);
    }
    parts.push(noise);
    let mut reader = ReportReader::new();
    let mut found: Vec<i32> = Vec::new();
    let mut pid = |report: Report| found.push(report.kills[0].pid);
    parts.iter().flat_map(|part| part.chunks(65_536)).flat_map(|piece| reader.feed(piece)).for_each(&mut pid);
    let rest = reader.finish();
    // So many wait for what may still be said of them.
    assert!(rest.len() <= 64 + 1, "{} were given at the end only", rest.len());
    rest.into_iter().for_each(&mut pid);
    assert!(found.iter().map(|&pid| pid as usize).eq(seconds), "{found:?}");
}

/// UTF-16 has no byte that ends a line: a log in it may be cut, and looked at, anywhere.
#[test]
fn utf16_is_read_as_it_comes() {
    let text = format!("{}\u{1f4a5}\u{a0a}\u{410a}\n", String::from_utf8(log("v2-6.1.kmsg")).unwrap());
    let whole = parse_reports(text.as_bytes());
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (mark, bytes) in [(&b"\xff\xfe"[..], &little), (b"\xfe\xff", &big), (b"", &little), (b"", &big)] {
        let log = [mark, bytes].concat();
        for size in [1, 4096, usize::MAX] {
            assert_eq!(fed(log.chunks(size.min(log.len()))), whole, "in pieces of {size}");
        }
        // Looked at after each piece, which ends in the midst of a line or of a character.
        // (A group that is killed may then be told in two parts, as it may be of any log.)
        let (mut reader, mut killed) = (ReportReader::new(), BTreeSet::new());
        let mut note = |reports: &[Report]| killed.extend(reports.iter().flat_map(pids));
        for piece in log.chunks(1001) {
            note(&reader.feed(piece));
            note(&reader.settle());
        }
        note(&reader.finish());
        assert_eq!(killed, whole.iter().flat_map(pids).collect());
    }
    // More than the window: what follows has no mark of its own.
    let far: Vec<u8> = "the room is a zoom\n".repeat(150_000).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let long = [&b"\xff\xfe"[..], &little, &far, &little].concat();
    let found = fed(long.chunks(1 << 16));
    assert!(found.len() >= whole.len() && found[..whole.len()] == whole[..], "{} reports", found.len());
}

#[test]
fn a_large_dense_log_gives_each_kill_once() {
    let one = |at: usize| {
        format!(
            "[{:>5}.000001] a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n[{:>5}.000002] memory: usage 4kB, limit 4kB, failcnt 1\n[{:>5}.000003] Memory cgroup out of memory: Killed process {} (a) total-vm:{}kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\n",
            at * 20, at * 20, at * 20, at + 10, at + 1000
        )
    };
    let text: String = (0..40_000).map(one).collect();
    assert!(text.len() > 8 << 20);
    let mut reader = ReportReader::new();
    let (mut kills, mut early) = (Vec::new(), 0);
    for piece in text.as_bytes().chunks(1 << 16) {
        let reports = reader.feed(piece);
        early += reports.len();
        kills.extend(reports.iter().map(|report| (report.kills[0].pid, report.memory.is_some())));
    }
    kills.extend(reader.finish().iter().map(|report| (report.kills[0].pid, report.memory.is_some())));
    assert_eq!(kills, (0..40_000).map(|at| (at + 10, true)).collect::<Vec<_>>());
    assert!(early > 20_000, "given as they were complete: {early}");
}

#[test]
fn a_followed_log_gives_a_report_when_nothing_follows() {
    let mut reader = ReportReader::new();
    assert!(reader.feed(&log("6.18.44-v1-plain.kmsg")).is_empty());
    let reports = reader.quiet();
    assert_eq!((reports.len(), reports[0].kills.len()), (1, 1));
    assert!(reader.quiet().is_empty() && reader.finish().is_empty());
}

/// Looked at while it comes, a report is given when its victim is named, and never in two.
#[test]
fn a_report_that_comes_slowly_stays_one() {
    let text = log("v2-6.1.kmsg");
    let whole = parse_reports(&text);
    let (mut reader, mut found) = (ReportReader::new(), Vec::new());
    let (mut before, mut unnamed) = (0, false);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        found.extend(reader.feed(line));
        unnamed = (unnamed || memmem(line, b"invoked oom-killer")) && !memmem(line, b"illed process");
        if unnamed {
            found.extend(reader.settle());
        }
        before = before.max(found.len());
    }
    found.extend(reader.finish());
    let kills = |reports: &[Report]| -> Vec<_> {
        let of = |report: &Report| (report.invoker.clone(), report.memory, report.tasks.len(), report.kills.clone());
        reports.iter().map(of).collect()
    };
    assert_eq!(kills(&found), kills(&whole));
    assert!(before + 1 >= whole.len(), "given when they were complete: {before} of {}", whole.len());
}

fn pids(report: &Report) -> Vec<i32> {
    report.kills.iter().map(|kill| kill.pid).collect()
}

fn memmem(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|at| at == what)
}

#[test]
fn lines_that_only_look_like_a_report_are_told() {
    let mut reader = ReportReader::new();
    reader.feed(b"x\nkubelet: container was oom-killed (exit 137)\nroom\n");
    assert!(reader.finish().is_empty());
    let (count, lines) = reader.lookalikes();
    assert_eq!((count, lines), (1, &[b"kubelet: container was oom-killed (exit 137)".to_vec()][..]));
    let mut short = ReportReader::new();
    short.feed(b"nothing\nmore");
    assert_eq!(short.line_bytes(), 4);
    let mut endless = ReportReader::new();
    endless.feed(&[0; 1 << 20]);
    assert_eq!(endless.line_bytes(), 1 << 20);
}

//! One capture as every logger would have written it: the report must be the same.

use super::wardrobe::{wardrobe, Dress, Plain};
use super::{all_logs, log, parse_reports, records, Record, Report};

struct Dressed {
    name: &'static str,
    bytes: Vec<u8>,
}

fn stamp(record: &Record) -> String {
    format!("[{:5}.{:06}] ", record.time_usec / 1_000_000, record.time_usec % 1_000_000)
}

fn clock(record: &Record) -> String {
    let seconds = record.time_usec / 1_000_000 + 3600;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// As dmesg prints bytes: control characters escaped, the rest as it is.
fn printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in text {
        match byte {
            0..=0x1f if byte != b'\n' => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out
}

/// Each record behind a prefix; later lines of a record indented, or with `repeat` behind the same prefix.
fn dress(records: &[Record], repeat: bool, prefix: impl Fn(&Record) -> String) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        let prefix = prefix(record);
        for (at, line) in printable(&record.text).split(|&byte| byte == b'\n').enumerate() {
            if at == 0 || repeat {
                out.extend_from_slice(prefix.as_bytes());
            } else {
                out.extend(std::iter::repeat_n(b' ', prefix.len()));
            }
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    out
}

fn each_line(bytes: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    body.split(|&byte| byte == b'\n').flat_map(|line| [change(line), b"\n".to_vec()].concat()).collect()
}

/// Breaks lines at the last blank before a column, as mail programs do.
fn wrap(line: &[u8], column: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while rest.len() > column {
        let Some(at) = (20..column).rev().find(|&at| rest[at] == b' ') else { break };
        out.extend_from_slice(&rest[..at]);
        out.push(b'\n');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out
}

/// Dresses that keep every byte of the text.
fn dresses(all: &[Record]) -> Vec<Dressed> {
    let dmesg = dress(all, false, stamp);
    let made = |name, bytes| Dressed { name, bytes };
    vec![
        made("dmesg", dmesg.clone()),
        made("dmesg -T", dress(all, false, |record| format!("[Mon Nov 23 {} 2026] ", clock(record)))),
        made("dmesg -d", dress(all, false, |record| stamp(record).replace("] ", " <    0.000009>] "))),
        made(
            "dmesg --time-format iso",
            dress(all, false, |record| format!("2026-11-23T{},113567+00:00 ", clock(record))),
        ),
        made("dmesg -x", dress(all, false, |record| format!("kern  :warn  : {}", stamp(record)))),
        made("dmesg -r", dress(all, false, |record| format!("<{}>{}", record.level(), stamp(record)))),
        made("caller", dress(all, false, |record| format!("{}[ T1234] ", stamp(record).trim_end()))),
        made("journal short", dress(all, false, |record| format!("Nov 23 {} host kernel: ", clock(record)))),
        made(
            "journal precise",
            dress(all, false, |record| format!("Nov 23 {}.123456 host.example.org kernel: ", clock(record))),
        ),
        made("journal iso", dress(all, false, |record| format!("2026-11-23T{}+0100 host kernel: ", clock(record)))),
        made("journal monotonic", dress(all, false, |record| format!("{}host kernel: ", stamp(record)))),
        made("journal full", dress(all, false, |record| format!("Mon 2026-11-23 {} UTC host kernel: ", clock(record)))),
        made("quoted", each_line(&dmesg, |line| [b"> ", line].concat())),
        made("quoted twice", each_line(&dmesg, |line| [b">> ", line].concat())),
        made("indented", each_line(&dmesg, |line| [b"    ", line].concat())),
        made(
            "rsyslog",
            dress(&hashed(all), true, |record| format!("Nov  3 {} host kernel: {}", clock(record), stamp(record))),
        ),
        made(
            "rsyslog iso",
            dress(&hashed(all), true, |record| {
                format!("2026-11-23T{}.123456+01:00 host kernel: {}", clock(record), stamp(record))
            }),
        ),
        made(
            "rfc5424",
            dress(&hashed(all), true, |record| {
                format!("<{}>1 2026-11-23T{}.1Z host kernel - - - {}", record.level(), clock(record), stamp(record))
            }),
        ),
        made("kmsg behind kubectl", kubectl(all)),
    ]
}

/// rsyslog writes control characters as `#` and three octal digits.
fn hashed(all: &[Record]) -> Vec<Record> {
    let change = |record: &Record| {
        let mut record = record.clone();
        record.text = record
            .text
            .iter()
            .flat_map(|&byte| if byte < 0x20 { format!("#{byte:03o}").into_bytes() } else { vec![byte] })
            .collect();
        record
    };
    all.iter().map(change).collect()
}

fn kubectl(all: &[Record]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in all {
        let escaped: String = record
            .text
            .iter()
            .map(|&byte| {
                if (0x20..0x7f).contains(&byte) && byte != b'\\' {
                    (byte as char).to_string()
                } else {
                    format!("\\x{byte:02x}")
                }
            })
            .collect();
        out.extend_from_slice(
            format!(
                "2026-11-23T{}.123456789Z {},{},{},-;{escaped}\n",
                clock(record),
                record.priority,
                record.sequence,
                record.time_usec
            )
            .as_bytes(),
        );
    }
    out
}

/// Dresses that lose what a newline in a name means; for captures without one.
fn lossy_dresses(all: &[Record]) -> Vec<Dressed> {
    let console = dress(all, true, stamp);
    let made = |name, bytes| Dressed { name, bytes };
    vec![
        made("dmesg -S", console.clone()),
        made("serial console", each_line(&console, |line| [line, b"\r"].concat())),
        made("dmesg -t", dress(all, true, |_| String::new())),
        made("dmesg --color", dress(all, true, |record| format!("\x1b[32m{}\x1b[0m\x1b[33m", stamp(record)))),
        made(
            "cri",
            dress(all, true, |record| format!("2026-11-23T{}.123456789Z stdout F {}", clock(record), stamp(record))),
        ),
        made("host kernel:", dress(all, true, |record| format!("node-1 kernel: {}", stamp(record)))),
        made("host kernel: without time", dress(all, true, |_| "node-1 kernel: ".to_string())),
        made("compose", dress(all, true, |record| format!("klog-1  | {}", stamp(record)))),
        made(
            "busybox",
            dress(all, true, |record| format!("Nov  3 {} box kern.warn kernel: {}", clock(record), stamp(record))),
        ),
        made(
            "logread",
            dress(all, true, |record| format!("Mon Nov 23 {} 2026 kern.warn kernel: {}", clock(record), stamp(record))),
        ),
        made("no blanks at ends", each_line(&console, |line| line.trim_ascii_end().to_vec())),
    ]
}

/// A report without what depends on the logger.
fn bare(report: &Report) -> Report {
    let mut report = report.clone();
    report.time_usec = None;
    report.logged_at = None;
    report.first_sequence = None;
    report.last_sequence = None;
    report
}

fn kernel_records(name: &str) -> Vec<Record> {
    records(&log(name)).into_iter().filter(|record| record.facility() == 0).collect()
}

/// The records without the case whose process has a newline in its name.
fn one_line_names(mut all: Vec<Record>) -> Vec<Record> {
    let odd = |record: &Record| record.text.windows(4).any(|window| window == b"x\ny)");
    let first = all.iter().position(odd);
    let last = all.iter().rposition(odd);
    if let (Some(first), Some(last)) = (first, last) {
        all.drain(first..=last);
    }
    all
}

fn same(name: &str, all: &[Record], dressed: Vec<Dressed>, text: bool) {
    let reference: Vec<Report> = super::parse_records(all).iter().map(bare).collect();
    assert!(!reference.is_empty());
    for Dressed { name: dress, bytes } in dressed {
        let seen: Vec<Report> = parse_reports(&bytes).iter().map(bare).collect();
        assert_eq!(seen.len(), reference.len(), "{name} as {dress}");
        for (at, (seen, reference)) in seen.into_iter().zip(&reference).enumerate() {
            let mut seen = seen;
            if !text {
                seen.text.clone_from(&reference.text);
            }
            assert_eq!(&seen, reference, "{name} as {dress}, report {at}");
        }
    }
}

/// Numbering anew hides the gaps that filtering leaves.
fn renumbered(mut all: Vec<Record>) -> Vec<Record> {
    for (at, record) in all.iter_mut().enumerate() {
        record.sequence = at as u64;
    }
    all
}

#[test]
fn every_logger() {
    for name in ["v2-6.1.kmsg", "v1-5.10.kmsg", "v2-7.2.kmsg", "6.18.44-v1-weird_comm_1.kmsg"] {
        let all = renumbered(kernel_records(name));
        let dressed = dresses(&all);
        same(name, &all, dressed, true);
        let all = renumbered(one_line_names(all));
        let dressed = lossy_dresses(&all);
        same(name, &all, dressed, true);
    }
}

#[test]
fn pieces_are_joined_where_no_flag_marks_them() {
    let all = records(&log("interleaved-6.18.44-v1-run0.kmsg"));
    let reference = bare(&parse_reports(&log("interleaved-6.18.44-v1-run0.kmsg"))[0]);
    let mut dressed = dresses(&all);
    // Records as such carry the flag; text does not.
    dressed.retain(|dressed| !dressed.name.contains("kmsg"));
    dressed.extend(lossy_dresses(&all));
    for Dressed { name, bytes } in dressed {
        let reports = parse_reports(&bytes);
        assert_eq!(reports.len(), 1, "{name}");
        let mut seen = bare(&reports[0]);
        seen.text.clone_from(&reference.text);
        assert_eq!(seen, reference, "{name}");
    }
}

#[test]
fn wrapped_mail() {
    for name in ["v2-7.2.kmsg", "v2-6.1.kmsg", "6.18.44-v1-plain.kmsg"] {
        let all = renumbered(one_line_names(kernel_records(name)));
        let console = dress(&all, true, stamp);
        let dressed = [72, 76, 78, 66, 100]
            .into_iter()
            .flat_map(|column| {
                let wrapped = each_line(&console, |line| wrap(line, column));
                let quoted = each_line(&wrapped, |line| [b"> ", line].concat());
                [Dressed { name: "wrapped", bytes: wrapped }, Dressed { name: "wrapped and quoted", bytes: quoted }]
            })
            .collect();
        same(name, &all, dressed, false);
    }
}

#[test]
fn other_programs_in_a_text_log_are_left_out() {
    for line in [
        "Nov 23 00:00:01 host myapp[12]: Memory cgroup out of memory: Killed process 1 (x) total-vm:4kB, anon-rss:4kB",
        "Nov 23 00:00:01 host myapp: Out of memory: Killed process 1 (x) total-vm:4kB, anon-rss:4kB",
        "2026-11-23T00:00:01.5Z host kubelet[7]: Killed process 1 (x) total-vm:4kB, anon-rss:4kB",
        "[   12.345678] host myapp[12]: Killed process 1 (x) total-vm:4kB, anon-rss:4kB",
        "<12>[   12.345678] Memory cgroup out of memory: Killed process 1 (x) total-vm:4kB, anon-rss:4kB",
        "user  :warn  : [   12.345678] Killed process 1 (x) total-vm:4kB, anon-rss:4kB",
        "<14>1 2026-11-23T00:00:01Z host kernel - - - Killed process 1 (x) total-vm:4kB, anon-rss:4kB",
        "Nov 23 00:00:01 box user.notice kernel: Killed process 1 (x) total-vm:4kB, anon-rss:4kB",
    ] {
        assert_eq!(parse_reports(line.as_bytes()), [], "{line}");
    }
}

/// The lines of the reports of a log, as the kernel printed them, with the times of its clock.
fn plain(reports: &[Report]) -> Vec<Plain> {
    let mut log: Vec<Plain> = Vec::new();
    for (at, report) in reports.iter().enumerate() {
        let after = log.last().map_or(0, |line| line.usec + 1);
        let first = report.time_usec.unwrap_or((at as u64 + 1) * 100_000_000).max(after);
        for (step, line) in report.text.split('\n').enumerate() {
            let level = if line.contains("Killed process") { 3 } else { 6 };
            log.push(Plain { usec: first + step as u64, level, text: line.to_string() });
        }
    }
    log
}

/// A report without what depends on the logger, and its text without the blanks that a wrap or a page takes.
fn essence(report: &Report, timeless: bool) -> Report {
    let mut report = bare(report);
    report.text.retain(|character| !matches!(character, ' ' | '\n'));
    for missing in report.missing.iter_mut().filter(|_| timeless) {
        missing.reason = "".into();
    }
    report
}

/// Why a dressed log gives something else.
fn difference(seen: &[Report], expected: &[Report]) -> Option<String> {
    if seen.len() != expected.len() {
        return Some(format!("{} reports, not {}", seen.len(), expected.len()));
    }
    let (seen, expected) = seen.iter().zip(expected).find(|(seen, expected)| seen != expected)?;
    let fields = |report: &Report| serde_json::from_str::<serde_json::Value>(&report.to_json()).unwrap();
    let (seen, expected) = (fields(seen), fields(expected));
    let field = expected.as_object()?.iter().find(|(key, value)| seen[key.as_str()] != **value)?;
    let shown = |value: &serde_json::Value| value.to_string().chars().take(300).collect::<String>();
    Some(format!("{}: {} not {}", field.0, shown(&seen[field.0.as_str()]), shown(field.1)))
}

/// Logs whose names hold what text cannot carry through every dress; the tests above have them.
fn is_odd(text: &str) -> bool {
    text.contains("\\x") || text.contains("&lt;")
}

#[test]
fn the_same_document_in_every_dress() {
    let most = if std::env::var_os("MEMOOM_DRESSES").is_some() { usize::MAX } else { 6_000 };
    let (wardrobe, mut equal, mut wrong, mut logs) = (wardrobe(), 0, Vec::new(), 0);
    for (name, bytes) in all_logs() {
        let log = plain(&parse_reports(&bytes));
        let length: usize = log.iter().map(|line| line.text.len() + 16).sum();
        // Pastes are dressed already; all are dressed again where MEMOOM_DRESSES is set.
        let paste = name.starts_with("paste-") && most < usize::MAX;
        if log.is_empty() || paste || length > most || log.iter().any(|line| is_odd(&line.text)) {
            continue;
        }
        // Where no line tells its form by itself, a log of unknown form cannot be read.
        let tells = |report: &Report| report.release.is_some() || report.memory.is_some() || !report.kills.is_empty();
        if !parse_reports(&bytes).iter().any(|report| tells(report) || report.sacrifice.is_some()) {
            continue;
        }
        logs += 1;
        let reference = parse_reports(&(wardrobe[0].put_on)(&log));
        let whole = reference.iter().all(|report| report.release.is_some() && !report.tasks.is_empty());
        let told = reference.iter().all(|report| !report.kills.is_empty());
        // Two reports that only the time tells apart.
        let timed = name == "headless.log";
        let fits = |dress: &&Dress| {
            (whole || !dress.whole)
                && (log.len() > 5 || !dress.name.contains("overlapping"))
                && (told || !dress.twice)
                && !(timed && dress.timeless)
        };
        for (at, dress) in wardrobe.iter().filter(fits).enumerate() {
            // A few of them for the fuzzer to begin with.
            if let Some(seeds) = std::env::var_os("MEMOOM_SEEDS").filter(|_| (at + logs) % 32 == 0) {
                std::fs::write(std::path::Path::new(&seeds).join(format!("dress-{logs}-{at}")), (dress.put_on)(&log))
                    .unwrap();
            }
            let of = |reports: &[Report]| -> Vec<Report> {
                let mut reports: Vec<Report> = reports.iter().map(|report| essence(report, dress.timeless)).collect();
                reports.iter_mut().filter(|_| dress.twice).for_each(|report| report.text.clear());
                reports
            };
            match difference(&of(&parse_reports(&(dress.put_on)(&log))), &of(&reference)) {
                None => equal += 1,
                Some(difference) => wrong.push(format!("{name} as {}: {difference}", dress.name)),
            }
        }
    }
    println!("{equal} of {} copies equal: {logs} logs in {} dresses", equal + wrong.len(), wardrobe.len());
    assert!(wardrobe.len() >= 100 && logs >= 30);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

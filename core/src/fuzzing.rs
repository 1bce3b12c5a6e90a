//! Doors for fuzzers (`fuzz/`): each reads any bytes as one kind of input, and holds what must be true of whatever comes out.
//!
//! They are there where `--cfg fuzzing` is given and in tests; no program can reach them.

use crate::account::record;
use crate::helper::wire::{Command, Message, Notice, Request};
use crate::lab::group::stall;
use crate::lab::host::mountinfo::mounts;
use crate::memcg::counters::{keyed, Counters};
use crate::memcg::limits::{human_size, Limit};
use crate::memcg::{owner, parse_size, v1, v2, workload};
use crate::observe::callpath::parse_proc_stack;
use crate::observe::report::{Report, ReportReader};
use crate::observe::task::text as task;
use crate::observe::trace::text as trace_text;
use crate::observe::{Alarm, Record};
use crate::pressure::{Kind, Pattern};
use crate::text::{escape, unescape};

/// A log, fed in pieces of the length that its first byte says, and looked at in between as the second one says.
pub fn reader(bytes: &[u8]) {
    let [piece, looks, log @ ..] = bytes else { return };
    let mut reader = ReportReader::new();
    let mut found: Vec<Report> = Vec::new();
    for (at, part) in log.chunks(usize::from(*piece) * 16 + 1).enumerate() {
        found.extend(reader.feed(part));
        match looks >> (at % 4 * 2) & 3 {
            1 => found.extend(reader.settle()),
            2 => found.extend(reader.quiet()),
            _ => {}
        }
    }
    found.extend(reader.finish());
    let text: usize = found.iter().map(|report| report.text.len()).sum();
    assert!(text <= 8 * log.len() + 64 * found.len(), "more text than input");
}

/// The files of a group and of a process: memory.stat, memory.events, memory.oom_control, memory.pressure, limits,
/// mountinfo, stat, status, cgroup, stack, wchan, smaps_rollup; and a path of a group.
pub fn files(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut counters = Counters::default();
    v1::oom_control(&text, &mut counters);
    v2::events(&text, &mut counters);
    let _ = v2::lists_memory(&text);
    let _ = stall::parse_pressure(&text);
    assert!(keyed(&text).count() <= text.lines().count());
    let _ = (owner::is_name(&text), task::parse_wchan(bytes), task::parse_pss(bytes));
    assert!(task::parse_status(bytes).comm.len() <= bytes.len());
    assert!(task::parse_stat(bytes).is_none_or(|stat| stat.comm.len() <= bytes.len()));
    let _ = (task::parse_cgroup(bytes), parse_proc_stack(bytes));
    let mounts = mounts(bytes);
    assert!(mounts.iter().enumerate().all(|(at, one)| mounts[..at].iter().all(|other| other.point != one.point)));
    if let Some(workload) = workload(bytes) {
        assert!(!workload.words.is_empty() && workload.to_json().is_ascii());
    }
    assert_eq!(unescape(&escape(bytes)), bytes, "every byte comes back");
}

/// Sizes, limits, alarms, kinds and patterns as people write them.
pub fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // The kernel's files end in a newline.
    let text = text.trim();
    let size = parse_size(text);
    assert_eq!(text.parse::<Limit>().ok(), size.as_ref().ok().copied().map(Limit::Bytes).or(max(text)));
    match size {
        Ok(bytes) => {
            assert_eq!(parse_size(&bytes.to_string()).ok(), Some(bytes));
            assert!(!human_size(bytes).is_empty());
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.is_ascii() && !message.contains('\n') && message.len() < 2000, "one short line: {message}");
        }
    }
    if let Ok(alarm) = text.parse::<Alarm>() {
        assert_eq!(alarm.to_string().parse::<Alarm>().ok(), Some(alarm));
    }
    assert!(text.parse::<Kind>().is_ok_and(|kind| kind.name() == text) || text.parse::<Kind>().is_err());
    assert!(text.parse::<Pattern>().is_ok_and(|one| one.name() == text) || text.parse::<Pattern>().is_err());
}

fn max(text: &str) -> Option<Limit> {
    (text == "max").then_some(Limit::Max)
}

/// A message between host, supervisor and worker: what is read is written again as the same bytes.
pub fn wire(bytes: &[u8]) {
    if let Some((serial, request)) = Request::decode(bytes) {
        assert_eq!(request.encode(serial).bytes(), bytes);
    }
    if let Some(notice) = Notice::decode(bytes) {
        assert_eq!(notice.encode().bytes(), bytes);
    }
    if let Some(command) = Command::decode(bytes) {
        assert_eq!(command.encode().bytes(), bytes);
    }
    if let Some(message) = Message::decode(bytes) {
        assert_eq!(message.encode().bytes(), bytes);
    }
}

/// A recording: its accounts can be shown and written, or the error is one line.
pub fn recording(bytes: &[u8]) {
    match record::replay(bytes) {
        Ok(ooms) => {
            for oom in &ooms {
                assert!(!oom.to_text().is_empty() && !oom.to_short_text().is_empty());
                let document: Result<serde_json::Value, _> = serde_json::from_str(&oom.to_json());
                assert!(document.is_ok(), "{document:?}");
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

/// The text of a trace pipe. Up to the first NUL: the format of an event, else those of a kernel of today.
pub fn trace(bytes: &[u8]) {
    let cut = bytes.iter().position(|&byte| byte == 0);
    let (format, text) = cut.map_or((&b""[..], bytes), |at| (&bytes[..at], &bytes[at + 1..]));
    let records = trace_text::fuzzed(format, text);
    assert!(records <= text.len() + 1, "more records than text");
}

/// Records of /dev/kmsg.
pub fn records(bytes: &[u8]) {
    for line in bytes.split(|&byte| byte == b'\n') {
        let Some(record) = Record::parse(line) else { continue };
        assert!(record.text.len() <= line.len() && record.level() < 8);
        assert_eq!(record.priority, record.facility() << 3 | u32::from(record.level()));
    }
    assert_eq!(Record::parse(bytes), Record::parse(bytes.split(|&byte| byte == b'\n').next().unwrap_or(b"")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helper::wire::examples;

    /// The files of a folder with such an end, the smallest first: a few are enough here.
    fn seeds(folder: &str, end: &str) -> Vec<Vec<u8>> {
        let path = format!("{}/../{folder}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let wanted = files.filter(|path| path.is_file() && path.to_string_lossy().ends_with(end));
        let mut found: Vec<Vec<u8>> = wanted.map(|path| std::fs::read(path).unwrap()).collect();
        found.sort_by_key(Vec::len);
        found.truncate(20);
        found
    }

    /// A message of each kind.
    fn messages() -> Vec<Vec<u8>> {
        let bytes = |writer: crate::helper::wire::Writer| writer.bytes().to_vec();
        let mut all: Vec<Vec<u8>> = examples::requests().iter().map(|one| bytes(one.encode(9))).collect();
        all.extend(examples::notices().iter().map(|one| bytes(one.encode())));
        all.extend(examples::commands().iter().map(|one| bytes(one.encode())));
        all.extend(examples::messages().iter().map(|one| bytes(one.encode())));
        all
    }

    /// What fuzzing begins with, through every door: whole, cut, and with a byte changed. With MEMOOM_SEEDS the messages are
    /// written there.
    #[test]
    fn every_door_takes_its_seeds_and_their_damage() {
        type Door = fn(&[u8]);
        let doors: [(Vec<Vec<u8>>, Door); 7] = [
            (seeds("fuzz/seeds/files", ""), files),
            (seeds("fuzz/seeds/words", ""), words),
            (messages(), wire),
            (seeds("tests/signs", ".jsonl")[..2].to_vec(), recording),
            (seeds("tests/logs", ".trace"), trace),
            (seeds("tests/logs", ".kmsg")[..2].to_vec(), records),
            (seeds("tests/logs", ".kmsg")[..2].to_vec(), reader),
        ];
        for (seeds, door) in doors {
            assert!(!seeds.is_empty());
            for seed in &seeds {
                door(seed);
                for at in (0..seed.len()).step_by(1 + seed.len() / 12) {
                    door(&seed[..at]);
                    let mut damaged = seed.clone();
                    damaged[at] ^= 0x15;
                    door(&damaged);
                }
            }
        }
        if let Some(folder) = std::env::var_os("MEMOOM_SEEDS") {
            for (at, message) in messages().iter().enumerate() {
                std::fs::write(std::path::Path::new(&folder).join(format!("message-{at}")), message).unwrap();
            }
        }
    }

    /// A line without an end is no recording, and is not taken into memory as a whole.
    #[test]
    fn a_recording_has_no_endless_line() {
        use std::io::{BufReader, Read};
        let error = record::replay(BufReader::new(std::io::repeat(b'['))).unwrap_err().to_string();
        assert!(error.contains("line 1 is not of a recording: it is longer than 64 MiB"), "{error}");
        let heading = seeds("tests/signs", ".jsonl").remove(0);
        let heading = &heading[..=heading.iter().position(|&byte| byte == b'\n').unwrap()];
        let nested = [heading, "{\"sign\":".as_bytes(), "[".repeat(100_000).as_bytes(), b"\n"].concat();
        assert!(record::replay(&nested[..]).unwrap_err().to_string().contains("line 2"));
        let endless = heading.chain(std::io::repeat(b' '));
        assert!(record::replay(BufReader::new(endless)).unwrap_err().to_string().contains("line 2"));
    }
}

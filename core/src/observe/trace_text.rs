//! The text of a trace pipe to records, on bytes alone.
//!
//! A comm is up to 15 bytes of anything, newlines and the kernel's own literals included, and the text does not
//! escape it. The parser relies on what 15 bytes cannot forge: a header is found by its event's literal together
//! with the numbers before it and the fixed width of the comm; the fields after a comm are matched as a whole
//! against the event's own print format.

use super::callpath::{parse_symbol, without_machinery, Frame};
use super::trace::TraceVictim;

const VICTIM: &[u8] = b": mark_victim: ";
const STACK: &[u8] = b": <stack trace>\n";
/// The kernel's TASK_COMM_LEN without the NUL.
const COMM: usize = 15;
/// The header's comm is printed with `%16s`.
const COMM_WIDTH: usize = 16;

/// One record of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Victim(Box<TraceVictim>),
    Stack { pid: i32, frames: Vec<Frame> },
    Lost { cpu: u32, events: Option<u64> },
    Unparsed(Vec<u8>),
}

/// The print format of the event: literals with one value between each two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Template {
    fields: Vec<Field>,
    end: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    before: Vec<u8>,
    name: String,
    text: bool,
}

impl Template {
    /// From the event's `format` file; `None` when its print format names no pid.
    pub(super) fn from_format(format: &[u8]) -> Option<Template> {
        let line = format.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"print fmt: \""))?;
        let mut template = Template::default();
        let mut literal = Vec::new();
        let mut rest = line.iter().copied().peekable();
        loop {
            match rest.next()? {
                b'"' => break,
                b'%' if rest.peek() == Some(&b'%') => literal.extend(rest.next()),
                b'%' => {
                    // Flags, width and length modifiers, then the conversion letter.
                    let conversion = loop {
                        let byte = rest.next()?;
                        if byte.is_ascii_alphabetic() && !b"hlLqjzt".contains(&byte) {
                            break byte;
                        }
                    };
                    let before = std::mem::take(&mut literal);
                    template.fields.push(Field { name: name_of(&before), before, text: conversion == b's' });
                }
                byte => literal.push(byte),
            }
        }
        template.end = literal;
        template.end.push(b'\n');
        template.fields.iter().any(|field| field.name == "pid").then_some(template)
    }

    /// The values at the start of `text`, in the order of the fields, and the length of it all.
    fn values<'t>(&self, text: &'t [u8]) -> Option<(Vec<&'t [u8]>, usize)> {
        self.values_from(0, text, 0)
    }

    fn values_from<'t>(&self, index: usize, text: &'t [u8], at: usize) -> Option<(Vec<&'t [u8]>, usize)> {
        let Some(field) = self.fields.get(index) else {
            return text[at..].starts_with(&self.end).then(|| (Vec::new(), at + self.end.len()));
        };
        if !text[at..].starts_with(&field.before) {
            return None;
        }
        let start = at + field.before.len();
        let try_end = |end: usize| {
            let (mut values, length) = self.values_from(index + 1, text, end)?;
            values.insert(0, &text[start..end]);
            Some((values, length))
        };
        if !field.text {
            let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
            return (digits > 0).then(|| try_end(start + digits)).flatten();
        }
        // A comm ends where all that must follow it follows.
        (start..=text.len().min(start + COMM)).find_map(try_end)
    }
}

/// The key before a value: `kB anon-rss=` is `anon-rss`.
fn name_of(before: &[u8]) -> String {
    let before = String::from_utf8_lossy(before);
    let key = before.trim_end().trim_end_matches(['=', ':']);
    key.rsplit(' ').next().unwrap_or_default().to_string()
}

struct Header {
    /// Where the record starts, and where what follows the event's literal does.
    start: usize,
    body: usize,
    is_victim: bool,
    comm: Vec<u8>,
    pid: i32,
    cpu: u32,
    time_ns: u64,
}

/// All records of `text`, which must end at the end of a record.
pub(super) fn parse(text: &[u8], template: &Template) -> Vec<Record> {
    let headers: Vec<Header> = (0..text.len())
        .filter(|&at| text[at] == b':')
        .filter_map(|at| {
            if text[at..].starts_with(VICTIM) {
                header(text, at, true)
            } else if text[at..].starts_with(STACK) {
                header(text, at, false)
            } else {
                None
            }
        })
        .collect();
    let mut records = Vec::new();
    let mut done = 0;
    for (index, header) in headers.iter().enumerate() {
        gap(&text[done..header.start.max(done)], &mut records);
        // A record ends at the latest where the next one begins.
        let limit = headers.get(index + 1).map_or(text.len(), |next| next.start.max(header.body));
        let body = &text[header.body..limit];
        done = header.body;
        if header.is_victim {
            match template.values(body).and_then(|(values, length)| Some((victim(header, template, &values)?, length)))
            {
                Some((victim, length)) => {
                    records.push(Record::Victim(Box::new(victim)));
                    done += length;
                }
                None => done = header.start,
            }
        } else {
            let (frames, length) = frames(body);
            records.push(Record::Stack { pid: header.pid, frames });
            done += length;
        }
    }
    gap(&text[done..], &mut records);
    records
}

/// `            comm-PID     [CPU] FLAGS   SECONDS.MICROS` to the left of the literal at `at`.
fn header(text: &[u8], at: usize, is_victim: bool) -> Option<Header> {
    let left = &text[..at];
    let (left, micros) = number(left)?;
    let (left, seconds) = number(left.strip_suffix(b".")?)?;
    let left = trim(left);
    // The flags are one word; with the option irq-info off they are missing.
    let left = if left.ends_with(b"]") {
        left
    } else {
        let flags = left.iter().rev().take_while(|byte| byte.is_ascii_graphic()).count();
        trim(left.get(..left.len().checked_sub(flags)?)?)
    };
    let (left, cpu) = number(left.strip_suffix(b"]")?)?;
    let (left, pid) = number(trim(left.strip_suffix(b"[")?))?;
    let left = left.strip_suffix(b"-")?;
    let start = left.len().saturating_sub(COMM_WIDTH);
    let padding = left[start..].iter().take_while(|byte| **byte == b' ').count();
    Some(Header {
        start,
        body: at + if is_victim { VICTIM.len() } else { STACK.len() },
        is_victim,
        comm: left[start + padding..].to_vec(),
        pid: i32::try_from(pid).ok()?,
        cpu: u32::try_from(cpu).ok()?,
        time_ns: seconds.checked_mul(1_000_000_000)?.checked_add(micros.checked_mul(1_000)?)?,
    })
}

/// The decimal number at the end of `text`, and what stands before it.
fn number(text: &[u8]) -> Option<(&[u8], u64)> {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (left, digits) = text.split_at(text.len() - digits);
    Some((left, std::str::from_utf8(digits).ok()?.parse().ok()?))
}

fn trim(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|byte| **byte == b' ').count();
    &text[..text.len() - blanks]
}

fn victim(header: &Header, template: &Template, values: &[&[u8]]) -> Option<TraceVictim> {
    let value = |name: &str| template.fields.iter().position(|field| field.name == name).map(|index| values[index]);
    let word = |name: &str| value(name).and_then(|value| std::str::from_utf8(value).ok());
    let kib = |name: &str| word(name).and_then(|word| word.parse::<u64>().ok()).and_then(|kib| kib.checked_mul(1024));
    let pid: i32 = word("pid")?.parse().ok()?;
    let comm = value("comm").map(<[u8]>::to_vec);
    // The header's comm is padded with blanks and may be unknown; the victim's own is exact.
    let own = comm.clone().filter(|_| pid == header.pid);
    Some(TraceVictim {
        time_ns: header.time_ns,
        cpu: header.cpu,
        invoker_pid: header.pid,
        invoker_comm: own.unwrap_or_else(|| header.comm.clone()),
        pid,
        comm,
        total_vm_bytes: kib("total-vm"),
        anon_rss_bytes: kib("anon-rss"),
        file_rss_bytes: kib("file-rss"),
        shmem_rss_bytes: kib("shmem-rss"),
        uid: word("uid").and_then(|word| word.parse().ok()),
        pgtables_bytes: kib("pgtables"),
        oom_score_adj: word("oom_score_adj").and_then(|word| word.parse().ok()),
        call_path: Vec::new(),
    })
}

/// The lines ` => symbol` at the start of `text`, and their length.
fn frames(text: &[u8]) -> (Vec<Frame>, usize) {
    let mut frames = Vec::new();
    let mut length = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let Some(symbol) = line.strip_prefix(b" => ") else { break };
        length += line.len();
        frames.extend(parse_symbol(symbol));
    }
    (without_machinery(frames), length)
}

/// What stands between records: notices of loss (`CPU:1 [LOST 7 EVENTS]`), or nothing.
fn gap(text: &[u8], records: &mut Vec<Record>) {
    for line in text.split(|&byte| byte == b'\n') {
        match lost(line) {
            Some(record) => records.push(record),
            None if line.trim_ascii().is_empty() => {}
            None => records.push(Record::Unparsed(line.to_vec())),
        }
    }
}

fn lost(line: &[u8]) -> Option<Record> {
    let line = std::str::from_utf8(line).ok()?.trim();
    let (cpu, count) = line.strip_prefix("CPU:")?.split_once(" [LOST ")?;
    let count = count.strip_suffix("EVENTS]")?.trim();
    Some(Record::Lost { cpu: cpu.trim().parse().ok()?, events: count.parse().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &[u8] = include_bytes!("../../../tests/logs/mark_victim-6.18.format");
    const OLD: &[u8] = b"name: mark_victim\nID: 500\nformat:\n\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;\n\n\
        print fmt: \"pid=%d\", REC->pid\n";

    fn new() -> Template {
        Template::from_format(NEW).expect("a format")
    }

    fn names(frames: &[Frame]) -> Vec<&str> {
        frames.iter().map(|frame| frame.function.as_str()).collect()
    }

    #[test]
    fn the_format_gives_the_fields_in_order() {
        let names: Vec<_> = new().fields.into_iter().map(|field| field.name).collect();
        let expected =
            ["pid", "comm", "total-vm", "anon-rss", "file-rss", "shmem-rss", "uid", "pgtables", "oom_score_adj"];
        assert_eq!(names, expected);
        assert_eq!(Template::from_format(OLD).expect("a format").fields.len(), 1);
        assert_eq!(Template::from_format(b"print fmt: \"x=%d\", REC->x\n"), None);
        assert_eq!(Template::from_format(b""), None);
        assert_eq!(Template::from_format(b"print fmt: \"pid=%"), None);
    }

    #[test]
    fn a_captured_victim_has_every_field_and_the_path() {
        let text = include_bytes!("../../../tests/logs/mark_victim-6.18-plain.trace");
        let records = parse(text, &new());
        let [Record::Victim(victim), Record::Stack { pid, frames }] = records.as_slice() else {
            panic!("{records:?}");
        };
        assert_eq!((victim.time_ns, victim.cpu, victim.invoker_pid, victim.pid), (990_840_195_000, 1, 5275, 5275));
        assert_eq!(victim.comm.as_deref(), Some(b"plain".as_slice()));
        assert_eq!(victim.total_vm_bytes, Some(82596 * 1024));
        assert_eq!(victim.anon_rss_bytes, Some(23600 * 1024));
        assert_eq!(victim.file_rss_bytes, Some(4152 * 1024));
        assert_eq!((victim.shmem_rss_bytes, victim.uid), (Some(0), Some(0)));
        assert_eq!((victim.pgtables_bytes, victim.oom_score_adj), (Some(108 * 1024), Some(0)));
        assert_eq!(*pid, 5275);
        assert_eq!(frames.len(), 13);
        assert_eq!(names(frames)[..3], ["mark_oom_victim", "__oom_kill_process", "oom_kill_process"]);
        assert_eq!((frames[0].offset, frames[0].size), (Some(0xba), Some(0x100)));
        assert_eq!(names(frames)[12], "asm_exc_page_fault");
    }

    #[test]
    fn a_comm_cannot_break_the_text() {
        // Captured: comms with newline, arrow, brackets, and the event's own keys.
        for (text, comm) in [
            (
                include_bytes!("../../../tests/logs/mark_victim-6.18-arrow.trace").as_slice(),
                b"a => b\nc)[x]=-".as_slice(),
            ),
            (include_bytes!("../../../tests/logs/mark_victim-6.18-keys.trace").as_slice(), b"pid=1 comm=x ui"),
        ] {
            let records = parse(text, &new());
            let [Record::Victim(victim), Record::Stack { frames, .. }] = records.as_slice() else {
                panic!("{records:?}");
            };
            assert_eq!(victim.comm.as_deref(), Some(comm));
            assert_eq!(victim.invoker_comm, comm);
            assert_eq!(frames.len(), 13);
        }
    }

    #[test]
    fn forged_literals_in_a_comm_do_not_split_a_record() {
        let stack = b" => a+0x1/0x2\n => b+0x3/0x4\n";
        for comm in [
            b": mark_victim: ".as_slice(),
            b"<stack trace>\n",
            b"\n => x+0x1/0x2",
            b" total-vm=1kB",
            b"x total-vm=1kB\n",
            b" oom_score_adj=",
            b"x-1 [001] ...1.",
            b"  1.000001: ",
            b"CPU:0 [LOST 5 E",
            b"\n\n\n",
            b"",
            b" ",
            b"\xff\xfe\x01",
        ] {
            let mut text = Vec::new();
            let one = |text: &mut Vec<u8>, event: &[u8]| {
                text.extend(std::iter::repeat_n(b' ', COMM_WIDTH - comm.len()));
                text.extend_from_slice(comm);
                text.extend_from_slice(b"-77      [003] d..1.    12.000345: ");
                text.extend_from_slice(event);
            };
            for _ in 0..2 {
                let event = [
                    b"mark_victim: pid=78 comm=",
                    comm,
                    b" total-vm=9kB anon-rss=8kB file-rss:7kB shmem-rss:6kB uid=5 pgtables=4kB oom_score_adj=-3\n",
                ]
                .concat();
                one(&mut text, &event);
                one(&mut text, &[b"<stack trace>\n".as_slice(), stack].concat());
            }
            let records = parse(&text, &new());
            assert_eq!(records.len(), 4, "{comm:?}: {records:?}");
            for pair in records.chunks(2) {
                let [Record::Victim(victim), Record::Stack { pid: 77, frames }] = pair else {
                    panic!("{comm:?}: {pair:?}");
                };
                assert_eq!(victim.comm.as_deref(), Some(comm));
                assert_eq!((victim.pid, victim.cpu, victim.oom_score_adj), (78, 3, Some(-3)));
                assert_eq!(victim.shmem_rss_bytes, Some(6 * 1024));
                assert_eq!(names(frames), ["a", "b"], "{comm:?}");
            }
        }
    }

    #[test]
    fn an_old_kernel_gives_the_pid_alone() {
        // The layout of 5.10: four flag letters, the pid as the only field, frames without offsets.
        let text = b"            hog1-123     [000] d..1    45.678901: mark_victim: pid=123\n\
            \x20           hog1-123     [000] d..1    45.678905: <stack trace>\n\
            \x20=> mark_oom_victim\n => oom_kill_process\n";
        let records = parse(text, &Template::from_format(OLD).expect("a format"));
        let [Record::Victim(victim), Record::Stack { frames, .. }] = records.as_slice() else {
            panic!("{records:?}");
        };
        assert_eq!((victim.pid, victim.time_ns), (123, 45_678_901_000));
        assert_eq!((&victim.comm, victim.uid, victim.anon_rss_bytes), (&None, None, None));
        assert_eq!(victim.invoker_comm, b"hog1");
        assert_eq!(names(frames), ["mark_oom_victim", "oom_kill_process"]);
        assert_eq!(frames[0].offset, None);
    }

    #[test]
    fn losses_and_strange_text_are_records_too() {
        let text = b"CPU:1 [LOST 7 EVENTS]\n            hog1-123     [001] d..1    45.678901: mark_victim: pid=9\n\
            CPU:0 [LOST EVENTS]\nsomething else\n";
        let records = parse(text, &Template::from_format(OLD).expect("a format"));
        assert_eq!(records.len(), 4, "{records:?}");
        assert_eq!(records[0], Record::Lost { cpu: 1, events: Some(7) });
        assert!(matches!(&records[1], Record::Victim(victim) if victim.pid == 9));
        assert_eq!(records[2], Record::Lost { cpu: 0, events: None });
        assert_eq!(records[3], Record::Unparsed(b"something else".to_vec()));
        assert!(parse(b"", &new()).is_empty());
    }

    #[test]
    fn cut_text_never_panics() {
        let text = include_bytes!("../../../tests/logs/mark_victim-6.18-arrow.trace");
        for end in 0..text.len() {
            parse(&text[..end], &new());
            parse(&text[end..], &new());
        }
    }
}

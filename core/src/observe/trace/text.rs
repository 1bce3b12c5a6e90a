//! The text of a trace pipe to records, on bytes alone.
//!
//! A comm is up to 15 bytes of anything, newlines and the kernel's own literals included, and the text does not
//! escape it. The parser relies on what 15 bytes cannot forge: a header is found by its event's literal together
//! with the numbers before it and the fixed width of the comm; the fields after a comm are matched as a whole
//! against the event's own print format.

use super::super::callpath::{parse_symbol, without_machinery, Frame};
use super::super::signal::{Delivered, Signal};
use super::values::{Context, Values};
use super::TraceVictim;

/// What stands between a header and the fields of an event.
const LITERALS: [(What, &[u8]); 4] = [
    (What::Victim, b": mark_victim: "),
    (What::Signal, b": signal_generate: "),
    (What::Delivered, b": signal_deliver: "),
    (What::Stack, b": <stack trace>\n"),
];
/// The kernel's TASK_COMM_LEN without the NUL.
const COMM: usize = 15;
/// The header's comm is printed with `%16s`.
const COMM_WIDTH: usize = 16;

/// One record of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Victim(Box<TraceVictim>),
    Signal(Box<Signal>),
    Delivered(Delivered),
    Stack { pid: i32, frames: Vec<Frame> },
    Lost { cpu: u32, events: Option<u64> },
    Unparsed(Vec<u8>),
}

/// What a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Victim,
    Signal,
    Delivered,
    Stack,
}

/// The print formats of the events of an instance; an empty one stands for an event that is not listened to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Templates {
    pub(super) victim: Template,
    pub(super) signal: Template,
    pub(super) delivered: Template,
}

/// The print format of one event: literals with one value between each two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Template {
    fields: Vec<Field>,
    end: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    before: Vec<u8>,
    name: String,
    kind: Kind,
}

/// How a value is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Decimal,
    Hexadecimal,
    Text,
}

impl Template {
    /// From the event's `format` file; `None` when its print format lacks one of the fields that are `needed`.
    pub(super) fn from_format(format: &[u8], needed: &[&str]) -> Option<Template> {
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
                    let kind = match conversion {
                        b's' => Kind::Text,
                        b'x' | b'X' | b'p' => Kind::Hexadecimal,
                        _ => Kind::Decimal,
                    };
                    template.fields.push(Field { name: name_of(&before), before, kind });
                }
                byte => literal.push(byte),
            }
        }
        template.end = literal;
        template.end.push(b'\n');
        let has = |name: &&str| template.fields.iter().any(|field| field.name == *name);
        needed.iter().all(has).then_some(template)
    }

    /// The values at the start of `text` by name, and the length of it all.
    fn read<'t>(&self, text: &'t [u8]) -> Option<(Printed<'_, 't>, usize)> {
        if self.fields.is_empty() {
            return None;
        }
        let (values, length) = self.values(text)?;
        Some((Printed { template: self, values }, length))
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
        let number = |is_digit: &dyn Fn(&u8) -> bool| {
            let digits = text[start..].iter().take_while(|byte| is_digit(byte)).count();
            (digits > 0).then(|| try_end(start + digits)).flatten()
        };
        match field.kind {
            Kind::Decimal => return number(&|byte| byte.is_ascii_digit() || *byte == b'-'),
            Kind::Hexadecimal => return number(&|byte| byte.is_ascii_hexdigit() || *byte == b'x'),
            Kind::Text => {}
        }
        // A comm ends where all that must follow it follows.
        (start..=text.len().min(start + COMM)).find_map(try_end)
    }
}

/// The values of one record, as they are printed.
struct Printed<'a, 't> {
    template: &'a Template,
    values: Vec<&'t [u8]>,
}

impl<'t> Printed<'_, 't> {
    fn bytes(&self, name: &str) -> Option<&'t [u8]> {
        self.template.fields.iter().position(|field| field.name == name).map(|index| self.values[index])
    }
}

impl Values for Printed<'_, '_> {
    fn integer(&self, name: &str) -> Option<i128> {
        std::str::from_utf8(self.bytes(name)?).ok()?.parse().ok()
    }

    fn text(&self, name: &str) -> Option<Vec<u8>> {
        self.bytes(name).map(<[u8]>::to_vec)
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
    what: What,
    comm: Vec<u8>,
    pid: i32,
    cpu: u32,
    time_ns: u64,
}

impl Header {
    fn context(&self) -> Context<'_> {
        Context { thread: self.pid, process: None, comm: &self.comm, time_ns: self.time_ns, cpu: self.cpu }
    }
}

/// All records of `text`, which must end at the end of a record.
pub(super) fn parse(text: &[u8], templates: &Templates) -> Vec<Record> {
    let headers: Vec<Header> = (0..text.len())
        .filter(|&at| text[at] == b':')
        .filter_map(|at| {
            let (what, literal) = LITERALS.iter().find(|(_, literal)| text[at..].starts_with(literal))?;
            header(text, at, *what, literal.len())
        })
        .collect();
    let mut records = Vec::new();
    let mut done = 0;
    for (index, header) in headers.iter().enumerate() {
        gap(&text[done..header.start.max(done)], &mut records);
        // A record ends at the latest where the next one begins.
        let limit = headers.get(index + 1).map_or(text.len(), |next| next.start.max(header.body));
        let body = &text[header.body..limit];
        match record(header, body, templates) {
            Some((record, length)) => {
                records.push(record);
                done = header.body + length;
            }
            None => done = header.start,
        }
    }
    gap(&text[done..], &mut records);
    records
}

fn record(header: &Header, body: &[u8], templates: &Templates) -> Option<(Record, usize)> {
    Some(match header.what {
        What::Stack => {
            let (frames, length) = frames(body);
            (Record::Stack { pid: header.pid, frames }, length)
        }
        What::Victim => {
            let (values, length) = templates.victim.read(body)?;
            (Record::Victim(Box::new(values.victim(&header.context())?)), length)
        }
        What::Signal => {
            let (values, length) = templates.signal.read(body)?;
            (Record::Signal(Box::new(values.signal(&header.context())?)), length)
        }
        What::Delivered => {
            let (values, length) = templates.delivered.read(body)?;
            (Record::Delivered(values.delivered(&header.context())?), length)
        }
    })
}

/// `            comm-PID     [CPU] FLAGS   SECONDS.MICROS` to the left of the literal at `at`.
fn header(text: &[u8], at: usize, what: What, literal: usize) -> Option<Header> {
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
        body: at + literal,
        what,
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

/// How many records the text of a pipe gives, by a format for each event, or that of a kernel of today.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzzed(format: &[u8], text: &[u8]) -> usize {
    let given = |own: &[u8], needed: &[&str]| {
        let given = Template::from_format(format, needed);
        given.or_else(|| Template::from_format(own, needed)).unwrap_or_default()
    };
    let templates = Templates {
        victim: given(include_bytes!("../../../../tests/logs/mark_victim-6.18.format"), &["pid"]),
        signal: given(include_bytes!("../../../../tests/logs/signal_generate-6.18.format"), &["sig", "code", "pid"]),
        delivered: given(include_bytes!("../../../../tests/logs/signal_deliver-6.18.format"), &["sig", "code"]),
    };
    parse(text, &templates).len()
}

#[cfg(test)]
mod tests;

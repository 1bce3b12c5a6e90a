//! What a logger of unknown form puts around each line, learnt from lines whose kernel text is beyond doubt.
//!
//! Some lines of a report begin with words that nothing else begins with, and end in a known way. What stands before and
//! behind them is the logger's, and so is whatever has the same shape around the lines that do not tell by themselves: the
//! frames of a trace, the statistics, the rows of a table without their header.

use std::borrow::Cow;

use super::anchor::{self, Anchor, Told};
use super::clock::Moment;
use super::json;
use super::lines::{invoked, Kind, INVOKED};
use super::raw::Raw;
use super::scan::{contains, digits, find, head, rfind, trim_end, trim_start};
use super::shape;
use super::source::{self, Line, Origin};
use super::trace;

/// No logger ends its lines with more.
const LONGEST_END: usize = 64;
/// A log in more forms than this is a collection of logs; each line is then taken for itself.
const FORMS: usize = 8;
/// So many lines tell enough.
const TELLING: usize = 512;
/// No line of a report is longer.
const LONGEST: usize = 8192;
/// Names of tasks have at most this many bytes.
const COMM: usize = 15;

/// The text around the kernel's, if there is any.
#[derive(Debug, Default)]
pub(super) struct Dress {
    fronts: Vec<Vec<u8>>,
    backs: Vec<Vec<u8>>,
    /// Blanks before every line.
    indent: usize,
    /// Blanks behind every line.
    trailing: bool,
    /// The kernel's lines follow right behind a calendar time: the logger names neither host nor program.
    hostless: bool,
}

/// What the telling lines of a log say, while they are looked at.
#[derive(Default)]
struct Seen {
    indent: Option<usize>,
    trailing: usize,
    exact: usize,
    hostless: usize,
    named: usize,
    /// The prefixes of other programs, with the kinds of line that they have before them.
    others: Vec<(Vec<u8>, Vec<Kind>)>,
}

/// What a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// What a logger puts before every line.
    Prefixed,
    /// That and nothing else.
    Empty,
    /// Words of a report.
    Bare,
    /// It is empty.
    Blank,
    /// None of these.
    Nothing,
}

/// A line with what stands before it.
pub(super) struct Read<'a> {
    origin: Origin<'a>,
    /// Behind a prefix that was learnt.
    learnt: bool,
}

impl Read<'_> {
    /// What the line begins with.
    pub fn start(&self, raw: &Raw<'_>) -> Start {
        let read = match &self.origin {
            Origin::Kernel(read) if !raw.contained && !self.learnt => read,
            _ => return Start::Prefixed,
        };
        let blank = || trim_end(trim_start(&read.text)).is_empty();
        match read.prefixed {
            true if !read.record && read.moment != Moment::default() && blank() => Start::Empty,
            true => Start::Prefixed,
            false if blank() => Start::Blank,
            false if raw.anchor.is_some() || invoked(head(&raw.text, 256)).is_some() => Start::Bare,
            false => Start::Nothing,
        }
    }
}

impl Dress {
    /// Looks at the first lines that can tell.
    pub fn learn(raws: &[Raw<'_>]) -> Dress {
        let (mut dress, mut seen) = (Dress::default(), Seen::default());
        let tells = |raw: &&Raw<'_>| match raw.anchor {
            Some(anchor) => anchor.kind != Kind::Row,
            None => invoked(head(&raw.text, 256)).is_some(),
        };
        let mut invoker: Option<&Raw<'_>> = None;
        for raw in raws.iter().filter(tells).take(TELLING) {
            match raw.anchor {
                Some(anchor) => {
                    dress.look(raw, &anchor, &mut seen);
                    if anchor.kind == Kind::Cpu {
                        dress.agree(invoker.take(), raw, &anchor);
                    }
                }
                None => {
                    dress.look_behind(&raw.text, invoker_end(&raw.text), &mut seen);
                    invoker = Some(raw);
                }
            }
        }
        dress.indent = seen.indent.unwrap_or(0);
        dress.trailing = seen.trailing > 0 && seen.exact == 0;
        dress.hostless = seen.hostless > 0 && seen.named == 0;
        for (front, kinds) in seen.others {
            // A program that passes the whole log on, not one that speaks about an OOM.
            if kinds.len() >= 3 && (kinds.contains(&Kind::Cpu) || kinds.contains(&Kind::TableHeader)) {
                dress.put(&front);
            }
        }
        dress
    }

    /// What stands behind the text of a line.
    fn look_behind(&mut self, line: &[u8], end: Option<usize>, seen: &mut Seen) {
        let Some(end) = end else { return };
        let behind = &line[end..];
        if behind.is_empty() {
            seen.exact += 1;
        } else if trim_end(behind).is_empty() {
            seen.trailing += 1;
        } else if behind.len() <= LONGEST_END
            && self.backs.len() < FORMS
            && !self.backs.iter().any(|back| back == trim_end(behind))
        {
            self.backs.push(trim_end(behind).to_vec());
        }
    }

    fn look(&mut self, raw: &Raw<'_>, anchor: &Anchor, seen: &mut Seen) {
        let line: &[u8] = &raw.text;
        self.look_behind(line, anchor.end(), seen);
        let front = &line[..anchor.start()];
        match source::read(line) {
            Origin::Other => {
                let room = seen.others.len() < FORMS;
                match seen.others.iter_mut().find(|(other, _)| is_of(other, front)) {
                    Some((_, kinds)) if !kinds.contains(&anchor.kind) => kinds.push(anchor.kind),
                    None if room => seen.others.push((front.to_vec(), vec![anchor.kind])),
                    _ => {}
                }
            }
            Origin::Kernel(read) if read.record => {}
            Origin::Kernel(read) => {
                let text = trim_start(&read.text);
                if anchor::here(text).is_some() {
                    seen.hostless += usize::from(!read.named && read.moment.wall.is_some());
                    seen.named += usize::from(read.named);
                    let blanks = read.text.len() - text.len();
                    seen.indent = Some(seen.indent.map_or(blanks, |least: usize| least.min(blanks)));
                } else if !is_echo(front) && !is_mark(front) && !is_prose(anchor.kind, front) {
                    self.put(front);
                }
            }
        }
    }

    /// Where the line about the CPU stands behind an unknown prefix, what stands before the same name in the line about the
    /// invoker is one too.
    fn agree(&mut self, invoker: Option<&Raw<'_>>, raw: &Raw<'_>, cpu: &Anchor) {
        let Some(invoker) = invoker.filter(|_| self.front(&raw.text).is_some()) else { return };
        let Some(comm) = trace::cpu(&raw.text[cpu.start()..], None).comm else { return };
        let before = invoked(&invoker.text).and_then(|at| invoker.text[..at].strip_suffix(comm.as_slice()));
        if let Some(front) = before.filter(|front| !front.last().is_some_and(u8::is_ascii_alphanumeric)) {
            self.put(front);
        }
    }

    /// Keeps a prefix, unless one of its shape is kept already.
    fn put(&mut self, front: &[u8]) {
        if trim_start(front).is_empty() || self.fronts.iter().any(|kept| is_of(kept, front)) {
            return;
        }
        for kept in &mut self.fronts {
            if let Some(merged) = shape::merge(kept, front) {
                *kept = merged;
                return;
            }
        }
        if self.fronts.len() < FORMS {
            self.fronts.push(front.to_vec());
        }
    }

    /// Reads what stands before a line.
    pub fn read<'a>(&self, raw: &'a Raw<'_>) -> Read<'a> {
        let line: &'a [u8] = &raw.text;
        let front = if raw.contained { None } else { self.front(line) };
        let origin = match front {
            Some(rest) => {
                let width = line.len() - rest.len();
                let before = &line[..width];
                let host = shape::name(before);
                Origin::Kernel(Line { host, ..Line::behind(rest, width, source::moment_in(before)) })
            }
            None => source::read_as(line, !self.hostless),
        };
        Read { origin, learnt: front.is_some() }
    }

    /// What stands behind the front of a line.
    fn front<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        self.fronts.iter().find_map(|front| shape::strip(front, line))
    }

    /// Takes the dress off one line.
    pub fn remove<'a>(&self, raw: &'a Raw<'_>, read: Read<'a>) -> Origin<'a> {
        let Origin::Kernel(mut line) = read.origin else { return Origin::Other };
        if !line.record && !line.foreign {
            if !read.learnt && !uncover(raw, &mut line) {
                return Origin::Other;
            }
            self.trim(raw, &mut line);
        }
        if let Some(stamp) = raw.stamp.as_deref() {
            line.moment.usec = line.moment.usec.or(stamp.usec);
            line.moment.wall = line.moment.wall.or(stamp.wall.as_deref());
            line.host = line.host.or(stamp.host.as_deref());
        }
        line.prefixed |= raw.contained;
        Origin::Kernel(line)
    }

    /// Takes off what stands behind the text, and the blanks that every line begins with.
    fn trim(&self, raw: &Raw<'_>, line: &mut Line<'_>) {
        let text: &[u8] = &line.text;
        let before = head(&raw.text, line.width);
        let blanks = text.iter().take(self.indent).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let mut end = text.len();
        let mut escaped = false;
        if !text.contains(&b'\n') {
            let body = &text[blanks..];
            let known = known_end(body, raw.told(text)).map(|end| blanks + end);
            let shown = trim_end(text);
            let back = self.backs.iter().filter(|back| shown.ends_with(back)).max_by_key(|back| back.len());
            let string = closing(before, text);
            escaped = string.is_some_and(|(mark, _)| mark == b'"');
            let behind = string.map(|(_, end)| end).or_else(|| back.map(|back| shown.len() - back.len()));
            end = known.unwrap_or(end).min(behind.unwrap_or(end));
            if self.trailing {
                end = trim_end(&text[..end]).len();
            }
        }
        if escaped && find(text, b"\\\"").is_some() {
            line.text = Cow::Owned(json::unescaped(&text[blanks.min(end)..end]));
            return;
        }
        if blanks == 0 && end == text.len() {
            return;
        }
        let blanks = blanks.min(end);
        line.text = match std::mem::take(&mut line.text) {
            Cow::Borrowed(text) => Cow::Borrowed(&text[blanks..end]),
            Cow::Owned(mut text) => {
                text.truncate(end);
                text.drain(..blanks);
                Cow::Owned(text)
            }
        };
        line.width += blanks;
    }
}

/// Cuts a line off before text that only the kernel prints; no, if it is a monitor's who tells about it.
fn uncover(raw: &Raw<'_>, line: &mut Line<'_>) -> bool {
    let first = line.text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if raw.told(first).is_some() {
        return true;
    }
    let start = match raw.anchor_in(first) {
        Some(found) => found.start(),
        None => match invoked(head(first, 512)) {
            // The format by which a source of the kernel prints it.
            Some(at) if first[..at].ends_with(b"%s") => return false,
            Some(at) if at > COMM => name_start(&first[..at]),
            _ => return true,
        },
    };
    if start == 0 || is_mark(&first[..start]) {
        return true;
    }
    let prose = raw.anchor_in(first).is_some_and(|found| is_prose(found.kind, &first[..start]));
    if prose || is_echo(&first[..start]) {
        return false;
    }
    let moment = source::moment_of(&first[..start]);
    line.moment.usec = line.moment.usec.or(moment.usec);
    line.width += start;
    line.prefixed = true;
    line.text = match std::mem::take(&mut line.text) {
        Cow::Borrowed(text) => {
            line.moment.wall = line.moment.wall.or_else(|| source::moment_of(&text[..start]).wall);
            Cow::Borrowed(&text[start..])
        }
        Cow::Owned(text) => Cow::Owned(text[start..].to_vec()),
    };
    true
}

fn is_of(shape: &[u8], front: &[u8]) -> bool {
    shape::strip(shape, front).is_some_and(<[u8]>::is_empty)
}

/// Where a text ends that begins as a line of a report.
fn known_end(text: &[u8], told: Option<Told>) -> Option<usize> {
    let begun = trim_start(text);
    let told = if text.len() > LONGEST { anchor::here(trim_start(head(text, LONGEST))) } else { told };
    match told {
        Some((_, end)) => end.map(|end| text.len() - begun.len() + end),
        None => invoker_end(text),
    }
}

/// Where a line about the invoker ends.
fn invoker_end(text: &[u8]) -> Option<usize> {
    let text = head(text, 1024);
    let at = invoked(text)? + INVOKED.len();
    [&b" oom_score_adj="[..], b" oomkilladj=", b" oom_adj="].iter().find_map(|key| {
        let value = rfind(&text[at..], key)? + at + key.len();
        let value = value + usize::from(text.get(value) == Some(&b'-'));
        let length = digits(&text[value..]);
        (length > 0).then_some(value + length)
    })
}

/// Where the name of the invoker begins in a text that is too long for one.
fn name_start(text: &[u8]) -> usize {
    const MARKS: [&[u8]; 10] = [b"] ", b": ", b"> ", b"| ", b"\t", b"\"", b"'", b"`", b"; ", b"  "];
    let behind = |text: &[u8]| MARKS.iter().filter_map(|mark| rfind(text, mark).map(|at| at + mark.len())).max();
    let start = behind(text).filter(|&start| start < text.len()).unwrap_or(0);
    if text.len() - start <= COMM {
        return start;
    }
    text.iter().rposition(|byte| matches!(byte, b' ' | b'\t')).map_or(0, |at| at + 1)
}

/// Where a string ends whose opening quotation mark stands in the prefix.
fn closing(before: &[u8], text: &[u8]) -> Option<(u8, usize)> {
    let mark = *before.iter().rev().find(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    if before.iter().filter(|&&byte| byte == mark).count() % 2 == 0 {
        return None;
    }
    let at = text.iter().rposition(|&byte| byte == mark)?;
    // Behind it only what lists and calls need; a line break of the string before it.
    let rest = text[at + 1..].iter().all(|byte| b" \t,;)]}+\\".contains(byte));
    let end = text[..at].strip_suffix(b"\\n").map_or(at, <[u8]>::len);
    rest.then_some((mark, end))
}

/// Whether words before a kernel line are those of a monitor that tells what it has read in the log, or of a program that
/// prints it.
fn is_echo(front: &[u8]) -> bool {
    const PRINTS: [&[u8]; 7] =
        [b"printk(", b"pr_info(", b"pr_warn(", b"pr_warning(", b"pr_err(", b"pr_cont(", b"pr_notice("];
    if front.contains(&b'(') && PRINTS.iter().any(|print| contains(front, print)) {
        return true;
    }
    contains(front, b"kernel-monitor Events:")
        || contains(front, b"New status generated")
        || contains(front, b"OOM event")
}

/// Whether words of a sentence stand before a line that names nobody: whoever speaks about it quotes the same.
fn is_prose(kind: Kind, front: &[u8]) -> bool {
    let words = trim_end(front.strip_suffix(b"\"").or_else(|| front.strip_suffix(b"'")).unwrap_or(front));
    let parted = words.len() < front.len();
    kind == Kind::NoKillable
        && parted
        && words.last().is_some_and(u8::is_ascii_alphabetic)
        && !words.iter().any(|byte| b":=|]{".contains(byte))
}

/// The mark behind a panic repeats its words.
fn is_mark(front: &[u8]) -> bool {
    front.ends_with(b"---[ end ")
}

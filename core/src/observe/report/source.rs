//! Where a line comes from: takes off what loggers, consoles and mail programs put before the kernel's text.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::clock::{bracketed, date, iso_inside, Moment};
use super::lines::Kind;
use super::program::{identifier, is_program, Identifier};
use super::scan::{contains, digits, find, head, number, trim_start, word};
use super::shape;
use crate::observe::kmsg::RawRecord;
use crate::text::{nibble, unescape_bytes};

/// One line of kernel text, with what its prefix told.
#[derive(Clone, Debug, Default)]
pub(super) struct Line<'a> {
    pub text: Cow<'a, [u8]>,
    pub moment: Moment<'a>,
    pub sequence: Option<u64>,
    pub caller: Option<Cow<'a, [u8]>>,
    /// From a `/dev/kmsg` record: lines are whole or flagged, so nothing needs to be guessed.
    pub record: bool,
    /// The record's `c` flag.
    pub fragment: bool,
    /// Something stood before the text.
    pub prefixed: bool,
    /// How many bytes stood before the text (without quotes).
    pub width: usize,
    /// A record that is not the kernel's: only its number counts.
    pub foreign: bool,
    /// The host that the logger names.
    pub host: Option<&'a [u8]>,
    /// The logger says that the line is the kernel's.
    pub named: bool,
    /// The log was cut off at the right, and this line reaches there.
    pub cut: bool,
    /// What the words tell with which it begins, if they are a report's beyond doubt.
    pub told: Option<Kind>,
}

impl<'a> Line<'a> {
    /// Kernel text behind a prefix that was taken off already.
    pub fn behind(text: &'a [u8], width: usize, moment: Moment<'a>) -> Line<'a> {
        Line { text: readable(text, false), moment, width, prefixed: true, ..Line::default() }
    }
}

/// What one line of a log is.
pub(super) enum Origin<'a> {
    Kernel(Line<'a>),
    /// Written by someone else than the kernel, or no text at all.
    Other,
}

/// Takes the prefix off one line (without its newline).
pub(super) fn read(raw: &[u8]) -> Origin<'_> {
    read_as(raw, true)
}

/// The same; `programs`: whether other programs may stand behind a time, as they do where the logger names the host.
// Long: one loop, an arm for each prefix that loggers put before a line.
pub(super) fn read_as(raw: &[u8], programs: bool) -> Origin<'_> {
    let raw = raw.strip_suffix(b"\r").map_or(raw, |raw| raw.strip_suffix(b"\r").unwrap_or(raw));
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let quoted = unquote(raw);
    // journalctl -o export: the other fields of an entry are lines of their own.
    let quoted = quoted.strip_prefix(b"MESSAGE=").unwrap_or(quoted);
    let mut line = Line::default();
    let mut rest = quoted;
    let (mut syslog, mut named) = (false, false);
    // Prefixes nest (kubectl's time, then a syslog line, then the kernel's own time); each round takes one off.
    for _ in 0..8 {
        if let Some(record) = RawRecord::parse(rest).or_else(|| behind_release(rest)) {
            return of_record(&record, quoted.len() - record.text.len(), line.moment);
        }
        let unindented = skip_blanks(rest);
        if let Some((priority, after)) = angle_priority(unindented) {
            if priority >> 3 != 0 {
                return Origin::Other;
            }
            rest = after;
            line.prefixed = true;
        } else if let Some((kernel, after)) = decoded_priority(unindented) {
            if !kernel {
                return Origin::Other;
            }
            rest = after;
            line.prefixed = true;
        } else if let Some((moment, after)) = bracketed(unindented) {
            line.moment.usec = moment.usec.or(line.moment.usec);
            line.moment.wall = line.moment.wall.or(moment.wall);
            line.prefixed = true;
            rest = after;
            if let Some((caller, after)) = caller(rest) {
                line.caller = Some(Cow::Borrowed(caller));
                rest = after;
            }
            rest = rest.strip_prefix(b" ").unwrap_or(rest);
            // journald's short-monotonic puts host and identifier behind the bracket.
            match monotonic_host(rest) {
                Some(Some(after)) => {
                    line.host = Some(word(rest).0);
                    rest = after;
                }
                Some(None) => return Origin::Other,
                None => break,
            }
        } else if let Some((wall, after)) = date(unindented) {
            line.moment.wall = Some(wall);
            line.prefixed = true;
            match identifier(after, programs) {
                Identifier::Kernel(after, host) => {
                    rest = after;
                    line.host = (!host.is_empty()).then_some(host);
                    (syslog, named) = (true, true);
                }
                Identifier::Container(after) => rest = after,
                Identifier::None => {
                    rest = after.strip_prefix(b" ").unwrap_or(after);
                }
                Identifier::Other => return Origin::Other,
            }
        } else if let Some(after) = unindented.strip_prefix(b"kernel: ").filter(|_| !line.prefixed) {
            rest = after;
            line.prefixed = true;
            named = true;
        } else {
            break;
        }
    }
    // Behind a calendar time may stand what no logger of a known form puts there.
    if !named && line.moment.usec.is_none() {
        if let Some((after, moment)) = buried(rest) {
            line.prefixed = true;
            line.host = line.host.or_else(|| shape::name(quoted));
            line.moment = Moment { usec: moment.usec, wall: moment.wall.or(line.moment.wall) };
            rest = after;
        }
    }
    line.named = named;
    line.width = quoted.len() - rest.len();
    line.text = readable(rest, syslog);
    Origin::Kernel(line)
}

/// A `/dev/kmsg` record as a line.
fn of_record<'a>(record: &RawRecord<'a>, width: usize, outer: Moment<'a>) -> Origin<'a> {
    if record.priority >> 3 != 0 {
        let sequence = Some(record.sequence);
        return Origin::Kernel(Line { sequence, record: true, foreign: true, ..Line::default() });
    }
    let text = if memchr(b'\\', record.text).is_some() {
        Cow::Owned(unescape_bytes(record.text))
    } else {
        Cow::Borrowed(record.text)
    };
    Origin::Kernel(Line {
        text,
        moment: Moment { usec: Some(record.time_usec), wall: outer.wall },
        sequence: Some(record.sequence),
        caller: record.caller.map(Cow::Borrowed),
        record: true,
        fragment: record.continuation,
        prefixed: true,
        width,
        ..Line::default()
    })
}

/// A record as the extended netconsole sends it: `6.4.0,4,7,100,-;text`.
fn behind_release(text: &[u8]) -> Option<RawRecord<'_>> {
    text.first().filter(|first| first.is_ascii_digit())?;
    let at = memchr(b',', head(text, 80))?;
    let (release, rest) = (&text[..at], &text[at + 1..]);
    let named = release.contains(&b'.') && !release.contains(&b' ');
    if named {
        RawRecord::parse(rest)
    } else {
        None
    }
}

/// Takes `> ` marks of quoted mail off.
pub(super) fn unquote(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(b">") {
        line = rest.strip_prefix(b" ").filter(|rest| rest.first() != Some(&b'>')).unwrap_or(trim_quote(rest));
    }
    line
}

fn trim_quote(rest: &[u8]) -> &[u8] {
    rest.strip_prefix(b" ").unwrap_or(rest)
}

/// Blanks before a prefix: logs are pasted indented. Only looked through, never taken off kernel text.
fn skip_blanks(text: &[u8]) -> &[u8] {
    let after = trim_start(text);
    if text.len() - after.len() <= 16 {
        after
    } else {
        text
    }
}

/// `<4>`, in RFC 5424 `<4>1 `.
fn angle_priority(text: &[u8]) -> Option<(u64, &[u8])> {
    let inside = text.strip_prefix(b"<")?;
    if !(1..=3).contains(&digits(inside)) {
        return None;
    }
    let (priority, rest) = number(inside)?;
    let rest = rest.strip_prefix(b">")?;
    let versioned = rest.strip_prefix(b"1 ").filter(|after| date(after).is_some());
    Some((priority, versioned.unwrap_or(rest)))
}

/// dmesg's `kern  :warn  : `: whether it is the kernel's, and the rest.
fn decoded_priority(text: &[u8]) -> Option<(bool, &[u8])> {
    const FACILITIES: [&[u8]; 12] = [
        b"kern",
        b"user",
        b"mail",
        b"daemon",
        b"auth",
        b"syslog",
        b"lpr",
        b"news",
        b"uucp",
        b"cron",
        b"authpriv",
        b"ftp",
    ];
    const LEVELS: [&[u8]; 8] = [b"emerg", b"alert", b"crit", b"err", b"warn", b"notice", b"info", b"debug"];
    let (facility, rest) = padded(text)?;
    if !FACILITIES.contains(&facility) && !facility.starts_with(b"local") {
        return None;
    }
    let (level, rest) = padded(rest)?;
    LEVELS.contains(&level).then(|| (facility == b"kern", rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// `name  :` and what follows.
fn padded(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = head(text, 10).iter().position(|byte| !byte.is_ascii_alphanumeric())?;
    let rest = trim_start(&text[end..]).strip_prefix(b":")?;
    (end > 0).then(|| (&text[..end], rest))
}

/// The caller that CONFIG_PRINTK_CALLER puts behind the time: `[ T123]`, `[    C0]`.
fn caller(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let inside = trim_start(text.strip_prefix(b"[")?);
    let end = head(inside, 16).iter().position(|&byte| byte == b']')?;
    let name = &inside[..end];
    let valid = matches!(name.first(), Some(b'T' | b'C')) && name.len() > 1 && digits(&name[1..]) == name.len() - 1;
    valid.then(|| (name, &inside[end + 1..]))
}

/// `host kernel: ` behind a bracketed time: `Some(Some(text))`; another program: `Some(None)`.
fn monotonic_host(text: &[u8]) -> Option<Option<&[u8]>> {
    let (host, rest) = word(head(text, 160));
    let (program, after) = word(rest);
    if host.is_empty() || rest.is_empty() || !text.starts_with(host) {
        return None;
    }
    if program == b"kernel:" {
        let taken = head(text, 160).len() - after.len();
        let after = &text[taken..];
        return Some(Some(after.strip_prefix(b" ").unwrap_or(after)));
    }
    is_program(program, true).then_some(None)
}

/// The same where the prefix may be a single time.
pub(super) fn moment_of(prefix: &[u8]) -> Moment<'_> {
    let mut moment = moment_in(prefix);
    moment.wall = moment.wall.or_else(|| date(trim_start(prefix)).map(|(wall, _)| wall));
    moment
}

/// The time that a prefix of no known shape holds.
pub(super) fn moment_in(prefix: &[u8]) -> Moment<'_> {
    let mut moment = buried(prefix).map(|(_, moment)| moment).unwrap_or_default();
    moment.wall = moment.wall.or_else(|| iso_inside(prefix));
    moment
}

/// A kernel line behind a prefix of no known shape: its `kernel: ` or its bracketed time is searched for.
fn buried(text: &[u8]) -> Option<(&[u8], Moment<'_>)> {
    let window = head(text, 200);
    let mut rest = match find(window, b" kernel: ") {
        Some(at) if !contains(&window[..at], b"\"") => Some(&text[at + 9..]),
        _ => None,
    };
    let mut moment = Moment::default();
    let from = text.len() - rest.unwrap_or(text).len();
    for (at, _) in window.iter().enumerate().skip(from).filter(|(_, &byte)| byte == b'[') {
        if let Some((found, after)) = bracketed(&text[at..]) {
            if found.usec.is_some() {
                moment = found;
                moment.wall = iso_inside(&window[..at]);
                let after = caller(after).map_or(after, |(_, after)| after);
                rest = Some(after.strip_prefix(b" ").unwrap_or(after));
                break;
            }
        }
    }
    rest.map(|rest| (rest, moment))
}

/// Undoes what text loggers do to control characters: `\xNN` and (in syslog) `#NNN` become bytes.
pub(super) fn readable(text: &[u8], syslog: bool) -> Cow<'_, [u8]> {
    if memchr2(b'\\', if syslog { b'#' } else { b'\\' }, text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        match rest {
            // Only what the kernel and dmesg escape: a name may hold the text `\x41`.
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let byte = nibble(*high) << 4 | nibble(*low);
                if !(0x20..0x7f).contains(&byte) || byte == b'\\' {
                    plain.push(byte);
                    rest = tail;
                    continue;
                }
            }
            [b'#', a, b, c, tail @ ..] if syslog => {
                if matches!([*a, *b, *c], [b'0', b'0'..=b'3', b'0'..=b'7'] | [b'1', b'7', b'7']) {
                    plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                    rest = tail;
                    continue;
                }
            }
            _ => {}
        }
        plain.push(first);
        rest = after;
    }
    Cow::Owned(plain)
}

//! A whole log as a sequence of kernel lines in the order of time: everything that was put around them is taken off.

use std::borrow::Cow;

use super::dress::{Dress, Start};
use super::fold::Breaks;
use super::plain::plain;
use super::raw::Raw;
use super::scan::{trim_end, trim_start};
use super::source::{self, Line, Origin};
use super::turn::{turn, Twice};
use super::unpack::{is_blank, unpack};
use super::{anchor, edge};
use crate::observe::kmsg::Record;

/// Gives every kernel line of `input` to `take`, in order.
pub(super) fn lines(input: &[u8], take: impl FnMut(&Line<'_>)) {
    let plain = plain(input);
    let raws = unpack(&plain);
    let dress = Dress::learn(&raws);
    let (lines, starts) = undressed(&raws, &dress);
    let Some(breaks) = Breaks::find(&raws, starts) else { return in_order(lines, take) };
    drop(lines);
    let raws = breaks.fold(raws);
    in_order(undressed(&raws, &dress).0, take);
}

fn in_order(mut lines: Vec<Line<'_>>, mut take: impl FnMut(&Line<'_>)) {
    turn(&mut lines);
    let mut twice = Twice::default();
    for (at, line) in lines.iter().enumerate() {
        if !twice.is_again(&lines, at) {
            take(line);
        }
    }
}

/// The kernel's lines, each with the later lines of its message; and what each line of the log begins with.
fn undressed<'a>(raws: &'a [Raw<'_>], dress: &Dress) -> (Vec<Line<'a>>, Vec<Start>) {
    let mut lines: Vec<Line<'a>> = Vec::with_capacity(raws.len());
    let mut starts = Vec::with_capacity(raws.len());
    let edge = edge::edge(raws);
    // Whether the last line may go on, and whether the one before this was blank.
    let (mut open, mut blank) = (false, false);
    let mut grown = Vec::new();
    for raw in raws {
        let read = dress.read(raw);
        starts.push(read.start(raw));
        let nothing = is_blank(raw);
        // Of blank lines in a row the first one says all.
        if std::mem::replace(&mut blank, nothing) && nothing {
            continue;
        }
        let at = lines.len().wrapping_sub(1);
        if let Some(line) = lines.last_mut().filter(|_| open && !raw.contained) {
            if belongs(line, &raw.text) {
                if !line.record && grown.last() != Some(&at) {
                    grown.push(at);
                }
                continue;
            }
        }
        match dress.remove(raw, read) {
            Origin::Kernel(mut line) => {
                edge::mark(&mut line, raw, edge);
                line.told = raw.told(&line.text).map(|(kind, _)| kind);
                open = true;
                lines.push(line);
            }
            Origin::Other => open = false,
        }
    }
    for at in grown {
        lines[at].told = anchor::here(trim_start(&lines[at].text)).map(|(kind, _)| kind);
    }
    (lines, starts)
}

/// Whether a line of the log is a later line of the same message; it is added then.
fn belongs(line: &mut Line<'_>, body: &[u8]) -> bool {
    if line.record {
        // The dictionary of a record: ` SUBSYSTEM=pci`.
        return body.first() == Some(&b' ') && is_dictionary(&body[1..]);
    }
    // dmesg and journalctl align the later lines of one message under its first.
    if !(line.prefixed && line.width >= 8 && indented(body, line.width)) {
        return false;
    }
    // Whoever leaves lines out says so in a line of its own.
    if trim_start(body).starts_with(b"..") {
        return false;
    }
    let more = source::readable(&body[line.width..], false);
    let text = line.text.to_mut();
    text.push(b'\n');
    text.extend_from_slice(more.strip_suffix(b"\r").unwrap_or(&more));
    true
}

/// A record read live, as a line.
pub(super) fn of_record(record: &Record) -> Line<'_> {
    Line {
        text: Cow::Borrowed(&record.text),
        moment: super::clock::Moment { usec: Some(record.time_usec), wall: None },
        sequence: Some(record.sequence),
        caller: record.caller.as_deref().map(|caller| Cow::Borrowed(caller.as_bytes())),
        record: true,
        fragment: record.continuation,
        prefixed: true,
        width: 0,
        foreign: record.facility() != 0,
        host: None,
        named: true,
        cut: false,
        told: None,
    }
}

fn indented(body: &[u8], width: usize) -> bool {
    body.len() > width && body[..width].iter().all(|&byte| byte == b' ') && !trim_end(body).is_empty()
}

fn is_dictionary(text: &[u8]) -> bool {
    let key = text.iter().position(|byte| !(byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_'));
    key.is_some_and(|end| end > 0 && text[end] == b'=')
}

//! A whole log as a sequence of kernel lines in the order of time: everything that was put around them is taken off.

use std::borrow::Cow;

use super::dress::Dress;
use super::edge;
use super::fold::fold;
use super::plain::plain;
use super::raw::Raw;
use super::scan::trim_end;
use super::source::{self, Line, Origin};
use super::turn::{turn, Twice};
use super::unpack::{is_blank, unpack};
use crate::observe::kmsg::Record;

/// Gives every kernel line of `input` to `take`, in order.
pub(super) fn lines(input: &[u8], mut take: impl FnMut(&Line<'_>)) {
    let plain = plain(input);
    let raws = unpack(&plain);
    let dress = Dress::learn(&raws);
    let raws = fold(raws, &dress);
    let mut lines = undressed(&raws, &dress);
    turn(&mut lines);
    let mut twice = Twice::default();
    for line in lines {
        if !twice.is_again(&line) {
            take(&line);
        }
    }
}

/// The kernel's lines, each with the later lines of its message.
fn undressed<'a>(raws: &'a [Raw<'_>], dress: &Dress) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::with_capacity(raws.len());
    let edge = edge::edge(raws);
    // Whether the last line may go on, and whether the one before this was blank.
    let (mut open, mut blank) = (false, false);
    for raw in raws {
        let nothing = is_blank(raw);
        // Of blank lines in a row the first one says all.
        if std::mem::replace(&mut blank, nothing) && nothing {
            continue;
        }
        if let Some(line) = lines.last_mut().filter(|_| open && !raw.contained) {
            if belongs(line, &raw.text) {
                continue;
            }
        }
        match dress.remove(raw) {
            Origin::Kernel(mut line) => {
                edge::mark(&mut line, raw, edge);
                open = true;
                lines.push(line);
            }
            Origin::Other => open = false,
        }
    }
    lines
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
        named: true,
        cut: false,
    }
}

fn indented(body: &[u8], width: usize) -> bool {
    body.len() > width && body[..width].iter().all(|&byte| byte == b' ') && !trim_end(body).is_empty()
}

fn is_dictionary(text: &[u8]) -> bool {
    let key = text.iter().position(|byte| !(byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_'));
    key.is_some_and(|end| end > 0 && text[end] == b'=')
}

//! A whole log as a sequence of kernel lines: embedded newlines put back, dictionaries left out.

use std::borrow::Cow;

use super::json;
use super::plain::plain;
use super::source::{self, Line, Origin};
use super::wrapping::Wrapping;
use crate::observe::kmsg::Record;

/// Gives every kernel line of `input` to `take`, in order.
pub(super) fn lines(input: &[u8], mut take: impl FnMut(Line<'_>)) {
    let plain = plain(input);
    let wrapping = Wrapping::learn(&plain);
    let mut held: Option<Line<'_>> = None;
    let mut blank = false;
    for raw in plain.split(|&byte| byte == b'\n') {
        // Of blank lines in a row the first one says all.
        if std::mem::replace(&mut blank, raw.is_empty()) && raw.is_empty() {
            continue;
        }
        let unwrapped = wrapping.remove(raw);
        if let Some(moment) = unwrapped.moment {
            if let Some(line) = held.replace(Line::behind(unwrapped.text, unwrapped.width, moment)) {
                take(line);
            }
            continue;
        }
        let raw = unwrapped.text;
        if let Some(entry) = json::entry(raw) {
            if let Some(line) = held.take() {
                take(line);
            }
            if let Some(entry) = entry {
                of_json(&entry, &mut take);
            }
            continue;
        }
        if let Some(line) = held.as_mut() {
            let body = source::unquote(raw);
            if line.record {
                // The dictionary of a record: ` SUBSYSTEM=pci`.
                if body.first() == Some(&b' ') && is_dictionary(&body[1..]) {
                    continue;
                }
            } else if line.prefixed && line.width >= 8 && indented(body, line.width) {
                // dmesg and journalctl align the later lines of one message under its first.
                let more = source::readable(&body[line.width..], false);
                let text = line.text.to_mut();
                text.push(b'\n');
                text.extend_from_slice(more.strip_suffix(b"\r").unwrap_or(&more));
                continue;
            }
        }
        if let Some(line) = held.take() {
            take(line);
        }
        if let Origin::Kernel(line) = source::read(raw) {
            held = Some(line);
        }
    }
    if let Some(line) = held {
        take(line);
    }
}

/// The lines of a message that stood in a JSON object.
fn of_json(entry: &json::Entry, take: &mut impl FnMut(Line<'_>)) {
    for text in entry.text.split(|&byte| byte == b'\n') {
        if let Origin::Kernel(mut line) = source::read(text) {
            line.prefixed = true;
            line.moment.usec = line.moment.usec.or(entry.usec);
            line.moment.wall = line.moment.wall.or(entry.wall.as_deref().map(str::as_bytes));
            take(line);
        }
    }
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
    }
}

fn indented(body: &[u8], width: usize) -> bool {
    body.len() > width && body[..width].iter().all(|&byte| byte == b' ')
}

fn is_dictionary(text: &[u8]) -> bool {
    let key = text.iter().position(|byte| !(byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_'));
    key.is_some_and(|end| end > 0 && text[end] == b'=')
}

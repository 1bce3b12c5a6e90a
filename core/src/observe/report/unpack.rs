//! The lines of a log out of what holds them: JSON documents, lists of strings, strings with escaped line breaks, quoted
//! mail, numbered listings.

use std::borrow::Cow;

use memchr::{memchr, memchr3, memchr_iter};

use super::anchor::anchor;
use super::csv;
use super::joined;
use super::json;
use super::listing;
use super::raw::Raw;
use super::scan::{find, trim_end, trim_start};
use super::source;

fn columns(text: &[u8]) -> u32 {
    let count = if text.is_ascii() { text.len() } else { text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() };
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The lines of a log are longer than that.
const SHORT: usize = 16;
/// Documents in documents deeper than this are no logs.
const DEPTH: usize = 4;
/// So often a document of many lines is looked for in vain.
const ATTEMPTS: usize = 4;

/// What the lines of a log that tell say of the others.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    /// Objects behind other words hold the log.
    objects: bool,
    /// A column of a table does.
    column: Option<csv::Column>,
    /// Members of these names do, besides those that loggers are known for.
    members: Vec<String>,
}

/// All lines of a log.
pub(super) fn unpack(text: &[u8]) -> Vec<Raw<'_>> {
    let mut known = Known::default();
    let mut raws = unpack_as(text, &mut known);
    if known != Known::default() {
        // The lines without a report's words too.
        raws = unpack_as(text, &mut known);
    }
    listing::unlist(&mut raws);
    raws
}

fn unpack_as<'a>(text: &'a [u8], known: &mut Known) -> Vec<Raw<'a>> {
    let before = known.clone();
    // Of lines as they are there is room at once: each time that it grew, all would be copied to pages that are not there yet.
    let lines = memchr_iter(b'\n', text).count().min(text.len() / SHORT);
    let mut raws = Vec::with_capacity(lines + 1);
    let (mut rest, mut attempts) = (text, ATTEMPTS);
    while !rest.is_empty() {
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        let next = (end + 1).min(rest.len());
        if opens_document(line) {
            let whole = trim_end(line);
            if whole.ends_with(b"}") || whole.ends_with(b"]") || whole.ends_with(b",") {
                if let Some((entries, _)) = json::document(line, &mut known.members) {
                    entries_into(&mut raws, entries, known, DEPTH);
                    rest = &rest[next..];
                    continue;
                }
            }
            if attempts > 0 {
                match json::document(rest, &mut known.members) {
                    Some((entries, taken)) if taken > end => {
                        entries_into(&mut raws, entries, known, DEPTH);
                        rest = &rest[taken..];
                        continue;
                    }
                    _ => attempts -= 1,
                }
            }
        }
        // Of blank lines in a row the first one says all.
        if !(line.is_empty() && raws.last().is_some_and(is_blank)) {
            line_into(&mut raws, line, &before, known);
        }
        rest = &rest[next..];
    }
    raws
}

/// Whether a line begins as a JSON object or list does, and not as the kernel's brackets.
fn opens_document(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    match line.first() {
        Some(b'{') => matches!(line[1..].trim_ascii_start().first(), None | Some(b'"' | b'}')),
        Some(b'[') => matches!(line[1..].trim_ascii_start().first(), None | Some(b'"' | b'{' | b'[')),
        _ => false,
    }
}

fn entries_into(raws: &mut Vec<Raw<'_>>, entries: Vec<json::Entry>, known: &mut Known, depth: usize) {
    for entry in entries {
        for line in entry.text.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if depth > 0 && opens_document(line) {
                if let Some((inner, _)) = json::document(line, &mut known.members) {
                    entries_into(raws, inner, known, depth - 1);
                    continue;
                }
            }
            raws.push(Raw::contained(line.to_vec(), entry.usec, entry.wall.as_deref(), entry.host.as_deref()));
        }
    }
}

/// One line of text, or the lines that it holds. `before`: what was known when the reading began; `known`: what is now.
fn line_into<'a>(raws: &mut Vec<Raw<'a>>, line: &'a [u8], before: &Known, known: &mut Known) {
    let line = line.strip_suffix(b"\r").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let columns = columns(line);
    let text = unmarked(source::unquote(line));
    // Most lines hold nothing but themselves.
    let holds = memchr3(b'"', b'\\', b'#', text).is_some();
    if holds && memchr(b'"', text).is_some() {
        if let Some(entries) = json::part(text) {
            entries_into(raws, entries, known, DEPTH);
            return;
        }
        if let Some(entries) = json::behind_words(text, before.objects, &mut known.members) {
            known.objects = true;
            entries_into(raws, entries, known, DEPTH);
            return;
        }
        if let Some((entry, column)) = csv::message(text, before.column) {
            known.column = known.column.or(Some(column));
            entries_into(raws, vec![entry], known, DEPTH);
            return;
        }
    }
    let pieces = if holds { escaped_lines(text) } else { None };
    if let Some(pieces) = pieces {
        for (at, piece) in pieces.into_iter().enumerate() {
            if at == 0 {
                let anchor = anchor(&piece);
                raws.push(Raw { text: Cow::Owned(piece), anchor, columns, ..Raw::default() });
            } else {
                raws.push(Raw::contained(piece, None, None, None));
            }
        }
        return;
    }
    let mut raw = Raw::of(text);
    if let Some(anchor) = raw.anchor {
        if let Some(lines) = joined::lines(text, &anchor) {
            raws.extend(lines.into_iter().map(Raw::of));
            return;
        }
    }
    raw.columns = columns;
    raws.push(raw);
}

/// Without the marks with which forums and trackers end a quotation.
fn unmarked(mut text: &[u8]) -> &[u8] {
    const MARKS: [&[u8]; 9] =
        [b"{noformat}", b"{code}", b"{quote}", b"[/code]", b"[/CODE]", b"[/quote]", b"[/QUOTE]", b"[/pre]", b"```"];
    loop {
        let trimmed = trim_end(text);
        let ends = matches!(trimmed.last(), Some(b'}' | b']' | b'`'));
        match MARKS.iter().filter(|_| ends).find_map(|mark| trimmed.strip_suffix(*mark)) {
            Some(shorter) => text = shorter,
            None => return text,
        }
    }
}

/// The lines of a text whose line breaks are written as `\n` or, by syslog, as `#012`, if that is what they are: behind one
/// of them a line of a report begins.
fn escaped_lines(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    for mark in [&b"\\n"[..], b"#012"] {
        let Some(first) = find(text, mark) else { continue };
        // The name of the invoker may hold a line break; a line of another kind cannot begin in the middle of one.
        let tells = |text: &[u8]| anchor(text).is_some();
        let (mut rest, mut told) = (&text[first + mark.len()..], false);
        while !told {
            let end = find(rest, mark).unwrap_or(rest.len());
            told = tells(&rest[..end]);
            if end == rest.len() {
                break;
            }
            rest = &rest[end + mark.len()..];
        }
        if !told {
            continue;
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = find(rest, mark) {
            let mut piece = &rest[..at];
            while let Some(shorter) = piece.strip_suffix(b"\\").or_else(|| piece.strip_suffix(b"\\r")) {
                piece = shorter;
            }
            pieces.push(json::unescaped(piece));
            rest = &rest[at + mark.len()..];
        }
        // The string may end here, and the document go on.
        let end = (1..rest.len()).find(|&at| rest[at] == b'"' && rest[at - 1] != b'\\');
        pieces.push(json::unescaped(&rest[..end.filter(|_| mark == b"\\n").unwrap_or(rest.len())]));
        return Some(pieces);
    }
    None
}

/// Whether a line has nothing in it.
pub(super) fn is_blank(raw: &Raw<'_>) -> bool {
    trim_end(trim_start(&raw.text)).is_empty()
}

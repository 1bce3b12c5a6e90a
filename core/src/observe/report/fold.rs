//! Lines that a terminal, a mail program or a page broke at its width are put together again.

use super::anchor::{anchor, is_cut};
use super::dress::{Dress, Start};
use super::kill;
use super::lines::Kind;
use super::parse;
use super::scan::{trim_end, trim_start, word};
use super::unpack::Raw;

/// Nothing is broken before this column.
const NARROWEST: usize = 40;
/// Nor as far behind this one.
const WIDEST: usize = 400;
/// A line without a prefix that is indented further is a later line of the message above.
const INDENTED: usize = 14;

/// The width at which a log was broken.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Width {
    columns: usize,
    /// In the middle of words too.
    hard: bool,
    /// A single place says so: whether a word was broken must be tried.
    single: bool,
}

/// Puts the broken lines of a log together.
pub(super) fn fold<'a>(raws: Vec<Raw<'a>>, dress: &Dress) -> Vec<Raw<'a>> {
    let starts: Vec<Start> = raws.iter().map(|raw| dress.start(raw)).collect();
    let prefixed = starts.contains(&Start::Prefixed);
    let candidates: Vec<usize> = (1..raws.len()).filter(|&at| may_continue(&raws, &starts, at, prefixed)).collect();
    let width = width(&raws, &candidates);
    let mut folded: Vec<Raw<'a>> = Vec::with_capacity(raws.len());
    let mut candidates = candidates.into_iter().peekable();
    let mut before = (0, Start::Blank);
    for (at, raw) in raws.into_iter().enumerate() {
        let candidate = candidates.next_if(|&next| next == at).is_some();
        let now = (raw.columns, starts[at]);
        let (columns, start) = std::mem::replace(&mut before, now);
        let bare = matches!(now.1, Start::Bare | Start::Nothing);
        match folded.last_mut() {
            Some(last) if start == Start::Empty && bare => join(last, &raw, b" "),
            Some(last) if candidate && width.is_some_and(|width| reaches(columns, &raw, width)) => {
                let glue = glue(last, &raw, columns, width);
                join(last, &raw, &glue);
            }
            _ => folded.push(raw),
        }
    }
    folded
}

/// Whether a line can be the rest of the one above.
fn may_continue(raws: &[Raw<'_>], starts: &[Start], at: usize, prefixed: bool) -> bool {
    if starts[at] != Start::Nothing || matches!(starts[at - 1], Start::Blank | Start::Empty) {
        return false;
    }
    let (above, raw) = (&raws[at - 1], &raws[at]);
    if above.contained || leading(raw) >= INDENTED {
        return false;
    }
    // Without prefixes any line may be one of the kernel's: only a line that is not whole is proof.
    prefixed || above.anchor.is_some_and(|anchor| is_cut(anchor.kind, anchor.end)) || starts[at - 1] == Start::Nothing
}

fn leading(raw: &Raw<'_>) -> usize {
    raw.text.len() - trim_start(&raw.text).len()
}

/// How far the first word of a line reaches.
fn first_word(raw: &Raw<'_>) -> usize {
    leading(raw) + word(&raw.text).0.len()
}

/// Whether the line above was as long as the width allows: the next word did not fit.
fn reaches(above: usize, raw: &Raw<'_>, width: Width) -> bool {
    above <= width.columns && width.columns <= above + first_word(raw)
}

/// The width that explains the most breaks.
fn width(raws: &[Raw<'_>], candidates: &[usize]) -> Option<Width> {
    let mut steps = vec![0i32; WIDEST + 2];
    for &at in candidates {
        let least = raws[at - 1].columns;
        if (NARROWEST..=WIDEST).contains(&least) {
            steps[least] += 1;
            steps[(least + first_word(&raws[at])).min(WIDEST) + 1] -= 1;
        }
    }
    let (mut columns, mut covered, mut now) = (0, 0, 0);
    for (at, step) in steps.iter().enumerate() {
        now += step;
        if now > covered {
            (columns, covered) = (at, now);
        }
    }
    let breaks = || candidates.iter().filter(|&&at| raws[at - 1].columns == columns).count() as i32;
    let above = |at: usize| &raws[at - 1];
    let cut = || {
        candidates.iter().any(|&at| {
            let whole = above(at).anchor.is_none_or(|anchor| !is_cut(anchor.kind, anchor.end));
            above(at).columns == columns && !whole
        })
    };
    if covered == 0 || (covered == 1 && !cut()) {
        return None;
    }
    let longer = raws.iter().filter(|raw| raw.columns > columns && !raw.contained && breakable(raw, columns)).count();
    if longer as i32 * 10 > covered {
        return None;
    }
    Some(Width { columns, hard: breaks() * 2 >= covered, single: covered == 1 })
}

/// Whether a line that is too long has a blank at which it could have been broken.
fn breakable(raw: &Raw<'_>, columns: usize) -> bool {
    raw.text.get(24..columns.min(raw.text.len())).is_some_and(|part| part.contains(&b' '))
}

/// What stood where the line was broken.
fn glue(above: &Raw<'_>, raw: &Raw<'_>, columns: usize, width: Option<Width>) -> Vec<u8> {
    let Some(width) = width else { return b" ".to_vec() };
    if width.single {
        return if whole(above, raw, b"") && !whole(above, raw, b" ") { Vec::new() } else { b" ".to_vec() };
    }
    if !width.hard {
        return b" ".to_vec();
    }
    // Terminals leave blanks at the end of a line out.
    vec![b' '; width.columns - columns]
}

/// Whether two pieces make a whole line with this between them.
fn whole(above: &Raw<'_>, raw: &Raw<'_>, glue: &[u8]) -> bool {
    let text = [trim_end(&above.text), glue, trim_start(&raw.text)].concat();
    let Some(found) = anchor(&text) else { return false };
    let line = &text[found.start..];
    match found.kind {
        Kind::Killed => kill::killed(line).is_some_and(|killed| killed.unread.is_empty()),
        Kind::Usage => parse::usage(line).is_some_and(|(_, usage)| usage.is_some()),
        kind => found.end.is_some() || !is_cut(kind, found.end),
    }
}

fn join<'a>(above: &mut Raw<'a>, raw: &Raw<'a>, glue: &[u8]) {
    let text = above.text.to_mut();
    text.extend_from_slice(glue);
    text.extend_from_slice(&raw.text);
    if above.anchor.is_none_or(|anchor| anchor.end.is_none()) {
        above.anchor = anchor(&above.text);
    }
}

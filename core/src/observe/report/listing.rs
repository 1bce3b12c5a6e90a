//! Line numbers and margin marks that a listing, a comment or a patch puts before every line.

use std::borrow::Cow;

use super::anchor::anchor;
use super::raw::Raw;
use super::scan::{digits, number};

/// So many lines in a row must be numbered one after the other.
const NUMBERED: usize = 3;

/// Takes the margin off every line that has one.
pub(super) fn unlist(raws: &mut [Raw<'_>]) {
    // A numbered listing may be quoted, and a quotation numbered.
    for _ in 0..3 {
        let found = numbers(raws) | marks(raws);
        if !found {
            break;
        }
    }
}

/// What stands before the text of a numbered line: the number, and the length of all up to the first byte of the text.
fn numbered(text: &[u8]) -> Option<(u64, usize)> {
    let blanks = text.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(text.len());
    let start = blanks + usize::from(matches!(text.get(blanks), Some(b'#' | b'L' | b'(')));
    let inside = text.get(start..)?;
    if digits(inside) > 9 {
        return None;
    }
    let (count, rest) = number(inside)?;
    let marks = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b':' | b'.' | b')' | b'|' | b']'));
    let marks = marks.unwrap_or(rest.len());
    // A number with a fraction is a time.
    let fraction = marks == 1 && rest.get(1).is_some_and(u8::is_ascii_digit) && !rest[..marks].ends_with(b" ");
    (!fraction && (marks > 0 || rest.is_empty())).then_some((count, text.len() - rest.len()))
}

fn numbers(raws: &mut [Raw<'_>]) -> bool {
    let mut found = false;
    let mut at = 0;
    while at < raws.len() {
        let Some(first) = numbered(&raws[at].text).filter(|_| !raws[at].contained) else {
            at += 1;
            continue;
        };
        let mut end = at + 1;
        let (mut last, mut step) = (first.0, 0i64);
        while end < raws.len() {
            let Some((count, _)) = numbered(&raws[end].text) else { break };
            let now = count as i64 - last as i64;
            if now.abs() != 1 || (step != 0 && now != step) {
                break;
            }
            (last, step, end) = (count, now, end + 1);
        }
        let listed = end - at >= NUMBERED || (end - at == 2 && first.0 == 1);
        if listed {
            unnumber(&mut raws[at..end]);
            found = true;
        }
        at = end;
    }
    found
}

/// Takes the numbers off, and what follows them in every line.
fn unnumber(raws: &mut [Raw<'_>]) {
    let behind = |raw: &Raw<'_>| numbered(&raw.text).map_or(0, |(_, end)| end);
    let mut common: Option<Vec<u8>> = None;
    for raw in raws.iter() {
        let rest = &raw.text[behind(raw)..];
        if rest.is_empty() {
            continue;
        }
        let marks = rest.iter().position(|byte| !b" \t:.)|]".contains(byte)).unwrap_or(rest.len());
        let same = common
            .as_ref()
            .map_or(marks, |common| rest[..marks].iter().zip(common).take_while(|(one, other)| one == other).count());
        common = Some(rest[..same].to_vec());
    }
    let common = common.unwrap_or_default();
    for raw in raws {
        let end = behind(raw);
        let more = if raw.text[end..].starts_with(&common) { common.len() } else { raw.text.len() - end };
        cut(raw, end + more);
    }
}

fn cut(raw: &mut Raw<'_>, length: usize) {
    raw.text = match std::mem::take(&mut raw.text) {
        Cow::Borrowed(text) => Cow::Borrowed(&text[length..]),
        Cow::Owned(text) => Cow::Owned(text[length..].to_vec()),
    };
    raw.anchor = anchor(&raw.text);
}

/// The mark at the beginning of a line: some of the same punctuation and a blank.
fn mark(text: &[u8]) -> usize {
    let blanks = text.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(text.len());
    let rest = &text[blanks..];
    let Some(&first) = rest.first() else { return 0 };
    if rest.starts_with("│ ".as_bytes()) || rest.starts_with("┃ ".as_bytes()) {
        return blanks + 4;
    }
    if !b"|#*;%:+-/!>".contains(&first) {
        return 0;
    }
    let length = rest.iter().position(|&byte| byte != first).unwrap_or(rest.len());
    if length <= 3 && rest.get(length) == Some(&b' ') {
        blanks + length + 1
    } else {
        0
    }
}

fn marks(raws: &mut [Raw<'_>]) -> bool {
    let mut found = false;
    let mut at = 0;
    while at < raws.len() {
        let length = if raws[at].contained { 0 } else { mark(&raws[at].text) };
        if length == 0 {
            at += 1;
            continue;
        }
        let margin = raws[at].text[..length].to_vec();
        let bare = margin.trim_ascii_end();
        let same = |raw: &Raw<'_>| !raw.contained && (raw.text.starts_with(&margin) || *raw.text == *bare);
        let end = at + raws[at..].iter().position(|raw| !same(raw)).unwrap_or(raws.len() - at);
        if end - at >= 2 {
            for raw in &mut raws[at..end] {
                let length = length.min(raw.text.len());
                cut(raw, length);
            }
            found = true;
        }
        at = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::unpack::unpack;

    fn texts(log: &str) -> Vec<String> {
        unpack(log.as_bytes()).iter().map(|raw| String::from_utf8_lossy(&raw.text).into_owned()).collect()
    }

    #[test]
    fn numbers_in_a_row_are_a_listing() {
        assert_eq!(texts("  8: a\n  9:  b\n 10: c"), ["a", " b", "c"]);
        assert_eq!(texts("     1\ta\n     2\tb\n     3\tc"), ["a", "b", "c"]);
        assert_eq!(texts("10 pages a\n20 pages b\n30 pages c"), ["10 pages a", "20 pages b", "30 pages c"]);
        assert_eq!(texts("16.1 a\n17.1 b\n18.1 c"), ["16.1 a", "17.1 b", "18.1 c"], "times");
    }

    #[test]
    fn marks_of_two_lines_in_a_row() {
        assert_eq!(texts("// a\n//  b\n//\n// c"), ["a", " b", "", "c"]);
        assert_eq!(texts("| a\nb"), ["| a", "b"]);
        assert_eq!(texts("---[ end trace ]---\n---[ end trace ]---")[0], "---[ end trace ]---");
    }
}

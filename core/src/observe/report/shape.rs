//! The shape of what a logger puts before each line: the same words, other numbers.

use super::scan::{digits, trim_start};

pub(super) const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Stands in a shape for any one word.
const ANY: u8 = 0;

/// Words that take each other's place: levels of importance, months, days of the week, halves of the day.
const KIN: [&[&[u8]]; 4] = [
    &[
        b"emerg",
        b"alert",
        b"crit",
        b"critical",
        b"err",
        b"error",
        b"warn",
        b"warning",
        b"notice",
        b"info",
        b"debug",
        b"EMERG",
        b"ALERT",
        b"CRIT",
        b"CRITICAL",
        b"ERR",
        b"ERROR",
        b"WARN",
        b"WARNING",
        b"NOTICE",
        b"INFO",
        b"DEBUG",
        b"I",
        b"W",
        b"E",
        b"F",
        b"D",
    ],
    &MONTHS,
    &[b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"],
    &[b"AM", b"PM"],
];

fn run(text: &[u8], is: impl Fn(&u8) -> bool) -> usize {
    text.iter().position(|byte| !is(byte)).unwrap_or(text.len())
}

fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// What stands in `line` behind a text of the shape `shape`: any number may stand for a number, a word for its kin, and
/// padding may differ but right before the text.
pub(super) fn strip<'a>(shape: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    let (mut shape, mut rest) = (shape, line);
    while let Some(&first) = shape.first() {
        if first == ANY {
            let yours = run(rest, is_word);
            if yours == 0 {
                return None;
            }
            (shape, rest) = (&shape[1..], &rest[yours..]);
        } else if first == b' ' || (rest.first() == Some(&b' ') && first.is_ascii_digit()) {
            let (mine, yours) = (run(shape, |byte| *byte == b' '), run(rest, |byte| *byte == b' '));
            if mine == shape.len() {
                return rest.strip_prefix(shape);
            }
            (shape, rest) = (&shape[mine..], &rest[yours..]);
        } else if first.is_ascii_digit() {
            let (mine, yours) = (digits(shape), digits(rest));
            if yours == 0 {
                return None;
            }
            (shape, rest) = (&shape[mine..], &rest[yours..]);
        } else if first.is_ascii_alphabetic() {
            let (mine, yours) = (run(shape, u8::is_ascii_alphabetic), run(rest, u8::is_ascii_alphabetic));
            let (mine, yours) = (shape.split_at(mine), rest.split_at(yours));
            if mine.0 != yours.0 && !KIN.iter().any(|kin| kin.contains(&mine.0) && kin.contains(&yours.0)) {
                return None;
            }
            (shape, rest) = (mine.1, yours.1);
        } else {
            rest = rest.strip_prefix(&[first])?;
            shape = &shape[1..];
        }
    }
    Some(rest)
}

/// The shape of two prefixes that differ in some words alone (names of hosts and pods, identifiers in hexadecimal): those
/// may be any. Something must stay that tells the prefix from the kernel's text.
pub(super) fn merge(one: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let (mut mine, mut yours) = (one, other);
    let (mut merged, mut kept, mut open, mut marks) = (Vec::new(), 0usize, 0usize, 0usize);
    while let (Some(&first), Some(&second)) = (mine.first(), yours.first()) {
        if first == ANY || is_word(&first) {
            let (a, b) = (run(mine, |byte| *byte == ANY || is_word(byte)), run(yours, is_word));
            if b == 0 {
                return None;
            }
            let (word, rest) = mine.split_at(a);
            if strip(word, &yours[..b]).is_some_and(<[u8]>::is_empty) {
                merged.extend_from_slice(word);
                kept += 1;
            } else {
                merged.push(ANY);
                open += 1;
            }
            (mine, yours) = (rest, &yours[b..]);
        } else {
            if first != second {
                return None;
            }
            let (a, b) = (run(mine, |byte| *byte == first), run(yours, |byte| *byte == first));
            if first != b' ' && a != b {
                return None;
            }
            marks += usize::from(first != b' ');
            merged.extend_from_slice(&mine[..a]);
            (mine, yours) = (&mine[a..], &yours[b..]);
        }
    }
    (mine.is_empty() && yours.is_empty() && marks > 0 && kept + marks > open).then_some(merged)
}

/// The name of a host, pod or service that a prefix begins with: `node-1: `, `web-1  | `.
pub(super) fn name(front: &[u8]) -> Option<&[u8]> {
    let front = trim_start(front);
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let end = front.iter().position(|byte| !named(byte))?;
    let (name, rest) = front.split_at(end);
    let apart = rest.starts_with(b": ") || trim_start(rest).starts_with(b"| ");
    let words = matches!(name, b"kern" | b"kernel");
    (apart && !words && name.first().is_some_and(u8::is_ascii_alphabetic)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_levels_and_padding_may_differ() {
        let prefix = b"I0105 04:03:02.123456       1 log.go:160] ";
        assert_eq!(strip(prefix, b"W0105 04:03:03.000001   12345 log.go:7]  frame"), Some(&b" frame"[..]));
        assert_eq!(strip(prefix, b"W0105 04:03:03.000001   12345 other.go:7] frame"), None);
        assert_eq!(strip(b"[    5.1] ", b"[12345.1] x"), Some(&b"x"[..]));
        assert_eq!(strip(b"[12345.1] ", b"[    5.1] x"), Some(&b"x"[..]));
        assert_eq!(strip(b"Oct 31 a ", b"Nov 1 a x"), Some(&b"x"[..]));
        assert_eq!((strip(b"a ", b"b x"), strip(b"a1", b"a"), strip(b"a", b"")), (None, None, None));
    }

    #[test]
    fn words_that_differ_may_be_any() {
        let shape = merge(b"node-abc12 kernel> ", b"node-x9 kernel> ").unwrap();
        assert_eq!(strip(&shape, b"node-77 kernel> text"), Some(&b"text"[..]));
        assert_eq!(merge(b"abc ", b"xyz "), None, "nothing tells it from the kernel's text");
        assert_eq!(merge(b"a: ", b"b; "), None);
    }
}

//! What a logger of unknown form puts around each line, learnt from lines whose kernel text is beyond doubt.
//!
//! A few lines of a report begin with words that nothing else begins with, and end in a known way. Where two of them stand
//! behind the same unknown text, or before it, that text is the logger's.

use super::clock::Moment;
use super::json;
use super::lines::{SUMMARY, USAGES};
use super::scan::{digits, find, head, trim_end};
use super::source::{self, Origin};

/// How far into a line its kernel text is looked for.
const WIDEST: usize = 256;
/// No logger ends its lines with more.
const LONGEST_END: usize = 16;
const TABLE: &[u8] = b"Tasks state (memory values in pages):";

/// The text around the kernel's, if there is any.
#[derive(Debug, Default)]
pub(super) struct Wrapping {
    before: Option<Vec<u8>>,
    after: Vec<u8>,
}

/// A line without its wrapping.
pub(super) struct Unwrapped<'a> {
    /// What is left; the kernel's own if `moment` is there.
    pub text: &'a [u8],
    /// The time in what was taken off before the text.
    pub moment: Option<Moment<'a>>,
    /// How many bytes were taken off before the text.
    pub width: usize,
}

impl Wrapping {
    /// Looks at the first lines that can tell. Two must agree.
    pub fn learn(input: &[u8]) -> Wrapping {
        let mut wrapping = Wrapping::default();
        let (mut before, mut after): (Option<&[u8]>, Option<&[u8]>) = (None, None);
        for line in telling_lines(input) {
            let line = trim_end(source::unquote(line));
            if json::entry(line).is_some() {
                continue;
            }
            let Some((start, end)) = kernel_text(line) else { continue };
            let known = match source::read(line) {
                // Another program's.
                Origin::Other => continue,
                Origin::Kernel(read) => {
                    kernel_text(&read.text).is_some_and(|(start, _)| line_start(&read.text) == start)
                }
            };
            if !known && wrapping.before.is_none() {
                let prefix = &line[..start];
                match before {
                    Some(first) if strip(first, prefix).is_some_and(<[u8]>::is_empty) => {
                        wrapping.before = Some(prefix.to_vec());
                    }
                    _ => before = Some(prefix),
                }
            }
            let suffix = end.map_or(&b""[..], |end| &line[end..]);
            if !suffix.is_empty() && suffix.len() <= LONGEST_END {
                match after {
                    Some(first) if first == suffix => wrapping.after = suffix.to_vec(),
                    _ => after = Some(suffix),
                }
            }
        }
        wrapping
    }

    /// Takes the wrapping off one line.
    pub fn remove<'a>(&self, raw: &'a [u8]) -> Unwrapped<'a> {
        if self.after.is_empty() && self.before.is_none() {
            return Unwrapped { text: raw, moment: None, width: 0 };
        }
        let text =
            if self.after.is_empty() { raw } else { trim_end(raw).strip_suffix(self.after.as_slice()).unwrap_or(raw) };
        let line = source::unquote(text);
        match self.before.as_deref().and_then(|before| strip(before, line)) {
            Some(rest) => {
                let width = line.len() - rest.len();
                Unwrapped { text: rest, moment: Some(source::moment_in(&line[..width])), width }
            }
            None => Unwrapped { text, moment: None, width: 0 },
        }
    }
}

/// The lines around the first places where the words stand that only the kernel prints.
fn telling_lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    const EACH: usize = 4;
    [&b"kB, failcnt "[..], TABLE, SUMMARY].into_iter().flat_map(move |words| {
        let mut from = 0;
        (0..EACH).map_while(move |_| {
            let at = from + find(&input[from..], words)?;
            let back = &input[at.saturating_sub(2 * WIDEST)..at];
            let start = at - back.iter().rev().position(|&byte| byte == b'\n').unwrap_or(back.len());
            let ahead = head(&input[at..], 4096);
            let end = at + ahead.iter().position(|&byte| byte == b'\n').unwrap_or(ahead.len());
            from = end.max(at + words.len());
            Some(&input[start..end])
        })
    })
}

/// Where the kernel's text begins in a line, and where it ends if that is known.
fn kernel_text(line: &[u8]) -> Option<(usize, Option<usize>)> {
    let window = head(line, WIDEST);
    if let Some(at) = find(window, TABLE) {
        return Some((at, Some(at + TABLE.len())));
    }
    if let Some(at) = find(window, SUMMARY) {
        return Some((at, None));
    }
    let at = USAGES.iter().filter_map(|name| find(window, name)).min()?;
    let count = at + find(&line[at..], b"failcnt ")? + 8;
    Some((at, Some(count + digits(&line[count..]))))
}

fn line_start(text: &[u8]) -> usize {
    text.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(text.len())
}

/// What stands in `line` behind a text of the shape of `prefix`: any number may stand for a number, any level for a level,
/// and padding may differ but right before the text.
fn strip<'a>(prefix: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    const LEVELS: [&[u8]; 16] = [
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
        b"I",
        b"W",
        b"E",
        b"F",
        b"D",
    ];
    let run = |text: &[u8], is: fn(&u8) -> bool| text.iter().position(|byte| !is(byte)).unwrap_or(text.len());
    let (mut shape, mut rest) = (prefix, line);
    while let Some(&first) = shape.first() {
        if first == b' ' || (rest.first() == Some(&b' ') && first.is_ascii_digit()) {
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
            if mine.0 != yours.0 && !(LEVELS.contains(&mine.0) && LEVELS.contains(&yours.0)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let prefix = b"I0105 04:03:02.123456       1 log.go:160] ";
        assert_eq!(strip(prefix, b"W0105 04:03:03.000001   12345 log.go:7]  frame"), Some(&b" frame"[..]));
        assert_eq!(strip(prefix, b"W0105 04:03:03.000001   12345 other.go:7] frame"), None);
        assert_eq!(strip(b"[    5.1] ", b"[12345.1] x"), Some(&b"x"[..]));
        assert_eq!(strip(b"[12345.1] ", b"[    5.1] x"), Some(&b"x"[..]));
        assert_eq!((strip(b"a ", b"b x"), strip(b"a1", b"a"), strip(b"a", b"")), (None, None, None));
    }

    #[test]
    fn one_line_teaches_nothing() {
        let line = |before: &str, after: &str| format!("{before}memory: usage 1kB, limit 2kB, failcnt 3{after}\n");
        let learnt = |text: String| Wrapping::learn(text.as_bytes());
        assert!(learnt(line("x| ", "")).before.is_none());
        assert!(learnt(line("x| ", "") + &line("y| ", "")).before.is_none());
        let twice = learnt(line("x| ", "</p>") + &line("x| ", "</p>"));
        assert_eq!((twice.before.as_deref(), twice.after.as_slice()), (Some(&b"x| "[..]), &b"</p>"[..]));
        let known = learnt(line("[    1.000000] ", "") + &line("[    1.000000] ", ""));
        assert!(known.before.is_none() && known.after.is_empty());
        let other = "Nov 23 00:00:01 host app[7]: ";
        assert!(learnt(line(other, "") + &line(other, "")).before.is_none(), "another program quotes the kernel");
    }
}

//! What was done to a log as a whole before it came here is undone: encodings, colours, what a web page made of it.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

use super::blanks::spaced;
use super::coded::{from_quoted_printable, without_backslashes};
use super::page::from_html;
use super::parts::in_order;
use super::reflow::unfolded;
use super::scan::{contains, head, trim_start};
use super::source;
use super::wide::{end_of, Wide};

/// Gives the log changed, or nothing if it has no need of it.
type Step = fn(&[u8]) -> Option<Vec<u8>>;

/// The log as lines of bytes, as the kernel or its first logger wrote them.
pub(super) fn plain(input: &[u8]) -> Cow<'_, [u8]> {
    const STEPS: [Step; 10] = [
        from_utf16,
        without_nuls,
        from_carriage_returns,
        in_order,
        from_colours,
        from_quoted_printable,
        from_html,
        without_backslashes,
        spaced,
        unfolded,
    ];
    let mut text = Cow::Borrowed(input);
    for step in STEPS {
        if let Some(changed) = step(&text) {
            text = Cow::Owned(changed);
        }
    }
    text
}

/// PowerShell writes what it redirects so, with a mark at the beginning or without.
fn from_utf16(input: &[u8]) -> Option<Vec<u8>> {
    let (little, mark) = end_of(input)?;
    let mut wide = Wide::new(little);
    let mut text = wide.text(&input[mark..]);
    text.extend(wide.last());
    Some(text)
}

/// Serial consoles and logs that a crash left behind hold NULs; no name can.
fn without_nuls(input: &[u8]) -> Option<Vec<u8>> {
    memchr(0, input).map(|_| input.iter().copied().filter(|&byte| byte != 0).collect())
}

/// Lines that end with a carriage return alone.
fn from_carriage_returns(input: &[u8]) -> Option<Vec<u8>> {
    (memchr(b'\r', input).is_some() && memchr(b'\n', input).is_none())
        .then(|| input.iter().map(|&byte| if byte == b'\r' { b'\n' } else { byte }).collect())
}

/// `dmesg --color` begins every line with a colour, and grep colours what it found and ends that. Only then are colours taken
/// off, because a name in plain text may hold an escape sequence too.
fn from_colours(input: &[u8]) -> Option<Vec<u8>> {
    memchr3(b'\x1b', b'^', b'\\', input)?;
    ESCAPES.iter().find(|escape| is_coloured(input, escape)).map(|escape| without_colours(input, escape))
}

/// The escape character, and how it is written where it cannot be shown.
const ESCAPES: [&[u8]; 6] = [b"\x1b", b"^[", b"\\x1b", b"\\033", b"\\e", b"\\u001b"];

fn is_coloured(input: &[u8], escape: &[u8]) -> bool {
    let sequence = |rest: &[u8]| [escape, rest].concat();
    if !contains(input, &sequence(b"[")) {
        return false;
    }
    let begin = sequence(b"[");
    // dmesg writes `\x1b` for the character in a name.
    (escape[0] != b'\\' && [&b"[m"[..], b"[0m", b"[K", b"[39m"].iter().any(|end| contains(input, &sequence(end))))
        || input.split(|&byte| byte == b'\n').any(|line| trim_start(source::unquote(line)).starts_with(&begin))
}

fn without_colours(input: &[u8], escape: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&first, after)) = rest.split_first() {
        let sequence = if first == escape[0] { rest.strip_prefix(escape) } else { None };
        if let Some(sequence) = sequence {
            if let Some(after) = sequence.strip_prefix(b"(B") {
                rest = after;
                continue;
            }
            if let Some(parameters) = sequence.strip_prefix(b"[") {
                let end = |byte: &u8| !matches!(byte, b'0'..=b'9' | b';' | b'?' | b':');
                let length = head(parameters, 32).iter().position(end).unwrap_or(0);
                // Colours, and what terminals and their recorders add: erasing and moving.
                if matches!(parameters.get(length), Some(b'm' | b'K' | b'J' | b'H' | b'h' | b'l')) {
                    rest = &parameters[length + 1..];
                    continue;
                }
            }
        }
        plain.push(first);
        rest = after;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_proof_is_left() {
        for text in
            [&b"a &lt;b&gt; c"[..], b"\xff\xfea", b"a\r\nb", b"a \x1b[1m b", b"\x1b]0;a", b"a\xc2\xa0b", b"", b"& [&"]
        {
            assert_eq!(plain(text), text, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn each_step() {
        assert_eq!(*plain(b"\xff\xfea\0\xe9\0\n\0"), *"a\u{e9}\n".as_bytes());
        assert_eq!(*plain(b"\xfe\xff\0a\0\n\0"), *b"a\n");
        assert_eq!(*plain(b"a\rb\r"), *b"a\nb\n");
        assert_eq!(*plain(b"\x1b[32ma\x1b[0m b\x1b[K\n"), *b"a b\n");
        assert_eq!(*plain(b"&lt;4&gt;a &amp;lt; &quot;&#39;\n"), *b"<4>a &lt; \"'\n");
        assert_eq!(*plain(b"x\xc2\xa0invoked\xc2\xa0oom-killer:"), *b"x invoked oom-killer:");
    }
}

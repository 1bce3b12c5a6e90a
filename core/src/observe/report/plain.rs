//! What was done to a log as a whole before it came here is undone: encodings, colours, what a web page made of it.

use std::borrow::Cow;

use super::scan::{contains, digits, find, trim_start};
use super::source;

/// Gives the log changed, or nothing if it has no need of it.
type Step = fn(&[u8]) -> Option<Vec<u8>>;

/// The log as lines of bytes, as the kernel or its first logger wrote them.
pub(super) fn plain(input: &[u8]) -> Cow<'_, [u8]> {
    const STEPS: [Step; 5] = [from_utf16, from_carriage_returns, from_colours, from_html, spaced];
    let mut text = Cow::Borrowed(input);
    for step in STEPS {
        if let Some(changed) = step(&text) {
            text = Cow::Owned(changed);
        }
    }
    text
}

/// PowerShell writes what it redirects so.
fn from_utf16(input: &[u8]) -> Option<Vec<u8>> {
    let (little, units) = match input {
        [0xff, 0xfe, rest @ ..] => (true, rest),
        [0xfe, 0xff, rest @ ..] => (false, rest),
        _ => return None,
    };
    // Text that merely begins with these bytes has no NULs.
    if !units.contains(&0) {
        return None;
    }
    let units = units.chunks_exact(2).map(|pair| {
        let unit = [pair[0], pair[1]];
        if little {
            u16::from_le_bytes(unit)
        } else {
            u16::from_be_bytes(unit)
        }
    });
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Some(text.into_bytes())
}

/// Lines that end with a carriage return alone.
fn from_carriage_returns(input: &[u8]) -> Option<Vec<u8>> {
    (input.contains(&b'\r') && !input.contains(&b'\n'))
        .then(|| input.iter().map(|&byte| if byte == b'\r' { b'\n' } else { byte }).collect())
}

/// `dmesg --color` begins every line with a colour. Only then are colours taken off, because a name in plain text
/// may hold an escape sequence too.
fn from_colours(input: &[u8]) -> Option<Vec<u8>> {
    let coloured = contains(input, b"\x1b[")
        && input.split(|&byte| byte == b'\n').any(|line| trim_start(source::unquote(line)).starts_with(b"\x1b["));
    if !coloured {
        return None;
    }
    let mut plain = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&first, after)) = rest.split_first() {
        if let Some(parameters) = rest.strip_prefix(b"\x1b[") {
            let length =
                parameters.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';')).unwrap_or(parameters.len());
            // Colours, and the "erase to the end of the line" that terminals and their recorders add.
            if matches!(parameters.get(length), Some(b'm' | b'K')) {
                rest = &parameters[length + 1..];
                continue;
            }
        }
        plain.push(first);
        rest = after;
    }
    Some(plain)
}

/// A report copied out of a page's source. A name may hold `&lt;` as well: only what the kernel prints in brackets, or
/// before a time, is taken for proof.
fn from_html(input: &[u8]) -> Option<Vec<u8>> {
    const PROOFS: [&[u8]; 6] =
        [b"[&lt;", b"&lt;TASK&gt;", b"&gt;[", b"&lt;IRQ&gt;", b"invoked&nbsp;oom-killer", b"([&lt;"];
    let levels = || {
        // `&lt;4&gt;` at the beginning of a line.
        let level = |line: &[u8]| {
            trim_start(line).strip_prefix(b"&lt;").is_some_and(|rest| rest[digits(rest)..].starts_with(b"&gt;"))
        };
        input.split(|&byte| byte == b'\n').any(level)
    };
    if find(input, b"&").is_none() || !(PROOFS.iter().any(|proof| contains(input, proof)) || levels()) {
        return None;
    }
    const NAMES: [(&[u8], u8); 8] = [
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&amp;", b'&'),
        (b"&quot;", b'"'),
        (b"&#39;", b'\''),
        (b"&#x27;", b'\''),
        (b"&#34;", b'"'),
        (b"&nbsp;", b' '),
    ];
    let mut plain = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&first, after)) = rest.split_first() {
        let named = (first == b'&').then(|| NAMES.iter().find(|(name, _)| rest.starts_with(name))).flatten();
        let (byte, after) = named.map_or((first, after), |(name, byte)| (*byte, &rest[name.len()..]));
        rest = after;
        plain.push(byte);
    }
    Some(plain)
}

/// Browsers and chats turn blanks into no-break spaces.
fn spaced(input: &[u8]) -> Option<Vec<u8>> {
    const SPACE: &[u8] = b"\xc2\xa0";
    const PROOFS: [&[u8]; 3] = [b"invoked\xc2\xa0oom-killer", b"Killed\xc2\xa0process", b"oom-killer:\xc2\xa0gfp_mask"];
    if find(input, SPACE).is_none() || !PROOFS.iter().any(|proof| contains(input, proof)) {
        return None;
    }
    let mut plain = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some(at) = find(rest, SPACE) {
        plain.extend_from_slice(&rest[..at]);
        plain.push(b' ');
        rest = &rest[at + SPACE.len()..];
    }
    plain.extend_from_slice(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_proof_is_left() {
        for text in [&b"a &lt;b&gt; c"[..], b"\xff\xfea", b"a\r\nb", b"a \x1b[1m b", b"a\xc2\xa0b", b"", b"& [&"] {
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

//! Blanks that a page, a chat or an editor made of the kernel's: no-break spaces, tabs, runs of them, characters that take
//! no room at all.

use memchr::memchr;

use super::scan::{contains, find};

/// Characters that browsers and chats put in place of a blank.
const WIDE: [&[u8]; 6] =
    [b"\xc2\xa0", b"\xe2\x80\xaf", b"\xe2\x80\x87", b"\xe2\x80\x89", b"\xe2\x80\x82", b"\xe3\x80\x80"];
/// Characters that they put into long words, so that these may be broken there.
const NARROW: [&[u8]; 4] = [b"\xe2\x80\x8b", b"\xc2\xad", b"\xef\xbb\xbf", b"\xe2\x81\xa0"];

/// The blanks as the kernel wrote them. A name may hold any of these characters once: only where they stand as the kernel's
/// blanks do, beside each other or a bracket, or between its words, are they taken for blanks.
pub(super) fn spaced(input: &[u8]) -> Option<Vec<u8>> {
    // Most logs have none of these characters, and need no search for each.
    let plain = input.is_ascii();
    let latin = || std::str::from_utf8(input).is_err() && is_spacing(input, b"\xa0");
    let wide: Vec<&[u8]> = if plain {
        Vec::new()
    } else if find(input, b"\xc2\xa0").is_some()
        || find(input, b"\xe2\x80").is_some()
        || find(input, b"\xe3\x80").is_some()
    {
        WIDE.into_iter().filter(|space| is_spacing(input, space)).collect()
    } else if memchr(0xa0, input).is_some() && latin() {
        vec![b"\xa0"]
    } else {
        Vec::new()
    };
    let narrow: Vec<&[u8]> = NARROW.into_iter().filter(|mark| !plain && is_inside(input, mark)).collect();
    let tabs = memchr(b'\t', input).is_some() && is_tabbed(input);
    let runs = RUNS.iter().any(|words| contains(input, words));
    if wide.is_empty() && narrow.is_empty() && !tabs && !runs {
        return None;
    }
    let mut plain = Vec::with_capacity(input.len());
    let mut rest = input;
    // Blanks at the beginning of a line are an indentation, not a run.
    let mut indent = true;
    while let Some((&first, after)) = rest.split_first() {
        if !first.is_ascii() {
            if let Some(space) = wide.iter().find(|space| rest.starts_with(space)) {
                plain.push(b' ');
                rest = &rest[space.len()..];
                continue;
            }
            if let Some(mark) = narrow.iter().find(|mark| rest.starts_with(mark)) {
                rest = &rest[mark.len()..];
                continue;
            }
        }
        let byte = if tabs && first == b'\t' { b' ' } else { first };
        indent = byte == b'\n' || (indent && byte == b' ');
        if !(runs && !indent && byte == b' ' && plain.last() == Some(&b' ')) {
            plain.push(byte);
        }
        rest = after;
    }
    Some(plain)
}

/// Words that the kernel prints with a single blank between them.
const RUNS: [&[u8]; 3] = [b"invoked  oom-killer", b"Killed  process", b"ut  of  memory"];

/// Whether a character stands where the kernel prints blanks.
fn is_spacing(input: &[u8], space: &[u8]) -> bool {
    const BEFORE: [&[u8]; 5] = [b"invoked", b"Killed", b"oom-killer:", b"process", b"memory:"];
    let mut from = 0;
    while let Some(at) = find(&input[from..], space).map(|at| from + at) {
        let (before, after) = (&input[..at], &input[at + space.len()..]);
        let beside = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'[' | b']' | b',' | b'>'));
        if beside(before.last())
            || matches!(after.first(), Some(b' ' | b'['))
            || after.starts_with(space)
            || BEFORE.iter().any(|word| before.ends_with(word))
        {
            return true;
        }
        from = at + space.len();
    }
    false
}

/// Whether a character without width stands in the kernel's text.
fn is_inside(input: &[u8], mark: &[u8]) -> bool {
    let mut rest = input;
    while let Some(at) = find(rest, mark) {
        let (before, after) = (&rest[..at], &rest[at + mark.len()..]);
        let joined = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_graphic() || *byte == b' ');
        if joined(before.last()) && joined(after.first()) {
            return true;
        }
        rest = after;
    }
    false
}

/// Whether tabs stand where the kernel prints blanks.
fn is_tabbed(input: &[u8]) -> bool {
    const PROOFS: [&[u8]; 6] =
        [b"invoked\toom-killer", b"Killed\tprocess", b"oom-killer:\tgfp", b"uid\t", b"tgid\t", b"\ttotal_vm"];
    let row = |line: &[u8]| {
        if contains(line, b"total_vm") && line.contains(&b'\t') {
            return true;
        }
        line.iter().position(|&byte| byte == b'[').is_some_and(|at| {
            let tabs = line[at..].iter().filter(|&&byte| byte == b'\t').count();
            tabs >= 4
        })
    };
    PROOFS.iter().any(|proof| contains(input, proof)) || input.split(|&byte| byte == b'\n').any(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_the_kernel_prints_blanks() {
        let seen = |text: &str| spaced(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        assert_eq!(seen("a\u{a0}b"), None, "a name");
        assert_eq!(seen("[\u{a0} 7]\u{a0}\u{a0}1"), Some("[  7]  1".to_string()));
        assert_eq!(seen("Killed\u{202f}process"), Some("Killed process".to_string()));
        assert_eq!(seen("total-\u{200b}vm"), Some("total-vm".to_string()));
        assert_eq!(seen("x invoked\toom-killer:"), Some("x invoked oom-killer:".to_string()));
        assert_eq!(seen("  x  invoked  oom-killer:"), Some("  x invoked oom-killer:".to_string()));
        assert_eq!(spaced(b"Killed\xa0process").unwrap(), b"Killed process");
        assert_eq!(seen("a\tb"), None);
    }
}

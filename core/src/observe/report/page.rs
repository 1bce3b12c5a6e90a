//! A log out of the source of a web page: tags are taken off, names of characters become the characters.

use memchr::{memchr, memchr2, memchr_iter};

use super::scan::{contains, digits, trim_start};

/// Tags that end a line.
const BREAKS: [&[u8]; 12] =
    [b"br", b"/p", b"/div", b"/li", b"/tr", b"/pre", b"p", b"div", b"li", b"tr", b"pre", b"/blockquote"];
/// Tags that only change how a text looks, or that separate the cells of a table.
const PLAIN: [&[u8]; 27] = [
    b"span",
    b"code",
    b"b",
    b"i",
    b"em",
    b"strong",
    b"font",
    b"tt",
    b"td",
    b"th",
    b"table",
    b"tbody",
    b"ul",
    b"ol",
    b"a",
    b"blockquote",
    b"html",
    b"body",
    b"samp",
    b"kbd",
    b"mark",
    b"small",
    b"u",
    b"s",
    b"h1",
    b"h2",
    b"article",
];

/// A page's text. A name may hold `&lt;` or `</p>` as well: only what the kernel prints in brackets or before a time, or tags
/// that are closed, are taken for proof.
pub(super) fn from_html(input: &[u8]) -> Option<Vec<u8>> {
    memchr2(b'<', b'&', input)?;
    let tagged = is_tagged(input);
    let named = is_named(input);
    if !tagged && !named {
        return None;
    }
    let untagged = if tagged { untag(input) } else { input.to_vec() };
    if !named && memchr(b'&', &untagged).is_none() {
        return Some(untagged);
    }
    let mut plain = characters(&untagged);
    // What was escaped twice.
    if contains(&untagged, b"&amp;lt;") && is_named(&plain) {
        plain = characters(&plain);
    }
    Some(plain)
}

fn is_tagged(input: &[u8]) -> bool {
    const CLOSED: [&[u8]; 11] = [
        b"</span>", b"</div>", b"</p>", b"</pre>", b"</code>", b"</td>", b"</li>", b"<br>", b"<br/>", b"<br />",
        b"</font>",
    ];
    let mut closed = [false; CLOSED.len()];
    let mut any = false;
    memchr_iter(b'<', input).any(|at| {
        let rest = &input[at..];
        let ends = rest.starts_with(b"</");
        if !ends && !rest.starts_with(b"<b") {
            return false;
        }
        // Once may be a name; a log has many lines.
        if ends && any {
            return true;
        }
        let Some(tag) = CLOSED.iter().position(|tag| rest.starts_with(tag)) else { return false };
        any = true;
        std::mem::replace(&mut closed[tag], true) || [&b"</pre>"[..], b"</code>"].contains(&CLOSED[tag])
    })
}

fn is_named(input: &[u8]) -> bool {
    const PROOFS: [&[u8]; 12] = [
        b"[&lt;",
        b"&lt;TASK&gt;",
        b"&gt;[",
        b"&lt;IRQ&gt;",
        b"invoked&nbsp;oom-killer",
        b"Killed&nbsp;process",
        b"([&lt;",
        b"&#91;",
        b"[&nbsp;",
        b"[&amp;lt;",
        b"&amp;lt;TASK&amp;gt;",
        b"&amp;gt;[",
    ];
    let levels = || {
        // `&lt;4&gt;` at the beginning of a line.
        let level = |line: &[u8]| {
            trim_start(line).strip_prefix(b"&lt;").is_some_and(|rest| rest[digits(rest)..].starts_with(b"&gt;"))
        };
        input.split(|&byte| byte == b'\n').any(level)
    };
    memchr(b'&', input).is_some() && (PROOFS.iter().any(|proof| contains(input, proof)) || levels())
}

/// Takes the tags of a page off; brackets that are no tags stay.
fn untag(input: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&first, after)) = rest.split_first() {
        if first == b'<' {
            if let Some((breaks, length)) = tag(rest) {
                let next = &rest[length..];
                let blank = matches!(plain.last(), None | Some(b'\n'));
                if breaks && !blank && !next.starts_with(b"\n") && !next.starts_with(b"\r") {
                    plain.push(b'\n');
                } else if rest.starts_with(b"</td") && !next.starts_with(b"</tr") {
                    plain.push(b' ');
                }
                rest = next;
                continue;
            }
        }
        plain.push(first);
        rest = after;
    }
    plain
}

/// Whether a tag begins here: whether it ends a line, and its length.
fn tag(text: &[u8]) -> Option<(bool, usize)> {
    let window = &text[..text.len().min(512)];
    let end = window.iter().position(|&byte| byte == b'>')?;
    let inside = &window[1..end];
    let length = inside.iter().position(|byte| matches!(byte, b' ' | b'\n' | b'\t')).unwrap_or(inside.len());
    let name = inside[..length].strip_suffix(b"/").unwrap_or(&inside[..length]).to_ascii_lowercase();
    let breaks = BREAKS.contains(&name.as_slice());
    let plain = PLAIN.contains(&name.strip_prefix(b"/").unwrap_or(&name));
    (breaks || plain).then_some((breaks, end + 1))
}

fn characters(input: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&first, after)) = rest.split_first() {
        if first == b'&' {
            if let Some((character, length)) = character(rest) {
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[length..];
                continue;
            }
        }
        plain.push(first);
        rest = after;
    }
    plain
}

/// The character that a name stands for, and the length of the name.
fn character(text: &[u8]) -> Option<(char, usize)> {
    const NAMES: [(&[u8], char); 8] = [
        (b"&lt;", '<'),
        (b"&gt;", '>'),
        (b"&amp;", '&'),
        (b"&quot;", '"'),
        (b"&apos;", '\''),
        (b"&nbsp;", ' '),
        (b"&lsqb;", '['),
        (b"&rsqb;", ']'),
    ];
    if let Some((name, character)) = NAMES.iter().find(|(name, _)| text.starts_with(name)) {
        return Some((*character, name.len()));
    }
    let number = text.strip_prefix(b"&#")?;
    let (radix, number) = match number.strip_prefix(b"x").or_else(|| number.strip_prefix(b"X")) {
        Some(number) => (16, number),
        None => (10, number),
    };
    let length = number.iter().take(8).position(|byte| !byte.is_ascii_hexdigit())?;
    let code = u32::from_str_radix(std::str::from_utf8(&number[..length]).ok()?, radix).ok()?;
    let whole = number.get(length) == Some(&b';');
    let character = char::from_u32(code).map(|character| if character == '\u{a0}' { ' ' } else { character })?;
    whole.then_some((character, text.len() - number.len() + length + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let seen = |text: &str| from_html(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        assert_eq!(seen("&lt;4&gt;a &amp;lt; &quot;&#39;&#x27;\n").unwrap(), "<4>a &lt; \"''\n");
        assert_eq!(seen("<pre>a <TASK> [<c01>]<br>b</pre>").unwrap(), "a <TASK> [<c01>]\nb\n");
        assert_eq!(seen("<p>a</p>\n<p>b</p>").unwrap(), "a\nb\n");
        assert_eq!(seen("<td>1</td><td>a</td></tr><td>2</td>").unwrap(), "1 a\n2 ");
        assert_eq!(seen("[&amp;lt;c01&amp;gt;] [&lt;c02&gt;]").unwrap(), "[<c01>] [<c02>]");
        for text in ["a &lt;b&gt; c", "x</p>", "& [&", "<TASK>"] {
            assert_eq!(seen(text), None, "{text}");
        }
    }
}

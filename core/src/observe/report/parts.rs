//! What a crash left in the firmware (pstore): pieces of a log, of which the newest is called the first.

use super::scan::{contains, digits, number, trim_end};

/// The pieces in the order of time, the oldest first.
pub(super) fn in_order(input: &[u8]) -> Option<Vec<u8>> {
    if !contains(input, b" Part1\n") && !contains(input, b" Part1\r\n") {
        return None;
    }
    // From the last line up: a piece ends where the one below it begins.
    let (mut pieces, mut end, mut at) = (Vec::new(), input.len(), input.len());
    for line in input.split_inclusive(|&byte| byte == b'\n').rev() {
        at -= line.len();
        if let Some((crash, part)) = heading(line) {
            pieces.push((crash, part, &input[at..end]));
            end = at;
        }
    }
    pieces.reverse();
    let mut out = input[..end].to_vec();
    // Of each crash on its own; a crash that is told in pieces of rising number is told backwards.
    for pieces in pieces.chunk_by(|one, next| one.0 == next.0 && one.1 < next.1) {
        for (_, _, piece) in pieces.iter().rev() {
            out.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
    }
    Some(out)
}

/// `Panic#2 Part1`: which crash, and which piece.
fn heading(line: &[u8]) -> Option<(u64, u64)> {
    const REASONS: [&[u8]; 7] = [b"Panic", b"Oops", b"Emergency", b"Shutdown", b"Restart", b"Halt", b"Unknown"];
    let rest = REASONS.iter().find_map(|reason| line.strip_prefix(*reason))?.strip_prefix(b"#")?;
    let (crash, rest) = number(rest)?;
    let part = trim_end(rest).strip_prefix(b" Part")?;
    let whole = digits(part) > 0 && digits(part) == part.len();
    whole.then(|| number(part).map(|(part, _)| (crash, part))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_piece_comes_last() {
        let told = |text: &str| in_order(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        let text = "cat\nPanic#1 Part1\nc\nPanic#1 Part2\nb\nPanic#1 Part3\na";
        assert_eq!(told(text).unwrap(), "cat\nPanic#1 Part3\na\nPanic#1 Part2\nb\nPanic#1 Part1\nc\n");
        let right = "Panic#1 Part2\na\nPanic#1 Part1\nb\nOops#2 Part1\nc\n";
        assert_eq!(told(right).unwrap(), right);
        assert_eq!(told("Panic#1 Party\na\n"), None);
    }
}

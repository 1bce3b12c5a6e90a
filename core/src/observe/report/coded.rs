//! What mail and wikis write in place of the kernel's characters: quoted-printable text, backslashes before punctuation.

use memchr::{memchr, memchr_iter, memmem, memrchr};

use super::scan::{contains, head, tail};
use crate::text::nibble;

/// Mail in quoted-printable: `=3D` for the equals sign, and lines that go on behind an `=` at their end.
pub(super) fn from_quoted_printable(input: &[u8]) -> Option<Vec<u8>> {
    const PROOFS: [&[u8]; 6] =
        [b"gfp_mask=3D0x", b"order=3D", b"oom_score_adj=3D", b"constraint=3D", b"cpuset=3D", b"kB =3D "];
    let coded = contains(input, b"=3D") && PROOFS.iter().any(|proof| contains(input, proof));
    if !(coded || is_softly_broken(input)) {
        return None;
    }
    let mut plain = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&first, after)) = rest.split_first() {
        match rest {
            [b'=', b'\n', tail @ ..] | [b'=', b'\r', b'\n', tail @ ..] => rest = tail,
            [b'=', high, low, tail @ ..] if is_upper_hex(*high) && is_upper_hex(*low) => {
                plain.push(nibble(*high) << 4 | nibble(*low));
                rest = tail;
            }
            _ => {
                plain.push(first);
                rest = after;
            }
        }
    }
    Some(plain)
}

fn is_upper_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'F')
}

/// Whether a line of the greatest length that such mail has ends in `=`, in the middle of a kill line.
fn is_softly_broken(input: &[u8]) -> bool {
    const WORDS: &[u8] = b"ut of memory: Kill";
    memmem::find_iter(input, WORDS).any(|at| {
        let (before, after) = (tail(&input[..at], 80), head(&input[at..], 80));
        let begin = memrchr(b'\n', before).map_or(before.len(), |end| before.len() - end - 1);
        let end = memchr(b'\n', after).unwrap_or(after.len());
        let line = &input[at - begin..at + end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (70..=76).contains(&line.len()) && line.ends_with(b"=")
    })
}

/// Markdown and wikis want a backslash before punctuation.
pub(super) fn without_backslashes(input: &[u8]) -> Option<Vec<u8>> {
    const PROOFS: [&[u8]; 11] = [
        b"\\|__GFP",
        b"gfp\\_mask=",
        b"oom\\_score\\_adj",
        b"total\\_vm",
        b"\\[ pid \\]",
        b"oom\\-kill",
        b"mems\\_allowed",
        b"task\\_memcg",
        b"oom\\_kill",
        b"out\\_of\\_memory",
        b"CONSTRAINT\\_",
    ];
    // The kernel and dmesg write a backslash before letters.
    let marked = |at: usize| matches!(input.get(at + 1), Some(b'_' | b'[' | b'-' | b'|'));
    if !(memchr_iter(b'\\', input).any(marked) && PROOFS.iter().any(|proof| contains(input, proof))) {
        return None;
    }
    let mut plain = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&first, after)) = rest.split_first() {
        match after.first() {
            Some(next) if first == b'\\' && next.is_ascii_punctuation() => {
                plain.push(*next);
                rest = &after[1..];
            }
            _ => {
                plain.push(first);
                rest = after;
            }
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_printable() {
        assert_eq!(from_quoted_printable(b"order=3D0, gfp_m=\nask=3D0x1").unwrap(), b"order=0, gfp_mask=0x1");
        assert_eq!(from_quoted_printable(b"order=30, a=3D"), None);
    }

    #[test]
    fn backslashes() {
        assert_eq!(without_backslashes(b"\\[ 1.0\\] gfp\\_mask=\\x0a").unwrap(), b"[ 1.0] gfp_mask=\\x0a");
        assert_eq!(without_backslashes(b"a\\_b"), None);
    }
}

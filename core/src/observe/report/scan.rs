//! Small readers of bytes; none of them looks further than its caller lets it.

use memchr::{memchr, memmem, memrchr};

/// In a text as long as this the search that has to be prepared is the faster one.
const LONG: usize = 512;

/// Where `needle` begins in `text`.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    if text.len() >= LONG {
        return memmem::find(text, needle);
    }
    let (rare, byte) = rare(needle)?;
    let last = text.len().checked_sub(needle.len())?;
    let mut from = 0;
    while from <= last {
        from += memchr(byte, &text[from + rare..=last + rare])?;
        if text[from..].starts_with(needle) {
            return Some(from);
        }
        from += 1;
    }
    None
}

/// Where the last `needle` begins in `text`.
pub(super) fn rfind(text: &[u8], needle: &[u8]) -> Option<usize> {
    let (rare, byte) = rare(needle)?;
    let mut end = text.len().checked_sub(needle.len())? + 1;
    loop {
        end = memrchr(byte, &text[rare..end + rare])?;
        if text[end..].starts_with(needle) {
            return Some(end);
        }
    }
}

/// The byte of a needle that is searched for, and its place: a blank or a comma is everywhere, what follows it is not.
fn rare(needle: &[u8]) -> Option<(usize, u8)> {
    match needle {
        [b' ' | b',', second, ..] => Some((1, *second)),
        [first, ..] => Some((0, *first)),
        [] => None,
    }
}

pub(super) fn contains(text: &[u8], needle: &[u8]) -> bool {
    find(text, needle).is_some()
}

/// The parts before and after the first `needle`.
pub(super) fn split<'a>(text: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    find(text, needle).map(|at| (&text[..at], &text[at + needle.len()..]))
}

/// The parts before and after the last `needle`.
pub(super) fn rsplit<'a>(text: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    rfind(text, needle).map(|at| (&text[..at], &text[at + needle.len()..]))
}

pub(super) fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(text.len());
    &text[start..]
}

pub(super) fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).map_or(0, |at| at + 1);
    &text[..end]
}

/// At most the first `most` bytes: a bound for searches.
pub(super) fn head(text: &[u8], most: usize) -> &[u8] {
    &text[..text.len().min(most)]
}

/// At most the last `most` bytes.
pub(super) fn tail(text: &[u8], most: usize) -> &[u8] {
    &text[text.len() - text.len().min(most)..]
}

/// How many decimal digits `text` begins with.
pub(super) fn digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

/// The number that `text` begins with, and the rest; `None` without digits or when it does not fit.
pub(super) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_at(digits(text));
    let digit = |value: u64, byte: &u8| value.checked_mul(10)?.checked_add(u64::from(byte - b'0'));
    let value = digits.iter().try_fold(0, digit).filter(|_| !digits.is_empty())?;
    Some((value, rest))
}

/// The same with an optional minus sign.
pub(super) fn signed(text: &[u8]) -> Option<(i64, &[u8])> {
    match text.strip_prefix(b"-") {
        Some(text) => number(text).and_then(|(value, rest)| Some((0i64.checked_sub_unsigned(value)?, rest))),
        None => number(text).and_then(|(value, rest)| Some((i64::try_from(value).ok()?, rest))),
    }
}

/// A whole text as one number.
pub(super) fn whole<T: TryFrom<i64>>(text: &[u8]) -> Option<T> {
    let (sign, digits) = text.strip_prefix(b"-").map_or((1, text), |digits| (-1, digits));
    // So many digits always fit.
    if (1..19).contains(&digits.len()) {
        let mut value = 0;
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + i64::from(digit);
        }
        return T::try_from(sign * value).ok();
    }
    match signed(text)? {
        (value, []) => T::try_from(value).ok(),
        _ => None,
    }
}

/// The first word and what follows it (with its leading blank).
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = trim_start(text);
    let end = text.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_agree_with_a_slow_one() {
        let text = b"abcabcab";
        assert_eq!((find(text, b"ca"), rfind(text, b"ca"), find(text, b"x")), (Some(2), Some(5), None));
        assert_eq!((find(b"", b"a"), rfind(b"a", b"ab"), find(b"ab", b"ab")), (None, None, Some(0)));
        assert_eq!(split(b"a=b=c", b"="), Some((&b"a"[..], &b"b=c"[..])));
        assert_eq!(rsplit(b"a=b=c", b"="), Some((&b"a=b"[..], &b"c"[..])));
    }

    #[test]
    fn numbers_that_do_not_fit_are_none() {
        assert_eq!(number(b"18446744073709551615kB"), Some((u64::MAX, &b"kB"[..])));
        assert_eq!(number(b"18446744073709551616kB"), None);
        assert_eq!(signed(b"-1000 x"), Some((-1000, &b" x"[..])));
        assert_eq!((signed(b"-"), number(b"")), (None, None));
        assert_eq!((whole::<i32>(b"12"), whole::<i32>(b"2147483648"), whole::<u32>(b"-1")), (Some(12), None, None));
    }
}

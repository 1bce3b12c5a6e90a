//! The times that loggers put before a line: bracketed kernel times and calendar dates of many shapes.

use super::scan::{digits, head, number, trim_start, word};

/// When a line was logged, as far as its prefix tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moment<'a> {
    /// The kernel's clock.
    pub usec: Option<u64>,
    /// The calendar time as printed.
    pub wall: Option<&'a [u8]>,
}

impl Moment<'_> {
    /// Whether it tells a time at all.
    pub fn is_told(&self) -> bool {
        self.usec.is_some() || self.wall.is_some()
    }

    /// Seconds of the day of the calendar time, for telling near from far.
    pub fn day_second(&self) -> Option<u32> {
        let wall = self.wall?;
        wall.windows(8).find_map(clock).map(|(hour, minute, second)| hour * 3600 + minute * 60 + second)
    }
}

/// `HH:MM:SS`
fn clock(text: &[u8]) -> Option<(u32, u32, u32)> {
    match text {
        [a, b, b':', c, d, b':', e, f, ..] if [a, b, c, d, e, f].iter().all(|byte| byte.is_ascii_digit()) => {
            let two = |tens: &u8, ones: &u8| u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
            let (hour, minute, second) = (two(a, b), two(c, d), two(e, f));
            // 60 is a leap second.
            (hour < 24 && minute < 60 && second <= 60).then_some((hour, minute, second))
        }
        _ => None,
    }
}

/// A bracketed time: `[ 1234.567890] `, `[Mon Jan  2 03:04:05 2023] `, `[  +0.000003] `, each also with dmesg's
/// `<delta>`. Gives the moment and what follows the bracket.
pub(super) fn bracketed(text: &[u8]) -> Option<(Moment<'_>, &[u8])> {
    let inside = text.strip_prefix(b"[")?;
    if let Some((usec, rest)) = stamped(inside) {
        return Some((Moment { usec: Some(usec), wall: None }, rest));
    }
    let end = head(inside, 48).iter().position(|&byte| byte == b']')?;
    let (inside, rest) = (&inside[..end], &inside[end + 1..]);
    let content = trim_start(inside);
    if let Some(usec) = kernel_time(content) {
        return Some((Moment { usec: Some(usec), wall: None }, rest));
    }
    if matches!(content.first(), Some(b'+' | b'<')) && content.contains(&b'.') {
        return Some((Moment::default(), rest));
    }
    // No calendar time is as short.
    if content.len() < 8 {
        return None;
    }
    // `ctime` in the words of another language, which puts the year last.
    let year = content.rsplit(|&byte| byte == b' ').next().is_some_and(|year| year.len() == 4 && digits(year) == 4);
    if year && content.windows(8).any(|eight| clock(eight).is_some()) {
        return Some((Moment { usec: None, wall: Some(content) }, rest));
    }
    // dmesg -e begins a minute with `[Jan 5 04:03]`, `[Jan15 04:03]`.
    let lettered = content.len() >= 11
        && content[..3].iter().all(u8::is_ascii_alphabetic)
        && (content[3] == b' ' || content[3].is_ascii_digit());
    (lettered
        && content.windows(3).any(|three| three[0].is_ascii_digit() && three[1] == b':' && three[2].is_ascii_digit()))
    .then_some((Moment { usec: None, wall: Some(content) }, rest))
}

/// ` 1234.567890]`, as the kernel itself writes it, and what follows: nearly every line of a log begins so.
fn stamped(inside: &[u8]) -> Option<(u64, &[u8])> {
    let text = trim_start(head(inside, 40));
    let (mut seconds, mut at) = (0u64, 0);
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        seconds = seconds.checked_mul(10)? + u64::from(digit);
        at += 1;
    }
    let [b'.', fraction @ .., b']'] = text.get(at..at + 8).filter(|_| at > 0 && at < 13)? else { return None };
    let mut usec = 0;
    for byte in fraction {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        usec = usec * 10 + u64::from(digit);
    }
    let begun = inside.len().min(40) - text.len();
    Some((seconds * 1_000_000 + usec, &inside[begun + at + 8..]))
}

/// `1234.567890`, perhaps followed by a blank and dmesg's delta.
fn kernel_time(text: &[u8]) -> Option<u64> {
    let (seconds, rest) = number(text)?;
    let fraction = rest.strip_prefix(b".")?;
    let length = digits(fraction);
    if !(3..=9).contains(&length) || !matches!(fraction.get(length), None | Some(b' ')) {
        return None;
    }
    let (value, _) = number(&fraction[..length])?;
    let usec = if length <= 6 { value * 10u64.pow(6 - length as u32) } else { value / 10u64.pow(length as u32 - 6) };
    seconds.checked_mul(1_000_000)?.checked_add(usec)
}

/// A calendar date and time at the start of a line, and what follows it (with the leading blank).
///
/// `Jan  2 03:04:05`, `2023-01-02T03:04:05.123456+01:00`, `2023-01-02 03:04:05,123 UTC`, `2023/01/02 03:04:05`,
/// `Mon 2023-01-02 03:04:05 UTC`, `Mon Jan  2 03:04:05 2023`, `1672628645.123456`.
pub(super) fn date(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = text;
    let mut seen_time = false;
    for _ in 0..6 {
        let (token, after) = word(rest);
        if token.len() > 64 {
            break;
        }
        if seen_time {
            // What may follow the time of day: a zone, or the year that asctime puts last.
            let zone = token == b"UTC"
                || token == b"GMT"
                || (token.len() == 5 && matches!(token[0], b'+' | b'-') && digits(&token[1..]) == 4);
            let year = token.len() == 4 && digits(token) == 4 && matches!(token[0], b'1' | b'2');
            if zone || year {
                rest = after;
            }
            break;
        }
        if time_of_day(token) || stamp(token) {
            seen_time = true;
        } else if !day_part(token) {
            return None;
        }
        rest = after;
    }
    seen_time.then(|| (&text[..text.len() - rest.len()], rest))
}

/// `HH:MM:SS`, with a fraction and a zone.
fn time_of_day(token: &[u8]) -> bool {
    clock(token).is_some() && token[8..].iter().all(|byte| byte.is_ascii_digit() || b".,:+-Z".contains(byte))
}

/// A token that holds date and time, or the seconds since the epoch.
fn stamp(token: &[u8]) -> bool {
    let joined =
        token.len() >= 19 && iso_day(&token[..10]) && matches!(token[10], b'T' | b'_') && clock(&token[11..]).is_some();
    let epoch =
        (9..=11).contains(&digits(token)) && token.get(digits(token)) == Some(&b'.') && token.len() > digits(token) + 3;
    joined || (epoch && token[digits(token) + 1..].iter().all(u8::is_ascii_digit))
}

fn iso_day(token: &[u8]) -> bool {
    matches!(token, [_, _, _, _, b'-' | b'/', _, _, b'-' | b'/', _, _] if token.iter().filter(|byte| byte.is_ascii_digit()).count() == 8)
}

/// `2023-01-02T03:04:05.678Z` anywhere in a text.
pub(super) fn iso_inside(text: &[u8]) -> Option<&[u8]> {
    let begins = |at: &usize| {
        text.get(at + 10).is_some_and(|byte| matches!(byte, b'T' | b' ' | b'_'))
            && iso_day(&text[*at..at + 10])
            && clock(&text[at + 11..]).is_some()
    };
    let at = (0..text.len()).find(begins)?;
    let rest = &text[at + 19..];
    let more = rest.iter().position(|byte| !(byte.is_ascii_digit() || b".+:Z-".contains(byte))).unwrap_or(rest.len());
    // What separates the time from the next word is not its own.
    let end = rest[..more].iter().rposition(|byte| byte.is_ascii_digit() || *byte == b'Z').map_or(0, |last| last + 1);
    let zoned = [&b" UTC"[..], b" GMT"].iter().any(|zone| rest[end..].starts_with(zone));
    Some(&text[at..at + 19 + end + if zoned { 4 } else { 0 }])
}

/// A word that may stand before the time of day: weekday, month, day of the month, year, date.
fn day_part(token: &[u8]) -> bool {
    let named = matches!(
        token,
        b"Mon"
            | b"Tue"
            | b"Wed"
            | b"Thu"
            | b"Fri"
            | b"Sat"
            | b"Sun"
            | b"Jan"
            | b"Feb"
            | b"Mar"
            | b"Apr"
            | b"May"
            | b"Jun"
            | b"Jul"
            | b"Aug"
            | b"Sep"
            | b"Oct"
            | b"Nov"
            | b"Dec"
    );
    named || iso_day(token) || (matches!(token.len(), 1 | 2 | 4) && digits(token) == token.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_many_loggers() {
        for text in [
            &b"Jan  2 03:04:05"[..],
            b"Jan 02 03:04:05.123456",
            b"2023-01-02T03:04:05+0000",
            b"2023-01-02T03:04:05.123456789Z",
            b"2023-01-02T03:04:05,113567+00:00",
            b"2023-01-02 03:04:05 UTC",
            b"2023/01/02 03:04:05",
            b"Mon 2023-01-02 03:04:05 UTC",
            b"Mon Jan  2 03:04:05 2023",
            b"1672628645.123456",
        ] {
            let line = [text, b" host kernel: x"].concat();
            assert_eq!(date(&line), Some((text, &b" host kernel: x"[..])), "{}", String::from_utf8_lossy(text));
        }
        for text in
            [&b"Memory cgroup out"[..], b"99:99:99 x", b"12 34", b"May be", b"", b"Jan", b"1 2 3 4 5 6 7 8 03:04:05"]
        {
            assert_eq!(date(text), None, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn times_inside() {
        assert_eq!(iso_inside(b"kern: info: [2026-01-12T20:27:31.913Z]: "), Some(&b"2026-01-12T20:27:31.913Z"[..]));
        assert_eq!(iso_inside(b"time=2026-01-12 20:27:31: x"), Some(&b"2026-01-12 20:27:31"[..]));
        assert_eq!((iso_inside(b"2026-01-12T"), iso_inside(b"2026-01-12T99:00:00")), (None, None));
    }

    #[test]
    fn bracketed_times() {
        assert_eq!(bracketed(b"[    1.343585] x").unwrap().0.usec, Some(1_343_585));
        assert_eq!(bracketed(b"[ 1452.113567 <    0.000009>] x").unwrap().0.usec, Some(1_452_113_567));
        let (moment, rest) = bracketed(b"[Mon Nov 23 00:11:34 2026] x").unwrap();
        assert_eq!((moment.day_second(), rest), (Some(694), &b" x"[..]));
        assert!(bracketed(b"[  +0.000003] x").is_some());
        assert!(bracketed("[五 5月 15 17:19:17 2026] x".as_bytes()).unwrap().0.wall.is_some());
        for text in [&b"[Jan 5 04:03] x"[..], b"[Jan15 04:03] x"] {
            assert!(bracketed(text).unwrap().0.wall.is_some());
        }
        for text in [
            &b"[   76]     0    76"[..],
            b"[ pid ]   uid",
            b"[  OK  ] Started",
            b"[1.2",
            b"[99999999999999999999.123456] x",
        ] {
            assert_eq!(bracketed(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}

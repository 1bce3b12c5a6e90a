//! Paragraphs of a log: a mail program, a chat or a page put its lines together, and broke them anew where a line was full.

use memchr::memchr;

use super::clock::{bracketed, date};
use super::lines::WORDS;
use super::scan::{contains, digits, find, trim_end, trim_start};
use super::source::unquote;

/// So many lines of a log begin in the middle of a line before a paragraph is taken for one.
const INSIDE: usize = 3;
/// One line in so many of a paragraph at least.
const OFTEN: usize = 12;
/// dmesg and journalctl align the later lines of a message by more blanks than this.
const ALIGNED: usize = 8;
/// A calendar time and a host before `kernel: ` are no longer.
const LONGEST: usize = 160;
/// `2026-11-23T20:01:00`
const STAMP: usize = 19;
/// Prefixes of one log differ in length by no more than this.
const PREFIXES: usize = 24;
const KERNEL: &[u8] = b" kernel:";

/// The log with each line of its own again, if paragraphs of it were put together.
pub(super) fn unfolded(input: &[u8]) -> Option<Vec<u8>> {
    // Most logs are not about an OOM, and need no look at each of their lines.
    if !WORDS.iter().any(|word| contains(input, word)) {
        return None;
    }
    let mut out = Vec::new();
    let (mut kept, mut rest) = (0, input);
    while !rest.is_empty() {
        let begin = input.len() - rest.len();
        let (end, next) = paragraph(rest);
        if let Some(lines) = apart(&rest[..end]) {
            out.extend_from_slice(&input[kept..begin]);
            out.extend_from_slice(&lines);
            kept = begin + end;
        }
        rest = &rest[next..];
    }
    if kept == 0 {
        return None;
    }
    out.extend_from_slice(&input[kept..]);
    Some(out)
}

/// Where the first paragraph of a text ends, and where the next one begins: no line in it is blank.
fn paragraph(text: &[u8]) -> (usize, usize) {
    let mut end = 0;
    loop {
        let length = memchr(b'\n', &text[end..]).map_or(text.len() - end, |at| at + 1);
        let line = &text[end..end + length];
        if length == 0 || line.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'>') {
            return (end, end + length);
        }
        end += length;
    }
}

/// The lines of a paragraph, if many of them begin in the middle of one.
fn apart(text: &[u8]) -> Option<Vec<u8>> {
    let seen = Seen::of(text)?;
    let likely = seen.inside >= INSIDE && seen.inside * OFTEN >= seen.lines;
    // Their beginnings may be broken too.
    let unsure = !likely && seen.begun > 0 && seen.begun + INSIDE <= seen.lines;
    if !likely && !unsure {
        return None;
    }
    let whole = together(text);
    let (mut out, mut starts, mut begun) = (Vec::with_capacity(whole.len() + whole.len() / 8), Vec::new(), 0);
    for line in whole.split(|&byte| byte == b'\n') {
        starts_in(line, &mut starts);
        begun += starts.len();
        starts.push(line.len());
        let mut from = 0;
        for &at in starts.iter().filter(|&&at| at > 0) {
            out.extend_from_slice(trim_end(&line[from..at]));
            out.push(b'\n');
            from = at;
        }
    }
    (likely || begun >= seen.begun + INSIDE && (begun - seen.begun) * OFTEN >= seen.lines).then_some(out)
}

/// What the lines of a paragraph look like.
struct Seen {
    lines: usize,
    /// Lines that begin as one of a log does.
    begun: usize,
    /// Beginnings in the middle of a line.
    inside: usize,
}

impl Seen {
    /// `None`: it is a document that holds a log, or there is no beginning of a line in it.
    fn of(text: &[u8]) -> Option<Seen> {
        let (mut seen, mut starts) = (Seen { lines: 0, begun: 0, inside: 0 }, Vec::new());
        // Of calendar times at the beginning of a line, those that have lost their first words to the line above.
        let mut dates = [0; 6];
        // Of times that stand alone in their line, the columns: behind a prefix all have about the same.
        let (mut alone, mut least, mut most) = (0, usize::MAX, 0);
        for line in text.split(|&byte| byte == b'\n') {
            seen.lines += 1;
            starts_in(line, &mut starts);
            let Some(&first) = starts.first() else { continue };
            if contains(line, b"\":") {
                return None;
            }
            seen.inside += starts.len() - 1;
            if is_margin(&line[..first]) {
                seen.begun += 1;
                dates[words_of_date(&line[first..])] += 1;
            } else if starts.len() == 1 {
                (alone, least, most) = (alone + 1, least.min(first), most.max(first));
            }
        }
        let whole = dates.iter().rposition(|&count| count > 0).unwrap_or(0);
        seen.inside += dates[1..whole.max(1)].iter().sum::<usize>();
        seen.inside += if most > least.saturating_add(PREFIXES) { alone } else { 0 };
        (seen.begun + seen.inside > 0).then_some(seen)
    }
}

/// A paragraph as one line, but for what is aligned under the line above.
fn together(text: &[u8]) -> Vec<u8> {
    let mut whole: Vec<u8> = Vec::with_capacity(text.len() + text.len() / 8);
    for line in text.split(|&byte| byte == b'\n') {
        let line = unquote(line);
        let words = trim_end(trim_start(line));
        let aligned = line.len() - trim_start(line).len() >= ALIGNED;
        match whole.last() {
            None => {}
            Some(_) if aligned => whole.push(b'\n'),
            Some(_) if is_within(&whole, words) => {}
            Some(_) => whole.push(b' '),
        }
        whole.extend_from_slice(if aligned { trim_end(line) } else { words });
    }
    whole
}

/// How many words the calendar time at the beginning of a line has.
fn words_of_date(line: &[u8]) -> usize {
    let date = date(line).map_or(&b""[..], |(date, _)| date);
    date.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).count().min(5)
}

/// Whether nothing but quotation marks and blanks stands before a line.
fn is_margin(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'>' | b' ' | b'\t' | b'|'))
}

/// Whether a line was broken in the middle of a word, as mail programs do behind a hyphen: the next one goes on at once.
pub(super) fn is_within(above: &[u8], next: &[u8]) -> bool {
    let goes_on = next.first().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    goes_on
        && match above {
            [.., before, b'-'] => before.is_ascii_alphanumeric(),
            [.., before, b'='] => before.is_ascii_lowercase(),
            _ => false,
        }
}

/// Where in a text lines of a log begin: at a bracketed time, or at a calendar time with a host and `kernel: ` behind it.
fn starts_in(text: &[u8], starts: &mut Vec<usize>) {
    starts.clear();
    let (mut behind, mut at) = (0, 0);
    let mut named = find(text, KERNEL);
    while let Some(bracket) = memchr(b'[', &text[at..]).map(|found| at + found).or(named.map(|_| text.len())) {
        while let Some(found) = named.filter(|&found| found < bracket) {
            // A bracket before it may have been read beyond it.
            let from = found.saturating_sub(LONGEST).max(behind).min(found);
            let next = found + KERNEL.len();
            if let Some(length) = dated(&text[from..found]).filter(|_| matches!(text.get(next), None | Some(b' '))) {
                starts.push(found - length);
                behind = next;
            }
            named = find(&text[next..], KERNEL).map(|found| next + found);
        }
        if bracket == text.len() {
            break;
        }
        at = bracket + 1;
        let apart = bracket == 0 || matches!(text[bracket - 1], b' ' | b'\t' | b'>' | b':');
        if bracket < behind {
            continue;
        }
        // The time behind a logger's is of the same line.
        let again = !starts.is_empty() && is_margin(&text[behind..bracket]);
        if !apart || again {
            continue;
        }
        if let Some((_, rest)) = bracketed(&text[bracket..]).filter(|(moment, _)| moment.is_told()) {
            let priority = matches!(text[..bracket], [.., b'<', b'0'..=b'7', b'>']);
            starts.push(if priority { bracket - 3 } else { bracket });
            behind = text.len() - rest.len();
        }
    }
}

/// How long the calendar time and the host are that a text ends in.
fn dated(text: &[u8]) -> Option<usize> {
    let host = text.iter().rposition(|byte| matches!(byte, b' ' | b'\t'))?;
    // Weekday, month, day, time: no calendar time has more words before the host.
    let mut from = trim_end(&text[..host]).len();
    let (mut found, mut day) = (None, false);
    for _ in 0..5 {
        let end = from;
        from = text[..from].iter().rposition(|byte| matches!(byte, b' ' | b'\t' | b'>')).map_or(0, |at| at + 1);
        // A number before the day is the end of the line before.
        if digits(&text[from..end]) == end - from && std::mem::replace(&mut day, true) {
            break;
        }
        if let Some((_, rest)) = date(&text[from..]) {
            if trim_start(rest).len() == text.len() - host - 1 {
                found = Some(text.len() - from);
            }
            // A date with its time is all.
            if end - from >= STAMP {
                break;
            }
        }
        from = trim_end(&text[..from]).len();
        if from == 0 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Option<String> {
        let text = format!("oom\n\n{text}");
        let lines = unfolded(text.as_bytes()).map(|lines| String::from_utf8(lines).unwrap());
        lines.map(|lines| lines.trim_start_matches("oom\n\n").to_string())
    }

    #[test]
    fn paragraphs_come_apart() {
        let text = "> Nov  3 10:00:00 node-7 kernel: Call Trace: 18 Nov  3 10:00:00 node-\n\
                    > 7 kernel:  dump_stack+0x5c/0x80 Nov  3 10:00:01 node-7 kernel:\n\
                    > out_of_memory+0x1/0x2 Nov  3\n> 10:00:01 node-7 kernel: a Nov  3 10:00:01 node-7 kernel: b\n\
                    > c Nov\n> 3 10:00:01 node-7 kernel: d Nov  3 10:00:01 node-7 kernel: e\n\nNo log.\n";
        let apart = "Nov  3 10:00:00 node-7 kernel: Call Trace: 18\nNov  3 10:00:00 node-7 kernel:  dump_stack+0x5c/0x80\n\
                     Nov  3 10:00:01 node-7 kernel: out_of_memory+0x1/0x2\nNov  3 10:00:01 node-7 kernel: a\n\
                     Nov  3 10:00:01 node-7 kernel: b c\nNov 3 10:00:01 node-7 kernel: d\nNov  3 10:00:01 node-7 kernel: e\n";
        assert_eq!(lines(text).as_deref(), Some([apart, "\nNo log.\n"].concat().as_str()));
        // What is aligned under the line above stays a line.
        let aligned = text.replace("node-7 kernel: b\n> c", "node-7 kernel: b\n>          c");
        assert!(lines(&aligned.replace('\n', "\r\n")).unwrap().contains("kernel: b\n         c\nNov 3 10"));
        let kernel = "[    1.000001] a [    1.000002] b c [    1.000003] d [    1.000004] e\n";
        assert_eq!(
            lines(kernel).unwrap(),
            "[    1.000001] a\n[    1.000002] b c\n[    1.000003] d\n[    1.000004] e\n"
        );
        let wall = "[Mon Nov 23 20:01:00 2026] a [Mon Nov 23 20:01:00 2026] b [Mon Nov 23 20:01:00 2026] c [Mon Nov 23 20:01:01 2026] d";
        assert_eq!(lines(wall).unwrap().lines().count(), 4);
    }

    #[test]
    fn lines_of_their_own_stay() {
        for text in [
            "Nov  3 10:00:00 host kernel: [    1.000001] a\n".repeat(9),
            "2026-11-03T10:00:00Z Nov  3 10:00:00 host kernel: [    1.000001] [   77]     0    77\n".repeat(9),
            "[    1.000001] a said [    1.000000] b\n[    1.000002] c\n".repeat(2),
        ] {
            assert_eq!(lines(&text), None);
        }
    }
}

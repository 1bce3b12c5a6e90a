//! Lines of a log that came into one: a chat, a cell of a table or a sentence took the line breaks away.

use memchr::memchr_iter;

use super::anchor::{anchor, Anchor};
use super::clock::bracketed;
use super::scan::head;

/// A line that holds more than this is no paste.
const LONGEST: usize = 256 * 1024;
/// So far apart may two lines in one sentence stand.
const BETWEEN: usize = 48;

/// The lines in one line: each behind its own time of the kernel's clock, or each a whole line of a report. `first`: the
/// first words in it that tell.
pub(super) fn lines<'a>(text: &'a [u8], first: &Anchor) -> Option<Vec<&'a [u8]>> {
    if text.len() > LONGEST {
        return None;
    }
    by_time(text).or_else(|| by_words(text, first))
}

fn by_time(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = memchr_iter(b'[', text)
        .filter(|&at| at == 0 || matches!(text[at - 1], b' ' | b'\t' | b'>' | b':'))
        .filter(|&at| bracketed(head(&text[at..], 48)).is_some_and(|(moment, _)| moment.usec.is_some()));
    // Nearly every line has one time alone.
    let (first, second) = (found.next()?, found.next()?);
    let times: Vec<usize> = [first, second].into_iter().chain(found).collect();
    let pieces =
        || times.iter().enumerate().map(|(at, &start)| &text[start..*times.get(at + 1).unwrap_or(&text.len())]);
    if !pieces().any(|piece| anchor(piece).is_some()) {
        return None;
    }
    let mut lines: Vec<&[u8]> = pieces().map(|piece| piece.strip_suffix(b" ").unwrap_or(piece)).collect();
    // What stands before the first time stands before that line.
    let first = lines.first().map_or(0, |line| times[0] + line.len());
    if let Some(line) = lines.first_mut() {
        *line = &text[..first];
    }
    Some(lines)
}

fn by_words<'a>(text: &'a [u8], first: &Anchor) -> Option<Vec<&'a [u8]>> {
    let (mut start, mut end, mut lines) = (0, first.end()?, Vec::new());
    while let Some(next) = anchor(&text[end..]) {
        if next.start() == 0 || next.start() > BETWEEN {
            break;
        }
        lines.push(&text[start..end]);
        start = end + next.start();
        match next.end() {
            Some(length) => end += length,
            None => {
                end = text.len();
                break;
            }
        }
    }
    if lines.is_empty() {
        return None;
    }
    lines.push(&text[start..end]);
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_that_were_lost() {
        let seen = |text: &str| {
            lines(text.as_bytes(), &anchor(text.as_bytes()).unwrap())
                .map(|lines| lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>())
        };
        let text = "a: [    1.000001] x invoked [    1.000002] CPU: 1 PID: 2 Comm: x Not [    1.000003] y";
        assert_eq!(seen(text).unwrap().len(), 3);
        let said = "it says \"Out of memory: Kill process 7 (a) score 8 or sacrifice child\" and \"Killed process 7 (a) total-vm:1kB, anon-rss:2kB, file-rss:3kB\" why?";
        assert_eq!(seen(said).unwrap()[1], "Killed process 7 (a) total-vm:1kB, anon-rss:2kB, file-rss:3kB");
        assert_eq!(seen("[    1.000001] Killed process 7 (a) total-vm:1kB, anon-rss:2kB, file-rss:3kB"), None);
    }
}

//! Where the kernel's text begins in a line of any form, told by words that nothing else begins with.

use super::kill;
use super::lines::{self, Kind};
use super::scan::{contains, digits, find, head, number, rfind, trim_end};
use super::{panic, table};

/// The kind of a line, and where it ends if that is known.
pub(super) type Told = (Kind, Option<usize>);

/// Words of a report's line that stand where its text begins, and where it ends if that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Anchor {
    pub kind: Kind,
    // Small: every line of a log has one.
    start: u32,
    end: u32,
}

impl Anchor {
    fn new(kind: Kind, start: usize, end: Option<usize>) -> Anchor {
        let short = |at: usize| u32::try_from(at).unwrap_or(0);
        Anchor { kind, start: short(start), end: end.map_or(0, short) }
    }

    pub fn start(&self) -> usize {
        self.start as usize
    }

    pub fn end(&self) -> Option<usize> {
        (self.end > 0).then_some(self.end as usize)
    }
}

/// How far into a line its kernel text is looked for.
const WIDEST: usize = 512;

/// The first place in a line where the text of a report begins beyond doubt.
pub(super) fn anchor(line: &[u8]) -> Option<Anchor> {
    let window = head(line, WIDEST);
    let mut inside = 0;
    for (at, &byte) in window.iter().enumerate() {
        let letter = LETTERS[byte as usize];
        let begins = letter & FIRST != 0 && (inside == 0 || byte == b'[');
        inside = letter & WORD;
        if begins {
            if let Some((kind, end)) = here(&line[at..]) {
                return Some(Anchor::new(kind, at, end.map(|end| at + end)));
            }
        }
    }
    None
}

fn is_word(byte: u8) -> bool {
    LETTERS[byte as usize] & WORD != 0
}

/// The first anchor in the end of a line whose own is known already; `None` where that does not tell.
pub(super) fn behind(line: &[u8], anchor: Option<Anchor>, end: &[u8]) -> Option<Option<Anchor>> {
    let at = line.len().checked_sub(end.len())?;
    let is_end = std::ptr::eq(line.as_ptr_range().end, end.as_ptr_range().end);
    let searched = line.len() <= WIDEST && (at == 0 || !is_word(line[at - 1]));
    if !is_end || !searched || anchor.is_some_and(|anchor| anchor.start() < at) {
        return None;
    }
    Some(anchor.map(|anchor| Anchor::new(anchor.kind, anchor.start() - at, anchor.end().map(|end| end - at))))
}

/// A letter that the lines of [`here`] begin with.
const FIRST: u8 = 1;
/// A letter inside of a word.
const WORD: u8 = 2;

const LETTERS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_' {
            table[byte] = WORD;
        }
        byte += 1;
    }
    let letters = b"MONKTmskoCP[H";
    let mut at = 0;
    while at < letters.len() {
        table[letters[at] as usize] |= FIRST;
        at += 1;
    }
    table
};

/// The kind of a text that begins as a line of a report does, and the length of it where that is certain.
pub(super) fn here(text: &[u8]) -> Option<Told> {
    let word = |words: &[u8]| text.starts_with(words);
    match text.first()? {
        b'M' if lines::is_stat_header(text) && matches!(text.get(19), Some(b' ' | b':')) => {
            Some((Kind::StatHeader, stat_header_end(text)))
        }
        b'M' if word(lines::PROTECTION) => Some((Kind::Protection, number_end(text, b"low protection ", b"kB"))),
        b'M' if word(lines::LIMIT_REACHED) => Some((Kind::LimitReached, None)),
        b'M' if (word(b"Mem-Info:") || word(b"Mem-info:")) && trim_end(text).len() < 16 => Some((Kind::Other, Some(9))),
        b'M' | b'O' | b'N' => victim(text),
        b'K' if word(b"Kernel panic - not syncing: Out of memory and no") => Some((Kind::NoKillable, None)),
        b'K' if panic::read(text).is_some() => Some((Kind::Panic, None)),
        b'K' => victim(text),
        b'T' if word(TITLE) => Some((Kind::TableTitle, Some(TITLE.len()))),
        b'T' if word(b"Task in /") => Some((Kind::TaskIn, None)),
        b'T' if word(b"Tasks in /") => {
            let end = find(head(text, 4096), lines::GROUP_TAIL)? + lines::GROUP_TAIL.len();
            Some((Kind::GroupTail, Some(end)))
        }
        b'm' | b's' | b'k' => {
            let name = lines::USAGES.iter().find(|name| word(name))?;
            (digits(&text[name.len()..]) > 0).then(|| (Kind::Usage, number_end(text, b"kB, failcnt ", b"")))
        }
        b'o' if lines::is_summary(text) => Some((Kind::Summary, summary_end(text))),
        b'o' if word(b"oom_reaper: ") => {
            let rest = &text[12..];
            let known = [&b"reaped process "[..], b"unable to reap pid:", b"giving up pid:"];
            let end = number_end(text, b"shmem-rss:", b"kB").or_else(|| number_end(text, b"file-rss:", b"kB"));
            known.iter().any(|words| rest.starts_with(words)).then_some((Kind::Reaper, end))
        }
        b'o' if word(b"oom_kill_process: ") && contains(head(text, 80), b" callbacks suppressed") => {
            Some((Kind::Suppressed, find(text, b" suppressed").map(|at| at + 11)))
        }
        b'C' if word(b"CPU: ") => cpu(text),
        b'C' => {
            let heading = word(b"Call Trace:") || word(b"Call trace:");
            (heading && trim_end(text).len() < 24).then_some((Kind::TraceStart, Some(11)))
        }
        b'P' => (word(b"Pid: ") && contains(head(text, 24), b", comm: ")).then_some((Kind::Cpu, None)),
        b'H' => word(b"Hardware name: ").then_some((Kind::Other, None)),
        b'[' => bracket(text),
        _ => None,
    }
}

const TITLE: &[u8] = b"Tasks state (memory values in pages):";

fn cpu(text: &[u8]) -> Option<Told> {
    let (_, rest) = number(&text[5..])?;
    let known = rest.starts_with(b" PID: ") || rest.starts_with(b" UID: ");
    (known && contains(head(rest, 64), b" Comm: ")).then_some((Kind::Cpu, None))
}

/// The table's header or one of its rows.
fn bracket(text: &[u8]) -> Option<Told> {
    if table::is_header(text) {
        let window = head(text, 256);
        return Some((Kind::TableHeader, rfind(window, b"name").map(|at| at + 4)));
    }
    table::is_row_by_itself(text).then_some((Kind::Row, None))
}

/// A line about a victim: its heading and a process, so that no sentence about an OOM is taken for it.
fn victim(text: &[u8]) -> Option<Told> {
    if text.starts_with(b"Out of memory and no killable processes") {
        let dots = text[39..].iter().position(|&byte| byte != b'.').unwrap_or(text.len() - 39);
        return Some((Kind::NoKillable, Some(39 + dots)));
    }
    let kind = kill::kind(text)?;
    let numbered = !matches!(kind, Kind::Killed) || kill::names_process(text);
    numbered.then(|| (kind, kill::end(kind, text)))
}

fn stat_header_end(text: &[u8]) -> Option<usize> {
    // The counters of kernels before 5.3 follow on the line: where they end is not known.
    let text = trim_end(text);
    (text.ends_with(b":") && !contains(text, b": cache:")).then_some(text.len())
}

/// Behind the digits that follow the last `key`, and the unit behind them.
fn number_end(text: &[u8], key: &[u8], unit: &[u8]) -> Option<usize> {
    let at = rfind(head(text, 1024), key)? + key.len();
    let length = digits(&text[at..]);
    (length > 0 && text[at + length..].starts_with(unit)).then_some(at + length + unit.len())
}

fn summary_end(text: &[u8]) -> Option<usize> {
    let at = rfind(head(text, 8192), b",uid=")? + 5;
    let length = digits(&text[at..]);
    (length > 0).then_some(at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anywhere_in_a_line() {
        let seen = |line: &str| anchor(line.as_bytes()).map(|anchor| (anchor.kind, anchor.start(), anchor.end()));
        assert_eq!(seen("a| memory: usage 1kB, limit 2kB, failcnt 3</p>"), Some((Kind::Usage, 3, Some(42))));
        assert_eq!(seen("x CPU: 1 PID: 2 Comm: a Not tainted 6.1"), Some((Kind::Cpu, 2, None)));
        assert_eq!(seen("WARNING: CPU: 1 PID: 2 at kernel/x.c:7 f+0x1/0x2"), None);
        assert_eq!(seen("n1  Memory cgroup out of memory: Kill process 7 (a) score 9 or sacrifice child."), {
            Some((Kind::KillProcess, 4, Some(78)))
        });
        assert_eq!(seen("it says Out of memory: Killed process"), None);
        assert_eq!(seen("[    1.0] [  7]     0     7  100   20  40960   0   0 a").map(|seen| seen.0), Some(Kind::Row));
        assert_eq!(seen("xmemory: usage 1kB"), None);
    }
}

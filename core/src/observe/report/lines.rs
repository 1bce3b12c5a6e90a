//! What each line of a report is.

use memchr::memchr_iter;

use super::kill;
pub(super) use super::line_kind::Kind;
use super::scan::{contains, digits, find, head, trim_end, trim_start};
use super::{panic, table, trace};

/// What the report so far lets a line be: rows need a header, counters need their heading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    pub in_report: bool,
    pub in_trace: bool,
    pub in_stat: bool,
    /// The usage stands before, and the heading of the counters may be left out.
    pub in_usage: bool,
    pub in_table: bool,
}

/// Each line that can begin or end a report has one of these words.
pub(super) const WORDS: [&[u8]; 3] = [b"oom", b"ut of memory", b"illed process"];
pub(super) const INVOKED: &[u8] = b" invoked oom-killer:";
pub(super) const SUMMARY: &[u8] = b"oom-kill:constraint=";
pub(super) const STAT_HEADER: &[u8] = b"Memory cgroup stats";
pub(super) const PROTECTION: &[u8] = b"Memory cgroup min protection ";
pub(super) const LIMIT_REACHED: &[u8] = b"Memory limit reached of cgroup ";
pub(super) const TASK_IN_MIDDLE: &[u8] = b" killed as a result of limit of ";
pub(super) const GROUP_TAIL: &[u8] = b" are going to be killed due to memory.oom.group set";
pub(super) const USAGES: [&[u8]; 4] = [b"memory: usage ", b"memory+swap: usage ", b"swap: usage ", b"kmem: usage "];

/// Where [`INVOKED`] begins; its rarest letter is searched for.
pub(super) fn invoked(text: &[u8]) -> Option<usize> {
    memchr_iter(b'v', text).filter_map(|at| at.checked_sub(3)).find(|&at| text[at..].starts_with(INVOKED))
}

/// The kind of one line. `text` may have leading blanks.
// Long: one decision, an arm for each kind of line.
pub(super) fn classify(text: &[u8], context: Context) -> Kind {
    let line = trim_start(text);
    let Some(&first) = line.first() else { return Kind::Other };
    if invoked(head(text, 256)).is_some_and(|at| is_printed(&text[..at], &text[at + INVOKED.len()..]))
        || trim_end(head(line, 64)).ends_with(b" invoked") && line.len() < 64
    {
        return Kind::Invoker;
    }
    match first {
        b'M' => {
            if is_stat_header(line) {
                return Kind::StatHeader;
            }
            if line.starts_with(PROTECTION) {
                return Kind::Protection;
            }
            if line.starts_with(trim_end(LIMIT_REACHED)) {
                return Kind::LimitReached;
            }
        }
        b'T' => {
            if line.starts_with(b"Tasks state (memory values") {
                return Kind::TableTitle;
            }
            if starts_with_word(line, b"Tasks in") && (context.in_report || contains(line, GROUP_TAIL)) {
                return Kind::GroupTail;
            }
            if starts_with_word(line, b"Task in") {
                return Kind::TaskIn;
            }
        }
        b'm' | b's' | b'k' if USAGES.iter().any(|name| line.starts_with(name)) => return Kind::Usage,
        b'o' => {
            if is_summary(line) {
                return Kind::Summary;
            }
            if line.starts_with(b"oom_reaper: ") {
                return Kind::Reaper;
            }
            if line.starts_with(b"oom killer ") && contains(head(line, 128), b" has mm pinned by ") {
                return Kind::Pinned;
            }
            if line.starts_with(b"oom_kill_process: ") && contains(head(line, 80), b" callbacks suppressed") {
                return Kind::Suppressed;
            }
        }
        b'C' | b'P' if trace::is_cpu(line) => return Kind::Cpu,
        b'C' if matches!(trim_end(line), b"Call Trace:" | b"Call trace:") => return Kind::TraceStart,
        b'[' if table::is_header(line) => return Kind::TableHeader,
        b'[' if context.in_table && table::is_row(line) => return Kind::Row,
        b'[' if table::is_row_by_itself(line) => return Kind::Row,
        _ => {}
    }
    if line.starts_with(b"Out of memory and no killable processes")
        || line.starts_with(b"Kernel panic - not syncing: Out of memory and no killable processes")
    {
        return Kind::NoKillable;
    }
    if let Some(kind) = kill::kind(line) {
        return kind;
    }
    if first == b'K' && panic::read(line).is_some() {
        return Kind::Panic;
    }
    if context.in_stat && is_stat(line) || context.in_usage && is_counter(line) {
        return Kind::Stat;
    }
    if context.in_trace && trace::may_be_frame(line) && trace::has_frame(line) {
        return Kind::Frame;
    }
    if context.in_report && is_cpuset(line) {
        return Kind::Cpuset;
    }
    Kind::Other
}

/// Whether what follows the words about an invoker is the kernel's: a program that looks for them has a mark there.
fn is_printed(before: &[u8], behind: &[u8]) -> bool {
    let behind = trim_start(behind);
    // What is no name may stand before the kernel's words, but not instead of them.
    let shown =
        trim_start(before).len() <= COMM || !behind.starts_with(b"gfp_mask=") || behind.len() > b"gfp_mask=".len();
    shown && behind.first().is_none_or(|byte| !byte.is_ascii_punctuation() || *byte == b'.')
}

/// Names of tasks have at most this many bytes.
const COMM: usize = 15;

/// The end of the name in `comm invoked oom-killer` and nothing else, as whoever quotes a line shortens it.
pub(super) fn bare_invoker(line: &[u8]) -> Option<usize> {
    let comm = trim_end(line).strip_suffix(&INVOKED[..INVOKED.len() - 1])?;
    (1..=15).contains(&trim_start(comm).len()).then_some(comm.len())
}

/// Not the format that a source of the kernel prints it by.
pub(super) fn is_summary(line: &[u8]) -> bool {
    line.strip_prefix(SUMMARY).is_some_and(|rest| rest.first() != Some(&b'%'))
}

/// Its path begins with a slash, or is told to be missing.
pub(super) fn is_stat_header(line: &[u8]) -> bool {
    line.strip_prefix(STAT_HEADER).is_some_and(|rest| {
        let path = trim_start(rest.strip_prefix(b" for").unwrap_or(rest));
        match path {
            // `(null)`, and not what a program looks for.
            [b'(', letter, ..] => letter.is_ascii_lowercase(),
            [first, ..] => matches!(first, b'/' | b'(' | b':'),
            [] => true,
        }
    })
}

/// `start` and then a blank or nothing: a fragment may end there.
fn starts_with_word(line: &[u8], start: &[u8]) -> bool {
    line.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(b" /") || rest == b" ")
}

/// `<comm> cpuset=<name> mems_allowed=<list>`, also when only its first piece is there.
fn is_cpuset(line: &[u8]) -> bool {
    find(head(line, 48), b" cpuset=").is_some_and(|at| {
        let rest = &line[at + 8..];
        at <= 16 && (rest.is_empty() || contains(rest, b" mems_allowed=") || !rest.contains(&b' '))
    })
}

/// `key number`, or several such lines in one record.
pub(super) fn is_stat(line: &[u8]) -> bool {
    let first = line.split(|&byte| byte == b'\n').next().unwrap_or(line);
    stat_pair(first).is_some()
}

/// The same where no heading tells: a name of two words.
fn is_counter(line: &[u8]) -> bool {
    stat_pair(line).is_some_and(|(key, _)| key.contains(&b'_'))
}

/// One `key number` line.
pub(super) fn stat_pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = trim_end(trim_start(line));
    let at = head(line, 64).iter().position(|&byte| byte == b' ')?;
    let (key, value) = (&line[..at], &line[at + 1..]);
    let named = key.first().is_some_and(u8::is_ascii_lowercase)
        && key.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_');
    (named && !value.is_empty() && digits(value) == value.len()).then_some((key, value))
}

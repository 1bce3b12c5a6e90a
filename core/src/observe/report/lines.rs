//! What each line of a report is, when it is whole, and which later piece may complete it.

use super::kill;
use super::scan::{contains, digits, find, head, number, rfind, tail, trim_end, trim_start};
use super::{table, trace};

/// The kinds of line, in the order in which a report prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Suppressed,
    Invoker,
    Cpuset,
    Cpu,
    TraceStart,
    Frame,
    TaskIn,
    LimitReached,
    Usage,
    StatHeader,
    Stat,
    Protection,
    TableTitle,
    TableHeader,
    Row,
    Summary,
    KillProcess,
    Exiting,
    Killed,
    SharedMemory,
    Pinned,
    GroupTail,
    NoKillable,
    Reaper,
    Other,
}

/// What is to be known of a kind of line.
struct Facts {
    /// How far a report has come with such a line; numbers only grow within one report.
    progress: u8,
    /// Whether the kernel prints it in pieces, between which lines of other CPUs may fall.
    in_pieces: bool,
    /// Whether it tells enough to be the beginning of a report whose first lines are lost.
    begins: bool,
    /// The field of the report that is lost when it is cut.
    field: &'static str,
}

const fn facts(progress: u8, in_pieces: bool, begins: bool, field: &'static str) -> Facts {
    Facts { progress, in_pieces, begins, field }
}

const PIECES: bool = true;
const WHOLE: bool = false;
const BEGINS: bool = true;
const GOES_ON: bool = false;

/// In the order of [`Kind`].
const FACTS: [Facts; 25] = [
    facts(0, WHOLE, GOES_ON, "suppressed_before"),
    facts(0, PIECES, BEGINS, "invoker"),
    facts(1, PIECES, GOES_ON, "cpuset"),
    facts(1, WHOLE, GOES_ON, "release"),
    facts(1, WHOLE, GOES_ON, "call_trace"),
    facts(1, WHOLE, GOES_ON, "call_trace"),
    facts(2, PIECES, BEGINS, "oom_memcg"),
    facts(2, PIECES, BEGINS, "oom_memcg"),
    facts(3, WHOLE, BEGINS, "memory"),
    facts(4, PIECES, BEGINS, "oom_memcg"),
    facts(4, WHOLE, GOES_ON, "stat"),
    facts(5, WHOLE, GOES_ON, "protection"),
    facts(6, WHOLE, BEGINS, "tasks"),
    facts(6, WHOLE, BEGINS, "tasks"),
    facts(6, WHOLE, BEGINS, "tasks"),
    facts(7, PIECES, BEGINS, "task_memcg"),
    facts(8, WHOLE, BEGINS, "sacrifice"),
    facts(9, WHOLE, BEGINS, "already_exiting"),
    facts(9, WHOLE, BEGINS, "kills"),
    facts(9, WHOLE, GOES_ON, "shared_memory"),
    facts(9, WHOLE, GOES_ON, "pinned"),
    facts(10, PIECES, BEGINS, "group_kill"),
    facts(11, WHOLE, BEGINS, "report"),
    facts(0, WHOLE, GOES_ON, "reaper"),
    facts(0, WHOLE, GOES_ON, "report"),
];

impl Kind {
    /// How far a report has come with a line of this kind; numbers only grow within one report.
    pub fn progress(self) -> u8 {
        FACTS[self as usize].progress
    }

    /// Whether the kernel prints the line in pieces, between which lines of other CPUs may fall.
    pub fn in_pieces(self) -> bool {
        FACTS[self as usize].in_pieces
    }

    /// Whether a line tells enough to be the beginning of a report whose first lines are lost.
    pub fn begins(self) -> bool {
        FACTS[self as usize].begins
    }

    /// The field of the report that is lost when the line is cut.
    pub fn field(self) -> &'static str {
        FACTS[self as usize].field
    }
}

/// What the report so far lets a line be: rows need a header, counters need their heading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    pub in_report: bool,
    pub in_trace: bool,
    pub in_stat: bool,
    pub in_table: bool,
}

pub(super) const INVOKED: &[u8] = b" invoked oom-killer:";
pub(super) const SUMMARY: &[u8] = b"oom-kill:constraint=";
pub(super) const STAT_HEADER: &[u8] = b"Memory cgroup stats";
pub(super) const PROTECTION: &[u8] = b"Memory cgroup min protection ";
pub(super) const LIMIT_REACHED: &[u8] = b"Memory limit reached of cgroup ";
pub(super) const TASK_IN_MIDDLE: &[u8] = b" killed as a result of limit of ";
pub(super) const GROUP_TAIL: &[u8] = b" are going to be killed due to memory.oom.group set";
pub(super) const USAGES: [&[u8]; 4] = [b"memory: usage ", b"memory+swap: usage ", b"swap: usage ", b"kmem: usage "];

/// The kind of one line. `text` may have leading blanks.
pub(super) fn classify(text: &[u8], context: Context) -> Kind {
    let line = trim_start(text);
    let Some(&first) = line.first() else { return Kind::Other };
    if find(head(text, 256), INVOKED).is_some() || trim_end(head(line, 64)).ends_with(b" invoked") && line.len() < 64 {
        return Kind::Invoker;
    }
    match first {
        b'M' => {
            if line.starts_with(STAT_HEADER) {
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
            if line.starts_with(SUMMARY) {
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
    if context.in_stat && is_stat(line) {
        return Kind::Stat;
    }
    if context.in_trace && line.contains(&b'+') && trace::frame(line).is_some() {
        return Kind::Frame;
    }
    if context.in_report && is_cpuset(line) {
        return Kind::Cpuset;
    }
    Kind::Other
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

/// One `key number` line.
pub(super) fn stat_pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = trim_end(trim_start(line));
    let at = head(line, 64).iter().position(|&byte| byte == b' ')?;
    let (key, value) = (&line[..at], &line[at + 1..]);
    let named = key.first().is_some_and(u8::is_ascii_lowercase)
        && key.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_');
    (named && !value.is_empty() && digits(value) == value.len()).then_some((key, value))
}

/// A piece longer than this stops being joined: no kernel line is that long.
const LONGEST: usize = 16 * 1024;

/// Whether a line that was begun needs nothing more.
pub(super) fn complete(kind: Kind, buffer: &[u8], columns: usize) -> bool {
    if buffer.len() > LONGEST {
        return true;
    }
    let end = trim_end(tail(buffer, 96));
    match kind {
        Kind::Invoker => ends_with_number(end, b"oom_score_adj=") || ends_with_old_adj(end),
        Kind::Cpuset => rfind(head(buffer, 512), b" mems_allowed=").is_some_and(|at| buffer.len() > at + 14),
        Kind::TaskIn => find(buffer, TASK_IN_MIDDLE).is_some_and(|at| buffer.len() > at + TASK_IN_MIDDLE.len()),
        Kind::LimitReached => trim_end(buffer).len() > LIMIT_REACHED.len(),
        Kind::Usage => ends_with_number(end, b"failcnt "),
        // A heading that ends with its colon stays open: before 5.3 the counters follow on the same line.
        Kind::StatHeader => ends_with_unit(end, b"unevictable:"),
        Kind::Summary => {
            let digits_at_end = end.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            digits_at_end > 0 && end[..end.len() - digits_at_end].ends_with(b",uid=") && contains(end, b",pid=")
        }
        Kind::GroupTail => contains(tail(buffer, 96), GROUP_TAIL),
        Kind::TableHeader => end.ends_with(b" name"),
        Kind::Row => table::cells(buffer) > columns,
        Kind::Cpu => trace::release(buffer).is_some(),
        Kind::Killed => kill::is_complete(buffer),
        Kind::KillProcess => kill::end(Kind::KillProcess, buffer).is_some(),
        Kind::Protection => contains(buffer, b"low protection ") && contains(end, b"kB"),
        _ => true,
    }
}

/// Before 2.6.36 an invoker is printed with the older adjustment, -17 to 15, under the one or the other name.
pub(super) fn ends_with_old_adj(text: &[u8]) -> bool {
    let end = trim_end(tail(text, 32));
    ends_with_number(end, b" oom_adj=") || ends_with_number(end, b" oomkilladj=")
}

fn ends_with_number(text: &[u8], key: &[u8]) -> bool {
    rfind(text, key).is_some_and(|at| {
        let value = &text[at + key.len()..];
        let value = value.strip_prefix(b"-").unwrap_or(value);
        !value.is_empty() && digits(value) == value.len()
    })
}

fn ends_with_unit(text: &[u8], key: &[u8]) -> bool {
    text.strip_suffix(b"KB").or_else(|| text.strip_suffix(b"kB")).is_some_and(|text| ends_with_number(text, key))
}

/// Whether `piece` can be the next part of a begun line. `fragment`: the kernel flagged it as one.
pub(super) fn continues(kind: Kind, buffer: &[u8], piece: &[u8], fragment: bool) -> bool {
    let end = trim_end(buffer);
    let start = trim_start(piece);
    // A piece printed with %s of a path or of a name; without the kernel's flag it must look like one.
    let path = fragment
        || start.first() == Some(&b'/')
        || start.starts_with(b"(name too long)")
        || start.starts_with(b"(error)");
    let name = path || (!start.is_empty() && !start.contains(&b' ') && start.len() <= 255);
    match kind {
        Kind::Invoker => {
            (end.ends_with(b"nodemask=") && (fragment || start.starts_with(b"(null)") || digits(start) > 0))
                || (end.ends_with(b" invoked") && start.starts_with(b"oom-killer: "))
                || [&b","[..], b"gfp_mask=", b"nodemask=", b"order=", b"oom_score_adj=", b"oom_adj=", b"oomkilladj="]
                    .iter()
                    .any(|key| start.starts_with(key))
                || (end.ends_with(b"=") && (digits(start) > 0 || start.first() == Some(&b'-')))
        }
        Kind::Cpuset => {
            (end.ends_with(b" cpuset=") && name)
                || start.starts_with(b"mems_allowed=")
                || (end.ends_with(b" mems_allowed=") && name)
        }
        Kind::TaskIn => {
            (path && (end.ends_with(b"Task in") || end.ends_with(b" limit of")))
                || start.starts_with(b"killed as a result")
                || start.starts_with(b"as a result of limit of ")
                || start.starts_with(b"limit of ")
        }
        Kind::LimitReached => path,
        Kind::StatHeader => {
            (end.ends_with(b" for") && path) || start.starts_with(b":") || (!start.is_empty() && is_legacy_pairs(start))
        }
        Kind::Summary => {
            (start.starts_with(b",") && summary_key(start))
                || (end.ends_with(b"memcg=") && path)
                || (end.ends_with(b",cpuset=") && name)
                || (end.ends_with(b"=") && fragment)
                || (end.ends_with(b",") && summary_key(&[b",", start].concat()[..]))
                // A name with a newline in it, printed by something that does not mark the second line.
                || (!fragment && contains(tail(buffer, 40), b",task=") && contains(tail(start, 40), b",pid="))
                || (end.ends_with(b",nodemask=") && (start.starts_with(b"(null)") || digits(start) > 0))
        }
        Kind::GroupTail => {
            (end.ends_with(b"Tasks in") && path)
                || start.starts_with(b"are going to be killed due to ")
                || GROUP_TAIL
                    .split(|&byte| byte == b' ')
                    .skip(2)
                    .any(|word| start.starts_with(word) && !fragment && !word.is_empty())
        }
        Kind::Usage => {
            start.starts_with(b"limit ")
                || start.starts_with(b"failcnt ")
                || (digits(start) > 0
                    && (end.ends_with(b"failcnt") || end.ends_with(b"limit") || end.ends_with(b"usage")))
        }
        _ => false,
    }
}

/// `name:NKB` words of the stats before 5.3.
fn is_legacy_pairs(text: &[u8]) -> bool {
    let word = text.split(|&byte| byte == b' ').next().unwrap_or(text);
    word.iter()
        .position(|&byte| byte == b':')
        .is_some_and(|at| at > 0 && number(&word[at + 1..]).is_some_and(|(_, unit)| matches!(unit, b"KB" | b"kB")))
}

fn summary_key(piece: &[u8]) -> bool {
    const KEYS: [&[u8]; 9] = [
        b",nodemask=",
        b",cpuset=",
        b",mems_allowed=",
        b",oom_memcg=",
        b",global_oom",
        b",task_memcg=",
        b",task=",
        b",pid=",
        b",uid=",
    ];
    KEYS.iter().any(|key| piece.starts_with(key))
}

/// Whether `piece`, a line without any prefix, is the rest of `buffer` after a mail program broke it at a blank.
pub(super) fn wrapped(kind: Kind, buffer: &[u8], piece: &[u8], columns: usize) -> bool {
    let start = trim_start(piece);
    match kind {
        Kind::Killed => kill::is_rest(buffer, start),
        Kind::Row => {
            let missing = columns.saturating_sub(table::cells(buffer));
            if missing == 0 {
                // Only the name is missing.
                !start.is_empty() && start.len() <= 15
            } else {
                number(start.strip_prefix(b"-").unwrap_or(start)).is_some()
            }
        }
        Kind::TableHeader => table::is_header_rest(start),
        Kind::Cpu => {
            !start.is_empty() && start.len() < 160 && trace::release(&[buffer, b" ", start].concat()).is_some()
        }
        Kind::KillProcess => {
            [&b"score "[..], b"or ", b"sacrifice ", b"child", b"("].iter().any(|word| start.starts_with(word))
        }
        Kind::Protection => {
            [&b"--"[..], b"low ", b"protection "].iter().any(|word| start.starts_with(word)) || digits(start) > 0
        }
        _ => continues(kind, buffer, piece, false),
    }
}

/// Puts two pieces together: fragments as they are, wrapped lines with the blank that the wrap ate.
pub(super) fn join(kind: Kind, buffer: &mut Vec<u8>, piece: &[u8], fragment: bool) {
    if fragment {
        buffer.extend_from_slice(piece);
        return;
    }
    // Text loggers cut trailing blanks.
    let after_word =
        buffer.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b')' | b'-' | b']'))
            || (matches!(kind, Kind::Killed | Kind::Invoker | Kind::Usage) && buffer.last() == Some(&b','));
    let glued = matches!(piece.first(), Some(b' ' | b',' | b':'));
    if kind == Kind::Summary && contains(tail(buffer, 40), b",task=") && !piece.starts_with(b",") {
        buffer.push(b'\n');
    } else if after_word && !glued {
        buffer.push(b' ');
    }
    buffer.extend_from_slice(piece);
}

//! When a line of a report is whole, which later piece may complete it, and how the two are put together.

use super::lines::{Kind, GROUP_TAIL, LIMIT_REACHED, TASK_IN_MIDDLE};
use super::scan::{contains, digits, find, head, number, rfind, tail, trim_end, trim_start};
use super::{kill, table, trace};

/// A piece longer than this stops being joined: no kernel line is that long.
const LONGEST: usize = 16 * 1024;

/// Whether a line that was begun needs nothing more.
pub(super) fn complete(kind: Kind, buffer: &[u8], columns: usize) -> bool {
    if buffer.len() > LONGEST {
        return true;
    }
    // A policy of a BPF program has a line of its own in the message about the invoker.
    let first = match find(buffer, b"\noom_policy=").filter(|_| kind == Kind::Invoker) {
        Some(at) => &buffer[..at],
        None => buffer,
    };
    let end = trim_end(tail(first, 96));
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
            let joined = [trim_end(buffer), b" ", start].concat();
            !start.is_empty() && start.len() < 160 && trace::release(&joined).is_some()
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
    let glued = matches!(piece.first(), Some(b' ' | b',' | b':')) || (kind == Kind::Killed && buffer.ends_with(b"-"));
    if kind == Kind::Summary && contains(tail(buffer, 40), b",task=") && !piece.starts_with(b",") {
        buffer.push(b'\n');
    } else if after_word && !glued {
        buffer.push(b' ');
    }
    buffer.extend_from_slice(piece);
}

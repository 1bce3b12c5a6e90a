//! The lines about victims: chosen, killed, reaped, spared.

use super::line_kind::Kind;
use super::scan::{contains, digits, find, head, number, rfind, rsplit, signed, split, tail, trim_end, trim_start};
use super::{Kill, Process, Reaped, Sacrifice, Scope};

/// What a kill line begins with. 2.6.18 prints the second with a large M, and the last two where a memory policy or a cpuset
/// confined the task: then the machine's memory was out.
const HEADINGS: [(&[u8], Scope); 6] = [
    // A container of OpenVZ, whose limit is that of its beancounter.
    (b"Out of memory in UB", Scope::Memcg),
    (b"Memory cgroup out of memory", Scope::Memcg),
    (b"Out of memory", Scope::Global),
    (b"Out of Memory", Scope::Global),
    (b"No available memory (MPOL_BIND)", Scope::Global),
    (b"No available memory in cpuset", Scope::Global),
];

/// The words before the first `: ` of a kill line, and whose memory they say was out.
fn heading(line: &[u8]) -> (Option<Scope>, &[u8]) {
    let line = trim_start(line);
    for (start, scope) in HEADINGS {
        if let Some(rest) = line.strip_prefix(start) {
            // "Out of memory (oom_kill_allocating_task): …"
            let end = split(head(rest, 64), b": ").map(|(words, _)| words.len() + 2);
            if let Some((_, rest)) = end.map(|end| rest.split_at(end)) {
                return (Some(scope), rest);
            }
        }
    }
    (None, line)
}

/// The kind of a line about a victim.
pub(super) fn kind(line: &[u8]) -> Option<Kind> {
    let (scope, rest) = heading(line);
    if scope.is_some() && rest == b"Killed process" {
        return Some(Kind::Killed);
    }
    if let Some(after) = killed_process(rest) {
        let numbered = digits(after) > 0;
        let after = &after[digits(after)..];
        // A wrap may have taken what follows the number.
        return (numbered && (is_named(after) || after.is_empty() && scope.is_some())).then_some(Kind::Killed);
    }
    if let Some(after) = kill_process(rest) {
        let numbered = digits(after) > 0;
        return if numbered && contains(head(after, 128), b") sharing same memory") {
            Some(Kind::SharedMemory)
        } else {
            (numbered && scope.is_some()).then_some(Kind::KillProcess)
        };
    }
    (scope.is_some() && rest.starts_with(b"OOM victim ")).then_some(Kind::Exiting)
}

/// What follows `Killed process `, in the kernel of OpenVZ `OOM killed process `.
fn killed_process(rest: &[u8]) -> Option<&[u8]> {
    rest.strip_prefix(b"Killed process ").or_else(|| rest.strip_prefix(b"OOM killed process "))
}

/// What follows `Kill process `, before 2.6.36 `kill process `.
fn kill_process(rest: &[u8]) -> Option<&[u8]> {
    rest.strip_prefix(b"Kill process ").or_else(|| rest.strip_prefix(b"kill process "))
}

/// Whether a kill line names its process, and not only its number.
pub(super) fn names_process(line: &[u8]) -> bool {
    let (_, rest) = heading(line);
    killed_process(rest).is_some_and(|after| is_named(&after[digits(after)..]))
}

/// Whether a name follows the number of a process, and not the format that a source prints it by. A page may have lost the
/// blank.
fn is_named(after: &[u8]) -> bool {
    let name = after.strip_prefix(b" ").unwrap_or(after);
    name.starts_with(b"(") && !name.starts_with(b"(%s)") || after.starts_with(b", UID ")
}

/// Where a whole line of this kind ends.
pub(super) fn end(kind: Kind, line: &[u8]) -> Option<usize> {
    let window = head(line, 1024);
    let words = |words: &[u8]| rfind(window, words).map(|at| at + words.len());
    // More sizes would follow a comma, or these words.
    let last = |end: &usize| !line[*end..].starts_with(b",") && !line[*end..].starts_with(b" pgtables:");
    match kind {
        Kind::Killed => {
            let number = |key: &[u8], unit: &[u8]| {
                let at = rfind(window, key)? + key.len();
                let at = at + usize::from(window.get(at) == Some(&b'-'));
                let length = digits(&window[at..]);
                (length > 0 && window[at + length..].starts_with(unit)).then_some(at + length + unit.len())
            };
            number(b"oom_score_adj:", b"")
                .or_else(|| number(b"shmem-rss:", b"kB, UID:").and_then(|_| number(b"UID:", b"")))
                .or_else(|| number(b"shmem-rss:", b"kB"))
                .or_else(|| number(b"file-rss:", b"kB"))
                .filter(last)
                .or_else(|| sizeless_end(line))
        }
        Kind::KillProcess => {
            words(b" or sacrifice child").or_else(|| words(b" or a child")).or_else(|| words(b" and children"))
        }
        Kind::SharedMemory => words(b" sharing same memory"),
        Kind::Exiting => words(b" Skip killing the task"),
        _ => None,
    }
}

/// The end of a kill line of a kernel that prints no sizes (before 2.6.33): behind the name.
fn sizeless_end(line: &[u8]) -> Option<usize> {
    let text = trim_end(line);
    let text = text.strip_suffix(b".").unwrap_or(text);
    text.ends_with(b")").then_some(text.len())
}

/// Names of tasks have at most this many bytes.
const COMM: usize = 15;

/// A name without what follows it, if it is longer than any: whoever quotes the line goes on behind it.
fn bounded(name: &[u8]) -> &[u8] {
    if name.len() <= COMM {
        return name;
    }
    let ends = |at: &usize| name[*at] == b')' && name[at + 1] != b')';
    (0..=COMM).find(ends).map_or(name, |at| &name[..at])
}

/// Whether a kill line has the last of the fields that any kernel prints.
pub(super) fn is_complete(line: &[u8]) -> bool {
    rfind(tail(trim_end(line), 32), b"oom_score_adj:").is_some()
}

/// Whether `start` is what a wrap cut off a kill line.
pub(super) fn is_rest(line: &[u8], start: &[u8]) -> bool {
    const KEYS: [&[u8]; 8] =
        [b"total-vm:", b"anon-rss:", b"file-rss:", b"shmem-rss:", b"UID:", b"pgtables:", b"oom_score_adj:", b"UID "];
    // Mail programs break a key at its hyphen, and what follows a key.
    let parted = |key: &[u8]| {
        let broken = key.iter().position(|&byte| byte == b'-').map(|at| key.split_at(at + 1));
        broken.is_some_and(|(one, other)| line.ends_with(one) && start.starts_with(other))
            || line.ends_with(key) && digits(start.strip_prefix(b"-").unwrap_or(start)) > 0
    };
    KEYS.iter().any(|key| start.starts_with(key) || parted(key))
        || (!contains(line, b"total-vm:") && contains(head(start, 64), b") total-vm:"))
        || (find(line, b" (").is_none() && start.starts_with(b"("))
        || (line.ends_with(b"Killed process") && digits(start) > 0)
}

/// A kill, whose memory was out, and the names of fields that are there but cannot be read.
pub(super) struct Killed {
    pub kill: Kill,
    pub scope: Option<Scope>,
    pub unread: Vec<&'static str>,
}

/// Reads a `Killed process` line of any kernel; `None` without a pid.
pub(super) fn killed(line: &[u8]) -> Option<Killed> {
    let (scope, rest) = heading(line);
    let (pid, after) = number(killed_process(rest)?)?;
    let pid = i32::try_from(pid).ok()?;
    let mut unread = Vec::new();
    // The name is free text: it ends where the sizes begin, read from the right. 2.6.33 calls the first of them vsz.
    let at = rfind(after, b"total-vm:").or_else(|| rfind(after, b") vsz:").map(|at| at + 2));
    let (names, sizes) = match at.or_else(|| container_sizes(after)) {
        Some(at) => (&after[..at], &after[at..]),
        None => (after, &b""[..]),
    };
    let (comm, uid_before) = name(names);
    let size = |key: &'static str, unread: &mut Vec<&'static str>| {
        let (_, value) = split(sizes, key.as_bytes())?;
        let bytes = number(trim_start(value))
            .filter(|(_, unit)| unit.starts_with(b"kB"))
            .and_then(|(kib, _)| kib.checked_mul(1024));
        if bytes.is_none() {
            unread.push(key);
        }
        bytes
    };
    let total_vm_bytes = ["total-vm:", "vsz:", " vm:"].into_iter().find_map(|key| size(key, &mut unread));
    let anon_rss_bytes = size("anon-rss:", &mut unread);
    let file_rss_bytes = size("file-rss:", &mut unread);
    let shmem_rss_bytes = size("shmem-rss:", &mut unread);
    let pgtables_bytes = size("pgtables:", &mut unread);
    let uid = split(sizes, b"UID:").and_then(|(_, value)| number(value)).map_or(uid_before, |(uid, _)| Some(uid));
    let adj =
        split(sizes, b"oom_score_adj:").map(|(_, value)| signed(value).and_then(|(adj, _)| i32::try_from(adj).ok()));
    if adj == Some(None) {
        unread.push("oom_score_adj:");
    }
    let uid = uid.and_then(|uid| u32::try_from(uid).map_err(|_| unread.push("UID:")).ok());
    // Before 2.6.33 nothing follows the name; since 5.1 a line with the heading always has the sizes.
    let sizeless = sizeless_end(names).is_some()
        && (scope.is_none() || names.starts_with(b", UID ") || line_is_old(names) || has_old_heading(line));
    if sizes.is_empty() && !sizeless {
        if sizeless_end(without_dots(names)).is_none() {
            unread.push("the name");
        }
        unread.push("total-vm:");
    }
    let kill = Kill {
        pid,
        comm,
        uid,
        total_vm_bytes,
        anon_rss_bytes,
        file_rss_bytes,
        shmem_rss_bytes,
        pgtables_bytes,
        oom_score_adj: adj.flatten(),
    };
    Some(Killed { kill, scope, unread })
}

/// Where the sizes of OpenVZ's line begin: ` (comm) score 0 vm:1kB, rss:2kB, swap:0kB`.
fn container_sizes(after: &[u8]) -> Option<usize> {
    let at = rfind(after, b") score ")? + 1;
    contains(&after[at..], b" vm:").then_some(at)
}

/// With this letter only kernels begin a line that print no sizes.
fn has_old_heading(line: &[u8]) -> bool {
    trim_start(line).starts_with(b"Out of Memory")
}

/// 2.6.18 ends its line with a full stop.
fn line_is_old(names: &[u8]) -> bool {
    trim_end(names).ends_with(b").")
}

/// Without the dots that whoever quotes a line puts in place of its end.
fn without_dots(text: &[u8]) -> &[u8] {
    let dots = |byte: &u8| b". []\xe2\x80\xa6".contains(byte);
    let end = text.iter().rposition(|byte| !dots(byte)).map_or(0, |at| at + 1);
    if end > 0 && text[end - 1] == b')' && contains(&text[end..], b" ") {
        &text[..end]
    } else {
        text
    }
}

/// ` (comm) `, el7's ` (comm), UID 0, ` and el6's `, UID 0, (comm) `.
fn name(text: &[u8]) -> (Vec<u8>, Option<u64>) {
    let text = without_dots(trim_end(text));
    // 2.6.18: `Killed process 12 (comm).`
    let mut text = text.strip_suffix(b").").map_or(text, |_| &text[..text.len() - 1]);
    let mut uid = None;
    if let Some((before, after)) = rsplit(text, b", UID ") {
        if let Some((value, rest)) = number(after) {
            if rest == b"," && before.ends_with(b")") {
                (uid, text) = (Some(value), before);
            }
        }
    }
    if let Some(after) = text.strip_prefix(b", UID ") {
        if let Some((value, rest)) = number(after) {
            if let Some(rest) = rest.strip_prefix(b",") {
                (uid, text) = (Some(value), rest);
            }
        }
    }
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let text = text.strip_prefix(b"(").unwrap_or(text);
    (bounded(text.strip_suffix(b")").unwrap_or(text)).to_vec(), uid)
}

/// `Kill process 12 (comm) score 34 or sacrifice child`
pub(super) fn sacrifice(line: &[u8]) -> Option<(Sacrifice, Option<Scope>)> {
    let (scope, rest) = heading(line);
    let (pid, after) = number(kill_process(rest)?)?;
    let (names, score) = rsplit(after, b" score ").unwrap_or((after, b""));
    if !trim_start(names).starts_with(b"(") {
        return None;
    }
    let (comm, _) = name(names);
    let score = signed(score).map(|(score, _)| score);
    Some((Sacrifice { pid: i32::try_from(pid).ok()?, comm, score }, scope))
}

/// `Kill process 12 (comm) sharing same memory`
pub(super) fn sharing(line: &[u8]) -> Option<Process> {
    let (_, rest) = heading(line);
    let (pid, after) = number(rest.strip_prefix(b"Kill process ")?)?;
    let (names, _) = rsplit(after, b" sharing same memory")?;
    Some(Process { pid: i32::try_from(pid).ok()?, comm: name(names).0 })
}

/// `OOM victim 12 (comm) is already exiting. Skip killing the task`
pub(super) fn exiting(line: &[u8]) -> Option<Process> {
    let (_, rest) = heading(line);
    let (pid, after) = number(rest.strip_prefix(b"OOM victim ")?)?;
    let (names, _) = rsplit(after, b" is already exiting")?;
    Some(Process { pid: i32::try_from(pid).ok()?, comm: name(names).0 })
}

/// `oom killer 12 (comm) has mm pinned by 13 (comm)`: the one whose memory is pinned, and by whom.
pub(super) fn pinned(line: &[u8]) -> Option<(Process, Process)> {
    let process = |text: &[u8]| -> Option<Process> {
        let (pid, names) = number(text)?;
        Some(Process { pid: i32::try_from(pid).ok()?, comm: name(names).0 })
    };
    let (victim, by) = rsplit(trim_start(line).strip_prefix(b"oom killer ")?, b" has mm pinned by ")?;
    Some((process(victim)?, process(by)?))
}

/// A line of the reaper.
pub(super) fn reaper(line: &[u8]) -> Option<Reaped> {
    let rest = trim_start(line).strip_prefix(b"oom_reaper: ")?;
    if let Some(after) = rest.strip_prefix(b"reaped process ") {
        let (pid, after) = number(after)?;
        let (names, sizes) = rsplit(after, b", now anon-rss:")?;
        let size = |text: &[u8]| number(text).and_then(|(kib, _)| kib.checked_mul(1024));
        return Some(Reaped {
            pid: i32::try_from(pid).ok()?,
            comm: name(names).0,
            reaped: true,
            anon_rss_bytes: size(sizes),
            file_rss_bytes: split(sizes, b"file-rss:").and_then(|(_, value)| size(value)),
            shmem_rss_bytes: split(sizes, b"shmem-rss:").and_then(|(_, value)| size(value)),
        });
    }
    let after = rest.strip_prefix(b"unable to reap pid:").or_else(|| rest.strip_prefix(b"giving up pid:"))?;
    let (pid, names) = number(after)?;
    Some(Reaped {
        pid: i32::try_from(pid).ok()?,
        comm: name(names).0,
        reaped: false,
        anon_rss_bytes: None,
        file_rss_bytes: None,
        shmem_rss_bytes: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kill_lines_of_all_kernels() {
        let read = |line: &[u8]| {
            assert_eq!(kind(line), Some(Kind::Killed), "{}", String::from_utf8_lossy(line));
            killed(line).unwrap()
        };
        let el6 = read(b"Killed process 12, UID 48, (httpd) total-vm:1kB, anon-rss:2kB, file-rss:3kB");
        assert_eq!(
            (el6.kill.uid, el6.kill.comm.as_slice(), el6.kill.file_rss_bytes),
            (Some(48), &b"httpd"[..], Some(3072))
        );
        let el7 = read(b"Killed process 12 (a) b), UID 48, total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB");
        assert_eq!(
            (el7.kill.uid, el7.kill.comm.as_slice(), el7.kill.shmem_rss_bytes),
            (Some(48), &b"a) b"[..], Some(4096))
        );
        assert_eq!(el7.scope, None);
        let new = read(b"Out of memory: Killed process 7 (x) total-vm:1k) total-vm:5kB, anon-rss:0kB, file-rss:0kB, shmem-rss:0kB, UID:9 pgtables:8kB oom_score_adj:-5");
        assert_eq!(
            (new.kill.comm.as_slice(), new.kill.total_vm_bytes, new.kill.pgtables_bytes),
            (&b"x) total-vm:1k"[..], Some(5120), Some(8192))
        );
        assert_eq!((new.kill.uid, new.kill.oom_score_adj, new.scope), (Some(9), Some(-5), Some(Scope::Global)));
        assert!(new.unread.is_empty());
        let allocating = read(b"Out of memory (oom_kill_allocating_task): Killed process 7 () total-vm:1kB");
        assert_eq!((allocating.kill.comm.as_slice(), allocating.scope), (&b""[..], Some(Scope::Global)));
    }

    #[test]
    fn numbers_too_large_are_named() {
        let read = killed(b"Memory cgroup out of memory: Killed process 7 (x) total-vm:99999999999999999999kB, anon-rss:18446744073709551615kB, UID:4294967296 oom_score_adj:x").unwrap();
        assert_eq!(read.unread, ["total-vm:", "anon-rss:", "oom_score_adj:", "UID:"]);
        assert!(killed(b"Killed process 2147483648 (x) total-vm:1kB").is_none());
    }

    #[test]
    fn the_other_lines() {
        let (sacrifice, scope) =
            sacrifice(b"Memory cgroup out of memory: Kill process 5 (a score b) score 1930 or sacrifice child")
                .unwrap();
        assert_eq!(
            (sacrifice.pid, sacrifice.comm.as_slice(), sacrifice.score, scope),
            (5, &b"a score b"[..], Some(1930), Some(Scope::Memcg))
        );
        assert_eq!(sharing(b"Kill process 6 (x) sharing same memory").unwrap().pid, 6);
        assert_eq!(
            exiting(b"Memory cgroup out of memory: OOM victim 9 (z) is already exiting. Skip killing the task")
                .unwrap()
                .comm,
            b"z"
        );
        assert_eq!(pinned(b"oom killer 1 (a) has mm pinned by 2 (b)").unwrap().1.pid, 2);
        let reaped =
            reaper(b"oom_reaper: reaped process 95 (a, now), now anon-rss:0kB, file-rss:1kB, shmem-rss:324kB").unwrap();
        assert_eq!(
            (reaped.comm.as_slice(), reaped.file_rss_bytes, reaped.shmem_rss_bytes),
            (&b"a, now"[..], Some(1024), Some(331_776))
        );
        assert!(!reaper(b"oom_reaper: unable to reap pid:95 (x)").unwrap().reaped);
    }
}

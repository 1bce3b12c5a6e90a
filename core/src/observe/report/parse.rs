//! The lines that hold fields: invoker, usage, statistics, summary, groups.

use super::lines::{self, USAGES};
use super::scan::{contains, digits, find, head, number, rfind, rsplit, signed, split, trim_end, trim_start, word};
use super::{Invoker, Protection, Usage};

/// `comm invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), nodemask=(null), order=0, oom_score_adj=0`; also the
/// node mask, which 4.9 to 4.20 print here.
pub(super) fn invoker(line: &[u8]) -> Option<(Invoker, Option<Vec<u8>>)> {
    let at = lines::invoked(line).or_else(|| lines::bare_invoker(line))?;
    let rest = line.get(at + lines::INVOKED.len()..).unwrap_or_default();
    let mut invoker = Invoker { comm: line[..at].to_vec(), ..Invoker::default() };
    if let Some(at) = find(head(rest, 64), b"gfp_mask=0x") {
        let mask = &rest[at + 11..];
        let length = mask.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(mask.len());
        if (1..=16).contains(&length) {
            invoker.gfp_mask = Some(format!("0x{}", String::from_utf8_lossy(&mask[..length])));
        }
        if let Some(names) = mask[length..].strip_prefix(b"(") {
            // Whoever breaks the line may say so by a backslash.
            let kept = |names: &[u8]| names.iter().copied().filter(|byte| *byte != b'\\').collect::<Vec<u8>>();
            invoker.gfp_flags = split(names, b")").map(|(names, _)| String::from_utf8_lossy(&kept(names)).into_owned());
        }
    }
    let value = |key: &[u8]| {
        rsplit(rest, key).and_then(|(_, value)| signed(value)).and_then(|(value, _)| i32::try_from(value).ok())
    };
    invoker.order = value(b" order=");
    invoker.oom_score_adj = value(b" oom_score_adj=");
    let nodemask = split(rest, b" nodemask=").map(|(_, value)| {
        let end = find(value, b" order=").unwrap_or(value.len());
        trim_end(&value[..end]).strip_suffix(b",").unwrap_or(trim_end(&value[..end])).to_vec()
    });
    Some((invoker, nodemask))
}

/// `comm cpuset=name mems_allowed=0` (before 5.0): name and nodes.
pub(super) fn cpuset(line: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let (_, rest) = split(line, b" cpuset=")?;
    Some(match rsplit(rest, b" mems_allowed=") {
        // The kernel prints no blank in the list: what follows one is a patch's.
        Some((name, nodes)) => (name.to_vec(), Some(word(nodes).0.to_vec())),
        None => (trim_end(rest).to_vec(), None),
    })
}

/// The largest limit that kernels print is a whole number of pages below 2^53 KiB; 32-bit kernels stop at 2^31 pages.
const UNLIMITED_KIB: u64 = (1 << 53) - 1024;
const UNLIMITED_32BIT_KIB: u64 = ((1 << 31) - 1) * 4;

/// `memory: usage 1kB, limit 2kB, failcnt 3`: which of [`USAGES`], and its numbers unless they are cut or too large.
pub(super) fn usage(line: &[u8]) -> Option<(usize, Option<Usage>)> {
    let line = trim_start(line);
    let which = USAGES.iter().position(|name| line.starts_with(name))?;
    let read = || {
        let (usage, rest) = number(&line[USAGES[which].len()..])?;
        let (limit, rest) = number(rest.strip_prefix(b"kB, limit ")?)?;
        let (failcnt, _) = number(rest.strip_prefix(b"kB, failcnt ")?)?;
        let limit_bytes =
            if limit >= UNLIMITED_KIB || limit == UNLIMITED_32BIT_KIB { None } else { Some(limit * 1024) };
        Some(Usage { usage_bytes: usage.checked_mul(1024)?, limit_bytes, failcnt })
    };
    Some((which, read()))
}

/// `Memory cgroup min protection 1kB -- low protection 2kB`
pub(super) fn protection(line: &[u8]) -> Option<Protection> {
    let (min, rest) = number(trim_start(line).strip_prefix(lines::PROTECTION)?)?;
    let (low, _) = number(rest.strip_prefix(b"kB -- low protection ")?)?;
    Some(Protection { min_bytes: min.checked_mul(1024)?, low_bytes: low.checked_mul(1024)? })
}

/// The heading of the statistics: the group's path, and the `name:NKB` words of kernels before 5.3.
pub(super) fn stat_header(line: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let rest = trim_start(line).strip_prefix(lines::STAT_HEADER).unwrap_or_default();
    let rest = trim_end(rest);
    let (path, pairs) = match split(rest, b": cache:") {
        Some((path, _)) => (path, &rest[path.len() + 2..]),
        None => (rest.strip_suffix(b":").unwrap_or(rest), &b""[..]),
    };
    (path.strip_prefix(b" for ").filter(|path| !path.is_empty()), pairs)
}

/// The `oom-kill:` line. Names in it are free text, so the end is split only when the victim's name is known.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub constraint: Option<String>,
    pub nodemask: Option<Vec<u8>>,
    pub cpuset: Option<Vec<u8>>,
    pub mems_allowed: Option<Vec<u8>>,
    pub global: bool,
    pub memcg: bool,
    pub pid: Option<i32>,
    pub uid: Option<u32>,
    /// `<oom_memcg>,task_memcg=<path>,task=<comm>`
    end: Vec<u8>,
}

/// What the end of a summary holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SummaryEnd {
    pub oom_memcg: Option<Vec<u8>>,
    pub task_memcg: Option<Vec<u8>>,
    pub comm: Option<Vec<u8>>,
}

pub(super) fn summary(line: &[u8]) -> Summary {
    let mut summary = Summary::default();
    let Some(rest) = trim_start(line).strip_prefix(lines::SUMMARY) else { return summary };
    let closer = closed_up(rest);
    let rest = closer.as_deref().unwrap_or(rest);
    // A line that lacks its end may have blanks in place of it.
    let cut = || trim_end(rest).strip_suffix(b",").unwrap_or(trim_end(rest));
    let mut body = if contains(rest, b",uid=") { rest } else { cut() };
    // Numbers first, from the right; then the fixed fields from the left; what is between is free text.
    if let Some((before, uid)) = rsplit(body, b",uid=") {
        if digits(uid) > 0 {
            summary.uid = number(uid).and_then(|(uid, _)| u32::try_from(uid).ok());
            body = before;
            if let Some((before, pid)) = rsplit(body, b",pid=") {
                summary.pid = number(pid).and_then(|(pid, _)| i32::try_from(pid).ok());
                body = before;
            }
        }
    }
    const NEXT: [&[u8]; 6] =
        [b",cpuset=", b",mems_allowed=", b",oom_memcg=", b",global_oom", b",task_memcg=", b",task="];
    let until = |text: &[u8], keys: &[&[u8]]| keys.iter().filter_map(|key| find(text, key)).min().unwrap_or(text.len());
    let named = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let end = body.iter().position(|byte| !named(byte)).unwrap_or(body.len());
    summary.constraint = Some(String::from_utf8_lossy(&body[..end]).into_owned());
    body = &body[until(body, &[b","])..];
    if let Some(rest) = body.strip_prefix(b",nodemask=") {
        let end = until(rest, &NEXT);
        summary.nodemask = Some(rest[..end].to_vec());
        body = &rest[end..];
    }
    if let Some(rest) = body.strip_prefix(b",cpuset=") {
        let end = until(rest, &NEXT[1..]);
        summary.cpuset = Some(rest[..end].to_vec());
        body = &rest[end..];
    }
    if let Some(rest) = body.strip_prefix(b",mems_allowed=") {
        let end = until(rest, &NEXT[2..]);
        summary.mems_allowed = Some(rest[..end].to_vec());
        body = &rest[end..];
    }
    if let Some(rest) = body.strip_prefix(b",oom_memcg=") {
        summary.memcg = true;
        summary.end = rest.to_vec();
    } else if let Some(rest) = body.strip_prefix(b",global_oom") {
        summary.global = true;
        summary.end = rest.to_vec();
    } else {
        summary.end = body.to_vec();
    }
    summary
}

/// A summary that somebody wrote down with blanks behind its commas, without them: the kernel prints none behind the first,
/// before which nothing stands that anybody may name.
fn closed_up(text: &[u8]) -> Option<Vec<u8>> {
    const KEYS: [&[u8]; 9] = [
        b"nodemask=",
        b"cpuset=",
        b"mems_allowed=",
        b"oom_memcg=",
        b"global_oom",
        b"task_memcg=",
        b"task=",
        b"pid=",
        b"uid=",
    ];
    let first = text.iter().position(|&byte| byte == b',')?;
    if !matches!(text.get(first + 1), Some(b' ' | b'\n')) {
        return None;
    }
    let mut closer = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        closer.push(byte);
        let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\n')).count();
        let keyed = byte == b',' && KEYS.iter().any(|key| after[blanks..].starts_with(key));
        rest = if keyed { &after[blanks..] } else { after };
    }
    Some(closer)
}

/// Names of tasks have at most this many bytes.
const COMM: usize = 15;

impl Summary {
    /// The field in which a line that lacks its end is cut: the last that is there.
    pub fn cut(&self) -> Option<&'static str> {
        let end = self.end(None);
        let fields = [
            ("chosen", end.comm.is_some()),
            ("task_memcg", end.task_memcg.is_some()),
            ("oom_memcg", end.oom_memcg.is_some()),
            ("mems_allowed", self.mems_allowed.is_some() && !self.global),
            ("cpuset", self.cpuset.is_some() && self.mems_allowed.is_none()),
            ("nodemask", self.nodemask.is_some() && self.mems_allowed.is_none()),
        ];
        fields.into_iter().find(|(_, there)| *there).map(|(field, _)| field)
    }

    /// Splits the end. `known`: the name that the kill line or the table gives for the pid.
    pub fn end(&self, known: Option<&[u8]>) -> SummaryEnd {
        const TASK: &[u8] = b",task=";
        let text = self.end.as_slice();
        let by_name = known
            .and_then(|comm| text.strip_suffix(comm))
            .filter(|before| before.ends_with(TASK))
            .map(|before| before.len() - TASK.len());
        // A name may hold ",task=" itself: the leftmost that leaves a name of possible length.
        let window = text.len().saturating_sub(COMM + TASK.len());
        let at = by_name.or_else(|| find(&text[window..], TASK).map(|at| at + window)).or_else(|| rfind(text, TASK));
        let (before, comm) = match at {
            Some(at) => (&text[..at], Some(text[at + TASK.len()..].to_vec())),
            None => (text, None),
        };
        let (oom, task) = groups(before);
        let path = |path: &[u8]| (!path.is_empty()).then(|| path.to_vec());
        SummaryEnd { oom_memcg: oom.and_then(path).filter(|_| self.memcg), task_memcg: task.and_then(path), comm }
    }
}

/// `A,task_memcg=B`. The name of a group may hold these words, so that whoever may name one could lay an OOM to another:
/// where they stand more than once, B is at A or below it; where that leaves more than one reading, neither is taken.
fn groups(text: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    const WORDS: &[u8] = b",task_memcg=";
    let parted = |at: usize| (&text[..at], &text[at + WORDS.len()..]);
    let every: Vec<usize> = (0..text.len()).filter(|at| text[*at..].starts_with(WORDS)).collect();
    let fits = |(oom, task): &(&[u8], &[u8])| {
        task.strip_prefix(*oom).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || *oom == b"/")
    };
    let mut readings = every.iter().map(|at| parted(*at)).filter(fits);
    match (every.as_slice(), readings.next(), readings.next()) {
        ([], ..) => (Some(text), None),
        ([only], ..) => (Some(parted(*only).0), Some(parted(*only).1)),
        (_, Some((oom, task)), None) => (Some(oom), Some(task)),
        _ => (None, None),
    }
}

/// `Task in A killed as a result of limit of B`: A and B.
pub(super) fn task_in(line: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let rest = trim_start(line).strip_prefix(b"Task in ").unwrap_or_default();
    let path = |path| Some(trim_end(path)).filter(|path| !path.is_empty());
    match split(rest, lines::TASK_IN_MIDDLE) {
        Some((task, limit)) => (path(task), path(limit)),
        None => (path(without_begun(rest, lines::TASK_IN_MIDDLE)), None),
    }
}

/// A path without the words behind it, of which the line has only the first.
fn without_begun<'a>(text: &'a [u8], words: &[u8]) -> &'a [u8] {
    let text = trim_end(text);
    let begun = (4..words.len()).rev().find_map(|length| text.strip_suffix(trim_end(&words[..length])));
    begun.unwrap_or(text)
}

/// `Memory limit reached of cgroup A`
pub(super) fn limit_reached(line: &[u8]) -> Option<&[u8]> {
    trim_start(line).strip_prefix(lines::LIMIT_REACHED).map(trim_end).filter(|path| !path.is_empty())
}

/// `Tasks in A are going to be killed due to memory.oom.group set`
pub(super) fn group_tail(line: &[u8]) -> Option<&[u8]> {
    let rest = trim_start(line).strip_prefix(b"Tasks in ")?;
    let whole = rsplit(rest, lines::GROUP_TAIL).map(|(path, _)| path);
    let path = whole.unwrap_or_else(|| without_begun(rest, lines::GROUP_TAIL));
    (!path.is_empty()).then_some(path)
}

/// `oom_kill_process: 4 callbacks suppressed`
pub(super) fn suppressed(line: &[u8]) -> Option<u64> {
    number(trim_start(line).strip_prefix(b"oom_kill_process: ")?).map(|(count, _)| count)
}

/// Whether one record held all statistics and was as long as the kernel lets a record be (992 or 976 bytes).
pub(super) fn stat_is_cut(record: &[u8]) -> bool {
    const LAST: [&[u8]; 3] = [b"thp_collapse_alloc ", b"thp_swpout_fallback ", b"pglazyfreed "];
    let last = record.rsplit(|&byte| byte == b'\n').find(|line| !line.is_empty()).unwrap_or_default();
    contains(record, b"\n") && record.len() >= 960 && !LAST.iter().any(|name| last.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invokers_of_all_kernels() {
        let read = |line: &[u8]| invoker(line).unwrap();
        let (old, nodemask) = read(b"sh invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=-998");
        assert_eq!(
            (old.gfp_mask.as_deref(), old.gfp_flags, old.order, old.oom_score_adj, nodemask),
            (Some("0xd0"), None, Some(0), Some(-998), None)
        );
        let (middle, nodemask) = read(b"a, order=9 invoked oom-killer: gfp_mask=0x14000c0(GFP_KERNEL), nodemask=(null),  order=0, oom_score_adj=1000");
        assert_eq!(
            (middle.comm.as_slice(), middle.order, nodemask.as_deref()),
            (&b"a, order=9"[..], Some(0), Some(&b"(null)"[..]))
        );
        let (list, nodemask) = read(b"x invoked oom-killer: gfp_mask=0x0(), nodemask=0,2-3, order=-1, oom_score_adj=0");
        assert_eq!(
            (list.gfp_flags.as_deref(), list.order, nodemask.as_deref()),
            (Some(""), Some(-1), Some(&b"0,2-3"[..]))
        );
    }

    #[test]
    fn unlimited_is_none() {
        for limit in [
            "9007199254740991",
            "18014398509481983",
            "9007199254740988",
            "9007199254740976",
            "9007199254740928",
            "8589934588",
        ] {
            let (which, usage) = usage(format!("swap: usage 4kB, limit {limit}kB, failcnt 2").as_bytes()).unwrap();
            assert_eq!((which, usage), (2, Some(Usage { usage_bytes: 4096, limit_bytes: None, failcnt: 2 })));
        }
        assert_eq!(usage(b"memory: usage 4kB, limit 99999999999999999999kB, failcnt 2"), Some((0, None)));
        assert_eq!(usage(b"memory: usage 4kB, lim"), Some((0, None)));
    }

    #[test]
    fn summaries_with_free_text_in_every_name() {
        let line = b"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=0,2-3,cpuset=a b,mems_allowed=0-1,oom_memcg=/x,task=1/a=b,task_memcg=/x,task=1/a=b/c d,task=p,task=q,pid=5,uid=1001240000";
        let read = summary(line);
        assert_eq!((read.pid, read.uid, read.nodemask.as_deref()), (Some(5), Some(1001240000), Some(&b"0,2-3"[..])));
        assert_eq!((read.cpuset.as_deref(), read.mems_allowed.as_deref()), (Some(&b"a b"[..]), Some(&b"0-1"[..])));
        let end = read.end(None);
        assert_eq!(end.oom_memcg.as_deref(), Some(&b"/x,task=1/a=b"[..]));
        assert_eq!(end.task_memcg.as_deref(), Some(&b"/x,task=1/a=b/c d"[..]));
        assert_eq!(end.comm.as_deref(), Some(&b"p,task=q"[..]));
        assert_eq!(read.end(Some(b"q")).comm.as_deref(), Some(&b"q"[..]), "the kill line knows better");
        // A group that is named like the fields.
        let named = |path: &str| {
            let line = format!(
                "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=0,oom_memcg=/a,task_memcg={path},task=p,pid=5,uid=0"
            );
            let end = summary(line.as_bytes()).end(Some(b"p"));
            [end.oom_memcg, end.task_memcg].map(|path| path.map(|path| String::from_utf8(path).unwrap()))
        };
        for path in ["/a/x,task_memcg=b,task=init,pid=1,uid=0", "/a/x,task_memcg=/foreign"] {
            assert_eq!(named(path), [Some("/a".to_string()), Some(path.to_string())]);
        }
        assert_eq!(named("/a/q,task_memcg=/a,task_memcg=/a/q/z"), [None, None], "nobody can tell");
        let global = summary(b"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=x,pid=5,uid=0");
        assert!(global.global && !global.memcg);
        assert_eq!(
            global.end(None),
            SummaryEnd { oom_memcg: None, task_memcg: Some(b"/a".to_vec()), comm: Some(b"x".to_vec()) }
        );
        let no_cpusets = summary(b"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),oom_memcg=/a,task_memcg=/a,task=x,pid=99999999999,uid=0");
        assert_eq!((no_cpusets.pid, no_cpusets.cpuset), (None, None));
    }

    #[test]
    fn words_that_were_begun_are_no_path() {
        assert_eq!(task_in(b"Task in /a b killed as a result of li"), (Some(&b"/a b"[..]), None));
        assert_eq!(task_in(b"Task in /a b"), (Some(&b"/a b"[..]), None));
        assert_eq!(group_tail(b"Tasks in /a are going to be kil"), Some(&b"/a"[..]));
    }

    #[test]
    fn stat_headers() {
        assert_eq!(stat_header(b"Memory cgroup stats for /A:"), (Some(&b"/A"[..]), &b""[..]));
        assert_eq!(
            stat_header(b"Memory cgroup stats for /a: b: cache:4KB rss:0KB"),
            (Some(&b"/a: b"[..]), &b"cache:4KB rss:0KB"[..])
        );
        assert_eq!(stat_header(b"Memory cgroup stats: cache:4KB"), (None, &b"cache:4KB"[..]));
    }
}

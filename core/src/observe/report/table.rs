//! The task table. Its header decides what the columns are, never the kernel's version: distributions backport.

use super::scan::{digits, find, head, number, signed, trim_end, trim_start, whole, word};
use super::Task;

/// `[  pid  ]   uid  tgid total_vm …`, perhaps cut by a wrap.
pub(super) fn is_header(line: &[u8]) -> bool {
    let rest = head(line, 64).strip_prefix(b"[").map(trim_start);
    let Some(rest) = rest.filter(|rest| rest.starts_with(b"pid")) else { return false };
    let (name, rest) = word(rest);
    if name != b"pid" {
        return false;
    }
    let (bracket, rest) = word(rest);
    bracket == b"]" && trim_start(rest).starts_with(b"uid")
}

/// Whether these are the last words of a header.
pub(super) fn is_header_rest(text: &[u8]) -> bool {
    let known = |token: &[u8]| Column::of(token) != Column::Unknown || token == b"name";
    let tokens: Vec<&[u8]> =
        trim_end(text).split(|&byte| byte == b' ').filter(|token| !token.is_empty()).take(16).collect();
    !tokens.is_empty() && tokens.iter().all(|token| known(token))
}

/// Whether a header has no words but those of some kernel.
pub(super) fn is_known_header(line: &[u8]) -> bool {
    line.iter().position(|&byte| byte == b']').is_some_and(|at| is_header_rest(&line[at + 1..]))
}

/// `[   76]     0    76 …`
pub(super) fn is_row(line: &[u8]) -> bool {
    row_start(line).is_some_and(|(_, rest)| signed(trim_start(rest)).is_some())
}

/// The same where no header tells: at least six numbers follow the pid, and then a name.
pub(super) fn is_row_by_itself(line: &[u8]) -> bool {
    let Some((_, mut rest)) = row_start(head(line, 256)) else { return false };
    for _ in 0..6 {
        let (token, after) = word(rest);
        if whole::<i64>(token).is_none() {
            return false;
        }
        rest = after;
    }
    !word(rest).0.is_empty()
}

fn row_start(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = trim_start(line.strip_prefix(b"[")?);
    let length = digits(inside);
    let rest = inside[length..].strip_prefix(b"]")?;
    (length > 0).then_some((&inside[..length], rest))
}

/// The thread and the process of a row, whose columns are the same in every kernel.
pub(super) fn ids(row: &[u8]) -> impl Iterator<Item = i32> {
    let start = row_start(trim_start(row));
    let pid = start.and_then(|(pid, _)| whole(pid));
    let tgid = start.and_then(|(_, rest)| whole(word(word(rest).1).0));
    [pid, tgid].into_iter().flatten()
}

/// How many cells a row has: the pid, each number, and one for the name if there is one.
pub(super) fn cells(row: &[u8]) -> usize {
    let Some((_, mut rest)) = row_start(trim_start(row)) else { return 0 };
    let mut count = 1;
    loop {
        let (token, after) = word(rest);
        if token.is_empty() {
            return count;
        }
        count += 1;
        if whole::<i64>(token).is_none() || count > 32 {
            return count;
        }
        rest = after;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Pid,
    Uid,
    Tgid,
    TotalVm,
    Rss,
    RssAnon,
    RssFile,
    RssShmem,
    NrPtes,
    NrPmds,
    NrPuds,
    PgtablesBytes,
    Swapents,
    OomScoreAdj,
    Unknown,
}

impl Column {
    fn of(name: &[u8]) -> Column {
        const NAMES: [(&[u8], Column); 14] = [
            (b"pid", Column::Pid),
            (b"uid", Column::Uid),
            (b"tgid", Column::Tgid),
            (b"total_vm", Column::TotalVm),
            (b"rss", Column::Rss),
            (b"rss_anon", Column::RssAnon),
            (b"rss_file", Column::RssFile),
            (b"rss_shmem", Column::RssShmem),
            (b"nr_ptes", Column::NrPtes),
            (b"nr_pmds", Column::NrPmds),
            (b"nr_puds", Column::NrPuds),
            (b"pgtables_bytes", Column::PgtablesBytes),
            (b"swapents", Column::Swapents),
            (b"oom_score_adj", Column::OomScoreAdj),
        ];
        NAMES.into_iter().find(|(other, _)| *other == name).map_or(Column::Unknown, |(_, column)| column)
    }
}

/// The columns that a header announced.
#[derive(Debug)]
pub(super) struct Layout {
    columns: Vec<Column>,
}

impl Layout {
    /// Reads a header; a column of a name that is not known keeps its place.
    pub fn of_header(line: &[u8]) -> Layout {
        let mut columns: Vec<Column> = trim_end(line)
            .split(|&byte| byte == b' ')
            .filter(|token| !matches!(*token, b"" | b"[" | b"]" | b"[pid]"))
            .take(32)
            .map(Column::of)
            .collect();
        // The last one is the name.
        columns.pop();
        Layout { columns }
    }

    /// The columns of rows whose header is not in the log. Their number tells, and where several kernels print as many, what
    /// stands in them; the release, where it is known, comes first.
    pub fn of_rows(rows: &[Vec<u8>], release: Option<&[u8]>) -> Option<Layout> {
        use Column::{
            NrPmds, NrPtes, NrPuds, OomScoreAdj, PgtablesBytes, Rss, RssAnon, RssFile, RssShmem, Swapents, Tgid,
            TotalVm, Uid, Unknown,
        };
        let numbers: Vec<Vec<i64>> = rows.iter().map(|row| numbers(row)).collect();
        let count = numbers.iter().map(Vec::len).min()?;
        // A name may look like a number, but not every one.
        let column = |at: usize| numbers.iter().filter_map(move |row| row.get(at).copied());
        let tail: &[Column] = match count {
            0..=6 => return None,
            // Before 2.6.36: the CPU and the older adjustment.
            7 => &[Unknown, Unknown],
            8 => {
                let old = version(release).map_or_else(
                    || column(6).all(|adj| (-17..=15).contains(&adj)) && is_scaled(&numbers),
                    |version| version < (3, 7),
                );
                let bytes = version(release).map_or_else(
                    || column(5).all(|size| size % 4096 == 0) && column(5).any(|size| size > 0),
                    |version| version >= (4, 15),
                );
                match (old, bytes) {
                    (true, false) => &[Unknown, Unknown, OomScoreAdj],
                    (_, true) => &[PgtablesBytes, Swapents, OomScoreAdj],
                    _ => &[NrPtes, Swapents, OomScoreAdj],
                }
            }
            9 => &[NrPtes, NrPmds, Swapents, OomScoreAdj],
            10 => &[NrPtes, NrPmds, NrPuds, Swapents, OomScoreAdj],
            _ => &[RssAnon, RssFile, RssShmem, PgtablesBytes, Swapents, OomScoreAdj],
        };
        let columns = [Column::Pid, Uid, Tgid, TotalVm, Rss].iter().chain(tail).copied().collect();
        Some(Layout { columns })
    }

    /// How many numbers a row has.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Reads a row. `Err` names what is wrong with it.
    pub fn task(&self, line: &[u8]) -> Result<Task, &'static str> {
        let (pid, mut rest) = row_start(trim_start(line)).ok_or("a row of the task table has no pid")?;
        let mut task = Task { pid: whole(pid).ok_or(UNFIT)?, ..Task::default() };
        for column in self.columns.iter().skip(1) {
            let (token, after) = word(rest);
            if token.is_empty() {
                return Err("a row of the task table is cut");
            }
            // More digits than fit, or a name where a number should stand.
            let value = whole::<i64>(token).ok_or(UNFIT)?;
            let pages = || u64::try_from(value).ok();
            let small = || i32::try_from(value).map_err(|_| UNFIT);
            match column {
                Column::Pid | Column::Unknown => {}
                Column::Uid => task.uid = Some(u32::try_from(value).map_err(|_| UNFIT)?),
                Column::Tgid => task.tgid = Some(small()?),
                Column::TotalVm => task.total_vm_pages = pages(),
                Column::Rss => task.rss_pages = pages(),
                Column::RssAnon => task.rss_anon_pages = pages(),
                Column::RssFile => task.rss_file_pages = pages(),
                Column::RssShmem => task.rss_shmem_pages = pages(),
                Column::NrPtes => task.nr_ptes = pages(),
                Column::NrPmds => task.nr_pmds = pages(),
                Column::NrPuds => task.nr_puds = pages(),
                Column::PgtablesBytes => task.pgtables_bytes = pages(),
                Column::Swapents => task.swapents_pages = pages(),
                Column::OomScoreAdj => task.oom_score_adj = Some(small()?),
            }
            rest = after;
        }
        // One blank stands before the name; further ones are its own.
        task.comm = shown_name(rest.strip_prefix(b" ").unwrap_or(rest)).to_vec();
        Ok(task)
    }
}

/// Names of tasks have at most this many bytes.
const COMM: usize = 15;

/// A name without the blanks that fill its line, and without what somebody wrote behind them: no name is as long.
fn shown_name(text: &[u8]) -> &[u8] {
    if text.len() <= COMM {
        return text;
    }
    let shown = trim_end(text);
    let end = if shown.len() > COMM { find(shown, b"  ").filter(|at| (1..=COMM).contains(at)) } else { None };
    &shown[..end.unwrap_or(shown.len())]
}

/// The numbers of a row, the pid first.
fn numbers(row: &[u8]) -> Vec<i64> {
    let Some((pid, mut rest)) = row_start(trim_start(row)) else { return Vec::new() };
    let mut numbers = vec![whole::<i64>(pid).unwrap_or(0)];
    while numbers.len() < 11 {
        let (token, after) = word(rest);
        let Some(number) = whole::<i64>(token) else { break };
        // The last one may be a name: a name is always there.
        if word(after).0.is_empty() {
            break;
        }
        numbers.push(number);
        rest = after;
    }
    numbers
}

/// Whether the last column is the one before it on the newer scale: -17 to 15 as -1000 to 1000.
fn is_scaled(rows: &[Vec<i64>]) -> bool {
    let scaled = |adj: i64| if adj == 15 { 1000 } else { adj * 1000 / 17 };
    let pairs = || rows.iter().filter_map(|row| Some((*row.get(6)?, *row.get(7)?)));
    pairs().all(|(old, new)| old == new * 17 / 1000 || scaled(old) == new) && pairs().any(|(old, _)| old != 0)
}

/// The first two numbers of a release.
fn version(release: Option<&[u8]>) -> Option<(u64, u64)> {
    let (major, rest) = number(release?)?;
    let (minor, _) = number(rest.strip_prefix(b".")?)?;
    Some((major, minor))
}

const UNFIT: &str = "a row of the task table holds what is no number or does not fit";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_decides() {
        let layout =
            Layout::of_header(b"[ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name");
        let task =
            layout.task(b"[27523] 1001240000 27523   311157  25000   201     6        5           -999  a b)").unwrap();
        assert_eq!((task.pid, task.uid, task.tgid), (27523, Some(1001240000), Some(27523)));
        assert_eq!((task.nr_ptes, task.nr_pmds, task.pgtables_bytes), (Some(201), Some(6), None));
        assert_eq!((task.swapents_pages, task.oom_score_adj), (Some(5), Some(-999)));
        assert_eq!(task.comm, b" a b)");
        let comm = |end: &str| {
            layout
                .task(format!("[27523] 0 27523   311157  25000   201     6        5   0 {end}").as_bytes())
                .unwrap()
                .comm
        };
        assert_eq!(comm("python                    "), b"python");
        assert_eq!(comm("two words  "), b"two words  ", "its own blanks");
        assert_eq!(comm("java      <===== that one"), b"java");
    }

    #[test]
    fn cut_rows_are_refused() {
        let layout = Layout::of_header(b"[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name");
        assert_eq!(layout.len(), 8);
        assert!(layout.task(b"[27523]  0 27523   311157").is_err());
        assert!(layout.task(b"[99999999999]  0 27523   311157 1 1 1 1 x").is_err());
        assert_eq!(layout.task(b"[1] 0 1 2 3 4 5 6").unwrap().comm, b"");
        assert_eq!(cells(b"[1] 0 1 2 3 4 5 6"), 8);
        assert_eq!(cells(b"[1] 0 1 2 3 4 5 6 7up x"), 9);
    }
}

//! The task table. Its header decides what the columns are, never the kernel's version: distributions backport.

use super::scan::{digits, signed, trim_end, trim_start, whole, word};
use super::Task;

/// `[  pid  ]   uid  tgid total_vm …`, perhaps cut by a wrap.
pub(super) fn is_header(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"[") else { return false };
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

/// `[   76]     0    76 …`
pub(super) fn is_row(line: &[u8]) -> bool {
    row_start(line).is_some_and(|(_, rest)| signed(trim_start(rest)).is_some())
}

fn row_start(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = trim_start(line.strip_prefix(b"[")?);
    let length = digits(inside);
    let rest = inside[length..].strip_prefix(b"]")?;
    (length > 0).then_some((&inside[..length], rest))
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
            if whole::<i64>(token).is_none() {
                // More digits than fit, or a name where a number should stand.
                return Err(UNFIT);
            }
            let pages = || whole::<i64>(token).and_then(|value| u64::try_from(value).ok());
            match column {
                Column::Pid | Column::Unknown => {}
                Column::Uid => task.uid = Some(whole(token).ok_or(UNFIT)?),
                Column::Tgid => task.tgid = Some(whole(token).ok_or(UNFIT)?),
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
                Column::OomScoreAdj => task.oom_score_adj = Some(whole(token).ok_or(UNFIT)?),
            }
            rest = after;
        }
        // One blank stands before the name; further ones are its own.
        task.comm = rest.strip_prefix(b" ").unwrap_or(rest).to_vec();
        Ok(task)
    }
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

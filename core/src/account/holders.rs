//! Who holds the memory of a group whose limit was hit: each process, and what no living process holds.

use serde::Serialize;

use super::composition::Composition;
use super::growth::{Growth, Held};
use crate::memcg::Workload;
use crate::order::order_long;

/// Rows of processes that are told one by one; what smaller ones hold is one row.
const MOST_ROWS: usize = 64;

/// What one process held before the kill, or what no process holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Holder {
    /// Its pid; null for what no process holds, and where it is known by its name alone (inside a pid namespace).
    pub pid: Option<i32>,
    /// Its name.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub comm: Option<Vec<u8>>,
    /// The group in which it stood.
    pub group: Option<String>,
    /// What stands behind that group: its unit, container, pod or job. Not there where the path tells nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// What a row without a process is: `no living process`, or `smaller processes` for all that have no row of their own.
    pub what: Option<&'static str>,
    /// How many processes the row stands for: 1, more for the smaller ones, 0 for what no process holds.
    pub processes: u64,
    /// Whether it outlived the OOM.
    pub alive: bool,
    /// Resident in all: pages that several processes share count for each of them, and pages that another group is charged
    /// for count too.
    pub rss_bytes: Option<u64>,
    /// Its anonymous memory.
    pub anon_bytes: Option<u64>,
    /// Shared memory (tmpfs, memfd, shared anonymous) that it has mapped; without a process, what nobody has mapped.
    pub shmem_bytes: Option<u64>,
    /// File pages that it has mapped; without a process, page cache that nobody has mapped.
    pub file_bytes: Option<u64>,
    /// What of it is in swap.
    pub swap_bytes: Option<u64>,
    /// Its proportional share, `Pss` of /proc/PID/smaps_rollup; read of processes that wait in a blocked OOM alone, as it
    /// is dear.
    pub pss_bytes: Option<u64>,
    /// By how much its own memory (anonymous, shared and swapped) has grown; negative growth is 0. Null where it was not
    /// seen before.
    pub grown_bytes: Option<u64>,
    /// Since when, in nanoseconds of CLOCK_MONOTONIC: its start, or when it was first seen.
    pub grown_since_ns: Option<u64>,
    /// Who says what it held: `report` (the kernel's table), `kernel-log` (the kill line), `tracefs`, `procfs`.
    pub source: &'static str,
    /// When that was read, in nanoseconds of CLOCK_MONOTONIC.
    pub read_ns: u64,
}

impl Holder {
    /// What it has of its own: anonymous, shared and in swap. Of a kernel that tells no parts, all that is resident.
    pub(crate) fn own_bytes(&self) -> u64 {
        let parts = self.anon_bytes.zip(self.shmem_bytes).map(|(anon, shmem)| anon + shmem);
        parts.or(self.rss_bytes).unwrap_or(0) + self.swap_bytes.unwrap_or(0)
    }

    /// All that is its row.
    fn weight(&self) -> u64 {
        match self.what {
            // Of what no process holds the parts are told as far as they are known.
            Some(_) => [self.anon_bytes, self.shmem_bytes, self.file_bytes, self.swap_bytes].iter().flatten().sum(),
            None => self.own_bytes(),
        }
    }
}

/// A process as one source tells it.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    pub(crate) pid: i32,
    pub(crate) comm: Vec<u8>,
    pub(crate) group: Option<String>,
    pub(crate) held: Held,
    pub(crate) alive: bool,
    /// It stands where all processes are looked at: one that was not seen has come since.
    pub(crate) watched: bool,
    pub(crate) source: &'static str,
    pub(crate) read_ns: u64,
}

/// The rows, the largest first.
pub(crate) fn holders(
    holdings: Vec<Holding>,
    composition: Option<&Composition>,
    growth: &Growth,
    slack_bytes: u64,
) -> Vec<Holder> {
    let mut rows: Vec<Holder> = holdings.into_iter().map(|holding| row(holding, growth)).collect();
    order_long(&mut rows, |row| !row.weight());
    let nobody = composition.and_then(|composition| unheld(&rows, composition, slack_bytes));
    if rows.len() > MOST_ROWS {
        let rest = rows.split_off(MOST_ROWS);
        rows.push(summed(&rest));
    }
    rows.extend(nobody);
    order_long(&mut rows, |row| !row.weight());
    rows
}

fn row(holding: Holding, growth: &Growth) -> Holder {
    let Holding { pid, comm, group, held, alive, watched, source, read_ns } = holding;
    let seen = growth.of(pid, read_ns);
    let unseen_since = growth.unseen_since(read_ns).filter(|_| watched);
    let first = seen.map(|seen| (seen.first.bytes, seen.first.time_ns)).or(unseen_since.map(|since| (0, since)));
    Holder {
        pid: (pid > 0).then_some(pid),
        comm: (!comm.is_empty()).then_some(comm),
        group: group.or_else(|| seen.map(|seen| seen.group.clone())),
        workload: None,
        what: None,
        processes: 1,
        alive,
        rss_bytes: Some(held.rss_bytes),
        anon_bytes: held.anon_bytes,
        shmem_bytes: held.shmem_bytes,
        file_bytes: held.file_bytes,
        swap_bytes: Some(held.swap_bytes),
        pss_bytes: None,
        grown_bytes: first.map(|(bytes, _)| held.own_bytes().saturating_sub(bytes)),
        grown_since_ns: first.map(|(_, since)| since),
        source,
        read_ns,
    }
}

fn sum(rows: &[Holder], part: fn(&Holder) -> Option<u64>) -> u64 {
    rows.iter().filter_map(part).sum()
}

/// Those that are too small for a row of their own.
fn summed(rest: &[Holder]) -> Holder {
    let of = |part: fn(&Holder) -> Option<u64>| rest.iter().any(|row| part(row).is_some()).then(|| sum(rest, part));
    Holder {
        what: Some("smaller processes"),
        processes: rest.len() as u64,
        alive: rest.iter().any(|row| row.alive),
        rss_bytes: of(|row| row.rss_bytes),
        anon_bytes: of(|row| row.anon_bytes),
        shmem_bytes: of(|row| row.shmem_bytes),
        file_bytes: of(|row| row.file_bytes),
        swap_bytes: of(|row| row.swap_bytes),
        grown_bytes: of(|row| row.grown_bytes),
        source: rest.first().map_or("procfs", |row| row.source),
        read_ns: rest.first().map_or(0, |row| row.read_ns),
        ..Holder::default()
    }
}

/// What is charged and in no process's memory: files of a tmpfs that nobody has mapped (whoever wrote them may have gone),
/// page cache, memory of processes and groups that have gone.
fn unheld(rows: &[Holder], composition: &Composition, slack_bytes: u64) -> Option<Holder> {
    let split = rows.iter().all(|row| row.anon_bytes.is_some() && row.shmem_bytes.is_some());
    let left = |all: Option<u64>, held: u64| all.map(|all| all.saturating_sub(held));
    let shmem_held = sum(rows, |row| row.shmem_bytes);
    let mapped_files = composition.mapped_bytes.map(|mapped| mapped.saturating_sub(shmem_held));
    let anon_bytes = left(composition.anon_bytes, sum(rows, |row| row.anon_bytes)).filter(|_| split);
    // Where older kernels do not tell what each has, the most that they can have mapped is all that is mapped.
    let shmem_held = if split { Some(shmem_held) } else { composition.mapped_bytes };
    let shmem_bytes = shmem_held.and_then(|held| left(composition.shmem_bytes, held));
    let file_bytes = left(composition.file_bytes, mapped_files.unwrap_or(0));
    // What is charged ahead, or was taken between two readings, is nobody's.
    let anon_bytes = anon_bytes.filter(|bytes| *bytes > slack_bytes);
    let nobody = Holder {
        what: Some("no living process"),
        anon_bytes: anon_bytes.or(Some(0)).filter(|_| split),
        shmem_bytes,
        file_bytes,
        source: composition.source,
        read_ns: composition.read_ns,
        ..Holder::default()
    };
    (nobody.weight() > slack_bytes).then_some(nobody)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn holding(pid: i32, anon: u64, shmem: u64) -> Holding {
        let held = Held {
            rss_bytes: (anon + shmem + 1) * MIB,
            anon_bytes: Some(anon * MIB),
            file_bytes: Some(MIB),
            shmem_bytes: Some(shmem * MIB),
            swap_bytes: 0,
        };
        let comm = format!("p{pid}").into_bytes();
        Holding { pid, comm, group: None, held, alive: true, watched: true, source: "report", read_ns: 7 }
    }

    fn composition(anon: u64, shmem: u64, file: u64) -> Composition {
        Composition {
            anon_bytes: Some(anon * MIB),
            shmem_bytes: Some(shmem * MIB),
            file_bytes: Some(file * MIB),
            mapped_bytes: Some(0),
            source: "report",
            ..Composition::default()
        }
    }

    #[test]
    fn a_tmpfs_whose_writer_has_gone_is_a_row_of_its_own() {
        let rows =
            holders(vec![holding(1, 2, 0), holding(2, 4, 1)], Some(&composition(6, 17, 3)), &Growth::default(), MIB);
        let shown: Vec<_> = rows.iter().map(|row| (row.pid, row.what, row.shmem_bytes)).collect();
        let expected =
            [(None, Some("no living process"), Some(16 * MIB)), (Some(2), None, Some(MIB)), (Some(1), None, Some(0))];
        assert_eq!(shown, expected);
        assert_eq!((rows[0].anon_bytes, rows[0].file_bytes), (Some(0), Some(3 * MIB)));
        // Where processes hold it all, there is no such row.
        let rows = holders(vec![holding(1, 2, 4)], Some(&composition(2, 4, 0)), &Growth::default(), MIB);
        assert_eq!(rows.len(), 1);
    }

    #[test]
    fn many_small_ones_are_one_row() {
        let rows = holders((1..=100).map(|pid| holding(pid, 1, 0)).collect(), None, &Growth::default(), MIB);
        assert_eq!(rows.len(), MOST_ROWS + 1);
        assert_eq!((rows[0].what, rows[0].anon_bytes), (Some("smaller processes"), Some(36 * MIB)));
    }

    #[test]
    fn parts_that_an_old_kernel_does_not_tell_stay_unknown() {
        let mut old = holding(1, 8, 0);
        old.held = Held { rss_bytes: 9 * MIB, ..Held::default() };
        let rows = holders(vec![old.clone()], Some(&composition(8, 20, 0)), &Growth::default(), MIB);
        // Nobody has anything mapped, so all of the shared memory is nobody's; of the rest it cannot be said.
        let shown: Vec<_> =
            rows.iter().map(|row| (row.what, row.anon_bytes, row.shmem_bytes, row.grown_bytes)).collect();
        assert_eq!(shown, [(Some("no living process"), None, Some(20 * MIB), None), (None, None, None, None)],);
        let mapped = Composition { mapped_bytes: Some(20 * MIB), ..composition(8, 20, 0) };
        assert_eq!(holders(vec![old], Some(&mapped), &Growth::default(), MIB).len(), 1);
    }
}

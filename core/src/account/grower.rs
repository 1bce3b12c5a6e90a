//! Who grew: the process whose memory rose most. It need not be the victim, nor the one in whose charge the limit was hit.

use serde::Serialize;

use super::growth::Growth;
use super::holders::Holder;

/// The process whose own memory rose most since the lab, the run or the watch began; where that one has stood still while
/// another grew on until the limit was hit, that other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Grower {
    /// Its pid.
    pub pid: i32,
    /// Its name.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub comm: Option<Vec<u8>>,
    /// The group in which it stood.
    pub group: Option<String>,
    /// Its own memory (anonymous, shared and swapped) at first.
    pub from_bytes: u64,
    /// The same when the limit was hit.
    pub to_bytes: u64,
    /// By how much it rose.
    pub grown_bytes: u64,
    /// How long that took, in nanoseconds.
    pub over_ns: u64,
    /// By how much it rose in a second, on the average; null where it took no time.
    pub bytes_per_sec: Option<u64>,
    /// What it held at last in percent of the limit; null without a limit.
    pub limit_percent: Option<u64>,
    /// Since when, in nanoseconds of CLOCK_MONOTONIC: its start, or when it was first seen.
    pub since_ns: u64,
    /// Whether it outlived the OOM.
    pub alive: bool,
    /// How often it was looked at in between is not told; this is who said its last number, as in `holders`.
    pub source: &'static str,
}

/// Who grew until that moment, among those that hold something; `None` where it may be somebody else. What is less than
/// `least_bytes` is no growth.
pub(crate) fn grower(
    holders: &[Holder],
    growth: &Growth,
    at_ns: u64,
    limit_bytes: Option<u64>,
    least_bytes: u64,
) -> Option<Grower> {
    let rise = |holder: &&Holder| holder.grown_bytes.unwrap_or(0);
    let most = holders.iter().filter(|holder| holder.pid.is_some()).max_by_key(rise).filter(|most| rise(most) > 0)?;
    // Anonymous memory that nobody has any more was held by somebody who was read too late, and who then grew most.
    let gone = holders.iter().filter(|holder| holder.processes == 0).filter_map(|holder| holder.anon_bytes).max();
    if gone.is_some_and(|gone| gone > rise(&most)) {
        return None;
    }
    let latest = later_one(most, holders, growth, at_ns, least_bytes);
    made(latest.unwrap_or(most), at_ns, limit_bytes)
}

/// The one that grew most since `most` stood still; `None` while it was not seen to stand still.
fn later_one<'a>(
    most: &Holder,
    holders: &'a [Holder],
    growth: &Growth,
    at_ns: u64,
    least_bytes: u64,
) -> Option<&'a Holder> {
    let still_ns = growth.of(most.pid?, at_ns)?.still_since(most.own_bytes())?;
    let since = |holder: &&Holder| {
        let then = holder.pid.and_then(|pid| growth.of(pid, at_ns)).map_or(0, |seen| seen.bytes_at(still_ns));
        holder.own_bytes().saturating_sub(then)
    };
    let others = holders.iter().filter(|holder| holder.pid.is_some() && holder.pid != most.pid);
    let others = others.filter(|holder| holder.grown_bytes.is_some_and(|grown| grown >= least_bytes));
    others.max_by_key(since).filter(|other| since(other) >= least_bytes)
}

fn made(holder: &Holder, at_ns: u64, limit_bytes: Option<u64>) -> Option<Grower> {
    let (grown_bytes, since_ns) = (holder.grown_bytes?, holder.grown_since_ns?);
    let to_bytes = holder.own_bytes();
    let over_ns = at_ns.saturating_sub(since_ns);
    Some(Grower {
        pid: holder.pid?,
        comm: holder.comm.clone(),
        group: holder.group.clone(),
        from_bytes: to_bytes.saturating_sub(grown_bytes),
        to_bytes,
        grown_bytes,
        over_ns,
        bytes_per_sec: (over_ns > 0).then(|| mul_div(grown_bytes, 1_000_000_000, over_ns)),
        limit_percent: limit_bytes.filter(|limit| *limit > 0).map(|limit| mul_div(to_bytes, 100, limit)),
        since_ns,
        alive: holder.alive,
        source: holder.source,
    })
}

/// `number` × `by` / `of`, which may be larger than fits in between.
fn mul_div(number: u64, by: u64, of: u64) -> u64 {
    u64::try_from(u128::from(number) * u128::from(by) / u128::from(of)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::growth::Held;
    use crate::account::holders::{holders, Holding};
    use crate::account::victim::Input;

    const MIB: u64 = 1 << 20;

    fn input(pid: i32, mib: u64) -> Input {
        let page = crate::sys::page_size();
        Input { pid, group: "/lab/g".to_string(), rss_pages: mib * MIB / page, ..Input::default() }
    }

    fn rows(sizes: &[(i32, u64)], growth: &Growth) -> Vec<Holder> {
        let holdings = sizes.iter().map(|(pid, mib)| Holding {
            pid: *pid,
            comm: format!("p{pid}").into_bytes(),
            group: None,
            held: Held { rss_bytes: mib * MIB, ..Held::default() },
            alive: true,
            watched: true,
            source: "report",
            read_ns: 100,
        });
        holders(holdings.collect(), None, growth, MIB)
    }

    #[test]
    fn it_is_the_one_that_rose_most() {
        let mut growth = Growth::since(0, false, crate::sys::page_size());
        growth.saw_all("/lab", &[input(1, 40), input(2, 4)], 10);
        let found = grower(&rows(&[(1, 41), (2, 20), (3, 12)], &growth), &growth, 100, None, MIB).unwrap();
        assert_eq!((found.pid, found.from_bytes, found.to_bytes, found.over_ns), (2, 4 * MIB, 20 * MIB, 90));
        assert_eq!((found.grown_bytes, found.since_ns, found.comm.as_deref()), (16 * MIB, 10, Some(&b"p2"[..])));
    }

    #[test]
    fn who_had_given_back_its_memory_before_it_was_read_may_be_the_one() {
        let mut growth = Growth::since(0, false, crate::sys::page_size());
        growth.saw_all("/lab", &[input(1, 4)], 10);
        for (gone_mib, found) in [(15, None), (1, Some(1))] {
            let mut rows = rows(&[(1, 6)], &growth);
            let what = Some("no living process");
            rows.push(Holder { what, anon_bytes: Some(gone_mib * MIB), ..Holder::default() });
            assert_eq!(grower(&rows, &growth, 100, None, MIB).map(|one| one.pid), found, "{gone_mib} MiB");
        }
    }

    #[test]
    fn one_that_stood_still_gives_way_to_one_that_grew_on() {
        let mut growth = Growth::since(0, true, crate::sys::page_size());
        growth.saw_all("/lab", &[input(1, 40), input(2, 1)], 10);
        growth.saw_all("/lab", &[input(1, 40), input(2, 9)], 20);
        assert_eq!(grower(&rows(&[(1, 40), (2, 23)], &growth), &growth, 100, None, MIB).unwrap().pid, 2);
        // It grew as well, after it was looked at last.
        assert_eq!(grower(&rows(&[(1, 50), (2, 13)], &growth), &growth, 100, None, MIB).unwrap().pid, 1);
        // A little is no growth.
        assert_eq!(grower(&rows(&[(1, 40), (2, 10)], &growth), &growth, 100, None, 20 * MIB).unwrap().pid, 1);
    }

    #[test]
    fn nobody_grew_where_nobody_was_seen_before() {
        let growth = Growth::default();
        assert_eq!(grower(&rows(&[(1, 40)], &growth), &growth, 100, None, MIB), None);
        assert_eq!(grower(&[], &Growth::since(0, true, crate::sys::page_size()), 100, None, MIB), None);
    }
}

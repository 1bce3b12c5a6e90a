//! The counters of a group at one moment, under the kernel's own names.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Pages that the kernel charges to a group ahead, for each CPU (MEMCG_CHARGE_BATCH). All are given back before an OOM.
pub(crate) const CHARGE_BATCH_PAGES: u64 = 64;

/// By how many bytes a usage may be ahead of what is used.
pub(crate) fn charged_ahead_bytes(page_bytes: u64, cpus: u64) -> u64 {
    CHARGE_BATCH_PAGES.saturating_mul(page_bytes).saturating_mul(cpus)
}

/// What the kernel counted for a group. A counter that this kernel or hierarchy lacks is `None`.
///
/// These are numbers of events, never of dead processes: with `memory.oom.group` the first victim is counted
/// twice, and lowering a v2 limit under the usage raises `oom` thousands of times for one kill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counters {
    /// Bytes charged: `memory.usage_in_bytes` (v1), `memory.current` (v2). Up to 64 pages for each CPU may be
    /// charged in advance, so it can read high by that.
    pub usage_bytes: Option<u64>,
    /// The most ever charged, in bytes: `memory.max_usage_in_bytes` (v1), `memory.peak` (v2, from about 5.19).
    pub peak_bytes: Option<u64>,
    /// OOM kill events of the group's processes: `memory.oom_control` (v1, from 4.13), `memory.events` (v2).
    pub oom_kill: Option<u64>,
    /// Times the limit was hit and an OOM declared: `memory.events` (v2).
    pub oom: Option<u64>,
    /// Kills of the whole group: `memory.events` (v2, from about 5.17).
    pub oom_group_kill: Option<u64>,
    /// Times the usage was about to go over `memory.max`: `memory.events` (v2).
    pub max: Option<u64>,
    /// Times the usage went over `memory.high`: `memory.events` (v2).
    pub high: Option<u64>,
    /// Times the group was reclaimed below `memory.low`: `memory.events` (v2).
    pub low: Option<u64>,
    /// Times a charge failed at the limit: `memory.failcnt` (v1).
    pub failcnt: Option<u64>,
    /// Whether processes wait for the OOM to end: `memory.oom_control` (v1).
    pub under_oom: Option<bool>,
    /// Whether the OOM killer is off: `memory.oom_control` (v1).
    pub oom_kill_disable: Option<bool>,
    /// The same counters for this group alone, without its descendants: `memory.events.local` (v2, from 5.2).
    #[serde(default, skip_serializing_if = "Stat::is_empty")]
    pub local: Stat,
    /// Keys of `memory.events` or `memory.oom_control` that have no field above.
    #[serde(default, skip_serializing_if = "Stat::is_empty")]
    pub other: Stat,
}

impl Counters {
    /// The counters as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

/// Numbers by name, each name once, in the order in which their source tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat(pub(crate) Vec<(String, u64)>);

impl Stat {
    /// The number of one name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// Names and numbers in the order of their source.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(key, value)| (key.as_str(), *value))
    }

    /// Pages of files that had been dropped and were read again, in `memory.stat`: kernels before 5.9 count those of swap
    /// with them, under one name.
    pub(crate) fn refaults(&self) -> Option<u64> {
        self.get("workingset_refault_file").or_else(|| self.get("workingset_refault"))
    }

    pub(crate) fn push(&mut self, name: &str, number: u64) {
        self.0.push((name.to_string(), number));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Stat {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Stat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Stat, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Stat;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("numbers by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stat, A::Error> {
                let mut stat = Stat::default();
                while let Some((name, number)) = map.next_entry()? {
                    stat.0.push((name, number));
                }
                Ok(stat)
            }
        }
        from.deserialize_map(Pairs)
    }
}

impl<'a> FromIterator<(&'a str, u64)> for Stat {
    /// From pairs in which no name stands twice.
    fn from_iter<I: IntoIterator<Item = (&'a str, u64)>>(pairs: I) -> Stat {
        Stat(pairs.into_iter().map(|(name, number)| (name.to_string(), number)).collect())
    }
}

/// The pairs of a "flat keyed" kernel file: a key, a space and a number on each line; other lines are passed over.
pub(crate) fn keyed(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_pairs_are_passed_over() {
        let pairs: Vec<_> = keyed("oom 3\n\nbad\nnew_key 9\nneg -1\noom_kill 1").collect();
        assert_eq!(pairs, [("oom", 3), ("new_key", 9), ("oom_kill", 1)]);
    }
}

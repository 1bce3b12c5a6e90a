//! What the limits of a lab sum up to: a campaign must not take the host's own memory.

use std::path::Path;

use super::shared::Shared;
use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::limits::{human_size, Limit};

impl Shared {
    /// Whether a new group of that limit keeps the sum within the host's memory.
    pub(crate) fn check_budget(&self, above: Option<&Cgroup>, limit: Option<Limit>) -> Result<Option<u64>> {
        let bytes = limit.and_then(Limit::bytes);
        let base = above.map_or(self.cgroup.as_str(), Cgroup::cgroup);
        self.check_sum(&format!("{base}/ "), bytes, self.dir.path())
    }

    /// The same for a group that changes its limit.
    pub(crate) fn check_budget_change(&self, group: &Cgroup, limit: Limit) -> Result<Option<u64>> {
        self.check_sum(group.cgroup(), limit.bytes(), group.path())
    }

    fn check_sum(&self, cgroup: &str, bytes: Option<u64>, path: &Path) -> Result<Option<u64>> {
        let Some(wanted) = bytes else { return Ok(None) };
        let mut limits = self.limits().clone();
        limits.insert(cgroup.to_string(), Some(wanted));
        let sum = sum_of_limits(&limits);
        if sum > self.host.available_bytes && self.host.available_bytes > 0 {
            return Err(over_budget(path, sum, self.host.available_bytes));
        }
        Ok(bytes)
    }
}

/// What the groups can take at most: of nested limits the outermost counts.
fn sum_of_limits(limits: &Map<String, Option<u64>>) -> u64 {
    let limited_above = |cgroup: &str| {
        limits
            .iter()
            .any(|(other, bytes)| bytes.is_some() && other != cgroup && crate::memcg::path::covers(other, cgroup))
    };
    let counted = limits.iter().filter(|(cgroup, _)| !limited_above(cgroup));
    counted.filter_map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
}

/// The answer to a limit that is more than the host can give.
fn over_budget(path: &Path, wanted: u64, available: u64) -> Error {
    Error::new(
        ErrorKind::OutOfMemory,
        "set limit",
        &format!(
            "the limits of this lab would sum to {}, and the host has {} free",
            human_size(wanted),
            human_size(available)
        ),
    )
    .path(path)
    .value(wanted)
    .remedy("choose a smaller limit, so that the experiment cannot take the host's own memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nested_limits_the_outermost_counts() {
        let limits = [
            ("/lab/a", Some(10)),
            ("/lab/a/b", Some(7)),
            ("/lab/c", None),
            ("/lab/c/d", Some(3)),
            ("/lab/ab", Some(1)),
        ];
        let limits = limits.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect();
        assert_eq!(sum_of_limits(&limits), 14);
    }
}

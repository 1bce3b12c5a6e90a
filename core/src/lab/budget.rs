//! What the limits of a lab sum up to: a campaign must not take the host's own memory.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;
use crate::memcg::limits::human_size;
use crate::memcg::path::upwards;

/// The limits of the groups that have one, by their paths, and what these groups can take at most: of nested limits the
/// outermost counts. A lab may have thousands, so a new one is not to look at all others.
#[derive(Default)]
pub(super) struct Budget {
    limits: Map<String, u64>,
    sum: u128,
}

impl Budget {
    /// Whether the sum stays within what the host has free, were that the limit of a group; 0 says that nobody knows that.
    pub(super) fn check(&self, cgroup: &str, bytes: u64, available_bytes: u64, path: &Path) -> Result<()> {
        let sum = u64::try_from(self.with(cgroup, bytes)).unwrap_or(u64::MAX);
        match sum > available_bytes && available_bytes > 0 {
            true => Err(over_budget(path, sum, available_bytes)),
            false => Ok(()),
        }
    }

    /// A group has that limit from now on, or none.
    pub(super) fn set(&mut self, cgroup: &str, bytes: Option<u64>) {
        self.sum -= self.counted(cgroup);
        match bytes {
            Some(bytes) => drop(self.limits.insert(cgroup.to_string(), bytes)),
            None => drop(self.limits.remove(cgroup)),
        }
        self.sum += self.counted(cgroup);
    }

    /// The sum, were that the limit of a group.
    fn with(&self, cgroup: &str, bytes: u64) -> u128 {
        match self.is_limited_above(cgroup) {
            true => self.sum,
            false => self.sum - self.counted(cgroup) + u128::from(bytes),
        }
    }

    /// What of the sum is of a group and of those below it.
    fn counted(&self, cgroup: &str) -> u128 {
        if self.is_limited_above(cgroup) {
            return 0;
        }
        if let Some(bytes) = self.limits.get(cgroup) {
            return u128::from(*bytes);
        }
        let prefix = format!("{cgroup}/");
        let below = self.limits.from(&prefix).take_while(|(path, _)| path.starts_with(&prefix));
        below.filter(|(path, _)| !self.is_limited_above(path)).map(|(_, bytes)| u128::from(*bytes)).sum()
    }

    fn is_limited_above(&self, cgroup: &str) -> bool {
        upwards(cgroup).skip(1).any(|at| self.limits.get(at).is_some())
    }
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

    /// Whatever comes and goes, the sum is that of the outermost limits.
    #[test]
    fn of_nested_limits_the_outermost_counts() {
        let mut budget = Budget::default();
        let mut set = |cgroup: &str, bytes: Option<u64>| {
            budget.set(cgroup, bytes);
            budget.sum
        };
        assert_eq!((set("/lab/a", Some(10)), set("/lab/a/b", Some(7)), set("/lab/c", None)), (10, 10, 10));
        assert_eq!((set("/lab/c/d", Some(3)), set("/lab/ab", Some(1)), set("/lab/a b", Some(2))), (13, 14, 16));
        assert_eq!((set("/lab/a", Some(4)), set("/lab/a", None), set("/lab/a", Some(9))), (10, 13, 15));
        assert_eq!((set("/lab/c", Some(5)), set("/lab", Some(6)), set("/lab", None)), (17, 6, 17));
        assert_eq!((budget.with("/lab/a/c", 100), budget.with("/lab/c", 8), budget.with("/lab/ ", 1)), (17, 20, 18));
        for cgroup in ["/lab/a", "/lab/a/b", "/lab/c", "/lab/c/d", "/lab/ab", "/lab/a b"] {
            budget.set(cgroup, None);
        }
        assert_eq!((budget.sum, budget.with("/lab/a", u64::MAX)), (0, u128::from(u64::MAX)));
    }
}

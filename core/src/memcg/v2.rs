//! cgroup v2: the files of the memory controller and what is particular about them.

use super::counters::{keyed, Counters};
use super::files::Dir;
use super::limits::Limit;
pub(crate) use super::names::v2::*;
use crate::error::{Error, ErrorKind, Result};

/// Reads a limit file.
pub(crate) fn limit(dir: &Dir, file: &str) -> Result<Option<Limit>> {
    Ok(dir.number(file)?.map(|bytes| if bytes == u64::MAX { Limit::Max } else { Limit::Bytes(bytes) }))
}

/// Sets `memory.max` or `memory.high`. The kernel takes a `memory.max` below the usage: it reclaims, then kills.
pub(crate) fn set_limit(dir: &Dir, file: &str, limit: Limit) -> Result<()> {
    dir.write(file, &limit.to_string())
}

/// Sets the swap of the group; `false` where the kernel has no such switch.
pub(crate) fn set_swap(dir: &Dir, swap: Limit) -> Result<bool> {
    if !dir.has(SWAP_LIMIT) {
        return Ok(false);
    }
    dir.write(SWAP_LIMIT, &swap.to_string()).map(|()| true)
}

/// Sets `memory.oom.group` (from 4.19).
pub(crate) fn set_oom_group(dir: &Dir, on: bool) -> Result<()> {
    dir.write(OOM_GROUP, if on { "1" } else { "0" })
}

/// All counters at once.
pub(crate) fn counters(dir: &Dir) -> Result<Counters> {
    let mut counters =
        Counters { usage_bytes: dir.number(USAGE)?, peak_bytes: dir.number(PEAK)?, ..Counters::default() };
    if let Some(text) = dir.read(EVENTS)? {
        events(&text, &mut counters);
    }
    if let Some(text) = dir.read(LOCAL_EVENTS)? {
        counters.local = keyed(&text).collect();
    }
    Ok(counters)
}

/// `memory.events`: a key and a count on each line.
pub(crate) fn events(text: &str, counters: &mut Counters) {
    for (key, value) in keyed(text) {
        let field = match key {
            "low" => &mut counters.low,
            "high" => &mut counters.high,
            "max" => &mut counters.max,
            "oom" => &mut counters.oom,
            "oom_kill" => &mut counters.oom_kill,
            "oom_group_kill" => &mut counters.oom_group_kill,
            _ => {
                counters.other.push(key, value);
                continue;
            }
        };
        *field = Some(value);
    }
}

/// Whether this is the top of the v2 hierarchy, which has the memory controller and neither limit nor usage of its own:
/// all other groups have a `cgroup.type`.
pub(crate) fn is_top(dir: &Dir) -> Result<bool> {
    if dir.has("cgroup.type") || !dir.has("cgroup.controllers") {
        return Ok(false);
    }
    Ok(dir.read("cgroup.controllers")?.is_some_and(|text| lists_memory(&text)))
}

/// Whether a list of controllers (`cgroup.controllers`, `cgroup.subtree_control`) has the memory controller.
pub(crate) fn lists_memory(text: &str) -> bool {
    text.split_whitespace().any(|name| name == "memory")
}

/// Gives the children of a group the memory controller. A group that holds processes may not do so (the
/// no-internal-process rule): the error names them.
pub(crate) fn enable_memory(dir: &Dir) -> Result<bool> {
    if dir.read(SUBTREE_CONTROL)?.is_some_and(|text| lists_memory(&text)) {
        return Ok(false);
    }
    dir.write(SUBTREE_CONTROL, "+memory").map(|()| true).map_err(|error| match error.errno() {
        Some(libc::EBUSY) => {
            let pids = dir.read("cgroup.procs").ok().flatten().unwrap_or_default();
            let named: Vec<&str> = pids.split_whitespace().take(8).collect();
            error
                .reason(&format!(
                    "processes stand in this group (pids {}), and cgroup v2 lets a group have either processes or children with controllers",
                    named.join(", ")
                ))
                .remedy("move them into a leaf group first, or start in a group of your own: systemd-run --scope -p Delegate=yes")
        }
        Some(libc::ENOENT) => error
            .with_kind(ErrorKind::Unsupported)
            .reason("the memory controller is not available here (cgroup.controllers does not list it)")
            .remedy("enable it in every group above, or mount it on v2 (it may be on v1, or off at boot)"),
        _ => error,
    })
}

/// The answer to a switch that only v1 has.
pub(crate) fn lacks(operation: &'static str, file: &str, dir: &Dir) -> Error {
    Error::new(ErrorKind::Unsupported, operation, &format!("{file} is a file of cgroup v1, and this group is of v2"))
        .path(dir.path())
        .remedy("leave the setting out, or run where the memory controller is on cgroup v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_with_unknown_keys() {
        let mut counters = Counters::default();
        events("low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\nsock_throttled 6\n", &mut counters);
        assert_eq!(
            (counters.max, counters.oom, counters.oom_kill, counters.oom_group_kill),
            (Some(2), Some(3), Some(4), Some(5))
        );
        assert_eq!(counters.other.get("sock_throttled"), Some(6));
        assert!(lists_memory("cpuset cpu io memory pids\n") && !lists_memory("cpu memory_x\n") && !lists_memory(""));
    }
}

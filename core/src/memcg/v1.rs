//! cgroup v1: the files of the memory controller and what is particular about them.

use super::counters::{keyed, Counters};
use super::files::Dir;
use super::limits::Limit;
pub(crate) use super::names::v1::*;
use crate::error::{Error, ErrorKind, Result};

/// v1 has no word for "no limit": it shows the largest whole number of pages that fits.
pub(crate) const UNLIMITED_FROM: u64 = 1 << 62;

/// Reads a limit file.
pub(crate) fn limit(dir: &Dir, file: &str) -> Result<Option<Limit>> {
    Ok(dir.number(file)?.map(|bytes| if bytes >= UNLIMITED_FROM { Limit::Max } else { Limit::Bytes(bytes) }))
}

fn write_limit(dir: &Dir, file: &str, limit: Limit) -> Result<()> {
    let value = match limit {
        Limit::Bytes(bytes) => bytes.to_string(),
        Limit::Max => "-1".to_string(),
    };
    dir.write(file, &value).map_err(|error| match error.errno() {
        Some(libc::EBUSY) => error
            .reason("the group uses more than that, and nothing of it can be reclaimed")
            .remedy("lower the usage first, or choose a limit above it"),
        _ => error,
    })
}

/// Sets the hard limit and, where swap is accounted, memory+swap to limit + swap. memsw may never be below the
/// limit, so the order of the two writes depends on the direction.
pub(crate) fn set_limit(dir: &Dir, new: Limit, swap: Option<Limit>) -> Result<()> {
    let memsw = match (new, swap) {
        (Limit::Bytes(limit), Some(Limit::Bytes(swap))) if dir.has(MEMSW_LIMIT) => {
            Limit::Bytes(limit.saturating_add(swap))
        }
        _ => Limit::Max,
    };
    if !dir.has(MEMSW_LIMIT) {
        return write_limit(dir, LIMIT, new);
    }
    let old = limit(dir, LIMIT)?.unwrap_or(Limit::Max);
    let old_memsw = limit(dir, MEMSW_LIMIT)?.unwrap_or(Limit::Max);
    if new <= old {
        write_limit(dir, LIMIT, new)?;
        if memsw != old_memsw {
            write_limit(dir, MEMSW_LIMIT, memsw).inspect_err(|_| drop(write_limit(dir, LIMIT, old)))?;
        }
    } else {
        if memsw != old_memsw {
            write_limit(dir, MEMSW_LIMIT, memsw)?;
        }
        write_limit(dir, LIMIT, new).inspect_err(|_| drop(write_limit(dir, MEMSW_LIMIT, old_memsw)))?;
    }
    Ok(())
}

/// Makes the limits of the group count for the groups below it. Kernels before 5.11 leave that off unless it was turned
/// on further up, and a limit above another one would do nothing; it must be on before there are groups below.
pub(crate) fn count_below(dir: &Dir) -> Result<()> {
    match dir.number(USE_HIERARCHY)? {
        Some(0) => dir.write(USE_HIERARCHY, "1"),
        _ => Ok(()),
    }
}

/// Keeps swap out of the group by its own switch; `false` where the kernel has no such switch.
pub(crate) fn forbid_swap(dir: &Dir) -> Result<bool> {
    if dir.has(SWAPPINESS) {
        dir.write(SWAPPINESS, "0")?;
        return Ok(true);
    }
    Ok(dir.has(MEMSW_LIMIT))
}

/// Switches the OOM killer of the group.
pub(crate) fn set_oom_killer(dir: &Dir, on: bool) -> Result<()> {
    dir.write(OOM_CONTROL, if on { "0" } else { "1" })
}

/// Wakes whoever waits in an OOM of the group, which the kernel does where its limit rises or its killer is turned on:
/// the limit goes a page down and up again, or the killer is turned on once more. Nothing else changes.
pub(crate) fn wake(dir: &Dir, killer: bool) -> Result<()> {
    if killer {
        return set_oom_killer(dir, true);
    }
    let limit = limit(dir, LIMIT)?.unwrap_or(Limit::Max);
    let below = limit.bytes().unwrap_or(UNLIMITED_FROM).saturating_sub(crate::sys::page_size());
    write_limit(dir, LIMIT, Limit::Bytes(below))?;
    write_limit(dir, LIMIT, limit)
}

/// OOM kill events of a group and of those below it, each of which counts for itself.
pub(crate) fn kills_below(dir: &Dir) -> Result<u64> {
    use std::os::unix::ffi::OsStrExt;
    let mut kills = read_oom_control(dir)?.oom_kill.unwrap_or(0);
    for name in dir.dirs()? {
        let Some(below) = dir.dir_if_there(std::ffi::OsStr::from_bytes(&name))? else { continue };
        match kills_below(&below) {
            Ok(more) => kills += more,
            // A group that is removed meanwhile has nothing to count.
            Err(_) if !below.exists() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(kills)
}

/// All counters at once.
pub(crate) fn counters(dir: &Dir) -> Result<Counters> {
    let mut counters = Counters {
        usage_bytes: dir.number(USAGE)?,
        peak_bytes: dir.number(PEAK)?,
        failcnt: dir.number(FAILCNT)?,
        ..Counters::default()
    };
    if let Some(text) = dir.read(OOM_CONTROL)? {
        oom_control(&text, &mut counters);
    }
    Ok(counters)
}

/// What `memory.oom_control` says, and nothing else.
pub(crate) fn read_oom_control(dir: &Dir) -> Result<Counters> {
    let mut counters = Counters::default();
    oom_control(&dir.read(OOM_CONTROL)?.unwrap_or_default(), &mut counters);
    Ok(counters)
}

/// `memory.oom_control`: `oom_kill_disable`, `under_oom`, and `oom_kill` from 4.13.
pub(crate) fn oom_control(text: &str, counters: &mut Counters) {
    for (key, value) in keyed(text) {
        match key {
            "oom_kill_disable" => counters.oom_kill_disable = Some(value != 0),
            "under_oom" => counters.under_oom = Some(value != 0),
            "oom_kill" => counters.oom_kill = Some(value),
            _ => counters.other.push(key, value),
        }
    }
}

/// The answer to a switch that only v2 has.
pub(crate) fn lacks(operation: &'static str, file: &str, dir: &Dir) -> Error {
    Error::new(ErrorKind::Unsupported, operation, &format!("{file} is a file of cgroup v2, and this group is of v1"))
        .path(dir.path())
        .remedy("leave the setting out, or run where the memory controller is on cgroup v2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oom_control_of_old_and_new_kernels() {
        let mut counters = Counters::default();
        oom_control("oom_kill_disable 1\nunder_oom 1\n", &mut counters);
        assert_eq!((counters.oom_kill_disable, counters.under_oom, counters.oom_kill), (Some(true), Some(true), None));
        oom_control("oom_kill_disable 0\nunder_oom 0\noom_kill 7\nlater 3\n", &mut counters);
        assert_eq!(
            (counters.oom_kill_disable, counters.under_oom, counters.oom_kill),
            (Some(false), Some(false), Some(7))
        );
        assert_eq!(counters.other.get("later"), Some(3));
    }
}

//! Labs that outlived their owner: how a lab's name records whose it is, and how what is left is removed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use serde::Serialize;

use super::ending::{kill_tree, remove_empty};
use super::host::Host;
use crate::error::Result;
use crate::memcg::files::Dir;
use crate::memcg::version::Version;
use crate::observe::task::pid_namespace;
use crate::observe::tracefs::Tracefs;
use crate::sys;

const PREFIX: &str = "memoom";
const REMOVE_DEADLINE: Duration = Duration::from_secs(10);

/// What [`gc`] did with one lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// The directory of the lab, or the name of the tracefs instance.
    #[serde(serialize_with = "crate::text::path")]
    pub path: PathBuf,
    /// Whether it was removed.
    pub removed: bool,
    /// Why, or why not.
    pub reason: String,
}

impl Leftover {
    /// What was done, as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

/// Removes the labs (groups and tracefs instances) whose owners have died; those of living owners are not touched.
///
/// # Errors
/// As [`Host::probe`]. What could not be removed is named in the result.
pub fn gc() -> Result<Vec<Leftover>> {
    let host = Host::probe()?;
    let mut found = Vec::new();
    if let (Some(parent), Some(version)) = (&host.parent, host.version) {
        found = remove_in(&Dir::open(parent)?, version)?;
    }
    if let Ok(tracefs) = Tracefs::find() {
        found.extend(remove_instances(&tracefs));
    }
    Ok(found)
}

/// Removes the tracefs instances of dead owners.
pub(crate) fn remove_instances(tracefs: &Tracefs) -> Vec<Leftover> {
    let mut found = Vec::new();
    for name in tracefs.list_instances().unwrap_or_default() {
        let Some(owner) = judge(&name) else { continue };
        let mut reason = owner.reason();
        let mut removed = false;
        if owner == Owner::Dead {
            match tracefs.remove_instance(&name) {
                Ok(()) => removed = true,
                Err(error) => reason = error.to_string(),
            }
        }
        found.push(Leftover { path: Path::new("tracefs/instances").join(&name), removed, reason });
    }
    found
}

/// Removes the labs of dead owners in that directory.
pub(crate) fn remove_in(above: &Dir, version: Version) -> Result<Vec<Leftover>> {
    let mut found = Vec::new();
    for name in above.dirs()? {
        let Some(owner) = std::str::from_utf8(&name).ok().and_then(judge) else { continue };
        let path = above.path().join(OsStr::from_bytes(&name));
        let mut reason = owner.reason();
        let mut removed = false;
        if owner == Owner::Dead {
            match remove_tree(above, OsStr::from_bytes(&name), version, Instant::now() + REMOVE_DEADLINE) {
                Ok(()) => removed = true,
                Err(error) => reason = error.to_string(),
            }
        }
        found.push(Leftover { path, removed, reason });
    }
    Ok(found)
}

/// Kills what stands in a subtree and removes it, bottom first. A missing one is fine.
pub(crate) fn remove_tree(above: &Dir, name: &OsStr, version: Version, deadline: Instant) -> Result<()> {
    let dir = match above.dir(name) {
        Ok(dir) => dir,
        Err(error) if error.errno() == Some(libc::ENOENT) => return Ok(()),
        Err(error) => return Err(error),
    };
    loop {
        // Somebody else (the supervisor, another gc) may be removing the same tree: what is gone is gone.
        let removed = kill_tree(&dir, version).and_then(|()| {
            for below in dir.dirs()? {
                remove_tree(&dir, OsStr::from_bytes(&below), version, deadline)?;
            }
            // Each round kills anew, so nobody is waited for here.
            remove_empty(above, name, &dir, false, deadline)
        });
        match removed {
            Ok(()) => return Ok(()),
            Err(_) if matches!(above.dir(name).map_err(|error| error.errno()), Err(Some(libc::ENOENT))) => {
                return Ok(())
            }
            Err(error) if Instant::now() >= deadline => return Err(error),
            // A process that was being forked stands there now, or one is still dying: again.
            Err(error) if error.errno() == Some(Errno::EBUSY as i32) => std::thread::yield_now(),
            Err(error) if !dir.exists() => return if error.errno().is_some() { Ok(()) } else { Err(error) },
            Err(error) => return Err(error),
        }
    }
}

/// A name for a new lab: `memoom-PID-STARTTIME-BOOT-PIDNS-NONCE`, the numbers in hexadecimal.
pub(crate) fn new_name() -> String {
    let pid = std::process::id();
    let start = start_time(pid).unwrap_or(0);
    let nonce = sys::random();
    format!("{PREFIX}-{pid:x}-{start:x}-{}-{:x}-{nonce:08x}", boot(), pid_namespace())
}

#[derive(Debug, PartialEq, Eq)]
enum Owner {
    Alive,
    Dead,
    /// In another pid namespace: from here nobody can tell.
    Elsewhere,
}

impl Owner {
    fn reason(&self) -> String {
        match self {
            Owner::Alive => "its owner lives",
            Owner::Dead => "its owner has died",
            Owner::Elsewhere => "its owner is in another pid namespace",
        }
        .to_string()
    }
}

/// Whose a lab is; `None` for a name that is not a lab's.
fn judge(name: &str) -> Option<Owner> {
    let parts: Vec<&str> = name.split('-').collect();
    let [PREFIX, pid, start, boot_id, namespace, nonce] = parts.as_slice() else { return None };
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let (pid, start, namespace) = (u32::try_from(hex(pid)?).ok()?, hex(start)?, hex(namespace)?);
    hex(nonce)?;
    Some(if *boot_id != boot() {
        Owner::Dead
    } else if namespace != pid_namespace() {
        Owner::Elsewhere
    } else if start_time(pid) == Some(start) {
        Owner::Alive
    } else {
        Owner::Dead
    })
}

/// When a process started, in clock ticks since boot: field 22 of /proc/PID/stat. A zombie no longer owns anything.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_comm = stat.iter().rposition(|&byte| byte == b')')?;
    let fields: Vec<&str> = std::str::from_utf8(&stat[after_comm + 1..]).ok()?.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z") | Some(&"X")) {
        return None;
    }
    fields.get(19)?.parse().ok()
}

/// The first digits of the boot id.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.chars().filter(char::is_ascii_hexdigit).take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ours_is_alive_and_a_strangers_is_nobodys() {
        let name = new_name();
        assert!(name.len() < 80, "{name}");
        assert_eq!(judge(&name), Some(Owner::Alive));
        for other in
            ["memoom", "memoom-", "memoom-x-1-2-3-4", "memoom-dev-helper-1", "process_api", "memoom-1-2-3-4-5-6", ""]
        {
            assert_eq!(judge(other), None, "{other}");
        }
    }

    #[test]
    fn an_owner_that_has_died_or_started_later_is_dead() {
        let name = new_name();
        let mut parts: Vec<String> = name.split('-').map(str::to_string).collect();
        parts[2] = "1".to_string();
        assert_eq!(judge(&parts.join("-")), Some(Owner::Dead), "same pid, other start");
        parts[4] = "1".to_string();
        assert_eq!(judge(&parts.join("-")), Some(Owner::Elsewhere));
        parts[3] = "00000000".to_string();
        assert_eq!(judge(&parts.join("-")), Some(Owner::Dead), "another boot");
    }
}

//! The groups that are meant by a name: found below the mount by their paths, with what they and those above counted.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::account::postmortem::{Found, GroupCount, Subject};
use crate::error::{Error, ErrorKind, Result};
use crate::lab::host::Host;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::files::Dir;
use crate::memcg::limits::Limit;
use crate::memcg::version::Version;
use crate::observe::missing::Missing;
use crate::text::{escape, shown};

/// Finds the groups of the subject below the mount, and those that the kernel log names.
pub(super) fn find(subject: &Subject, host: &Host, found: &mut Found) -> Result<()> {
    let Some(mount) = host.mount.as_deref() else {
        found.missing.push(Missing::new("counters", "no mounted hierarchy has the memory controller"));
        return Ok(());
    };
    found.looked_at = Some(shown(mount));
    let mut search = Search { subject, host, names: BTreeSet::new(), directories: Vec::new(), unread: Vec::new() };
    match Dir::open(mount) {
        Ok(top) => search.enter(&top),
        Err(error) => search.unread.push(error.to_string()),
    }
    let told = found.reports.iter().flat_map(|report| [&report.task_memcg, &report.group_kill]).flatten();
    search.names.extend(told.filter_map(|path| Some(subject.place(&escape(path))?.0)));
    found.missing.extend(search.unread.into_iter().map(|why| Missing::new("groups-below", why)));
    if search.names.len() > 1 {
        let several: Vec<String> = search.names.into_iter().take(4).collect();
        return Err(Error::new(ErrorKind::InvalidInput, "ask about a death", "several have that name")
            .value(several.join(", "))
            .remedy("give the whole id, or the directory of the group"));
    }
    for (directory, place) in search.directories {
        found.places.push(place);
        count(host, &directory, found);
    }
    Ok(())
}

/// The way down the hierarchy.
struct Search<'a> {
    subject: &'a Subject,
    host: &'a Host,
    names: BTreeSet<String>,
    directories: Vec<(std::path::PathBuf, String)>,
    unread: Vec<String>,
}

impl Search<'_> {
    fn enter(&mut self, dir: &Dir) {
        let path = self.host.cgroup_of(dir.path()).unwrap_or_default();
        if let Some((name, _)) = self.subject.place(&path) {
            self.names.insert(name);
            self.directories.push((dir.path().to_path_buf(), path));
            return;
        }
        let names = match dir.dirs() {
            Ok(names) => names,
            // A group that is removed meanwhile has none below it.
            Err(_) if !dir.exists() => return,
            Err(error) => return self.unread.push(error.to_string()),
        };
        for name in names {
            match dir.dir_if_there(OsStr::from_bytes(&name)) {
                Ok(Some(below)) => self.enter(&below),
                Ok(None) => {}
                Err(error) => self.unread.push(error.to_string()),
            }
        }
    }
}

/// What the group of that directory and those above it, up to the mount, have counted.
pub(super) fn count(host: &Host, directory: &Path, found: &mut Found) {
    let (Some(version), Some(mount)) = (host.version, host.mount.as_deref()) else { return };
    let real = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_path_buf());
    for directory in real.ancestors().take_while(|above| above.starts_with(mount)) {
        let Some(path) = host.cgroup_of(directory) else { continue };
        if found.groups.iter().any(|one| one.group == path) {
            continue;
        }
        match read(version, directory, path) {
            Ok(one) => found.groups.push(one),
            Err(error) => found.missing.push(Missing::new("counters", error.to_string())),
        }
    }
}

fn read(version: Version, directory: &Path, path: String) -> Result<GroupCount> {
    let group = Cgroup::observed(version, Dir::open(directory)?, path);
    let counters = group.counters()?;
    let kills_below = match counters.oom_kill {
        Some(_) => Some(group.kills_below()?),
        None => None,
    };
    let limit = Some(group.limit()?).filter(|limit| *limit != Limit::Max);
    Ok(GroupCount { group: group.cgroup().to_string(), version, limit, kills_below, counters })
}

#[cfg(test)]
mod tests;

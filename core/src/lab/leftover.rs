//! Labs that outlived their owner: how what is left of them is found and removed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use serde::Serialize;

use super::ending::remove_tree;
use super::group;
use super::host::Host;
use crate::error::{Error, ErrorKind, Result};
use crate::memcg::files::Dir;
use crate::memcg::owner::{Judge, Owner};
use crate::memcg::version::Version;
use crate::observe::tracefs::Tracefs;

const REMOVE_DEADLINE: Duration = Duration::from_secs(10);
/// How the place of the tracefs instances is named in answers; it need not be mounted anywhere.
const INSTANCES: &str = "tracefs/instances";

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

/// Removes the labs (groups and tracefs instances) whose owners have died. Those of living owners are not touched, nor
/// those of which nobody can tell from here whether the owner lives (another pid namespace, a /proc that hides it), nor
/// what another user has made under such a name; the result says so of each.
///
/// # Errors
/// As [`Host::probe`]. What could not be removed, or not be looked at, is named in the result.
pub fn gc() -> Result<Vec<Leftover>> {
    let host = Host::probe()?;
    let mut found = Vec::new();
    // Where no lab can be made, what is left of one is named all the same.
    if let (Some(place), Some(version)) = (host.parent.as_ref().or(host.mount.as_ref()), host.version) {
        found = remove_in(&Dir::open(place)?, version)?;
    }
    match Tracefs::find() {
        Ok(tracefs) => found.extend(remove_instances(&tracefs)),
        // Who may not use it has made nothing there.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {}
        Err(error) => found.push(not_looked_at(&error.to_string())),
    }
    Ok(found)
}

/// The same for the labs that were made with [`LabOptions::parent`](crate::LabOptions): they are looked for in that
/// directory, and nowhere else.
///
/// # Errors
/// `NotFound` where there is no such directory, `InvalidInput` where it is not a group of the memory controller; what
/// could not be removed is named in the result.
pub fn gc_below(parent: impl AsRef<Path>) -> Result<Vec<Leftover>> {
    let group = group::parent(&Host::probe()?, parent.as_ref())?;
    remove_in(&Dir::open(parent.as_ref())?, group.version())
}

fn not_looked_at(why: &str) -> Leftover {
    Leftover { path: INSTANCES.into(), removed: false, reason: format!("not looked at: {why}") }
}

/// Removes the tracefs instances of dead owners.
pub(crate) fn remove_instances(tracefs: &Tracefs) -> Vec<Leftover> {
    let mut found = Vec::new();
    let names = match tracefs.list_instances() {
        Ok(names) => names,
        Err(error) => return vec![not_looked_at(&error.to_string())],
    };
    let mut judge = Judge::default();
    for name in names {
        let Some(owner) = judge.judge(&name) else { continue };
        let mut reason = owner.reason();
        let mut removed = false;
        if owner == Owner::Dead {
            match tracefs.remove_instance(&name) {
                Ok(()) => removed = true,
                Err(error) => reason = error.to_string(),
            }
        }
        found.push(Leftover { path: Path::new(INSTANCES).join(&name), removed, reason });
    }
    found
}

/// Removes the labs of dead owners in that directory. Where that is none of a cgroup file system there are none, whatever the
/// names and files in it say.
pub(crate) fn remove_in(above: &Dir, version: Version) -> Result<Vec<Leftover>> {
    let mut found = Vec::new();
    if !above.is_of_cgroups()? {
        return Ok(found);
    }
    let mut judge = Judge::default();
    for name in above.dirs()? {
        let Some(owner) = std::str::from_utf8(&name).ok().and_then(|name| judge.judge(name)) else { continue };
        let path = above.path().join(OsStr::from_bytes(&name));
        let done = match owner {
            Owner::Dead => remove_if_ours(above, OsStr::from_bytes(&name), version),
            other => Err(other.reason()),
        };
        let (removed, reason) = (done.is_ok(), done.err().unwrap_or_else(|| Owner::Dead.reason()));
        found.push(Leftover { path, removed, reason });
    }
    Ok(found)
}

/// Removes the lab of a dead owner; why not, where it stays. Whoever may write to the directory above may give any group in
/// it the name of a dead one's lab, and have root kill what stands there: only what our own user has made is ours to
/// remove. It is opened once, so that what is looked at is what is removed.
fn remove_if_ours(above: &Dir, name: &OsStr, version: Version) -> std::result::Result<(), String> {
    let said = |error: Error| error.to_string();
    let Some(dir) = above.dir_if_there(name).map_err(said)? else { return Ok(()) };
    let us = Uid::effective().as_raw();
    let (uid, _) = dir.owner().map_err(said)?;
    if uid != us {
        return Err(Owner::Unknown(format!("it was made by another user (uid {uid})")).reason());
    }
    // v1 knows rename, for which the directory above is asked and the one that is renamed is not.
    let (above_uid, open_to_others) = above.owner().map_err(said)?;
    if version == Version::V1 && (above_uid != us || open_to_others) {
        let who = format!("another user (uid {above_uid}) may rename groups here");
        return Err(Owner::Unknown(who).reason());
    }
    remove_tree(above, &dir, version, Instant::now() + REMOVE_DEADLINE).map_err(said)
}

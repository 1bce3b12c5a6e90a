//! Where labs are made unless told otherwise: the directories that come into question, and why one cannot be used.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use nix::unistd::{access, geteuid, AccessFlags};

use super::mountinfo::Mount;
use super::{below, Host};
use crate::memcg::owner;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};

impl Host {
    /// The path from the top of the hierarchy of a directory of the memory controller's mount.
    pub(crate) fn cgroup_of(&self, directory: &Path) -> Option<String> {
        let inside = directory.strip_prefix(self.mount.as_deref()?).ok()?;
        let base = self.mount_root.trim_end_matches('/');
        let inside: PathBuf = inside.components().collect();
        Some(if inside.as_os_str().is_empty() {
            if base.is_empty() {
                "/".to_string()
            } else {
                base.to_string()
            }
        } else {
            format!("{base}/{}", crate::text::shown(&inside))
        })
    }
}

/// Who hands out groups on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    /// A systemd of this user's own.
    Users,
    /// That of the machine alone: nobody has started one for this user.
    Machines,
    /// None that is known.
    Nobody,
}

impl Manager {
    /// Which one answers, by its socket or its bus.
    pub(super) fn find(root: &Path) -> Manager {
        let own = PathBuf::from(format!("/run/user/{}", geteuid()));
        let there = |path: &Path| below(root, path).exists();
        match there(&own.join("systemd/private")) || there(&own.join("bus")) {
            true => Manager::Users,
            false if there(Path::new("/run/systemd/system")) => Manager::Machines,
            false => Manager::Nobody,
        }
    }
}

/// How a user who may make no group gets a place for one, by whoever hands them out here.
pub(super) fn delegation(point: &Path, version: Version, manager: Manager) -> String {
    let uid = geteuid();
    let group = crate::text::shown(&point.join(format!("user{uid}")));
    let how = match (version, manager) {
        (Version::V2, Manager::Users) => {
            return "run as root, or in a group that is delegated to you: systemd-run --user --scope -p Delegate=yes -- \
                    COMMAND"
                .to_string()
        }
        (Version::V2, Manager::Machines) => format!(
            "start a systemd of your own, which gives memoom a group: loginctl enable-linger {uid}"
        ),
        // systemd hands out no controllers of v1. Who stands in a v2 group may not be in its way, so a leaf is made.
        (Version::V2, Manager::Nobody) => format!(
            "give you a group: mkdir -p {group}/main && chown -R {uid} {group} && echo PID > {group}/main/cgroup.procs, \
             where PID is your shell's"
        ),
        (Version::V1, _) => format!(
            "give you a group: mkdir {group} && chown -R {uid} {group} && echo PID > {group}/cgroup.procs, where PID is \
             your shell's"
        ),
    };
    format!("run as root, or have root {how}")
}

/// Reason and remedy where a process of a lab cannot have one of its own within the limits of that lab.
pub(super) fn nested(refusals: &[String], remedy: &str) -> (String, String) {
    let refusals = match refusals {
        [] => "its group is not seen through this mount".to_string(),
        refusals => refusals.join("; "),
    };
    let reason = format!("this process stands in a lab, whose limits hold for what it makes: {refusals}");
    (reason, format!("{remedy}; or name a place outside of those limits (parent)"))
}

/// Why no group can be made in a directory.
pub(super) struct Refusal {
    pub(super) why: String,
    /// Whether only the processes in it are in the way.
    pub(super) occupied: bool,
}

/// Whether that is the path of a group inside a lab, or of the lab itself.
pub(super) fn is_in_lab(group: &Path) -> bool {
    group.components().any(|part| is_lab(Path::new(part.as_os_str())))
}

fn is_lab(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(owner::is_name)
}

/// The directories below which a lab may be made, the best first; `own` is the group of this process.
///
/// The top of what we can see comes first: there no ancestor's limit disturbs an experiment. A process that may not
/// write there may own the group in which it stands (a delegated unit, a container), or, where it stands in a leaf of
/// that, one above. But who stands in a lab is to stay below the limits of that lab: such a process has its own group,
/// and what is above as long as that leaves no limit behind, up to the lab.
pub(super) fn candidates(point: &Path, version: Version, mount: &Mount, own: Option<&Path>) -> Vec<PathBuf> {
    let nested = own.is_some_and(is_in_lab);
    let directory = own.and_then(|own| own_directory(point, mount, own));
    let above = directory.iter().flat_map(|own| own.ancestors());
    if !nested {
        let ours = above.take_while(|above| *above != point);
        return std::iter::once(point).chain(ours).map(Path::to_path_buf).collect();
    }
    let mut found = Vec::new();
    for directory in above {
        found.push(directory.to_path_buf());
        if directory == point || is_lab(directory) || is_limited(directory, version) {
            break;
        }
    }
    found
}

/// Whether the group has a limit that one beside it would not have; also where nobody can tell.
fn is_limited(directory: &Path, version: Version) -> bool {
    let limited = |file: &str| match fs::read_to_string(directory.join(file)) {
        Ok(text) => text.trim() != "max" && text.trim().parse().map_or(true, |bytes: u64| bytes < v1::UNLIMITED_FROM),
        // The memory controller is not given to it.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    match version {
        Version::V1 => limited(v1::LIMIT) || limited(v1::MEMSW_LIMIT),
        Version::V2 => limited(v2::LIMIT) || limited(v2::HIGH),
    }
}

/// The directory of our own group, seen through the mount; a mount may show only a part of the hierarchy.
pub(super) fn own_directory(point: &Path, mount: &Mount, own: &Path) -> Option<PathBuf> {
    let inside = own.strip_prefix(&mount.root).ok()?;
    // Seen from inside a cgroup namespace a group outside of it begins with `/..`, which no mount here shows.
    let only_names = inside.components().all(|part| matches!(part, Component::Normal(_)));
    // Joined with nothing it would end in a slash.
    only_names.then(|| point.join(inside).components().collect())
}

/// Whether a lab can be made in that directory.
pub(super) fn usable_parent(directory: &Path, version: Version, read_only: bool) -> std::result::Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal { why, occupied: false });
    if read_only {
        return refuse("the file system is mounted read-only".to_string());
    }
    if let Err(errno) = access(directory, AccessFlags::W_OK) {
        return refuse(format!("not writable ({})", errno.desc()));
    }
    if version == Version::V2 {
        let list = |file: &str| {
            fs::read_to_string(directory.join(file))
                .map_err(|error| Refusal { why: format!("{file} cannot be read: {error}"), occupied: false })
        };
        if !v2::lists_memory(&list("cgroup.controllers")?) {
            return refuse("cgroup.controllers does not list memory".to_string());
        }
        if !v2::lists_memory(&list(v2::SUBTREE_CONTROL)?) {
            if let Err(errno) = access(&directory.join(v2::SUBTREE_CONTROL), AccessFlags::W_OK) {
                return refuse(format!("cgroup.subtree_control lacks memory and cannot be written ({})", errno.desc()));
            }
            // Only the real root may hold both processes and children with controllers; it has no cgroup.type.
            let processes = list("cgroup.procs")?;
            if directory.join("cgroup.type").exists() && !processes.trim().is_empty() {
                let named: Vec<&str> = processes.split_whitespace().take(8).collect();
                let why = format!(
                    "processes stand in it (pids {}), so it cannot give its children the memory controller",
                    named.join(", ")
                );
                return Err(Refusal { why, occupied: true });
            }
        }
    }
    Ok(())
}

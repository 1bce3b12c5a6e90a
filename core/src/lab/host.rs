//! The host as memoom sees it: where the memory controller is, what may be done there, and what is missing.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::mountinfo::{mounts, Mount};
use self::place::Manager;
use crate::error::{Error, ErrorKind, Result};
use crate::memcg::files::WRITABLE;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};
use crate::sys;
use crate::text::shown;

mod evidence;
pub(crate) mod mountinfo;
mod place;
mod room;
mod text;

/// How the machine has its cgroup hierarchies mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hierarchy {
    /// Only v1 hierarchies.
    V1,
    /// Only the v2 hierarchy.
    V2,
    /// Both are mounted; the memory controller stands in one of them.
    Hybrid,
    /// No cgroup file system is mounted.
    None,
}

/// Something that memoom can do here, or why it cannot and what would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ability {
    /// A short name, such as `kernel-log`.
    pub name: &'static str,
    /// Whether it can be had.
    pub available: bool,
    /// What was found.
    pub reason: String,
    /// What to do about it; empty where nothing is missing.
    pub remedy: String,
}

/// This machine as memoom sees it. Nothing is changed by looking.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Host {
    /// What is mounted.
    pub hierarchy: Hierarchy,
    /// Where the memory controller stands; `None` where it is nowhere.
    pub version: Option<Version>,
    /// The mount point of that hierarchy.
    #[serde(serialize_with = "crate::text::maybe_path")]
    pub mount: Option<PathBuf>,
    /// What part of the hierarchy that mount shows (field 4 of mountinfo); `/` is all of it.
    #[serde(skip)]
    pub(crate) mount_root: String,
    /// The memory group of this process, as the kernel writes it in /proc/self/cgroup.
    pub own_group: Option<String>,
    /// The directory below which labs are made unless told otherwise. For a process that stands in a lab it is one from
    /// which no limit of that lab is escaped: its own group, or (v2, where that has processes) a group above it as far as
    /// no limit is left behind.
    #[serde(serialize_with = "crate::text::maybe_path")]
    pub parent: Option<PathBuf>,
    /// The kernel release, from /proc/sys/kernel/osrelease.
    pub release: String,
    /// Bytes of memory that the host can give now, from /proc/meminfo (MemAvailable).
    pub available_bytes: u64,
    /// Bytes of swap that are on, from /proc/meminfo (SwapTotal).
    pub swap_total_bytes: u64,
    /// What works here and what does not.
    pub abilities: Vec<Ability>,
    /// Which systemd can be asked for a group.
    #[serde(skip)]
    manager: Manager,
    /// Whether sudo(8) is there.
    #[serde(skip)]
    sudo: bool,
    /// Whether the cgroup file system is mounted read-only here.
    #[serde(skip)]
    pub(crate) read_only: bool,
}

impl Host {
    /// Looks at this machine.
    ///
    /// # Errors
    /// `Io` where /proc cannot be read; `OutOfMemory` where this process may not have what memoom needs. A machine without
    /// cgroups is an answer, not an error.
    pub fn probe() -> Result<Host> {
        sys::room::left().map_err(|source| Error::os("find memory for memoom itself", source))?;
        Host::probe_at(Path::new("/"))
    }

    /// Looks at a tree that stands for a machine: `root/proc`, `root/sys` and so on. With `/` it is this machine.
    ///
    /// # Errors
    /// `NotFound` or `Io` where `proc/self/mountinfo` or `proc/self/cgroup` cannot be read.
    pub fn probe_at(root: &Path) -> Result<Host> {
        let mounts = mounts(&read(root, own(root, "mountinfo"))?);
        let groups = read(root, own(root, "cgroup"))?;
        let (available_bytes, swap_total_bytes) = memory(root);
        let (found, unread) = find_memory(root, &mounts);
        let own = found.as_ref().and_then(|(version, _)| own_group(&groups, *version));
        let any_v1 = mounts.iter().any(|mount| mount.kind == b"cgroup");
        let any_v2 = mounts.iter().any(|mount| mount.kind == b"cgroup2");
        let mut host = Host {
            hierarchy: match (any_v1, any_v2) {
                (true, true) => Hierarchy::Hybrid,
                (true, false) => Hierarchy::V1,
                (false, true) => Hierarchy::V2,
                (false, false) => Hierarchy::None,
            },
            version: found.as_ref().map(|(version, _)| *version),
            mount: found.as_ref().map(|(_, mount)| below(root, &mount.point)),
            mount_root: found.as_ref().map_or_else(String::new, |(_, mount)| mount.root.to_string_lossy().into_owned()),
            own_group: own.as_deref().map(shown),
            parent: None,
            release: release(root),
            available_bytes,
            swap_total_bytes,
            abilities: Vec::new(),
            manager: Manager::find(root),
            sudo: ["usr/bin/sudo", "bin/sudo", "usr/local/bin/sudo"].iter().any(|path| root.join(path).exists()),
            read_only: found.as_ref().is_some_and(|(_, mount)| mount.read_only),
        };
        match found {
            Some((version, mount)) => host.look_at_groups(root, version, &mount, own.as_deref()),
            None => host.say("memory-controller", Err((
                match host.hierarchy {
                    Hierarchy::None => "no cgroup file system is mounted".to_string(),
                    _ if !unread.is_empty() => unread.join("; "),
                    _ => "no mounted hierarchy has the memory controller".to_string(),
                },
                "mount cgroup2 on /sys/fs/cgroup; where it lacks `memory` in cgroup.controllers, the kernel was built or booted without it (cgroup_disable=memory), or v1 holds it".to_string(),
            ))),
        }
        host.look_at_evidence(root);
        Ok(host)
    }

    /// Whether that ability is there.
    pub fn can(&self, name: &str) -> bool {
        self.abilities.iter().any(|ability| ability.name == name && ability.available)
    }

    /// Why a lab cannot be made here: the first missing ability that a lab needs, as an error; `Ok` where it can.
    ///
    /// # Errors
    /// `Unsupported` without a memory controller, `PermissionDenied` where no group may be made, `OutOfMemory` where this
    /// process itself stands in a group that is nearly full.
    pub fn require_lab(&self) -> Result<()> {
        self.require(&[("memory-controller", ErrorKind::Unsupported), ("create-groups", ErrorKind::PermissionDenied)])?;
        self.require_room()
    }

    /// The same for a lab in a place that is named: who makes it must not be the victim.
    pub(super) fn require_room(&self) -> Result<()> {
        self.require(&[("own-room", ErrorKind::OutOfMemory)])
    }

    fn require(&self, abilities: &[(&str, ErrorKind)]) -> Result<()> {
        for &(name, kind) in abilities {
            if let Some(missing) = self.abilities.iter().find(|ability| ability.name == name && !ability.available) {
                return Err(Error::new(kind, "make lab", &missing.reason).remedy(&missing.remedy));
            }
        }
        Ok(())
    }

    pub(super) fn say(&mut self, name: &'static str, found: std::result::Result<String, (String, String)>) {
        let available = found.is_ok();
        let (reason, remedy) = found.map_or_else(|missing| missing, |reason| (reason, String::new()));
        self.abilities.push(Ability { name, available, reason, remedy });
    }

    fn look_at_groups(&mut self, root: &Path, version: Version, mount: &Mount, own: Option<&Path>) {
        let point = below(root, &mount.point);
        let name = version.name();
        self.say("memory-controller", Ok(format!("on cgroup {name}, mounted at {}", shown(&mount.point))));
        self.find_parent(&point, version, mount, own);
        self.say("own-room", room::ability(&point, version, mount, own, self.swap_total_bytes > 0));
        self.look_at_swap(&self.parent.clone().unwrap_or(point), version);
        self.say(
            "oom-killer-switch",
            match version {
                Version::V1 => Ok("memory.oom_control can turn the OOM killer of a group off".to_string()),
                Version::V2 => Err((
                    "cgroup v2 has no switch for the OOM killer".to_string(),
                    "run the v1 experiments where the memory controller is on v1".to_string(),
                )),
            },
        );
        self.say(
            "oom-group",
            match version {
                Version::V2 => Ok("memory.oom.group can make a kill take the whole group".to_string()),
                Version::V1 => Err((
                    "cgroup v1 has no memory.oom.group".to_string(),
                    "run the v2 experiments where the memory controller is on v2".to_string(),
                )),
            },
        );
    }

    /// The directory below which labs can be made: the first that lets us.
    fn find_parent(&mut self, point: &Path, version: Version, mount: &Mount, own: Option<&Path>) {
        let nested = own.is_some_and(place::is_in_lab);
        let mut refusals = Vec::new();
        let mut occupied = None;
        for directory in place::candidates(point, version, mount, own) {
            match place::usable_parent(&directory, version, mount.read_only) {
                Ok(()) => {
                    let within = if nested { ", within the lab in which this process stands" } else { "" };
                    self.say("create-groups", Ok(format!("groups can be made below {}{within}", shown(&directory))));
                    self.parent = Some(directory);
                    return;
                }
                Err(refusal) => {
                    refusals.push(format!("{}: {}", shown(&directory), refusal.why));
                    occupied = occupied.or(refusal.occupied.then_some(directory));
                }
            }
        }
        let remedy = match occupied {
            _ if mount.read_only => WRITABLE.to_string(),
            Some(directory) => {
                let leaf = directory.join("main");
                let leaf = shown(&leaf);
                format!("move its processes into a leaf first: mkdir {leaf} && echo PID > {leaf}/cgroup.procs for each of them")
            }
            None => place::delegation(point, version, self.manager),
        };
        let (reason, remedy) = if nested { place::nested(&refusals, &remedy) } else { (refusals.join("; "), remedy) };
        self.say("create-groups", Err((reason, remedy)));
    }

    fn look_at_swap(&mut self, directory: &Path, version: Version) {
        let (limit_file, swap_file) = match version {
            Version::V1 => (v1::LIMIT, v1::MEMSW_LIMIT),
            Version::V2 => (v2::LIMIT, v2::SWAP_LIMIT),
        };
        let swap_is_on = self.swap_total_bytes > 0;
        self.say(
            "swap-accounting",
            match accounts_swap(directory, limit_file, swap_file) {
                Some(true) => Ok(format!("{swap_file} is there")),
                None => Ok(format!("whether {swap_file} is there shows when the first group is made")),
                Some(false) if !swap_is_on => Ok("the kernel does not account swap, and no swap is on".to_string()),
                Some(false) => Err((
                    "swap is on and the kernel does not account it to groups".to_string(),
                    "boot with swapaccount=1; until then an OOM may come late".to_string(),
                )),
            },
        );
    }
}

/// The mount in which the memory controller stands: a v1 mount with the option `memory`, or a v2 mount whose top
/// lists it. An earlier mount of the same hierarchy wins, as tools use that one. And what could not be looked at.
fn find_memory(root: &Path, mounts: &[Mount]) -> (Option<(Version, Mount)>, Vec<String>) {
    let mut unread = Vec::new();
    let of_v1 = |mount: &&Mount| {
        mount.kind == b"cgroup" && mount.super_options.split(|&byte| byte == b',').any(|option| option == b"memory")
    };
    let mut of_v2 = |mount: &&Mount| {
        let list = below(root, &mount.point).join("cgroup.controllers");
        mount.kind == b"cgroup2"
            && match fs::read_to_string(&list) {
                Ok(text) => v2::lists_memory(&text),
                Err(error) => {
                    unread.push(format!("{} cannot be read: {error}", shown(&list)));
                    false
                }
            }
    };
    let v1 = mounts.iter().find(of_v1).map(|mount| (Version::V1, mount));
    let found = v1.or_else(|| mounts.iter().find(&mut of_v2).map(|mount| (Version::V2, mount)));
    (found.map(|(version, mount)| (version, mount.clone())), unread)
}

/// The group of this process in /proc/self/cgroup: `N:memory:PATH` on v1, `0::PATH` on v2.
fn own_group(text: &[u8], version: Version) -> Option<PathBuf> {
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let mut parts = line.splitn(3, |&byte| byte == b':');
        let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let ours = match version {
            Version::V1 => controllers.split(|&byte| byte == b',').any(|name| name == b"memory"),
            Version::V2 => id == b"0" && controllers.is_empty(),
        };
        ours.then(|| PathBuf::from(OsString::from_vec(path.to_vec())))
    })
}

/// Whether groups here have a swap limit beside their limit. The top of a v2 hierarchy has neither file, so that its
/// children are asked; `None` where no group with the memory controller is there.
fn accounts_swap(directory: &Path, limit_file: &str, swap_file: &str) -> Option<bool> {
    let ask = |group: &Path| {
        let has_swap = group.join(swap_file).exists();
        (has_swap || group.join(limit_file).exists()).then_some(has_swap)
    };
    let children = || fs::read_dir(directory).ok()?.flatten().find_map(|entry| ask(&entry.path()));
    ask(directory).or_else(children)
}

/// Bytes of memory that the machine can give and bytes of swap that are on. Where /proc/meminfo cannot be read, the
/// kernel says without it how much is free: less than it can give, and never too much.
fn memory(root: &Path) -> (u64, u64) {
    let text = read_or_empty(root, "proc/meminfo");
    let said = (meminfo_bytes(&text, "MemAvailable:"), meminfo_bytes(&text, "SwapTotal:"));
    let asked = || if is_this_machine(root) { sys::memory().ok() } else { None };
    match said {
        (Some(available), Some(swap)) => (available, swap),
        (available, swap) => {
            let (free, on) = asked().unwrap_or((0, 0));
            (available.unwrap_or(free), swap.unwrap_or(on))
        }
    }
}

/// Bytes of memory of this machine, from /proc/meminfo (MemTotal); `None` where that cannot be read.
pub(crate) fn memory_total_bytes() -> Option<u64> {
    meminfo_bytes(&read_or_empty(Path::new("/"), "proc/meminfo"), "MemTotal:")
}

fn release(root: &Path) -> String {
    let said = read_or_empty(root, "proc/sys/kernel/osrelease").trim().to_string();
    if said.is_empty() && is_this_machine(root) {
        return sys::release();
    }
    said
}

fn is_this_machine(root: &Path) -> bool {
    root == Path::new("/")
}

fn meminfo_bytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Where /proc has a file about this process: on this machine about the calling thread, as a process whose first thread has
/// ended goes on.
pub(super) fn own(root: &Path, file: &str) -> PathBuf {
    match is_this_machine(root) {
        true => sys::own_proc(file),
        false => root.join("proc/self").join(file),
    }
}

/// A path of the machine inside the tree that stands for it.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn read(root: &Path, file: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = root.join(file);
    sys::room::read(&path).map_err(|source| {
        let absent = source.kind() == std::io::ErrorKind::NotFound;
        let error = Error::os("probe host", source).path(&path);
        if absent {
            return error.remedy("mount /proc");
        }
        error
    })
}

pub(super) fn read_or_empty(root: &Path, file: impl AsRef<Path>) -> String {
    String::from_utf8_lossy(&read(root, file).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests;

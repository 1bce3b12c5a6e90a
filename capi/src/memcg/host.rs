//! The host: what this machine has, what may be done on it, and what is missing.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, CString};
use std::mem::{size_of, MaybeUninit};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use memoom::{Hierarchy, Host, Version};

use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need, pointer, text};
use crate::list::Rows;

/// The version of the hierarchy in which the memory controller stands.
pub type memoom_cgroup_version = u32;
/// The memory controller is nowhere.
pub const MEMOOM_CGROUP_NONE: memoom_cgroup_version = 0;
/// cgroup v1: memory.limit_in_bytes, memory.oom_control.
pub const MEMOOM_CGROUP_V1: memoom_cgroup_version = 1;
/// cgroup v2: memory.max, memory.events.
pub const MEMOOM_CGROUP_V2: memoom_cgroup_version = 2;

/// How the machine has its cgroup hierarchies mounted.
pub type memoom_hierarchy = u32;
/// No cgroup file system is mounted.
pub const MEMOOM_HIERARCHY_NONE: memoom_hierarchy = 0;
/// Only v1 hierarchies.
pub const MEMOOM_HIERARCHY_V1: memoom_hierarchy = 1;
/// Only the v2 hierarchy.
pub const MEMOOM_HIERARCHY_V2: memoom_hierarchy = 2;
/// Both are mounted; memoom_host_version tells where the memory controller stands.
pub const MEMOOM_HIERARCHY_HYBRID: memoom_hierarchy = 3;

pub(crate) fn version_number(version: Option<Version>) -> memoom_cgroup_version {
    match version {
        None => MEMOOM_CGROUP_NONE,
        Some(Version::V1) => MEMOOM_CGROUP_V1,
        Some(Version::V2) => MEMOOM_CGROUP_V2,
    }
}

/// Something that memoom can do here, or why it cannot and what would help.
///
/// Ownership: borrowed from the host.
/// Since 0.1.
#[repr(C)]
pub struct memoom_ability {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// A short name, such as "kernel-log".
    pub name: *const c_char,
    /// What was found.
    pub reason: *const c_char,
    /// What to do about it; empty where nothing is missing.
    pub remedy: *const c_char,
    /// 1 where it can be had, else 0.
    pub available: u32,
    /// 0.
    pub reserved: u32,
}

/// This machine as memoom saw it when it was probed.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_host {
    host: Host,
    abilities: Rows<memoom_ability>,
    parent: Option<CString>,
    own_group: Option<CString>,
    release: CString,
    json: CString,
    text: CString,
}

/// Looks at this machine. Nothing is changed by looking.
///
/// \param ret_host      where the host goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also on a machine without cgroups (that is an answer); MEMOOM_ERR_INVALID_INPUT for a NULL
/// ret_host; MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_PERMISSION_DENIED or MEMOOM_ERR_IO where /proc cannot be read;
/// MEMOOM_ERR_PANIC.
/// Ownership: free the host with memoom_host_free.
/// Thread safety: any thread.
/// Needs: /proc.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_host_probe(
    ret_host: Option<&mut MaybeUninit<Box<memoom_host>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_host_probe", reterr_error, || {
        let ret_host = need(ret_host, "ret_host")?;
        let host = Host::probe()?;
        let abilities = Rows::of(&host.abilities, |texts, one| memoom_ability {
            struct_size: size_of::<memoom_ability>(),
            name: texts.keep(one.name),
            reason: texts.keep(&one.reason),
            remedy: texts.keep(&one.remedy),
            available: u32::from(one.available),
            reserved: 0,
        });
        ret_host.write(Box::new(memoom_host {
            abilities,
            parent: host.parent.as_ref().map(|path| text(path.as_os_str().as_bytes())),
            own_group: host.own_group.as_ref().map(text),
            release: text(&host.release),
            json: text(host.to_json()),
            text: text(host.to_text()),
            host,
        }));
        Ok(())
    })
}

/// The version of the hierarchy in which the memory controller stands.
///
/// \param host  a host, or NULL
///
/// Returns: MEMOOM_CGROUP_V1, MEMOOM_CGROUP_V2, or MEMOOM_CGROUP_NONE where it is nowhere (and for NULL).
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_version(host: Option<&memoom_host>) -> memoom_cgroup_version {
    ffi::get(host, MEMOOM_CGROUP_NONE, |host| version_number(host.host.version))
}

/// What is mounted.
///
/// \param host  a host, or NULL
///
/// Returns: one of the MEMOOM_HIERARCHY_ numbers; MEMOOM_HIERARCHY_NONE for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_hierarchy(host: Option<&memoom_host>) -> memoom_hierarchy {
    ffi::get(host, MEMOOM_HIERARCHY_NONE, |host| match host.host.hierarchy {
        Hierarchy::None => MEMOOM_HIERARCHY_NONE,
        Hierarchy::V1 => MEMOOM_HIERARCHY_V1,
        Hierarchy::V2 => MEMOOM_HIERARCHY_V2,
        Hierarchy::Hybrid => MEMOOM_HIERARCHY_HYBRID,
    })
}

/// The directory below which labs are made unless told otherwise. For a process that stands in a lab it is one from
/// which no limit of that lab is escaped.
///
/// \param host  a host, or NULL
///
/// Returns: the path, as raw bytes; NULL where none can be written, and for NULL.
/// Ownership: borrowed from the host.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_parent(host: Option<&memoom_host>) -> *const c_char {
    ffi::get(host, ptr::null(), |host| pointer(&host.parent))
}

/// The memory group of this process, as the kernel writes it in /proc/self/cgroup.
///
/// \param host  a host, or NULL
///
/// Returns: the group; NULL where there is none, and for NULL.
/// Ownership: borrowed from the host.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_own_group(host: Option<&memoom_host>) -> *const c_char {
    ffi::get(host, ptr::null(), |host| pointer(&host.own_group))
}

/// The kernel release, as uname -r says it.
///
/// \param host  a host, or NULL
///
/// Returns: the release; NULL for NULL.
/// Ownership: borrowed from the host.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_release(host: Option<&memoom_host>) -> *const c_char {
    ffi::get(host, ptr::null(), |host| host.release.as_ptr())
}

/// Bytes of memory that the host could give when it was probed (MemAvailable in /proc/meminfo).
///
/// \param host  a host, or NULL
///
/// Returns: the bytes; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_available_bytes(host: Option<&memoom_host>) -> u64 {
    ffi::get(host, 0, |host| host.host.available_bytes)
}

/// Whether this machine has an ability.
///
/// \param host  a host, or NULL
/// \param name  the ability, such as "create-groups"
///
/// Returns: 1 where it is there, 0 where not; 0 for a name that memoom does not know, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn memoom_host_can(host: Option<&memoom_host>, name: *const c_char) -> u32 {
    // SAFETY: passed on: the caller promises a string, or NULL.
    let ability = unsafe { memoom_host_ability(host, name) };
    // SAFETY: a row of the host's, or NULL.
    unsafe { ability.as_ref() }.map_or(0, |ability| ability.available)
}

/// An ability by its name, for its reason and remedy.
///
/// The names: "memory-controller", "create-groups", "swap-accounting", "oom-killer-switch", "oom-group",
/// "own-room", "kernel-log", "tracefs", "task-stack", "lower-oom-score-adj". Later versions may know more.
///
/// \param host  a host, or NULL
/// \param name  the ability, or NULL
///
/// Returns: the ability; NULL for a name that memoom does not know or did not look at, and for NULL.
/// Ownership: borrowed from the host.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn memoom_host_ability(host: Option<&memoom_host>, name: *const c_char) -> *const memoom_ability {
    // SAFETY: the caller promises a string, or NULL.
    let name = unsafe { ffi::maybe_bytes(name) };
    ffi::get(host, ptr::null(), |host| {
        let at = host.host.abilities.iter().position(|ability| Some(ability.name.as_bytes()) == name);
        at.map_or(ptr::null(), |at| host.abilities.at(at))
    })
}

/// How many abilities were looked at.
///
/// \param host  a host, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_ability_count(host: Option<&memoom_host>) -> usize {
    ffi::get(host, 0, |host| host.abilities.len())
}

/// One of the abilities that were looked at.
///
/// \param host   a host, or NULL
/// \param index  from 0 to memoom_host_ability_count - 1
///
/// Returns: the ability; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the host.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_ability_at(host: Option<&memoom_host>, index: usize) -> *const memoom_ability {
    ffi::get(host, ptr::null(), |host| host.abilities.at(index))
}

/// The host as a person reads it: what is where, each ability with what helps where it is missing.
///
/// \param host  a host, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the host.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_to_text(host: Option<&memoom_host>) -> *const c_char {
    ffi::get(host, ptr::null(), |host| host.text.as_ptr())
}

/// The host as one JSON document ("memoom.host/1").
///
/// \param host  a host, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the host.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_to_json(host: Option<&memoom_host>) -> *const c_char {
    ffi::get(host, ptr::null(), |host| host.json.as_ptr())
}

/// Frees a host.
///
/// \param host  a host, or NULL, which does nothing
///
/// Ownership: takes the host; its strings and abilities end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_host_free(host: Option<Box<memoom_host>>) {
    ffi::free(host);
}

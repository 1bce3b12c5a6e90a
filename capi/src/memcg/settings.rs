//! What a group is set to, as C has it: limits and switches, and the options of a new group.
#![allow(unsafe_code)] // a struct of the caller's

use std::mem::size_of;

use memoom::{Limit, Limits};

use crate::error::Failure;
use crate::ffi::{self, Done};

/// A switch of a group.
pub type memoom_switch = u32;
/// The switch is off.
pub const MEMOOM_OFF: memoom_switch = 0;
/// The switch is on.
pub const MEMOOM_ON: memoom_switch = 1;
/// In options: leave the switch as the kernel has it.
pub const MEMOOM_SWITCH_UNCHANGED: memoom_switch = u32::MAX;

/// The settings of a new group. Begin with MEMOOM_GROUP_OPTIONS_INIT: no limit, swap kept out, the rest unchanged.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_group_options {
    /// sizeof(memoom_group_options).
    pub struct_size: usize,
    /// The hard limit, memory.limit_in_bytes (v1) or memory.max (v2): bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED.
    pub limit_bytes: u64,
    /// Swap that the group may use beyond its memory: bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED. 0 makes an OOM come
    /// at the limit and nowhere else.
    pub swap_bytes: u64,
    /// The throttling limit memory.high (v2 only): bytes, MEMOOM_UNLIMITED or MEMOOM_UNCHANGED.
    pub high_bytes: u64,
    /// memory.oom.group (v2 only), an OOM kill takes the whole group: MEMOOM_ON, MEMOOM_OFF or MEMOOM_SWITCH_UNCHANGED.
    pub oom_group: memoom_switch,
    /// The OOM killer of the group (v1 only): MEMOOM_OFF makes a process at the limit wait instead of being killed.
    pub oom_killer: memoom_switch,
}

impl Default for memoom_group_options {
    fn default() -> memoom_group_options {
        memoom_group_options {
            struct_size: size_of::<memoom_group_options>(),
            limit_bytes: ffi::MEMOOM_UNCHANGED,
            swap_bytes: 0,
            high_bytes: ffi::MEMOOM_UNCHANGED,
            oom_group: MEMOOM_SWITCH_UNCHANGED,
            oom_killer: MEMOOM_SWITCH_UNCHANGED,
        }
    }
}

// SAFETY: repr(C), a usize first, then u64 and two u32.
unsafe impl ffi::Struct for memoom_group_options {
    const NAME: &'static str = "memoom_group_options";
}

/// Bytes of an option as a limit; `None` leaves it alone. What a result did not know is no limit.
pub(crate) fn limit(name: &'static str, bytes: u64) -> Done<Option<Limit>> {
    match bytes {
        ffi::MEMOOM_UNLIMITED => Ok(Some(Limit::Max)),
        ffi::MEMOOM_UNCHANGED => Ok(None),
        ffi::MEMOOM_UNKNOWN => {
            Err(Failure::input(format!("{name} is MEMOOM_UNKNOWN; remedy: give bytes or MEMOOM_UNLIMITED")))
        }
        bytes => Ok(Some(Limit::Bytes(bytes))),
    }
}

/// A switch of an option; `None` leaves it alone.
pub(crate) fn switch(name: &'static str, value: memoom_switch) -> Done<Option<bool>> {
    match value {
        MEMOOM_OFF => Ok(Some(false)),
        MEMOOM_ON => Ok(Some(true)),
        MEMOOM_SWITCH_UNCHANGED => Ok(None),
        _ => Err(Failure::input(format!(
            "{name} is no switch (value {value}); remedy: give MEMOOM_ON, MEMOOM_OFF or MEMOOM_SWITCH_UNCHANGED"
        ))),
    }
}

pub(super) fn limits(given: &memoom_group_options) -> Done<Limits> {
    let memoom_group_options { struct_size: _, limit_bytes, swap_bytes, high_bytes, oom_group, oom_killer } = *given;
    Ok(Limits {
        limit: limit("options.limit_bytes", limit_bytes)?,
        swap: limit("options.swap_bytes", swap_bytes)?,
        high: limit("options.high_bytes", high_bytes)?,
        oom_group: switch("options.oom_group", oom_group)?,
        oom_killer: switch("options.oom_killer", oom_killer)?,
    })
}

/// A number of bytes, or MEMOOM_UNLIMITED; here "leave alone" has no meaning.
pub(crate) fn new_limit(name: &'static str, bytes: u64) -> Done<Limit> {
    limit(name, bytes)?
        .ok_or_else(|| Failure::input(format!("{name} is MEMOOM_UNCHANGED; remedy: give bytes or MEMOOM_UNLIMITED")))
}

pub(super) fn new_switch(name: &'static str, value: memoom_switch) -> Done<bool> {
    switch(name, value)?.ok_or_else(|| {
        Failure::input(format!("{name} is MEMOOM_SWITCH_UNCHANGED; remedy: give MEMOOM_ON or MEMOOM_OFF"))
    })
}

pub(crate) fn bytes_of(limit: Limit) -> u64 {
    limit.bytes().unwrap_or(ffi::MEMOOM_UNLIMITED)
}

pub(crate) fn switch_of(on: bool) -> memoom_switch {
    if on {
        MEMOOM_ON
    } else {
        MEMOOM_OFF
    }
}

//! The files of a group beyond its hard limit: protection, swap, reclaim, freezing, statistics.
#![allow(unsafe_code)] // exported names, and strings and structs of the caller's

use std::ffi::c_char;
use std::mem::MaybeUninit;

use super::group::memoom_group;
use super::settings::{bytes_of, memoom_switch, new_limit, switch_of};
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, known, need};

/// The protected amount memory.min (v2): below it nothing of the group is reclaimed.
///
/// \param group         the group
/// \param ret_bytes     where the bytes go, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_min(
    group: Option<&memoom_group>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_min", reterr_error, || {
        let (group, ret_bytes) = (need(group, "group")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(bytes_of(group.group.min()?));
        Ok(())
    })
}

/// Sets memory.min (v2).
///
/// \param group         the group, made by memoom
/// \param bytes         bytes, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED
/// on v1, or where the kernel lacks the file;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_set_min(
    group: Option<&memoom_group>,
    bytes: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_set_min", reterr_error, || {
        Ok(need(group, "group")?.group.set_min(new_limit("bytes", bytes)?)?)
    })
}

/// The protected amount memory.low (v2): below it the group is reclaimed only when nothing else is left.
///
/// \param group         the group
/// \param ret_bytes     where the bytes go, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_low(
    group: Option<&memoom_group>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_low", reterr_error, || {
        let (group, ret_bytes) = (need(group, "group")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(bytes_of(group.group.low()?));
        Ok(())
    })
}

/// Sets memory.low (v2).
///
/// \param group         the group, made by memoom
/// \param bytes         bytes, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED
/// on v1, or where the kernel lacks the file;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_set_low(
    group: Option<&memoom_group>,
    bytes: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_set_low", reterr_error, || {
        Ok(need(group, "group")?.group.set_low(new_limit("bytes", bytes)?)?)
    })
}

/// Compressed swap that the group may use: memory.zswap.max (v2, from 5.19 or so).
///
/// \param group         the group
/// \param ret_bytes     where the bytes go, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_zswap(
    group: Option<&memoom_group>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_zswap", reterr_error, || {
        let (group, ret_bytes) = (need(group, "group")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(bytes_of(group.group.zswap()?));
        Ok(())
    })
}

/// Sets memory.zswap.max (v2).
///
/// \param group         the group, made by memoom
/// \param bytes         bytes, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED
/// on v1, or where the kernel lacks the file;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_set_zswap(
    group: Option<&memoom_group>,
    bytes: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_set_zswap", reterr_error, || {
        Ok(need(group, "group")?.group.set_zswap(new_limit("bytes", bytes)?)?)
    })
}

/// Swap that the group may use beyond its memory: memory.swap.max (v2), or memory.memsw.limit_in_bytes less the limit
/// (v1).
///
/// \param group         the group
/// \param ret_bytes     where the bytes go, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_UNSUPPORTED where this kernel does not account
/// swap to groups;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_swap(
    group: Option<&memoom_group>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_swap", reterr_error, || {
        let (group, ret_bytes) = (need(group, "group")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(bytes_of(group.group.swap()?));
        Ok(())
    })
}

/// Sets the swap that the group may use beyond its memory; on v1 it is kept in step when the limit changes.
///
/// \param group         the group, made by memoom
/// \param bytes         bytes, or MEMOOM_UNLIMITED
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, the value or an opened group; MEMOOM_ERR_UNSUPPORTED
/// where this kernel does not account swap to groups; MEMOOM_ERR_BUSY where the group uses more (v1);
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_set_swap(
    group: Option<&memoom_group>,
    bytes: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_set_swap", reterr_error, || {
        Ok(need(group, "group")?.group.set_swap(new_limit("bytes", bytes)?)?)
    })
}

/// Swap that the group uses now: memory.swap.current (v2), memory+swap less memory (v1).
///
/// \param group         the group
/// \param ret_bytes     where the bytes go; MEMOOM_UNKNOWN where this kernel does not account them
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_swap_usage(
    group: Option<&memoom_group>,
    ret_bytes: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_swap_usage", reterr_error, || {
        let (group, ret_bytes) = (need(group, "group")?, need(ret_bytes, "ret_bytes")?);
        ret_bytes.write(known(group.group.swap_usage_bytes()?));
        Ok(())
    })
}

/// One number of memory.stat, by the kernel's own key, such as "anon" or "file" (v2), "rss" or "cache" (v1).
///
/// The kernel brings the file up to date every 2 seconds or so: right after a change it may still show what was before.
///
/// \param group         the group
/// \param key           the key
/// \param ret_value     where the number goes; MEMOOM_UNKNOWN where the kernel has no such key
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_stat(
    group: Option<&memoom_group>,
    key: *const c_char,
    ret_value: Option<&mut MaybeUninit<u64>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_stat", reterr_error, || {
        let group = need(group, "group")?;
        // SAFETY: the caller promises a string.
        let key = ffi::utf8(unsafe { ffi::bytes(key, "key") }?, "key")?;
        let ret_value = need(ret_value, "ret_value")?;
        ret_value.write(known(group.group.stat()?.get(key)));
        Ok(())
    })
}

/// Has the kernel reclaim so many bytes of the group: memory.reclaim (v2, from 5.19 or so).
///
/// \param group         the group, made by memoom
/// \param bytes         how many
/// \param ret_all       where MEMOOM_ON goes if the kernel found as much, or MEMOOM_OFF (its EAGAIN)
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group;
/// MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file
/// (v1 has memoom_group_force_empty);
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_reclaim(
    group: Option<&memoom_group>,
    bytes: u64,
    ret_all: Option<&mut MaybeUninit<memoom_switch>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_reclaim", reterr_error, || {
        let (group, ret_all) = (need(group, "group")?, need(ret_all, "ret_all")?);
        ret_all.write(switch_of(group.group.reclaim(bytes)?));
        Ok(())
    })
}

/// Has the kernel take back all that it can of the group: memory.force_empty (v1).
///
/// \param group         the group, made by memoom
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group;
/// MEMOOM_ERR_UNSUPPORTED on v2, which has memoom_group_reclaim;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_force_empty(
    group: Option<&memoom_group>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_force_empty", reterr_error, || Ok(need(group, "group")?.group.force_empty()?))
}

/// Sets memory.failcnt and, where swap is accounted, memory.memsw.failcnt back to 0 (v1).
///
/// \param group         the group, made by memoom
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group;
/// MEMOOM_ERR_UNSUPPORTED on v2, whose memory.events cannot be reset;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_reset_failcnt(
    group: Option<&memoom_group>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_reset_failcnt", reterr_error, || Ok(need(group, "group")?.group.reset_failcnt()?))
}

/// Stops every process of the group and of the groups below it where it stands: cgroup.freeze (v2, from 5.2), and waits
/// until all stand still. SIGKILL still ends them.
///
/// \param group         the group, made by memoom
/// \param timeout_ns    how long to wait, or MEMOOM_FOREVER
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group; MEMOOM_ERR_TIMED_OUT where some do not
/// stop by the deadline: all are let go again;
/// MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_freeze(
    group: Option<&memoom_group>,
    timeout_ns: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_freeze", reterr_error, || Ok(need(group, "group")?.group.freeze(ffi::wait(timeout_ns))?))
}

/// Lets the processes of a frozen group go on (v2). A group that is not frozen is left alone.
///
/// \param group         the group, made by memoom
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group;
/// MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks the file;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_thaw(
    group: Option<&memoom_group>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_thaw", reterr_error, || Ok(need(group, "group")?.group.thaw()?))
}

/// Whether every process of the group stands still: frozen of cgroup.events (v2).
///
/// \param group         the group
/// \param ret_on        where MEMOOM_ON or MEMOOM_OFF goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_UNSUPPORTED on v1, or where the kernel lacks it;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_frozen(
    group: Option<&memoom_group>,
    ret_on: Option<&mut MaybeUninit<memoom_switch>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_frozen", reterr_error, || {
        let (group, ret_on) = (need(group, "group")?, need(ret_on, "ret_on")?);
        ret_on.write(switch_of(group.group.frozen()?));
        Ok(())
    })
}

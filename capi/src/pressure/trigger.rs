//! Making an OOM wait, and the three ends of the wait; an OOM at once.
#![allow(unsafe_code)] // exported names

use std::mem::MaybeUninit;

use memoom::{Resume, Way};

use super::worker::memoom_worker;
use crate::account::oom::memoom_oom;
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need, Done};
use crate::memcg::group::memoom_group;
use crate::memcg::settings::{memoom_switch, new_limit, switch_of};

/// How an OOM is brought about.
pub type memoom_way = u32;
/// The surest way here: MEMOOM_WAY_SQUEEZE where the group has processes, MEMOOM_WAY_INSIDE where it has none.
pub const MEMOOM_WAY_SUREST: memoom_way = 0;
/// A hog in the group grows until the limit is met. The limit stays.
pub const MEMOOM_WAY_INSIDE: memoom_way = 1;
/// Page cache is given back, the limit is lowered to the usage, and a small worker in the group takes a little more.
pub const MEMOOM_WAY_SQUEEZE: memoom_way = 2;
/// memory.max is written below the usage, and the kernel kills in that write (v2), perhaps more than one.
pub const MEMOOM_WAY_WRITE: memoom_way = 3;
/// As MEMOOM_WAY_WRITE, with O_NONBLOCK: the kernel sets the limit alone, and the next charge meets it (v2, newest kernels).
pub const MEMOOM_WAY_NONBLOCK: memoom_way = 4;
/// As MEMOOM_WAY_SQUEEZE, with the limit of the group above.
pub const MEMOOM_WAY_ANCESTOR: memoom_way = 5;
/// A hog in another group grows until the limit of the group above both is met.
pub const MEMOOM_WAY_NEIGHBOUR: memoom_way = 6;

fn way_of(way: memoom_way) -> Done<Option<Way>> {
    match way {
        MEMOOM_WAY_SUREST => Ok(None),
        MEMOOM_WAY_INSIDE => Ok(Some(Way::Inside)),
        MEMOOM_WAY_SQUEEZE => Ok(Some(Way::Squeeze)),
        MEMOOM_WAY_WRITE => Ok(Some(Way::Write)),
        MEMOOM_WAY_NONBLOCK => Ok(Some(Way::Nonblock)),
        MEMOOM_WAY_ANCESTOR => Ok(Some(Way::Ancestor)),
        MEMOOM_WAY_NEIGHBOUR => Ok(Some(Way::Neighbour)),
        _ => Err(Failure::input(format!("way is unknown (value {way}); remedy: give one of MEMOOM_WAY_*"))),
    }
}

fn number_of(way: Way) -> memoom_way {
    match way {
        Way::Inside => MEMOOM_WAY_INSIDE,
        Way::Squeeze => MEMOOM_WAY_SQUEEZE,
        Way::Write => MEMOOM_WAY_WRITE,
        Way::Nonblock => MEMOOM_WAY_NONBLOCK,
        Way::Ancestor => MEMOOM_WAY_ANCESTOR,
        Way::Neighbour => MEMOOM_WAY_NEIGHBOUR,
        // A way that this face does not know was not asked for.
        _ => MEMOOM_WAY_SUREST,
    }
}

/// From now on a process that meets the limit waits instead of being killed, until one of the memoom_group_resume_*.
///
/// On v1 this is the kernel's own switch, as memoom_group_set_oom_killer sets it. On v2 it is done by memoom with
/// memory.high, memory.events and cgroup.freeze, and differs: everybody in the group stands still while it is blocked, in
/// state S; the usage rests a little above the limit; it needs somebody who waits in a call of this lab, and meanwhile the
/// kernel slows the group down and, a quarter of the limit (at least 16 MiB) above it, kills; a system call that takes
/// memory is stopped, not failed.
///
/// \param group         the group, made by memoom
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, an opened group or one without a limit (v2);
/// MEMOOM_ERR_OUT_OF_MEMORY where the host has not the room above the limit (v2);
/// MEMOOM_ERR_UNSUPPORTED where this kernel lacks cgroup.freeze (v2);
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_block(
    group: Option<&memoom_group>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_block", reterr_error, || Ok(need(group, "group")?.group.block()?))
}

/// Whether a process that meets the limit would wait: oom_kill_disable (v1), or memoom_group_block (v2).
///
/// \param group         the group
/// \param ret_on        where MEMOOM_ON or MEMOOM_OFF goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_blocking(
    group: Option<&memoom_group>,
    ret_on: Option<&mut MaybeUninit<memoom_switch>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_blocking", reterr_error, || {
        let (group, ret_on) = (need(group, "group")?, need(ret_on, "ret_on")?);
        ret_on.write(switch_of(group.group.blocking()?));
        Ok(())
    })
}

/// Waits until a process of the group waits in an OOM.
///
/// \param group         the group, made by memoom
/// \param timeout_ns    how long to wait, 0 to look only, or MEMOOM_FOREVER
/// \param ret_count     where the number of processes that wait goes; 0 where none did by the deadline
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where none waits; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group;
/// MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_wait_blocked(
    group: Option<&memoom_group>,
    timeout_ns: u64,
    ret_count: Option<&mut MaybeUninit<usize>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_wait_blocked", reterr_error, || {
        let (group, ret_count) = (need(group, "group")?, need(ret_count, "ret_count")?);
        let blocked = group.group.wait_blocked(ffi::wait(timeout_ns))?;
        ret_count.write(blocked.map_or(0, |blocked| blocked.len()));
        Ok(())
    })
}

/// Ends a block by room: the limit is raised, and the group still blocks at the new one.
///
/// \param group         the group, made by memoom
/// \param bytes         bytes, more than the limit is, or MEMOOM_UNLIMITED (v1)
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, an opened group or a limit that is not above the old one;
/// MEMOOM_ERR_OUT_OF_MEMORY; MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_resume_raise(
    group: Option<&memoom_group>,
    bytes: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_resume_raise", reterr_error, || {
        let limit = new_limit("bytes", bytes)?;
        Ok(need(group, "group")?.group.resume(Resume::Raise(limit), None)?)
    })
}

/// Ends a block by the kernel's choice of a victim: the killer is turned on again. The victim may be another than who
/// waits. On v2 it returns when the usage is below the limit again.
///
/// \param group         the group, made by memoom
/// \param timeout_ns    how long to wait (v2), or MEMOOM_FOREVER
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where nobody was blocked; MEMOOM_ERR_INVALID_INPUT for NULL or an opened group;
/// MEMOOM_ERR_TIMED_OUT where the usage is still above the limit (v2), which is then not put back; MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_resume_killer(
    group: Option<&memoom_group>,
    timeout_ns: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_resume_killer", reterr_error, || {
        Ok(need(group, "group")?.group.resume(Resume::Killer, ffi::wait(timeout_ns))?)
    })
}

/// Ends a block by the death of a worker: it gets SIGKILL and gives its memory back, and the group still blocks.
///
/// \param group         the group, made by memoom
/// \param worker        a worker of it, or of a group below
/// \param timeout_ns    how long to wait for its end, or MEMOOM_FOREVER
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, an opened group or a worker of another one;
/// MEMOOM_ERR_TIMED_OUT; MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_resume_kill(
    group: Option<&memoom_group>,
    worker: Option<&memoom_worker>,
    timeout_ns: u64,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_resume_kill", reterr_error, || {
        let (group, worker) = (need(group, "group")?, need(worker, "worker")?);
        Ok(group.group.resume(Resume::Kill(worker.worker()), ffi::wait(timeout_ns))?)
    })
}

/// Makes an OOM happen in the group now, and gives its account.
///
/// With a target the kernel is made to choose that worker: its oom_score_adj is raised if need be, and if the kernel would
/// still choose another one nothing is done. What was changed (limits, oom_score_adj) is put back, and memoom's own
/// workers are gone when it returns.
///
/// \param group         the group, made by memoom
/// \param target        the worker that is to die; NULL for whom the kernel chooses
/// \param way           one of MEMOOM_WAY_*
/// \param timeout_ns    how long to wait for the OOM, or MEMOOM_FOREVER
/// \param ret_oom       where the account goes
/// \param ret_way       where the way that brought it about goes, or NULL
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL, an opened group, an unknown way, where the killer is off, for a way
/// that needs a group above, a limit or processes that are not there, or for a target outside or that the kernel would
/// not choose; MEMOOM_ERR_UNSUPPORTED for a way of v2 on v1; MEMOOM_ERR_WORKER_GONE where the target has ended;
/// MEMOOM_ERR_TIMED_OUT; MEMOOM_ERR_NOT_FOUND where the group was removed; MEMOOM_ERR_PERMISSION_DENIED; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO;
/// MEMOOM_ERR_PANIC.
/// Ownership: free the account with memoom_oom_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_oom_now(
    group: Option<&memoom_group>,
    target: Option<&memoom_worker>,
    way: memoom_way,
    timeout_ns: u64,
    ret_oom: Option<&mut MaybeUninit<Box<memoom_oom>>>,
    ret_way: Option<&mut MaybeUninit<memoom_way>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_oom_now", reterr_error, || {
        let (group, ret_oom) = (need(group, "group")?, need(ret_oom, "ret_oom")?);
        let target = target.map(memoom_worker::worker);
        let triggered = group.group.oom_now(target, way_of(way)?, ffi::wait(timeout_ns))?;
        ret_oom.write(Box::new(memoom_oom::new(triggered.oom)));
        if let Some(ret_way) = ret_way {
            ret_way.write(number_of(triggered.way));
        }
        Ok(())
    })
}

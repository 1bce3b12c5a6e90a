//! How a group ends: everything in it is killed, and what is empty is removed, as soon as the kernel lets go of it.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use crate::error::{Error, Result};
use crate::memcg::cgroup::processes_below;
use crate::memcg::files::Dir;
use crate::memcg::v1;
use crate::memcg::version::Version;
use crate::observe::task::Proc;
use crate::sys;

/// So long whoever was killed and does not end is killed again, and waited for.
const HELD_FAST: Duration = Duration::from_secs(1);

/// Kills everything in a group and below it: v2 by `cgroup.kill` where the kernel has it (5.14), else process by process
/// through pidfds, until nothing is left to be killed.
pub(crate) fn kill_tree(dir: &Dir, version: Version) -> Result<()> {
    if version == Version::V2 && dir.has("cgroup.kill") {
        return kill_whole(dir);
    }
    if version == Version::V1 && dir.has(v1::OOM_CONTROL) {
        // A process that waits in the OOM may hold what others need; with the killer on nothing waits.
        let _ = v1::set_oom_killer(dir, true);
    }
    for name in dir.dirs()? {
        if let Some(below) = dir.dir_if_there(OsStr::from_bytes(&name))? {
            match kill_tree(&below, version) {
                // Somebody else removes the same tree: nobody is left in what has gone.
                Err(_) if !below.exists() => {}
                done => done?,
            }
        }
    }
    kill_members(dir)
}

/// Kills the processes of one group, one by one. Who forks while we kill appears again; each round takes all that it sees.
fn kill_members(dir: &Dir) -> Result<()> {
    let listed = |pid: i32| -> Result<bool> { Ok(members(dir)?.contains(&pid)) };
    // A process that the kernel holds fast (state D, a freezer) dies when it may, and is not waited for any longer.
    let mut signalled: Vec<i32> = Vec::new();
    let mut patience = Instant::now() + HELD_FAST;
    for _ in 0..1000 {
        let mut killed = 0;
        for pid in members(dir)? {
            if signalled.contains(&pid) && Instant::now() >= patience {
                continue;
            }
            // The pid may have become another process between the list and the pidfd: look again with the pidfd held.
            let pidfd = match sys::pidfd_open(pid) {
                Ok(pidfd) => pidfd,
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                    // No pidfds (under Valgrind, a filter of system calls): what is listed at this moment stands in the
                    // group.
                    killed += u32::from(
                        listed(pid)? && !Proc::system().is_exiting(pid) && sys::signal_pid(pid, libc::SIGKILL).is_ok(),
                    );
                    continue;
                }
                // It has gone, or is reaped at this moment.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EINVAL)) => continue,
                // Nobody may be left alive and told dead for want of a descriptor.
                Err(error) => return Err(Error::os("kill process", error).path(dir.path()).value(pid)),
            };
            if sys::has_ended(pidfd.as_fd()) || !listed(pid)? {
                continue;
            }
            match sys::signal_process(pidfd.as_fd(), pid, libc::SIGKILL) {
                Ok(()) => killed += 1,
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => return Err(Error::os("kill process", error).path(dir.path()).value(pid)),
            }
            if !signalled.contains(&pid) {
                signalled.push(pid);
                patience = Instant::now() + HELD_FAST;
            }
            let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut fds, PollTimeout::from(100u8));
        }
        if killed == 0 {
            break;
        }
    }
    Ok(())
}

/// One write can miss a child of a fork that is going on: so it is written until nobody is left who could be one, or who
/// could still fork. A process that the kernel holds fast (state D) is not waited for any longer.
fn kill_whole(dir: &Dir) -> Result<()> {
    let deadline = Instant::now() + HELD_FAST;
    loop {
        dir.write("cgroup.kill", "1")?;
        let alive = processes_below(dir)?.into_iter().any(|pid| !Proc::system().is_exiting(pid));
        if !alive || Instant::now() >= deadline {
            return Ok(());
        }
        wait_for_change(dir);
    }
}

/// Removes an empty group; where everybody was `killed`, those that are still inside are waited for. EBUSY with nobody
/// inside means that the kernel has not yet let go of a dead process (always possible from 6.19): that is waited for,
/// by `cgroup.events` where there is one. `look` is the last look at it, before each attempt.
pub(crate) fn remove_empty(above: &Dir, dir: &Dir, killed: bool, deadline: Instant, look: &dyn Fn()) -> Result<()> {
    loop {
        look();
        let errno = match above.remove_dir(dir) {
            Ok(()) => return Ok(()),
            Err(errno) => errno,
        };
        let busy = |reason: &str, remedy: &str| {
            Err(Error::os("remove group", Errno::EBUSY).path(dir.path()).reason(reason).remedy(remedy))
        };
        match errno {
            Errno::ENOENT | Errno::ENODEV => return Ok(()),
            Errno::EBUSY | Errno::ENOTEMPTY => {}
            errno => return Err(Error::os("remove group", errno).path(dir.path())),
        }
        let (below, inside) = match dir.dirs().and_then(|below| Ok((below, members(dir)?))) {
            Ok(found) => found,
            // Somebody else has removed it meanwhile.
            Err(_) if !dir.exists() => return Ok(()),
            Err(error) => return Err(error),
        };
        if !below.is_empty() {
            return busy(&format!("{} groups are inside", below.len()), "remove them first");
        }
        let alive: Vec<String> =
            inside.into_iter().filter(|pid| !Proc::system().is_exiting(*pid)).map(|pid| pid.to_string()).collect();
        let waits = killed && Instant::now() < deadline;
        if !alive.is_empty() && !waits {
            return busy(&format!("processes are inside (pids {})", alive.join(", ")), "end them first: group.kill()");
        }
        if Instant::now() >= deadline {
            return busy("the kernel still holds it, though no live process is inside", "try again later: `memoom gc`");
        }
        wait_for_change(dir);
    }
}

/// Kills what stands in a subtree and removes it, bottom first. One that has gone is fine.
pub(crate) fn remove_tree(above: &Dir, dir: &Dir, version: Version, deadline: Instant) -> Result<()> {
    loop {
        // Somebody else (the supervisor, another gc) may be removing the same tree: what is gone is gone.
        let removed = kill_tree(dir, version).and_then(|()| {
            for name in dir.dirs()? {
                if let Some(below) = dir.dir_if_there(OsStr::from_bytes(&name))? {
                    remove_tree(dir, &below, version, deadline)?;
                }
            }
            // Each round kills anew, so nobody is waited for here.
            remove_empty(above, dir, false, deadline, &|| ())
        });
        match removed {
            Ok(()) => return Ok(()),
            Err(error) if error.errno().is_some() && !dir.exists() => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error),
            // A process that was being forked stands there now, or one is still dying: again.
            Err(error) if error.errno() == Some(Errno::EBUSY as i32) => std::thread::yield_now(),
            Err(error) => return Err(error),
        }
    }
}

/// The processes of a group, as its `cgroup.procs` has them now.
fn members(dir: &Dir) -> Result<Vec<i32>> {
    let text = dir.read("cgroup.procs")?.unwrap_or_default();
    Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
}

/// Until `cgroup.events` changes, but at most a moment: v1 has no such file, and the file says nothing of the
/// references that still hold a group after it is empty.
fn wait_for_change(dir: &Dir) {
    const MOMENT_MS: u8 = 2;
    match dir.open_file("cgroup.events", OFlag::O_RDONLY) {
        Ok(events) => {
            let mut fds = [PollFd::new(events.as_fd(), PollFlags::POLLPRI)];
            let _ = poll(&mut fds, PollTimeout::from(MOMENT_MS));
        }
        Err(_) => {
            let _ = poll(&mut [], PollTimeout::from(MOMENT_MS));
        }
    }
}

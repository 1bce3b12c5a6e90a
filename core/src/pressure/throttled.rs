//! Looks whether `memory.high` holds a command whose time is up.

use super::worker::Worker;
use crate::account::throttled::Throttled;
use crate::lab::group::Group;
use crate::memcg::counters::charged_ahead_bytes;
use crate::memcg::version::Version;
use crate::observe::callpath::Frame;
use crate::observe::task::Proc;
use crate::sys;

/// What the group of a worker shows now, where `memory.high` holds it (or a group above it in the lab).
pub(super) fn throttled(worker: &Worker) -> Option<Throttled> {
    let slack_bytes = charged_ahead_bytes(sys::page_size(), sys::online_cpus());
    let elapsed_usec = sys::monotonic_ns().saturating_sub(worker.process.started_ns) / 1000;
    let chain: Vec<Group> =
        std::iter::successors(Some(worker.group().clone()), |group| group.parent().cloned()).collect();
    chain.iter().find_map(|group| look(group, worker.group(), elapsed_usec)).filter(|found| found.holds(slack_bytes))
}

/// `inside` is where the worker stands: on v2 a group above it has no processes.
fn look(group: &Group, inside: &Group, elapsed_usec: u64) -> Option<Throttled> {
    if group.version() != Version::V2 {
        return None;
    }
    let high_bytes = group.high().ok()?.bytes()?;
    let usage_bytes = group.usage_bytes().ok()?;
    let high_events = group.counters().ok()?.high?;
    let stalled_usec = group.pressure().ok().map(|pressure| pressure.some.total_usec);
    let (pid, wchan, stack) = waiting(inside)?;
    Some(Throttled {
        group: group.cgroup().to_string(),
        high_bytes,
        usage_bytes,
        over_bytes: usage_bytes.saturating_sub(high_bytes),
        high_events,
        stalled_usec,
        elapsed_usec,
        pid,
        wchan,
        stack,
    })
}

/// The process of the group that waits for it, or else the first one.
fn waiting(group: &Group) -> Option<(i32, Option<String>, Vec<Frame>)> {
    let mut first = None;
    for pid in group.processes().ok()? {
        let Ok(Some(seen)) = Proc::system().waiting(pid) else { continue };
        let stack = seen.stack.unwrap_or_default();
        if Throttled::is_wait(seen.wchan.as_deref(), &stack) {
            return Some((pid, seen.wchan, stack));
        }
        first.get_or_insert((pid, seen.wchan, stack));
    }
    first
}

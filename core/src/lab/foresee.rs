//! Reads the scope of an OOM to come: whose limit a step would meet, and which processes stand in it.

use std::sync::Arc;

use crate::account::scope::{Growing, Scope, Weight};
use crate::account::victim::{predict, predict_growth, uncertainty, Condition, Growth, GrowthInput, Input};
use crate::error::{Error, Result};
use crate::memcg::cgroup::Cgroup;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2, Limit};
use crate::observe::task::{Proc, Stat, TaskState};
use crate::sys;

/// Looks at the scope before a step.
pub(crate) fn scope(group: &Arc<Cgroup>, growing: Option<Growing>) -> Result<Scope> {
    let (at, limit) = nearest_limit(group)?;
    let page = sys::page_size();
    let mut inputs = Vec::new();
    read_tree(&at, &mut inputs)?;
    let sharing = sharing(&mut inputs);
    let limit_pages = limit.bytes().map_or(u64::MAX, |bytes| bytes / page);
    let total_pages = limit_pages.saturating_add(swap_pages(&at, limit)?);
    let cpus = sys::online_cpus();
    // Page cache may go from under any of them before the kernel chooses.
    let contents = at.contents()?;
    let reclaimable_pages = contents.file_lists_bytes() / page;
    let uncertainty_pages = uncertainty(cpus).saturating_add(reclaimable_pages);
    let (prediction, expected) = match growing {
        Some(Growing { pid: growing_pid, bytes, weight: weight @ (Weight::Resident | Weight::Charged) })
            if limit != Limit::Max =>
        {
            let growth = GrowthInput {
                growing_pid,
                step_pages: bytes.div_ceil(page),
                limit_pages,
                usage_pages: contents.usage_bytes.unwrap_or(0) / page,
                reclaimable_pages,
                total_pages,
                uncertainty_pages,
            };
            match predict_growth(inputs.clone(), &growth) {
                // What is in nobody's resident size changes nobody's score: the choice is among them as they are.
                Growth::Oom { .. } if weight == Weight::Charged => {
                    (predict(inputs.clone(), total_pages, uncertainty_pages), true)
                }
                Growth::Oom { prediction, .. } => (prediction, true),
                Growth::Fits { .. } | Growth::NotThere => {
                    (predict(inputs.clone(), total_pages, uncertainty_pages), false)
                }
            }
        }
        _ => (predict(inputs.clone(), total_pages, uncertainty_pages), false),
    };
    Ok(Scope {
        limit_group: at.cgroup().to_string(),
        prediction,
        expected,
        growing: growing.map(|growing| growing.pid),
        sharing,
        read: inputs,
        contents,
    })
}

/// Looks at the scope before something is done to a group itself that may make the kernel choose while everybody stands
/// still: its limit is lowered to `limit`, or its killer is turned on again.
pub(crate) fn standing_still(group: &Arc<Cgroup>, limit: Limit) -> Result<Scope> {
    let page = sys::page_size();
    let mut inputs = Vec::new();
    read_tree(group, &mut inputs)?;
    let sharing = sharing(&mut inputs);
    let limit_pages = limit.bytes().map_or(u64::MAX, |bytes| bytes / page);
    let total_pages = limit_pages.saturating_add(swap_pages(group, limit)?);
    let cpus = sys::online_cpus();
    let contents = group.contents()?;
    let uncertainty_pages = uncertainty(cpus).saturating_add(contents.file_lists_bytes() / page);
    let prediction = predict(inputs.clone(), total_pages, uncertainty_pages);
    Ok(Scope {
        limit_group: group.cgroup().to_string(),
        prediction,
        expected: true,
        growing: None,
        sharing,
        read: inputs,
        contents,
    })
}

/// The group of the chain that has the least room left.
pub(crate) fn nearest_limit(group: &Arc<Cgroup>) -> Result<(Arc<Cgroup>, Limit)> {
    let mut nearest: Option<(u64, Arc<Cgroup>, Limit)> = None;
    for at in group.chain() {
        let limit = at.limit()?;
        if let Limit::Bytes(bytes) = limit {
            let room = bytes.saturating_sub(at.usage_bytes()?);
            if nearest.as_ref().is_none_or(|(least, ..)| room < *least) {
                nearest = Some((room, at.clone(), limit));
            }
        }
    }
    Ok(nearest.map_or_else(|| (group.clone(), Limit::Max), |(_, at, limit)| (at, limit)))
}

/// The processes of a group and of those below it, in the order of the kernel's scan: a group before its children.
pub(crate) fn read_tree(group: &Arc<Cgroup>, inputs: &mut Vec<Input>) -> Result<()> {
    read_dir(&group.dir, group.cgroup(), inputs)
}

fn read_dir(dir: &crate::memcg::files::Dir, cgroup: &str, inputs: &mut Vec<Input>) -> Result<()> {
    let proc = Proc::system();
    let text = dir.read("cgroup.procs")?.unwrap_or_default();
    for pid in text.lines().filter_map(|line| line.trim().parse().ok()) {
        if let Some(input) = read_process(&proc, pid, cgroup)? {
            inputs.push(input);
        }
    }
    for name in dir.dirs()? {
        use std::os::unix::ffi::OsStrExt;
        let Some(below) = dir.dir_if_there(std::ffi::OsStr::from_bytes(&name))? else { continue };
        match read_dir(&below, &format!("{cgroup}/{}", crate::text::escape(&name)), inputs) {
            // A group that is removed meanwhile has no processes.
            Err(_) if !below.exists() => {}
            read => read?,
        }
    }
    Ok(())
}

/// One process; `None` if it has gone meanwhile.
fn read_process(proc: &Proc, pid: i32, cgroup: &str) -> Result<Option<Input>> {
    let (Some(mut stat), Some(mut status), Some(oom_score_adj)) =
        (proc.stat(pid)?, proc.status(pid)?, proc.oom_score_adj(pid)?)
    else {
        return Ok(None);
    };
    // A first thread that has ended shows as a zombie while others go on with the memory: the kernel asks those.
    let mut threads = Vec::new();
    if status.vm_rss_bytes.is_none() {
        threads = proc.threads(pid);
        threads.retain(|thread| *thread != pid);
        if let Some((of_thread, its_status)) = threads.iter().find_map(|&thread| {
            let status = proc.status(thread).ok()??;
            status.vm_rss_bytes?;
            Some((proc.stat(thread).ok()??, status))
        }) {
            stat = Stat { comm: stat.comm, ..of_thread };
            status = its_status;
        }
    }
    let page = sys::page_size();
    let condition = match (stat.state, status.vm_rss_bytes) {
        (TaskState::Zombie | TaskState::Dead, _) | (_, None) => Condition::NoMemory,
        _ if pid == 1 => Condition::Init,
        _ => Condition::Normal,
    };
    Ok(Some(Input {
        pid,
        comm: stat.comm,
        group: cgroup.to_string(),
        rss_pages: stat.rss_pages,
        swap_pages: status.vm_swap_bytes.unwrap_or(0) / page,
        pgtable_pages: status.vm_pte_bytes.unwrap_or(0) / page,
        oom_score_adj,
        condition,
        anon_bytes: status.rss_anon_bytes,
        file_bytes: status.rss_file_bytes,
        shmem_bytes: status.rss_shmem_bytes,
        threads,
    }))
}

/// The processes that share their memory with another of the scope, in pairs. A child that does so because it stands
/// between vfork and exec is marked: the kernel does not choose it.
fn sharing(inputs: &mut [Input]) -> Vec<(i32, i32)> {
    let proc = Proc::system();
    let mut pairs = Vec::new();
    for at in 1..inputs.len() {
        let (before, rest) = inputs.split_at_mut(at);
        let one = &mut rest[0];
        let alike = |other: &&Input| {
            let size = |input: &Input| (input.rss_pages, input.swap_pages, input.pgtable_pages);
            size(other) == size(one) && one.rss_pages > 0 && other.condition != Condition::NoMemory
        };
        let Some(other) =
            before.iter().filter(alike).find(|other| sys::same_memory(other.pid, one.pid).unwrap_or(false))
        else {
            continue;
        };
        pairs.push((other.pid, one.pid));
        let parent = proc.stat(one.pid).ok().flatten().map(|stat| stat.ppid);
        if parent.is_some_and(|parent| proc.waits_in_vfork(parent, one.pid)) {
            one.condition = Condition::Vfork;
        }
    }
    pairs
}

/// The swap that the group may use beyond its limit: it counts into what `oom_score_adj` is a share of.
fn swap_pages(group: &Arc<Cgroup>, limit: Limit) -> Result<u64> {
    let page = sys::page_size();
    let (_, on) = sys::memory().map_err(|error| Error::os("read swap", error))?;
    if on == 0 {
        return Ok(0);
    }
    Ok(swap_limit(group, limit)?.unwrap_or(u64::MAX).min(on) / page)
}

/// What a group may have in swap beyond its limit; `None` for as much as there is.
pub(crate) fn swap_limit(group: &Arc<Cgroup>, limit: Limit) -> Result<Option<u64>> {
    let dir = &group.dir;
    Ok(match group.version() {
        Version::V1 if dir.number("memory.swappiness")? == Some(0) => Some(0),
        Version::V1 => match (v1::limit(dir, v1::MEMSW_LIMIT)?, limit) {
            (Some(Limit::Bytes(memsw)), Limit::Bytes(limit)) => Some(memsw.saturating_sub(limit)),
            _ => None,
        },
        Version::V2 => v2::limit(dir, v2::SWAP_LIMIT)?.and_then(Limit::bytes),
    })
}

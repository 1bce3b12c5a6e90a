//! What filled the limit that is not a process that grew: shared memory, the kernel's own, page cache, locked and huge pages.

use super::{named, Facts};
use crate::account::composition::Composition;
use crate::account::holders::Holder;
use crate::memcg::limits::human_size;
use crate::memcg::version::Version;
use crate::observe::finding::Finding;

/// `shared-memory`: tmpfs files, memfds and shared mappings are the largest part.
pub(super) fn shared_memory(facts: &Facts) -> Option<Finding> {
    let made = facts.composition()?;
    let shmem = made.shmem_bytes.filter(|shmem| facts.is_part(Some(*shmem), 3))?;
    if made.anon_bytes.is_some_and(|anon| anon > shmem) {
        return None;
    }
    let usage = facts.usage()?;
    let unmapped = unmapped(facts).filter(|bytes| *bytes >= shmem / 2);
    let mut text = format!("{} of {} are shared memory", human_size(shmem), human_size(usage));
    let mapping = facts.oom.holders.iter().enumerate().filter(|(_, holder)| holder.pid.is_some());
    let much = |holder: &Holder| holder.shmem_bytes.is_some_and(|bytes| bytes >= shmem / 4);
    let mapping: Vec<_> = mapping.filter(|(_, holder)| much(holder)).collect();
    let others = mapping.len().saturating_sub(1);
    // Of several with as much the first, which holds most in all.
    let mapping = mapping.into_iter().rev().max_by_key(|(_, holder)| holder.shmem_bytes);
    let mut found = Finding::new("shared-memory", "").shown_by("composition.shmem_bytes", shmem);
    if let Some(unmapped) = unmapped {
        let killed = facts.victim().map_or("a process".to_string(), |victim| named(&victim.comm, victim.pid));
        let unmapped_text = human_size(unmapped);
        text += &match went(facts, unmapped) {
            Some(after) => {
                found = found.shown_by("usage_bytes.after", after);
                format!(
                    " (tmpfs files or memfds), and {unmapped_text} of them no living process had mapped; they went with \
                     {killed}, so it had them open, or nobody else: {} were left.",
                    human_size(after)
                )
            }
            None => format!(
                " (tmpfs files or memfds), and {unmapped_text} of them no living process has mapped: killing {killed} \
                 frees nothing of it as long as the files stay."
            ),
        };
        let at = facts.oom.holders.iter().position(is_nobody).unwrap_or(0);
        found = found.shown_by(format!("holders[{at}].shmem_bytes"), unmapped);
    } else if let Some((at, Holder { comm, pid: Some(pid), shmem_bytes: Some(bytes), .. })) = mapping {
        let name = named(comm.as_deref().unwrap_or_default(), *pid);
        let shared = match others {
            0 => String::new(),
            1 => ", another process as much or less".to_string(),
            many => format!(", {many} others as much or less"),
        };
        text += &format!(": {name} has mapped {} of them{shared}.", human_size(*bytes));
        found = found.shown_by(format!("holders[{at}].shmem_bytes"), bytes);
    } else {
        text += " (tmpfs files, memfds or shared mappings).";
    }
    found.text = text;
    Some(found.remedied_by(
        "remove the files or close the memory that is shared, give the tmpfs a size= of its own, or raise the limit",
    ))
}

/// The usage after the kill, where more has gone than the victim had of its own and half of what nobody had mapped.
fn went(facts: &Facts, unmapped: u64) -> Option<u64> {
    let (before, after) = (facts.usage()?, facts.oom.usage_bytes.after?);
    (before.saturating_sub(after) >= facts.victim_held()? + unmapped / 2).then_some(after)
}

fn is_nobody(holder: &Holder) -> bool {
    holder.what == Some("no living process")
}

fn unmapped(facts: &Facts) -> Option<u64> {
    facts.oom.holders.iter().find(|holder| is_nobody(holder))?.shmem_bytes
}

/// What a process without many of anything costs the kernel, at most: 200 to 500 KiB for shells and interpreters.
const PROCESS_COSTS: u64 = 512 << 10;

/// `kernel-memory`: slab, sockets, pipes, stacks, page tables.
pub(super) fn kernel_memory(facts: &Facts) -> Option<Finding> {
    let made = facts.composition()?;
    let parts = kernel_parts(made);
    let (largest, name, bytes) =
        parts.iter().filter_map(|(field, name, bytes)| Some((*field, *name, (*bytes)?))).max_by_key(|part| part.2)?;
    let v1 = facts.oom.hierarchy == Version::V1;
    let sockets = made.sock_bytes.filter(|_| !v1).unwrap_or(0);
    let told: u64 = parts.iter().filter(|part| part.0 != "sock_bytes").filter_map(|part| part.2).sum();
    let all = made.kernel_bytes.unwrap_or(told) + sockets;
    if !facts.is_part(Some(all), 3) {
        return None;
    }
    let usage = human_size(facts.usage()?);
    let tables = made.page_tables_bytes.filter(|tables| v1 && *tables >= all / 4);
    let text = if v1 {
        let held = human_size(made.kernel_bytes?);
        let (tables, rest) = match tables {
            Some(tables) => (format!(", {} of it page tables", human_size(tables)), "the rest is"),
            None => (String::new(), "it is"),
        };
        format!("{held} of {usage} are memory of the kernel for this group{tables}; cgroup v1 does not tell of what kind {rest}.")
    } else {
        format!("Of {usage} most of the kernel's memory is {name}: {}.", human_size(bytes))
    };
    let mut found = Finding::new("kernel-memory", text);
    if let Some(kernel) = made.kernel_bytes {
        found = found.shown_by("composition.kernel_bytes", kernel);
    }
    if !v1 {
        found = found.shown_by(format!("composition.{largest}"), bytes);
    }
    if let Some(tables) = tables {
        found = found.shown_by("composition.page_tables_bytes", tables);
    }
    let processes: u64 = facts.oom.holders.iter().map(|holder| holder.processes).sum();
    Some(found.remedied_by(match all <= processes * PROCESS_COSTS {
        true => "raise the limit: so much is what processes cost the kernel by themselves (stacks, page tables)",
        false => {
            "look for many open files, sockets, pipes or threads: a kill gives them back only with the process that holds them"
        }
    }))
}

fn kernel_parts(made: &Composition) -> [(&'static str, &'static str, Option<u64>); 8] {
    [
        ("sock_bytes", "buffers of sockets", made.sock_bytes),
        ("slab_unreclaimable_bytes", "slab that cannot be dropped", made.slab_unreclaimable_bytes),
        ("slab_reclaimable_bytes", "inodes and dentries (slab)", made.slab_reclaimable_bytes),
        ("kernel_stack_bytes", "stacks of threads", made.kernel_stack_bytes),
        ("page_tables_bytes", "page tables", made.page_tables_bytes),
        ("percpu_bytes", "memory for each CPU", made.percpu_bytes),
        ("vmalloc_bytes", "vmalloc areas", made.vmalloc_bytes),
        ("kernel_other_bytes", "buffers of pipes and the like", made.kernel_other_bytes),
    ]
}

/// `page-cache-stuck`: page cache is left, so it could not be dropped.
pub(super) fn page_cache_stuck(facts: &Facts) -> Option<Finding> {
    // What was read before may have been dropped since.
    let made = facts.composition().filter(|made| made.source != "sample")?;
    let file = made.file_bytes.filter(|file| facts.is_part(Some(*file), 4))?;
    let parts = [
        ("dirty_bytes", "dirty", made.dirty_bytes),
        ("writeback_bytes", "under writeback", made.writeback_bytes),
        ("unevictable_bytes", "locked", made.unevictable_bytes),
        ("mapped_bytes", "mapped", made.mapped_bytes),
    ];
    let mut found = Finding::new("page-cache-stuck", "").shown_by("composition.file_bytes", file);
    let mut why = Vec::new();
    for (field, name, bytes) in parts {
        if let Some(bytes) = bytes.filter(|bytes| *bytes > 0) {
            why.push(format!("{} {name}", human_size(bytes)));
            found = found.shown_by(format!("composition.{field}"), bytes);
        }
    }
    let because = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
    let is_locked = made.unevictable_bytes.is_some_and(|locked| locked >= file / 2);
    let is_slow = made.dirty_bytes.unwrap_or(0) + made.writeback_bytes.unwrap_or(0) > 0;
    let in_time = if is_slow { " in time" } else { "" };
    found.text =
        format!("{} of page cache were left that the kernel could not drop{in_time}{because}.", human_size(file));
    Some(found.remedied_by(match is_locked {
        true => "lock less of files (mlock), keep large files out of a ramfs, or raise the limit",
        false => "write less at once (fsync, O_DIRECT, a lower dirty limit), or raise the limit",
    }))
}

/// `locked-memory`: reclaim leaves it alone.
pub(super) fn locked_memory(facts: &Facts) -> Option<Finding> {
    let made = facts.composition()?;
    let locked = made.unevictable_bytes.filter(|locked| facts.is_part(Some(*locked), 4))?;
    // v1 and v2 count pages of a tmpfs without swap as what could be evicted: these here are mlocked, or of a ramfs.
    let text = format!(
        "{} of {} cannot be reclaimed, as they are locked (mlock, ramfs, SHM_LOCK).",
        human_size(locked),
        human_size(facts.usage()?)
    );
    Some(
        Finding::new("locked-memory", text)
            .shown_by("composition.unevictable_bytes", locked)
            .remedied_by("lock less (RLIMIT_MEMLOCK), or count what is locked into the limit"),
    )
}

/// `huge-pages`: the memory is charged a whole huge page at a time.
pub(super) fn huge_pages(facts: &Facts) -> Option<Finding> {
    let made = facts.composition()?;
    let huge = made.huge_bytes.or(made.hugetlb_bytes).filter(|huge| facts.is_part(Some(*huge), 2))?;
    let text = format!(
        "{} of {} stand in huge pages, which are charged whole also where the program touches one byte.",
        human_size(huge),
        human_size(facts.usage()?)
    );
    Some(
        Finding::new("huge-pages", text)
            .shown_by("composition.huge_bytes", huge)
            .remedied_by("set transparent_hugepage to madvise, or use prctl(PR_SET_THP_DISABLE)"),
    )
}

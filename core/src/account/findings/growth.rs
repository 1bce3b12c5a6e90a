//! Who grew, and whether it is the one that died.

use super::{duration, named, Facts};
use crate::account::grower::Grower;
use crate::map::Map;
use crate::memcg::limits::human_size;
use crate::observe::finding::Finding;
use crate::text::escape;

fn grew(grower: &Grower) -> String {
    let rate = grower.bytes_per_sec.map_or(String::new(), |rate| format!(" ({} a second)", human_size(rate)));
    // It was first looked at when it had been killed already.
    let over = if grower.over_ns > 0 { format!(" in {}", duration(grower.over_ns)) } else { String::new() };
    format!(
        "{} grew from {} to {}{over}{rate}",
        named(grower.comm.as_deref().unwrap_or_default(), grower.pid),
        human_size(grower.from_bytes),
        human_size(grower.to_bytes)
    )
}

fn shown(code: &'static str, text: String, grower: &Grower) -> Finding {
    let found = Finding::new(code, text)
        .shown_by("grower.pid", grower.pid)
        .shown_by("grower.from_bytes", grower.from_bytes)
        .shown_by("grower.to_bytes", grower.to_bytes)
        .shown_by("grower.over_ns", grower.over_ns);
    match grower.limit_percent {
        Some(percent) => found.shown_by("grower.limit_percent", percent),
        None => found,
    }
}

/// `one-process-grew`: it holds a good part of the limit, and it is the one that was killed.
pub(super) fn one_process_grew(facts: &Facts) -> Option<Finding> {
    let grower = facts.oom.grower.as_ref().filter(|grower| facts.is_part_of_limit(grower.grown_bytes, 3))?;
    let killed = facts.oom.killed(grower.pid);
    // Where nobody died it is told who waits, and who grew belongs to that.
    if !killed && !facts.oom.victims.is_empty() {
        return None;
    }
    let share = match grower.limit_percent {
        None => String::new(),
        Some(percent @ ..=100) => format!(", {percent} % of the limit"),
        Some(_) => ", more than the limit, with what is in swap or charged to others".to_string(),
    };
    let end = if killed { "; it is the one that was killed" } else { "" };
    let text = format!("{}{share}{end}.", grew(grower));
    let name = grower.comm.as_deref().map_or("the program".to_string(), escape);
    Some(shown("one-process-grew", text, grower).remedied_by(format!(
        "find what {name} keeps (a heap profile), have it keep less, or raise the limit of {} to what it needs",
        facts.limit_text()
    )))
}

/// `grower-survived`: another one died than the one that grew.
pub(super) fn grower_survived(facts: &Facts) -> Option<Finding> {
    let (grower, victim) = (facts.oom.grower.as_ref()?, facts.victim()?);
    let row = facts.oom.holders.iter().enumerate().find(|(_, holder)| holder.pid == Some(victim.pid));
    // Of many that are alike none is a casualty of another.
    let victim_grew = row.and_then(|(_, holder)| holder.grown_bytes).unwrap_or(0);
    let much = facts.is_part_of_limit(grower.grown_bytes, 8);
    let more = facts.is_part_of_limit(grower.grown_bytes, 20) && grower.grown_bytes / 2 >= victim_grew;
    if facts.oom.killed(grower.pid) || !(much || more) {
        return None;
    }
    let held = row.map_or(String::new(), |(_, holder)| format!(", which held {}", human_size(holder.own_bytes())));
    let name = named(&victim.comm, victim.pid);
    let text = format!("{} and outlived the OOM; the kernel killed {name}{held}: it is a casualty.", grew(grower));
    let mut found = shown("grower-survived", text, grower).shown_by("victims[0].pid", victim.pid);
    if let Some((at, holder)) = row {
        for (field, bytes) in [
            ("anon_bytes", holder.anon_bytes),
            ("shmem_bytes", holder.shmem_bytes),
            ("grown_bytes", holder.grown_bytes),
        ] {
            if let Some(bytes) = bytes {
                found = found.shown_by(format!("holders[{at}].{field}"), bytes);
            }
        }
    }
    let grower = grower.comm.as_deref().map_or("the one that grew".to_string(), escape);
    Some(found.remedied_by(format!(
        "give {grower} a group and a limit of its own, or a higher oom_score_adj than the others"
    )))
}

/// `many-processes`: none of them holds more than a third, and together they fill the limit.
pub(super) fn many_processes(facts: &Facts) -> Option<Finding> {
    let rows = facts.oom.holders.iter().enumerate().filter(|(_, holder)| holder.processes > 0);
    let processes: u64 = rows.clone().map(|(_, holder)| holder.processes).sum();
    let (at, largest) = rows.clone().filter(|(_, holder)| holder.pid.is_some()).max_by_key(|row| row.1.own_bytes())?;
    let held: u64 = rows.clone().map(|(_, holder)| holder.own_bytes()).sum();
    let kernel = facts.composition().and_then(|made| made.kernel_bytes).unwrap_or(0);
    if processes < 8 || facts.is_part_of_limit(largest.own_bytes(), 3) || !facts.is_part_of_limit(held + kernel, 2) {
        return None;
    }
    let mut names: Map<&[u8], u64> = Map::new();
    for (_, holder) in rows {
        *names.or_insert_with(holder.comm.as_deref().unwrap_or_default(), || 0) += holder.processes;
    }
    let alike = names.iter().max_by_key(|(_, count)| **count).filter(|(name, count)| **count > 1 && !name.is_empty());
    let alike = alike.map_or(String::new(), |(name, _)| format!(", most of them {}", escape(name)));
    let text = format!(
        "{processes} processes fill the limit together{alike}; the largest, {}, holds {}.",
        named(largest.comm.as_deref().unwrap_or_default(), largest.pid.unwrap_or(0)),
        human_size(largest.own_bytes())
    );
    Some(
        Finding::new("many-processes", text)
            .shown_by("holders[].processes (sum)", processes)
            .shown_by(format!("holders[{at}].rss_bytes"), largest.rss_bytes.unwrap_or(0))
            .remedied_by("start fewer at a time (pids.max, the number of jobs), or raise the limit"),
    )
}

//! Whose limit it was, and what was too small: an ancestor's, a neighbour's doing, one that was lowered below the usage,
//! one below any start, no swap.

use super::{named, Facts};
use crate::account::oom::GroupUse;
use crate::memcg::limits::human_size;
use crate::memcg::path::covers;
use crate::observe::finding::Finding;

/// The group directly below the one whose limit was hit, in which the victim stood.
fn branch<'a>(facts: &'a Facts) -> Option<(usize, &'a GroupUse)> {
    let group = facts.victim().and_then(|victim| victim.group.as_deref())?;
    facts.oom.groups.iter().enumerate().find(|(_, one)| covers(&one.group, group))
}

/// `ancestor-limit`: the limit belongs to a group above the victim's.
pub(super) fn ancestor_limit(facts: &Facts) -> Option<Finding> {
    let struck = facts.oom.limit_group.as_deref()?;
    let group = facts.victim()?.group.as_deref().filter(|group| *group != struck && covers(struck, group))?;
    let mut text = format!("The limit of {} belongs to {struck}, above the victim's group {group}", facts.limit_text());
    let mut found = Finding::new("ancestor-limit", "")
        .shown_by("limit_group", struck)
        .shown_by("victims[0].group", group)
        .shown_by("limit_bytes", facts.oom.limit_bytes.map_or("none".to_string(), |bytes| bytes.to_string()));
    if let Some((at, GroupUse { group: below, usage_bytes: Some(usage), limit_bytes })) = branch(facts) {
        let own = limit_bytes.map_or("no limit of its own".to_string(), |own| format!("its own {}", human_size(own)));
        let below = if below == group { ", which".to_string() } else { format!("; below it {below}") };
        if facts.victim_held().is_some_and(|held| held > *usage) {
            // It was read when the victim had gone, and is not what the group held.
            text += &format!("{below} had {own}");
        } else {
            text += &format!("{below} held {} and had {own}", human_size(*usage));
            found = found.shown_by(format!("groups[{at}].usage_bytes"), usage);
        }
        if let Some(own) = limit_bytes {
            found = found.shown_by(format!("groups[{at}].limit_bytes"), own);
        }
    }
    found.text = text + ".";
    Some(found.remedied_by(format!("raise the limit of {struck}, or let less stand below it")))
}

/// `neighbour-filled-it`: another group below the limit holds most of it.
pub(super) fn neighbour_filled_it(facts: &Facts) -> Option<Finding> {
    let group = facts.victim()?.group.as_deref()?;
    let own = branch(facts).and_then(|(_, own)| own.usage_bytes).unwrap_or(0);
    let others = facts.oom.groups.iter().enumerate().filter(|(_, one)| !covers(&one.group, group));
    let (at, most) = others.max_by_key(|(_, one)| one.usage_bytes)?;
    let usage = most.usage_bytes.filter(|usage| *usage > own && facts.is_part_of_limit(*usage, 2))?;
    let text = format!(
        "Its neighbour {} holds {} of the {} that the limit counts, more than the victim's group {group}.",
        most.group,
        human_size(usage),
        facts.limit_text()
    );
    Some(
        Finding::new("neighbour-filled-it", text)
            .shown_by(format!("groups[{at}].group"), &most.group)
            .shown_by(format!("groups[{at}].usage_bytes"), usage)
            .remedied_by(format!("give {} a limit of its own below that of the group above", most.group)),
    )
}

/// `limit-lowered`: v2, and the kill was made on the way of a write to `memory.max`.
pub(super) fn limit_lowered(facts: &Facts) -> Option<Finding> {
    let frame = facts.oom.call_path.iter().find(|frame| frame.function == "memory_max_write")?;
    let limit = facts.oom.limit_bytes?;
    let usage = facts.usage().filter(|usage| *usage > limit);
    let below = usage.map_or("the usage".to_string(), |usage| format!("the usage of {}", human_size(usage)));
    let who = facts.oom.invoker.as_ref().map(|writer| named(&writer.comm, writer.pid));
    let by = who.map_or(String::new(), |who| format!(" by {who}"));
    let text = format!(
        "The limit (memory.max) was set to {}, below {below}{by}: what reclaim could not take the kernel took by killing.",
        human_size(limit)
    );
    let mut found = Finding::new("limit-lowered", text)
        .shown_by("call_path[].function", &frame.function)
        .shown_by("limit_bytes", limit);
    if let Some(usage) = usage {
        found = found.shown_by("composition.usage_bytes or usage_bytes.before", usage);
    }
    if let Some(writer) = &facts.oom.invoker {
        found = found.shown_by("invoker.pid", writer.pid);
    }
    Some(found.remedied_by("lower memory.high first and let it reclaim, and memory.max only below what is then left"))
}

/// `limit-below-start`: the program had not come to its own code.
pub(super) fn limit_below_start(facts: &Facts) -> Option<Finding> {
    let victim = facts.victim()?;
    let (limit, least) = (facts.oom.limit_bytes?, facts.oom.least_start_bytes?);
    let text = format!(
        "The limit of {} is below what {} needs to start, so it had not come to its own code: {} is the smallest limit \
         under which such a program was seen to start.",
        human_size(limit),
        named(&victim.comm, victim.pid),
        human_size(least)
    );
    Some(
        Finding::new("limit-below-start", text)
            .shown_by("limit_bytes", limit)
            .shown_by("least_start_bytes", least)
            .remedied_by(format!("choose more than {}, or start it first and set the limit then", human_size(least))),
    )
}

/// Anonymous and shared memory, which swap could take.
fn swappable(facts: &Facts) -> Option<u64> {
    let made = facts.composition()?;
    made.anon_bytes.zip(made.shmem_bytes).map(|(anon, shmem)| anon + shmem).filter(|sum| facts.is_part(Some(*sum), 2))
}

/// `no-swap`: nothing could be moved out of the way.
pub(super) fn no_swap(facts: &Facts) -> Option<Finding> {
    let swap = facts.oom.swap.as_ref().filter(|swap| swap.host_total_bytes == 0 || swap.limit_bytes == Some(0))?;
    let made = facts.composition()?;
    let (anon, shmem) = (made.anon_bytes?, made.shmem_bytes?);
    swappable(facts)?;
    let why = if swap.host_total_bytes == 0 { "the machine has no swap" } else { "the group may not use swap" };
    let text = format!(
        "{} of anonymous and {} of shared memory had no other place, as {why}.",
        human_size(anon),
        human_size(shmem)
    );
    Some(
        Finding::new("no-swap", text)
            .shown_by("swap.host_total_bytes", swap.host_total_bytes)
            .shown_by("swap.limit_bytes", swap.limit_bytes.map_or("none".to_string(), |bytes| bytes.to_string()))
            .shown_by("composition.anon_bytes", anon)
            .remedied_by(
                "with swap the group would have been slow before it was killed; without, the limit is the end",
            ),
    )
}

/// `swap-full`: there is swap, and it is used up.
pub(super) fn swap_full(facts: &Facts) -> Option<Finding> {
    let swap = facts.oom.swap.as_ref().filter(|swap| swap.host_total_bytes > 0 && swap.limit_bytes != Some(0))?;
    let by_limit = swap.usage_bytes.zip(swap.limit_bytes).filter(|(usage, limit)| *usage >= limit - limit / 20);
    let by_host = swap.host_free_bytes < swap.host_total_bytes / 50;
    let text = match by_limit {
        Some((usage, limit)) => {
            format!("The group's swap is used up: {} of {}.", human_size(usage), human_size(limit))
        }
        None if by_host => format!(
            "The machine's swap is used up: {} of {} are free.",
            human_size(swap.host_free_bytes),
            human_size(swap.host_total_bytes)
        ),
        None => return None,
    };
    let mut found = Finding::new("swap-full", text)
        .shown_by("swap.host_free_bytes", swap.host_free_bytes)
        .shown_by("swap.host_total_bytes", swap.host_total_bytes);
    if let Some((usage, limit)) = by_limit {
        found = found.shown_by("swap.usage_bytes", usage).shown_by("swap.limit_bytes", limit);
    }
    Some(found.remedied_by("allow the group more swap, or expect the limit to be the end"))
}

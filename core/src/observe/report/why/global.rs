//! Why the machine ran out of memory although some looks free: by zones, watermarks, free lists and confinement.

use super::{percent, size};
use crate::observe::finding::Finding;
use crate::observe::report::mem_info::{MemInfo, Zone};
use crate::observe::report::Report;
use crate::order::order;

/// The zones, the lowest first; an allocation may take from its own and from those below.
const RANKS: [&str; 6] = ["DMA", "DMA32", "Normal", "HighMem", "Movable", "Device"];

fn rank(zone: &Zone) -> usize {
    RANKS.iter().position(|name| *name == zone.name).unwrap_or(RANKS.len())
}

/// What an allocation may take from.
struct Reach<'a> {
    /// Node, place among the node's zones, and the zone.
    usable: Vec<(u32, usize, &'a Zone)>,
    beyond: Vec<(u32, usize, &'a Zone)>,
    highest: usize,
    movable: bool,
}

pub(super) fn find(report: &Report, findings: &mut Vec<Finding>) {
    let order = report.invoker.as_ref().and_then(|invoker| invoker.order);
    if order == Some(-1) {
        findings.push(
            Finding::new(
                "manual",
                "The OOM killer was called by hand (sysrq-f, /proc/sysrq-trigger): memory need not have been short.",
            )
            .shown_by("invoker.order", -1),
        );
    }
    confined(report, findings);
    let Some((info, reach)) = report.mem_info.as_ref().and_then(|info| Some((info, reach(report, info)?))) else {
        return;
    };
    if order != Some(-1) {
        lowmem(info, &reach, findings);
        fragmented(&reach, order.unwrap_or(0), findings);
        cma(&reach, findings);
    }
    idle_huge_pages(report, info, findings);
}

/// The nodes of a list such as `0-1,3`.
fn nodes(list: &[u8]) -> Option<Vec<u32>> {
    let text = std::str::from_utf8(list).ok()?;
    let mut all = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        if to >= from && to - from < 4096 {
            all.extend(from..=to);
        }
    }
    Some(all)
}

/// The nodes that the allocation was confined to; `None`: all.
fn allowed(report: &Report) -> Option<Vec<u32>> {
    match report.constraint.as_deref()? {
        "CONSTRAINT_CPUSET" => nodes(report.mems_allowed.as_deref()?),
        "CONSTRAINT_MEMORY_POLICY" => nodes(report.nodemask.as_deref()?),
        _ => None,
    }
}

fn confined(report: &Report, findings: &mut Vec<Finding>) {
    let (code, by, field, value, remedy) = match report.constraint.as_deref() {
        Some("CONSTRAINT_CPUSET") => (
            "cpuset-confined",
            "its cpuset",
            "mems_allowed",
            &report.mems_allowed,
            "widen cpuset.mems of the group, or take less on these nodes",
        ),
        Some("CONSTRAINT_MEMORY_POLICY") => (
            "mempolicy-confined",
            "its memory policy (mbind, numactl)",
            "nodemask",
            &report.nodemask,
            "let the policy prefer the node instead of binding to it",
        ),
        _ => return,
    };
    let Some(value) = value else { return };
    let list = crate::text::escape(value);
    let free = report.mem_info.as_ref().zip(nodes(value)).map(|(info, own)| {
        let others = info.nodes.iter().filter(|node| !own.contains(&node.node)).flat_map(|node| &node.zones);
        others.filter_map(|zone| zone.free_bytes).fold(0, u64::saturating_add)
    });
    let rest =
        free.filter(|free| *free > 0).map_or(String::new(), |free| format!(" Other nodes had {} free.", size(free)));
    let was = out_of_reach(report).unwrap_or_else(|| "only that was full".into());
    let text = format!("The allocation was confined to memory node {list} by {by}: {was}.{rest}");
    findings.push(
        Finding::new(code, text)
            .shown_by("constraint", report.constraint.as_deref().unwrap_or_default())
            .shown_by(field, list)
            .remedied_by(remedy),
    );
}

/// What is free in the nodes that the allocation was confined to, where that is in zones which it may not take from.
fn out_of_reach(report: &Report) -> Option<String> {
    let (highest, own) = (highest(report)?.0, allowed(report)?);
    let nodes = report.mem_info.as_ref()?.nodes.iter().filter(|node| own.contains(&node.node));
    let zones = nodes.flat_map(|node| &node.zones).filter(|zone| zone.free_bytes > zone.high_bytes);
    let zones: Vec<&Zone> = zones.filter(|zone| zone.high_bytes.is_some()).collect();
    let beyond = |zone: &&Zone| rank(zone) > highest && rank(zone) < RANKS.len() - 1;
    let first = zones.first().filter(|_| zones.iter().all(beyond))?;
    let free = zones.iter().filter_map(|zone| zone.free_bytes).fold(0, u64::saturating_add);
    Some(format!("the {} that were free there are in {}, out of its reach", size(free), first.name))
}

/// The highest zone that the allocation may take from, and whether it can be moved. The lowest four bits of the mask have
/// named the zone in every kernel: DMA, HIGHMEM, DMA32, MOVABLE.
fn highest(report: &Report) -> Option<(usize, bool)> {
    let mask = report.invoker.as_ref()?.gfp_mask.as_deref()?;
    let mask = u64::from_str_radix(mask.strip_prefix("0x")?, 16).ok()?;
    let movable = mask & 8 != 0;
    let highest = match mask & 7 {
        1 => 0,
        4 => 1,
        2 if movable => 4,
        2 => 3,
        _ => 2,
    };
    Some((highest, movable))
}

/// The zones of the machine, by whether the allocation may take from them.
fn reach<'a>(report: &Report, info: &'a MemInfo) -> Option<Reach<'a>> {
    let (highest, movable) = highest(report)?;
    let allowed = allowed(report);
    let mut reach = Reach { usable: Vec::new(), beyond: Vec::new(), highest, movable };
    for node in &info.nodes {
        for (at, zone) in node.zones.iter().enumerate().filter(|(_, zone)| zone.free_bytes.is_some()) {
            let open = allowed.as_ref().is_none_or(|allowed| allowed.contains(&node.node));
            if open && rank(zone) <= highest {
                reach.usable.push((node.node, at, zone));
            } else if open && rank(zone) < RANKS.len() - 1 {
                reach.beyond.push((node.node, at, zone));
            }
        }
    }
    (!reach.usable.is_empty()).then_some(reach)
}

impl Reach<'_> {
    /// What an allocation may have of a zone: what is above the least, and above what stays free against those who could
    /// go higher.
    fn spare(&self, zone: &Zone, page: u64) -> Option<u64> {
        let reserve =
            zone.lowmem_reserve_pages.get(self.highest.min(zone.lowmem_reserve_pages.len().saturating_sub(1)));
        let kept = zone.min_bytes?.saturating_add(reserve.map_or(0, |pages| pages.saturating_mul(page)));
        let cma = if self.movable { 0 } else { zone.free_cma_bytes.unwrap_or(0) };
        Some(zone.free_bytes?.saturating_sub(cma).saturating_sub(kept))
    }

    fn free(zones: &[(u32, usize, &Zone)]) -> u64 {
        zones.iter().filter_map(|(_, _, zone)| zone.free_bytes).fold(0, u64::saturating_add)
    }
}

/// The evidence of a zone: its free bytes and its least.
fn shown(mut finding: Finding, zones: &[(u32, usize, &Zone)]) -> Finding {
    for (node, _, zone) in zones.iter().take(4) {
        for (name, value) in [("free_bytes", zone.free_bytes), ("min_bytes", zone.min_bytes)] {
            if let Some(value) = value {
                finding = finding.shown_by(format!("node {node} zone {} {name}", zone.name), value);
            }
        }
    }
    finding
}

/// The zones that the allocation may take from are full while higher ones are not.
fn lowmem(info: &MemInfo, reach: &Reach<'_>, findings: &mut Vec<Finding>) {
    let page = info.page_bytes.unwrap_or(4096);
    let full = reach.usable.iter().all(|(_, _, zone)| reach.spare(zone, page).is_some_and(|spare| spare == 0));
    let above: Vec<_> = reach.beyond.iter().copied().filter(|(_, _, zone)| zone.free_bytes > zone.high_bytes).collect();
    if !full || above.is_empty() {
        return;
    }
    let names = |zones: &[(u32, usize, &Zone)]| {
        let mut names: Vec<&str> = zones.iter().map(|(_, _, zone)| zone.name.as_str()).collect();
        order(&mut names, |name| *name);
        names.dedup();
        names.join(", ")
    };
    let (code, remedy) = if reach.highest < 2 {
        ("dma-zone", "a driver asks for memory that a device can reach: look at the call trace for which; more memory does not help")
    } else {
        (
            "lowmem-exhausted",
            // The zone Movable is there on 64 bits too.
            if above.iter().any(|(_, _, zone)| zone.name == "HighMem") {
                "run a 64-bit kernel: with 32 bits the kernel's own memory must come from the first 900 MiB"
            } else {
                "make the zone Movable smaller (movablecore=, kernelcore=, memory that was plugged in as movable)"
            },
        )
    };
    let text = format!(
        "The allocation may only come from {}, where {} were free, no more than the kernel must keep; the {} that were free in {} are out of its reach.",
        names(&reach.usable),
        size(Reach::free(&reach.usable)),
        size(Reach::free(&above)),
        names(&above)
    );
    findings.push(shown(shown(Finding::new(code, text), &reach.usable), &above).remedied_by(remedy));
}

/// There is memory, but not in one piece.
fn fragmented(reach: &Reach<'_>, order: i32, findings: &mut Vec<Finding>) {
    let Some(order) = u32::try_from(order).ok().filter(|order| *order > 0) else { return };
    let listed: Vec<_> = reach.usable.iter().copied().filter(|(_, _, zone)| !zone.free_blocks.is_empty()).collect();
    if listed.iter().any(|(_, _, zone)| zone.blocks_cut) {
        return;
    }
    let fits = |zone: &Zone| {
        let above = zone.free_bytes.zip(zone.min_bytes).is_some_and(|(free, min)| free > min);
        // High-atomic and CMA blocks are not for everyone.
        let open = |types: &Option<String>| types.as_ref().is_none_or(|types| types.contains(['U', 'M', 'E']));
        let block = zone.free_blocks.iter().any(|one| one.order >= order && one.count > 0 && open(&one.types));
        (above, block)
    };
    let some_above = listed.iter().any(|(_, _, zone)| fits(zone).0);
    let any_block = listed.iter().any(|(_, _, zone)| fits(zone) == (true, true));
    if listed.is_empty() || !some_above || any_block {
        return;
    }
    let need = listed[0].2.free_blocks.first().map_or(4096, |one| one.bytes).checked_shl(order).unwrap_or(u64::MAX);
    let text = format!(
        "{} were free, but not in one piece: the allocation needed {} in a row (order {order}), and no zone above its least had a free block of that size.",
        size(Reach::free(&listed)),
        size(need)
    );
    findings.push(shown(Finding::new("fragmentation", text).shown_by("invoker.order", order), &listed).remedied_by(
        "raise vm.min_free_kbytes; look at who needs such pieces (the call trace), and at /proc/buddyinfo",
    ));
}

/// What is free belongs to the contiguous memory allocator.
fn cma(reach: &Reach<'_>, findings: &mut Vec<Finding>) {
    let cma = reach.usable.iter().filter_map(|(_, _, zone)| zone.free_cma_bytes).fold(0, u64::saturating_add);
    let (free, min) = (
        Reach::free(&reach.usable),
        reach.usable.iter().filter_map(|(_, _, zone)| zone.min_bytes).fold(0, u64::saturating_add),
    );
    if reach.movable || cma == 0 || free <= min || free.saturating_sub(cma) > min {
        return;
    }
    let text = format!(
        "Of the {} that were free, {} belong to the contiguous memory allocator (CMA), which this allocation may not take as it cannot be moved.",
        size(free),
        size(cma)
    );
    findings.push(
        shown(Finding::new("cma-only", text), &reach.usable)
            .shown_by("free_cma_bytes of the zones", cma)
            .remedied_by("make the CMA area smaller (cma= on the kernel's command line)"),
    );
}

/// Huge pages that were set aside and that nobody uses.
fn idle_huge_pages(report: &Report, info: &MemInfo, findings: &mut Vec<Finding>) {
    let Some((total, idle)) = info.huge() else { return };
    let much = percent(idle, report.total_bytes()).is_some_and(|share| share >= 10);
    if much {
        let text = format!(
            "Of {} set aside as huge pages, {} were not in use: nothing else can have them.",
            size(total),
            size(idle)
        );
        findings.push(
            Finding::new("huge-pages", text)
                .shown_by("mem_info.nodes.huge_pages.free", idle)
                .remedied_by("lower vm.nr_hugepages by what is not in use"),
        );
    }
}

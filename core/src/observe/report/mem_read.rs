//! Reads the lines of Mem-Info, each by itself: some may be lost, and other CPUs may print between them.

use super::mem_info::{FreeBlocks, HugePages, MemInfo, Node, Slab, Zone};
use super::scan::{contains, digits, find, head, number, split, trim_end, trim_start, word};
use super::Stat;

const ZONES: [&[u8]; 6] = [b"DMA", b"DMA32", b"Normal", b"HighMem", b"Movable", b"Device"];

/// No machine has more nodes, and no kernel more counts: what has is no overview.
const MOST: usize = 1024;

/// No line is longer.
const LONGEST: usize = 4096;

/// The overview while its lines come in.
#[derive(Debug, Default)]
pub(super) struct Reader {
    info: MemInfo,
    begun: bool,
    in_slabs: bool,
    /// The zone whose line was the last: node and place in its list.
    zone: Option<(usize, usize)>,
    /// The line of a node or a zone that was the last, which a mail program may have broken.
    open: Vec<u8>,
}

impl Reader {
    /// Takes a line, which may hold several; whether it is one of the overview.
    pub fn take(&mut self, text: &[u8]) -> bool {
        if text.contains(&b'\n') {
            return text.split(|&byte| byte == b'\n').fold(false, |any, line| self.line(line) | any);
        }
        self.line(text)
    }

    /// Whether a line without a prefix is a later line of the overview's message.
    pub fn goes_on(&self, line: &[u8]) -> bool {
        self.begun
            && (self.is_rest(line)
                || counts(line)
                    .is_some_and(|counts| !counts.is_empty() && counts.iter().all(|(name, _)| name.len() > 3)))
    }

    /// Whether a line is the rest of the one about a node or a zone.
    fn is_rest(&self, line: &[u8]) -> bool {
        !self.open.is_empty() && self.open.len() < LONGEST && rest::is_rest(&self.open, trim_start(line))
    }

    pub fn finish(mut self) -> Option<MemInfo> {
        if !self.begun {
            return None;
        }
        let info = &mut self.info;
        let blocks = info.nodes.iter().flat_map(|node| &node.zones).flat_map(|zone| &zone.free_blocks);
        info.page_bytes = blocks.map(|block| block.bytes).min();
        // Some kernels print a number of reserved pages that fell below zero.
        info.reserved_pages = info.reserved_pages.filter(|reserved| info.ram_pages.is_none_or(|ram| *reserved <= ram));
        let ram = info.ram_pages.zip(info.reserved_pages).map(|(ram, reserved)| ram - reserved);
        let zones = || info.nodes.iter().flat_map(|node| &node.zones);
        let managed = zones().filter_map(|zone| zone.managed_bytes.or(zone.present_bytes)).reduce(u64::saturating_add);
        // Of a task that is confined to some nodes the kernel prints their zones alone, with the pages of all.
        let free = info.counted("free");
        let managed = managed.filter(|managed| free.is_none_or(|free| free <= *managed));
        info.total_bytes = ram.zip(info.page_bytes).and_then(|(ram, page)| ram.checked_mul(page)).or(managed);
        Some(self.info)
    }

    fn line(&mut self, text: &[u8]) -> bool {
        let line = trim_end(trim_start(text));
        if line == b"Mem-Info:" || line == b"Mem-info:" {
            self.begun = true;
            return true;
        }
        // Lines of others may stand among those of the table.
        if self.in_slabs {
            let slab = slab(line);
            self.begun |= slab.is_some();
            let in_table = slab.is_some() || line.starts_with(b"Name ");
            self.info.slabs.extend(slab);
            if in_table {
                return self.begun;
            }
        }
        if line == b"Unreclaimable slab info:" {
            self.in_slabs = true;
            return self.begun;
        }
        self.begun |= is_telling(line);
        if !self.begun || line.is_empty() {
            return false;
        }
        if self.is_rest(line) {
            let mut whole = std::mem::take(&mut self.open);
            whole.push(b' ');
            whole.extend_from_slice(line);
            self.zoned(&whole);
            self.open = whole;
            return true;
        }
        self.open.clear();
        if self.zoned(line) {
            self.open.extend_from_slice(head(line, LONGEST));
            return true;
        }
        self.totals(line) || self.overview(line)
    }

    /// `Node 0 …`, and without NUMA `DMA …`.
    fn zoned(&mut self, line: &[u8]) -> bool {
        let (node, rest) = match line.strip_prefix(b"Node ").and_then(number) {
            Some((node, rest)) => match u32::try_from(node) {
                Ok(node) if self.info.nodes.len() < MOST => (Some(node), trim_start(rest)),
                _ => return false,
            },
            None => (None, line),
        };
        if let Some(reserve) = rest.strip_prefix(b"lowmem_reserve[]:") {
            if let Some((node, zone)) = self.zone {
                let pages = reserve.split(|&byte| byte == b' ').filter_map(|word| Some(number(word)?.0));
                self.info.nodes[node].zones[zone].lowmem_reserve_pages = pages.collect();
            }
            return true;
        }
        let (name, after) = word(rest);
        let listed = name.strip_suffix(b":");
        if ZONES.contains(&listed.unwrap_or(name)) {
            let at = self.zone_of(node.unwrap_or(0), listed.unwrap_or(name));
            let zone = &mut self.info.nodes[at.0].zones[at.1];
            self.zone = Some(at);
            match listed {
                Some(_) => (zone.free_blocks, zone.blocks_cut) = (blocks(after), !contains(after, b" = ")),
                None => zone_line(zone, after),
            }
            return true;
        }
        let Some(node) = node else { return false };
        if rest.starts_with(b"hugepages_total=") {
            if let Some(huge) = huge_pages(rest) {
                let at = self.node_of(node);
                self.info.nodes[at].huge_pages.push(huge);
            }
            return true;
        }
        if name.contains(&b':') {
            let at = self.node_of(node);
            let (stat, unreclaimable) = pairs(rest);
            self.info.nodes[at].stat = stat;
            self.info.nodes[at].all_unreclaimable = unreclaimable;
            return true;
        }
        false
    }

    fn node_of(&mut self, node: u32) -> usize {
        let nodes = &mut self.info.nodes;
        nodes.iter().position(|one| one.node == node).unwrap_or_else(|| {
            nodes.push(Node { node, ..Node::default() });
            nodes.len() - 1
        })
    }

    fn zone_of(&mut self, node: u32, name: &[u8]) -> (usize, usize) {
        let node = self.node_of(node);
        let zones = &mut self.info.nodes[node].zones;
        let at = zones.iter().position(|zone| zone.name.as_bytes() == name).unwrap_or_else(|| {
            zones.push(Zone { name: String::from_utf8_lossy(name).into_owned(), ..Zone::default() });
            zones.len() - 1
        });
        (node, at)
    }

    /// `1234 pages RAM`, `Free swap  = 0kB`.
    fn totals(&mut self, line: &[u8]) -> bool {
        let info = &mut self.info;
        for (name, to) in [(&b"Free swap"[..], &mut info.swap_free_bytes), (b"Total swap", &mut info.swap_total_bytes)]
        {
            if let Some(rest) = line.strip_prefix(name) {
                let value = trim_start(rest).strip_prefix(b"=").map(trim_start).and_then(number);
                if let Some((kib, b"kB")) = value {
                    *to = kib.checked_mul(1024);
                    return true;
                }
            }
        }
        let Some((count, rest)) = number(line) else { return false };
        // Counts of kernels before 3.10 that later ones print as pages of the overview, or not at all.
        const OTHERS: [&[u8]; 9] = [
            b" pages shared",
            b" pages non-shared",
            b" free pages",
            b" slab pages",
            b" pages mapped",
            b" pages dirty",
            b" pages writeback",
            b" pages in pagetable cache",
            b" bounce buffer pages",
        ];
        if OTHERS.contains(&rest) {
            return true;
        }
        let to = match rest {
            b" total pagecache pages" | b" pagecache pages" => &mut info.page_cache_pages,
            b" pages in swap cache" | b" pages swap cached" => &mut info.swap_cache_pages,
            b" pages RAM" | b" pages of RAM" => &mut info.ram_pages,
            b" pages HighMem/MovableOnly" | b" pages HighMem" | b" pages of HIGHMEM" => &mut info.highmem_pages,
            b" pages reserved" | b" reserved pages" => &mut info.reserved_pages,
            b" pages cma reserved" => &mut info.cma_reserved_pages,
            b" pages hwpoisoned" => &mut info.hwpoisoned_pages,
            _ => return false,
        };
        *to = Some(count);
        true
    }

    /// `active_anon:1 inactive_anon:2 …`, in pages.
    fn overview(&mut self, line: &[u8]) -> bool {
        let Some(counts) = counts(line) else { return false };
        for (name, value) in counts {
            if self.info.pages.len() < MOST && self.info.pages.get(&name).is_none() {
                self.info.pages.0.push((name, value));
            }
        }
        true
    }
}

/// Whether a line is one of an overview beyond doubt, also where its first lines are not in the log.
fn is_telling(line: &[u8]) -> bool {
    match line.first() {
        Some(b'a') => line.starts_with(b"active_anon:") && find(head(line, 64), b" inactive_anon:").is_some(),
        Some(b'l') => line.starts_with(b"lowmem_reserve[]:"),
        Some(b'F') => line.starts_with(b"Free swap") && line.ends_with(b"kB"),
        Some(b'T') => line.starts_with(b"Total swap") && line.ends_with(b"kB"),
        Some(b'0'..=b'9') => {
            const TOTALS: [&[u8]; 4] =
                [b" total pagecache pages", b" pages in swap cache", b" pages RAM", b" pages reserved"];
            TOTALS.iter().any(|words| line.ends_with(words)) && digits(line) > 0
        }
        Some(b'N' | b'D' | b'H' | b'M') => {
            let rest = line.strip_prefix(b"Node ").map_or(line, |rest| trim_start(&rest[digits(rest)..]));
            let (name, after) = word(rest);
            let after = trim_start(after);
            match name.strip_suffix(b":") {
                Some(name) => ZONES.contains(&name) && after[digits(after)..].starts_with(b"*"),
                None => {
                    ZONES.contains(&name) && after.starts_with(b"free:")
                        || line.starts_with(b"Node ")
                            && (name.starts_with(b"hugepages_total=") || name.starts_with(b"active_anon:"))
                }
            }
        }
        _ => false,
    }
}

/// `name:number` words; `None` where any word is another.
fn counts(line: &[u8]) -> Option<Vec<(String, u64)>> {
    let pair = |word: &[u8]| {
        let (name, value) = split(word, b":")?;
        match number(value)? {
            (value, b"") if named(name) => Some((String::from_utf8_lossy(name).into_owned(), value)),
            _ => None,
        }
    };
    line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).map(pair).collect()
}

fn named(name: &[u8]) -> bool {
    !name.is_empty() && name.len() < 40 && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_()".contains(byte))
}

/// `free:1kB min:2kB … all_unreclaimable? no`
fn pairs(text: &[u8]) -> (Stat, Option<bool>) {
    let mut stat = Vec::new();
    let mut unreclaimable = None;
    let mut words = text.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if word == b"all_unreclaimable?" {
            unreclaimable = words.next().map(|answer| answer == b"yes");
            continue;
        }
        let Some((name, value)) = split(word, b":").filter(|(name, _)| named(name)) else { continue };
        // Kernels before 6.2 print a blank before some of the numbers.
        let value = if value.is_empty() { words.next().unwrap_or_default() } else { value };
        let value = match number(value) {
            Some((kib, b"kB" | b"KB")) => kib.checked_mul(1024),
            Some((count, b"")) => Some(count),
            _ => None,
        };
        if let Some(value) = value {
            stat.push((String::from_utf8_lossy(name).into_owned(), value));
        }
    }
    (Stat(stat), unreclaimable)
}

fn zone_line(zone: &mut Zone, text: &[u8]) {
    let (mut stat, unreclaimable) = pairs(text);
    zone.all_unreclaimable = unreclaimable;
    for (name, to) in [
        ("free", &mut zone.free_bytes),
        ("boost", &mut zone.boost_bytes),
        ("min", &mut zone.min_bytes),
        ("low", &mut zone.low_bytes),
        ("high", &mut zone.high_bytes),
        ("present", &mut zone.present_bytes),
        ("managed", &mut zone.managed_bytes),
        ("free_cma", &mut zone.free_cma_bytes),
    ] {
        *to = stat.get(name);
        stat.0.retain(|(key, _)| key != name);
    }
    zone.stat = stat;
}

/// `1*4kB (U) 0*8kB 2*16kB (UM) … = 36kB`
fn blocks(text: &[u8]) -> Vec<FreeBlocks> {
    let mut blocks: Vec<FreeBlocks> = Vec::new();
    for word in text.split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
        if word == b"=" {
            break;
        }
        if let Some(types) = word.strip_prefix(b"(").and_then(|types| types.strip_suffix(b")")) {
            if let Some(last) = blocks.last_mut() {
                last.types = Some(String::from_utf8_lossy(types).into_owned());
            }
            continue;
        }
        let read = number(word).and_then(|(count, rest)| Some((count, number(rest.strip_prefix(b"*")?)?)));
        if let Some((count, (kib, b"kB"))) = read {
            let (order, Some(bytes)) = (blocks.len() as u32, kib.checked_mul(1024)) else { break };
            blocks.push(FreeBlocks { order, bytes, count, types: None });
        }
    }
    blocks
}

/// `hugepages_total=4 hugepages_free=4 hugepages_surp=0 hugepages_size=2048kB`
fn huge_pages(text: &[u8]) -> Option<HugePages> {
    let value = |key: &[u8]| split(text, key).and_then(|(_, value)| number(value));
    Some(HugePages {
        size_bytes: value(b"hugepages_size=")?.0.checked_mul(1024)?,
        total: value(b"hugepages_total=")?.0,
        free: value(b"hugepages_free=")?.0,
        surplus: value(b"hugepages_surp=")?.0,
    })
}

/// `kmalloc-8k              1024KB       2048KB`; names may hold blanks.
fn slab(line: &[u8]) -> Option<Slab> {
    let kib = |text: &[u8]| {
        let start = text.iter().rposition(|byte| matches!(byte, b' ' | b'\t')).map_or(0, |at| at + 1);
        match number(&text[start..])? {
            (kib, b"KB" | b"kB") => Some((trim_end(&text[..start]).to_vec(), kib.checked_mul(1024)?)),
            _ => None,
        }
    };
    let (rest, total_bytes) = kib(line)?;
    let (name, used_bytes) = kib(&rest)?;
    let name = crate::text::escape(&name);
    (!name.is_empty()).then_some(Slab { name, used_bytes, total_bytes })
}

mod rest;
#[cfg(test)]
mod tests;

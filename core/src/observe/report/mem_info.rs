//! Mem-Info: the kernel's overview of the machine's memory, printed where the machine ran out of it.

use serde::Serialize;

use super::Stat;

/// The state of the machine's memory at a global OOM, from `Mem-Info:` to the table of tasks (`show_mem`).
///
/// Counts that the kernel prints in pages are kept in pages, sizes in kB become bytes. What a kernel does not print is
/// `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MemInfo {
    /// The size of a page, from the free lists: their smallest blocks are one page.
    pub page_bytes: Option<u64>,
    /// The memory that the kernel has to give: `pages RAM` less `pages reserved`, else what the zones manage.
    pub total_bytes: Option<u64>,
    /// The overview in pages, in the kernel's own names: `active_anon`, `shmem`, `slab_unreclaimable`, `free`, ...
    pub pages: Stat,
    /// The nodes, each with its zones. A machine without NUMA has one, 0.
    pub nodes: Vec<Node>,
    /// `total pagecache pages`, shmem and buffers among them.
    pub page_cache_pages: Option<u64>,
    /// `pages in swap cache`.
    pub swap_cache_pages: Option<u64>,
    /// Swap in all.
    pub swap_total_bytes: Option<u64>,
    /// Swap that is free.
    pub swap_free_bytes: Option<u64>,
    /// `pages RAM`.
    pub ram_pages: Option<u64>,
    /// `pages HighMem/MovableOnly`.
    pub highmem_pages: Option<u64>,
    /// `pages reserved`: the kernel's image, firmware, crash kernel.
    pub reserved_pages: Option<u64>,
    /// `pages cma reserved`.
    pub cma_reserved_pages: Option<u64>,
    /// `pages hwpoisoned`: broken memory.
    pub hwpoisoned_pages: Option<u64>,
    /// `Unreclaimable slab info` (since 4.15, where slabs hold more than processes), as printed.
    pub slabs: Vec<Slab>,
}

/// A memory node.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Node {
    /// Its number.
    pub node: u32,
    /// What it holds, in bytes (since 4.8): `active_anon`, `shmem`, `kernel_stack`, `pagetables`, ...
    pub stat: Stat,
    /// Whether reclaim gave up on it.
    pub all_unreclaimable: Option<bool>,
    /// Its zones, the lowest first.
    pub zones: Vec<Zone>,
    /// Its huge pages, by their size.
    pub huge_pages: Vec<HugePages>,
}

/// A zone of a node: `DMA`, `DMA32`, `Normal`, `HighMem`, `Movable`, `Device`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Bytes that are free.
    pub free_bytes: Option<u64>,
    /// What is added to the watermarks for a while, against fragmentation (since 5.12).
    pub boost_bytes: Option<u64>,
    /// Below this only who frees memory gets some.
    pub min_bytes: Option<u64>,
    /// Below this kswapd wakes.
    pub low_bytes: Option<u64>,
    /// Above this kswapd sleeps.
    pub high_bytes: Option<u64>,
    /// Bytes of memory that are there.
    pub present_bytes: Option<u64>,
    /// Bytes that the page allocator has to give (since 3.9).
    pub managed_bytes: Option<u64>,
    /// Free bytes of the contiguous memory allocator, which only movable allocations may take.
    pub free_cma_bytes: Option<u64>,
    /// The other numbers of its line, in bytes where the kernel prints kB.
    pub stat: Stat,
    /// Whether reclaim gave up on it (before 4.8).
    pub all_unreclaimable: Option<bool>,
    /// Pages that stay free against allocations that could be had from a higher zone, one number for each zone.
    pub lowmem_reserve_pages: Vec<u64>,
    /// The free lists: how many free blocks of each size there are.
    pub free_blocks: Vec<FreeBlocks>,
    /// The line of the free lists is cut: of the sizes that it lacks nothing is known.
    #[serde(skip)]
    pub(super) blocks_cut: bool,
}

/// The free blocks of one size.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FreeBlocks {
    /// A block is 2^order pages.
    pub order: u32,
    /// The size of a block.
    pub bytes: u64,
    /// How many there are.
    pub count: u64,
    /// The kinds of memory among them (since 3.9), as printed: U unmovable, M movable, E reclaimable, H high atomic, C CMA,
    /// I isolated.
    pub types: Option<String>,
}

/// The huge pages of one size on a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HugePages {
    /// The size of one.
    pub size_bytes: u64,
    /// How many are set aside.
    pub total: u64,
    /// How many of them nobody uses.
    pub free: u64,
    /// How many are there beyond what was set aside.
    pub surplus: u64,
}

/// A cache of kernel objects that reclaim cannot empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Slab {
    /// Its name, as in `/proc/slabinfo`.
    pub name: String,
    /// Bytes of its objects that are in use.
    pub used_bytes: u64,
    /// Bytes of its slabs.
    pub total_bytes: u64,
}

impl MemInfo {
    /// A count of the overview, in bytes.
    pub(super) fn counted(&self, name: &str) -> Option<u64> {
        self.pages.get(name)?.checked_mul(self.page_bytes?)
    }

    /// The sum over all nodes of a number that stands at the nodes (since 4.8) or at their zones.
    pub(super) fn summed(&self, name: &str) -> Option<u64> {
        let zones = |node: &Node| node.zones.iter().filter_map(|zone| zone.stat.get(name)).reduce(u64::saturating_add);
        let each = self.nodes.iter().filter_map(|node| node.stat.get(name).or_else(|| zones(node)));
        each.reduce(u64::saturating_add)
    }

    /// Bytes set aside as huge pages, and of those what nobody uses.
    pub(super) fn huge(&self) -> Option<(u64, u64)> {
        let all = self.nodes.iter().flat_map(|node| &node.huge_pages);
        all.map(|huge| (huge.total.saturating_mul(huge.size_bytes), huge.free.saturating_mul(huge.size_bytes)))
            .reduce(|sum, one| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)))
    }
}

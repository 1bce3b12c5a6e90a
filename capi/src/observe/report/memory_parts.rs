//! The parts of a report's Mem-Info as C structs.

use std::ffi::c_char;
use std::mem::size_of;

use memoom::observe::report::{MemInfo, Node, Zone};

use crate::ffi::known;
use crate::list::Rows;

/// The machine's memory at a global OOM, from "Mem-Info:". What the kernel does not print is MEMOOM_UNKNOWN.
///
/// Ownership: borrowed from the report.
/// Since 0.1.
#[repr(C)]
pub struct memoom_mem_info {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// The size of a page, from the free lists.
    pub page_bytes: u64,
    /// The memory that the kernel has to give: RAM without what is reserved.
    pub total_bytes: u64,
    /// "total pagecache pages", shmem and buffers among them.
    pub page_cache_pages: u64,
    /// Pages in the swap cache.
    pub swap_cache_pages: u64,
    /// Swap in all.
    pub swap_total_bytes: u64,
    /// Swap that is free.
    pub swap_free_bytes: u64,
    /// Pages of RAM.
    pub ram_pages: u64,
    /// Pages in HighMem or Movable zones.
    pub highmem_pages: u64,
    /// Pages that are reserved: the kernel's image, firmware, crash kernel.
    pub reserved_pages: u64,
    /// Pages of the contiguous memory allocator.
    pub cma_reserved_pages: u64,
    /// Pages of broken memory.
    pub hwpoisoned_pages: u64,
}

/// A zone of a memory node. What the kernel does not print is MEMOOM_UNKNOWN.
///
/// Ownership: borrowed from the report.
/// Since 0.1.
#[repr(C)]
pub struct memoom_zone {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name: "DMA", "DMA32", "Normal", "HighMem", "Movable", "Device".
    pub name: *const c_char,
    /// Bytes that are free.
    pub free_bytes: u64,
    /// What is added to the watermarks for a while, against fragmentation (since 5.12).
    pub boost_bytes: u64,
    /// Below this only who frees memory gets some.
    pub min_bytes: u64,
    /// Below this kswapd wakes.
    pub low_bytes: u64,
    /// Above this kswapd sleeps.
    pub high_bytes: u64,
    /// Bytes of memory that are there.
    pub present_bytes: u64,
    /// Bytes that the page allocator has to give.
    pub managed_bytes: u64,
    /// Free bytes of the contiguous memory allocator, which only movable allocations may take.
    pub free_cma_bytes: u64,
    /// The memory node it belongs to.
    pub node: u32,
    /// 0.
    pub reserved: u32,
}

/// The free blocks of one size in a zone.
///
/// Ownership: borrowed from the report.
/// Since 0.1.
#[repr(C)]
pub struct memoom_free_blocks {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// The name of the zone.
    pub zone: *const c_char,
    /// The kinds of memory among them, as printed: U unmovable, M movable, E reclaimable, H high atomic, C CMA, I isolated;
    /// NULL where the kernel does not print them.
    pub types: *const c_char,
    /// The size of a block.
    pub bytes: u64,
    /// How many there are.
    pub count: u64,
    /// A block is 2^order pages.
    pub order: u32,
    /// The memory node of the zone.
    pub node: u32,
}

/// The huge pages of one size on a memory node.
///
/// Ownership: borrowed from the report.
/// Since 0.1.
#[repr(C)]
pub struct memoom_huge_pages {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// The size of one.
    pub size_bytes: u64,
    /// How many are set aside.
    pub total: u64,
    /// How many of them nobody uses.
    pub free: u64,
    /// How many are there beyond what was set aside.
    pub surplus: u64,
    /// The memory node.
    pub node: u32,
    /// 0.
    pub reserved: u32,
}

/// A cache of kernel objects that reclaim cannot empty.
///
/// Ownership: borrowed from the report.
/// Since 0.1.
#[repr(C)]
pub struct memoom_slab {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name, as in /proc/slabinfo.
    pub name: *const c_char,
    /// Bytes of its objects that are in use.
    pub used_bytes: u64,
    /// Bytes of its slabs.
    pub total_bytes: u64,
}

/// The parts of a report's Mem-Info, made when they are first asked for.
pub(in crate::observe) struct Memory {
    pub(super) info: Rows<memoom_mem_info>,
    pub(super) zones: Rows<memoom_zone>,
    pub(super) blocks: Rows<memoom_free_blocks>,
    pub(super) huge: Rows<memoom_huge_pages>,
    pub(super) slabs: Rows<memoom_slab>,
}

impl Memory {
    pub(super) fn of(info: &Option<MemInfo>) -> Memory {
        let huge = of_nodes(info).flat_map(|node| node.huge_pages.iter().map(move |one| (node.node, one)));
        Memory {
            info: Rows::of(info, |_, one| overview(one)),
            zones: zones(info),
            blocks: blocks(info),
            huge: Rows::of(huge, |_, (node, one)| memoom_huge_pages {
                struct_size: size_of::<memoom_huge_pages>(),
                size_bytes: one.size_bytes,
                total: one.total,
                free: one.free,
                surplus: one.surplus,
                node,
                reserved: 0,
            }),
            slabs: Rows::of(info.iter().flat_map(|info| &info.slabs), |texts, one| memoom_slab {
                struct_size: size_of::<memoom_slab>(),
                name: texts.keep(&one.name),
                used_bytes: one.used_bytes,
                total_bytes: one.total_bytes,
            }),
        }
    }
}

fn of_nodes(info: &Option<MemInfo>) -> impl Iterator<Item = &Node> {
    info.iter().flat_map(|info| &info.nodes)
}

fn of_zones(info: &Option<MemInfo>) -> impl Iterator<Item = (u32, &Zone)> {
    of_nodes(info).flat_map(|node| node.zones.iter().map(move |zone| (node.node, zone)))
}

fn overview(one: &MemInfo) -> memoom_mem_info {
    memoom_mem_info {
        struct_size: size_of::<memoom_mem_info>(),
        page_bytes: known(one.page_bytes),
        total_bytes: known(one.total_bytes),
        page_cache_pages: known(one.page_cache_pages),
        swap_cache_pages: known(one.swap_cache_pages),
        swap_total_bytes: known(one.swap_total_bytes),
        swap_free_bytes: known(one.swap_free_bytes),
        ram_pages: known(one.ram_pages),
        highmem_pages: known(one.highmem_pages),
        reserved_pages: known(one.reserved_pages),
        cma_reserved_pages: known(one.cma_reserved_pages),
        hwpoisoned_pages: known(one.hwpoisoned_pages),
    }
}

fn zones(info: &Option<MemInfo>) -> Rows<memoom_zone> {
    Rows::of(of_zones(info), |texts, (node, zone)| memoom_zone {
        struct_size: size_of::<memoom_zone>(),
        name: texts.keep(&zone.name),
        free_bytes: known(zone.free_bytes),
        boost_bytes: known(zone.boost_bytes),
        min_bytes: known(zone.min_bytes),
        low_bytes: known(zone.low_bytes),
        high_bytes: known(zone.high_bytes),
        present_bytes: known(zone.present_bytes),
        managed_bytes: known(zone.managed_bytes),
        free_cma_bytes: known(zone.free_cma_bytes),
        node,
        reserved: 0,
    })
}

fn blocks(info: &Option<MemInfo>) -> Rows<memoom_free_blocks> {
    let each = of_zones(info).flat_map(|(node, zone)| zone.free_blocks.iter().map(move |one| (node, &zone.name, one)));
    Rows::of(each, |texts, (node, zone, one)| memoom_free_blocks {
        struct_size: size_of::<memoom_free_blocks>(),
        zone: texts.keep(zone),
        types: texts.maybe(one.types.as_ref()),
        bytes: one.bytes,
        count: one.count,
        order: one.order,
        node,
    })
}

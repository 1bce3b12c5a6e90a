//! The state of the machine's memory in a report of a global OOM: the overview, zones, free lists, huge pages, slabs.
#![allow(unsafe_code)] // exported names, and strings of the caller's

use std::ffi::c_char;
use std::ptr;

use memoom::observe::report::Node;

use super::memoom_report;
use super::memory_parts::{memoom_free_blocks, memoom_huge_pages, memoom_mem_info, memoom_slab, memoom_zone, Memory};
use crate::ffi::{self, known, MEMOOM_UNKNOWN};

fn memory(report: &memoom_report) -> &Memory {
    report.memory.get_or_init(|| Memory::of(&report.report.mem_info))
}

/// The machine's memory, where the machine ran out of it.
///
/// \param report  a report, or NULL
///
/// Returns: the overview; NULL where the report has no Mem-Info, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_mem_info(report: Option<&memoom_report>) -> *const memoom_mem_info {
    ffi::get(report, ptr::null(), |report| memory(report).info.at(0))
}

/// A number of Mem-Info by the kernel's own name.
///
/// \param report  a report, or NULL
/// \param node    the memory node; -1 for the overview of the machine, which counts in pages
/// \param zone    the zone of the node, such as "Normal"; NULL for the node itself
/// \param key     the name: "active_anon", "shmem", "slab_unreclaimable", "kernel_stack", ...
///
/// Returns: the number, in bytes where the kernel prints kB; MEMOOM_UNKNOWN where the report lacks it, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn memoom_report_mem_stat(
    report: Option<&memoom_report>,
    node: i32,
    zone: *const c_char,
    key: *const c_char,
) -> u64 {
    ffi::get(report, MEMOOM_UNKNOWN, |report| {
        // SAFETY: the caller promises strings, or NULL.
        let (zone, key) = unsafe { (ffi::maybe_bytes(zone), ffi::maybe_bytes(key)) };
        let stat = || {
            let info = report.report.mem_info.as_ref()?;
            let of_node = |node: u32| info.nodes.iter().find(|one| one.node == node);
            let of_zone = |node: &'_ Node, name: &[u8]| node.zones.iter().position(|one| one.name.as_bytes() == name);
            let stat = match (u32::try_from(node).ok(), zone) {
                (None, None) => &info.pages,
                (None, Some(_)) => return None,
                (Some(node), None) => &of_node(node)?.stat,
                (Some(node), Some(zone)) => {
                    let node = of_node(node)?;
                    &node.zones.get(of_zone(node, zone)?)?.stat
                }
            };
            stat.get(std::str::from_utf8(key?).ok()?)
        };
        known(stat())
    })
}

/// A number of the statistics of the group whose limit was hit, by the kernel's own name.
///
/// \param report  a report, or NULL
/// \param key     the name: "anon", "file", "shmem", "slab_unreclaimable", "pgfault", ...
///
/// Returns: the number, in the unit of memory.stat; MEMOOM_UNKNOWN where the report lacks it, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn memoom_report_stat(report: Option<&memoom_report>, key: *const c_char) -> u64 {
    ffi::get(report, MEMOOM_UNKNOWN, |report| {
        // SAFETY: the caller promises a string, or NULL.
        let key = unsafe { ffi::maybe_bytes(key) };
        known(key.and_then(|key| report.report.stat.get(std::str::from_utf8(key).ok()?)))
    })
}

/// How many zones the report has.
///
/// \param report  a report, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_zone_count(report: Option<&memoom_report>) -> usize {
    ffi::get(report, 0, |report| memory(report).zones.len())
}

/// One of the zones, node by node, the lowest first.
///
/// \param report  a report, or NULL
/// \param index   from 0 to memoom_report_zone_count - 1
///
/// Returns: the zone; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_zone_at(report: Option<&memoom_report>, index: usize) -> *const memoom_zone {
    ffi::get(report, ptr::null(), |report| memory(report).zones.at(index))
}

/// How many sizes of free blocks the report has, over all zones.
///
/// \param report  a report, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_free_blocks_count(report: Option<&memoom_report>) -> usize {
    ffi::get(report, 0, |report| memory(report).blocks.len())
}

/// The free blocks of one size: zone by zone, the smallest first.
///
/// \param report  a report, or NULL
/// \param index   from 0 to memoom_report_free_blocks_count - 1
///
/// Returns: the blocks; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_free_blocks_at(
    report: Option<&memoom_report>,
    index: usize,
) -> *const memoom_free_blocks {
    ffi::get(report, ptr::null(), |report| memory(report).blocks.at(index))
}

/// How many sizes of huge pages the report has, over all memory nodes.
///
/// \param report  a report, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_huge_pages_count(report: Option<&memoom_report>) -> usize {
    ffi::get(report, 0, |report| memory(report).huge.len())
}

/// The huge pages of one size.
///
/// \param report  a report, or NULL
/// \param index   from 0 to memoom_report_huge_pages_count - 1
///
/// Returns: the huge pages; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_huge_pages_at(
    report: Option<&memoom_report>,
    index: usize,
) -> *const memoom_huge_pages {
    ffi::get(report, ptr::null(), |report| memory(report).huge.at(index))
}

/// How many caches of kernel objects the report names.
///
/// \param report  a report, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_slab_count(report: Option<&memoom_report>) -> usize {
    ffi::get(report, 0, |report| memory(report).slabs.len())
}

/// One of the caches that reclaim cannot empty, in the order printed.
///
/// \param report  a report, or NULL
/// \param index   from 0 to memoom_report_slab_count - 1
///
/// Returns: the cache; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the report.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_slab_at(report: Option<&memoom_report>, index: usize) -> *const memoom_slab {
    ffi::get(report, ptr::null(), |report| memory(report).slabs.at(index))
}

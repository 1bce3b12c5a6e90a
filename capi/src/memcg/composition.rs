//! What the charged bytes of a group are: now, and before an OOM.
#![allow(unsafe_code)] // exported names, and structs of the caller's

use std::ffi::{c_char, CStr};
use std::mem::{size_of, MaybeUninit};

use memoom::Composition;

use super::group::memoom_group;
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, known, need};

/// The charged bytes of a group, by what holds them. Begin with MEMOOM_COMPOSITION_INIT. A part that the kernel does not
/// tell is MEMOOM_UNKNOWN, never 0. The parts that do not overlap (anon, file, shmem, both slabs, kernel_stack,
/// page_tables, percpu, vmalloc, sock on v2, hugetlb and other) add up to the usage.
///
/// Since 0.1.
#[repr(C)]
pub struct memoom_composition {
    /// As an argument, sizeof(memoom_composition).
    pub struct_size: usize,
    /// Bytes charged in all.
    pub usage_bytes: u64,
    /// Anonymous memory of processes.
    pub anon_bytes: u64,
    /// Page cache of files on a disk, without shmem.
    pub file_bytes: u64,
    /// tmpfs files, memfds, shared anonymous and System V memory.
    pub shmem_bytes: u64,
    /// Slab objects that the kernel can drop. v2 only.
    pub slab_reclaimable_bytes: u64,
    /// Slab objects that it cannot drop. v2 only.
    pub slab_unreclaimable_bytes: u64,
    /// Kernel stacks of threads. v2 only.
    pub kernel_stack_bytes: u64,
    /// Page tables. On v1 those of the processes, where they are told.
    pub page_tables_bytes: u64,
    /// Buffers of sockets; v1 counts those of TCP apart, and they are not in the usage there.
    pub sock_bytes: u64,
    /// Memory that the kernel keeps for each CPU. v2 only.
    pub percpu_bytes: u64,
    /// The kernel's vmalloc areas. v2 only.
    pub vmalloc_bytes: u64,
    /// Huge pages of the reserve, where the kernel charges them.
    pub hugetlb_bytes: u64,
    /// Bytes in swap; no part of the usage.
    pub swap_bytes: u64,
    /// The rest of the usage; kernel_other_bytes of it are the kernel's.
    pub other_bytes: u64,
    /// All memory of the kernel for the group, the parts above among it.
    pub kernel_bytes: u64,
    /// What of kernel_bytes no part above tells: buffers of pipes and the like; on v1 all of it.
    pub kernel_other_bytes: u64,
    /// What of the usage no number of the kernel explains.
    pub unexplained_bytes: u64,
    /// What of the memory stands in transparent huge pages.
    pub huge_bytes: u64,
    /// An estimate of what the kernel could drop without swap: clean page cache and reclaimable slab, at the most.
    pub reclaimable_bytes: u64,
    /// Page cache that processes have mapped, shmem among it.
    pub mapped_bytes: u64,
    /// Page cache that is to be written to the disk first.
    pub dirty_bytes: u64,
    /// Page cache that is being written.
    pub writeback_bytes: u64,
    /// Pages that reclaim leaves alone, such as mlocked ones.
    pub unevictable_bytes: u64,
    /// When it was read, in nanoseconds of CLOCK_MONOTONIC.
    pub read_ns: u64,
    /// Who says it: "report", "memory.stat" or "sample" (read before the OOM). A constant of the library.
    pub source: *const c_char,
}

// SAFETY: our own promise: the only pointer leads to a constant.
unsafe impl Send for memoom_composition {}
// SAFETY: as above.
unsafe impl Sync for memoom_composition {}

impl Default for memoom_composition {
    fn default() -> memoom_composition {
        memoom_composition::new(&Composition::default())
    }
}

// SAFETY: repr(C), a usize first, then numbers of 8 bytes and a raw pointer, of which every bit pattern is a value.
unsafe impl ffi::Struct for memoom_composition {
    const NAME: &'static str = "memoom_composition";
}

impl memoom_composition {
    pub(crate) fn new(composition: &Composition) -> memoom_composition {
        let Composition {
            usage_bytes,
            anon_bytes,
            file_bytes,
            shmem_bytes,
            slab_reclaimable_bytes,
            slab_unreclaimable_bytes,
            kernel_stack_bytes,
            page_tables_bytes,
            sock_bytes,
            percpu_bytes,
            vmalloc_bytes,
            hugetlb_bytes,
            swap_bytes,
            other_bytes,
            kernel_bytes,
            kernel_other_bytes,
            unexplained_bytes,
            huge_bytes,
            reclaimable_bytes,
            mapped_bytes,
            dirty_bytes,
            writeback_bytes,
            unevictable_bytes,
            source,
            read_ns,
            ..
        } = composition;
        memoom_composition {
            struct_size: size_of::<memoom_composition>(),
            usage_bytes: known(*usage_bytes),
            anon_bytes: known(*anon_bytes),
            file_bytes: known(*file_bytes),
            shmem_bytes: known(*shmem_bytes),
            slab_reclaimable_bytes: known(*slab_reclaimable_bytes),
            slab_unreclaimable_bytes: known(*slab_unreclaimable_bytes),
            kernel_stack_bytes: known(*kernel_stack_bytes),
            page_tables_bytes: known(*page_tables_bytes),
            sock_bytes: known(*sock_bytes),
            percpu_bytes: known(*percpu_bytes),
            vmalloc_bytes: known(*vmalloc_bytes),
            hugetlb_bytes: known(*hugetlb_bytes),
            swap_bytes: known(*swap_bytes),
            other_bytes: known(*other_bytes),
            kernel_bytes: known(*kernel_bytes),
            kernel_other_bytes: known(*kernel_other_bytes),
            unexplained_bytes: known(*unexplained_bytes),
            huge_bytes: known(*huge_bytes),
            reclaimable_bytes: known(*reclaimable_bytes),
            mapped_bytes: known(*mapped_bytes),
            dirty_bytes: known(*dirty_bytes),
            writeback_bytes: known(*writeback_bytes),
            unevictable_bytes: known(*unevictable_bytes),
            read_ns: *read_ns,
            source: source_name(source).as_ptr(),
        }
    }
}

fn source_name(source: &str) -> &'static CStr {
    match source {
        "report" => c"report",
        "memory.stat" => c"memory.stat",
        "sample" => c"sample",
        _ => c"",
    }
}

/// What the charged bytes of the group and of those below it are now, by what holds them: memory.stat, and on v1
/// memory.kmem.usage_in_bytes. The kernel may be some seconds behind with the statistics.
///
/// \param group            the group
/// \param ret_composition  where it goes: a struct that began with MEMOOM_COMPOSITION_INIT
/// \param reterr_error     where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL or a struct without its size; MEMOOM_ERR_NOT_FOUND where the group
/// was removed; MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_group_composition(
    group: Option<&memoom_group>,
    ret_composition: *mut memoom_composition,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_composition", reterr_error, || {
        let group = need(group, "group")?;
        // SAFETY: the caller promises a struct of its struct_size, or NULL.
        let output = unsafe { ffi::output(ret_composition, "ret_composition") }?;
        output.write(&memoom_composition::new(&group.group.composition()?));
        Ok(())
    })
}

use super::*;

fn read(text: &str) -> MemInfo {
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.take(line.as_bytes());
    }
    reader.finish().unwrap()
}

#[test]
fn an_overview_of_6_8() {
    let info = read(
        "Mem-Info:
active_anon:100 inactive_anon:200 isolated_anon:0
 active_file:3 inactive_file:4 isolated_file:0
 slab_reclaimable:5 slab_unreclaimable:600
 shmem:70 pagetables:8
 free:9000 free_pcp:10 free_cma:0
Node 0 active_anon:400kB inactive_anon:800kB isolated(anon):0kB shmem:280kB kernel_stack:320kB all_unreclaimable? yes
Node 0 DMA free:14336kB boost:0kB min:128kB low:160kB high:192kB reserved_highatomic:0KB active_anon:0kB present:15996kB managed:15360kB mlocked:0kB bounce:0kB free_pcp:4kB local_pcp:0kB free_cma:0kB
lowmem_reserve[]: 0 1920 1920 1920 1920
Node 0 DMA32 free:21664kB boost:2048kB min:40000kB low:50000kB high:60000kB present:2080628kB managed:1999000kB free_cma:64kB
lowmem_reserve[]: 0 0 0 0 0
Node 0 DMA: 0*4kB 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 1*2048kB (M) 3*4096kB (M) = 14336kB
Node 0 DMA32: 5*4kB (UME) 1*8kB (U) 0*16kB = 28kB
Node 0 hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=1048576kB
Node 1 hugepages_total=8 hugepages_free=7 hugepages_surp=1 hugepages_size=2048kB
77 total pagecache pages
2 pages in swap cache
Free swap  = 4kB
Total swap = 1048572kB
524156 pages RAM
0 pages HighMem/MovableOnly
20566 pages reserved
0 pages cma reserved
1 pages hwpoisoned
Unreclaimable slab info:
Name                      Used          Total
kmalloc-8k              1024KB       2048KB
odd name (a)               3KB          4KB",
    );
    assert_eq!((info.page_bytes, info.total_bytes), (Some(4096), Some((524_156 - 20_566) * 4096)));
    assert_eq!((info.counted("slab_unreclaimable"), info.pages.len()), (Some(600 * 4096), 13));
    let node = &info.nodes[0];
    assert_eq!((node.stat.get("kernel_stack"), node.all_unreclaimable), (Some(320 << 10), Some(true)));
    assert_eq!(info.summed("isolated(anon)"), Some(0));
    let [dma, dma32] = &node.zones[..] else { panic!("{node:?}") };
    assert_eq!((dma.name.as_str(), dma.free_bytes, dma.min_bytes), ("DMA", Some(14_336 << 10), Some(128 << 10)));
    assert_eq!(
        (dma.lowmem_reserve_pages.as_slice(), dma.stat.get("free_pcp")),
        (&[0, 1920, 1920, 1920, 1920][..], Some(4096))
    );
    assert_eq!(
        (dma32.boost_bytes, dma32.free_cma_bytes, dma32.managed_bytes),
        (Some(2 << 20), Some(64 << 10), Some(1_999_000 << 10))
    );
    let last = dma.free_blocks.last().unwrap();
    assert_eq!((last.order, last.bytes, last.count, last.types.as_deref()), (10, 4 << 20, 3, Some("M")));
    assert_eq!((dma32.free_blocks.len(), dma32.free_blocks[0].types.as_deref()), (3, Some("UME")));
    assert_eq!((info.nodes[1].huge_pages[0].total, info.huge()), (8, Some((16 << 20, 14 << 20))));
    assert_eq!((info.swap_free_bytes, info.swap_total_bytes), (Some(4096), Some(1_048_572 << 10)));
    assert_eq!((info.page_cache_pages, info.swap_cache_pages, info.hwpoisoned_pages), (Some(77), Some(2), Some(1)));
    let slabs: Vec<_> = info.slabs.iter().map(|slab| (slab.name.as_str(), slab.used_bytes, slab.total_bytes)).collect();
    assert_eq!(slabs, [("kmalloc-8k", 1 << 20, 2 << 20), ("odd name (a)", 3072, 4096)]);
}

#[test]
fn an_overview_of_2_6_without_numa() {
    let info = read(
        "Mem-info:
DMA per-cpu:
CPU    0: hi:    0, btch:   1 usd:   0
Active:40 inactive:50 dirty:0 writeback:0 unstable:0
 free:2000 slab:3000 mapped:1 pagetables:2 bounce:0
DMA free:3520kB min:68kB low:84kB high:100kB active:0kB inactive:0kB present:16256kB pages_scanned:7 all_unreclaimable? yes
lowmem_reserve[]: 0 873 1000
HighMem free:300000kB min:512kB low:640kB high:768kB present:500000kB
DMA: 2*4kB 1*8kB = 16kB
Free swap  = 0kB
Total swap = 0kB
262144 pages of RAM
32768 pages of HIGHMEM
3 reserved pages",
    );
    assert_eq!((info.pages.get("slab"), info.pages.get("Active")), (Some(3000), Some(40)));
    let zones: Vec<_> = info.nodes[0].zones.iter().map(|zone| (zone.name.as_str(), zone.all_unreclaimable)).collect();
    assert_eq!(zones, [("DMA", Some(true)), ("HighMem", None)]);
    assert_eq!((info.nodes[0].zones[0].stat.get("pages_scanned"), info.page_bytes), (Some(7), Some(4096)));
    assert_eq!((info.highmem_pages, info.total_bytes), (Some(32_768), Some((262_144 - 3) * 4096)));
}

#[test]
fn what_is_no_overview_and_what_is_damaged() {
    let mut reader = Reader::default();
    assert!(!reader.take(b"active_anon:1") && reader.finish().is_none(), "before its heading");
    let info = read("Mem-Info:\nNode 0 DMA free:99999999999999999999kB min:1\nNode 99999999999 DMA free:1kB\nNode 0 DMA: 1*99999999999999999999kB\n18446744073709535263 pages reserved\n5 pages RAM\nlowmem_reserve[]: 1");
    let zone = &info.nodes[0].zones[0];
    assert_eq!((zone.free_bytes, zone.min_bytes, zone.free_blocks.len()), (None, Some(1), 0));
    assert_eq!((info.reserved_pages, info.total_bytes), (None, None), "a number that fell below zero");
    let mut reader = Reader::default();
    reader.take(b"Mem-Info:");
    assert!(reader.take(b"a:1 b:2\n c:3") && !reader.take(b"a:1 other words") && !reader.take(b"systemd[1]: Started"));
}

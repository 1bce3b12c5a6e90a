//! What the charged bytes of a group are: nothing of the usage stays unexplained, for each kind of memory and each source.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::time::{Duration, Instant};

use common::{charged_ahead, lab, LONG};
use memoom::{Composition, ErrorKind, Group, GrowStatus, Hog, HogOptions, Kind, Lab, LabOptions, Limits, Version};

const MIB: u64 = 1 << 20;

fn hog(group: &Group, kind: Kind, step_bytes: u64) -> Option<Hog> {
    match group.hog(&HogOptions { kind, step_bytes, ..HogOptions::named(kind.name()) }) {
        Ok(hog) => Some(hog),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            println!("{kind}: {error}");
            None
        }
    }
}

/// The part in which the memory of a kind stands.
fn main_part(kind: Kind, made: &Composition) -> Option<u64> {
    match kind {
        Kind::Anon | Kind::AnonThp | Kind::Mlock | Kind::Populate | Kind::Stack => made.anon_bytes,
        Kind::File => made.file_bytes,
        Kind::Shmem | Kind::Tmpfs | Kind::Memfd => made.shmem_bytes,
        // A tmpfs of huge pages, or transparent huge pages.
        Kind::AnyFastest => made.shmem_bytes.max(made.anon_bytes),
        Kind::Socket => made.sock_bytes,
        // A process has some memory of its own, and the kernel's for it.
        Kind::Fork => made.anon_bytes.zip(made.kernel_bytes).map(|(anon, kernel)| anon + kernel),
        _ => made.kernel_bytes,
    }
}

fn named_parts(made: &Composition, version: Version) -> u64 {
    let sockets = made.sock_bytes.filter(|_| version == Version::V2);
    let parts = [
        made.anon_bytes,
        made.file_bytes,
        made.shmem_bytes,
        made.slab_reclaimable_bytes,
        made.slab_unreclaimable_bytes,
        made.kernel_stack_bytes,
        made.page_tables_bytes,
        made.percpu_bytes,
        made.vmalloc_bytes,
        made.hugetlb_bytes,
        made.other_bytes,
        sockets,
    ];
    parts.iter().flatten().sum()
}

/// Nothing is hidden, and what no number of the kernel explains is 2 % or what is charged ahead.
fn check(kind: Kind, made: &Composition, version: Version) {
    let usage = made.usage_bytes.unwrap();
    let sum = named_parts(made, version);
    assert!(sum.abs_diff(usage) <= charged_ahead(), "{kind}: the parts are {sum} of {usage}: {made:#?}");
    // A kernel that tells no sum of its own memory (v2 before 5.18) leaves pipes and the like unexplained.
    if made.kernel_bytes.is_some() {
        let left = made.unexplained_bytes.unwrap();
        assert!(left <= usage / 50 + charged_ahead(), "{kind}: {left} of {usage} is not explained: {made:#?}");
    }
    // The report of 6.1 to 6.4 has the names of v2 for a group of v1 too, and with them these parts.
    if version == Version::V1 && made.source != "report" {
        let untold = [made.slab_reclaimable_bytes, made.slab_unreclaimable_bytes, made.kernel_stack_bytes];
        assert_eq!(untold, [None; 3], "v1 does not tell the parts of the kernel's memory");
    }
}

/// The statistics of a kernel can be some seconds behind: they are read until they are right.
fn settled(group: &Group, is_right: impl Fn(&Composition) -> bool) -> Composition {
    let deadline = Instant::now() + LONG;
    loop {
        let made = group.composition().unwrap();
        if is_right(&made) || Instant::now() > deadline {
            return made;
        }
        // Nothing tells of a flush of the statistics.
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_contents_of_each_kind_are_explained() {
    let Some(lab) = lab() else { return };
    for kind in Kind::ALL {
        let group = lab.group(Some(kind.name()), &Limits::bytes(64 * MIB)).unwrap();
        let Some(hog) = hog(&group, kind, 16 * MIB) else { continue };
        if hog.grow(None, LONG).unwrap().status != GrowStatus::Grew {
            continue;
        }
        let held = hog.grow(Some(8 * MIB), LONG).unwrap().total_bytes;
        let v1 = lab.version() == Version::V1;
        let is_apart = kind == Kind::Hugetlb || kind == Kind::Socket && v1;
        // Of sockets and slab the hog's own word is of what it asked for.
        let least = if kind == Kind::File { 1 } else { held - held / 8 };
        let told = |made: &Composition| is_apart || main_part(kind, made).is_none_or(|part| part >= least);
        let made = settled(&group, told);
        assert!(told(&made), "{kind}: it holds {held}: {made:#?}");
        check(kind, &made, lab.version());
        if kind == Kind::Mlock {
            assert!(made.unevictable_bytes.unwrap() >= least, "{made:#?}");
        }
        if kind == Kind::File {
            assert!(made.reclaimable_bytes.unwrap() > 0 && made.shmem_bytes == Some(0), "{made:#?}");
        }
        drop(hog);
    }
    lab.close().unwrap();
}

/// The composition of the account of an OOM of this kind, in a lab with those sources.
fn at_the_kill(lab: &Lab, kind: Kind, step_bytes: u64) -> Option<Composition> {
    let group = lab.group(None::<&str>, &Limits::bytes(24 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let hog = hog(&group, kind, step_bytes)?;
    while hog.grow(None, LONG).unwrap().status == GrowStatus::Grew {}
    let oom = watch.wait_oom(LONG).unwrap().unwrap();
    let Some(made) = oom.composition.clone() else {
        // On a busy machine nothing can be read in time, and the account says so.
        assert!(oom.missing.iter().any(|one| one.source == "composition"), "{kind}: {}", oom.to_json());
        return None;
    };
    check(kind, &made, lab.version());
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&oom.to_json()).unwrap()["composition"]["source"],
        made.source
    );
    let part = main_part(kind, &made).unwrap();
    assert!(part >= 16 * MIB, "{kind}: {made:#?}");
    Some(made)
}

#[test]
fn an_account_has_it_from_the_report_or_from_the_files() {
    if lab().is_none() {
        return;
    }
    for kernel_log in [true, false] {
        let mut had = 0;
        let lab = Lab::with(&LabOptions { kernel_log, ..LabOptions::default() }).unwrap();
        for kind in [Kind::Anon, Kind::Shmem, Kind::Tmpfs, Kind::Slab] {
            // One step beyond the limit, so that no sample has seen what it takes; and many, so that one has.
            for step_bytes in [32 * MIB, 2 * MIB] {
                let Some(made) = at_the_kill(&lab, kind, step_bytes) else { continue };
                assert!(kernel_log || made.source != "report", "{made:#?}");
                had += 1;
                println!("{kind}, steps of {step_bytes}: {} {}", made.source, made.usage_bytes.unwrap());
            }
        }
        assert!(had >= 4, "{had} of 8 accounts have it");
        lab.close().unwrap();
    }
}

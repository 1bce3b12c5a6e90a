//! What blocks and what fails where the OOM killer is off (v1): by kind of memory, in a full group.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use common::kinds::{hog, CHARGED};
use common::{lab, LONG};
use memoom::{Group, Grow, GrowStatus, HogOptions, Kind, Limit, Limits, Pattern, Resume, Version};

const MIB: u64 = 1 << 20;

/// What a step does in a full group whose killer is off, by the kind of its memory.
fn is_as_expected(kind: Kind, group: &Group, grow: &Grow) {
    match kind {
        Kind::Anon | Kind::AnonThp | Kind::Shmem | Kind::Memfd | Kind::Stack => {
            assert_eq!(grow.status, GrowStatus::Blocked, "{kind:?}");
            assert_eq!(group.blocked().unwrap().len(), 1);
        }
        // It took what was left, and the errno is that of the call.
        Kind::Tmpfs | Kind::Mlock | Kind::Populate => {
            assert_eq!(grow.status, GrowStatus::Short, "{kind:?}");
            assert!((6 * MIB..9 * MIB).contains(&grow.taken_bytes), "{kind:?}: {}", grow.taken_bytes);
            let errno = if kind == Kind::Mlock { libc::EAGAIN } else { libc::ENOMEM };
            assert_eq!(grow.errno, Some(errno), "{kind:?}");
            assert_eq!(group.blocked().unwrap(), []);
        }
        // Page cache makes room for itself.
        Kind::File => assert_eq!(grow.status, GrowStatus::Grew),
        // A call that needs kernel memory says so.
        Kind::Pipe | Kind::Slab => assert_eq!(grow.status, GrowStatus::Short, "{kind:?}"),
        // What comes first: the fork for which there is no memory, or the page fault of a child that it left room for.
        // After the fork has failed a child may fault all the same, and then it waits.
        Kind::Fork => match grow.status {
            GrowStatus::Short => {}
            status => {
                assert_eq!(status, GrowStatus::Blocked);
                assert_ne!(group.blocked().unwrap(), []);
            }
        },
        // A tmpfs, or without the right to mount one anonymous memory.
        Kind::AnyFastest => {
            assert!(matches!(grow.status, GrowStatus::Short | GrowStatus::Blocked), "{:?}", grow.status)
        }
        // Sockets have a counter of their own on v1.
        _ => {}
    }
}

/// A page fault waits in the OOM; a system call is told that there is no memory, and may have taken a part of it.
#[test]
fn a_page_fault_blocks_and_a_system_call_fails() {
    let Some(lab) = lab() else { return };
    if lab.version() == Version::V2 {
        println!("not here: v2 has no such switch; memoom's own stops everybody");
        return;
    }
    for kind in Kind::ALL {
        // Huge pages of the reserve are charged by another controller.
        if kind == Kind::Hugetlb {
            continue;
        }
        let group = lab.group(Some(kind.name()), &Limits::bytes(48 * MIB)).unwrap();
        let full = group.hog(&HogOptions::named("full")).unwrap();
        assert_eq!(full.grow(Some(40 * MIB), LONG).unwrap().status, GrowStatus::Grew);
        let Some(hog) = hog(&group, kind, Pattern::Write) else { continue };
        group.block().unwrap();
        let grow = hog.grow(Some(16 * MIB), LONG).unwrap();
        println!("{kind:?}: {:?} after {} bytes, errno {:?}", grow.status, grow.taken_bytes, grow.errno);
        is_as_expected(kind, &group, &grow);
        group.resume(Resume::Raise(Limit::Bytes(96 * MIB)), LONG).unwrap();
        if grow.status == GrowStatus::Blocked {
            let end = hog.finish(LONG).unwrap();
            // The hog's own fork may have failed while a child of its waited.
            let refused = kind == Kind::Fork && (end.status, end.errno) == (GrowStatus::Short, Some(libc::ENOMEM));
            assert!(refused || end.status == GrowStatus::Grew, "{kind:?}: {end:?}");
        }
        group.kill().unwrap();
        hog.wait(LONG).unwrap();
    }
    lab.close().unwrap();
}

#[test]
fn with_the_killer_off_a_fault_blocks_and_a_system_call_is_short() {
    let Some(lab) = common::lab_with(Version::V1) else { return };
    let limits = Limits { oom_killer: Some(false), ..Limits::bytes(20 * MIB) };
    for kind in CHARGED.into_iter().filter(|kind| *kind != Kind::File) {
        let group = lab.group(Some(kind.name()), &limits).unwrap();
        let Some(hog) = hog(&group, kind, Pattern::Write) else { continue };
        let grow = (0..4).map(|_| hog.grow(None, LONG).unwrap()).find(|grow| grow.status != GrowStatus::Grew).unwrap();
        match kind {
            Kind::Anon | Kind::AnonThp | Kind::Shmem | Kind::Memfd => {
                assert_eq!((grow.status, grow.taken_bytes), (GrowStatus::Blocked, 0), "{kind}");
                group.set_limit(Limit::Bytes(32 * MIB)).unwrap();
                let grow = hog.finish(LONG).unwrap();
                assert_eq!((grow.status, grow.total_bytes), (GrowStatus::Grew, 24 * MIB), "{kind}");
            }
            _ => {
                assert_eq!(grow.status, GrowStatus::Short, "{kind}: {grow:?}");
                let errno = if kind == Kind::Mlock { libc::EAGAIN } else { libc::ENOMEM };
                assert_eq!(grow.errno, Some(errno), "{kind}");
                assert!(grow.taken_bytes > 0 && grow.taken_bytes < 8 * MIB, "{kind}: {grow:?}");
                assert_eq!(grow.total_bytes, hog.total_bytes(), "{kind}");
                assert!((18 * MIB..20 * MIB).contains(&hog.total_bytes()), "{kind}: {}", hog.total_bytes());
                // There is no room for more than a page or two, and nobody is killed for them. The kernel's own memory
                // for the mapping may be what is refused: ENOMEM for mlock too.
                let refused = hog.grow(None, LONG);
                assert!(
                    refused.as_ref().is_err_and(|error| matches!(error.errno(), Some(libc::EAGAIN | libc::ENOMEM)))
                        || refused.as_ref().is_ok_and(|grow| grow.status == GrowStatus::Short),
                    "{kind}: {refused:?}"
                );
                assert_eq!(hog.shrink(4 * MIB, LONG).unwrap(), 4 * MIB, "{kind}");
                assert_eq!(hog.grow(Some(2 * MIB), LONG).unwrap().status, GrowStatus::Grew, "{kind}");
            }
        }
        assert_eq!(group.counters().unwrap().oom_kill, Some(0), "{kind}");
    }
    lab.close().unwrap();
}

#[test]
fn with_the_killer_off_the_kernel_s_own_memory_is_refused() {
    let Some(lab) = common::lab_with(Version::V1) else { return };
    let limits = Limits { oom_killer: Some(false), ..Limits::bytes(12 * MIB) };
    for kind in [Kind::Stack, Kind::Fork, Kind::Pipe, Kind::Slab] {
        let group = lab.group(Some(kind.name()), &limits).unwrap();
        let Some(hog) = hog(&group, kind, Pattern::Write) else { continue };
        let grow = (0..8).map(|_| hog.grow(Some(2 * MIB), LONG).unwrap()).find(|grow| grow.status != GrowStatus::Grew);
        let grow = grow.unwrap();
        println!("{kind}: {} {:?} after {}", grow.status.name(), grow.errno, grow.total_bytes);
        match (kind, grow.status) {
            // A fault of the hog or of one of its children waits; a fork that the kernel has no memory for fails.
            (Kind::Stack | Kind::Fork, GrowStatus::Blocked) => {
                assert!(grow.blocked.unwrap().state == 'D');
                group.set_limit(Limit::Bytes(64 * MIB)).unwrap();
                assert_eq!(hog.finish(LONG).unwrap().status, GrowStatus::Grew, "{kind}");
            }
            (Kind::Fork | Kind::Pipe | Kind::Slab, GrowStatus::Short) => {
                // A tmpfs says ENOSPC where it gets no inode, and a name for it may be refused before.
                let no_space = kind == Kind::Slab && grow.errno == Some(libc::ENOSPC);
                assert!(no_space || grow.errno == Some(libc::ENOMEM), "{kind}: {:?}", grow.errno);
                assert!(hog.shrink(MIB, LONG).unwrap() > 0, "{kind}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(group.counters().unwrap().oom_kill, Some(0), "{kind}");
    }
    lab.close().unwrap();
}

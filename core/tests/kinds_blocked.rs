//! What blocks and what fails where the OOM killer is off (v1): by kind of memory, in a full group.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use common::{lab, LONG};
use memoom::{GrowStatus, HogOptions, Kind, Limit, Limits, Resume, Version};

const MIB: u64 = 1 << 20;

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
        let hog = match group.hog(&HogOptions { kind, ..HogOptions::named("takes") }) {
            Ok(hog) => hog,
            Err(error) => {
                println!("not here: {error}");
                continue;
            }
        };
        group.block().unwrap();
        let grow = hog.grow(Some(16 * MIB), LONG).unwrap();
        println!("{kind:?}: {:?} after {} bytes, errno {:?}", grow.status, grow.taken_bytes, grow.errno);
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

//! Memory of the kernel: what of it fills a limit is named.

use super::*;

/// Pipes or sockets, and a process that grows beside them.
fn kernel_memory(kind: Kind, words: &[&str]) {
    for (_, lab) in labs() {
        let group = lab.group(Some("buffers"), &Limits::bytes(64 * MIB)).unwrap();
        let mut watch = group.watch().unwrap();
        let buffers = hog(&group, "buffers", kind, 0);
        grown(&buffers, 32 * MIB);
        let worker = hog(&group, "worker", Kind::Anon, 0);
        grow_to_the_end(&worker);
        oom_killed(&worker.worker().wait(LONG).unwrap());
        let oom = next_oom(&mut watch);
        let made = oom.composition.as_ref().unwrap();
        // The kernel's statistics may be behind its usage.
        let anon = made.anon_bytes.unwrap() + made.unexplained_bytes.unwrap_or(0);
        assert!(anon >= 8 * MIB, "{made:#?}");
        if lab.version() == Version::V1 || made.kernel_bytes.is_some() {
            let finding = found(&oom, "kernel-memory");
            let v1 = ["memory of the kernel for this group", "cgroup v1 does not tell of what kind"];
            says(&finding.text, if lab.version() == Version::V1 { &v1 } else { words });
            says(&oom.summary, &[&finding.text]);
        }
        lab.close().unwrap();
    }
}

#[test]
fn pipes_are_memory_of_the_kernel_with_anon_beside() {
    kernel_memory(Kind::Pipe, &["buffers of pipes and the like"]);
}

#[test]
fn sockets_are_memory_of_the_kernel_with_anon_beside() {
    // v1 counts them apart, so they fill no limit of a group there.
    let Some(lab) = lab_with(Version::V2) else { return };
    lab.close().unwrap();
    kernel_memory(Kind::Socket, &["buffers of sockets"]);
}

//! Shared memory: it outlives whoever wrote it.

use super::*;

/// Shared memory that this test holds open, so that it stays whoever wrote it.
fn memfd() -> Arc<OwnedFd> {
    // SAFETY: the name is a constant with its NUL; the descriptor is new and nobody else's.
    let fd = unsafe { libc::memfd_create(c"why".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: as above.
    Arc::new(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn writes(bytes: u64, to: &Arc<OwnedFd>) -> Command {
    let mut command = Command::new(["head".to_string(), "-c".to_string(), bytes.to_string(), "/dev/zero".to_string()]);
    command.stdio = [Stdio::Null, Stdio::Fd(to.clone()), Stdio::Inherit];
    command
}

#[test]
fn shared_memory_outlives_its_writer() {
    for (_, lab) in labs() {
        let group = lab.group(Some("shared"), &Limits::bytes(32 * MIB)).unwrap();
        let file = memfd();
        let writer = group.command(&writes(20 * MIB, &file)).unwrap();
        assert_eq!(writer.wait(LONG).unwrap().returncode, 0);
        let mut watch = group.watch().unwrap();
        let late = hog(&group, "late", Kind::Anon, 0);
        grow_to_the_end(&late);
        oom_killed(&late.worker().wait(LONG).unwrap());
        let oom = next_oom(&mut watch);
        assert!(oom.composition.as_ref().unwrap().shmem_bytes.unwrap() >= 19 * MIB, "{}", oom.to_json());
        let finding = found(&oom, "shared-memory");
        says(&finding.text, &["no living process has mapped", "killing late", "frees nothing of it"]);
        says(&oom.summary, &[&finding.text]);
        let nobody = oom.holders.iter().find(|row| row.what == Some("no living process")).unwrap();
        assert!(nobody.shmem_bytes.unwrap() >= 19 * MIB, "{nobody:?}");
        drop(file);
        lab.close().unwrap();
    }
}

#[test]
fn a_writer_killed_in_the_act_frees_nothing_of_its_file() {
    for (_, lab) in labs() {
        let group = lab.group(Some("shared"), &Limits::bytes(16 * MIB)).unwrap();
        let file = memfd();
        let mut watch = group.watch().unwrap();
        let writer = group.command(&writes(64 * MIB, &file)).unwrap();
        oom_killed(&writer.wait(LONG).unwrap());
        let oom = next_oom(&mut watch);
        let finding = found(&oom, "shared-memory");
        says(&finding.text, &["frees nothing of it"]);
        says(&oom.summary, &[&finding.text]);
        says(&found(&oom, "freed-too-little").text, &["head (pid", "of 16M"]);
        assert!(File::from(file.try_clone().unwrap()).metadata().unwrap().len() >= 14 * MIB);
        lab.close().unwrap();
    }
}

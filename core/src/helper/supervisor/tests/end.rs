//! The end: nothing is left, what was changed is put back, and what cannot be removed is named.

use super::*;

#[test]
fn a_dead_supervisor_takes_its_workers_along_and_is_named() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let hog = hog(&supervisor, &group).unwrap();
    let (command, _output) = shell(&supervisor, &group, "exec sleep 1000");
    sys::pidfd_send_signal(supervisor.pidfd.as_fd(), libc::SIGKILL).unwrap();
    for worker in [&hog, &command] {
        assert!(ended(worker.pidfd.as_fd(), Duration::from_secs(5)));
    }
    let error = self::hog(&supervisor, &group).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("supervisor has died"), "{error}");
    assert_eq!(supervisor.notices().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(supervisor.end(soon()).unwrap_err().kind(), ErrorKind::Closed);
    supervisor.end(soon()).unwrap();
}

#[test]
fn the_end_removes_nested_groups_and_forking_processes() {
    for group in [Group::v1(), Group::v2()].into_iter().flatten() {
        let supervisor = supervisor();
        group.guard(&supervisor);
        let nested = group.path().join("a/b/c");
        fs::create_dir_all(&nested).unwrap();
        if group.version == 1 {
            group.write("memory.limit_in_bytes", "256M");
        }
        // Two bombs: one that grows, one whose processes fork and exit at once, so that every pid is soon another's.
        let script = "g() { [ $1 = 0 ] || { g $(($1-1)) & g $(($1-1)) & }; exec sleep 1000; }; g 7 &
            f() { f & exit; }; for i in 1 2 3 4 5 6 7 8; do f & done; wait";
        let (_, _output) = shell(&supervisor, &group, script);
        let (_, _other) =
            shell(&supervisor, &group, &format!("echo $$ > {}/cgroup.procs; exec sleep 1000", nested.display()));
        let deadline = soon();
        while group.count() < 100 {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        let start = Instant::now();
        supervisor.end(soon()).unwrap();
        println!("v{}: emptied and removed in {:?}", group.version, start.elapsed());
        assert!(!group.path().exists());
    }
}

#[test]
fn settings_and_instances_are_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        (File::open(&path).unwrap(), path)
    };
    let (empty, empty_path) = make("empty");
    let (used, used_path) = make("used");
    fs::create_dir(used_path.join("child")).unwrap();
    fs::create_dir(empty_path.join("instance")).unwrap();
    let text = CString::new("-memory").unwrap();
    let files = [empty_path.join("control"), used_path.join("control")];
    let supervisor = supervisor();
    let root = File::open(directory.path()).unwrap();
    supervisor.guard_instance(empty.as_fd(), c"instance").unwrap();
    let token = supervisor.guard_instance(root.as_fd(), c"used").unwrap();
    supervisor.unguard(token).unwrap();
    assert_eq!(supervisor.unguard(token).unwrap_err().kind(), ErrorKind::NotFound);
    for (path, holder) in files.iter().zip([&root, &used]) {
        let file = File::create(path).unwrap();
        // `root` has children, `used` has one; only the first file's directory below will have none.
        let _ = holder;
        let holder = if path.starts_with(&empty_path) { &empty } else { &used };
        supervisor.guard_restore(file.as_fd(), holder.as_fd(), &text).unwrap();
    }
    for bad in [c"..", c".", c"a/b", c""] {
        assert_eq!(supervisor.guard_instance(root.as_fd(), bad).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    // The instance stands in the first directory, and guards run in the order of registration.
    supervisor.end(soon()).unwrap();
    assert!(!empty_path.join("instance").exists() && used_path.exists());
    assert_eq!(fs::read_to_string(&files[0]).unwrap(), "-memory");
    assert_eq!(fs::read_to_string(&files[1]).unwrap(), "");
}

#[test]
fn what_cannot_be_removed_is_named_at_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let root = File::open(directory.path()).unwrap();
    fs::create_dir_all(directory.path().join("full/child")).unwrap();
    let supervisor = supervisor();
    supervisor.guard_instance(root.as_fd(), c"full").unwrap();
    let error = supervisor.end(Instant::now() + Duration::from_millis(50)).unwrap_err();
    assert!(error.to_string().contains("full") && error.errno() == Some(libc::ENOTEMPTY), "{error}");
}

#[test]
fn a_symbolic_link_is_never_followed() {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("kept")).unwrap();
    fs::create_dir(directory.path().join("tree")).unwrap();
    std::os::unix::fs::symlink(outside.path(), directory.path().join("tree/link")).unwrap();
    std::os::unix::fs::symlink(outside.path(), directory.path().join("top")).unwrap();
    let root = File::open(directory.path()).unwrap();
    let supervisor = supervisor();
    supervisor.guard_tree(1, root.as_fd(), c"tree").unwrap();
    supervisor.guard_tree(1, root.as_fd(), c"top").unwrap();
    assert!(supervisor.end(Instant::now() + Duration::from_millis(50)).is_err());
    assert!(outside.path().join("kept").exists());
}

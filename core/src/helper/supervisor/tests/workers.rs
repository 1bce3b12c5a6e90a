//! Workers: how they start, what they answer, and when they are refused.

use super::*;

#[test]
fn a_hog_takes_and_gives_back_in_acknowledged_steps() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    group.guard(&supervisor);
    let hog = hog(&supervisor, &group).unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", hog.pid)).unwrap(), "memoom_test_hog\n");
    assert!(group.read("cgroup.procs").contains(&hog.pid.to_string()));
    for expected in [10 * MIB, 20 * MIB] {
        let Message::Grew { total_bytes, bytes, errno: 0, start_ns, end_ns } = step(&hog, 10 * MIB) else { panic!() };
        assert_eq!((total_bytes, bytes), (expected, 10 * MIB));
        assert!(start_ns < end_ns);
    }
    let resident = fs::read_to_string(format!("/proc/{}/statm", hog.pid)).unwrap();
    let resident: u64 = resident.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(resident * crate::sys::page_size() >= 20 * MIB, "{resident} pages");
    hog.channel.as_ref().unwrap().shrink(10 * MIB).unwrap();
    let Message::Shrunk { total_bytes, bytes, .. } = answer(&hog) else { panic!() };
    assert_eq!((total_bytes, bytes), (10 * MIB, 10 * MIB));
    // Any number of steps, and odd sizes are rounded up to pages.
    for _ in 0..5000 {
        let Message::Grew { bytes, .. } = step(&hog, 1) else { panic!() };
        assert!(bytes > 0 && bytes.is_power_of_two());
    }
    // What cannot be mapped is refused, and the hog lives on.
    let Message::Failed { errno: libc::ENOMEM, total_bytes } = step(&hog, 1 << 60) else { panic!() };
    assert!(total_bytes > 10 * MIB);
    drop(hog.channel);
    let hog = Started { channel: None, ..hog };
    assert_eq!(exit_of(&supervisor, &hog).code(), Some(0));
    supervisor.end(soon()).unwrap();
    assert!(!group.path().exists());
    assert!(!Path::new(&format!("/proc/{}", supervisor.pid())).exists());
}

#[test]
fn an_unknown_kind_of_hog_is_refused() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let entry = group.entry();
    let start =
        Start { name: b"x", join: group.join(&entry), oom_score_adj: 0, role: Role::Hog { work: 99, directory: None } };
    assert_eq!(supervisor.spawn(&start).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_ticker_ticks_and_its_death_by_a_signal_is_told() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let entry = group.entry();
    let role = Role::Ticker { every: Duration::from_millis(20) };
    let ticker =
        supervisor.spawn(&Start { name: b"ticker", join: group.join(&entry), oom_score_adj: 0, role }).unwrap();
    let mut last = (0, 0);
    for _ in 0..3 {
        let message = answer(&ticker);
        let Message::Tick { n, time_ns } = message else { panic!("{message:?}") };
        assert!(n > last.0 && time_ns > last.1);
        last = (n, time_ns);
    }
    sys::pidfd_send_signal(ticker.pidfd.as_fd(), libc::SIGKILL).unwrap();
    assert_eq!(exit_of(&supervisor, &ticker).signal(), Some(libc::SIGKILL));
    // Its last tick may still be there; then its end shows, and what is sent to it is lost without an error.
    let channel = ticker.channel.as_ref().unwrap();
    while channel.try_receive().unwrap().is_some() {}
    channel.grow(1).unwrap();
    assert_eq!(channel.receive(ticker.pidfd.as_fd(), soon()).unwrap_err().kind(), ErrorKind::WorkerGone);
}

#[test]
fn a_command_gets_arguments_two_mebibytes_of_environment_and_its_directory() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let env: Vec<CString> =
        (0..19).map(|index| CString::new(format!("V{index}={}", "x".repeat(100_000))).unwrap()).collect();
    let script = "printf '%s ' \"$1\" ${#V0} ${#V18}; pwd -P; exit 7";
    let argv = ["sh", "-c", script, "name", "ar g"];
    let (started, output) = command(&supervisor, &group, &argv, &env, "/bin/sh").unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(text(output), format!("ar g 100000 100000 {}\n", here.display()));
    assert_eq!(exit_of(&supervisor, &started).code(), Some(7));
    // Defaults for every signal, an empty mask, no descriptor but the three, the caller's process group.
    let (started, output) =
        shell(&supervisor, &group, "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l");
    assert_eq!(text(output), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n4\n");
    exit_of(&supervisor, &started);
    let (started, output) = shell(&supervisor, &group, "cut -d' ' -f5 /proc/self/stat");
    assert_eq!(text(output).trim(), nix::unistd::getpgrp().to_string());
    exit_of(&supervisor, &started);
}

#[test]
fn a_command_that_cannot_be_executed_leaves_nothing() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain");
    fs::write(&plain, "echo from $0 $1").unwrap();
    let cases = [("/nowhere/at/all", libc::ENOENT), (plain.to_str().unwrap(), libc::EACCES)];
    for (path, errno) in cases {
        let error = command(&supervisor, &group, &["program"], &[], path).unwrap_err();
        assert_eq!(error.errno(), Some(errno), "{error}");
        assert!(error.to_string().contains("could not execute"), "{error}");
    }
    // Another step's failure is not taken for the execution's.
    let entry = group.entry();
    let name = [CString::new("true").unwrap()];
    let path = [CString::new("/bin/true").unwrap()];
    let file = File::open(&plain).unwrap();
    let role = Role::Command { argv: &name, env: &[], paths: &path, cwd: Some(file.as_fd()), stdio: [None; 3] };
    let error = supervisor.spawn(&Start { name: b"", join: group.join(&entry), oom_score_adj: 0, role }).unwrap_err();
    assert!(error.errno() == Some(libc::ENOTDIR) && error.to_string().contains("directory"), "{error}");
    assert_eq!(children_of(supervisor.pid()), "");
    assert_eq!(group.count(), 0);
    assert!(supervisor.notices().unwrap().is_empty());
    // A text without `#!` goes to the shell, as with execvp.
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o755)).unwrap();
    let (_, output) = command(&supervisor, &group, &["program", "one"], &[], plain.to_str().unwrap()).unwrap();
    assert_eq!(text(output), format!("from {} one\n", plain.display()));
}

#[test]
fn a_group_that_is_gone_is_named() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let entry = group.entry();
    fs::remove_dir(group.path()).unwrap();
    let role = Role::Hog { work: hog::ANON, directory: None };
    let start = Start { name: b"x", join: group.join(&entry), oom_score_adj: 0, role };
    let error = supervisor.spawn(&start).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(children_of(supervisor.pid()), "");
}

#[test]
fn a_score_is_set_or_refused() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let entry = group.entry();
    let role = Role::Hog { work: hog::ANON, directory: None };
    let start = |oom_score_adj| Start { name: b"x", join: group.join(&entry), oom_score_adj, role };
    let read = |pid: i32| fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
    let worker = supervisor.spawn(&start(321)).unwrap();
    assert_eq!(read(worker.pid), "321\n");
    assert_eq!(read(supervisor.pid()), read(std::process::id() as i32));
    match supervisor.spawn(&start(-500)) {
        Ok(worker) => assert_eq!(read(worker.pid), "-500\n"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
    }
}

#[test]
fn a_frozen_group_is_refused_and_removed() {
    let Some(group) = Group::v2() else { return };
    if !group.file("cgroup.freeze").exists() {
        return skip("this kernel cannot freeze a group");
    }
    let supervisor = supervisor();
    group.guard(&supervisor);
    let hog = hog(&supervisor, &group).unwrap();
    group.write("cgroup.freeze", "1");
    let deadline = soon();
    while !group.read("cgroup.events").contains("frozen 1") {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let error = self::hog(&supervisor, &group).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    supervisor.end(soon()).unwrap();
    assert!(ended(hog.pidfd.as_fd(), Duration::ZERO) && !group.path().exists());
}

#[test]
fn a_blocked_hog_goes_on_when_there_is_room() {
    let Some(group) = Group::v1() else { return };
    let supervisor = supervisor();
    group.guard(&supervisor);
    let hog = blocked_hog(&supervisor, &group);
    group.write("memory.limit_in_bytes", "64M");
    let Message::Grew { bytes, .. } = answer(&hog) else { panic!() };
    assert_eq!(bytes, 32 * MIB);
    supervisor.end(soon()).unwrap();
    assert!(!group.path().exists());
}

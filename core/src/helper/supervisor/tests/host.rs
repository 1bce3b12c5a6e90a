//! A host process of its own: this test program runs itself again as that host.

use super::*;

const SCENARIO: &str = "MEMOOM_TEST_SCENARIO";

fn host(scenario: &str, shell_prefix: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    let exe = std::env::current_exe().unwrap();
    let script = format!("{shell_prefix} exec \"$0\" --ignored --exact --nocapture \"$1\"");
    command.arg("-c").arg(script).arg(exe).arg("helper::supervisor::tests::host::as_host").env(SCENARIO, scenario);
    command
}

#[test]
#[ignore = "run by other tests, as a host of its own"]
#[allow(clippy::zombie_processes)] // it outlives this host on purpose
fn as_host() {
    match std::env::var(SCENARIO).as_deref() {
        Ok("blocked") => {
            let group = Group::v1().unwrap();
            let supervisor = supervisor();
            group.guard(&supervisor);
            let hog = blocked_hog(&supervisor, &group);
            println!("\nHERE {} {} {}", group.path().display(), supervisor.pid(), hog.pid);
            // A forked child that outlives the host keeps the socket open; the host's pidfd must do.
            nix::fcntl::fcntl(&supervisor.socket, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
            let held = Command::new("/bin/sleep").arg("5").stdout(Stdio::null()).spawn().unwrap();
            assert!(held.id() > 0);
            loop {
                std::thread::park();
            }
        }
        Ok("complete") => {
            // With standard input, output and error closed, and SIGCHLD ignored.
            for number in 0..3 {
                let _ = nix::unistd::close(number);
            }
            let Some(group) = Group::any() else { return };
            let supervisor = supervisor();
            group.guard(&supervisor);
            assert!(supervisor.socket.as_raw_fd() > 2 && supervisor.pidfd.as_raw_fd() > 2);
            let hog = hog(&supervisor, &group).unwrap();
            assert!(matches!(step(&hog, MIB), Message::Grew { .. }));
            let (started, output) = shell(&supervisor, &group, "echo out; read line; exit 9");
            assert_eq!(text(output), "out\n");
            assert_eq!(exit_of(&supervisor, &started).code(), Some(9));
            supervisor.end(soon()).unwrap();
            assert!(!group.path().exists());
        }
        _ => {}
    }
}

#[test]
fn closed_standard_files_and_an_ignored_sigchld_change_nothing() {
    for prefix in ["", "trap '' CHLD;"] {
        let status = host("complete", prefix).stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{prefix:?}: {status}");
    }
}

#[test]
fn a_host_killed_while_its_hog_is_blocked_leaves_nothing() {
    if Group::v1().is_none() {
        return;
    }
    let mut child = host("blocked", "").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map_while(|line| line.ok()).find(|line| line.starts_with("HERE ")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let pidfds: Vec<OwnedFd> = words[2..].iter().map(|pid| sys::pidfd_open(pid.parse().unwrap()).unwrap()).collect();
    let start = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    for pidfd in &pidfds {
        assert!(ended(pidfd.as_fd(), Duration::from_secs(2).saturating_sub(start.elapsed())));
    }
    println!("nothing left {:?} after the kill", start.elapsed());
    assert!(!Path::new(words[1]).exists());
}

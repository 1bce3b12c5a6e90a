//! What is handed on: the supervisor keeps nothing of its caller's that it does not need, and nobody else has its socket.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;

use memoom::{HogOptions, Limits};

use super::common::{lab, LONG};

/// The open descriptors of a process, by what they lead to.
fn open_in(pid: impl std::fmt::Display) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    files.filter_map(|file| Some(fs::read_link(file.path()).ok()?.to_string_lossy().into_owned())).collect()
}

pub fn the_supervisor_keeps_what_it_needs() {
    std::env::set_var("MEMOOM_SECRET", "not for the supervisor");
    // A descriptor without close-on-exec, as programs have them.
    let (leak, _other) = nix::unistd::pipe().unwrap();
    let leaked = fs::read_link(format!("/proc/self/fd/{}", leak.as_raw_fd())).unwrap();
    let Some(lab) = lab() else { return };
    std::env::remove_var("MEMOOM_SECRET");
    let group = lab.group(Some("heirs"), &Limits::bytes(32 << 20)).unwrap();
    let hog = group.hog(&HogOptions::named("heir")).unwrap();
    let pid = lab.supervisor_pid();
    let of = |file: &str| PathBuf::from(format!("/proc/{pid}/{file}"));
    // What it is, and the place of this lab, the only one here.
    assert_eq!(fs::read(of("environ")).unwrap(), b"MEMOOM=supervisor\0PLACE=0\0");
    assert_eq!(fs::read_link(of("cwd")).unwrap(), PathBuf::from("/"));
    let status = fs::read_to_string(of("status")).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_string();
    assert_eq!((field("SigIgn:").as_str(), field("SigCgt:").as_str()), ("0000000000000000", "0000000000000000"));
    // No signal but those that cannot be blocked reaches it: SIGKILL and SIGSTOP.
    assert_eq!(field("SigBlk:"), "fffffffffffbfeff");
    let open = open_in(pid);
    assert!(!open.contains(&leaked.to_string_lossy().into_owned()), "{open:?}");
    let needed = |file: &str| {
        let groups = file.starts_with("/sys/fs/cgroup") || file.ends_with("/instances");
        let own = ["/dev/null", "anon_inode:[signalfd]", "anon_inode:[pidfd]"].contains(&file);
        own || groups || file.starts_with("socket:") || file.starts_with("pidfd:") || file.contains("memfd:")
    };
    assert!(open.iter().all(|file| needed(file)) && open.len() <= 12, "{open:?}");
    // Its program cannot be changed, by whoever may open it.
    let image = fs::read_dir(of("fd"))
        .unwrap()
        .flatten()
        .map(|file| file.path())
        .find(|path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("memfd:")));
    if let Some(image) = image {
        let written = fs::OpenOptions::new().write(true).open(image).and_then(|mut file| file.write_all(b"other"));
        assert!(written.is_err());
    }
    // A worker of ours has its two bells and a page, and nothing to speak to the supervisor with.
    let open = open_in(hog.pid());
    assert!(open.iter().all(|file| !file.starts_with("socket:")), "{open:?}");
    lab.close().unwrap();
}

pub fn nobody_inherits_the_socket() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("heirs"), &Limits::bytes(32 << 20)).unwrap();
    let before = open_in("self");
    // A program that the host starts, without any care about descriptors.
    let child = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    let worker =
        memoom::Command::new(["sh", "-c", "for at in /proc/self/fd/*; do readlink $at; done | grep -c socket:"]);
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    let sockets: Vec<&String> = before.iter().filter(|file| file.starts_with("socket:")).collect();
    assert!(!sockets.is_empty() && sockets.iter().all(|socket| !said.contains(socket.as_str())), "{said}");
    // grep finds none, and says so by its status.
    assert_eq!(group.command(&worker).unwrap().wait(LONG).unwrap().returncode, 1);
    lab.close().unwrap();
}

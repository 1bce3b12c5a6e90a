//! How somebody without rights gets a group, by whoever hands them out on that machine.

use nix::unistd::geteuid;

use super::*;

/// A v2 machine whose top gives nothing, as its file cannot be read, so that a place is to be asked for.
fn bare() -> Machine {
    let machine = Machine::new().v2("cpu pids memory", "cpu pids");
    machine.without("sys/fs/cgroup/cgroup.subtree_control").dir("sys/fs/cgroup/cgroup.subtree_control");
    machine
}

/// What the user is told to do, and what to type next.
fn told(machine: &Machine) -> (String, String) {
    let host = machine.probe();
    assert_eq!(host.parent, None);
    (ability(&host, "create-groups").remedy.clone(), host.next_command())
}

#[test]
fn who_hands_out_groups_is_told_by_what_is_there() {
    let own = format!("run/user/{}", geteuid());
    let (nobody, _) = told(&bare());
    assert!(!nobody.contains("systemd"), "{nobody}");
    for part in ["have root give you a group: mkdir -p ", "/main && chown -R ", "/main/cgroup.procs"] {
        assert!(nobody.contains(part), "{nobody}");
    }
    let machine = bare();
    machine.dir("run/systemd/system");
    let (remedy, _) = told(&machine);
    assert!(remedy.ends_with(&format!("loginctl enable-linger {}", geteuid())), "{remedy}");
    for socket in ["bus", "systemd/private"] {
        let machine = bare();
        machine.dir("run/systemd/system").file(&format!("{own}/{socket}"), "");
        let (remedy, next) = told(&machine);
        assert!(remedy.contains("systemd-run --user --scope -p Delegate=yes"), "{socket}: {remedy}");
        assert_eq!(next, "memoom run --limit 64M -- COMMAND", "{socket}");
    }
}

#[test]
fn a_systemd_gives_nobody_a_group_of_v1() {
    for manager in [Manager::Users, Manager::Machines, Manager::Nobody] {
        let remedy = place::delegation(Path::new("/sys/fs/cgroup/memory"), Version::V1, manager);
        assert!(remedy.contains("have root give you a group: mkdir /sys/fs/cgroup/memory/user"), "{remedy}");
        assert!(!remedy.contains("systemd"), "{remedy}");
    }
}

#[test]
fn whatever_is_missing_has_its_remedy_in_one_place() {
    for host in [Host::probe().unwrap(), bare().probe(), Machine::new().probe()] {
        for ability in &host.abilities {
            assert!(!ability.reason.contains("remedy"), "{ability:?}");
            assert_eq!(ability.available, ability.remedy.is_empty(), "{ability:?}");
            let text = host.to_text();
            assert!(ability.remedy.is_empty() || text.matches(&ability.remedy).count() == 1, "{text}");
        }
    }
    let denied = crate::error::Error::os("open the kernel log", std::io::Error::from_raw_os_error(libc::EPERM))
        .path("/dev/kmsg")
        .remedy("be allowed to");
    assert_eq!((denied.why().as_str(), denied.help()), ("EPERM: Operation not permitted", Some("be allowed to")));
}

#[test]
fn without_sudo_su_is_named() {
    // As root the command is another; the tree stands for both.
    if geteuid().is_root() {
        return;
    }
    assert!(told(&bare()).1.starts_with("su -c 'memoom run"));
    let machine = bare();
    machine.file("usr/bin/sudo", "");
    assert!(told(&machine).1.starts_with("sudo memoom run"));
}

//! Hosts that this machine is not: trees of files that stand for them, looked at by [`Host::probe_at`].
//!
//! The tests may run as root, whom permission bits do not stop: what is not allowed is a read-only mount or a file
//! that is not there.

mod delegation;
mod machine;
mod nested;

use std::fs;
use std::path::Path;

use self::machine::Machine;
use super::place::{self, Manager};
use super::{Ability, Hierarchy, Host};
use crate::error::ErrorKind;
use crate::memcg::version::Version;

#[track_caller]
fn ability<'a>(host: &'a Host, name: &str) -> &'a Ability {
    host.abilities.iter().find(|ability| ability.name == name).unwrap_or_else(|| panic!("no ability {name}"))
}

/// The ability is missing, and reason and remedy hold these words.
#[track_caller]
fn lacks(host: &Host, name: &str, reason: &str, remedy: &str) {
    let found = ability(host, name);
    assert!(!found.available && !host.can(name), "{found:?}");
    assert!(found.reason.contains(reason), "{reason} is not in {found:?}");
    assert!(found.remedy.contains(remedy), "{remedy} is not in {found:?}");
}

#[track_caller]
fn stands(host: &Host, hierarchy: Hierarchy, version: Option<Version>, mount: Option<&Path>) {
    assert_eq!((host.hierarchy, host.version, host.mount.as_deref()), (hierarchy, version, mount));
}

#[test]
fn pure_v2_with_systemd() {
    let machine = Machine::new().v2("cpuset cpu io memory hugetlb pids", "cpu memory pids");
    let host = machine.probe();
    let top = machine.at("sys/fs/cgroup");
    stands(&host, Hierarchy::V2, Some(Version::V2), Some(&top));
    assert_eq!(host.parent.as_deref(), Some(top.as_path()));
    assert_eq!(host.own_group.as_deref(), Some("/user.slice/session-1.scope"));
    assert_eq!(host.release, "6.1.0-test");
    assert_eq!((host.available_bytes, host.swap_total_bytes), (2 << 20, 0));
    host.require_lab().unwrap();
    for name in ["memory-controller", "create-groups", "swap-accounting", "oom-group", "kernel-log", "tracefs"] {
        assert!(host.can(name), "{:?}", ability(&host, name));
        assert!(ability(&host, name).remedy.is_empty());
    }
    lacks(&host, "oom-killer-switch", "cgroup v2 has no switch", "v1");
}

#[test]
fn v2_whose_top_does_not_give_the_controller_yet() {
    // As a kernel boots without systemd: the top may hold processes and give controllers all the same.
    let machine = Machine::new().v2("cpuset cpu io memory", "");
    let host = machine.probe();
    assert_eq!(host.parent, Some(machine.at("sys/fs/cgroup")));
    host.require_lab().unwrap();
}

/// The v2 top of a machine, or of a container, that this process may not use: as processes stand in it, or as it does
/// not have the controller to give.
fn delegated(own: &str) -> Machine {
    let machine = Machine::new().v2("cpu memory pids", "cpu pids").group(".", "1\n2\n", true);
    machine.file("proc/self/cgroup", &format!("0::{own}\n"));
    machine
}

#[test]
fn v2_inside_a_delegated_group() {
    let machine = delegated("/user.slice/run-1.scope").group("user.slice", "", true).group(
        "user.slice/run-1.scope",
        "77\n78\n",
        true,
    );
    // A delegated slice above is free, but processes stand in the scope; the own group is asked first.
    assert_eq!(machine.probe().parent, Some(machine.at("sys/fs/cgroup/user.slice")));
    // Where that is not to be had either, the remedy is not to do again what was done: delegation is there.
    let machine = delegated("/run-1.scope").group("run-1.scope", "77\n78\n", true);
    let host = machine.probe();
    assert_eq!(host.parent, None);
    assert!(!host.next_command().starts_with("memoom run"), "{}", host.next_command());
    // A user's systemd gives a scope, which the command asks for.
    machine.file(&format!("run/user/{}/bus", nix::unistd::geteuid()), "");
    assert_eq!(machine.probe().next_command(), "memoom run --limit 64M -- COMMAND");
    let scope = machine.at("sys/fs/cgroup");
    lacks(&host, "create-groups", "run-1.scope: processes stand in it (pids 77, 78)", "into a leaf first: mkdir ");
    lacks(&host, "create-groups", "", &format!("echo PID > {}/main/cgroup.procs", scope.display()));
    assert_eq!(host.require_lab().unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn v2_from_a_leaf_of_a_delegated_group() {
    let machine = delegated("/run-1.scope/main").group("run-1.scope", "", true).group("run-1.scope/main", "77\n", true);
    assert_eq!(machine.probe().parent, Some(machine.at("sys/fs/cgroup/run-1.scope")));
    // Its own group is usable where nobody stands in it (an outer process made it for us).
    let machine = delegated("/run-1.scope").group("run-1.scope", "", true);
    assert_eq!(machine.probe().parent, Some(machine.at("sys/fs/cgroup/run-1.scope")));
}

#[test]
fn an_own_group_outside_the_cgroup_namespace_is_no_place() {
    let machine = delegated("/../other");
    machine.dir("sys/fs/other").file("sys/fs/other/cgroup.controllers", "memory\n");
    machine.file("sys/fs/other/cgroup.subtree_control", "memory\n");
    assert_eq!(machine.probe().parent, None);
}

/// A name as a lab has it.
const LAB: &str = "memoom-1f-2-00000000-4-00000005";

#[test]
fn pure_v1() {
    let machine = Machine::new().v1_memory();
    let host = machine.probe();
    let top = machine.at("sys/fs/cgroup/memory");
    stands(&host, Hierarchy::V1, Some(Version::V1), Some(&top));
    assert_eq!(host.parent, Some(top));
    assert_eq!(host.own_group.as_deref(), Some("/user/1"));
    assert!(host.can("oom-killer-switch") && host.can("swap-accounting"));
    lacks(&host, "oom-group", "v1 has no memory.oom.group", "v2");
    host.require_lab().unwrap();
}

#[test]
fn a_mount_point_with_commands_to_a_terminal() {
    // Octal, as mountinfo writes what would end a field; the others as they are.
    let machine = Machine::new().mounted("/", "/sys/a\\040\x1b[2J\\012b", "rw", "cgroup", "rw,memory");
    machine
        .file("sys/a \x1b[2J\nb/memory.limit_in_bytes", "9223372036854771712\n")
        .file("proc/self/cgroup", "4:memory:/\n");
    let host = machine.probe();
    let text = host.to_text();
    assert!(text.contains(r"/sys/a \x1b[2J\x0ab"), "{text}");
    for text in [text, host.to_json(), format!("{:?}", host.abilities)] {
        assert!(!text.contains('\x1b') && !text.contains("J\nb"), "{text}");
    }
}

#[test]
fn a_group_of_its_own_that_is_nearly_full() {
    let group = "sys/fs/cgroup/memory/user/1";
    let machine = Machine::new().v1_memory();
    assert!(machine.probe().can("own-room"));
    machine
        .file(&format!("{group}/memory.limit_in_bytes"), "67108864\n")
        .file(&format!("{group}/memory.usage_in_bytes"), "66060288\n")
        .file(&format!("{group}/memory.stat"), "cache 1\ntotal_inactive_file 4096\ntotal_active_file 4096\n");
    let host = machine.probe();
    lacks(
        &host,
        "own-room",
        "/user/1, in which this process stands, holds 63.0M of its limit of 64M",
        "raise that limit",
    );
    assert_eq!(host.require_lab().unwrap_err().kind(), ErrorKind::OutOfMemory);
    // Page cache is dropped when memory is needed.
    machine.file(&format!("{group}/memory.stat"), "total_inactive_file 33554432\ntotal_active_file 4096\n");
    machine.probe().require_lab().unwrap();
    // The limit of a group above counts as well.
    machine
        .file(&format!("{group}/memory.limit_in_bytes"), "9223372036854771712\n")
        .file("sys/fs/cgroup/memory/user/memory.limit_in_bytes", "1048576\n")
        .file("sys/fs/cgroup/memory/user/memory.usage_in_bytes", "1048576\n");
    lacks(
        &machine.probe(),
        "own-room",
        "/user, in which this process stands, holds 1M of its limit of 1M",
        "another group",
    );
    // What cannot be read is not full.
    machine.dir("sys/fs/cgroup/memory/user/memory.stat");
    assert!(ability(&machine.probe(), "own-room").reason.starts_with("unknown: "));
}

#[test]
fn hybrid_with_memory_on_v1() {
    let machine = Machine::new().v1_memory().mounted("/", "/sys/fs/cgroup/unified", "rw", "cgroup2", "rw");
    machine
        .file("sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n")
        .file("proc/self/cgroup", "4:memory:/user/1\n1:name=systemd:/a\n0::/b\n");
    let host = machine.probe();
    stands(&host, Hierarchy::Hybrid, Some(Version::V1), Some(&machine.at("sys/fs/cgroup/memory")));
    assert_eq!(host.own_group.as_deref(), Some("/user/1"));
}

#[test]
fn hybrid_with_memory_on_v2() {
    let machine = Machine::new().v2("cpu io memory", "memory").mounted(
        "/",
        "/sys/fs/cgroup/net_cls,net_prio",
        "rw",
        "cgroup",
        "rw,net_cls,net_prio",
    );
    machine.file("proc/self/cgroup", "3:net_cls,net_prio:/c\n0::/b\n");
    let host = machine.probe();
    stands(&host, Hierarchy::Hybrid, Some(Version::V2), Some(&machine.at("sys/fs/cgroup")));
    assert_eq!(host.own_group.as_deref(), Some("/b"));
}

#[test]
fn no_cgroup_is_mounted() {
    let host = Machine::new().probe();
    stands(&host, Hierarchy::None, None, None);
    assert_eq!((host.parent.as_deref(), host.own_group.as_deref()), (None, None));
    lacks(&host, "memory-controller", "no cgroup file system is mounted", "mount cgroup2");
    let error = host.require_lab().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("remedy: mount cgroup2"), "{error}");
}

#[test]
fn the_controller_is_nowhere() {
    // A v1 set-up on a kernel without the v1 memory controller, and v2 without it too (cgroup_disable=memory).
    let machine =
        Machine::new().v2("cpuset cpu io", "cpu").mounted("/", "/sys/fs/cgroup/pids", "rw", "cgroup", "rw,pids");
    let host = machine.probe();
    stands(&host, Hierarchy::Hybrid, None, None);
    lacks(&host, "memory-controller", "no mounted hierarchy has the memory controller", "cgroup_disable=memory");
    assert_eq!(host.require_lab().unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(host.can("kernel-log"), "the evidence is looked at all the same");
}

#[test]
fn a_container_with_a_read_only_cgroup_mount() {
    for (options, super_options) in [("ro,nosuid", "rw"), ("rw,nosuid", "ro")] {
        let machine = Machine::new().mounted("/docker/abc", "/sys/fs/cgroup", options, "cgroup2", super_options);
        machine.file("proc/self/cgroup", "0::/docker/abc\n");
        let machine = machine.group(".", "1\n", true);
        let host = machine.probe();
        stands(&host, Hierarchy::V2, Some(Version::V2), Some(&machine.at("sys/fs/cgroup")));
        assert_eq!(host.parent, None);
        lacks(&host, "create-groups", "mounted read-only", "docker run --privileged");
        lacks(&host, "create-groups", "", "podman run --security-opt unmask=/sys/fs/cgroup");
        let error = host.require_lab().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("writable-cgroups=true"), "{error}");
        let next = format!("\nNext: memoom watch {}\n", machine.at("sys/fs/cgroup").display());
        assert!(host.to_text().ends_with(&next), "{}", host.to_text());
    }
}

#[test]
fn a_container_that_sees_only_its_own_part_of_a_v1_hierarchy() {
    let machine = Machine::new().mounted("/docker/abc", "/sys/fs/cgroup/memory", "rw", "cgroup", "rw,memory");
    machine
        .file("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n")
        .file("proc/self/cgroup", "4:memory:/docker/abc/inner\n");
    let host = machine.probe();
    let top = machine.at("sys/fs/cgroup/memory");
    assert_eq!(host.parent.as_deref(), Some(top.as_path()));
    // The kernel names groups from the real top, so accounts must too.
    assert_eq!(host.cgroup_of(&top).as_deref(), Some("/docker/abc"));
    assert_eq!(host.cgroup_of(&top.join("lab/a")).as_deref(), Some("/docker/abc/lab/a"));
    assert_eq!(host.cgroup_of(&machine.at("elsewhere")), None);
}

#[test]
fn paths_with_blanks_and_backslashes() {
    let machine = Machine::new().mounted("/", "/mnt/my\\040cgroups\\134x", "rw", "cgroup", "rw,memory");
    machine
        .file("mnt/my cgroups\\x/memory.limit_in_bytes", "9223372036854771712\n")
        .file("proc/self/cgroup", "4:memory:/a:b c\n");
    let host = machine.probe();
    let top = machine.at("mnt/my cgroups\\x");
    stands(&host, Hierarchy::V1, Some(Version::V1), Some(&top));
    assert_eq!(host.parent, Some(top));
    assert_eq!(host.own_group.as_deref(), Some("/a:b c"));
}

#[test]
fn a_later_mount_hides_an_earlier_one() {
    let machine = Machine::new().v1_memory().mounted("/", "/sys/fs/cgroup/memory", "rw", "tmpfs", "rw");
    let host = machine.probe();
    assert_eq!((host.hierarchy, host.version), (Hierarchy::V1, None));
}

#[test]
fn one_mount_point_that_is_not_utf8_hides_nothing() {
    let mut machine = Machine::new();
    machine.mountinfo.extend(b"19 1 0:19 / /media/caf\xe9 rw - vfat /dev/sdb1 rw\n");
    let machine = machine.v2("cpu memory", "memory");
    machine.file("proc/self/cgroup", "0::/\n");
    fs::write(machine.at("proc/self/cgroup"), b"0::/caf\xe9\n").unwrap();
    let host = machine.probe();
    stands(&host, Hierarchy::V2, Some(Version::V2), Some(&machine.at("sys/fs/cgroup")));
    assert_eq!(host.own_group.as_deref(), Some("/caf\\xe9"));
}

#[test]
fn swap_that_is_not_accounted() {
    let swap = "MemAvailable: 2048 kB\nSwapTotal: 1024 kB\n";
    let v1 = Machine::new().v1_memory();
    v1.file("proc/meminfo", swap).without("sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
    let v2 = Machine::new().v2("cpu memory", "memory");
    v2.file("proc/meminfo", swap).without("sys/fs/cgroup/user.slice/memory.swap.max");
    for machine in [v1, v2] {
        let host = machine.probe();
        assert_eq!(host.swap_total_bytes, 1 << 20);
        lacks(&host, "swap-accounting", "swap is on and the kernel does not account it", "swapaccount=1");
        host.require_lab().unwrap();
        // Without swap nothing is missing.
        machine.file("proc/meminfo", "SwapTotal: 0 kB\n");
        assert!(machine.probe().can("swap-accounting"));
    }
    // A top without a group that has the controller does not show it: that is no "no".
    let machine = Machine::new().v2("cpu memory", "");
    let found = machine.file("proc/meminfo", swap).probe();
    assert!(ability(&found, "swap-accounting").reason.contains("when the first group is made"));
}

#[test]
fn a_kernel_log_that_cannot_be_read() {
    let machine = Machine::new().v1_memory();
    machine.without("dev/kmsg");
    let host = machine.probe();
    lacks(&host, "kernel-log", "/dev/kmsg cannot be read", "CAP_SYSLOG");
    host.require_lab().unwrap();
}

#[test]
fn no_tracefs_no_stacks_no_capability() {
    let machine = Machine::new().v1_memory();
    fs::remove_dir(machine.at("sys/kernel/tracing/instances")).unwrap();
    // CAP_SYS_RESOURCE is bit 24.
    machine.without("proc/self/stack").file("proc/self/status", "CapEff:\t000001fffeffffff\n");
    let host = machine.probe();
    lacks(&host, "tracefs", "ENOENT", "CONFIG_FTRACE");
    lacks(&host, "task-stack", "/proc/PID/stack cannot be read", "CAP_SYS_ADMIN");
    lacks(&host, "lower-oom-score-adj", "not lowered", "CAP_SYS_RESOURCE");
    host.require_lab().unwrap();
}

#[test]
fn a_machine_without_proc_is_an_error_with_the_path() {
    let tree = tempfile::tempdir().unwrap();
    let error = Host::probe_at(tree.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("proc/self/mountinfo") && error.to_string().contains("mount /proc"), "{error}");
}

//! A process that stands in a lab: its own labs stay below the limits there.

use super::*;

/// A v2 machine, of which we stand in that group of a lab.
fn nested_v2(own: &str) -> Machine {
    let machine = Machine::new().v2("cpu memory pids", "cpu memory pids");
    machine.file("proc/self/cgroup", &format!("0::/{LAB}/{own}\n"));
    let machine = machine.group(LAB, "", true).group(&format!("{LAB}/run"), "", true);
    machine.file(&format!("sys/fs/cgroup/{LAB}/cgroup.subtree_control"), "memory\n");
    machine
}

#[test]
fn v2_below_a_limit_of_a_lab() {
    let run = format!("sys/fs/cgroup/{LAB}/run");
    let machine = nested_v2("run");
    machine.file(&format!("{run}/cgroup.procs"), "7\n8\n");
    for limit in ["memory.max", "memory.high"] {
        machine.file(&format!("{run}/{limit}"), "33554432\n");
        let host = machine.probe();
        assert_eq!(host.parent, None, "{limit}");
        lacks(&host, "create-groups", "stands in a lab, whose limits hold", "outside of those limits");
        lacks(&host, "create-groups", "(pids 7, 8)", "/run/main && echo PID > ");
        machine.file(&format!("{run}/{limit}"), "max\n");
    }
    // Nothing holds there: beside it in the same lab, which has no processes.
    assert_eq!(machine.probe().parent, Some(machine.at(&format!("sys/fs/cgroup/{LAB}"))));
    // What cannot be read is no proof that there is no limit.
    machine.without(&format!("{run}/memory.max")).dir(&format!("{run}/memory.max"));
    assert_eq!(machine.probe().parent, None);
}

#[test]
fn v2_from_a_leaf_below_a_limit_of_a_lab() {
    let run = format!("{LAB}/run");
    let machine = nested_v2("run/main").group(&format!("{run}/main"), "7\n", false);
    machine.file(&format!("sys/fs/cgroup/{run}/memory.max"), "33554432\n");
    let host = machine.probe();
    assert_eq!(host.parent, Some(machine.at(&format!("sys/fs/cgroup/{run}"))));
    assert!(ability(&host, "create-groups").reason.ends_with("within the lab in which this process stands"));
}

#[test]
fn v1_inside_labs() {
    let memory = "sys/fs/cgroup/memory";
    let own = format!("{LAB}/run/memoom-20-2-00000000-4-00000006/run");
    let machine = Machine::new().v1_memory();
    machine.file("proc/self/cgroup", &format!("4:memory:/{own}\n"));
    machine.file(&format!("{memory}/{own}/memory.limit_in_bytes"), "33554432\n");
    assert_eq!(machine.probe().parent, Some(machine.at(&format!("{memory}/{own}"))));
}

#[test]
fn a_lab_that_the_mount_does_not_show() {
    let machine = Machine::new().mounted("/other", "/sys/fs/cgroup/memory", "rw", "cgroup", "rw,memory");
    machine
        .file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        .file("proc/self/cgroup", &format!("4:memory:/{LAB}/run\n"));
    let host = machine.probe();
    assert_eq!(host.parent, None);
    lacks(&host, "create-groups", "its group is not seen through this mount", "outside of those limits");
    // A container in a lab's group sees that group as its top.
    let machine = Machine::new().mounted(&format!("/{LAB}/run"), "/sys/fs/cgroup/memory", "rw", "cgroup", "rw,memory");
    machine
        .file("sys/fs/cgroup/memory/memory.limit_in_bytes", "33554432\n")
        .file("proc/self/cgroup", &format!("4:memory:/{LAB}/run\n"));
    assert_eq!(machine.probe().parent, Some(machine.at("sys/fs/cgroup/memory")));
}

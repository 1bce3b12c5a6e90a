//! A tree of files that stands for a machine.

use super::Host;
use std::fs;
use std::path::PathBuf;

/// A machine made of files.
pub(super) struct Machine {
    tree: tempfile::TempDir,
    pub(super) mountinfo: Vec<u8>,
}

impl Machine {
    /// A machine with a root file system, a kernel log, tracefs and no swap; no cgroup is mounted.
    pub(super) fn new() -> Machine {
        let machine = Machine { tree: tempfile::tempdir().unwrap(), mountinfo: Vec::new() };
        machine
            .file("proc/sys/kernel/osrelease", "6.1.0-test\n")
            .file("proc/meminfo", "MemTotal: 4096 kB\nMemAvailable:    2048 kB\nSwapTotal:       0 kB\n")
            .file("proc/self/status", "Name:\ttest\nCapEff:\t000001ffffffffff\n")
            .file("proc/self/stack", "")
            .file("proc/self/cgroup", "")
            .file("dev/kmsg", "")
            .dir("sys/kernel/tracing/instances");
        machine.mounted("/", "/", "rw", "ext4", "rw").mounted("/", "/proc", "rw", "proc", "rw")
    }

    pub(super) fn file(&self, path: &str, content: &str) -> &Machine {
        let path = self.tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(super) fn dir(&self, path: &str) -> &Machine {
        fs::create_dir_all(self.tree.path().join(path)).unwrap();
        self
    }

    pub(super) fn without(&self, path: &str) -> &Machine {
        fs::remove_file(self.tree.path().join(path)).unwrap();
        self
    }

    pub(super) fn mounted(
        mut self,
        root: &str,
        point: &str,
        options: &str,
        kind: &str,
        super_options: &str,
    ) -> Machine {
        let number = 20 + self.mountinfo.len();
        let line =
            format!("{number} 1 0:{number} {root} {point} {options},relatime shared:1 - {kind} none {super_options}\n");
        self.mountinfo.extend(line.into_bytes());
        self
    }

    /// A v2 hierarchy as systemd leaves it, with the controllers its top has and those it gives to its children.
    pub(super) fn v2(self, controllers: &str, given: &str) -> Machine {
        let machine = self.mounted("/", "/sys/fs/cgroup", "rw", "cgroup2", "rw,nsdelegate,memory_recursiveprot");
        machine
            .file("sys/fs/cgroup/cgroup.controllers", &format!("{controllers}\n"))
            .file("sys/fs/cgroup/cgroup.subtree_control", &format!("{given}\n"))
            .file("sys/fs/cgroup/cgroup.procs", "1\n2\n")
            .file("proc/self/cgroup", "0::/user.slice/session-1.scope\n");
        machine.group("user.slice", "", given.contains("memory"))
    }

    /// A group of the v2 hierarchy; `has_memory` where its parent gives it the memory controller.
    pub(super) fn group(self, path: &str, processes: &str, has_memory: bool) -> Machine {
        let at = |file: &str| format!("sys/fs/cgroup/{path}/{file}");
        self.file(&at("cgroup.type"), "domain\n")
            .file(&at("cgroup.controllers"), if has_memory { "cpu memory pids\n" } else { "cpu pids\n" })
            .file(&at("cgroup.subtree_control"), "\n")
            .file(&at("cgroup.procs"), processes);
        if has_memory {
            self.file(&at("memory.max"), "max\n").file(&at("memory.swap.max"), "max\n");
        }
        self
    }

    /// The memory controller on v1, where it is mounted by that name.
    pub(super) fn v1_memory(self) -> Machine {
        let machine = self
            .mounted("/", "/sys/fs/cgroup", "rw", "tmpfs", "rw,mode=755")
            .mounted("/", "/sys/fs/cgroup/cpu,cpuacct", "rw", "cgroup", "rw,cpu,cpuacct")
            .mounted("/", "/sys/fs/cgroup/memory", "rw", "cgroup", "rw,memory");
        machine
            .file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
            .file("sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "9223372036854771712\n")
            .file("proc/self/cgroup", "4:memory:/user/1\n2:cpu,cpuacct:/\n1:name=systemd:/user/1\n");
        machine
    }

    pub(super) fn probe(&self) -> Host {
        let path = self.tree.path().join("proc/self/mountinfo");
        fs::write(path, &self.mountinfo).unwrap();
        Host::probe_at(self.tree.path()).unwrap()
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.tree.path().join(path)
    }
}

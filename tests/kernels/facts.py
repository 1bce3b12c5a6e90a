"""What a guest's kernel offers, as one JSON document; run as `run.py --suite facts`."""

import ctypes
import errno
import json
import os
import signal
import struct
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
ASKED = (
    "memory.oom_control",
    "memory.events.local",
    "cgroup.kill",
    "memory.peak",
    "memory.reclaim",
    "memory.memsw.limit_in_bytes",
    "memory.swap.max",
    "memory.oom.group",
    "memory.force_empty",
    "cgroup.event_control",
)
# The same numbers on every architecture, as all of these are newer than 423.
CALLS = {"pidfd_open": 434, "openat2": 437, "close_range": 436, "fsopen": 430}
CALLS |= {"pidfd_send_signal": 424, "process_mrelease": 448, "memfd_secret": 447}
CLONE3, CLONE_PIDFD, CLONE_INTO_CGROUP = 435, 0x1000, 0x200000000
MADV_POPULATE_WRITE = 23

libc = ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments) -> tuple[int, str]:
    """The result, and the name of the error when there was one."""
    ctypes.set_errno(0)
    result = libc.syscall(number, *[ctypes.c_long(item) if isinstance(item, int) else item for item in arguments])
    return result, "" if result != -1 else errno.errorcode.get(ctypes.get_errno(), "?")


def has_call(number: int) -> bool:
    """Senseless arguments: every error but ENOSYS means that the call exists."""
    result, error = syscall(number, -1, -1, -1, -1, -1)
    return result != -1 or error != "ENOSYS"


def text(path: Path | str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError as error:
        return errno.errorcode.get(error.errno, "?")


def clone_into(group: Path) -> str:
    """CLONE_INTO_CGROUP: the child says in which group it started."""
    folder = os.open(group, os.O_DIRECTORY | os.O_RDONLY)
    reader, writer = os.pipe()
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
    block = struct.pack("11Q", CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, folder)
    pid, error = syscall(CLONE3, ctypes.c_char_p(block), len(block))
    if pid == 0:
        os.write(writer, text("/proc/self/cgroup").encode())
        os._exit(0)
    os.close(writer)
    if pid == -1:
        return error
    seen = os.read(reader, 4096).decode()
    os.waitpid(pid, 0)
    return "works" if group.name in seen else f"started elsewhere: {seen!r}"


def populate_write() -> str:
    size = 1 << 20
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 5]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    area = libc.mmap(None, size, 3, 0x22, 2**64 - 1, 0)
    return "works" if libc.madvise(area, size, MADV_POPULATE_WRITE) == 0 else errno.errorcode[ctypes.get_errno()]


def own_stack() -> str:
    """The stack of a child that sleeps in pause()."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    while text(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] != "S":
        os.sched_yield()
    seen = {"stack": text(f"/proc/{pid}/stack").splitlines()[:3], "wchan": text(f"/proc/{pid}/wchan")}
    os.close(writer)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return seen


def mounts(*kinds: str) -> list[str]:
    lines = [line.split() for line in text("/proc/self/mounts").splitlines()]
    return [f"{line[2]} {line[1]} {line[3]}" for line in lines if line[2] in kinds]


def group_facts() -> dict:
    unified = os.environ.get("MEMOOM_HIERARCHY") == "v2"
    root = CGROUP if unified else CGROUP / "memory"
    facts = {"controllers": text(CGROUP / "cgroup.controllers"), "subtree_at_boot": None}
    if unified:
        facts["subtree_at_boot"] = text(root / "cgroup.subtree_control")
        (root / "cgroup.subtree_control").write_text("+memory")
    group = root / "memoom-facts"
    group.mkdir()
    try:
        facts["files"] = sorted(path.name for path in group.iterdir())
        facts["asked"] = {name: (group / name).exists() for name in ASKED}
        facts["oom_control"] = text(group / "memory.oom_control")
        facts["events"] = text(group / "memory.events")
        facts["clone_into_cgroup"] = clone_into(group) if unified else None
    finally:
        group.rmdir()
        if unified and "memory" not in facts["subtree_at_boot"]:
            (root / "cgroup.subtree_control").write_text("-memory")
    return facts


def main() -> None:
    status = {line.split(":")[0]: line.split()[-1] for line in text("/proc/self/status").splitlines()}
    tracing = Path("/sys/kernel/tracing")
    facts = {
        "release": os.uname().release,
        "hierarchy": os.environ.get("MEMOOM_HIERARCHY"),
        "mounts": mounts("cgroup", "cgroup2", "tracefs", "debugfs"),
        "effective_capabilities": status.get("CapEff"),
        "group": group_facts(),
        "calls": {name: has_call(number) for name, number in CALLS.items()},
        "madv_populate_write": populate_write(),
        "task": own_stack(),
        "mark_victim": text(tracing / "events/oom/mark_victim/format").splitlines(),
        "oom_events": sorted(path.name for path in (tracing / "events/oom").iterdir() if path.is_dir()),
        "stacktrace_trigger": "stacktrace" in text(tracing / "events/oom/mark_victim/trigger"),
        "sysctl": {
            name: text(f"/proc/sys/{name}")
            for name in (
                "vm/memfd_noexec",
                "vm/panic_on_oom",
                "vm/oom_kill_allocating_task",
                "kernel/dmesg_restrict",
                "kernel/yama/ptrace_scope",
                "kernel/printk",
            )
        },
        "swap": text("/proc/swaps").splitlines()[1:],
        "thp": text("/sys/kernel/mm/transparent_hugepage/enabled"),
        "thp_shmem": text("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        "cgroup_features": text("/sys/kernel/cgroup/features").split(),
        "proc_cgroups": [line for line in text("/proc/cgroups").splitlines() if line.startswith("memory")],
        "psi": os.path.exists("/proc/pressure/memory"),
    }
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()

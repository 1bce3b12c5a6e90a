"""The shortest way: make an OOM happen under a limit of 80M, and read what the kernel did."""

import sys

import memoom

try:
    memoom.Host.probe().require_lab()
except memoom.MemoomError as error:
    print(f"cannot run here: {error}")
    sys.exit(77)

with memoom.Lab() as lab:
    group = lab.group(limit="80M")
    watch = group.watch()
    hog = group.hog("alloc_memory_1", step="10M")
    while hog.grow().status == "grew":
        print(f"{hog.name} holds {hog.total_bytes >> 20}M, the group has {group.usage_bytes >> 20}M")
    print(watch.wait_oom(timeout=10))

# A program of one's own: whether it was an OOM is an outcome, not an exception.
outcome = memoom.run([sys.executable, "-c", "bytearray(200 << 20)"], limit="64M")
print(f"returncode {outcome.returncode}, OOM-killed: {outcome.oom_killed}")

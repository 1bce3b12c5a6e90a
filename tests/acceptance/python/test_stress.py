"""150 groups at once, each with a process; every tenth meets its limit, and nobody else dies."""

import resource

from conftest import grow

import memoom

GROUPS = 150


def test_stress(lab: memoom.Lab) -> None:
    # Each group and worker holds some descriptors.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    groups = [lab.group(f"g{number}", limit="2M") for number in range(GROUPS)]
    hogs = [group.hog(group.name) for group in groups]
    steps = [grow(hog, "64K" if number % 10 else "8M") for number, hog in enumerate(hogs)]
    dies = [number % 10 == 0 for number in range(GROUPS)]
    assert [step == "killed" for step in steps] == dies
    assert [hog.ended for hog in hogs] == dies
    assert [group.counters.oom_kill == 1 for group in groups] == dies

"""The five experiments through the public API: two hogs that step in turn, a ticker, a limit of 80M.

    python experiments.py [v1-kill] [v1-block] [v1-resume] [v2-kill] [v2-group]

Exit status 0 only if every check held; 77, with the reason, where they cannot run.
"""

import signal
import sys
import time

import memoom

MOMENT = 15.0
failed = []


def check(name, held, seen):
    print(f"  {'ok  ' if held else 'FAIL'} {name}: {seen}")
    if not held:
        failed.append(name)


class Stage:
    """The group, the watch that was there first, and the three workers."""

    def __init__(self, lab, **switches):
        self.group = lab.group("experiment", limit="80M", **switches)
        self.watch = self.group.watch()
        self.hogs = [self.group.hog(name, step="10M") for name in ("alloc_memory_1", "alloc_memory_2")]
        self.ticker = self.group.ticker("print_counter", every=0.05)

    def step_until_oom(self):
        """Steps in turn; the hog that stepped last, and the answer to its step."""
        while True:
            for hog in self.hogs:
                grow = hog.grow(timeout=MOMENT)
                if grow.status != "grew" or self.group.counters.oom_kill:
                    return hog, grow

    def other(self, hog):
        return next(one for one in self.hogs if one.pid != hog.pid)

    def ticks(self):
        """Whether the ticker is heard once more."""
        before, deadline = self.ticker.ticks, time.monotonic() + MOMENT
        while self.ticker.ticks == before and time.monotonic() < deadline:
            self.watch.next(timeout=1.0)
        return self.ticker.ticks > before


def explained(oom):
    """What every account of a kill must tell."""
    victim = oom.victim
    used = oom.usage_bytes
    check(
        "usage drops at once",
        used.before - used.after > 25 << 20,
        f"{used.before} -> {used.after}",
    )
    kills = [kill.pid for kill in oom.report.kills] if oom.report else []
    check(
        "the kernel's report names the victim",
        victim.pid in kills,
        f"victim {victim.pid}, report {kills}",
    )
    predicted = oom.predicted
    # Scores that lie closer together than the kernel's own readings are exact decide nothing.
    right = oom.predicted_right or not predicted.determined
    check(
        "the prediction holds",
        right,
        f"{predicted.comm} predicted, {victim.comm} chosen",
    )
    steps = [frame.step for frame in oom.call_path]
    path = " < ".join(frame.function for frame in oom.call_path)
    check("the call path is there", {"fault", "charge", "oom", "kill"} <= set(steps), path)


def kill(lab):
    stage = Stage(lab)
    stage.step_until_oom()
    oom = stage.watch.wait_oom(MOMENT)
    victim = next(hog for hog in stage.hogs if oom.killed(hog.pid))
    outcome = victim.wait(MOMENT)
    check(
        "one hog is killed",
        outcome.oom_killed and len(oom.victims) == 1,
        f"{victim.name}: {outcome.verdict}",
    )
    check("the other hog lives", not stage.other(victim).ended, stage.other(victim).state)
    check("the ticker lives", stage.ticks(), f"{stage.ticker.ticks} ticks")
    before, after = oom.counters.before.oom_kill, oom.counters.after.oom_kill
    check("oom_kill is one higher", after == before + 1, f"{before} -> {after}")
    explained(oom)


def block(lab):
    stage = Stage(lab, oom_killer=False)
    hog = blocked(stage)
    hog.signal(signal.SIGINT)
    outcome = hog.wait(MOMENT)
    check(
        "SIGINT ends it",
        outcome.returncode == -signal.SIGINT,
        f"returncode {outcome.returncode}",
    )


def blocked(stage):
    """Steps until a hog waits in the OOM, and checks that it does."""
    hog, grow = stage.step_until_oom()
    check("the step blocks", grow.status == "blocked", grow.status)
    check("its state is D", hog.state == "D", hog.state)
    check(
        "under_oom is 1",
        stage.group.counters.under_oom is True,
        stage.group.counters.under_oom,
    )
    places = [grow.blocked.wchan, *(frame.function for frame in grow.blocked.stack)]
    check(
        "it waits in the memcg OOM",
        any("mem_cgroup_oom_synchronize" in str(place) for place in places),
        places,
    )
    usage, limit = stage.group.usage_bytes, stage.group.limit
    check(
        "the usage is at the limit",
        limit - (1 << 20) < usage <= limit,
        f"{usage} of {limit}",
    )
    oom = stage.watch.wait_oom(MOMENT)
    check("nobody is killed", oom.victims == (), f"{len(oom.blocked)} blocked")
    return hog


def resume(lab):
    stage = Stage(lab, oom_killer=False)
    hog = blocked(stage)
    stage.group.set_oom_killer(True)
    check(
        "the step completes",
        hog.finish(MOMENT).status == "grew",
        f"{hog.total_bytes} bytes",
    )
    oom = stage.watch.wait_oom(MOMENT)
    other = stage.other(hog)
    check(
        "the other hog is killed",
        other.wait(MOMENT).oom_killed and oom.killed(other.pid),
        other.name,
    )
    counters = stage.group.counters
    check("under_oom is 0", counters.under_oom is False, counters.under_oom)
    check("oom_kill is one higher", counters.oom_kill == 1, counters.oom_kill)
    explained(oom)


def group_kill(lab):
    stage = Stage(lab, oom_group=True)
    stage.step_until_oom()
    oom = stage.watch.wait_oom(MOMENT)
    outcomes = [worker.wait(MOMENT) for worker in (*stage.hogs, stage.ticker)]
    check(
        "everyone dies",
        all(outcome.oom_killed for outcome in outcomes),
        [outcome.verdict for outcome in outcomes],
    )
    check("the group is empty", stage.group.processes == [], stage.group.processes)
    counted = oom.counters.after.oom_group_kill
    # Kernels before about 5.17 do not count it.
    check("memory.events shows the group kill", counted in (1, None), counted)
    explained(oom)


EXPERIMENTS = {
    "v1-kill": kill,
    "v1-block": block,
    "v1-resume": resume,
    "v2-kill": kill,
    "v2-group": group_kill,
}


def main(names):
    host = memoom.Host.probe()
    try:
        host.require_lab()
    except memoom.MemoomError as error:
        print(f"cannot run here: {error}")
        return 77
    here = [name for name in EXPERIMENTS if name.startswith(host.version)]
    for name in names or here:
        if name not in here:
            print(
                f"cannot run {name} here: the memory controller is on cgroup {host.version}; here are {', '.join(here)}"
            )
            return 77
        print(name)
        with memoom.Lab() as lab:
            EXPERIMENTS[name](lab)
    print(f"{len(failed)} checks failed" if failed else "every check held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

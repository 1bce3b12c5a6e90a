# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Five experiments with the OOM killer of a memory cgroup
#
# A memory cgroup has a limit. What happens when its processes want more than that? Two hogs take 10 MB a step, in turn;
# a ticker takes nothing and says that it is alive. The limit is 80 MB, so the ninth step cannot be had.
#
# There are three answers on cgroup v1 and two on cgroup v2. A machine has its memory controller on one of the two; the
# experiments of that hierarchy run here, and the others say why they do not.

# %%
import memoom

host = memoom.Host.probe()
host

# %% [markdown]
# The stage is the same every time. The watch is opened before the workers start, so that it sees everything.


# %%
class Stage:
    def __init__(self, lab, **switches):
        self.group = lab.group("experiment", limit="80M", **switches)
        self.watch = self.group.watch()
        self.hogs = [self.group.hog(name, step="10M") for name in ("alloc_memory_1", "alloc_memory_2")]
        self.ticker = self.group.ticker("print_counter", 0.02)

    def step_in_turn(self):
        """Until a step does not simply succeed, or somebody has been killed."""
        for turn in range(20):
            hog = self.hogs[turn % 2]
            grow = hog.grow(timeout=30)
            print(
                f"{hog.name}: {grow.status}, holds {grow.total_bytes >> 20} MB; usage {self.group.usage_bytes >> 20} MB"
            )
            if grow.status != "grew" or any(worker.ended for worker in (*self.hogs, self.ticker)):
                return hog, grow

    def ticks_on(self):
        """Waits until the ticker has said two things more."""
        wanted = self.ticker.ticks + 2
        while self.ticker.ticks < wanted:
            self.watch.next(timeout=30)


def runs_here(hierarchy):
    if host.version == hierarchy:
        return True
    print(f"This experiment needs the memory controller on cgroup {hierarchy}; here it is on cgroup {host.version}.")
    return False


# %% [markdown]
# ## `v1-kill` and `v2-kill`: the step over the limit kills one hog
#
# This is what a group does when nobody has told it anything else. The page fault of the step finds the limit reached,
# the kernel reclaims what it can (there is nothing to reclaim: the memory is anonymous and there is no swap for it),
# and then chooses a victim: the process with the highest score, which is its resident memory plus its page tables.
#
# Mind who asked and who died: the one that makes the step need not be the one that is killed. The hog whose step meets
# the limit has not got its last pages yet, so the other one holds a little more and has the higher score. memoom looked
# at the scores before the step, so its prediction is older than the kill.

# %%
with memoom.Lab() as lab:
    stage = Stage(lab)
    stage.step_in_turn()
    oom = stage.watch.wait_oom(timeout=30)
    stage.ticks_on()
    kill_timeline = lab.timeline()

kill_timeline

# %% [markdown]
# Usage climbs by 10 MB a step, meets the limit, and drops by what the victim held. The other hog and the ticker live.
# The account says the same in full, with the call path of the kernel from the page fault to the kill.

# %%
oom

# %%
oom.to_pandas().drop(columns="group")

# %% [markdown]
# ## `v1-block`: with the killer off, the step waits
#
# `memory.oom_control` of cgroup v1 can turn the killer off. Then nobody dies: the process that wants the page sleeps in
# the kernel until there is room. Its state is D, and its stack shows where it waits: `mem_cgroup_oom_synchronize`.
# Signals that kill still reach it.

# %%
if runs_here("v1"):
    lab = memoom.Lab()
    stage = Stage(lab, oom_killer=False)
    stepping, grow = stage.step_in_turn()
    display(stepping, stage.group)
    display(stage.watch.wait_oom(timeout=30))

# %% [markdown]
# ## `v1-resume`: the killer is turned on again
#
# Writing 0 to `memory.oom_control` wakes the waiting process, which tries again, meets the limit again, and now the
# kernel kills. It takes the *other* hog: the one that waits has not got its last step and holds less. The waiting step
# completes.

# %%
if runs_here("v1"):
    stage.ticks_on()
    stage.group.set_oom_killer(True)
    finished = stepping.finish(timeout=30)
    print(f"{stepping.name}: {finished.status}, holds {finished.total_bytes >> 20} MB")
    killed = stage.watch.wait_oom(timeout=30)
    stage.ticks_on()
    display(lab.timeline(), killed)
    lab.close()

# %% [markdown]
# ## `v2-group`: the kill takes everybody
#
# A container is often worth nothing once one of its processes is gone. With `memory.oom.group` the kernel kills every
# process of the group as soon as it kills one, the ticker included. `memory.events` counts the group kill; mind that
# `oom_kill` counts events, not dead processes.

# %%
if runs_here("v2"):
    with memoom.Lab() as lab:
        stage = Stage(lab, oom_group=True)
        stage.step_in_turn()
        oom = stage.watch.wait_oom(timeout=30)
        print("processes left:", stage.group.processes)
        display(lab.timeline(), oom)

# %% [markdown]
# Nothing of this is left: each lab has removed its groups and workers. `memoom demo` runs the same experiments with
# every check, and `memoom lab` puts them on your terminal, with keys.

# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Reading an OOM log that somebody sends you
#
# "Our service disappeared tonight; here is the kernel log." The log is of another machine, of a kernel that you do not
# know. `memoom.parse_reports` takes the text of `dmesg`, `journalctl -k` or the raw records of `/dev/kmsg`, as it is.
# Nothing of this needs rights, or cgroups.

# %%
import os
from pathlib import Path

import memoom

logs = Path(os.environ.get("MEMOOM_LOGS", "../../tests/logs"))
text = (logs / "6.18.44-v1-plain.kmsg").read_bytes()
reports = memoom.parse_reports(text)
print(f"{len(text)} bytes of log, {len(reports)} report(s)")
reports[0]

# %% [markdown]
# Four questions are answered at a glance: **whose** limit (one group, not the machine), **who** asked for the page that
# was not to be had, **who** was killed, and **how much** each process held. What the log does not hold is `None`, and
# `missing` names it: unknown is never 0.

# %%
report = reports[0]
print("scope:        ", report.scope)
print("limit group:  ", report.oom_memcg)
print("limit:        ", report.memory.limit_bytes if report.memory else None, "bytes")
print("asked by:     ", report.invoker.comm if report.invoker else None)
print("killed:       ", ", ".join(f"{kill.comm} (pid {kill.pid})" for kill in report.kills))
print("missing:      ", [one.source for one in report.missing])

# %% [markdown]
# The table of tasks is a frame, for as many processes as the machine had.

# %%
tasks = report.to_pandas()
tasks.sort_values("rss_pages", ascending=False)[["pid", "comm", "rss_pages", "oom_score_adj", "killed"]]

# %% [markdown]
# ## Where was the memory?
#
# The statistics of the group say what kind of memory filled it. Anonymous memory is what programs allocate; page cache
# would have been dropped before anybody was killed.

# %%
import pandas as pd

stat = pd.Series(dict(report.stat), dtype="int64")
stat[stat > 0].sort_values(ascending=False).head(8).to_frame("value")

# %% [markdown]
# ## How the kernel came there
#
# The call trace, innermost first, with a sentence for each function that memoom knows.

# %%
for frame in report.call_trace:
    print(f"{frame!s:<40} {frame.step or '':<7} {frame.explain or ''}")

# %% [markdown]
# ## Many logs
#
# Kernels differ in what they print; the fields stay the same. One row for each report of all logs at hand:

# %%
rows = []
for log in sorted(logs.glob("*.kmsg")):
    for one in memoom.parse_reports(log.read_bytes()):
        rows.append(
            {
                "log": log.name,
                "release": one.release,
                "scope": one.scope,
                "killed": ", ".join(kill.comm for kill in one.kills),
                "anon MB": sum(kill.anon_rss_bytes or 0 for kill in one.kills) >> 20,
                "tasks": len(one.tasks),
                "whole group": one.group_kill is not None,
                "missing": ", ".join(part.source for part in one.missing),
            }
        )
pd.DataFrame(rows)

# %% [markdown]
# Names of processes are text from outside, and some are hostile: they may hold brackets, line breaks or markup. The
# parser keeps them, and what is shown is escaped.

# %%
memoom.parse_reports((logs / "6.18.44-v1-weird_comm_1.kmsg").read_bytes())[0]

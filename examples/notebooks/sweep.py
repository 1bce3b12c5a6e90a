# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Which limit does a program need?
#
# A program takes so many megabytes; a limit allows so many. A sweep runs it under every pair of the two. Each trial is
# plain data, runs in a lab of its own, and its result is a line of a file, so that a sweep of thousands can be
# interrupted, spread over hosts, and gone on with. Here are 36, over two threads.

# %%
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import memoom

MB = 1 << 20
script = "import sys; bytearray(int(sys.argv[1]))"
trials = [
    {
        "argv": [sys.executable, "-S", "-E", "-c", script, str(need * MB)],
        "limit": limit * MB,
        "parameters": {"need": need, "allowed": limit},
    }
    for need in (5, 15, 25, 35, 45, 55)
    for limit in (12, 24, 32, 40, 48, 64)
]

# %%
place = Path(tempfile.mkdtemp(prefix="memoom-sweep-"))
with ThreadPoolExecutor(2) as executor:
    results = memoom.sweep(trials, executor=executor, output=place / "results.jsonl", progress=False)
results

# %% [markdown]
# The results are a frame with the parameters of each trial and what came of it.

# %%
frame = results.to_pandas()
frame[["need", "allowed", "oom_killed", "returncode", "max_rss_bytes", "predicted_right", "seconds"]].head(8)

# %%
table = frame.pivot(index="need", columns="allowed", values="oom_killed")
table.map(lambda killed: "OOM" if killed else "fits")

# %% [markdown]
# ## The picture
#
# Red was killed, green lived. On the dashed line data and limit are equal: what lies above it cannot live. What lives
# close below it shows how little the interpreter is charged for beside its data.

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
for killed, colour, marker, label in ((True, "#e5484d", "X", "killed"), (False, "#2f9e6a", "o", "lived")):
    part = frame[frame.oom_killed == killed]
    axes.scatter(part.allowed, part.need, color=colour, marker=marker, s=90, label=label, zorder=3)
axes.axline((0, 0), slope=1, color="gray", linestyle="dashed", linewidth=1, label="data = limit")
axes.set_xlim(6, 70)
axes.set_ylim(0, 62)
axes.set_xticks(sorted(frame.allowed.unique()))
axes.set_yticks(sorted(frame.need.unique()))
axes.set_xlabel("limit in MB")
axes.set_ylabel("data in MB")
axes.grid(alpha=0.3)
axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
plt.show()

# %% [markdown]
# More than that is resident beside the data, in the trials that lived. Most of it are pages of the program's files,
# which are charged to whoever read them first:

# %%
lived = frame[~frame.oom_killed.astype(bool)]
overhead = lived.max_rss_bytes / MB - lived.need
print(f"{overhead.median():.1f} MB resident beside the data; {len(lived)} of {len(frame)} lived")

# %% [markdown]
# The same sweep again runs nothing: every trial has its line already. That is how a sweep that was killed goes on.

# %%
again = memoom.sweep(trials, output=place / "results.jsonl", progress=False)
print(again == results)

# %%
import shutil

shutil.rmtree(place)

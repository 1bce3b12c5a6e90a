# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # How does Redis take a limit?
#
# A Redis server stands in a group with a limit of 64 MB, and a client fills it. Three questions: what does the server
# do when the limit is met, what does the client see, and does `maxmemory` help?
#
# The server is Debian's (`redis-tools` brings the program under the name of `redis-check-rdb`; it becomes the server
# when it is called so). The client stands in a group of its own, so that it is no candidate.

# %%
import shutil
import subprocess
import tempfile
from pathlib import Path

import memoom

program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
client_program = shutil.which("redis-cli")
assert program and client_program, "install Debian's redis-tools"
place = Path(tempfile.mkdtemp(prefix="memoom-redis-"))
(place / "redis-server").symlink_to(program)


def server(group, name, *options):
    """A server without a port, on a socket; it is there when it answers."""
    socket = place / f"{name}.sock"
    argv = [place / "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--daemonize", "no"]
    worker = group.command([*argv, *options], cwd=place, stdout=subprocess.DEVNULL)
    while not socket.exists():
        group.sample()
        assert not worker.ended, "the server did not start"
    return worker, socket


# %% [markdown]
# The load: 200 MB in values of 100 kB, one after the other, by the server's own client.

# %%
commands = place / "commands"
commands.write_text("".join(f"SET key:{number} {'x' * 100_000}\n" for number in range(2000)))


def fill(group, socket):
    with commands.open() as stdin, (place / "answers").open("w") as answers:
        argv = [client_program, "-e", "-s", socket]
        outcome = group.command(argv, stdin=stdin, stdout=answers, stderr=answers).wait(timeout=60)
    said = (place / "answers").read_text().splitlines()
    return outcome, said


# %% [markdown]
# ## Without `maxmemory`
#
# `sample_every` has whoever waits in the lab sample all groups meanwhile: the server never speaks to memoom, and yet
# the timeline has what it held.

# %%
with memoom.Lab(sample_every=0.01) as lab:
    group = lab.group("redis", limit="64M")
    watch = group.watch()
    clients = lab.group("clients", limit="64M")
    worker, socket = server(group, "plain")
    client, said = fill(clients, socket)
    outcome = worker.wait(timeout=30)
    timeline = lab.timeline()

timeline

# %% [markdown]
# What the server holds is more than what its group is charged for: pages of its files are charged to whoever read them
# first. It is the usage that meets the limit.
#
# The server grows until the limit, and the kernel takes it: there is no one else in the group. It gets no error from
# `malloc` beforehand, and no chance to write anything. The client sees a connection that is gone, after this many
# values:

# %%
print(
    "the client ended with", client.returncode, "after", said.count("OK"), "values;", "its last words:", said[-1][:80]
)
outcome

# %% [markdown]
# ## With `maxmemory`
#
# Now the server is told to stay below 40 MB. It refuses instead, and lives.

# %%
with memoom.Lab(sample_every=0.01) as lab:
    group = lab.group("redis", limit="64M")
    clients = lab.group("clients", limit="64M")
    worker, socket = server(group, "bounded", "--maxmemory", "40mb", "--maxmemory-policy", "noeviction")
    client, said = fill(clients, socket)
    alive = not worker.ended
    peak = group.peak_bytes
    bounded = lab.timeline()

bounded

# %%
print("alive:", alive, "· peak:", peak and peak >> 20, "MB ·", said.count("OK"), "values ·", said[-1][:90])

# %% [markdown]
# ## How far from the limit must `maxmemory` be?
#
# `maxmemory` counts what Redis knows of; the group is charged for everything: code, allocator, socket buffers, page
# tables. The difference in the usage is what to leave free:

# %%
held = bounded.to_pandas("usage")
usage = held[(held.what == "usage") & held.group.str.endswith("/redis")]
print(f"usage at its highest {usage.bytes.max() / 2**20:.1f} MB with maxmemory at 40 MB")

# %%
shutil.rmtree(place)

"""`run(at_limit=...)` and `memoom run --at-limit`: what a hook sees while all stand still, and may do."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import PATIENCE, Cli

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")

EATS = [sys.executable, "-c", "x = [bytearray(1 << 20) for _ in range(400)]"]
HOLDS_60M = [sys.executable, "-c", "x = bytearray(60 << 20); print('done')"]


def once(outcome: memoom.Outcome) -> memoom.AtLimit:
    assert outcome.at_limit is not None and len(outcome.at_limit) == 1, str(outcome)
    return outcome.at_limit[0]


def test_a_text_runs_in_a_shell_outside_and_the_kernel_chooses_then() -> None:
    outcome = memoom.run(
        EATS, limit="48M", at_limit="echo $MEMOOM_PID {pid}; ls /proc/{pid}/exe >/dev/null && echo there"
    )
    met = once(outcome)
    assert outcome.oom_killed and outcome.oom is not None
    assert met.hook.output == f"{outcome.pid} {outcome.pid}\nthere\n" and met.hook.returncode == 0
    assert met.predicted is not None and met.predicted.pid == outcome.pid
    assert met.limit_bytes == 48 << 20 and met.then == "kernel" and met.died == ()
    assert "  at limit    " in str(outcome) and "  | there" in outcome.short_text
    assert pickle.loads(pickle.dumps(outcome)).at_limit == outcome.at_limit
    assert memoom.run(["true"], limit="48M").at_limit is None
    assert memoom.run(["true"], limit="48M", at_limit="true").at_limit == ()


def test_a_list_of_arguments_is_filled_in_and_runs_without_a_shell() -> None:
    met = once(memoom.run(EATS, limit="48M", at_limit=["echo", "$HOME", "{invoker}", "{nobody}"]))
    assert met.invoker is not None
    assert met.hook.output == f"$HOME {met.invoker.pid} {{nobody}}\n"
    assert met.hook.argv == ("echo", "$HOME", str(met.invoker.pid), "{nobody}")


def test_a_function_looks_and_raises_the_limit() -> None:
    seen = []

    def look(met: memoom.AtLimit) -> str:
        state = Path(f"/proc/{met.processes[0].pid}/stat").read_text().rpartition(")")[2].split()[0]
        seen.append((state, threading.current_thread() is threading.main_thread()))
        return "200M"

    outcome = memoom.run(HOLDS_60M, limit="48M", at_limit=look, capture_output=True)
    assert outcome.returncode == 0 and outcome.stdout == b"done\n", str(outcome)
    met = once(outcome)
    assert (met.then, met.limit_after_bytes, met.hook.kind) == ("raised", 200 << 20, "function")
    assert seen == [("T", False)]


def too_much() -> int:
    return len(b"x" * (100 << 20))


def test_a_function_under_a_limit_is_looked_at_too() -> None:
    called = memoom.call(too_much, limit="48M", at_limit=lambda met: "256M")
    assert called.result() == 100 << 20, str(called)
    assert called.outcome.at_limit is not None and len(called.outcome.at_limit) == 1


def test_a_function_that_raises_or_hangs_leaves_the_account_whole() -> None:
    def breaks(_: memoom.AtLimit) -> None:
        raise RuntimeError("it broke")

    outcome = memoom.run(EATS, limit="48M", at_limit=breaks)
    assert outcome.oom_killed and once(outcome).hook.error == "RuntimeError: it broke"
    through = threading.Event()
    outcome = memoom.run(EATS, limit="48M", at_limit=lambda _: through.wait() and None, at_limit_timeout=0.3)
    through.set()
    met = once(outcome)
    assert outcome.oom_killed and met.hook.timed_out and met.held_ns >= 300_000_000


def test_the_command_shows_what_the_hook_wrote(cli: Cli) -> None:
    done = cli("run", "--limit", "48M", "--at-limit", "echo looked at {pid}", "--", *EATS)
    assert done.returncode == 137 and done.stdout == ""
    assert "  | looked at " in done.stderr and "was killed in an OOM" in done.stderr
    done = cli("run", "--limit", "48M", "--at-limit", "true", "--raise", "200M", "--", *HOLDS_60M)
    assert done.returncode == 0 and done.stdout == "done\n" and "went on with a limit of 200M" in done.stderr
    for wrong in (["--raise", "200M"], ["--at-limit", " "], ["--at-limit", "true", "--at-limit-timeout", "-1"]):
        assert cli("run", "--limit", "48M", *wrong, "--", "true").returncode == 125


def test_nothing_is_left_when_memoom_is_killed_while_everybody_is_held(tmp_path: Path) -> None:
    # The hook's parent is the supervisor, and the supervisor's is memoom.
    kills = (
        f"echo {{pids}} > {tmp_path}/pids; s=$(cut -d' ' -f4 /proc/$$/stat); kill -9 $(cut -d' ' -f4 /proc/$s/stat); "
        "sleep 1000"
    )
    command = [sys.executable, "-m", "memoom", "run", "--limit", "48M", "--at-limit", kills, "--", *EATS]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split(",")]
    deadline = time.monotonic() + PATIENCE
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < deadline, f"left: {pids}"
        time.sleep(0.01)


def test_what_is_nearly_a_placeholder_is_answered_with_it(cli: Cli) -> None:
    hook = "true {pidd} {invoker} {print} ${group}"
    done = cli("run", "--limit", "48M", "--at-limit", hook, "--", "true")
    assert done.stderr == "memoom run: --at-limit: {pidd} stays as it is; did you mean {pid}?\n", done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_memoom_alone_ends_the_hook_that_runs(tmp_path: Path, number: signal.Signals) -> None:
    os.mkfifo(tmp_path / "begun")
    hook = f"echo > {tmp_path}/begun; sleep 1000"
    command = [sys.executable, "-m", "memoom", "run", "--limit", "48M", "--at-limit-timeout", "900", "--at-limit", hook]
    with subprocess.Popen([*command, "--", "tail", "/dev/zero"], stderr=subprocess.PIPE, text=True) as memoom_run:
        (tmp_path / "begun").read_text()
        memoom_run.send_signal(number)
        _, said = memoom_run.communicate(timeout=PATIENCE)
    # By the signal, which it takes when it goes on, or by the kernel, which may come first.
    assert memoom_run.returncode in (128 + number, 137), said
    assert f"ended early, as the command was sent {number.name}" in said


def test_who_is_killed_by_the_hook_has_died() -> None:
    for _ in range(5):
        outcome = memoom.run(EATS, limit="48M", at_limit="kill -9 {pid}")
        met = once(outcome)
        assert [one.pid for one in met.died] == [outcome.pid] and met.then == "ended", str(outcome)
        assert not outcome.oom_killed


def test_who_ended_before_all_stood_still_was_not_held() -> None:
    # Twenty chains of processes, of which each forks the next one and ends.
    chains = """
import os, time
until = time.monotonic() + 60
for _ in range(20):
    if os.fork() == 0:
        while time.monotonic() < until:
            try:
                if os.fork():
                    os._exit(0)
            except OSError:
                pass
        os._exit(0)
held = []
while True:
    held.append(bytearray(1 << 18))
    time.sleep(0.0005)
"""
    look = "for pid in $(echo {pids} | tr , ' '); do [ -e /proc/$pid/exe ] || echo gone; done"
    outcome = memoom.run([sys.executable, "-S", "-c", chains], limit="64M", timeout=PATIENCE, at_limit=look)
    met = once(outcome)
    assert met.hook.output == "" and met.died == (), str(outcome)


def test_a_line_that_raises_counts_behind_more_than_is_kept() -> None:
    hook = "yes | head -c 300000; echo memoom: raise 200M"
    outcome = memoom.run(HOLDS_60M, limit="48M", at_limit=hook, stdout=subprocess.DEVNULL)
    met = once(outcome)
    assert outcome.returncode == 0 and met.limit_after_bytes == 200 << 20 and met.hook.dropped_bytes > 0, str(outcome)


def test_a_time_that_no_clock_can_hold_is_for_ever() -> None:
    for at_limit in ("true", lambda _: None):
        met = once(memoom.run(EATS, limit="48M", timeout=1.8e19, at_limit=at_limit, at_limit_timeout=1.8e19))
        assert not met.hook.timed_out and met.hook.error is None


def tool(name: str) -> str:
    """A program of the project's own lists; elsewhere it may be missing."""
    found = shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)
    if found is None and os.environ.get("MEMOOM_REQUIRE") != "1":
        pytest.skip(f"{name} is not installed")
    assert found is not None, f"{name} is not installed"
    return found


def test_gdb_attaches_and_a_core_is_written(tmp_path: Path) -> None:
    core = tmp_path / "core"
    hook = f"{tool('gdb')} -nx -batch -p {{pid}} -ex 'info proc' -ex 'generate-core-file {core}'"
    outcome = memoom.run(EATS, limit="64M", at_limit=hook)
    met = once(outcome)
    assert outcome.oom_killed and met.hook.returncode == 0 and not met.hook.timed_out, str(outcome)
    assert f"process {outcome.pid}" in met.hook.output, met.hook.output
    assert core.stat().st_size > 40 << 20


def test_gcore_writes_a_core(tmp_path: Path) -> None:
    outcome = memoom.run(EATS, limit="64M", at_limit=f"{tool('gcore')} -o {tmp_path}/core {{pid}}")
    met = once(outcome)
    assert outcome.oom_killed and met.hook.returncode == 0, str(outcome)
    assert (tmp_path / f"core.{outcome.pid}").stat().st_size > 40 << 20


def test_py_spy_shows_the_line_that_met_the_limit() -> None:
    grows = "def grow():\n    return [bytearray(1 << 20) for _ in range(400)]\ngrow()\n"
    outcome = memoom.run(
        [sys.executable, "-c", grows], limit="48M", at_limit=f"{tool('py-spy')} dump --nonblocking --pid {{pid}}"
    )
    met = once(outcome)
    assert outcome.oom_killed and met.hook.returncode == 0, str(outcome)
    assert "grow (<string>:2)" in met.hook.output, met.hook.output

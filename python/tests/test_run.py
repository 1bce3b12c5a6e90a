"""`memoom run` and `memoom.run`: exit statuses, what is said and what is not, signals, timeouts, descriptors."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import HIERARCHY, PATIENCE, Cli

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")

TAKES_200M = "x = bytearray(200 << 20)"
OUTCOME_KEYS = {"schema", "verdict", "oom_killed", "returncode", "pid", "ooms"}
OOM_KEYS = {
    "schema",
    "limit_group",
    "limit_bytes",
    "usage_bytes",
    "invoker",
    "predicted",
    "candidates",
    "victims",
    "counters",
    "report",
    "call_path",
    "blocked",
    "timings_ns",
    "disagreements",
    "missing",
}


def test_an_oom_kill_is_137_with_the_account_on_standard_error(cli: Cli) -> None:
    done = cli("run", "--limit", "64M", "--", sys.executable, "-c", TAKES_200M)
    assert done.returncode == 137 and done.stdout == ""
    for part in ("was killed in an OOM", "limit 64M", "victim", "grew from", "What would help"):
        assert part in done.stderr
    assert len(done.stderr.splitlines()) <= 15 and "call path" not in done.stderr
    # With equal limits of memory and memory+swap (v1) no charge fails where it is counted.
    assert "oom_kill 0 -> 1" in done.stderr and "failcnt 0 -> 0" not in done.stderr


def test_the_peak_of_a_run_is_its_groups() -> None:
    with memoom.Lab() as lab:
        kept = lab.group(limit="64M").peak_bytes is not None
    outcome = memoom.run([sys.executable, "-c", TAKES_200M], limit="64M")
    # Kernels before 5.19 have no memory.peak.
    assert (outcome.peak_bytes is not None) == kept
    if kept:
        assert 63 << 20 <= outcome.peak_bytes <= 64 << 20
        assert "peak of its group" in outcome._repr_html_() and "  peak        " in str(outcome)


def test_a_run_inside_a_run_does_not_escape_its_limit(cli: Cli) -> None:
    inner = [sys.executable, "-m", "memoom", "run", "--limit", "400M", "--"]
    done = cli("run", "--json", "--limit", "96M", "--", *inner, sys.executable, "-c", TAKES_200M)
    outer = json.loads(done.stderr.splitlines()[-1])
    if HIERARCHY == "v1":
        assert done.returncode == 137 and "was killed in an OOM" in done.stderr, done.stderr
    else:
        assert done.returncode == 125 and outer["ooms"] == [], done.stderr
        assert "this process stands in a lab" in done.stderr and "remedy: move its processes into a leaf" in done.stderr
    if outer["peak_bytes"] is not None:
        assert outer["peak_bytes"] <= 96 << 20


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143)])
def test_without_an_oom_the_status_is_the_commands_and_nothing_is_said(cli: Cli, script: str, status: int) -> None:
    done = cli("run", "--limit", "64M", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_a_kill_by_somebody_else_is_said_to_be_no_oom(cli: Cli) -> None:
    done = cli("run", "--limit", "64M", "--", "sh", "-c", "kill -9 $$")
    assert done.returncode == 137 and done.stdout == ""
    assert "it was not an OOM" in done.stderr and "evidence" in done.stderr and "oom_kill stayed 0" in done.stderr


def test_what_cannot_be_run(cli: Cli, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    nowhere = cli("run", "--limit", "64M", "--", "no-such-command")
    assert (nowhere.returncode, nowhere.stderr) == (127, "memoom run: no-such-command: No such file or directory\n")
    assert cli("run", "--limit", "64M", "--", str(tmp_path / "none")).returncode == 127
    assert cli("run", "--limit", "64M", "--", str(plain)).returncode == 126
    assert cli("run", "--limit", "64M", "--", str(tmp_path)).returncode == 126


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--", "true"],
        ["--limit", "64M"],
        ["--limit", "64X", "--", "true"],
        ["--limit", "1K", "--", "true"],
        ["--limit", "64M", "--timeout", "soon", "--", "true"],
        ["--limit", "64M", "--timeout", "-1", "--", "true"],
        ["--limit", "64M", "--output", "/no/such/place", "--", "true"],
        ["--limit", "64M", "--bogus", "--", "true"],
    ],
)
def test_memooms_own_failure_is_125(cli: Cli, arguments: list[str]) -> None:
    done = cli("run", *arguments)
    assert done.returncode == 125 and done.stdout == "" and "memoom run:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_switch_of_the_other_hierarchy(cli: Cli) -> None:
    done = cli("run", "--limit", "64M", "--oom-group", "--", "true")
    if HIERARCHY == "v1":
        assert done.returncode == 125 and "memory.oom.group" in done.stderr
    else:
        assert done.returncode == 0, done.stderr


def test_options_end_at_the_command(cli: Cli) -> None:
    assert cli("run", "--limit", "64M", "echo", "--limit", "x").stdout == "--limit x\n"
    assert cli("run", "--limit", "64M", "--", "echo", "--", "y").stdout == "-- y\n"
    assert cli("run", "--limit", "64M", "echo", "a", "--", "y").stdout == "a -- y\n"


def test_the_documents(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", "--limit", "64M", "--json", "--", sys.executable, "-c", TAKES_200M)
    assert done.stderr.count("\n") == 1
    outcome = json.loads(done.stderr)
    assert set(outcome) >= OUTCOME_KEYS and outcome["schema"] == "memoom.outcome/1"
    assert (outcome["verdict"], outcome["oom_killed"], outcome["returncode"]) == ("oom-killed", True, -9)
    (oom,) = outcome["ooms"]
    assert set(oom) >= OOM_KEYS and oom["limit_bytes"] == 64 << 20
    assert [victim["pid"] for victim in oom["victims"]] == [outcome["pid"]]
    assert oom["report"] is None or oom["report"]["schema"] == "memoom.report/1"

    file = tmp_path / "outcome.json"
    done = cli("run", "--limit", "64M", "--output", str(file), "--", "sh", "-c", "exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert json.loads(file.read_text())["verdict"] == "exited"
    # An earlier outcome gives way.
    done = cli("run", "--limit", "64M", "--output", str(file), "--", "true")
    assert json.loads(file.read_text())["returncode"] == 0

    # What is none is left as it is, whether it is there, or led to by a link that somebody has planted.
    notes = tmp_path / "notes.txt"
    notes.write_text("my notes, longer than any outcome " * 100)
    for at, target in (("link", notes), ("dangling", tmp_path / "nowhere")):
        (tmp_path / at).symlink_to(target)
    for at, why in (("notes.txt", "it is no outcome"), ("link", "symbolic link"), ("dangling", "symbolic link")):
        done = cli("run", "--limit", "64M", "--output", at, "--", "touch", "ran")
        assert done.returncode == 125 and why in done.stderr and "remedy" in done.stderr, done
    assert notes.read_text() == "my notes, longer than any outcome " * 100
    assert not (tmp_path / "nowhere").exists() and not (tmp_path / "ran").exists()
    # Where no file is meant, it is written to what is there.
    done = cli("run", "--limit", "64M", "--output", "/dev/stdout", "--", "echo", "first")
    assert done.stdout.startswith('first\n{"schema":"memoom.outcome/'), done
    with open(tmp_path / "log", "w+") as log:
        cli("run", "--limit", "64M", "--output", "/dev/stdout", "--", "echo", "first", capture_output=False, stdout=log)
        log.seek(0)
        assert log.read().startswith('first\n{"schema":"memoom.outcome/')
    assert cli("run", "--limit", "64M", "--output", "/dev/null", "--", "true").returncode == 0


def test_the_timeout(cli: Cli) -> None:
    done = cli("run", "--limit", "64M", "--timeout", "0.2", "--json", "--", "sh", "-c", "sleep 1000 & sleep 1000")
    assert done.returncode == 137
    assert json.loads(done.stderr)["verdict"] == "timeout"


def test_the_descriptors_are_the_commands(cli: Cli) -> None:
    done = cli("run", "--limit", "64M", "--", "sh", "-c", "cat; echo error >&2", input="through\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "through\n", "error\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_the_caller_has_closed_is_empty_for_the_command(closed: str, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    looks = (
        f"import os; open({str(seen)!r}, 'w').write(' '.join(os.readlink(f'/proc/self/fd/{{n}}') for n in range(3)))"
    )
    memoom_run = [sys.executable, "-m", "memoom", "run", "--limit", "64M", "--", sys.executable, "-c", looks]
    shell = ["sh", "-c", f'"$@" {closed}', "sh", *memoom_run]
    done = subprocess.run(shell, stdin=subprocess.PIPE, capture_output=True, check=False)
    assert done.returncode == 0 and done.stdout == b"" and done.stderr == b"", done
    names = seen.read_text().split()
    assert [name for name in names if not name.startswith("pipe:")] == ["/dev/null"] * closed.count("&-"), names


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGWINCH"])
def test_a_signal_reaches_the_command_once(name: str) -> None:
    number = getattr(signal, name)
    # Counts for a moment after the first one, so that a second would be seen.
    script = (
        "import signal, sys\n"
        f"signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}])\n"
        "print('ready', flush=True)\n"
        "count = 0\n"
        f"while signal.sigtimedwait([{int(number)}], 0.3 if count else 20): count += 1\n"
        "sys.exit(40 + count)\n"
    )
    argv = [sys.executable, "-m", "memoom", "run", "--limit", "64M", "--", sys.executable, "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 41


def test_ctrl_c_from_the_terminal_is_delivered_once() -> None:
    """A terminal sends to the whole process group, the command among it; memoom must not send again."""
    import pty

    script = (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [2])\n"
        "print('ready', flush=True)\n"
        "count = 0\n"
        "while signal.sigtimedwait([2], 0.3 if count else 20): count += 1\n"
        "sys.exit(40 + count)\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        argv = [sys.executable, "-m", "memoom", "run", "--limit", "64M", "--", sys.executable, "-c", script]
        os.execv(sys.executable, argv)
    try:
        seen = b""
        while b"ready" not in seen:
            seen += os.read(terminal, 1024)
        os.write(terminal, b"\x03")
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 41
    finally:
        os.close(terminal)


def test_the_hangup_of_a_terminal_ends_the_command() -> None:
    """The kernel tells the leader of the session alone, which memoom is where no shell stays above it."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        argv = [sys.executable, "-m", "memoom", "run", "--limit", "64M", "--", "sh", "-c", "echo ready; sleep 1000"]
        os.execv(sys.executable, argv)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(terminal, 1024)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP


def test_a_timer_from_before_ends_the_command() -> None:
    """As `perl -e 'alarm 5; exec @ARGV' memoom run ...` does it."""
    wakes = "import os, signal, sys; signal.alarm(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
    seconds = str(int(PATIENCE) // 10)
    argv = [sys.executable, "-c", wakes, seconds, sys.executable, "-m", "memoom", "run", "--limit", "64M", "--"]
    done = subprocess.run([*argv, "sleep", "1000"], stderr=subprocess.DEVNULL, timeout=PATIENCE, check=False)
    assert done.returncode == 128 + signal.SIGALRM


def test_a_reader_that_has_gone_does_not_change_the_status() -> None:
    argv = [sys.executable, "-m", "memoom", "run", "--limit", "64M", "--", sys.executable, "-c", TAKES_200M]
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(argv, stderr=writer) as process:
        os.close(writer)
        assert process.wait(PATIENCE) == 137


# memoom.run


def test_run_gives_an_outcome_and_check_raises() -> None:
    outcome = memoom.run([sys.executable, "-c", TAKES_200M], limit="64M")
    assert outcome.oom_killed and outcome.returncode == -9
    assert outcome.oom is not None and outcome.oom.killed(outcome.pid)
    with pytest.raises(memoom.OomKilledError, match="was killed in an OOM") as caught:
        outcome.check()
    assert caught.value.outcome == outcome
    assert isinstance(caught.value, memoom.MemoomError) and isinstance(caught.value, ChildProcessError)

    good = memoom.run(["true"], limit="64M")
    assert good.check() is good and good.ooms == () and good.oom is None
    with pytest.raises(memoom.OutcomeError, match="exited with status 3"):
        memoom.run(["sh", "-c", "exit 3"], limit="64M").check()


def test_run_takes_files_environment_and_directory(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w+b") as out:
        outcome = memoom.run(
            ["sh", "-c", "pwd; echo $WORD; echo error >&2"],
            limit="64M",
            env={"WORD": "hello"},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        assert outcome.returncode == 0
        out.seek(0)
        assert out.read().decode() == f"{tmp_path}\nhello\nerror\n"
    with pytest.raises(memoom.InvalidInputError, match="pipe of stdout"):
        memoom.run(["true"], limit="64M", stdout=subprocess.PIPE)


def test_run_timeout_and_started() -> None:
    seen = []
    outcome = memoom.run(["sleep", "1000"], limit="64M", timeout=0.1, started=lambda worker: seen.append(worker.pid))
    assert (outcome.verdict, outcome.returncode) == ("timeout", -9)
    assert seen == [outcome.pid]
    with pytest.raises(ZeroDivisionError):
        memoom.run(["sleep", "1000"], limit="64M", started=lambda worker: 1 / 0)


def test_a_command_with_pipes(lab: memoom.Lab) -> None:
    group = lab.group(limit="64M")
    worker = group.command(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert worker.stdin is not None and worker.stdout is not None and worker.stderr is None
    with worker.stdin as stdin:
        stdin.write(b"through")
    with worker.stdout as stdout:
        assert stdout.read() == b"through"
    assert worker.wait(PATIENCE).returncode == 0


def test_input_and_output_as_in_subprocess(needs_lab: None) -> None:
    """More than any pipe holds, in both directions at once, and what leaves much of it unread."""
    much = bytes(range(256)) * 4096
    outcome = memoom.run(["sh", "-c", "cat; echo error >&2"], limit="64M", input=much, capture_output=True)
    assert (outcome.stdout, outcome.stderr) == (much, b"error\n")
    assert memoom.run(["true"], limit="64M", input=much).returncode == 0
    assert memoom.run(["cat"], limit="64M", input="süß", capture_output=True).stdout == "süß".encode()
    program = [sys.executable, "-c", "print('before', flush=True); bytearray(600 << 20)"]
    killed = memoom.run(program, limit="64M", capture_output=True)
    assert killed.oom_killed and killed.stdout == b"before\n" and killed.stderr == b""
    assert memoom.run(["true"], limit="64M").stdout is None
    assert pickle.loads(pickle.dumps(killed)).stdout == b"before\n"
    before = set(os.listdir("/proc/self/fd"))
    for wrong in ({"stdout": 1}, {"stderr": 1}, {"input": b"", "stdin": 0}):
        with pytest.raises(memoom.InvalidInputError, match="exclude each other"):
            memoom.run(["true"], capture_output=True, **wrong)
    with pytest.raises(memoom.MemoomError):
        memoom.run(["/no/such/program"], limit="64M", input=much, capture_output=True)
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("timeout", [-1, float("nan"), -0.001])
def test_a_timeout_below_nothing(timeout: float) -> None:
    with pytest.raises(memoom.InvalidInputError, match="is no time span; remedy: give seconds, 0 or more"):
        memoom.run(["true"], limit="64M", timeout=timeout)


def test_a_working_directory_that_was_removed_is_the_commands_too(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"rmdir {gone} && exec {sys.executable} -m memoom run --limit 64M -- sh -c 'echo here; ls -a'"
    done = subprocess.run(["sh", "-c", script], cwd=gone, capture_output=True, text=True, check=False)
    assert done.stdout == "here\n" and done.returncode == 0, done.stderr


def test_what_is_nothing_to_read_or_to_run_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        memoom.run(["true"], limit="64M", input=3)  # type: ignore[arg-type]
    with pytest.raises(memoom.InvalidInputError, match="at_limit=3 is nothing to run; remedy: give a command"):
        memoom.run(["true"], limit="64M", at_limit=3)  # type: ignore[arg-type]
    for env in ("NAME=value", 3, [("NAME", "value")]):
        with pytest.raises(memoom.InvalidInputError, match=r"env=.* is no mapping; remedy: give a dict"):
            memoom.run(["true"], limit="64M", env=env)  # type: ignore[arg-type]
    with pytest.raises(memoom.InvalidInputError, match="stdin='xxx") as refused:
        memoom.run(["true"], limit="64M", stdin="x" * 5000)
    assert len(str(refused.value)) < 250

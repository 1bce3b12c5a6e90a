"""``memoom.campaign`` and ``memoom campaign``: programs of which it is known when a kill hurts them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT, PATIENCE, Cli, needs_time, skip
from test_schema import check

import memoom
from memoom._campaign.place import place
from memoom._campaign.plan import read_plan
from memoom._campaign.strike import _copy, _killed
from memoom._toml import toml_of

EXAMPLES = CHECKOUT / "examples/campaign"
MIB = 1 << 20
PYTHON = [sys.executable, "-S"]
# Each write adds a line; it says so as well.
LINES = 'for number in $(seq 24); do echo "$number" >> lines; echo "wrote $number"; done'
# From 12 to 16 lines nobody may be killed.
BROKEN = "number=$(wc -l < lines); [ $number -lt 12 ] || [ $number -gt 16 ]"


def shell(program: str) -> list[str]:
    return ["sh", "-c", program]


def plan(command: list[str], check: list[str], **moments: Any) -> dict[str, Any]:
    return {
        "command": command,
        "check": check,
        "prepare": ["touch", "lines"],
        "timeout": PATIENCE,
        "moments": moments,
    }


def example(name: str, **more: Any) -> dict[str, Any]:
    """An example of the checkout, with this Python."""
    found = toml_of((EXAMPLES / name).read_text())
    for key in ("command", "check", "prepare"):
        words = [sys.executable if word == "python3" else word for word in found.get(key, [])]
        if words:
            found[key] = [word.replace("{here}", str(EXAMPLES)) for word in words]
    return {**found, "timeout": PATIENCE, **more}


@pytest.mark.usefixtures("needs_lab")
def test_the_smallest_write_that_hurts_is_found_and_repeated(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    broken = plan(shell(LINES), shell(BROKEN), write=5)
    found = memoom.campaign(broken, output=results)
    check("campaign", found.to_json())
    # Killed before the 13th write it leaves 12 lines.
    assert found.smallest == ("write=13",), str(found)
    assert found.counts["write"] == 24
    statuses = {one.moment: one.status for one in found.moments}
    assert [statuses[f"write={number}"] for number in (5, 10, 15, 20)] == ["passed", "passed", "failed", "passed"]
    assert set(statuses.values()) == {"passed", "failed"}
    for one in found.moments:
        # A real OOM, whose account names the command.
        assert one.oom is not None and one.victim["pid"] in [victim.pid for victim in one.oom.victims]
    assert "write=13 failed" in str(found) and "before its write of 3 bytes to lines" in str(found)

    # Another run that nobody disturbs is needed where it counted no calls.
    timed = {**broken, "moments": {"time": 50.0}}
    assert memoom.campaign(timed, output=tmp_path / "other.jsonl").moments == ()
    assert memoom.campaign({**broken, "moments": {"write": [1]}}, output=tmp_path / "other.jsonl").counts["write"] == 24

    # What has a result is not run again, and what is asked for alone is, to the same end.
    before = results.read_bytes()
    assert memoom.campaign(broken, output=results) == found and results.read_bytes() == before
    again = memoom.campaign(broken, only="write=13", keep=tmp_path / "kept")
    assert [one.status for one in again.moments] == ["failed"] and again.counts is None
    left = tmp_path / "kept/write=13/lines"
    assert again.moments[0].kept == str(left.parent) and left.read_text().split() == [str(n) for n in range(1, 13)]


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_a_file_that_is_written_in_place_is_lost_and_one_that_is_renamed_is_not() -> None:
    found = memoom.campaign(example("in_place.toml"))
    assert found.smallest == ("write=1",), str(found)
    lines = [one for one in found.moments if one.moment.startswith("line")]
    assert [one.status for one in lines] == ["passed"] * 5 and lines[2].doing == "line 'saved 3'"
    right = example("in_place.toml", moments={"write": 2, "fsync": 3, "rename": 2})
    right["command"].append("--rename")
    found = memoom.campaign(right)
    assert found.failed == found.not_tried == () and found.smallest == (), str(found)
    assert (found.counts["write"], found.counts["fsync"], found.counts["rename"]) == (5, 5, 5)


@pytest.mark.usefixtures("needs_lab")
def test_at_a_number_of_charged_bytes_and_at_a_time() -> None:
    # A line for each MiB: what is left says how far it came.
    takes = """
import os
file, held = os.open("lines", os.O_WRONLY | os.O_APPEND), []
for number in range(40):
    held.append(bytearray(1 << 20))
    held[-1][::4096] = b"x" * 256
    os.write(file, b"%d\\n" % number)
"""
    few = shell("number=$(wc -l < lines); [ $number -le 20 ] || [ $number -eq 40 ]")
    found = memoom.campaign(plan([*PYTHON, "-c", takes], few, charged=["16M", "40M", "200M"]))
    assert [(one.moment, one.status) for one in found.moments if one.moment in ("charged=16M", "charged=40M")] == [
        ("charged=16M", "passed"),
        ("charged=40M", "failed"),
    ], str(found)
    # Where no call is a moment none is counted, and nobody is traced.
    assert found.counts["write"] is None and found.counts["charged"] > 40 * MIB
    assert found.moments[-1].status == "not reached" and "never met the limit" in str(found.moments[-1].reason)
    (smallest,) = found.smallest
    # 20 lines and a little for Python itself.
    assert 20 * MIB < memoom.parse_size(smallest.removeprefix("charged=")) < 36 * MIB

    endless = plan(shell("while sleep 0.01; do :; done"), ["true"], time=1)
    found = memoom.campaign(endless, only=["time=0.3"])
    assert found.moments[0].status == "passed" and found.moments[0].victim["comm"] == "sh", str(found)


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_children_and_threads_are_followed() -> None:
    program = """
import os, sys, threading
def write(name):
    with open(name, "wb", buffering=0) as file:
        for number in range(2): file.write(b"x")
write("first")
thread = threading.Thread(target=write, args=["second"]); thread.start(); thread.join()
third = "open('third', 'wb', buffering=0).write(b'x')"
if os.fork() == 0: os.execv(sys.executable, [sys.executable, "-S", "-c", third])
os.wait()
write("fourth")
"""
    here = "import glob, os; print(sorted((name, os.path.getsize(name)) for name in glob.glob('[fst]*')))"
    found = memoom.campaign(plan([*PYTHON, "-c", program], [*PYTHON, "-c", here], write=1))
    assert found.counts["write"] == 7 and {one.status for one in found.moments} == {"passed"}, str(found)
    said = [one.check_output for one in found.moments]
    assert said[2] == "[('first', 2), ('second', 0)]" and said[4] == "[('first', 2), ('second', 2), ('third', 0)]"
    # The one that makes the call is killed: here a child.
    assert found.moments[4].doing == "write of 1 bytes to third"
    main = found.moments[3].oom
    assert main is not None and len(main.victims) == 1


@pytest.mark.usefixtures("needs_lab")
def test_the_callers_own_children_stay_its_own() -> None:
    with subprocess.Popen(["true"]) as ended, subprocess.Popen(["cat"], stdin=subprocess.PIPE) as living:
        found = memoom.campaign(plan(shell(LINES), ["true"], write=[2]))
        assert [one.status for one in found.moments] == ["passed"], str(found)
        assert living.poll() is None and living.stdin is not None
        living.stdin.close()
        assert (ended.wait(PATIENCE), living.wait(PATIENCE)) == (0, 0)


def copied(tmp_path: Path, name: str = "copy") -> Path:
    _copy(str(tmp_path / "workdir"), str(tmp_path / name))
    return tmp_path / name


def test_a_copy_has_its_owners_and_nothing_that_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workdir, outside = tmp_path / "workdir", tmp_path / "outside"
    (workdir / "inner").mkdir(parents=True)
    outside.write_text("precious")
    (workdir / "link").symlink_to(outside)
    (workdir / "inner/program").write_text("#!/bin/sh\n")
    owner = 4321 if os.geteuid() == 0 else os.geteuid()
    for path in (workdir / "inner/program", workdir / "inner"):
        os.chown(path, owner, -1)
    (workdir / "inner/program").chmod(0o4755)
    os.mkfifo(workdir / "fifo")
    if os.geteuid() == 0:
        # Whoever reads it never comes to its end.
        os.mknod(workdir / "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    copy = copied(tmp_path)
    program = (copy / "inner/program").stat()
    assert (program.st_uid, stat.S_IMODE(program.st_mode)) == (owner, 0o4755)
    assert (copy / "inner").stat().st_uid == owner
    assert sorted(os.listdir(copy)) == ["inner", "link"] and os.readlink(copy / "link") == str(outside)

    def refused(*_: object) -> None:
        raise PermissionError

    if os.geteuid() == 0:
        monkeypatch.setattr(os, "chown", refused)
        program = (copied(tmp_path, "ours") / "inner/program").stat()
        assert stat.S_IMODE(program.st_mode) == 0o755, "what runs with the rights of another never runs with ours"


def test_links_of_a_workdir_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("a")
    (tmp_path / "workdir").mkdir()
    (tmp_path / "workdir/link").symlink_to(tmp_path / "large")
    given = {"command": ["true"], "check": ["true"], "workdir": str(tmp_path / "workdir"), "moments": {"write": 1}}
    before = read_plan(given).digest()
    (tmp_path / "large").write_text("b")
    assert read_plan(given).digest() == before
    (tmp_path / "workdir/link").unlink()
    (tmp_path / "workdir/link").symlink_to(tmp_path)
    assert read_plan(given).digest() != before


@pytest.mark.usefixtures("needs_lab")
def test_what_prepare_and_check_leave_running_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    leaves = f"(setsid sleep 1000 & echo $! >> {pids}) >/dev/null 2>&1; sleep 1001 & echo $! >> {pids}"
    left = {**plan(shell("echo a >> lines"), shell(leaves), write=[1]), "prepare": shell(leaves)}
    assert [one.status for one in memoom.campaign(left).moments] == ["passed"]
    # In prepare, and in the check after the run that nobody disturbed and after the kill.
    assert len(pids.read_text().split()) == 6
    gone_within(pids)
    pids.unlink()
    hangs = {**left, "timeout": 5.0, "check": shell(f"sleep 1002 & echo $! >> {pids}; wait")}
    with pytest.raises(memoom.MemoomError, match="no end in 5 s"):
        memoom.campaign(hangs)
    gone_within(pids)


def gone_within(pids: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while running := [pid for pid in pids.read_text().split() if Path(f"/proc/{pid}/exe").exists()]:
        assert time.monotonic() < deadline, f"left: {running}"
        time.sleep(0.01)


@pytest.mark.usefixtures("needs_lab")
def test_results_that_are_none_of_a_campaign_are_refused(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    given = plan(shell("echo a >> lines"), ["true"], write=1)
    memoom.campaign(given, output=results)
    lines = results.read_text().splitlines()
    wrong: list[Any] = [None, {}, [], {"status": "passed"}, {"status": "passed", "counts": {"write": "x"}}]
    for value in wrong:
        results.write_text("\n".join(json.dumps({**json.loads(line), "value": value}) for line in lines) + "\n")
        with pytest.raises(memoom.InvalidInputError, match="is none of a campaign"):
            memoom.campaign(given, output=results)


@pytest.mark.usefixtures("needs_lab")
@pytest.mark.parametrize(
    ("command", "who"),
    [("sleep 1000", "the command"), ("setsid sleep 1000 & exit 0", "what the command has left running")],
)
def test_who_ran_for_too_long_is_named(command: str, who: str) -> None:
    # The shell of the second one has ended by then, also under emulation.
    timeout = PATIENCE / 30
    with pytest.raises(memoom.MemoomError, match=f"campaign: {who} ran for more than {timeout:g} s"):
        memoom.campaign({**plan(shell(command), ["true"], write=1), "timeout": timeout})


def test_a_kill_of_another_one_is_not_counted() -> None:
    oom = memoom.Oom._part({"schema": "memoom.oom/1", "victims": [{"pid": 7, "comm": "other", "cause": "selected"}]})
    assert (
        _killed(oom, {8}, None)["status"] == "not tried" and "took other (pid 7)" in _killed(oom, {8}, None)["reason"]
    )
    assert _killed(oom, {7}, None)["status"] is None and _killed(oom, None, None)["victim"]["comm"] == "other"
    nobody = memoom.Oom._part({"schema": "memoom.oom/1", "victims": []})
    assert "took nobody" in _killed(nobody, None, None)["reason"]


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_the_command_and_its_status(tmp_path: Path, cli: Cli) -> None:
    def file(**more: Any) -> str:
        words = {**plan(shell(LINES), ["true"], write=[3, 4]), **more}
        moments = "".join(f"{name} = {json.dumps(value)}\n" for name, value in words.pop("moments").items())
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in words.items())
        (tmp_path / "campaign.toml").write_text(f"{text}[moments]\n{moments}")
        return str(tmp_path / "campaign.toml")

    done = cli("campaign", file())
    assert done.returncode == 0 and "write            2       2" in done.stdout, done.stdout + done.stderr
    assert len((tmp_path / "campaign.results.jsonl").read_text().splitlines()) == 3
    done = cli("campaign", file(check=["grep", "-q", "5", "lines"]), "--only", "write=5", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["smallest"] == ["write=5"], done.stderr
    # Nobody needs a kill to break that.
    done = cli("campaign", file(command=["sh", "-c", "echo no; exit 3"]))
    assert done.returncode == 125 and "ended with 3 (exited): no" in done.stderr
    for wrong in ({"checks": ["true"]}, {"moments": {"writes": 1}}, {"moments": {"write": 0}}, {"command": []}):
        done = cli("campaign", file(**wrong))
        assert done.returncode == 125 and "campaign.toml: " in done.stderr, wrong
    done = cli("campaign", file(), "--only", "write=x")
    assert done.returncode == 125 and "is no moment" in done.stderr
    done = cli("campaign", file(), "--only", "line=2")
    assert done.returncode == 125 and "no line is looked for" in done.stderr
    assert cli("campaign", str(tmp_path / "absent.toml")).returncode == 125


def sleeping(tmp_path: Path, *options: str) -> tuple[subprocess.Popen[str], Path]:
    """A campaign whose command has begun and does not end, and the directory in which its copies stand."""
    file, began, copies = tmp_path / "campaign.toml", tmp_path / "began", tmp_path / "copies"
    command = json.dumps(["sh", "-c", f"touch {began}; exec sleep 1000"])
    file.write_text(f'command = {command}\ncheck = ["true"]\ntimeout = 2000\n[moments]\ntime = 500\n')
    copies.mkdir()
    words = [sys.executable, "-m", "memoom", "campaign", str(file), *options]
    process = subprocess.Popen(words, env={**os.environ, "TMPDIR": str(copies)}, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE
    while not began.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process, copies


@needs_time
@pytest.mark.usefixtures("needs_lab")
@pytest.mark.parametrize(
    ("number", "options", "said"),
    [
        (signal.SIGINT, [], "interrupted; what was finished is in {here}/campaign.results.jsonl; start again to go on"),
        (signal.SIGINT, ["--only", "time=1000"], "interrupted; no results were kept"),
        (signal.SIGTERM, ["--only", "time=1000"], "interrupted; no results were kept"),
        (signal.SIGHUP, ["--only", "time=1000"], "interrupted; no results were kept"),
    ],
)
def test_a_signal_says_where_the_results_are_and_leaves_no_copies(
    number: signal.Signals, options: list[str], said: str, tmp_path: Path
) -> None:
    process, copies = sleeping(tmp_path, *options)
    with process:
        process.send_signal(number)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number and told == f"memoom campaign: {said.format(here=tmp_path)}\n", told
    assert os.listdir(copies) == []


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_what_a_killed_campaign_has_left_goes_with_the_next_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, copies = sleeping(tmp_path)
    with process:
        process.kill()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    (left,) = os.listdir(copies)
    # Also where nobody but the user may read what is the user's, and what was kept of one to look at it.
    kept = [copies / name for name in ("memoom-campaign-my_notes", "memoom-campaign-saved", "other")]
    kept[0].mkdir(mode=0o700)
    shutil.copytree(copies / left, kept[1])
    kept[2].mkdir(mode=0o755)
    with place() as one, place() as another:
        there = {entry.path for entry in os.scandir(copies)}
        assert (kept[1] / "work").is_dir()
        assert there == {one, another, *map(str, kept)} and left not in os.listdir(copies)
    assert sorted(copies.iterdir()) == kept


@pytest.mark.usefixtures("needs_lab")
def test_where_no_moment_comes_nothing_was_checked(tmp_path: Path, cli: Cli) -> None:
    found = memoom.campaign(plan(shell(LINES), ["true"], write=[500]))
    assert not found.tried and not found.failed and "No moment came, so nobody was killed" in str(found)
    (tmp_path / "none.toml").write_text('command = ["true"]\ncheck = ["true"]\n[moments]\nwrite = 1\n')
    done = cli("campaign", str(tmp_path / "none.toml"))
    assert done.returncode == 125 and "No moment came" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"check": "true"}, "list of words"),
        ({"workdir": "/no/such/directory"}, "is no directory"),
        ({"timeout": 0}, "no time span"),
        ({"moments": {}}, "no moment is wanted"),
        ({"moments": {"line": "("}}, "no regular expression"),
        ({"moments": {"line": {"match": "x", "every": 2}}}, "give an expression"),
        ({"moments": {"charged": "4Q"}}, "4Q"),
        ({"moments": {"write": []}}, "write is empty"),
        ({"moments": {"fsnc": 1}}, "did you mean 'fsync'"),
        ({"comand": ["true"]}, "did you mean 'command'"),
    ],
)
def test_what_is_no_campaign_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(memoom.InvalidInputError, match=said.replace("(", r"\(")):
        read_plan({**plan(["true"], ["true"], write=1), **wrong})


def test_more_moments_than_anybody_wants_are_refused() -> None:
    many = read_plan(plan(["true"], ["true"], write=1, most=100))
    with pytest.raises(memoom.InvalidInputError, match="take each 3th"):
        many.moments({"write": 250})
    assert len(many.moments({"write": 100})) == 100
    # v2 before about 5.19 keeps no mark of the peak.
    charged = plan(["true"], ["true"], charged="1M")
    with pytest.raises(memoom.InvalidInputError, match="keeps no mark"):
        read_plan(charged).moments({"charged": None})
    assert len(read_plan({**charged, "moments": {"charged": ["8M"]}}).moments({"charged": None})) == 1


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_sqlite_with_and_without_a_journal() -> None:
    durable = example("sqlite.toml", moments={"write": 9, "fsync": 4, "rename": 1})
    found = memoom.campaign(durable)
    assert found.failed == found.not_tried == (), str(found)
    found = memoom.campaign(example("sqlite-no-journal.toml", moments={"write": [1, 3]}))
    assert [one.status for one in found.moments if one.moment in ("write=1", "write=3")] == ["passed", "failed"]
    assert "where 2000 should be" in str(found)


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_what_redis_has_acknowledged_is_there() -> None:
    if shutil.which("redis-check-rdb") is None:
        skip("redis-tools is not installed")
    found = memoom.campaign(example("redis.toml", moments={"write": 7, "line": {"match": "^stored", "at": [4]}}))
    assert found.failed == found.not_tried == (), str(found)
    assert {one.victim["comm"] for one in found.moments} == {"redis-server"}

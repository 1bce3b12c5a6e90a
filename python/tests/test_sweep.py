"""Sweeps: what a trial is, files that survive deaths, executors, budgets, tables, the command."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, Cli, needs_time
from sweep_driver import trials as dask_trials

import memoom
from memoom._sweep import budget, plan, store

# How many trials the sweep over Dask has whose driver is killed twice.
COUNT = int(os.environ.get("MEMOOM_SWEEP_TRIALS", "60"))

needs_lab = pytest.mark.usefixtures("needs_lab")


def double(trial: dict[str, Any]) -> Any:
    return 2 * trial["number"]


def fail(trial: dict[str, Any]) -> None:
    raise ValueError(f"trial {trial['number']} is wrong")


def die(trial: dict[str, Any]) -> int:
    if trial["number"] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0


def numbers(count: int) -> list[dict[str, int]]:
    return [{"number": number} for number in range(count)]


# Trials as plain data.


def test_keys_are_stable() -> None:
    assert plan.key_of({"limit": "64M", "argv": ["true"]}) == plan.key_of({"argv": ["true"], "limit": "64M"})
    # Written down: a new release must not run finished trials again.
    assert plan.key_of({"limit": "64M", "argv": ["true"]}) == "d9426c2d870dc7c6"
    assert plan.key_of({"key": "mine", "argv": ["true"]}) == "mine"
    for trial in ({"key": 7}, {"key": ""}, {"x": object()}, {"x": float("nan")}):
        with pytest.raises(memoom.InvalidInputError, match="remedy"):
            plan.key_of(trial)


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        ({"limit": "64M"}, "has 0 of argv, function, hogs"),
        ({"argv": ["true"], "hogs": []}, "has 2 of argv"),
        ({"argv": ["true"], "colour": "red"}, "has no 'colour'; remedy: put what is your own under 'parameters'"),
        ({"hogs": [], "args": []}, "has no 'args'"),
    ],
)
def test_what_is_no_trial(trial: dict[str, Any], message: str) -> None:
    with pytest.raises(memoom.InvalidInputError, match=message):
        memoom.sweep([trial])


def test_one_key_twice() -> None:
    with pytest.raises(memoom.InvalidInputError, match=r"two trials have the key .*repeat"):
        memoom.sweep([{"argv": ["true"]}, {"argv": ["true"]}])
    with pytest.raises(memoom.InvalidInputError, match="is no trial"):
        memoom.sweep([["true"]])  # type: ignore[list-item]


def test_a_grid() -> None:
    base = {"argv": ["program", "{size}", "{size}-{mode}", "{other} {}"], "timeout": 9}
    found = plan.expand(base, {"limit": ["1M", "2M"], "size": [3], "mode": ["a", "b"], "repeat": 2}, [{"limit": "5M"}])
    assert len(found) == 9 and len(plan.keyed(found, known=True)) == 9
    assert found[0] == {**base, "limit": "5M"}
    assert found[1] == {
        "argv": ["program", "3", "3-a", "{other} {}"],
        "timeout": 9,
        "limit": "1M",
        "parameters": {"size": 3, "mode": "a", "repeat": 0},
    }
    with pytest.raises(memoom.InvalidInputError, match=r"axis 'size' .* is 3; remedy"):
        plan.expand(base, {"size": 3})


def test_files_of_trials(tmp_path: Path) -> None:
    document = {"base": {"argv": ["true"]}, "grid": {"limit": ["1M", "2M"]}}
    files = {
        "a.json": json.dumps(document),
        "b.json": json.dumps([{"argv": ["true"], "limit": "1M"}, {"argv": ["true"], "limit": "2M"}]),
        "c.jsonl": '{"argv": ["true"], "limit": "1M"}\n\n{"argv": ["true"], "limit": "2M"}\n',
        "d.toml": 'schema = "memoom.sweep/1"\n[base]\nargv = ["true"]\n[grid]\nlimit = ["1M", "2M"]\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        assert plan.read_trials(tmp_path / name) == [
            {"argv": ["true"], "limit": "1M"},
            {"argv": ["true"], "limit": "2M"},
        ]
    for name, text, message in (
        ("x.yaml", "", "ends in none of"),
        ("x.json", "{", "x.json: "),
        ("x.toml", "=", "x.toml: "),
        ("y.json", '{"grids": {}}', "it has grids"),
        ("z.json", '{"schema": "memoom.sweep/9"}', "another schema"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(memoom.InvalidInputError, match=message):
            plan.read_trials(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("deep.json", "[" * 100_000, "nested too deeply"),
        ("deep.jsonl", '{"argv": ' + "[" * 100_000 + "\n", "nested too deeply"),
        ("deep.toml", "argv = " + "[" * 100_000, "nested too deeply"),
        (
            "deep.toml",
            '[base]\nx.y = "' + "a" + '"\n[grid]\nz = [' + "[" * 2000 + "]" * 2000 + "]",
            "nested too deeply",
        ),
        ("grid.json", '{"grid": 3}', r"grid.json: the grid is 3; remedy: give a table"),
        ("grid.json", '{"grid": [["limit"]]}', "the grid is .*; remedy: give a table"),
        ("base.json", '{"base": ["true"]}', "the base is .*; remedy: give a table"),
        ("trials.json", '{"trials": 7}', "trials is 7; remedy: give a list of tables"),
        ("trials.json", '{"trials": {"argv": 1}}', "give a list of tables"),
        ("trials.json", '{"trials": ["true"]}', "a trial is 'true'; remedy: give a table"),
        ("list.json", '["true"]', "a trial is 'true'; remedy: give a table"),
        ("scalar.json", "5", "it is 5; remedy: give a table"),
        ("null.json", "null", "it is None; remedy"),
        ("parameters.json", '{"base": {"parameters": 1}, "grid": {"a": [1]}}', "the parameters is 1; remedy"),
        (
            "repeat.toml",
            "[grid]\nrepeat = 1_000_000_000_000",
            "the grid has 1000000000000 points; remedy: give at most",
        ),
        ("repeat.toml", f"[grid]\nrepeat = {10**30}", "the grid has 10+ points"),
        ("repeat.toml", "[grid]\nrepeat = -1", "the axis 'repeat' of the grid is range"),
        ("product.json", json.dumps({"grid": {f"axis{at}": list(range(100)) for at in range(9)}}), "has 10{18} points"),
    ],
)
def test_files_that_nobody_could_run(tmp_path: Path, name: str, text: str, message: str) -> None:
    """Each is one clear error, at once, and no RecursionError, TypeError or MemoryError."""
    (tmp_path / name).write_text(text)
    with pytest.raises(memoom.InvalidInputError, match=message):
        plan.keyed(plan.read_trials(tmp_path / name), known=True)


def test_a_trial_that_is_nested_too_deeply() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(memoom.InvalidInputError, match="nested too deeply"):
        memoom.sweep([{"argv": deep}])


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    odd = "a\u2028b\u2029c\x85d\x0be\x1cf"
    file = tmp_path / "odd.jsonl"
    file.write_bytes((json.dumps({"argv": [odd]}, ensure_ascii=False) + "\r\n").encode().replace(b"\x0b", b"\\u000b"))
    file.write_bytes(file.read_bytes().replace(b"\x1c", b"\\u001c"))
    assert plan.read_trials(file) == [{"argv": [odd]}]
    output = tmp_path / "results"
    memoom.sweep([{"number": 1, "text": odd}], run=double, output=output)
    assert memoom.read_results(output)[0].trial["text"] == odd
    # What is not UTF-8 comes back as it was given.
    memoom.sweep([{"number": 2, "text": "\udcff"}], run=double, output=output)
    assert memoom.read_results(output)[1].trial["text"] == "\udcff"


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        ({"argv": ["true"], "limits": "8M"}, r"has no 'limits' \('limits': did you mean 'limit'\?\)"),
        ({"argc": ["true"]}, r"has 0 of argv, function, hogs \('argc': did you mean 'argv'\?\)"),
        ({"argv": ["true"], "timeout": -1}, "the timeout -1 of a trial is no time span"),
        ({"argv": ["true"], "timeout": float("nan")}, "the timeout nan of a trial is no time span"),
        ({"argv": ["true"], "timeout": "1s"}, "the timeout '1s' of a trial is no time span"),
        ({"argv": ["true"], "parameters": [1]}, "are no table"),
    ],
)
def test_what_was_meant(trial: dict[str, Any], message: str) -> None:
    with pytest.raises(memoom.InvalidInputError, match=message):
        memoom.sweep([trial])


def test_shards_are_a_partition() -> None:
    trials = plan.keyed(numbers(200), known=False)
    parts = [plan.shard(trials, f"{number}/7") for number in range(7)]
    assert sorted(key for part in parts for key in part) == sorted(trials)
    assert all(10 < len(part) < 60 for part in parts)
    # What is added later moves nothing.
    more = plan.keyed(numbers(300), known=False)
    assert all(set(part) <= set(plan.shard(more, f"{number}/7")) for number, part in enumerate(parts))
    for text in ("7/7", "x", "1", "-1/2", "0/0"):
        with pytest.raises(memoom.InvalidInputError, match="is no shard"):
            plan.shard(trials, text)


# Executors.


@pytest.mark.parametrize("kind", ["none", "threads", "processes"])
def test_a_function_of_the_callers(kind: str) -> None:
    pools: dict[str, Any] = {
        "none": contextlib.nullcontext,
        "threads": lambda: ThreadPoolExecutor(3),
        "processes": lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")),
    }
    with pools[kind]() as executor:
        results = memoom.sweep(numbers(300), executor=executor, run=double)
    assert [result.value for result in results] == [2 * number for number in range(300)]
    assert {result.status for result in results} == {"returned"} and results.errors == ()
    assert repr(results) == "SweepResults(300: 300 returned)"


def test_a_trial_that_fails_is_a_result() -> None:
    results = memoom.sweep(numbers(3), run=fail)
    assert len(results.errors) == 3
    error = results[2].error
    assert error is not None and (error.type, error.kind, error.message) == ("ValueError", None, "trial 2 is wrong")


def test_what_is_no_executor() -> None:
    class Client:
        def get_executor(self) -> None: ...

    with pytest.raises(memoom.InvalidInputError, match=r"Client is no executor; remedy: give client\.get_executor"):
        memoom.sweep(numbers(1), executor=Client(), run=double)  # type: ignore[arg-type]
    with pytest.raises(memoom.InvalidInputError, match=r"int is no executor"):
        memoom.sweep(numbers(1), executor=4, run=double)  # type: ignore[arg-type]


class Losing(Executor):
    """Loses each trial some times before it runs it."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.seen: dict[str, int] = {}

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.seen[args[0]] = self.seen.get(args[0], 0) + 1
        if self.seen[args[0]] <= self.times:
            future.set_exception(ConnectionError("the worker has gone"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_lost_worker_is_tried_again_and_then_said() -> None:
    results = memoom.sweep(numbers(4), executor=Losing(2), run=double)
    assert [(result.value, result.attempt) for result in results] == [(0, 3), (2, 3), (4, 3), (6, 3)]
    results = memoom.sweep(numbers(4), executor=Losing(3), run=double)
    assert len(results.errors) == 4
    assert (
        results[0].error is not None and results[0].error.message == "its worker was lost 3 times: the worker has gone"
    )


def test_a_broken_pool_keeps_what_was_finished(tmp_path: Path) -> None:
    output = tmp_path / "results"
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor, pytest.raises(BrokenProcessPool) as caught:
        memoom.sweep(numbers(9), executor=executor, run=die, output=output)
    assert "start again to go on" in caught.value.__notes__[0]
    known = memoom.read_results(output)
    assert 0 < len(known) < 9
    results = memoom.sweep(numbers(9), run=double, output=output)
    assert len(results) == 9 and set(known) <= set(results)


# The file of results.


def test_a_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    output = tmp_path / "results"
    first = memoom.sweep(numbers(5), run=double, output=output)
    again = memoom.sweep(numbers(8), run=fail, output=output)
    assert again[:5] == first and len(again.errors) == 3
    assert len(output.read_text().splitlines()) == 8
    assert memoom.sweep(numbers(8), run=double, output=output) == again
    retried = memoom.sweep(numbers(8), run=double, output=output, retry_errors=True)
    assert [result.value for result in retried] == [2 * number for number in range(8)]
    # The later line of a key counts.
    assert len(output.read_text().splitlines()) == 11 and set(memoom.read_results(output)) == set(retried)


@pytest.mark.parametrize("cut", [1, 2, 30, "newline"])
def test_a_torn_last_line(tmp_path: Path, cut: int | str) -> None:
    output = tmp_path / "results"
    whole = memoom.sweep(numbers(3), run=double, output=output)
    content = output.read_bytes()
    lines = content.splitlines(keepends=True)
    output.write_bytes(content[:-1] if cut == "newline" else b"".join(lines[:2]) + lines[2][: int(cut)])
    assert len(memoom.read_results(output)) == (3 if cut == "newline" else 2)
    again = memoom.sweep(numbers(3), run=double, output=output)
    assert [result.value for result in again] == [result.value for result in whole]
    assert len(memoom.read_results(output)) == 3 and output.read_bytes().count(b"\n") == 3


def test_what_is_no_file_of_results(tmp_path: Path) -> None:
    output = tmp_path / "results"
    memoom.sweep(numbers(2), run=double, output=output)
    first, second = output.read_text().splitlines(keepends=True)
    output.write_text(f"{first}no result\n{second}")
    for call in (lambda: memoom.sweep([], output=output), lambda: memoom.read_results(output)):
        with pytest.raises(memoom.InvalidInputError, match=r"results, line 2: .*remedy"):
            call()
    assert output.read_text().count("\n") == 3
    with pytest.raises(memoom.IoError, match="No such file"):
        memoom.sweep([], output=tmp_path / "none" / "results")


RESULT = (
    json.dumps(
        {
            "schema": "memoom.result/1",
            "key": "a",
            "status": "exited",
            "trial": {},
            "host": {"node": "x", "release": "y"},
        }
    )
    .replace(": ", ":")
    .replace(", ", ",")
)


@pytest.mark.parametrize(
    "content",
    [
        b"my notes",
        b"my notes\n",
        b"{",
        b'{"key": "a"}\n',
        b'{"key": "a"}',
        b'{"schema": "memoom.outcome/1", "key": "a"}\n',
        RESULT.encode() + b"\nmy notes",
        RESULT.encode() + b"\nmy notes\n",
        # A result that was torn stands behind whole ones.
        RESULT.encode()[:40],
        RESULT.replace('"key":"a"', '"key":7').encode() + b"\n",
        RESULT.replace('"trial":{}', '"trial":[]').encode() + b"\n",
        RESULT.replace('"host":{', '"hosts":{').encode() + b"\n",
        b"[" * 200_000 + b"\n",
        bytes(range(256)) * 16,
    ],
)
def test_a_file_that_is_not_ours_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Whatever it holds, it is refused before any trial runs, and not one byte of it is touched."""
    output = tmp_path / "notes.txt"
    output.write_bytes(content)
    before = output.stat().st_mtime_ns
    for call in (lambda: memoom.sweep(numbers(1), run=fail, output=output), lambda: memoom.read_results(output)):
        with pytest.raises(memoom.InvalidInputError, match=r"notes\.txt.*remedy"):
            call()
    assert output.read_bytes() == content and output.stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_command_leaves_notes_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("my notes")
    (tmp_path / "trials.jsonl").write_text('{"argv": ["true"], "limit": "8M"}\n')
    for option in ("--output", "--parquet"):
        done = cli("sweep", "trials.jsonl", option, "notes.txt")
        assert done.returncode == 1 and "notes.txt" in done.stderr and "remedy" in done.stderr, done
        assert (tmp_path / "notes.txt").read_text() == "my notes"
    # The table was refused before the trials were run.
    assert not (tmp_path / "trials.results.jsonl").exists()


def test_no_planted_link_is_followed(tmp_path: Path) -> None:
    """Not for the results, not for their lock, not for a table: neither to a file nor to where none is yet."""
    victim, nowhere = tmp_path / "victim", tmp_path / "nowhere"
    victim.write_text("precious")
    for target in (victim, nowhere):
        for name in ("linked", "results.lock", "linked.parquet"):
            (tmp_path / name).symlink_to(target)
        for call in (
            lambda: memoom.sweep(numbers(1), run=fail, output=tmp_path / "linked"),
            lambda: memoom.sweep(numbers(1), run=fail, output=tmp_path / "results"),
            lambda: memoom.SweepResults(()).to_parquet(tmp_path / "linked.parquet"),
        ):
            with pytest.raises(memoom.InvalidInputError, match="symbolic link, which is not followed; remedy"):
                call()
        for name in ("linked", "results.lock", "linked.parquet"):
            assert (tmp_path / name).is_symlink()
            (tmp_path / name).unlink()
    assert victim.read_text() == "precious" and not nowhere.exists()
    # A file of the user's that has the name of a lock is neither emptied nor removed.
    (tmp_path / "results.lock").write_text("mine")
    with pytest.raises(memoom.InvalidInputError, match=r"results\.lock: it is no lock of a sweep"):
        memoom.sweep(numbers(1), run=fail, output=tmp_path / "results")
    assert (tmp_path / "results.lock").read_text() == "mine"
    os.mkfifo(tmp_path / "pipe")
    for place in ("pipe", "/dev/null", tmp_path):
        with pytest.raises((memoom.InvalidInputError, memoom.IoError), match=r"no regular file|Is a directory"):
            memoom.sweep(numbers(1), run=fail, output=tmp_path / place)


def test_a_table_replaces_only_tables(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    results = memoom.sweep(numbers(2), run=double)
    table, other = tmp_path / "table.parquet", tmp_path / "other.parquet"
    results.to_parquet(table)
    results[:1].to_parquet(table)
    assert polars.read_parquet(table).height == 1 and table.stat().st_mode & 0o777 == 0o666 & ~umask()
    polars.DataFrame({"mine": [1, 2]}).write_parquet(other)
    (tmp_path / "notes.txt").write_text("my notes")
    for path in (other, tmp_path / "notes.txt"):
        before = path.read_bytes()
        with pytest.raises(memoom.InvalidInputError, match="it is no table of results of memoom, and left as it is"):
            results.to_parquet(path)
        assert path.read_bytes() == before
    with pytest.raises(memoom.IoError, match="No such file"):
        results.to_parquet(tmp_path / "none" / "table.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "other.parquet", "table.parquet"]


def umask() -> int:
    old = os.umask(0)
    os.umask(old)
    return old


@pytest.mark.parametrize("missing", ["polars", "pandas", "pyarrow", "distributed"])
def test_what_is_not_installed_is_said_first(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The remedy, and not one trial was run for nothing."""
    from memoom._cli import main

    monkeypatch.chdir(tmp_path)
    for module in [missing] if missing != "pyarrow" else ["pyarrow", "polars"]:
        monkeypatch.setitem(sys.modules, module, None)
    extra = {"distributed": "dask", "pyarrow": "parquet"}.get(missing, missing)
    results = memoom.sweep(numbers(1), run=double)
    if missing in ("polars", "pandas"):
        with pytest.raises(memoom.MissingExtraError, match=rf"pip install 'memoom\[{extra}\]'"):
            getattr(results, f"to_{missing}")()
        return
    if missing == "pyarrow":
        with pytest.raises(memoom.MissingExtraError, match=rf"pip install 'memoom\[{extra}\]'"):
            results.to_parquet(tmp_path / "table.parquet")
    (tmp_path / "trials.jsonl").write_text('{"argv": ["touch", "run"]}\n')
    more = ["--parquet", "table.parquet"] if missing == "pyarrow" else ["--executor", "dask:tcp://127.0.0.1:1"]
    assert main(["sweep", "trials.jsonl", *more]) == 1
    assert f"pip install 'memoom[{extra}]'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["trials.jsonl"]


def test_one_sweep_at_a_time_writes_a_file(tmp_path: Path) -> None:
    output = tmp_path / "results"
    with store.Store(output):
        with pytest.raises(memoom.BusyError, match="another sweep writes it; remedy"):
            memoom.sweep(numbers(1), run=double, output=output)
        script = f"import memoom; memoom.sweep([], output={str(output)!r})"
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
        assert "BusyError" in other.stderr
        # A look at the file in between takes nothing away.
        assert len(memoom.read_results(output)) == 0
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
        assert "BusyError" in other.stderr
    memoom.sweep(numbers(1), run=double, output=output)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_full_disk_tears_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "results"
    with store.Store(output) as file:
        file.append(RESULT)
        real = os.write

        def half(fd: int, data: Any) -> int:
            if len(data) < 8:
                raise OSError(28, "No space left on device")
            return real(fd, bytes(data)[: len(data) // 2])

        monkeypatch.setattr(store.os, "write", half)
        with pytest.raises(memoom.IoError, match="No space left on device; remedy"):
            file.append('{"key": "b", "value": 1}')
        monkeypatch.undo()
        assert output.read_text() == f"{RESULT}\n"
        file.append(RESULT.replace('"a"', '"c"'))
    assert [result.key for result in memoom.read_results(output)] == ["a", "c"]


def test_results_of_shards(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}" for number in range(3)]
    for number, file in enumerate(files):
        memoom.sweep(numbers(30), run=double, output=file, shard=f"{number}/3")
    assert sorted(result.value for result in memoom.read_results(*files)) == [2 * number for number in range(30)]
    with pytest.raises(memoom.InvalidInputError, match="has a result in another file already"):
        memoom.read_results(files[0], files[0])


# Real trials.


@needs_lab
def test_the_kinds_of_trials(tmp_path: Path) -> None:
    take = [sys.executable, "-c", "import sys; print('takes'); sys.stdout.flush(); bytearray(int(sys.argv[1]) << 20)"]
    trials: list[dict[str, Any]] = [
        {"argv": [*take, "200"], "limit": "64M"},
        {"argv": [*take, "1"], "limit": "64M", "parameters": {"own": 7}},
        {"argv": ["sh", "-c", "echo $WORD; pwd; exit 3"], "limit": "8M", "env": {"WORD": "w"}, "cwd": str(tmp_path)},
        {"argv": ["sleep", "1000"], "limit": "8M", "timeout": 0.2},
        {"argv": ["/no/such/program"], "limit": "8M"},
        {"function": "math:pow", "args": [2, 5], "limit": "64M"},
        {"function": "builtins:bytearray", "args": [200 << 20], "limit": "64M"},
        {"function": "math:no.such", "limit": "64M"},
        {"hogs": [{"name": "one", "step": "2M"}, {"name": "two", "step": "3M"}], "limit": "16M"},
        {"hogs": [{"name": "one", "step": "2M"}], "limit": "16M", "steps": 2},
    ]
    output = tmp_path / "results"
    results = memoom.sweep(trials, output=output)
    assert [result.status for result in results] == [
        *("oom-killed", "exited", "exited", "timeout", "error"),
        *("returned", "oom-killed", "raised", "oom-killed", "grew"),
    ]
    killed, lived, said, _, none, power, array, missing, hogs, grew = results
    assert killed.oom_killed and isinstance(killed.outcome, memoom.Outcome) and killed.output == "takes\n"
    assert len(killed.ooms) == 1 and killed.ooms[0].limit_bytes == 64 << 20
    assert "was killed in an OOM" in str(killed) and "What would help" in str(killed) and str(none) == repr(none)
    assert lived.outcome is not None and lived.outcome.returncode == 0 and lived.ooms == ()
    assert said.output == f"w\n{tmp_path}\n"
    assert none.error is not None and none.error.kind == "not-found" and "/no/such/program" in none.error.message
    assert power.value == 32.0 and array.oom_killed and "has no attribute 'no'" in (missing.error or power).message
    (oom,) = hogs.ooms
    assert oom.victim is not None and oom.victim.comm in ("one", "two") and hogs.outcome is None
    assert "\nOOM in " in str(hogs)
    assert [hog["name"] for hog in hogs.value] == ["one", "two"] and any(hog["ended"] for hog in hogs.value)
    assert grew.value[0]["total_bytes"] == 4 << 20

    assert memoom.sweep(trials, output=output) == results
    assert pickle.loads(pickle.dumps(results)) == results
    rows = results.rows()
    assert rows[1]["own"] == 7 and rows[0]["own"] is None and rows[0]["victim"].startswith("python")
    assert rows[8]["victim"] in ("one", "two") and rows[8]["limit_bytes"] == 16 << 20 and rows[8]["ooms"] == 1


@needs_lab
@needs_time
def test_tables(tmp_path: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    results = memoom.sweep(
        [
            {"hogs": [{"name": "hog", "step": "2M"}], "limit": limit, "steps": 3, "parameters": {"factor": factor}}
            for limit in ("4M", "16M")
            for factor in (1, 2.5)
        ]
    )
    table = results.to_pandas()
    assert list(table["status"]) == ["oom-killed", "oom-killed", "grew", "grew"]
    assert list(table["factor"]) == [1.0, 2.5, 1.0, 2.5]
    assert results.to_polars().rows(named=True)[0]["victim"] == "hog"
    results.to_parquet(tmp_path / "table.parquet")
    again = polars.read_parquet(tmp_path / "table.parquet")
    assert again.equals(results.to_polars()) and len(pandas.read_parquet(tmp_path / "table.parquet")) == 4
    assert memoom.sweep([]).to_pandas().empty and memoom.sweep([]).to_polars().is_empty()


# The budget of the host.


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host of its own."""
    monkeypatch.setattr(budget, "_place", lambda: tmp_path)
    return tmp_path


def test_reservations_wait_for_room(place: Path) -> None:
    running = most = 0
    lock = threading.Lock()

    def hold(_number: int) -> None:
        nonlocal running, most
        with budget.reserve(30, 100):
            with lock:
                running += 1
                most = max(most, running)
            with lock:
                running -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, range(50)))
    assert 1 <= most <= 3 and not list(place.glob("*.held"))
    with pytest.raises(memoom.OutOfMemoryError, match="above the budget of 100 bytes"), budget.reserve(101, 100):
        pass
    with budget.reserve(1 << 20):
        assert int((place / "total").read_text()) > 1 << 20
    with pytest.raises(ZeroDivisionError), budget.reserve(1, 1):
        raise ZeroDivisionError
    assert not list(place.glob("*.held"))


def test_the_dead_hold_nothing(place: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom memoom._sweep import budget\n"
        f"budget._place = lambda: Path({str(place)!r})\n"
        "with budget.reserve(80, 100):\n print('held', flush=True)\n time.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert budget._held(place) == [80]
        with budget.reserve(20, 100):
            pass
        waiter = threading.Thread(target=lambda: budget.reserve(50, 100).__enter__())
        waiter.start()
        other.kill()
        waiter.join(PATIENCE)
        assert not waiter.is_alive()


@needs_lab
def test_a_sweep_keeps_to_its_budget() -> None:
    trials = [{"argv": ["true"], "limit": limit} for limit in ("8M", "16M", "1G")]
    results = memoom.sweep(trials, budget="16M")
    assert [result.status for result in results] == ["exited", "exited", "error"]
    assert results[2].error is not None and results[2].error.kind == "out-of-memory"


# Dask.


def dask_driver(output: Path, count: int) -> subprocess.Popen[str]:
    program = Path(__file__).with_name("sweep_driver.py")
    return subprocess.Popen([sys.executable, program, str(output), str(count)], stdout=subprocess.PIPE, text=True)


def wait_for_lines(path: Path, count: int, driver: subprocess.Popen[str]) -> None:
    """Until the file has so many lines: what the driver writes is what there is to wait for."""
    import time

    deadline = time.monotonic() + 600
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)


@needs_lab
@needs_time
def test_a_sweep_on_dask_whose_driver_is_killed_twice(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    output = tmp_path / "results"
    for part in (0.25, 0.6):
        with dask_driver(output, COUNT) as driver:
            wait_for_lines(output, int(COUNT * part), driver)
            driver.kill()
    before = output.read_bytes().count(b"\n")
    assert 0 < before < COUNT
    with dask_driver(output, COUNT) as driver:
        assert driver.stdout is not None and driver.stdout.read().splitlines()[-1:] == [str(COUNT)]
        assert driver.wait(PATIENCE) == 0
    keys = [json.loads(line)["key"] for line in output.read_text().splitlines()]
    assert len(keys) == COUNT and sorted(keys) == sorted(map(plan.key_of, dask_trials(COUNT)))
    for result in memoom.read_results(output):
        number = result.trial["parameters"]["number"]
        assert result.status == ("grew" if number % 5 == 0 else "oom-killed"), result
        assert [oom.victim.comm for oom in result.ooms if oom.victim] == ([f"hog_{number}"] if number % 5 else [])


@needs_lab
@needs_time
def test_a_worker_of_dask_is_killed_in_the_middle(tmp_path: Path, cli: Cli) -> None:
    distributed: Any = pytest.importorskip("distributed")
    output = tmp_path / "results"
    count = 24
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(cluster.workers.values())).pid

        results: list[memoom.SweepResults] = []
        sweep = threading.Thread(
            target=lambda: results.append(
                memoom.sweep(dask_trials(count), executor=client.get_executor(), output=output)
            )
        )
        sweep.start()
        while not output.exists() or output.read_bytes().count(b"\n") < 5:
            sweep.join(0.005)
        os.kill(victim, signal.SIGKILL)
        sweep.join(600)
        assert len(results) == 1 and len(results[0]) == count and not results[0].errors
        # What is left of the cluster, through the command.
        (tmp_path / "trials.json").write_text(json.dumps(dask_trials(4)))
        done = cli("sweep", "trials.json", "--executor", f"dask:{cluster.scheduler_address}", timeout=300)
        assert done.returncode == 0 and done.stdout.startswith("4 trials: 1 grew, 3 oom-killed"), done.stderr
    assert output.read_bytes().count(b"\n") == count


# The command.


@needs_lab
@needs_time
def test_the_command(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "trials.toml").write_text(
        "[base]\n"
        f'argv = ["{sys.executable}", "-c", "bytearray({{size}} << 20)"]\n'
        '[grid]\nlimit = ["48M"]\nsize = [1, 100]\nrepeat = 2\n'
        '[[trials]]\nargv = ["true"]\nlimit = "8M"\n'
    )
    done = cli("sweep", "trials.toml", "--progress", "--parquet", "table.parquet")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "5 trials: 3 exited, 2 oom-killed; in trials.results.jsonl\n"
    assert "5/5" in done.stderr or "5 of 5" in done.stderr
    assert (tmp_path / "table.parquet").stat().st_size > 0
    before = (tmp_path / "trials.results.jsonl").read_bytes()
    done = cli("sweep", "trials.toml", "--json", "--executor", "processes", "--jobs", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()].count("oom-killed") == 2
    assert (tmp_path / "trials.results.jsonl").read_bytes() == before
    for number in range(2):
        assert cli("sweep", "trials.toml", "--shard", f"{number}/2").returncode == 0
    parts = sorted(tmp_path.glob("trials.*-of-2.results.jsonl"))
    assert len(memoom.read_results(*parts)) == 5

    (tmp_path / "bad.jsonl").write_text('{"argv": ["/no/such"], "limit": "8M"}\n')
    done = cli("sweep", "bad.jsonl")
    assert done.returncode == 1 and "1 error" in done.stdout and "could not be run" in done.stderr
    for arguments, message in (
        (["none.toml"], "none.toml"),
        (["trials.toml", "--shard", "3/2"], "is no shard"),
    ):
        done = cli("sweep", *arguments)
        assert done.returncode == 1 and message in done.stderr, done.stderr
    for wrong in (["--jobs", "0"], ["--executor", "clouds"]):
        assert cli("sweep", "trials.toml", *wrong).returncode == 2


@needs_lab
@needs_time
def test_ctrl_c_ends_the_command_at_once(tmp_path: Path) -> None:
    (tmp_path / "trials.json").write_text(
        json.dumps([{"argv": ["sh", "-c", f"echo > {tmp_path}/began; sleep 1000"], "limit": "8M"}])
    )
    argv = [sys.executable, "-m", "memoom", "sweep", "trials.json"]
    with subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "began").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr is not None and "start again to go on" in process.stderr.read()


def test_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    memoom.sweep(numbers(4), run=double)
    assert capsys.readouterr().err == ""
    memoom.sweep(numbers(4), run=double, progress=True)
    assert "4/4" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    memoom.sweep(numbers(4), run=fail, progress=True)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "memoom sweep: 4 of 4, 4 could not be run, 0:00 left"

"""``memoom.fit`` and ``memoom fit``: the least limit of programs whose need is known."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import needs_time
from test_schema import check

import memoom
from memoom._sweep.plan import expand

MIB = 1 << 20
HOLDS = "held = bytearray({0} << 20)\nfor at in range(0, len(held), 4096): held[at] = 1"

# The same where a shell stands between.
TAKES = "import os; held = bytearray(int(os.environ['MIB']) << 20); held[::4096] = b'x' * len(held[::4096])"


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "memoom", "fit", *arguments], capture_output=True, text=True)


@pytest.mark.usefixtures("needs_lab")
def test_the_least_limit_is_found() -> None:
    fitted = memoom.fit([sys.executable, "-S", "-c", HOLDS.format(40)], most="512M")
    assert fitted.limit_bytes is not None and fitted.failed_bytes is not None
    assert 40 * MIB < fitted.limit_bytes < 64 * MIB
    assert fitted.limit_bytes - fitted.failed_bytes <= fitted.limit_bytes // 50 + 4096
    assert len(fitted.runs) <= 12 and fitted.runs[0].limit_bytes == 512 * MIB and fitted.runs[0].passed
    assert "It passes under" in str(fitted)


@pytest.mark.usefixtures("needs_lab")
def test_the_command_gives_the_answer_as_text_and_json() -> None:
    done = cli("--most", "256M", "--json", "--", sys.executable, "-S", "-c", HOLDS.format(20))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "memoom.fit/1" and 20 * MIB < document["limit_bytes"] < 40 * MIB
    done = cli("--most", "64M", "--runs", "2", "sh", "-c", "exit 4")
    assert done.returncode == 1 and "exit status 4" in done.stdout
    done = cli("--most", "64M", "--check", "false", "true")
    assert done.returncode == 1 and "the check ended with 1" in done.stdout


@pytest.mark.usefixtures("needs_lab")
def test_the_runs_are_drawn(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    for _ in range(2):  # the second one takes the place of the first
        done = cli("--most", "64M", "--runs", "3", "--plot", str(plot), "--", sys.executable, "-S", "-c", "pass")
        assert done.returncode == 0, done.stderr
    drawn = ElementTree.parse(plot)
    titles = [title.text or "" for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "time under each limit" and sum(": " in title for title in titles) >= 2
    mine = tmp_path / "mine.svg"
    mine.write_text("<svg>mine</svg>")
    done = cli("--plot", str(mine), "true")
    assert (
        done.returncode == 125 and "is no plot of memoom fit" in done.stderr and mine.read_text().endswith("mine</svg>")
    )


@pytest.mark.usefixtures("needs_lab")
def test_the_answer_is_told_as_people_set_it() -> None:
    fitted = memoom.fit([sys.executable, "-S", "-c", HOLDS.format(20)], most="256M", runs=3)
    check("fit", fitted.to_json())
    settings = fitted.settings
    assert settings is not None and fitted.limit_bytes is not None
    least, most = (-(-found // MIB) for found in (fitted.limit_bytes, settings.memory_max_bytes))
    assert (settings.kubernetes_request, settings.kubernetes_limit) == (f"{least}Mi", f"{most}Mi")
    assert settings.memory_max_bytes == (fitted.unslowed_bytes or fitted.limit_bytes)
    assert settings.systemd == settings.slurm == f"{most}M" and f"{most}.MB * task.attempt" in settings.nextflow
    assert f"limits.memory: {most}Mi" in str(fitted)
    assert memoom.fit(["false"], most="64M").settings is None


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_the_runs_are_made_by_an_executor() -> None:
    wanted = {"most": "256M", "runs": 4, "env": {"MIB": "20"}}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        fitted = memoom.fit(["sh", "-c", f'exec "{sys.executable}" -S -c "{TAKES}"'], executor=executor, **wanted)
        assert fitted.limit_bytes is not None and 20 * MIB < fitted.limit_bytes < 40 * MIB, str(fitted)
        assert len(fitted.runs) <= 4 and "As settings" in str(fitted)
        with pytest.raises(memoom.MemoomError, match="no-such-program"):
            memoom.fit(["no-such-program"], executor=executor, most="64M")
        for wrong in ({}, {"most": "64M", "stdin": subprocess.DEVNULL}):
            with pytest.raises(memoom.InvalidInputError, match="with an executor"):
                memoom.fit(["true"], executor=executor, **wrong)
    done = cli("--executor", "threads", "--most", "256M", "--runs", "3", sys.executable, "-S", "-c", HOLDS.format(20))
    assert done.returncode == 0 and "It passes under" in done.stdout, done.stderr


@pytest.mark.usefixtures("needs_lab")
def test_env_is_the_whole_environment_wherever_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BESIDE", "1")
    with ThreadPoolExecutor(1) as executor:
        for where in ({}, {"executor": executor}):
            argv = ["/bin/sh", "-c", 'test "$OWN$BESIDE" = x']
            fitted = memoom.fit(argv, most="64M", runs=1, env={"OWN": "x"}, **where)
            assert fitted.limit_bytes == 64 * MIB, f"{where}: {fitted}"


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_a_sweep_has_the_least_limit_of_many_commands() -> None:
    argv = [sys.executable, "-S", "-c", HOLDS.replace("{0}", "{mib}")]
    base = {"argv": argv, "limit": "256M", "fit": {"runs": 4}}
    trials = expand(base, {"mib": [10, 30]})
    results = memoom.sweep([*trials, {"argv": ["false"], "limit": "64M", "fit": True}])
    assert [result.status for result in results] == ["fitted", "fitted", "unfitted"]
    small, large, none = [result.fitted for result in results]
    assert small and large and none and none.limit_bytes is None
    assert small.limit_bytes is not None and large.limit_bytes is not None
    assert 15 * MIB < large.limit_bytes - small.limit_bytes < 25 * MIB
    rows = results.rows()
    assert [row["value"] for row in rows] == [small.limit_bytes, large.limit_bytes, None] and rows[1]["mib"] == 30
    assert pickle.loads(pickle.dumps(large)) == large
    assert memoom.sweep([{"argv": ["true"], "limit": "64M"}])[0].fitted is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fit": 3}, "is no table"),
        ({"fit": {"run": 3}}, "did you mean 'runs'"),
        ({"fit": True, "limit": None}, "the limit of its first run"),
        ({"fit": True, "high": "5M"}, "neither high nor oom_group"),
    ],
)
def test_a_fit_in_a_sweep_that_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(memoom.InvalidInputError, match=said):
        memoom.sweep([{"argv": ["true"], "limit": "64M", **wrong}])


@pytest.mark.v2
@pytest.mark.usefixtures("needs_lab")
def test_throttling_is_told_from_the_rest() -> None:
    # Above its memory.high, below its limit: the kernel lets it sleep, and nothing is read again.
    fitted = memoom.fit([sys.executable, "-S", "-c", HOLDS.format(40)], most="256M", high=0.5, runs=6)
    assert fitted.limit_bytes is not None
    slowed = [run for run in fitted.runs if run.slowed and "throttling" in run.slowed_by]
    assert slowed and all((run.high_events or 0) > 0 for run in slowed), str(fitted)
    assert "slowed by throttling" in str(fitted)


@pytest.mark.v1
@pytest.mark.usefixtures("needs_lab")
def test_where_there_is_no_memory_high_it_is_refused() -> None:
    with pytest.raises(memoom.UnsupportedError, match="high"):
        memoom.fit(["true"], most="64M", high=0.9)


def test_what_cannot_be_is_refused() -> None:
    wrong = (["--high", "0", "true"], ["--executor", "thread", "true"], ["--executor", "threads", "true"])
    for arguments in (
        *([], ["--runs", "0", "true"], ["--within", "nan", "true"], ["--timeout", "-1", "true"]),
        *wrong,
    ):
        done = cli(*arguments)
        assert done.returncode == 125 and "memoom fit:" in done.stderr, arguments

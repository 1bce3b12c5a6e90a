"""The other commands: doctor, gc, watch, hog, and the manners that all have."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CHECKOUT, NO_LAB, PATIENCE, Cli, skip

import memoom
from memoom import _native


def test_doctor(cli: Cli) -> None:
    done = cli("doctor")
    assert done.returncode == (0 if NO_LAB is None else 1)
    for ability in memoom.Host.probe().abilities:
        assert ability.name in done.stdout and ability.reason in done.stdout and ability.remedy in done.stdout
    document = json.loads(cli("doctor", "--json").stdout)
    assert document["lab"] is (NO_LAB is None) and document["abilities"]


def test_gc(cli: Cli) -> None:
    done = cli("gc", "--json")
    assert done.returncode == 0 and "found" in json.loads(done.stdout)


def test_gc_leaves_the_labs_of_the_living(lab: memoom.Lab, cli: Cli) -> None:
    done = cli("gc")
    assert done.returncode == 0 and f"kept    {lab.path}" in done.stdout
    assert lab.path.exists()


def test_version_and_bad_usage(cli: Cli) -> None:
    assert cli("--version").stdout == f"memoom {memoom.__version__}\n"
    for arguments in ([], ["bogus"], ["--bogus"], ["doctor", "--bogus"], ["demo", "bogus"], ["watch"]):
        done = cli(*arguments)
        assert done.returncode == 2 and done.stdout == "" and "usage:" in done.stderr, arguments
    assert "no command is named; there are doctor, demo, run" in cli().stderr
    for command in (
        "doctor",
        "demo",
        "run",
        "fit",
        "aware",
        "hog",
        "watch",
        "report",
        "why",
        "replay",
        "sweep",
        "campaign",
        "policy",
        "gc",
    ):
        assert command in cli("--help").stdout
        assert cli(command, "--help").returncode == 0


@pytest.mark.parametrize(
    ("given", "said", "status"),
    [
        ("run --limt 5M -- true", "there is no option --limt; did you mean --limit?", 125),
        ("run --limit 5M --timout 3 true --foo", "there is no option --timout; did you mean --timeout?", 125),
        ("fit --limit 5M -- true", "there is no option --limit; --help lists them", 125),
        ("watch --unti x", "there is no option --unti; did you mean --unit?", 2),
        ("why --gruop x", "there is no option --gruop; did you mean --group?", 125),
        ("report x --jsno", "there is no option --jsno; did you mean --json?", 2),
        ("hog --kidn=anon", "there is no option --kidn; did you mean --kind?", 2),
        ("--versoin", "there is no option --versoin; did you mean --version?", 2),
        ("dcotor --json", "there is no command 'dcotor'; did you mean doctor?", 2),
        ("run --limit 5M -- no-such-command --limt", "no-such-command: No such file or directory", 127),
    ],
)
def test_an_unknown_word_is_answered_with_the_near_one(cli: Cli, given: str, said: str, status: int) -> None:
    done = cli(*given.split())
    assert said in done.stderr and done.returncode == status, done.stderr


@pytest.mark.parametrize(("given", "status"), [("doctor", 1), ("gc --json", 1), ("why", 125), ("completion fish", 1)])
def test_a_full_disk_behind_standard_output_is_one_sentence(given: str, status: int) -> None:
    with open("/dev/full", "w") as full:
        argv = [sys.executable, "-m", "memoom", *given.split()]
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ("memoom: what was found could not be written to standard output: No space left on device\n")
    assert done.returncode == status


@pytest.mark.usefixtures("needs_lab")
@pytest.mark.parametrize("command", ["run --limit 64M", "observe", "fit", "aware"])
def test_a_command_that_is_not_there_is_told_as_a_shell_tells_it(cli: Cli, command: str) -> None:
    prog = command.split()[0]
    done = cli(*command.split(), "--", "no-such-command")
    assert done.stderr == f"memoom {prog}: no-such-command: No such file or directory\n"
    assert done.returncode == (127 if prog in ("run", "observe") else 125)


@pytest.mark.parametrize(
    ("given", "said", "status"),
    [
        (["fit", "--check", "'", "--", "true"], "argument --check: ': No closing quotation", 125),
        (["fit", "--check", "", "--", "true"], "argument --check: give a command", 125),
        (["fit", "--check", "no-such-check", "--", "true"], "memoom fit: no-such-check: No such file", 125),
        (["sweep", "x.toml", "--executor", "dask:"], "the address of a scheduler is HOST:PORT", 2),
        (["sweep", "x.toml", "--executor", "dask:localhost"], "the address of a scheduler is HOST:PORT", 2),
    ],
)
@pytest.mark.usefixtures("needs_lab")
def test_what_an_option_cannot_be_is_one_sentence(cli: Cli, given: list[str], said: str, status: int) -> None:
    done = cli(*given)
    assert said in done.stderr and "Traceback" not in done.stderr and done.returncode == status, done.stderr


@pytest.mark.usefixtures("needs_lab")
@pytest.mark.parametrize("error", ['RuntimeError("can\'t start new thread")', "MemoryError()"])
def test_no_room_for_a_thread_is_one_sentence(error: str) -> None:
    # The signals that it holds back for the command stay so in its process.
    program = f"""import sys, threading
from memoom._cli import main
def start(thread):
    raise {error}
threading.Thread.start = start
sys.exit(main(["run", "--limit", "64M", "--", "sleep", "1000"]))"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 125 and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("memoom: there is no room for memoom itself")


def test_an_encoding_that_lacks_a_character_ends_nothing() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    argv = [sys.executable, "-m", "memoom", "doctor"]
    done = subprocess.run(argv, capture_output=True, env=environment, check=False)
    assert done.stderr == b"" and b"memory-controller" in done.stdout


def test_watch(lab: memoom.Lab) -> None:
    group = lab.group("watched", limit="16M")
    argv = [sys.executable, "-m", "memoom", "watch", "--json", str(group.path)]
    with subprocess.Popen([*argv[:4], *argv[5:]], stdout=subprocess.PIPE, text=True) as human:
        assert human.stdout is not None and human.stdout.readline() == f"watching {group.cgroup} (limit 16M)\n"
        hog = group.hog(step="32M")
        assert hog.grow(timeout=PATIENCE).status == "killed"
        hog.wait(PATIENCE)
        text = human.stdout.readline()
        while "OOM in" not in text:
            line = human.stdout.readline()
            assert line, text
            text += line
        group.remove()
        assert human.stdout.read().rstrip().endswith("the group was removed")
        assert human.wait(PATIENCE) == 0
    gone = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)
    assert gone.returncode == 1 and str(group.path) in gone.stderr


@pytest.mark.usefixtures("needs_lab")
def test_hog(cli: Cli) -> None:
    done = cli("hog", "--limit", "16M", "--step", "6M", input="\n\n\n\n")
    assert done.returncode == 0, done.stderr
    assert "grew: holds 6M" in done.stdout and "killed: holds 12M" in done.stdout and "OOM in" in done.stdout
    assert cli("hog", "--limit", "16M", input="\n").stdout.count("grew") == 1


def test_hog_at_a_pace(cli: Cli) -> None:
    done = cli("hog", "--limit", "32M", "--kind", "shmem", "--rate", "1G", "--total", "8M", input="")
    assert done.returncode == 0, done.stderr
    assert "shmem" in done.stdout and "holds what was wanted" in done.stdout and "holds 8M" in done.stdout
    done = cli("hog", "--limit", "32M", "--kind", "populate", "--below", "4M", input="")
    assert "near enough to the limit" in done.stdout, done.stderr
    done = cli("hog", "--limit", "16M", "--until", "victim", input="")
    assert "OOM in" in done.stdout, done.stderr
    done = cli("hog", "--kind", "gold", input="")
    assert done.returncode == 1 and "any-fastest" in done.stderr


@pytest.mark.usefixtures("needs_lab")
def test_hog_in_json(cli: Cli) -> None:
    done = cli("hog", "--limit", "16M", "--step", "12M", "--json", input="\n\n\n")
    began, first, second, *account = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["schema"] for one in (began, first, second)] == ["memoom.answer/1"] * 3
    assert (began["command"], began["grow"], first["grow"]["status"]) == ("", None, "grew")
    assert second["command"] == "step" and second["grow"]["status"] == "killed", done.stdout
    assert [one["schema"] for one in account] == ["memoom.oom/1"] and done.returncode == 0
    done = cli("hog", "--limit", "64M", "--step", "4M", "--total", "12M", "--json", input="")
    _, paced = [json.loads(line) for line in done.stdout.splitlines()]
    assert paced["command"] == "pace" and paced["grow"]["total_bytes"] == 12 << 20


def test_a_reader_that_has_gone() -> None:
    argv = [sys.executable, "-m", "memoom", "doctor"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) in (0, 1, 141)


def test_report(cli: Cli, tmp_path: Path) -> None:
    log = (CHECKOUT / "tests/logs/v2-6.1.kmsg").read_bytes()
    document = _native.reports_to_json(log)
    plain, packed, broken = tmp_path / "plain", tmp_path / "packed.gz", tmp_path / "broken.gz"
    plain.write_bytes(log)
    packed.write_bytes(gzip.compress(log))
    broken.write_bytes(gzip.compress(log)[:-20])
    for file in (plain, packed):
        assert cli("report", "--json", str(file)).stdout == document + "\n"
    text = cli("report", str(plain)).stdout
    assert text == "".join(f"{report.line}\n" for report in memoom.parse_reports(log))
    assert "| grouphog invoked oom-killer" in cli("report", "--full", str(plain)).stdout
    nothing = cli("report", input="nothing\n")
    assert nothing.returncode == 0 and nothing.stdout == "no OOM report is in this log\n"
    for wrong in (broken, tmp_path / "absent", tmp_path):
        for options in ((), ("--json",), ("--full",)):
            done = cli("report", *options, str(wrong))
            assert done.returncode == 1 and str(wrong) in done.stderr and "Traceback" not in done.stderr
            # What could be read of it is told; a document is whole.
            if options == ("--json",) and done.stdout:
                assert json.loads(done.stdout)["schema"] == "memoom.reports/1"


def test_why_of_a_death_that_nobody_can_name_says_the_reason(cli: Cli, tmp_path: Path) -> None:
    """Exit status 1 with the reason why there is no name, 125 for a question that cannot be answered."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    done = cli("why", str(child.pid))
    assert done.returncode == 1 and f"pid {child.pid}: unknown because" in done.stdout, done
    answer = json.loads(cli("why", str(child.pid), "--json").stdout)
    assert (
        answer["schema"] == "memoom.postmortem/1"
        and answer["killed_by"]["by"] == "unknown"
        and answer["victim"] is None
    )
    for wrong in (["0"], ["--group", str(tmp_path)], ["x"], ["--unit", ""], ["7", "--pod", "x"]):
        done = cli("why", *wrong)
        assert done.returncode == 125 and done.stderr.startswith(("memoom why:", "usage:")), done


def test_why_names_a_death_that_nobody_watched(report_is_due: None, cli: Cli) -> None:
    if not memoom.Host.probe().can("kernel-log"):
        skip("the kernel's log cannot be read")
    eater = json.loads(cli("run", "--limit", "16M", "--json", "--", "tail", "/dev/zero").stderr)
    done = cli("why", str(eater["pid"]))
    assert done.returncode == 0 and f"tail (pid {eater['pid']}) was killed by the kernel's OOM killer" in done.stdout
    answer = memoom.postmortem(eater["pid"])
    assert answer.victim is not None and answer.victim.pid == eater["pid"]
    assert answer.limit_group == eater["group"] and "killed by" in str(answer)
    full = cli("why", str(eater["pid"]), "--full").stdout
    assert full.startswith(done.stdout) and len(full) > len(done.stdout) and answer.report is not None


def test_a_file_that_cannot_be_read_is_named_as_by_every_command(cli: Cli, tmp_path: Path) -> None:
    for file, what in ((tmp_path / "absent.toml", "No such file or directory"), (tmp_path, "Is a directory")):
        for command in ("report", "sweep"):
            done = cli(command, str(file))
            assert (done.returncode, done.stderr) == (1, f"memoom {command}: {file}: {what}\n")


def test_why_finds_a_job_by_its_path(lab: memoom.Lab, cli: Cli) -> None:
    """The limit is the job's, the step below it has none: both are told; of a step that was never there nothing is."""
    number = os.getpid()  # the log keeps what other runs have done
    group = lab.group("slurm_test")
    job = group.child(f"job_{number}", limit="16M")
    step = job.child("step_0")
    worker = step.command(["tail", "/dev/zero"])
    assert worker.wait(PATIENCE).oom_killed
    answer = memoom.postmortem(slurm=f"{number}.0")
    assert answer.killed_by.by == "kernel-oom" and answer.groups[0].kills_below == 1, str(answer)
    assert [one.group for one in answer.groups[:2]] == [step.cgroup, job.cgroup]
    assert (answer.groups[0].limit, answer.groups[1].limit) == (None, 16 << 20)
    done = cli("why", "--slurm", f"{number}")
    assert done.returncode == 0 and f"{job.cgroup}: limit 16M" in done.stdout, done
    done = cli("why", "--slurm", f"{number}.1")
    assert done.returncode == 1 and "unknown because no group of it is there any more" in done.stdout, done
    with pytest.raises(TypeError):
        memoom.postmortem(1, pod="x")

"""The examples of docs/sweeps.md and the recipes for many hosts: checked for syntax, and run where they can be."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT, Cli, needs_time

import memoom
from memoom._toml import toml_of

SWEEP = CHECKOUT / "examples" / "sweep"
DOCUMENT = (CHECKOUT / "docs" / "sweeps.md").read_text()
COUNT = 24  # trials of examples/sweep/trials.toml
BIN = Path(sys.executable).parent

pytestmark = needs_time
needs_lab = pytest.mark.usefixtures("needs_lab")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.fixture
def path_to_memoom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")


@needs_lab
def test_the_document(tmp_path: Path, cli: Cli) -> None:
    (code,), (toml,), (shell,) = blocks("python"), blocks("toml"), blocks("sh")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, timeout=300)
    assert done.returncode == 0
    (tmp_path / "trials.toml").write_text(toml)
    for line in shell.splitlines():
        command = line.partition("#")[0].split()
        assert command[:2] == ["memoom", "sweep"]
        done = cli(*command[1:], timeout=300)
        assert done.returncode == 0, done.stderr
    assert len(memoom.read_results(tmp_path / "trials.results.jsonl")) == 9
    assert len(memoom.read_results(tmp_path / "trials.0-of-2.results.jsonl")) < 9


def check_results(files: list[Path]) -> None:
    results = memoom.read_results(*files)
    assert len(results) == COUNT and not results.errors
    assert {result.status for result in results} == {"oom-killed"}


@needs_lab
@pytest.mark.usefixtures("path_to_memoom")
def test_the_slurm_array(tmp_path: Path) -> None:
    script = SWEEP / "slurm-array.sh"
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    lines = script.read_text().splitlines()
    directives = [line.split()[1] for line in lines if line.startswith("#SBATCH ")]
    # sbatch reads no directive after the first command.
    first = next(at for at, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[first:]) and lines[0].startswith("#!/")
    known = {"job-name", "array", "ntasks", "cpus-per-task", "mem", "time", "requeue"}
    assert {re.fullmatch(r"--([\w-]+)(=\S+)?", one)[1] for one in directives} == known  # type: ignore[index]
    assert "--array=0-7" in directives
    for task in range(3):
        environment = {
            **os.environ,
            "TRIALS": str(SWEEP / "trials.toml"),
            "SLURM_ARRAY_TASK_ID": str(task),
            "SLURM_ARRAY_TASK_COUNT": "3",
            "SLURM_CPUS_PER_TASK": "2",
        }
        done = subprocess.run(
            ["bash", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
    check_results(sorted((tmp_path / "results").glob("*.jsonl")))


@needs_lab
@pytest.mark.usefixtures("path_to_memoom")
def test_the_kubernetes_job(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    validate: Any = pytest.importorskip("kubernetes_validate")
    trials, job = yaml.safe_load_all((SWEEP / "kubernetes-job.yaml").read_text())
    for resource in (trials, job):
        validate.validate(resource, "1.31", strict=True)
    # It says the same as the recipe's own file.
    ours = toml_of((SWEEP / "trials.toml").read_text())
    theirs = toml_of(trials["data"]["trials.toml"])
    assert theirs["grid"] == ours["grid"] and theirs["base"]["hogs"] == ours["base"]["hogs"]
    # What a pod runs, with its volumes elsewhere.
    (tmp_path / "trials.toml").write_text(trials["data"]["trials.toml"])
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[:2] == ["sh", "-c"] and f'/{job["spec"]["completions"]}"' in command[2]
    here = command[2].replace("/trials/", f"{tmp_path}/").replace("/results/", f"{tmp_path}/")
    for index in range(job["spec"]["completions"]):
        environment = {**os.environ, "JOB_COMPLETION_INDEX": str(index)}
        done = subprocess.run(["sh", "-c", here], env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    check_results(sorted(tmp_path.glob("*.jsonl")))


def test_the_recipes_of_where_are_of_their_own_syntax() -> None:
    yaml = pytest.importorskip("yaml")
    validate: Any = pytest.importorskip("kubernetes_validate")
    where = SWEEP.parent / "where"
    observer = yaml.safe_load((where / "daemonset.yaml").read_text())
    validate.validate(observer, "1.31", strict=True)
    assert observer["kind"] == "DaemonSet"
    (container,) = observer["spec"]["template"]["spec"]["containers"]
    # Its command line is one that the command takes.
    assert container["command"][:2] == ["memoom", "watch"]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["command"][2] in mounted
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    job = yaml.safe_load((where / "ci.yml").read_text())
    assert any("memoom run --limit" in step.get("run", "") for step in job["jobs"]["memory"]["steps"])
    subprocess.run(["bash", "-n", where / "slurm-step.sh"], check=True)


@needs_lab
def test_the_ansible_play(tmp_path: Path) -> None:
    playbook = BIN / "ansible-playbook"
    if not playbook.exists():
        pytest.skip("ansible-core is not installed")
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_HOME": str(tmp_path / "home")}
    argv = [playbook, "-i", "one,two,", "-c", "local", SWEEP / "ansible-sweep.yml"]
    settings = {
        "memoom": BIN / "memoom",
        "trials": SWEEP / "trials.toml",
        "results": tmp_path / "results",
        "place": tmp_path / "place",
        "ansible_python_interpreter": sys.executable,
    }
    for name, value in settings.items():
        argv += ["-e", f"{name}={value}"]
    for more in (["--syntax-check"], []):
        done = subprocess.run(
            [*argv, *more], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
    check_results(sorted((tmp_path / "results").glob("*.jsonl")))

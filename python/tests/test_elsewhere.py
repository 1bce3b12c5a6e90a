"""Where there is no Linux: the package can be imported and says why nothing can be done; tests are skipped with that.

Another system is played by its name, and by hiding what only Linux and Unix have, before anything is imported.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CHECKOUT, PATIENCE

AS = """
import platform, sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
for name in {hidden!r}:
    sys.modules.pop(name, None)
import asyncio, ctypes, logging, multiprocessing, pathlib, shutil, subprocess, tempfile, threading
sys.platform = {system!r}
platform.system = lambda: {called!r}
"""
SYSTEMS = {
    "darwin": AS.format(system="darwin", called="Darwin", hidden=["memoom._native"]),
    "win32": AS.format(
        system="win32", called="Windows", hidden=["memoom._native", "fcntl", "resource", "termios", "curses"]
    ),
}


def python(
    system: str, script: str, cwd: Path, package: Path = CHECKOUT / "python"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SYSTEMS[system] + script],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=cwd,
        env={"PYTHONPATH": str(package), "PATH": "/usr/bin:/bin"},
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_package_says_why_not(system: str, tmp_path: Path) -> None:
    done = python(
        system,
        """
import memoom
host = memoom.Host.probe()
assert not host.lab and host.hierarchy == "none" and host.available_bytes is None and len(host.missing) == 1
assert "no lab can be made" in host._repr_html_()
print(host)
for name in memoom.__all__:
    assert getattr(memoom, name) is not None, name
import memoom.testing, memoom._pytest
print(memoom.testing.why_not())
for call in (
    host.require_lab, memoom.Lab, memoom.gc, lambda: memoom.run(["true"]), lambda: memoom.call(max, 1, 2),
    lambda: memoom.Group.open("/"), lambda: memoom.parse_reports(""), lambda: memoom.parse_size("1M"),
):
    try:
        call()
    except memoom.UnsupportedError as error:
        assert str(error).startswith("make lab: memory cgroups are a part of Linux, and this is "), error
    else:
        raise AssertionError(call)
from memoom._cli import main
assert main(["doctor"]) == 1
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    called = {"darwin": "Darwin", "win32": "Windows"}[system]
    assert done.stdout.count(f"this is {called}") == 3 and done.stdout.count("remedy: run it on Linux") == 3, (
        done.stdout
    )


def test_a_suite_skips_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest, memoom\n"
        "def test_fixture(memcg): raise AssertionError\n"
        "@pytest.mark.memoom(limit='64M')\ndef test_moved(): raise AssertionError\n"
        "def test_plain(): pass\n"
    )
    script = "import pytest; sys.exit(pytest.main(['-rs', '-p', 'no:cacheprovider', '-p', 'no:randomly']))"
    # (For Windows pytest itself would need what only Windows has.)
    done = python("darwin", script, tmp_path)
    assert "1 passed, 2 skipped" in done.stdout, done.stdout + done.stderr
    assert "no lab can be made here: make lab: memory cgroups are a part of Linux" in done.stdout
    assert done.stdout.count("SKIPPED") >= 1

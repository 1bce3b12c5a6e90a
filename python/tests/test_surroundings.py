"""Forked children, Ctrl-C at any moment, and too few open files: nobody is harmed, and what is said is clear."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import memoom


def in_a_child(body: Callable[[], Any]) -> str:
    """What a forked child says."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            said = str(body())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_can_do_nothing_with_its_parents_lab(needs_lab: None) -> None:
    with memoom.Lab() as lab:
        group = lab.group("parents", limit="32M")
        hog, watch = group.hog("parents"), group.watch()
        calls: dict[str, Callable[[], Any]] = {
            "lab.group": lambda: lab.group("child"),
            "lab.groups": lambda: lab.groups,
            "lab.timeline": lab.timeline,
            "lab.close": lab.close,
            "group.usage_bytes": lambda: group.usage_bytes,
            "group.counters": lambda: group.counters,
            "group.set_limit": lambda: group.set_limit("1M"),
            "group.hog": lambda: group.hog("child"),
            "group.command": lambda: group.command(["true"]),
            "group.watch": group.watch,
            "group.predict": group.predict,
            "group.kill": group.kill,
            "group.remove": group.remove,
            "hog.grow": hog.grow,
            "hog.shrink": lambda: hog.shrink(4096),
            "hog.state": lambda: hog.state,
            "hog.wait": lambda: hog.wait(0.01),
            "hog.kill": hog.kill,
            "watch.next": lambda: watch.next(0.01),
            "watch.wait_oom": lambda: watch.wait_oom(0.01),
        }

        def each() -> list[str]:
            wrong = []
            for name, call in calls.items():
                try:
                    wrong.append(f"{name}: {call()!r}")
                except memoom.ClosedError:
                    pass
                except Exception as error:
                    wrong.append(f"{name}: {error!r}")
            return wrong

        assert in_a_child(each) == "[]"

        def leaves_the_body() -> str:
            with lab:
                pass
            return "left"

        assert in_a_child(leaves_the_body) == "left"
        assert hog.state in "RSD"
        assert hog.grow("1M").status == "grew"
        assert [one.name for one in lab.groups] == ["parents"]


INTERRUPTED = """
import random, signal, sys, warnings
import memoom
memoom.Lab
warnings.simplefilter("error", ResourceWarning)
def interrupt(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
random.seed(int(sys.argv[1]))
interrupted = 0
for _ in range(int(sys.argv[2])):
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0005, 0.02))
            with memoom.Lab(call_path=False, kernel_log=False) as lab:
                lab.group(limit="16M").hog()
                while True:
                    pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupted += 1
print(interrupted, memoom.Host.probe().parent)
"""


def test_an_interrupt_at_any_moment_closes_the_lab_without_a_warning(needs_lab: None) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(os.getpid()), "60"], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert "never closed" not in ran.stderr, ran.stderr
    assert ran.stdout.split()[0] == "60", ran.stdout


@pytest.mark.parametrize("words", [["doctor"], ["run", "--limit", "32M", "--", "true"], ["gc"]])
def test_few_open_files_are_an_error_with_a_remedy(words: list[str]) -> None:
    for most in range(3, 48, 3):
        script = (
            "import resource, sys; from memoom._cli import main; "
            f"resource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {most})); sys.argv = ['memoom', *sys.argv[1:]]; "
            "sys.exit(main())"
        )
        ran = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60)
        assert "Traceback" not in ran.stderr, f"{most} open files: {ran.stderr}"
        if ran.returncode != 0:
            assert "remedy" in ran.stderr and "\n" not in ran.stderr.strip(), f"{most} open files: {ran.stderr}"
        assert ran.returncode in (0, 1, 125), f"{most} open files: {ran.returncode} {ran.stderr}"


@pytest.mark.parametrize(
    ("status", "commands"),
    [(125, ("run", "observe", "fit", "aware", "why", "campaign")), (2, ("compare",)), (1, ("gc",))],
)
def test_few_open_files_are_no_answer(status: int, commands: tuple[str, ...]) -> None:
    script = (
        "import resource, sys; from memoom._cli import main; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)); sys.exit(main(sys.argv[1:]))"
    )
    for command in commands:
        ran = subprocess.run([sys.executable, "-c", script, command], capture_output=True, text=True, timeout=60)
        assert ran.returncode == status and "too few files" in ran.stderr, f"{command}: {ran.returncode} {ran.stderr}"


LAB = """
import resource, sys
import memoom
memoom.Lab
most = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
try:
    with memoom.Lab() as lab:
        group = lab.group(limit="32M")
        hog = group.hog()
        hog.grow("1M")
        hog.kill()
        hog.wait(20)
    print("fine")
except memoom.MemoomError as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_a_lab_with_few_open_files_is_an_error_with_a_remedy(needs_lab: None) -> None:
    for most in range(4, 40, 3):
        ran = subprocess.run([sys.executable, "-c", LAB, str(most)], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0 and not ran.stderr, f"{most} open files: {ran.stderr}"
        assert ran.stdout == "fine\n" or ("remedy" in ran.stdout and "open files" in ran.stdout), (
            f"{most} open files: {ran.stdout}"
        )


def test_signals_are_as_they_were() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

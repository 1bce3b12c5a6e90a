"""Waiting: without the GIL, interrupted at once by Ctrl-C, from several threads, and under asyncio."""

from __future__ import annotations

import asyncio
import selectors
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import PATIENCE

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")

WAITS = {
    "watch.next": "with memoom.Lab() as lab:\n g = lab.group(limit='16M'); w = g.watch(); ready(); w.next()",
    "watch.wait_oom": "with memoom.Lab() as lab:\n g = lab.group(limit='16M'); w = g.watch(); ready(); w.wait_oom()",
    "worker.wait": "with memoom.Lab() as lab:\n g = lab.group(limit='16M'); h = g.hog(); ready(); h.wait()",
    "iteration": "with memoom.Lab() as lab:\n g = lab.group(limit='16M'); w = g.watch(); ready(); list(w)",
    "run": "memoom.run(['sh', '-c', 'trap : INT; echo ready; sleep 1000 & wait; wait; sleep 1000'], limit='16M')",
}


@pytest.mark.parametrize("name", WAITS)
def test_ctrl_c_ends_a_wait_at_once(name: str) -> None:
    script = (
        "import memoom\n"
        "def ready(): print('ready', flush=True)\n"
        "try:\n"
        + "".join(f" {line}\n" for line in WAITS[name].splitlines())
        + "except KeyboardInterrupt:\n print('interrupted', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        took = time.monotonic() - before
        assert process.wait(PATIENCE) == 0
    # The lab is closed in between, which takes its time on a busy machine.
    assert took < 2.0


@pytest.mark.v1
def test_ctrl_c_ends_the_wait_for_a_blocked_step(lab: memoom.Lab) -> None:
    """The handler of this process raises inside a wait that nothing else would end."""
    group = lab.group(limit="16M", oom_killer=False)
    hog = group.hog(step="32M")
    assert hog.grow(timeout=PATIENCE).status == "blocked"

    class Handled(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise Handled

    old = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Handled):
            hog.wait()
    finally:
        signal.signal(signal.SIGALRM, old)
    group.set_oom_killer(True)
    assert hog.finish(PATIENCE).status == "killed"


def test_other_threads_run_while_one_waits(lab: memoom.Lab) -> None:
    group = lab.group(limit="16M")
    hog = group.hog()
    outcomes = []
    waiter = threading.Thread(target=lambda: outcomes.append(hog.wait(PATIENCE)))
    waiter.start()
    # With the GIL held by the waiter, this thread would never come to the kill.
    hog.kill()
    waiter.join(PATIENCE)
    assert [outcome.verdict for outcome in outcomes] == ["killed"]


def test_one_watch_in_two_threads(lab: memoom.Lab) -> None:
    group = lab.group(limit="16M")
    watch = group.watch()
    ooms: list[memoom.Oom | None] = []
    waiter = threading.Thread(target=lambda: ooms.append(watch.wait_oom(PATIENCE)))
    waiter.start()
    before = time.monotonic()
    while watch.next(0.05) is not None:
        pass
    assert time.monotonic() - before < 5
    assert group.hog(step="32M").grow(timeout=PATIENCE).status == "killed"
    waiter.join(PATIENCE)
    assert len(ooms) == 1 and ooms[0] is not None


def test_a_timeout_is_kept(lab: memoom.Lab) -> None:
    watch = lab.group(limit="16M").watch()
    for timeout in (0, -1, 0.1):
        before = time.monotonic()
        assert watch.next(timeout) is None
        assert max(timeout, 0) <= time.monotonic() - before < 1
    with pytest.raises(memoom.InvalidInputError, match="NaN"):
        watch.next(float("nan"))


def test_the_descriptor_tells_when_there_is_something(lab: memoom.Lab) -> None:
    group = lab.group(limit="16M")
    with group.watch() as watch, selectors.DefaultSelector() as selector:
        selector.register(watch, selectors.EVENT_READ)
        hog = group.hog()
        hog.kill()
        seen = set()
        while "exited" not in seen:
            assert selector.select(PATIENCE)
            while (event := watch.next(0)) is not None:
                seen.add(event.kind)
        assert {"started", "exited"} <= seen


def test_asyncio(lab: memoom.Lab) -> None:
    group = lab.group("async", limit="16M")
    watch, second = group.watch(), group.watch()

    async def events() -> list[str]:
        kinds = []
        async for event in watch:
            kinds.append(event.kind)
        return kinds

    async def scenario() -> None:
        assert await second.next_async(0.05) is None
        stream = asyncio.create_task(events())
        accounts = [
            asyncio.create_task(second.wait_oom_async(PATIENCE)),
            asyncio.create_task(second.next_async(PATIENCE)),
        ]
        loop = asyncio.get_running_loop()
        hog = group.hog(step="32M")
        grow = await loop.run_in_executor(None, lambda: hog.grow(timeout=PATIENCE))
        assert grow.status == "killed"
        oom, event = await asyncio.gather(*accounts)
        assert isinstance(oom, memoom.Oom) and oom.killed(hog.pid)
        assert isinstance(event, memoom.Event) and event.kind == "started"
        await loop.run_in_executor(None, group.remove)
        kinds = await asyncio.wait_for(stream, PATIENCE)
        assert {"started", "stepping", "exited"} <= set(kinds)

    asyncio.run(scenario())


def test_a_cancelled_wait_leaves_the_watch_usable(lab: memoom.Lab) -> None:
    group = lab.group(limit="16M")
    watch = group.watch()

    async def scenario() -> None:
        with pytest.raises(asyncio.TimeoutError):  # another one than TimeoutError before 3.11
            await asyncio.wait_for(watch.next_async(), 0.05)
        group.ticker("t", 0.01)
        event = await watch.next_async(PATIENCE)
        assert event is not None and event.kind == "started"

    asyncio.run(scenario())


def test_iteration_ends_with_the_group(lab: memoom.Lab) -> None:
    group = lab.group(limit="16M")
    watch = group.watch()
    hog = group.hog()
    hog.kill()
    hog.wait(PATIENCE)
    group.remove()
    assert [event.kind for event in watch][-1] in ("exited", "killed", "removed")

"""`memoom.call`: a function in a worker, its value, its exception, or the end of its process."""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import pytest
from conftest import PATIENCE, SLOW

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")

# The modules of tests import pytest, which counts against the limit.
LIMIT = "128M"


class Odd(Exception):
    """It can be pickled, and then not be read: its arguments are not those of its making."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def take(count: int) -> int:
    return len(bytearray(count))


def raise_value_error(text: str) -> NoReturn:
    raise ValueError(text)


def raise_odd() -> NoReturn:
    raise Odd(1, 2)


def give_thread() -> object:
    return threading.Lock()


def echo(*args: object, **kwargs: object) -> tuple[object, ...]:
    return args, kwargs


def write_and_read() -> str:
    print("to standard output", flush=True)
    print("to standard error", file=sys.stderr, flush=True)
    return sys.stdin.read()


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def sleep_with_a_child() -> None:
    subprocess.run(["sleep", "1000"])


def where() -> tuple[str, str | None]:
    return os.getcwd(), os.environ.get("WORD")


def test_a_value() -> None:
    call = memoom.call(math.sqrt, 16.0, limit="64M")
    assert (call.status, call.value, call.exception) == ("returned", 4.0, None)
    assert call.result() == 4.0 and call.check() is call and not call.oom_killed and call.ooms == ()
    assert call.outcome.verdict == "exited" and call.outcome.returncode == 0
    assert repr(call) == "Call(status='returned', value=4.0)" and str(call) == "it returned 4.0"
    assert memoom.call(echo, 1, kwargs={"limit": 2}, limit=LIMIT).value == ((1,), {"limit": 2})
    # Larger than any buffer on the way, in both directions.
    large = os.urandom(3 << 20)
    assert memoom.call(echo, large, limit=LIMIT).result() == ((large,), {})


def test_a_large_value_of_a_worker_that_needs_little() -> None:
    call = memoom.call(bytes, 10 << 20, limit="64M")
    assert call.value == bytes(10 << 20)


def test_the_interpreter_alone_takes_little() -> None:
    assert memoom.call(math.sqrt, 1.0, limit="64M").outcome.max_rss_bytes < 24 << 20


def test_an_exception() -> None:
    call = memoom.call(raise_value_error, "words", limit=LIMIT)
    assert call.status == "raised" and call.value is None and not call.oom_killed
    assert isinstance(call.exception, ValueError) and call.exception.args == ("words",)
    assert "in raise_value_error" in call.exception.__notes__[0]
    for method in (call.result, call.check):
        with pytest.raises(ValueError, match="words"):
            method()
    odd = memoom.call(raise_odd, limit=LIMIT)
    assert isinstance(odd.exception, memoom.CallFailedError) and "Odd: 1 and 2" in str(odd.exception)
    unfit = memoom.call(give_thread, limit=LIMIT)
    assert isinstance(unfit.exception, TypeError) and "has returned a lock" in unfit.exception.__notes__[0]
    # Under a limit that is met politely, by the allocator, nobody is killed.
    assert isinstance(memoom.call(take, 1 << 62, limit=LIMIT).exception, MemoryError)


def test_an_oom_kill() -> None:
    call = memoom.call(take, 400 << 20, limit=LIMIT)
    assert call.status == "oom-killed" and call.oom_killed and call.value is None and call.exception is None
    assert call.oom is not None and call.oom.killed(call.outcome.pid) and call.oom.limit_bytes == 128 << 20
    with pytest.raises(memoom.OomKilledError) as caught:
        call.result()
    assert caught.value.outcome == call.outcome
    assert "was killed in an OOM" in str(call) and "oom-killed" in repr(call)


def test_other_ends() -> None:
    exited = memoom.call(sys.exit, 3, limit="64M")
    assert (exited.status, exited.outcome.returncode) == ("exited", 3)
    with pytest.raises(memoom.OutcomeError, match="status 3"):
        exited.result()
    silent = memoom.call(os._exit, 0, limit="64M")
    assert silent.status == "exited"
    with pytest.raises(memoom.CallFailedError, match="returned nothing"):
        silent.result()
    killed = memoom.call(kill_myself, limit=LIMIT)
    assert (killed.status, killed.outcome.returncode) == ("killed", -15)
    late = memoom.call(sleep_with_a_child, limit=LIMIT, timeout=2.0)
    assert late.status == "timeout"
    with pytest.raises(memoom.OutcomeError, match="timeout"):
        late.check()


def test_calls_are_values() -> None:
    for call in (
        memoom.call(math.sqrt, 4.0, limit="64M"),
        memoom.call(raise_value_error, "words", limit=LIMIT),
        memoom.call(take, 400 << 20, limit=LIMIT),
    ):
        again = pickle.loads(pickle.dumps(call))
        assert again == call and hash(again) == hash(call) and repr(again) == repr(call) and str(again) == str(call)
        with pytest.raises(AttributeError, match="cannot be changed"):
            call.value = 1  # type: ignore[misc]
        assert call != "another"


def test_the_functions_surroundings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert memoom.call(write_and_read, limit=LIMIT).value == ""
    assert capfd.readouterr() == ("to standard output\n", "to standard error\n")
    assert memoom.call(where, limit=LIMIT, cwd=tmp_path, env={"WORD": "hello"}).value == (str(tmp_path), "hello")
    with open(tmp_path / "out", "w+") as out:
        memoom.call(print, "here", limit="64M", stdout=out)
        out.seek(0)
        assert out.read() == "here\n"


def test_what_pickle_cannot_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    offset = 30
    assert memoom.call(lambda n: n + offset, 12, limit=LIMIT).result() == 42
    assert memoom.call(lambda: 7, limit=LIMIT, pickler="cloudpickle").result() == 7
    with pytest.raises(memoom.InvalidInputError, match="pickler='json'"):
        memoom.call(math.sqrt, 1, limit=LIMIT, pickler="json")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    for pickler in (None, "pickle"):
        with pytest.raises(memoom.InvalidInputError, match=r"remedy: define it at the top.*memoom\[cloudpickle\]"):
            memoom.call(lambda: 7, limit=LIMIT, pickler=pickler)  # type: ignore[arg-type]


def test_what_the_worker_cannot_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if not entry.endswith("tests")])
    with pytest.raises(memoom.InvalidInputError, match="No module named 'test_call'; remedy"):
        memoom.call(take, 1, limit=LIMIT)


def test_a_function_of_the_program_itself(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, memoom\n"
        "def double(n): return 2 * n\n"
        "if __name__ == '__main__':\n"
        "    print(memoom.call(double, int(sys.argv[1]), limit='64M').result())\n"
    )
    done = subprocess.run([sys.executable, program, "21"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "42\n", done.stderr
    # Without a file there is nothing to import it from; cloudpickle carries it.
    script = "import memoom\ndef double(n): return 2 * n\nprint(memoom.call(double, 21, limit='128M').result())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "42\n", done.stderr


UNGUARDED = """
import sys, memoom
if "without" in sys.argv:
    sys.modules["cloudpickle"] = None
print("runs", flush=True)
def double(n): return 2 * n
try:
    print(memoom.call(double, 21, limit="128M").result())
except memoom.InvalidInputError as error:
    print(error)
    raise
"""


def test_a_program_without_a_guard(tmp_path: Path) -> None:
    """Where cloudpickle is, it is not run again; where it is not, the message has the line that helps."""
    program = tmp_path / "program.py"
    program.write_text(UNGUARDED)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, timeout=PATIENCE)

    assert run().stdout == "runs\n42\n"
    done = run("without")
    assert done.returncode == 1 and done.stdout.count("if __name__ == '__main__':, or pip install") == 2, done.stdout
    assert "remedy: put what the program does under if __name__" in done.stderr
    assert "at the top of a module" not in done.stderr
    # Another line that keeps the worker from doing it again does as well.
    program.write_text(
        UNGUARDED.replace("\ntry:", "\nif __name__ != '__mp_main__':\n  try:")
        .replace("\n    print(memoom", "\n    print(memoom")
        .replace("\nexcept", "\n  except")
    )
    assert run("without").stdout == "runs\nruns\n42\n"


def test_ctrl_c_ends_the_call_at_once(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import memoom, time\n"
        "def forever():\n print('ready', flush=True)\n time.sleep(1000)\n"
        "if __name__ == '__main__':\n"
        "    try:\n     memoom.call(forever, limit='64M')\n"
        "    except KeyboardInterrupt:\n     print('interrupted', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - before < (60.0 if SLOW else 5.0)
        assert process.wait(PATIENCE) == 0


def test_calls_in_several_threads() -> None:
    calls: list[memoom.Call[float]] = []
    threads = [
        threading.Thread(target=lambda n=n: calls.append(memoom.call(math.sqrt, n * n, limit="64M"))) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(call.result() for call in calls) == [0.0, 1.0, 2.0, 3.0]


def test_it_has_the_settings_of_run() -> None:
    run, call = (set(inspect.signature(one).parameters) for one in (memoom.run, memoom.call))
    assert run - call == {"argv", "stdin", "started", "capture_output", "input"}


def test_async_with_gives_waits_to_be_awaited(lab: memoom.Lab) -> None:
    group = lab.group("async", limit="16M")

    async def scenario() -> None:
        async with group.watch() as watch:
            assert isinstance(watch, memoom.AsyncWatch) and watch.group == group and not watch.closed
            assert watch.fileno() >= 0 and "async" in repr(watch)
            assert await watch.next(0.05) is None and await watch.wait_oom(0) is None
            hog = group.hog(step="32M")
            growing = asyncio.create_task(asyncio.to_thread(hog.grow))
            oom = await watch.wait_oom(PATIENCE)
            assert oom is not None and oom.killed(hog.pid)
            assert (await growing).status == "killed"
            event = await watch.next(PATIENCE)
            assert event is not None and event.kind == "started"
            await asyncio.to_thread(hog.wait)
            await asyncio.to_thread(group.remove)
            kinds = [event.kind async for event in watch]
            assert "exited" in kinds
        assert watch.closed
        watch.close()

    asyncio.run(scenario())

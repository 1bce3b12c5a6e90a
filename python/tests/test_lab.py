"""`memoom lab` by hand: real keys on a real terminal, and commands from a script."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest
from conftest import HIERARCHY, PATIENCE, Cli

pytestmark = pytest.mark.usefixtures("needs_lab")


class Terminal:
    """`memoom lab` on a pseudo-terminal of its own, and what its screen shows."""

    def __init__(self, *arguments: str, columns: int = 160, lines: int = 40) -> None:
        self.master, self._slave = pty.openpty()
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._resized(columns, lines)
        self.before = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "memoom", "lab", *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={**os.environ, "TERM": "linux", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            # The terminal controls the process, so that Ctrl-C and a new size are signals to it.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
        )

    def _resized(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        self._resized(columns, lines)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, within: float) -> bool:
        if not select.select([self.master], [], [], within)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def until(self, seen: Callable[[str], object], what: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while not seen(self.text()):
            assert time.monotonic() < deadline and self.process.poll() is None, f"{what}:\n{self.text()}"
            self.read(0.1)
        return self.text()

    def lab(self) -> Path:
        """The directory of the lab, from the first line."""
        self.until(lambda text: "print_counter" in text and "ticks" in text, "the first screen")
        return Path(self.screen.display[0].split("·")[2].strip()).parent

    def end(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end:\n{self.text()}"
            self.read(0.1)
        while self.read(0):
            pass
        return self.process.returncode

    def check_restored(self) -> None:
        """The modes of the terminal are those from before, and the cursor is shown."""
        assert termios.tcgetattr(self._slave) == self.before
        assert self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l") > 0

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal("--every", "0.2")
    yield made
    made.close()


def test_keys_until_the_kernel_kills(terminal: Terminal) -> None:
    lab = terminal.lab()
    assert lab.is_dir() and lab.name.startswith("memoom-")
    for turn in range(8):
        terminal.press("12"[turn % 2])
        done = f"holds {10 * (turn // 2 + 1)}M"
        name = f"alloc_memory_{turn % 2 + 1}"
        text = terminal.until(
            lambda text: any(name in line and done in line for line in text.splitlines()) or "has ended" in text,  # noqa: B023
            f"step {turn + 1}",
        )
        assert "limit 80M" in text
    text = terminal.until(lambda text: "Killed process" in text and "call path" in text, "the kernel's words")
    assert "as victim" in text and "oom_kill 1" in text and "█" in text
    victim = "alloc_memory_1" if "Killed process" in text and "(alloc_memory_1)" in text else "alloc_memory_2"
    terminal.until(lambda text: any(victim in line and "has ended" in line for line in text.splitlines()), "the victim")
    terminal.press("n")
    terminal.until(lambda text: f"new: {victim}" in text, "a new worker")
    terminal.press("q")
    assert terminal.end() == 0
    terminal.check_restored()
    assert not lab.exists()
    # The accounts stay on the screen.
    assert f"the kernel killed {victim}" in terminal.raw.decode(errors="replace")


def test_the_switch_of_this_hierarchy(terminal: Terminal) -> None:
    terminal.lab()
    key, off, on = ("k", "killer off", "killer on") if HIERARCHY == "v1" else ("g", "oom.group on", "oom.group off")
    for wanted in (off, on):
        terminal.press(key)
        terminal.until(lambda text: wanted in text.splitlines()[1], wanted)  # noqa: B023
    terminal.press("-")
    terminal.until(lambda text: "limit 70M" in text.splitlines()[1], "a lower limit")
    terminal.press("13")
    terminal.until(lambda text: "has given 10M back" in text, "a step back")
    terminal.press("x\x1b[A\x1b[B?")
    terminal.press("q")
    assert terminal.end() == 0


@pytest.mark.v1
def test_a_blocked_step_is_seen_and_ends(terminal: Terminal) -> None:
    lab = terminal.lab()
    terminal.press("k")
    terminal.until(lambda text: "killer off" in text.splitlines()[1], "the killer")
    terminal.press("11111111")
    text = terminal.until(lambda text: "waits in its step" in text, "a blocked step")
    terminal.until(lambda text: "under_oom 1" in text, "under_oom")
    assert "alloc_memory_1" in text
    terminal.press("k")
    terminal.until(lambda text: "was killed in its step" in text, "the end of the step")
    terminal.press("q")
    assert terminal.end() == 0 and not lab.exists()


@pytest.mark.parametrize("how", ["ctrl-c", "term", "hup", "blocked-term"])
def test_whatever_ends_it_the_terminal_is_back_and_nothing_is_left(terminal: Terminal, how: str) -> None:
    lab = terminal.lab()
    terminal.press("12")
    terminal.until(lambda text: "alloc_memory_2 has taken" in text, "two steps")
    match how:
        case "ctrl-c":
            terminal.press("\x03")
            expected = 130
        case "hup":
            terminal.process.send_signal(signal.SIGHUP)
            expected = 128 + signal.SIGHUP
        case _:
            if how == "blocked-term":
                terminal.press("k1111111" if HIERARCHY == "v1" else "1")
                terminal.until(lambda text: HIERARCHY != "v1" or "waits in its step" in text, "a blocked step")
            terminal.process.send_signal(signal.SIGTERM)
            expected = 128 + signal.SIGTERM
    assert terminal.end() == expected
    terminal.check_restored()
    assert not lab.exists()
    assert b"Traceback" not in terminal.raw


def test_resize(terminal: Terminal) -> None:
    terminal.lab()
    terminal.resize(30, 6)
    terminal.until(lambda text: "too small" in text, "a small window")
    terminal.resize(100, 30)
    text = terminal.until(lambda text: "print_counter" in text and "q quit" in text.splitlines()[29], "a large window")
    assert max(len(line) for line in text.splitlines()) == 100
    terminal.press("1")
    terminal.until(lambda text: "holds 10M" in text, "a step after it")
    terminal.press("q")
    assert terminal.end() == 0


def test_commands_from_a_script(cli: Cli) -> None:
    script = "# the original experiment\n" + "1\nstep 2\n" * 4 + "status\nback 1\nbogus\nlimit 1X\nnew\nstatus\nq\n1\n"
    done = cli("lab", "--every", "0.1", input=script)
    assert done.returncode == 1, "two commands were wrong"
    said = done.stdout.splitlines()
    assert any(line.startswith("> alloc_memory_1 has taken 10M, and holds 10M") for line in said)
    assert any("Killed process" in line for line in said) and any("as victim" in line for line in said)
    assert sum(line.startswith("OOM in ") for line in said) == 1
    assert "'bogus'" in done.stderr and "1X" in done.stderr
    statuses = [line for line in said if line.startswith("> usage")]
    assert len(statuses) == 3 and "has ended" in statuses[1] and "has ended" not in statuses[2]


def test_json_lines(cli: Cli) -> None:
    done = cli("lab", "--json", "--limit", "30M", "--step", "8M", input="1\n2\n1\n2\n1\n2")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    schemas = [document["schema"] for document in documents]
    assert schemas[0] == "memoom.answer/1" and "memoom.event/1" in schemas and "memoom.oom/1" in schemas
    grown = [document["grow"]["status"] for document in documents if document.get("grow")]
    assert grown[:3] == ["grew"] * 3
    oom = next(document for document in documents if document["schema"] == "memoom.oom/1")
    assert oom["limit_bytes"] == 30 << 20 and oom["victims"]


def test_a_wrong_argument_leaves_nothing(cli: Cli) -> None:
    done = cli("lab", "--limit", "80X", input="")
    assert done.returncode == 1 and "80X" in done.stderr

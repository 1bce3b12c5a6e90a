"""Logs of any length: read piece by piece, packed, followed, and what is no log."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT, PATIENCE, Cli

import memoom

LOGS = CHECKOUT / "tests" / "logs"
LOG = (LOGS / "v2-6.1.kmsg").read_bytes()
ONE = (LOGS / "6.18.44-v1-plain.kmsg").read_bytes()


def packings() -> dict[str, Callable[[bytes], bytes]]:
    zstandard = pytest.importorskip("zstandard")
    return {
        "gzip": gzip.compress,
        "xz": lzma.compress,
        "zstd": zstandard.ZstdCompressor().compress,
        "plain": bytes,
    }


PACKINGS = ("plain", "gzip", "xz", "zstd")


def pack(packing: str, log: bytes) -> bytes:
    return packings()[packing](log)


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_log_in_pieces_gives_what_the_whole_gives(packing: str, tmp_path: Path) -> None:
    """From a path, a file, pieces of any length; two packed logs behind each other are one log."""
    whole = memoom.parse_reports(LOG)
    half = LOG.index(b"\n", len(LOG) // 2) + 1
    for packed in (pack(packing, LOG), pack(packing, LOG[:half]) + pack(packing, LOG[half:])):
        file = tmp_path / "log"
        file.write_bytes(packed)
        assert list(memoom.iter_reports(file)) == whole == list(memoom.iter_reports(str(file)))
        with open(file, "rb") as opened:
            assert list(memoom.iter_reports(opened)) == whole
        assert list(memoom.iter_reports(packed[at : at + 1] for at in range(0, len(packed)))) == whole


def test_a_log_of_text() -> None:
    text = LOG.decode(errors="surrogateescape")
    whole = memoom.parse_reports(LOG)
    assert list(memoom.iter_reports(io.StringIO(text))) == whole
    assert list(memoom.iter_reports(text.splitlines(keepends=True))) == whole
    assert list(memoom.iter_reports([])) == []
    with pytest.raises(TypeError, match="parse_reports"):
        list(memoom.iter_reports(LOG))  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        list(memoom.iter_reports("/no/such/log"))


def test_a_reader_gives_reports_when_they_are_complete() -> None:
    reader = memoom.ReportReader()
    assert reader.feed(ONE) == [] and reader.settle() == memoom.parse_reports(ONE)
    assert reader.quiet() == reader.finish() == []
    assert ": killed plain (" in memoom.parse_reports(ONE)[0].line
    reader = memoom.ReportReader()
    reader.feed("nothing\nkubelet: was oom-killed \x1b[2J\nmore")
    assert reader.line_bytes == 4 and reader.finish() == []
    assert reader.lookalikes() == (1, [r"kubelet: was oom-killed \x1b[2J"])


def test_zstd_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack("zstd", LOG)
    for module in ("zstandard", "compression", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(memoom.MissingExtraError, match=r"pip install 'memoom\[zstd\]'"):
        list(memoom.iter_reports([packed]))


@pytest.mark.parametrize("packing", PACKINGS[1:])
def test_a_packing_that_is_cut(packing: str, cli: Cli, tmp_path: Path) -> None:
    """What stands before the cut is told, and then what is wrong."""
    noise = b"".join(os.urandom(40).hex().encode() + b"\n" for _ in range(6_000))
    packed = pack(packing, LOG + noise)
    file = tmp_path / "cut"
    file.write_bytes(packed[: len(packed) // 2])
    done = cli("report", str(file))
    assert done.returncode == 1 and str(file) in done.stderr and f"{packing} packing" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "".join(f"{one.line}\n" for one in memoom.parse_reports(LOG)) or not done.stdout
    done = cli("report", "--json", str(file))
    assert done.returncode == 1 and "remedy:" in done.stderr
    assert not done.stdout or json.loads(done.stdout)["schema"] == "memoom.reports/1"
    with pytest.raises(memoom.InvalidInputError, match="packing cannot be read"):
        list(memoom.iter_reports(file))


def peak(arguments: list[str], stdin: Any, bound: int = 600 << 20) -> tuple[int, str, str]:
    """The exit status, what was said and printed, of a command with so much address space."""

    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))

    argv = [sys.executable, "-m", "memoom", "report", *arguments]
    done = subprocess.run(argv, stdin=stdin, capture_output=True, text=True, timeout=PATIENCE, preexec_fn=limit)
    return done.returncode, done.stdout, done.stderr


def bomb(tmp_path: Path, packing: str, what: bytes, times: int) -> Path:
    """A file of so many MiB when it is unpacked."""
    part = {
        "gzip": lambda data: gzip.compress(data, 1),
        "xz": lambda data: lzma.compress(data, preset=0),
        "zstd": packings()["zstd"],
    }[packing]
    file = tmp_path / f"bomb.{packing}"
    member = part(what * ((16 << 20) // len(what)))
    file.write_bytes(member * (times // 16))
    return file


def test_what_is_no_log_ends_with_a_message(tmp_path: Path) -> None:
    line = tmp_path / "line"
    line.write_bytes(b"Killed process oom-kill " * ((200 << 20) // 24))
    files = [Path("/dev/zero"), line, *(bomb(tmp_path, packing, b"\0", 1024) for packing in PACKINGS[1:])]
    for file in files:
        for arguments in ([], ["--json"], ["--follow"]) if file == Path("/dev/zero") else ([],):
            status, printed, said = peak([*arguments, str(file)], None)
            assert status == 1 and printed == "", (file, said)
            assert "no line ends in 64 MiB" in said and str(file) in said and "remedy:" in said
    with open("/dev/zero", "rb") as zero:
        assert peak(["-"], zero)[0] == 1


def test_a_long_log_takes_no_more_than_a_short_one(tmp_path: Path) -> None:
    """A gigabyte of lines out of a megabyte of gzip, and a report at its end."""
    file = bomb(tmp_path, "gzip", b"kernel: [    1.000000] usb 1-1: new high-speed device\n", 1024)
    file.write_bytes(file.read_bytes() + gzip.compress(ONE))
    status, printed, said = peak([str(file)], None, 300 << 20)
    assert status == 0 and said == "" and printed.startswith("memory cgroup out of memory in")


def test_several_reports_take_a_line_each(cli: Cli) -> None:
    whole = memoom.parse_reports(LOG)
    file = str(LOGS / "v2-6.1.kmsg")
    done = cli("report", file)
    assert done.stdout.splitlines() == [one.line for one in whole] and len(whole) > 10
    assert f"{len(whole)} reports; --full" in done.stderr
    full = cli("report", "--full", file).stdout
    assert all(str(one) in full and f"  | {one.text.splitlines()[0]}\n" in full for one in whole)
    alone = cli("report", str(LOGS / "6.18.44-v1-plain.kmsg")).stdout
    assert alone == f"{memoom.parse_reports(ONE)[0]}\n"


def test_lines_that_look_like_a_report(cli: Cli) -> None:
    done = cli("report", input="a\nkubelet: it was oom-killed\x1b[2J\nb\n")
    assert done.returncode == 0
    assert done.stdout == (
        "no OOM report is in this log, but 1 line looks like one:\n  kubelet: it was oom-killed\\x1b[2J\n"
    )
    done = cli("report", input="container is oom-killed\n" * 20)
    assert "but 20 lines look like one:" in done.stdout and "and 12 more" in done.stdout


@contextmanager
def command(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "memoom", "report", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def read_report(process: subprocess.Popen[bytes], until: bytes = b"killed") -> bytes:
    """What is printed until it has the victim; ends with the test's own patience."""
    assert process.stdout is not None
    signal.alarm(int(PATIENCE))
    try:
        text = b""
        while until not in text:
            line = process.stdout.readline()
            assert line, text
            text += line
        return text
    finally:
        signal.alarm(0)


def test_a_pipe_tells_each_report_when_it_is_complete() -> None:
    lines = ONE.splitlines(keepends=True)
    half = next(at for at, line in enumerate(lines) if b"invoked oom-killer" in line) + 4
    with command("-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"".join(lines[:half]))
        process.stdin.flush()
        # It stays open as long as nobody is named: the rest comes after a pause.
        ready, _, _ = select.select([process.stdout], [], [], 1.5)
        assert not ready
        process.stdin.write(b"".join(lines[half:]))
        process.stdin.flush()
        assert b"memory cgroup out of memory in" in read_report(process)
        process.stdin.close()
        assert process.stdout.read().count(b"out of memory in") == 0
        assert process.wait(PATIENCE) == 0


def test_follow_goes_on_through_rotation_and_truncation(tmp_path: Path) -> None:
    file = tmp_path / "kern.log"
    file.write_bytes(ONE)
    first = memoom.parse_reports(ONE)[0].to_json()
    with command("--follow", "--json", str(file)) as process:
        assert read_report(process, b"\n").decode() == first + "\n"
        with open(file, "ab") as more:
            more.write(ONE.replace(b"6,", b"6,", 1))
        document = json.loads(read_report(process, b"\n"))
        assert document["schema"] == "memoom.report/1"
        # Rotated: another takes the name.
        file.rename(tmp_path / "kern.log.1")
        file.write_bytes(ONE)
        assert json.loads(read_report(process, b"\n"))["kills"] == json.loads(first)["kills"]
        # Cut in its place.
        os.truncate(file, 0)
        with open(file, "ab") as more:
            more.write(ONE[: ONE.index(b"\n", len(ONE) - 2000) + 1])
        process.terminate()
        assert process.wait(PATIENCE) == -signal.SIGTERM


def test_what_is_packed_is_not_followed(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "log.gz"
    file.write_bytes(gzip.compress(LOG))
    done = cli("report", "--follow", str(file))
    assert done.returncode == 1 and "does not grow" in done.stderr and "Traceback" not in done.stderr
    assert cli("report", "--follow", str(tmp_path / "absent")).returncode == 1


def test_what_is_behind_a_path() -> None:
    number = "3f5e0a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f5061728394a5b6c7d"
    pod = "kubepods-burstable-pod0f7a7f3e_6f0e_4c43_8a5d_5f3c1f9f9e11.slice"
    path = f"/kubepods.slice/kubepods-burstable.slice/{pod}/cri-containerd-{number}.scope"
    workload = memoom.workload(path)
    assert workload is not None and workload.words == str(workload)
    assert (workload.runtime, workload.container_id, workload.job) == ("containerd", number, None)
    assert workload == memoom.workload(path.encode())
    assert memoom.workload("/whatever") is None
    # The same of a report.
    report = next(one for one in memoom.parse_reports((LOGS / "made" / "klog.log").read_bytes()) if one.task_memcg)
    told = report.victim_workload
    assert told is not None and str(told) == told.words and told == memoom.workload(report.task_memcg or "")

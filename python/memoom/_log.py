"""Logs of any length and packing, read piece by piece: each report as it is found, in bounded memory."""

from __future__ import annotations

import importlib
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import IO, Any, Union

from ._errors import InvalidInputError
from ._frames import extra
from ._native import ReportReader
from ._report import Report

__all__ = ["iter_reports"]

_Log = Union[str, "os.PathLike[str]", IO[bytes], IO[str], Iterable[bytes], Iterable[str]]  # 3.10 has no other way

# So much is read at a time.
PIECE = 256 << 10
# What has a line longer than this is no log: a device, a file of zeros, a packing that is not known.
LONGEST_LINE = 64 << 20
# What unpacking may take: what `xz -9` and `zstd --ultra -22` need, and not what a file may ask for.
_UNPACKING = 128 << 20
# zstandard has no bound for what it makes of a piece: four bytes can be a block of 128 KiB.
_ZSTD_PIECE = 2 << 10

_MAGIC = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_LONGEST_MAGIC = max(map(len, _MAGIC))


def iter_reports(log: _Log) -> Iterator[Report]:
    """Every OOM report in a log of any length, each as soon as it is complete.

    `log` is the path of a file, an open file, or an iterable of pieces, text or bytes, which are joined as they are:
    lines need their ends. What gzip, xz or zstd has packed is unpacked on the way (zstd: Python 3.14, or
    `memoom[zstd]`). Memory is bounded, however long the log is: a window of some MiB is taken apart at a time. A log
    that is shorter than 4 MiB gives what `parse_reports` gives, unless damage has left none of the words by which a
    report is found.

    Raises `InvalidInputError` for what is no log, because a line of it is longer than 64 MiB, or because its packing is
    broken; `MissingExtraError` for zstd where nothing unpacks it; `OSError` as of `open`.
    """
    if isinstance(log, (bytes, bytearray, memoryview)):
        raise TypeError("iter_reports takes a path, a file or pieces of a log; parse_reports takes the log itself")
    name = os.fspath(log) if isinstance(log, (str, os.PathLike)) else str(getattr(log, "name", "the log"))
    return _reports(log, name)


def _reports(log: _Log, name: str) -> Iterator[Report]:
    reader = ReportReader()
    for piece in unpacked(_pieces(log), name):
        yield from reader.feed(piece)
        check_line(reader, name)
    yield from reader.finish()


def check_line(reader: ReportReader, name: str) -> None:
    """Raises where no line ends: so much is no line of a log."""
    if reader.line_bytes > LONGEST_LINE:
        raise _broken(name, f"no line ends in {LONGEST_LINE >> 20} MiB of it: it is no log", "give a log as text")


def _pieces(log: _Log) -> Iterator[str | bytes]:
    if isinstance(log, (str, os.PathLike)):
        with open(log, "rb", buffering=0) as file:
            yield from _read(file)
    elif hasattr(log, "read"):
        yield from _read(log)
    else:
        yield from log


def _read(file: Any) -> Iterator[str | bytes]:
    # What is there already is given at once, where the file can do that.
    read = getattr(file, "read1", file.read)
    while piece := read(PIECE):
        yield piece


def unpacked(pieces: Iterable[str | bytes], name: str) -> Iterator[str | bytes]:
    """The pieces of a log as they are, also empty ones, or what gzip, xz or zstd has packed in them."""
    rest = iter(pieces)
    first: list[str | bytes] = []
    begin = b""
    for piece in rest:
        first.append(piece)
        begin += piece[:_LONGEST_MAGIC] if isinstance(piece, bytes) else b"text"
        if not begin or not any(magic.startswith(begin[:_LONGEST_MAGIC]) for magic in _MAGIC):
            break
        if len(begin) >= _LONGEST_MAGIC:
            break
    packing = packing_of(begin)
    if packing is None:
        yield from chain(first, rest)
        return
    raw: Any = io.BufferedReader(_Pieces(chain(first, rest)), PIECE)
    wrong: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, *_errors(packing))
    try:
        with _open(packing, raw) as file:
            while piece := file.read(PIECE):
                yield piece
    except wrong as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        why = f"its {packing} packing cannot be read: {error}"
        raise _broken(name, why, f"look at it with {packing} -t") from error


def packing_of(begin: bytes) -> str | None:
    """What a file is packed with that begins so; None for a log as it is."""
    return next((packing for magic, packing in _MAGIC.items() if begin.startswith(magic)), None)


def _open(packing: str, raw: Any) -> Any:
    """The unpacked content, as a file."""
    if packing == "gzip":
        return importlib.import_module("gzip").GzipFile(fileobj=raw)
    if packing == "xz":
        lzma = importlib.import_module("lzma")
        return _Streams(raw, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_UNPACKING), PIECE)
    try:
        zstd = importlib.import_module("compression.zstd")  # Python 3.14
    except ImportError:
        zstandard = extra("zstandard", "zstd").ZstdDecompressor(max_window_size=_UNPACKING)
        return _Streams(raw, zstandard.decompressobj, _ZSTD_PIECE)
    options = {zstd.DecompressionParameter.window_log_max: _UNPACKING.bit_length() - 1}
    return zstd.ZstdFile(raw, options=options)


def _errors(packing: str) -> tuple[type[Exception], ...]:
    """What the library raises for a broken file, beyond the builtins."""
    if packing == "xz":
        return (importlib.import_module("lzma").LZMAError,)
    if packing == "zstd":
        try:
            return (importlib.import_module("compression.zstd").ZstdError,)
        except ImportError:
            return (extra("zstandard", "zstd").ZstdError,)
    return ()


class _Streams:
    """Streams one behind another, by a decompressor for each.

    `lzma.open` has no bound for the memory that a file may ask for, and zstandard's own reader takes an end in the
    midst of a stream for its end.
    """

    def __init__(self, raw: Any, new: Callable[[], Any], piece: int) -> None:
        self._raw, self._new, self._piece = raw, new, piece
        self._one = new()

    def __enter__(self) -> _Streams:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def read(self, size: int) -> bytes:
        packed = b""
        while True:
            if self._one.eof:
                # There may be zeros between two streams.
                packed = self._one.unused_data
                while not (packed := packed.lstrip(b"\0")):
                    if not (packed := self._raw.read1(self._piece)):
                        return b""
                self._one = self._new()
            bounded = hasattr(self._one, "needs_input")
            if not packed and (not bounded or self._one.needs_input):
                packed = self._raw.read1(self._piece)
                if not packed:
                    raise EOFError("it ends in the midst of a stream")
            part: bytes = self._one.decompress(packed, size) if bounded else self._one.decompress(packed)
            packed = b""
            if part:
                return part


class _Pieces(io.RawIOBase):
    """An iterable of pieces as a file."""

    def __init__(self, pieces: Iterator[str | bytes]) -> None:
        self._rest = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not self._left:
            piece = next(self._rest, None)
            if piece is None:
                return 0
            if isinstance(piece, str):
                raise TypeError("what is packed comes in bytes; open the file in binary")
            self._left = memoryview(piece)
        count = min(len(into), len(self._left))
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _broken(name: str, why: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(f"read log: {name}: {why}; remedy: {remedy}", operation="read log", path=name)

"""Names as they were given: what the documents write as `\\xNN` is text here where it is UTF-8.

The documents and the core's texts are ASCII, as the kernel's own log is. Control characters, the backslash and bytes
that are no text stay escaped, so that no name of a foreign process reaches a terminal as a command to it; `name_bytes`
beside a `name` has what it really is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Sequence

__all__ = ["meant", "note", "plain", "readable", "shown", "signal_name", "table"]

_RUN = re.compile(r"(?:\\x[89a-f][0-9a-f])+")
_BYTE = re.compile(rb"\\x([0-9a-f]{2})")


def readable(text: str) -> str:
    """A text of the core with everything that is printable UTF-8 as such."""
    return _RUN.sub(_decoded, text) if "\\x" in text else text


def _decoded(run: re.Match[str]) -> str:
    escaped = run.group()
    try:
        text = bytes.fromhex(escaped.replace("\\x", "")).decode()
    except UnicodeDecodeError:
        return escaped
    return text if text.isprintable() else escaped


def shown(text: object) -> str:
    """A text for a terminal: what is not printable, but for the ends of lines, is written `\\xNN`."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(
        one if one.isprintable() or one == "\n" else "".join(f"\\x{byte:02x}" for byte in os.fsencode(one))
        for one in line
    )


def meant(name: str, known: Iterable[str]) -> str | None:
    """The nearest of the names that there are, for one that there is not; dashes before an option do not count."""
    import difflib

    bare = {one.lstrip("-"): one for one in sorted(known)}
    close = difflib.get_close_matches(name.lstrip("-"), bare, 1)
    return bare[close[0]] if close else None


def signal_name(number: int) -> str:
    """A signal as one speaks of it; most of the realtime ones have no name."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def table(rows: Sequence[Sequence[str]], left: Container[int]) -> list[str]:
    """Lines in which the cells of a column stand below each other, those of the columns `left` by their beginnings."""
    columns = []
    for at, column in enumerate(zip(*rows, strict=True)):
        width = max(map(len, column))
        columns.append([cell.ljust(width) if at in left else cell.rjust(width) for cell in column])
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]


def plain(text: str) -> bytes:
    """The bytes that a name of a document stands for."""
    return _BYTE.sub(lambda byte: bytes.fromhex(byte.group(1).decode()), text.encode())


def note(error: BaseException, text: str) -> None:
    """Adds a note to an exception, also where Python has none of its own (3.10): pytest shows them there too."""
    if hasattr(error, "add_note"):
        error.add_note(text)
    else:
        error.__notes__ = [*getattr(error, "__notes__", []), text]

"""Text as mdoc(7) has it, for whoever writes manual pages: a backslash and a leading dot are meant as they are."""

from __future__ import annotations

import re


def literal(line: str) -> str:
    """One line as it stands."""
    line = line.replace("\\", "\\e")
    return "\\&" + line if line[:1] in (".", "'") else line


def prose(words: str) -> str:
    """Each sentence on a line of its own."""
    flat = " ".join(words.split())
    return "\n".join(literal(line) for line in re.split(r"(?<=[.!?])(?<!\.\.) +", flat))


def typed(words: str) -> str:
    """Prose with what is typed in it: each minus is one, and no hyphen."""
    return prose(words).replace("-", "\\-")

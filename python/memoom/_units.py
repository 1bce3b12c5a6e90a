"""Numbers of bytes the way a person reads them."""

from __future__ import annotations

__all__ = ["size"]


def size(count: int | None) -> str:
    """A number of bytes in the largest unit that fits, with one decimal where it is not whole."""
    if count is None:
        return "unknown"
    for shift, unit in ((30, "G"), (20, "M"), (10, "K")):
        if count >> shift:
            whole, rest = divmod(count, 1 << shift)
            return f"{whole}{unit}" if rest == 0 else f"{count / (1 << shift):.1f}{unit}"
    return str(count)

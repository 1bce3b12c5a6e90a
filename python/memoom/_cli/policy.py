"""``memoom policy``: one curve of pressure against several killers."""

from __future__ import annotations

import argparse
import os

from . import Parser, complain

_WRITING, _PLOT = "write plot", "plot of memoom policy"


def main(arguments: list[str]) -> int:
    options = _parse(arguments)

    from .. import MemoomError, policy
    from .._files import replacing, require_own

    try:
        if options.plot is not None:
            # Said before the trials, not after them.
            require_own(_WRITING, options.plot, _is_plot, _PLOT)
        found = policy(options.file, options.policies.split(",") if options.policies is not None else None)
        if options.plot is not None:
            with replacing(_WRITING, options.plot, _is_plot, _PLOT) as new, open(new, "w", encoding="utf-8") as file:
                file.write(found.to_svg())
    except (MemoomError, OSError) as error:
        complain("memoom policy", error)
        return 1
    print(found.to_json() if options.json else found)
    return 0 if any(trial.refused is None for trial in found.trials) else 1


def _is_plot(fd: int) -> bool:
    """Whether a file is a plot of earlier policies."""
    return os.pread(fd, 200, 0).startswith(b"<svg") and b"usage under each policy" in os.pread(fd, 1000, 0)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="memoom policy",
        description="Holds the policies of FILE (.toml) against its curve of pressure, one after the other: who died, "
        "how much work was lost, how long the limit was met. Hogs follow the curve in a group of a lab.",
        epilog="Exit status 0: a policy was tried at least; 1: none could be, or memoom failed.",
    )
    add = parser.add_argument
    add("file", metavar="FILE", help="limit, process (name, curve) or recorded, policies")
    add("--policies", metavar="NAME,...", help="these instead: kernel, oom-group, earlyoom, systemd-oomd")
    add("--plot", metavar="FILE", help="draw the usage under each policy in FILE (SVG); an earlier plot is replaced")
    add("--json", action="store_true", help="print what was found as one JSON document")
    return parser.parse_args(arguments)

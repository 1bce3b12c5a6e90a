"""``memoom policy``: one curve of pressure against several killers."""

from __future__ import annotations

import argparse

from . import FAILED, AnswerParser, complain, listed
from .plot import Plot


def main(arguments: list[str]) -> int:
    options = _parse(arguments)

    from .. import MemoomError, policy

    plot = Plot(options.plot, "memoom policy", "usage under each policy")
    try:
        plot.require()
        found = policy(options.file, options.policies)
        plot.write(found.to_svg)
    except (MemoomError, OSError) as error:
        complain("memoom policy", error)
        return FAILED
    print(found.to_json() if options.json else found)
    return 0 if any(trial.refused is None for trial in found.trials) else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = AnswerParser(
        prog="memoom policy",
        description="Holds the policies of FILE (.toml) against its curve of pressure, one after the other: who died, "
        "how much work was lost, how long the limit was met. Hogs follow the curve in a group of a lab.",
        epilog="Exit status 0: a policy was tried at least; 1: none could be tried here; 125: memoom failed.",
    )
    add = parser.add_argument
    add("file", metavar="FILE", help="limit, process (name, curve) or recorded, policies")
    add("--policies", metavar="NAME,...", help="these instead: kernel, oom-group, earlyoom, systemd-oomd")
    add("--plot", metavar="FILE", help="draw the usage under each policy in FILE (SVG); an earlier plot is replaced")
    add("--json", action="store_true", help="print what was found as one JSON document")
    options = parser.parse_args(arguments)
    if options.policies is not None:
        options.policies = listed(parser, "policies", options.policies)
    return options

"""``memoom compare``: two accounts side by side, and what the two kernels did differently."""

from __future__ import annotations

import json
from typing import Any

from . import Parser, complain

# An outcome has its accounts with the kernel's reports, mostly some hundred KiB; what is longer is none.
_LONGEST = 64 << 20


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom compare",
        description="Compares two outcomes or accounts, such as of the same load on two kernels: who died, what filled "
        "the limit, what was counted, the call path, and what could not be read. Sizes that differ by less than a "
        "tenth or by less than 1 MiB are the same.",
        epilog="Exit status 0 where nothing differs, 1 where something does, 2 when a file cannot be compared.",
    )
    parser.add_argument("first", metavar="A.json", help="what memoom run --json --output A.json has written")
    parser.add_argument("second", metavar="B.json", help="the other")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)

    from .._compare import compare

    try:
        found = compare(_read(options.first), _read(options.second))
    except (OSError, ValueError) as error:
        complain("memoom compare", error)
        return 2
    if options.json:
        rows = [{"name": one.name, "first": one.first, "second": one.second} for one in found]
        print(json.dumps({"schema": "memoom.comparison/1", "differences": rows}))
    else:
        print("\n".join(one.line() for one in found) or "nothing differs")
    return 1 if found else 0


def _read(path: str) -> dict[str, Any]:
    """The outcome or account that a file begins with."""
    from .._compare import facts

    with open(path, encoding="utf-8") as file:
        try:
            text = file.read(_LONGEST + 1)
            if len(text) > _LONGEST:
                raise ValueError(f"it is longer than {_LONGEST >> 20} MiB")
            document: dict[str, Any] = json.JSONDecoder().raw_decode(text.lstrip())[0]
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: it is no JSON document: {error}") from error
    try:
        facts(document)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return document

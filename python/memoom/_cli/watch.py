"""``memoom watch``: what happens in an existing group, until it is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import Parser, complain

if TYPE_CHECKING:
    from .. import Event


def main(arguments: list[str]) -> int:
    parser = Parser(prog="memoom watch", description="Shows the events of a group until the group is removed.")
    parser.add_argument("path", metavar="CGROUP_PATH", help="the directory of the group")
    parser.add_argument("--json", action="store_true", help="print one JSON document per line: events and accounts")
    options = parser.parse_args(arguments)

    from .. import Group, MemoomError

    try:
        group = Group.open(options.path)
        with group.watch() as watch:
            if not options.json:
                print(f"watching {group.cgroup} (limit {group.limit or 'none'})", flush=True)
            for event in watch:
                print(event.to_json() if options.json else _line(event), flush=True)
                _tell_ooms(watch, options.json)
            _tell_ooms(watch, options.json, within=1.0)
    except MemoomError as error:
        complain("memoom watch", error)
        return 1
    if not options.json:
        print("the group was removed")
    return 0


def _tell_ooms(watch: object, json: bool, within: float = 0) -> None:
    from .. import Watch
    from .show import account

    assert isinstance(watch, Watch)
    while (oom := watch.wait_oom(within)) is not None:
        print(oom.to_json() if json else "\n".join(account(oom)), flush=True)
        within = 0


def _line(event: Event) -> str:
    return f"{event.time_ns / 1e9:14.6f}  {event}"

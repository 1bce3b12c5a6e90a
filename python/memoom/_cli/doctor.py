"""``memoom doctor``: what works here, and what helps where something does not."""

from __future__ import annotations

from . import Parser, complain


def main(arguments: list[str]) -> int:
    parser = Parser(prog="memoom doctor", description="Says what works here. Exit status 0 if a lab can be made.")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)

    from .. import Host, MemoomError

    try:
        host = Host.probe()
    except MemoomError as error:
        complain("memoom doctor", error)
        return 1
    try:
        host.require_lab()
        refusal = None
    except MemoomError as error:
        refusal = error
    if options.json:
        import json

        document = {
            "schema": "memoom.host/1",
            "lab": refusal is None,
            "refusal": refusal and str(refusal),
            **host.to_dict(),
        }
        print(json.dumps(document))
    else:
        _show(host, refusal)
    return 0 if refusal is None else 1


def _show(host: object, refusal: Exception | None) -> None:
    from .. import Host

    assert isinstance(host, Host)
    controller = "nowhere" if host.version is None else f"cgroup {host.version} at {host.mount}"
    print(f"kernel             {host.release}")
    print(f"hierarchies        {host.hierarchy}; the memory controller is on {controller}")
    print(f"own group          {host.own_group or 'unknown'}")
    print(
        f"memory             {host.available_bytes >> 20} MiB available, {host.swap_total_bytes >> 20} MiB of swap on"
    )
    print()
    for ability in host.abilities:
        print(f"{'✓' if ability.available else '✗'} {ability.name:<20} {ability.reason}")
        if ability.remedy:
            print(f"  {'':<20} → {ability.remedy}")
    print()
    if refusal is None:
        print(f"A lab can be made here, below {host.parent}.")
    else:
        print(f"No lab can be made here: {refusal}")

#!/usr/bin/env python3
"""Writes the bill of materials of memoom's libraries, as CycloneDX 1.5.

Named is every crate that is built into them or writes their code (procedural macros).

    materials.py [FILE]        into a file, or to standard output

It is a function of Cargo.lock and the manifests alone: no path, no time, no name of the building machine, so the same
sources give the same bytes. What tests and builds need and no user gets is not in it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
# What a user gets: the Rust library, the C library, the module of the Python package.
PRODUCTS = ("memoom", "memoom-capi", "memoom-python")
# A package of Cargo.lock; those of the workspace have no checksum.
_LOCKED = re.compile(r'name = "(.+)"\nversion = "(.+)"\n(?:source = ".+"\n)?(?:checksum = "(.+)"\n)?')


def metadata() -> dict[str, Any]:
    argv = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", str(CHECKOUT / "Cargo.toml")]
    return json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)


def bill(about: dict[str, Any], lock: str) -> dict[str, Any]:
    packages = {package["id"]: package for package in about["packages"]}
    needs = {node["id"]: linked(node) for node in about["resolve"]["nodes"]}
    inside = set()
    left = [number for number, package in packages.items() if package["source"] is None and package["name"] in PRODUCTS]
    while left:
        number = left.pop()
        if number not in inside:
            inside.add(number)
            left += needs[number]
    checksums = {(name, version): checksum for name, version, checksum in _LOCKED.findall(lock)}
    order = sorted(inside, key=lambda number: (packages[number]["name"], packages[number]["version"]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(next(packages[one] for one in order if packages[one]["name"] == "memoom"))},
        "components": [
            component(packages[one], checksums[packages[one]["name"], packages[one]["version"]]) for one in order
        ],
        "dependencies": [
            {"ref": url(packages[one]), "dependsOn": sorted(url(packages[other]) for other in needs[one])}
            for one in order
        ],
    }


def linked(node: dict[str, Any]) -> list[str]:
    """What is linked in; what a test or a build script needs is not."""
    return [one["pkg"] for one in node["deps"] if any(kind["kind"] is None for kind in one["dep_kinds"])]


def url(package: dict[str, Any]) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package: dict[str, Any], checksum: str = "") -> dict[str, Any]:
    hashes = {"hashes": [{"alg": "SHA-256", "content": checksum}]} if checksum else {}
    return {
        "type": "library",
        "bom-ref": url(package),
        "name": package["name"],
        "version": package["version"],
        "licenses": [{"expression": package["license"].replace("/", " OR ")}],
        "purl": url(package),
        **hashes,
    }


def main() -> None:
    text = json.dumps(bill(metadata(), (CHECKOUT / "Cargo.lock").read_text()), indent=2) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

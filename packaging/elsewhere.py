#!/usr/bin/env python3
"""Makes the wheel for systems that are no Linux: the same package without its native part.

    elsewhere.py WHEEL DIRECTORY        from the wheel for Linux; prints the path of the other one

There `import memoom` works and says why nothing can be done, so a suite that uses it can be collected and skipped. Its
tags name macOS and Windows, not any system: a Linux for which there is no wheel is to build from source.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

TAGS = ["macosx_10_9_x86_64", "macosx_11_0_arm64", "win32", "win_amd64", "win_arm64"]


def convert(wheel: Path, directory: Path) -> Path:
    name, version, *_ = wheel.stem.split("-")
    made = directory / f"{name}-{version}-py3-none-{'.'.join(TAGS)}.whl"
    records = []
    with zipfile.ZipFile(wheel) as given, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for info in given.infolist():
            data = given.read(info)
            if info.filename.endswith((".so", "/RECORD")) or "/sboms/" in info.filename:
                continue
            if info.filename.endswith("/WHEEL"):
                kept = [line for line in data.decode().splitlines() if line and not line.startswith(("Tag", "Root-Is"))]
                tags = [f"Tag: py3-none-{tag}" for tag in TAGS]
                data = "\n".join([*kept, "Root-Is-Purelib: true", *tags, ""]).encode()
            # The date of the given file stays, so that the same wheel gives the same bytes.
            out.writestr(info, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            records.append(f"{info.filename},sha256={digest},{len(data)}")
        record = f"{name}-{version}.dist-info/RECORD"
        out.writestr(zipfile.ZipInfo(record), "\n".join([*records, f"{record},,", ""]))
    return made


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: elsewhere.py WHEEL DIRECTORY")
    Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
    print(convert(Path(sys.argv[1]), Path(sys.argv[2])))

#!/usr/bin/env python3
"""Build what the guests run, outside: tests and examples of Rust and C, in target/guest under plain names.

Cargo puts a hash into the name of each test program; the guests have no cargo to look it up.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
GUEST = CHECKOUT / "target" / "guest"
STAGE = CHECKOUT / "target" / "stage"


def executables(arguments: list[str]) -> dict[str, Path]:
    """The programs that a cargo command makes, by name."""
    command = ["cargo", *arguments, "--message-format=json"]
    made = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True)
    programs = {}
    for line in made.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable"):
            target = message["target"]
            package = Path(message["manifest_path"]).parent.name
            kind = "unit" if "lib" in target["kind"] or "rlib" in target["kind"] else target["name"]
            programs[f"{package}-{kind}"] = Path(message["executable"])
    return programs


def compile_c() -> None:
    """The C tests and examples, against the staged library, found by its path from the program."""
    to = GUEST / "c"
    to.mkdir()
    for source in sorted([*CHECKOUT.glob("tests/c/*.c"), *CHECKOUT.glob("examples/c/*.c")]):
        program = to / source.stem
        search = f"-Wl,-rpath,{STAGE / 'lib'}"
        paths = [f"-I{STAGE / 'include'}", f"-L{STAGE / 'lib'}", search]
        subprocess.run(["cc", "-std=gnu99", "-g", str(source), "-o", str(program), *paths, "-lmemoom"], check=True)
        print(f"target/guest/c/{program.name}")


def compile_acceptance() -> None:
    """The programs of the acceptance cases, the same way."""
    build = "import run; run.build()"
    subprocess.run([sys.executable, "-c", build], cwd=CHECKOUT / "tests" / "acceptance", check=True)


def main() -> int:
    shutil.rmtree(GUEST, ignore_errors=True)
    GUEST.mkdir(parents=True)
    programs = executables(["test", "--no-run"]) | executables(["build", "--examples"])
    for name, path in sorted(programs.items()):
        shutil.copy2(path, GUEST / name)
        print(f"target/guest/{name}")
    compile_c()
    compile_acceptance()
    return 0


if __name__ == "__main__":
    sys.exit(main())

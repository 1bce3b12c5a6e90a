#!/usr/bin/env python3
"""Build what the guests run, outside: tests and examples of Rust and C, in target/guest under plain names.

Cargo puts a hash into the name of each test program; the guests have no cargo to look it up. With `--architecture
arm64` the same for the guests of that architecture, in target/guest-arm64, and the Python package with it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

sys.dont_write_bytecode = True

import fetch
import hosttools
import toolchain

CHECKOUT = Path(__file__).resolve().parents[2]
TARGET = CHECKOUT / "target"
# They run for as long as there is time, where each instruction is emulated.
CAMPAIGNS = ("deaths", "soak", "storm")
VENV = CHECKOUT / ".venv" / "bin"


@dataclass(frozen=True)
class Build:
    """For whom, with what, and where it goes."""

    programs: Path = TARGET / "guest"
    stage: Path = TARGET / "stage"
    compiler: str = "cc"
    # Of cargo: which target.
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, **more: str) -> None:
        subprocess.run(command, cwd=CHECKOUT, env=os.environ | self.environment | more, check=True)

    def executables(self, *arguments: str) -> dict[str, Path]:
        """The programs that a cargo command makes, by name."""
        command = ["cargo", *arguments, *self.options, "--message-format=json-render-diagnostics"]
        environment = os.environ | self.environment
        made = subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        programs = {}
        for line in made.stdout.splitlines():
            message = json.loads(line)
            if message.get("executable"):
                target = message["target"]
                package = Path(message["manifest_path"]).parent.name
                kind = "unit" if "lib" in target["kind"] or "rlib" in target["kind"] else target["name"]
                programs[f"{package}-{kind}"] = Path(message["executable"])
        return programs

    def rust(self) -> None:
        programs = self.executables("test", "--no-run") | self.executables("build", "--examples")
        for name, path in sorted(programs.items()):
            shutil.copy2(path, self.programs / name)

    def campaigns(self) -> None:
        """The campaigns once more, optimised."""
        tests = [word for name in CAMPAIGNS for word in ("--test", name)]
        for name, path in self.executables("test", "--no-run", "--release", "-p", "memoom", *tests).items():
            shutil.copy2(path, self.programs / name)

    def c(self) -> None:
        """The C tests and examples, against the staged library, found by its path from the program."""
        to = self.programs / "c"
        to.mkdir()
        for source in sorted([*CHECKOUT.glob("tests/c/*.c"), *CHECKOUT.glob("examples/c/*.c")]):
            paths = [f"-I{self.stage / 'include'}", f"-L{self.stage / 'lib'}", f"-Wl,-rpath,{self.stage / 'lib'}"]
            self.run(self.compiler, "-std=gnu99", "-g", str(source), "-o", str(to / source.stem), *paths, "-lmemoom")

    def acceptance(self) -> None:
        """The programs of the acceptance cases, the same way."""
        where = {"MEMOOM_PROGRAMS": str(self.programs), "MEMOOM_STAGE": str(self.stage), "CC": self.compiler}
        build = "import sys; sys.path.insert(0, 'tests/acceptance'); import run; run.build()"
        self.run(sys.executable, "-c", build, **where)

    # What `make stage develop` makes for this machine's own architecture.

    def library(self, triple: str) -> None:
        self.run("packaging/library.sh", "--quiet", *self.options)
        settings = {"PREFIX": self.stage, "LIBDIR": self.stage / "lib", "INCLUDEDIR": self.stage / "include"}
        settings |= {"MANDIR": self.stage / "share/man", "LIBRARIES": TARGET / triple / "capi"}
        text = {name: str(path) for name, path in settings.items()}
        self.run("packaging/install.sh", "install", VERSION=version(), PYTHON=sys.executable, **text)

    def python(self) -> None:
        """The package, unpacked, with what tells pytest of its plugin."""
        wheels = TARGET / "wheels-foreign"
        shutil.rmtree(wheels, ignore_errors=True)
        options = ["--quiet", "--release", "-m", "python/Cargo.toml", "--out", str(wheels), "--skip-auditwheel"]
        self.run(str(VENV / "maturin"), "build", *options, *self.options)
        (wheel,) = wheels.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.programs / "python")


def version() -> str:
    command = ["cargo", "metadata", "--no-deps", "--format-version=1"]
    metadata = json.loads(subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True).stdout)
    return next(package["version"] for package in metadata["packages"] if package["name"] == "memoom-capi")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def foreign(architecture: str) -> Build:
    hosttools.need_compiler(architecture, say)
    return Build(
        programs=TARGET / f"guest-{architecture}",
        stage=TARGET / f"stage-{architecture}",
        compiler=toolchain.COMPILERS[architecture],
        options=("--target", toolchain.TARGETS[architecture]),
        environment=toolchain.environment(architecture, fetch.default_cache(), say),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", choices=["amd64", *toolchain.TARGETS], default="amd64")
    parser.add_argument(
        "--campaigns", action="store_true", help="build deaths, soak and storm optimised, and nothing else"
    )
    args = parser.parse_args()
    architecture = args.architecture
    try:
        build = Build() if architecture == "amd64" else foreign(architecture)
    except (fetch.FetchError, hosttools.HostError) as error:
        say(f"build.py: {error}")
        return 2
    if args.campaigns:
        build.programs.mkdir(parents=True, exist_ok=True)
        build.campaigns()
        return 0
    shutil.rmtree(build.programs, ignore_errors=True)
    build.programs.mkdir(parents=True)
    if architecture != "amd64":
        build.library(toolchain.TARGETS[architecture])
        build.python()
    build.rust()
    build.c()
    build.acceptance()
    for path in sorted(path for path in build.programs.glob("**/*") if path.is_file() and os.access(path, os.X_OK)):
        print(path.relative_to(CHECKOUT))
    return 0


if __name__ == "__main__":
    sys.exit(main())

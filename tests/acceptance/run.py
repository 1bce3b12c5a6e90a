#!/usr/bin/env python3
"""Run the acceptance cases here or in guests, through C and Python, and keep what came of them.

    run.py                              every case once, on this machine
    run.py --times 20 --record          twenty times; the results go to tests/acceptance/results, and docs/acceptance.md
    run.py --guest 6.1-v2,6.12-v2 ...   inside these kernels (tests/kernels), one after another
    run.py --table                      docs/acceptance.md anew from the result files

Exit status: 0 when all that applies passed, 1 when something did not, 2 when no run could be made.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

sys.dont_write_bytecode = True

import table  # noqa: E402 - its bytecode is not to be written

HERE = table.HERE
CHECKOUT = table.CHECKOUT
# Of another architecture they stand elsewhere: see tests/kernels/build.py.
PROGRAMS = CHECKOUT / os.environ.get("MEMOOM_PROGRAMS", "target/guest") / "acceptance"
STAGE = CHECKOUT / os.environ.get("MEMOOM_STAGE", "target/stage")
KEPT = CHECKOUT / "target" / "acceptance"
# One case under emulation takes up to a minute; none takes this long.
DEADLINE = 600


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--times", type=int, default=1, metavar="N", help="runs of each case (default 1)")
    add("--only", default="", metavar="CASE,...", help="these cases")
    add("--face", default="c,python", metavar="FACE,...", help="c, python or both")
    add("--guest", default="", metavar="ENTRY,...", help="inside these entries of tests/kernels")
    add("--guest-option", action="append", default=[], metavar="OPTION", help="passed on to tests/kernels/run.py")
    add("--record", action="store_true", help="keep the results in tests/acceptance/results and write the page")
    add("--table", action="store_true", help="write the page from the kept results, and exit")
    add("--no-build", action="store_true", help="the C programs are built already")
    add("--results", type=Path, default=KEPT, metavar="DIR", help="where the files of the runs go")
    return parser.parse_args()


def build() -> None:
    """The C programs, against the installed tree that `make stage` makes."""
    if not (STAGE / "include" / "memoom.h").exists():
        raise SystemExit("run.py: target/stage is missing; `make stage` makes it")
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    for source in sorted((HERE / "c").glob("*.c")):
        paths = [f"-I{STAGE / 'include'}", f"-L{STAGE / 'lib'}", f"-Wl,-rpath,{STAGE / 'lib'}"]
        warnings = ["-std=gnu99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"]
        program = PROGRAMS / source.stem
        new = program.with_suffix(".new")
        command = [os.environ.get("CC", "cc"), *warnings, *paths, str(source), "-o", str(new), "-lmemoom"]
        subprocess.run(command, check=True)
        # In one step: another run may be using the one of before.
        new.replace(program)


def run_c(case: table.Case) -> tuple[str, str]:
    """One run of a C program, judged by its TAP: "passed", "failed" or "skipped", and why."""
    environment = os.environ | table.environment(case)
    try:
        done = subprocess.run(
            [str(PROGRAMS / case.name)], env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
    except FileNotFoundError as error:
        return "failed", str(error)
    except subprocess.TimeoutExpired as late:
        return "failed", f"not done within {DEADLINE} s\n{(late.stdout or b'').decode(errors='replace')}"
    lines = done.stdout.splitlines()
    plan = [line for line in lines if line.startswith("1..")]
    wrong = [line for line in lines if line.startswith(("not ok", "Bail out!"))]
    skipped = [line for line in lines if "# SKIP" in line]
    if done.returncode != 0 or wrong or not plan:
        return "failed", done.stdout + done.stderr
    if skipped:
        return "skipped", skipped[0].partition("# SKIP ")[2]
    return "passed", ""


def run_python(cases: list[table.Case], results: Path, number: int) -> dict[str, tuple[str, str]]:
    """One run of all Python tests, judged by their JUnit file."""
    junit = results / f"python-{number}.xml"
    expected = results / "expected.json"
    expected.write_text(json.dumps({case.name: case.expect for case in cases if not case.absent}))
    names = [f"test_{case.name}" for case in cases if not case.absent]
    if not names:
        return {}
    tests = [str(HERE / "python" / f"{name}.py") for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}", *tests]
    environment = os.environ | {"ACCEPTANCE_EXPECTED": str(expected), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    judged: dict[str, tuple[str, str]] = {}
    if not junit.exists():
        return {name.removeprefix("test_"): ("failed", done.stdout + done.stderr) for name in names}
    for element in ET.parse(junit).iter("testcase"):
        name = element.get("classname", "").rpartition(".")[2].removeprefix("test_")
        trouble = [child for child in element if child.tag in ("failure", "error")]
        skips = [child.get("message", "") for child in element if child.tag == "skipped"]
        if trouble:
            judged[name] = ("failed", trouble[0].text or "")
        elif skips:
            judged.setdefault(name, ("skipped", skips[0]))
        else:
            judged.setdefault(name, ("passed", ""))
    return judged


def run_here(args: argparse.Namespace) -> int:
    """Every case on this machine; the results go to one JSON file, one TAP stream and one JUnit file."""
    import features

    import memoom

    if not args.no_build:
        build()
    results: Path = args.results
    results.mkdir(parents=True, exist_ok=True)
    has = features.probe()
    wanted = set(args.only.split(",")) if args.only else None
    cases = [case for case in table.cases(has) if wanted is None or case.name in wanted]
    if wanted is not None and (unknown := wanted - {case.name for case in cases}):
        raise SystemExit(f"run.py: no case {', '.join(sorted(unknown))}")
    faces = args.face.split(",")
    kept: dict[str, dict[str, object]] = {case.name: {"absent": case.absent} if case.absent else {} for case in cases}
    tests: list[tuple[str, str, str, str]] = []
    host = memoom.Host.probe()
    # The local part of a release names a build of somebody's, which says nothing to others.
    kernel = re.match(r"[0-9.]*[0-9]", platform.release())[0]  # type: ignore[index]
    entry = os.environ.get("MEMOOM_ENTRY", f"{kernel}-{host.version}")
    document = {"entry": entry, "kernel": kernel, "hierarchy": host.version, "features": has, "cases": kept}
    for number in range(1, args.times + 1):
        judged: list[tuple[str, str, str, str]] = []
        if "c" in faces:
            judged += [(case.name, "c", *run_c(case)) for case in cases if not case.absent]
        if "python" in faces:
            judged += [(name, "python", *came) for name, came in run_python(cases, results, number).items()]
        for name, face, status, why in judged:
            one = kept[name].setdefault(face, {"runs": 0, "passed": 0})
            one["runs"] += 1  # type: ignore[index]
            one["passed"] += status == "passed"  # type: ignore[index]
            tests.append((f"{name} ({face}), run {number}", face, status, why))
            mark = "not ok" if status == "failed" else "ok"
            skip = f" # SKIP {why}" if status == "skipped" else ""
            print(f"{mark} {len(tests)} - {tests[-1][0]}{skip}", flush=True)
            if status == "failed":
                print("\n".join(f"# {line}" for line in why.splitlines()[-60:]), flush=True)
        # After each round: a guest may be out of time before the last one.
        (results / f"{entry}.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    for case in cases:
        if case.absent:
            tests.append((case.name, "", "skipped", case.absent))
            print(f"ok {len(tests)} - {case.name} # SKIP {case.absent}")
    print(f"1..{len(tests)}")
    write_junit(results / f"{entry}.xml", tests)
    if args.record:
        record(results / f"{entry}.json")
    # A skip that the table did not announce is no pass: it says that the table is wrong.
    wrong = [test for test in tests if test[2] == "failed" or (test[2] == "skipped" and test[1])]
    return 1 if wrong else 0


def write_junit(path: Path, tests: list[tuple[str, str, str, str]]) -> None:
    counted = {status: str(sum(test[2] == status for test in tests)) for status in ("failed", "skipped")}
    suite = ET.Element("testsuite", name="acceptance", tests=str(len(tests)))
    suite.set("failures", counted["failed"])
    suite.set("skipped", counted["skipped"])
    for name, face, status, why in tests:
        case = ET.SubElement(suite, "testcase", classname=f"acceptance.{face or 'none'}", name=name)
        if status == "failed":
            ET.SubElement(case, "failure", message="failed").text = why
        elif status == "skipped":
            ET.SubElement(case, "skipped", message=why)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def record(result: Path) -> None:
    """Keeps a result file, merged by case with what is kept of the same kernel, and writes the page."""
    table.RESULTS.mkdir(exist_ok=True)
    new = json.loads(result.read_text())
    kept = table.RESULTS / result.name
    if kept.exists():
        old = json.loads(kept.read_text())
        if old["kernel"] == new["kernel"]:
            new["cases"] = old["cases"] | new["cases"]
    kept.write_text(json.dumps(new, indent=1, sort_keys=True) + "\n")
    table.write_page()


def call(command: list[str]) -> int:
    """Runs a command to its end; whoever is stopped meanwhile ends it first, or its guest would go on."""
    with subprocess.Popen(command) as running:
        try:
            return running.wait()
        finally:
            running.terminate()


def run_guests(args: argparse.Namespace) -> int:
    """The same inside guests: built here, run there, and the results taken from their folders."""
    if not args.no_build:
        build()
    inside = ["sh", "tests/kernels/suite-acceptance.sh", "--times", str(args.times), "--face", args.face]
    if args.only:
        inside += ["--only", args.only]
    worst = 0
    for entry in args.guest.split(","):
        folder = KEPT / "guests"
        command = [sys.executable, str(CHECKOUT / "tests/kernels/run.py"), "--only", entry, "--results", str(folder)]
        command += [*args.guest_option, "--command", shlex.join(inside)]
        worst = max(worst, call(command))
        result = folder / entry / f"{entry}.json"
        if not result.exists():
            print(f"run.py: {entry} left no result", file=sys.stderr)
            worst = 2
        elif args.record:
            record(result)
    return worst


def main() -> int:
    args = parse_arguments()
    if args.table:
        table.write_page()
        return 0
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    return run_guests(args) if args.guest else run_here(args)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Run the live suites inside real kernels, and judge them by the files that they leave.

See README.md beside this file. Exit status: 0 when every suite of every entry passed, 1 when one
did not, 2 when the run could not be made.
"""

import argparse
import concurrent.futures
import functools
import os
import re
import shlex
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True

import fetch
import foreign
import hosttools
import root
import system
import table
from guest import Guest, fresh_results
from matrix import ENTRIES, SERIES_OWN, SUITES, TOLD, Entry, Series, Suite

CHECKOUT = Path(__file__).resolve().parents[2]
# Of a guest's own root; the others use this machine's.
OWN_PYTHON = "/usr/bin/python3"
TAIL_LINES = 25
# Seconds, for one guest.
USUAL_DEADLINE = 2700
KERNEL_TROUBLE = re.compile(r"\b(WARNING: CPU|BUG:|Oops|general protection fault|INFO: task .* blocked)")


@dataclass(frozen=True)
class Result:
    """The judgement of one suite in one guest; `trouble` is empty when it passed."""

    suite: str
    seconds: str
    trouble: str
    logs: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What one entry came to."""

    entry: Entry
    release: str
    boot: float | None
    seconds: float
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="run these suites, or the suites of these entries, such as systemd")
    add("--list", action="store_true", help="show entries and suites, and exit")
    add("--only", metavar="NAME,...", help="run these entries")
    add("--all", action="store_true", help="run every entry, not only the default ones")
    add("--suite", metavar="NAME,...", help="run these suites instead of the default ones")
    add("--quick", action="store_true", help="run the quick suites only; they see MEMOOM_QUICK=1")
    add("--command", metavar="CMD", help="run this command inside instead of the suites")
    add("--kernel", type=Path, metavar="FILE", help="run in this kernel, such as a bzImage that was just built")
    add("--hierarchy", default="v2", choices=["v1", "v2", "hybrid"], help="what --kernel is set up with (v2)")
    add("--write-table", action="store_true", help="write docs/kernels.md of what doctor and facts said; see --suite")
    add("--deadline", type=float, metavar="S", help="for one guest (default 2700, more where a suite has more)")
    add("--jobs", type=int, metavar="N", help="guests at a time (default: one per processor, at most 2)")
    add("--results", type=Path, default=CHECKOUT / "target" / "test-kernels", metavar="DIR")
    add("--cache", type=Path, default=fetch.default_cache(), metavar="DIR")
    add("--refresh", action="store_true", help="look newer kernels up now")
    add("--fetch-only", action="store_true", help="fill the cache, and exit")
    add("--shell", metavar="NAME", help="an interactive shell in the guest of this entry")
    enable = {"dest": "enable", "default": []}
    add("--enable-memory", action="append_const", const="memory", **enable, help="the same as --enable memory")
    add("--enable", action="append", metavar="NAME", **enable, help="v2: enable this controller for the root's groups")
    add("--sysctl", action="append", default=[], metavar="NAME=VALUE", help="set inside")
    add("--memory", default="2G", metavar="SIZE", help="of a guest (default %(default)s)")
    add("--cpus", type=int, default=2, metavar="N", help="of a guest (default %(default)s)")
    add("--nodes", type=int, default=1, metavar="N", help="memory nodes of a guest (default %(default)s)")
    add("--swap", default="", metavar="SIZE", help="give a guest a swap device")
    add("--append", action="append", default=[], metavar="OPTION", help="one more option of the kernel's command line")
    add("--kvm", action="store_true", help="use hardware virtualisation where the host has it")
    return parser.parse_args(argv)


def chosen(names: str, things: tuple, kind: str) -> list:
    by_name = {thing.name: thing for thing in things}
    for name in names.split(","):
        if name not in by_name:
            raise SystemExit(f"run.py: no {kind} {name!r}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names.split(",")]


def chosen_entries(args: argparse.Namespace) -> list[Entry]:
    if args.kernel:
        return [Entry("own", SERIES_OWN, args.hierarchy)]
    if args.shell:
        return chosen(args.shell, ENTRIES, "entry")[:1]
    if args.only:
        return chosen(args.only, ENTRIES, "entry")
    if args.names:
        named = [one for one in ENTRIES if one.name in args.names]
        return named or [one for one in ENTRIES if any(belongs(suite, one) for suite in chosen_suites(args))]
    return [entry for entry in ENTRIES if args.all or entry.default]


def belongs(suite: Suite, entry: Entry) -> bool:
    """Whether the suite runs there when nothing but its name is told."""
    if suite.entries:
        return entry.name in suite.entries
    return suite.fits(entry) and (bool(suite.init) or entry.default)


def chosen_suites(args: argparse.Namespace) -> list[Suite]:
    names = [name for name in args.names if name not in {entry.name for entry in ENTRIES}]
    if names:
        return chosen(",".join(names), SUITES, "suite")
    if args.command:
        return [Suite("command", args.command, deadline=int(args.deadline or USUAL_DEADLINE), init=None)]
    if args.suite:
        return chosen(args.suite, SUITES, "suite")
    return [suite for suite in SUITES if suite.default and (suite.quick or not args.quick)]


def write_plan(folder: Path, args: argparse.Namespace, entry: Entry, suites: list[Suite]) -> None:
    """The two files that guest-init.sh reads."""
    variables = {"MEMOOM_ENTRY": entry.name, "MEMOOM_REQUIRE": "1"}
    python, home = (OWN_PYTHON, "/usr") if entry.own_root else (sys.executable, sys.base_prefix)
    variables["MEMOOM_PYTHON_HOME"] = home
    built = f"target/guest-{entry.series.architecture}" if entry.series.foreign else "target/guest"
    variables["MEMOOM_PROGRAMS"] = built
    if entry.series.foreign:
        variables |= {"MEMOOM_PYTHON": python, "PYTHONPATH": str(CHECKOUT / built / "python")}
    if entry.init:
        # Readable by everybody in there, whatever stands above the checkout here.
        inside = "/srv/memoom"
        variables |= {"MEMOOM_INIT": entry.init, "MEMOOM_CHECKOUT": inside}
        variables |= {"MEMOOM_PYTHON": python, "PYTHONPATH": f"{inside}/python"}
    variables |= {name: os.environ[name] for name in TOLD if name in os.environ}
    if args.quick:
        variables["MEMOOM_QUICK"] = "1"
    if args.enable:
        variables["MEMOOM_ENABLE"] = " ".join(f"+{name}" for name in args.enable)
    if args.swap:
        variables["MEMOOM_SWAP"] = args.swap
    if args.sysctl:
        variables["MEMOOM_SYSCTLS"] = " ".join(args.sysctl)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    (folder / "environment").write_text("".join(lines))
    plan = ""
    for suite in suites:
        command = suite.command.replace("{python}", shlex.quote(python))
        plan += f"{suite.name}\t{suite.deadline}\t{command}\n"
    (folder / "plan").write_text(plan)


def read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""


def judge(folder: Path, suites: list[Suite], ended: str) -> list[Result]:
    """By files only: a suite without a status and a guest without `done` have failed."""
    results = []
    for suite in suites:
        logs = (folder / f"{suite.name}.stdout", folder / f"{suite.name}.stderr")
        status, _, seconds = read(folder / f"{suite.name}.status").partition(" ")
        left = read(folder / f"{suite.name}.left").split()
        if not status:
            trouble = "no status"
        elif status in ("124", "137") and float(seconds) >= suite.deadline:
            trouble = f"not done within {suite.deadline} s"
        elif status != "0":
            trouble = f"status {status}"
        elif left:
            trouble = f"left {len(left)} groups: {' '.join(left[:3])}"
        else:
            trouble = ""
        results.append(Result(suite.name, seconds, trouble, logs))
    done = read(folder / "done")
    if ended or done != str(len(suites)):
        trouble = ended or read(folder / "init.error") or f"done is {done!r}, not {len(suites)}"
        results.append(Result("(guest)", "", trouble, (folder / "console.log",)))
    return results


class Matrix:
    """Runs the entries, a few at a time, and ends every guest when it is told to stop."""

    def __init__(self, args: argparse.Namespace, virtme: Path | None, roots: dict[Entry, root.Root]) -> None:
        self.args = args
        self.virtme = virtme
        self.roots = roots
        self.lock = threading.Lock()
        self.guests: list[Guest] = []
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True
        with self.lock:
            for guest in self.guests:
                guest.end()

    def guest(self, entry: Entry, kernel: fetch.Kernel) -> Guest:
        results = fresh_results(self.args.results / entry.name)
        settings = {"memory": self.args.memory, "cpus": self.args.cpus, "kvm": self.args.kvm}
        settings |= {"nodes": self.args.nodes, "architecture": entry.series.architecture}
        settings |= {"root": self.roots.get(entry), "init": entry.init}
        settings |= {"swap": self.args.swap, "append": tuple(self.args.append)}
        return Guest(kernel, entry.hierarchy, CHECKOUT, results, self.virtme, **settings)

    def run(self, entry: Entry, kernel: fetch.Kernel, suites: list[Suite]) -> Outcome:
        suites = [suite for suite in suites if suite.fits(entry)]
        begun = time.monotonic()
        guest = self.guest(entry, kernel)
        write_plan(guest.results, self.args, entry, suites)
        with self.lock:
            if self.stopped:
                return Outcome(entry, "", None, 0, (Result("(guest)", "", "not started"),))
            guest.start()
            self.guests.append(guest)
        longest = max((suite.deadline for suite in suites), default=0)
        ended = guest.wait(self.args.deadline or max(USUAL_DEADLINE, longest + 300))
        with self.lock:
            self.guests.remove(guest)
        results = judge(guest.results, suites, ended)
        notes = [line for line in read(guest.results / "dmesg").splitlines() if KERNEL_TROUBLE.search(line)]
        return Outcome(
            entry,
            read(guest.results / "release"),
            guest.boot_seconds(),
            time.monotonic() - begun,
            tuple(results),
            tuple(notes[:5]),
        )


def print_list() -> None:
    for entry in ENTRIES:
        mark = "" if entry.default else "  (--all)"
        print(f"{entry.name:12} newest {entry.series.name:8} from {entry.series.suite}{mark}")
    for suite in SUITES:
        print(f"suite {suite.name:12} {suite.deadline:5} s  {suite.command}")


def print_table(outcomes: list[Outcome]) -> None:
    rows = [("entry", "kernel", "hierarchy", "suite", "result", "seconds")]
    for outcome in outcomes:
        head = (outcome.entry.name, outcome.release or "?", outcome.entry.hierarchy)
        for result in outcome.results:
            rows.append((*head, result.suite, result.trouble or "passed", result.seconds))
        boot = "?" if outcome.boot is None else f"{outcome.boot:.1f}"
        rows.append((*head, "(all)", f"booted in {boot} s", f"{outcome.seconds:.1f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_logs(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        for note in outcome.notes:
            print(f"note: {outcome.entry.name}: {note}")
        for result in (result for result in outcome.results if result.trouble):
            for log in result.logs:
                lines = read(log).splitlines()[-TAIL_LINES:]
                if lines:
                    print(f"\n--- {outcome.entry.name} {result.suite}: {log}")
                    print("\n".join(lines))


def run_entries(matrix: Matrix, entries: list[Entry], kernels: dict, suites: list[Suite]) -> list[Outcome]:
    """A signal is only noted by its handler and acted upon between two waits, so that it cannot
    strike while a guest is being started or ended."""
    noted: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: noted.append(number))
    jobs = matrix.args.jobs or min(2, os.cpu_count() or 1)
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting = {pool.submit(matrix.run, entry, kernels[entry.series], suites) for entry in entries}
        try:
            while waiting and not noted:
                done, waiting = concurrent.futures.wait(waiting, 0.5, concurrent.futures.FIRST_COMPLETED)
                for outcome in (future.result() for future in done):
                    outcomes.append(outcome)
                    word = "failed" if any(result.trouble for result in outcome.results) else "passed"
                    say(f"{outcome.entry.name}: {word} in {outcome.seconds:.1f} s")
        finally:
            matrix.stop()
    if noted:
        raise KeyboardInterrupt(signal.Signals(noted[0]).name)
    return outcomes


def get_root(entry: Entry, kernel: fetch.Kernel, args: argparse.Namespace) -> root.Root:
    series = entry.series
    if entry.init:
        hosttools.need_installer(say)
        return system.get(args.cache, say, args.refresh)
    finish = functools.partial(foreign.finish, series.architecture, kernel)
    return root.get(series, args.cache, say, finish, args.refresh)


def get_kernel(series: Series, args: argparse.Namespace) -> fetch.Kernel:
    if args.kernel is None:
        return fetch.get(series, args.cache, say, args.refresh)
    if not args.kernel.is_file():
        raise fetch.FetchError(f"no kernel at {args.kernel}")
    return fetch.Kernel("own", args.kernel.resolve())


def run(args: argparse.Namespace) -> int:
    entries = chosen_entries(args)
    suites = chosen_suites(args)
    series = sorted({entry.series for entry in entries}, key=str)
    hosttools.need_packages({one.architecture for one in series}, say)
    kernels = {one: get_kernel(one, args) for one in series}
    roots = {entry: get_root(entry, kernels[entry.series], args) for entry in entries if entry.own_root}
    virtme = hosttools.need_virtme(CHECKOUT, args.cache, say) if len(roots) < len(entries) else None
    if args.fetch_only:
        return 0
    matrix = Matrix(args, virtme, roots)
    if args.shell:
        guest = matrix.guest(entries[0], kernels[entries[0].series])
        write_plan(guest.results, args, entries[0], [])
        return guest.shell()
    outcomes = run_entries(matrix, entries, kernels, suites)
    outcomes.sort(key=lambda outcome: entries.index(outcome.entry))
    print_table(outcomes)
    print_logs(outcomes)
    if args.write_table:
        for outcome in outcomes:
            table.write_evidence(args.results / outcome.entry.name, CHECKOUT / "docs" / "where.md")
        if any(suite.name == "doctor" for suite in suites):
            page = CHECKOUT / "docs" / "kernels.md"
            say(f"{page}: {table.write(args.results, [entry.name for entry in ENTRIES], CHECKOUT, page)} columns")
    results = [result for outcome in outcomes for result in outcome.results]
    failed = sum(bool(result.trouble) for result in results)
    print(f"\n{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main(argv: list[str] | None = None) -> int:
    args = parse_arguments(argv)
    if args.list:
        print_list()
        return 0
    try:
        return run(args)
    except (fetch.FetchError, hosttools.HostError) as error:
        say(f"run.py: {error}")
        return 2
    except KeyboardInterrupt as interrupt:
        say(f"run.py: stopped by {interrupt}; no guest is left")
        return 130


if __name__ == "__main__":
    sys.exit(main())

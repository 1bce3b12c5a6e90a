"""``memoom watch``: the OOMs of an existing group until that is removed, of a unit or container, or of all groups."""

from __future__ import annotations

import os
import select
import shlex
import signal
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING

from . import Parser, complain

if TYPE_CHECKING:
    from argparse import Namespace

    from .. import Group, Watch

_ENDING = (signal.SIGTERM, signal.SIGHUP)
# After the end of the group: how long an account may stay open (the core gives it up after 10 s), and for how long
# nothing must be said before there is none.
_LAST_ACCOUNTS = 12.0
_SILENCE_MS = 300


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom watch",
        description="Tells each OOM of a group that somebody else made (a unit, a container, a pod): of one by its "
        "directory until that is removed; of one by its name, also before it is there and when it comes again; or of "
        "all groups. Nothing of a group is changed, and nothing is done while nothing happens.",
        epilog="Exit status 0 when the group was removed, 1 when it cannot be watched, 128+n after signal n.",
    )
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("path", nargs="?", metavar="CGROUP_PATH", help="the directory of the group")
    subject.add_argument("--unit", metavar="UNIT", help="a systemd unit, such as nginx.service or user.slice")
    subject.add_argument("--container", metavar="NAME", help="a container, by its id, the beginning of it, or its name")
    subject.add_argument("--pod", metavar="UID", help="a pod, by its uid, or as NAME or NAMESPACE/NAME")
    subject.add_argument("--slurm", metavar="JOB[.STEP]", help="a Slurm job, or one step of it")
    subject.add_argument("--all", action="store_true", help="all groups of this machine")
    parser.add_argument(
        "--recursive", action="store_true", help="watch each group below it too, also those that are made later"
    )
    parser.add_argument("--events", action="store_true", help="tell every event too, not only the accounts")
    parser.add_argument(
        "--record",
        metavar="PATH",
        help="DIR/: keep a record of each death in this directory, for memoom why --record DIR on another day; "
        "FILE: record what the accounts are made of, for memoom replay, in place of an earlier recording",
    )
    parser.add_argument(
        "--record-size", metavar="SIZE", default="64M", help="the most that the directory may hold (64M)"
    )
    parser.add_argument(
        "--full", action="store_true", help="show whole accounts: call path, the kernel's report, sources"
    )
    parser.add_argument(
        "--json", action="store_true", help="print accounts (and events) as JSON, one document on each line"
    )
    options = parser.parse_args(arguments)

    from .. import MemoomError

    into_file = options.record is not None and not _is_directory(options.record)
    if options.path is None and (into_file or options.recursive):
        parser.error("--record FILE and --recursive are for CGROUP_PATH")
    for number in _ENDING:
        signal.signal(number, _end)
    try:
        watch, told, kept = _open(options)
        with watch:
            # With --json standard output holds documents alone.
            print(f"watching {told}", file=sys.stderr if options.json else sys.stdout, flush=True)
            _hint(arguments)
            _Teller(watch.group, watch, options.json, options.events, options.full, kept).run()
    except MemoomError as error:
        complain("memoom watch", error)
        return 1
    if not options.json:
        print("the group was removed")
    return 0


def _hint(arguments: list[str]) -> None:
    """A user without rights is told at the beginning what no account will have, and what to type for it."""
    from .. import Host

    lacks = [one.name for one in Host.probe().missing if one.name in ("kernel-log", "tracefs")]
    if len(lacks) == 2 and os.geteuid() != 0:
        again = f"sudo memoom watch {shlex.join(arguments)}"
        complain("memoom watch", f"neither {' nor '.join(lacks)} is here: accounts may name no victim. Next: {again}")


def _open(options: Namespace) -> tuple[Watch, str, bool]:
    """The watch, what it is of in words, and whether its record is kept in a directory."""
    from .. import Group, parse_size, watch
    from .._units import size

    kept = options.record is not None and _is_directory(options.record)
    if options.path is None:
        names = {name: getattr(options, name) for name in ("unit", "container", "pod", "slurm")}
        words = [f"{name} {value}" for name, value in names.items() if value is not None]
        watched, told = watch(**names), " ".join(words or ["all groups"])
        if words and not watched.has_groups:
            told += ": no group has it in its path yet; it is watched from when one has"
    else:
        group = Group.open(options.path)
        if options.record is not None and not kept:
            group.record(options.record)
        watched = group.watch(recursive=options.recursive)
        told = f"{group.cgroup} (limit {'none' if group.limit is None else size(group.limit)})"
    if kept:
        watched.keep_record(options.record, parse_size(options.record_size))
    return watched, told, kept


def _end(number: int, _frame: FrameType | None) -> None:
    # The watch is closed on the way out, and with it its tracefs instance goes.
    sys.exit(128 + number)


def _is_directory(path: str) -> bool:
    """Whether a record is to be kept in a directory of that name."""
    return path.endswith("/") or os.path.isdir(path)


class _Teller:
    def __init__(self, group: Group, watch: Watch, json: bool, events: bool, full: bool, kept: bool) -> None:
        self._group, self._watch = group, watch
        self._json, self._events, self._full = json, events, full
        # What is not read is not written down.
        self._reads = events or kept

    def run(self) -> None:
        # Without a timeout, so that nothing runs while nothing happens. The reader's end shows as an error.
        poller = select.poll()
        poller.register(self._watch.fileno(), select.POLLIN)
        poller.register(sys.stdout.fileno(), 0)
        while True:
            # Looked at before the reading, so that nothing said before the end is left unread.
            over = self._gone()
            self._read()
            if over:
                break
            if self._gone():
                # The reading has taken the notice of its end, and nothing else would wake us.
                continue
            self._wait(poller, None)
        # As long as an account is open the watch has itself read again; then it falls silent.
        end = time.monotonic() + _LAST_ACCOUNTS
        while self._wait(poller, _SILENCE_MS) and time.monotonic() < end:
            self._read()
        self._read()

    def _wait(self, poller: select.poll, within_ms: float | None) -> bool:
        """Whether there may be something to read."""
        ready = poller.poll(within_ms)
        if any(fd == sys.stdout.fileno() and bits & (select.POLLERR | select.POLLHUP) for fd, bits in ready):
            raise BrokenPipeError
        return bool(ready)

    def _gone(self) -> bool:
        from .. import UnsupportedError

        try:
            self._group.usage_bytes  # noqa: B018 - whether it can be read is what is asked
        except FileNotFoundError:
            return True
        except UnsupportedError:
            # The top of the v2 hierarchy has no usage, and never goes.
            return False
        return False

    def _read(self) -> None:
        # What was lost is named in the accounts too.
        while self._reads and (event := self._watch.next(0)) is not None:
            if not self._events:
                continue
            self._print(event.to_json() if self._json else f"{event.time_ns / 1e9:14.6f}  {event}")
        self._tell_ooms()

    def _tell_ooms(self) -> None:
        from .._explain import account

        while (oom := self._watch.wait_oom(0)) is not None:
            self._print(oom.to_json() if self._json else "\n".join(account(oom, self._full)))

    @staticmethod
    def _print(line: str) -> None:
        # One write for each line: whoever reads never sees half of one for long.
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

"""For test suites of any framework: a test's own lab, assertions that tell the whole account, a mixin for unittest.

The pytest plugin, which is there as soon as memoom is installed, is made of the same parts.
"""

from __future__ import annotations

import inspect
import os
import unittest
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ._call import Call, call
from ._errors import MemoomError
from ._explain import call_text, oom_text, outcome_text
from ._lab import Lab
from ._run import run
from ._text import meant
from ._values import Host, Oom, Outcome

if TYPE_CHECKING:
    from ._native import Group, Worker

__all__ = [
    "Memcg",
    "MemcgMixin",
    "assert_not_oom_killed",
    "assert_oom_killed",
    "assert_predicted",
    "assert_survived",
    "assert_victim",
    "why_not",
]

T = TypeVar("T")


def why_not(needs: Iterable[str] = ()) -> str | None:
    """Why a test cannot run on this machine, in the host's words, with the remedy; None when it can.

    It needs a lab, and what `needs` names: "v1" or "v2" for the version of the hierarchy, or abilities of `Host`, such
    as "kernel-log" and "tracefs" (``memoom doctor`` lists them).
    """
    host = Host.probe()
    try:
        host.require_lab()
    except MemoomError as error:
        return str(error)
    for need in needs:
        if need in ("v1", "v2"):
            if host.version != need:
                return f"needs the memory controller on cgroup {need}; here it is on {host.version}"
            continue
        ability = next((one for one in host.abilities if one.name == need), None)
        if ability is None:
            names = ", ".join(one.name for one in host.abilities)
            raise ValueError(f"there is no ability {need!r}; there are v1, v2, {names}")
        if not ability.available:
            return f"needs {need}: {ability.reason}; remedy: {ability.remedy}"
    return None


def settings_of_all() -> frozenset[str]:
    """The settings that runs and calls have alike: those that a test may have for all of them."""
    return frozenset(inspect.signature(call).parameters) & inspect.signature(run).parameters.keys()


def no_setting(unknown: Iterable[str], known: Iterable[str]) -> str:
    """What is said of settings that there are not."""
    names = sorted(unknown)
    near = meant(names[0], known)
    return f"has no {', '.join(names)}; {f'did you mean {near}? ' if near else ''}it has {', '.join(known)}"


class Memcg:
    """What a test has at hand: one lab, made when it is first used, and everything that ended in it.

    `defaults` are the settings of its groups, runs and calls, such as ``limit="64M"``. Close it at the test's end.
    """

    def __init__(self, **defaults: Any) -> None:
        known = settings_of_all()
        if unknown := defaults.keys() - known:
            raise TypeError(f"Memcg {no_setting(unknown, sorted(known))}")
        self.defaults = defaults
        self._lab: Lab | None = None
        self._ooms: dict[Oom, None] = {}

    @property
    def lab(self) -> Lab:
        """The lab of this test."""
        if self._lab is None:
            self._lab = Lab()
        return self._lab

    @property
    def host(self) -> Host:
        """The host, as `Host.probe` sees it."""
        return Host.probe()

    def group(self, name: str | bytes | None = None, **options: Any) -> Group:
        """A new group in the lab; the options are those of `Lab.group`."""
        names = ("limit", "swap", "high", "oom_group")
        defaults = {key: value for key, value in self.defaults.items() if key in names}
        return self.lab.group(name, **{**defaults, **options})

    def run(self, argv: Iterable[str | bytes | os.PathLike[str]], **options: Any) -> Outcome:
        """Runs a command under the limit in a lab of its own; the options are those of `memoom.run`."""
        __tracebackhide__ = True
        outcome = run(list(argv), **{**self.defaults, **options})
        self._ooms.update(dict.fromkeys(outcome.ooms))
        return outcome

    def call(
        self, function: Callable[..., T], /, *args: Any, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Call[T]:
        """Runs a function under the limit in a worker; the options are those of `memoom.call`."""
        __tracebackhide__ = True
        done = call(function, *args, kwargs=kwargs, **{**self.defaults, **options})
        self._ooms.update(dict.fromkeys(done.ooms))
        return done

    @property
    def ooms(self) -> tuple[Oom, ...]:
        """The accounts of all OOMs of this test so far."""
        if self._lab is not None:
            self._ooms.update(dict.fromkeys(self._lab.timeline().ooms))
        return tuple(self._ooms)

    def close(self) -> None:
        """Ends the lab. Closing twice is fine."""
        if self._lab is not None:
            self._lab.close()


def _outcome(of: Outcome | Call[Any]) -> Outcome:
    return of.outcome if isinstance(of, Call) else of


def _text(of: Outcome | Call[Any]) -> str:
    return call_text(of) if isinstance(of, Call) else outcome_text(of)


def assert_oom_killed(outcome: Outcome | Call[Any], *, limit_bytes: int | None = None) -> Oom:
    """That the worker was killed in an OOM, and if given, of a limit of so many bytes. Gives the account."""
    __tracebackhide__ = True
    if not outcome.oom_killed:
        raise AssertionError(f"it was not killed in an OOM: {_text(outcome)}")
    oom = outcome.oom
    if oom is None:
        raise AssertionError(f"it was killed in an OOM that has no account: {_text(outcome)}")
    if limit_bytes is not None and oom.limit_bytes != limit_bytes:
        raise AssertionError(f"the limit was {oom.limit_bytes} bytes, not {limit_bytes}: {_text(outcome)}")
    return oom


def assert_not_oom_killed(outcome: Outcome | Call[Any]) -> None:
    """That the worker was not killed in an OOM."""
    __tracebackhide__ = True
    if outcome.oom_killed:
        raise AssertionError(f"it was killed in an OOM: {_text(outcome)}")


def assert_survived(worker: Worker) -> None:
    """That the worker still lives. After an OOM, wait for its account first: it names all who died."""
    __tracebackhide__ = True
    if worker.ended:
        raise AssertionError(f"{worker.name} has not survived: {outcome_text(worker.wait(0))}")


def assert_victim(oom: Oom, who: Worker | int | str | bytes) -> None:
    """That the kernel chose that worker, pid or name."""
    __tracebackhide__ = True
    victim = oom.victim
    if victim is None:
        raise AssertionError(f"nobody was killed: {oom_text(oom)}")
    wanted = who if isinstance(who, int | str | bytes) else who.pid
    found = {int: victim.pid, str: victim.comm, bytes: victim.comm_bytes}[type(wanted)]
    # The kernel keeps 15 bytes of a name; a name that cannot be shown as it is may be given as it is all the same.
    if wanted != found and not (isinstance(wanted, str) and os.fsencode(wanted)[:15] == victim.comm_bytes):
        other = repr(wanted) if isinstance(wanted, bytes) else wanted
        raise AssertionError(f"the victim is {victim.comm} (pid {victim.pid}), not {other}: {oom_text(oom)}")


def assert_predicted(oom: Oom) -> None:
    """That memoom predicted the process that the kernel chose."""
    __tracebackhide__ = True
    if not oom.predicted_right:
        raise AssertionError(f"the prediction does not hold: {oom_text(oom)}")


class MemcgMixin:
    """For `unittest.TestCase`: ``self.memcg`` as in pytest, and the assertions.

    Where no lab can be made, the first use of ``self.memcg`` skips the test with the host's reason; with the
    environment variable MEMOOM_REQUIRE=1 it fails. The class attributes `memoom_settings` and `memoom_needs` are the
    settings of `Memcg` and the needs of `why_not`.
    """

    memoom_settings: Mapping[str, Any] = {}
    memoom_needs: Iterable[str] = ()
    _memcg: Memcg | None = None

    @property
    def memcg(self) -> Memcg:
        """This test's own `Memcg`, closed after the test."""
        if self._memcg is None:
            reason = why_not(self.memoom_needs)
            if reason is not None:
                if os.environ.get("MEMOOM_REQUIRE") == "1":
                    raise AssertionError(f"cannot run here, and MEMOOM_REQUIRE=1: {reason}")
                raise unittest.SkipTest(reason)
            self._memcg = Memcg(**self.memoom_settings)
            self.addCleanup(self._close)  # type: ignore[attr-defined]
        return self._memcg

    def _close(self) -> None:
        memcg, self._memcg = self._memcg, None
        if memcg is not None:
            memcg.close()

    def assertOomKilled(self, outcome: Outcome | Call[Any], *, limit_bytes: int | None = None) -> Oom:
        """As `assert_oom_killed`."""
        return assert_oom_killed(outcome, limit_bytes=limit_bytes)

    def assertNotOomKilled(self, outcome: Outcome | Call[Any]) -> None:
        """As `assert_not_oom_killed`."""
        assert_not_oom_killed(outcome)

    def assertSurvived(self, worker: Worker) -> None:
        """As `assert_survived`."""
        assert_survived(worker)

    def assertVictim(self, oom: Oom, who: Worker | int | str | bytes) -> None:
        """As `assert_victim`."""
        assert_victim(oom, who)

    def assertPredicted(self, oom: Oom) -> None:
        """As `assert_predicted`."""
        assert_predicted(oom)

"""The marker ``@pytest.mark.memoom(limit=...)``: what it may say, and what it means for a test."""

from __future__ import annotations

from typing import Any

import pytest

# The ini option of the limit that a marker has which names none.
LIMIT = "memoom_limit"
_OWN = ("needs", "expect")
_SIZES = frozenset(("limit", "swap", "high", "headroom", "raise_to"))
_EXPECT = ("passed", "oom-killed")


class Marker:
    """The settings of one test; those of its function go before those of its class and module."""

    def __init__(self, settings: dict[str, Any], needs: tuple[str, ...], expect: str) -> None:
        self.settings = settings
        self.needs = needs
        self.expect = expect

    @classmethod
    def of(cls, item: pytest.Item) -> Marker | None:
        marks = list(item.iter_markers("memoom"))
        if not marks:
            return None
        settings: dict[str, Any] = {}
        needs: list[str] = []
        for mark in reversed(marks):
            given = dict(mark.kwargs)
            if mark.args:
                if len(mark.args) > 1 or "limit" in given:
                    raise pytest.UsageError(f"{item.nodeid}: the marker memoom takes one limit, and else keywords")
                given["limit"] = mark.args[0]
            wanted = given.pop("needs", ())
            needs += [wanted] if isinstance(wanted, str) else list(wanted)
            settings.update(given)
        default = item.config.getini(LIMIT)
        # A marker that has nothing but needs has no limit either.
        if default and "limit" not in settings and (settings or not needs):
            settings["limit"] = default
        expect = settings.pop("expect", "passed")
        _check(item, settings)
        timeout = settings.get("timeout")
        if timeout is not None and (not isinstance(timeout, int | float) or not timeout >= 0):
            raise pytest.UsageError(f"{item.nodeid}: timeout={timeout!r}; it is a number of seconds, 0 or more")
        if expect not in _EXPECT:
            raise pytest.UsageError(f"{item.nodeid}: expect={expect!r}; it is one of {', '.join(_EXPECT)}")
        return cls(settings, tuple(needs), expect)

    def moves(self, item: pytest.Item) -> bool:
        """Whether the test is to run in a process of its own."""
        from .inside import INSIDE

        stays = "memcg" in getattr(item, "fixturenames", ())
        return not stays and bool(self.settings) and INSIDE not in item.config.stash

    def why_not(self) -> str | None:
        from ..testing import why_not

        try:
            return why_not(self.needs)
        except ValueError as error:
            pytest.fail(f"the marker memoom: {error}", pytrace=False)


def _check(item: pytest.Item, settings: dict[str, Any]) -> None:
    """What is no setting, and what is no size: said once, before any test runs."""
    from .._errors import InvalidInputError, UnsupportedError
    from .._native import parse_size
    from ..testing import no_setting, settings_of_all

    known = settings_of_all() - {"stdout", "stderr", "cwd", "env"}
    if unknown := settings.keys() - known:
        raise pytest.UsageError(f"{item.nodeid}: the marker memoom {no_setting(unknown, [*sorted(known), *_OWN])}")
    for name in _SIZES & settings.keys():
        try:
            if settings[name] not in (None, "max"):
                parse_size(settings[name])
        except UnsupportedError:
            return  # no Linux: the test is skipped, and says so
        except (InvalidInputError, TypeError, OverflowError) as error:
            raise pytest.UsageError(f"{item.nodeid}: {name}={settings[name]!r}: {error}") from None


def skip_or_fail(config: pytest.Config, reason: str | None) -> None:
    """Skips with the host's reason; fails where everything must run."""
    if reason is None:
        return
    if config.getoption("memoom_require"):
        pytest.fail(f"cannot run here, and it must (--memoom-require): {reason}", pytrace=False)
    # The place that cannot run is the test, not this line.
    raise pytest.skip.Exception(reason, _use_item_location=True)

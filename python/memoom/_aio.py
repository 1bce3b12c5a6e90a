"""The watch for asyncio, and its end: events come until the watched group has gone."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ._values import Event, Oom

__all__ = ["AsyncWatch"]

T = TypeVar("T")
if TYPE_CHECKING:
    from typing_extensions import Self
    from typing_extensions import TypeVar as _TypeVar

    G = _TypeVar("G", covariant=True, default=Any)
else:
    G = TypeVar("G", covariant=True)


class _Watch(Protocol[G]):
    """The watch, which is of the native part and stands above this room."""

    @property
    def group(self) -> G: ...
    @property
    def closed(self) -> bool: ...
    def next(self, timeout: float | None = None) -> Event | None: ...
    def wait_oom(self, timeout: float | None = None) -> Oom | None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


# An account is complete when no more evidence is to be expected; that moment makes no descriptor readable.
_LOOK_AGAIN = 0.05
# Nor does the end of a group on v1.
_LOOK_FOR_THE_END = 0.1


class AsyncWatch(Generic[G]):
    """A watch whose waits are awaited: what ``async with group.watch() as watch`` gives."""

    __slots__ = ("_watch",)

    def __init__(self, watch: _Watch[G]) -> None:
        self._watch = watch

    @property
    def group(self) -> G:
        """The group that is watched."""
        return self._watch.group

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._watch.closed

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._watch.fileno()

    async def next(self, timeout: float | None = None) -> Event | None:
        """The next event; None when there is none in `timeout` seconds."""
        return await next_event(self._watch, timeout)

    async def wait_oom(self, timeout: float | None = None) -> Oom | None:
        """The account of the next OOM; None when there is none in `timeout` seconds."""
        return await next_oom(self._watch, timeout)

    def close(self) -> None:
        """Closes the watch. Closing twice is fine."""
        self._watch.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await next_or_stop(self._watch)

    def __repr__(self) -> str:
        group: Any = self._watch.group
        return f"<memoom.AsyncWatch of {group.cgroup}>"


async def next_event(watch: _Watch[Any], timeout: float | None) -> Event | None:
    """The next event; None when there is none by the deadline."""
    return await _until(watch, lambda: watch.next(0), timeout)


async def next_oom(watch: _Watch[Any], timeout: float | None) -> Oom | None:
    """The account of the next OOM; None when there is none by the deadline."""
    return await _until(watch, lambda: watch.wait_oom(0), timeout)


async def next_or_stop(watch: _Watch[Any]) -> Event:
    """For ``async for``: the next event, or the end of the stream."""
    event = None
    while event is None:
        # The group is looked at before the events are read, so that nothing said before its end is lost.
        gone = _gone(watch)
        event = await _until(watch, lambda: watch.next(0), 0 if gone else _LOOK_FOR_THE_END)
        if event is None and gone:
            raise StopAsyncIteration
    return event


def next_or_end(watch: _Watch[Any]) -> Event | None:
    """For ``for``: the next event, or None at the end of the stream."""
    while True:
        gone = _gone(watch)
        event = watch.next(0 if gone else _LOOK_FOR_THE_END)
        if event is not None or gone:
            return event


def _gone(watch: _Watch[Any]) -> bool:
    return not os.path.isdir(watch.group.path)


async def _until(watch: _Watch[Any], read: Callable[[], T | None], timeout: float | None) -> T | None:
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        found = read()
        if found is not None:
            return found
        left = _LOOK_AGAIN if deadline is None else min(_LOOK_AGAIN, deadline - time.monotonic())
        if left <= 0:
            return None
        await _readable(watch, left)


async def _readable(watch: _Watch[Any], within: float) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    # A loop keeps one reader for a descriptor; with a copy, several tasks can wait on one watch.
    fd = os.dup(watch.fileno())

    def on_ready() -> None:
        # The descriptor stays readable until it is read, so the reader goes at its first word.
        loop.remove_reader(fd)
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(fd, on_ready)
    try:
        await asyncio.wait_for(ready, within)
    except (TimeoutError, asyncio.TimeoutError):  # two classes until 3.11
        pass
    finally:
        loop.remove_reader(fd)
        os.close(fd)

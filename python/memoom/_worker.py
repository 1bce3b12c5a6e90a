"""The program that a worker of `memoom.call` runs: it reads a function from its caller and sends back how it went.

It is run by its path, as a program of its own, and imports nothing of memoom: what it takes counts against the limit.
Descriptor 0 is a socket to the caller; the function sees /dev/null there. A frame is a length (8 bytes), then a pickle.
"""

from __future__ import annotations

import os
import sys

# The directory of this file is not for importing from; the caller's path comes with the first frame.
if (
    not getattr(sys.flags, "safe_path", False)
    and sys.path
    and os.path.dirname(os.path.abspath(__file__)) == os.path.abspath(sys.path[0])
):
    del sys.path[0]

import pickle
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEAD = struct.Struct(">Q")


def main() -> None:
    channel = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    setup = pickle.loads(_read(channel))
    body = _read(channel)
    try:
        _prepare(setup)
        function, args, kwargs = pickle.loads(body)
    except Exception as error:
        _send(channel, ("unready", f"{type(error).__name__}: {error}"))
        return
    del body
    try:
        value = function(*args, **kwargs)
    except KeyboardInterrupt:
        # The caller was told by the same key and says it.
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    except Exception as error:
        _send_error(channel, "raised", error)
    else:
        try:
            body = pickle.dumps(("returned", value), pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            # Python 3.10 has no add_note; what pickle carries is the same.
            note = f"the function has returned a {type(value).__name__}, which cannot be brought back"
            error.__notes__ = [*getattr(error, "__notes__", []), note]
            _send_error(channel, "raised", error)
        else:
            _write(channel, body)


def _prepare(setup: dict[str, Any]) -> None:
    sys.path[:] = setup["path"]
    sys.argv[:] = setup["argv"]
    if setup["main"]:
        # The caller's own program, for what is defined in it; the way of multiprocessing.
        from multiprocessing import spawn

        # A program that calls a function under a limit as it is loaded would load itself again and again.
        sys.memoom_loading = True  # type: ignore[attr-defined]
        try:
            spawn.prepare(setup["main"])
        finally:
            del sys.memoom_loading  # type: ignore[attr-defined]


def _send_error(channel: int, how: str, error: Exception) -> None:
    import traceback

    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        body = pickle.dumps((how, error, text), pickle.HIGHEST_PROTOCOL)
        # Many an exception can be written and not be read.
        pickle.loads(body)
    except Exception:
        body = pickle.dumps((how, None, text), pickle.HIGHEST_PROTOCOL)
    _write(channel, body)


def _send(channel: int, frame: tuple[Any, ...]) -> None:
    _write(channel, pickle.dumps(frame, pickle.HIGHEST_PROTOCOL))


def _write(channel: int, body: bytes) -> None:
    for part in (HEAD.pack(len(body)), body):
        view = memoryview(part)
        while view:
            view = view[os.write(channel, view) :]


def _read(channel: int) -> bytes:
    return _exactly(channel, HEAD.unpack(_exactly(channel, HEAD.size))[0])


def _exactly(channel: int, count: int) -> bytes:
    parts = []
    while count:
        part = os.read(channel, min(count, 1 << 20))
        if not part:
            # The caller has gone, and there is nobody to complain to.
            os._exit(1)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    main()

"""Follows a command's processes from system call to system call, and makes them stand still at a moment (ptrace).

A process that stands at the entry of a call has not made it yet, and one that is killed there never does. So a moment
that is named by calls is the same one each time that the command does the same.

All requests come from one thread, whose tracees they are; waiting for them (`__WNOTHREAD`) takes no child of the
program that uses memoom.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple

from .._errors import MemoomError, PermissionDeniedError

__all__ = ["Entered", "Left", "Tracer"]

_SYSCALL, _SEIZE, _INTERRUPT, _LISTEN, _GET_SYSCALL_INFO = 24, 0x4206, 0x4207, 0x4208, 0x420E
# TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXEC, EXITKILL: whatever they start is followed too, and nothing
# of them outlives the tracer.
_OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x100000
_WALL, _WNOTHREAD = 0x40000000, 0x20000000
_EVENT_STOP = 128
_STOPPED_AT_CALL = signal.SIGTRAP | 0x80
_GROUP_STOPS = frozenset((signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))
# struct ptrace_syscall_info: op, arch, two addresses, then what the operation has.
_HEAD, _ENTRY = struct.Struct("=B3xIQQ"), struct.Struct("=7Q")
_AT_ENTRY, _AT_EXIT = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long


class Entered(NamedTuple):
    """A call that is about to be made."""

    tid: int
    arch: int
    number: int
    arguments: tuple[int, ...]


class Left(NamedTuple):
    """A call that has been made."""

    tid: int
    call: Entered | None


class Tracer:
    """Follows a process and all that it starts.

    `look` is called for each call that is entered or left, in the tracer's thread, while the one who makes it stands
    still; when it says True everybody stands still, and stays so.
    """

    def __init__(self, pid: int, look: Callable[[Entered | Left], bool]) -> None:
        self._pid, self._look = pid, look
        self._tids = {pid}
        # The call in which each one is.
        self._calls: dict[int, Entered] = {}
        self._seized = threading.Event()
        # It stands at the moment, or all have ended.
        self._told = threading.Event()
        self._error: BaseException | None = None
        self.stands_at: int | None = None
        self._thread = threading.Thread(target=self._run, name="memoom-tracer", daemon=True)

    def start(self) -> None:
        """Takes hold of the process; raises what stands in the way."""
        self._thread.start()
        self._seized.wait()
        if self._error is not None:
            raise self._error

    def wait(self, timeout: float) -> int | None:
        """The thread that stands at the moment; None where all have ended before. A `TimeoutError` at the timeout."""
        if not self._told.wait(timeout):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self.stands_at

    def join(self) -> None:
        """Waits until everybody that it follows has ended."""
        self._thread.join()

    def _run(self) -> None:
        try:
            _request(_SEIZE, self._pid, _OPTIONS)
            # Whoever waits in a call is brought to a stop, from which it is followed.
            _request(_INTERRUPT, self._pid)
            self._seized.set()
            self._follow()
        except BaseException as error:
            self._error = error
        finally:
            self._seized.set()
            self._told.set()

    def _follow(self) -> None:
        while True:
            try:
                tid, status = os.waitpid(-1, _WALL | _WNOTHREAD)
            except ChildProcessError:
                return
            if os.WIFSTOPPED(status):
                self._tids.add(tid)
                self._stopped(tid, os.WSTOPSIG(status), status >> 16)
            else:
                self._tids.discard(tid)
                self._calls.pop(tid, None)

    def _stopped(self, tid: int, number: int, event: int) -> None:
        if self.stands_at is not None:
            return  # nobody goes on
        if number == _STOPPED_AT_CALL:
            self._at_call(tid)
        elif event == _EVENT_STOP and number in _GROUP_STOPS:
            _request(_LISTEN, tid)
        else:
            # Of an event nothing is delivered; a signal is.
            _request(_SYSCALL, tid, 0 if event else number)

    def _at_call(self, tid: int) -> None:
        told = self._said(tid)
        if told is None or not self._look(told):
            _request(_SYSCALL, tid)
            return
        self.stands_at = tid
        for other in self._tids - {tid}:
            _request(_INTERRUPT, other)
        self._told.set()

    def _said(self, tid: int) -> Entered | Left | None:
        buffer = ctypes.create_string_buffer(_HEAD.size + 8 * 8)
        if _request(_GET_SYSCALL_INFO, tid, ctypes.addressof(buffer), address=len(buffer)) is None:
            return None
        operation, arch, _, _ = _HEAD.unpack_from(buffer)
        if operation == _AT_EXIT:
            return Left(tid, self._calls.pop(tid, None))
        if operation != _AT_ENTRY:
            return None
        call, *arguments = _ENTRY.unpack_from(buffer, _HEAD.size)
        self._calls[tid] = Entered(tid, arch, call, tuple(arguments))
        return self._calls[tid]


def _request(request: int, tid: int, data: int = 0, address: int = 0) -> int | None:
    """One request; None where the one it is about has been killed meanwhile, which a wait will tell."""
    done: int = _libc.ptrace(
        ctypes.c_long(request), ctypes.c_long(tid), ctypes.c_void_p(address), ctypes.c_void_p(data)
    )
    if done != -1:
        return done
    number = ctypes.get_errno()
    if number == 3:  # ESRCH
        return None
    said = f"campaign: the kernel does not let pid {tid} be traced ({os.strerror(number)})"
    if number == 1:  # EPERM
        raise PermissionDeniedError(
            f"{said}; remedy: run as root, or end the other tracer (a debugger, strace)", errno=number
        )
    raise MemoomError(f"{said}; remedy: use the moments charged and time, which need no tracer", errno=number)

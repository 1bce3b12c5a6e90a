"""Signals that are sent to ``memoom run`` reach its command.

They are held back and taken one by one, because only then does the kernel say who sent them: what comes from the
terminal (Ctrl-C, Ctrl-Z, a new window size) has reached the command already, since it stands in the same process group.
Not so a timer that was set before memoom was executed, nor a hangup: of that the kernel tells the leader of the session
alone, and the others when the leader ends.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._native import Worker

_FORWARDED = {
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGTERM,
    signal.SIGCONT,
    signal.SIGTSTP,
    signal.SIGWINCH,
    signal.SIGURG,
    signal.SIGIO,
    signal.SIGPWR,
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
}
# si_code of a signal that the kernel made by itself, such as one from a terminal, and of those that name a sender.
_SI_KERNEL = 0x80
_SENT = {0: "SI_USER", -1: "SI_QUEUE", -3: "SI_MESGQ", -6: "SI_TKILL"}
# Wakes the thread at the end; no one sends it to a command.
_STOP = signal.SIGRTMAX


class Forwarder:
    """Holds the signals back from its making on, and passes them on from `attach` on."""

    def __init__(self) -> None:
        self._signals = _FORWARDED
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def attach(self, worker: Worker) -> None:
        """Passes everything on to that worker, beginning with what came before it was there."""
        self._thread = threading.Thread(target=self._serve, args=(worker,), name="memoom-signals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the passing on; what comes later is for nobody."""
        self._over.set()
        if self._thread is not None and self._thread.ident is not None:
            signal.pthread_kill(self._thread.ident, _STOP)
            self._thread.join()

    def _serve(self, worker: Worker) -> None:
        while True:
            got = signal.sigwaitinfo(self._signals)
            if self._over.is_set():
                return
            if got.si_code in _SENT:
                worker.pass_on(got.si_signo, got.si_pid, got.si_uid)
            elif got.si_code != _SI_KERNEL or _is_ours_alone(got.si_signo):
                worker.signal(got.si_signo)
            if got.si_signo == signal.SIGTSTP:
                # The command has stopped, and whoever waits for memoom must see that it has too.
                os.kill(os.getpid(), signal.SIGSTOP)


def _is_ours_alone(signo: int) -> bool:
    """Whether the kernel has sent it to this process and not to its group."""
    return signo == signal.SIGALRM or (signo == signal.SIGHUP and os.getsid(0) == os.getpid())

"""The command ``memoom``: one file for each subcommand, loaded only when it is asked for."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from .._text import meant, shown

__all__ = ["main"]

# The subcommands in the order of the help, with their modules.
_COMMANDS = {
    "doctor": ("doctor", "what works on this machine, and what helps where something does not"),
    "demo": ("demo", "run the experiments of this machine's hierarchy and check what the kernel did"),
    "run": ("run", "run a command under a memory limit and account for an OOM"),
    "observe": ("observe", "run a command and explain each death by a signal below it"),
    "fit": ("fit", "find the least memory limit under which a command passes"),
    "aware": ("aware", "whether a program sizes itself by its memory limit, also by one above its own group"),
    "hog": ("hog", "take memory step by step under a limit, by hand"),
    "watch": ("watch", "show what happens in an existing group"),
    "report": ("report", "parse the OOM reports in a saved kernel log"),
    "why": ("why", "who killed a process that memoom did not start, from what is still there"),
    "replay": ("replay", "make the accounts again that a recording led to, on any machine"),
    "compare": ("compare", "two accounts side by side: what two kernels did differently"),
    "sweep": ("sweep", "run many trials, over threads, processes or Dask, and go on after an interruption"),
    "campaign": ("campaign", "have a command OOM-killed at many moments, and check what each kill leaves behind"),
    "policy": ("policy", "hold killers against one curve of pressure: who dies, what is lost, how long it lasts"),
    "lab": ("lab", "the experiment in your hands: step two hogs, switch the killer, see what the kernel says"),
    "gc": ("gc", "remove what dead owners have left behind"),
    "completion": ("completion", "print what bash, zsh or fish needs to complete commands and options"),
}
# Those that make a lab: a user without a place for one gets a scope of the user's own systemd for the time.
_IN_A_LAB = frozenset({"demo", "run", "fit", "aware", "campaign", "policy", "hog", "lab"})
# The exit status where memoom itself has failed and 1 would be an answer, or the command's own.
FAILED = 125
# How a write to standard output fails where somebody still holds the other end.
_UNWRITTEN = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EAGAIN))
_ANSWERS = ("run", "observe", "fit", "aware", "why", "campaign", "policy")
_FAILED = {**dict.fromkeys(_ANSWERS, FAILED), "compare": 2}


class Parser(argparse.ArgumentParser):
    """An argument parser whose exit status for bad usage can be chosen."""

    usage_status = 2

    given: Sequence[str] = ()

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        self.given = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        # argparse itself speaks of what is missing first, and never of what was meant.
        unknown = _unknown_option(self)
        if unknown is not None:
            near = meant(unknown, self._option_string_actions)
            message = f"there is no option {unknown}; {f'did you mean {near}?' if near else '--help lists them'}"
        self.exit(self.usage_status, f"{self.prog}: {shown(message)}\n")


def _unknown_option(parser: Parser) -> str | None:
    """The first long option that a parser does not have; what follows a command is the command's own."""
    known = parser._option_string_actions
    has_command = any(action.nargs == argparse.REMAINDER for action in parser._get_positional_actions())
    words = iter(parser.given)
    for word in words:
        if word == "--" or (has_command and not word.startswith("-")):
            return None
        name, has_value, _ = word.partition("=")
        if not name.startswith("--"):
            continue
        fits = [name] if name in known else [option for option in known if option.startswith(name)]
        if not fits:
            return name
        if known[fits[0]].nargs != 0 and not has_value:
            next(words, None)
    return None


class AnswerParser(Parser):
    """The parser of a command whose exit status is an answer."""

    usage_status = FAILED


def listed(parser: Parser, name: str, text: str) -> list[str]:
    """The words of an option that takes several with commas between."""
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        parser.error(f"argument --{name}: {text!r} has nothing before, behind or between a comma")
    return words


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and gives its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    failed = _FAILED.get(arguments[0] if arguments else "", 1)
    _open_stdio()
    try:
        status = _dispatch(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader has gone; Python would complain once more when it flushes at the end.
        mute(1)
        return 141
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        # Not one of memoom's own, which the commands tell.
        if error.errno in (errno.EMFILE, errno.ENFILE):
            # Python itself could not open a file of the package.
            remedy = "raise the limit of open files (ulimit -n 256)"
            print(f"memoom: too few files may be open ({error.strerror}); remedy: {remedy}", file=sys.stderr)
            return failed
        if error.filename is None and error.errno in _UNWRITTEN:
            complain("memoom", f"what was found could not be written to standard output: {error.strerror}")
            mute(1)
            return failed
        raise
    except (MemoryError, RuntimeError) as error:
        # Python has no class of its own for a thread that could not be started.
        if isinstance(error, RuntimeError) and str(error) != "can't start new thread":
            raise
        remedy = "raise RLIMIT_AS (ulimit -v), RLIMIT_NPROC (ulimit -u), or the limits of the group that this runs in"
        complain("memoom", f"there is no room for memoom itself ({str(error) or 'out of memory'}); remedy: {remedy}")
        return failed


def _open_stdio() -> None:
    """Where the caller has closed 0, 1 or 2, a file that memoom opens would get that number, for the command too."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False, encoding="utf-8"))
        elif mode == "w" and isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            # What an encoding does not have is written as an escape, and ends nothing.
            stream.reconfigure(errors="backslashreplace")


def _dispatch(arguments: list[str]) -> int:
    if arguments and arguments[0] in _COMMANDS:
        name = arguments[0]
        if name in _IN_A_LAB:
            from .scope import enter

            enter(name, arguments[1:])
        module = importlib.import_module(f".{_COMMANDS[name][0]}", __name__)
        result: int = module.main(arguments[1:])
        return result
    parser = Parser(
        prog="memoom",
        description="Make a memory-cgroup OOM happen on purpose, safely, and read what the kernel did.",
        epilog="commands:\n" + "".join(f"  {name:<10} {text}\n" for name, (_, text) in _COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("command", nargs="?", metavar="COMMAND", help="memoom COMMAND --help says more")
    if arguments and not arguments[0].startswith("-"):
        near = meant(arguments[0], _COMMANDS)
        also = f"did you mean {near}?" if near else f"there are {', '.join(_COMMANDS)}"
        parser.error(f"there is no command '{arguments[0]}'; {also}")
    if parser.parse_args(arguments).version:
        from .. import __version__

        print(f"memoom {__version__}")
        return 0
    parser.error(f"no command is named; there are {', '.join(_COMMANDS)}")


def mute(number: int) -> None:
    """Lets a descriptor that cannot be written lead nowhere, so that nothing more fails there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def complain(prog: str, error: object) -> None:
    """One line on standard error; of the system's own errors the file and what is wrong with it."""
    from .._errors import MemoomError

    if isinstance(error, OSError) and not isinstance(error, MemoomError) and error.filename and error.strerror:
        error = f"{os.fsdecode(error.filename)}: {error.strerror}"
    print(f"{prog}: {shown(error)}", file=sys.stderr)


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """A handler for what ends a program: it ends as if by itself, with everything put back and removed on the way."""
    # Once is enough: a second one must not break off the cleaning up.
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def interrupted(prog: str, output: str | None, status: int = 130) -> NoReturn:
    """Says after Ctrl-C, or another signal, where the results are, and ends at once: what runs in threads would be
    waited for, and its labs end with this process."""
    kept = "no results were kept" if output is None else f"what was finished is in {output}; start again to go on"
    complain(prog, f"interrupted; {kept}")
    sys.stderr.flush()
    os._exit(status)

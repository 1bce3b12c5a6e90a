"""One moment: the command runs in a fresh copy of the directory, an OOM kills it there, and the check looks at what is
left."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from typing import IO, Any

from .._errors import MemoomError, NotFoundError, PermissionDeniedError, TimedOutError
from .._lab import Lab
from .._native import Group, Worker
from .._stdio import DEVNULL, PIPE, tail
from .._values import Host, Oom, Outcome
from .moments import TRACED, Counter, Moment, moment_of
from .place import place
from .plan import Plan
from .trace import Tracer

__all__ = ["execute", "prepared"]

# It waits until it is followed, and becomes the command.
_GATE = 'read -r go && exec "$@" </dev/null'
_TAIL = 1000
_OOM_WITHIN = 20.0
# A score of 1000 is worth the limit's pages in whole thousands: what the filler has, and the victim's own on top.
_FILLS_PAGES = 5000


def execute(plan: Plan, template: str, keep: str | None, trial: dict[str, Any]) -> dict[str, Any]:
    """Runs one trial of a campaign and gives what came of it, as plain data. Without a moment nobody is killed."""
    moment = None if trial["moment"] is None else moment_of(trial["moment"])
    # Beside the template: it goes with that, also where nobody waits for this moment any more.
    with tempfile.TemporaryDirectory(prefix="at-", dir=os.path.dirname(template), ignore_cleanup_errors=True) as own:
        directory = os.path.join(own, "work")
        _copy(template, directory)
        with tempfile.TemporaryFile() as output:
            began = time.monotonic_ns()
            found = _undisturbed(plan, directory, output) if moment is None else _at(moment, plan, directory, output)
            found["elapsed_ns"] = time.monotonic_ns() - began
            found["output"] = tail(output, _TAIL).strip()
        if found["status"] is None:
            found.update(_checked(plan, directory))
        if found["status"] == "failed" and keep is not None:
            found["kept"] = os.path.join(keep, str(moment or "undisturbed"))
            shutil.rmtree(found["kept"], ignore_errors=True)
            _copy(directory, found["kept"])
    return {"moment": trial["moment"], **found}


@contextlib.contextmanager
def prepared(plan: Plan) -> Iterator[str]:
    """The directory of which each moment gets a copy: that of the plan, and what the command `prepare` makes of it."""
    with place() as directory:
        template = os.path.join(directory, "work")
        if plan.workdir is None:
            os.mkdir(template)
        else:
            _copy(plan.workdir, template)
        if plan.prepare is not None:
            status, output = _beside(plan, plan.prepare, template)
            if status != 0:
                raise MemoomError(f"campaign: prepare ended with {status}: {output}; remedy: mend it")
        yield template


def _copy(source: str, target: str) -> None:
    """Files, directories and links, with their owners; what is anything else is none that could be copied."""

    def others(directory: str, names: list[str]) -> list[str]:
        modes = {name: os.lstat(os.path.join(directory, name)).st_mode for name in names}
        return [
            name for name, mode in modes.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
        ]

    shutil.copytree(source, target, symlinks=True, ignore=others, copy_function=_copy_file)
    for directory, _, _ in os.walk(source):
        _give(directory, os.path.join(target, os.path.relpath(directory, source)))


def _copy_file(source: str, target: str) -> str:
    shutil.copyfile(source, target)
    given = _give(source, target)
    shutil.copystat(source, target)
    if not given:
        # What runs with the rights of its owner is not to run with ours.
        os.chmod(target, stat.S_IMODE(os.stat(target).st_mode) & ~(stat.S_ISUID | stat.S_ISGID))
    return target


def _give(source: str, target: str) -> bool:
    """Gives the copy to the owner of what it is a copy of; whether it is that one's."""
    wanted, there = os.stat(source), os.stat(target)
    if (wanted.st_uid, wanted.st_gid) == (there.st_uid, there.st_gid):
        return True
    try:
        os.chown(target, wanted.st_uid, wanted.st_gid)
    except PermissionError:
        return False
    return True


def _found(**more: Any) -> dict[str, Any]:
    """What is said of each moment; a status of None is the check's to say."""
    nothing = dict.fromkeys(("status", "reason", "doing", "victim", "oom", "check_returncode", "check_output", "kept"))
    return {**nothing, **more}


def _undisturbed(plan: Plan, directory: str, output: IO[bytes]) -> dict[str, Any]:
    """The run that counts; a tracer slows it, so it has one only where there is something to be counted."""
    counter = Counter(directory, plan.files, output, plan.line, None)
    with Lab() as lab:
        if plan.is_traced:
            group, worker, tracer = _started(lab, plan, directory, output, counter)
            _until_the_moment(plan, worker, tracer)
        else:
            group, worker = _begin(lab, plan, directory, output)
        outcome = _ended(plan, worker)
        took = (outcome.ended_ns - outcome.started_ns) // 10**6
        calls = counter.counts if plan.is_traced else dict.fromkeys(TRACED)
        counts = {**calls, "charged": group.peak_bytes, "time": took}
    if plan.is_traced:
        tracer.join()
    found = _found(counts=counts, returncode=outcome.returncode)
    if outcome.verdict != "exited" or outcome.returncode != 0:
        found.update(status="failed", reason=f"the command ended with {outcome.returncode} ({outcome.verdict})")
    return found


def _at(moment: Moment, plan: Plan, directory: str, output: IO[bytes]) -> dict[str, Any]:
    if moment.trigger in TRACED:
        return _at_a_call(moment, plan, directory, output)
    return (
        _at_a_time(moment, plan, directory, output)
        if moment.trigger == "time"
        else _at_a_charge(moment, plan, directory, output)
    )


def _at_a_call(moment: Moment, plan: Plan, directory: str, output: IO[bytes]) -> dict[str, Any]:
    """Everybody stands still, and the limit comes down on them."""
    counter = Counter(directory, plan.files, output, plan.line, moment)
    with Lab() as lab:
        group, worker, tracer = _started(lab, plan, directory, output, counter)
        tid = _until_the_moment(plan, worker, tracer)
        if tid is None:
            return _found(status="not reached", reason=f"it ended before, with {worker.wait().returncode}")
        # The one that makes the call is the one that must not make it; whoever prints may be a client of the command's.
        pid = worker.pid if moment.trigger == "line" else _process_of(tid)
        _fill(group)
        with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
        oom = group.oom_now(timeout=_OOM_WITHIN).oom
    tracer.join()
    return _killed(oom, {pid}, counter.doing)


def _at_a_time(moment: Moment, plan: Plan, directory: str, output: IO[bytes]) -> dict[str, Any]:
    with Lab() as lab:
        group, worker = _begin(lab, plan, directory, output)
        try:
            outcome = worker.wait(moment.number / 1000)
            return _found(status="not reached", reason=f"it ended before, with {outcome.returncode}")
        except TimedOutError:
            try:
                _fill(group)
                oom = group.oom_now(worker, timeout=_OOM_WITHIN).oom
            except MemoomError:
                # It goes on until the kernel takes it, and may come to its end before.
                if not worker.ended:
                    raise
                return _found(status="not reached", reason="it ended before")
    return _killed(oom, {worker.pid}, None)


def _fill(group: Group) -> None:
    """Below a limit of 1000 pages `oom_score_adj` has no effect, and the kernel takes the largest: so whoever is small,
    and not alone, gets a neighbour who brings the group above that."""
    limit = group.limit
    size = _FILLS_PAGES * os.sysconf("SC_PAGE_SIZE")
    if group.usage_bytes < size and (limit is None or limit > 2 * size):
        group.hog("filler").grow(size, timeout=_OOM_WITHIN)


def _at_a_charge(moment: Moment, plan: Plan, directory: str, output: IO[bytes]) -> dict[str, Any]:
    """That is what a limit is for."""
    with Lab() as lab:
        _, worker = _begin(lab, plan, directory, output, moment.number)
        outcome = _ended(plan, worker)
        # Who was killed may be a child that the command outlives.
        oom = next(iter(outcome.ooms or lab.timeline().ooms), None)
    if oom is None:
        return _found(status="not reached", reason=f"it ended with {outcome.returncode}, and never met the limit")
    return _killed(oom, None, None)


def _killed(oom: Oom, wanted: set[int] | None, doing: str | None) -> dict[str, Any]:
    """A moment counts only where the account names the command as the victim."""
    victims = [victim for victim in oom.victims if wanted is None or victim.pid in wanted]
    found = _found(doing=doing, oom=oom.to_dict())
    if victims:
        found["victim"] = {"pid": victims[0].pid, "comm": victims[0].comm}
    else:
        others = ", ".join(f"{victim.comm} (pid {victim.pid})" for victim in oom.victims) or "nobody"
        found.update(status="not tried", reason=f"the OOM took {others}, and not the command")
    return found


def _begin(
    lab: Lab, plan: Plan, directory: str, output: IO[bytes], limit: int | None = None, **more: Any
) -> tuple[Group, Worker]:
    most = limit or plan.limit or Host.probe().available_bytes // 5 * 4
    group = lab.group("campaign", limit=most)
    argv = plan.argv(plan.command, directory)
    if more:
        argv = ["/bin/sh", "-c", _GATE, "sh", *argv]
    options = {"stdin": DEVNULL, **more}
    environment = plan.environment(directory)
    return group, group.command(argv, env=environment, cwd=directory, stdout=output, stderr=output, **options)


def _started(lab: Lab, plan: Plan, directory: str, output: IO[bytes], counter: Counter) -> tuple[Group, Worker, Tracer]:
    """The command, followed from its beginning."""
    group, worker = _begin(lab, plan, directory, output, stdin=PIPE)
    tracer = Tracer(worker.pid, counter)
    tracer.start()
    assert worker.stdin is not None
    worker.stdin.write(b"\n")
    worker.stdin.close()
    return group, worker, tracer


def _until_the_moment(plan: Plan, worker: Worker, tracer: Tracer) -> int | None:
    try:
        return tracer.wait(plan.timeout)
    except TimeoutError:
        ended = worker.ended
        worker.kill()
        raise _too_long(plan, "what the command has left running" if ended else "the command") from None


def _ended(plan: Plan, worker: Worker) -> Outcome:
    try:
        return worker.wait(plan.timeout)
    except TimedOutError:
        raise _too_long(plan) from None


def _too_long(plan: Plan, who: str = "the command") -> TimedOutError:
    return TimedOutError(
        f"campaign: {who} ran for more than {plan.timeout:g} s; remedy: give it less to do, or a longer timeout",
        operation="campaign",
    )


def _process_of(tid: int) -> int:
    with open(f"/proc/{tid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Tgid:"))


def _checked(plan: Plan, directory: str) -> dict[str, Any]:
    status, output = _beside(plan, plan.check, directory)
    passed = status == 0
    return {
        "status": "passed" if passed else "failed",
        "reason": None if passed else f"the check ended with {status}" + _last_line(output),
        "check_returncode": status if isinstance(status, int) else None,
        "check_output": output,
    }


def _beside(plan: Plan, words: tuple[str, ...], directory: str) -> tuple[int | str, str]:
    """Runs a command of the campaign's outside of every limit: its status, and the end of what it wrote. What it leaves
    running is killed, wherever it went."""
    with tempfile.TemporaryFile() as output, Lab() as lab:
        try:
            worker = lab.group("beside").command(
                plan.argv(words, directory),
                cwd=directory,
                env=plan.environment(directory),
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
            )
            status = worker.wait(plan.timeout).returncode
        except TimedOutError:
            return f"no end in {plan.timeout:g} s", tail(output, _TAIL).strip()
        except (NotFoundError, PermissionDeniedError) as error:
            raise MemoomError(f"campaign: {words[0]}: {error}", errno=error.errno) from error
        return status, tail(output, _TAIL).strip()


def _last_line(text: str) -> str:
    return f": {text.splitlines()[-1]}" if text else ""

"""Bad input gets an exception that names the operation, the path, the value and the remedy."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from mmap import PAGESIZE
from typing import Any

import pytest
from conftest import CHECKOUT, HIERARCHY, PATIENCE

import memoom
from memoom import _errors, _text

# What every face refuses, in which words.
CASES = json.loads((CHECKOUT / "tests/bad_input.json").read_text())


def refused(case: dict[str, Any], call: Callable[[], object]) -> None:
    raised(call, _errors._BY_KIND[case["kind"]], *case["says"])


def test_every_class_has_the_base_and_a_builtin() -> None:
    classes = [getattr(memoom, name) for name in _errors.__all__]
    kinds = set()
    for cls in classes:
        assert issubclass(cls, memoom.MemoomError) and issubclass(cls, Exception)
        if cls is not memoom.MemoomError:
            assert any(base.__module__ == "builtins" for base in cls.__mro__[1:-3]), cls
        kinds.add(cls.kind)
        assert cls.__module__ == "memoom"
    assert len(kinds) == len(classes)


@pytest.mark.parametrize("kind", sorted(_errors._BY_KIND))
def test_every_kind_is_made_and_pickled(kind: str) -> None:
    error = _errors.from_core(kind, f"do thing: {kind}", 5, "do thing", "/some/path")
    _text.note(error, "a note")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) is _errors._BY_KIND[kind]
    for one in (error, again):
        assert (one.kind, one.errno, one.operation, one.path) == (kind, 5, "do thing", "/some/path")
        assert str(one) == one.message == f"do thing: {kind}"
        assert one.__notes__ == ["a note"]


def test_an_unknown_kind_is_the_base() -> None:
    assert type(_errors.from_core("of-tomorrow", "m", None, None, None)) is memoom.MemoomError


@pytest.mark.parametrize("case", CASES["sizes"], ids=lambda case: case["size"])
def test_texts_that_are_no_size(case: dict[str, Any]) -> None:
    refused(case, lambda: memoom.parse_size(case["size"]))


@pytest.mark.parametrize("size", [-1, 1 << 64, True, 1.5, None, b"80M"])
def test_what_is_no_size(size: object) -> None:
    with pytest.raises(memoom.InvalidInputError, match="remedy") as caught:
        memoom.parse_size(size)  # type: ignore[arg-type]
    assert isinstance(caught.value, ValueError) and caught.value.kind == "invalid-input"


def test_sizes() -> None:
    assert [memoom.parse_size(size) for size in (0, 4096, "4096", "80M", "1g")] == [0, 4096, 4096, 80 << 20, 1 << 30]


@pytest.mark.parametrize("number", [2**70, -(2**70), 10**5000], ids=["large", "negative", "endless"])
def test_a_number_that_does_not_fit_is_refused_by_its_name(number: int, lab: memoom.Lab) -> None:
    group = lab.group(limit="16M")
    watch, ticker = group.watch(), group.ticker()
    container = lab.pod().container("app")
    calls: dict[str, list[Callable[..., object]]] = {
        "oom_score_adj": [
            lambda **wrong: memoom.run(["true"], **wrong),
            lambda **wrong: memoom.fit(["true"], **wrong),
            lambda **wrong: memoom.call(len, "", **wrong),
            group.hog,
            group.ticker,
            lambda **wrong: group.command(["true"], **wrong),
            container.hog,
            container.ticker,
            lambda **wrong: container.command(["true"], **wrong),
        ],
        "runs": [lambda **wrong: memoom.fit(["true"], **wrong)],
        "pid": [memoom.postmortem],
        "keep_events": [memoom.Lab],
        "keep_ooms": [memoom.Lab],
        "bytes": [lambda **wrong: watch.keep_record("/nowhere", **wrong)],
        "signal": [ticker.signal],
        "stdout": [lambda **wrong: group.command(["true"], **wrong)],
    }
    for name, takers in calls.items():
        for taker in takers:
            raised(lambda taker=taker, name=name: taker(**{name: number}), memoom.InvalidInputError, name, "remedy")  # type: ignore[misc]
    for takes_size in (memoom.parse_size, group.set_limit, group.reclaim):
        raised(lambda takes_size=takes_size: takes_size(number), memoom.InvalidInputError, "size", "2**64-1")  # type: ignore[misc]


def raised(call: Callable[[], object], cls: type[memoom.MemoomError], *parts: str) -> memoom.MemoomError:
    with pytest.raises(cls) as caught:
        call()
    for part in parts:
        assert part in str(caught.value), f"{part!r} is not in: {caught.value}"
    assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message
    return caught.value


def test_groups(lab: memoom.Lab) -> None:
    for case in CASES["groups to open"]:
        refused(case, lambda path=case["path"]: memoom.Group.open(path))  # type: ignore[misc]
    for case in CASES["parents of labs"]:
        refused(case, lambda path=case["path"]: memoom.Lab(parent=path))  # type: ignore[misc]
    group = lab.group("taken", limit="16M")
    error = raised(lambda: lab.group("taken"), memoom.AlreadyExistsError, "taken")
    assert isinstance(error, FileExistsError) and error.path is not None and error.path.endswith("taken")
    for case in CASES["group names"]:
        name = case["name"].encode().decode("unicode_escape").encode("latin-1") * case.get("times", 1)
        refused(case, lambda name=name: lab.group(name))  # type: ignore[misc]
    raised(lambda: lab.group(b"x\0y"), memoom.InvalidInputError, "NUL")
    odd = lab.group(b"\xff\xfe", limit="16M")
    assert odd.name == "\\xff\\xfe" and os.path.isdir(odd.path)
    odd.remove()
    raised(lambda: odd.usage_bytes, memoom.NotFoundError, "removed")
    raised(odd.watch, memoom.NotFoundError, "removed")
    raised(lambda: lab.group(limit="1000000G"), memoom.OutOfMemoryError, "remedy")
    raised(lambda: lab.group("tiny", limit=PAGESIZE).hog(), memoom.InvalidInputError, "process needs", f"{PAGESIZE}")
    hog = group.hog()
    raised(group.remove, memoom.BusyError, str(hog.pid), "remedy")
    raised(lambda: lab.group(parent=group), memoom.InvalidInputError, "needs a name")
    # What was refused has left nothing.
    assert sorted(os.path.basename(one.path) for one in os.scandir(lab.path) if one.is_dir()) == ["taken", "tiny"]


def test_switches_of_the_other_hierarchy(lab: memoom.Lab) -> None:
    if HIERARCHY == "v1":
        raised(lambda: lab.group("x", oom_group=True), memoom.UnsupportedError, "memory.oom.group", "v2")
        raised(lambda: lab.group("x").set_high("1M"), memoom.UnsupportedError, "memory.high", "v2")
    else:
        raised(lambda: lab.group("x", oom_killer=False), memoom.UnsupportedError, "memory.oom_control", "v1")
        raised(lambda: lab.group("x").set_oom_killer(False), memoom.UnsupportedError, "memory.oom_control", "v1")


def test_workers(lab: memoom.Lab) -> None:
    group = lab.group(limit="16M")
    raised(lambda: lab.group().hog().grow(), memoom.InvalidInputError, "limit", "remedy")
    for case in CASES["hogs"]:
        names = {"name": "name", "memory": "kind", "step_bytes": "step", "oom_score_adj": "oom_score_adj"}
        options: dict[str, Any] = {name: case[key] for key, name in names.items() if key in case}
        refused(case, lambda options=options: group.hog(**options))  # type: ignore[misc]
    raised(lambda: group.ticker("t", -1), memoom.InvalidInputError, "seconds")
    raised(lambda: group.ticker("t", float("nan")), memoom.InvalidInputError, "seconds")
    raised(lambda: group.command([]), memoom.InvalidInputError, "no program")
    raised(lambda: group.command("true"), memoom.InvalidInputError, "a text")
    raised(lambda: group.command(["a\0b"]), memoom.InvalidInputError, "NUL")
    error = raised(lambda: group.command(["/no/such"]), memoom.NotFoundError, "/no/such")
    assert error.errno == 2 and isinstance(error, FileNotFoundError)
    raised(lambda: group.command(["true"], stdout="file"), memoom.InvalidInputError, "stdout='file'")  # type: ignore[arg-type]
    with pytest.raises(OSError):
        group.command(["true"], stdout=987654)
    hog = group.hog()
    raised(lambda: hog.wait(0), memoom.TimedOutError, str(hog.pid))
    raised(hog.finish, memoom.InvalidInputError, "no step")
    raised(lambda: hog.signal(4711), memoom.InvalidInputError, "4711")
    hog.kill()
    assert hog.wait(PATIENCE).verdict == "killed"
    hog.kill()
    error = raised(hog.grow, memoom.WorkerGoneError, str(hog.pid))
    assert isinstance(error, ProcessLookupError)


def test_a_closed_lab(needs_lab: None) -> None:
    with memoom.Lab() as lab:
        group = lab.group(limit="16M")
        watch = group.watch()
        hog = group.hog()
        assert not lab.closed
    assert lab.closed and "closed" in repr(lab)
    lab.close()
    assert not os.path.exists(lab.path) and not os.path.exists(f"/proc/{hog.pid}")
    for call in (lab.group, lambda: group.usage_bytes, group.hog, hog.grow, lambda: hog.wait(0), group.kill):
        error = raised(call, memoom.ClosedError, "closed")
        assert isinstance(error, ValueError)
    # What was seen before stays readable, and then there is nothing more.
    while watch.next(0) is not None:
        pass
    assert not watch.closed
    watch.close()
    watch.close()
    assert watch.closed
    raised(lambda: watch.next(0), memoom.ClosedError, "watch was closed")
    raised(watch.fileno, memoom.ClosedError, "watch was closed")


def test_the_first_error_is_the_one_that_is_seen(needs_lab: None) -> None:
    with pytest.raises(ZeroDivisionError), memoom.Lab() as lab:
        lab.group(limit="16M").hog()
        raise ZeroDivisionError
    assert lab.closed


def test_a_lab_that_is_dropped_warns_and_goes(needs_lab: None) -> None:
    lab = memoom.Lab()
    path = lab.path
    with pytest.warns(ResourceWarning, match="never closed"):
        del lab
    assert not os.path.exists(path)


def test_native_classes_are_not_made_by_hand() -> None:
    for cls in (memoom.Group, memoom.Hog, memoom.Watch, memoom.Worker):
        with pytest.raises(TypeError):
            cls()

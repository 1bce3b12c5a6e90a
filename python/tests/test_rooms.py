"""The rooms of the package stand in ranks: each imports only what stands below it, also in its functions and types.

Read from the imports themselves, wherever they stand: an import in a function is one that a reader has to follow too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import memoom

PACKAGE = Path(memoom.__file__).parent

# From the bottom to the top; what stands on one line knows nothing of each other.
RANKS = (
    ("_text", "_units", "_wires", "_invoke", "_worker", "_lock", "_compare"),
    ("_errors", "_document"),
    ("_files", "_frames", "_stdio"),
    ("_result", "_toml"),
    ("_report", "_memcg", "_fitted"),
    ("_steps",),
    ("_account",),
    ("_at_limit",),
    ("_outcome",),
    ("_timeline",),
    ("_values",),
    ("_absent", "_hook"),
    ("_aio",),
    ("_native",),
    ("_core", "_run", "_display", "_log"),
    ("_call", "_live"),
    ("_lab",),
    ("_explain",),
    ("testing", "_sweep", "_observe", "_aware"),
    ("_campaign", "_policy", "_fit"),
    ("_pytest", "jupyter"),
    ("__init__",),
    ("_cli",),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}


def modules() -> Iterator[tuple[str, Path]]:
    """Each file with its room: a file of the package's top, or a folder."""
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")]):
        yield path.relative_to(PACKAGE).parts[0].partition(".")[0], path


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """What of the package a file imports, with the line."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(name.name.split(".")[0] == "memoom" for name in node.names), f"{path}: import by its dots"
        if not isinstance(node, ast.ImportFrom) or node.level < depth:
            continue
        if node.module:
            yield node.lineno, node.module.partition(".")[0]
        for name in node.names if not node.module else ():
            # `from .. import Lab` asks the package for a name, and imports what that name is of.
            yield node.lineno, name.name if name.name in RANK else "__init__"


def test_each_room_has_a_rank() -> None:
    assert {room for room, _ in modules()} == set(RANK)
    assert len(RANK) == sum(map(len, RANKS))


def test_imports_go_down() -> None:
    up = [
        f"{path.relative_to(PACKAGE)}:{line} imports {other}"
        for room, path in modules()
        for line, other in imported(path)
        if RANK[other] >= RANK[room] and other != room
    ]
    assert up == []


def test_no_circle_inside_a_room() -> None:
    """The files of a folder: whom each imports, until nothing is left that imports nothing else of the rest."""
    for folder in sorted(path for path in PACKAGE.iterdir() if (path / "__init__.py").exists()):
        needs: dict[str, set[str]] = {}
        for path in sorted(folder.glob("*.py")):
            found: set[str] = set()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.level == 1:
                    names = [node.module] if node.module else [name.name for name in node.names]
                    files = {name for name in names if (folder / f"{name}.py").exists()}
                    found |= files or {"__init__"}
            needs[path.stem] = found
        while free := {name for name, of in needs.items() if not of & needs.keys()}:
            needs = {name: of for name, of in needs.items() if name not in free}
        assert not needs, f"{folder.name}: {needs}"


def test_public_names_stand_once() -> None:
    """In the room that has them: the package repeats none, and has each of them."""
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    assert memoom.__all__ == sorted(set(memoom.__all__)) and len(memoom.__all__) > 60
    for name in memoom.__all__:
        assert getattr(memoom, name) is not None
        assert name == "__version__" or f'"{name}"' not in source, name
    assert set(memoom.__all__) <= set(dir(memoom))
    for name in ("no_such_name", "_no_such_name"):
        assert not hasattr(memoom, name)

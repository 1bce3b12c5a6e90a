"""Every notebook runs from top to bottom in a fresh kernel, and shows what it promises."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT, HIERARCHY

pytestmark = pytest.mark.usefixtures("needs_lab")

NOTEBOOKS = sorted((CHECKOUT / "examples" / "notebooks").glob("*.py"))
PATIENCE = 100


def ran(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The executed notebook. A cell that raises raises here."""
    import jupytext
    from nbclient import NotebookClient

    monkeypatch.setenv("MEMOOM_LOGS", str(CHECKOUT / "tests" / "logs"))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    notebook = jupytext.read(path)
    # The kernel of this very environment, whatever kernels the machine has registered.
    client = NotebookClient(
        notebook, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    return notebook


def outputs(notebook: Any, kind: str) -> list[str]:
    """What the cells have shown, of that MIME type (or as plain lines for "stream")."""
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    if kind == "stream":
        return [output.text for output in shown if output.output_type == "stream"]
    return [output.data[kind] for output in shown if kind in output.get("data", {})]


def charts(notebook: Any) -> list[ET.Element]:
    return [
        ET.fromstring(base64.b64decode(svg))
        for html in outputs(notebook, "text/html")
        for svg in re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', html)
    ]


def words(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"experiments", "unknown_log", "redis", "sweep"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Debuggers of frozen modules and new event loops have their say on standard error; what counts is below.
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = ran(path, tmp_path, monkeypatch)
    shown = charts(notebook)
    said = "".join(outputs(notebook, "stream"))
    assert "Traceback" not in said
    match path.stem:
        case "experiments":
            assert len(shown) == 2
            for chart in shown:
                assert "limit 80M" in words(chart) and "is killed" in words(chart)
            assert ("waits" in words(shown[1])) == (HIERARCHY == "v1")
            assert said.count("This experiment needs") == (1 if HIERARCHY == "v1" else 2)
        case "unknown_log":
            assert "limit group:" in said and len(outputs(notebook, "text/html")) >= 4
        case "sweep":
            assert len(outputs(notebook, "image/png")) == 1 and "True" in said
            lived = re.search(r"(\d+) of 36 lived", said)
            assert lived is not None and 10 <= int(lived[1]) <= 26
        case "redis":
            killed, bounded = (words(chart) for chart in shown[::2])
            assert "redis-server is killed" in killed and "limit 64M" in killed
            assert "is killed" not in bounded and "alive: True" in said

"""Every document against its schema in docs/schema: saved logs, and what happens live."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT, HIERARCHY, PATIENCE
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import memoom
from memoom import _native
from memoom._cli import main as command

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in sorted((CHECKOUT / "docs" / "schema").glob("*.json"))}
LOGS = sorted(path for path in (CHECKOUT / "tests" / "logs").rglob("*") if path.suffix in (".kmsg", ".log"))


def strict(schema: Any) -> Any:
    """The schema with every key refused that it does not name: what memoom writes is documented to the last key."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: value if key in ("if", "then") else strict(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made["unevaluatedProperties"] = False
    return made


REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(strict(schema))) for schema in SCHEMAS.values()
)


def check(name: str, document: str | dict[str, Any]) -> None:
    """Fails with the place and the reason."""
    data = json.loads(document) if isinstance(document, str) else document
    assert data["schema"] == f"memoom.{name}/1"
    validator = Draft202012Validator(strict(SCHEMAS[name]), registry=REGISTRY)
    errors = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(data)]
    assert errors == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"] == f"urn:memoom:{name}:1"
    # It refuses what is no such document.
    for wrong in ({}, {"schema": f"memoom.{name}/1"}, []):
        assert not Draft202012Validator(SCHEMAS[name], registry=REGISTRY).is_valid(wrong)


def fnv1a(document: bytes) -> str:
    """A digest that each language computes in three lines."""
    digest = 0xCBF29CE484222325
    for byte in document:
        digest = (digest ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_a_saved_log(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = log.read_bytes()
    document = _native.reports_to_json(content)
    check("reports", document)
    # The same bytes in Rust and in C: their tests compare with the same digests.
    digests = dict(line.split()[::-1] for line in (CHECKOUT / "tests/logs/documents.fnv1a").read_text().splitlines())
    assert fnv1a(document.encode()) == digests[log.name]
    reports = memoom.parse_reports(content)
    joined = ",".join(report.to_json() for report in reports)
    assert document == f'{{"schema":"memoom.reports/1","reports":[{joined}]}}'
    assert command(["report", "--json", str(log)]) == 0
    assert capsys.readouterr().out == document + "\n"


def test_live_documents(lab: memoom.Lab) -> None:
    check("host", memoom.Host.probe().to_json())
    group = lab.group("schema", limit="24M")
    with group.watch() as watch:
        hog = group.hog(step="16M")
        hog.grow(timeout=PATIENCE)
        check("prediction", group.predict().to_json())
        hog.grow(timeout=PATIENCE)
        outcome = hog.wait(PATIENCE)
        check("outcome", outcome.to_json())
        oom = watch.wait_oom(PATIENCE)
        assert oom is not None and outcome.ooms == (oom,)
        check("oom", oom.to_json())
        # An account is the same document wherever it stands.
        assert outcome.to_json().count(oom.to_json()) == 1
        while (event := watch.next(0)) is not None:
            check("event", event.to_json())
            assert str(event) and "\n" not in str(event)
    timeline = lab.timeline()
    check("timeline", timeline.to_json())
    assert [event.to_json() for event in timeline if event.kind == "victim"] != []


def test_an_experiment(needs_lab: None) -> None:
    argv = [sys.executable, "-m", "memoom", "demo", "--json", f"{HIERARCHY}-kill"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE * 4)
    check("experiment", done.stdout)

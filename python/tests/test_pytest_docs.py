"""The examples of docs/pytest.md run as they stand."""

from __future__ import annotations

import re

import pytest
from conftest import CHECKOUT, needs_time

BLOCKS = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (CHECKOUT / "docs" / "pytest.md").read_text(), re.DOTALL)


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_the_examples(pytester: pytest.Pytester) -> None:
    assert [name for name, _ in BLOCKS] == ["test_server.py", "test_old.py"]
    for name, code in BLOCKS:
        (pytester.path / name).write_text(code)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=300).assert_outcomes(passed=5)

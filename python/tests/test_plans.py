"""The files of plans, whatever they hold and wherever they are read: a campaign and a policy read them alike."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import memoom
from memoom._campaign.plan import read_plan as campaign_plan
from memoom._policy.plan import read_plan as policy_plan

READERS: list[Callable[[Path], Any]] = [campaign_plan, lambda path: policy_plan(path, None)]
CAMPAIGN = 'command = ["echo", "größer"]\ncheck = ["true"]\n[moments]\nwrite = 1\n'
POLICY = 'limit = "64M"\n[[process]]\nname = "größer"\ncurve = [[0, "1M"]]\n'


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = " + b"[" * 100_000, "it is nested too deeply; remedy: mend it"),
        (b"a = 1\n#" + b"x" * (16 << 20), "it has more than 16 MiB; remedy: mend it"),
        (b"a = '\xff'", "can't decode byte"),
        (b"a = ", "remedy: mend it"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(
    read: Callable[[Path], Any], content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(content)
    with pytest.raises(memoom.InvalidInputError, match=said) as raised:
        read(path)
    assert f"{path}: " in str(raised.value)


def test_a_plan_is_utf_8_in_each_locale(tmp_path: Path) -> None:
    (tmp_path / "campaign.toml").write_bytes(CAMPAIGN.encode())
    (tmp_path / "policy.toml").write_bytes(POLICY.encode())
    script = (
        "from memoom._campaign.plan import read_plan as campaign; from memoom._policy.plan import read_plan as policy; "
        "assert campaign('campaign.toml').command[1] == 'gr\\xf6\\xdfer'; "
        "assert policy('policy.toml', None).curves[0].name == 'gr\\xf6\\xdfer'"
    )
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=plain, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr

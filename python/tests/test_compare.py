"""Two accounts side by side: of recorded OOMs of two hierarchies, on any machine."""

import json
from pathlib import Path

import pytest

from memoom._compare import compare, facts

SIGNS = Path(__file__).parents[2] / "tests" / "signs"


def account(name: str) -> dict:
    return json.loads((SIGNS / f"{name}.json").read_text().splitlines()[0])


def test_what_two_kernels_do_differently():
    found = {one.name: one for one in compare(account("kill-v1"), account("kill-v2"))}
    assert (found["hierarchy"].first, found["hierarchy"].second) == ("v1", "v2")
    # v1 counts what it could not charge, v2 each time the limit was met.
    assert "counters.failcnt" in found and found["counters.failcnt"].second is None
    assert "victims" not in found, found["victims"].line()


def test_the_same_is_no_difference():
    assert compare(account("kill-v2"), account("kill-v2")) == []
    # Less than a tenth is the kernel's own noise, a tenth of a large size is not.
    near, far = account("kill-v2"), account("kill-v2")
    near["usage_bytes"]["before"] = int(near["usage_bytes"]["before"] * 1.05)
    far["usage_bytes"]["before"] *= 2
    assert compare(account("kill-v2"), near) == []
    (only,) = compare(account("kill-v2"), far)
    assert only.name == "usage_bytes.before"
    assert " MiB | " in only.line()


def test_what_is_no_account_is_refused():
    with pytest.raises(ValueError, match="memoom run --json"):
        facts({"schema": "memoom.host/1"})


@pytest.mark.parametrize(
    "content",
    [
        *("", "3", "[]", "null", "{}", '"memoom.oom/1"', "[" * 100_000, "\0", "NaN"),
        *('{"schema":"memoom.outcome/1","ooms":5}', '{"schema":"memoom.outcome/1","ooms":{"a":1}}'),
        *('{"schema":"memoom.oom/1","victims":[1]}', '{"schema":"memoom.oom/1","victims":[{"pid":1}]}'),
        *('{"schema":"memoom.oom/1","counters":7}', '{"schema":"memoom.oom/1","report":[1]}'),
        *('{"schema":"memoom.oom/1","missing":[{"source":1},{"source":"a"}]}', '{"schema":"memoom.oom/1"}'),
        *('{"schema":"memoom.outcome/9","verdict":"exited"}', '{"schema":["memoom.oom/1"]}'),
    ],
)
def test_what_is_damaged_is_refused_with_its_name(content, tmp_path, capsys):
    from memoom._cli import main

    damaged = tmp_path / "damaged"
    damaged.write_text(content)
    assert main(["compare", str(SIGNS / "kill-v1.json"), str(damaged)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and f"{damaged}: it" in printed.err and printed.err.count("\n") == 1
    assert "object has no attribute" not in printed.err


@pytest.mark.parametrize("value", ['"x"', "-1", "[1]", "1e400", "9" * 400, "true"])
def test_a_size_that_is_none_is_a_difference(value, tmp_path, capsys):
    from memoom._cli import main

    odd = tmp_path / "odd"
    odd.write_text(f'{{"schema":"memoom.oom/1","usage_bytes":{{"before":{value}}},"call_path":[{{"function":1}}]}}')
    assert main(["compare", str(SIGNS / "kill-v1.json"), str(odd)]) == 1
    out = capsys.readouterr().out
    assert "usage_bytes.before: " in out and "call_path: " in out


def test_a_line_without_an_end_takes_bounded_memory(tmp_path, capsys, monkeypatch):
    from memoom._cli import compare as command
    from memoom._cli import main

    monkeypatch.setattr(command, "_LONGEST", 1000)
    assert main(["compare", "/dev/zero", "/dev/zero"]) == 2
    assert "it is longer than" in capsys.readouterr().err


def test_the_command(tmp_path, capsys):
    from memoom._cli import main

    for name in ("kill-v1", "kill-v2"):
        (tmp_path / name).write_text(json.dumps(account(name)) + "\n")
    v1, v2 = (str(tmp_path / name) for name in ("kill-v1", "kill-v2"))
    (tmp_path / "pretty").write_text(json.dumps(account("kill-v1"), indent=2))
    assert main(["compare", v1, str(tmp_path / "pretty")]) == 0
    assert capsys.readouterr().out == "nothing differs\n"
    assert main(["compare", v1, v1]) == 0
    assert capsys.readouterr().out == "nothing differs\n"
    assert main(["compare", v1, v2, "--json"]) == 1
    names = [one["name"] for one in json.loads(capsys.readouterr().out)["differences"]]
    assert "hierarchy" in names
    assert main(["compare", v1, str(tmp_path / "no")]) == 2
    assert "no: No such file" in capsys.readouterr().err

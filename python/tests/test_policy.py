"""``memoom.policy`` and ``memoom policy``: curves of which it is known whom each policy takes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import CHECKOUT, HIERARCHY, PATIENCE, SLOW, Cli, needs_time
from test_schema import check

import memoom
from memoom._policy.beside import _shares_of_user_memory, _told_as
from memoom._policy.plan import Curve, read_plan
from memoom._policy.trial import PolicyNow, _asker, _refused

MIB = 1 << 20
# Where memory is taken at an emulator's pace there must be time for it.
TIME = 5 if SLOW else 1
# The small one grows over the limit, and the kernel takes the large one.
PLAN = {
    "limit": "64M",
    "process": [
        {"name": "large", "curve": [[0, "40M"], [1.5 * TIME, "40M"]]},
        {"name": "grows", "curve": [[0, "4M"], [1.4 * TIME, "36M"], [1.5 * TIME, "36M"]]},
    ],
}


def grower(now: memoom.PolicyNow) -> str | None:
    return "grows" if now.usage_bytes > 0.75 * now.limit_bytes and "grows" in now.held_bytes else None


@pytest.mark.usefixtures("needs_lab")
def test_the_kernel_takes_the_largest_and_a_policy_whom_it_chooses(tmp_path: Path) -> None:
    found = memoom.policy(PLAN, {"kernel": True, "grower": grower, "oom-group": True, "earlyoom": True})
    check("policy", found.to_json())
    kernel, mine, group, earlyoom = found.trials
    assert [(death.name, death.by) for death in kernel.deaths] == [("large", "kernel")], str(found)
    assert kernel.finished == ("grows",) and kernel.ooms == 1
    assert [(death.name, death.by) for death in mine.deaths] == [("grows", "policy")]
    assert mine.finished == ("large",) and mine.ooms == 0
    # 40 MiB for most of a second were lost to the kernel; the policy has lost less, and kept more.
    assert kernel.lost_byte_seconds > 20 * MIB and mine.lost_byte_seconds < kernel.lost_byte_seconds
    assert mine.kept_byte_seconds == 60 * TIME * MIB
    if HIERARCHY == "v2":
        assert {death.name for death in group.deaths} == {"large", "grows"}
        assert {death.by for death in group.deaths} == {"kernel"} and group.finished == ()
    else:
        assert group.refused == "memory.oom.group is a file of cgroup v2"
    assert earlyoom.refused and "earlyoom was not tried" in str(found)
    drawn = ElementTree.fromstring(found.to_svg())
    titles = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert "large died under kernel, by the kernel" in titles and "grows died under grower, by the policy" in titles


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("mem total: 2000 MiB, user mem total: 1600 MiB, swap total: 0 MiB", 1250),
        ("mem total: 2000 MiB, swap total: 0 MiB", 1000),
        ("", 1000),
    ],
)
def test_earlyoom_is_told_in_the_shares_that_it_counts_in(tmp_path: Path, says: str, told: int) -> None:
    earlyoom = tmp_path / "earlyoom"
    # The new one counts on until it is ended.
    earlyoom.write_text(f"#!/bin/sh\necho '{says}' >&2\n[ -z '{says}' ] || exec sleep 1000\n")
    earlyoom.chmod(0o755)
    machine = {"MemTotal": 2000, "MemAvailable": 1500, "AnonPages": 100}
    assert _told_as(1000, machine, _shares_of_user_memory(str(earlyoom))) == told


@pytest.mark.usefixtures("needs_lab")
def test_nobody_dies_where_there_is_room() -> None:
    found = memoom.policy({**PLAN, "limit": "128M"}, ["kernel"])
    (kernel,) = found.trials
    assert kernel.deaths == () and kernel.finished == ("large", "grows") and kernel.at_limit_ns == 0
    assert kernel.lost_byte_seconds == 0 and max(usage for _, usage in kernel.samples) > 76 * MIB


@pytest.mark.usefixtures("needs_lab")
def test_a_function_with_the_name_of_a_built_in_one_is_what_it_is() -> None:
    scores = set()

    def look(now: memoom.PolicyNow) -> None:
        scores.update(int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in now.pids.values())

    small = {"limit": "64M", "process": [{"name": "one", "curve": [[0, "1M"], [0.1, "1M"]], "oom_score_adj": 7}]}
    found = memoom.policy(small, {"earlyoom": look, "oom-group": look})
    assert [(trial.policy, trial.refused, trial.deaths) for trial in found.trials] == [
        ("earlyoom", None, ()),
        ("oom-group", None, ()),
    ]
    assert scores == {7}


@pytest.mark.usefixtures("needs_lab")
def test_a_recorded_timeline_is_a_curve_too(tmp_path: Path) -> None:
    with memoom.Lab(sample_every=0.05) as lab:
        group = lab.group("recorded", limit="64M")
        hog = group.hog("recorded")
        assert hog.grow("24M", timeout=PATIENCE).status == "grew"
        group.sample()
        (tmp_path / "timeline.json").write_text(lab.timeline().to_json())
    found = memoom.policy({"limit": "16M", "recorded": str(tmp_path / "timeline.json")})
    assert len(found.trials[0].deaths) == 1 and found.trials[0].deaths[0].by == "kernel", str(found)
    (tmp_path / "empty.json").write_text('{"events": []}')
    with pytest.raises(memoom.InvalidInputError, match="no samples"):
        memoom.policy({"limit": "16M", "recorded": str(tmp_path / "empty.json")})


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_the_command_with_a_policy_that_is_a_program(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "first.sh").write_text("grep -q '\"grows\"' && echo grows; true\n")
    plan = [f"limit = {json.dumps(PLAN['limit'])}"]
    for process in PLAN["process"]:
        plan += ["[[process]]", *(f"{name} = {json.dumps(value)}" for name, value in process.items())]  # type: ignore[attr-defined]
    plan += ["[policies.first]", 'command = ["sh", "{here}/first.sh"]']
    (tmp_path / "policy.toml").write_text("\n".join(plan))
    done = cli("policy", "policy.toml", "--plot", "plot.svg", "--json")
    assert done.returncode == 0, done.stderr
    (trial,) = json.loads(done.stdout)["trials"]
    assert [death["name"] for death in trial["deaths"]] == ["grows"] and trial["finished"] == ["large"]
    assert "usage under each policy" in (tmp_path / "plot.svg").read_text()
    (tmp_path / "first.sh").write_text("echo it is broken >&2; exit 3")
    done = cli("policy", "policy.toml")
    assert done.returncode == 125 and "sh ended with 3: it is broken" in done.stderr
    done = cli("policy", "policy.toml", "--policies", "systemd-oomd")
    assert done.returncode == 1 and "systemd-oomd was not tried" in done.stdout
    assert cli("policy", "absent.toml").returncode == 125
    for wrong in ("", "kernel,", "kernel,,mine"):
        done = cli("policy", "policy.toml", "--policies", wrong)
        assert done.returncode == 125 and "nothing before, behind or between a comma" in done.stderr, done.stderr


def test_a_curve_is_a_line_between_its_points() -> None:
    curve = Curve("one", ((1.0, 0), (3.0, 200), (3.0, 50), (4.0, 50)))
    assert [curve.at(seconds) for seconds in (0.5, 1.0, 2.0, 3.0, 9.0)] == [0, 0, 100, 50, 50]
    assert curve.byte_seconds(3.0) == 200 and curve.byte_seconds(4.0) == 250 and curve.byte_seconds(0.5) == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"limit": "1Q"}, "1Q"),
        ({"process": []}, "one or more"),
        ({"process": [PLAN["process"][0], PLAN["process"][0]]}, "a name of its own"),  # type: ignore[index]
        ({"process": ["a"]}, "is no process"),
        ({"process": [{"name": "a"}]}, "is no process: it has no curve"),
        ({"process": [{"name": "a", "curv": []}]}, "is no process: there is no 'curv'"),
        ({"process": [{"name": "a", "curve": [[0, "1M"]], "points": []}]}, "is no process: there is no 'points'"),
        ({"process": [{"name": "a", "curve": [[1, "1M"], [0, "1M"]]}]}, "later than the one before"),
        ({"process": [{"name": "a", "curve": [["x", "1M"]]}]}, "a list of"),
        ({"process": [{"name": "a", "curve": [[0, "1M"]], "oom_score_adj": "7"}]}, "oom_score_adj of a is '7'"),
        ({"recorded": 5}, "the path of a timeline"),
        ({"every": 0}, "seconds between"),
        ({"policies": ["kernle"]}, "is no policy"),
        ({"policies": {"mine": {"command": "true"}}}, "is no policy"),
        ({"limits": "1M"}, "there is no 'limits'"),
    ],
)
def test_what_is_no_plan_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(memoom.InvalidInputError, match=said):
        read_plan({**PLAN, **wrong}, None)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "[" * 100_000,
        '{"events": 5}',
        '{"events": [{"kind": "share"}]}',
        '{"events": [{"kind": "share", "pid": 1, "time_ns": "x", "rss_bytes": 0, "swap_bytes": 0}]}',
        '{"events": [{"kind": "share", "pid": 1, "time_ns": 0, "rss_bytes": null, "swap_bytes": 0}]}',
    ],
)
def test_what_is_no_timeline_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "timeline.json").write_text(content)
    with pytest.raises(memoom.InvalidInputError, match="is no timeline"):
        read_plan({"limit": "16M", "recorded": str(tmp_path / "timeline.json")}, None)


def test_a_killer_of_the_whole_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/usr/bin/{name}")
    plan = read_plan(PLAN, ["earlyoom", "systemd-oomd"])
    earlyoom, oomd = plan.policies
    assert "machine = true" in str(_refused(plan, earlyoom)) and "units of systemd's alone" in str(_refused(plan, oomd))
    allowed = read_plan({**PLAN, "machine": True}, ["earlyoom"])
    assert _refused(allowed, earlyoom) is None
    scored = [{"name": "one", "curve": [[0, "1M"]], "oom_score_adj": 5}]
    assert "oom_score_adj" in str(
        _refused(read_plan({**PLAN, "machine": True, "process": scored}, ["earlyoom"]), earlyoom)
    )
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    assert _refused(allowed, earlyoom) == "earlyoom is not installed"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("sleep 1000 & echo $! > {pids}; wait", "gave no answer in 1 s"),
        ("printf '\\377' >&2; exit 3", "sh ended with 3: \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_program_that_hangs_or_fails_is_told_and_gone(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memoom._policy.trial._STEP_WITHIN", 1)
    pids = tmp_path / "pids"
    command = ["sh", "-c", script.replace("{pids}", str(pids))]
    known = read_plan(
        {"limit": "64M", "process": [{"name": "a", "curve": [[0, "1M"], [1, "2M"]]}]}, {"one": {"command": command}}
    )
    ask = _asker(known, known.policies[0])
    now = PolicyNow(0.0, 0, 64 << 20, {}, {}, {}, None)
    assert ask is not None
    with pytest.raises(memoom.MemoomError, match=said):
        ask(now)
    deadline = time.monotonic() + PATIENCE
    while pids.exists() and Path(f"/proc/{pids.read_text().strip()}/exe").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_example_can_be_read() -> None:
    plan = read_plan(CHECKOUT / "examples/policy/policy.toml", None)
    assert [policy.name for policy in plan.policies] == ["kernel", "oom-group", "earlyoom", "systemd-oomd", "grower"]
    assert plan.seconds == 3.0 and len(plan.curves) == 3

"""What notebooks show: complete, well-formed, escaped, and with the numbers of the timeline."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from conftest import CHECKOUT, PATIENCE

import memoom

HOSTILE = "</b>&\"'<i>\x1b"
HOSTILE_TOO = "</b>&<script>"
SVG = "{http://www.w3.org/2000/svg}"


def checked(value: Any) -> str:
    """The HTML of a value: one element, well formed, without anything that could run or load."""
    html: str = value._repr_html_()
    assert isinstance(html, str) and html.startswith("<div")
    root = ET.fromstring(html)
    for element in root.iter():
        assert element.tag.rpartition("}")[2] not in ("script", "style", "link", "img", "iframe", "object"), element.tag
        for name in element.attrib:
            assert not name.startswith("on") and name not in ("href", "src"), name
    return html


def words(html: str) -> str:
    return " ".join("".join(ET.fromstring(html).itertext()).split())


@pytest.fixture
def killed(lab: memoom.Lab) -> memoom.Oom:
    """Two hogs with names that are no text for a page; one is killed."""
    group = lab.group("shown", limit="40M")
    watch = group.watch()
    hogs = group.hog(HOSTILE, step="8M"), group.hog(HOSTILE_TOO, step="8M")
    group.ticker("ticks", 0.01)
    turn = 0
    while not any(hog.ended for hog in hogs) and turn < 20:
        hogs[turn % 2].grow(timeout=PATIENCE)
        turn += 1
    oom = watch.wait_oom(PATIENCE)
    assert oom is not None and oom.victim is not None
    return oom


def test_everything_shows_itself(lab: memoom.Lab, killed: memoom.Oom) -> None:
    group = lab.groups[0]
    assert group.path.name == "shown"
    hog = group.hog("third")
    victim = killed.victim
    assert victim is not None
    shown = {
        "host": checked(memoom.Host.probe()),
        "lab": checked(lab),
        "group": checked(group),
        "hog": checked(hog),
        "oom": checked(killed),
        "timeline": checked(lab.timeline()),
    }
    for name in ("lab", "group", "oom", "timeline"):
        assert "&lt;/b&gt;&amp;" in shown[name] and "\x1b" not in shown[name], name
    assert "of 40M" in words(shown["group"]) and "third" in words(shown["lab"])
    assert "killed" in words(shown["oom"]) and str(victim.pid) in shown["oom"]
    for frame in killed.call_path:
        assert frame.function in shown["oom"]
    outcome = hog.wait(PATIENCE) if hog.ended else (hog.kill(), hog.wait(PATIENCE))[1]
    assert "killed" in words(checked(outcome)) and "ended" in words(checked(hog))
    assert memoom.Host.probe().release in shown["host"]
    lab.close()
    assert "closed" in words(checked(lab)) and "removed" in words(checked(group))


def test_an_outcome_shows_its_oom(needs_lab: None) -> None:
    outcome = memoom.run([sys.executable, "-c", "bytearray(200 << 20)"], limit="40M")
    text = words(checked(outcome))
    assert "oom-killed" in text and "signal 9" in text and "of 40M" in text


@pytest.mark.parametrize("log", sorted((CHECKOUT / "tests" / "logs").glob("*.kmsg")), ids=lambda log: log.name)
def test_reports_of_real_logs(log: Any) -> None:
    for report in memoom.parse_reports(log.read_bytes()):
        text = words(checked(report))
        for kill in report.kills:
            assert str(kill.pid) in text
        for task in report.tasks[:40]:
            assert str(task.pid) in text
        frame = report.to_pandas()
        assert len(frame) == len(report.tasks) == report.to_polars().height
        if report.tasks and report.kills:
            assert frame.killed.any()


def test_a_report_has_the_pages_of_its_own_machine() -> None:
    # An arm64 kernel: the process that lived had 2464 pages of 16 KiB.
    (report, _) = memoom.parse_reports((CHECKOUT / "tests/logs/v2-6.12-16k.kmsg").read_bytes())
    assert report.page_bytes == 16 << 10
    assert ">38.5M<" in checked(report)
    # Without a kill line nothing tells how large a page is, and so the table does not.
    (bare,) = memoom.parse_reports(report.text.partition("Memory cgroup out of memory")[0].encode())
    assert bare.page_bytes is None
    assert ">2464 pages<" in checked(bare)


def test_the_chart_has_the_numbers_of_the_timeline(lab: memoom.Lab, killed: memoom.Oom) -> None:
    """The places of limit and usage in the picture, read back from it."""
    timeline = lab.timeline()
    svg = ET.fromstring(timeline.to_svg())
    assert svg.tag == SVG + "svg"
    texts = {text.text: text for text in svg.iter(SVG + "text")}
    assert {"limit 40M", "usage of the group", HOSTILE_TOO} <= set(texts)
    victim = killed.victim
    assert victim is not None
    assert any("is killed" in (text or "") for text in texts), texts.keys()
    ticks = {label: float(texts[label].attrib["y"]) - 4 for label in ("10M", "20M")}

    def at(count: int) -> float:
        step = ticks["10M"] - ticks["20M"]
        return ticks["10M"] + step - step * count / (10 << 20)

    limit = next(path for path in svg.iter(SVG + "path") if "stroke-dasharray" in path.attrib)
    place = re.fullmatch(r"M[\d.]+ ([\d.]+)L[\d.]+ ([\d.]+)", limit.attrib["d"])
    assert place is not None and float(place[1]) == float(place[2]) == pytest.approx(at(40 << 20), abs=0.2)
    usage = next(path for path in svg.iter(SVG + "path") if "usage of" in "".join(path.itertext()))
    heights = {float(height) for _, height in re.findall(r"([\d.]+) ([\d.]+)", usage.attrib["d"])}
    for event in timeline:
        if event.kind == "usage" and event.usage_bytes is not None:
            assert min(abs(height - at(event.usage_bytes)) for height in heights) < 0.2
    shares = [path for path in svg.iter(SVG + "path") if path.attrib.get("fill-opacity")]
    assert len(shares) == 2
    with pytest.raises(memoom.NotFoundError, match="nowhere"):
        timeline.to_svg("nowhere")


def test_text(lab: memoom.Lab, killed: memoom.Oom) -> None:
    timeline = lab.timeline()
    text = str(timeline)
    assert "is ready" in text and "as victim" in text and len(text.splitlines()) > 5

    class Printer:
        said = ""

        def text(self, words: str) -> None:
            self.said += words

    for value in (timeline, killed):
        printer = Printer()
        value._repr_pretty_(printer, False)
        assert printer.said == str(value)


def test_frames(lab: memoom.Lab, killed: memoom.Oom) -> None:
    timeline = lab.timeline()
    for frame in (timeline.to_pandas(), timeline.to_polars()):
        assert len(frame) == len(timeline) and list(frame["kind"]) == [event.kind for event in timeline]
        times = list(frame["time_s"])
        assert times[0] == 0 and times == sorted(times)
    held = timeline.to_pandas("usage")
    assert set(held.what) == {"usage", "share", "limit"}
    most = max(event.usage_bytes or 0 for event in timeline if event.kind == "usage")
    assert held[held.what == "usage"].bytes.max() == most
    assert list(held.columns) == timeline.to_polars("usage").columns
    with pytest.raises(ValueError, match="'bogus'"):
        timeline.to_rows("bogus")  # type: ignore[arg-type]
    fates = killed.to_pandas().set_index("pid").fate
    assert killed.victim is not None and fates[killed.victim.pid] == "selected"
    assert killed.to_polars().height == len(fates)


def test_plots(lab: memoom.Lab, killed: memoom.Oom) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    timeline = lab.timeline()
    axes = timeline.plot()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "usage" in labels and "limit 40M" in labels and HOSTILE_TOO in labels
    axes.figure.canvas.draw()  # type: ignore[union-attr]
    pyplot.close("all")
    _, given = pyplot.subplots()
    assert timeline.plot(given, group="shown") is given
    pyplot.close("all")
    chart = timeline.to_altair().to_dict()
    assert len(chart["layer"]) == 5
    values = [row["bytes"] for row in chart["layer"][1]["data"]["values"]]
    told = [event.usage_bytes for event in timeline if event.kind == "usage"]
    assert set(values) >= {count for count in told if count is not None} and max(values) <= 40 << 20


def test_a_missing_extra_says_how_to_get_it(lab: memoom.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    lab.group("any", limit="16M")
    with pytest.raises(ImportError, match=r"pip install 'memoom\[polars\]'") as caught:
        lab.timeline().to_polars()
    assert isinstance(caught.value, memoom.MemoomError)


def test_the_share_of_a_command(needs_lab: None) -> None:
    """Whoever waits samples: a command that never speaks to memoom has its share in the timeline."""
    with memoom.Lab(sample_every=0.002) as lab:
        group = lab.group("command", limit="200M")
        worker = group.command([sys.executable, "-c", "x = bytearray(60 << 20)"])
        assert worker.wait(PATIENCE).returncode == 0
        held = lab.timeline().to_pandas("usage")
    shares = held[(held.what == "share") & (held.pid == worker.pid)]
    assert shares.bytes.max() > 60 << 20 and len(shares) > 2
    for period in (0, -1, float("nan")):
        with pytest.raises(memoom.InvalidInputError):
            memoom.Lab(sample_every=period)


def test_a_long_timeline_stays_small(lab: memoom.Lab) -> None:
    group = lab.group("long", limit="64M")
    hog = group.hog(step="16K")
    for _ in range(700):
        hog.grow(timeout=PATIENCE)
    before = time.monotonic()
    html = checked(lab.timeline())
    assert len(html) < 300_000 and time.monotonic() - before < 5


def test_importing_shows_nothing() -> None:
    script = (
        "import memoom, sys; memoom.Host.probe(); print([m for m in sys.modules if '_display' in m or 'pandas' in m])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_live_outside_of_a_notebook_samples(lab: memoom.Lab) -> None:
    group = lab.group("live", limit="32M")
    hog = group.hog(step="8M")
    before = len(lab.timeline())
    with lab.live(every=0.01):
        hog.grow(timeout=PATIENCE)
    usages = [event for event in lab.timeline().events[before:] if event.kind == "usage"]
    assert len(usages) >= 2, "the step, and the end of the view"
    with pytest.raises(ZeroDivisionError), lab.live():
        raise ZeroDivisionError
    with pytest.raises(memoom.InvalidInputError), lab.live(0):
        pass

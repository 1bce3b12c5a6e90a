"""What notebooks show: complete, well-formed, escaped, and with the numbers of the timeline."""

from __future__ import annotations

import base64
import json
import math
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from conftest import CHECKOUT, PATIENCE
from pictures import boxes, timeline_of

import memoom

HOSTILE = "</b>&\"'<i>\x1b"
HOSTILE_TOO = "</b>&<script>"
SVG = "{http://www.w3.org/2000/svg}"


def checked(value: Any) -> str:
    """The HTML of a value: one element, well formed, with nothing that could run, load, or needs a page's trust."""
    html: str = value._repr_html_()
    assert isinstance(html, str) and html.startswith("<div")
    for element in ET.fromstring(html).iter():
        assert element.tag in SAFE, (
            f"{element.tag}: a page that does not trust its parts takes it out, and leaves its text"
        )
        for name in element.attrib:
            assert not name.startswith("on") and name != "href", name
    for picture in pictures(html):
        for element in picture.iter():
            assert element.tag.removeprefix(SVG) in ("svg", "title", "style", "g", "path", "rect", "text"), element.tag
            for name, value in element.attrib.items():
                assert not name.startswith("on") and name not in ("href", "src") and "url(" not in value, name
    return html


# What the sanitizers of notebooks leave in.
SAFE = {"div", "span", "b", "code", "pre", "img", "table", "thead", "tbody", "tr", "th", "td"} | {
    *("ul", "ol", "li", "details", "summary")
}
PICTURE = "data:image/svg+xml;base64,"


def pictures(html: str) -> list[ET.Element]:
    """The pictures in a page; each says in words what it is."""
    found = []
    for image in ET.fromstring(html).iter("img"):
        assert image.attrib["src"].startswith(PICTURE) and image.attrib["alt"]
        found.append(ET.fromstring(base64.b64decode(image.attrib["src"].removeprefix(PICTURE))))
    return found


def words(html: str) -> str:
    """What a reader sees, with the words of the pictures."""
    parts = [ET.fromstring(html), *pictures(html)]
    return " ".join(" ".join("".join(part.itertext()) for part in parts).split())


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
    assert "</b>&" in words(shown["timeline"]) and len(pictures(shown["timeline"])) == 1
    assert "of 40M" in words(shown["group"]) and "third" in words(shown["lab"])
    assert "killed" in words(shown["oom"]) and str(victim.pid) in shown["oom"]
    for frame in killed.call_path:
        assert frame.function in shown["oom"]
    outcome = hog.wait(PATIENCE) if hog.ended else (hog.kill(), hog.wait(PATIENCE))[1]
    assert "killed" in words(checked(outcome)) and "ended" in words(checked(hog))
    assert memoom.Host.probe().release in shown["host"]
    lab.close()
    assert "closed" in words(checked(lab)) and "removed" in words(checked(group))


def host(**changes: Any) -> memoom.Host:
    """This host, with something else in it."""
    return memoom.Host._of(json.dumps({**memoom.Host.probe().to_dict(), **changes}))


def test_a_host_says_what_it_can() -> None:
    good = words(checked(host(lab=True, refusal=None)))
    assert (
        good.startswith("a lab can be made cgroup")
        and "no lab" not in good
        and "why not" not in good.split("ability")[0]
    )
    ability = {"name": "tracefs", "available": False, "reason": "it is not mounted", "remedy": "mount it"}
    bad = words(checked(host(lab=False, refusal="no memory controller; remedy: boot with it", abilities=[ability])))
    assert bad.startswith("no lab can be made cgroup") and "a lab can be made" not in bad.replace(
        "no lab can be made", ""
    )
    assert "no memory controller; remedy: boot with it" in bad and "✗tracefsit is not mountedmount it" in bad


def test_the_name_of_an_ability_stays_on_one_line() -> None:
    """Beside columns that are empty a browser breaks it at each hyphen."""
    shown = memoom.Host.probe()._repr_html_()
    for ability in memoom.Host.probe().abilities:
        assert f'<span style="white-space:nowrap">{ability.name}</span>' in shown


def test_small_values_show_themselves(lab: memoom.Lab) -> None:
    """Each in words, for a good and for a bad end."""
    group = lab.group("small", limit="16M")
    hog = group.hog("grower", step="4M")
    assert "grew" in words(checked(hog.grow())) and "4M" in words(checked(hog.grow()))
    prediction = words(checked(group.predict()))
    assert prediction.startswith("would be killed grower") and str(hog.pid) in prediction
    assert "score (pages)" in prediction, "a score has its unit where it is shown"
    assert "usage8M" in words(checked(group.counters)).replace("usage_bytes", "usage") or "usage" in words(
        checked(group.counters)
    )
    while (grow := hog.grow(timeout=PATIENCE)).status == "grew":
        pass
    assert words(checked(grow)).startswith(grow.status)
    empty = words(checked(lab.group("empty", limit="16M").predict()))
    assert "nobody can be killed" in empty and "would be" not in empty
    good, bad = memoom.call(max, 3, 7, limit="64M"), memoom.call(divmod, 1, 0, limit="64M")
    killed = memoom.call(bytearray, 600 << 20, limit="64M")
    assert words(checked(good)).startswith("returned 7") and words(checked(bad)).startswith("raised ZeroDivisionError")
    assert words(checked(killed)).startswith("oom-killed") and "of 64M" in words(checked(killed))
    results = memoom.sweep(
        [{"argv": ["true"], "limit": "8M"}, {"argv": ["/no/such"], "limit": "8M"}, {"hogs": [{}], "limit": "16M"}]
    )
    shown = words(checked(results))
    assert shown.startswith("3 trials") and "1 exited" in shown and "1 error" in shown and "1 oom-killed" in shown
    exited, error, oom = (words(checked(result)) for result in results)
    assert exited.startswith("exited") and error.startswith("error") and "/no/such" in error
    assert oom.startswith("oom-killed") and "OOM in trial" in oom
    assert words(checked(memoom.sweep([]))) == "0 trials"


def test_a_list_of_reports_takes_a_line_each() -> None:
    from IPython.lib.pretty import pretty

    reports = memoom.parse_reports((CHECKOUT / "tests/logs/v2-6.12-16k.kmsg").read_bytes())
    shown = pretty(reports, max_width=10_000)
    assert shown.count("\n") <= len(reports) - 1 and shown.count("Report(") == len(reports) == 2
    assert pretty(reports[0]) == str(reports[0]) and "\n" in str(reports[0])


@pytest.mark.parametrize("count", [2, 8, 9, 20, 200])
def test_a_chart_of_many_leaves_nothing_out(count: int) -> None:
    """The areas reach the line of the usage, no word stands on another, and the legend stays short."""
    svg = ET.fromstring(timeline_of(count).to_svg())
    stacked = [path for path in svg.iter(SVG + "path") if path.attrib.get("class") == "edge"]
    assert len(stacked) == min(count, 8)
    titles = ["".join(path.itertext()) for path in stacked]
    assert any(f"{count - 7} others" in title for title in titles) == (count > 8), titles
    (usage,) = [path for path in svg.iter(SVG + "path") if "usage of" in "".join(path.itertext())]
    line = [float(height) for _, height in re.findall(r"([\d.]+) ([\d.]+)", usage.attrib["d"])]
    top = [float(height) for _, height in re.findall(r"([\d.]+) ([\d.]+)", stacked[-1].attrib["d"])]
    assert min(top) == pytest.approx(min(line), abs=0.2), "no gap under the line"
    places = list(boxes(svg).items())
    width = float(svg.attrib["viewBox"].split()[2])
    for at, (name, (left, top_, right, bottom)) in enumerate(places):
        assert left >= 0 and right <= width, name
        for other, (left2, top2, right2, bottom2) in places[:at]:
            assert right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top_, f"{name} and {other}"
    legend = [text for text in svg.iter(SVG + "text") if float(text.attrib["y"]) > float(svg.attrib["height"]) - 50]
    assert len(legend) <= 11
    assert "wörker" in "".join(svg.itertext()) and "\\x" not in "".join(svg.itertext())
    # Words come after all lines and have ground below them: nothing goes through them.
    order = [
        element.tag.removeprefix(SVG) for element in svg.iter() if element.attrib.get("class") in ("kill", "ground")
    ]
    assert "path" not in order[order.index("text") :]


def test_colours_for_those_who_see_no_red_or_no_green() -> None:
    """How far the colours of a chart are from each other, for three kinds of eyes (Machado and others, 2009; Oklab)."""
    from memoom._display.markup import BAD, OTHERS, PALETTE

    eyes = {
        "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        "no red": (
            (0.152286, 1.052583, -0.204868),
            (0.114503, 0.786281, 0.099216),
            (-0.003882, -0.048116, 1.051998),
        ),
        "no green": (
            (0.367322, 0.860646, -0.227968),
            (0.280085, 0.672501, 0.047413),
            (-0.011820, 0.042940, 0.968881),
        ),
    }

    def seen(colour: str, eye: tuple[tuple[float, ...], ...]) -> tuple[float, ...]:
        shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        light = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        red, green, blue = (min(1, max(0, sum(a * b for a, b in zip(row, light, strict=True)))) for row in eye)
        long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
        middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
        short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
        return (
            0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
            1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
            0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
        )

    for name, eye in eyes.items():
        colours = [*PALETTE, OTHERS, BAD]
        for at, one in enumerate(colours):
            for other in colours[:at]:
                assert math.dist(seen(one, eye), seen(other, eye)) > 0.12, f"{one} and {other} for {name}"


def test_plots_of_many() -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    for count in (2, 20):
        axes = timeline_of(count).plot()
        figure = axes.figure
        figure.canvas.draw()  # type: ignore[union-attr]
        legend = axes.get_legend()
        assert legend is not None
        labels = [text.get_text() for text in legend.get_texts()]
        assert len(labels) <= 10 and ("13 others" in labels) == (count == 20)
        # The legend is on the paper, and not on the axes.
        place, ground = legend.get_window_extent(), figure.bbox
        assert not place.overlaps(axes.get_window_extent())
        assert place.x0 >= 0 and place.y0 >= 0 and place.x1 <= ground.x1 + 1
        extents = [text.get_window_extent() for text in axes.texts]
        assert extents and not any(a.overlaps(b) for at, a in enumerate(extents) for b in extents[:at])
        pyplot.close("all")
        chart = timeline_of(count).to_altair().to_dict()
        names = {row["process"] for row in chart["layer"][0]["data"]["values"]}
        assert len(names) == min(count, 8)


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
    assert {"limit 40M", "usage of the group"} <= set(texts)
    assert any(text.startswith(HOSTILE_TOO) for text in texts if text)
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
    assert len([path for path in shares if path.attrib.get("class") == "edge"]) == 2
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


def test_importing_reads_only_what_everybody_needs() -> None:
    """Each process that imports memoom pays for it, also the test suite that only has the plugin."""
    script = (
        "import sys; before = set(sys.modules); import memoom; bare = set(sys.modules); memoom.Lab; "
        "print(sorted(bare - before), {'typing', 'json', 'memoom._values'} & set(sys.modules))"
    )
    # Without what an environment's own files import first.
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "['__future__', 'memoom', 'memoom._wires'] set()\n"


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

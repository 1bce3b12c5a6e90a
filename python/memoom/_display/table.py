"""Tables, bars and the list of a call path: the parts that several values show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .._report import Frame, Missing
from .markup import BAD, FADED, GOOD, PLAIN, WARN, Markup, folded, join, tag
from .units import size

__all__ = ["bar", "call_path_html", "facts", "headline", "missing_html", "pid_and_name", "rows"]

_CELL = "padding:2px 10px 2px 0;text-align:{};vertical-align:top;white-space:{}"
# Pages set tables in their own way: everything that matters is said.
_TABLE = "border-collapse:collapse;width:auto;font-size:inherit;color:inherit"
_ROW = "background:transparent"
_STEPS = {"fault": GOOD, "charge": WARN, "oom": "#8a7fd4", "kill": BAD, "wait": "#4c9be8"}


def headline(*words: object) -> Markup:
    """The first line of a value."""
    return tag("div", *words, style="font-size:14px;margin:2px 0 6px")


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Names and values, one a line; what is None is left out."""
    lines = [
        tag(
            "tr",
            tag("td", name, style=_CELL.format("left", "nowrap") + ";" + FADED),
            tag("td", value, style=_CELL.format("left", "normal")),
            style=_ROW,
        )
        for name, value in pairs
        if value is not None
    ]
    return tag("table", tag("tbody", *lines), style=_TABLE + ";margin:2px 0") if lines else Markup()


def rows(columns: Sequence[str], lines: Sequence[Sequence[object]], numbers: Sequence[str] = ()) -> Markup:
    """A table with a head; the columns in `numbers` are set to the right."""
    sides = ["right" if name in numbers else "left" for name in columns]
    head = [
        tag(
            "th",
            name,
            style=_CELL.format(side, "nowrap") + ";font-weight:600;border-bottom:1px solid rgba(128,128,128,.5)",
        )
        for name, side in zip(columns, sides, strict=True)
    ]
    body = [
        tag(
            "tr",
            *(
                tag(
                    "td",
                    "—" if cell is None else cell,
                    style=_CELL.format(side, "nowrap" if side == "right" else "normal"),
                )
                for cell, side in zip(line, sides, strict=True)
            ),
            style=_ROW,
        )
        for line in lines
    ]
    style = _TABLE + ";margin:4px 0 8px"
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body), style=style)


def bar(usage: int | None, limit: int | None, width: int = 220) -> Markup:
    """A usage against its limit."""
    words = f"{size(usage)} of {'no limit' if limit is None else size(limit)}"
    if usage is None or not limit:
        return tag("span", words)
    part = min(usage / limit, 1.0)
    colour = BAD if part > 0.95 else WARN if part > 0.75 else GOOD
    inner = tag(
        "span", style=f"display:block;height:100%;width:{part * 100:.1f}%;background:{colour};border-radius:3px"
    )
    ground = "display:inline-block;vertical-align:middle;height:10px;margin-right:8px;border-radius:3px"
    return join([tag("span", inner, style=f"{ground};background:rgba(128,128,128,.25);width:{width}px"), words])


def pid_and_name(pid: int | None, comm: str | None) -> Markup:
    """A process."""
    return join([tag("b", comm or "?"), tag("span", f" pid {pid}", style=FADED) if pid else ""])


def call_path_html(frames: Sequence[Frame]) -> Markup:
    """The functions of the kernel on the way, the innermost first, with what each does."""
    items = []
    for frame in frames:
        step, explain = frame.step, frame.explain
        name = tag("code", str(frame), style=PLAIN)
        mark = tag("span", step, style=f"color:{_STEPS.get(step, 'inherit')};font-weight:600") if step else ""
        words = tag("span", explain, style=FADED) if explain else ""
        items.append(tag("li", name, " ", mark, " ", words, style="margin:1px 0"))
    return tag("ol", *items, style="margin:2px 0 8px;padding-left:28px")


def missing_html(missing: Sequence[Missing]) -> Markup:
    """The evidence that could not be had."""
    if not missing:
        return Markup()
    lines = [tag("li", tag("b", one.source), ": ", one.reason) for one in missing]
    return folded(f"missing evidence ({len(missing)})", tag("ul", *lines, style="margin:2px 0;padding-left:22px"))


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[tuple[str, object, object]]:
    """The keys whose value is another afterwards."""
    names = [name for name in after if after[name] != before.get(name) and not isinstance(after[name], Mapping)]
    return [(name, before.get(name), after[name]) for name in names]

"""The one place where HTML and SVG are put together: whatever is not made by `tag` is escaped.

Colours are chosen to be read on light and on dark ground; text takes the colour of the page around it, and styles stand
in the elements, because a style sheet in an output would reach the whole page.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

__all__ = [
    "BAD",
    "FADED",
    "GOOD",
    "OTHERS",
    "PALETTE",
    "PLAIN",
    "WARN",
    "Markup",
    "badge",
    "box",
    "folded",
    "image",
    "join",
    "tag",
]

GOOD, BAD, WARN = "#2f9e6a", "#e5484d", "#d97e0a"
# For the processes of a chart, in this order, and for all others together. They can be told apart from each other, and
# from the red of the limit and of kills, also by those who see no red or no green (a test computes it).
PALETTE = ("#3890f8", "#f8e860", "#584898", "#d0a810", "#901840", "#f0c8f8", "#1820f8")
OTHERS = "#a2aab3"
FADED = "opacity:.65"
# Pages give code and tables a ground of their own, which is not theirs here.
PLAIN = "background:transparent;color:inherit"


class Markup(str):
    """Text that is HTML or SVG already."""

    __slots__ = ()


def text(value: object) -> str:
    """A value as it may stand between tags or in an attribute."""
    if isinstance(value, Markup):
        return value
    # Control characters have no business in a page; XML forbids most of them even as references.
    shown = "".join(one if one.isprintable() or one in "\n\t" else f"\\x{ord(one):02x}" for one in str(value))
    return escape(shown, quote=True)


def join(parts: Iterable[object]) -> Markup:
    """Parts one after the other."""
    return Markup("".join(text(part) for part in parts))


def tag(name: str, *inside: object, **attributes: object) -> Markup:
    """An element. In names of attributes `_` stands for `-`, and one at the end for nothing; None leaves one out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{given}>{join(inside)}</{name}>")


def image(svg: Markup, alt: str, width: int) -> Markup:
    """A picture that shows wherever pictures do: a page that does not trust its parts takes an SVG in it for text."""
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return Markup(
        f'<img src="{source}" alt="{text(alt)}" style="width:100%;max-width:{width}px;height:auto;display:block"/>'
    )


def badge(word: object, colour: str) -> Markup:
    """A word on coloured ground."""
    style = f"background:{colour};color:#fff;border-radius:3px;padding:1px 6px;font-weight:600;font-size:90%"
    return tag("span", word, style=style)


def folded(title: object, *inside: object) -> Markup:
    """What is shown on a click."""
    return tag("details", tag("summary", title, style="cursor:pointer;" + FADED), *inside, style="margin:4px 0")


def box(*inside: object) -> Markup:
    """The frame around everything that one value shows."""
    style = "max-width:820px;font-size:13px;line-height:1.45;text-align:left;overflow-x:auto"
    return tag("div", *inside, class_="memoom", style=style)

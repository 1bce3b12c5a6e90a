"""How a call went, what came of trials, and the small values, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._account import Prediction
from .._memcg import Counters
from .._steps import Grow
from .._values import Oom, Outcome
from .account import oom_html, outcome_html
from .markup import BAD, FADED, GOOD, WARN, Markup, badge, box, folded, tag
from .table import facts, headline, pid_and_name, rows
from .units import size

__all__ = ["call_html", "counters_html", "grow_html", "prediction_html", "results_html", "trial_html"]

_COLOURS = {
    **dict.fromkeys(("returned", "exited", "grew"), GOOD),
    **dict.fromkeys(("killed", "timeout", "blocked", "short"), WARN),
    **dict.fromkeys(("oom-killed", "raised", "error"), BAD),
}
# Longer values and tables are not for a page.
_LONG = 300
_ROWS = 50


def _status(word: str) -> Markup:
    return badge(word, _COLOURS.get(word, WARN))


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _LONG else shown[: _LONG - 1] + "…"


def call_html(status: str, value: object, exception: Exception | None, outcome: Outcome) -> Markup:
    """What a function under a limit returned or raised, or how its process ended."""
    if status == "returned":
        return box(
            headline(_status(status), " ", tag("code", _short(value))), folded("its process", outcome_html(outcome))
        )
    if status == "raised":
        return box(
            headline(_status(status), " ", tag("code", _short(exception))), folded("its process", outcome_html(outcome))
        )
    return outcome_html(outcome)


def counters_html(counters: Counters) -> Markup:
    """What the kernel counted; what it does not tell here is left out."""
    told = []
    for name, value in counters.to_dict().items():
        if isinstance(value, dict):
            told += [(f"{name}: {key}", count) for key, count in value.items()]
        elif value is not None:
            told.append((name.removesuffix("_bytes"), size(value) if name.endswith("_bytes") else value))
    return box(headline(tag("b", "counters")), facts(told))


def grow_html(grow: Grow) -> Markup:
    """What a step of a hog took."""
    blocked = grow.blocked
    told = [
        ("step", size(grow.step_bytes)),
        ("taken", size(grow.taken_bytes)),
        ("in all", size(grow.total_bytes)),
        ("errno", grow.errno or None),
        ("waits", None if blocked is None else pid_and_name(blocked.pid, blocked.comm)),
    ]
    return box(headline(_status(grow.status)), facts(told))


def prediction_html(prediction: Prediction) -> Markup:
    """Whom the kernel would choose, and how sure that is."""
    victim = prediction.victim
    first = headline(
        badge("would be killed", WARN) if victim is not None else badge("nobody can be killed", BAD),
        " ",
        "" if victim is None else pid_and_name(victim.pid, victim.comm),
        tag("span", "" if prediction.determined else " · not certain: the scores are too close", style=FADED),
    )
    lines = [
        (one.pid, tag("b", one.comm), one.score, one.oom_score_adj, "" if one.eligible else one.reason)
        for one in sorted(prediction.candidates, key=lambda one: -one.score)[:_ROWS]
    ]
    return box(first, rows(("pid", "comm", "score (pages)", "adj", ""), lines, ("pid", "score (pages)", "adj")))


def trial_html(result: Any) -> Markup:
    """What came of one trial."""
    told = [(name, _short(value)) for name, value in result.trial.items()]
    told += [("error", result.error.message)] if result.error is not None else []
    told += [("value", tag("code", _short(result.value)))] if result.value is not None else []
    first = headline(_status(result.status), " ", tag("b", result.key))
    ooms: Sequence[Oom] = result.ooms
    return box(first, facts(told), *(oom_html(oom) for oom in ooms))


def results_html(results: Any) -> Markup:
    """The results of a sweep, a line each."""
    counts: dict[str, int] = {}
    for result in results:
        counts[result.status] = counts.get(result.status, 0) + 1
    first = headline(
        tag("b", f"{len(results)} trials"),
        *(part for word, count in counts.items() for part in (" ", count, " ", _status(word))),
    )
    table = results[:_ROWS].rows()
    # The columns of the trials themselves stand first; those that all results have follow the status.
    columns = [name for name in (table[0] if table else ()) if name not in ("node", "release", "started_at")]
    lines = [[_status(row[name]) if name == "status" else row[name] for name in columns] for row in table]
    more = len(results) - len(table)
    return box(first, rows(columns, lines), tag("div", f"and {more} more", style=FADED) if more else "")

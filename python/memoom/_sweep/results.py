"""The results of a sweep as values, as rows, and as tables of other libraries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from .._document import Document
from .._errors import InvalidInputError, MissingExtraError
from .._files import replacing, require_own
from .._frames import extra
from .._values import Fitted, Oom, Outcome
from .store import read_lines

if TYPE_CHECKING:
    import pandas
    import polars


class TrialError(Document):
    """Why a trial has no other result, or what its function raised."""

    type: str
    kind: str | None
    message: str


class TrialResult(Document):
    """What came of one trial.

    `status` is the verdict on its command or function ("exited", "oom-killed", "killed", "timeout"), "returned" or
    "raised" of a function, "grew" or "blocked" of hogs, "fitted" or "unfitted" of a fit, or "error": it could not be
    run. ``print(result)`` shows the accounts the way a person reads them.
    """

    schema: str
    key: str
    trial: Mapping[str, Any]
    attempt: int
    status: str
    outcome: Outcome | None
    value: Any
    output: str | None
    error: TrialError | None
    text: str | None
    host: Mapping[str, Any]
    started_at: str
    seconds: float | None

    _nested = {"outcome": Outcome._part, "error": TrialError._part}
    _shown = ("key", "status", "trial")

    def __str__(self) -> str:
        return self.text if self.text is not None else repr(self)

    def _repr_html_(self) -> str:
        from .._display.calls import trial_html

        return trial_html(self)

    @property
    def ooms(self) -> tuple[Oom, ...]:
        """The accounts of its OOMs."""
        if self.outcome is not None:
            return self.outcome.ooms
        return tuple(Oom._part(one) for one in self._data.get("ooms", ()))

    @property
    def fitted(self) -> Fitted | None:
        """The least limit of its command, where that was looked for."""
        if self.status not in ("fitted", "unfitted"):
            return None
        return Fitted._make(self._data["value"], None, self.text or "")

    @property
    def oom_killed(self) -> bool:
        """Whether its command, its function or one of its hogs was killed in an OOM."""
        return self.status == "oom-killed"

    def row(self) -> dict[str, Any]:
        """It as one flat row: the settings and parameters of the trial, then what came of it."""
        row: dict[str, Any] = {"key": self.key}
        data = self._data
        for name, value in data["trial"].items():
            if name == "parameters":
                row.update(value)
            elif name != "key":
                row[name] = value if isinstance(value, str | int | float | bool | None) else str(value)
        oom = next(iter(self.ooms), None)
        victim = None if oom is None else oom.victim
        value = data.get("value") if self.fitted is None else self.fitted.limit_bytes
        return {
            **row,
            "status": self.status,
            "oom_killed": self.oom_killed,
            "returncode": None if self.outcome is None else self.outcome.returncode,
            "max_rss_bytes": None if self.outcome is None else self.outcome.max_rss_bytes,
            "ooms": len(self.ooms),
            "victim": None if victim is None else victim.comm,
            "limit_bytes": None if oom is None else oom.limit_bytes,
            "predicted_right": None if oom is None else oom.predicted_right,
            "value": value if isinstance(value, str | int | float | bool | None) else str(value),
            "error": None if self.error is None else self.error.message,
            "node": data["host"]["node"],
            "release": data["host"]["release"],
            "started_at": self.started_at,
            "seconds": self.seconds,
        }


class SweepResults(Sequence[TrialResult]):
    """The results of a sweep, in the order of its trials."""

    def __init__(self, results: Iterable[TrialResult]) -> None:
        self._results = tuple(results)

    @overload
    def __getitem__(self, at: int) -> TrialResult: ...
    @overload
    def __getitem__(self, at: slice) -> SweepResults: ...
    def __getitem__(self, at: int | slice) -> TrialResult | SweepResults:
        return SweepResults(self._results[at]) if isinstance(at, slice) else self._results[at]

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[TrialResult]:
        return iter(self._results)

    def __eq__(self, other: object) -> bool:
        return self._results == other._results if isinstance(other, SweepResults) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._results)

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for result in self:
            counts[result.status] = counts.get(result.status, 0) + 1
        return f"SweepResults({len(self)}: {', '.join(f'{count} {status}' for status, count in counts.items())})"

    def _repr_html_(self) -> str:
        from .._display.calls import results_html

        return results_html(self)

    @property
    def errors(self) -> tuple[TrialResult, ...]:
        """The trials that could not be run."""
        return tuple(result for result in self if result.status == "error")

    def rows(self) -> list[dict[str, Any]]:
        """A flat row for each, all with the same columns."""
        rows = [result.row() for result in self]
        columns = dict.fromkeys(name for row in rows for name in row)
        return [{name: row.get(name) for name in columns} for row in rows]

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas table (``pip install memoom[pandas]``)."""
        return extra("pandas", "pandas").DataFrame(self.rows())  # type: ignore[no-any-return]

    def to_polars(self) -> polars.DataFrame:
        """A polars table (``pip install memoom[polars]``)."""
        return extra("polars", "polars").DataFrame(  # type: ignore[no-any-return]
            self.rows(), infer_schema_length=None, strict=False
        )

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Writes a parquet file (``pip install memoom[parquet]``, or with polars), whole or not at all.

        A file that is there already is replaced only if it is such a table; anything else is an `InvalidInputError`.
        """
        writer = require_parquet(path)
        with replacing(_WRITING, path, _is_table, _TABLE) as new:
            if writer.__name__ == "polars":
                self.to_polars().write_parquet(new)
            else:
                table = writer.Table.from_pylist(self.rows())
                extra("pyarrow.parquet", "parquet").write_table(table, new)


_WRITING, _TABLE = "write parquet", "table of results of memoom"


def require_parquet(path: str | os.PathLike[str]) -> Any:
    """The library that writes parquet. Raises what stands in the way of the file, so that it is said first."""
    require_own(_WRITING, path, _is_table, _TABLE)
    try:
        return extra("polars", "polars")
    except MissingExtraError:
        pyarrow = extra("pyarrow", "parquet")
        extra("pyarrow.parquet", "parquet")
        return pyarrow


def _is_table(fd: int) -> bool:
    """Whether it is a parquet file with the columns that every table of results has: their names stand in its end."""
    end = os.lseek(fd, 0, os.SEEK_END)
    tail = os.pread(fd, 8, max(end - 8, 0))
    if end < 12 or os.pread(fd, 4, 0) != b"PAR1" or tail[4:] != b"PAR1":
        return False
    length = min(int.from_bytes(tail[:4], "little"), end - 8)
    schema = os.pread(fd, length, end - 8 - length)
    return all(name in schema for name in (b"oom_killed", b"predicted_right", b"max_rss_bytes", b"started_at"))


def read_results(*paths: str | os.PathLike[str]) -> SweepResults:
    """The results in files, of the shards of a sweep for instance. A last line that was torn by a death is left out.

    One key in two files is an `InvalidInputError`: the files are of sweeps that overlap.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in map(Path, paths):
        with path.open("rb") as file:
            records, _ = read_lines(file, path, torn=True)
        for key, record in records.items():
            if key in found:
                raise InvalidInputError(
                    f"read results: {path}: the trial {key} has a result in another file already; "
                    "remedy: give the shards of one sweep",
                    operation="read results",
                    path=str(path),
                )
            found[key] = record
    return SweepResults(TrialResult._part(record) for record in found.values())

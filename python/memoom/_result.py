"""What the results have in common beside being documents: they are read, laid out as tables, and told to listeners."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._document import Document

if TYPE_CHECKING:
    import pandas
    import polars
    from typing_extensions import Self

__all__ = ["Readable", "Table", "Told", "listeners"]

# Who hears of each outcome and account that comes into this process: the pytest plugin, during a test.
listeners: list[Callable[[Any], object]] = []


class Told(Document):
    """A result that listeners hear of when it is made."""

    @classmethod
    def _of(cls, document: str, text: str | None = None) -> Self:
        made = super()._of(document, text)
        for hear in listeners:
            hear(made)
        return made


class Readable(Document):
    """A result whose text, not its repr, is what IPython shows where there is no HTML."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # In a list, or in anything else, it takes one line.
        nested = len(getattr(printer, "stack", ())) > 1
        printer.text("..." if cycle else repr(self) if nested else str(self))


class Table(Readable):
    """A result that can be laid out as a table."""

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows of the table, as plain dicts."""
        raise NotImplementedError

    def to_pandas(self) -> pandas.DataFrame:
        """`to_rows` as a pandas frame (``pip install memoom[pandas]``)."""
        from ._frames import to_pandas

        return to_pandas(self.to_rows())

    def to_polars(self) -> polars.DataFrame:
        """`to_rows` as a polars frame (``pip install memoom[polars]``)."""
        from ._frames import to_polars

        return to_polars(self.to_rows())

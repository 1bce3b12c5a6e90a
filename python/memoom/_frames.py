"""What is no requirement: the libraries of the extras, and rows as the frames of pandas and polars."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._errors import MissingExtraError

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["extra", "to_pandas", "to_polars"]


def extra(module: str, name: str) -> Any:
    """A library that is not required; the error says how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f"import {name}: it is not installed; remedy: pip install 'memoom[{name}]'", operation=f"import {name}"
        ) from None


def to_pandas(rows: Sequence[dict[str, Any]]) -> pandas.DataFrame:
    """Unknown integers are ``<NA>``, not floats."""
    frame: pandas.DataFrame = extra("pandas", "pandas").DataFrame(list(rows))
    return frame.convert_dtypes() if len(frame) else frame


def to_polars(rows: Sequence[dict[str, Any]]) -> polars.DataFrame:
    """All rows are looked at for the type of a column: most columns begin with nulls."""
    frame: polars.DataFrame = extra("polars", "polars").DataFrame(list(rows), infer_schema_length=None)
    return frame

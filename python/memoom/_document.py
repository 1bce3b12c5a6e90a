"""The base of all results: an immutable value over one JSON document of the core."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from ._text import plain, readable

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Document"]

_MADE = frozenset({"_data", "_json", "_text"})


class Source(Protocol):
    """A value of the core that says its document and its text for people."""

    def json(self) -> str: ...
    def text(self) -> str: ...


class Document:
    """An immutable value: attributes for every key of its JSON document, comparable, hashable, picklable.

    A subclass annotates its keys for readers and type checkers, and names in ``_nested`` the keys that hold values of
    a class of their own. A key that the document lacks reads as ``None``: unknown is not 0. Keys that a newer core has
    added are there too. Texts are as they were given where that is printable UTF-8, and else as the document has them;
    ``comm_bytes`` beside ``comm`` is what a name is in any case.
    """

    __slots__ = ("__weakref__", "_data", "_json", "_parts", "_source", "_text")

    _data: dict[str, Any]
    _json: str | None
    _text: str | None
    # Values under a key that hold more than the document says of them: their own text.
    _parts: dict[str, Any]
    # The value of the core, where document and texts are made when somebody asks for them.
    _source: Source

    # The class of what stands under a key, alone or in a list.
    _nested: ClassVar[Mapping[str, Callable[[dict[str, Any]], Any]]] = {}
    # The keys that a reader wants to see in a repr, in that order.
    _shown: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        raise TypeError(f"{type(self).__name__} comes from memoom; it is not made by hand")

    @classmethod
    def _of(cls, document: str, text: str | None = None) -> Self:
        """From the core's JSON text and, where the core has one, its text for people."""
        return cls._make(json.loads(document), document, None if text is None else readable(text))

    @classmethod
    def _part(cls, data: dict[str, Any]) -> Self:
        return cls._make(data, None, None)

    @classmethod
    def _make(cls, data: dict[str, Any], document: str | None, text: str | None) -> Self:
        made = object.__new__(cls)
        for name, value in (("_data", data), ("_json", document), ("_text", text), ("_parts", {})):
            object.__setattr__(made, name, value)
        return made

    @classmethod
    def _later(cls, source: Source) -> Self:
        """From a value of the core, which most of the many in a log are never asked for."""
        made = object.__new__(cls)
        object.__setattr__(made, "_source", source)
        object.__setattr__(made, "_parts", {})
        return made

    def _made(self, name: str) -> Any:
        """What is made of the value of the core when it is asked for; what was made is there."""
        if name == "_json":
            value: Any = self._source.json()
        elif name == "_text":
            value = readable(self._source.text())
        else:
            value = json.loads(self.to_json())
        object.__setattr__(self, name, value)
        return value

    def _with(self, parts: dict[str, Any]) -> Self:
        """Puts ready values under their keys; only for whoever has just made this one."""
        self._parts.update(parts)
        return self

    def __getattr__(self, name: str) -> Any:
        if name in _MADE:
            return self._made(name)
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._parts:
            return self._parts[name]
        try:
            value = self._data[name]
        except KeyError:
            # `comm_bytes` beside `comm`.
            stem = self._data.get(name.removesuffix("_bytes")) if name.endswith("_bytes") else None
            if isinstance(stem, str):
                return plain(stem)
            if name in _keys(type(self)):
                return None
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}") from None
        return _shaped(value, self._nested.get(name))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._data, *_keys(type(self))})

    def to_json(self) -> str:
        """The core's JSON document, on one line."""
        if self._json is not None:
            return self._json
        return json.dumps(self._data, separators=(",", ":"), ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """The same document as plain dicts and lists, which are the caller's own."""
        return cast("dict[str, Any]", json.loads(self.to_json()))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._data == other._data

    def __hash__(self) -> int:
        return hash((type(self).__name__, json.dumps(self._data, sort_keys=True)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self.to_json(), self._text, self._parts)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __str__(self) -> str:
        return self._text.rstrip("\n") if self._text is not None else repr(self)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown or self._data)
        return f"{type(self).__name__}({shown})"


def _remake(cls: type[Document], document: str, text: str | None, parts: dict[str, Any]) -> Document:
    return cls._of(document, text)._with(parts)


def _keys(cls: type) -> frozenset[str]:
    """The annotated keys of a class and of its bases."""
    return frozenset(
        name for base in cls.__mro__ for name in vars(base).get("__annotations__", ()) if not name.startswith("_")
    )


def _shaped(value: Any, nested: Callable[[dict[str, Any]], Any] | None) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, list):
        return tuple(_shaped(one, nested) for one in value)
    if isinstance(value, dict):
        return (
            nested(value)
            if nested is not None
            else MappingProxyType({key: _shaped(one, None) for key, one in value.items()})
        )
    return value

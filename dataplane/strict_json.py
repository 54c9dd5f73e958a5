"""From untrusted JSON to frozen dataclasses, refusing everything that is not exactly as declared. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class Mismatch(ValueError):
    """A value does not fit its declared type; the message names its place."""


@cache  # a manifest has an object for every chunk, and looking up type hints takes longer than reading one
def _hints(declared: type) -> Mapping[str, Any]:
    """The type of every field of a dataclass, in order; empty for every other type."""
    hints = get_type_hints(declared) if is_dataclass(declared) else {}
    return {field.name: hints[field.name] for field in fields(declared)} if hints else {}


def encode(value: Any) -> Any:
    """`value` as what `json.dumps` takes: dataclasses as objects, tuples as arrays, times in UTC."""
    if names := _hints(value.__class__):
        return {name: encode(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


def decode(declared: type[T], value: object, where: str) -> T:
    """`value` as the dataclass `declared`; Mismatch when a key is missing, unknown or of another type."""
    try:
        decoded: T = _decode(declared, value)
    except _Unfit as unfit:
        raise Mismatch(f"{where}{unfit.place}{unfit.what}") from None
    return decoded


class _Unfit(Exception):
    """On its way out it gathers the place, which is told only when something is wrong: most values are right."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.what, self.place = what, place

    def inside(self, place: str) -> Self:
        self.place = place + self.place
        return self


def _decode(declared: Any, value: Any) -> Any:
    # `type() is`, not isinstance: in Python a bool is an int, in a manifest it is a mistake.
    if type(value) is declared:
        return value
    if isinstance(declared, type) and (hints := _hints(declared)):
        return _decode_dataclass(declared, hints, value)
    origin = get_origin(declared)
    if origin is UnionType:
        return _decode_union(get_args(declared), value)
    if origin is tuple:
        if not isinstance(value, list):
            raise _Unfit(" must be a list")
        return tuple(_decode_each(enumerate(value), get_args(declared)[0], "[{}]"))
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise _Unfit(" must be an object")
        return dict(zip(value, _decode_each(value.items(), get_args(declared)[1], ".{}"), strict=True))
    if declared is datetime:
        return _decode_time(value)
    raise _Unfit(f" must be {_spoken(declared)}")


def _decode_each(items: Iterable[tuple[Any, Any]], declared: Any, place: str) -> Iterator[Any]:
    for name, item in items:
        try:
            yield _decode(declared, item)
        except _Unfit as unfit:
            raise unfit.inside(place.format(name)) from None


def _decode_dataclass(declared: Any, hints: Mapping[str, Any], value: Any) -> Any:
    if not isinstance(value, dict):
        raise _Unfit(" must be an object")
    if unknown := sorted(value.keys() - hints.keys()):
        raise _Unfit(f".{unknown[0]} is not part of this format")
    for name in hints:
        if name not in value:
            raise _Unfit(f".{name} is missing")
    decoded = {}
    for name, hint in hints.items():
        try:
            decoded[name] = _decode(hint, value[name])
        except _Unfit as unfit:
            raise unfit.inside(f".{name}") from None
    return declared(**decoded)


def _decode_union(choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        if type(value) is choice:
            return value
    raise _Unfit(f" must be {' or '.join(_spoken(choice) for choice in choices)}")


def _decode_time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Unfit(" must be a time such as 2026-01-31T12:00:00+00:00") from None
    if time.tzinfo is None:
        raise _Unfit(" must carry a time zone")
    return time


def _spoken(declared: Any) -> str:
    words = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
    return words.get(declared, str(declared))

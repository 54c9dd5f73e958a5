"""From untrusted JSON to frozen dataclasses, refusing everything that is not exactly as declared. Pure."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class Mismatch(ValueError):
    """A value does not fit its declared type; the message names its place."""


def encode(value: Any) -> Any:
    """`value` as what `json.dumps` takes: dataclasses as objects, tuples as arrays, times in UTC."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


def decode(declared: type[T], value: object, where: str) -> T:
    """`value` as the dataclass `declared`; Mismatch when a key is missing, unknown or of another type."""
    decoded: T = _decode(declared, value, where)
    return decoded


def _decode(declared: Any, value: Any, where: str) -> Any:
    if is_dataclass(declared):
        return _decode_dataclass(declared, value, where)
    origin = get_origin(declared)
    if origin is UnionType:
        return _decode_union(get_args(declared), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise Mismatch(f"{where} must be a list")
        return tuple(_decode(get_args(declared)[0], item, f"{where}[{number}]") for number, item in enumerate(value))
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise Mismatch(f"{where} must be an object")
        return {key: _decode(get_args(declared)[1], item, f"{where}.{key}") for key, item in value.items()}
    if declared is datetime:
        return _decode_time(value, where)
    # `type() is`, not isinstance: in Python a bool is an int, in a manifest it is a mistake.
    if type(value) is not declared:
        raise Mismatch(f"{where} must be {_spoken(declared)}")
    return value


def _decode_dataclass(declared: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise Mismatch(f"{where} must be an object")
    hints = get_type_hints(declared)
    names = [field.name for field in fields(declared)]
    if unknown := sorted(value.keys() - set(names)):
        raise Mismatch(f"{where}.{unknown[0]} is not part of this format")
    for name in names:
        if name not in value:
            raise Mismatch(f"{where}.{name} is missing")
    return declared(**{name: _decode(hints[name], value[name], f"{where}.{name}") for name in names})


def _decode_union(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    for choice in choices:
        if type(value) is choice:
            return value
    raise Mismatch(f"{where} must be {' or '.join(_spoken(choice) for choice in choices)}")


def _decode_time(value: Any, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Mismatch(f"{where} must be a time such as 2026-01-31T12:00:00+00:00") from None
    if time.tzinfo is None:
        raise Mismatch(f"{where} must carry a time zone")
    return time


def _spoken(declared: Any) -> str:
    words = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
    return words.get(declared, str(declared))

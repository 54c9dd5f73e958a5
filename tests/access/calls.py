"""The calls of the API as samples: each has an example in the API's own document."""

from __future__ import annotations

from typing import Any

from api.api import openapi
from tests.access.addresses import Address
from tests.access.samples import Things

_PATHS: dict[str, dict[str, Any]] = openapi()["paths"]


def is_call(address: Address) -> bool:
    return _path(address) in _PATHS


def arguments_of(address: Address, things: Things) -> list[str]:
    """What the address names, for one of its methods and so for each."""
    example = next(iter(_PATHS[_path(address)].values()))["x-example"]
    return list(_filled_in(example["path"], things).values())


def body_of(address: Address, method: str, things: Things) -> Any:
    """What the example sends, so that nothing is wrong but who sends it."""
    operation = _PATHS[_path(address)].get(method.lower(), {})
    return _filled_in(operation.get("x-example", {}).get("body"), things)


def query_of(address: Address, method: str, things: Things) -> dict[str, str]:
    operation = _PATHS[_path(address)].get(method.lower(), {})
    query: dict[str, str] = _filled_in(operation.get("x-example", {}).get("query", {}), things)
    return query


def _path(address: Address) -> str:
    return address.route.replace("<", "{").replace(">", "}")


def _filled_in(value: Any, things: Things) -> Any:
    names = {
        "$project": things.project.code,
        "$cluster": things.cluster.code,
        "$backup": things.backup.code,
        "$job": things.job.code,
        "$running job": things.job.code,
        "$failed copy job": things.job.code,
        "$endpoint": "http://127.0.0.1:1",
    }
    if isinstance(value, dict):
        return {name: _filled_in(part, things) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled_in(part, things) for part in value]
    return names[value] if isinstance(value, str) and value.startswith("$") else value

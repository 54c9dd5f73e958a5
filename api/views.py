"""The description of the API: for machines, and the same to be read."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from accounts.guard import open_to_all, signed_in
from accounts.http import HtmxHttpRequest

from .api import openapi
from .operation import OURS


@open_to_all("It describes calls and shows nobody's data.")
@require_GET
@cache_control(max_age=300)
def openapi_document(request: HtmxHttpRequest) -> HttpResponse:
    return JsonResponse(openapi())


@signed_in
@require_GET
def reference(request: HtmxHttpRequest) -> HttpResponse:
    """Every call with what it takes and an example to copy."""
    document = openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_shown(method, path, operation, document))
    groups[OURS] = groups.pop(OURS)  # what clients of the original do not know comes last
    return render(request, "api/reference.html", {"groups": groups})


def _shown(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    example = operation["x-example"]
    address = path
    for name, value in example["path"].items():
        address = address.replace(f"{{{name}}}", value.replace("$", "").replace(" ", "-").upper())
    if example["query"]:
        address += "?" + "&".join(f"{name}={_word(value)}" for name, value in example["query"].items())
    body = json.dumps(example["body"], indent=2) if example["body"] is not None else ""
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("description", ""),
        "parameters": [row for row in operation.get("parameters", []) if row["in"] == "query"],
        "fields": _fields(operation, document),
        "curl_address": address,
        "body": _word(body),
    }


def _word(text: str) -> str:
    return text.replace("$", "")


def _fields(operation: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    schema = document["components"]["schemas"].get(name, {})
    required = schema.get("required", [])
    return [
        {"name": field, "required": field in required, "description": about.get("description", "")}
        for field, about in schema.get("properties", {}).items()
    ]

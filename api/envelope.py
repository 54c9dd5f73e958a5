"""What every answer looks like: `{"code": 0, "data": …}`, or another code and a message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from django.http import JsonResponse
from ninja import Schema
from pydantic import ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from .errors import Code

_Data = TypeVar("_Data")


class Model(Schema):
    """Fields are spelled as the API's clients spell them; unknown ones are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Answer(Model, Generic[_Data]):
    code: int = Field(0, description="0: done.")
    data: _Data


class Refusal(Model):
    code: int = Field(description="Never 0.", examples=[Code.NO_CLUSTER.value])
    message: str = Field(description="What is wrong, in one sentence.", examples=["There is no such cluster."])


def write_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Moment = Annotated[
    datetime,
    PlainSerializer(write_moment, return_type=str),
    Field(examples=["2026-11-23T08:00:00Z"], json_schema_extra={"format": "date-time"}),
]


def refuse(code: Code, message: str, *, status: int, headers: dict[str, str] | None = None) -> JsonResponse:
    return JsonResponse({"code": code.value, "message": message}, status=status, headers=headers)


def answer(data: Any) -> dict[str, Any]:
    return {"code": 0, "data": data}

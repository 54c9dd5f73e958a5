"""The ways this room says no: a code that existing clients know, and one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum

from accounts.errors import Refused


class Code(IntEnum):
    """Error codes of the control plane API v2 that existing clients know; from 40000 on, our own."""

    KEY_INVALID = 21119
    BAD_CLOUD = 96000
    BAD_REGION = 96001
    BAD_CU_SIZE = 96002
    BAD_PROJECT = 96005
    BAD_TIME = 96007
    BAD_PAGE_SIZE = 96008
    BAD_PAGE = 96009
    BAD_CLUSTER_NAME = 96010
    NOT_ALLOWED = 96015
    CLUSTER_NAME_TAKEN = 96017
    NO_CLUSTER = 96018
    NOT_FOR_FREE = 96021
    NOT_FOR_SERVERLESS = 96022
    NO_JOB = 96026
    BAD_BACKUP_TYPE = 96029
    BAD_CREATION_METHOD = 96030
    BAD_COLLECTION_STATUS = 96031
    BAD_FREQUENCY = 96032
    BAD_START_TIME = 96033
    BAD_RETENTION = 96034
    BAD_RANGE = 96035
    BAD_CLUSTER = 96036
    BAD_TARGET_STATUS = 96037
    BACKUP_REFUSED = 96038
    COLLECTION_RESTORE_REFUSED = 96039
    CLUSTER_RESTORE_REFUSED = 96040

    BAD_REQUEST = 40000
    NO_BACKUP = 40401
    NOT_FOUND = 40404
    BAD_METHOD = 40500
    TOO_LARGE = 41300
    TOO_MANY_REQUESTS = 42900
    OURS = 50000


# What a field of a request is called there, and which code says that its value cannot be.
CODE_OF_FIELD: Mapping[str, Code] = {
    "cloudId": Code.BAD_CLOUD,
    "regionId": Code.BAD_REGION,
    "crossRegionCopies": Code.BAD_REGION,
    "cuSize": Code.BAD_CU_SIZE,
    "projectId": Code.BAD_PROJECT,
    "pageSize": Code.BAD_PAGE_SIZE,
    "currentPage": Code.BAD_PAGE,
    "clusterName": Code.BAD_CLUSTER_NAME,
    "backupType": Code.BAD_BACKUP_TYPE,
    "creationMethod": Code.BAD_CREATION_METHOD,
    "collectionStatus": Code.BAD_COLLECTION_STATUS,
    "frequency": Code.BAD_FREQUENCY,
    "startTime": Code.BAD_START_TIME,
    "retentionDays": Code.BAD_RETENTION,
    "start": Code.BAD_TIME,
    "end": Code.BAD_TIME,
    "clusterId": Code.BAD_CLUSTER,
    "destClusterId": Code.BAD_CLUSTER,
    "destCollectionStatus": Code.BAD_TARGET_STATUS,
}


class ApiRefused(Exception):
    """A call that is answered with `code` and a sentence."""

    def __init__(self, code: Code, sentence: str, *, status: int = 400) -> None:
        super().__init__(sentence)
        self.code, self.status = code, status


@contextmanager
def refusing_with(code: Code, fields: Mapping[str, Code] | None = None) -> Iterator[None]:
    """Answer what a service refuses with `code`, or with the code of the field that the refusal is about."""
    try:
        yield
    except Refused as refusal:
        of_field = (fields or {}).get((refusal.field or "").partition("-")[0])
        raise ApiRefused(of_field or code, str(refusal)) from refusal

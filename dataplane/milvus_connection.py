"""An open connection to Milvus, and its errors in our words."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from dataplane.cluster_types import DEFAULT_DATABASE, ClusterEndpoint, CollectionRef, ServerInfo
from dataplane.milvus_target import judged_target
from dataplane.milvus_translation import REACH, checked_address, explained

T = TypeVar("T")


class Connection:
    """One pymilvus client per database, made when it is first needed; a context manager."""

    def __init__(self, endpoint: ClusterEndpoint) -> None:
        self.endpoint = endpoint
        self.address = checked_address(endpoint.uri)
        self._clients: dict[str, Any] = {}
        self._target: Mapping[str, Any] | None = None
        self._info: ServerInfo | None = None

    def __enter__(self) -> Self:
        try:
            self._client(DEFAULT_DATABASE)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        while self._clients:
            self._clients.popitem()[1].close()

    def server_info(self) -> ServerInfo:
        with self._translated("tell its version"):
            version = str(self._client(DEFAULT_DATABASE).get_server_version(timeout=self.endpoint.timeout_seconds))
        name, _, number = version.rpartition("-")
        return ServerInfo(version=number if name == "milvus_lite" else version, is_lite=name == "milvus_lite")

    @property
    def info(self) -> ServerInfo:
        """As `server_info`, asked once."""
        if self._info is None:
            self._info = self.server_info()
        return self._info

    def call(self, what: str, function: Callable[[Any, float], T]) -> T:
        """What `function(client, timeout_seconds)` returns; `what` it is for goes into the error."""
        with self._translated(what):
            return function(self._client(DEFAULT_DATABASE), self.endpoint.timeout_seconds)

    def optional(self, what: str, function: Callable[[Any, float], T]) -> T | None:
        """As `call`, but None when this server knows no such call."""
        import grpc

        with self._translated(what):
            try:
                return function(self._client(DEFAULT_DATABASE), self.endpoint.timeout_seconds)
            except grpc.RpcError as error:
                if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return None
                raise

    def _client(self, database: str) -> Any:
        if database not in self._clients:
            from pymilvus import MilvusClient

            # pymilvus logs every refused call with a traceback; our callers get the error instead.
            logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
            with self._translated(REACH):
                if self._target is None:  # once, so that all clients of a connection talk to the same server
                    self._target = judged_target(self.endpoint)
                self._clients[database] = MilvusClient(
                    **self._target,
                    token=self.endpoint.token,
                    db_name=database,
                    timeout=self.endpoint.timeout_seconds,
                    dedicated=True,
                )
        return self._clients[database]

    @contextmanager
    def _translated(self, what: str, ref: CollectionRef | None = None) -> Iterator[None]:
        import grpc
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError, ValueError, OSError) as error:
            raise explained(
                error,
                address=self.address,
                what=what,
                collection=str(ref or ""),
                timeout_seconds=self.endpoint.timeout_seconds,
                token=self.endpoint.token,
            ) from error

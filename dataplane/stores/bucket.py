"""A bucket of Amazon S3 (and servers that speak it), Google Cloud Storage or Azure Blob Storage, through obstore.

S3 is tested against a real server; Google Cloud Storage and Azure are not tested against a real service.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)
from obstore.store import from_url

from dataplane.errors import ObjectMissing, StoreDenied, StoreError, StoreFull, StoreMisconfigured, StoreUnreachable
from dataplane.gateway import gateway_url
from dataplane.reach import Reach
from dataplane.redaction import parts_of, without_secrets
from dataplane.stores.base import ObjectInfo, ObjectStore, checked_key, checked_prefix
from dataplane.stores.bucket_options import check_bucket, named_server

WHOLE_OBJECT_BYTES = 64 * 1024 * 1024
"""Up to here one request moves the whole object, which is several times faster than streaming it."""

_CLIENT_OPTIONS = frozenset({"allow_http", "allow_invalid_certificates", "connect_timeout", "timeout", "proxy_url"})
_BUCKET_GONE = re.compile(r"NoSuchBucket|ContainerNotFound|specified bucket does not exist", re.IGNORECASE)
_REFUSED = re.compile(r"AccessDenied|SignatureDoesNotMatch|InvalidAccessKeyId|\b40[13]\b")
_FULL = re.compile(r"QuotaExceeded|InsufficientStorage|XMinioStorageFull|\b507\b")


class BucketStore:
    """Objects under `url`; credentials come from `options`, else from where the provider's own tools look.

    With a `reach` only what it allows: a server that the options name is reached through our gateway.
    """

    def __init__(self, url: str, *, options: Mapping[str, str], name: str = "", reach: Reach | None = None) -> None:
        self.name = name or url
        if reach is not None:
            check_bucket(url, options, reach=reach, name=self.name)
        address = urlsplit(url)
        self._scheme, self._bucket, self._prefix = address.scheme, address.netloc, address.path.strip("/")
        self._options, self._reach = dict(options), reach
        self._store = self._opened(url, options)

    def _opened(self, url: str, options: Mapping[str, str]) -> Any:
        client: dict[str, Any] = {"connect_timeout": "5s", "timeout": "300s"}
        config: dict[str, str] = {}
        for option, value in options.items():
            if option in _CLIENT_OPTIONS:
                client[option] = value.lower() == "true" if option.startswith("allow_") else value
            else:
                config[option] = value
        server = named_server(options)
        if server.startswith("http://"):
            client.setdefault("allow_http", True)
        if self._reach is not None and server:
            client["proxy_url"] = gateway_url(self._reach)
        retries: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}
        try:
            return from_url(url, config=config or None, client_options=client, retry_config=retries)  # type: ignore[call-overload]
        except UnknownConfigurationKeyError as error:
            raise StoreMisconfigured(
                f"{self.name} was given an option its provider does not know. Given were: {', '.join(sorted(options))}."
            ) from error
        except (BaseError, ValueError) as error:
            raise StoreMisconfigured(
                f"{self.name} cannot be opened: {_reason(error, options)}. Check its address and options."
            ) from error

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        checked_prefix(prefix)
        # Providers match whole path segments only, and promise no order: list the folder, then filter and sort.
        folder = prefix.rpartition("/")[0]
        found: list[ObjectInfo] = []
        try:
            for page in obstore.list(self._store, prefix=folder or None):
                found += [ObjectInfo(str(meta["path"]), int(meta["size"]), meta["last_modified"]) for meta in page]
        except (BaseError, OSError) as error:
            raise self._translated(error, prefix, "list") from error
        return iter(sorted((info for info in found if info.key.startswith(prefix)), key=lambda info: info.key))

    def find(self, key: str) -> ObjectInfo | None:
        checked_key(key)
        try:
            meta = obstore.head(self._store, key)
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise self._translated(error, key, "find") from error
        return ObjectInfo(key, int(meta["size"]), meta["last_modified"])

    def read(self, key: str) -> Iterator[bytes]:
        checked_key(key)
        try:
            answer = obstore.get(self._store, key)
            if answer.meta["size"] <= WHOLE_OBJECT_BYTES:
                yield bytes(answer.bytes())
            else:
                for piece in answer.stream(min_chunk_size=4 * 1024 * 1024):
                    yield bytes(piece)
        except (BaseError, OSError) as error:
            raise self._translated(error, key, "read") from error

    def read_bytes(self, key: str) -> bytes:
        return b"".join(self.read(key))

    def write(self, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        checked_key(key)
        # Joined first: an iterator that itself calls obstore panics inside put, and a chunk fits in memory by design.
        whole = data if isinstance(data, bytes) else _joined(list(data))
        try:
            obstore.put(self._store, key, whole, use_multipart=len(whole) > WHOLE_OBJECT_BYTES)
        except (BaseError, OSError) as error:
            raise self._translated(error, key, "write") from error
        return ObjectInfo(key, len(whole))

    def copier(self, source: ObjectStore) -> Callable[[str], None] | None:
        """For S3, where both are the same bucket, or two buckets at one `endpoint`, with the same credentials."""
        if not isinstance(source, BucketStore) or {self._scheme, source._scheme} != {"s3"}:
            return None
        if (self._options, self._reach) != (source._options, source._reach):
            return None
        options = self._options
        if self._bucket != source._bucket:
            if "endpoint" not in options or any("virtual_hosted" in option for option in options):
                return None
            # obstore copies inside one bucket only: it names its own bucket as the source, and asks at the bucket's
            # address. Told that the endpoint is such an address, it asks there, whatever bucket it names.
            endpoint = f"{options['endpoint'].rstrip('/')}/{self._bucket}"
            options = {**options, "endpoint": endpoint, "virtual_hosted_style_request": "true"}
        both = self._opened(f"s3://{source._bucket}", options)

        def copy(key: str) -> None:
            checked_key(key)
            try:
                obstore.copy(both, source._below(key), self._below(key))
            except (BaseError, OSError) as error:
                raise self._translated(error, key, "copy") from error

        return copy

    def _below(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def delete(self, key: str) -> None:
        checked_key(key)
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError as error:
            if _BUCKET_GONE.search(str(error)):
                raise self._translated(error, key, "delete") from error
        except (BaseError, OSError) as error:
            raise self._translated(error, key, "delete") from error

    def sync(self) -> None:
        """A bucket has stored an object when it says so."""

    def _translated(self, error: Exception, key: str, verb: str) -> StoreError:
        text = str(error)
        what = f"{self.name} could not {verb} {key or 'its objects'}"
        if _BUCKET_GONE.search(text):
            return StoreMisconfigured(f"{what}: the bucket does not exist. Create it or correct the store's address.")
        if isinstance(error, FileNotFoundError):
            if verb == "read":
                return ObjectMissing(self.name, key)
            return StoreMisconfigured(f"{what}: the bucket answers that it is not there. Check the store's address.")
        if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or _REFUSED.search(text):
            return StoreDenied(
                f"{what}: access denied. Check the store's credentials and what they may do, then try again."
            )
        if _FULL.search(text):
            return StoreFull(f"{what}: no space is left. Raise the quota or choose another store, then try again.")
        return StoreUnreachable(
            f"{what}: {_reason(error, self._options)}. Check the endpoint and the network, then try again."
        )


def _joined(pieces: list[bytes]) -> bytes:
    """Most chunks come as one piece, which need not be copied."""
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _reason(error: Exception, options: Mapping[str, str]) -> str:
    """The provider's words without what may hold a secret (signed addresses) and without its internals."""
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    without_addresses = re.sub(r"https?://\S+", "its endpoint", first)
    given = "\n".join(f"{name}={value}" for name, value in options.items())
    return without_secrets(without_addresses, parts_of(given))[:200].rstrip(". ")

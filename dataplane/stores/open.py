"""From an address to a store."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dataplane.errors import StoreMisconfigured
from dataplane.reach import Reach
from dataplane.stores.base import ObjectStore
from dataplane.stores.local import LocalStore

BUCKET_SCHEMES = ("s3", "gs", "az")


def open_store(
    url: str, *, options: Mapping[str, str] | None = None, name: str = "", reach: Reach | None = None
) -> ObjectStore:
    """The store at `url`: `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.

    `options` are the provider's settings, credentials included (`endpoint`, `access_key_id`, ...); they never appear
    in messages. `name` is how messages call the store; the address follows in brackets. No store is contacted yet.
    `reach` says where an address may lead that somebody typed; without one it may lead anywhere.
    """
    parts = urlsplit(url)
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    label = f"{name} ({address})" if name else address
    if parts.username or parts.password or parts.query or parts.fragment:
        raise StoreMisconfigured(
            f"The store address {address} must hold no user, password or query. "
            "Enter credentials as the store's options."
        )
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
        if parts.netloc not in ("", "localhost") or not path.is_absolute() or path == Path("/"):
            raise StoreMisconfigured(
                f"The store address {address} names no folder. Write file:///folder with three slashes."
            )
        if reach is not None and not reach.allows_folder(path):
            raise StoreMisconfigured(
                f"The folder {path} of {name or 'this store'} is not one that stores may use. Choose a folder below "
                "the one that whoever runs this site has set aside (LOCAL_STORES_ROOT), or use a bucket."
            )
        return LocalStore(path, name=label)
    if parts.scheme in BUCKET_SCHEMES:
        if not parts.netloc:
            raise StoreMisconfigured(f"The store address {url} names no bucket. Write {parts.scheme}://bucket/prefix.")
        from dataplane.stores.bucket import BucketStore

        return BucketStore(
            f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", options=options or {}, name=label, reach=reach
        )
    raise StoreMisconfigured(
        f"The store address {address[:200]!r} has no known scheme. "
        "Use file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix."
    )

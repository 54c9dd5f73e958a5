"""The ways the data plane says no.

Every message is one sentence an operator can act on: it names the thing, the cause and the next step, and holds no
secret. `retryable` says whether the same call may simply be made again later.
"""

from typing import ClassVar


class DataPlaneError(Exception):
    """Base of everything this package raises on purpose."""

    retryable: ClassVar[bool] = False


class StoreError(DataPlaneError):
    """An object store said no."""


class StoreUnreachable(StoreError):
    """The store did not answer, or its root folder is not there: nothing is known about what it holds."""

    retryable = True


class StoreDenied(StoreError):
    """The store answered, and refused."""


class StoreFull(StoreError):
    """No room left."""


class StoreReadOnly(StoreError):
    """The store can be read but not written."""


class ObjectMissing(StoreError):
    """The store answered and proved that this object is not there."""

    def __init__(self, store_name: str, key: str) -> None:
        super().__init__(
            f"{store_name} holds no object {key}. Verify the backup, then copy it again from another region."
        )
        self.key = key


class ObjectsVanished(StoreError):
    """Objects that were there a moment ago were deleted meanwhile; running again sends them again."""

    retryable = True


class StoreMisconfigured(StoreError):
    """The store's address or options cannot work."""


class ClusterError(DataPlaneError):
    """A vector database said no."""


class ClusterUnreachable(ClusterError):
    """No answer within the time allowed."""

    retryable = True


class EndpointInvalid(ClusterError):
    """The endpoint is not an address a cluster could have."""


class ClusterDenied(ClusterError):
    """The cluster refused our token, or the token lacks a privilege."""


class CollectionMissing(ClusterError):
    """The cluster answered that this collection does not exist."""


class CollectionExists(ClusterError):
    """A restore would have to write over a collection that is there."""


class UnsupportedField(ClusterError):
    """A field type or setting this format cannot hold without loss."""


class BackupMissing(DataPlaneError):
    """The store proved that it holds no manifest of this backup."""


class BackupDamaged(DataPlaneError):
    """Objects of a backup are missing or do not match their digest; `objects` are their keys."""

    def __init__(self, message: str, objects: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.objects = objects


class ManifestInvalid(DataPlaneError):
    """A manifest does not follow the format; the message names the place."""


class RowsLost(DataPlaneError):
    """A scan returned other rows than the strong count proved: reading again may well succeed."""

    retryable = True


class NothingToBackUp(DataPlaneError):
    """The plan names no collection."""


class Stopped(DataPlaneError):
    """`should_stop()` said so. Nothing was committed; the same call can be made again."""


class StaleFence(DataPlaneError):
    """A newer attempt already committed; this one must not."""

"""The one place that reaches below pymilvus' own interface: a query whose answer stays in columns, and its reverse.

pymilvus makes a Python object of every number. What is used here may change with any of its versions, so callers
compare the first rows with what its own interface says, and fall back to that.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dataplane.manifest import IndexEntry

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.02, 0.5
WAIT_SHARE = 0.1
"""Of the time it has taken so far: what is ready is seen soon, and what takes long is not asked for often."""

PackedVectors = Mapping[str, tuple[int, bytes]]
"""By field: the dimension, and the little-endian float32 numbers of all vectors that are there, one after another."""


def wire_columns(
    client: Any,
    collection: str,
    expression: str,
    partitions: list[str] | None,
    *,
    timeout: float,
    options: dict[str, Any],
) -> Sequence[Any]:
    """The `FieldData` messages that answer the query, in key order. What the server refuses, pymilvus raises.

    Only a query marked as an iterator's is answered in key order by every server. pymilvus reads such a query with the
    collection's own consistency, whatever one asks for: that is how its first iterator after an insert finds nothing.
    """
    from pymilvus.client import ts_utils
    from pymilvus.client.prepare import Prepare
    from pymilvus.client.utils import check_status

    handler, context = client._get_connection(), client._generate_call_context()
    chosen = dict(options)
    output_fields = chosen.pop("output_fields")
    is_default = ts_utils.construct_guarantee_ts(collection, chosen, handler.server_address, context.get_db_name())
    request = Prepare.query_request(
        collection, expression, output_fields, partitions, use_default_consistency=is_default, **chosen, iterator="True"
    )
    answer = handler._stub.Query(request, timeout=timeout, metadata=context.to_grpc_metadata())
    check_status(answer.status)
    columns: Sequence[Any] = answer.fields_data
    return columns


def flush(client: Any, collection: str, *, timeout: float) -> None:
    """As the client's own flush, which asks whether it is done every half second; a flush of nothing takes a tenth."""
    try:
        _flush(client, collection, timeout=timeout)
    except (AttributeError, ImportError, TypeError, KeyError):  # another pymilvus, another way to ask
        client.flush(collection, timeout=timeout)


def _flush(client: Any, collection: str, *, timeout: float) -> None:
    from pymilvus.client.prepare import Prepare
    from pymilvus.client.utils import check_status
    from pymilvus.decorators import retry_on_rpc_failure
    from pymilvus.exceptions import MilvusException

    handler, context = client._get_connection(), client._generate_call_context()
    request, ask = Prepare.flush_param([collection]), handler._stub.Flush

    def begin(_: Any, *, timeout: float) -> Any:
        answer = ask(request, timeout=timeout, metadata=context.to_grpc_metadata())
        check_status(answer.status)
        return answer

    begun = retry_on_rpc_failure()(begin)(handler, timeout=timeout)
    segments, moment = begun.coll_segIDs[collection].data, begun.coll_flush_ts[collection]

    def is_done() -> bool:
        return bool(handler.get_flush_state(segments, collection, moment, timeout=timeout, context=context))

    if not _comes_true(is_done, within_seconds=timeout):
        raise MilvusException(message=f"timed out waiting for the flush of {collection}")


def build_index(client: Any, collection: str, index: IndexEntry, *, timeout: float) -> None:
    """As the client's own `create_index`, which waits half a second before it first asks whether the index is built.

    `timeout` is that of one call: to build a large index may take hours.
    """
    params = client.prepare_index_params()
    params.add_index(
        index.field,
        index_type=index.type,
        index_name=index.name,
        params=dict(index.params),
        **({"metric_type": index.metric} if index.metric else {}),
    )
    client.create_index(collection, params, timeout=timeout, sync=False)
    try:
        _wait_for_index(client, collection, index, timeout=timeout)
    except (AttributeError, ImportError, TypeError):  # another pymilvus, another way to ask
        client.create_index(collection, params, timeout=timeout)


def _wait_for_index(client: Any, collection: str, index: IndexEntry, *, timeout: float) -> None:
    from pymilvus.client.types import IndexState
    from pymilvus.exceptions import MilvusException

    handler, context = client._get_connection(), client._generate_call_context()
    moment = handler.alloc_timestamp(timeout=timeout, context=context)

    def is_built() -> bool:
        state, why = handler.get_index_state(
            collection, index.name, timeout=timeout, timestamp=moment, context=context, field_name=index.field
        )
        if state == IndexState.Failed:
            raise MilvusException(message=why)
        return bool(state == IndexState.Finished)

    _comes_true(is_built, within_seconds=math.inf)


def _comes_true(is_so: Callable[[], bool], *, within_seconds: float) -> bool:
    began = time.monotonic()
    while not is_so():
        waited_seconds = time.monotonic() - began
        if waited_seconds > within_seconds:
            return False
        time.sleep(min(max(FIRST_WAIT_SECONDS, waited_seconds * WAIT_SHARE), LONGEST_WAIT_SECONDS))
    return True


def server_time(client: Any, timeout: float) -> int:
    """The server's hybrid timestamp now; 0 from Milvus Lite, which has none."""
    return int(client._get_connection().alloc_timestamp(timeout=timeout, context=client._generate_call_context()))


def insert_request(
    client: Any,
    collection: str,
    rows: list[dict[str, Any]],
    vectors: PackedVectors,
    partition: str,
    *,
    timeout: float,
) -> Any:
    """An `InsertRequest` of `rows` that pymilvus has made itself, but for the fields in `vectors`.

    In the place of such a vector a row has an empty list, or None where it has no vector.
    """
    handler, context = client._get_connection(), client._generate_call_context()
    request = handler._prepare_row_insert_request(collection, rows, partition, None, timeout, context=context)
    for message in request.fields_data:
        if message.field_name in vectors:
            message.vectors.dim, numbers = vectors[message.field_name]
            if numbers:
                message.vectors.float_vector.MergeFromString(_tagged(numbers))
    return request


def send_insert(client: Any, request: Any, *, timeout: float) -> int:
    """How many rows the server says it took. Tried again, as pymilvus does with its own, while the server is busy."""
    from pymilvus.client.utils import check_status
    from pymilvus.decorators import retry_on_rpc_failure

    metadata = client._generate_call_context().to_grpc_metadata()

    def send(handler: Any, *, timeout: float) -> int:
        answer = handler._stub.Insert(request, timeout=timeout, metadata=metadata)
        check_status(answer.status)
        return int(answer.insert_cnt)

    repeated: Callable[..., int] = retry_on_rpc_failure()(send)
    return repeated(client._get_connection(), timeout=timeout)


def _tagged(packed: bytes) -> bytes:
    """`packed` as a message whose first field it is: one tag, the length seven bits at a time, then the numbers."""
    head, length = bytearray(b"\x0a"), len(packed)
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + packed

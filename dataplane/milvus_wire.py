"""The one place that reaches below pymilvus' own interface: a query whose answer stays in columns.

pymilvus makes a Python object of every number. What is used here may change with any of its versions, so callers
compare the first rows with what its own interface says, and fall back to that.
"""

from collections.abc import Sequence
from typing import Any


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

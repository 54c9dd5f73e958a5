"""To which address a Milvus client connects, so that a name which somebody typed leads where it was allowed to lead."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dataplane.cluster_types import ClusterEndpoint
from dataplane.errors import EndpointInvalid
from dataplane.milvus_translation import checked_address
from dataplane.reach import AddressRefused

_GLOBAL_CLUSTER = "global-cluster"


def judged_target(endpoint: ClusterEndpoint) -> Mapping[str, Any]:
    """The arguments of MilvusClient that say where and as whom it connects. OSError if the name has no address.

    Under a `reach`, the name is resolved and judged here and the client is given the address: gRPC would resolve again,
    whenever it connects anew. The server is still asked by its name, and must prove it where there is TLS.
    """
    address = checked_address(endpoint.uri)
    if endpoint.reach is None:
        return {"uri": endpoint.uri}
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 19530)
    if _GLOBAL_CLUSTER in host:
        # The client would ask this host over HTTP for other addresses, and follow its redirects.
        raise EndpointInvalid(
            f"{address} is the address of a global cluster, which names its members by itself. "
            "Enter the endpoint of the member that shall be backed up."
        )
    try:
        found = endpoint.reach.resolve(host, port)
    except AddressRefused as refusal:
        raise EndpointInvalid(
            f"{address} is or leads to an address that this site may not reach. Enter another endpoint, or ask whoever "
            "runs the site to allow it (ALLOWED_NETWORKS)."
        ) from refusal
    # pymilvus writes an IPv6 address and its port without brackets, which then mean another address.
    first = next((found_address for found_address in found if ":" not in found_address), None)
    if first is None:
        raise EndpointInvalid(
            f"{address} has no IPv4 address, and the Milvus client takes no IPv6 one. Enter an endpoint that has one."
        )
    return {
        "uri": f"{parts.scheme}://{first}:{port}",
        "server_name": host if parts.scheme == "https" else "",
        "grpc_options": {"grpc.default_authority": f"{host}:{port}"},
    }

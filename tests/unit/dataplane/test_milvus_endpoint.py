from ipaddress import ip_network

import pytest

from dataplane.errors import (
    ClusterDenied,
    ClusterError,
    ClusterUnreachable,
    CollectionExists,
    CollectionMissing,
    EndpointInvalid,
)
from dataplane.milvus import Cluster, ClusterEndpoint
from dataplane.milvus_target import judged_target
from dataplane.milvus_translation import explained, literal
from dataplane.reach import Reach


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "nonsense",
        "x.db",
        "/etc/data.db",
        "file:///x.db",
        "http://",
        "http://host:0",
        "http://host:99999",
        "http://me:secret@host:1",
    ],
)
def test_what_is_not_a_network_address_is_refused_before_anything_is_opened(uri: str) -> None:
    with pytest.raises(EndpointInvalid) as refused:
        Cluster(ClusterEndpoint(uri))
    assert "secret" not in str(refused.value)


def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(ClusterEndpoint("http://host:1", token="secret"))


@pytest.mark.parametrize(
    ("key", "written"),
    [(-5, "-5"), ("", '""'), ('say "hi"', '"say \\"hi\\""'), ("back\\slash", '"back\\\\slash"'), ("日\n", '"日\\n"')],
)
def test_keys_become_literals_of_the_filter_language(key: int | str, written: str) -> None:
    assert literal(key) == written


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("auth check failure, please check username and password", ClusterDenied),
        ("PrivilegeLoad: permission deny to someone", ClusterDenied),
        ("collection not found[database=default][collection=privileges]", CollectionMissing),
        ("duplicated new collection name default:privileges", CollectionExists),
        ("Deadline Exceeded", ClusterUnreachable),
        ("privileges: out of memory", ClusterError),
    ],
)
def test_what_servers_say_becomes_one_error_each_whatever_the_collection_is_called(
    said: str, expected: type[ClusterError]
) -> None:
    error = explained(
        RuntimeError(f"{said} (token root:secret)"), address="http://host:1", what="load privileges",
        collection="default.privileges", timeout_seconds=2, token="root:secret",
    )  # fmt: skip
    assert type(error) is expected
    assert "root:secret" not in str(error)


REACH = Reach(networks=(ip_network("127.0.0.1/32"),))


def test_a_typed_endpoint_is_connected_to_by_its_address_and_asked_by_its_name() -> None:
    assert judged_target(ClusterEndpoint("http://localhost:19530/path.db", reach=REACH)) == {
        "uri": "http://127.0.0.1:19530",
        "server_name": "",
        "grpc_options": {"grpc.default_authority": "localhost:19530"},
    }
    secure = judged_target(ClusterEndpoint("https://localhost", reach=REACH))
    assert (secure["uri"], secure["server_name"]) == ("https://127.0.0.1:443", "localhost")
    assert judged_target(ClusterEndpoint("http://localhost:1")) == {"uri": "http://localhost:1"}


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.2:1", "http://[::1]:1", "http://8.8.8.8.global-cluster.example.com", "http://[2606:4700::1]:1"],
)
def test_an_endpoint_that_leads_elsewhere_or_cannot_be_held_to_one_address_is_refused(uri: str) -> None:
    with pytest.raises(EndpointInvalid):
        judged_target(ClusterEndpoint(uri, reach=REACH))

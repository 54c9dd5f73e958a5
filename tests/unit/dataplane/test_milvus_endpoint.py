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
from dataplane.milvus_translation import explained, literal


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

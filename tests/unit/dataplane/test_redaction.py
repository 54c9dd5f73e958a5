"""What other people's programs say loses its secrets before anybody keeps it, and keeps its sense."""

from __future__ import annotations

import base64

import pytest

from dataplane.errors import StoreUnreachable
from dataplane.milvus_translation import explained
from dataplane.redaction import parts_of, without_secrets
from dataplane.stores.bucket import BucketStore

PLANTED = "planted-s3cr3t/+="


@pytest.mark.parametrize(
    "text",
    [
        f"refused for {PLANTED}",
        f"header {base64.b64encode(PLANTED.encode()).decode()}",
        "query planted-s3cr3t%2F%2B%3D",
    ],
)
def test_a_known_secret_goes_however_it_is_spelled(text):
    masked = without_secrets(text, [PLANTED])
    assert "planted" not in masked
    assert base64.b64encode(PLANTED.encode()).decode() not in masked
    assert "***" in masked


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://user:planted@host:19530/path", "https://***@host:19530/path"),
        ("postgres://backups:planted@db/site is away", "postgres://***@db/site is away"),
        ("Authorization: Bearer planted.abc-123", "Authorization: Bearer ***"),
        ("key bks_planted-planted-planted-pla was", "key *** was"),
        ("the key AKIAPLANTED000000000 is unknown", "the key *** is unknown"),
        ("secret_access_key=planted, region=eu", "secret_access_key=***, region=eu"),
        ('{"password": "planted"}', '{"password": "***"}'),
        ("/bucket/key?X-Amz-Signature=planted&x=1", "/bucket/key?X-Amz-Signature=***&x=1"),
        ("-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----", "***"),
    ],
)
def test_what_looks_like_a_secret_goes_and_the_rest_stays(text, kept):
    assert without_secrets(text) == kept


@pytest.mark.parametrize(
    "sentence",
    [
        "Frankfurt (gcp-europe-west3) could not write chunks/ab/abc.parquet: no space is left.",
        "https://in01-abc.example.com:19530 could not be reached: no answer from Milvus within 5 s.",
        "Check the cluster's token and its privileges.",
        "mail to olga@example.com about s3://backups-fra/prefix",
    ],
)
def test_an_ordinary_sentence_stays_as_it_is(sentence):
    assert without_secrets(sentence, parts_of("root:Milvus")) == sentence


def test_the_parts_of_a_secret_are_secret_too():
    assert parts_of("root:planted-password") == ("root:planted-password", "planted-password")
    text = "region=eu-central-1\nsecret_access_key=planted-key"
    assert parts_of(text) == (text, "planted-key")
    assert parts_of("") == ("",)


@pytest.mark.parametrize("said", ["{token}", "{password}", "{base64}", "http://{token}@host"])
def test_what_a_cluster_says_never_repeats_its_token(said):
    token = "root:planted-password"  # noqa: S105
    encoded = base64.b64encode(token.encode()).decode()
    text = said.format(token=token, password="planted-password", base64=encoded)  # noqa: S106
    failure = explained(
        RuntimeError(f"it broke: {text}"),
        address="https://host:1",
        what="flush",
        collection="",
        timeout_seconds=1,
        token=token,
    )
    assert "planted" not in str(failure)
    assert encoded not in str(failure)
    assert "it broke" in str(failure)


def test_what_a_store_says_never_repeats_its_credentials():
    options = {"region": "eu-central-1", "access_key_id": "planted-id-1", "secret_access_key": PLANTED}
    store = BucketStore("s3://bucket/prefix", options=options, name="Frankfurt")
    failure = store._translated(OSError(f"broken pipe near {PLANTED} of planted-id-1"), "key", "write")
    assert isinstance(failure, StoreUnreachable)
    assert "planted" not in str(failure)
    assert "broken pipe" in str(failure)

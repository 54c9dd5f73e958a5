from pathlib import Path

import pytest

from dataplane.errors import StoreMisconfigured
from dataplane.stores.bucket import BucketStore
from dataplane.stores.local import LocalStore
from dataplane.stores.open import open_store


def test_a_file_address_opens_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    store = open_store(folder.as_uri(), name="gcp-europe-west3")
    assert isinstance(store, LocalStore)
    store.write("key", b"x")
    assert (folder / "key").read_bytes() == b"x"
    assert store.name.startswith("gcp-europe-west3 (file:///")


@pytest.mark.parametrize("url", ["s3://bucket/some/prefix", "gs://bucket", "az://container/prefix"])
def test_bucket_addresses_open_without_contacting_anything(url: str) -> None:
    options = {"account_name": "someone", "account_key": "c2VjcmV0"} if url.startswith("az:") else {}
    options |= (
        {"service_account_key": '{"private_key":"x","private_key_id":"y","client_email":"z","disable_oauth":true}'}
        if url.startswith("gs:")
        else {}
    )
    store = open_store(url, options=options)
    assert isinstance(store, BucketStore)
    assert store.name == url


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "no known scheme"),
        ("ftp://host/folder", "no known scheme"),
        ("/just/a/path", "no known scheme"),
        ("memory://", "no known scheme"),
        ("file://host/folder", "names no folder"),
        ("file://", "names no folder"),
        ("file:///", "names no folder"),
        ("s3://", "names no bucket"),
        ("s3://key:secret@bucket", "no user, password or query"),
        ("s3://bucket?secret=1", "no user, password or query"),
        ("x" * 10_000, "no known scheme"),
    ],
)
def test_an_address_that_cannot_work_gets_a_sentence_without_secrets(url: str, sentence: str) -> None:
    with pytest.raises(StoreMisconfigured, match=sentence) as refused:
        open_store(url)
    assert "secret" not in str(refused.value)
    assert len(str(refused.value)) < 600


def test_an_unknown_option_is_named_and_its_value_is_not() -> None:
    with pytest.raises(StoreMisconfigured, match="colour") as refused:
        open_store("s3://bucket", options={"colour": "hidden-value"})
    assert "hidden-value" not in str(refused.value)

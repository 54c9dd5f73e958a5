import pytest

from dataplane import layout

DIGEST = "ab" * 32


def test_a_chunks_key_gives_back_its_digest() -> None:
    assert layout.digest_of_chunk(layout.chunk_key("in01-abc", DIGEST)) == DIGEST


@pytest.mark.parametrize(
    "key",
    [
        f"clusters/in01-abc/chunks/cd/{DIGEST}.parquet",
        f"clusters/in01-abc/chunks/ab/{DIGEST}.parquet.bak",
        f"clusters/in01-abc/chunks/ab/{DIGEST[:-1]}.parquet",
        f"clusters/in01-abc/chunks/ab/{DIGEST.upper()}.parquet",
        f"clusters/in01-abc/backups/ab/{DIGEST}.parquet",
        f"x/clusters/in01-abc/chunks/ab/{DIGEST}.parquet",
    ],
)
def test_what_is_no_chunks_key_gives_none(key: str) -> None:
    assert layout.digest_of_chunk(key) is None

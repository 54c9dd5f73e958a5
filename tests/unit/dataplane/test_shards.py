import pytest

from dataplane.shards import lowered_shards, shard_limit


@pytest.mark.parametrize(
    ("cu_size", "limit"),
    [(1, 2), (2, 2), (3, 2), (4, 4), (8, 4), (10, 4), (12, 8), (64, 8), (65, 16), (72, 16), (1024, 16)],
)
def test_each_size_has_its_published_limit_and_sizes_between_take_the_lower_step(cu_size: int, limit: int) -> None:
    assert shard_limit(cu_size) == limit


def test_a_cluster_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 CU"):
        shard_limit(0)


def test_too_many_shards_are_lowered_and_a_sentence_says_so() -> None:
    assert lowered_shards(8, 1) == (2, "8 shards lowered to 2, the limit for 1 CU")


def test_shards_within_the_limit_stay_without_a_word() -> None:
    assert lowered_shards(2, 1) == (2, None)

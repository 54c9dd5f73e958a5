"""Small pure parts of the room: words to vectors, and the shipped regions."""

from __future__ import annotations

import math

import pytest

from clusters.embedding import DIMENSION, embed_words
from clusters.models import Provider, Region
from clusters.rules import copy_targets
from clusters.services import region_facts
from tests.builders import OREGON, region


def similarity(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(embed_words(one), embed_words(other), strict=True))


@pytest.mark.parametrize("text", ["", "!?", "compress", "Compress a file " * 100, "größe"])
def test_every_text_becomes_a_unit_vector(text):
    vector = embed_words(text)
    assert len(vector) == DIMENSION
    assert math.isclose(sum(value * value for value in vector), 1)


def test_the_same_words_give_the_same_vector_whatever_their_case_and_order():
    assert embed_words("Read a File") == pytest.approx(embed_words("file a read"))


def test_related_words_lie_closer_than_unrelated_ones():
    assert similarity("compress", "compression of files") > similarity("compress", "network socket") + 0.1


@pytest.mark.django_db
def test_every_shipped_region_belongs_to_a_known_provider_and_has_a_place():
    regions = list(Region.objects.all())
    assert {found.provider for found in regions} == set(Provider.values)
    assert all(found.location and found.continent for found in regions)


@pytest.mark.django_db
def test_the_seeds_example_can_be_asked_for_in_the_shipped_regions():
    facts = [region_facts(found) for found in Region.objects.all()]
    targets = {target.code for target in copy_targets(region_facts(region(OREGON)), facts)}
    assert {"gcp-us-east4", "gcp-europe-west3"} <= targets
    assert all(code.startswith("gcp-") for code in targets)

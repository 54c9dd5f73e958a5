"""Made-up rows of a shop, its customers and their questions: the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from clusters.embedding import WORD_FIELD, embed_words

PRODUCT_COUNT = 5_000
CUSTOMER_COUNT = 2_000
TICKET_COUNT = 1_000
NOTE_COUNT = 300

PRODUCT_DIMENSION = 64
TASTE_DIMENSION = 96
NOTE_DIMENSION = 16

PRODUCT_KINDS = {
    "kitchen": ("kettle", "pan", "grater", "teapot", "knife", "bowl"),
    "garden": ("spade", "rake", "watering can", "bench", "lantern", "trellis"),
    "office": ("desk lamp", "notebook", "stapler", "chair", "monitor stand", "whiteboard"),
    "outdoors": ("tent", "sleeping bag", "stove", "headlamp", "rucksack", "flask"),
}
"""Kinds of products by partition."""

_MATERIALS = ("oak", "steel", "copper", "linen", "cork", "glass", "bamboo", "enamel")
_COLOURS = ("sand", "moss", "slate", "ochre", "ivory", "rust", "ink")
_CITIES = ("Lisbon", "Osaka", "Denver", "Lyon", "Pune", "Oslo", "Quito", "Leeds")
_TOPICS = {
    "delivery": ("parcel has not arrived", "courier left it at the wrong door", "delivery date moved twice"),
    "refund": ("refund is missing on my statement", "was charged twice for one order", "gift card was not credited"),
    "damage": ("arrived with a broken handle", "box was crushed and the glass is cracked", "paint has come off"),
    "account": (
        "cannot sign in after changing my password",
        "want to change my e-mail address",
        "two accounts to merge",
    ),
}
_WISHES = (
    "Please send a replacement.",
    "Please tell me what to do next.",
    "I would like my money back.",
    "Can you call me?",
)


def products() -> Iterator[tuple[str, dict[str, Any]]]:
    """(partition, row) of a shop's products, with one value in the dynamic field of every third row."""
    pick, vectors = _dice("products"), _unit_vectors(1, PRODUCT_COUNT, PRODUCT_DIMENSION)
    partitions = list(PRODUCT_KINDS)
    for number, vector in enumerate(vectors):
        partition = partitions[number % len(partitions)]
        material, colour = pick.choice(_MATERIALS), pick.choice(_COLOURS)
        kind = pick.choice(PRODUCT_KINDS[partition])
        row: dict[str, Any] = {
            "sku": f"{partition[:3].upper()}-{number:05}",
            "title": f"{colour.title()} {material} {kind}",
            "attributes": {
                "material": material,
                "colour": colour,
                "price_cents": pick.randrange(400, 40_000),
                "sizes": sorted(pick.sample(("S", "M", "L", "XL"), pick.randint(1, 3))),
            },
            "image": vector,
        }
        if number % 3 == 0:
            row["discount_percent"] = pick.choice((5, 10, 20))
        yield partition, row


def customers() -> Iterator[tuple[str, dict[str, Any]]]:
    """(no partition, row) of the tastes of a shop's customers."""
    pick, vectors = _dice("customers"), _unit_vectors(2, CUSTOMER_COUNT, TASTE_DIMENSION)
    for number, vector in enumerate(vectors, start=1):
        yield (
            "",
            {
                "customer": number,
                "city": pick.choice(_CITIES),
                "orders": pick.randrange(1, 60),
                "is_subscribed": pick.random() < 0.4,
                "taste": vector,
            },
        )


def tickets() -> Iterator[tuple[str, dict[str, Any]]]:
    """(no partition, row) of questions to a shop's support, searchable by words."""
    pick = _dice("tickets")
    for number in range(1, TICKET_COUNT + 1):
        topic = pick.choice(list(_TOPICS))
        thing = f"{pick.choice(_COLOURS)} {pick.choice(PRODUCT_KINDS[pick.choice(list(PRODUCT_KINDS))])}"
        text = (
            f"My {thing}, order {pick.randrange(10_000, 99_999)}: {pick.choice(_TOPICS[topic])}. {pick.choice(_WISHES)}"
        )
        yield "", {"id": number, "topic": topic, "text": text, WORD_FIELD: embed_words(f"{topic} {text}")}


def notes() -> Iterator[tuple[str, dict[str, Any]]]:
    """(no partition, row) of somebody's first attempts."""
    vectors = _unit_vectors(3, NOTE_COUNT, NOTE_DIMENSION)
    for number, vector in enumerate(vectors, start=1):
        yield "", {"id": number, "label": f"attempt {number}", "vector": vector}


def _dice(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - made-up goods, not secrets


def _unit_vectors(seed: int, count: int, dimension: int) -> list[list[float]]:
    drawn = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    vectors: list[list[float]] = drawn.tolist()
    return vectors

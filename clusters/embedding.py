"""Words to vectors without a model: feature hashing, the same on every machine and for ever.

A collection whose vector field is called `words_…` was embedded with this function, so pages can search it by words.
"""

import hashlib
import math
import re

DIMENSION = 256
WORD_FIELD_PREFIX = "words_"
WORD_FIELD = f"{WORD_FIELD_PREFIX}{DIMENSION}"

_WORD = re.compile(r"[a-z0-9]+")


def embed_words(text: str) -> list[float]:
    """A unit vector of DIMENSION floats; texts that share words and three-letter pieces lie close by cosine.

    Each word and each of its three-letter pieces is hashed to one dimension and a sign; pieces weigh a third of a word,
    so that `compress` still finds `compression`. An empty text gets the first axis,
    because the zero vector has no direction.
    """
    vector = [0.0] * DIMENSION
    for word in _WORD.findall(text.lower()):
        _add(vector, word, 1.0)
        for start in range(len(word) - 2):
            _add(vector, f"#{word[start : start + 3]}", 1 / 3)
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0:
        vector[0] = length = 1.0
    return [value / length for value in vector]


def _add(vector: list[float], feature: str, weight: float) -> None:
    digest = hashlib.blake2b(feature.encode(), digest_size=8).digest()
    number = int.from_bytes(digest, "big")
    vector[number % DIMENSION] += weight if number >> 63 else -weight

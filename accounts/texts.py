"""Characters that change how a line looks instead of being part of it: nothing that others read holds one. Pure."""

from __future__ import annotations

import unicodedata

# Letters of these directions turn what stands around them by themselves; with these marks anybody can.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Control characters, line and paragraph separators, halves of characters.
_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_one_plain_line(text: str) -> bool:
    """Whether `text` reads as it is written, in one line."""
    return not any(_is_hidden(character) for character in text)


def make_plain(text: str) -> str:
    """`text` with every such character spelled out, as `\\u202e`: a log says what was typed and is not led astray."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{ord(character):04x}" if _is_hidden(character) else character for character in text)


def _is_hidden(character: str) -> bool:
    return character in _DIRECTIONS or unicodedata.category(character) in _CATEGORIES

"""Text that is safe in a cell, whatever program opens the file."""

from __future__ import annotations

# With these a spreadsheet takes a cell for a formula, which may call out of it.
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(value: object) -> str:
    """`value` as text that no spreadsheet takes for a formula: one that looks so gets an apostrophe before it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_BEGIN_FORMULAS) else text

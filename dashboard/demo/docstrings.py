"""Text that every machine has: the docstrings of Python's standard library, read without importing any of it."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LONGEST_TEXT = 1_000
SHORTEST_TEXT = 40
"""Shorter ones ("See above.") answer no question."""

# Tests, applications, tables, and what a distribution or an operator adds.
_LEFT_OUT = frozenset(
    {"__pycache__", "config", "ctypes", "dist-packages", "distutils", "encodings", "ensurepip", "idlelib", "lib2to3"}
    | {"msilib", "pydoc_data", "site-packages", "test", "tests", "tkinter", "turtledemo"}
)


@dataclass(frozen=True)
class Docstring:
    module: str
    name: str
    """Of the function, method or class within its module; empty for the module's own docstring."""
    text: str
    """At most LONGEST_TEXT characters."""


def read_docstrings(library: Path | None = None) -> Iterator[Docstring]:
    """Docstrings of public modules, classes and functions in `library`, ordered by file and line.

    The same Python gives the same sequence every time.
    """
    root = library or Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if any(part in _LEFT_OUT or (part.startswith("_") and part != "__init__") for part in parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:  # a file some distribution left there; it documents nothing
            continue
        module = ".".join(part for part in parts if part != "__init__")
        yield from _of_node(tree, module, "")


def _of_node(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, module: str, name: str
) -> Iterator[Docstring]:
    text = ast.get_docstring(node)
    if text and len(text) >= SHORTEST_TEXT:
        yield Docstring(module, name, text[:LONGEST_TEXT])
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            yield from _of_node(child, module, f"{name}.{child.name}" if name else child.name)

"""Rows to Plotly figures. Pure; `template=None` keeps Plotly's default theme (6 kB a chart) out of the page."""

from collections.abc import Sequence
from typing import Any

_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"), (1, "bytes"))


def size_unit(sizes: Sequence[int]) -> tuple[int, str]:
    """The largest unit in which the largest of `sizes` is at least one: (bytes in it, its name)."""
    largest = max(sizes, default=0)
    return next(((size, name) for size, name in _UNITS if largest >= size), _UNITS[-1])


def storage_figure(regions: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """Bars of what each (region, bytes) holds now."""
    return _bars(regions, "held")


def transfer_figure(flows: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    """Bars of what each (source, target, bytes) moved."""
    # In two lines, or the labels would leave the bars no room on a telephone.
    return _bars([(f"{source}<br>→ {target}", size_bytes) for source, target, size_bytes in flows], "sent")


def _bars(rows: Sequence[tuple[str, int]], what: str) -> dict[str, Any]:
    unit_bytes, unit = size_unit([size_bytes for _, size_bytes in rows])
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": [label for label, _ in rows],
                "x": [size_bytes / unit_bytes for _, size_bytes in rows],
                "hovertemplate": f"%{{y}}<br>%{{x:.2f}} {unit} {what}<extra></extra>",
            }
        ],
        "layout": {
            "template": None,
            "showlegend": False,
            "xaxis": {"title": {"text": unit}, "rangemode": "tozero", "automargin": True},
            # dtick: every bar has its name, however many there are.
            "yaxis": {"automargin": True, "autorange": "reversed", "dtick": 1},
            "margin": {"t": 8, "r": 16, "b": 44, "l": 8},
        },
    }

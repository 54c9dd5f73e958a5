"""Samples of a job to rates, and rates to a Plotly figure (`template=None`: without the theme). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from .models import JobSample

_UNITS = ((10**9, "GB/s"), (10**6, "MB/s"), (10**3, "kB/s"), (1, "bytes/s"))
_PURPOSES = ((False, "Moved"), (True, "Read back"))


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time between two samples, and how fast bytes moved in it."""

    begin: datetime
    end: datetime
    bytes_per_second: int
    is_verifying: bool

    @property
    def purpose(self) -> str:
        return dict(_PURPOSES)[self.is_verifying]


def stretches_of(samples: Iterable[JobSample]) -> list[Stretch]:
    """`samples` come oldest first. Every attempt begins at nothing, and so does reading back."""
    stretches = []
    for phase_started_at, of_phase in groupby(samples, key=lambda sample: sample.phase_started_at):
        begin, moved = phase_started_at, 0
        for sample in of_phase:
            seconds = (sample.at - begin).total_seconds()
            if seconds > 0:
                rate = max(0, round((sample.moved_bytes - moved) / seconds))
                stretches.append(Stretch(begin, sample.at, rate, sample.is_verifying))
                begin, moved = sample.at, sample.moved_bytes
    return stretches


def throughput_figure(stretches: list[Stretch]) -> dict[str, Any]:
    """A stair for what was moved and one for what was read back, with a gap between two attempts."""
    fastest = max((stretch.bytes_per_second for stretch in stretches), default=0)
    size, unit = next(((size, name) for size, name in _UNITS if fastest >= size), _UNITS[-1])
    data = []
    for is_verifying, name in _PURPOSES:
        times: list[str | None] = []
        rates: list[float | None] = []
        end = None
        for stretch in (stretch for stretch in stretches if stretch.is_verifying == is_verifying):
            rate = round(stretch.bytes_per_second / size, 3)
            if end != stretch.begin:
                times += [None, _moment(stretch.begin)] if times else [_moment(stretch.begin)]
                rates += [None, rate] if rates else [rate]
            times.append(_moment(stretch.end))
            rates.append(rate)
            end = stretch.end
        if times:
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "x": times,
                    "y": rates,
                    "line": {"shape": "vh"},
                    "hovertemplate": f"%{{x|%H:%M:%S}}<br>%{{y:.2f}} {unit}<extra>{name}</extra>",
                }
            )
    return {
        "data": data,
        "layout": {
            "template": None,
            "showlegend": len(data) > 1,
            "legend": {"y": 1.05, "yanchor": "bottom"},
            "xaxis": {"type": "date", "automargin": True, "title": {"text": "UTC"}},
            "yaxis": {"title": {"text": unit}, "rangemode": "tozero", "automargin": True},
            "margin": {"t": 28, "r": 8, "b": 44, "l": 48},
        },
    }


def _moment(at: datetime) -> str:
    """Without its zone: Plotly would show the browser's."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]

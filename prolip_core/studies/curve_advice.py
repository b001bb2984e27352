"""What a learning curve means for the one who takes the photos, in sentences that a screen can translate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from prolip_core.studies import power_law
from prolip_core.studies.learning_curve import CurveStudy
from prolip_core.studies.power_law import Forecast
from prolip_core.types import Note

MIN_GAIN = 0.01
"""A fitted gain below a point is called hardly any."""

MAX_WIDTH = 0.15
"""A range wider than this says nothing that anybody could plan with."""

Kind = Literal["rising", "flat", "done", "unknown"]


@dataclass(frozen=True)
class Advice:
    """`kind`: more photos are likely to help; will hardly help; nearly all is right already; not to be told."""

    kind: Kind
    notes: tuple[Note, ...]


def of(study: CurveStudy) -> Advice:
    """The recommendation: about all classes, then about the weakest ones by name."""
    kind, first = _overall(study)
    notes = [first, *([] if kind == "done" else _worst(study))]
    if study.held_out:
        notes.append(
            Note(
                "Measured on training photos that were held out in turn. Separate test photos would make this more certain."
            )
        )
    return Advice(kind, tuple(notes))


def _overall(study: CurveStudy) -> tuple[Kind, Note]:
    curve, forecast = study.overall, study.overall.forecast
    if 1 - curve.accuracies[-1] < MIN_GAIN:
        return "done", Note(
            "Hardly anything is left to gain: {percent} of the measured photos are right already.",
            {"percent": f"{curve.accuracies[-1]:.1%}"},
        )
    if forecast is None:
        return "unknown", Note(
            "It cannot be told yet whether more photos will help: the curve has {sizes} points from {draws} draws; {min_sizes} "
            "points and {min_draws} draws are needed. Take more different photos of every class, then ask again.",
            {
                "sizes": len(study.sizes),
                "draws": study.draws,
                "min_sizes": power_law.MIN_SIZES,
                "min_draws": power_law.MIN_DRAWS,
            },
        )
    if _is_wide(forecast):
        return "unknown", Note(
            "It cannot be told whether more photos will help: {more} more of every class may bring {low} to {high} points. More "
            "photos to measure on would narrow this down.",
            _values(forecast),
        )
    if forecast.gain < MIN_GAIN:
        return "flat", Note(
            "More photos will hardly help: {more} more of every class are likely to bring less than one point (range {low} to "
            "{high}). Change the class names or the way the photos are taken instead.",
            _values(forecast),
        )
    return "rising", Note(
        "{more} more photos of every class are likely to bring {low} to {high} points, {gain} on average.",
        _values(forecast),
    )


def _worst(study: CurveStudy) -> list[Note]:
    if study.worst_curve is None:
        return []
    curve, forecast = study.worst_curve, study.worst_curve.forecast
    values: dict[str, object] = {
        "names": ", ".join(study.material.class_names[label] for label in study.worst),
        "percent": f"{curve.accuracies[-1]:.0%}",
    }
    if forecast is None or _is_wide(forecast):
        return [Note("Weakest: {names} ({percent} right). How much they would gain cannot be told.", values)]
    values |= _values(forecast)
    if forecast.gain < MIN_GAIN:
        return [
            Note(
                "Weakest: {names} ({percent} right). More photos will hardly help them: check their names, and whether one "
                "photo shows what tells them apart.",
                values,
            )
        ]
    return [
        Note(
            "Weakest: {names} ({percent} right). With {more} more photos of every class they are likely to gain {low} to "
            "{high} points, {gain} on average.",
            values,
        )
    ]


def _is_wide(forecast: Forecast) -> bool:
    return forecast.gain_interval[1] - forecast.gain_interval[0] > MAX_WIDTH


def _values(forecast: Forecast) -> dict[str, object]:
    low, high = points(forecast.gain_interval)
    return {"more": forecast.more, "low": low, "high": high, "gain": f"{100 * forecast.gain:+.0f}"}


def points(interval: tuple[float, float]) -> tuple[str, str]:
    """A range of gains in whole points, rounded outwards: ("+3", "+6"), ("-1", "+2")."""
    low, high = (round(100 * bound, 6) for bound in interval)
    return f"{math.floor(low):+d}", f"{math.ceil(high):+d}"

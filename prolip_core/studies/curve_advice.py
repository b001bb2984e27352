"""What a learning curve means for the one who takes the photos, in sentences that a screen can translate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prolip_core.studies import power_law
from prolip_core.studies.learning_curve import Curve, CurveStudy
from prolip_core.studies.power_law import Forecast
from prolip_core.types import Note

WORTH = 0.03
"""A gain that is likely to stay below three points is called hardly any; so is what is left to gain where the whole likely range
of the accuracy is within three points of 1."""

NEARLY_ALL = 0.99
"""From this share on a curve says nothing about how it goes on: hardly a wrong answer is left to learn from."""

Kind = Literal["rising", "flat", "done", "unknown"]


@dataclass(frozen=True)
class Advice:
    """`kind`: more photos are likely to help (the whole range of the gain is above 0); will hardly help (the whole range is below
    WORTH); nearly all is right already; not to be told."""

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
    if curve.photo_intervals[-1][0] > 1 - WORTH:
        return "done", Note(
            "Hardly anything is left to gain: {percent} of {count} measured photos are right already (likely {low} or more).",
            _right(curve),
        )
    if curve.accuracies[-1] >= NEARLY_ALL:
        return "unknown", Note(
            "It cannot be told whether anything is left to gain: {percent} of {count} measured photos are right already, but so "
            "few photos leave {low} likely too. Measure on more photos.",
            _right(curve),
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
    low, high = forecast.gain_interval
    if high < WORTH:
        return "flat", Note(
            "More photos will hardly help: {more} more of every class are likely to bring {low} to {high} points. Change the "
            "class names or the way the photos are taken instead.",
            _values(forecast),
        )
    if low > 0:
        return "rising", Note(
            "{more} more photos of every class are likely to bring {low} to {high} points; the best estimate is {gain}.",
            _values(forecast),
        )
    return "unknown", Note(
        "It cannot be told whether more photos will help: {more} more of every class may bring {low} to {high} points. More "
        "photos to measure on would narrow this down.",
        _values(forecast),
    )


def _worst(study: CurveStudy) -> list[Note]:
    """What is said about the weakest classes; as the lowest of several their rate is lower than it would be next time."""
    if study.worst_curve is None:
        return []
    curve, forecast = study.worst_curve, study.worst_curve.forecast
    values = {"names": ", ".join(study.material.class_names[label] for label in study.worst), **_right(curve)}
    said = [
        Note(
            "Lowest this time: {names} ({percent} of {count} photos right, likely {low}–{high}; that they are the lowest may in "
            "part be chance).",
            values,
        )
    ]
    if forecast is None or forecast.gain_interval[0] <= 0 < WORTH <= forecast.gain_interval[1]:
        return [*said, Note("How much more photos would help these classes cannot be told.")]
    if forecast.gain_interval[1] < WORTH:
        return [
            *said,
            Note(
                "More photos will hardly help these classes: check their names, and whether one photo shows what tells them "
                "apart."
            ),
        ]
    return [
        *said,
        Note(
            "With {more} more photos of every class these are likely to gain {low} to {high} points; the best estimate is "
            "{gain}.",
            _values(forecast),
        ),
    ]


def _right(curve: Curve) -> dict[str, object]:
    """The end of the curve with its count and its likely range."""
    low, high = curve.photo_intervals[-1]
    return {
        "percent": f"{curve.accuracies[-1]:.1%}",
        "count": curve.count,
        "low": f"{low:.0%}",
        "high": f"{high:.0%}",
    }


def _values(forecast: Forecast) -> dict[str, object]:
    low, high = power_law.points(forecast.gain_interval)
    return {"more": forecast.more, "low": low, "high": high, "gain": f"{100 * forecast.gain:+.0f}"}

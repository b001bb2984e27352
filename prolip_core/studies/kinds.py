"""The kinds of study by name: one request → one study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prolip_core.studies import (
    certainty_study,
    compare_methods,
    learning_curve,
    learning_rates,
    look_study,
    new_classes,
)
from prolip_core.studies.certainty_study import CertaintyStudy, Foreign
from prolip_core.studies.compare_methods import MethodStudy
from prolip_core.studies.conditions_files import ConditionStudy
from prolip_core.studies.learning_curve import CurveStudy
from prolip_core.studies.learning_rates import LearningRateStudy
from prolip_core.studies.look_study import LookStudy, Reader
from prolip_core.studies.material import Material, OnProgress
from prolip_core.studies.names import CERTAINTY, CURVE, LEARNING_RATES, LOOK, METHODS, NEW_CLASSES
from prolip_core.studies.new_classes import NewClassesStudy
from prolip_core.sure_rule import LIMIT

DrawnStudy = MethodStudy | LearningRateStudy | CurveStudy | NewClassesStudy
"""Studies of many trainings on random draws; those of certainty and of where it looks have one training."""

Study = DrawnStudy | CertaintyStudy | LookStudy | ConditionStudy


@dataclass(frozen=True)
class Request:
    """What may be asked for; None is the study's own default. shots: of methods, learning rates and certainty; draws: of all
    but certainty and look; keys: of methods; limit, coverage, foreign: of certainty; the rest: of look, which needs a reader."""

    shots: int | None = None
    draws: int | None = None
    keys: Sequence[str] | None = None
    limit: float = LIMIT
    coverage: float = certainty_study.COVERAGE
    foreign: Foreign | None = None
    photos: int = look_study.PHOTOS
    image_ids: Sequence[str] | None = None
    reader: Reader | None = None


def run(kind: str, material: Material, request: Request, on_progress: OnProgress | None = None) -> Study:
    """The study of that kind; `kind` is one of KINDS, but none of CONDITIONS."""
    if kind == CURVE:
        return learning_curve.run(material, n_draws=request.draws, on_progress=on_progress)
    if kind == CERTAINTY:
        return certainty_study.run(
            material,
            shots=request.shots,
            limit=request.limit,
            coverage=request.coverage,
            foreign=request.foreign,
            on_progress=on_progress,
        )
    if kind == LOOK:
        if request.reader is None:
            raise ValueError("a study of where it looks reads photos again and needs a reader")
        return look_study.run(
            material, request.reader, photos=request.photos, image_ids=request.image_ids, on_progress=on_progress
        )
    defaults = {NEW_CLASSES: new_classes.DRAWS, METHODS: compare_methods.DRAWS, LEARNING_RATES: learning_rates.DRAWS}
    draws = defaults[kind] if request.draws is None else request.draws
    if kind == NEW_CLASSES:
        return new_classes.run(material, n_draws=draws, on_progress=on_progress)
    if kind == METHODS:
        return compare_methods.run(
            material, shots=request.shots, n_draws=draws, keys=request.keys, on_progress=on_progress
        )
    return learning_rates.run(material, shots=request.shots, n_draws=draws, on_progress=on_progress)

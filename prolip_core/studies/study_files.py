"""A study on disk: one `result.json`, the contract in docs/result-format.md."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prolip_core import runs
from prolip_core.baselines import methods
from prolip_core.errors import RunError
from prolip_core.studies import certainty_files, conditions_files, curve_advice, look_files, new_classes
from prolip_core.studies.certainty_study import CertaintyStudy
from prolip_core.studies.compare_methods import MethodStudy, Score
from prolip_core.studies.condition_words import SECOND_TEST, STRESS, TEST_TIME, TRANSFER
from prolip_core.studies.kinds import DrawnStudy, Study
from prolip_core.studies.learning_curve import Curve, CurveStudy
from prolip_core.studies.learning_rates import LearningRateStudy
from prolip_core.studies.look_study import LookStudy
from prolip_core.studies.names import CERTAINTY, CURVE, KINDS, LEARNING_RATES, LOOK, METHODS, NEW_CLASSES
from prolip_core.studies.new_classes import Half, NewClassesStudy, Rates, Summary
from prolip_core.studies.second_test import SecondTestStudy
from prolip_core.studies.stress import StressStudy
from prolip_core.studies.test_time import TestTimeStudy
from prolip_core.studies.transfer import TransferStudy
from prolip_core.types import Note

FORMAT = 1

_CONDITIONS: Mapping[type[Any], str] = {
    StressStudy: STRESS,
    SecondTestStudy: SECOND_TEST,
    TransferStudy: TRANSFER,
    TestTimeStudy: TEST_TIME,
}


def save(study: Study, folder: Path) -> Path:
    """Writes the study under a temporary name first; gives the path of result.json. Raises RunError if the disk refuses."""
    return write(as_dict(study), folder)


def write(content: Mapping[str, Any], folder: Path) -> Path:
    """`save` for the content itself."""
    runs.prepare_folder(folder, study=content["study"])
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=runs.STAGING) as name:
            staged = Path(name) / runs.RESULT
            staged.write_text(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False), encoding="utf-8")
            return staged.replace(folder / runs.RESULT)
    except OSError as error:
        raise runs.not_written(folder, error) from error


def load(path: Path, kinds: Sequence[str] = KINDS) -> Mapping[str, Any]:
    """The result.json of a study of one of these kinds again. Raises RunError for any other file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT or content["study"] not in kinds:
            raise ValueError("written by another version")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(
            "{path} is not the result of a study: it is missing, damaged, or of another version.",
            remedy="Choose the result.json that a study wrote.",
            path=path,
        ) from error
    found: Mapping[str, Any] = content
    return found


def as_dict(study: Study) -> dict[str, Any]:
    """The content of result.json, as documented in docs/result-format.md."""
    if isinstance(study, CertaintyStudy):
        return {**_head(CERTAINTY, study), **certainty_files.own_keys(study)}
    if isinstance(study, LookStudy):
        return {**_head(LOOK, study), **look_files.own_keys(study)}
    if isinstance(study, StressStudy | SecondTestStudy | TransferStudy | TestTimeStudy):
        return {**_head(_CONDITIONS[type(study)], study), **conditions_files.own_keys(study, _notes)}
    if isinstance(study, MethodStudy):
        return methods_as_dict(study)
    if isinstance(study, LearningRateStudy):
        return learning_rates_as_dict(study)
    return curve_as_dict(study) if isinstance(study, CurveStudy) else new_classes_as_dict(study)


def methods_as_dict(study: MethodStudy) -> dict[str, Any]:
    """The content of result.json of a comparison of methods."""
    return {
        **_head(METHODS, study),
        **_draws(study),
        "overlap": study.overlap,
        "reference": methods.REFERENCE,
        "methods": [_score(score) for score in study.scores],
        "not_run": [
            {
                "key": one.method.key,
                "title": one.method.title,
                "reason": one.reason.text,
                "reason_parts": {"message": one.reason.message, "values": dict(one.reason.values)},
            }
            for one in study.not_run
        ],
    }


def learning_rates_as_dict(study: LearningRateStudy) -> dict[str, Any]:
    """The content of result.json of a study of learning rates."""
    return {
        **_head(LEARNING_RATES, study),
        **_draws(study),
        "epochs": study.epochs,
        "zero_shot_accuracy": study.zero_shot,
        "cells": [
            {
                "lam": cell.lam,
                "lam_value": cell.lam_value,
                "learning_rate": cell.learning_rate,
                "accuracy": cell.accuracy,
                "accuracies": list(cell.accuracies),
                "photo_interval": _pair(cell.photo_interval),
                "diverged": cell.diverged,
            }
            for cell in study.cells
        ],
    }


def curve_as_dict(study: CurveStudy) -> dict[str, Any]:
    """The content of result.json of a learning curve."""
    names = study.material.class_names
    advice = curve_advice.of(study)
    curves = [_curve(study, "all", names, study.overall)]
    if study.worst_curve is not None:
        curves.append(_curve(study, "weakest", [names[label] for label in study.worst], study.worst_curve))
    for label, curve in enumerate(study.per_class):
        if curve is not None:
            curves.append(_curve(study, "class", [names[label]], curve, label))
    return {
        **_head(CURVE, study),
        **_draws(study),
        "evaluation": "cross_validation" if study.held_out else "test",
        "photos_now": study.now,
        "advice": advice.kind,
        **_notes(advice.notes),
        "draw_accuracies": [list(of_draw) for of_draw in study.accuracies],
        "curves": curves,
    }


def _notes(notes: Sequence[Note]) -> dict[str, Any]:
    """Sentences, and the same in parts for translation."""
    return {"advice_text": [note.text for note in notes], "advice_parts": [runs.note_as_dict(note) for note in notes]}


def _curve(study: CurveStudy, of: str, names: Sequence[str], curve: Curve, label: int | None = None) -> dict[str, Any]:
    forecast = curve.forecast
    return {
        "of": of,
        "classes": list(names),
        "count": curve.count,
        "zero_shot_accuracy": curve.zero_shot,
        "zero_shot_interval": list(curve.zero_shot_interval),
        "points": [
            {
                "photos": size.photos if label is None else size.per_class[label],
                "everything": size.everything,
                "accuracy": accuracy,
                "draw_interval": _pair(over_draws),
                "photo_interval": list(over_photos),
            }
            for size, accuracy, over_draws, over_photos in zip(
                study.sizes, curve.accuracies, curve.draw_intervals, curve.photo_intervals, strict=True
            )
        ],
        "forecast": None if forecast is None else {**asdict(forecast), "gain_interval": list(forecast.gain_interval)},
    }


def new_classes_as_dict(study: NewClassesStudy) -> dict[str, Any]:
    """The content of result.json of a study of new classes."""
    names = study.material.class_names
    return {
        **_head(NEW_CLASSES, study),
        **_draws(study),
        "summary": [_summary(one) for one in study.summary],
        **_notes([new_classes.advice(study)]),
        "halves": [_half(half, names) for half in study.halves],
    }


def _summary(one: Summary) -> dict[str, Any]:
    return {
        **asdict(one),
        "zero_shot_interval": _pair(one.zero_shot_interval),
        "prolip_interval": _pair(one.prolip_interval),
        "difference_interval": _pair(one.difference_interval),
    }


def _half(half: Half, names: Sequence[str]) -> dict[str, Any]:
    return {
        "base": [names[label] for label in half.base],
        "new": [names[label] for label in half.new],
        "lam": half.lam,
        "zero_shot": _rates(half.zero_shot),
        "prolip": _rates(half.prolip),
    }


def _rates(rates: Rates) -> dict[str, Any]:
    return {
        "base": rates.base,
        "new": rates.new,
        "harmonic": rates.harmonic,
        "together": rates.together,
        "own_recalls": list(rates.own_C),
        "together_recalls": list(rates.together_C),
    }


def _draws(study: DrawnStudy) -> dict[str, Any]:
    return {"shots": study.shots, "draws": study.draws, "planned_draws": study.planned_draws}


def _head(name: str, study: Study) -> dict[str, Any]:
    """What all studies say about the photos, the model and the settings."""
    material = study.material
    spec = material.spec
    return {
        "format": FORMAT,
        "study": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "class_names": list(material.class_names),
        "images_per_class": dict(zip(material.class_names, material.support.images_per_class, strict=True)),
        "test_images_per_class": {
            class_name: sum(image.label == label for image in material.split.query)
            for label, class_name in enumerate(material.class_names)
        },
        "dropped_test_files": [image.record.filename for image in material.split.dropped],
        "prompts": [list(of_class) for of_class in material.class_vectors.prompts.sentences],
        "backbone": spec.backbone.name,
        "checkpoint": None if spec.backbone.checkpoint is None else str(spec.backbone.checkpoint),
        "backbone_sha256": material.backbone_sha256,
        "device": material.backbone_title,
        "logit_scale": material.logit_scale,
        "projector_shape": list(material.projector.weight_PD.shape),
        "views": spec.n_views,
        "fit": asdict(spec.fit),
        "seed": spec.seed,
        "query_count": len(material.split.query),
        "seconds": study.seconds,
        "versions": runs.versions(),
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "key": score.method.key,
        "title": score.method.title,
        "source": score.method.source,
        "accuracy": score.accuracy,
        "accuracies": list(score.accuracies),
        "draw_interval": _pair(score.draw_interval),
        "photo_interval": list(score.photo_interval),
        "balanced_accuracy": score.balanced_accuracy,
        "balanced_interval": list(score.balanced_interval),
        "difference": score.difference,
        "difference_interval": _pair(score.difference_interval),
        "photo_difference_interval": _pair(score.photo_difference_interval),
        "p": score.p,
        "seconds": score.seconds,
        "added_parameters": score.added_parameters,
        "trained_parameters": score.trained_parameters,
        "notes": [note.text for note in score.notes],
    }


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)

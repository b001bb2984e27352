"""A study on disk: one `result.json`, the contract in docs/result-format.md."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prolip_core import __version__, runs
from prolip_core.baselines import methods
from prolip_core.errors import RunError
from prolip_core.studies import certainty_files
from prolip_core.studies.certainty_study import CertaintyStudy
from prolip_core.studies.compare_methods import MethodStudy, Score
from prolip_core.studies.learning_rates import LearningRateStudy
from prolip_core.studies.material import Material

FORMAT = 1
METHODS, LEARNING_RATES, CERTAINTY = "methods", "learning_rates", "certainty"

Study = MethodStudy | LearningRateStudy | CertaintyStudy


def save(study: Study, folder: Path) -> Path:
    """Writes the study under a temporary name first; gives the path of result.json. Raises RunError if the disk refuses."""
    content = as_dict(study)
    runs.prepare_folder(folder, study=content["study"])
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=runs.STAGING) as name:
            staged = Path(name) / runs.RESULT
            staged.write_text(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False), encoding="utf-8")
            return staged.replace(folder / runs.RESULT)
    except OSError as error:
        raise RunError(
            "The results cannot be written to {folder}: {cause}.",
            remedy="Free some disk space or choose another folder.",
            folder=folder,
            cause=error.strerror or error,
        ) from error


def load(path: Path, kinds: Sequence[str] = (METHODS, LEARNING_RATES, CERTAINTY)) -> Mapping[str, Any]:
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
    """The content of result.json."""
    if isinstance(study, CertaintyStudy):
        return {**_head(CERTAINTY, study.material, study.seconds), **certainty_files.own_keys(study)}
    return methods_as_dict(study) if isinstance(study, MethodStudy) else learning_rates_as_dict(study)


def methods_as_dict(study: MethodStudy) -> dict[str, Any]:
    """The content of result.json of a comparison of methods."""
    return {
        **_head(METHODS, study.material, study.seconds),
        **_draws(study),
        "reference": methods.REFERENCE,
        "methods": [_score(score) for score in study.scores],
        "not_run": [
            {"key": one.method.key, "title": one.method.title, "reason": one.reason.text} for one in study.not_run
        ],
    }


def learning_rates_as_dict(study: LearningRateStudy) -> dict[str, Any]:
    """The content of result.json of a study of learning rates."""
    return {
        **_head(LEARNING_RATES, study.material, study.seconds),
        **_draws(study),
        "zero_shot_accuracy": study.zero_shot,
        "cells": [
            {
                "lam": cell.lam,
                "lam_value": cell.lam_value,
                "learning_rate": cell.learning_rate,
                "accuracy": cell.accuracy,
                "accuracies": list(cell.accuracies),
                "diverged": cell.diverged,
            }
            for cell in study.cells
        ],
    }


def _draws(study: MethodStudy | LearningRateStudy) -> dict[str, Any]:
    return {"shots": study.shots, "draws": study.draws, "planned_draws": study.planned_draws}


def _head(name: str, material: Material, seconds: float) -> dict[str, Any]:
    """What all studies say about the photos, the model and the settings."""
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
        "backbone_sha256": material.backbone_sha256,
        "device": material.backbone_title,
        "logit_scale": material.logit_scale,
        "projector_shape": list(material.projector.weight_PD.shape),
        "views": spec.n_views,
        "seed": spec.seed,
        "query_count": len(material.split.query),
        "seconds": seconds,
        "versions": {
            "prolip_studio": __version__,
            "python": platform.python_version(),
            **{library: version(library) for library in runs.VERSIONED},
        },
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
        "difference": score.difference,
        "difference_interval": _pair(score.difference_interval),
        "seconds": score.seconds,
        "added_parameters": score.added_parameters,
        "trained_parameters": score.trained_parameters,
        "notes": [note.text for note in score.notes],
    }


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)

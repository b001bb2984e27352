"""What a study of certainty adds to the keys that every study writes (docs/result-format.md)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from prolip_core import certainty
from prolip_core.certainty import Outcome
from prolip_core.studies.certainty_study import Calibration, CertaintyStudy, Elsewhere, Sets


def own_keys(study: CertaintyStudy) -> dict[str, Any]:
    """All of the study but its head. Shares are fractions."""
    chosen, suggestion, curve = study.chosen, study.chosen.suggestion, study.risk_coverage
    return {
        "photos_per_class": study.shots,
        "support_count": study.chosen.support_accuracy.total,
        "folds": study.folds,
        "limit": suggestion.limit,
        "coverage": chosen.coverage,
        "support_accuracy": chosen.support_accuracy.rate,
        "accuracy": study.accuracy.rate,
        "accuracy_interval": list(study.accuracy.interval),
        "temperature": chosen.temperature,
        "calibration": {"before": _calibration(study.before), "after": _calibration(study.after)},
        "suggestion": {
            "threshold": suggestion.threshold,
            "assured": suggestion.assured,
            "support_answered": suggestion.error.total,
            "support_wrong": suggestion.error.count,
            "upper_bound": suggestion.upper_bound,
            "least_answers": certainty.least_answers(suggestion.limit),
        },
        "suggested": {**_outcome(study.suggested), "threshold": suggestion.threshold},
        "thresholds": [_outcome(one) for one in study.outcomes],
        "support_suggested": {**_outcome(chosen.suggested), "threshold": suggestion.threshold},
        "support_thresholds": [_outcome(one) for one in chosen.outcomes],
        "risk_coverage": {
            "coverage": list(curve.coverage),
            "risk": list(curve.risk),
            "area": curve.area,
            "best": curve.best,
            "chance": curve.chance,
        },
        "sets": {
            "guaranteed_coverage": study.guaranteed,
            "score_limit": chosen.score_limit if math.isfinite(chosen.score_limit) else None,
            "cross": _sets(study.cross_sets),
            "single": _sets(study.sets),
        },
        "foreign": None if study.elsewhere is None else _foreign(study.elsewhere, study.material.class_names),
    }


def _calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "error": calibration.error,
        "loss": calibration.loss,
        "bins": [
            {
                "low": one.low,
                "high": one.high,
                "count": one.right.total,
                "confidence": one.confidence,
                "accuracy": one.right.rate,
                "accuracy_interval": list(one.right.interval),
            }
            for one in calibration.bins
        ],
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "threshold": outcome.threshold,
        "answered": outcome.answered.count,
        "answered_interval": list(outcome.answered.interval),
        "wrong": outcome.wrong.count,
        "wrong_interval": list(outcome.wrong.interval),
        "to_person": outcome.to_person.count,
        "to_person_interval": list(outcome.to_person.interval),
        "error": outcome.error.rate,
        "error_interval": list(outcome.error.interval),
    }


def _sets(sets: Sets) -> dict[str, Any]:
    return {
        "covered": sets.covered.count,
        "coverage": sets.covered.rate,
        "coverage_interval": list(sets.covered.interval),
        "mean_size": sets.mean_size,
        "sizes": list(sets.sizes),
        "alone": sets.alone.count,
        "alone_interval": list(sets.alone.interval),
        "alone_right": sets.alone_right.count,
    }


def _foreign(elsewhere: Elsewhere, class_names: Sequence[str]) -> dict[str, Any]:
    return {
        "count": elsewhere.turned_away.total,
        "turned_away": elsewhere.turned_away.count,
        "turned_away_interval": list(elsewhere.turned_away.interval),
        "test_turned_away": elsewhere.test_turned_away.count,
        "test_turned_away_interval": list(elsewhere.test_turned_away.interval),
        "confidence_auroc": elsewhere.confidence_auroc,
        "cosine_auroc": elsewhere.cosine_auroc,
        "energy_auroc": elsewhere.energy_auroc,
        "photos": [
            {"id": image_id, "answer": class_names[answer], "confidence": confidence}
            for image_id, answer, confidence in zip(
                elsewhere.image_ids, elsewhere.answers, elsewhere.confidences, strict=True
            )
        ],
        "dropped_files": list(elsewhere.dropped),
        "rejected_files": [{"photo": file.filename, "reason": file.reason} for file in elsewhere.rejected],
    }

"""What the studies of other conditions add to the keys that every study writes (docs/result-format.md): stress, a second test
set, a projector from elsewhere, one step per photo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prolip_core.certainty import Share
from prolip_core.differences import Paired
from prolip_core.distortions import KINDS
from prolip_core.studies import second_test, stress, test_time, transfer
from prolip_core.studies.second_test import SecondTestStudy
from prolip_core.studies.stress import Curve, StressStudy
from prolip_core.studies.test_time import TestTimeStudy
from prolip_core.studies.transfer import TransferStudy
from prolip_core.types import Note

ConditionStudy = StressStudy | SecondTestStudy | TransferStudy | TestTimeStudy
NotesToKeys = Callable[[Sequence[Note]], Mapping[str, Any]]


def own_keys(study: ConditionStudy, keys_of: NotesToKeys) -> dict[str, Any]:
    """All of the study but its head. Shares are fractions. keys_of: how sentences are written."""
    if isinstance(study, StressStudy):
        return {**_stress(study), **keys_of(stress.notes(study))}
    if isinstance(study, SecondTestStudy):
        return {**_second_test(study), **keys_of(second_test.notes(study))}
    if isinstance(study, TransferStudy):
        return {**_transfer(study), **keys_of(transfer.notes(study))}
    return {**_test_time(study), **keys_of(test_time.notes(study))}


def _stress(study: StressStudy) -> dict[str, Any]:
    return {
        "measured_count": len(study.rows),
        "limit": study.limit,
        "planned_kinds": list(KINDS),
        "clean": [{"method": method, **_share(share)} for method, share in study.clean.items()],
        "stress_curves": [_stress_curve(curve) for curve in study.curves],
    }


def _stress_curve(curve: Curve) -> dict[str, Any]:
    broken = curve.breaks_at
    return {
        "kind": curve.kind,
        "method": curve.method,
        "breaks_at": None if broken is None else broken.severity,
        "points": [
            {
                "severity": point.severity,
                "amount": point.amount,
                **_share(point.accuracy),
                "loss": -point.paired.difference,
                "loss_interval": [-point.paired.interval[1], -point.paired.interval[0]],
            }
            for point in curve.points
        ],
    }


def _second_test(study: SecondTestStudy) -> dict[str, Any]:
    second = study.second
    return {
        "second_count": len(second.images),
        "second_taught_files": list(second.taught),
        "second_measured_files": list(second.measured),
        "second_rejected_files": [{"photo": file.filename, "reason": file.reason} for file in second.rejected],
        "missing_classes": list(study.missing),
        "only_second_classes": list(study.only_second),
        "both_sets": [
            {
                "method": one.method,
                "first": _share(one.first),
                "second": _share(one.second),
                "first_balanced": one.first_balanced,
                "second_balanced": one.second_balanced,
                "difference": one.difference,
                "difference_interval": list(one.interval),
            }
            for one in study.methods
        ],
        "gain_first": _paired(study.gains[0]),
        "gain_second": _paired(study.gains[1]),
        "second_classes": [
            {"class_name": one.class_name, "first": _share(one.first), "second": _share(one.second)}
            for one in study.per_class
        ],
    }


def _transfer(study: TransferStudy) -> dict[str, Any]:
    return {
        "foreign_classes": list(study.foreign.class_names),
        "foreign_taught_files": list(study.dropped),
        "answers": [{"method": method, **_share(share)} for method, share in study.accuracies.items()],
        "pairs": [{"first": first, "second": second, **_paired(one)} for (first, second), one in study.pairs.items()],
    }


def _test_time(study: TestTimeStudy) -> dict[str, Any]:
    viewed = study.viewed
    return {
        "measured_count": len(viewed.rows),
        "views_per_photo": viewed.pre_VMP.shape[0],
        "plain_ms": viewed.plain_ms,
        "views_ms": viewed.views_ms,
        "gains": [
            {
                "method": gain.method,
                "step_ms": gain.step_ms,
                "before": _share(Share(gain.paired.both + gain.paired.first_only, gain.paired.count)),
                "after": _share(Share(gain.paired.both + gain.paired.second_only, gain.paired.count)),
                **_paired(gain.paired),
            }
            for gain in study.gains
        ],
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "right": share.count,
        "count": share.total,
        "accuracy": share.rate,
        "accuracy_interval": list(share.interval),
    }


def _paired(paired: Paired) -> dict[str, Any]:
    return {
        "put_right": paired.second_only,
        "put_wrong": paired.first_only,
        "difference": paired.difference,
        "difference_interval": list(paired.interval),
        "p": paired.p,
    }

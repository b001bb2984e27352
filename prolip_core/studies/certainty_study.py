"""When is it not sure? One ProLIP training, and what its confidence is worth.

Temperature, threshold and the limit of the sets are chosen on answers about the photos to learn from, each by a training that saw
neither it nor a near-duplicate of it (`choose`); the test photos only measure (`measure`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from prolip_core import certainty, conformal, duplicates, features, image_files, pilot, splits
from prolip_core.backbones import Backbone
from prolip_core.certainty import Bin, Outcome, RiskCoverage, Share, Suggestion
from prolip_core.errors import Cancelled, ConfigError, DatasetError
from prolip_core.objective import Support
from prolip_core.studies import measuring
from prolip_core.studies.material import Material, OnProgress, Report, choose_shots, draws
from prolip_core.sure_rule import LIMIT
from prolip_core.types import ImageRecord, ImageSource, Progress, Projector, RejectedFile

COVERAGE = 0.95
THRESHOLDS = tuple(number / 100 for number in range(100))


@dataclass(frozen=True)
class Foreign:
    """Photos of something else, as features, and the files that were left out."""

    pre_FP: torch.Tensor
    image_ids: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    rejected: tuple[RejectedFile, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """What was chosen, and the out-of-fold answers that it was chosen on. score_limit: of the sets by one projector."""

    support_accuracy: Share
    temperature: float
    suggestion: Suggestion
    true_scores_N: np.ndarray
    fold_N: np.ndarray
    score_limit: float
    coverage: float


@dataclass(frozen=True)
class Calibration:
    """Before or after the temperature, on the test photos. loss: mean −log p(true class), in nats."""

    error: float
    loss: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Sets:
    """Sets of classes on the test photos. sizes[k]: photos with k classes in their set."""

    covered: Share
    alone: Share
    alone_right: Share
    mean_size: float
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Elsewhere:
    """Photos of something else. turned_away: by the suggested threshold; areas: AUROC against the test photos, per score;
    answers and confidences: photo by photo, after the temperature."""

    count: int
    turned_away: Share
    test_turned_away: Share
    confidence_auroc: float
    cosine_auroc: float
    energy_auroc: float
    image_ids: tuple[str, ...]
    answers: tuple[int, ...]
    confidences: tuple[float, ...]
    dropped: tuple[str, ...]
    rejected: tuple[RejectedFile, ...]


@dataclass(frozen=True)
class CertaintyStudy:
    """shots: photos per class that were asked for, None: all. `cross_sets` by cross-validation+, whose promise is `guaranteed`;
    `sets` by the one trained projector, without a promise."""

    material: Material
    shots: int | None
    folds: int
    chosen: Chosen
    accuracy: Share
    before: Calibration
    after: Calibration
    outcomes: tuple[Outcome, ...]
    suggested: Outcome
    risk_coverage: RiskCoverage
    cross_sets: Sets
    sets: Sets
    guaranteed: float
    elsewhere: Elsewhere | None
    seconds: float


@dataclass(frozen=True)
class OutOfFold:
    """Answers about the photos to learn from by trainings that did not see them, and the projector of every fold."""

    logits_NC: np.ndarray
    labels_N: np.ndarray
    fold_N: np.ndarray
    projectors: tuple[Projector, ...]


def check(limit: float, coverage: float) -> None:
    """Raises ConfigError unless both lie between 0 and 1."""
    for value, name in ((limit, "--limit"), (coverage, "--coverage")):
        if not 0 < value < 1:
            raise ConfigError(
                "{name} is {value}; it must be between 0 and 1.",
                remedy="0.05 means 5 in 100, 0.95 means 95 in 100.",
                name=name,
                value=f"{value:g}",
            )


def read_foreign(
    folder: Path,
    material: Material,
    backbone: Backbone,
    *,
    cache_folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Foreign:
    """The photos below the folder, checked and read by the model; what is (nearly) a photo of the set itself is left out.

    Raises DatasetError where no photo is left, Cancelled.
    """

    def report(done: int, total: int) -> None:
        if on_progress is not None and on_progress(Progress("import", done, total, 0.0, None)):
            raise Cancelled("Stopped; nothing was saved.")

    result, paths = image_files.import_files(image_files.photos_at(folder), display_root=folder, on_progress=report)
    foreign = foreign_of(
        result.accepted,
        image_files.FolderSource(paths),
        material,
        backbone,
        rejected=result.rejected,
        cache_folder=cache_folder,
        on_progress=on_progress,
    )
    if foreign is None:
        raise DatasetError(
            "No photo of the folder of other things, {folder}, can be used.",
            remedy="Choose a folder of photos that show none of the classes.",
            folder=folder,
        )
    return foreign


def foreign_of(
    records: Sequence[ImageRecord],
    source: ImageSource,
    material: Material,
    backbone: Backbone,
    *,
    rejected: tuple[RejectedFile, ...] = (),
    cache_folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Foreign | None:
    """Checked photos, read by the model; what is (nearly) a photo of the set itself is left out. None where none is left.

    Raises Cancelled.
    """
    known = [image.record for image in (*material.split.support, *material.split.query)]
    numbers = duplicates.groups([*known, *records])
    taken = set(numbers[: len(known)])
    own = dict(zip(records, numbers[len(known) :], strict=True))
    kept = [record.image_id for record, number in own.items() if number not in taken]
    if not kept:
        return None
    batch = features.extract(backbone, source, kept, cache_folder=cache_folder, on_progress=on_progress)
    dropped = tuple(record.filename for record, number in own.items() if number in taken)
    return Foreign(batch.pre_VNP[0], tuple(kept), dropped, rejected)


def run(
    material: Material,
    *,
    shots: int | None = None,
    limit: float = LIMIT,
    coverage: float = COVERAGE,
    foreign: Foreign | None = None,
    on_progress: OnProgress | None = None,
) -> CertaintyStudy:
    """The study. shots: so many photos per class, drawn; by default all. Raises Cancelled when stopped: it is whole or nothing;
    DatasetError where a class has too few photos for folds, ConfigError."""
    start = time.perf_counter()
    check(limit, coverage)
    support = material.support
    if shots is not None:
        support = support.subset(draws(support, choose_shots(support, shots), 1, material.spec.seed)[0])
    pairs = splits.folds(
        support.labels_N.tolist(),
        support.groups_N,
        support.n_classes,
        n_folds=pilot.CROSS_VALIDATION_FOLDS,
        seed=material.spec.seed,
    )
    total = len(pairs) + 1
    reports = [Report(on_progress, done, total, start) for done in range(total + 1)]
    held_out = out_of_fold(material, support, pairs, reports)
    chosen = choose(held_out, limit, coverage)
    projector = measuring.fit(material, support, reports[len(pairs)])
    reports[total].tell()
    return measure(material, shots, held_out, chosen, projector, foreign, start)


def out_of_fold(
    material: Material, support: Support, pairs: Sequence[pilot.Fold], reports: Sequence[Report]
) -> OutOfFold:
    """Every photo to learn from is answered once; λ is chosen anew in every training."""
    labels_N = support.labels_N.numpy()
    logits_NC = np.zeros((len(labels_N), support.n_classes))
    fold_N = np.zeros(len(labels_N), dtype=int)
    projectors = []
    for number, (fit, held) in enumerate(pairs):
        projectors.append(measuring.fit(material, support.subset(torch.from_numpy(fit)), reports[number]))
        logits_NC[held] = _logits(material, support.pre_VNP[0, torch.from_numpy(held)], projectors[-1])
        fold_N[held] = number
    return OutOfFold(logits_NC, labels_N, fold_N, tuple(projectors))


def choose(held_out: OutOfFold, limit: float, coverage: float) -> Chosen:
    """Everything that is chosen. It is handed no test photo.

    The sets use the model's own probabilities: a temperature that was chosen on all folds at once would let a fold's model know
    of the fold that it is judged on, and the promise would be gone.
    """
    logits_NC, labels_N = held_out.logits_NC, held_out.labels_N
    temperature = certainty.temperature(logits_NC, labels_N)
    confidence_N, right_N = certainty.answers(certainty.probabilities(logits_NC, temperature), labels_N)
    true_scores_N = conformal.scores(certainty.probabilities(logits_NC))[np.arange(len(labels_N)), labels_N]
    return Chosen(
        support_accuracy=Share(int(right_N.sum()), len(right_N)),
        temperature=temperature,
        suggestion=certainty.suggest(confidence_N, right_N, limit),
        true_scores_N=true_scores_N,
        fold_N=held_out.fold_N,
        score_limit=conformal.quantile(true_scores_N, coverage),
        coverage=coverage,
    )


def measure(
    material: Material,
    shots: int | None,
    held_out: OutOfFold,
    chosen: Chosen,
    projector: Projector,
    foreign: Foreign | None,
    start: float,
) -> CertaintyStudy:
    """What was chosen, on the test photos."""
    labels_M = material.query_labels_M.numpy()
    logits_MC = _logits(material, material.query_MP, projector)
    confidence_M, right_M = certainty.answers(certainty.probabilities(logits_MC, chosen.temperature), labels_M)
    by_fold = [
        conformal.scores(certainty.probabilities(_logits(material, material.query_MP, one)))
        for one in held_out.projectors
    ]
    crossed_MC = conformal.cross_sets(chosen.true_scores_N, chosen.fold_N, by_fold, chosen.coverage)
    single_MC = conformal.scores(certainty.probabilities(logits_MC)) <= chosen.score_limit
    folds = len(held_out.projectors)
    return CertaintyStudy(
        material=material,
        shots=shots,
        folds=folds,
        chosen=chosen,
        accuracy=Share(int(right_M.sum()), len(right_M)),
        before=_calibration(logits_MC, labels_M, 1.0),
        after=_calibration(logits_MC, labels_M, chosen.temperature),
        outcomes=tuple(certainty.outcome(confidence_M, right_M, one) for one in THRESHOLDS),
        suggested=certainty.outcome(confidence_M, right_M, _threshold(chosen)),
        risk_coverage=certainty.risk_coverage(confidence_M, right_M),
        cross_sets=sets(crossed_MC, labels_M),
        sets=sets(single_MC, labels_M),
        guaranteed=conformal.guarantee(len(chosen.fold_N), folds, chosen.coverage),
        elsewhere=None if foreign is None else _elsewhere(material, chosen, projector, logits_MC, foreign),
        seconds=time.perf_counter() - start,
    )


def sets(sets_MC: np.ndarray, labels_M: np.ndarray) -> Sets:
    """Counts over sets (M, C) of bool."""
    size_M = sets_MC.sum(axis=1)
    covered_M = sets_MC[np.arange(len(labels_M)), labels_M]
    alone_M = size_M == 1
    return Sets(
        covered=Share(int(covered_M.sum()), len(labels_M)),
        alone=Share(int(alone_M.sum()), len(labels_M)),
        alone_right=Share(int((alone_M & covered_M).sum()), int(alone_M.sum())),
        mean_size=float(size_M.mean()),
        sizes=tuple(np.bincount(size_M, minlength=sets_MC.shape[1] + 1).tolist()),
    )


def _threshold(chosen: Chosen) -> float:
    """2 is more than any confidence: everything goes to a person."""
    return 2.0 if chosen.suggestion.threshold is None else chosen.suggestion.threshold


def _calibration(logits_MC: np.ndarray, labels_M: np.ndarray, temperature: float) -> Calibration:
    bins = certainty.reliability(*certainty.answers(certainty.probabilities(logits_MC, temperature), labels_M))
    return Calibration(certainty.calibration_error(bins), certainty.mean_loss(logits_MC, labels_M, temperature), bins)


def _elsewhere(
    material: Material, chosen: Chosen, projector: Projector, logits_MC: np.ndarray, foreign: Foreign
) -> Elsewhere:
    logits_FC = _logits(material, foreign.pre_FP, projector)
    confidence_F, confidence_M = (
        certainty.probabilities(logits, chosen.temperature).max(axis=1) for logits in (logits_FC, logits_MC)
    )
    away_F, away_M = (confidence < _threshold(chosen) for confidence in (confidence_F, confidence_M))
    return Elsewhere(
        count=len(logits_FC),
        turned_away=Share(int(away_F.sum()), len(away_F)),
        test_turned_away=Share(int(away_M.sum()), len(away_M)),
        confidence_auroc=certainty.auroc(confidence_M, confidence_F),
        cosine_auroc=certainty.auroc(logits_MC.max(axis=1), logits_FC.max(axis=1)),  # the scale changes no order
        energy_auroc=certainty.auroc(certainty.energy(logits_MC), certainty.energy(logits_FC)),
        image_ids=foreign.image_ids,
        answers=tuple(logits_FC.argmax(axis=1).tolist()),
        confidences=tuple(confidence_F.tolist()),
        dropped=foreign.dropped,
        rejected=foreign.rejected,
    )


def _logits(material: Material, pre_NP: torch.Tensor, projector: Projector) -> np.ndarray:
    found: np.ndarray = measuring.logits(material, pre_NP, projector).double().numpy()
    return found

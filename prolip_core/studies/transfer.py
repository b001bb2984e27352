"""A projector that was trained on other photos, tried on these: does it carry over?

The same test photos are answered by zero-shot, by the projector from elsewhere and by the project's own training, among the
project's classes. The projector from elsewhere needs the same backbone, not the same classes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from prolip_core import differences, duplicates, projector_file, runs
from prolip_core.backbones import Backbone
from prolip_core.certainty import Share
from prolip_core.differences import Paired
from prolip_core.errors import DatasetError
from prolip_core.studies import measuring
from prolip_core.studies.condition_words import FOREIGN, PROLIP, ZERO_SHOT
from prolip_core.studies.material import Material, OnProgress, Report
from prolip_core.types import ImageRecord, Note, Projector


@dataclass(frozen=True)
class Foreign:
    """A projector from elsewhere, the classes that it was trained on, and what is known of the photos that taught it."""

    projector: Projector
    class_names: tuple[str, ...]
    taught_ids: frozenset[str] = frozenset()
    taught: tuple[ImageRecord, ...] = ()


@dataclass(frozen=True)
class TransferStudy:
    """accuracies: per method on the same photos; pairs: (first, second) → both on the same photos; own: False without a training.
    dropped: test photos that the projector from elsewhere has learnt from, or near-duplicates of such."""

    material: Material
    foreign: Foreign
    accuracies: dict[str, Share]
    pairs: dict[tuple[str, str], Paired]
    dropped: tuple[str, ...]
    seconds: float

    @property
    def own(self) -> bool:
        return PROLIP in self.accuracies


def read(path: Path, backbone: Backbone, *, taught: Sequence[ImageRecord] = ()) -> Foreign:
    """The projector of a run's folder, or a projector file. taught: the photos that it learnt from, where they are at hand.

    Raises RunError, ProjectorMismatchError for another backbone.
    """
    file = path / runs.PROJECTOR if path.is_dir() else path
    projector, names = projector_file.load_foreign(file, backbone)
    return Foreign(projector, names, _taught_ids(file.with_name(runs.RESULT)), tuple(taught))


def run(
    material: Material, foreign: Foreign, *, own: bool = True, on_progress: OnProgress | None = None
) -> TransferStudy:
    """The study. own: train the project's own projector as well. Raises Cancelled when stopped, DatasetError where the
    projector from elsewhere has learnt from every test photo."""
    start = time.perf_counter()
    rows, dropped = _unseen(material, foreign)
    labels_M = material.query_labels_M[rows]
    methods = {ZERO_SHOT: material.projector, FOREIGN: foreign.projector}
    if own:
        methods[PROLIP] = measuring.fit(material, material.support, Report(on_progress, 0, 1, start))
    Report(on_progress, 1, 1, start).tell()
    right = {key: measuring.right(material, material.query_MP[rows], one, labels_M) for key, one in methods.items()}
    wanted = [(ZERO_SHOT, FOREIGN), (ZERO_SHOT, PROLIP), (FOREIGN, PROLIP)]
    return TransferStudy(
        material=material,
        foreign=foreign,
        accuracies={key: Share(sum(one), len(one)) for key, one in right.items()},
        pairs={
            (first, second): differences.paired(right[first], right[second])
            for first, second in wanted
            if second in right
        },
        dropped=dropped,
        seconds=time.perf_counter() - start,
    )


def notes(study: TransferStudy) -> tuple[Note, ...]:
    """What came of it, in sentences that a screen can translate."""
    pair = study.pairs[(ZERO_SHOT, FOREIGN)]
    said = [_against_zero_shot(pair)]
    if study.own:
        said.append(_against_own(study.pairs[(FOREIGN, PROLIP)]))
    shared = [name for name in study.material.class_names if name in study.foreign.class_names]
    if shared:
        said.append(Note("It was trained on classes of the same name: {names}.", {"names": ", ".join(shared)}))
    else:
        said.append(Note("It was trained on none of these classes."))
    gone = len(study.foreign.taught_ids - {record.image_id for record in study.foreign.taught})
    if not study.foreign.taught:
        said.append(
            Note(
                "Of the photos that it was trained on only identical copies could be told and left out, not near-duplicates."
            )
        )
    elif gone:
        said.append(
            Note(
                "{gone} of the {count} photos that it was trained on are not at hand any more: of these only identical copies "
                "could be told and left out, not near-duplicates.",
                {"gone": gone, "count": len(study.foreign.taught_ids)},
            )
        )
    return tuple(said)


def _against_zero_shot(pair: Paired) -> Note:
    values = _range(pair)
    if pair.interval[0] > 0:
        return Note("What the other project has learnt carries over: {low} to {high} points over zero-shot.", values)
    if pair.interval[1] < 0:
        return Note("What the other project has learnt harms here: {low} to {high} points against zero-shot.", values)
    return Note(
        "Whether what the other project has learnt helps or harms here cannot be told: {low} to {high} points against zero-shot.",
        values,
    )


def _against_own(pair: Paired) -> Note:
    values = _range(pair)
    if pair.interval[0] > 0:
        return Note("Training on the project's own photos is better: {low} to {high} points over it.", values)
    if pair.interval[1] < 0:
        return Note("Training on the project's own photos is worse: {low} to {high} points against it.", values)
    return Note(
        "Whether training on the project's own photos is better cannot be told: {low} to {high} points against it.",
        values,
    )


def _range(pair: Paired) -> dict[str, object]:
    low, high = pair.interval
    return {"low": f"{100 * low:+.0f}", "high": f"{100 * high:+.0f}"}


def _unseen(material: Material, foreign: Foreign) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Positions of the test photos that did not teach the projector, and the names of the others."""
    query = material.split.query
    groups = duplicates.groups([*foreign.taught, *(image.record for image in query)])
    taught = set(groups[: len(foreign.taught)])
    seen = [
        image.image_id in foreign.taught_ids or group in taught
        for image, group in zip(query, groups[len(foreign.taught) :], strict=True)
    ]
    if all(seen):
        raise DatasetError(
            "All {count} test photos are the same as, or near-duplicates of, photos that the projector was trained on.",
            remedy="Choose the projector of another project, or new test photos.",
            count=len(query),
        )
    kept = [row for row, was_seen in enumerate(seen) if not was_seen]
    names = tuple(image.record.filename for image, was_seen in zip(query, seen, strict=True) if was_seen)
    return torch.tensor(kept), names


def _taught_ids(result: Path) -> frozenset[str]:
    """From the result beside the projector, if there is one that can be read."""
    try:
        photos = json.loads(result.read_text(encoding="utf-8"))["photos"]["support"]
        return frozenset(str(photo["id"]) for photo in photos)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return frozenset()

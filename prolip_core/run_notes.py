"""What the reader of a run's numbers should know besides the numbers."""

from __future__ import annotations

from dataclasses import dataclass

from prolip_core import prompts
from prolip_core.catalogue import BackboneSpec
from prolip_core.dataset import PhotoSet
from prolip_core.types import Note, Split


@dataclass(frozen=True)
class CrossValidation:
    """How cross-validation measured: ProLIP's accuracy in every finished repeat, the one (the median) that is reported, and how
    many repeats were planned."""

    folds: int
    accuracies: tuple[float, ...]
    reported_repeat: int
    planned_repeats: int


def of(photos: PhotoSet, split: Split, backbone: BackboneSpec, crossed: CrossValidation | None) -> tuple[Note, ...]:
    """What the reader of the numbers should know, in plain sentences."""
    found = []
    if split.dropped:
        found.append(
            Note(
                "Test photos were left out because they are the same as, or near-duplicates of, training photos (number: "
                "{count}).",
                {"count": len(split.dropped)},
            )
        )
    unread = [
        spec.display_name for spec in photos.classes if not all(prompts.is_english(name) for name in spec.prompt_names)
    ]
    if unread and backbone.language == "English":
        found.append(
            Note(
                "The backbone reads English only, but these class names are not in English: {names}. Give English prompt names "
                "in the class list; until then zero-shot answers on them are guesses.",
                {"names": ", ".join(unread)},
            )
        )
    if not backbone.commercial_use:
        found.append(
            Note(
                "The licence of this backbone forbids commercial use: {licence}",
                {"licence": Note(backbone.licence)},
            )
        )
    absent = [
        spec.display_name
        for label, spec in enumerate(photos.classes)
        if split.query and label not in {image.label for image in split.query}
    ]
    if absent:
        found.append(
            Note(
                "No test photo of: {names}. Nothing is known about how well they are recognised.",
                {"names": ", ".join(absent)},
            )
        )
    if crossed is not None and len(crossed.accuracies) < crossed.planned_repeats:
        found.append(
            Note(
                "Cross-validation was stopped early: it was done {done} times instead of {planned}.",
                {"done": len(crossed.accuracies), "planned": crossed.planned_repeats},
            )
        )
    return tuple(found)

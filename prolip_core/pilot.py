"""One spec → one run: the whole pilot, step by step. The file to read first.

photos → checked, grouped by likeness → support / query → sentences → features → training on the support alone → zero-shot and
ProLIP on the same photos → counts, ranges, a paired test.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from prolip_core import (
    backbones,
    catalogue,
    classify,
    devices,
    duplicates,
    features,
    metrics,
    prolip,
    prompts,
    splits,
    weights,
)
from prolip_core.backbones import Backbone
from prolip_core.catalogue import BackboneSpec
from prolip_core.dataset import PhotoSet
from prolip_core.devices import Device
from prolip_core.errors import Cancelled, ConfigError
from prolip_core.metrics import Evaluation
from prolip_core.objective import FitConfig, OnStep, Support
from prolip_core.types import ClassVectors, LabelledImage, Prediction, Progress, Projector, Split, TrainedProjector

CROSS_VALIDATION_FOLDS = 5
CROSS_VALIDATION_REPEATS = 3
MAX_SEED = 2**31 - 1

Fold = tuple[np.ndarray, np.ndarray]
"""Positions in the support: what is learnt from, what is held out."""

OnProgress = Callable[[Progress], bool | None]


@dataclass(frozen=True)
class PilotSpec:
    """All choices of a run besides the photos. The defaults need no decision from the user."""

    backbone: BackboneSpec = field(default_factory=lambda: catalogue.parse(catalogue.STARTER))
    templates: tuple[str, ...] = prompts.template_set("general").templates
    n_views: int = 1
    fit: FitConfig = field(default_factory=FitConfig)
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class CrossValidation:
    """How cross-validation measured: ProLIP's accuracy in every repeat, and the repeat (the median one) that is reported."""

    folds: int
    accuracies: tuple[float, ...]
    reported_repeat: int


@dataclass(frozen=True)
class Answers:
    """Zero-shot's and ProLIP's predictions on the same photos in the same order."""

    zero_shot: tuple[Prediction, ...]
    prolip: tuple[Prediction, ...]
    cross_validation: CrossValidation | None = None


@dataclass(frozen=True)
class PilotRun:
    """Everything that came out of a run. `seconds` has features, fit and total."""

    spec: PilotSpec
    photos: PhotoSet
    split: Split
    backbone: Backbone
    class_vectors: ClassVectors
    trained: TrainedProjector
    answers: Answers
    zero_shot: Evaluation
    prolip: Evaluation
    mcnemar_p: float
    seconds: dict[str, float]
    warnings: tuple[str, ...]

    @property
    def evaluation(self) -> str:
        """On which photos it was measured: "test" or "cross_validation"."""
        return "test" if self.answers.cross_validation is None else "cross_validation"


@dataclass(frozen=True)
class _Task:
    """What both ways of measuring need."""

    backbone: Backbone
    class_vectors: ClassVectors
    initial: Projector
    support: Support
    images: Sequence[LabelledImage]
    config: FitConfig


def run(
    spec: PilotSpec,
    photos: PhotoSet,
    *,
    cache_folder: Path | None = None,
    on_progress: OnProgress | None = None,
    on_step: OnStep | None = None,
) -> PilotRun:
    """The whole pilot. Raises the errors of its parts (ProLIPError), each with what to do about it."""
    start = time.perf_counter()
    check_seed(spec.seed)
    class_names = tuple(spec_.display_name for spec_ in photos.classes)
    groups = group_photos(photos)
    split = splits.make_split(photos.support, photos.query, groups, len(class_names))
    # Anew, from the support alone: a test photo that lies between two training photos must not join them.
    support_groups = duplicates.groups([image.record for image in split.support])
    plans = () if split.query else plan_cross_validation(split.support, support_groups, len(class_names), spec.seed)
    prompt_set = prompts.build(photos.classes, spec.templates)

    backbone = load_backbone(spec)
    class_vectors = backbone.encode_prompts(prompt_set)

    features_start = time.perf_counter()
    pre_VNP, query_NP = extract_features(spec, photos, split, backbone, cache_folder, on_progress)
    features_s = time.perf_counter() - features_start

    labels_N = torch.tensor([image.label for image in split.support])
    support = Support(pre_VNP, labels_N, support_groups, len(class_names))
    config = replace(spec.fit, seed=spec.seed)
    task = _Task(backbone, class_vectors, backbone.projector, support, split.support, config)
    trained = _fit(task, support, on_step)
    answers = (
        answer_test(task, trained.projector, split.query, query_NP)
        if split.query
        else answer_cross_validation(task, plans, on_progress)
    )
    return PilotRun(
        spec=spec,
        photos=photos,
        split=split,
        backbone=backbone,
        class_vectors=class_vectors,
        trained=trained,
        answers=answers,
        zero_shot=metrics.evaluate(answers.zero_shot, class_names),
        prolip=metrics.evaluate(answers.prolip, class_names),
        mcnemar_p=metrics.mcnemar_p(answers.zero_shot, answers.prolip),
        seconds={"features": features_s, "fit": trained.seconds, "total": time.perf_counter() - start},
        warnings=warnings_for(photos, split, backbone),
    )


def check(spec: PilotSpec) -> None:
    """Raises what is wrong with the choices themselves, before any photo is read: templates, views, seed, device, model."""
    for template in spec.templates:
        prompts.check_template(template)
    features.check_views(spec.n_views)
    check_seed(spec.seed)
    devices.choose(spec.device, spec.precision)
    if spec.backbone.name != catalogue.STARTER:
        backbones.architecture_config(spec.backbone)
    if spec.backbone.checkpoint is not None:
        weights.find(spec.backbone)


def check_seed(seed: int) -> None:
    """Raises ConfigError unless 0 ≤ seed ≤ MAX_SEED, what every generator in use takes."""
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(
            "The seed is {value}; it must be between 0 and {limit}.",
            remedy="Leave it at 0 if unsure.",
            value=seed,
            limit=MAX_SEED,
        )


def load_backbone(spec: PilotSpec) -> Backbone:
    """The spec's backbone on the spec's device."""
    device: Device = devices.choose(spec.device, spec.precision)
    return backbones.load(spec.backbone, device)


def group_photos(photos: PhotoSet) -> dict[str, int]:
    """Image id → number of its group of near-duplicates, over support and query together."""
    records = {image.image_id: image.record for image in (*photos.support, *photos.query)}
    return dict(zip(records, duplicates.groups(tuple(records.values())), strict=True))


def extract_features(
    spec: PilotSpec,
    photos: PhotoSet,
    split: Split,
    backbone: Backbone,
    cache_folder: Path | None,
    on_progress: OnProgress | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of the support (V, N, P) and of the query (N, P); only what teaches is augmented."""
    total = len(split.support) + len(split.query)

    def shifted(offset: int) -> OnProgress | None:
        if on_progress is None:
            return None
        return lambda p: on_progress(replace(p, done=p.done + offset, total=total))

    support = features.extract(
        backbone,
        photos.source,
        [image.image_id for image in split.support],
        n_views=spec.n_views,
        seed=spec.seed,
        cache_folder=cache_folder,
        on_progress=shifted(0),
    )
    query = features.extract(
        backbone,
        photos.source,
        [image.image_id for image in split.query],
        seed=spec.seed,
        cache_folder=cache_folder,
        on_progress=shifted(len(split.support)),
    )
    return support.pre_VNP, query.pre_VNP[0]


def answer_test(task: _Task, trained: Projector, query: Sequence[LabelledImage], query_NP: torch.Tensor) -> Answers:
    """Both methods on the query photos."""
    return Answers(_predict(task, query, query_NP, task.initial), _predict(task, query, query_NP, trained))


def plan_cross_validation(
    support: Sequence[LabelledImage], groups_N: Sequence[int], n_classes: int, seed: int
) -> tuple[Sequence[Fold], ...]:
    """The folds of every repeat. Raises DatasetError where a class has too few photos, before any is read."""
    labels = [image.label for image in support]
    return tuple(
        splits.folds(labels, groups_N, n_classes, n_folds=CROSS_VALIDATION_FOLDS, seed=seed + repeat)
        for repeat in range(CROSS_VALIDATION_REPEATS)
    )


def answer_cross_validation(
    task: _Task, plans: Sequence[Sequence[Fold]], on_progress: OnProgress | None = None
) -> Answers:
    """Both methods on the support photos by repeated stratified k-fold: every photo is answered by a training that has seen
    neither it nor a near-duplicate of it, and λ is chosen anew inside every training.

    One repeat is reported, the one with the median accuracy, so that every photo is counted once.
    """
    total, done, start = sum(len(plan) for plan in plans), 0, time.perf_counter()
    repeats: list[tuple[Prediction, ...]] = []
    for plan in plans:
        by_position: dict[int, Prediction] = {}
        for fit, held in plan:
            teaching = task.support.subset(torch.from_numpy(fit))
            trained = _fit(task, teaching)
            images = [task.images[i] for i in held.tolist()]
            pre_NP = task.support.pre_VNP[0, torch.from_numpy(held)]
            by_position |= zip(held.tolist(), _predict(task, images, pre_NP, trained.projector), strict=True)
            done += 1
            left_s = (time.perf_counter() - start) / done * (total - done)
            if on_progress and on_progress(Progress("cross_validation", done, total, 0.0, left_s)):
                raise Cancelled("Stopped during cross-validation; nothing was saved.")
        repeats.append(tuple(by_position[i] for i in range(len(task.images))))
    accuracies = tuple(sum(p.predicted == p.label for p in one) / len(one) for one in repeats)
    reported = accuracies.index(statistics.median_low(accuracies))
    zero_shot = _predict(task, task.images, task.support.pre_VNP[0], task.initial)
    return Answers(zero_shot, repeats[reported], CrossValidation(len(plans[0]), accuracies, reported))


def warnings_for(photos: PhotoSet, split: Split, backbone: Backbone) -> tuple[str, ...]:
    """What the reader of the numbers should know, in plain sentences."""
    found = []
    if split.dropped:
        found.append(
            "Test photos were left out because they are the same as, or near-duplicates of, training photos (number: "
            f"{len(split.dropped)})."
        )
    unread = [
        spec.display_name for spec in photos.classes if not all(prompts.is_english(name) for name in spec.prompt_names)
    ]
    if unread and backbone.spec.language == "English":
        found.append(
            f"The backbone reads English only, but these class names are not in English: {', '.join(unread)}. "
            "Give English prompt names in the class list; until then zero-shot answers on them are guesses."
        )
    if not backbone.spec.commercial_use:
        found.append(f"The licence of this backbone forbids commercial use: {backbone.spec.licence}")
    absent = [
        spec.display_name
        for label, spec in enumerate(photos.classes)
        if split.query and label not in {image.label for image in split.query}
    ]
    if absent:
        found.append(f"No test photo of: {', '.join(absent)}. Nothing is known about how well they are recognised.")
    return tuple(found)


def _fit(task: _Task, support: Support, on_step: OnStep | None = None) -> TrainedProjector:
    return prolip.fit(
        support,
        task.class_vectors.text_CD,
        task.initial,
        task.backbone.logit_scale,
        task.config,
        on_step,
        device=task.backbone.device.fit_device,
    )


def _predict(
    task: _Task, images: Sequence[LabelledImage], pre_NP: torch.Tensor, projector: Projector
) -> tuple[Prediction, ...]:
    return classify.predict(
        [image.image_id for image in images],
        pre_NP,
        [image.label for image in images],
        projector,
        task.class_vectors.text_CD,
        task.backbone.logit_scale,
    )

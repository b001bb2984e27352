"""One spec → one run: the whole pilot, step by step. The file to read first.

photos → checked, grouped by likeness → support / query → sentences → features → training on the support alone → zero-shot and
ProLIP on the same photos → counts, ranges, a paired test.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    run_notes,
    splits,
    sure_rule,
    weights,
)
from prolip_core.backbones import Backbone
from prolip_core.dataset import PhotoSet
from prolip_core.devices import Device
from prolip_core.errors import Cancelled, ConfigError, DatasetError
from prolip_core.metrics import Evaluation
from prolip_core.objective import OnStep, Support
from prolip_core.run_notes import CrossValidation
from prolip_core.spec import FitConfig, PilotSpec
from prolip_core.sure_rule import SureRule
from prolip_core.types import (
    ClassVectors,
    LabelledImage,
    Note,
    Prediction,
    Progress,
    Projector,
    Split,
    Step,
    TrainedProjector,
)

CROSS_VALIDATION_FOLDS = 5
CROSS_VALIDATION_REPEATS = 3
MAX_SEED = 2**31 - 1

Fold = tuple[np.ndarray, np.ndarray]
"""Positions in the support: what is learnt from, what is held out."""

OnProgress = Callable[[Progress], bool | None]


@dataclass(frozen=True)
class Answers:
    """Zero-shot's and ProLIP's predictions on the same photos in the same order."""

    zero_shot: tuple[Prediction, ...]
    prolip: tuple[Prediction, ...]
    cross_validation: CrossValidation | None = None


@dataclass(frozen=True)
class PilotRun:
    """Everything that came out of a run. `seconds` has features, fit and total.

    sure: None where a class has too few photos to hold some back, or where a person stopped its making.
    """

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
    sure: SureRule | None
    seconds: dict[str, float]
    warnings: tuple[Note, ...]

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
    backbone: Backbone | None = None,
) -> PilotRun:
    """The whole pilot. Raises the errors of its parts (ProLIPError), each with what to do about it.

    `on_step` returning True ends the training and keeps the best so far; what is measured then is what was kept. `on_progress`
    returning True ends the run (Cancelled) with two exceptions: a cross-validation of which a whole repeat is finished is
    reported, and the rule of `sure_rule` is left out. backbone: spec.backbone, loaded already on the spec's device.
    """
    start = time.perf_counter()
    check_seed(spec.seed)
    class_names = tuple(spec_.display_name for spec_ in photos.classes)
    groups = group_photos(photos)
    split = splits.make_split(photos.support, photos.query, groups, len(class_names))
    # Anew, from the support alone: a test photo that lies between two training photos must not join them.
    support_groups = duplicates.groups([image.record for image in split.support])
    plans = () if split.query else plan_cross_validation(split.support, support_groups, len(class_names), spec.seed)
    prompt_set = prompts.build(photos.classes, spec.templates)

    report = on_progress or (lambda _progress: None)
    if backbone is None:
        if report(Progress("load", 0, 1, 0.0, None)):
            raise Cancelled("Stopped before the model was loaded; nothing was saved.")
        backbone = load_backbone(spec)
        report(Progress("load", 1, 1, 0.0, None))
    class_vectors = backbone.encode_prompts(prompt_set)

    features_start = time.perf_counter()
    pre_VNP, query_NP = extract_features(spec, photos, split, backbone, cache_folder, on_progress)
    features_s = time.perf_counter() - features_start

    labels_N = torch.tensor([image.label for image in split.support])
    support = Support(pre_VNP, labels_N, support_groups, len(class_names))
    config = replace(spec.fit, seed=spec.seed)
    task = _Task(backbone, class_vectors, backbone.projector, support, split.support, config)
    trained = _fit(task, support, on_step, on_progress)
    answers = (
        answer_test(task, trained.projector, split.query, query_NP)
        if split.query
        else answer_cross_validation(
            task, plans, on_progress, stop_at=len(trained.history) if trained.stopped else None
        )
    )
    sure = _sure_rule(task, trained, answers, on_progress)
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
        sure=sure,
        seconds={"features": features_s, "fit": trained.seconds, "total": time.perf_counter() - start},
        warnings=run_notes.of(photos, split, backbone.spec, answers.cross_validation),
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


def _sure_rule(
    task: _Task, trained: TrainedProjector, answers: Answers, on_progress: OnProgress | None
) -> SureRule | None:
    """From held-out answers about the support: those of the cross-validation, else of one round more with the λ of the training.

    To choose λ anew in every fold would cost more than the training itself, for a temperature that hardly moves.
    """
    if answers.cross_validation is None:
        task = replace(task, config=replace(task.config, lam=trained.lam))
        support, stop_at = task.support, len(trained.history) if trained.stopped else None
        try:
            plan = splits.folds(
                support.labels_N.tolist(),
                support.groups_N,
                support.n_classes,
                n_folds=CROSS_VALIDATION_FOLDS,
                seed=task.config.seed,
            )
            answers = answer_cross_validation(task, [plan], on_progress, stop_at=stop_at, stage="sure")
        except (DatasetError, Cancelled):
            return None
    probs_NC = np.array([one.probabilities for one in answers.prolip])
    return sure_rule.choose(probs_NC, np.array([one.label for one in answers.prolip]))


def answer_cross_validation(
    task: _Task,
    plans: Sequence[Sequence[Fold]],
    on_progress: OnProgress | None = None,
    *,
    stop_at: int | None = None,
    stage: str = "cross_validation",
) -> Answers:
    """Both methods on the support photos by repeated stratified k-fold: every photo is answered by a training that has seen
    neither it nor a near-duplicate of it, and λ is chosen anew inside every training.

    One repeat is reported, the one with the median accuracy, so that every photo is counted once. stop_at: the step at which the
    training itself was ended by hand; every training on a fold ends there too, so that what is measured is what was kept.
    """
    total, done, start = sum(len(plan) for plan in plans), 0, time.perf_counter()
    stopped = False

    def report() -> bool:
        """Tells how far it is; True once a person has asked to stop."""
        nonlocal stopped
        left_s = (time.perf_counter() - start) / done * (total - done) if done else None
        stopped = stopped or bool(on_progress and on_progress(Progress(stage, done, total, 0.0, left_s)))
        return stopped

    repeats: list[tuple[Prediction, ...]] = []
    for plan in plans:
        by_position: dict[int, Prediction] = {}
        for fit, held in plan:
            if report():
                break
            teaching = task.support.subset(torch.from_numpy(fit))
            try:
                trained = _fit_fold(task, teaching, report, stop_at)
            except Cancelled:
                break
            if stopped:
                break
            images = [task.images[i] for i in held.tolist()]
            pre_NP = task.support.pre_VNP[0, torch.from_numpy(held)]
            by_position |= zip(held.tolist(), _predict(task, images, pre_NP, trained.projector), strict=True)
            done += 1
        if len(by_position) < len(task.images):
            break
        repeats.append(tuple(by_position[i] for i in range(len(task.images))))
    if not repeats:
        raise Cancelled("Stopped during cross-validation; nothing was saved.")
    report()
    accuracies = tuple(sum(p.predicted == p.label for p in one) / len(one) for one in repeats)
    reported = accuracies.index(statistics.median_low(accuracies))
    zero_shot = _predict(task, task.images, task.support.pre_VNP[0], task.initial)
    return Answers(zero_shot, repeats[reported], CrossValidation(len(plans[0]), accuracies, reported, len(plans)))


def _fit_fold(task: _Task, teaching: Support, should_stop: Callable[[], bool], stop_at: int | None) -> TrainedProjector:
    """The training of one fold, which can be interrupted at any step."""

    def on_step(step: Step) -> bool:
        return should_stop() or (stop_at is not None and step.step >= stop_at)

    return prolip.fit(
        teaching,
        task.class_vectors.text_CD,
        task.initial,
        task.backbone.logit_scale,
        task.config,
        on_step,
        device=task.backbone.device.fit_device,
        on_fold=lambda _done, _total: should_stop(),
    )


def _fit(
    task: _Task, support: Support, on_step: OnStep | None = None, on_progress: OnProgress | None = None
) -> TrainedProjector:
    def on_fold(done: int, total: int) -> bool:
        return bool(on_progress and on_progress(Progress("lambda", done, total, 0.0, None)))

    return prolip.fit(
        support,
        task.class_vectors.text_CD,
        task.initial,
        task.backbone.logit_scale,
        task.config,
        on_step,
        device=task.backbone.device.fit_device,
        on_fold=on_fold,
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

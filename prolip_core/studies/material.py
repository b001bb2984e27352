"""What every study works on: features of all photos, computed once, and draws of a few photos per class from the support."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from prolip_core import duplicates, features, pilot, prompts, splits
from prolip_core.backbones import Backbone
from prolip_core.baselines.problem import ContextEncoder, Problem, TextSide, TokenSide
from prolip_core.baselines.prompt_tuning import CONTEXT_LENGTH
from prolip_core.dataset import PhotoSet
from prolip_core.errors import Cancelled, ConfigError, DatasetError
from prolip_core.objective import Support
from prolip_core.spec import PilotSpec
from prolip_core.types import ClassVectors, Progress, Projector, PromptSet, Split

OnProgress = Callable[[Progress], bool | None]
"""Told how far a study is; returning True stops it. Draws that are whole are kept."""

MAX_SHOTS = 16
MAX_DRAWS = 100
TOKEN_DEVICES = ("cuda",)
"""Where the last block of a vision transformer is trained: elsewhere it would take minutes."""


@dataclass(frozen=True)
class Material:
    """A photo set as tensors. `support` holds all photos that may teach, with all views; `query_MP` view 0 of the test photos.

    A test photo that is the same as, or a near-duplicate of, any support photo is in `split.dropped`, so the test photos are the
    same for every draw.
    """

    spec: PilotSpec
    split: Split
    class_vectors: ClassVectors
    projector: Projector
    logit_scale: float
    support: Support
    query_MP: torch.Tensor
    text_side: TextSide | None
    context: ContextEncoder | None
    backbone_title: str
    backbone_sha256: str
    tokens: TokenSide | None = None
    query_tokens_MTW: torch.Tensor | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.class_vectors.class_names

    @property
    def query_labels_M(self) -> torch.Tensor:  # noqa: N802 - the name is the shape
        return torch.tensor([image.label for image in self.split.query])

    def problem(self, rows: torch.Tensor, seed: int) -> Problem:
        """The few-shot problem of a draw: these support photos and no others."""
        whole = Problem(
            self.support,
            self.class_vectors.text_CD,
            self.projector,
            self.logit_scale,
            seed,
            self.text_side,
            self.context,
            self.tokens,
        )
        return whole.subset(rows)


def prepare(
    spec: PilotSpec,
    photos: PhotoSet,
    *,
    cache_folder: Path | None = None,
    on_progress: OnProgress | None = None,
    backbone: Backbone | None = None,
    needs_test: bool = True,
    with_tokens: bool = False,
) -> Material:
    """Photos → tensors. Raises DatasetError without test photos, Cancelled, and the errors of its parts.

    backbone: spec.backbone, loaded already on the spec's device. needs_test: False for a study that can hold photos out.
    with_tokens: where the model is a vision transformer on a GPU, the photos are read once more, up to its last block.
    """
    pilot.check_seed(spec.seed)
    if needs_test and not photos.query:
        raise DatasetError(
            "A study needs test photos: its methods are measured on photos that none of them learns from.",
            remedy="Give a folder of test photos.",
        )
    split = splits.make_split(photos.support, photos.query, pilot.group_photos(photos), len(photos.classes))
    prompt_set = prompts.build(photos.classes, spec.templates)
    if backbone is None:
        if on_progress is not None and on_progress(Progress("load", 0, 1, 0.0, None)):
            raise Cancelled("Stopped before the model was loaded; nothing was saved.")
        backbone = pilot.load_backbone(spec)
    class_vectors = backbone.encode_prompts(prompt_set)
    pre_VNP, query_MP = pilot.extract_features(spec, photos, split, backbone, cache_folder, on_progress)
    groups_N = duplicates.groups([image.record for image in split.support])
    labels_N = torch.tensor([image.label for image in split.support])
    tail = backbone.tail() if with_tokens and backbone.device.torch_device.type in TOKEN_DEVICES else None
    tokens = query_tokens_MTW = None
    if tail is not None:
        tokens_NTW, query_tokens_MTW = (
            features.extract_tokens(
                backbone, photos.source, [image.image_id for image in images], on_progress=on_progress
            )
            for images in (split.support, split.query)
        )
        tokens = TokenSide(tokens_NTW, tail, backbone.device.torch_device)
    return Material(
        spec=spec,
        split=split,
        class_vectors=class_vectors,
        projector=backbone.projector,
        logit_scale=backbone.logit_scale,
        support=Support(pre_VNP, labels_N, groups_N, len(photos.classes)),
        query_MP=query_MP,
        text_side=_text_side(backbone, prompt_set),
        context=_context(backbone, photos),
        backbone_title=backbone.device.title,
        backbone_sha256=backbone.fingerprint,
        tokens=tokens,
        query_tokens_MTW=query_tokens_MTW,
    )


def _text_side(backbone: Backbone, prompt_set: PromptSet) -> TextSide | None:
    opened = backbone.sentences_before_projector(prompt_set)
    if opened is None:
        return None
    counts = torch.tensor([len(of_class) for of_class in prompt_set.sentences])
    return TextSide(opened[0], torch.arange(len(counts)).repeat_interleave(counts), opened[1])


def _context(backbone: Backbone, photos: PhotoSet) -> ContextEncoder | None:
    """Prompt tuning around the first English name of every class."""
    names = [spec.prompt_names[0] for spec in photos.classes]
    opened = backbone.context_encoder(names, CONTEXT_LENGTH)
    return None if opened is None else ContextEncoder(*opened)


def choose_shots(support: Support, shots: int | None) -> int:
    """Photos per class of a draw: as asked, or MAX_SHOTS, or what the smallest class has. Raises ConfigError, DatasetError."""
    smallest = min(support.images_per_class)
    if shots is None:
        return min(MAX_SHOTS, smallest)
    if shots < 1:
        raise ConfigError("The number of photos per class is {value}; it must be 1 or more.", value=shots)
    if shots > smallest:
        raise DatasetError(
            "{value} photos per class are asked for, but the smallest class has {count}.",
            remedy="Ask for fewer, or add photos.",
            value=shots,
            count=smallest,
        )
    return shots


def check_draws(draws: int) -> None:
    """Raises ConfigError unless 1 ≤ draws ≤ MAX_DRAWS."""
    if not 1 <= draws <= MAX_DRAWS:
        raise ConfigError(
            "The number of draws is {value}; it must be between 1 and {limit}.",
            remedy="5 is a good start.",
            value=draws,
            limit=MAX_DRAWS,
        )


def draws(support: Support, shots: int, count: int, seed: int) -> tuple[torch.Tensor, ...]:
    """`count` random draws of that many photos per class, each as positions in the support in ascending order.

    Near-duplicates of a drawn photo come last, so that N photos are N different ones where the class has them. Only one draw
    where every class has just that many photos: there is nothing to draw.
    """
    if all(have == shots for have in support.images_per_class):
        count = 1
    labels = support.labels_N.tolist()
    found = []
    for number in range(count):
        random = np.random.default_rng((seed, number))
        rows: list[int] = []
        for label in range(support.n_classes):
            members = [i for i, one in enumerate(labels) if one == label]
            rows += _different_first(random.permutation(members).tolist(), support.groups_N)[:shots]
        found.append(torch.tensor(sorted(rows)))
    return tuple(found)


def _different_first(rows: Sequence[int], groups_N: Sequence[int]) -> list[int]:
    """The first photo of every group, then the second ones, and so on; otherwise in the order given."""
    seen: dict[int, int] = {}
    rank = {}
    for row in rows:
        rank[row] = seen[groups_N[row]] = seen.get(groups_N[row], -1) + 1
    return sorted(rows, key=lambda row: rank[row])


class Report:
    """Passes on how far the study is, from inside a method too; asks it to stop."""

    def __init__(self, on_progress: OnProgress | None, done: int, total: int, start: float) -> None:
        self._on_progress, self._done, self._total, self._start = on_progress, done, total, start

    def tell(self) -> bool:
        if self._on_progress is None:
            return False
        elapsed_s = time.perf_counter() - self._start
        left_s = elapsed_s / self._done * (self._total - self._done) if self._done else None
        return bool(self._on_progress(Progress("study", self._done, self._total, 0.0, left_s)))

    def __call__(self, _done: int, _total: int) -> bool:
        return self.tell()


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for small problems: two pools wait for each other by spinning, which costs more than the second core gives."""
    threads = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

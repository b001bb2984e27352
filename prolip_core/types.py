"""Frozen records that travel between the parts, and the key to every tensor name.

Dimension key: N images · C classes · V views (view 0 = not augmented) · P width before the projector · D joint width ·
T templates · B batch · H, W pixels.

A tensor carries its shape as a suffix: `pre_NP`, `text_CD`, `weight_PD`, `logits_NC`, `counts_CC`. Rows are samples or
classes, always; the projector multiplies from the right. `pre_*` is raw, `image_*` and `text_*` have unit norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

    from prolip_core.errors import ImageError


@dataclass(frozen=True)
class Note:
    """A sentence for a person: a `str.format` template in English and what fills it, apart, so that a screen can translate."""

    message: str
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.message.format(**self.values)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class ImageRecord:
    """A photo that passed every check. `image_id` is the SHA-256 of its bytes.

    `width_px` and `height_px` are those of the upright picture. `phash` is a perceptual hash of 256 bits, more than a
    database integer holds: keep it as text. `duplicates.groups` compares it.
    """

    image_id: str
    filename: str
    format: str
    width_px: int
    height_px: int
    size_bytes: int
    phash: int


@dataclass(frozen=True)
class Quality:
    """How well a photo can be seen, measured on a small grey copy; `photo_quality` has the measures and their limits."""

    sharpness: float
    brightness: float
    contrast: float


@dataclass(frozen=True)
class CheckedPhoto:
    """A photo that was accepted and looked at."""

    record: ImageRecord
    quality: Quality


@dataclass(frozen=True)
class RejectedFile:
    """A file that was not taken, with the error that says why."""

    filename: str
    error: ImageError

    @property
    def reason(self) -> str:
        return self.error.reason_text

    @property
    def remedy(self) -> str:
        return self.error.remedy_text


@dataclass(frozen=True)
class DuplicateFile:
    """A file with the very same bytes as one that was accepted before it; no error, and not taken a second time."""

    filename: str
    first_filename: str
    image_id: str


@dataclass(frozen=True)
class ImportResult:
    """What became of a list of files: every file is in exactly one of the three tuples, each in natural order."""

    accepted: tuple[ImageRecord, ...]
    rejected: tuple[RejectedFile, ...]
    duplicates: tuple[DuplicateFile, ...] = ()


@dataclass(frozen=True)
class Box:
    """A rectangle in fractions of a photo's width and height; beyond 0 … 1 it reaches over the photo's edge."""

    left: float
    top: float
    right: float
    bottom: float


class ImageSource(Protocol):
    """Where the bytes of an accepted photo are read again."""

    def read(self, image_id: str) -> bytes: ...


@dataclass(frozen=True)
class LabelledImage:
    """A photo with the class it belongs to; `label` indexes `class_names`."""

    record: ImageRecord
    label: int

    @property
    def image_id(self) -> str:
        return self.record.image_id


@dataclass(frozen=True)
class Split:
    """Support photos teach, query photos measure; no photo and no near-duplicate of one is on both sides.

    `dropped` holds photos that were left out to keep the two sides apart.
    """

    support: tuple[LabelledImage, ...]
    query: tuple[LabelledImage, ...]
    dropped: tuple[LabelledImage, ...] = ()


@dataclass(frozen=True)
class ClassSpec:
    """A class: the name people read (any language) and the English names that the model reads."""

    display_name: str
    prompt_names: tuple[str, ...]


@dataclass(frozen=True)
class PromptSet:
    """The very sentences that the text tower reads: one tuple of sentences per class, in class order."""

    class_names: tuple[str, ...]
    sentences: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ClassVectors:
    """One unit vector per class (C, D), with the sentences that it was made from."""

    prompts: PromptSet
    text_CD: torch.Tensor

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.prompts.class_names


@dataclass(frozen=True)
class FeatureBatch:
    """Features of N photos before the projector, float32 on the CPU, shape (V, N, P); view 0 is not augmented."""

    image_ids: tuple[str, ...]
    pre_VNP: torch.Tensor


@dataclass(frozen=True)
class Progress:
    """How far a long piece of work is. `per_second` is 0 and `left_s` None until they can be told."""

    stage: str
    done: int
    total: int
    per_second: float
    left_s: float | None


@dataclass(frozen=True)
class Projector:
    """The part that is trained: image = pre @ weight_PD + bias_D. `bias_D` stays frozen."""

    weight_PD: torch.Tensor
    bias_D: torch.Tensor | None = None


@dataclass(frozen=True)
class Step:
    """One point of the training curve. Losses are per photo (natural logarithm); accuracy is a fraction of the support."""

    step: int
    total_steps: int
    loss: float
    cross_entropy: float
    penalty: float
    support_accuracy: float
    elapsed_s: float


@dataclass(frozen=True)
class TrainedProjector:
    """What a training gives back: a new projector, the λ that was used, and the curve.

    `lam_note` says in words how λ came about; `stopped` tells that a person ended the training early.
    """

    projector: Projector
    lam: float
    lam_note: Note
    solver: str
    seconds: float
    stopped: bool
    history: tuple[Step, ...] = field(repr=False)


@dataclass(frozen=True)
class Prediction:
    """An answer about one photo: probabilities over all classes (sum 1), the chosen class, the true one (-1: not known)."""

    image_id: str
    label: int
    predicted: int
    probabilities: tuple[float, ...]

    @property
    def confidence(self) -> float:
        return self.probabilities[self.predicted]


@dataclass(frozen=True)
class ConfusionMatrix:
    """counts_CC[i, j]: photos of class i that were answered as class j; `cell_ids[i][j]` names these photos."""

    counts_CC: np.ndarray
    cell_ids: tuple[tuple[tuple[str, ...], ...], ...]

    def image_ids(self, true: int, predicted: int) -> tuple[str, ...]:
        return self.cell_ids[true][predicted]

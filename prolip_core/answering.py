"""Answers about photos as bytes, by a finished run (torch) or by a hand-over file (onnxruntime): the same for both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from prolip_core import images, sure_rule
from prolip_core.errors import ImageError
from prolip_core.sure_rule import SureRule
from prolip_core.types import ImageSource

BATCH = 16


@dataclass(frozen=True)
class Answer:
    """One photo's answer. corrected_confidence and sure are None where the run has no rule for "not sure"; zero_shot: class and
    confidence before the training, None where that is not at hand."""

    class_name: str
    confidence: float
    corrected_confidence: float | None
    sure: bool | None
    runner_up: str
    runner_up_confidence: float
    probabilities: tuple[float, ...]
    zero_shot: tuple[str, float] | None = None


class Answerer(Protocol):
    """What answers.

    `rule`: when an answer stands alone, None if there is no rule; `info`: facts about it for whoever asks; `fingerprint`: of all
    that an answer depends on but the photo.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...
    @property
    def rule(self) -> SureRule | None: ...
    @property
    def info(self) -> dict[str, Any]: ...
    @property
    def fingerprint(self) -> str: ...

    def pixels(self, data: bytes, filename: str) -> np.ndarray:
        """What the model sees of a photo, (3, H, W). Safe to call from threads. Raises ImageError."""
        ...

    def answer(self, pixels_B3HW: np.ndarray) -> list[Answer]:
        """One answer per row. One call at a time."""
        ...


def open_(path: Path, *, device: str = "auto", threshold: float | None = None) -> Answerer:
    """Of the folder of a run, or of a hand-over zip or its unpacked folder. threshold: another one for "not sure" than its own.

    Raises RunError, HandOverError, the errors of loading a backbone.
    """
    from prolip_core.handover import opened

    if opened.looks_like(path):
        return OfBundle(path, threshold)
    return OfRun(path, device, threshold)


class _Worded:
    """Probabilities → answers, by the rule of the run."""

    def __init__(self, class_names: Sequence[str], rule: SureRule | None) -> None:
        self.class_names = tuple(class_names)
        self.rule = rule

    def worded(self, probs_C: np.ndarray, zero_shot: tuple[str, float] | None = None) -> Answer:
        first, second = (int(one) for one in np.argsort(-probs_C, kind="stable")[:2])
        corrected = None if self.rule is None else float(self.rule.corrected(probs_C)[first])
        return Answer(
            self.class_names[first],
            float(probs_C[first]),
            corrected,
            None if self.rule is None or corrected is None else self.rule.is_sure(corrected),
            self.class_names[second],
            float(probs_C[second]),
            tuple(map(float, probs_C)),
            zero_shot,
        )


def _fingerprint(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class OfBundle(_Worded):
    """By the float model of a hand-over file."""

    def __init__(self, path: Path, threshold: float | None = None) -> None:
        from prolip_core.handover import opened

        self._classifier = opened.open_(path)
        facts = self._classifier.settings
        super().__init__(facts["class_names"], sure_rule.of_result(facts, threshold))
        self.info = {
            "kind": "hand-over",
            **{
                key: facts[key]
                for key in ("backbone", "images_per_class", "evaluation", "prolip", "licence", "run_created")
            },
        }
        self.fingerprint = _fingerprint(
            "onnx", facts["projector_sha256"], facts["backbone_sha256"], self.class_names, self.rule
        )

    def pixels(self, data: bytes, filename: str) -> np.ndarray:
        # By the app's own decoder: its errors have a remedy and a translation. The pixels are the same, which a test holds.
        return self._classifier.prepared(images.decode(data, filename, min_side_px=self._classifier.min_side_px))

    def answer(self, pixels_B3HW: np.ndarray) -> list[Answer]:
        return [self.worded(probs_C) for probs_C in self._classifier.probabilities(pixels_B3HW)]


class OfRun(_Worded):
    """By a run on this computer, with the answer before the training beside."""

    def __init__(self, folder: Path, device: str = "auto", threshold: float | None = None) -> None:
        from prolip_core import runs
        from prolip_core.handover import settings

        result = runs.read_result(folder)
        self._saved = runs.load(folder, device=device)
        super().__init__(self._saved.class_vectors.class_names, sure_rule.of_result(result, threshold))
        self.info = {
            "kind": "run",
            "backbone": result["backbone"],
            "images_per_class": result["images_per_class"],
            "evaluation": result["evaluation"],
            "prolip": {key: result["prolip"][key] for key in ("correct", "count", "accuracy", "accuracy_interval")},
            "licence": self._saved.backbone.spec.licence,
            "run_created": result["created"],
        }
        backbone = self._saved.backbone
        projector = settings.projector_fingerprint(self._saved)
        self.fingerprint = _fingerprint(
            backbone.device.dtype_name, projector, backbone.fingerprint, self.class_names, self.rule
        )

    def pixels(self, data: bytes, filename: str) -> np.ndarray:
        from prolip_core import features

        found: np.ndarray = features.pixels_of(self._saved.backbone, data, filename).numpy()
        return found

    def answer(self, pixels_B3HW: np.ndarray) -> list[Answer]:
        import torch

        from prolip_core import classify

        saved = self._saved
        pre_BP = saved.backbone.encode_pre(torch.from_numpy(pixels_B3HW))
        ids, labels = [""] * len(pre_BP), [-1] * len(pre_BP)
        tuned, zero = (
            classify.predict(ids, pre_BP, labels, projector, saved.class_vectors.text_CD, saved.backbone.logit_scale)
            for projector in (saved.projector, saved.backbone.projector)
        )
        return [
            self.worded(np.array(one.probabilities), (self.class_names[before.predicted], before.confidence))
            for one, before in zip(tuned, zero, strict=True)
        ]


def answer_bytes(answerer: Answerer, photos: Sequence[tuple[str, bytes]]) -> list[Answer | ImageError]:
    """Every photo's answer, or why there is none, in order. photos: name and bytes."""
    found: list[Answer | ImageError | np.ndarray] = []
    for name, data in photos:
        try:
            found.append(answerer.pixels(data, name))
        except ImageError as error:
            found.append(error.without_history())
    readable = [one for one in found if isinstance(one, np.ndarray)]
    answers = iter(answerer.answer(np.stack(readable)) if readable else ())
    return [next(answers) if isinstance(one, np.ndarray) else one for one in found]


def predictions(answerer: Answerer, source: ImageSource, image_ids: Sequence[str]) -> Iterator[Answer]:
    """The answers about photos that were accepted before, in order. Raises ImageError for one that cannot be read again."""
    for start in range(0, len(image_ids), BATCH):
        ids = image_ids[start : start + BATCH]
        yield from answerer.answer(np.stack([answerer.pixels(source.read(image_id), image_id) for image_id in ids]))

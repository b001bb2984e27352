"""Where did it look? Heat maps of single photos, a test whether they tell the truth, and classes that are known by the rim.

Everything is measured on photos that taught nothing. A photo is read under all covers once; zero-shot and ProLIP are asked about
the same features, each about its own answer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch

from prolip_core import classify, heat, metrics, occlusion
from prolip_core.backbones import Backbone
from prolip_core.certainty import Share
from prolip_core.errors import ConfigError
from prolip_core.studies import measuring
from prolip_core.studies.look_rim import ClassEvidence, rim_against_middle
from prolip_core.studies.material import Material, OnProgress, Report
from prolip_core.types import Box, ImageSource, LabelledImage, Note, Projector

PHOTOS = 12
MAX_PHOTOS = 200
RIM_PHOTOS = 16
"""Test photos per class whose middle and rim are covered."""

STEPS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the photo that the deletion test covers; `heat.MARKED` is one of them."""

RANDOM_ORDERS = 3
METHODS = ("zero_shot", "prolip")


@dataclass(frozen=True)
class Reader:
    """What is needed to look at a photo again: the model of the material, where its bytes are, and where features are kept."""

    backbone: Backbone
    source: ImageSource
    cache_folder: Path | None = None


@dataclass(frozen=True)
class Curve:
    """The deletion test on one photo: the probability of its answer at STEPS, and how often the answer had changed when
    the marked fifth was covered: by the map, and in random order (means and sums over RANDOM_ORDERS)."""

    by_map: tuple[float, ...]
    by_chance: tuple[float, ...]
    changed: bool
    changed_by_chance: int

    @property
    def gain(self) -> float:
        """By how much the area under the curve of the map is smaller; above 0: the map found what counts."""
        return heat.area_under(STEPS, self.by_chance) - heat.area_under(STEPS, self.by_map)


@dataclass(frozen=True)
class View:
    """One photo as one projector saw it. heat_GG: each cell's share in what the answer's log-odds lose, in nats; marked_GG:
    the hottest fifth."""

    answer: int
    confidence: float
    heat_GG: np.ndarray
    marked_GG: np.ndarray
    caption: Note
    curve: Curve


@dataclass(frozen=True)
class Look:
    """One photo. box: where the picture that the model sees lies on it."""

    image: LabelledImage
    box: Box
    zero_shot: View
    prolip: View

    def by(self, method: str) -> View:
        """`method` is one of METHODS."""
        return self.prolip if method == "prolip" else self.zero_shot


@dataclass(frozen=True)
class Deletion:
    """The deletion test over all photos.

    changed_by_chance: of RANDOM_ORDERS tries on every photo. The intervals are Student's 95 % intervals of the mean over photos,
    since tries on one photo are alike; None with one photo.
    """

    count: int
    gain: float
    gain_interval: tuple[float, float] | None
    changed: Share
    changed_by_chance: int
    chance_interval: tuple[float, float] | None


@dataclass(frozen=True)
class LookStudy:
    """`measured`: photos that were looked at, for maps or for classes. `classes`: rim against middle by class for the trained
    projector, empty where single photos were asked for."""

    material: Material
    looks: tuple[Look, ...]
    zero_shot: Deletion
    prolip: Deletion
    classes: tuple[ClassEvidence, ...]
    measured: int
    seconds: float


def check_photos(count: int) -> None:
    """Raises ConfigError unless 1 ≤ count ≤ MAX_PHOTOS."""
    if not 1 <= count <= MAX_PHOTOS:
        raise ConfigError(
            "The number of photos to look at is {value}; it must be between 1 and {limit}.",
            remedy="{default} is a good start.",
            value=count,
            limit=MAX_PHOTOS,
            default=PHOTOS,
        )


def run(
    material: Material,
    reader: Reader,
    *,
    photos: int = PHOTOS,
    image_ids: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> LookStudy:
    """The study. image_ids: these test photos and nothing else; by default `photos` of them are chosen (`choose`) and all classes
    are looked at. Raises Cancelled when stopped: it is whole or nothing; ConfigError, ImageError."""
    start = time.perf_counter()
    check_photos(photos)
    trained = measuring.fit(material, material.support, Report(on_progress, 0, 1, start))
    projectors = {"zero_shot": material.projector, "prolip": trained}
    answers_M = measuring.logits(material, material.query_MP, trained).argmax(dim=1).tolist()
    if image_ids is None:
        rows, of_classes = choose(material, answers_M, photos), _sample_of_classes(material)
    else:
        rows, of_classes = rows_of(material, image_ids), []
    total = len(rows) + len(of_classes)
    looks, sides = [], []
    for done, row in enumerate(rows):
        measuring.go_on(Report(on_progress, done, total, start))
        looks.append(look_at(material, reader, projectors, row))
    for done, row in enumerate(of_classes, len(rows)):
        measuring.go_on(Report(on_progress, done, total, start))
        sides.append(_sides(material, reader, trained, row))
    Report(on_progress, total, total, start).tell()
    labels = [material.split.query[row].label for row in of_classes]
    whole = [answers_M[row] for row in of_classes]
    return LookStudy(
        material=material,
        looks=tuple(looks),
        zero_shot=deletion([look.zero_shot.curve for look in looks]),
        prolip=deletion([look.prolip.curve for look in looks]),
        classes=rim_against_middle(labels, whole, sides, material.support.n_classes) if sides else (),
        measured=len({*rows, *of_classes}),
        seconds=time.perf_counter() - start,
    )


def choose(material: Material, answers_M: Sequence[int], count: int) -> list[int]:
    """Rows of test photos to look at, in order of class: of every class one wrong and one right answer in turn, until there are
    `count`; which ones is drawn."""
    labels = material.query_labels_M.tolist()
    random = np.random.default_rng(material.spec.seed)
    places: list[tuple[int, int, int]] = []
    for label in range(material.support.n_classes):
        mine = random.permutation([row for row, one in enumerate(labels) if one == label]).tolist()
        wrong = [row for row in mine if answers_M[row] != label]
        right = [row for row in mine if answers_M[row] == label]
        # Neighbouring classes begin with the other kind, so that few photos show both.
        kinds = (wrong, right) if label % 2 else (right, wrong)
        in_turn = [row for pair in zip_longest(*kinds) for row in pair if row is not None]
        places += [(turn, label, row) for turn, row in enumerate(in_turn)]
    return [row for _, row in sorted((label, row) for _, label, row in sorted(places)[:count])]


def rows_of(material: Material, image_ids: Sequence[str]) -> list[int]:
    """Rows of these test photos. Raises ConfigError for a photo that is none."""
    row_of = {image.image_id: row for row, image in enumerate(material.split.query)}
    unknown = [image_id for image_id in image_ids if image_id not in row_of]
    if unknown or not image_ids:
        raise ConfigError(
            "The photo to look at is not among the test photos.",
            remedy="Choose a test photo; one that is the same as a training photo is not used for testing.",
        )
    return [row_of[image_id] for image_id in image_ids]


def look_at(material: Material, reader: Reader, projectors: dict[str, Projector], row: int) -> Look:
    """Map and deletion test of one test photo, for both projectors.

    The map fills what is covered with a blurred copy, the test with the mean colour, so that the test is not the map again.
    """
    image = material.split.query[row]
    pixels_3HW, box = occlusion.read(reader.backbone, reader.source, image.image_id)
    seen_GG = occlusion.visible(box).numpy()
    windows_MGG = occlusion.windows()

    def under_windows() -> torch.Tensor:
        return occlusion.encode(reader.backbone, pixels_3HW, occlusion.blurred(pixels_3HW), windows_MGG)

    pre_MP = occlusion.remembered(reader.backbone, reader.cache_folder, image.image_id, "windows", under_windows)
    maps = {}
    for method, projector in projectors.items():
        whole_1C = measuring.logits(material, material.query_MP[row : row + 1], projector)
        answer = int(whole_1C.argmax())
        scores_M = classify.log_odds(measuring.logits(material, pre_MP, projector), answer)
        drops_M = classify.log_odds(whole_1C, answer) - scores_M
        maps[method] = (whole_1C, occlusion.heat(drops_M, windows_MGG).numpy())
    random = np.random.default_rng((material.spec.seed, row))
    by_chance = [random.permutation(np.flatnonzero(seen_GG)) for _ in range(RANDOM_ORDERS)]
    orders = [*(heat.order(heat_GG, seen_GG) for _, heat_GG in maps.values()), *by_chance]
    covers = [heat.first(ranked, share, seen_GG.shape) for ranked in orders for share in STEPS[1:-1]]
    covers_MGG = torch.from_numpy(np.stack([*covers, np.ones_like(seen_GG)]))
    pre_MP = occlusion.encode(reader.backbone, pixels_3HW, occlusion.mean_colour(pixels_3HW), covers_MGG)
    views = {}
    for number, (method, (whole_1C, heat_GG)) in enumerate(maps.items()):
        logits_MC = measuring.logits(material, pre_MP, projectors[method])
        answer = int(whole_1C.argmax())
        views[method] = View(
            answer=answer,
            confidence=float(whole_1C.softmax(dim=1)[0, answer]),
            heat_GG=heat_GG,
            marked_GG=heat.first(orders[number], heat.MARKED, heat_GG.shape),
            caption=heat.caption(heat_GG, seen_GG),
            curve=_curve(whole_1C, logits_MC, answer, number, len(maps)),
        )
    return Look(image, box, views["zero_shot"], views["prolip"])


def deletion(curves: Sequence[Curve]) -> Deletion:
    """The curves of several photos, at least one, together."""
    gains = [curve.gain for curve in curves]
    by_chance = metrics.mean_interval([curve.changed_by_chance / RANDOM_ORDERS for curve in curves])
    return Deletion(
        count=len(curves),
        gain=float(np.mean(gains)),
        gain_interval=metrics.mean_interval(gains),
        changed=Share(sum(curve.changed for curve in curves), len(curves)),
        changed_by_chance=sum(curve.changed_by_chance for curve in curves),
        chance_interval=None if by_chance is None else (max(0.0, by_chance[0]), min(1.0, by_chance[1])),
    )


def _curve(whole_1C: torch.Tensor, logits_MC: torch.Tensor, answer: int, own: int, before_chance: int) -> Curve:
    """From the answers under all covers: one run of steps per order, `own` is this map's; the last cover hides everything."""
    inner = len(STEPS) - 2
    runs = logits_MC[:-1].view(-1, inner, logits_MC.shape[1])
    probs = runs.softmax(dim=-1)[..., answer]
    changed = runs[:, STEPS.index(heat.MARKED) - 1].argmax(dim=-1) != answer
    ends = [float(one.softmax(dim=-1)[answer]) for one in (whole_1C[0], logits_MC[-1])]
    by_map, by_chance = (one.tolist() for one in (probs[own], probs[before_chance:].mean(dim=0)))
    return Curve(
        by_map=(ends[0], *by_map, ends[1]),
        by_chance=(ends[0], *by_chance, ends[1]),
        changed=bool(changed[own]),
        changed_by_chance=int(changed[before_chance:].sum()),
    )


def _sides(material: Material, reader: Reader, projector: Projector, row: int) -> tuple[int, int]:
    """The answers of one photo with its middle covered, and with its rim covered."""
    image_id = material.split.query[row].image_id

    def half_covered() -> torch.Tensor:
        pixels_3HW, box = occlusion.read(reader.backbone, reader.source, image_id)
        covers_2GG = occlusion.middle_and_rim(box)
        return occlusion.encode(reader.backbone, pixels_3HW, occlusion.blurred(pixels_3HW), covers_2GG)

    pre_2P = occlusion.remembered(reader.backbone, reader.cache_folder, image_id, "middle_and_rim", half_covered)
    middle_covered, rim_covered = measuring.logits(material, pre_2P, projector).argmax(dim=1).tolist()
    return middle_covered, rim_covered


def _sample_of_classes(material: Material) -> list[int]:
    """Rows of up to RIM_PHOTOS test photos of every class, drawn."""
    labels = material.query_labels_M.numpy()
    random = np.random.default_rng(material.spec.seed)
    rows: list[int] = []
    for label in range(material.support.n_classes):
        rows += sorted(random.permutation(np.flatnonzero(labels == label))[:RIM_PHOTOS].tolist())
    return rows

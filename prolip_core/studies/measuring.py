"""One ProLIP training, measured: the training, the test photos that are asked about, and whether the answers are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from prolip_core import classify
from prolip_core.baselines import projector_methods
from prolip_core.baselines.problem import Problem
from prolip_core.errors import Cancelled, ConfigError
from prolip_core.objective import Support
from prolip_core.spec import FitConfig
from prolip_core.studies.material import Material, Report, one_thread
from prolip_core.types import Projector, TrainedProjector

PHOTOS = 100
"""So many test photos are asked about where each costs many readings."""


def train(
    material: Material,
    support: Support,
    report: Report,
    *,
    text_CD: torch.Tensor | None = None,
    config: FitConfig | None = None,
) -> TrainedProjector:
    """One training on these photos. text_CD: vectors of the classes that they belong to, by default of all of the material;
    config: by default λ and all as the spec says. Raises Cancelled where a person stops it, NonFiniteLossError."""
    go_on(report)
    vectors_CD = material.class_vectors.text_CD if text_CD is None else text_CD
    problem = Problem(support, vectors_CD, material.projector, material.logit_scale)
    settings = replace(material.spec.fit, seed=material.spec.seed) if config is None else config
    with one_thread():
        return projector_methods.fit_projector(problem, settings, report)


def fit(material: Material, support: Support, report: Report) -> Projector:
    """The projector alone, λ and all as the spec says; raises Cancelled where a person stops it."""
    return train(material, support, report).projector


def go_on(report: Report) -> None:
    """Tells how far the study is. Raises Cancelled where a person stops it."""
    if report.tell():
        raise Cancelled("Stopped; nothing was saved.")


def logits(material: Material, pre_NP: torch.Tensor, projector: Projector) -> torch.Tensor:
    """Logits (N, C) among the classes of the material."""
    return classify.logits(pre_NP, projector, material.class_vectors.text_CD, material.logit_scale)


def right(material: Material, pre_NP: torch.Tensor, projector: Projector, labels_N: torch.Tensor) -> list[bool]:
    """Photo by photo: is the projector's answer right?"""
    return is_right(logits(material, pre_NP, projector), labels_N)


def is_right(logits_NC: torch.Tensor, labels_N: torch.Tensor) -> list[bool]:
    """Whether the class with the highest logit is the true one."""
    found: list[bool] = (logits_NC.argmax(dim=-1) == labels_N).tolist()
    return found


def check_photos(photos: int) -> None:
    """Raises ConfigError unless photos ≥ 1."""
    if photos < 1:
        raise ConfigError(
            "The number of test photos is {value}; it must be 1 or more.",
            remedy="100 is a good start; a number over that of the test photos takes all.",
            value=photos,
        )


def choose_rows(material: Material, count: int) -> tuple[int, ...]:
    """Positions of at most `count` test photos, drawn by the seed, class by class in turn so that the classes stay even."""
    labels = [image.label for image in material.split.query]
    random = np.random.default_rng(material.spec.seed)
    order = random.permutation(len(labels)).tolist()
    seen: dict[int, int] = {}
    turn = {}
    for row in order:
        turn[row] = seen[labels[row]] = seen.get(labels[row], -1) + 1
    return tuple(sorted(sorted(order, key=lambda row: turn[row])[:count]))

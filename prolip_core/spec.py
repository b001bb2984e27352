"""All choices of a run besides the photos, as plain records and as JSON. Neither torch nor a model is needed here.

`FitConfig` are the settings of a training, `PilotSpec` adds the model, the sentences and the views.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from prolip_core import catalogue, prompts
from prolip_core.catalogue import BackboneSpec
from prolip_core.errors import ConfigError
from prolip_core.types import Note

SOLVERS = ("exact", "adam")


@dataclass(frozen=True)
class FitConfig:
    """Settings of a training; the defaults need no validation photos.

    solver: "exact" (L-BFGS to the optimum, no learning rate) or "adam" (the paper's recipe).
    lam: "auto", "1/N", "1/N2", or a number ≥ 0; N is the mean number of photos per class.
    learning_rate, epochs: of "adam" only; the paper uses 1e-5 … 1e-2 and 300.
    max_iterations: of "exact" only.
    seed: of the folds that choose λ under "auto"; nothing else is random.
    """

    solver: str = "exact"
    lam: str | float = "auto"
    learning_rate: float = 1e-3
    epochs: int = 300
    max_iterations: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise ConfigError(
                "There is no solver “{solver}”.",
                remedy="Choose one of: {known}.",
                solver=self.solver,
                known=", ".join(SOLVERS),
            )
        parse_lam(self.lam)
        for name, value, low, high in (
            (Note("learning rate"), self.learning_rate, 1e-8, 10.0),
            (Note("number of epochs"), self.epochs, 1, 100_000),
            (Note("number of iterations"), self.max_iterations, 1, 100_000),
        ):
            if not low <= value <= high:
                raise ConfigError(
                    "The {name} is {value}; it must be between {low} and {high}.",
                    remedy="Leave it at its default if unsure.",
                    name=name,
                    value=value,
                    low=low,
                    high=high,
                )


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


def parse_lam(lam: str | float) -> str | float:
    """λ as the user wrote it: "auto", "1/N", "1/N2" or a finite number ≥ 0. Raises ConfigError."""
    if isinstance(lam, str) and lam in ("auto", "1/N", "1/N2"):
        return lam
    try:
        value = float(lam)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(
            "λ cannot be “{lam}”.", remedy="Use auto, 1/N, 1/N2, or a number that is 0 or greater.", lam=lam
        )
    return value


def lam_value(lam: str | float, images_per_class: float) -> float:
    """The number behind "1/N", "1/N2" (section 4.2 of the paper) or a plain number; "auto" has none."""
    parsed = parse_lam(lam)
    if parsed == "1/N":
        return 1.0 / images_per_class
    if parsed == "1/N2":
        return 1.0 / images_per_class**2
    if isinstance(parsed, float):
        return parsed
    raise ConfigError("λ = auto is chosen by lam.choose, not here.")


def as_dict(spec: PilotSpec) -> dict[str, Any]:
    """The spec as JSON takes it; `from_dict` reads it back."""
    content = asdict(spec)
    content["templates"] = list(spec.templates)
    checkpoint = spec.backbone.checkpoint
    content["backbone"]["checkpoint"] = None if checkpoint is None else str(checkpoint)
    return content


def from_dict(content: Mapping[str, Any]) -> PilotSpec:
    """What `as_dict` gave. What is missing gets its default, so that older records can be read.

    Raises ConfigError for values of the wrong kind or out of range.
    """
    default = PilotSpec()
    try:
        backbone = _known(BackboneSpec, content.get("backbone", asdict(default.backbone)))
        checkpoint = backbone.get("checkpoint")
        return PilotSpec(
            backbone=BackboneSpec(**{**backbone, "checkpoint": None if checkpoint is None else Path(checkpoint)}),
            templates=tuple(map(str, content.get("templates", default.templates))),
            n_views=int(content.get("n_views", default.n_views)),
            fit=FitConfig(**_known(FitConfig, content.get("fit", {}))),
            seed=int(content.get("seed", default.seed)),
            device=str(content.get("device", default.device)),
            precision=str(content.get("precision", default.precision)),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            "The saved choices cannot be read: {cause}.", remedy="Go back to the defaults.", cause=error
        ) from error


def _known(record: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Without what another version may have written besides."""
    names = {one.name for one in fields(record)}
    return {name: value for name, value in content.items() if name in names}

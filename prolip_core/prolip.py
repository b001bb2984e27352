"""ProLIP: fine-tune CLIP's visual projector and nothing else (Fahes et al., arXiv 2410.05270).

No part is added to the model: W is a matrix that CLIP already has, and the class vectors stay as they are, so a class can be
added later by its name alone. `objective.py` says what is minimised, `solvers.py` how, `lam.py` how strongly W is held back.
"""

from __future__ import annotations

import time

import torch

from prolip_core import lam as lam_choice
from prolip_core import solvers
from prolip_core.errors import NonFiniteLossError
from prolip_core.objective import OnStep, Recorder, Support
from prolip_core.spec import FitConfig, lam_value, parse_lam
from prolip_core.types import Note, Projector, TrainedProjector


def fit(
    support: Support,
    text_CD: torch.Tensor,
    initial: Projector,
    logit_scale: float,
    config: FitConfig,
    on_step: OnStep | None = None,
    *,
    device: torch.device | None = None,
    on_fold: lam_choice.OnFold | None = None,
) -> TrainedProjector:
    """The trained projector; nothing that was passed in is changed.

    text_CD: unit-norm class vectors; initial: the backbone's projector W₀; logit_scale: the backbone's own; device: where to
    compute (default: the CPU). What comes back is on the CPU. on_fold: told while λ is chosen; returning True raises Cancelled.
    Raises FitError for inputs that do not fit together, NonFiniteLossError if the loss is not finite.
    """
    start = time.perf_counter()
    support, text_CD, initial = support.to(device), text_CD.to(device), _to(initial, device)
    if parse_lam(config.lam) == "auto":
        choice = lam_choice.choose(support, initial, text_CD, logit_scale, seed=config.seed, on_fold=on_fold)
        lam, note = choice.lam, choice.note
    else:
        lam = lam_value(config.lam, support.mean_per_class)
        note = Note("{lam}, as set", {"lam": str(config.lam)})
    if config.solver == "exact":
        recorder = Recorder(config.max_iterations, on_step)
        reduced = solvers.reduce(support, initial, text_CD)
        delta_RK = solvers.exact(reduced, logit_scale, lam, max_iterations=config.max_iterations, recorder=recorder)
        trained = solvers.expand(reduced, delta_RK, initial)
    else:
        recorder = Recorder(config.epochs, on_step)
        trained = solvers.adam(
            support,
            initial,
            text_CD,
            logit_scale,
            lam,
            learning_rate=config.learning_rate,
            epochs=config.epochs,
            recorder=recorder,
        )
    if not torch.isfinite(trained.weight_PD).all():
        raise NonFiniteLossError(
            "The trained projector holds values that are not numbers; nothing was saved.",
            remedy="Choose the exact solver, a smaller learning rate, or a larger λ.",
        )
    return TrainedProjector(
        projector=_to(trained, torch.device("cpu")),
        lam=lam,
        lam_note=note,
        solver=config.solver,
        seconds=time.perf_counter() - start,
        stopped=recorder.stopped,
        history=tuple(recorder.history),
    )


def _to(projector: Projector, device: torch.device | None) -> Projector:
    bias_D = projector.bias_D
    return Projector(projector.weight_PD.to(device), None if bias_D is None else bias_D.to(device))

"""How much does the learning rate matter? ProLIP by Adam over learning rates and λ, against the exact solver.

The paper's claim (arXiv 2410.05270, section 4.2): with λ = 1/N the accuracy hardly depends on the learning rate, without a pull
(λ = 0) it collapses.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from prolip_core import metrics
from prolip_core.errors import Cancelled, NonFiniteLossError
from prolip_core.objective import Support
from prolip_core.spec import FitConfig, lam_value
from prolip_core.studies import measuring
from prolip_core.studies.material import Material, OnProgress, Report, check_draws, choose_shots, draws
from prolip_core.types import Projector

LEARNING_RATES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
LAMS = ("0", "0.01", "0.1", "1", "1/N")
DRAWS = 3


@dataclass(frozen=True)
class Cell:
    """One λ with one learning rate, or with the exact solver (learning_rate None), over all draws.

    accuracy: mean of the draws that arrived, None where the loss left the numbers in all of them; `diverged` counts the draws in
    which it did. count: test photos of each draw.
    """

    lam: str
    lam_value: float
    learning_rate: float | None
    accuracies: tuple[float, ...]
    diverged: int
    count: int

    @property
    def accuracy(self) -> float | None:
        return statistics.fmean(self.accuracies) if self.accuracies else None

    @property
    def photo_interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval at the accuracy: what as many other test photos would give."""
        if self.accuracy is None:
            return None
        return metrics.wilson_interval(round(self.accuracy * self.count), self.count)


@dataclass(frozen=True)
class LearningRateStudy:
    """`cells` row by row: for every λ the learning rates, then the exact solver (λ > 0 only). `zero_shot`: CLIP as it is;
    `epochs`: of Adam."""

    material: Material
    shots: int
    draws: int
    planned_draws: int
    epochs: int
    zero_shot: float
    cells: tuple[Cell, ...]
    seconds: float


def run(
    material: Material,
    *,
    shots: int | None = None,
    n_draws: int = DRAWS,
    learning_rates: Sequence[float] = LEARNING_RATES,
    lams: Sequence[str] = LAMS,
    epochs: int = FitConfig.epochs,
    on_progress: OnProgress | None = None,
) -> LearningRateStudy:
    """The study. Raises Cancelled when stopped before the first draw is whole, ConfigError, DatasetError."""
    start = time.perf_counter()
    check_draws(n_draws)
    shots = choose_shots(material.support, shots)
    grid = [
        (lam, rate) for lam in lams for rate in (*learning_rates, None) if rate is not None or lam_value(lam, shots)
    ]
    planned = draws(material.support, shots, n_draws, material.spec.seed)
    whole: list[list[float | None]] = []
    try:
        for number, rows in enumerate(planned):
            support = material.support.subset(rows)
            found: list[float | None] = []
            for position, (lam, rate) in enumerate(grid):
                report = Report(on_progress, number * len(grid) + position, len(planned) * len(grid), start)
                found.append(_accuracy(material, support, _config(lam, rate, epochs), report))
            whole.append(found)
    except Cancelled:
        if not whole:
            raise
    Report(on_progress, len(planned) * len(grid), len(planned) * len(grid), start).tell()
    cells = []
    for position, (lam, rate) in enumerate(grid):
        arrived = tuple(one for found in whole if (one := found[position]) is not None)
        cells.append(
            Cell(lam, lam_value(lam, shots), rate, arrived, len(whole) - len(arrived), len(material.split.query))
        )
    return LearningRateStudy(
        material=material,
        shots=shots,
        draws=len(whole),
        planned_draws=len(planned),
        epochs=epochs,
        zero_shot=_measure(material, material.projector),
        cells=tuple(cells),
        seconds=time.perf_counter() - start,
    )


def _config(lam: str, rate: float | None, epochs: int) -> FitConfig:
    if rate is None:
        return FitConfig(lam=lam)
    return FitConfig(solver="adam", lam=lam, learning_rate=rate, epochs=epochs)


def _accuracy(material: Material, support: Support, config: FitConfig, report: Report) -> float | None:
    """Accuracy on the test photos; None where the loss left the numbers."""
    try:
        return _measure(material, measuring.train(material, support, report, config=config).projector)
    except NonFiniteLossError:
        return None


def _measure(material: Material, projector: Projector) -> float:
    return statistics.fmean(measuring.right(material, material.query_MP, projector, material.query_labels_M))

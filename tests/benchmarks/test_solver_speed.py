"""The exact solver against the paper's 300 steps of Adam on the same features: the same loss to 1 %, and how much sooner."""

from __future__ import annotations

import time
from typing import Any

import pytest

from prolip_core import prolip
from prolip_core.spec import FitConfig
from prolip_core.types import TrainedProjector
from tests.benchmarks.problems import LOGIT_SCALE, clip_like

SIZES = [(768, 512, 160), (2048, 1024, 160), (768, 512, 1600), (2048, 1024, 1600)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_exact_against_adam(benchmark: Any, size: tuple[int, int, int]) -> None:
    support, text_CD, initial = clip_like(*size)

    def fit(**settings: Any) -> TrainedProjector:
        return prolip.fit(support, text_CD, initial, LOGIT_SCALE, FitConfig(lam="1/N", **settings))

    exact = benchmark.pedantic(fit, rounds=3, warmup_rounds=1)
    start = time.perf_counter()
    adam = fit(solver="adam", learning_rate=1e-3, epochs=300)
    adam_s = time.perf_counter() - start
    benchmark.extra_info["adam_s"] = round(adam_s, 2)
    # To the end the exact solver goes further than Adam; the fair question is when it is as far as Adam was.
    goal = 1.01 * adam.history[-1].loss
    before_first_step_s = exact.seconds - exact.history[-1].elapsed_s
    same_loss_s = before_first_step_s + next(step.elapsed_s for step in exact.history if step.loss <= goal)
    benchmark.extra_info["same_loss_s"] = round(same_loss_s, 3)
    benchmark.extra_info["times_faster_to_the_same_loss"] = round(adam_s / same_loss_s, 1)
    benchmark.extra_info["times_faster_to_the_end"] = round(adam_s / benchmark.stats.stats.median, 1)
    benchmark.extra_info["loss"] = (round(exact.history[-1].loss, 5), round(adam.history[-1].loss, 5))
    assert exact.history[-1].loss <= 1.01 * adam.history[-1].loss

"""Results of studies → the figures of docs/results.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prolip_core import study_charts
from prolip_core.charts import Chart
from prolip_core.studies import study_text
from prolip_core.studies.names import METHODS
from prolip_core.study_charts import Ranked


def draw(result: Mapping[str, Any]) -> Chart:
    """Of a comparison of methods all of them, best first; of learning rates a line per λ. `result`: content of a result.json."""
    return _ranking(result) if result["study"] == METHODS else _rates(result)


def _ranking(result: Mapping[str, Any]) -> Chart:
    rows = [
        Ranked(one["title"], one["accuracy"], low, high, one["key"].startswith("prolip"))
        for one in study_text.by_accuracy(result)
        for low, high in (one["photo_interval"],)
    ]
    return study_charts.ranking(rows, "accuracy (bar: Wilson's 95 % interval for other test photos)")


def _rates(result: Mapping[str, Any]) -> Chart:
    cells = [cell for cell in result["cells"] if cell["learning_rate"] is not None]
    lines = [
        (
            f"ProLIP, λ = {lam}",
            sorted((cell["learning_rate"], cell["accuracy"]) for cell in cells if cell["lam"] == lam),
        )
        for lam in dict.fromkeys(cell["lam"] for cell in cells)
    ]
    return study_charts.learning_rates(
        lines, ("zero-shot", result["zero_shot_accuracy"]), ("learning rate of Adam", "accuracy, mean over draws")
    )

"""An answerer without a model, quick to import: a killed process of the tests must not spend its life on importing torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from prolip_core import images
from prolip_core.answering import Answer
from prolip_core.sure_rule import SureRule


class Counting:
    """Answers by the mean colour, and remembers what it was asked about."""

    class_names = ("=dark", "light")
    rule: SureRule | None = None
    info: dict[str, Any] = {}  # noqa: RUF012 - an answerer's facts
    fingerprint = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pixels(self, data: bytes, filename: str) -> np.ndarray:
        self.asked.append(filename)
        return np.asarray(images.decode(data, filename).resize((8, 8)), dtype=np.float32).transpose(2, 0, 1)

    def answer(self, pixels_B3HW: np.ndarray) -> list[Answer]:
        light_B = pixels_B3HW.mean(axis=(1, 2, 3)) / 255
        return [
            Answer("light", float(p), None, None, "=dark", float(1 - p), (float(1 - p), float(p)), ("=dark", 0.5))
            for p in light_B
        ]

"""The hand-over file against the app's engine and against the run, photo by photo; float against int8."""

from __future__ import annotations

import csv
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prolip_core import metrics, runs
from prolip_core.handover.files import Check, Measured
from prolip_core.handover.predict import Classifier
from prolip_core.runs import SavedRun
from prolip_core.types import ImageSource, Note

TIMED_PHOTOS = 50
BATCH = 16

OnDone = Callable[[int, int], None]
"""Called with how many photos are through and how many there are; what it raises ends the work."""


@dataclass(frozen=True)
class Answers:
    """Probabilities (N, C) of the same photos by the app's engine in float32, by the float file and by the int8 file, if any."""

    engine_NC: np.ndarray
    float_NC: np.ndarray
    int8_NC: np.ndarray | None
    float_ms: float
    int8_ms: float | None


def answers(
    saved: SavedRun,
    source: ImageSource,
    image_ids: Sequence[str],
    plain: Classifier,
    small: Classifier | None,
    on_done: OnDone,
) -> Answers:
    """Every photo through the engine and through the files' own decoding. Raises ImageError, StorageError, whatever on_done
    raises."""
    engine: list[np.ndarray] = []
    own: list[np.ndarray] = []
    integer: list[np.ndarray] = []
    times: dict[str, list[float]] = {"float": [], "int8": []}
    for start in range(0, len(image_ids), BATCH):
        ids = list(image_ids[start : start + BATCH])
        engine += [np.array(one.probabilities) for one in saved.predict(source, ids, None)]
        pixels_B3HW = np.stack([plain.pixels(source.read(image_id)) for image_id in ids])
        for (
            pixels_3HW
        ) in pixels_B3HW:  # one by one, as on the line, and both in turn: other work on the computer slows both
            for key, classifier, found in (("float", plain, own), ("int8", small, integer)):
                if classifier is None:
                    continue
                begun = time.perf_counter()
                found.append(classifier.probabilities(pixels_3HW[None])[0])
                times[key].append(time.perf_counter() - begun)
        on_done(min(start + BATCH, len(image_ids)), len(image_ids))
    # The first ones pay for the warming up.
    typical = {key: 1000 * statistics.median(found[-TIMED_PHOTOS:]) for key, found in times.items() if found}
    int8_NC = np.stack(integer) if integer else None
    return Answers(np.stack(engine), np.stack(own), int8_NC, typical["float"], typical.get("int8"))


def check(
    found: Answers | None,
    labels_N: np.ndarray | None,
    recorded_NC: np.ndarray | None,
    sizes: tuple[int, int],
    way: str | None,
    problem: Note | None,
    precision: str,
) -> Check:
    """The record. labels_N: true classes, None where the photos are no test photos; recorded_NC: what the run had answered;
    sizes: of the float and the int8 file in bytes; way, problem: of the int8 file, how it was made or why not."""
    if found is None:
        return Check(0, False, 0, 0.0, None, None, precision, None, None, way, problem)
    best_N = found.float_NC.argmax(axis=1)
    small = None
    if found.int8_NC is not None and found.int8_ms is not None:
        small = _measured(found.int8_NC.argmax(axis=1), best_N, labels_N, found.int8_ms, sizes[1])
    return Check(
        count=len(best_N),
        on_test=labels_N is not None,
        same=int((best_N == found.engine_NC.argmax(axis=1)).sum()),
        difference=float(np.abs(found.float_NC - found.engine_NC).max()),
        same_as_run=None if recorded_NC is None else int((best_N == recorded_NC.argmax(axis=1)).sum()),
        difference_to_run=None if recorded_NC is None else float(np.abs(found.float_NC - recorded_NC).max()),
        run_precision=precision,
        float32=_measured(best_N, best_N, labels_N, found.float_ms, sizes[0]),
        int8=small,
        int8_way=way,
        int8_problem=problem,
    )


def _measured(
    answered_N: np.ndarray, float_N: np.ndarray, labels_N: np.ndarray | None, milliseconds: float, size_bytes: int
) -> Measured:
    right = None if labels_N is None else int((answered_N == labels_N).sum())
    interval = None if right is None else metrics.wilson_interval(right, len(answered_N))
    return Measured(right, interval, int((answered_N == float_N).sum()), milliseconds, size_bytes)


def recorded(folder: Path, result: Mapping[str, Any], image_ids: Sequence[str]) -> np.ndarray | None:
    """What the run answered about these photos (N, C), from its predictions.csv; None where that does not hold them all."""
    columns = [f"prolip_probability_{name}" for name in result["class_names"]]
    try:
        with (folder / runs.PREDICTIONS).open(encoding="utf-8-sig", newline="") as file:
            rows = {row["image_id"]: [float(row[name]) for name in columns] for row in csv.DictReader(file)}
        return np.array([rows[image_id] for image_id in image_ids])
    except (OSError, KeyError, ValueError):
        return None

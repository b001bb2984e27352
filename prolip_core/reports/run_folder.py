"""A run's folder, as `python -m prolip_core pilot` writes it, as the record that the app keeps; without torch."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from prolip_core.csv_text import cell
from prolip_core.errors import RunError
from prolip_core.storage.records import RunRecord, RunSummary
from prolip_core.types import Prediction

RESULT, PREDICTIONS, FORMAT = "result.json", "predictions.csv", 1
"""As in `runs`, which needs torch."""


def read(folder: Path) -> RunRecord:
    """Raises RunError if it is not a run's folder, or of another version."""
    try:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        if result["format"] != FORMAT or "study" in result:
            raise ValueError("not a run of this version")
        with (folder / PREDICTIONS).open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))[1:]
        zero_shot, prolip = _answers(result["class_names"], lines)
        photos = [*result["photos"]["support"], *result["photos"]["query"]]
        return RunRecord(
            summary=_summary(folder, result),
            result=result,
            zero_shot=zero_shot,
            prolip=prolip,
            filenames={photo["id"]: photo["filename"] for photo in photos},
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, csv.Error, RecursionError) as error:
        raise RunError(
            "{folder} is not the folder of a finished run: {path} is missing, damaged, or of another version.",
            remedy="Choose the folder that was given to --out.",
            folder=folder,
            path=f"{RESULT} / {PREDICTIONS}",
        ) from error


def fingerprint(result: Mapping[str, Any]) -> str:
    """SHA-256 over what taught and what measured: classes, sentences, photos with class."""
    content = [result["class_names"], result["prompts"]]
    content += [sorted((one["class"], one["id"]) for one in result["photos"][part]) for part in ("support", "query")]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def _answers(names: Sequence[str], lines: Sequence[Sequence[str]]) -> tuple[tuple[Prediction, ...], ...]:
    """Of both methods. Of zero-shot the file has the answer and its probability alone: the rest is spread evenly."""
    place = {cell(name): label for label, name in enumerate(names)}
    zero_shot, prolip = [], []
    for image_id, _file, true, zero_answer, zero_sure, answer, _sure, *probabilities in lines:
        label, first = place[true], place[zero_answer]
        sure = float(zero_sure)
        rest = (1 - sure) / max(1, len(names) - 1)
        zero_shot.append(
            Prediction(image_id, label, first, tuple(sure if k == first else rest for k in range(len(names))))
        )
        prolip.append(Prediction(image_id, label, place[answer], tuple(map(float, probabilities))))
    if not prolip:
        raise ValueError("no answers")
    return tuple(zero_shot), tuple(prolip)


def _summary(folder: Path, result: Mapping[str, Any]) -> RunSummary:
    return RunSummary(
        id="",
        project_id="",
        number=1,
        name=folder.resolve().name,
        created_at=datetime.fromisoformat(result["created"]),
        evaluation=result["evaluation"],
        count=result["prolip"]["count"],
        zero_shot_correct=result["zero_shot"]["correct"],
        prolip_correct=result["prolip"]["correct"],
        backbone=result["backbone"],
        fingerprint=fingerprint(result),
        stopped=result["settings"]["stopped_early"],
    )

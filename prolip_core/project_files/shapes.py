"""What the JSON of a run looks like, as far as a screen or the engine relies on it; docs/result-format.md has it in words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from prolip_core.certainty import TEMPERATURES

Shape = Any
"""A kind by name, a list of one shape (of all its entries), a mapping of shapes by key, or a tuple of shapes of which one fits.

Keys that a mapping does not name may hold anything: a newer product may have written more.
"""

MAX_STRING = 65_536

_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str) and len(value) <= MAX_STRING,
    "hash": lambda value: isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None,
    "flag": lambda value: isinstance(value, bool),
    "count": lambda value: type(value) is int and 0 <= value < 2**53,
    "number": lambda value: type(value) in (int, float) and math.isfinite(value),
    "share": lambda value: type(value) in (int, float) and 0 <= value <= 1,
    "positive": lambda value: type(value) in (int, float) and math.isfinite(value) and value >= 0,
    "temperature": lambda value: type(value) in (int, float) and TEMPERATURES[0] <= value <= TEMPERATURES[1],
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, Mapping),
}

NOTE = {"message": "text", "values": "object"}
PHOTO = {"id": "hash", "filename": "text", "class": "text"}
CLASS_FIGURES = {
    "class_name": "text",
    "count": "count",
    "precision": ("share", "null"),
    "recall": ("share", "null"),
    "f1": ("share", "null"),
}
EVALUATION = {
    "count": "count",
    "correct": "count",
    "accuracy": "share",
    "accuracy_interval": ["share"],
    "balanced_accuracy": "share",
    "macro_f1": "share",
    "calibration_error": "share",
    "per_class": [CLASS_FIGURES],
    "confusion": [["count"]],
}
STEP = {
    "step": "count",
    "total_steps": "count",
    "loss": "number",
    "cross_entropy": "number",
    "penalty": "number",
    "support_accuracy": "share",
    "elapsed_s": "positive",
}
FIT = {
    "solver": "text",
    "lam": ("text", "number"),
    "learning_rate": "number",
    "epochs": "count",
    "max_iterations": "count",
    "seed": "count",
}
RESULT = {
    "format": "count",
    "created": "text",
    "class_names": ["text"],
    "images_per_class": "object",
    "backbone": "text",
    "device": "text",
    "solver": "text",
    "lam": "positive",
    "lam_note": "text",
    "lam_note_parts": NOTE,
    "evaluation": "text",
    "cross_validation": ({"folds": "count", "accuracies": ["share"]}, "null"),
    "zero_shot": EVALUATION,
    "prolip": EVALUATION,
    "mcnemar_p": "share",
    "seconds": {"features": "positive", "fit": "positive", "total": "positive"},
    "warnings": ["text"],
    "notes": [NOTE],
    "rejected_files": [{"filename": "text", "reason": "text", "remedy": "text"}],
    "duplicate_files": [{"filename": "text", "first_filename": "text", "image_id": "hash"}],
    "dropped_test_files": ["text"],
    "prompts": [["text"]],
    "settings": {
        "backbone": {"name": "text", "architecture": "text", "tag": "text", "checkpoint": ("text", "null")},
        "backbone_sha256": "hash",
        "projector_kind": "text",
        "logit_scale": "positive",
        "templates": ["text"],
        "views": "count",
        "fit": FIT,
        "seed": "count",
        "precision": "text",
        "stopped_early": "flag",
    },
    "photos": {"support": [PHOTO], "query": [PHOTO]},
    "history": [STEP],
    "versions": {"prolip_studio": "text"},
}
SURE = {
    "temperature": "temperature",
    "threshold": ("share", "null"),
    "limit": "share",
    "assured": "flag",
    "support_answered": "count",
    "support_wrong": "count",
    "upper_bound": ("share", "null"),
    "least_answers": "count",
}
"""Of a result that has one: exactly these (`sure_rule.SureRule`)."""

ANSWERS = {"image_ids": ["hash"], "labels": ["count"], "zero_shot": [["share"]], "prolip": [["share"]]}
IMAGE_RECORD = {
    "image_id": "hash",
    "filename": "text",
    "format": "text",
    "width_px": "count",
    "height_px": "count",
    "size_bytes": "count",
}


def misfit(value: Any, shape: Shape, where: str = "") -> str | None:
    """Where the value is other than the shape says (`prolip.confusion[]`), None if it fits."""
    if isinstance(shape, str):
        return None if _KINDS[shape](value) else where
    if isinstance(shape, tuple):
        found = [misfit(value, one, where) for one in shape]
        return None if None in found else found[0]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return where
        return next((one for entry in value if (one := misfit(entry, shape[0], f"{where}[]")) is not None), None)
    if not isinstance(value, Mapping):
        return where
    for key, inner in shape.items():
        name = f"{where}.{key}".lstrip(".")
        if key not in value:
            return name
        if (found_at := misfit(value[key], inner, name)) is not None:
            return found_at
    return None

"""`model.json`: all that answering needs besides the weights, and what the numbers belong to."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from prolip_core import __version__, config, features, sure_rule
from prolip_core.backbones import LONG_FROM
from prolip_core.handover.files import FORMAT
from prolip_core.projector_file import weights_fingerprint
from prolip_core.runs import SavedRun

VERSIONED = ("torch", "open_clip_torch", "timm", "pillow", "numpy", "onnxruntime", "onnx")


def preprocessing(saved: SavedRun) -> dict[str, Any]:
    """How a photo becomes pixels: open_clip's settings of the model, and the app's rules around them."""
    own = saved.backbone.preprocessing
    height, width = saved.backbone.image_size_px
    three = {key: list(own[key]) if isinstance(own[key], list | tuple) else [own[key]] * 3 for key in ("mean", "std")}
    return {
        "size": [height, width],
        **three,
        "interpolation": own["interpolation"],
        "resize_mode": own["resize_mode"],
        "fill_color": own["fill_color"],
        "long_from": LONG_FROM,
        "decode_margin": features.DECODE_MARGIN,
    }


def data_fingerprint(result: Mapping[str, Any]) -> str:
    """SHA-256 over use, class and SHA-256 of every photo of the run: which photos the numbers belong to, without telling them."""
    lines = sorted(
        json.dumps([role, photo["class"], photo["id"]], ensure_ascii=False)
        for role in ("support", "query")
        for photo in result["photos"][role]
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def projector_fingerprint(saved: SavedRun) -> str:
    """SHA-256 over the trained projector's numbers, as its own file tells it."""
    tensors = {"weight_PD": saved.projector.weight_PD}
    if saved.projector.bias_D is not None:
        tensors["bias_D"] = saved.projector.bias_D
    return weights_fingerprint(tensors)


def content(saved: SavedRun, result: Mapping[str, Any], threshold: float | None) -> dict[str, Any]:
    """The content of `model.json`. threshold: one that a person has set for the run, None for the run's own."""
    rule = sure_rule.of_result(result, threshold)
    prompts = saved.class_vectors.prompts
    return {
        "format": FORMAT,
        "class_names": list(prompts.class_names),
        "images_per_class": dict(result["images_per_class"]),
        "prompts": [list(of_class) for of_class in prompts.sentences],
        "templates": list(saved.templates),
        "backbone": result["backbone"],
        "architecture": saved.backbone.spec.architecture,
        "licence": saved.backbone.spec.licence,
        "commercial_use": saved.backbone.spec.commercial_use,
        "backbone_sha256": saved.backbone.fingerprint,
        "projector_kind": saved.backbone.projector_kind,
        "projector_sha256": projector_fingerprint(saved),
        "logit_scale": saved.backbone.logit_scale,
        "preprocessing": preprocessing(saved),
        "limits": {
            "bytes": config.MAX_IMAGE_BYTES,
            "pixels": config.MAX_IMAGE_PIXELS,
            "side_px": config.MIN_IMAGE_SIDE_PX,
        },
        "sure": None if rule is None else asdict(rule),
        "evaluation": result["evaluation"],
        "zero_shot": _figures(result["zero_shot"]),
        "prolip": _figures(result["prolip"]),
        "data_sha256": data_fingerprint(result),
        "run_created": result["created"],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "prolip_studio": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in VERSIONED},
        },
    }


def _figures(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    return {key: evaluation[key] for key in ("correct", "count", "accuracy", "accuracy_interval")}

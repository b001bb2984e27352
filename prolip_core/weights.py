"""Weights files: where they are, how they get here, and how they are read without running foreign code."""

from __future__ import annotations

import logging
import pickle
import socket
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import open_clip
import torch
from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.utils import logging as hub_logging
from open_clip.factory import load_checkpoint as read_checkpoint
from safetensors import SafetensorError
from torch import nn

from prolip_core.catalogue import CHECKPOINT_SUFFIXES, STARTER, BackboneSpec
from prolip_core.config import checkpoint_folder
from prolip_core.errors import CheckpointError, WeightsNotFoundError

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5.0
HUB_FILE_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")


def reach(spec: BackboneSpec) -> str:
    """What it takes to use the backbone now, without asking the network: "built in", "on this computer" or "download"."""
    if spec.name == STARTER:
        return "built in"
    if spec.checkpoint or local_file(spec):
        return "on this computer"
    repository = _hub_repository(spec)
    cached = any(isinstance(try_to_load_from_cache(repository, name), str) for name in HUB_FILE_NAMES if repository)
    return "on this computer" if cached else "download"


def local_file(spec: BackboneSpec) -> Path | None:
    """The weights file that a user put into the checkpoint folder under the backbone's name, if any."""
    for suffix in CHECKPOINT_SUFFIXES:
        candidate = checkpoint_folder() / f"{_file_stem(spec)}{suffix}"
        if candidate.is_file():
            return candidate
    return None


def find(spec: BackboneSpec) -> Path:
    """The weights file: the one named, one in the checkpoint folder, one downloaded before, or a download now.

    Raises WeightsNotFoundError with the file to get and the place to put it.
    """
    if spec.checkpoint is not None:
        if not spec.checkpoint.is_file():
            raise WeightsNotFoundError(
                "There is no weights file {path}.", remedy="Check the path and its spelling.", path=spec.checkpoint
            )
        return spec.checkpoint
    return local_file(spec) or guard_hub(spec, lambda: _download(spec))


# The hub client, the URL opener and transformers each report "not reachable" in their own subclass of these; open_clip folds
# some of them into RuntimeError, and an incomplete tokenizer surfaces as one of the last three.
_HUB_FAILURES = (OSError, RuntimeError, ValueError, AttributeError, TypeError)


def guard_hub(spec: BackboneSpec, action: Callable[[], T]) -> T:
    """Runs something that may need a file of the model hub: from this computer if it is there, else from the hub.

    The network is asked only if there is no other way. Raises WeightsNotFoundError that says which file to put where.
    """
    try:
        with _quiet_hub(offline=True):
            return action()
    except _HUB_FAILURES as error:
        if not _hub_reachable():
            raise _out_of_reach(spec, f"no connection to {_hub_host()}") from error
    try:
        with _quiet_hub(offline=False):
            return action()
    except _HUB_FAILURES as error:
        raise _out_of_reach(spec, _short(error)) from error


def _out_of_reach(spec: BackboneSpec, cause: str) -> WeightsNotFoundError:
    repository = _hub_repository(spec) or "the publisher of the weights"
    return WeightsNotFoundError(
        "The weights of “{name}” are neither on this computer nor can they be downloaded ({cause}).",
        remedy=(
            "On a computer with internet get “{file}” of {address} and put it here as {target}; files beside it, "
            "such as a tokenizer, go with the folder {cache}. Or choose “starter”, which is built in."
        ),
        name=spec.name,
        cause=cause,
        file=HUB_FILE_NAMES[0],
        address=f"https://huggingface.co/{repository}" if "/" in repository else repository,
        target=checkpoint_folder() / f"{_file_stem(spec)}.safetensors",
        cache=constants.HF_HUB_CACHE,
    )


def _hub_host() -> str:
    return urlsplit(constants.ENDPOINT).hostname or constants.ENDPOINT


def _hub_reachable() -> bool:
    """Whether the hub answers at all. Its client would try for a minute before it gives up, file by file."""
    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies().get("https"):
        return True
    try:
        socket.create_connection(
            (_hub_host(), urlsplit(constants.ENDPOINT).port or 443), timeout=CONNECT_TIMEOUT_S
        ).close()
    except OSError:
        return False
    return True


@contextmanager
def _quiet_hub(*, offline: bool) -> Iterator[None]:
    """Keeps the hub client from reporting what our own error says better, and from asking a network that is not there."""
    verbosity, was_offline = hub_logging.get_verbosity(), constants.HF_HUB_OFFLINE
    hub_logging.set_verbosity(logging.ERROR)
    constants.HF_HUB_OFFLINE = was_offline or offline
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = was_offline
        hub_logging.set_verbosity(verbosity)


def load_checkpoint(model: nn.Module, path: Path, spec: BackboneSpec) -> None:
    """Reads a safetensors file, or a .pt file with nothing but tensors in it, into the model; every tensor must fit.

    Raises CheckpointError for a file that holds code, is damaged, or belongs to another model.
    """
    if path.suffix.lower() not in CHECKPOINT_SUFFIXES:
        raise CheckpointError(
            "The weights file {path} has an ending that is not known.",
            remedy="Use one of: {known}.",
            path=path,
            known=", ".join(CHECKPOINT_SUFFIXES),
        )
    try:
        read_checkpoint(model, str(path), strict=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise _unsafe(path) from error
    except RuntimeError as error:
        text = str(error)
        if "TorchScript" in text:
            raise _unsafe(path) from error
        if "PytorchStreamReader" in text:
            raise _damaged(path) from error
        raise _other_model(path, spec.architecture, text) from error
    except (SafetensorError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise _damaged(path) from error
    except (StopIteration, AttributeError, KeyError, TypeError, ValueError) as error:
        # What open_clip stumbles over when the file holds something else than named tensors.
        raise _other_model(path, spec.architecture, repr(error)) from error


def load_into(model: nn.Module, state: dict[str, torch.Tensor], name: str) -> None:
    """Fills a model with a complete set of named tensors. Raises CheckpointError if one is missing or of another shape."""
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise _other_model(Path(name), name, str(error)) from error


def _download(spec: BackboneSpec) -> Path:
    path = open_clip.download_pretrained(open_clip.get_pretrained_cfg(spec.architecture, spec.tag))
    if not path:
        raise FileNotFoundError("no address is known")
    return Path(path)


def _hub_repository(spec: BackboneSpec) -> str:
    config = open_clip.get_pretrained_cfg(spec.architecture, spec.tag) if spec.tag else {}
    return str(config.get("hf_hub", "")).strip("/")


def _file_stem(spec: BackboneSpec) -> str:
    """The backbone's name as a file name: `ViT-B-32:laion2b` → `ViT-B-32--laion2b`."""
    return "".join(c if c.isalnum() or c in "-_." else "--" for c in spec.name)


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160]


def _unsafe(path: Path) -> CheckpointError:
    return CheckpointError(
        "The weights file {path} holds program code and not only numbers, so it is not opened.",
        remedy="Get the .safetensors version of these weights, or convert the file on a computer that you trust with it.",
        path=path,
    )


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        "The weights file {path} is damaged or incomplete.", remedy="Download or copy it again.", path=path
    )


def _other_model(path: Path, architecture: str, detail: str) -> CheckpointError:
    lines = [line.strip() for line in detail.splitlines()]
    return CheckpointError(
        "The weights file {path} does not belong to the model “{architecture}” ({detail}).",
        remedy="Choose the architecture that these weights were made for.",
        path=path,
        architecture=architecture,
        detail=(lines[1] if len(lines) > 1 else lines[0])[:160],
    )

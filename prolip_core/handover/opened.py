"""A hand-over zip, or its unpacked folder, opened again by the app. Only data is read from it; its programs are never run."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from prolip_core.errors import HandOverError
from prolip_core.handover import files
from prolip_core.handover.predict import Classifier

MAX_MEMBER_BYTES = 4 * 2**30
"""A model over this size is not unpacked into memory."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, KeyError)


def looks_like(path: Path) -> bool:
    """Whether it is a hand-over file, or its unpacked folder, and not the folder of a run."""
    return path.is_file() or (path / files.SETTINGS).is_file()


def open_(path: Path, *, threads: int = 0) -> Classifier:
    """The float model of a hand-over zip or its unpacked folder. threads: 0 for all cores. Raises HandOverError."""
    read = _folder(path) if path.is_dir() else _zip(path)
    try:
        found = Classifier(read, threads=threads)
        known = found.settings["format"]
        # What is missing is missed now and not at the first photo.
        _ = found.settings["sure"], found.settings["preprocessing"]["size"], found.settings["limits"]["bytes"]
    except HandOverError:
        raise
    except Exception as error:  # damaged JSON, a model that is none: onnxruntime raises classes of its own
        raise _unusable(
            path, files.SETTINGS if isinstance(error, ValueError | KeyError | TypeError) else files.FLOAT
        ) from error
    if known != files.FORMAT:
        raise HandOverError(
            "{path} was made by another version of ProLIP Studio (format {found}, known is {known}).",
            remedy="Open it with that version, or make it anew.",
            path=path,
            found=known,
            known=files.FORMAT,
        )
    return found


def _folder(path: Path) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        try:
            return (path / name).read_bytes()
        except OSError as error:
            raise _unusable(path, name) from error

    return read


def _zip(path: Path) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        try:
            with zipfile.ZipFile(path) as archive:
                if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
                    raise _unusable(path, name)
                return archive.read(name)
        except _DAMAGE as error:
            raise _unusable(path, name) from error

    return read


def _unusable(path: Path, name: str) -> HandOverError:
    return HandOverError(
        "{path} is no whole hand-over file: {name} is missing or damaged.",
        remedy="Choose a zip that “hand-over” made, or the folder that it was unpacked to; copy it again if it was damaged.",
        path=path,
        name=name,
    )

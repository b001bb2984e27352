"""Folders of photos: which files there are, what became of each, and how to read them again."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePath

from prolip_core import config, images
from prolip_core.errors import DatasetError, ImageError, UnreadableFileError
from prolip_core.i18n import N_
from prolip_core.types import DuplicateFile, ImageRecord, ImportResult, RejectedFile

_SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
_SYSTEM_FOLDERS = {"__macosx", "$recycle.bin", "@eadir"}
_PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp", ".gif"}
_SPLIT_NAMES = {"train", "training", "test", "testing", "val", "valid", "validation"}
_LAYOUT = N_(
    "Make one folder per class inside it, named like the class, with that class's photos: {root}/scratch/photo1.jpg."
)


def read_file(path: Path, filename: str | None = None) -> bytes:
    """The bytes of one file, never more than the limit. `filename` is the name in messages, else the last part of the
    path.

    Raises UnreadableFileError (a folder, a device, gone, no right) or ImageTooLargeError.
    """
    name = filename or display_name(path, None)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableFileError(
                "{filename} is a folder, not a photo.", remedy="Choose the photos inside it.", filename=name
            )
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            raise UnreadableFileError(
                "{filename} is not an ordinary file.", remedy="Choose a photo that is stored on a disk.", filename=name
            )
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes > config.MAX_IMAGE_BYTES:
                raise images.too_many_bytes(size_bytes, name)
            return file.read(size_bytes)  # a larger number would be allocated at once, for every file
    except OSError as error:
        raise _unreadable(path, name, error) from error


def _unreadable(path: Path, name: str, error: OSError) -> UnreadableFileError:
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return UnreadableFileError(
            "{filename} is a link to a file that is not there.", remedy="Choose the photo itself.", filename=name
        )
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError(
            "{filename} is not there any more.",
            remedy="Check that the drive is connected and the file was not moved.",
            filename=name,
        )
    if isinstance(error, PermissionError):
        return UnreadableFileError(
            "{filename} may not be read: this user has no right to open it.",
            remedy="Copy the photo to a folder of your own, or ask the owner for the right to read it.",
            filename=name,
        )
    return UnreadableFileError(
        "{filename} cannot be read: {cause}.",
        remedy="Check that the drive is connected, and copy the photo again.",
        filename=name,
        cause=error.strerror or type(error).__name__,
    )


def import_files(
    files: Sequence[Path],
    *,
    workers: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
    display_root: Path | None = None,
) -> tuple[ImportResult, dict[str, Path]]:
    """Read and check every file; gives what became of each, and image id → path of the accepted ones.

    Files of the system (.DS_Store, Thumbs.db, names that begin with a dot, …) are passed over. The order is natural and
    ignores case: photo2 before photo10. Of files with the same bytes the first is accepted, the others are in
    `duplicates`. `display_root`: names are told relative to it. `on_progress(done, total)` is called in the calling
    thread; what it raises ends the import. At most `workers` files are in memory at a time.
    """
    named = [(display_name(path, display_root), path) for path in files]
    named = sorted(
        (entry for entry in named if not is_system_file(Path(entry[0]))), key=lambda entry: natural_key(entry[0])
    )
    accepted: dict[str, ImageRecord] = {}
    paths: dict[str, Path] = {}
    rejected: list[RejectedFile] = []
    duplicates: list[DuplicateFile] = []
    for done, (path, outcome) in enumerate(_check_all(named, workers), start=1):
        if isinstance(outcome, RejectedFile):
            rejected.append(outcome)
        elif outcome.image_id in accepted:
            first = accepted[outcome.image_id]
            duplicates.append(DuplicateFile(outcome.filename, first.filename, first.image_id))
        else:
            accepted[outcome.image_id] = outcome
            paths[outcome.image_id] = path
        if on_progress is not None:
            on_progress(done, len(named))
    return ImportResult(tuple(accepted.values()), tuple(rejected), tuple(duplicates)), paths


def _check_all(named: Sequence[tuple[str, Path]], workers: int) -> Iterator[tuple[Path, ImageRecord | RejectedFile]]:
    """Outcomes in the order given; no more than 2 × `workers` are begun ahead, so a stop is quick."""
    window: deque[tuple[Path, Future[ImageRecord | RejectedFile]]] = deque()
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for name, path in named:
            if len(window) >= 2 * workers:
                first_path, future = window.popleft()
                yield first_path, future.result()
            window.append((path, pool.submit(_check_one, name, path)))
        while window:
            first_path, future = window.popleft()
            yield first_path, future.result()


def _check_one(name: str, path: Path) -> ImageRecord | RejectedFile:
    try:
        return images.check(read_file(path, name), name)
    except ImageError as error:
        return RejectedFile(name, error.without_history())


def require_photos(class_name: str, result: ImportResult) -> None:
    """Raises DatasetError if not one photo of the class was accepted; names the first reason."""
    if result.accepted:
        return
    first = result.rejected[0].reason if result.rejected else "The folder is empty."
    raise DatasetError(
        'No photo of class "{class_name}" can be used (files refused: {count}). The first reason: {reason}',
        remedy="Replace the photos of this class, or leave the class out.",
        class_name=class_name,
        count=len(result.rejected),
        reason=first,
    )


class FolderSource:
    """Photos read again from where they lie. `paths`: image id → path, as `import_files` gives it."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)

    def read(self, image_id: str) -> bytes:
        """Raises KeyError for an id that was never imported, UnreadableFileError if the file is gone or was changed."""
        path = self._paths[image_id]
        data = read_file(path)
        if hashlib.sha256(data).hexdigest() != image_id:
            raise UnreadableFileError(
                "{filename} was changed while it was in use.",
                remedy="Start again with the photos as they are now.",
                filename=display_name(path, None),
            )
        return data


def photos_at(path: Path) -> list[Path]:
    """The file itself, or all files below the folder, in natural order. Raises DatasetError if there is nothing."""
    if path.is_file():
        return [path]
    _require_folder(path)
    files = _files_below(path)
    if not files:
        raise DatasetError("The folder {root} is empty.", remedy="Choose a folder with photos.", root=path)
    return files


def class_folders(root: Path, *, at_least: int = 2, skip_empty: bool = False) -> list[tuple[str, list[Path]]]:
    """(class name, its files) for every folder in `root`, in natural order; sub-folders of a class count as the class.

    Names are Unicode-normalised (NFC: a Mac stores が as two characters). Files are not opened; hidden ones are left
    out. A folder of test photos may hold `at_least` 1 class, and `skip_empty` passes over those without a file. Raises
    DatasetError if the folder cannot be read or is not laid out as one folder per class.
    """
    _require_folder(root)
    try:
        entries = [entry for entry in root.iterdir() if not is_system_file(Path(entry.name))]
        folders = sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: natural_key(entry.name))
    except OSError as error:
        raise _folder_unreadable(root, error) from error
    loose = sorted(e.name for e in entries if e.suffix.lower() in _PHOTO_SUFFIXES and not e.is_dir())
    _require_layout(root, [_printable(folder.name) for folder in folders], loose, at_least)
    classes = [(_printable(folder.name), _files_below(folder)) for folder in folders]
    if skip_empty:
        return [(name, files) for name, files in classes if files]
    empty = [name for name, files in classes if not files]
    if empty:
        raise DatasetError(
            "These class folders are empty: {names}.",
            remedy="Put photos of the class into each of them, or delete the folder.",
            names=", ".join(empty),
        )
    return classes


def _require_folder(root: Path) -> None:
    if not root.exists():
        raise DatasetError(
            "The folder {root} is not there.",
            remedy="Check the spelling, and that the drive is connected.",
            root=root,
        )
    if not root.is_dir():
        raise DatasetError("{root} is a file, not a folder.", remedy="Choose the folder that holds it.", root=root)


def _require_layout(root: Path, names: Sequence[str], loose: Sequence[str], at_least: int) -> None:
    """Raises DatasetError unless there are enough class folders and no photo beside them."""
    if loose:
        raise DatasetError(
            "Photos lie directly in {root}, so their class is not known (number: {count}, the first: {first}).",
            remedy=_LAYOUT,
            count=len(loose),
            root=root,
            first=_printable(loose[0]),
        )
    if not names:
        raise DatasetError("There is no class folder in {root}.", remedy=_LAYOUT, root=root)
    if len(names) > 1 and all(name.casefold() in _SPLIT_NAMES for name in names):
        raise DatasetError(
            "{root} holds the folders {names}, which are parts of a data set and not classes.",
            remedy="Choose one of these folders, for example {root}/{first}.",
            root=root,
            names=", ".join(names),
            first=next((name for name in names if name.casefold().startswith("train")), names[0]),
        )
    if len(names) < at_least:
        raise DatasetError(
            'There is only one class in {root}: "{name}". At least 2 are needed.',
            remedy='Add a folder with photos of something else, for example of "not {name}".',
            root=root,
            name=names[0],
        )
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise DatasetError(
            "Two folders in {root} have the same name, written in two ways: {names}.",
            remedy="Put their photos into one folder.",
            root=root,
            names=", ".join(twice),
        )


def _files_below(folder: Path) -> list[Path]:
    """All files below the folder in natural order; links are followed, each real folder is entered once."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:  # a link that leads back up
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = [entry for entry in current.iterdir() if not is_system_file(Path(entry.name))]
        except OSError as error:
            raise _folder_unreadable(current, error) from error
        waiting += [entry for entry in entries if entry.is_dir()]
        found += [entry for entry in entries if not entry.is_dir()]
    return sorted(found, key=lambda path: natural_key(str(path.relative_to(folder))))


def _folder_unreadable(folder: Path, error: OSError) -> DatasetError:
    return DatasetError(
        "The folder {folder} cannot be read: {cause}.",
        remedy="Ask for the right to read it, or copy the photos to a folder of your own.",
        folder=_printable(str(folder)),
        cause=error.strerror or type(error).__name__,
    )


def is_system_file(name: PurePath) -> bool:
    """True for what systems leave beside photos. `name` is relative, so a hidden folder above the photos does not
    count.
    """
    parts = [part.casefold() for part in name.parts]
    return any(part.startswith(".") or part in _SYSTEM_FOLDERS for part in parts) or name.name.lower() in _SYSTEM_FILES


def display_name(path: Path, root: Path | None) -> str:
    shown = path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else path.name
    return _printable(shown)


def _printable(name: str) -> str:
    """NFC, and without the lone surrogates by which Python hides bytes of a name that is no valid UTF-8."""
    return _normal(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key: numbers by value, letters without case; the name itself decides between equals."""
    parts = re.split(r"(\d+)", _normal(name).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part], name

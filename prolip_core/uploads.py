"""What a person drops onto a page → checked photos with the class and the use that their folders name.

Every file is either accepted or rejected with reason and remedy. Accepted photos are in the store then; into a project they come
by `storage.photos.add`.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from prolip_core import archives, class_table, images, photo_quality, prompts
from prolip_core.content_store import ContentStore, ThumbnailStore
from prolip_core.errors import ArchiveError, ImageError, ProLIPError, PromptError
from prolip_core.image_files import is_system_file
from prolip_core.storage.records import ClassRow, Role
from prolip_core.types import CheckedPhoto, ClassSpec, RejectedFile

_TRAIN_FOLDERS = {"train", "training", "学習", "学習用"}
_TEST_FOLDERS = {"test", "testing", "val", "valid", "validation", "テスト", "テスト用", "評価"}


@dataclass(frozen=True)
class UploadFile:
    """A file as the browser sent it; `name` may hold folders, parted by "/"."""

    name: str
    data: bytes


@dataclass(frozen=True)
class PlacedPhoto:
    """An accepted photo; `folder` is the name of the folder around it (None: none), `role` what a folder above that says."""

    photo: CheckedPhoto
    folder: str | None
    role: Role | None


@dataclass(frozen=True)
class Progress:
    """After each file: how many of how many are done, and what became of this one (a file of the system: neither)."""

    done: int
    total: int
    photo: PlacedPhoto | None = None
    rejected: RejectedFile | None = None


def check(
    files: Sequence[UploadFile], store: ContentStore, thumbnails: ThumbnailStore, *, workers: int = 2
) -> Iterator[Progress]:
    """Checks file by file, in the order given and unpacking zips, and keeps the photos that pass.

    Told one by one, so that what is done can be saved while the rest goes on. A zip counts as the files in it. At most
    2 × `workers` photos are unpacked at a time. Raises StorageError if the disk is full.
    """
    total, done = sum(_count(file) for file in files), 0
    waiting: deque[Future[Progress]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="check") as pool:
        for name, data, refused in _each(files):
            if len(waiting) >= 2 * workers:
                done += 1
                yield replace(waiting.popleft().result(), done=done, total=max(total, done))
            waiting.append(pool.submit(_check_one, name, data, refused, store, thumbnails))
        while waiting:
            done += 1
            yield replace(waiting.popleft().result(), done=done, total=max(total, done))


def _count(file: UploadFile) -> int:
    if is_system_file(PurePosixPath(file.name)):
        return 0
    return archives.count(file.data) if archives.is_zip(file.data) else 1


def _each(files: Sequence[UploadFile]) -> Iterator[tuple[str, bytes, ImageError | None]]:
    """Name, bytes, and the refusal if it is refused already; hidden files are passed over."""
    for file in files:
        if is_system_file(PurePosixPath(file.name)):
            continue
        if not archives.is_zip(file.data):
            yield file.name, file.data, None
            continue
        is_empty = True
        try:
            for member in archives.members(file.data, file.name):
                is_empty = False
                yield member.name, member.data, member.error
            if is_empty:
                yield file.name, b"", _nothing_in(file.name)
        except ArchiveError as error:
            yield file.name, b"", refusal(error, file.name)


def _nothing_in(filename: str) -> ImageError:
    return ImageError(
        "There is no photo in {filename}.",
        filename=filename,
        remedy="Put photos into the zip file, and choose it again.",
    )


def refusal(error: ProLIPError, filename: str) -> ImageError:
    """The error as the reason why one file is not taken."""
    values = {name: value for name, value in error.values.items() if name != "filename"}
    return ImageError(error.message, filename=filename, remedy=error.remedy, **values)


def _check_one(
    name: str, data: bytes, refused: ImageError | None, store: ContentStore, thumbnails: ThumbnailStore
) -> Progress:
    name = unicodedata.normalize("NFC", name)
    shown = PurePosixPath(name).name
    try:
        if refused is not None:
            raise refused
        found = images.inspect(data, shown)
    except ImageError as error:
        return Progress(0, 0, rejected=RejectedFile(name, error.without_history()))
    store.put(data)
    thumbnails.put(found.record.image_id, found.thumbnail)
    folder, role = place_of(name)
    return Progress(
        0, 0, photo=PlacedPhoto(CheckedPhoto(found.record, photo_quality.measure(found.grey_HW)), folder, role)
    )


@dataclass(frozen=True)
class Homes:
    """Where the photos of each folder go. `rows`: the project's classes and, after them, the new ones (without an id);
    `of_folder`: folder → place in `rows`; `refused`: folder → why it can be no class."""

    rows: tuple[ClassRow, ...]
    of_folder: Mapping[str, int]
    refused: Mapping[str, ProLIPError]


def homes(folders: Iterable[str], rows: Sequence[ClassRow]) -> Homes:
    """Folders that match no class become new ones, up to `class_table.MAX_CLASSES` classes in all."""
    found, of_folder, refused = list(rows), dict[str, int](), dict[str, ProLIPError]()
    for folder in dict.fromkeys(folders):
        index = match_class(folder, [row.spec for row in found])
        if index is None:
            try:
                made = prompts.make_class(folder)
                if len(found) >= class_table.MAX_CLASSES:
                    raise _too_many_classes()
            except ProLIPError as error:
                refused[folder] = error
                continue
            index = len(found)
            found.append(ClassRow(None, made.display_name, made.prompt_names))
        of_folder[folder] = index
    return Homes(tuple(found), of_folder, refused)


def _too_many_classes() -> PromptError:
    return PromptError(
        "This would be one class too many: a project holds {limit} at most.",
        remedy="Use fewer classes, or fewer folders.",
        limit=class_table.MAX_CLASSES,
    )


def match_class(folder: str, classes: Sequence[ClassSpec]) -> int | None:
    """The class that a folder's name means, None if it is a new one. Width and case of letters, underscores and double spaces
    do not count. A display name comes before the names for the model, which two classes may share."""
    wanted = _plain(folder)
    for index, spec in enumerate(classes):
        if wanted == _plain(spec.display_name):
            return index
    for index, spec in enumerate(classes):
        if wanted in {_plain(name) for name in spec.prompt_names}:
            return index
    return None


def place_of(name: str) -> tuple[str | None, Role | None]:
    """Class folder and use that a file's name tells: `x/test/bolt/1.jpg` → ("bolt", "test"), `1.jpg` → (None, None)."""
    folders = [unicodedata.normalize("NFC", part) for part in PurePosixPath(name).parts[:-1] if part != "/"]
    role: Role | None = None
    for folder in folders:
        if folder.casefold() in _TRAIN_FOLDERS:
            role = "train"
        elif folder.casefold() in _TEST_FOLDERS:
            role = "test"
    last = folders[-1] if folders else None
    if last is not None and last.casefold() in _TRAIN_FOLDERS | _TEST_FOLDERS:
        last = None  # photos directly in "test": their class is not known
    return last, role


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).replace("_", " ").casefold().split())

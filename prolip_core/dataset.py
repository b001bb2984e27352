"""Folders of photos (one folder per class) and a class list → the photo set that a pilot runs on."""

from __future__ import annotations

import csv
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prolip_core import csv_text, image_files, prompts
from prolip_core.errors import DatasetError, ImageError
from prolip_core.types import ClassSpec, DuplicateFile, ImageSource, LabelledImage, Progress, RejectedFile

CSV_COLUMNS = ("class", "display_name", "prompt_names")
NAME_SEPARATOR = "|"


@dataclass(frozen=True)
class PhotoSet:
    """Everything a pilot needs to know about photos: classes in order, support, query (empty: cross-validation), and what was
    not taken. `source` reads the bytes again."""

    classes: tuple[ClassSpec, ...]
    support: tuple[LabelledImage, ...]
    query: tuple[LabelledImage, ...]
    source: ImageSource
    rejected: tuple[RejectedFile, ...] = ()
    duplicates: tuple[DuplicateFile, ...] = ()


@dataclass(frozen=True)
class _Folder:
    images: tuple[LabelledImage, ...]
    rejected: tuple[RejectedFile, ...]
    duplicates: tuple[DuplicateFile, ...]
    paths: dict[str, Path]


def read_folders(
    train: Path,
    test: Path | None = None,
    classes_csv: Path | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> PhotoSet:
    """The photos of TRAIN (and TEST), checked one by one, with their classes.

    The classes are the folders of TRAIN, in natural order or in the order of the class list; TEST may hold only some of them.
    Raises DatasetError for folders or a class list that cannot be used; bad files only land in `rejected`.
    """
    train_folders = dict(image_files.class_folders(train))
    classes_by_folder = _classes(train_folders, classes_csv)
    test_folders = _test_folders(test, classes_by_folder) if test is not None else {}
    total = sum(len(files) for folder in (train_folders, test_folders) for files in folder.values())
    label_of = {name: label for label, name in enumerate(classes_by_folder)}
    done_before_test = total - sum(map(len, test_folders.values()))
    support = _read(train, train_folders, label_of, on_progress, 0, total, required=True)
    query = _read(test, test_folders, label_of, on_progress, done_before_test, total, required=False)
    support_images, support_conflicts = _without_conflicts(support.images, tuple(classes_by_folder))
    query_images, query_conflicts = _without_conflicts(query.images, tuple(classes_by_folder))
    taught = {image.label for image in support_images}
    for name, label in label_of.items():
        if label not in taught:
            raise DatasetError(
                "Every photo of the class “{name}” is also in another class.",
                remedy="Keep each photo in the one class that it belongs to.",
                name=name,
            )
    if test is not None and not query_images:
        raise DatasetError(
            "No photo of the test folder {folder} can be used.",
            remedy="Add readable photos, or leave the test folder out: then cross-validation measures.",
            folder=test,
        )
    return PhotoSet(
        classes=tuple(classes_by_folder.values()),
        support=support_images,
        query=query_images,
        source=image_files.FolderSource({**support.paths, **query.paths}),
        rejected=(*support.rejected, *support_conflicts, *query.rejected, *query_conflicts),
        duplicates=(*support.duplicates, *query.duplicates),
    )


def read_more(
    folder: Path,
    train: Path,
    classes_csv: Path | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> PhotoSet:
    """Further test photos of the classes of TRAIN, whose own photos are not read: a photo set without support.

    Raises DatasetError for a folder or a class list that cannot be used, a class that TRAIN has not, or no usable photo.
    """
    classes_by_folder = _classes(dict(image_files.class_folders(train)), classes_csv)
    folders = _test_folders(folder, classes_by_folder)
    label_of = {name: label for label, name in enumerate(classes_by_folder)}
    found = _read(folder, folders, label_of, on_progress, 0, sum(map(len, folders.values())), required=False)
    images, conflicts = _without_conflicts(found.images, tuple(classes_by_folder))
    if not images:
        raise DatasetError("No photo of the folder {folder} can be used.", remedy="Add readable photos.", folder=folder)
    return PhotoSet(
        classes=tuple(classes_by_folder.values()),
        support=(),
        query=images,
        source=image_files.FolderSource(found.paths),
        rejected=(*found.rejected, *conflicts),
        duplicates=found.duplicates,
    )


def read_classes(path: Path, folders: Sequence[str]) -> dict[str, ClassSpec]:
    """The class list: a CSV file with the columns class (a folder's name), display_name, prompt_names (parted by “|”).

    UTF-8, or the Japanese Windows code page that Excel writes. Gives folder name → class, in the order of the file. Every
    folder must be in it, and every line must have its folder. Raises DatasetError, PromptError.
    """
    columns, rows = _table(path)
    if "class" not in columns:
        raise DatasetError(
            "The class list {path} has no column “class”.",
            remedy="Its first line must read: {columns}.",
            path=path,
            columns=",".join(CSV_COLUMNS),
        )
    classes: dict[str, ClassSpec] = {}
    for row in rows:
        folder = unicodedata.normalize("NFC", (row["class"] or "").strip())
        if not folder:
            continue
        if folder in classes:
            raise DatasetError(
                "The class list {path} names “{name}” twice.", remedy="Remove one of the lines.", path=path, name=folder
            )
        if folder not in folders:
            raise DatasetError(
                "The class list {path} names “{name}”, but there is no such folder.",
                remedy="Correct the name, or add the folder. Folders: {known}.",
                path=path,
                name=folder,
                known=", ".join(folders),
            )
        names = (row.get("prompt_names") or "").split(NAME_SEPARATOR)
        classes[folder] = prompts.make_class((row.get("display_name") or "").strip() or folder, names)
    missing = [name for name in folders if name not in classes]
    if missing:
        raise DatasetError(
            "The class list {path} does not name the folder “{name}”.",
            remedy="Add a line for it, or move the folder away.",
            path=path,
            name=missing[0],
        )
    return classes


def _classes(train_folders: dict[str, list[Path]], classes_csv: Path | None) -> dict[str, ClassSpec]:
    """Folder name → class, in class order."""
    if classes_csv is not None:
        return read_classes(classes_csv, list(train_folders))
    return {name: prompts.make_class(name) for name in train_folders}


def _test_folders(folder: Path, classes_by_folder: dict[str, ClassSpec]) -> dict[str, list[Path]]:
    """The class folders of a test folder, which may hold only some of the classes. Raises DatasetError for an unknown one."""
    found = dict(image_files.class_folders(folder, at_least=1, skip_empty=True))
    unknown = [name for name in found if name not in classes_by_folder]
    if unknown:
        raise DatasetError(
            "The test folder has the class “{name}”, which the training folder has not.",
            remedy="Add training photos of it, or remove it from the test. Training classes: {known}.",
            name=unknown[0],
            known=", ".join(classes_by_folder),
        )
    return found


def _table(path: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    """The names of the columns, in small letters, and the lines below them; parted by commas, semicolons or tabs, as the
    spreadsheets of different countries write them."""
    lines = _decode_text(path).lstrip().splitlines(keepends=True)
    reader = csv.DictReader(lines, delimiter=csv_text.delimiter(lines[0] if lines else ""))
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        return reader.fieldnames, list(reader)
    except csv.Error as error:
        raise DatasetError(
            "The class list {path} cannot be read as a table: {cause}.",
            remedy="Save it as “CSV UTF-8” in your spreadsheet.",
            path=path,
            cause=error,
        ) from error


def _decode_text(path: Path) -> str:
    if not path.is_file():
        raise DatasetError("There is no class list {path}.", remedy="Check the path and its spelling.", path=path)
    try:
        data = image_files.read_file(path)
    except ImageError as error:
        raise DatasetError(
            "The class list {path} cannot be read: {cause}",
            remedy="Check the path.",
            path=path,
            cause=error.reason_text,
        ) from error
    try:
        return csv_text.decode(data)
    except ValueError as error:
        raise DatasetError(
            "The class list {path} is not a text file.", remedy="Save it as “CSV UTF-8” in your spreadsheet.", path=path
        ) from error


def _read(
    root: Path | None,
    folders: dict[str, list[Path]],
    label_of: dict[str, int],
    on_progress: Callable[[Progress], None] | None,
    done_before: int,
    total: int,
    *,
    required: bool,
) -> _Folder:
    """Reads class by class; `required`: a class without one usable photo is an error."""
    images: list[LabelledImage] = []
    rejected: list[RejectedFile] = []
    duplicates: list[DuplicateFile] = []
    paths: dict[str, Path] = {}

    for name, files in folders.items():
        offset = done_before

        def report(done: int, _of_class: int, offset: int = offset) -> None:
            if on_progress is not None:
                on_progress(Progress("import", offset + done, total, 0.0, None))

        result, of_class = image_files.import_files(files, display_root=root, on_progress=report)
        if required:
            image_files.require_photos(name, result)
        images += [LabelledImage(record, label_of[name]) for record in result.accepted]
        rejected += result.rejected
        duplicates += result.duplicates
        paths |= of_class
        done_before += len(files)
    return _Folder(tuple(images), tuple(rejected), tuple(duplicates), paths)


def _without_conflicts(
    images: Sequence[LabelledImage], folders: Sequence[str]
) -> tuple[tuple[LabelledImage, ...], tuple[RejectedFile, ...]]:
    """Takes out photos that lie, byte for byte the same, in two classes: they would teach, or measure, a contradiction."""
    labels: dict[str, set[int]] = defaultdict(set)
    for image in images:
        labels[image.image_id].add(image.label)
    kept = tuple(image for image in images if len(labels[image.image_id]) == 1)
    rejected = tuple(
        RejectedFile(
            image.record.filename,
            ImageError(
                "“{filename}” is the same photo as one in another class ({classes}).",
                filename=image.record.filename,
                remedy="Keep it in the right class and remove it from the other.",
                classes=", ".join(folders[label] for label in sorted(labels[image.image_id])),
            ),
        )
        for image in images
        if len(labels[image.image_id]) > 1
    )
    return kept, rejected

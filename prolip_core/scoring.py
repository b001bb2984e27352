"""A folder of photos → a table of answers, which goes on where it was interrupted.

Every answer is in a journal beside the table, on the disk for good (fsync), before the next photos are read; the table itself is
written at the end, under a temporary name first. A process that is killed loses the photos in progress and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from prolip_core import csv_text, image_files
from prolip_core.answering import Answer, Answerer, answer_bytes
from prolip_core.errors import ConfigError, ImageError, RunError
from prolip_core.types import Progress

BATCH = 16
FORMAT = 1
SUFFIXES = (".csv", ".parquet")
STAGE = "score"
ANSWERED, NOT_READ, CHANGED = "answered", "not read", "changed"

OnProgress = Callable[[Progress], bool | None]


@dataclass(frozen=True)
class Row:
    """A photo of the table: size and time of the file as it was answered (time in ns), and its answer or why there is none."""

    file: str
    status: str
    size_bytes: int
    modified_ns: int
    answer: Answer | None
    reason: str = ""


@dataclass(frozen=True)
class Scored:
    """How a folder went: photos in the table, how many of them were answered before this start, how many have no answer."""

    photos: int
    resumed: int
    without_answer: int
    path: Path


def check_out(out: Path) -> None:
    """Raises ConfigError for a table of a kind that is not written, or that is there already."""
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            "The table {path} has an ending that is not known.",
            remedy="Use one of: {known}.",
            path=out,
            known=", ".join(SUFFIXES),
        )
    if out.exists():
        raise ConfigError(
            "The table {path} is there already, whole.", remedy="Choose another name, or delete it first.", path=out
        )


def journal_of(out: Path) -> Path:
    """Where the answers are kept until the table is written."""
    return out.with_name(out.name + ".journal")


def run(answerer: Answerer, folder: Path, out: Path, *, on_progress: OnProgress | None = None) -> Scored:
    """Answers every photo below the folder, in natural order, and writes the table. Goes on with an interrupted one.

    Raises ConfigError, DatasetError, RunError (a journal of something else, a full disk).
    """
    check_out(out)
    root = folder if folder.is_dir() else folder.parent
    paths = _named(image_files.photos_at(folder), root)
    head = {"format": FORMAT, "model": answerer.fingerprint, "folder": str(folder.resolve())}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _alone(out):
            check_out(out)  # once more: another process may have ended in the meantime
            kept = _read_journal(journal_of(out), head)
            # What could not be read is tried again: a drive that was away, a copy that was under way.
            rows = {name: row for name, row in kept.items() if row.status != NOT_READ or name not in paths}
            resumed = len(rows)
            _answer_rest(answerer, paths, rows, journal_of(out), on_progress)
            ordered = [rows[name] for name in sorted(rows, key=image_files.natural_key)]
            final = [_as_it_is_now(row, paths) for row in ordered]
            _write(out, final, answerer.class_names)
            journal_of(out).unlink()
    except OSError as error:
        raise RunError(
            "The results cannot be written to {folder}: {cause}.",
            remedy="Free some disk space and start again with the same command: answers that are there are kept.",
            folder=out.parent,
            cause=error.strerror or error,
        ) from error
    return Scored(len(final), resumed, sum(row.answer is None for row in final), out)


def _named(paths: Sequence[Path], root: Path) -> dict[str, Path]:
    """Every photo under the name that the table shows. Names that look the same (が of one or of two characters, bytes that are
    no UTF-8) are told apart by their bytes, not by a number: the journal must know them again."""
    shown = [image_files.display_name(path, root) for path in paths]
    counts = Counter(shown)
    return {
        name if counts[name] == 1 else f"{name} [{_bytes_of(path, root)}]": path
        for name, path in zip(shown, paths, strict=True)
    }


def _bytes_of(path: Path, root: Path) -> str:
    return hashlib.sha256(os.fsencode(path.relative_to(root))).hexdigest()[:8]


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Two processes must not write one journal. The lock ends with its process, however that ends."""
    lock = filelock.FileLock(out.with_name(out.name + ".lock"))
    try:
        with lock.acquire(timeout=0):
            yield
            # The table is there now, so whoever still holds the removed file is told so by `check_out`.
            Path(lock.lock_file).unlink(missing_ok=True)
    except filelock.Timeout as error:
        raise ConfigError(
            "Another process is writing the table {path}.", remedy="Wait for it, or choose another name.", path=out
        ) from error


def _read_journal(path: Path, head: Mapping[str, Any]) -> dict[str, Row]:
    """The rows that are on the disk; makes the journal if there is none. What a killed process left half is cut off."""
    if not path.exists():
        _append(path, [dict(head)])
        return {}
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
        rows = {row.file: row for row in map(_row_of, lines[1:] if lines[:1] == [head] else ())}
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(
            "The journal {path} is damaged.",
            remedy="Choose another name for the table, or delete the journal to start anew.",
            path=path,
        ) from error
    if lines and lines[0] != head:
        raise RunError(
            "The journal {path} belongs to another folder of photos or another model.",
            remedy="Choose another name for the table, or delete the journal to start anew.",
            path=path,
        )
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
            os.fsync(file.fileno())
    if not lines:
        _append(path, [dict(head)])
    return rows


def _row_of(line: Mapping[str, Any]) -> Row:
    kept = line["answer"]
    answer = None
    if kept is not None:
        zero_shot = kept["zero_shot"]
        parts = {
            "probabilities": tuple(kept["probabilities"]),
            "zero_shot": None if zero_shot is None else tuple(zero_shot),
        }
        answer = Answer(**{**kept, **parts})
    return Row(**{**line, "answer": answer})


def _append(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    with path.open("ab") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
        file.flush()
        os.fsync(file.fileno())


def _answer_rest(
    answerer: Answerer, paths: Mapping[str, Path], rows: dict[str, Row], journal: Path, on_progress: OnProgress | None
) -> None:
    """Answers what the journal lacks, and adds it to both."""
    left = sorted((name for name in paths if name not in rows), key=image_files.natural_key)
    total = len(rows) + len(left)
    for start in range(0, len(left), BATCH):
        done = _answer_batch(answerer, [(name, paths[name]) for name in left[start : start + BATCH]])
        _append(journal, [asdict(row) for row in done])
        rows.update({row.file: row for row in done})
        if on_progress is not None:
            on_progress(Progress(STAGE, len(rows), total, 0.0, None))


def _answer_batch(answerer: Answerer, files: Sequence[tuple[str, Path]]) -> list[Row]:
    stamps: list[tuple[int, int]] = []
    read: list[tuple[str, bytes] | ImageError] = []
    for name, path in files:
        stamps.append(_stamp(path))
        try:
            read.append((name, image_files.read_file(path, name)))
        except ImageError as error:
            read.append(error)
    answers = iter(answer_bytes(answerer, [one for one in read if not isinstance(one, ImageError)]))
    rows = []
    for (name, _), stamp, one in zip(files, stamps, read, strict=True):
        found = one if isinstance(one, ImageError) else next(answers)
        if isinstance(found, ImageError):
            rows.append(Row(name, NOT_READ, *stamp, None, f"{found.reason_text} {found.remedy_text}".strip()))
        else:
            rows.append(Row(name, ANSWERED, *stamp, found))
    return rows


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change; zeros for a file that is not there."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _as_it_is_now(row: Row, paths: Mapping[str, Path]) -> Row:
    """A photo that was changed after its answer must not stand beside that answer; one that is gone may."""
    path = paths.get(row.file)
    now = (0, 0) if path is None else _stamp(path)
    if row.answer is None or now in ((0, 0), (row.size_bytes, row.modified_ns)):
        return row
    reason = f"{row.file} was changed after it was answered. Score it again."
    return Row(row.file, CHANGED, *now, None, reason)


_PLAIN = ("class", "confidence", "corrected_confidence", "sure", "runner_up", "runner_up_confidence")


def _cells(row: Row, n_classes: int) -> list[Any]:
    """The row's values in the order of the columns; None where there is no answer."""
    if row.answer is None:
        return [row.file, row.status, row.reason, *[None] * (len(_PLAIN) + 2 + n_classes)]
    one = row.answer
    plain = [
        one.class_name,
        one.confidence,
        one.corrected_confidence,
        one.sure,
        one.runner_up,
        one.runner_up_confidence,
    ]
    return [row.file, row.status, row.reason, *plain, *(one.zero_shot or (None, None)), *one.probabilities]


def _columns(class_names: Sequence[str]) -> list[str]:
    probabilities = [f"probability_{name}" for name in class_names]
    return ["photo", "status", "reason", *_PLAIN, "zero_shot_class", "zero_shot_confidence", *probabilities]


def _write(out: Path, rows: Sequence[Row], class_names: Sequence[str]) -> None:
    """The table, whole or not at all."""
    table = [_cells(row, len(class_names)) for row in rows]
    temporary = out.with_name(f".{out.name}.writing-{os.getpid()}")
    try:
        if out.suffix.lower() == ".csv":
            temporary.write_bytes(csv_text.table(_columns(class_names), [list(map(_shown, cells)) for cells in table]))
        else:
            _write_parquet(temporary, table, _columns(class_names))
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def _shown(value: Any) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else value


def _write_parquet(path: Path, table: Sequence[Sequence[Any]], columns: Sequence[str]) -> None:
    import pyarrow
    from pyarrow import parquet

    words = {"photo", "status", "reason", "class", "runner_up", "zero_shot_class"}
    kinds = {name: pyarrow.string() if name in words else pyarrow.float64() for name in columns} | {
        "sure": pyarrow.bool_()
    }
    arrays = [
        pyarrow.array(values, kinds[name]) for name, values in zip(columns, zip(*table, strict=True), strict=True)
    ]
    parquet.write_table(pyarrow.Table.from_arrays(arrays, names=list(columns)), path)

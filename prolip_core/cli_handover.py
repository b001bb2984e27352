"""The commands of the day after the pilot: `hand-over`, `predict`, `score`, `serve`."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prolip_core import types as records
from prolip_core.cli_options import add_command, check_out, one_line, write_json
from prolip_core.config import cache_folder
from prolip_core.errors import ConfigError, DatasetError
from prolip_core.progress_bars import ProgressBars
from prolip_core.report_text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prolip_core.answering import Answerer
    from prolip_core.handover.files import Check, Measured
    from prolip_core.types import ImageSource

KEY_VARIABLE = "PROLIP_API_KEY"
PORT = 8600
LEAST_KEY_CHARACTERS = 16
_RUN_OR_ZIP = "folder that a pilot wrote, or a zip that hand-over made, or the folder it was unpacked to"


def add(commands: Any) -> None:
    """The four commands and their options."""
    parser = add_command(commands, "hand-over", hand_over_command, "make a zip that answers without this program")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that a pilot wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.zip", help="the zip")
    where = "folder with photos of the run, for the check, the test photo and the int8 model; may be repeated"
    parser.add_argument("--photos", type=Path, action="append", default=[], metavar="FOLDER", help=where)
    parser.add_argument("--without-checkpoint", action="store_true", help="leave the whole open_clip model out")
    parser.add_argument("--json", action="store_true", help="print JSON")

    parser = add_command(commands, "predict", predict_command, "answer about new photos with a finished run")
    parser.add_argument("run", type=Path, metavar="RUN_OR_ZIP", help=_RUN_OR_ZIP)
    parser.add_argument("photos", type=Path, metavar="PHOTO_OR_FOLDER")
    more = "a class more, known by its name alone (of a run)"
    parser.add_argument("--add-class", action="append", default=[], metavar="NAME[=PROMPT]", help=more)
    parser.add_argument("--json", action="store_true", help="print JSON with all probabilities")
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")

    parser = add_command(
        commands, "score", score_command, "answer about a folder of photos into a table, with resuming"
    )
    parser.add_argument("run", type=Path, metavar="RUN_OR_ZIP", help=_RUN_OR_ZIP)
    parser.add_argument("photos", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the table, .csv or .parquet")
    _add_threshold(parser)
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")

    parser = add_command(commands, "serve", serve_command, "answer over HTTP")
    parser.add_argument("run", type=Path, metavar="RUN_OR_ZIP", help=_RUN_OR_ZIP)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="(default: %(default)s)")
    key = f"file with the API key; without it the environment variable {KEY_VARIABLE}"
    parser.add_argument("--api-key-file", type=Path, metavar="FILE", help=key)
    rate = "photos a second for each client in the long run (default: %(default)g)"
    parser.add_argument("--rate", type=float, default=20.0, help=rate)
    parser.add_argument("--burst", type=int, default=200, help="photos of a client at once (default: %(default)s)")
    parser.add_argument("--max-mb", type=int, default=120, help="largest request in MB (default: %(default)s)")
    _add_threshold(parser)
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")


def _add_threshold(parser: argparse.ArgumentParser) -> None:
    text = "how sure it must be to answer alone, 0 to 1 (default: the rule of the run)"
    parser.add_argument("--threshold", type=float, help=text)


def hand_over_command(options: argparse.Namespace) -> None:
    from prolip_core import runs
    from prolip_core.handover import bundle

    result = runs.read_result(options.run)
    if options.out.suffix.lower() != ".zip":
        raise ConfigError("The hand-over file {path} must end in .zip.", remedy="Add the ending.", path=options.out)
    photos = _photos_of(result, options.photos) if options.photos else None
    with ProgressBars() as bars:
        made = bundle.make(
            options.run,
            options.out,
            photos,
            checkpoint=not options.without_checkpoint,
            on_progress=lambda progress: bars.show(progress),
        )
    if options.json:
        write_json(asdict(made))
        return
    sys.stdout.write(plain(f"{options.out}: {made.size_bytes / 1e6:.1f} MB") + "\n")
    for entry in made.entries:
        size = f"{entry.size_bytes / 1e6:9.3f} MB, packed {entry.packed_bytes / 1e6:9.3f} MB"
        sys.stdout.write(plain(f"  {entry.name:40} {size}") + "\n")
    for line in _check_lines(made.check):
        sys.stdout.write(line + "\n")


def _photos_of(result: dict[str, Any], folders: Sequence[Path]) -> Any:
    """The run's photos that lie below these folders, found by their content. Raises DatasetError if there is none."""
    import hashlib

    from prolip_core import image_files
    from prolip_core.errors import ImageError
    from prolip_core.handover.bundle import Photos

    wanted = {photo["id"] for role in ("support", "query") for photo in result["photos"][role]}
    paths: dict[str, Path] = {}
    for folder in folders:
        for path in image_files.photos_at(folder):
            try:
                image_id = hashlib.sha256(image_files.read_file(path)).hexdigest()
            except ImageError:
                continue  # a file that cannot be read is none of the run's photos
            if image_id in wanted:
                paths.setdefault(image_id, path)
    if not paths:
        raise DatasetError(
            "None of the photos of this run lie in {folders}.",
            remedy="Name the folders that the run was trained and tested with.",
            folders=", ".join(map(str, folders)),
        )
    return Photos(image_files.FolderSource(paths), paths.keys())


def _check_lines(check: Check) -> list[str]:
    if not check.count:
        return [
            "Checked on made-up pictures only: without --photos there is no test photo, no int8 model and no figure."
        ]
    on = "test photos" if check.on_test else "photos to learn from"
    lines = [
        f"Same class as the engine in float32: {check.same} of {check.count} {on}, largest difference {check.difference:.1e}."
    ]
    if check.same_as_run is not None:
        lines.append(
            f"Same class as the run had answered ({check.run_precision}): {check.same_as_run} of {check.count}, "
            f"largest difference {check.difference_to_run or 0:.1e}."
        )
    if check.int8_problem is not None:
        lines.append(one_line(f"There is no int8 model: {check.int8_problem.text}"))
    for name, one in (("float32", check.float32), (f"int8 ({check.int8_way})", check.int8)):
        if one is not None:
            lines.append(
                f"{name}: {_right(one, check.count)}, {one.milliseconds:.1f} ms a photo, {one.size_bytes / 1e6:.1f} MB."
            )
    return lines


def _right(one: Measured, count: int) -> str:
    if one.right is None or one.accuracy_interval is None:
        return "accuracy not measured"
    low, high = one.accuracy_interval
    return f"{one.right} of {count} test photos right, {one.right / count:.1%} (95 % interval {low:.1%} to {high:.1%})"


def predict_command(options: argparse.Namespace) -> None:
    from prolip_core import image_files, prompts
    from prolip_core.handover import opened

    added = [prompts.parse_class(text) for text in options.add_class]
    files = image_files.photos_at(options.photos)
    is_bundle = opened.looks_like(options.run)
    if is_bundle and added:
        raise ConfigError(
            "A hand-over file has no text tower, so it cannot learn the class “{name}” by its name.",
            remedy="Use the folder of the run.",
            name=added[0].display_name,
        )
    with ProgressBars() as bars:
        ask = _of_bundle(options.run) if is_bundle else _of_run(options.run, options.device, added)
        result, paths = image_files.import_files(
            files,
            display_root=options.photos if options.photos.is_dir() else options.photos.parent,
            on_progress=lambda done, total: bars.show(records.Progress("import", done, total, 0.0, None)),
        )
        if not result.accepted:
            raise result.rejected[0].error if result.rejected else _no_photo(options.photos)
        answers = ask(image_files.FolderSource(paths), [record.image_id for record in result.accepted])
    names, rows = answers
    if options.json:
        content = {
            "predictions": [
                {
                    "photo": record.filename,
                    "class": row["class"],
                    "confidence": row["confidence"],
                    "corrected_confidence": row["corrected_confidence"],
                    "sure": row["sure"],
                    "probabilities": dict(zip(names, row["probabilities"], strict=True)),
                }
                for record, row in zip(result.accepted, rows, strict=True)
            ],
            "duplicate_files": [{"photo": file.filename, "same_as": file.first_filename} for file in result.duplicates],
            "rejected_files": [
                {"photo": file.filename, "reason": file.reason, "remedy": file.remedy} for file in result.rejected
            ],
        }
        write_json(content)
        return
    for record, row in zip(result.accepted, rows, strict=True):
        note = "\tnot sure" if row["sure"] is False else ""
        sys.stdout.write(f"{plain(record.filename)}\t{plain(row['class'])}\t{row['confidence']:.3f}{note}\n")
    for duplicate in result.duplicates:
        sys.stderr.write(plain(f"{duplicate.filename}: the same photo as {duplicate.first_filename}") + "\n")
    for rejected in result.rejected:
        sys.stderr.write(one_line(f"{rejected.reason} {rejected.remedy}") + "\n")


def _of_run(folder: Path, device: str, added: Sequence[Any]) -> Any:
    """What answers with a run. The rule for "not sure" was learnt for the run's own classes: with others there is none."""
    import numpy as np

    from prolip_core import runs, sure_rule

    saved = runs.load(folder, device=device)
    rule = None if added else sure_rule.of_result(runs.read_result(folder))
    for one in added:
        saved = saved.with_class(one)
    names = saved.class_vectors.class_names

    def ask(source: ImageSource, ids: list[str]) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
        rows = []
        for found in saved.predict(source, ids, cache_folder()):
            corrected = None if rule is None else float(rule.corrected(np.array(found.probabilities))[found.predicted])
            sure = None if rule is None or corrected is None else rule.is_sure(corrected)
            rows.append(_row(names[found.predicted], found.confidence, corrected, sure, found.probabilities))
        return names, rows

    return ask


def _of_bundle(path: Path) -> Any:
    from prolip_core import answering

    answerer = answering.open_(path)

    def ask(source: ImageSource, ids: list[str]) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
        found = answering.predictions(answerer, source, ids)
        rows = [_row(a.class_name, a.confidence, a.corrected_confidence, a.sure, a.probabilities) for a in found]
        return answerer.class_names, rows

    return ask


def _row(
    class_name: str, confidence: float, corrected: float | None, sure: bool | None, probabilities: tuple[float, ...]
) -> dict[str, Any]:
    return {
        "class": class_name,
        "confidence": confidence,
        "corrected_confidence": corrected,
        "sure": sure,
        "probabilities": probabilities,
    }


def _no_photo(path: Path) -> DatasetError:
    return DatasetError(
        "{path} is a file of the system, not a photo.", remedy="Choose a photo or a folder of photos.", path=path
    )


def score_command(options: argparse.Namespace) -> None:
    from prolip_core import answering, image_files, scoring

    _check_threshold(options.threshold)
    scoring.check_out(options.out)
    if options.photos.is_dir():
        check_out(options.out, options.photos)
    image_files.photos_at(options.photos)
    with ProgressBars() as bars:
        answerer = answering.open_(options.run, device=options.device, threshold=options.threshold)
        scored = scoring.run(answerer, options.photos, options.out, on_progress=bars.show)
    resumed = f", {scored.resumed} of them before this start" if scored.resumed else ""
    missing = f"; {scored.without_answer} without an answer, see the column “reason”" if scored.without_answer else ""
    sys.stdout.write(plain(f"{scored.photos} photos in {scored.path}{resumed}{missing}.") + "\n")


def serve_command(options: argparse.Namespace) -> None:
    import uvicorn

    from prolip_core import answering, service

    _check_threshold(options.threshold)
    if options.rate <= 0 or options.burst < 1 or options.max_mb < 1 or not 0 <= options.port <= 65535:
        raise ConfigError("--rate, --burst and --max-mb must be above 0.", remedy="Leave them away if unsure.")
    key = _api_key(options.api_key_file)
    is_local = options.host in service.LOOPBACK
    if key is None and not is_local:
        raise ConfigError(
            "Other computers can reach {host}, so the service needs an API key.",
            remedy="Put one into the environment variable {variable}, or into a file and name it with --api-key-file.",
            host=options.host,
            variable=KEY_VARIABLE,
        )
    answerer: Answerer = answering.open_(options.run, device=options.device, threshold=options.threshold)
    settings = service.ServiceSettings(
        api_key=key,
        rate=options.rate,
        burst=options.burst,
        max_request_bytes=options.max_mb * 2**20,
        # A page of the internet must not reach a service of this computer under a name of its own (DNS rebinding).
        hosts=("127.0.0.1", "localhost", "[::1]") if is_local else ("*",),
    )
    app = service.create(answerer, settings)
    sys.stderr.write(
        f"Answering at http://{options.host}:{options.port}/predict; its description is at /docs. Ctrl+C ends it.\n"
    )
    log_level = "info" if options.verbose else "warning"
    uvicorn.run(app, host=options.host, port=options.port, log_level=log_level, **service.SERVING)


def _check_threshold(threshold: float | None) -> None:
    if threshold is not None and not 0 <= threshold <= 1:
        raise ConfigError(
            "The threshold is {value:g}; it must be between 0 and 1.",
            remedy="Leave it away if unsure.",
            value=threshold,
        )


def _api_key(file: Path | None) -> str | None:
    """From the file or the environment, never from an argument, which everybody on the computer can read. None: there is none.

    Raises ConfigError for a key that is easy to guess, or a file that cannot be read.
    """
    try:
        key = os.environ.get(KEY_VARIABLE, "") if file is None else file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(
            "The key file {path} cannot be read.", remedy="Check the path and its rights.", path=file
        ) from error
    key = key.strip()
    if not key and file is None:
        return None
    if len(key) < LEAST_KEY_CHARACTERS or not key.isascii():
        raise ConfigError(
            "The API key has {length} characters; at least {limit} are needed, letters and digits.",
            remedy='Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"',
            length=len(key),
            limit=LEAST_KEY_CHARACTERS,
        )
    return key

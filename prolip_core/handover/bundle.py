"""A finished run → one zip for an engineer. It is checked before it is given out, and is there whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save as tensors_as_bytes

from prolip_core import backbones, devices, images, runs
from prolip_core.backbones import Backbone
from prolip_core.catalogue import BackboneSpec
from prolip_core.errors import HandOverError
from prolip_core.handover import client, files, measure, model_card, onnx_export, open_clip_example, predict, settings
from prolip_core.handover.files import Check, Entry, HandOver
from prolip_core.handover.predict import Classifier
from prolip_core.image_formats import identify
from prolip_core.runs import SavedRun
from prolip_core.types import ImageSource, Note, Progress

STAGE = "hand_over"
CHECKED_PHOTOS = 500
"""Of the photos at hand at most so many are answered for the check; test photos come first."""

_MOMENT = (2020, 1, 1, 0, 0, 0)  # one time for all files: the same run gives the same bytes but for model.json
_PACKED_ALREADY = (".jpg", ".png", ".webp", ".heic", ".avif")
_REQUIREMENTS = """\
# What predict.py needs. Made and checked with onnxruntime {onnxruntime}, numpy {numpy}, pillow {pillow}, Python {python}.
onnxruntime>=1.20,<2
numpy>=1.26,<3
pillow>=11.3,<14
# Photos of phones in HEIC:
# pillow-heif>=0.22,<2
"""

OnProgress = Callable[[Progress], bool | None]


@dataclass(frozen=True)
class Photos:
    """Where photos of the run can be read again, and which of them are there."""

    source: ImageSource
    there: Collection[str]


class _Told:
    """Progress over steps of very different length, in hundredths; a listener that gives True ends the work."""

    def __init__(self, listener: OnProgress | None) -> None:
        self._listener = listener

    def at(self, done: int) -> None:
        if self._listener is not None and self._listener(Progress(STAGE, done, 100, 0.0, None)):
            from prolip_core.errors import Cancelled

            raise Cancelled("Stopped; no hand-over file was made.")


def make(
    run_folder: Path,
    out: Path,
    photos: Photos | None = None,
    *,
    threshold: float | None = None,
    checkpoint: bool = True,
    on_progress: OnProgress | None = None,
    before_write: Callable[[str | None], None] | None = None,
) -> HandOver:
    """Writes the zip. photos: without them there is no test photo, no int8 model and no check on photos. threshold: one that a
    person has set for "not sure", None for the run's own. checkpoint: the whole open_clip model too.

    before_write: told the id of the test photo in it, None without one, before anything of the file is on the disk.

    Raises RunError, the errors of loading a backbone, HandOverError, ImageError, StorageError, Cancelled.
    """
    begun, told = time.perf_counter(), _Told(on_progress)
    told.at(0)
    saved = runs.load(run_folder, load_backbone=_exact)
    result = runs.read_result(run_folder)
    told.at(8)
    model = onnx_export.export(saved).model
    told.at(30)
    content: dict[str, bytes] = {files.FLOAT: model}
    facts = settings.content(saved, result, threshold)
    content[files.SETTINGS] = _json(facts)
    plain = Classifier(content.__getitem__)
    way, problem = _add_int8(content, plain, result, photos, saved.backbone.spec.name)
    told.at(40)
    check, test_photo = _checked(saved, run_folder, result, photos, plain, content, (way, problem), told)
    facts["check"] = asdict(check)
    content[files.SETTINGS] = _json(facts)
    _add_self_check(content, plain, photos, test_photo)
    content[files.PROJECTOR] = (run_folder / runs.PROJECTOR).read_bytes()
    for name, module in ((files.PREDICT, predict), (files.CLIENT, client)):
        content[name] = Path(str(module.__file__)).read_bytes()
    content[files.REQUIREMENTS] = _REQUIREMENTS.format(**facts["versions"]).encode()
    if checkpoint:
        _add_checkpoint(content, saved)
    told.at(88)
    content[files.CARD] = model_card.text(facts, check, saved, sorted(content), test_photo is not None).encode()
    content[files.SUMS] = _sums(content)
    if before_write is not None:
        before_write(None if test_photo is None else test_photo["id"])
    entries = _write(out, content)
    told.at(100)
    seconds = time.perf_counter() - begun
    return HandOver(out.stat().st_size, entries, check, None if test_photo is None else test_photo["id"], seconds)


def _exact(spec: BackboneSpec, _precision: str) -> Backbone:
    """In float32 on the CPU, whatever the run was made in: what the file answers in."""
    return backbones.load(spec, devices.choose("cpu", "float32"))


def _add_int8(
    content: dict[str, bytes], plain: Classifier, result: Mapping[str, Any], photos: Photos | None, name: str
) -> tuple[str | None, Note | None]:
    """Adds the int8 model, its ranges measured on photos to learn from; none without such photos. Gives how it was made, or why
    it could not be: the rest of the zip is good without it."""
    ids = [] if photos is None else [one["id"] for one in result["photos"]["support"] if one["id"] in photos.there]
    if photos is None or not ids:
        return None, None
    # Evenly over the list, which goes by class.
    chosen = [ids[i * len(ids) // onnx_export.CALIBRATION_PHOTOS] for i in range(onnx_export.CALIBRATION_PHOTOS)]
    pixels = [plain.pixels(photos.source.read(image_id)) for image_id in dict.fromkeys(chosen)]
    try:
        found = onnx_export.int8(content[files.FLOAT], pixels, name)
    except HandOverError as error:
        return None, Note(error.message, error.values)
    content[files.INT8] = found.model
    return found.way, None


def _checked(
    saved: SavedRun,
    folder: Path,
    result: Mapping[str, Any],
    photos: Photos | None,
    plain: Classifier,
    content: Mapping[str, bytes],
    int8: tuple[str | None, Note | None],
    told: _Told,
) -> tuple[Check, Mapping[str, str] | None]:
    """The check, and the test photo that goes into the zip: the first one that is answered rightly, else the first."""
    there = [] if photos is None else [one for one in result["photos"]["query"] if one["id"] in photos.there]
    on_test = bool(there)
    if photos is not None and not there:
        there = [one for one in result["photos"]["support"] if one["id"] in photos.there]
    there = there[:CHECKED_PHOTOS]
    precision = str(result["settings"]["precision"])
    sizes = len(content[files.FLOAT]), len(content.get(files.INT8, b""))
    if photos is None or not there:
        return measure.check(None, None, None, sizes, *int8, precision), None
    ids = [one["id"] for one in there]
    small = Classifier(content.__getitem__, files.INT8) if files.INT8 in content else None
    found = measure.answers(
        saved, photos.source, ids, plain, small, lambda done, total: told.at(40 + 40 * done // total)
    )
    labels_N = np.array([plain.names.index(one["class"]) for one in there]) if on_test else None
    recorded_NC = measure.recorded(folder, result, ids) if on_test else None
    check = measure.check(found, labels_N, recorded_NC, sizes, *int8, precision)
    if labels_N is None:
        return check, None
    right = np.flatnonzero(found.float_NC.argmax(axis=1) == labels_N)
    return check, there[int(right[0]) if len(right) else 0]


def _add_self_check(
    content: dict[str, bytes], plain: Classifier, photos: Photos | None, photo: Mapping[str, str] | None
) -> None:
    """A computed picture, and the test photo if there is one, with the answers of the float model."""
    pictures = {files.PATTERN: images.png(_pattern())}
    truth = {}
    if photos is not None and photo is not None:
        data = photos.source.read(photo["id"])
        suffix = {"JPEG": "jpg"}.get(kind := identify(data, photo["filename"]), kind.lower())
        pictures[name := f"{files.TEST_PHOTO}.{suffix}"] = data
        truth[name] = photo["class"]
    expected = []
    for name, data in pictures.items():
        content[name] = data
        answer = plain.answer(plain.probabilities(plain.pixels(data)[None])[0])
        expected.append({"file": name.partition("/")[2], "true_class": truth.get(name), **answer})
    content[files.CHECK] = _json({"pictures": expected})


def _pattern() -> np.ndarray:
    """Waves of three colours, uint8 (240, 320, 3)."""
    rows_H1, columns_1W = np.arange(240)[:, None] / 240, np.arange(320)[None] / 320
    waves = [np.sin(2 * np.pi * (a * rows_H1 + b * columns_1W)) for a, b in ((1, 2), (3, 1), (2, 5))]
    return np.rint(127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)


def _add_checkpoint(content: dict[str, bytes], saved: SavedRun) -> None:
    merged = backbones.merged(saved.backbone.spec, saved.projector)
    config = {"model_cfg": merged.model_config, "preprocess_cfg": merged.preprocessing}
    content[files.CHECKPOINT_CONFIG] = _json(config)
    content[files.CHECKPOINT] = tensors_as_bytes(merged.state, {"format": "pt"})
    content[files.CLASS_VECTORS] = tensors_as_bytes({"text_CD": saved.class_vectors.text_CD.contiguous()})
    content[files.CLASS_NAMES] = _json(list(saved.class_vectors.class_names))
    content[files.EXAMPLE] = Path(str(open_clip_example.__file__)).read_bytes()


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def _sums(content: Mapping[str, bytes]) -> bytes:
    """As `sha256sum --check` reads it."""
    return "".join(f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(content)).encode()


def _write(out: Path, content: Mapping[str, bytes]) -> tuple[Entry, ...]:
    """The zip, under a temporary name first. Raises HandOverError if the disk refuses."""
    buffer_name = out.with_name(f".{out.name}.writing-{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(buffer_name, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in sorted(content):
                info = zipfile.ZipInfo(name, _MOMENT)
                info.compress_type = zipfile.ZIP_STORED if name.endswith(_PACKED_ALREADY) else zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                with archive.open(info, "w", force_zip64=True) as member, io.BytesIO(content[name]) as data:
                    while chunk := data.read(1 << 20):
                        member.write(chunk)
            entries = tuple(Entry(one.filename, one.file_size, one.compress_size) for one in archive.infolist())
        with buffer_name.open("rb") as written:
            os.fsync(written.fileno())
        buffer_name.replace(out)
    except OSError as error:
        raise HandOverError(
            "The hand-over file cannot be written to {path}: {cause}.",
            remedy="Free some disk space or choose another place.",
            path=out,
            cause=error.strerror or error,
        ) from error
    finally:
        buffer_name.unlink(missing_ok=True)
    return entries

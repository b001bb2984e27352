# SPDX-License-Identifier: Apache-2.0
"""Answers about photos with the files beside this one. It needs onnxruntime, numpy and pillow, and nothing of ProLIP Studio.

    python predict.py PHOTO_OR_FOLDER                    a table (CSV) on the screen
    python predict.py PHOTO_OR_FOLDER --out answers.csv  … or in a file; --json for JSON
    python predict.py PHOTO_OR_FOLDER --int8             the smaller, faster and less exact model
    python predict.py --self-check                       does this computer give the answers that are expected?

HEIC photos of phones can be read too where the package pillow-heif is installed.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import io
import json
import math
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import ExifTags, Image, ImageCms, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

SETTINGS, FLOAT, INT8, CHECK = "model.json", "model.onnx", "model_int8.onnx", "check/expected.json"
BATCH = 16
TOLERANCE = 1e-3
"""Largest difference of a probability in the self-check: another processor rounds otherwise."""

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp", ".gif"}
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF orientation → Pillow's number of the turn that sets the picture upright."""


class PhotoError(Exception):
    """A photo that cannot be read; the text says why."""


class Classifier:
    """The model with its settings. read: gives the bytes of one of the files beside this one, by name."""

    def __init__(self, read: Callable[[str], bytes], model: str = FLOAT, threads: int = 0) -> None:
        self.settings: dict[str, Any] = json.loads(read(SETTINGS))
        self.names: list[str] = self.settings["class_names"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(read(model), options, providers=["CPUExecutionProvider"])

    def pixels(self, data: bytes) -> np.ndarray:
        """What the model sees of a photo, float32 (3, H, W). Raises PhotoError."""
        return self.prepared(decode(data, self.settings["limits"], self.min_side_px))

    @property
    def min_side_px(self) -> int:
        """How large a photo is decoded at least."""
        how = self.settings["preprocessing"]
        return int(how["decode_margin"] * max(how["size"]))

    def prepared(self, image: Image.Image) -> np.ndarray:
        """The pixels of a decoded photo, float32 (3, H, W)."""
        how = self.settings["preprocessing"]
        height, width = how["size"]
        image = _sized(_framed(image, how), how, height, width)
        mean, std = (np.asarray(how[name], dtype=np.float32) for name in ("mean", "std"))
        values_HW3 = np.asarray(image, dtype=np.float32) / np.float32(255)
        return np.ascontiguousarray(((values_HW3 - mean) / std).transpose(2, 0, 1))

    def probabilities(self, pixels_B3HW: np.ndarray) -> np.ndarray:
        """One row per photo, one column per class, sum 1, float64 (B, C)."""
        found_BC = np.asarray(self._session.run(["probabilities"], {"pixels": pixels_B3HW})[0], dtype=np.float64)
        whole_BC: np.ndarray = found_BC / found_BC.sum(axis=1, keepdims=True)
        return whole_BC

    def answer(self, probs_C: np.ndarray) -> dict[str, Any]:
        """The answer in words. "sure": whether it stands alone or a person should look; None where the model has no rule."""
        first, second = (int(one) for one in np.argsort(-probs_C, kind="stable")[:2])
        rule, corrected = self.settings["sure"], None
        if rule is not None:
            powers_C = probs_C ** (1 / rule["temperature"])
            corrected = float(powers_C[first] / powers_C.sum())
        return {
            "class": self.names[first],
            "confidence": float(probs_C[first]),
            "corrected_confidence": corrected,
            "sure": None if corrected is None else _is_sure(corrected, rule["threshold"]),
            "runner_up": self.names[second],
            "runner_up_confidence": float(probs_C[second]),
            "probabilities": dict(zip(self.names, map(float, probs_C), strict=True)),
        }


def _is_sure(corrected: float, threshold: float | None) -> bool:
    """Without a threshold, or with one of 1, no answer stands alone."""
    return threshold is not None and threshold < 1 and corrected >= threshold


def decode(data: bytes, limits: dict[str, int], min_side_px: int) -> Image.Image:
    """The photo as the app sees it: upright 8-bit RGB in sRGB, transparency on white, first frame. Raises PhotoError.

    A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, its shorter side never under min_side_px.
    """
    if not data:
        raise PhotoError("the file is empty (0 bytes)")
    if len(data) > limits["bytes"]:
        raise PhotoError(f"the file has {len(data) / 2**20:.1f} MB; the limit is {limits['bytes'] // 2**20} MB")
    opener = _opener(data)
    try:
        if opener is PngImageFile:
            data = _png_essentials(data)
        opened = opener(io.BytesIO(data))
        if opened.width * opened.height > limits["pixels"]:
            raise PhotoError(f"the photo has more than {limits['pixels'] // 10**6} million pixels")
        if min(opened.size) < limits["side_px"]:
            raise PhotoError(f"the photo has only {opened.width} x {opened.height} pixels")
        if opener is JpegImageFile:
            if data.find(b"\xff\xd9", _first_scan(data)) < 0:
                raise PhotoError("the photo is cut short")
            opened.draft(None, (min_side_px, min_side_px))
        opened.load()
        turn = TURNS.get(_orientation(opened))
        image = _rgb(opened)
        return image if turn is None else image.transpose(Image.Transpose(turn))
    except PhotoError:
        raise
    except Exception as error:
        raise PhotoError(f"the photo is damaged or cut short ({type(error).__name__})") from error


def _opener(data: bytes) -> Callable[[io.BytesIO], Any]:
    """The decoder for what the file is by its content, whatever its name says."""
    if data[:3] == b"\xff\xd8\xff":
        return JpegImageFile
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return PngImageFile
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImageFile
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return GifImageFile
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return TiffImageFile
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124):
        return BmpImageFile
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[i : i + 4] for i in range(16, min(int.from_bytes(data[:4], "big"), 4096) - 3, 4))}
        if brands & {b"avif", b"avis"}:
            return _plugin("PIL.AvifImagePlugin", "AvifImageFile", "AVIF", "a newer pillow")
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"miaf"}:
            return _plugin("pillow_heif", "HeifImageFile", "HEIC", "the package pillow-heif")
    raise PhotoError("this is no photo of a format that can be read")


def _plugin(module: str, name: str, kind: str, remedy: str) -> Callable[[io.BytesIO], Any]:
    try:
        found: Callable[[io.BytesIO], Any] = getattr(importlib.import_module(module), name)
    except ImportError:
        raise PhotoError(f"to read {kind} photos, install {remedy}, or save the photo as JPEG") from None
    return found


def _first_scan(data: bytes) -> int:
    """Where the pixel data of a JPEG begin."""
    start = 2
    while data[start : start + 1] == b"\xff" and data[start + 1 : start + 2] != b"\xda":
        start += 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
    return start


def _png_essentials(data: bytes) -> bytes:
    """The PNG with its check sums checked and without comments, metadata and animation."""
    kept, start = [data[:8]], 8
    while start + 12 <= len(data):
        kind, end = data[start + 4 : start + 8], start + 12 + int.from_bytes(data[start : start + 4], "big")
        if end > len(data):
            break
        intact = zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")
        if not intact and kind[:1].isupper():
            raise PhotoError("the photo is damaged (wrong check sum)")
        usable = kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"IEND")
        if intact and (usable or (kind == b"iCCP" and _profile_unpacks(data[start + 8 : end - 4]))):
            kept.append(data[start:end])
        if kind == b"IEND":
            return b"".join(kept)
        start = end
    raise PhotoError("the photo is cut short")


def _profile_unpacks(content: bytes) -> bool:
    stream = zlib.decompressobj()
    with suppress(zlib.error):
        stream.decompress(content.partition(b"\0")[2][1:], 1 << 20)
    return stream.eof


def _orientation(image: Image.Image) -> Any:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF is no reason to refuse a sound picture
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _grey(image)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        found = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        if found is None:
            raise PhotoError("its colours cannot be converted")
        return found
    if not image.has_transparency_data:
        return _srgb(image, profile)
    rgba = image.convert("RGBA")
    flat = Image.new("RGB", image.size, "white")
    flat.paste(_srgb(rgba.convert("RGB"), profile), mask=rgba.getchannel("A"))
    return flat


def _grey(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or floating point → 8 bits."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    elif low >= 0:
        whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        white = next((one for one in whites if high <= one), None)
        low, high = (0.0, white) if white is not None else (low, high)
    return Image.fromarray(np.rint((values - low) * (255.0 / (high - low or 1.0))).astype(np.uint8))


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours through the embedded profile, where there is a sound one of the photo's own colour model."""
    if profile and image.mode not in ("L", "CMYK", "RGB"):
        image = image.convert("RGB")
    converted = None
    if profile:
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = source.profile.xcolor_space.strip()
            if space == "RGB" and image.mode == "L":
                image = image.convert("RGB")
            is_srgb = ImageCms.getProfileDescription(source).startswith("sRGB")
            if not is_srgb and {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(space) == image.mode:
                target = ImageCms.createProfile("sRGB")
                converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    return converted if converted is not None else image.convert("RGB")


def _framed(image: Image.Image, how: dict[str, Any]) -> Image.Image:
    """A long photo in the middle of a square of the model's mean colour, so that no crop cuts it."""
    width, height = image.size
    side = max(width, height)
    if how["resize_mode"] != "shortest" or side <= how["long_from"] * min(width, height):
        return image
    framed = Image.new("RGB", (side, side), tuple(round(255 * channel) for channel in how["mean"]))
    framed.paste(image, ((side - width) // 2, (side - height) // 2))
    return framed


def _sized(image: Image.Image, how: dict[str, Any], height: int, width: int) -> Image.Image:
    """Resized, then cropped or padded in the middle to the input size: open_clip's three ways."""
    bilinear = how["interpolation"] == "bilinear"
    filter_ = Image.Resampling.BILINEAR if bilinear else Image.Resampling.BICUBIC
    have_w, have_h = image.size
    if how["resize_mode"] == "squash":
        want_w, want_h = width, height
    elif how["resize_mode"] == "shortest" and height == width:
        long = int(height * max(have_w, have_h) / min(have_w, have_h))
        want_w, want_h = (height, long) if have_w <= have_h else (long, height)
    else:
        is_longest = how["resize_mode"] == "longest"
        ratio = (max if is_longest else min)(have_h / height, have_w / width)
        want_w, want_h = round(have_w / ratio), round(have_h / ratio)
        filter_ = filter_ if is_longest else Image.Resampling.BICUBIC
    if (want_w, want_h) != image.size:
        image = image.resize((want_w, want_h), filter_)
    pad_w, pad_h = max(0, width - image.width), max(0, height - image.height)
    if pad_w or pad_h:
        edges = (pad_w // 2, pad_h // 2, (pad_w + 1) // 2, (pad_h + 1) // 2)
        image = ImageOps.expand(image, edges, (how["fill_color"],) * 3)
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def answers(classifier: Classifier, photos: Sequence[tuple[str, Path]]) -> Iterator[dict[str, Any]]:
    """One record per photo, in order: "photo" and its answer, or "photo" and "error"."""
    for start in range(0, len(photos), BATCH):
        records: list[dict[str, Any]] = []
        waiting: list[tuple[dict[str, Any], np.ndarray]] = []
        for name, path in photos[start : start + BATCH]:
            record: dict[str, Any] = {"photo": name}
            records.append(record)
            try:
                waiting.append((record, classifier.pixels(path.read_bytes())))
            except (PhotoError, OSError) as error:
                record["error"] = str(error)
        if waiting:
            probs_BC = classifier.probabilities(np.stack([pixels for _, pixels in waiting]))
            for (record, _), probs_C in zip(waiting, probs_BC, strict=True):
                record.update(classifier.answer(probs_C))
        yield from records


def self_check(folder: Path, classifier: Classifier) -> str:
    """Answers the pictures in `check/` and compares; gives a sentence. Raises SystemExit where an answer is another one."""
    expected = json.loads((folder / CHECK).read_text(encoding="utf-8"))["pictures"]
    largest = 0.0
    for picture in expected:
        pixels_1 = classifier.pixels((folder / "check" / picture["file"]).read_bytes())[None]
        found_C = classifier.probabilities(pixels_1)[0]
        wanted_C = np.array([picture["probabilities"][name] for name in classifier.names])
        difference = float(np.abs(found_C - wanted_C).max())
        if not difference <= TOLERANCE:
            raise SystemExit(
                f"Self-check FAILED: {picture['file']} should be {picture['class']!r} with {wanted_C.max():.4f}, but is "
                f"{classifier.names[int(found_C.argmax())]!r} with {found_C.max():.4f}. Install the versions of requirements.txt."
            )
        largest = max(largest, difference)
    return f"Self-check passed: {len(expected)} of {len(expected)} pictures, largest difference {largest:.1e}."


def _photos_at(path: Path) -> list[tuple[str, Path]]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
        return [(file.relative_to(path).as_posix(), file) for file in found if not file.name.startswith(".")]
    if not path.is_file():
        raise SystemExit(f"There is no file or folder {path}.")
    return [(path.name, path)]


def _cell(text: str) -> str:
    """A spreadsheet would run a cell that begins like a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")) else text


def _table(classifier: Classifier, records: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    plain = ["class", "confidence", "corrected_confidence", "sure", "runner_up", "runner_up_confidence"]
    writer.writerow(["photo", *plain, "error", *(f"probability_{name}" for name in classifier.names)])
    for record in records:
        cells = [record["photo"], *(record.get(name) for name in plain), record.get("error")]
        cells += [record.get("probabilities", {}).get(name) for name in classifier.names]
        writer.writerow(["" if one is None else _cell(one) if isinstance(one, str) else _figure(one) for one in cells])
    return buffer.getvalue()


def _figure(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.6f}" if math.isfinite(value) else ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Answers about photos with the model beside this file.")
    parser.add_argument("photos", type=Path, nargs="?", metavar="PHOTO_OR_FOLDER")
    parser.add_argument("--json", action="store_true", help="JSON in place of CSV")
    parser.add_argument("--out", type=Path, help="write to this file")
    parser.add_argument("--int8", action="store_true", help="use model_int8.onnx")
    parser.add_argument("--threads", type=int, default=0, help="processor cores to use (default: all)")
    parser.add_argument("--self-check", action="store_true", help="compare with the answers that are expected")
    options = parser.parse_args(arguments)
    folder = Path(__file__).resolve().parent
    if not options.self_check and options.photos is None:
        parser.error("name a photo or a folder, or --self-check")
    model = INT8 if options.int8 and not options.self_check else FLOAT
    if not (folder / model).is_file():
        raise SystemExit(f"{model} is not beside predict.py; unpack the whole zip.")
    classifier = Classifier(lambda name: (folder / name).read_bytes(), model, options.threads)
    if options.self_check:
        sys.stdout.write(self_check(folder, classifier) + "\n")
        return 0
    records = list(answers(classifier, _photos_at(options.photos)))
    as_json = json.dumps({"predictions": records}, ensure_ascii=False, indent=2) + "\n"
    text = as_json if options.json else _table(classifier, records)
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8" if options.json else "utf-8-sig", newline="")
    return 0 if any("error" not in record for record in records) else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""The shipped predict.py sees photos as the app does, to the pixel: the two are written apart and held together here."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from prolip_core import config, features, images
from prolip_core.errors import ImageError
from prolip_core.handover import predict, settings
from prolip_core.runs import SavedRun
from prolip_core.types import PromptSet
from tests import fakes, image_factory

LIMITS = {"bytes": config.MAX_IMAGE_BYTES, "pixels": config.MAX_IMAGE_PIXELS, "side_px": config.MIN_IMAGE_SIDE_PX}


def with_profile(image: Image.Image) -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return image_factory.encode(image, "PNG", icc_profile=profile)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return image_factory.jpeg(3, exif=exif.tobytes())


def photos() -> dict[str, bytes]:
    plain = image_factory.photo(1, 300, 200)
    see_through = plain.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(plain.size))
    grey_16 = Image.fromarray((np.arange(64 * 48, dtype=np.uint16) * 20).reshape(48, 64))
    floating = Image.fromarray(np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(48, 64))
    return {
        **{
            kind: image_factory.encode(plain, kind)
            for kind in ("JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF", "HEIC", "AVIF")
        },
        **{f"turned {orientation}": turned(orientation) for orientation in range(1, 9)},
        "large JPEG": image_factory.jpeg(2, 1600, 1100),
        "long": image_factory.jpeg(4, 400, 100),
        "tall": image_factory.jpeg(5, 90, 333),
        "odd sides": image_factory.jpeg(6, 133, 77),
        "grey": image_factory.encode(plain.convert("L"), "JPEG"),
        "grey 16": image_factory.encode(grey_16, "PNG"),
        "floating": image_factory.encode(floating, "TIFF"),
        "palette": image_factory.encode(plain.convert("P"), "PNG"),
        "see-through": image_factory.encode(see_through, "PNG"),
        "see-through WebP": image_factory.encode(see_through, "WebP", lossless=True),
        "CMYK": image_factory.adobe_cmyk_jpeg((10, 200, 30, 40)),
        "LAB": image_factory.encode(Image.new("LAB", (40, 30), (120, 140, 90)), "TIFF"),
        "odd profile": with_profile(plain),
    }


PHOTOS = photos()


@pytest.mark.parametrize("name", list(PHOTOS))
def test_a_photo_is_decoded_as_in_the_app(name: str) -> None:
    for side_px in (64, 448):
        expected = images.decode(PHOTOS[name], name, min_side_px=side_px)
        found = predict.decode(PHOTOS[name], LIMITS, side_px)
        assert found.mode == "RGB"
        assert found.size == expected.size
        assert found.tobytes() == expected.tobytes()


class Untrained(predict.Classifier):
    """The preprocessing without a model."""

    def __init__(self, own: dict[str, Any]) -> None:
        self.settings = {"preprocessing": own, "limits": LIMITS}


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [32, (32, 48)])
def test_pixels_are_those_of_the_app(mode: str, interpolation: str, size: Any) -> None:
    side = {"image_size": size if isinstance(size, int) else list(size)}
    model_config = {**fakes.TINY_CONFIG, "vision_cfg": {**fakes.TINY_CONFIG["vision_cfg"], **side}}
    model_config["preprocess_cfg"] = {
        "resize_mode": mode,
        "interpolation": interpolation,
        "mean": (0.1, 0.5, 0.7),
        "std": (0.2, 0.3, 0.4),
        "fill_color": 7,
    }
    backbone = fakes.tiny_backbone(config=model_config)
    prompts = PromptSet(("a", "b"), (("a",), ("b",)))
    saved = SavedRun(backbone, backbone.encode_prompts(prompts), backbone.projector, ("{}",))
    untrained = Untrained(settings.preprocessing(saved))
    for name in ("JPEG", "large JPEG", "long", "tall", "odd sides", "turned 6", "see-through"):
        expected = features.pixels_of(backbone, PHOTOS[name], name).numpy()
        assert np.array_equal(untrained.pixels(PHOTOS[name]), expected), name


BROKEN = {
    "empty": b"",
    "text": b"this is no photo at all",
    "cut JPEG": image_factory.cut(PHOTOS["JPEG"]),
    "cut PNG": image_factory.cut(PHOTOS["PNG"]),
    "cut WebP": image_factory.cut(PHOTOS["WebP"]),
    "wrong check sum": image_factory.png_with_wrong_check_sum(),
    "bomb": image_factory.png_declaring(20_000, 20_000),
    "tiny": image_factory.encode(image_factory.photo(0, 8, 8), "PNG"),
    "PDF": b"%PDF-1.7" + bytes(100),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_what_the_app_refuses_is_refused(name: str) -> None:
    with pytest.raises(ImageError):
        images.decode(BROKEN[name], name)
    with pytest.raises(predict.PhotoError):
        predict.decode(BROKEN[name], LIMITS, 64)


def test_not_sure() -> None:
    classifier = Untrained({})
    classifier.names = ["a", "b", "c"]
    probs_C = np.array([0.3, 0.6, 0.1])
    powers_C = probs_C**0.5
    corrected = powers_C[1] / powers_C.sum()
    for rule, expected in (
        (None, None),
        ({"temperature": 2.0, "threshold": None}, False),
        ({"temperature": 2.0, "threshold": corrected - 1e-6}, True),
        ({"temperature": 2.0, "threshold": corrected + 1e-6}, False),
    ):
        classifier.settings["sure"] = rule
        answer = classifier.answer(probs_C)
        assert (answer["class"], answer["runner_up"], answer["sure"]) == ("b", "a", expected)
        assert answer["corrected_confidence"] == (None if rule is None else pytest.approx(corrected))


def test_a_threshold_of_1_sends_everything_to_a_person() -> None:
    classifier = Untrained({})
    classifier.names = ["a", "b"]
    for threshold, expected in ((1.0, False), (0.999, True)):
        classifier.settings["sure"] = {"temperature": 1.0, "threshold": threshold}
        assert classifier.answer(np.array([1.0, 0.0]))["sure"] is expected


def test_a_table_runs_nothing_in_a_spreadsheet() -> None:
    classifier = Untrained({})
    classifier.names = ["=1+1", "b"]
    classifier.settings["sure"] = None
    record = {"photo": "@x.jpg", **classifier.answer(np.array([0.9, 0.1]))}
    lines = predict._table(classifier, [record, {"photo": "y", "error": "gone"}]).splitlines()
    assert lines[1].startswith("'@x.jpg,'=1+1,0.900000,,,b,")
    assert lines[2] == "y,,,,,,,gone,,"


def test_without_heif_the_photo_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(predict.PhotoError, match="pillow-heif"):
        predict.decode(PHOTOS["HEIC"], LIMITS, 64)

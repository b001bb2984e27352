"""Covers, the map of an occlusion loop against a slow twin, and a model whose true evidence is known."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from prolip_core import classify, features, occlusion
from prolip_core.types import Box
from tests import fakes, image_factory
from tests.looks import Looker

WHOLE = Box(0.0, 0.0, 1.0, 1.0)


class Bytes:
    """A source of one photo."""

    def __init__(self, image: Image.Image) -> None:
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        self._data = buffer.getvalue()

    def read(self, image_id: str) -> bytes:
        return self._data


def test_a_photo_is_read_as_its_features_are() -> None:
    backbone, source = fakes.tiny_backbone(), Bytes(image_factory.photo(1))
    pixels_3HW, _ = occlusion.read(backbone, source, "a")
    whole_P = features.extract(backbone, source, ["a"]).pre_VNP[0, 0]
    uncovered = torch.zeros(1, 8, 8, dtype=torch.bool)
    read_P = occlusion.encode(backbone, pixels_3HW, torch.zeros_like(pixels_3HW), uncovered)[0]
    assert read_P.numpy() == pytest.approx(whole_P.numpy(), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 90), (200, 64), (64, 200)])
def test_the_seen_box_is_where_the_pixels_come_from(size: tuple[int, int]) -> None:
    """A photo that is brighter to the right in red and downwards in green tells where each pixel of the model's came from."""
    width, height = size
    ramp = np.zeros((height, width, 3), dtype=np.uint8)
    ramp[..., 0] = np.rint((np.arange(width) + 0.5) / width * 200)
    ramp[..., 1] = np.rint((np.arange(height)[:, None] + 0.5) / height * 200)
    ramp[..., 2] = 255
    backbone = fakes.tiny_backbone()
    pixels_3HW, box = occlusion.read(backbone, Bytes(Image.fromarray(ramp)), "a")
    mean, std = (torch.tensor(backbone.preprocessing[key])[:, None, None] for key in ("mean", "std"))
    colours_3HW = 255 * (pixels_3HW * std + mean)
    middle = (np.arange(32) + 0.5) / 32
    on_photo = occlusion.visible(box, 32).numpy()
    inner = on_photo & (colours_3HW[2].numpy() > 250)  # no pixel that is mixed with the frame
    assert inner.sum() > 0.7 * on_photo.sum()
    across, down = box.left + middle * (box.right - box.left), box.top + middle * (box.bottom - box.top)
    assert np.abs(colours_3HW[0].numpy() / 200 - across[None, :])[inner].max() < 0.06
    assert np.abs(colours_3HW[1].numpy() / 200 - down[:, None])[inner].max() < 0.06


@pytest.mark.parametrize(
    ("mode", "box"),
    [
        ("squash", Box(0.0, 0.0, 1.0, 1.0)),
        ("longest", Box(0.0, -0.5, 1.0, 1.5)),
        ("shortest", Box(0.0, -0.5, 1.0, 1.5)),  # twice as wide as high: framed
    ],
)
def test_every_way_to_resize_has_its_box(mode: str, box: Box) -> None:
    backbone = fakes.tiny_backbone()
    backbone.preprocessing["resize_mode"] = mode
    assert backbone.seen(200, 100) == box


def test_windows_go_everywhere_once() -> None:
    covers = occlusion.windows(5, 2)
    assert covers.shape == (16, 5, 5)
    slow = []
    for row in range(4):
        for column in range(4):
            grid = [[row <= i < row + 2 and column <= j < column + 2 for j in range(5)] for i in range(5)]
            slow.append(grid)
    assert covers.tolist() == slow


def test_the_map_is_that_of_a_slow_loop() -> None:
    """Window by window and pixel by pixel, one photo through the model at a time."""
    backbone = fakes.tiny_backbone()
    pixels_3HW, _ = occlusion.read(backbone, Bytes(image_factory.photo(3)), "a")
    filling_3HW = occlusion.blurred(pixels_3HW)
    text_CD = torch.nn.functional.normalize(torch.randn(3, 16, generator=torch.Generator().manual_seed(0)), dim=-1)

    def score(one_3HW: torch.Tensor) -> float:
        probs = classify.logits(backbone.encode_pre(one_3HW[None]), backbone.projector, text_CD, 10.0).softmax(1)[0]
        return float(torch.log(probs[1] / (1 - probs[1])))

    whole, seen = score(pixels_3HW), []
    for top in range(8 - occlusion.WINDOW + 1):
        for left in range(8 - occlusion.WINDOW + 1):
            patched_3HW = pixels_3HW.clone()
            cells = [(top + i, left + j) for i in range(occlusion.WINDOW) for j in range(occlusion.WINDOW)]
            for row, column in cells:
                for y in range(4 * row, 4 * row + 4):
                    for x in range(4 * column, 4 * column + 4):
                        patched_3HW[:, y, x] = filling_3HW[:, y, x]
            seen.append(({8 * row + column for row, column in cells}, whole - score(patched_3HW)))
    # Ridge regression as plain least squares with one more row per cell that pulls it to 0.
    table = np.array([[cell in cells for cell in range(64)] for cells, _ in seen], dtype=float)
    table = np.vstack([table, np.sqrt(occlusion.RIDGE) * np.eye(64)])
    slow = np.linalg.lstsq(table, [*(loss for _, loss in seen), *([0.0] * 64)])[0].reshape(8, 8)
    covers_MGG = occlusion.windows()
    pre_MP = occlusion.encode(backbone, pixels_3HW, filling_3HW, covers_MGG)
    scores_M = classify.log_odds(classify.logits(pre_MP, backbone.projector, text_CD, 10.0), 1)
    assert occlusion.heat(whole - scores_M, covers_MGG).numpy() == pytest.approx(slow, abs=1e-4)


def test_log_odds_are_those_of_the_probability() -> None:
    logits_NC = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]])
    p = logits_NC.softmax(dim=1)[:, 2]
    assert classify.log_odds(logits_NC, 2).numpy() == pytest.approx(torch.log(p / (1 - p)).numpy(), rel=1e-5)


def test_the_blur_keeps_the_mean_and_takes_the_shapes() -> None:
    pixels_3HW = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    blurred = occlusion.blurred(pixels_3HW)
    assert float(blurred.mean()) == pytest.approx(float(pixels_3HW.mean()), abs=0.01)
    assert float(blurred.std()) < 0.1 * float(pixels_3HW.std())
    assert (occlusion.mean_colour(pixels_3HW) == pixels_3HW.mean(dim=(1, 2))[:, None, None]).all()


def test_middle_and_rim_share_the_photo_evenly() -> None:
    middle, rim = occlusion.middle_and_rim(WHOLE)
    assert (middle ^ rim).all() and abs(int(middle.sum()) - int(rim.sum())) < 0.01 * middle.numel()
    assert (middle == middle.flip(0)).all() and (middle == middle.flip(1)).all() and (middle == middle.T).all()
    # A photo four times as wide as high fills a quarter of the frame: the middle is that of the photo.
    wide = Box(0.0, -1.5, 1.0, 2.5)
    middle, _ = occlusion.middle_and_rim(wide)
    assert not (middle & ~occlusion.visible(wide, occlusion.RIM_GRID)).any()
    assert middle.any(dim=0).sum() == occlusion.RIM_MIDDLE and 7 <= middle.any(dim=1).sum() <= 9


@pytest.mark.parametrize("corner", [(0, 0), (0, 4), (4, 4)])
def test_the_map_finds_the_only_place_that_counts(corner: tuple[int, int]) -> None:
    looker = Looker(corner)
    pixels_3HW = looker.texture(0)
    covers_MGG = occlusion.windows()
    pre_MP = occlusion.encode(looker, pixels_3HW, occlusion.blurred(pixels_3HW), covers_MGG)
    whole_1P = looker.encode_pre(pixels_3HW[None])
    drops_M = whole_1P[0, 0] - pre_MP[:, 0]
    heat_GG = occlusion.heat(drops_M, covers_MGG).numpy()
    row, column = corner
    inside = np.zeros((8, 8), dtype=bool)
    inside[row : row + 4, column : column + 4] = True
    assert inside.ravel()[np.argsort(-heat_GG.ravel())[:9]].all()
    assert np.abs(heat_GG[~inside]).mean() < 0.1 * heat_GG[inside].mean()


def test_the_edge_is_not_blamed_for_what_lies_beside_it() -> None:
    """All of the loss comes from row 2; the window that covers it from above covers the edge as well."""
    covers_MGG = occlusion.windows()
    heat_GG = occlusion.heat(covers_MGG[:, 2].float().sum(dim=1), covers_MGG).numpy()
    assert (heat_GG.argmax(axis=0) == 2).all() and heat_GG[0].max() < 0.5 * heat_GG[2].min()

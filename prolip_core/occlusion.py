"""What an answer rests on: parts of the photo are covered, and the model looks again (occlusion, Zeiler & Fergus 2014,
arXiv 1311.2901, section 4.2).

Only features before the projector leave this file, so one pass of the model serves every projector and every class. It works for
every backbone: nothing is asked of its inside.

A cover is a grid of booleans (G, G) over the square that the model sees; True is covered.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses
from torchvision.transforms import functional as transforms

from prolip_core import images
from prolip_core.backbones import Backbone
from prolip_core.feature_cache import FeatureCache
from prolip_core.features import DECODE_MARGIN, cache_settings
from prolip_core.types import Box, ImageSource

Covers = Literal["windows", "middle_and_rim"]

GRID = 8
WINDOW = 3
BATCH = 8
"""Small batches stay in a processor's cache."""

RIDGE = 1.0

BLUR = 0.1
"""Standard deviation of the blur, as a share of the picture's side: shapes are gone, large patches of colour stay."""

VERSION = 1
"""Part of the cache's key: raise it when a cover or its filling changes."""

RIM_GRID = 48
RIM_MIDDLE = 34
"""The middle has 34² of 48² cells: half of the picture, so that as much is covered when it is as when the rim is."""


def read(backbone: Backbone, source: ImageSource, image_id: str) -> tuple[torch.Tensor, Box]:
    """View 0 of a photo as the model gets it, (3, H, W), and where it lies on the photo. Raises ImageError."""
    image = images.decode(source.read(image_id), image_id, min_side_px=DECODE_MARGIN * max(backbone.image_size_px))
    return backbone.pixels(backbone.framed(image)), backbone.seen(*image.size)


def visible(box: Box, grid: int = GRID) -> torch.Tensor:
    """Cells (G, G) whose middle lies on the photo; the others are the frame around a long one."""
    middle_G = (torch.arange(grid) + 0.5) / grid
    across_G = box.left + middle_G * (box.right - box.left)
    down_G = box.top + middle_G * (box.bottom - box.top)
    inside_G = (across_G > 0) & (across_G < 1)
    return ((down_G > 0) & (down_G < 1))[:, None] & inside_G[None, :]


def windows(grid: int = GRID, window: int = WINDOW) -> torch.Tensor:
    """One cover (M, G, G) per place of a square window that goes over the picture in steps of a cell."""
    places = grid - window + 1
    covers_MGG = torch.zeros(places * places, grid, grid, dtype=torch.bool)
    for number in range(places * places):
        row, column = divmod(number, places)
        covers_MGG[number, row : row + window, column : column + window] = True
    return covers_MGG


def middle_and_rim(box: Box) -> torch.Tensor:
    """Two covers (2, RIM_GRID, RIM_GRID) of about the same area of the photo: its middle, and everything but its middle."""
    seen_GG = visible(box, RIM_GRID)
    rows, columns = seen_GG.any(dim=1).nonzero().flatten(), seen_GG.any(dim=0).nonzero().flatten()
    middle_GG = torch.zeros(RIM_GRID, RIM_GRID, dtype=torch.bool)
    (top, bottom), (left, right) = (_inner(len(one), int(one[0])) for one in (rows, columns))
    middle_GG[top:bottom, left:right] = True
    return torch.stack([middle_GG, ~middle_GG])


def heat(drops_M: torch.Tensor, covers_MGG: torch.Tensor) -> torch.Tensor:
    """The map (G, G): each cell's share in what the score loses under the covers, by ridge regression.

    Minimises Σ (drop − sum of the covered cells)² + RIDGE · Σ cell². The mean over the windows that cover a cell would blame the
    cells at the edge, which few windows cover, for what lies beside them.
    """
    covers_MK = covers_MGG.flatten(1).double()
    normal_KK = covers_MK.T @ covers_MK + RIDGE * torch.eye(covers_MK.shape[1], dtype=torch.float64)
    cells_K: torch.Tensor = torch.linalg.solve(normal_KK, covers_MK.T @ drops_M.double())
    return cells_K.view(covers_MGG.shape[1:]).to(drops_M.dtype)


def blurred(pixels_3HW: torch.Tensor) -> torch.Tensor:
    """The neutral filling: the photo itself, so much out of focus that shapes are gone."""
    sigma = BLUR * max(pixels_3HW.shape[-2:])
    kernel = [2 * min(round(2 * sigma), side - 1) + 1 for side in (pixels_3HW.shape[-1], pixels_3HW.shape[-2])]
    filled: torch.Tensor = transforms.gaussian_blur(pixels_3HW, kernel, [sigma, sigma])
    return filled


def mean_colour(pixels_3HW: torch.Tensor) -> torch.Tensor:
    """Another filling: the photo's mean colour."""
    return pixels_3HW.mean(dim=(1, 2), keepdim=True).expand_as(pixels_3HW)


def covered(pixels_3HW: torch.Tensor, filling_3HW: torch.Tensor, covers_MGG: torch.Tensor) -> torch.Tensor:
    """The photo under each cover, (M, 3, H, W)."""
    size = pixels_3HW.shape[-2:]
    mask_M1HW = F.interpolate(covers_MGG[:, None].float(), size=size, mode="nearest").bool()
    return torch.where(mask_M1HW, filling_3HW, pixels_3HW)


def encode(
    backbone: Backbone, pixels_3HW: torch.Tensor, filling_3HW: torch.Tensor, covers_MGG: torch.Tensor
) -> torch.Tensor:
    """Features before the projector of the photo under each cover, (M, P)."""
    chunks = [
        backbone.encode_pre(covered(pixels_3HW, filling_3HW, part_BGG)) for part_BGG in torch.split(covers_MGG, BATCH)
    ]
    return torch.cat(chunks)


def remembered(
    backbone: Backbone, cache_folder: Path | None, image_id: str, covers: Covers, compute: Callable[[], torch.Tensor]
) -> torch.Tensor:
    """`compute()`, features (M, P) of a photo under these covers with the blurred filling; from the cache where they are there.

    These covers depend on the photo alone, not on what was learnt. Raises StorageError.
    """
    if cache_folder is None:
        return compute()
    settings = {"occlusion": (VERSION, covers, GRID, WINDOW, BLUR, RIM_GRID, RIM_MIDDLE)}
    cache = FeatureCache(cache_folder, {**cache_settings(backbone, seed=0), **settings})
    count = {"windows": (GRID - WINDOW + 1) ** 2, "middle_and_rim": 2}[covers]
    row = cache.get(image_id, 0, count * backbone.pre_width)
    if row is None:
        row = compute().flatten()
        cache.put(image_id, 0, row)
    return row.view(count, backbone.pre_width)


def _inner(length: int, start: int) -> tuple[int, int]:
    """The middle of a stretch, in the proportion of the middle to the whole grid."""
    inner = round(length * RIM_MIDDLE / RIM_GRID)
    first = start + (length - inner) // 2
    return first, first + inner

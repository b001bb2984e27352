"""From geometry to what each pixel of a picture sees: which surface, facing where, how high, and in whose shadow.

The camera looks down at the bench, tilted by `tilt` radians towards the viewer's side, without perspective inside one
part. A point (x, y, z) appears at column x and row y·cos(tilt) − z·sin(tilt).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from prolip_core.sample.benches import Array, lookup, profile
from prolip_core.sample.shapes import Relief, Solid
from prolip_core.sample.wires import Tube

Index = NDArray[np.intp]
SUPER = 2
"""Parts are drawn this many times finer than the picture and averaged down."""


@dataclass(frozen=True)
class Pose:
    """Where a part lies: centre and size in picture pixels, turn on the bench and camera tilt in radians."""

    column: float
    row: float
    size_px: float
    turn: float
    tilt: float
    perspective: float


@dataclass(frozen=True)
class Window:
    """A rectangle of picture pixels; it may reach beyond the picture."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Seen:
    """What the fine pixels of a window see of a part. All arrays have one entry per visible fine pixel.

    `at` indexes the fine window, `foot` the coarse window (the bench cell below the surface point); `a` and `b` are the
    view-space normal to the right and down; `z` is in fine pixels. `below` (H, W) is the height map of
    the coarse window, in coarse pixels.
    """

    at: Index
    foot: Index
    a: Array
    b: Array
    z: Array
    plastic: NDArray[np.bool_] | None
    below: Array


def window(part: Solid | Tube, pose: Pose, side_px: int, lamp: tuple[float, float, float]) -> Window:
    """The rectangle that holds the part, its shadow and a little air, cut off some way outside the picture."""
    reach, top = part.reach * pose.size_px, part.top * pose.size_px
    flat = math.hypot(lamp[0], lamp[1])
    throw = min(top * flat / lamp[2], 1.3 * pose.size_px)
    shadow_x, shadow_y = -lamp[0] / flat * throw, -lamp[1] / flat * throw * math.cos(pose.tilt)
    air, beyond = 0.05 * side_px, int(0.1 * side_px)
    half = reach * math.cos(pose.tilt) * (1 + pose.perspective * 0.3)
    left = pose.column - reach + min(0.0, shadow_x) - air
    right = pose.column + reach + max(0.0, shadow_x) + air
    upper = pose.row - half - max(top * math.sin(pose.tilt), -shadow_y) - air
    lower = pose.row + half + max(0.0, shadow_y) + air
    x0, x1 = max(int(left), -beyond), min(math.ceil(right), side_px + beyond)
    y0, y1 = max(int(upper), -beyond), min(math.ceil(lower), side_px + beyond)
    return Window(x0, y0, max(x1 - x0, 8), max(y1 - y0, 8))


def see(rng: np.random.Generator, part: Solid | Tube, pose: Pose, view: Window, marks: float) -> Seen:
    """What the window shows of the part. `marks` 0-1: how deep the machining marks are."""
    if isinstance(part, Tube):
        return _see_tube(part, pose, view)
    return _see_solid(rng, part, pose, view, marks)


# ------------------------------------------------------------------------------------------------------------- solids


def _part_coordinates(pose: Pose, view: Window) -> tuple[Array, Array]:
    column = (np.arange(view.width * SUPER, dtype=np.float32) + np.float32(0.5)) / SUPER + view.left - pose.column
    row = (np.arange(view.height * SUPER, dtype=np.float32) + np.float32(0.5)) / SUPER + view.top - pose.row
    across, deep = column / np.float32(pose.size_px), row / np.float32(pose.size_px * math.cos(pose.tilt))
    squeeze = 1 - np.float32(pose.perspective * 0.3) * deep
    deep = deep * (1 - np.float32(pose.perspective * 0.15) * deep)
    x, y = squeeze[:, None] * across, deep[:, None]
    cos, sin = np.float32(math.cos(pose.turn)), np.float32(math.sin(pose.turn))
    return (x * cos + y * sin).astype(np.float32), (y * cos - x * sin).astype(np.float32)


def _march(apparent: Array) -> NDArray[np.int16]:
    """For each row the farthest step k towards the viewer whose surface still rises above the line of sight.

    `apparent` (H, W): height times sin(tilt). The line of sight through row v passes row v + k at apparent height k.
    """
    best = np.zeros(apparent.shape, dtype=np.int16)
    top = min(int(apparent.max()), apparent.shape[0] - 1)
    columns = np.flatnonzero(apparent.max(axis=0) > 0)
    if columns.size == 0:
        return best
    here = np.s_[columns[0] : columns[-1] + 1]
    rising = apparent.max(axis=1)
    for k in range(1, top + 1):
        rows = np.flatnonzero(rising >= k)
        first, last = max(int(rows[0]), k), int(rows[-1]) + 1
        if first < last:
            high = apparent[first:last, here] >= k
            np.copyto(best[first - k : last - k, here], np.int16(k), where=high)
    return best


def _see_solid(rng: np.random.Generator, part: Solid, pose: Pose, view: Window, marks: float) -> Seen:
    scale = np.float32(pose.size_px * SUPER)
    x, y = _part_coordinates(pose, view)
    relief = part.relief(x, y, float(1 / scale))
    height = relief.height * scale
    bumps = lookup(profile(rng, 1.2), relief.grain * np.float32(0.6)) * np.float32(marks * 0.14)
    height += bumps * (height > 2)
    sin, cos = math.sin(pose.tilt), math.cos(pose.tilt)
    wide = height.shape[1]
    steps = _march(height * np.float32(sin))
    at = np.flatnonzero((steps > 0) | (height > 0.5))
    k = steps.ravel()[at]
    cell = at + k.astype(np.intp) * wide
    after = np.minimum(cell + wide, height.size - 1)
    flat = height.ravel()
    over = flat[cell] * np.float32(sin) - k
    share = np.clip(over / np.maximum(over - flat[after] * np.float32(sin) + k + 1, np.float32(1e-3)), 0, 1)
    slope_x, slope_y = _slopes(height)
    gx = slope_x[cell] + share * (slope_x[after] - slope_x[cell])
    gy = (slope_y[cell] + share * (slope_y[after] - slope_y[cell])) * np.float32(cos)
    z = np.minimum(flat[cell], (k + share) / np.float32(sin)) if sin > 0.05 else flat[cell]
    up = np.ones_like(gx)
    wall = np.flatnonzero((k > 0) & (flat[cell] - z > 1.5))
    if wall.size:
        gx[wall], gy[wall] = _wall_slopes(height, cell[wall], cos)
        up[wall] = _thread(relief, cell[wall], z[wall] / scale, gx[wall], gy[wall])
    norm = 1 / np.sqrt(gx * gx + gy * gy + up * up)
    a, ny, nz = -gx * norm, -gy * norm, up * norm
    b = ny * np.float32(cos) - nz * np.float32(sin)
    foot = _foot(cell, a, ny * np.float32(cos), view)
    plastic = None if relief.insert is None else relief.insert.ravel()[cell]
    pairs = np.maximum(height[::2], height[1::2])
    below = np.maximum(pairs[:, ::2], pairs[:, 1::2]) / np.float32(SUPER)
    return Seen(at, foot, a, b, z, plastic, below)


def _foot(cell: Index, right: Array, down: Array, view: Window) -> Index:
    """Coarse cell whose shadow falls on a surface: a little way out from it, so that no wall lies in its own shadow."""
    rows, columns = np.divmod(cell, view.width * SUPER)
    rows = np.clip((rows + down * np.float32(7)).astype(np.intp) // SUPER, 0, view.height - 1)
    columns = np.clip((columns + right * np.float32(7)).astype(np.intp) // SUPER, 0, view.width - 1)
    return np.asarray(rows * view.width + columns, dtype=np.intp)


def _wall_slopes(height: Array, cell: Index, cos: float) -> tuple[Array, Array]:
    """Slopes at the foot of upright walls, from a smoothed map: the raw one has steps there, which show as a comb."""
    soft = ndimage.uniform_filter(height, 7).ravel()
    wide = height.shape[1]
    gx = soft.take(cell + 2, mode="clip") - soft.take(cell - 2, mode="clip")
    gy = soft.take(cell + 2 * wide, mode="clip") - soft.take(cell - 2 * wide, mode="clip")
    steep = np.float32(20) / np.maximum(np.hypot(gx, gy), np.float32(1e-3))
    return gx * steep, gy * steep * np.float32(cos)


def _thread(relief: Relief, cell: Index, z: Array, gx: Array, gy: Array) -> Array:
    """Upward part of the normal of upright walls: 1, or a wave along z where the wall carries a screw thread."""
    up = np.ones_like(gx)
    if relief.thread is None:
        return up
    around = np.arctan2(gy, gx) * np.float32(0.5 / math.pi)
    wave = np.sin((z / np.float32(relief.pitch) + around) * np.float32(2 * math.pi))
    return np.asarray(up + relief.thread.ravel()[cell] * wave * np.hypot(gx, gy) * np.float32(1.1), dtype=np.float32)


def _slopes(height: Array) -> tuple[Array, Array]:
    """Central differences, flattened; the outermost cells keep 0."""
    slope_x, slope_y = np.zeros_like(height), np.zeros_like(height)
    np.subtract(height[:, 2:], height[:, :-2], out=slope_x[:, 1:-1])
    np.subtract(height[2:], height[:-2], out=slope_y[1:-1])
    slope_x *= np.float32(0.5)
    slope_y *= np.float32(0.5)
    return slope_x.ravel(), slope_y.ravel()


# -------------------------------------------------------------------------------------------------------------- tubes


def _splat(u: Array, v: Array, depth: Array, radius: float, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Which ball of a string of balls is nearest at each pixel: index + 1, or 0 where there is none; flat (H·W)."""
    span = np.arange(-math.ceil(radius), math.ceil(radius) + 1, dtype=np.int32)
    dv, du = (part.ravel() for part in np.meshgrid(span, span, indexing="ij"))
    near = du * du + dv * dv <= (radius + 0.8) ** 2
    du, dv = du[near], dv[near]
    middle_u, middle_v = np.rint(u).astype(np.int32), np.rint(v).astype(np.int32)
    columns, rows = middle_u[:, None] + du, middle_v[:, None] + dv
    square = (columns - u[:, None]) ** 2 + (rows - v[:, None]) ** 2
    inside = (square < radius * radius) & (columns >= 0) & (columns < shape[1]) & (rows >= 0) & (rows < shape[0])
    ball, _ = np.nonzero(inside)
    surface = depth[ball] + np.sqrt(np.float32(radius * radius) - square[inside].astype(np.float32))
    key = ((surface + np.float32(4096)) * 64).astype(np.int64) * (1 << 16) + ball + 1
    out = np.zeros(shape[0] * shape[1], dtype=np.int64)
    np.maximum.at(out, rows[inside].astype(np.intp) * shape[1] + columns[inside], key)
    return out & 0xFFFF


def _see_tube(part: Tube, pose: Pose, view: Window) -> Seen:
    sin, cos = math.sin(pose.tilt), math.cos(pose.tilt)
    scale = pose.size_px * SUPER
    turn = np.array([[math.cos(pose.turn), -math.sin(pose.turn)], [math.sin(pose.turn), math.cos(pose.turn)]])
    xy = part.path_K3[:, :2] @ turn.T * scale
    z = part.path_K3[:, 2] * scale
    u = (xy[:, 0] + (pose.column - view.left) * SUPER - 0.5).astype(np.float32)
    foot_row = xy[:, 1] * cos + (pose.row - view.top) * SUPER - 0.5
    v = (foot_row - z * sin).astype(np.float32)
    depth = (xy[:, 1] * sin + z * cos).astype(np.float32)
    radius = max(part.radius * scale, 1.3)
    tall, wide = view.height * SUPER, view.width * SUPER
    winner = _splat(u, v, depth, radius, (tall, wide))
    at = np.flatnonzero(winner)
    ball = winner[at] - 1
    rows, columns = np.divmod(at, wide)
    a, b = (columns - u[ball]) / np.float32(radius), (rows - v[ball]) / np.float32(radius)
    c = np.sqrt(np.clip(1 - a * a - b * b, 0, 1))
    run = np.gradient(np.stack([u, v, depth], axis=1), axis=0)
    run /= np.maximum(np.linalg.norm(run, axis=1, keepdims=True), 1e-6)
    run = run.astype(np.float32)[ball]
    slip = a * run[:, 0] + b * run[:, 1] + c * run[:, 2]
    a, b, c = a - slip * run[:, 0], b - slip * run[:, 1], c - slip * run[:, 2]
    norm = 1 / np.maximum(np.sqrt(a * a + b * b + c * c), np.float32(1e-3))
    a, b = a * norm, b * norm
    height = (z.astype(np.float32)[ball] + (c * norm * cos - b * sin) * np.float32(radius)).astype(np.float32)
    foot_at = np.clip((rows + height * sin) / SUPER, 0, view.height - 1).astype(np.intp)
    below = _tube_heights(u / SUPER, (foot_row / SUPER).astype(np.float32), z / SUPER, radius / SUPER, view)
    return Seen(at, foot_at * view.width + columns // SUPER, a, b, height, None, below)


def _tube_heights(u: Array, v: Array, z: NDArray[np.float64], radius: float, view: Window) -> Array:
    """Height map of the wire over the bench, coarse pixels."""
    every = slice(None, None, 2)
    heights = z[every].astype(np.float32)
    shape = (view.height, view.width)
    winner = _splat(u[every], v[every], heights, max(radius, 1.0), shape)
    lifted = np.concatenate([np.zeros(1, dtype=np.float32), heights + np.float32(radius * 0.7)])
    return np.asarray(lifted[winner].reshape(shape), dtype=np.float32)


# ------------------------------------------------------------------------------------------------------------ shadows


def shadow_heights(below: Array, lamp: tuple[float, float, float], tilt: float) -> Array:
    """Height (H, W), coarse pixels, up to which the air over each bench cell lies in the shadow of the part."""
    flat = math.hypot(lamp[0], lamp[1])
    step_x, step_y, fall = lamp[0] / flat, lamp[1] / flat * math.cos(tilt), lamp[2] / flat
    tallest = float(below.max())
    stride = max(1.0, tallest / fall / 36)
    out = np.zeros_like(below)
    rows, columns = below.shape
    for k in range(1, int(tallest / fall / stride) + 1):
        dx, dy = round(k * stride * step_x), round(k * stride * step_y)
        if abs(dx) >= columns or abs(dy) >= rows:
            break
        source = below[max(dy, 0) : rows + min(dy, 0), max(dx, 0) : columns + min(dx, 0)]
        target = out[max(-dy, 0) : rows + min(-dy, 0), max(-dx, 0) : columns + min(-dx, 0)]
        np.maximum(target, source - np.float32(k * stride * fall), out=target)
    return np.asarray(ndimage.uniform_filter(out, 3), dtype=np.float32)


def penumbra(dark: Array, top_px: float) -> Array:
    """Share (H, W) of the lamp's light that the bench loses: shadows of tall parts have softer edges."""
    hard = np.clip(dark * np.float32(0.6), 0, 1)
    size = 2 + int(0.06 * top_px)
    return np.asarray(ndimage.uniform_filter(ndimage.uniform_filter(hard, size), size), dtype=np.float32)


def nearby_height(below: Array, reach_px: float) -> Array:
    """Mean height (H, W) of what stands around each bench cell: how much of the room it hides."""
    size = max(3, int(reach_px))
    return np.asarray(ndimage.uniform_filter(ndimage.uniform_filter(below, size), size), dtype=np.float32)

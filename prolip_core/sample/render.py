"""One photo: a bench, a part on it (now and then two, or a curl of swarf), light, and a camera with its faults.

All sums are in linear light; only `_develop` goes to sRGB (IEC 61966-2-1). Each picture has its own random generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from prolip_core.sample.benches import Array, bench, fractal, smooth_noise
from prolip_core.sample.buffers import SUPER, Pose, Seen, Window, nearby_height, penumbra, see, shadow_heights, window
from prolip_core.sample.light import TABLE_SIDE, Finish, Rig, finish, rig, table
from prolip_core.sample.shapes import Solid, bolt, gear, nut, washer
from prolip_core.sample.wires import Tube, spring, swarf

_LOW_VIEW = math.radians(28)
"""A part that stands on end is a mere disc unless the camera looks at it from this far off the vertical."""


@dataclass(frozen=True)
class _Thing:
    part: Solid | Tube
    surface: Finish
    pose: Pose


def photograph(rng: np.random.Generator, class_name: str, side_px: int) -> NDArray[np.uint8]:
    """A random photo of a part of that class, (side_px, side_px, 3) sRGB."""
    low, high = ((0, 18), (12, 38), (35, 55))[int(rng.choice(3, p=[0.3, 0.45, 0.25]))]
    tilt = math.radians(float(rng.uniform(low, high)))
    perspective = float(rng.uniform(0, 0.5)) * math.sin(tilt)
    lights = rig(rng)
    things = _arrange(rng, class_name, side_px, tilt, perspective)
    canvas, floor = _bench(rng, lights, side_px, tilt, perspective)
    for thing in sorted(things, key=lambda thing: thing.pose.row):
        _place(rng, canvas, thing, lights, floor)
    return _camera(rng, canvas, things[0].pose)


def _make(rng: np.random.Generator, class_name: str, tilt: float) -> Solid | Tube:
    upright = bool(rng.random() < 0.3) and tilt > _LOW_VIEW
    if class_name == "bolt":
        return bolt(rng, upright)
    if class_name == "spring":
        return spring(rng, upright)
    return {"nut": nut, "washer": washer, "gear": gear}[class_name](rng)


def _arrange(rng: np.random.Generator, class_name: str, side_px: int, tilt: float, perspective: float) -> list[_Thing]:
    """The main part first, then what else is in the picture."""
    size = side_px * math.exp(rng.uniform(math.log(0.12), math.log(0.38)))
    if class_name in ("bolt", "spring"):  # slender: as large as the others only when longer
        size *= 1.25
    free = 0.5 * side_px - min(0.75 * size, 0.4 * side_px)
    if rng.random() < 0.15:  # partly out of the picture
        free = 0.5 * side_px - 0.15 * size
    column, row = 0.5 * side_px + free * rng.uniform(-0.65, 0.65, (2, 2)).sum(axis=0).clip(-1, 1)
    column, row = float(column), float(row)
    part, surface = _make(rng, class_name, tilt), finish(rng, class_name)
    lift = part.top * size * math.sin(tilt) * 0.4
    pose = Pose(column, row + lift, size, float(rng.uniform(0, 2 * math.pi)), tilt, perspective)
    things = [_Thing(part, surface, pose)]
    gap = 2.15 * size
    direction = float(rng.uniform(0, 2 * math.pi))
    beside = (column + math.cos(direction) * gap, pose.row + math.sin(direction) * gap * math.cos(tilt))
    chance = rng.random()
    if chance < 0.12 and size < 0.3 * side_px:  # a second part of the same kind
        again = Pose(*beside, size * float(rng.uniform(0.9, 1.1)), float(rng.uniform(0, 6.28)), tilt, perspective)
        things.append(_Thing(_make(rng, class_name, tilt), surface, again))
    elif chance < 0.30:
        for _ in range(int(rng.integers(1, 4))):
            spot = rng.uniform(0.05, 0.95, 2) * side_px
            curl = Pose(
                spot[0], spot[1], side_px * float(rng.uniform(0.02, 0.045)), float(rng.uniform(0, 6.28)), tilt, 0
            )
            if math.hypot(spot[0] - column, spot[1] - pose.row) > 1.2 * size:
                things.append(_Thing(swarf(rng), finish(rng, "swarf"), curl))
    return things


def _planes(rgb: tuple[float, float, float]) -> Array:
    return np.asarray(rgb, dtype=np.float32)[:, None, None]


def _bench(rng: np.random.Generator, lights: Rig, side_px: int, tilt: float, perspective: float) -> tuple[Array, Array]:
    """The lit bench (3, H, W) and its mean albedo (3,), which is what shines back on to the parts."""
    axis = (np.arange(side_px, dtype=np.float32) + np.float32(0.5)) / np.float32(side_px) - np.float32(0.5)
    deep = axis / np.float32(math.cos(tilt))
    squeeze = 1 - np.float32(perspective) * deep
    x = np.outer(squeeze, axis).astype(np.float32)
    y = np.broadcast_to((deep * (1 - np.float32(perspective * 0.5) * deep))[:, None], x.shape)
    albedo = bench(rng, x, np.ascontiguousarray(y))
    centre = rng.uniform(-0.3, 0.3, 2)
    spread = float(rng.uniform(0.25, 1.1))
    away = (x - np.float32(centre[0])) ** 2 + (y - np.float32(centre[1])) ** 2
    pool = 1 / (1 + np.float32(spread) * away * 2)
    lamp = _planes(lights.lamp_rgb) * np.float32(lights.lamp[2])
    mean = albedo.mean(axis=(1, 2), dtype=np.float32)
    albedo *= _planes(lights.room_rgb) + pool * lamp
    return albedo, mean


def _place(rng: np.random.Generator, canvas: Array, thing: _Thing, lights: Rig, floor: Array) -> None:
    """Draws a part and its shadow on to the canvas."""
    side_px = canvas.shape[1]
    pose = thing.pose
    view = window(thing.part, pose, side_px, lights.lamp)
    x0, x1 = max(view.left, 0), min(view.left + view.width, side_px)
    y0, y1 = max(view.top, 0), min(view.top + view.height, side_px)
    if x0 >= x1 or y0 >= y1:
        return
    seen = see(rng, thing.part, pose, view, thing.surface.marks)
    dark = shadow_heights(seen.below, lights.lamp, pose.tilt)
    around = nearby_height(seen.below, 0.16 * pose.size_px)
    lamp, room = _planes(lights.lamp_rgb) * np.float32(lights.lamp[2]), _planes(lights.room_rgb)
    inner = np.s_[y0 - view.top : y1 - view.top, x0 - view.left : x1 - view.left]
    lit = 1 - penumbra(dark, thing.part.top * pose.size_px)[inner]
    open_sky = 1 / (1 + around[inner] * np.float32(9 / pose.size_px))
    shade = (lit * lamp + open_sky * room) / (lamp + room)
    rgb = _shade(rng, thing, seen, view, lights, floor, dark, around)
    cover = _average(seen.at, np.ones(seen.at.size, dtype=np.float32), view)[inner]
    shade *= 1 - cover
    patch = canvas[:, y0:y1, x0:x1]
    patch *= shade
    for channel in range(3):
        patch[channel] += _average(seen.at, rgb[channel], view)[inner]


def _average(at: NDArray[np.intp], values: Array, view: Window) -> Array:
    """Mean of the fine pixels in each coarse one; those not listed count as 0."""
    fine = np.zeros((view.height * SUPER, view.width * SUPER), dtype=np.float32)
    fine.ravel()[at] = values
    pairs = fine[::2] + fine[1::2]
    return np.asarray((pairs[:, ::2] + pairs[:, 1::2]) * np.float32(0.25), dtype=np.float32)


def _shade(
    rng: np.random.Generator,
    thing: _Thing,
    seen: Seen,
    view: Window,
    lights: Rig,
    floor: Array,
    dark: Array,
    around: Array,
) -> Array:
    """Linear RGB (3, pixels) of the visible fine pixels."""
    surface, pose = thing.surface, thing.pose
    wide = view.width * SUPER
    rows, columns = np.divmod(seen.at, wide)
    per_size = np.float32(0.2 / (pose.size_px * SUPER))
    spot = (rows // SUPER) * view.width + columns // SUPER
    mottle = smooth_noise(rng, (view.height, view.width), 40).ravel()[spot]
    grit = rng.standard_normal(seen.at.size, dtype=np.float32) * np.float32(0.012)
    wobble = mottle * np.float32(0.008 + 0.03 * surface.roughness) + grit
    a = seen.a + wobble + (columns - np.float32((pose.column - view.left) * SUPER)) * per_size
    b = seen.b - wobble + (rows - np.float32((pose.row - view.top) * SUPER)) * per_size
    half = np.float32((TABLE_SIDE - 1) / 2)
    place_a = np.clip(a * half + (half + np.float32(0.5)), 0, TABLE_SIDE - 1).astype(np.int32)
    place_b = np.clip(b * half + (half + np.float32(0.5)), 0, TABLE_SIDE - 1).astype(np.int32)
    light = table(lights, surface, pose.tilt, floor).take(place_b * TABLE_SIDE + place_a, axis=1)
    z = seen.z * np.float32(1 / SUPER)
    lit = 1 - np.clip((dark.ravel()[seen.foot] - z - np.float32(1.2)) * np.float32(0.45), 0, 1)
    hidden = np.clip(around.ravel()[seen.foot] - z, 0, None)
    open_sky = 1 / (1 + hidden * np.float32(14 / pose.size_px))
    room, lamp = _planes(lights.room_rgb)[..., 0], _planes(lights.lamp_rgb)[..., 0]
    arriving = (open_sky * light[6]) * room + (lit * light[7]) * lamp
    mirrored = light[:3] * open_sky + light[3:6] * lit
    uneven = 0.1 if max(surface.mirror) > 0.06 else 0.02
    matt = _planes(surface.matt)[..., 0] * (1 + np.float32(uneven) * mottle)
    if surface.rust:
        field = fractal(rng, (view.height, view.width), 7, 5).ravel()[spot]
        share = np.clip((field - np.float32(2.3 - 2.0 * surface.rust)) * np.float32(2.5), 0, 0.92)
        brown = _planes((0.24, 0.095, 0.035))[..., 0] * (1 + np.float32(0.25) * mottle)
        matt = matt + share * (brown - matt)
        mirrored = mirrored * (1 - share)
    if seen.plastic is not None:
        matt = np.where(seen.plastic, _planes((0.05, 0.12, 0.42))[..., 0], matt)
        mirrored = np.where(seen.plastic, mirrored * np.float32(0.12), mirrored)
    return np.asarray(mirrored + matt * arriving, dtype=np.float32)


def _camera(rng: np.random.Generator, canvas: Array, pose: Pose) -> NDArray[np.uint8]:
    """Focus, vignetting, white balance, exposure, tone curve and sensor noise."""
    side_px = canvas.shape[1]
    out = canvas
    axis = (np.arange(side_px, dtype=np.float32) + np.float32(0.5)) / np.float32(side_px) - np.float32(0.5)
    fault = rng.random()
    if fault < 0.45:  # shallow depth of field: the far and the near side of the bench go soft
        sigma = float(rng.uniform(1.0, 2.2)) * side_px / 320
        soft = ndimage.gaussian_filter(out, (0, sigma, sigma), truncate=2.0)
        off = np.abs(axis + np.float32(0.5 - pose.row / side_px)) * np.float32(1 + 4 * math.sin(pose.tilt))
        out = out + np.clip(off - np.float32(0.25), 0, 1)[:, None] * (soft - out)
    elif fault < 0.57:  # missed focus
        sigma = float(rng.uniform(0.8, 2.0)) * side_px / 320
        out = ndimage.gaussian_filter(out, (0, sigma, sigma), truncate=2.0)
    corner = 1 - np.float32(rng.uniform(0.1, 0.7)) * (axis[:, None] ** 2 + axis[None, :] ** 2)
    balance = _planes((1 + float(rng.normal(0, 0.05)), 1.0, 1 + float(rng.normal(0, 0.07))))
    middle = float(out.mean())
    aim = float(rng.uniform(0.16, 0.30))
    gain = min(max((aim / max(middle, 1e-3)) ** 0.75, 0.5), 2.6)
    out = out * (corner * np.float32(gain)) * balance
    return _develop(rng, out)


def _develop(rng: np.random.Generator, linear: Array) -> NDArray[np.uint8]:
    """Shoulder, sRGB curve, noise, 8 bits."""
    size = 4096
    ramp = np.linspace(0, 4, size)
    shoulder = np.where(ramp < 0.5, ramp, 0.5 + 0.5 * (1 - np.exp(-(ramp - 0.5) * 1.6)))
    curve = np.where(shoulder <= 0.0031308, 12.92 * shoulder, 1.055 * np.maximum(shoulder, 1e-6) ** (1 / 2.4) - 0.055)
    place = np.clip(linear * np.float32(size / 4), 0, size - 1).astype(np.int32)
    curve = curve + 0.3 * (curve * curve * (3 - 2 * curve) - curve)  # a camera's mild contrast curve
    shown = (curve * 255).astype(np.float32).take(place)
    grain = float(rng.choice([rng.uniform(0.6, 2.0), rng.uniform(2.0, 7.0)], p=[0.7, 0.3]))
    tall, wide = linear.shape[1:]
    shown += rng.standard_normal((tall, wide), dtype=np.float32) * np.float32(grain * 0.8)
    tint = rng.standard_normal((3, tall // 2 + 1, wide // 2 + 1), dtype=np.float32) * np.float32(grain * 0.5)
    shown += tint.repeat(2, axis=1).repeat(2, axis=2)[:, :tall, :wide]
    shown += np.float32(0.5)
    np.clip(shown, 0, 255, out=shown)
    return np.ascontiguousarray(shown.astype(np.uint8).transpose(1, 2, 0))

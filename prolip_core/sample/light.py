"""Metals and the light of a workshop: a lamp, windows and a room, baked into a table over view-space normals.

The table holds, for every direction a surface can face, what it reflects of the room, what it reflects of the lamp, and
how much light reaches it from both. Shading a pixel is then one look-up, which is what makes the pictures quick.
Half-vector highlights after Blinn (1977), edge brightening after Schlick (1994).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

TABLE_SIDE = 96


@dataclass(frozen=True)
class Finish:
    """A surface: colour of its mirror image, matt colour, roughness 0-1, rust 0-1, and depth of machining marks."""

    mirror: tuple[float, float, float]
    matt: tuple[float, float, float]
    roughness: float
    rust: float
    marks: float


@dataclass(frozen=True)
class Rig:
    """The lamp (unit vector towards it, colour), the room's colour, and the windows that metal mirrors."""

    lamp: tuple[float, float, float]
    lamp_rgb: tuple[float, float, float]
    room_rgb: tuple[float, float, float]
    windows: tuple[tuple[float, float, float, float, float], ...]


_METALS: tuple[tuple[tuple[float, float, float], tuple[float, float, float], float, float], ...] = (
    ((0.62, 0.65, 0.69), (0.07, 0.07, 0.07), 0.20, 5.0),  # bright zinc
    ((0.60, 0.59, 0.57), (0.09, 0.09, 0.09), 0.32, 4.0),  # stainless steel
    ((0.46, 0.47, 0.49), (0.16, 0.16, 0.16), 0.55, 2.5),  # hot-dip galvanised
    ((0.70, 0.58, 0.31), (0.09, 0.07, 0.03), 0.25, 2.0),  # yellow chromate
    ((0.80, 0.58, 0.26), (0.08, 0.05, 0.015), 0.22, 2.5),  # brass
    ((0.075, 0.075, 0.085), (0.018, 0.018, 0.02), 0.32, 3.0),  # black oxide
    ((0.26, 0.25, 0.24), (0.06, 0.055, 0.05), 0.42, 2.5),  # oiled raw steel
    ((0.68, 0.40, 0.28), (0.09, 0.045, 0.03), 0.3, 0.7),  # copper
)


def finish(rng: np.random.Generator, class_name: str) -> Finish:
    """A random finish that suits the class: metals; now and then a plastic gear or washer."""
    plastic = {"gear": 0.1, "washer": 0.07}.get(class_name, 0.0)
    if rng.random() < plastic:
        colours = [(0.70, 0.68, 0.62), (0.025, 0.025, 0.028), (0.45, 0.06, 0.04), (0.62, 0.50, 0.30)]
        return Finish((0.045, 0.045, 0.045), colours[int(rng.integers(len(colours)))], 0.4, 0.0, 0.15)
    odds = np.array([metal[3] for metal in _METALS])
    mirror, matt, roughness, _ = _METALS[int(rng.choice(len(_METALS), p=odds / odds.sum()))]
    tint = rng.uniform(0.9, 1.08, 3)
    steel = max(mirror) - min(mirror) < 0.1
    rust = float(rng.uniform(0.15, 1.0)) if steel and rng.random() < 0.3 else 0.0
    return Finish(
        mirror=(mirror[0] * tint[0], mirror[1] * tint[1], mirror[2] * tint[2]),
        matt=matt,
        roughness=float(roughness * rng.uniform(0.75, 1.4)),
        rust=rust,
        marks=float(rng.uniform(0.1, 1.0)),
    )


def rig(rng: np.random.Generator) -> Rig:
    """A random workshop: lamp 30-70° above the bench, warm to cool, and one to three windows."""
    around, above = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(math.radians(32), math.radians(68)))
    lamp = (math.cos(around) * math.cos(above), math.sin(around) * math.cos(above), math.sin(above))
    warm = float(rng.normal(0, 0.10))
    strength = float(rng.uniform(0.8, 1.5))
    room = float(rng.uniform(0.22, 0.6))
    cool = float(rng.normal(0.03, 0.06))
    windows = []
    for _ in range(int(rng.integers(1, 4))):
        direction, height = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.2, 1.1))
        wide, tall, power = (float(rng.uniform(*span)) for span in ((0.2, 0.6), (0.15, 0.5), (0.8, 2.6)))
        windows.append((direction, height, wide, tall, power))
    return Rig(
        lamp,
        (strength * (1 + warm), strength, strength * (1 - warm * 1.2)),
        (room * (1 - cool), room, room * (1 + cool * 1.2)),
        tuple(windows),
    )


def _room(rig_: Rig, rx: Array, ry: Array, rz: Array, floor: Array, rough: float) -> Array:
    """Light (3, …) that arrives from a direction: bench below, dim walls, bright ceiling, windows."""
    room = np.asarray(rig_.room_rgb, dtype=np.float32)[:, None, None]
    soft = np.float32(0.08 + rough * 0.6)
    up = np.clip(rz / soft + np.float32(0.5), 0, 1)
    sky = (np.float32(0.16) + np.float32(0.75) * np.clip(rz, 0, 1) ** 1.5) * room
    floor = floor[:, None, None]
    out = floor + up * (sky - floor)
    for direction, height, wide, tall, power in rig_.windows:
        ahead = np.array((math.cos(direction), math.sin(direction)), dtype=np.float32)
        side = (rx * -ahead[1] + ry * ahead[0]).astype(np.float32)
        front = np.clip((rx * ahead[0] + ry * ahead[1]) * 4, 0, 1)
        edge = np.float32(0.06 + rough * 0.5)
        pane = np.clip((np.float32(wide) - np.abs(side)) / edge + np.float32(0.5), 0, 1)
        level = np.float32(tall) - np.abs(rz - np.float32(math.sin(height)))
        pane = pane * np.clip(level / edge + np.float32(0.5), 0, 1)
        out = out + (pane * front) * room * np.float32(power * 2)
    return np.asarray(out, dtype=np.float32)


def table(rig_: Rig, surface: Finish, tilt: float, floor_rgb: Array) -> Array:
    """Reflected light by view-space normal, (8, TABLE_SIDE²): room RGB, lamp RGB, room irradiance, lamp irradiance."""
    axis = np.linspace(-1, 1, TABLE_SIDE, dtype=np.float32)
    a, b = np.meshgrid(axis, axis)
    length = np.maximum(np.hypot(a, b), np.float32(1e-6))
    shrink = np.minimum(np.float32(1), np.float32(0.999) / length)
    a, b = a * shrink, b * shrink
    c = np.sqrt(1 - a * a - b * b)
    sin, cos = np.float32(math.sin(tilt)), np.float32(math.cos(tilt))
    nx, ny, nz = a, b * cos + c * sin, c * cos - b * sin
    rx, ry_view, rz_view = 2 * c * a, 2 * c * b, 2 * c * c - 1
    ry = np.asarray(ry_view * cos + rz_view * sin, dtype=np.float32)
    rz = np.asarray(rz_view * cos - ry_view * sin, dtype=np.float32)
    mirror = np.asarray(surface.mirror, dtype=np.float32)[:, None, None]
    fresnel = mirror + (1 - mirror) * ((1 - c) ** 5 * np.float32(0.6))
    room = fresnel * _room(rig_, rx, ry, rz, floor_rgb * np.float32(0.7), surface.roughness)
    lx, ly, lz = (np.float32(v) for v in rig_.lamp)
    half = np.array((lx, ly + sin, lz + cos), dtype=np.float32)
    half /= np.linalg.norm(half)
    facing = np.clip(nx * lx + ny * ly + nz * lz, 0, 1)
    shine = 2 / max(surface.roughness, 0.08) ** 3
    blinn = np.exp((nx * half[0] + ny * half[1] + nz * half[2] - 1) * np.float32(shine)) * np.float32(
        0.012 * shine + 0.4
    )
    wide = np.exp((nx * half[0] + ny * half[1] + nz * half[2] - 1) * np.float32(6)) * np.float32(0.45)
    lamp = fresnel * ((blinn + wide) * np.clip(facing * 4, 0, 1))
    lamp *= np.asarray(rig_.lamp_rgb, dtype=np.float32)[:, None, None]
    sky = np.float32(0.55) + np.float32(0.45) * nz
    return np.concatenate([room, lamp, sky[None], facing[None]], dtype=np.float32).reshape(8, -1)

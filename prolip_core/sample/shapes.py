"""Nuts, washers, gears and bolts as height maps over the bench, without light or colour.

Lengths are in part units: the longest half-extent of a part is about 1. x points right, y towards the viewer, z up from
the bench.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

COS30 = math.cos(math.pi / 6)


@dataclass(frozen=True)
class Relief:
    """A height map (H, W) in part units; `grain` (H, W) is the coordinate across which machining marks run.

    `thread_N` marks (H, W) where upright walls carry a screw thread of `pitch` part units; None: nowhere.
    `insert` marks (H, W) where a plastic ring is let in; None: nowhere.
    """

    height: Array
    grain: Array
    thread: NDArray[np.bool_] | None = None
    pitch: float = 0.1
    insert: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Solid:
    """A part drawn from a height map. `relief(x, y, px)` takes part coordinates and the size of a pixel."""

    reach: float
    top: float
    relief: Callable[[Array, Array, float], Relief]


def _wall(distance: Array, px: float) -> Array:
    """1 inside (distance < 0), 0 outside, with an edge three pixels wide, so that its direction stays exact."""
    share: Array = np.clip(distance * np.float32(-1 / (3 * px)) + np.float32(0.3), 0, 1)
    return share


def _rounded(distance: Array, height: float, bevel: float) -> Array:
    """The top of a slab of `height` whose rim, `bevel` wide, is rounded off."""
    rim = np.clip(1 + distance / np.float32(bevel), 0, 1)
    top: Array = np.float32(height) - np.float32(bevel * 0.7) * rim * rim
    return top


def _polygon(x: Array, y: Array, sides: int, apothem: float) -> Array:
    """Distance to a regular polygon with an even number of sides, negative inside."""
    out = np.full_like(x, -np.inf)
    for k in range(sides // 2):
        angle = 2 * math.pi * k / sides
        np.maximum(out, np.abs(x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle))), out=out)
    return out - np.float32(apothem)


def _fold(theta: Array, count: int) -> Array:
    """The angle to the nearest of `count` evenly spaced spokes."""
    turn = theta * np.float32(count / (2 * math.pi))
    folded: Array = (turn - np.rint(turn)) * np.float32(2 * math.pi / count)
    return folded


# ---------------------------------------------------------------------------------------------------------------- nut


def nut(rng: np.random.Generator) -> Solid:
    """A hexagon nut, sometimes square, with a flange, or with a nylon ring."""
    kind = rng.choice(["hex", "hex", "hex", "hex", "thin", "flange", "nylon", "square"])
    sides = 4 if kind == "square" else 6
    apothem = rng.uniform(0.82, 0.88) if sides == 6 else rng.uniform(0.7, 0.76)
    if kind == "flange":
        apothem *= 0.82
    hole = apothem * rng.uniform(0.5, 0.66)
    height = apothem * (rng.uniform(0.45, 0.6) if kind == "thin" else rng.uniform(0.75, 1.0))
    collar = height * rng.uniform(0.2, 0.3) if kind == "nylon" else 0.0
    pitch = hole * rng.uniform(0.2, 0.3)

    def relief(x: Array, y: Array, px: float) -> Relief:
        r = np.hypot(x, y)
        outside = _polygon(x, y, sides, apothem)
        top = _rounded(outside, height, 0.05) - np.clip(r - np.float32(apothem * 0.97), 0, 1) * np.float32(0.6)
        out = _wall(outside, px) * top
        if kind == "flange":
            out = np.maximum(out, _wall(r - 1, px) * np.clip(0.12 + (1 - r) * 0.35, 0, 0.3).astype(np.float32))
        ring = np.abs(r - np.float32(hole * 1.25)) - np.float32(hole * 0.3)
        if collar:
            out = np.maximum(out, _wall(ring, px) * _rounded(ring, height + collar, 0.08))
        rise = np.float32(height + collar)
        out = np.minimum(out, rise - np.clip(np.float32(hole * 1.14) - r, 0, 1) * np.float32(0.9))
        turn = np.arctan2(y, x) * np.float32(pitch / (2 * math.pi))
        ledge = np.float32(height * 0.72) + turn - np.clip(np.float32(hole) - r, 0, 1) * np.float32(1.5)
        out = np.where(r < np.float32(hole), np.minimum(out, ledge), out) * _wall(np.float32(hole * 0.87) - r, px)
        insert = (np.abs(ring + np.float32(hole * 0.2)) < hole * 0.09) & (out > height) if collar else None
        return Relief(out, r, r < np.float32(hole * 1.1), pitch, insert)

    return Solid(1.02, height + collar, relief)


# ------------------------------------------------------------------------------------------------------------- washer


def washer(rng: np.random.Generator) -> Solid:
    """A flat washer; sometimes a split lock washer, a cupped one, or a serrated one."""
    kind = rng.choice(["flat", "fender", "split", "cup", "serrated"], p=[0.55, 0.12, 0.15, 0.1, 0.08])
    low, high = {"fender": (0.22, 0.36), "split": (0.58, 0.68)}.get(kind, (0.4, 0.66))
    hole = float(rng.uniform(low, high))
    height = float(rng.uniform(0.2, 0.28) if kind == "split" else rng.uniform(0.07, 0.18))
    cup = float(rng.uniform(0.12, 0.25)) if kind == "cup" else 0.0
    teeth = int(rng.integers(12, 22))
    lift = float(rng.uniform(0.1, 0.25)) if kind == "split" else 0.0

    def relief(x: Array, y: Array, px: float) -> Relief:
        r = np.hypot(x, y)
        outer: Array = np.ones_like(r)
        theta = np.arctan2(y, x) if kind in ("split", "serrated") else r
        if kind == "serrated":
            outer = outer - np.clip(np.abs(_fold(theta, teeth)) * np.float32(teeth * 0.35) - np.float32(0.35), 0, 0.16)
        d = np.maximum(r - outer, np.float32(hole) - r)
        top: Array = _rounded(d, height, 0.05)
        if cup:
            top += (1 - r) * np.float32(cup / (1 - hole))
        if kind == "split":
            slit = np.abs(y * np.float32(0.85) + (r - np.float32(0.8)) * np.float32(0.5)) - np.float32(0.045)
            d = np.where(x > 0, np.maximum(d, -slit), d)
            turn = theta * np.float32(0.5 / math.pi)
            top += (turn - np.floor(turn)) * np.float32(lift)  # the step lies at the slit
        return Relief(_wall(d, px) * top, r)

    return Solid(1.02, height + cup + lift, relief)


# --------------------------------------------------------------------------------------------------------------- gear


@dataclass(frozen=True)
class _GearPlan:
    teeth: int
    root: float
    sharp: float
    height: float
    bore: float
    hub: float
    rim: float
    hub_rise: float
    web: float
    openings: str
    spokes: int
    keyway: float


def _gear_plan(rng: np.random.Generator) -> _GearPlan:
    teeth = int(rng.choice([9, 12, 14, 16, 18, 20, 24, 28, 32, 40]))
    bore = float(rng.uniform(0.12, 0.34))
    hub = bore + float(rng.uniform(0.1, 0.2))
    root = 1 - float(rng.uniform(3.4, 4.4)) / (teeth + 3)
    return _GearPlan(
        teeth=teeth,
        root=max(root, 0.66),
        sharp=float(rng.uniform(1.8, 3.2)),
        height=float(rng.uniform(0.14, 0.5)),
        bore=bore,
        hub=hub,
        rim=max(root, 0.66) - float(rng.uniform(0.07, 0.14)),
        hub_rise=float(rng.choice([0.0, 0.0, 0.15, 0.3])),
        web=float(rng.choice([1.0, 1.0, 0.6, 0.4])),
        openings=str(rng.choice(["none", "none", "round", "spokes"])),
        spokes=int(rng.integers(3, 7)),
        keyway=float(rng.choice([0.0, 0.04, 0.06])),
    )


def _gear_outline(plan: _GearPlan, r: Array, theta: Array, x: Array, y: Array) -> Array:
    """Distance to the edge of the metal: teeth, bore, keyway and openings in the web."""
    wave = np.abs(_fold(theta, plan.teeth)) * np.float32(plan.teeth / math.pi)
    flank = np.clip((np.float32(0.5) - wave) * np.float32(plan.sharp) + np.float32(0.5), 0, 1)
    d: Array = (r - np.float32(plan.root) - flank * np.float32(1 - plan.root)) * np.float32(0.75)
    d = np.maximum(d, np.float32(plan.bore) - r)
    if plan.keyway:
        d = np.maximum(d, np.float32(plan.keyway) - np.maximum(np.abs(y), np.abs(x - np.float32(plan.bore)) * 0.5))
    if plan.openings == "none" or plan.rim - plan.hub < 0.15:
        return d
    away = _fold(theta, plan.spokes)
    middle, room = (plan.hub + plan.rim) / 2, (plan.rim - plan.hub) / 2
    if plan.openings == "round":
        radius = min(room * 0.75, middle * math.sin(math.pi / plan.spokes) * 0.75)
        centre = np.hypot(r * np.cos(away) - np.float32(middle), r * np.sin(away))
        opening = centre - np.float32(radius)
    else:
        opening = np.maximum(
            np.abs(r - np.float32(middle)) - np.float32(room * 0.9), np.float32(0.07) - np.abs(away) * r
        )
    outline: Array = np.maximum(d, -opening)
    return outline


def gear(rng: np.random.Generator) -> Solid:
    """A spur gear: 9 to 40 teeth, plain, webbed, with round openings or with spokes."""
    plan = _gear_plan(rng)

    def relief(x: Array, y: Array, px: float) -> Relief:
        r = np.hypot(x, y)
        theta = np.arctan2(y, x)
        d = _gear_outline(plan, r, theta, x, y)
        top = _rounded(d, plan.height, 0.03)
        if plan.web < 1:
            inside = np.clip(np.minimum(r - np.float32(plan.hub), np.float32(plan.rim) - r) * np.float32(25), 0, 1)
            top = top - inside * np.float32(plan.height * (1 - plan.web))
        if plan.hub_rise:
            top = top + np.clip((np.float32(plan.hub) - r) * np.float32(25), 0, 1) * np.float32(plan.hub_rise)
        return Relief(_wall(d, px) * top, r)

    return Solid(1.02, plan.height + plan.hub_rise, relief)


# --------------------------------------------------------------------------------------------------------------- bolt


@dataclass(frozen=True)
class _BoltPlan:
    head: str
    shaft: float
    apothem: float
    head_length: float
    thread_from: float
    pitch: float
    flange: bool


def _bolt_plan(rng: np.random.Generator) -> _BoltPlan:
    shaft = float(rng.uniform(0.12, 0.24))
    head_length = shaft * float(rng.uniform(1.0, 1.5))
    return _BoltPlan(
        head=str(rng.choice(["hex", "hex", "hex", "hex", "socket", "round"])),
        shaft=shaft,
        apothem=shaft * float(rng.uniform(1.5, 1.75)),
        head_length=head_length,
        thread_from=float(rng.choice([-1 + head_length * 1.1, rng.uniform(-0.3, 0.3)])),
        pitch=shaft * float(rng.uniform(0.22, 0.36)),
        flange=bool(rng.random() < 0.2),
    )


def bolt(rng: np.random.Generator, upright: bool = False) -> Solid:
    """A bolt that lies on its side or, `upright`, stands on its head."""
    plan = _bolt_plan(rng)
    if upright:
        return _standing_bolt(plan)

    def relief(x: Array, y: Array, px: float) -> Relief:
        along = np.clip((x + 1) * np.float32(0.5), 0, 1)
        axis = np.float32(plan.apothem) + along * np.float32(plan.shaft - plan.apothem)
        wide = np.abs(y)
        height = np.maximum(_shaft(plan, x, y, axis, px), _head(plan, x, wide, axis, px))
        return Relief(height, x)

    return Solid(1.02, plan.apothem * 2.1, relief)


def _shaft(plan: _BoltPlan, x: Array, y: Array, axis: Array, px: float) -> Array:
    lean = y * np.float32(0.5 / (math.pi * plan.shaft))
    phase = x * np.float32(1 / plan.pitch) + lean
    ridge = np.abs(phase - np.rint(phase)) * 2
    ridge = np.clip(ridge * 1.3 - 0.15, 0, 1)
    radius = np.float32(plan.shaft) - ridge * np.float32(plan.pitch * 0.5) * (x > np.float32(plan.thread_from))
    radius = np.minimum(radius, np.float32(plan.shaft) - (x - np.float32(1 - plan.shaft * 0.35)))
    wide = np.abs(y)
    dome = np.sqrt(np.clip(radius * radius - y * y, 0, None))
    inside = _wall(np.maximum(wide - radius, np.maximum(x - 1, -0.97 - x)), px)
    return np.asarray(inside * (axis + dome), dtype=np.float32)


def _head(plan: _BoltPlan, x: Array, wide: Array, axis: Array, px: float) -> Array:
    inner = np.float32(-1 + plan.head_length)
    corner = plan.apothem / COS30
    if plan.head == "hex":
        reach = corner
        up = np.minimum(np.float32(plan.apothem), (np.float32(plan.apothem) - wide * np.float32(COS30)) * 2)
        cone = np.float32(corner) - np.clip(np.float32(-1 + plan.head_length * 0.2) - x, 0, 1) * np.float32(1.2)
        up = np.minimum(up, np.sqrt(np.clip(cone * cone - wide * wide, 0, None)))
    else:
        reach = plan.apothem
        rim = np.clip((inner - x) / np.float32(plan.head_length), 0, 1)
        bulge = rim * rim if plan.head == "round" else np.clip(rim - np.float32(0.85), 0, 1)
        cone = np.float32(reach) * np.sqrt(np.clip(1 - bulge * np.float32(0.9), 0, 1))
        up = np.sqrt(np.clip(cone * cone - wide * wide, 0, None))
        if plan.head == "socket":
            up = up + np.sin(wide * np.float32(90 / reach)) * np.float32(0.008)
    span = np.maximum(x - inner, -1 - x)
    out = _wall(np.maximum(wide - np.float32(reach), span), px) * (axis + np.clip(up, -axis * 0.5, None))
    if plan.flange:
        radius = np.float32(corner * 1.15)
        disc = np.sqrt(np.clip(radius * radius - wide * wide, 0, None))
        near = np.abs(x - inner) - np.float32(plan.head_length * 0.13)
        out = np.maximum(out, _wall(np.maximum(wide - radius, near), px) * (axis + disc))
    return np.asarray(out, dtype=np.float32)


def _standing_bolt(plan: _BoltPlan) -> Solid:
    """Units shrink so that the height, not the width, is the long side."""
    scale = 0.62

    def relief(x: Array, y: Array, px: float) -> Relief:
        r = np.hypot(x, y)
        shaft = plan.shaft * scale
        outside = _polygon(x, y, 6, plan.apothem * scale)
        head = _wall(outside, px) * _rounded(outside, plan.head_length * scale, 0.02)
        rod = np.float32(2 * scale) - np.clip(r - np.float32(shaft * 0.75), 0, 1)
        out = np.maximum(head, _wall(r - np.float32(shaft), px) * rod)
        return Relief(out, r, r < np.float32(shaft * 1.15), plan.pitch * scale * 1.2)

    return Solid(plan.apothem * scale * 1.25, 2 * scale, relief)

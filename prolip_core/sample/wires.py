"""Springs, and the curls of turning waste that lie about, as wires that follow a path in space.

Units and axes are those of `shapes`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tube:
    """A wire of `radius` along `path_K3`, a dense list of points in part units."""

    reach: float
    top: float
    path_K3: NDArray[np.float64]
    radius: float


def spring(rng: np.random.Generator, upright: bool = False) -> Tube:
    """A coil spring: compression, conical, extension with hooks, or torsion with legs. It lies on its side.

    `upright`: a compression or conical spring stands on its end.
    """
    kind = str(rng.choice(["compression", "compression", "compression", "cone", "hooks", "legs"]))
    tight = kind in ("hooks", "legs")
    coil = float(rng.uniform(0.3, 0.5) if kind == "legs" else rng.uniform(0.2, 0.38))
    wire = coil * float(rng.uniform(0.13, 0.26))
    half = 0.45 if kind == "legs" else 0.68 if kind == "hooks" else 0.97 - wire
    turns = half / (wire * float(rng.uniform(1.03, 1.12))) if tight else float(rng.uniform(5, 11))
    turns = min(max(2.0, turns), half / (wire * 1.02))
    angle = np.linspace(0, 2 * math.pi * turns, max(64, int(turns * 2 * math.pi * coil / (wire * 0.3))))
    share = angle / angle[-1]
    run = _closed_ends(share, turns, wire / half) if not tight else share
    radius = coil * (1 - 0.55 * share) if kind == "cone" else np.full_like(share, coil)
    along = (2 * run - 1) * half
    bend = float(rng.normal(0, 0.06)) * along**2
    start = float(rng.uniform(0, 2 * math.pi))
    path = np.stack([along, radius * np.cos(angle + start) + bend, radius * np.sin(angle + start)], axis=1)
    if kind == "hooks":
        path = np.concatenate([_hook(path[0], coil, -1, wire)[::-1], path, _hook(path[-1], coil, 1, wire)])
    if kind == "legs":
        path = np.concatenate([_leg(rng, path[0], path[1], wire)[::-1], path, _leg(rng, path[-1], path[-2], wire)])
    if upright and not tight:
        path = np.stack([path[:, 2], path[:, 1], -path[:, 0]], axis=1) * 0.85
        wire *= 0.85
    path[:, 2] -= path[:, 2].min() - wire
    reach = float(np.hypot(path[:, 0], path[:, 1]).max()) + wire
    return Tube(reach, float(path[:, 2].max()) + wire, path, wire)


def _closed_ends(share: NDArray[np.float64], turns: float, wire: float) -> NDArray[np.float64]:
    """Progress along the axis of a compression spring: the first and the last turn lie close to their neighbours."""
    end = min(1 / turns, 0.2)
    slow = min(wire / end * 0.55, 1.0)
    speed = np.where((share < end) | (share > 1 - end), slow, 1.0)
    run = np.cumsum(speed)
    return np.asarray((run - run[0]) / (run[-1] - run[0]))


def _hook(start: NDArray[np.float64], coil: float, side: int, wire: float) -> NDArray[np.float64]:
    """An open loop beyond an end of the coil, from the end of the wire to the axis and round."""
    turn = np.linspace(0, 1.6 * math.pi, int(1.6 * math.pi * coil / (wire * 0.3)) + 8)
    ramp = np.clip(turn / 1.2, 0, 1)[:, None]
    loop = np.stack([side * coil * 0.8 * (1 - np.cos(turn)), coil * 0.8 * np.sin(turn), np.zeros_like(turn)], axis=1)
    loop[:, 0] += start[0]
    return np.asarray(loop * ramp + start * (1 - ramp) + np.array([side * wire * 0.5, 0, 0]) * ramp)


def _leg(
    rng: np.random.Generator, start: NDArray[np.float64], before: NDArray[np.float64], wire: float
) -> NDArray[np.float64]:
    """A straight end that leaves the coil along its tangent."""
    tangent = (start - before) / np.linalg.norm(start - before)
    length = float(rng.uniform(0.5, 0.9))
    return np.asarray(start + np.linspace(0, length, int(length / (wire * 0.3)) + 4)[:, None] * tangent)


def swarf(rng: np.random.Generator) -> Tube:
    """A small curl of turning waste."""
    turns = float(rng.uniform(0.6, 2.2))
    angle = np.linspace(0, 2 * math.pi * turns, 60)
    radius = 0.5 * (1 - 0.5 * angle / angle[-1])
    path = np.stack([radius * np.cos(angle) + angle * 0.08, radius * np.sin(angle), 0.05 + 0.04 * angle], axis=1)
    return Tube(1.2, 0.8, path, 0.045)

"""What the parts lie on: wood, steel sheet, cutting mat, cardboard, cloth and the like, as linear-light albedo.

Everything is a function of bench coordinates or comes from small grids of random numbers, so a texture takes a few
milliseconds and looks the same at any picture size.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Colour = tuple[float, float, float]


def _spline(n: int, cells: int, offset: float) -> Array:
    """Weights (n, cells + 4) of a cubic B-spline that stretches `cells` grid cells over n pixels."""
    at = np.arange(n, dtype=np.float32) * np.float32(cells / n) + np.float32(offset)
    whole = at.astype(np.intp)
    f = at - whole
    rows = np.arange(n)
    out = np.zeros((n, cells + 4), dtype=np.float32)
    out[rows, whole] = (1 - f) ** 3 / 6
    out[rows, whole + 1] = (3 * f**3 - 6 * f**2 + 4) / 6
    out[rows, whole + 2] = (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6
    out[rows, whole + 3] = f**3 / 6
    return out


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int, cells_x: int | None = None) -> Array:
    """Smooth random field of about unit variance with features of 1/`cells` of the height (and 1/`cells_x`)."""
    across = cells_x or cells
    grid = rng.standard_normal((cells + 4, across + 4), dtype=np.float32)
    rows = _spline(shape[0], cells, float(rng.random()) * 0.99)
    columns = _spline(shape[1], across, float(rng.random()) * 0.99)
    return np.asarray(rows @ grid @ columns.T * np.float32(2.1), dtype=np.float32)


def fractal(rng: np.random.Generator, shape: tuple[int, int], cells: int, octaves: int) -> Array:
    """Sum of smooth noise fields, each twice as fine and 0.6 times as strong as the one before."""
    out = smooth_noise(rng, shape, cells)
    for k in range(1, octaves):
        out += np.float32(0.6**k) * smooth_noise(rng, shape, cells * 2**k)
    return out * np.float32(0.8)


def profile(rng: np.random.Generator, roughness: float = 0.7) -> Array:
    """Random line of 2048 samples: a cheap source of streaks. Features of all sizes; about unit variance."""
    out = np.zeros(2048, dtype=np.float32)
    at = np.arange(2048)
    for k, cells in enumerate((16, 64, 256, 1024)):
        knots = rng.standard_normal(cells + 1).astype(np.float32)
        out += np.float32(roughness**k) * np.interp(at * (cells / 2048), np.arange(cells + 1), knots).astype(np.float32)
    return np.asarray(out / out.std(), dtype=np.float32)


def lookup(line: Array, at: Array) -> Array:
    """Samples of `line`, which repeats, at positions `at` (1 = once through)."""
    return line.take((at * np.float32(line.size)).astype(np.int32) & (line.size - 1))


def _mix(low: Colour, high: Colour, share: Array) -> Array:
    first = np.asarray(low, dtype=np.float32)[:, None, None]
    step = np.asarray(high, dtype=np.float32)[:, None, None] - first
    return first + np.clip(share, 0, 1) * step


def _pick(rng: np.random.Generator, options: list[tuple[Colour, Colour]]) -> tuple[Colour, Colour]:
    return options[int(rng.integers(len(options)))]


def _line(distance: Array, half_width: float, soft: float) -> Array:
    """1 within `half_width` of a line, 0 from `soft` beyond that."""
    share: Array = np.clip((np.float32(half_width + soft) - np.abs(distance)) * np.float32(1 / soft), 0, 1)
    return share


def _wood(rng: np.random.Generator, x: Array, y: Array) -> Array:
    pairs = [
        ((0.24, 0.12, 0.05), (0.50, 0.31, 0.15)),
        ((0.13, 0.06, 0.028), (0.30, 0.16, 0.075)),
        ((0.36, 0.24, 0.13), (0.62, 0.46, 0.28)),
        ((0.18, 0.14, 0.10), (0.36, 0.29, 0.21)),
    ]
    low, high = _pick(rng, pairs)
    width = float(rng.uniform(0.28, 0.7))
    plank = y * np.float32(1 / width) + np.float32(rng.random())
    board = np.floor(plank)
    warp = smooth_noise(rng, (x.shape[0], x.shape[1]), 3) * np.float32(rng.uniform(0.01, 0.05))
    rings = lookup(profile(rng, 0.8), y * np.float32(0.5) + warp + board * np.float32(0.37))
    pores = lookup(profile(rng, 1.4), y * np.float32(1.3) + warp * np.float32(0.3) + x * np.float32(0.012))
    fine = smooth_noise(rng, (x.shape[0], x.shape[1]), 120) if rng.random() < 0.5 else pores
    tone = np.float32(0.5) + np.float32(0.22) * rings + np.float32(0.1) * pores + np.float32(0.05) * fine
    tone += np.float32(0.16) * np.sin(board * np.float32(12.9898) + np.float32(4))
    seam = _line(plank - board - np.float32(0.5), 0.4965, 0.006)
    return _mix(low, high, tone) * (np.float32(0.25) + np.float32(0.75) * seam)


def _steel(rng: np.random.Generator, x: Array, y: Array) -> Array:
    shape = (x.shape[0], x.shape[1])
    brushed = lookup(profile(rng, 1.6), y * np.float32(1.7) + smooth_noise(rng, shape, 40) * np.float32(0.0012))
    cloud = fractal(rng, shape, 3, 3)
    sheen = np.sin(x * np.float32(rng.uniform(3, 7)) + np.float32(rng.uniform(0, 6)))
    tone = np.float32(0.5) + np.float32(0.09) * brushed + np.float32(0.1) * cloud + np.float32(0.14) * sheen
    for _ in range(int(rng.integers(2, 9))):
        tone += np.float32(rng.uniform(0.1, 0.4)) * _scratch(rng, x, y)
    return _mix((0.15, 0.155, 0.165), (0.56, 0.57, 0.58), tone)


def _scratch(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """A thin straight mark of limited length."""
    angle = float(rng.uniform(0, math.pi))
    across = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle)) - np.float32(rng.uniform(-0.5, 0.5))
    along = y * np.float32(math.cos(angle)) - x * np.float32(math.sin(angle)) - np.float32(rng.uniform(-0.5, 0.5))
    return _line(across, 0.0008, 0.0022) * _line(along, float(rng.uniform(0.05, 0.3)), 0.06)


def _mat(rng: np.random.Generator, x: Array, y: Array) -> Array:
    pairs = [((0.018, 0.10, 0.07), (0.40, 0.55, 0.33)), ((0.02, 0.05, 0.12), (0.40, 0.48, 0.55))]
    pairs += [((0.05, 0.05, 0.055), (0.32, 0.33, 0.34)), ((0.012, 0.09, 0.045), (0.48, 0.50, 0.20))]
    low, high = _pick(rng, pairs)
    pitch = float(rng.uniform(0.14, 0.26))
    lines = np.zeros_like(x)
    for coordinate in (x, y):
        for step, weight, width in ((pitch, 0.75, 0.0012), (pitch / 5, 0.25, 0.0004)):
            at = coordinate * np.float32(1 / step)
            lines = np.maximum(lines, np.float32(weight) * _line((at - np.rint(at)) * np.float32(step), width, 0.003))
    shape = (x.shape[0], x.shape[1])
    grain = smooth_noise(rng, shape, 150) * np.float32(0.02) + fractal(rng, shape, 3, 3) * np.float32(0.03)
    tone = lines * np.float32(rng.uniform(0.5, 1.0)) + grain
    for _ in range(int(rng.integers(0, 6))):
        tone += np.float32(rng.uniform(0.05, 0.2)) * _scratch(rng, x, y)
    return _mix(low, high, tone + np.float32(0.04))


def _cardboard(rng: np.random.Generator, x: Array, y: Array) -> Array:
    shape = (x.shape[0], x.shape[1])
    flute = np.sin(y * np.float32(rng.uniform(110, 170))) * np.float32(rng.uniform(0.01, 0.05))
    fibre = smooth_noise(rng, shape, 150, 60) * np.float32(0.06) + smooth_noise(rng, shape, 60, 150) * np.float32(0.06)
    tone = np.float32(0.5) + flute + fibre + fractal(rng, shape, 2, 4) * np.float32(0.09)
    return _mix((0.27, 0.15, 0.07), (0.60, 0.41, 0.24), tone)


def _cloth(rng: np.random.Generator, x: Array, y: Array) -> Array:
    pairs = [((0.08, 0.12, 0.22), (0.24, 0.33, 0.48)), ((0.40, 0.38, 0.34), (0.72, 0.70, 0.65))]
    pairs += [((0.10, 0.10, 0.11), (0.27, 0.27, 0.28)), ((0.30, 0.06, 0.04), (0.55, 0.16, 0.10))]
    low, high = _pick(rng, pairs)
    thread = float(rng.uniform(150, 260))
    shape = (x.shape[0], x.shape[1])
    waver = smooth_noise(rng, shape, 12) * np.float32(0.004)
    warp, weft = np.sin((x + waver) * np.float32(thread)), np.sin((y + waver) * np.float32(thread))
    folds = fractal(rng, shape, 2, 2)
    slope = np.gradient(folds, axis=1) * np.float32(shape[1] * 0.03) if rng.random() < 0.6 else folds * np.float32(0.1)
    tone = np.float32(0.5) + np.float32(0.2) * warp * weft + smooth_noise(rng, shape, 110) * np.float32(0.08) + slope
    return _mix(low, high, tone)


def _rubber(rng: np.random.Generator, x: Array, y: Array) -> Array:
    shape = (x.shape[0], x.shape[1])
    dust = np.clip(smooth_noise(rng, shape, 130) - np.float32(1.9), 0, 1)
    if rng.random() < 0.5:
        ribs = np.sin(y * np.float32(rng.uniform(60, 130)))
        relief = np.clip(ribs * np.float32(1.5), -1, 1) * np.float32(0.16)
    else:
        relief = smooth_noise(rng, shape, 90) * np.float32(0.08)
    tone = np.float32(0.32) + relief + fractal(rng, shape, 3, 3) * np.float32(0.07) + dust * np.float32(0.6)
    return _mix((0.012, 0.012, 0.014), (0.13, 0.13, 0.135), tone)


def _enamel(rng: np.random.Generator, x: Array, y: Array) -> Array:
    colours = [(0.34, 0.38, 0.36), (0.10, 0.24, 0.22), (0.10, 0.17, 0.30), (0.52, 0.50, 0.44), (0.45, 0.20, 0.05)]
    base = np.asarray(colours[int(rng.integers(len(colours)))], dtype=np.float32)[:, None, None]
    shape = (x.shape[0], x.shape[1])
    tone = 1 + np.float32(0.08) * fractal(rng, shape, 3, 4) + np.float32(0.03) * smooth_noise(rng, shape, 140)
    out = base * tone
    worn = np.clip((fractal(rng, shape, 6, 4) - np.float32(rng.uniform(1.5, 2.4))) * np.float32(7), 0, 1)
    for _ in range(int(rng.integers(2, 8))):
        worn = np.maximum(worn, _scratch(rng, x, y) * np.float32(rng.uniform(0.2, 0.7)))
    metal = np.asarray((0.30, 0.27, 0.24), dtype=np.float32)[:, None, None]
    return np.asarray(out + worn * (metal - out), dtype=np.float32)


def _concrete(rng: np.random.Generator, x: Array, y: Array) -> Array:
    shape = (x.shape[0], x.shape[1])
    tone = np.float32(0.5) + fractal(rng, shape, 3, 6) * np.float32(0.13)
    tone -= np.clip(smooth_noise(rng, shape, 130) - np.float32(1.6), 0, 1) * np.float32(0.4)
    stain = np.clip(fractal(rng, shape, 2, 3) - np.float32(0.9), 0, 0.5)
    crack = np.abs(x + y * np.float32(0.3) + smooth_noise(rng, shape, 6) * np.float32(0.05) - np.float32(rng.random()))
    tone -= stain * np.float32(0.5) + _line(crack, 0.0006, 0.0025) * np.float32(0.3)
    return _mix((0.13, 0.125, 0.12), (0.50, 0.49, 0.46), tone)


def _paper(rng: np.random.Generator, x: Array, y: Array) -> Array:
    shape = (x.shape[0], x.shape[1])
    out = np.float32(0.72) + fractal(rng, shape, 4, 4) * np.float32(0.02)
    out += smooth_noise(rng, shape, 150) * np.float32(0.012)
    pencil = np.zeros_like(x)
    for _ in range(int(rng.integers(1, 4))):
        pencil = np.maximum(pencil, _stroke(rng, x, y))
    ink = np.zeros_like(x)
    if rng.random() < 0.5:
        step = np.float32(rng.uniform(0.05, 0.09))
        for coordinate in (x, y):
            at = coordinate / step
            ink = np.maximum(ink, _line((at - np.rint(at)) * step, 0.0004, 0.0028))
    blue = np.asarray((0.55, 0.22, 0.10), dtype=np.float32)[:, None, None]
    white = np.asarray((1.0, 0.98, 0.93), dtype=np.float32)[:, None, None]
    page = white * (out * (1 - pencil * np.float32(0.6))) * (1 - ink * blue)
    return np.asarray(page, dtype=np.float32)


def _stroke(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """A hand-drawn pencil line or arc."""
    if rng.random() < 0.5:
        centre = rng.uniform(-1.0, 1.0, 2)
        across = np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1])) - np.float32(rng.uniform(0.4, 1.2))
    else:
        angle = float(rng.uniform(0, math.pi))
        across = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle)) - np.float32(rng.uniform(-0.4, 0.4))
    across = across + smooth_noise(rng, (x.shape[0], x.shape[1]), 4) * np.float32(0.0015)
    press = np.clip(np.float32(0.7) + smooth_noise(rng, (x.shape[0], x.shape[1]), 60) * np.float32(0.3), 0, 1)
    return np.asarray(_line(across, 0.001, 0.003) * press, dtype=np.float32)


KINDS = (_wood, _wood, _steel, _mat, _mat, _cardboard, _cloth, _rubber, _enamel, _concrete, _paper)


def bench(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """Albedo (3, H, W) of a random bench top, linear light, at bench coordinates in picture widths."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    angle = float(rng.uniform(0, 2 * math.pi))
    turned_x = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle))
    turned_y = y * np.float32(math.cos(angle)) - x * np.float32(math.sin(angle))
    albedo = kind(rng, turned_x, turned_y)
    if rng.random() < 0.3:
        albedo = albedo * (1 - np.float32(0.5) * _stroke(rng, x, y))
    return np.asarray(albedo, dtype=np.float32)

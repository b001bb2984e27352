"""Photos that are the same picture: re-saved, resized, slightly cropped or brightened copies get the same group number.

A near-duplicate of a training photo among the test photos makes a result look better than it is, so a split keeps
groups together. The hash is the DCT hash of the ImageHash library with 16 × 16 coefficients (256 bits,
`ImageRecord.phash`); two photos are near-duplicates if their hashes differ in at most `MAX_DISTANCE_BITS` bits and
their aspect ratios by at most `MAX_ASPECT_DIFFERENCE`.

Measured on 1,924 real photos (612 of clothing, 312 of magnetic tiles, 1,000 of ImageNet) and on 15 kinds of copies of
150 photos each (JPEG quality 85 / 50 / 25, half and double size, brightness ± 10 %, contrast + 10 %, blur, crops of
1-3 %):

- Two different photos come as close as 54 bits (two pairs of different garments on the same hanger or cloth; next 70)
  and 92 bits on ImageNet. At the limit of 48 there is no false pair among 686,466 on these two sets.
- At 48, 93 to 96 % of all copies are found: all of the re-saved, resized, blurred and brightened ones, at least 97 %
  of the centred crops of 2 %, 85 to 100 % of those of 3 %, 92 to 95 % of the one-sided crops of 2 %. One-sided crops
  of 3 % (27 to 39 % found) are the known gap; a limit that finds them (64) would also join different garments.
- Magnetic tiles: 235 pairs; all that were looked at (80, over the whole range of distances) show the same tile under
  other light, one of them filed under two classes. The largest group has 11 of 312 photos, eleven photos of one tile;
  grey low-contrast surfaces do not run together.
- The 64-bit hash is too coarse: its closest false pair (8 bits) lies under the distance of many true copies. The
  difference hash of 256 bits joins up to 28 tiles at the same recall.

Parts that are always photographed in the same holder look like copies of each other to any picture hash (a spot of 2 % of
the short side changes 12 bits). What tells the two apart is number: copies come in twos and threes, a holder gives every
photo dozens of look-alikes. So a photo with `LOOK_ALIKES` or more of them is held to a narrower limit, half the distance of
the last one, and only its really close copies still count.

Chains (A like B, B like C, …) are bounded: photos of one group are never more than 2 × `MAX_DISTANCE_BITS` apart. A
longer chain, such as the frames of a slow film, is cut by complete linkage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

if TYPE_CHECKING:
    from prolip_core.types import ImageRecord

HASH_BITS = 256
MAX_DISTANCE_BITS = 48
MAX_ASPECT_DIFFERENCE = 0.06
"""Greatest difference of ln(width / height): a crop of 3 % on one axis and rounding of small sizes stay under it."""

LOOK_ALIKES = 20
"""A photo with so many neighbours is one of a series, not a copy; no real group of copies came near it (largest: 11)."""

SURE_DISTANCE_BITS = 6
"""Never narrower than this: re-saved and resized copies stay below it."""

_BLOCK_ROWS = 1024


def groups(records: Sequence[ImageRecord]) -> tuple[int, ...]:
    """One group number per record, counted from 0 in order of first appearance; near-duplicates share a number."""
    keys = [(record.phash, record.width_px, record.height_px) for record in records]
    unique = list(dict.fromkeys(keys))  # exact copies cost nothing, however many there are
    if not unique:
        return ()
    signs = _signs([phash for phash, _, _ in unique])
    aspect = np.log([width_px / height_px for _, width_px, height_px in unique])
    labels = _components(signs, aspect)
    group_of_key = dict(zip(unique, _cut_chains(signs, labels).tolist(), strict=True))
    number: dict[int, int] = {}
    return tuple(number.setdefault(group_of_key[key], len(number)) for key in keys)


def _signs(hashes: Sequence[int]) -> np.ndarray:
    """Bits as -1 / +1, shape (N, HASH_BITS): the product of two rows is HASH_BITS - 2 × their distance, exact in
    float32.
    """
    packed = np.frombuffer(b"".join(value.to_bytes(HASH_BITS // 8, "big") for value in hashes), dtype=np.uint8)
    bits = np.unpackbits(packed).reshape(len(hashes), HASH_BITS)
    return bits.astype(np.float32) * 2 - 1


def _components(signs: np.ndarray, aspect: np.ndarray) -> np.ndarray:
    """Connected components of "is a near-duplicate of", a label per row; no N × N matrix is kept."""
    labels = np.arange(len(signs))
    limit = _limits(signs)
    for start in range(0, len(signs), _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, len(signs))
        distance = (HASH_BITS - signs[start:stop] @ signs[start:].T) / 2
        near = distance <= np.minimum(limit[start:stop, None], limit[None, start:])
        near &= np.abs(aspect[start:stop, None] - aspect[None, start:]) <= MAX_ASPECT_DIFFERENCE
        for row in np.flatnonzero(near.sum(axis=1) > 1):
            met = labels[start:][near[row]]
            if (met != met[0]).any():
                labels[np.isin(labels, met)] = met[0]
    return labels


def _limits(signs: np.ndarray) -> np.ndarray:
    """The limit of every photo, (N,): MAX_DISTANCE_BITS, or less for one of a series."""
    if len(signs) <= LOOK_ALIKES:
        return np.full(len(signs), float(MAX_DISTANCE_BITS))
    blocks = []
    for start in range(0, len(signs), _BLOCK_ROWS):
        distance = (HASH_BITS - signs[start : start + _BLOCK_ROWS] @ signs.T) / 2
        # Position 0 is the photo itself.
        blocks.append(np.partition(distance, LOOK_ALIKES, axis=1)[:, LOOK_ALIKES])
    return np.clip(np.concatenate(blocks) / 2, SURE_DISTANCE_BITS, MAX_DISTANCE_BITS)


def _cut_chains(signs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Split every component whose ends are more than 2 × MAX_DISTANCE_BITS apart."""
    result = labels.copy()
    next_label = len(labels)
    for label in np.flatnonzero(np.bincount(labels) > 2):
        members = np.flatnonzero(labels == label)
        to_first = (HASH_BITS - signs[members] @ signs[members[0]]) / 2
        if to_first.max() <= MAX_DISTANCE_BITS:  # then no two are over twice that: spares the matrix of a large group
            continue
        distance = (HASH_BITS - signs[members] @ signs[members].T) / 2
        if distance.max() <= 2 * MAX_DISTANCE_BITS:
            continue
        tree = linkage(squareform(distance, checks=False), method="complete")
        parts = fcluster(tree, t=2 * MAX_DISTANCE_BITS, criterion="distance")
        result[members] = next_label + parts
        next_label += int(parts.max()) + 1
    return result

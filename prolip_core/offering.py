"""Which photos to ask a person about first: those whose class would teach most.

A photo is worth asking about when the model wavers, and when it is unlike what the model has been told already; asking for the
second of two photos that look the same teaches little. So photos are taken one by one, each time the one with the greatest

    (1 − margin) × distance to the nearest photo that is known or taken already.

The margin between the two likeliest classes is the uncertainty of Scheffer, Decomain and Wrobel (2001), section 3; taking the
photo farthest from all others is the greedy k-centre of Sener and Savarese (2018, arXiv 1708.00489), algorithm 1; weighting the
one by the other joins uncertainty and diversity, as in Ash et al. (2020, arXiv 1906.03671). The distance is 1 − cosine in the
trained space. The order is greedy: its first k photos are those that one would ask for k photos.
"""

from __future__ import annotations

import numpy as np


def margins(probs_NC: np.ndarray) -> np.ndarray:
    """How far the likeliest class is ahead of the next, (N,), from 0 to 1; C ≥ 2."""
    two_N2 = np.partition(np.asarray(probs_NC, dtype=np.float64), -2, axis=1)[:, -2:]
    found: np.ndarray = two_N2[:, 1] - two_N2[:, 0]
    return found


def order(image_ND: np.ndarray, probs_NC: np.ndarray, known_MD: np.ndarray) -> list[int]:
    """All N photos, the one to ask about first in front. Rows of `image_ND` and `known_MD` have unit norm; M may be 0: then all
    photos are equally far from what is known. Among equals the first comes first."""
    count = len(image_ND)
    image_ND = np.asarray(image_ND, dtype=np.float64)
    doubt_N = 1 - margins(probs_NC) if count else np.zeros(0)
    far_N = np.full(count, 2.0)  # the greatest distance there is
    if len(known_MD):
        far_N = np.minimum(far_N, 1 - (image_ND @ np.asarray(known_MD, dtype=np.float64).T).max(axis=1, initial=-1.0))
    waiting_N = np.ones(count, dtype=bool)
    taken: list[int] = []
    for _ in range(count):
        worth_N = np.where(waiting_N, doubt_N * np.maximum(far_N, 0), -1.0)
        best = int(worth_N.argmax())
        taken.append(best)
        waiting_N[best] = False
        far_N = np.minimum(far_N, 1 - image_ND @ image_ND[best])
    return taken

"""What the studies are called, for those who ask for one without computing it; and what the app asks for by default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prolip_core.i18n import N_
from prolip_core.studies.condition_words import CONDITIONS

METHODS, LEARNING_RATES, CURVE, NEW_CLASSES = "methods", "learning_rates", "curve", "new_classes"
CERTAINTY, LOOK = "certainty", "look"
KINDS = (METHODS, LEARNING_RATES, CURVE, NEW_CLASSES, CERTAINTY, LOOK, *CONDITIONS)
NEEDS_NO_TEST = (CURVE,)
"""Without test photos these hold photos out of the support."""

ADDED_CLASS = "added_class"
"""A finished run with one more class, known by its name: only in the app."""

HAND_OVER = "hand_over"
"""A run's hand-over file, made by a worker like a study and kept like one: only in the app, on a page of its own."""

LOOK_PHOTO = "look_photo"
"""A study of where it looks on test photos that a person chose: only in the app, beside that of all classes."""

SECOND_PHOTOS = "second_photos"
"""Photos of a second test set as they were dropped, in the settings of a row without numbers: they last until they are removed,
whatever becomes of the study of them."""

SLOW_METHODS: Mapping[str, str] = {
    "prolip_tip_adapter_f": "ProLIP + Tip-Adapter-F",
    "prolip_task_res": "ProLIP + TaskRes",
    "coop": "CoOp",
    "last_block": N_("Last-block fine-tuning"),
}
"""Key and title of the methods that take longer than all others together: the app runs them only where they are asked for."""

TRAINS_AS_CHOSEN = (CERTAINTY, LOOK, LOOK_PHOTO, *CONDITIONS)
"""Trained with the settings that the project has; the others train with settings of their own."""

QUICK: Mapping[str, Mapping[str, Any]] = {
    CURVE: {},
    METHODS: {"draws": 1, "slow": False},
    LEARNING_RATES: {"draws": 1, "shots": 4, "lams": ["0", "0.01", "1/N"], "epochs": 60},
    NEW_CLASSES: {},
    CERTAINTY: {},
    LOOK: {"photos": 10},
}
"""For two cores: each in less than 15 seconds with 10 classes of 16 photos. `tests/benchmarks/evidence_speed.py` measures it."""

"""What methods and distortions are called, for the studies of other conditions and for whoever shows them; no torch is needed."""

from __future__ import annotations

from collections.abc import Mapping

from prolip_core.types import Note

STRESS, SECOND_TEST, TRANSFER, TEST_TIME = "stress", "second_test", "transfer", "test_time"
CONDITIONS = (STRESS, SECOND_TEST, TRANSFER, TEST_TIME)
"""Studies that read more photos than the project has, or read them otherwise: each is run by its own module, after its `read`."""

ZERO_SHOT, PROLIP, FOREIGN = "zero_shot", "prolip", "foreign"

NAMES: Mapping[str, Note] = {
    ZERO_SHOT: Note("Zero-shot"),
    PROLIP: Note("ProLIP"),
    FOREIGN: Note("The other project's training"),
}

TITLES: Mapping[str, Note] = {
    "blur": Note("Blurred"),
    "noise": Note("Noisy"),
    "darker": Note("Darker"),
    "brighter": Note("Brighter"),
    "jpeg": Note("Compressed (JPEG)"),
    "rotation": Note("Turned"),
    "crop": Note("Cut off"),
    "shadow": Note("In a shadow"),
}


def amount_text(kind: str, amount: float) -> Note:
    """How much that is, for a person."""
    value = f"{amount:g}"
    percent = f"{100 * amount:g}"
    return {
        "blur": Note("blur of {value} px", {"value": value}),
        "noise": Note("grain of {value} % of white", {"value": percent}),
        "darker": Note("{value} % of the light", {"value": percent}),
        "brighter": Note("{value} % of the light", {"value": percent}),
        "jpeg": Note("quality {value}", {"value": value}),
        "rotation": Note("{value}°", {"value": value}),
        "crop": Note("{value} % of each side left", {"value": percent}),
        "shadow": Note("{value} % of the light in the shadow", {"value": percent}),
    }[kind]

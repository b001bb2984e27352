"""The names of the files in a hand-over zip, what each is, and the record of a finished one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prolip_core import config
from prolip_core.i18n import N_
from prolip_core.types import Note

FORMAT = 1
SETTINGS, FLOAT, INT8 = "model.json", "model.onnx", "model_int8.onnx"
PREDICT, CLIENT, REQUIREMENTS, CARD = "predict.py", "client.py", "requirements.txt", "README.md"
PROJECTOR, CHECK, SUMS = "projector.safetensors", "check/expected.json", "SHA256SUMS"
CHECKPOINT_FOLDER = "open_clip"
CHECKPOINT_CONFIG, CHECKPOINT = "open_clip/open_clip_config.json", "open_clip/open_clip_model.safetensors"
CLASS_VECTORS, CLASS_NAMES = "open_clip/class_vectors.safetensors", "open_clip/class_names.json"
EXAMPLE = "open_clip/example.py"
PATTERN = "check/pattern.png"
TEST_PHOTO = "check/test_photo"
"""Without its ending, which is that of the photo's format."""

WHAT: dict[str, str] = {
    CARD: N_("Model card: what it is, how well it did on which photos, its limits, licences"),
    PREDICT: N_("Answers about photos; needs only onnxruntime, numpy and pillow"),
    REQUIREMENTS: N_("What predict.py needs"),
    CLIENT: N_("Example program that asks the HTTP service"),
    SETTINGS: N_("Classes, sentences, preprocessing, the rule for “not sure”, figures, versions"),
    FLOAT: N_("The whole classifier, pixels to probabilities"),
    INT8: N_("The same with 8-bit integers: smaller and faster, a little less exact"),
    PROJECTOR: N_("The trained projector alone"),
    CHECK: N_("The answers that the self-check expects"),
    PATTERN: N_("A computed picture for the self-check"),
    TEST_PHOTO: N_("A test photo for the self-check"),
    CHECKPOINT_CONFIG: N_("Settings of the whole model for open_clip"),
    CHECKPOINT: N_("The whole model for open_clip, with the trained projector in it"),
    CLASS_VECTORS: N_("The class vectors, for open_clip"),
    CLASS_NAMES: N_("The class names in the order of the class vectors"),
    EXAMPLE: N_("Example program with open_clip"),
    SUMS: N_("Check sums of all files"),
}
"""File → what it is, in plain words."""


def what(name: str) -> str:
    """What a file of the zip is, in English."""
    return WHAT[TEST_PHOTO if name.startswith(TEST_PHOTO) else name]


def export_path(run_id: str) -> Path:
    """Where the app keeps the hand-over file of a run."""
    return config.hand_over_folder() / run_id / "hand-over.zip"


@dataclass(frozen=True)
class Measured:
    """How one of the two models did: right answers (None where there was no test photo), and milliseconds per photo, one photo at
    a time on the computer that made the file. `same`: photos on which it gives the class that the float model gives."""

    right: int | None
    accuracy_interval: tuple[float, float] | None
    same: int
    milliseconds: float
    size_bytes: int


@dataclass(frozen=True)
class Check:
    """What was compared before the zip was given out.

    count photos, all of them test photos if `on_test`, else photos to learn from. same: photos on which predict.py gives the
    class that the app's engine gives in float32; difference: the largest of a probability. same_as_run: as the run itself had
    answered (None where the run was measured by cross-validation, or no photo was there), in the precision that it was made in.
    int8_problem: why there is no int8 model although there were photos to learn from.
    """

    count: int
    on_test: bool
    same: int
    difference: float
    same_as_run: int | None
    difference_to_run: float | None
    run_precision: str
    float32: Measured | None
    int8: Measured | None
    int8_way: str | None
    int8_problem: Note | None


@dataclass(frozen=True)
class Entry:
    """A file of the zip: size_bytes unpacked, packed_bytes as it lies in the zip."""

    name: str
    size_bytes: int
    packed_bytes: int


@dataclass(frozen=True)
class HandOver:
    """A finished hand-over file. test_photo: id of the one that is in it; seconds: what making it took."""

    size_bytes: int
    entries: tuple[Entry, ...]
    check: Check
    test_photo: str | None
    seconds: float

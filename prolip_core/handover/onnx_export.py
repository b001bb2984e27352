"""A run as one ONNX file, pixels → probabilities, and its int8 variant for processors without a graphics card."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name the whole field uses
from torch import nn

from prolip_core.errors import HandOverError
from prolip_core.runs import SavedRun

TOLERANCE = 1e-4
"""Largest difference of a probability between the file and torch that is let through."""

PIXELS, PROBABILITIES = "pixels", "probabilities"
CALIBRATION_PHOTOS = 64
"""More change the ranges hardly: the largest values are found early. At most so many are read."""

_IN_INT8 = ["Conv", "Add", "Clip", "Relu", "GlobalAveragePool", "AveragePool", "MaxPool"]
_REMEDY = "The rest of the result is not concerned; choose another model to hand it over as ONNX."


class _Whole(nn.Module):
    """Vision tower, trained projector, class vectors, softmax."""

    def __init__(self, saved: SavedRun) -> None:
        super().__init__()
        self.tower = copy.deepcopy(saved.backbone.tower).cpu().float().to(memory_format=torch.contiguous_format)
        self.weight_PD = nn.Buffer(saved.projector.weight_PD)
        bias_D = saved.projector.bias_D
        self.bias_D = nn.Buffer(torch.zeros(saved.projector.weight_PD.shape[1]) if bias_D is None else bias_D)
        self.text_DC = nn.Buffer(saved.class_vectors.text_CD.T.contiguous())
        self.logit_scale = saved.backbone.logit_scale

    def forward(self, pixels_B3HW: torch.Tensor) -> torch.Tensor:
        output = self.tower(pixels_B3HW)
        pre_BP = output[0] if isinstance(output, tuple) else output
        image_BD = F.normalize(pre_BP @ self.weight_PD + self.bias_D, dim=-1)
        return (self.logit_scale * image_BD @ self.text_DC).softmax(dim=-1)


@dataclass(frozen=True)
class Exported:
    """The file's bytes, and how far its probabilities are from torch's on made-up pixels."""

    model: bytes
    difference: float


@dataclass(frozen=True)
class Quantised:
    """The int8 variant, and how it was made: "static" (ranges measured on photos) or "dynamic" (weights alone)."""

    model: bytes
    way: str


def export(saved: SavedRun) -> Exported:
    """The whole classifier of a run in float32, checked against torch.

    Raises HandOverError, naming the model, where it cannot be written or does not answer the same.
    """
    whole = _Whole(saved).eval()
    name = saved.backbone.spec.name
    height, width = saved.backbone.image_size_px
    # Two photos: of one, the exporter would take the batch for fixed.
    sample_B3HW = torch.zeros(2, 3, height, width)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            with _quiet(), torch.no_grad():
                torch.onnx.export(
                    whole,
                    (sample_B3HW,),
                    str(path),
                    input_names=[PIXELS],
                    output_names=[PROBABILITIES],
                    dynamic_shapes={"pixels_B3HW": {0: torch.export.Dim("batch")}},
                    dynamo=True,
                    external_data=False,
                )
        except Exception as error:  # the exporter meets a model that it cannot follow in dozens of ways
            raise HandOverError(
                "The model “{name}” cannot be written as an ONNX file ({cause}).",
                remedy=_REMEDY,
                name=name,
                cause=(str(error).strip().splitlines() or [type(error).__name__])[0][:160],
            ) from error
        model = path.read_bytes()
    difference = _difference(whole, model, height, width)
    if not difference <= TOLERANCE:
        raise HandOverError(
            "The ONNX file of the model “{name}” does not answer as the model does: a probability is off by {difference:.2g} "
            "(limit {limit:g}).",
            remedy=_REMEDY,
            name=name,
            difference=difference,
            limit=TOLERANCE,
        )
    return Exported(model, difference)


@torch.no_grad()
def _difference(whole: nn.Module, model: bytes, height: int, width: int) -> float:
    """The largest difference over batches of 1, 3 and 5 made-up photos."""
    import onnxruntime

    answering = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(0)
    largest = 0.0
    for count in (1, 3, 5):
        # Noise on large areas: noise of pixels alone looks the same to most models.
        coarse = 2 * torch.randn(count, 3, 4, 4, generator=random)
        pixels_B3HW = F.interpolate(coarse, (height, width), mode="bilinear")
        found_BC = answering.run([PROBABILITIES], {PIXELS: pixels_B3HW.numpy()})[0]
        largest = max(largest, float(np.abs(found_BC - whole(pixels_B3HW).numpy()).max()))
    return largest


def int8(model: bytes, photos: Sequence[np.ndarray], name: str) -> Quantised:
    """The model with 8-bit integers inside. photos: pixels (3, H, W) of photos to learn from, never of test photos.

    A convolutional network gets fixed ranges for what flows through it, measured on the photos; there integers of unknown range
    would be slower than float. A transformer is mostly large matrices, whose weights alone become integers. The projector, the
    comparison with the class vectors and the softmax of the former stay in float. Raises HandOverError.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(photos[:CALIBRATION_PHOTOS])

        def get_next(self) -> dict[str, np.ndarray] | None:
            pixels = next(self._left, None)
            return None if pixels is None else {PIXELS: pixels[None]}

    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, target = Path(folder) / "model.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(model)
        kinds = Counter(node.op_type for node in onnx.load_from_string(model).graph.node)
        way = "static" if kinds["Conv"] > kinds["MatMul"] + kinds["Gemm"] else "dynamic"
        try:
            if way == "static":
                quantize_static(
                    source,
                    target,
                    Reader(),
                    quant_format=QuantFormat.QDQ,
                    op_types_to_quantize=_IN_INT8,
                    per_channel=True,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                )
            else:
                quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8)
        except Exception as error:  # as above
            raise HandOverError(
                "The model “{name}” cannot be written with 8-bit integers ({cause}).",
                remedy="The float model is not concerned; make the hand-over file without the int8 model.",
                name=name,
                cause=(str(error).strip().splitlines() or [type(error).__name__])[0][:160],
            ) from error
        return Quantised(target.read_bytes(), way)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter and the quantiser report their steps on stdout and through the root logger."""
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)

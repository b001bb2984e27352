"""Which processor runs the encoder, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from prolip_core.errors import ConfigError, DeviceError

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Device:
    """A chosen device; `title` is what a person is shown, `dtype` is what the image encoder computes in."""

    torch_device: torch.device
    dtype: torch.dtype
    title: str

    @property
    def fit_device(self) -> torch.device:
        """Where the projector is trained: on CUDA, else on the CPU (MPS lacks the decompositions that the solver needs)."""
        return self.torch_device if self.torch_device.type == "cuda" else torch.device("cpu")

    @property
    def dtype_name(self) -> str:
        return str(self.dtype).removeprefix("torch.")


def cpu_has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AMX or AVX512-BF16); elsewhere it would be slower than float32."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def present() -> tuple[str, ...]:
    """The devices that this computer has, the fastest first."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, is_there in there.items() if is_there)


def choose(name: str = "auto", precision: str = "auto") -> Device:
    """The device of that name, or the best one there is: CUDA, then Apple's MPS, then the CPU.

    precision: "auto" (half on a GPU, bfloat16 on a CPU that has it in hardware, else float32) or a key of PRECISIONS.
    Raises ConfigError for an unknown word, DeviceError for a device that is not there.
    """
    base, _, index = name.partition(":")
    if base not in DEVICES or (index and (base != "cuda" or not index.isdecimal())):
        raise ConfigError(
            "There is no device “{name}”.", remedy="Choose one of: {known}.", name=name, known=", ".join(DEVICES)
        )
    if precision != "auto" and precision not in PRECISIONS:
        raise ConfigError(
            "There is no precision “{name}”.",
            remedy="Choose one of: auto, {known}.",
            name=precision,
            known=", ".join(PRECISIONS),
        )
    if base == "auto":
        base = present()[0]
    if base not in present() or (index and int(index) >= torch.cuda.device_count()):
        raise DeviceError(
            "The device “{name}” is not there on this computer.", remedy="Use auto or cpu instead.", name=name
        )
    if precision != "auto":
        dtype = PRECISIONS[precision]
    elif base == "cpu":
        dtype = torch.bfloat16 if cpu_has_fast_bfloat16() else torch.float32
    else:
        dtype = torch.float16
    device = torch.device(f"{base}:{index}" if index else base)
    return Device(device, dtype, _title(device, dtype))


def _title(device: torch.device, dtype: torch.dtype) -> str:
    short = str(dtype).removeprefix("torch.")
    if device.type == "cuda":
        return f"GPU {torch.cuda.get_device_name(device)} ({short})"
    if device.type == "mps":
        return f"Apple GPU ({short})"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads > 1)} ({short})"

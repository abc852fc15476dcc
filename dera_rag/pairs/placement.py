"""In which type and on which device weights are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from transformers.utils.quantization_config import QuantizationConfigMixin

from dera_rag.errors import InvalidValueError

DeviceMap = str | Mapping[str, int | str | torch.device]


@dataclass(frozen=True)
class Placement:
    """Where weights go.

    Attributes:
        dtype: Type of the weights; None keeps the checkpoint's.
        device_map: What transformers' `device_map` takes; None is main memory.
        quantization: Quantization configuration, handed to transformers as it is.
    """

    dtype: torch.dtype | None = None
    device_map: DeviceMap | None = None
    quantization: QuantizationConfigMixin | None = None

    @property
    def bits(self) -> int | None:
        """Bits a quantized weight takes at least; None where weights are not quantized."""
        if self.quantization is None:
            return None
        if getattr(self.quantization, "load_in_4bit", False):
            return 4
        if getattr(self.quantization, "load_in_8bit", False):
            return 8
        bits = getattr(self.quantization, "bits", None)
        # Of a scheme that does not say, nothing is assumed.
        return bits if isinstance(bits, int) else 0

    def devices(self) -> list[str]:
        """Names of the devices that hold weights, main memory as "cpu"."""
        if self.device_map is None:
            return ["cpu"]
        if isinstance(self.device_map, str):
            count = torch.cuda.device_count()
            return [*(f"cuda:{i}" for i in range(count)), "cpu"]
        places = (f"cuda:{x}" if isinstance(x, int) else x for x in self.device_map.values())
        named = {torch.device(x) for x in places if x != "disk"}
        return sorted(
            f"cuda:{device.index or 0}" if device.type == "cuda" else device.type
            for device in named
        )


def place(
    dtype: torch.dtype | str | None,
    device: torch.device | str | None,
    device_map: DeviceMap | None,
    quantization: QuantizationConfigMixin | None,
) -> Placement:
    """Check what a caller asks for.

    Raises:
        InvalidValueError: No floating type, an unknown or absent device, or a device beside a
            device map.
    """
    if device is not None and device_map is not None:
        raise InvalidValueError(
            f"both device {device!r} and device_map {device_map!r} say where weights go",
            hint="pass one of them",
        )
    if quantization is not None and not isinstance(quantization, QuantizationConfigMixin):
        raise InvalidValueError(
            f"quantization_config must be a transformers one, got {type(quantization).__name__}",
            hint="e.g. transformers.BitsAndBytesConfig(load_in_4bit=True)",
        )
    if device_map is None:
        target = _device(device)
        # Straight to the device, without a copy in main memory; quantizers want it said, too.
        if target.type != "cpu" or quantization is not None:
            device_map = {"": target}
    return Placement(_dtype(dtype), device_map, quantization)


def _dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if dtype is None or (isinstance(found, torch.dtype) and found.is_floating_point):
        return found
    raise InvalidValueError(
        f"dtype {dtype!r} is no floating type", hint="'float32', 'bfloat16' or 'float16'"
    )


def _device(device: torch.device | str | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        target = torch.device(device)
    except RuntimeError as error:
        raise InvalidValueError(f"unknown device {device!r}", hint="'cpu' or 'cuda:0'") from error
    if target.type == "cuda" and (target.index or 0) >= torch.cuda.device_count():
        raise InvalidValueError(
            f"device {str(device)!r} is not here: torch sees {torch.cuda.device_count()} of CUDA",
            hint="'cpu', or a torch built for the GPU; `dera-rag doctor` shows what there is",
        )
    return target

"""Linear layers whose weights lie in the block layout of oneDNN.

torch keeps a weight as rows and lets the matrix product reorder it, or stream it badly, at every
token. Packed once, one layout serves every number of rows: at four rows (fewer are padded) it costs
about what the best layout for a single row does, and at 4–32 rows the usual one took 1.2 to 2.8
times as long (float32, Zen 4, one thread, 576 to 12,288 outputs).

The packed weight takes the place of the model's own: modules of the model become views of it, which
compute with it and unpack it when their `weight` is read, so nothing is stored twice.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

# oneDNN lays weights out for an expected number of rows; below 4 it picks a layout that is slow
# for all others.
_EXPECTED_ROWS = 16
# Kernels for 1 to 3 rows are slower than the one for 4.
FEWEST_ROWS = 4


class PackedLinear:
    """One or several linear layers that read the same input, as one product.

    Args:
        layers: Their weights are concatenated, biases too.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        self.sizes = [layer.out_features for layer in layers]
        self.in_features = layers[0].in_features
        self.bias = _joined_bias(layers)
        weight = torch.cat([layer.weight.detach() for layer in layers])
        self._packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _EXPECTED_ROWS)
        self._product = torch.ops.mkldnn._linear_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        """`[rows, out]` of `[rows, in]`."""
        out: Tensor = self._product(x, self._packed, self.bias, "none", [], "")
        return out

    def weight(self) -> Tensor:
        """`[out, in]`, unpacked into a new tensor."""
        weight: Tensor = self._packed.to_dense()
        return weight

    def parameters(self) -> tuple[Tensor, Tensor | None]:
        """Weight, unpacked into a new tensor, and bias."""
        return self.weight(), self.bias


class PackedPart(nn.Module):
    """What stands in a model where a linear layer was packed, alone or with others.

    The layers packed together are called one after the other with one input (queries, keys and
    values; gate and up): the first call computes all, the others take their share.

    Args:
        whole: The packed layers.
        index: Which of them this is.
        shares: Outputs waiting for the parts that were not called yet; one object for all parts.
    """

    def __init__(self, whole: PackedLinear, index: int, shares: threading.local) -> None:
        super().__init__()
        self._whole = whole
        self._index = index
        self._shares = shares
        self.in_features = whole.in_features
        self.out_features = whole.sizes[index]

    def forward(self, x: Tensor) -> Tensor:
        """`[…, out]` of `[…, in]`."""
        waiting: dict[int, Tensor] = getattr(self._shares, "waiting", {})
        if getattr(self._shares, "input", None) is not x or self._index not in waiting:
            whole = self._whole(x.reshape(-1, self.in_features))
            parts = whole.view(*x.shape[:-1], -1).split(self._whole.sizes, dim=-1)
            waiting = dict(enumerate(parts))
            self._shares.input = x
            self._shares.waiting = waiting
        out = waiting.pop(self._index)
        if not waiting:
            self._shares.input = None
        return out

    @property
    def weight(self) -> Tensor:
        """`[out, in]`, unpacked into a new tensor at each access."""
        start = sum(self._whole.sizes[: self._index])
        return self._whole.weight()[start : start + self.out_features]

    @property
    def bias(self) -> Tensor | None:
        """`[out]`."""
        bias = self._whole.bias
        return None if bias is None else bias.split(self._whole.sizes)[self._index]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are ordinary linear layers."""
        return _linear, (self.weight, self.bias)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "weight"] = self.weight.clone()
        if self.bias is not None:
            destination[prefix + "bias"] = self.bias.clone()


class SharedHead:
    """An output layer whose weight is the embedding table, used where it lies.

    Args:
        weight: `[V, in]`.
        bias: `[V]` or None.
    """

    # Rows up to which the product of the table with the transposed input is the faster one.
    _FEW = 8

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = weight
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """`[rows, V]` of `[rows, in]`."""
        if len(x) > self._FEW or self._weight.dtype is not torch.float32:
            return nn.functional.linear(x, self._weight, self._bias)
        out = (self._weight @ x.t()).t()
        return out if self._bias is None else out + self._bias

    def parameters(self) -> tuple[Tensor, Tensor | None]:
        """Weight, the table itself, and bias."""
        return self._weight, self._bias


def pack(parent: nn.Module, names: Sequence[str]) -> PackedLinear:
    """Replace linear layers of a module by one packed layer; their own weights are freed."""
    whole = PackedLinear([getattr(parent, name) for name in names])
    shares = threading.local()
    for index, name in enumerate(names):
        setattr(parent, name, PackedPart(whole, index, shares))
    return whole


def plain(model: PreTrainedModel) -> PreTrainedModel:
    """A model with ordinary linear layers: itself, or a copy if layers of it are packed."""
    if any(isinstance(module, PackedPart) for module in model.modules()):
        return copy.deepcopy(model)
    return model


def packable(dtype: torch.dtype) -> bool:
    """Whether oneDNN multiplies packed weights of this type here."""
    if not torch.backends.mkldnn.is_available():
        return False
    if dtype is torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype is torch.float32


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone())
    return layer


def _joined_bias(layers: Sequence[nn.Linear]) -> Tensor | None:
    biases = [layer.bias for layer in layers]
    if all(bias is None for bias in biases):
        return None
    filled = [
        layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias.detach()
        for layer in layers
    ]
    return torch.cat(filled)

"""A cheap model that guesses what a mixture will say: the pair's weight average in 8 bits.

The weights θ_reference + λ·(θ_aligned − θ_reference) decode nearly what λ·aligned + (1−λ)·reference
does (Liu et al. 2024 compare the two), in one pass, and 8-bit weights are read in a third of the
time. What it guesses is verified by both models, so its faults cost time and change nothing.

Shapes: `V` token ids.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from dera_rag.pairs.lean.model import Layer, LeanModel, Linear, Norm

_LARGEST = 127


class Int8Linear:
    """A linear layer with 8-bit weights, a scale for each output; inputs are rounded as they come.

    Args:
        weight: `[out, in]` float32.
        bias: `[out]` or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        scale = weight.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / _LARGEST
        zero = torch.zeros(len(weight), dtype=torch.int64)
        with warnings.catch_warnings():
            # torch means to drop its quantized tensors; the product itself takes none, and oneDNN's
            # own takes twice as long.
            warnings.simplefilter("ignore")
            rounded = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
            self._packed = torch.ops.quantized.linear_prepack(rounded, bias)

    def __call__(self, x: Tensor) -> Tensor:
        """`[rows, out]` float32 of `[rows, in]` float32."""
        # Inputs are rounded to 7 bits: without that older processors overflow 16-bit sums.
        out: Tensor = torch.ops.quantized.linear_dynamic(x, self._packed, True)
        return out

    def parameters(self) -> tuple[Tensor, Tensor | None]:
        """Weight as it was rounded, in float32, and bias."""
        weight, bias = torch.ops.quantized.linear_unpack(self._packed)
        return weight.dequantize(), bias


def averaged(reference: LeanModel, aligned: LeanModel, lam: float) -> LeanModel:
    """The weight average of two packed models, its linear layers in 8 bits; it computes in float32.

    Args:
        reference: The model at λ=0.
        aligned: The model at λ=1, of the same `shape`.
        lam: λ.
    """

    def between(first: Tensor, second: Tensor) -> Tensor:
        return torch.lerp(first.detach().float(), second.detach().float(), lam)

    def linear(first: Linear, second: Linear) -> Int8Linear:
        (weight, bias), (other, shift) = first.parameters(), second.parameters()
        joined = None if bias is None or shift is None else between(bias, shift)
        return Int8Linear(between(weight, other), joined)

    def norm(first: Norm, second: Norm) -> Norm:
        return first.between(second, lam)

    def layer(first: Layer, second: Layer) -> Layer:
        of_heads = None
        if first.of_heads is not None and second.of_heads is not None:
            of_heads = norm(first.of_heads, second.of_heads)
        return Layer(
            qkv=linear(first.qkv, second.qkv),
            out=linear(first.out, second.out),
            gate_up=linear(first.gate_up, second.gate_up),
            down=linear(first.down, second.down),
            before_attention=norm(first.before_attention, second.before_attention),
            before_mlp=norm(first.before_mlp, second.before_mlp),
            of_heads=of_heads,
        )

    return aligned.with_weights(
        layers=[layer(*both) for both in zip(reference.layers, aligned.layers, strict=True)],
        head=linear(reference.head, aligned.head),
        final_norm=norm(reference.final_norm, aligned.final_norm),
        # Mixed token by token: a table of its own would be larger than all the rest.
        embed=lambda tokens: between(reference.embed(tokens), aligned.embed(tokens)),
        dtype=torch.float32,
    )

"""One forward pass of a Llama-family model over packed weights.

Shapes: `T` tokens of all rows together, `H` query heads, `G` key-value heads, `D` numbers a head,
`V` token ids.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from dera_rag.pairs.lean.packing import FEWEST_ROWS, PackedLinear, SharedHead, pack, packable

# By name: importing the classes that a pair does not need would slow every start.
_FAMILY = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
# Their frequencies depend on the length of the text, or on a choice made per call.
_CHANGING_ROPE = ("dynamic", "longrope")
# A tied output layer is packed as a copy up to this many bytes; beyond, it is used where it lies.
_COPIED_HEAD = 16 * 2**20
_FIRST_POSITIONS = 2048
_PACKED: weakref.WeakKeyDictionary[PreTrainedModel, LeanModel] = weakref.WeakKeyDictionary()


class Attend(Protocol):
    """Keeps keys and values of all layers, and attends over them."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Append `[T, G, D]` keys and values; `[Q, H·D]` for the queries `[Q, H, D]`.

        Queries belong to the last tokens of every row: all that are appended, or fewer.
        """
        ...


@dataclass(frozen=True)
class _Layer:
    """Weights of one decoder layer."""

    qkv: PackedLinear
    out: PackedLinear
    gate_up: PackedLinear
    down: PackedLinear
    before_attention: Tensor
    before_mlp: Tensor
    query_norm: Tensor | None
    key_norm: Tensor | None


class LeanModel:
    """A Llama-family model whose linear layers are packed in place.

    The transformers model stays usable; its linear layers compute with the packed weights.

    Args:
        model: A model without obstacle (`lean_obstacle`), in evaluation mode.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        body: Any = model.model
        config: Any = model.config
        self._eps = float(config.rms_norm_eps)
        self._activation: Callable[[Tensor], Tensor] = body.layers[0].mlp.act_fn
        attention = body.layers[0].self_attn
        self.head_dim = int(attention.head_dim)
        self.query_heads = int(config.num_attention_heads)
        self.key_heads = int(config.num_key_value_heads)
        self.windows = [_window(model, layer) for layer in body.layers]
        self._rotary = body.rotary_emb
        self._final_norm: Tensor = body.norm.weight
        self._head = _head(model)
        self._embedding: Tensor = body.embed_tokens.weight
        self._layers = [_pack_layer(layer) for layer in body.layers]
        self.dtype = self._embedding.dtype
        self._cos, self._sin = self._tables(_FIRST_POSITIONS)

    def forward(
        self, tokens: Tensor, positions: Tensor, attend: Attend, last: Tensor | None = None
    ) -> Tensor:
        """Logits of the tokens after some of those given.

        Args:
            tokens: `[T]` int64.
            positions: `[T]` int64, counted from 0 within each row.
            attend: Where keys and values are kept.
            last: Indices of the tokens whose logits are wanted, the same number at the end of each
                row; None for all.

        Returns:
            `[T or len(last), V]` float32.
        """
        count = len(tokens)
        cos, sin = self._rotation(positions)
        x = _padded(functional.embedding(tokens, self._embedding))
        for index, layer in enumerate(self._layers):
            q, k, v = self._project(layer, x, count, cos, sin)
            if last is not None and index == len(self._layers) - 1:
                # Nothing reads what the last layer makes of the other tokens.
                q, x, count = q[last], _padded(x[last]), len(last)
            mixed = attend(index, q, k, v)
            x = x + layer.out(_padded(mixed))
            x = x + self._mlp(layer, x)
        x = functional.rms_norm(x, x.shape[-1:], self._final_norm, self._eps)
        return self._head(x)[:count].float()

    def _project(
        self, layer: _Layer, x: Tensor, count: int, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries and keys, and values."""
        normed = functional.rms_norm(x, x.shape[-1:], layer.before_attention, self._eps)
        heads = layer.qkv(normed)[:count].view(count, -1, self.head_dim)
        both = self.query_heads + self.key_heads
        turned, v = heads[:, :both], heads[:, both:]
        if layer.query_norm is not None and layer.key_norm is not None:
            q, k = turned.split([self.query_heads, self.key_heads], dim=1)
            size = (self.head_dim,)
            q = functional.rms_norm(q, size, layer.query_norm, self._eps)
            k = functional.rms_norm(k, size, layer.key_norm, self._eps)
            turned = torch.cat([q, k], dim=1)
        turned = torch.addcmul(turned * cos, turned.roll(self.head_dim // 2, -1), sin)
        return turned[:, : self.query_heads], turned[:, self.query_heads :], v

    def _mlp(self, layer: _Layer, x: Tensor) -> Tensor:
        normed = functional.rms_norm(x, x.shape[-1:], layer.before_mlp, self._eps)
        gate, up = layer.gate_up(normed).chunk(2, dim=-1)
        return layer.down(self._activation(gate).mul_(up))

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """`[T, 1, D]` cosines, and sines with the sign of the half they multiply."""
        needed = int(positions.max()) + 1
        if needed > len(self._cos):
            self._cos, self._sin = self._tables(2 * needed)
        return self._cos[positions].unsqueeze(1), self._sin[positions].unsqueeze(1)

    @torch.inference_mode()
    def _tables(self, size: int) -> tuple[Tensor, Tensor]:
        cos, sin = self._rotary(self._embedding, torch.arange(size).unsqueeze(0))
        half = self.head_dim // 2
        signed = torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)
        return cos[0], signed


def packed(model: PreTrainedModel) -> LeanModel:
    """The lean form of a model; a model is packed once, however many pairs it is part of."""
    if model not in _PACKED:
        _PACKED[model] = LeanModel(model)
    return _PACKED[model]


def lean_obstacle(model: PreTrainedModel) -> str | None:
    """Why a model cannot run on the lean engine; None if it can."""
    if model in _PACKED:
        return None
    kind = type(model)
    if kind.__name__ not in _FAMILY or not kind.__module__.startswith("transformers.models."):
        return f"{type(model).__name__} is not of the Llama family"
    rope = (getattr(model.config, "rope_parameters", None) or {}).get("rope_type", "default")
    if rope in _CHANGING_ROPE:
        return f"rotary positions of type {rope!r} change with the length"
    return _weights_obstacle(model)


def _weights_obstacle(model: PreTrainedModel) -> str | None:
    places = {parameter.device.type for parameter in model.parameters()}
    types = {parameter.dtype for parameter in model.parameters()}
    if places != {"cpu"}:
        return f"the weights are on {', '.join(sorted(places))}"
    if len(types) != 1 or not packable(next(iter(types))):
        return f"no packed products here for {', '.join(sorted(str(x) for x in types))}"
    linear = {type(module) for name, module in model.named_modules() if name.endswith("_proj")}
    if linear != {torch.nn.Linear}:
        return "its linear layers have been replaced (quantized or adapted)"
    return None


def _pack_layer(layer: Any) -> _Layer:
    attention = layer.self_attn
    return _Layer(
        qkv=pack(attention, ["q_proj", "k_proj", "v_proj"]),
        out=pack(attention, ["o_proj"]),
        gate_up=pack(layer.mlp, ["gate_proj", "up_proj"]),
        down=pack(layer.mlp, ["down_proj"]),
        before_attention=layer.input_layernorm.weight,
        before_mlp=layer.post_attention_layernorm.weight,
        query_norm=attention.q_norm.weight if hasattr(attention, "q_norm") else None,
        key_norm=attention.k_norm.weight if hasattr(attention, "k_norm") else None,
    )


def _head(model: PreTrainedModel) -> Callable[[Tensor], Tensor]:
    head = cast(torch.nn.Linear, model.lm_head)
    if head.weight is not cast(Any, model).model.embed_tokens.weight:
        return pack(model, ["lm_head"])
    if head.weight.numel() * head.weight.element_size() <= _COPIED_HEAD:
        return PackedLinear([head])
    return SharedHead(head.weight, head.bias)


def _window(model: PreTrainedModel, layer: Any) -> int | None:
    """Tokens that a layer's queries see, themselves included; None for all."""
    # Mistral says so for the whole model, the others for each layer.
    owner = model.config if model.config.model_type == "mistral" else layer.self_attn
    window: int | None = getattr(owner, "sliding_window", None)
    return window


def _padded(x: Tensor) -> Tensor:
    """At least `FEWEST_ROWS` rows, those added being zero."""
    missing = FEWEST_ROWS - len(x)
    return functional.pad(x, (0, 0, 0, missing)) if missing > 0 else x

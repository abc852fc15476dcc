"""One forward pass of a Llama-family model over packed weights.

Shapes: `T` tokens of all rows together, `H` query heads, `G` key-value heads, `D` numbers a head,
`V` token ids.
"""

from __future__ import annotations

import copy
import functools
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.activations import SiLUActivation

from dera_rag.pairs.lean.packing import FEWEST_ROWS, PackedLinear, SharedHead, pack, packable

# By name: importing the classes that a pair does not need would slow every start.
_FAMILY = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
# Their frequencies depend on the length of the text, or on a choice made per call.
_CHANGING_ROPE = ("dynamic", "longrope")
_FIRST_POSITIONS = 2048
# Two models whose values agree have weights of equal shapes.
_SHAPE = (
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "attention_bias",
    "mlp_bias",
)
Embed = Callable[[Tensor], Tensor]
_PACKED: weakref.WeakKeyDictionary[PreTrainedModel, LeanModel] = weakref.WeakKeyDictionary()


class Attend(Protocol):
    """Keeps keys and values of all layers, and attends over them."""

    def __call__(self, layer: int, q: Tensor, states: Tensor) -> Tensor:
        """Append `[T, 2G, D]` keys and then values; `[Q, H·D]` for the queries `[Q, H, D]`.

        Queries belong to the last tokens of every row: all that are appended, or fewer.
        """
        ...


class Norm:
    """Root mean square normalization in four kernels; torch's nine were a tenth of a small step.

    √(Σx² + n·ε) is the hypotenuse of ‖x‖ and √(n·ε).

    Args:
        weight: `[..., n]`.
        eps: ε.
    """

    def __init__(self, weight: Tensor, eps: float) -> None:
        size = weight.shape[-1]
        self._weight = weight.detach().float() * math.sqrt(size)
        self._least = torch.tensor(math.sqrt(size * eps))

    def __call__(self, x: Tensor) -> Tensor:
        """`[..., n]` of `[..., n]`, rounded once to its type."""
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        return (x / torch.hypot(length, self._least)).mul_(self._weight).to(x.dtype)

    def between(self, other: Norm, lam: float) -> Norm:
        """The one whose weight is this one's at λ=0 and the other's at λ=1."""
        twin = copy.copy(self)
        twin._weight = torch.lerp(self._weight, other._weight, lam)
        return twin


class Linear(Protocol):
    """A packed linear layer."""

    def __call__(self, x: Tensor) -> Tensor:
        """`[rows, out]` of `[rows, in]`."""
        ...

    def parameters(self) -> tuple[Tensor, Tensor | None]:
        """`[out, in]` weight, unpacked where it is packed, and `[out]` bias."""
        ...


@dataclass(frozen=True)
class Layer:
    """Weights of one decoder layer."""

    qkv: Linear
    out: Linear
    gate_up: Linear
    down: Linear
    before_attention: Norm
    before_mlp: Norm
    of_heads: Norm | None


class LeanModel:
    """A Llama-family model whose linear layers are packed in place.

    The transformers model stays usable; its linear layers compute with the packed weights.

    Attributes:
        shape: Two models can be averaged if theirs are equal.

    Args:
        model: A model without obstacle (`lean_obstacle`), in evaluation mode.
        copy_head: Whether an output layer that is tied to the embedding table is packed as a copy
            (default), or used where it lies, which takes no memory but, for one row, 1.4 times as
            long in float32 and 2.4 times in bfloat16 (49,152 tokens of 576 numbers).
    """

    def __init__(self, model: PreTrainedModel, *, copy_head: bool = True) -> None:
        body: Any = model.model
        config: Any = model.config
        eps = float(config.rms_norm_eps)
        self._activation = _activation(body.layers[0].mlp.act_fn)
        attention = body.layers[0].self_attn
        self.head_dim = int(attention.head_dim)
        self.query_heads = int(config.num_attention_heads)
        self.key_heads = int(config.num_key_value_heads)
        self.windows = [_window(model, layer) for layer in body.layers]
        self._rotary = body.rotary_emb
        self.final_norm = Norm(body.norm.weight, eps)
        self.head: Linear = _head(model, copied=copy_head)
        table: Tensor = body.embed_tokens.weight
        self.embed: Embed = functools.partial(functional.embedding, weight=table)
        heads = self.query_heads, self.key_heads
        self.layers = [_pack_layer(layer, heads, eps) for layer in body.layers]
        self.dtype = table.dtype
        self.shape = (
            type(model).__name__,
            *(getattr(config, name, None) for name in _SHAPE),
            self.head_dim,
            len(table),
        )
        self._turns = self._table(_FIRST_POSITIONS)

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
        x = _padded(self.embed(tokens))
        for index, layer in enumerate(self.layers):
            q, states = self._project(layer, x, count, cos, sin)
            if last is not None and index == len(self.layers) - 1:
                # Nothing reads what the last layer makes of the other tokens.
                q, x, count = q[last], _padded(x[last]), len(last)
            x = x + layer.out(_padded(attend(index, q, states)))
            gate, up = layer.gate_up(layer.before_mlp(x)).chunk(2, dim=-1)
            x = x + layer.down(self._activation(gate).mul_(up))
        return self.head(self.final_norm(x))[:count].float()

    def with_weights(
        self, layers: list[Layer], head: Linear, final_norm: Norm, embed: Embed, dtype: torch.dtype
    ) -> LeanModel:
        """A model of the same shape with other weights; it leaves this one as it is.

        Args:
            layers: Its decoder layers.
            head: Its output layer.
            final_norm: What stands before it.
            embed: Token ids to their embeddings, of type `dtype`.
            dtype: What it computes in.
        """
        twin = copy.copy(self)
        twin.layers, twin.head, twin.final_norm = layers, head, final_norm
        twin.embed, twin.dtype = embed, dtype
        twin._turns = twin._table(_FIRST_POSITIONS)
        return twin

    def _project(
        self, layer: Layer, x: Tensor, count: int, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rotated queries; rotated keys and, behind them, values."""
        heads = layer.qkv(layer.before_attention(x))[:count].view(count, -1, self.head_dim)
        turned = heads[:, : self.query_heads + self.key_heads]
        if layer.of_heads is not None:
            turned.copy_(layer.of_heads(turned))
        # In place: keys and values stay beside each other, and are stored by one copy.
        swapped = turned.roll(self.head_dim // 2, -1)
        turned.mul_(cos).addcmul_(swapped, sin)
        return heads[:, : self.query_heads], heads[:, self.query_heads :]

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """`[T, 1, D]` cosines, and sines with the sign of the half they multiply."""
        needed = int(positions.max()) + 1
        turns = self._turns
        if needed > len(turns):
            # Another thread may put a shorter one there meanwhile: that is no loss.
            turns = self._turns = self._table(2 * needed)
        cos, sin = turns[positions].unbind(1)
        return cos, sin

    @torch.inference_mode()
    def _table(self, size: int) -> Tensor:
        """`[size, 2, 1, D]`."""
        cos, sin = self._rotary(torch.empty(0, dtype=self.dtype), torch.arange(size).unsqueeze(0))
        half = self.head_dim // 2
        signed = torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)
        return torch.stack([cos[0], signed], dim=1).unsqueeze(2)


def packed(model: PreTrainedModel, *, copy_head: bool = True) -> LeanModel:
    """The lean form of a model; a model is packed once, however many pairs it is part of."""
    if model not in _PACKED:
        _PACKED[model] = LeanModel(model, copy_head=copy_head)
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


def _pack_layer(layer: Any, heads: tuple[int, int], eps: float) -> Layer:
    attention = layer.self_attn
    of_heads = None
    if hasattr(attention, "q_norm"):
        both = zip((attention.q_norm, attention.k_norm), heads, strict=True)
        of_heads = Norm(torch.cat([norm.weight.expand(count, -1) for norm, count in both]), eps)
    return Layer(
        qkv=pack(attention, ["q_proj", "k_proj", "v_proj"]),
        out=pack(attention, ["o_proj"]),
        gate_up=pack(layer.mlp, ["gate_proj", "up_proj"]),
        down=pack(layer.mlp, ["down_proj"]),
        before_attention=Norm(layer.input_layernorm.weight, eps),
        before_mlp=Norm(layer.post_attention_layernorm.weight, eps),
        of_heads=of_heads,
    )


def _activation(module: torch.nn.Module) -> Callable[[Tensor], Tensor]:
    """The function itself where it is the usual one: a module's call takes longer than it."""
    usual = isinstance(module, (torch.nn.SiLU, SiLUActivation))
    return functional.silu if usual else module


def _head(model: PreTrainedModel, *, copied: bool) -> Linear:
    head = cast(torch.nn.Linear, model.lm_head)
    if head.weight is not cast(Any, model).model.embed_tokens.weight:
        return pack(model, ["lm_head"])
    return PackedLinear([head]) if copied else SharedHead(head.weight, head.bias)


def _window(model: PreTrainedModel, layer: Any) -> int | None:
    """Tokens that a layer's queries see, themselves included; None for all."""
    # Mistral says so for the whole model, the others for each layer.
    owner = model.config if model.config.model_type == "mistral" else layer.self_attn
    window: int | None = getattr(owner, "sliding_window", None)
    return window


def _padded(x: Tensor) -> Tensor:
    """At least `FEWEST_ROWS` rows, those added being zero."""
    missing = FEWEST_ROWS - len(x)
    return torch.cat([x, _zeros(missing, x.shape[1], x.dtype)]) if missing > 0 else x


@functools.lru_cache(maxsize=64)
def _zeros(rows: int, width: int, dtype: torch.dtype) -> Tensor:
    return torch.zeros(rows, width, dtype=dtype)

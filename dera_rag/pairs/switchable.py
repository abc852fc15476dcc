"""Layers that can be switched by rows, in the place of those that PEFT puts into a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from dera_rag.errors import ModelLoadError
from dera_rag.pairs.loading import reading
from dera_rag.pairs.lora import LoraLinear, RowSwitch

# What PEFT calls the one adapter of a model, and what its files put in front of names.
NAME = "default"
_PREFIX = "base_model.model."


def base_name(key: str) -> str:
    """What the base calls a weight that an adapter's file holds under this key."""
    return key.removeprefix(_PREFIX).replace(".base_layer.", ".")


def lora_layers(model: PreTrainedModel) -> dict[str, Any]:
    """The modules PEFT put in, by the name the layer had."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    found = {n: m for n, m in model.named_modules() if isinstance(m, BaseTunerLayer)}
    # A wrapper keeps its base inside; only the outermost counts.
    return {n: m for n, m in found.items() if not any(n.startswith(f"{x}.") for x in found)}


def unusual(layer: Any) -> str | None:
    """Why a layer cannot be switched by rows; None if it can."""
    base = layer.get_base_layer()
    if not isinstance(base, (nn.Linear, Conv1D)):
        return f"it adapts a {type(base).__name__}"
    if getattr(layer, "lora_variant", None):
        return f"it uses a variant of LoRA ({type(layer).__name__})"
    return None


def put_in_place(
    model: PreTrainedModel, layers: Mapping[str, Any], source: str, weights: Path
) -> RowSwitch:
    """Put switchable layers in the place of PEFT's.

    Args:
        model: Holds the layers.
        layers: PEFT's layers, by name.
        source: Directory or hub id of the adapter, for errors.
        weights: Its safetensors file.

    Returns:
        What switches them all.

    Raises:
        ModelLoadError: The file lacks weights, or holds some that have no place.
    """
    with reading("adapter", source, "weights"):
        state = load_file(weights)
    # Embeddings are stored beside an adapter of theirs; these have been found equal.
    names = {name.replace(".base_layer.", ".") for name in model.state_dict()}
    state = {key: value for key, value in state.items() if base_name(key) not in names}
    switch = RowSwitch()
    for name, layer in layers.items():
        fitted = _fitted(name, layer, state, switch)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, fitted)
    if state:
        raise ModelLoadError(
            f"the adapter holds {len(state)} weights that have no place in the base, "
            f"first {min(state)!r}",
            hint="is this the model it was trained on?",
        )
    return switch


def _fitted(name: str, layer: Any, state: dict[str, Tensor], switch: RowSwitch) -> LoraLinear:
    """The layer that runs one of PEFT's; takes its weights out of the state.

    Raises:
        ModelLoadError: Weights are missing or of another shape.
    """
    base = layer.get_base_layer()
    device = next(base.parameters()).device
    parts = {}
    for part, module in (("lora_A", layer.lora_A), ("lora_B", layer.lora_B)):
        for kind, expected in module[NAME].named_parameters():
            key = f"{_PREFIX}{name}.{part}.{kind}"
            found = state.pop(key, None)
            if found is None or found.shape != expected.shape:
                what = "lacks" if found is None else f"has shape {tuple(found.shape)} for"
                raise ModelLoadError(
                    f"the adapter {what} {key!r}, the base takes {tuple(expected.shape)}",
                    hint="is this the model it was trained on?",
                )
            parts[f"{part}.{kind}"] = found.to(device)
    return LoraLinear(
        base,
        parts["lora_A.weight"],
        parts["lora_B.weight"],
        bias=parts.get("lora_B.bias"),
        scaling=float(layer.scaling[NAME]),
        switch=switch,
    )

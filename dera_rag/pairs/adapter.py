"""One base model, and the same weights with a LoRA adapter.

The base is the reference. The aligned model is a second tree of modules over the same tensors, in
which every adapted layer adds its low-rank part, and can be told for which rows. So one forward
serves the rows of both branches, and a pair takes the base and the adapter's file in memory.

An adapter that is more than low-rank additions to linear layers (DoRA rescales rows, saved modules
replace weights) runs as a model of its own, over the shared tensors: two forwards a token.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import safe_open
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from dera_rag.errors import ModelLoadError
from dera_rag.pairs.loading import checked_location, reading
from dera_rag.pairs.lora import RowSwitch
from dera_rag.pairs.switchable import NAME, base_name, lora_layers, put_in_place, unusual

_WEIGHTS, _TOKENIZER = "adapter_model.safetensors", "tokenizer_config.json"
_LONGEST_REASON = 400
# Initialisations that subtract from the base weights: the base would no longer be the reference.
_REWRITES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True)
class Adapter:
    """A PEFT adapter before its base is read.

    Attributes:
        label: What the pair's name calls it.
        source: Directory or hub id.
        config: PEFT's configuration of it.
        weights: Its safetensors file.
    """

    label: str
    source: str
    config: Any
    weights: Path

    def tokenizer(self) -> PreTrainedTokenizerBase | None:
        """The tokenizer beside the adapter, as trainers save it; None where there is none.

        Raises:
            ModelLoadError: There is one, and it cannot be read.
        """
        try:
            _file(self.source, _TOKENIZER)
        except OSError:
            return None
        with reading("adapter", self.source, "tokenizer"):
            return cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(self.source))

    def apply(self, base: PreTrainedModel) -> tuple[PreTrainedModel, RowSwitch | str]:
        """The base with the adapter, over the base's own tensors.

        Args:
            base: Left as it is.

        Returns:
            The aligned model, and the switch of its rows, or why it has none and needs a pass of
            its own.

        Raises:
            ModelLoadError: The adapter does not fit the base.
        """
        trainable = [parameter.requires_grad for parameter in base.parameters()]
        try:
            return self._applied(base)
        finally:
            # PEFT freezes what it is given, and the tensors are the caller's.
            for parameter, before in zip(base.parameters(), trainable, strict=True):
                parameter.requires_grad_(before)

    def _applied(self, base: PreTrainedModel) -> tuple[PreTrainedModel, RowSwitch | str]:
        from peft import PeftModel, inject_adapter_in_model

        replaced = self._replaced(base)
        reason = _needs_own_pass(self.config)
        if reason is None and replaced:
            reason = "it replaces weights of the base"
        if reason is None:
            model = _sharing(base)
            with reading("adapter", self.source, "weights"):
                # On no device: only the layers' places and scalings are wanted.
                inject_adapter_in_model(self.config, model, NAME, low_cpu_mem_usage=True)
            layers = lora_layers(model)
            reason = next((why for x in layers.values() if (why := unusual(x))), None)
            if reason is None:
                return model.eval(), put_in_place(model, layers, self.source, self.weights)
        model = _sharing(base, apart=replaced)
        with (
            reading("adapter", self.source, "weights"),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            tuned = PeftModel.from_pretrained(model, self.source, adapter_name=NAME)
        # PEFT only warns of weights the file lacks, and goes on with random ones.
        absent = next(
            (str(w.message) for w in caught if "missing adapter keys" in str(w.message)), ""
        )
        if absent:
            raise ModelLoadError(f"adapter {self.source!r}: {absent[:_LONGEST_REASON]}")
        return cast(PreTrainedModel, tuned.get_base_model()).eval(), reason

    def _replaced(self, base: PreTrainedModel) -> frozenset[str]:
        """Weights of the base that the file holds with other values.

        Trained biases and embeddings are stored whole; PEFT stores embeddings it adapts, too.
        """
        own = base.state_dict()
        # Of these modules PEFT makes copies by itself.
        copied = {*(getattr(self.config, "modules_to_save", None) or ())}
        found = set()
        with reading("adapter", self.source, "weights"), safe_open(self.weights, "pt") as file:
            for key in file.keys():  # noqa: SIM118 - no mapping
                name = base_name(key)
                if name in own and not copied & {*name.split(".")}:
                    value = file.get_tensor(key).to(own[name])
                    if value.shape != own[name].shape or not torch.equal(value, own[name]):
                        found.add(name)
        return frozenset(found)


def open_adapter(source: str | Path) -> Adapter:
    """Find an adapter and read its configuration; no weight is read.

    Args:
        source: A directory or hub id that PEFT wrote.

    Raises:
        InvalidValueError: Neither a string nor a path.
        MissingFileError: A path that does not exist.
        ModelLoadError: No PEFT adapter with safetensors, or a kind that is no change of weights or
            that changes the base.
    """
    from peft import PeftConfig

    name = checked_location("adapter", source)
    with reading("adapter", name, "configuration"):
        weights = _file(name, _WEIGHTS)
        config = cast(Any, PeftConfig).from_pretrained(name)
    kind = getattr(config.peft_type, "value", str(config.peft_type))
    if config.is_prompt_learning or config.is_adaption_prompt:
        raise ModelLoadError(
            f"the adapter {name!r} is {kind}: it changes the prompt and not the weights",
            hint="LoRA adapters are supported",
        )
    start = str(getattr(config, "init_lora_weights", "")).lower()
    if start.startswith(_REWRITES_BASE):
        raise ModelLoadError(
            f"the adapter {name!r} was initialised by {start!r}, which rewrites the base weights",
            hint="save it with path_initial_model_for_weight_conversion, which makes it plain LoRA",
        )
    config.inference_mode = True
    return Adapter(Path(name).name or name, name, config, weights)


def _file(source: str, name: str) -> Path:
    """A file of the adapter, in its directory or the hub's cache.

    Raises:
        FileNotFoundError: The directory lacks it.
    """
    if Path(source).is_dir():
        path = Path(source) / name
        if not path.is_file():
            raise FileNotFoundError(f"no {name} in {source!r}; pickled weights are not read")
        return path
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(source, name))


def _sharing(base: PreTrainedModel, apart: Collection[str] = ()) -> PreTrainedModel:
    """A copy of a model's modules over its own tensors.

    Args:
        base: The model.
        apart: Names of parameters that the copy gets for itself.
    """
    named = dict(base.named_parameters(remove_duplicate=False))
    own = {id(named[name]) for name in apart if name in named}
    tensors = [*base.parameters(), *base.buffers()]
    return copy.deepcopy(base, {id(x): x for x in tensors if id(x) not in own})


def _needs_own_pass(config: Any) -> str | None:
    """What in a configuration is more than low-rank additions; None if nothing is."""
    kind = getattr(config.peft_type, "value", str(config.peft_type))
    if kind != "LORA":
        return f"{kind} is no LoRA"
    if config.use_dora:
        return "DoRA rescales the rows of the weights it adapts"
    for field, what in (
        ("modules_to_save", "it replaces whole modules"),
        ("trainable_token_indices", "it replaces embeddings of single tokens"),
        ("target_parameters", "it adapts parameters that are no layers"),
        ("layer_replication", "it repeats layers"),
        ("alora_invocation_tokens", "it turns itself on at a token"),
    ):
        if getattr(config, field, None):
            return what
    return "it trains biases of the base" if config.bias != "none" else None

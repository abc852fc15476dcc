"""`ModelPair`: a reference and an aligned language model that share their token ids."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import torch
from transformers.utils.quantization_config import QuantizationConfigMixin

from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.pairs.adapter import open_adapter
from dera_rag.pairs.compatibility import check_same_ids, check_same_kind
from dera_rag.pairs.engine import (
    PREFIX_CACHE,
    Engine,
    check_engine,
    generic_prefixes,
    lean_branches,
)
from dera_rag.pairs.facts import chosen_template
from dera_rag.pairs.loading import Side, Source, open_side
from dera_rag.pairs.lora import RowSwitch
from dera_rag.pairs.memory import MemoryProbe, check_memory, free_memory
from dera_rag.pairs.placement import DeviceMap, Placement, place
from dera_rag.pairs.sizes import adapter_bytes, size_of
from dera_rag.pairs.two_models import TwoModels
from dera_rag.protocols import Branches

_LOG = logging.getLogger(__name__)
_EMBEDDED_NAME = "venues-pair"


class ModelPair(TwoModels):
    """Two language models with one vocabulary, both causal or both encoder–decoders.

    Use `from_pretrained`, `from_adapter` or `embedded`; every fault of a pair is raised there. Of
    the models' generation configurations the end-of-sequence ids and the decoder start token are
    honoured and nothing else: no forced first or last token, no length, penalty or sampling.

    Attributes:
        name: Identifies the pair.
        reference: The reference model (λ=0), in evaluation mode.
        aligned: The aligned model (λ=1), in evaluation mode.
        tokenizer: The aligned model's; encodes prompts and decodes answers.
        chat_template: Template for conversations; None where the pair has none.
        vocab_size: V, the number of token ids; embedding rows beyond it are padding.
        stop_ids: Union of the end-of-sequence ids of both generation configurations.
        encoder_decoder: Whether prompts are read by an encoder; the answer then starts from each
            model's own decoder start token.
        max_length: Most tokens of prompt and answer together, or of each of them in an
            encoder–decoder; None without a limit, as with T5's relative positions.
    """

    @classmethod
    def from_pretrained(
        cls,
        reference: Source,
        aligned: Source,
        *,
        dtype: torch.dtype | str | None = None,
        device: torch.device | str | None = None,
        device_map: DeviceMap | None = None,
        quantization_config: QuantizationConfigMixin | None = None,
        name: str | None = None,
        chat_template: str = "aligned",
        trust_remote_code: bool = False,
        memory_probe: MemoryProbe = free_memory,
        engine: Engine = "auto",
        prefix_cache: int = PREFIX_CACHE,
        copy_head: bool | None = None,
    ) -> ModelPair:
        """Load and check a pair.

        With `HF_HUB_OFFLINE` set nothing is downloaded.

        Args:
            reference: The supervised model: a directory, a hub id, or a loaded
                (model, tokenizer) tuple.
            aligned: The model aligned from it, likewise.
            dtype: Type of the weights, e.g. "bfloat16"; None keeps each checkpoint's. Loaded
                objects keep theirs.
            device: e.g. "cuda:0"; None takes a CUDA device if there is one, else the CPU. Loaded
                objects stay where they are.
            device_map: Spreads each model over devices, as transformers takes it ("auto", or names
                of modules to devices); excludes `device`.
            quantization_config: Handed to transformers for both models, e.g. a
                `BitsAndBytesConfig`; None (default) loads the weights as they are.
            name: Identifies the pair to policies; made from both names by default.
            chat_template: "aligned" (default) or "reference" for that model's own, else a Jinja
                template.
            trust_remote_code: Whether Python files beside the weights may run.
            memory_probe: Says how many bytes a device has free, by its name ("cpu", "cuda:0");
                None where it is unknown, which fits everything. Asks the system by default.
            engine: "lean" packs the weights of Llama, Mistral, Qwen2 and Qwen3 shapes in place and
                runs them on a CPU without transformers' overhead; "generic" runs transformers;
                "auto" (default) takes lean where it can and the models are not loaded objects.
            prefix_cache: Bytes of earlier prompts' keys and values that are kept, so that a
                beginning they share is read once; 0 for none. An encoder–decoder keeps none, nor
                does a loaded object on transformers, whose weights may change.
            copy_head: Whether the lean engine keeps a packed copy of an output layer that is tied
                to the embedding: it is read 1.4 (float32) to 2.4 times (bfloat16) as fast, and
                takes V·hidden numbers for each model. None (default) copies where both take at most
                a tenth of free memory. Last digits of logits may depend on it.

        Returns:
            The pair, ready to decode.

        Raises:
            InvalidValueError: An argument of the wrong kind.
            MissingFileError: A path that does not exist.
            ModelLoadError: No safetensors, missing weights, no tokenizer, no language model, no
                decoder start token, or weights that do not fit into memory.
            PairMismatchError: The tokenizers' id→token maps differ, a token has no embedding row in
                one of the models, or one model is causal and the other an encoder–decoder.
        """
        choice = check_engine(engine, prefix_cache)
        placement = place(dtype, device, device_map, quantization_config)
        sides = [
            open_side(branch, source, trust_remote_code=trust_remote_code)
            for branch, source in (("reference", reference), ("aligned", aligned))
        ]
        # The cheap comparisons come before gigabytes of weights.
        check_same_kind(sides[0].encoder_decoder, sides[1].encoder_decoder)
        check_same_ids(sides[0].tokenizer, sides[1].tokenizer)
        check_memory(_needs(sides, placement), placement, memory_probe)
        first, second = (side.load(placement) for side in sides)
        pair = cls(
            first,
            second,
            sides[1].tokenizer,
            name=name or f"{sides[0].label}+{sides[1].label}",
            chat_template=chosen_template(
                chat_template, reference=sides[0].tokenizer, aligned=sides[1].tokenizer
            ),
        )
        models = {Branches.REFERENCE: first, Branches.ALIGNED: second}
        owned = dict(zip(models, (side.source is not None for side in sides), strict=True))
        pair._lean = lean_branches(
            models,
            pair.vocab_size,
            choice,
            prefix_cache,
            owned,
            copy_head=copy_head,
            probe=memory_probe,
        )
        others = {
            branch: model for branch, model in models.items() if branch not in pair._lean.rows
        }
        pair._prefixes = generic_prefixes(others, prefix_cache // len(models), owned)
        return pair

    @classmethod
    def from_adapter(
        cls,
        base: Source,
        adapter: str | Path,
        *,
        dtype: torch.dtype | str | None = None,
        device: torch.device | str | None = None,
        device_map: DeviceMap | None = None,
        quantization_config: QuantizationConfigMixin | None = None,
        name: str | None = None,
        chat_template: str = "aligned",
        trust_remote_code: bool = False,
        memory_probe: MemoryProbe = free_memory,
        engine: Engine = "auto",
        prefix_cache: int = PREFIX_CACHE,
    ) -> ModelPair:
        """A base model as the reference, and the same weights with an adapter as the aligned model.

        With LoRA on linear layers both branches are rows of one forward, and memory holds the base
        and the adapter's file. Every other adapter that changes weights (DoRA, saved modules,
        embeddings) takes two forwards over the shared base; `one_pass` tells, and it is logged.

        Args:
            base: The model the adapter was trained on: a directory, a hub id, or a loaded
                (model, tokenizer) tuple, which is left as it is.
            adapter: Directory or hub id with PEFT's `adapter_config.json` and
                `adapter_model.safetensors`. A tokenizer beside them is the aligned model's.
            dtype: As in `from_pretrained`; the adapter keeps the type of its file.
            device: As in `from_pretrained`.
            device_map: As in `from_pretrained`.
            quantization_config: As in `from_pretrained`, for the base.
            name: As in `from_pretrained`.
            chat_template: As in `from_pretrained`; "aligned" is the adapter's own tokenizer's, or
                the base's where it has none.
            trust_remote_code: As in `from_pretrained`.
            memory_probe: As in `from_pretrained`.
            engine: "auto" (default) or "generic": adapted layers run on transformers.
            prefix_cache: As in `from_pretrained`.

        Returns:
            The pair, ready to decode.

        Raises:
            InvalidValueError: An argument of the wrong kind, or engine "lean".
            MissingFileError: A path that does not exist.
            ModelLoadError: As `from_pretrained`; also an adapter without safetensors, or one that
                does not fit the base, changes the prompt (prefix and prompt tuning) or rewrites
                the base.
            PairMismatchError: The adapter's tokenizer has another id→token map than the base's.
        """
        if check_engine(engine, prefix_cache) == "lean":
            raise InvalidValueError(
                "the lean engine runs no adapters: packed layers cannot be switched row by row",
                hint="engine='auto', or merge the adapter and use from_pretrained",
            )
        placement = place(dtype, device, device_map, quantization_config)
        side = open_side("base", base, trust_remote_code=trust_remote_code)
        added = open_adapter(adapter)
        tokenizer = added.tokenizer() or side.tokenizer
        check_same_ids(side.tokenizer, tokenizer)
        sizes = _needs([side], placement) | {"adapter": adapter_bytes(added.weights)}
        check_memory(sizes, placement, memory_probe)
        reference = side.load(placement)
        aligned, switch = added.apply(reference)
        if not isinstance(switch, RowSwitch):
            _LOG.warning("adapter %s takes a forward of its own: %s", added.label, switch)
        pair = cls(
            reference,
            aligned,
            tokenizer,
            name=name or f"{side.label}+{added.label}",
            chat_template=chosen_template(
                chat_template, reference=side.tokenizer, aligned=tokenizer
            ),
            switch=switch if isinstance(switch, RowSwitch) else None,
        )
        models = {Branches.REFERENCE: reference, Branches.ALIGNED: aligned}
        owned = dict.fromkeys(models, side.source is not None)
        pair._prefixes = generic_prefixes(models, prefix_cache // len(models), owned)
        return pair

    @classmethod
    def embedded(cls) -> ModelPair:
        """The pair that ships with the package: two small models for the venues corpus.

        Raises:
            MissingFileError: The installation lacks the package data.
        """
        folder = Path(str(resources.files("dera_rag") / "embedded" / "pair"))
        if not folder.is_dir():
            raise MissingFileError(
                f"the embedded pair is not installed: no {str(folder)!r}",
                hint="reinstall dera-rag from a wheel or a complete checkout",
            )
        return cls.from_pretrained(
            reference=folder / "reference",
            aligned=folder / "aligned",
            # Stored in half precision for size; CPUs decode fastest and exactly in float32.
            dtype=torch.float32,
            name=_EMBEDDED_NAME,
        )


def _needs(sides: Sequence[Side], placement: Placement) -> dict[str, int]:
    """Bytes of the weights that are yet to be read, where they can be told."""
    itemsize = None if placement.dtype is None else placement.dtype.itemsize
    found = {side.branch: size_of(side.source) for side in sides if side.source is not None}
    return {branch: size.loaded(itemsize, placement.bits) for branch, size in found.items() if size}

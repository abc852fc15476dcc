"""Configurations of the wrapped pairs: both models' own, the shared vocabulary, the default λ."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, cast

from transformers import AutoConfig, PreTrainedConfig

from dera_rag.errors import InvalidValueError
from dera_rag.types import check_lam


class DeraConfig(PreTrainedConfig):
    """What a `DeraForCausalLM` is made of.

    Attributes:
        reference: Configuration of the reference (λ=0), which is copied, or its dictionary with
            `model_type`.
        aligned: Likewise of the aligned model (λ=1).
        vocab_size: V, the number of token ids both models share; logits beyond it are cut. The
            smaller of both models' by default.
        dera_lambda: Default λ ≥ 0, where neither the call nor the generation configuration names
            one; 1 (default) is the aligned model.

    Raises:
        InvalidValueError: One configuration is missing or unnamed, or λ is out of range.
    """

    model_type = "dera"
    sub_configs: ClassVar[dict[str, Any]] = {"reference": AutoConfig, "aligned": AutoConfig}
    has_no_defaults_at_init: ClassVar[bool] = True

    reference: Any = None
    aligned: Any = None
    vocab_size: int | None = None
    dera_lambda: float = 1.0

    def __post_init__(self, **kwargs: Any) -> None:
        """Turn dictionaries into configurations and refuse half a pair."""
        for branch in self.sub_configs:
            setattr(self, branch, _read_branch(branch, getattr(self, branch)))
        if self.vocab_size is None:
            self.vocab_size = min(
                config.get_text_config(decoder=True).vocab_size
                for config in (self.reference, self.aligned)
            )
        self.dera_lambda = check_lam(self.dera_lambda)
        cast(Any, super()).__post_init__(**kwargs)

    @property
    def max_position_embeddings(self) -> int | None:
        """Longest sequence both models take, in tokens; None without a limit."""
        configs = (self.reference, self.aligned)
        limits = [getattr(config, "max_position_embeddings", None) for config in configs]
        return min((limit for limit in limits if limit is not None), default=None)


class DeraSeq2SeqConfig(DeraConfig):
    """What a `DeraForSeq2SeqLM` is made of; fields as in `DeraConfig`."""

    model_type = "dera_seq2seq"
    is_encoder_decoder: bool = True


def _read_branch(name: str, config: Any) -> PreTrainedConfig:
    if isinstance(config, PreTrainedConfig):
        # A copy: transformers resets the attention of every configuration inside another, which
        # would take the causal mask from the model it belongs to.
        return copy.deepcopy(config)
    if isinstance(config, dict) and "model_type" in config:
        settings = {key: value for key, value in config.items() if key != "model_type"}
        return AutoConfig.for_model(config["model_type"], **settings)
    raise InvalidValueError(
        f"the {name} configuration must be a PreTrainedConfig or a dictionary with model_type, "
        f"got {type(config).__name__}",
        hint="DeraForCausalLM.from_pair(pair) fills in both",
    )

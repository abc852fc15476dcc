"""What a pair takes from its models' configurations."""

from __future__ import annotations

import logging

from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from dera_rag.errors import InvalidValueError

_LOG = logging.getLogger(__name__)


def end_ids(model: PreTrainedModel) -> frozenset[int]:
    """End-of-sequence ids of a generation configuration: none, one, or a list."""
    ids = getattr(model.generation_config, "eos_token_id", None)
    if ids is None:
        return frozenset()
    return frozenset([ids] if isinstance(ids, int) else [int(x) for x in ids])


def context_limit(config: PreTrainedConfig) -> int | None:
    """`max_position_embeddings` (GPT-2 stores it as `n_positions`); None for relative positions."""
    text = config if config.is_encoder_decoder else config.get_text_config(decoder=True)
    limit = getattr(text, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None


def report_oddities(model: PreTrainedModel) -> None:
    """Log what makes answers differ from the model's own `generate()`, or from row to row."""
    forced = getattr(model.generation_config, "forced_bos_token_id", None)
    if forced is not None:
        _LOG.warning(
            "the generation configuration of %s forces the first token %s, which is not honoured",
            type(model).__name__,
            forced,
        )
    scaling = getattr(model.config, "rope_parameters", None) or {}
    kind = scaling.get("rope_type") if isinstance(scaling, dict) else None
    if kind in ("dynamic", "longrope"):
        _LOG.warning(
            "%s scales its positions by the longest row of a batch (%s): beyond the length it was "
            "trained on, answers depend on the rows beside them",
            type(model).__name__,
            kind,
        )


def chosen_template(
    choice: str, *, reference: PreTrainedTokenizerBase, aligned: PreTrainedTokenizerBase
) -> str | None:
    """The chat template of one side, or the one given.

    Raises:
        InvalidValueError: Neither side's, and nothing that shows a message: every prompt would be
            that constant text.
    """
    owners = {"reference": reference, "aligned": aligned}
    if choice in owners:
        template: str | None = getattr(owners[choice], "chat_template", None)
        return template
    if not isinstance(choice, str) or not ("{{" in choice or "{%" in choice):
        raise InvalidValueError(
            f"chat_template {choice!r:.80} is neither a side nor a template",
            hint="'aligned', 'reference', or a Jinja template",
        )
    return choice

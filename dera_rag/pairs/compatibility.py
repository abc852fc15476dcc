"""Whether two models can be mixed: token ids must mean the same in both."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dera_rag.errors import PairMismatchError

_LOG = logging.getLogger(__name__)
_SHOWN = 3
# Casing, digits, runs of spaces, line breaks, accents and another script: where releases of one
# tokenizer have differed.
_PROBE = "The  Café's 12,345 tables\n\n- near: Überbrücke 東京 (5 out of 5)"


def check_same_kind(reference: bool, aligned: bool) -> None:
    """Compare what reads the prompt in two models.

    Args:
        reference: Whether the reference is an encoder–decoder.
        aligned: Whether the aligned model is one.

    Raises:
        PairMismatchError: One is and the other is not.
    """
    if reference != aligned:
        kinds = {True: "an encoder–decoder", False: "a causal model"}
        raise PairMismatchError(
            f"the reference is {kinds[reference]}, the aligned model {kinds[aligned]}",
            hint="a pair is a model and its own fine-tuned version",
        )


def check_same_ids(reference: PreTrainedTokenizerBase, aligned: PreTrainedTokenizerBase) -> None:
    """Compare the id→token maps of two tokenizers.

    Only a difference of ids is refused: end-of-sequence tokens and chat templates often differ
    between a base and an instruct model. Tokenizers with one map that still encode differently (a
    fixed pre-tokenizer, another BOS rule) are logged, since prompts are encoded by the aligned
    one.

    Raises:
        PairMismatchError: The maps differ; the message says at how many ids and shows the first.
    """
    own = aligned.get_vocab()
    if reference is not aligned:
        other = reference.get_vocab()
        if other != own:
            raise PairMismatchError(
                "the tokenizers of the two models differ: " + _differences(other, own),
                hint="a pair needs one vocabulary, e.g. a model and its own fine-tuned version",
            )
        if reference(_PROBE)["input_ids"] != aligned(_PROBE)["input_ids"]:
            _LOG.warning(
                "the two tokenizers share their vocabulary but encode text differently; "
                "prompts are encoded by the aligned model's"
            )


def mixable_ids(
    tokenizer: PreTrainedTokenizerBase, reference: PreTrainedModel, aligned: PreTrainedModel
) -> int:
    """V: how many leading token ids both models can read and write.

    Embedding rows beyond the tokenizer's ids are padding and are cut. A special token beyond the
    embeddings (a pad token added by a library) is out of reach of both models and is logged.

    Raises:
        PairMismatchError: An ordinary token has no embedding row.
    """
    ids = tokenizer.get_vocab()
    size = max(ids.values()) + 1
    for branch, model in (("reference", reference), ("aligned", aligned)):
        rows = _embedding_rows(model)
        if rows >= size:
            continue
        added = tokenizer.added_tokens_decoder
        lost = {i: token for token, i in ids.items() if rows <= i}
        if not all(i in added and added[i].special for i in lost):
            raise PairMismatchError(
                f"the {branch} model has {rows} embedding rows for {size} token ids",
                hint="resize_token_embeddings, or remove the added tokens from the tokenizer",
            )
        _LOG.warning("the %s model has no embedding for special tokens %s", branch, lost)
        size = rows
    return size


def _embedding_rows(model: PreTrainedModel) -> int:
    """Rows of the smaller of a model's two embeddings."""
    layers = (
        model.get_input_embeddings(),
        model.get_output_embeddings(),
    )
    weights = [getattr(layer, "weight", None) for layer in layers]
    return min(int(weight.shape[0]) for weight in weights if weight is not None)


def _differences(reference: Mapping[str, int], aligned: Mapping[str, int]) -> str:
    """How two token→id maps differ, in one sentence."""
    left = {index: token for token, index in reference.items()}
    right = {index: token for token, index in aligned.items()}
    differing = sorted(i for i in left.keys() & right.keys() if left[i] != right[i])
    parts = []
    if differing:
        shown = ", ".join(f"{i}: {left[i]!r} ≠ {right[i]!r}" for i in differing[:_SHOWN])
        parts.append(f"{len(differing)} ids name another token (reference ≠ aligned: {shown})")
    for name, only, tokens in (
        ("reference", sorted(left.keys() - right.keys()), left),
        ("aligned", sorted(right.keys() - left.keys()), right),
    ):
        if only:
            shown = ", ".join(f"{i}: {tokens[i]!r}" for i in only[:_SHOWN])
            parts.append(f"{len(only)} ids exist in the {name} tokenizer alone ({shown})")
    return "; ".join(parts) or "one token has several ids"

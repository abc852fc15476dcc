"""Weight interpolation: the baseline that mixes parameters where DeRa mixes logits."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from transformers import PreTrainedModel

from dera_rag.errors import InvalidValueError, PairMismatchError
from dera_rag.pairs.lean import plain
from dera_rag.pairs.pair import ModelPair
from dera_rag.types import check_lam

_SHOWN = 3


@torch.no_grad()
def interpolated(pair: ModelPair, lam: float) -> ModelPair:
    """One model with the weights θ_reference + λ·(θ_aligned − θ_reference), as both branches.

    A baseline, labelled as such by its name, and never what `lam` of `generate` means: it takes
    one pass a token whatever λ, and is usable on about [0.4, 1.2] where it was measured (Liu et
    al. 2024, chat). Decode it at λ=1, the default, which runs it once;
    `interpolated(pair, lam).aligned.save_pretrained(folder)` writes it as safetensors.

    Args:
        pair: Two models of one architecture; neither is changed.
        lam: λ ≥ 0, any: 0 is the reference, 1 the aligned model, bit for bit.

    Returns:
        A pair of the one new model, which is held beside the other two, with the aligned model's
        dtype, device and configuration.

    Raises:
        InvalidValueError: λ is none, or weights are quantized.
        PairMismatchError: The models differ in parameters other than padded embedding rows.
    """
    lam = check_lam(lam)
    model = copy.deepcopy(pair.aligned)
    reference = dict(plain(pair.reference).named_parameters())
    own = dict(model.named_parameters())
    _refuse_other_names(set(reference), set(own))
    _refuse_other_buffers(pair.reference, model)
    embeddings = _embedding_weights(model)
    for name, weight in own.items():
        start = reference[name].to(weight.device)
        if not (weight.is_floating_point() and start.is_floating_point()):
            raise InvalidValueError(
                f"parameter {name!r} is {weight.dtype}", hint="load the pair without quantization"
            )
        if start.shape == weight.shape:
            rows = len(weight)
        elif any(weight is other for other in embeddings) and start.shape[1:] == weight.shape[1:]:
            # Rows beyond the tokenizer's ids are padding, of which no logit is read.
            rows = min(len(start), len(weight))
        else:
            raise PairMismatchError(
                f"parameter {name!r} is {tuple(start.shape)} in the reference and "
                f"{tuple(weight.shape)} in the aligned model",
                hint="weights can be interpolated between models of one architecture only",
            )
        # In float32, and exact at both ends.
        weight[:rows].copy_(torch.lerp(start[:rows].float(), weight[:rows].float(), lam))
    name = f"{pair.name}:weights(λ={lam:g})"
    made = type(pair)(model, model, pair.tokenizer, name=name, chat_template=pair.chat_template)
    # Rows that the reference lacks were not interpolated.
    made.vocab_size = pair.vocab_size
    return made


def _embedding_weights(model: PreTrainedModel) -> list[Tensor]:
    layers = model.get_input_embeddings(), model.get_output_embeddings()
    found = [getattr(layer, part, None) for layer in layers for part in ("weight", "bias")]
    return [weight for weight in found if weight is not None]


def _refuse_other_names(reference: set[str], aligned: set[str]) -> None:
    alone = sorted(reference ^ aligned)
    if alone:
        raise PairMismatchError(
            f"{len(alone)} parameters exist in one model alone, first {alone[:_SHOWN]}",
            hint="weights can be interpolated between models of one architecture only",
        )


def _refuse_other_buffers(reference: PreTrainedModel, aligned: PreTrainedModel) -> None:
    """Buffers (rotary frequencies, causal masks) are configuration: they must agree."""
    theirs = dict(reference.named_buffers())
    for name, own in aligned.named_buffers():
        other = theirs.get(name)
        if other is None or not torch.equal(other.to(own.device), own):
            raise PairMismatchError(
                f"buffer {name!r} differs between the models",
                hint="their configurations differ, e.g. in positions; interpolate like with like",
            )

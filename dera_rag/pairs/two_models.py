"""Two loaded models as a backend: what they share, and sessions over them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dera_rag.errors import InvalidValueError
from dera_rag.pairs.adapter_session import AdapterSession
from dera_rag.pairs.averages import WeightAverages
from dera_rag.pairs.compatibility import check_same_kind, mixable_ids
from dera_rag.pairs.encoder_decoder import EncoderDecoderRows, decoder_start
from dera_rag.pairs.engine import LeanBranches
from dera_rag.pairs.facts import context_limit, end_ids, report_oddities
from dera_rag.pairs.lora import RowSwitch
from dera_rag.pairs.prefixes import PrefixCache
from dera_rag.pairs.rows import BranchRows, ModelRows, can_draft
from dera_rag.pairs.session import CausalSession, DraftingCausalSession
from dera_rag.protocols import Branches, Guesser

_LOG = logging.getLogger(__name__)


class TwoModels:
    """A `PairBackend` over two models in memory; see `ModelPair` for its attributes.

    Args:
        reference: The reference model, in evaluation mode.
        aligned: The aligned model, in evaluation mode.
        tokenizer: Of both.
        name: Identifies the pair.
        chat_template: Template for conversations; None for none.
        switch: Turns an adapter on row by row, where both models are one base.
    """

    def __init__(
        self,
        reference: PreTrainedModel,
        aligned: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        chat_template: str | None = None,
        switch: RowSwitch | None = None,
    ) -> None:
        self.name = name
        self.reference = reference
        self.aligned = aligned
        self.tokenizer = tokenizer
        self.chat_template = chat_template
        self._switch = switch
        # Branches that run on the lean engine.
        self._lean = LeanBranches()
        self._averages: WeightAverages | None = None
        # What the others remember of earlier prompts.
        self._prefixes: Mapping[Branches, PrefixCache] = {}
        check_same_kind(reference.config.is_encoder_decoder, aligned.config.is_encoder_decoder)
        self.encoder_decoder = bool(aligned.config.is_encoder_decoder)
        self.vocab_size = mixable_ids(tokenizer, reference, aligned)
        self.stop_ids = end_ids(reference) | end_ids(aligned)
        limits = [context_limit(model.config) for model in (reference, aligned)]
        self.max_length: int | None = min((x for x in limits if x is not None), default=None)
        if not self.stop_ids:
            _LOG.warning(
                "no generation configuration of pair %s names an end-of-sequence token: "
                "answers end at max_new_tokens or a stop string",
                name,
            )
        for model in (reference, aligned):
            if self.encoder_decoder:
                decoder_start(model)
            report_oddities(model)

    def start(
        self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]
    ) -> CausalSession:
        """A session over token-id prompts.

        Args:
            prompts: Non-empty token ids of each row.
            branches: Which models each row runs.

        Returns:
            A `DraftingSession` and `JoiningSession`, unless a model keeps recurrent states.
        """
        return self._session(prompts, branches, self._lean.rows, self._prefixes)

    def start_afresh(
        self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]
    ) -> CausalSession:
        """A session that reads every prompt whole, whatever was read before.

        Reusing the beginning of an earlier prompt changes the shapes of a prefill, and with them
        the rounding: in bfloat16 the same question could then be answered in two ways.
        """
        return self._session(prompts, branches, self._lean.afresh, {})

    def check_guessing(self) -> None:
        """Whether 8-bit weight averages can guess for this pair.

        Raises:
            InvalidValueError: A model does not run on the lean engine, or they differ in shape.
        """
        if len(self._lean.rows) < len(Branches.BOTH):
            raise InvalidValueError(
                f"pair {self.name!r} has no 8-bit average: both models have to run on the lean "
                "engine",
                hint="engine='lean' says what stands against it; or decode without int8_drafts",
            )
        if not hasattr(torch, "quantize_per_channel"):
            raise InvalidValueError(
                f"torch {torch.__version__} has no 8-bit products",
                hint="decode without int8_drafts",
            )
        if self._averages is None:
            self._averages = WeightAverages(self.reference, self.aligned, self.vocab_size)

    def guesser(self, prompt: Sequence[int], lam: float) -> Guesser:
        """A cheap model that guesses what the mixture says, see `averages`.

        Args:
            prompt: Token ids of a row.
            lam: Its λ.

        Raises:
            InvalidValueError: As `check_guessing`.
        """
        self.check_guessing()
        return cast(WeightAverages, self._averages).guesser(prompt, lam)

    def _session(
        self,
        prompts: Sequence[Sequence[int]],
        branches: Sequence[Branches],
        lean: Mapping[Branches, Callable[[], BranchRows]],
        prefixes: Mapping[Branches, PrefixCache],
    ) -> CausalSession:
        models = {Branches.REFERENCE: self.reference, Branches.ALIGNED: self.aligned}
        home, size = self.aligned.device, self.vocab_size
        if self._switch is not None and self.one_pass:
            return AdapterSession(self._one_pass_rows, self._switch, prompts, branches, prefixes)
        new_rows: dict[Branches, Callable[[], BranchRows]] = {
            branch: functools.partial(EncoderDecoderRows, model, size, home)
            if self.encoder_decoder
            else functools.partial(ModelRows, model, size, home, prefixes.get(branch))
            for branch, model in models.items()
        } | dict(lean)
        drafting = self.encoder_decoder or all(can_draft(model) for model in models.values())
        return (DraftingCausalSession if drafting else CausalSession)(new_rows, prompts, branches)

    @property
    def one_pass(self) -> bool:
        """Whether both branches are rows of one forward: an adapter on a shared base."""
        return self._switch is not None and (self.encoder_decoder or can_draft(self.aligned))

    def forget_prefixes(self) -> None:
        """Drop what is remembered of earlier prompts; answers stay the same."""
        for prefixes in (*self._lean.prefixes, *self._prefixes.values()):
            prefixes.clear()

    def _one_pass_rows(self) -> BranchRows:
        """Rows over the model whose adapter is switched row by row."""
        if self.encoder_decoder:
            return EncoderDecoderRows(
                self.aligned, self.vocab_size, self.aligned.device, self._switch
            )
        return ModelRows(self.aligned, self.vocab_size, self.aligned.device)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, vocab_size={self.vocab_size})"

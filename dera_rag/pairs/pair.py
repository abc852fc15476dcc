"""`ModelPair`: a reference and an aligned causal language model that share their token ids."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import torch
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.pairs.compatibility import check_same_ids, mixable_ids
from dera_rag.pairs.loading import Source, open_side
from dera_rag.pairs.session import CausalSession
from dera_rag.protocols import Branches

_LOG = logging.getLogger(__name__)
_EMBEDDED_NAME = "venues-pair"


class ModelPair:
    """Two causal language models with one vocabulary.

    Use `from_pretrained` or `embedded`; every fault of a pair is raised there.

    Attributes:
        name: Identifies the pair.
        reference: The reference model (λ=0), in evaluation mode.
        aligned: The aligned model (λ=1), in evaluation mode.
        tokenizer: The aligned model's; encodes prompts and decodes answers.
        chat_template: Template for conversations; None where the pair has none.
        vocab_size: V, the number of token ids; embedding rows beyond it are padding.
        stop_ids: Union of the end-of-sequence ids of both generation configurations.
        max_length: Most tokens of prompt and answer together; None without a limit.
    """

    def __init__(
        self,
        reference: PreTrainedModel,
        aligned: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        chat_template: str | None = None,
    ) -> None:
        self.name = name
        self.reference = reference
        self.aligned = aligned
        self.tokenizer = tokenizer
        self.chat_template = chat_template
        self.vocab_size = mixable_ids(tokenizer, reference, aligned)
        self.stop_ids = _end_ids(reference) | _end_ids(aligned)
        limits = [_context_limit(model.config) for model in (reference, aligned)]
        self.max_length: int | None = min((x for x in limits if x is not None), default=None)
        if not self.stop_ids:
            _LOG.warning(
                "no generation configuration of pair %s names an end-of-sequence token: "
                "answers end at max_new_tokens or a stop string",
                name,
            )

    @classmethod
    def from_pretrained(
        cls,
        reference: Source,
        aligned: Source,
        *,
        dtype: torch.dtype | str | None = None,
        device: torch.device | str | None = None,
        name: str | None = None,
        chat_template: str = "aligned",
        trust_remote_code: bool = False,
    ) -> ModelPair:
        """Load and check a pair.

        Args:
            reference: The supervised model: a directory, a hub id, or a loaded
                (model, tokenizer) tuple.
            aligned: The model aligned from it, likewise.
            dtype: Type of the weights, e.g. "bfloat16"; None keeps each checkpoint's. Loaded
                objects keep theirs.
            device: e.g. "cuda:0"; None takes a CUDA device if there is one, else the CPU. Loaded
                objects stay where they are.
            name: Identifies the pair to policies; made from both names by default.
            chat_template: "aligned" (default) or "reference" for that model's own, else a Jinja
                template.
            trust_remote_code: Whether Python files beside the weights may run.

        Returns:
            The pair, ready to decode.

        Raises:
            InvalidValueError: An argument of the wrong kind.
            MissingFileError: A path that does not exist.
            ModelLoadError: No safetensors, missing weights, no tokenizer, or not a causal model.
            PairMismatchError: The tokenizers' id→token maps differ, or a token has no embedding
                row in one of the models.
        """
        weights = _dtype(dtype)
        place = _device(device)
        sides = [
            open_side(branch, source, trust_remote_code=trust_remote_code)
            for branch, source in (("reference", reference), ("aligned", aligned))
        ]
        # The cheap comparison comes before gigabytes of weights.
        check_same_ids(sides[0].tokenizer, sides[1].tokenizer)
        first, second = (side.load(weights, place) for side in sides)
        return cls(
            first,
            second,
            sides[1].tokenizer,
            name=name or f"{sides[0].label}+{sides[1].label}",
            chat_template=_template(
                chat_template, reference=sides[0].tokenizer, aligned=sides[1].tokenizer
            ),
        )

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

    def start(
        self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]
    ) -> CausalSession:
        """A session over token-id prompts.

        Args:
            prompts: Non-empty token ids of each row.
            branches: Which models each row runs.
        """
        return CausalSession(self.reference, self.aligned, self.vocab_size, prompts, branches)

    def __repr__(self) -> str:
        return f"ModelPair(name={self.name!r}, vocab_size={self.vocab_size})"


def _end_ids(model: PreTrainedModel) -> frozenset[int]:
    """End-of-sequence ids of a generation configuration: none, one, or a list."""
    ids = getattr(model.generation_config, "eos_token_id", None)
    if ids is None:
        return frozenset()
    return frozenset([ids] if isinstance(ids, int) else [int(x) for x in ids])


def _context_limit(config: PreTrainedConfig) -> int | None:
    """`max_position_embeddings` (GPT-2 stores it as `n_positions`); None for relative positions."""
    limit = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None


def _template(
    choice: str, *, reference: PreTrainedTokenizerBase, aligned: PreTrainedTokenizerBase
) -> str | None:
    owners = {"reference": reference, "aligned": aligned}
    if choice not in owners:
        return choice
    template: str | None = getattr(owners[choice], "chat_template", None)
    return template


def _dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if dtype is None or (isinstance(found, torch.dtype) and found.is_floating_point):
        return found
    raise InvalidValueError(
        f"dtype {dtype!r} is no floating type", hint="'float32', 'bfloat16' or 'float16'"
    )


def _device(device: torch.device | str | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise InvalidValueError(f"unknown device {device!r}", hint="'cpu' or 'cuda:0'") from error

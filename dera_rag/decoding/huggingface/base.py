"""What both doors share: two models in one, λ through `generate`, and the mixture.

Shapes: `B` rows of a batch, `L` positions, `V` token ids.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor
from transformers import Cache, GenerationConfig, GenerationMixin, PreTrainedModel

from dera_rag.decoding.huggingface.cache import PairCache
from dera_rag.decoding.huggingface.configuration import DeraConfig
from dera_rag.decoding.huggingface.loaded import LoadedPair, check_kind, generation_settings
from dera_rag.decoding.huggingface.strength import Strength, branches_of, read_strength
from dera_rag.errors import InvalidValueError
from dera_rag.numerics import check_logits, mix
from dera_rag.protocols import Branches
from dera_rag.types import check_lam

_NAMES = {Branches.REFERENCE: "reference", Branches.ALIGNED: "aligned"}


# transformers takes no class for generative whose base is called a PreTrainedModel.
class DeraModel(PreTrainedModel, GenerationMixin):
    """A reference and an aligned model as one model whose logits are their mixture.

    Args:
        config: Both configurations, V and the default λ.
        reference: A loaded model to use as it is; made from the configuration by default.
        aligned: Likewise.
    """

    config_class: Any = DeraConfig
    config: DeraConfig
    main_input_name = "input_ids"
    _auto_model: ClassVar[Any]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True

    def __init__(
        self,
        config: DeraConfig,
        reference: PreTrainedModel | None = None,
        aligned: PreTrainedModel | None = None,
    ) -> None:
        super().__init__(config)
        # `device` and `dtype` are those of the first weights: the aligned model's.
        build = self._auto_model.from_config
        self.aligned = build(config.aligned) if aligned is None else aligned
        self.reference = build(config.reference) if reference is None else reference
        cast(Any, self).post_init()

    @classmethod
    def from_pair(cls, pair: LoadedPair, *, dera_lambda: float = 1.0) -> Self:
        """Wrap a loaded pair; the weights are shared, not copied.

        Generation settings are the aligned model's own, except that an answer ends at the end
        tokens of either model.

        Args:
            pair: A `ModelPair`.
            dera_lambda: Default λ ≥ 0 of calls that name none; 1 (default) is the aligned model.

        Raises:
            InvalidValueError: λ is out of range, the pair is not two models of this kind, or their
                answers start from different tokens.
        """
        check_kind(pair, encoder_decoder=cls.config_class.is_encoder_decoder)
        config = cls.config_class(
            reference=pair.reference.config,
            aligned=pair.aligned.config,
            vocab_size=pair.vocab_size,
            dera_lambda=check_lam(dera_lambda),
            dtype=pair.aligned.dtype,
        )
        model = cls(config, reference=pair.reference, aligned=pair.aligned)
        model.generation_config = generation_settings(pair)
        cast(Any, model).eval()
        return model

    def generate(
        self,
        inputs: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        *args: Any,
        dera_lambda: Strength | None = None,
        **kwargs: Any,
    ) -> Any:
        """`transformers`' own `generate`, on softmax(λ·aligned + (1−λ)·reference).

        The branches are mixed first, in float32; penalties, masks and truncations follow on the
        mixture. A batch whose rows are all at λ=0, or all at λ=1, runs that model alone.

        Args:
            inputs: Prompt ids `[B, L]`; left-padded with an `attention_mask` for decoders.
            generation_config: As transformers takes it; may carry `dera_lambda`.
            dera_lambda: λ ≥ 0, one number or one per prompt. By default the generation
                configuration's `dera_lambda`, else the model configuration's (1: aligned).
            args: As `GenerationMixin.generate` takes them.
            kwargs: Likewise.

        Returns:
            What `GenerationMixin.generate` returns.

        Raises:
            InvalidValueError: λ out of range or not one per prompt, or a setting that makes sense
                for one model only: `inputs_embeds`, `guidance_scale`, attentions, hidden states.
            LogitsError: A branch produced NaN, +inf or a −inf the other one does not share.
        """
        if kwargs.get("inputs_embeds") is not None:
            raise InvalidValueError(
                "inputs_embeds fit one of the two models only", hint="pass input_ids"
            )
        prompts = inputs if inputs is not None else kwargs.get("input_ids")
        if dera_lambda is not None:
            rows = None if prompts is None else len(prompts)
            kwargs["dera_lambda"] = read_strength(dera_lambda, rows)
        return cast(Any, super()).generate(inputs, generation_config, *args, **kwargs)

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any
    ) -> None:
        """Both models, their configurations and the generation settings, in one folder.

        Args:
            save_directory: Made where it does not exist.
            args: As `PreTrainedModel.save_pretrained` takes them.
            kwargs: Likewise.

        Raises:
            InvalidValueError: The folder could not be read back: a branch holds weights its
                configuration knows nothing of, as one with an adapter or quantized layers does.
        """
        with torch.device("meta"):
            expected = type(self)(copy.deepcopy(self.config)).state_dict().keys()
        foreign = sorted(self.state_dict().keys() ^ expected)
        if foreign:
            raise InvalidValueError(
                f"{len(foreign)} weights do not follow from the configurations, "
                f"first {foreign[0]!r}",
                hint="merge the adapter, or save the two models one by one",
            )
        super().save_pretrained(save_directory, *args, **kwargs)

    def init_weights(self) -> None:
        """Nothing to do: each branch has initialised and tied its own."""

    def get_input_embeddings(self) -> torch.nn.Module:
        """The aligned model's."""
        return self.aligned.get_input_embeddings()

    def _prepare_generation_config(
        self, generation_config: GenerationConfig | None, **kwargs: Any
    ) -> tuple[GenerationConfig, dict[str, Any]]:
        """λ leaves the settings here and travels with the batch: it is expanded like a prompt."""
        asked = kwargs.pop("dera_lambda", None)
        prepare = cast(Any, super())._prepare_generation_config
        settings, model_kwargs = prepare(generation_config, **kwargs)
        _refuse_one_model_settings(settings)
        if asked is None:
            stored = getattr(settings, "dera_lambda", None)
            asked = read_strength(self.config.dera_lambda if stored is None else stored)
        model_kwargs["dera_lambda"] = asked
        return settings, model_kwargs

    def _prepare_cache_for_generation(  # type: ignore[override]
        self, generation_config: GenerationConfig, model_kwargs: dict[str, Any], *args: Any
    ) -> None:
        """Each branch that runs prepares the cache it would use alone."""
        if model_kwargs.get("past_key_values") is not None:
            own_way = cast(Any, super())._prepare_cache_for_generation
            own_way(generation_config, model_kwargs, *args)
            return
        made: dict[str, Cache | None] = dict.fromkeys(_NAMES.values())
        for name, model in self._running(model_kwargs["dera_lambda"]):
            own = self._branch_kwargs(name, model_kwargs)
            cast(Any, model)._prepare_cache_for_generation(generation_config, own, *args)
            made[name] = own.get("past_key_values")
        if any(cache is not None for cache in made.values()):
            model_kwargs["past_key_values"] = PairCache(**made)

    def _branch_kwargs(self, name: str, model_kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """What a branch reads when it sizes its cache."""
        return {}

    def _running(self, lam: float | Tensor) -> Iterator[tuple[str, PreTrainedModel]]:
        """Names and models of the branches that λ needs, the reference first."""
        needed = branches_of(lam)
        return ((name, getattr(self, name)) for flag, name in _NAMES.items() if flag in needed)

    def _strength(self, dera_lambda: Strength | None, rows: int) -> float | Tensor:
        """λ of a forward pass; a tensor is taken as `generate` has checked it."""
        if isinstance(dera_lambda, Tensor):
            if dera_lambda.shape != (rows,):
                raise InvalidValueError(f"λ of shape {list(dera_lambda.shape)} for {rows} rows")
            return dera_lambda
        return read_strength(self.config.dera_lambda if dera_lambda is None else dera_lambda, rows)

    def _mixed(self, logits: Mapping[str, Tensor], lam: float | Tensor, step: int) -> Tensor:
        """The mixture `[B, L, V]` float32 of the branches that ran, each `[B, L, ≥ V]`.

        An error names the tokens read so far as its `step`.
        """
        shape = (*next(iter(logits.values())).shape[:2], self.config.vocab_size)
        flat = {
            name: x[..., : shape[2]].flatten(0, 1).to(self.device) for name, x in logits.items()
        }
        rows: Sequence[int] = [row for row in range(shape[0]) for _ in range(shape[1])]
        if len(flat) == 1:
            ((name, alone),) = flat.items()
            return check_logits(alone, name, step=step, rows=rows).view(shape)
        weights = lam.repeat_interleave(shape[1]) if isinstance(lam, Tensor) else lam
        mixed = mix(flat["reference"], flat["aligned"], weights, step=step, rows=rows)
        return mixed.view(shape)


def moved(tensor: Tensor | None, model: PreTrainedModel) -> Tensor | None:
    """A tensor where a branch is: the two may be on different devices."""
    return None if tensor is None else tensor.to(model.device)


def _refuse_one_model_settings(settings: GenerationConfig) -> None:
    """A guidance scale would run the mixture again without λ; states belong to one model."""
    asked = {
        "guidance_scale": settings.guidance_scale not in {None, 1.0},
        "output_attentions": bool(settings.output_attentions),
        "output_hidden_states": bool(settings.output_hidden_states),
    }
    for name in (name for name, given in asked.items() if given):
        raise InvalidValueError(
            f"{name}={getattr(settings, name)!r} has no meaning for a mixture of two models",
            hint="call the model in .reference or .aligned for it",
        )

"""Loading one side of a pair from a directory, a hub id, or objects in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from dera_rag.errors import InvalidValueError, MissingFileError, ModelLoadError
from dera_rag.pairs.placement import Placement

_READING_ERRORS = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)
_LONGEST_REASON = 400

Source = str | Path | tuple[PreTrainedModel, PreTrainedTokenizerBase]


@dataclass(frozen=True)
class Side:
    """One side of a pair before its weights are read.

    Attributes:
        branch: `reference`, `aligned` or `base`.
        label: What the pair's name calls this side.
        encoder_decoder: Whether an encoder reads the prompt.
        tokenizer: Its tokenizer.
        source: Where the weights are: a directory or hub id; None for a loaded object.
        model: The loaded object, if one was given.
        trust_remote_code: Whether code beside the weights may run.
    """

    branch: str
    label: str
    encoder_decoder: bool
    tokenizer: PreTrainedTokenizerBase
    source: str | None
    model: PreTrainedModel | None
    trust_remote_code: bool

    def load(self, placement: Placement) -> PreTrainedModel:
        """The model in evaluation mode.

        Args:
            placement: In which type and where. A loaded object stays where it is, and as it is.

        Raises:
            ModelLoadError: The weights cannot be read, or some are missing.
        """
        if self.model is not None:
            return _evaluating(self.model)
        if self.source is None:
            raise ModelLoadError(f"the {self.branch} model has no source")
        kind = AutoModelForSeq2SeqLM if self.encoder_decoder else AutoModelForCausalLM
        settings: dict[str, Any] = {}
        if placement.quantization is not None:
            settings["quantization_config"] = placement.quantization
        if placement.device_map is not None:
            settings["device_map"] = placement.device_map
        with reading(self.branch, self.source, "weights"), quiet():
            model, info = cast(Any, kind).from_pretrained(
                self.source,
                dtype=placement.dtype or "auto",
                use_safetensors=True,
                trust_remote_code=self.trust_remote_code,
                output_loading_info=True,
                **settings,
            )
        # transformers fills a missing weight with random numbers and goes on.
        absent = sorted(info["missing_keys"])
        if absent:
            raise ModelLoadError(
                f"the {self.branch} model at {self.source!r} lacks {len(absent)} weights, "
                f"first {absent[0]!r}",
                hint="is this a complete checkpoint of a language model?",
            )
        return _evaluating(model)


def open_side(branch: str, source: Source, *, trust_remote_code: bool) -> Side:
    """Check a source and read its tokenizer; the weights come later.

    Args:
        branch: `reference`, `aligned` or `base`, for errors.
        source: A directory, a hub id, or a (model, tokenizer) tuple.
        trust_remote_code: Whether code beside the weights may run.

    Raises:
        InvalidValueError: A source of another kind, or a `trust_remote_code` that is no bool.
        MissingFileError: A path that does not exist.
        ModelLoadError: No model that writes text, no safetensors, or no tokenizer.
    """
    if not isinstance(trust_remote_code, bool):
        # "false" from a configuration file would count as true.
        raise InvalidValueError(
            f"trust_remote_code must be True or False, got {trust_remote_code!r}"
        )
    if isinstance(source, tuple):
        return _loaded_side(branch, source)
    name = checked_location(branch, source)
    with reading(branch, name, "configuration"):
        config = AutoConfig.from_pretrained(name, trust_remote_code=trust_remote_code)
    with reading(branch, name, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=trust_remote_code)
    label = Path(name).name or name
    encoder_decoder = bool(config.is_encoder_decoder)
    return Side(branch, label, encoder_decoder, tokenizer, name, None, trust_remote_code)


def _evaluating(model: PreTrainedModel) -> PreTrainedModel:
    model.eval()
    return model


def _loaded_side(branch: str, source: tuple[object, ...]) -> Side:
    if len(source) == 2:
        model, tokenizer = source
        if isinstance(model, torch.nn.Module) and callable(tokenizer):
            return _side_of(branch, cast(Any, model), cast(Any, tokenizer))
    kinds = ", ".join(type(part).__name__ for part in source)
    raise InvalidValueError(
        f"the {branch} tuple must be (model, tokenizer), got ({kinds})",
        hint="AutoModelForCausalLM.from_pretrained(…), AutoTokenizer.from_pretrained(…)",
    )


def _side_of(branch: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Side:
    """A side whose model is loaded already."""
    config = getattr(model, "config", None)
    name = str(getattr(config, "name_or_path", "") or type(model).__name__)
    if isinstance(model, PreTrainedModel) and not model.can_generate():
        raise ModelLoadError(
            f"the {branch} model {type(model).__name__} has no language-model head",
            hint="load it as AutoModelForCausalLM or AutoModelForSeq2SeqLM",
        )
    encoder_decoder = bool(getattr(config, "is_encoder_decoder", False))
    return Side(branch, Path(name).name, encoder_decoder, tokenizer, None, model, False)


def checked_location(branch: str, source: object) -> str:
    """A directory with safetensors, or what can only be a hub id.

    Args:
        branch: What it is called in errors.
        source: What the caller passed.

    Raises:
        InvalidValueError: Neither a string nor a path.
        MissingFileError: A path that does not exist.
        ModelLoadError: A file, or a directory without safetensors.
    """
    if not isinstance(source, (str, os.PathLike)) or not str(source):
        raise InvalidValueError(
            f"{branch} must be a directory or a hub id, or a model as a (model, tokenizer) tuple, "
            f"got {source!r}"
        )
    path = Path(source).expanduser()
    if path.is_dir():
        if not any(path.glob("*.safetensors")):
            raise ModelLoadError(
                f"no safetensors for the {branch} model in {str(path)!r}",
                hint="model.save_pretrained(directory) writes them; pickled weights are not read",
            )
        return str(path)
    if path.exists():
        raise ModelLoadError(
            f"the {branch} model {str(path)!r} is a file", hint="name the directory that holds it"
        )
    text = str(source)
    if not isinstance(source, str) or text[0] in "./~\\" or text.count("/") > 1:
        raise MissingFileError(
            f"no directory {text!r} for the {branch} model", hint="check the path"
        )
    return text


@contextmanager
def reading(branch: str, name: str, what: str) -> Iterator[None]:
    """Turn a library's error into ours, with the way out."""
    try:
        yield
    except _READING_ERRORS as error:
        if "trust_remote_code" in str(error):
            hint = "trust_remote_code=True would run that code: read it first"
        elif Path(name).is_dir():
            hint = "the directory needs config.json, safetensors and the tokenizer's files"
        elif os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
            hint = "HF_HUB_OFFLINE is set: pass a directory, or unset it to download"
        else:
            hint = "pass an existing directory or a hub id"
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        raise ModelLoadError(
            f"{branch} model {name!r}: cannot read its {what}: {reason}", hint=hint
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bar while weights are read: the library does not write to the terminal."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()

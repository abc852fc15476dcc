"""A pair at one λ as a model of lm-evaluation-harness: registered as `dera` when this is imported.

At λ=0 and λ=1 log-likelihoods are those of the harness' own `hf` model on the reference and on the
aligned model: texts are encoded, contexts cut and documents windowed as it does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dera_rag.decoding.requests import check_batch_size, check_pair
from dera_rag.errors import InvalidValueError, MissingDependencyError, PromptError
from dera_rag.evaluation.curve import row_seed
from dera_rag.evaluation.interop.answering import Answerer
from dera_rag.evaluation.interop.gen_kwargs import Request, read_request
from dera_rag.evaluation.interop.likelihood import likelihoods
from dera_rag.evaluation.suites import PairSource
from dera_rag.protocols import PairBackend
from dera_rag.types import check_lam

try:
    from lm_eval.api.model import CacheHook, TemplateLM
    from lm_eval.api.registry import register_model
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
    from tqdm import tqdm
except ImportError as error:
    raise MissingDependencyError(
        "the model `dera` needs lm-evaluation-harness", hint="pip install 'dera-rag[lm-eval]'"
    ) from error

# What the harness' `hf` model takes where a model names no length of its own.
_UNLIMITED = 2048
_BATCH_SIZE = 32
# A key that no request's hash can be.
_IDENTITY = "dera_rag identity"
_Encoded = tuple[tuple[str, str] | None, list[int], list[int]]


@register_model("dera")
class DeraLM(TemplateLM):  # type: ignore[misc]  # the harness is untyped here
    """softmax(λ·aligned + (1−λ)·reference) for lm-evaluation-harness.

    Args:
        reference: Folder or hub id of the model at λ=0; None for the embedded pair.
        aligned: Folder or hub id of the model at λ=1, or of a LoRA adapter.
        lam: λ ≥ 0.
        pair: A loaded pair in place of names.
        adapter: Whether `aligned` is a LoRA adapter of `reference`.
        dtype: Of the weights; None for the checkpoints' own.
        device: Where they run; None for a GPU if there is one. The harness' command line says
            "cuda:0" where nobody named one, so that is the CPU where there is no GPU.
        batch_size: Rows read or decoded together, ≥ 1; "auto" for 32.
        max_batch_size: Not used; the harness hands it to every model.
        max_length: Tokens of a context and what follows it, where that is to be less than what the
            pair takes; 2048 (as for the harness' `hf`) for a pair without a limit.
        max_gen_toks: Longest answer where a task names none, ≥ 1.
        seed: Of the noise of tasks that sample; each answer's is a hash of it, its context and how
            often that was asked before.

    Raises:
        InvalidValueError: A value that cannot be, or names beside a loaded pair.
        DeraRagError: As `ModelPair.from_pretrained`.
    """

    def __init__(
        self,
        reference: str | None = None,
        aligned: str | None = None,
        lam: float = 1.0,
        *,
        pair: PairBackend | None = None,
        adapter: bool = False,
        dtype: str | None = None,
        device: str | None = None,
        batch_size: int | str = _BATCH_SIZE,
        max_batch_size: int | None = None,
        max_length: int | None = None,
        max_gen_toks: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.lam = check_lam(lam)
        self.batch_size = _batch_size(batch_size)
        self.max_gen_toks = max_gen_toks
        self._seed, self._max_length = seed, max_length
        if max_length is not None and max_length < 1:
            raise InvalidValueError(f"max_length must be ≥ 1, got {max_length!r}")
        if pair is not None and (reference or aligned):
            raise InvalidValueError("a pair and names of models", hint="give the one or the others")
        if bool(reference) != bool(aligned):
            raise InvalidValueError(
                f"a pair is two models, got reference={reference!r}, aligned={aligned!r}",
                hint="name both, or none for the embedded pair",
            )
        names = (str(reference or ""), str(aligned or ""))
        source = PairSource(*names, adapter, dtype, _device(device))
        self.pair = check_pair(source.load(Path()) if pair is None else pair)
        self._answerer = Answerer(self.pair, self.batch_size)
        self.tokenizer = self.pair.tokenizer
        if getattr(self.pair, "encoder_decoder", False):
            self.backend = "seq2seq"
        read_request({}, lam=self.lam, max_gen_toks=max_gen_toks, seed=seed)

    @property
    def max_length(self) -> int:
        """Tokens a context and what follows it may have; for encoder–decoders each of both."""
        limits = [limit for limit in (self._max_length, self.pair.max_length) if limit is not None]
        return min(limits, default=_UNLIMITED)

    @property
    def eot_token_id(self) -> int:
        """A token that ends texts."""
        end = self.tokenizer.eos_token_id
        ids = [end] if isinstance(end, int) else sorted(self.pair.stop_ids)
        return int(ids[0]) if ids else 0

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text without context: BOS, or the end token without one."""
        start = self.tokenizer.bos_token_id
        return start if isinstance(start, int) else self.eot_token_id

    @property
    def tokenizer_name(self) -> str:
        """Tells the harness' request caches apart."""
        return str(self.pair.name).replace("/", "__")

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Token ids as the tokenizer gives them; a BOS that the text brings is not doubled.

        Args:
            string: The text.
            add_special_tokens: None (default) for what the tokenizer does by itself.
        """
        begun = string.startswith(str(self.tokenizer.decode([self.prefix_token_id])))
        if add_special_tokens is None and begun:
            add_special_tokens = False
        settings = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
        return list(self.tokenizer(string, **settings)["input_ids"])

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The pair's template; "" without one, or where none is asked for."""
        own = getattr(self.pair, "chat_template", None)
        return str(own) if chat_template and own else ""

    def apply_chat_template(
        self, chat_history: Sequence[Mapping[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """A conversation as text.

        Args:
            chat_history: Messages.
            add_generation_prompt: False to go on with the last message.

        Raises:
            InvalidValueError: The pair has no chat template.
        """
        template = getattr(self.pair, "chat_template", None)
        if not template:
            raise InvalidValueError(
                f"{self.pair.name} has no chat template", hint="leave out --apply_chat_template"
            )
        return str(
            self.tokenizer.apply_chat_template(
                [dict(message) for message in chat_history],
                chat_template=template,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        )

    def set_cache_hook(self, cache_hook: CacheHook) -> None:
        """Refuse a response cache of another λ: its key holds the request alone.

        Args:
            cache_hook: The harness'.

        Raises:
            InvalidValueError: The cache holds answers of another model or λ.
        """
        stored = cache_hook.dbdict
        if stored is not None:
            mine = json.dumps([self.pair.name, self.lam, self._seed, self.max_gen_toks])
            known = stored.get(_IDENTITY, mine if len(stored) == 0 else "another model")
            if known != mine:
                raise InvalidValueError(
                    f"this response cache is of {known}, not of {mine}",
                    hint="one --use_cache path for each pair and λ",
                )
            stored[_IDENTITY] = mine
        super().set_cache_hook(cache_hook)

    def _loglikelihood_tokens(
        self, requests: Sequence[_Encoded], disable_tqdm: bool = False, **__: Any
    ) -> list[tuple[float, bool]]:
        asked = [self._fitted(context, continuation) for _, context, continuation in requests]
        with tqdm(total=len(asked), disable=disable_tqdm, desc="Reading") as bar:
            found = likelihoods(
                self.pair, asked, self.lam, batch_size=self.batch_size, progress=bar.update
            )
        answers = [(one.log_probability, one.greedy) for one in found]
        for (words, _, _), answer in zip(requests, answers, strict=True):
            if words is not None:
                self.cache_hook.add_partial("loglikelihood", words, answer)
        return answers

    def _fitted(self, context: list[int], continuation: list[int]) -> tuple[list[int], list[int]]:
        """A context whose beginning is cut until the continuation fits behind it.

        Raises:
            PromptError: The continuation alone is too long.
        """
        if len(continuation) > self.max_length:
            raise PromptError(
                f"a continuation has {len(continuation)} tokens, {self.pair.name} takes "
                f"{self.max_length}",
                hint="score it as a text of its own (loglikelihood_rolling)",
            )
        room = self.max_length
        if self.backend == "causal":
            room += 1 - max(1, len(continuation))
        return context[-room:], continuation

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-likelihoods of whole texts, in windows that score each token once.

        Args:
            requests: The harness' instances; `args` is (text,).
            disable_tqdm: Whether to show no progress.
        """
        texts = [request.args[0] for request in requests]
        windows: list[_Encoded] = []
        owners: list[int] = []
        for number, text in enumerate(texts):
            parts = get_rolling_token_windows(
                token_list=self.tok_encode(text),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            own = [(None, *make_disjoint_window(part)) for part in parts]
            windows += own
            owners += [number] * len(own)
        totals = [0.0] * len(texts)
        read = self._loglikelihood_tokens(windows, disable_tqdm)
        for number, (value, _) in zip(owners, read, strict=True):
            totals[number] += value
        for text, total in zip(texts, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", (text,), total)
        return totals

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Answers to contexts, each with its own settings.

        Args:
            requests: The harness' instances; `args` is (context, keyword arguments), see
                `gen_kwargs.read_request`.
            disable_tqdm: Whether to show no progress.

        Raises:
            InvalidValueError: Keyword arguments that cannot be.
            PromptError: An answer as long as asked for leaves no room for a context.
        """
        asked = self._read(requests)
        texts = [""] * len(asked)
        with tqdm(total=len(asked), disable=disable_tqdm, desc="Answering") as bar:
            for row, text in self._answerer.answers(asked):
                texts[row] = text
                self.cache_hook.add_partial("generate_until", requests[row].args, text)
                bar.update()
        return texts

    def _read(self, requests: Sequence[Any]) -> list[tuple[list[int], Request]]:
        times: Counter[str] = Counter()
        asked = []
        for context, kwargs in (request.args for request in requests):
            seed = row_seed(self._seed, f"{times[context]}\n{context}")
            times[context] += 1
            request = read_request(kwargs, lam=self.lam, max_gen_toks=self.max_gen_toks, seed=seed)
            asked.append((self._shortened(context, request.sampling.max_new_tokens), request))
        return asked

    def _shortened(self, context: str, new: int) -> list[int]:
        ids = self.tok_encode(context) or [self.prefix_token_id]
        room = self.max_length - (new if self.backend == "causal" else 0)
        if room < 1:
            raise PromptError(
                f"answers of {new} tokens leave no room in the {self.max_length} of "
                f"{self.pair.name}",
                hint="lower max_gen_toks",
            )
        return ids[-room:]


def _device(device: str | None) -> str | None:
    from torch.cuda import is_available

    return None if device == "cuda:0" and not is_available() else device


def _batch_size(batch_size: int | str) -> int:
    if isinstance(batch_size, str):
        if batch_size.startswith("auto"):
            return _BATCH_SIZE
        if batch_size.isdecimal():
            return check_batch_size(int(batch_size))
    return check_batch_size(batch_size)  # type: ignore[arg-type]  # it refuses the rest

"""Text to token ids, with passages, questions and messages kept from becoming control tokens.

A tokenizer matches its *added* tokens (`</s>`, `<|im_end|>`, `<tool_call>`, …) wherever they are
written, so a passage that spells one could end a turn. Here only the template around the content
writes them. The prompt is rendered twice: as it is, and with the leading character of every added
token, wherever it stands in content, swapped for a private-use character. Added tokens found in the
second rendering are the template's own.

- The tokenizer's own encoding holds exactly those, the usual case: that encoding is the answer, so
  harmless text is one ordinary tokenizer call.
- Otherwise a copy of the tokenizer encodes the prompt in which the template's own control tokens
  carry names that no text can spell, and in which the plain names mean nothing. Normalizer,
  pre-tokenizer and model are the tokenizer's own, so the text around is encoded as ever.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dera_rag.errors import PromptError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

Shield = Callable[[str], str]
Render = Callable[[Shield], str]

# Plane 16 private use: no script, no tokenizer vocabulary, no normalization form touches it.
_PRIVATE_USE = range(0x100000, 0x10FFFD)


@dataclass(frozen=True, slots=True)
class _Guarded:
    """An added token that content must not become."""

    text: str
    id: int
    single_word: bool

    @property
    def pattern(self) -> str:
        """Where the tokenizer would match it."""
        escaped = re.escape(self.text)
        return rf"(?<!\w){escaped}(?!\w)" if self.single_word else escaped

    @property
    def lead(self) -> str:
        """The character whose swap makes the token unreadable, stripping templates included."""
        return self.text.strip()[:1]


class SafeEncoder:
    """Encodes prompts so that only the template writes control tokens.

    Whitespace and single characters that the plain vocabulary spells with the same id (Gemma's
    added newlines) are text and stay as they are. The unknown token still stands for text outside
    the vocabulary.

    Args:
        tokenizer: A Hugging Face tokenizer. One without a `tokenizers` backend encodes harmless
            text and refuses content that spells an added token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._backend: Tokenizer | None = getattr(tokenizer, "backend_tokenizer", None)
        self._guarded = _guarded_tokens(tokenizer)
        # Longest first: the tokenizer's own matching is leftmost-longest.
        ordered = sorted(self._guarded, key=lambda token: -len(token.text))
        visible = [token for token in ordered if token.lead]
        self._by_text = {token.text: token for token in visible}
        self._pattern = re.compile("|".join(token.pattern for token in visible) or r"(?!)")
        self._leads = sorted({token.lead for token in visible})
        self._control_ids = {t.id for t in self._guarded} - {tokenizer.unk_token_id}
        self._copies: dict[str, tuple[Tokenizer, dict[int, int]]] = {}
        # Fast tokenizers are not re-entrant: a second thread meets "Already borrowed".
        self._lock = threading.RLock()

    def encode(self, render: Render, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a rendered prompt.

        Args:
            render: Builds the prompt; must pass every piece of content through the function it is
                given, and be pure, for it is called twice.
            add_special_tokens: Whether the tokenizer adds its BOS or EOS, as `tokenizer(text)`
                does; a chat template writes them itself.

        Returns:
            Where content spells no added token, exactly `tokenizer(text)`'s ids; otherwise that
            content is plain text between the same control tokens.

        Raises:
            PromptError: Content spells an added token and the tokenizer has no `tokenizers`
                backend.
        """
        text = render(lambda content: content)
        with self._lock:
            ids = self._native(text, add_special_tokens)
            if not self._guarded:
                return ids
            shields = dict(zip(self._leads, _unused_characters(text), strict=False))
            swap = str.maketrans(shields)
            shielded = render(lambda content: content.translate(swap))
            if self._harmless(text, shielded, ids, add_special_tokens):
                return ids
            return self._encode_shielded(shielded, shields, add_special_tokens)

    def _native(self, text: str, add_special_tokens: bool) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=add_special_tokens, verbose=False)
        return list(encoded["input_ids"])

    def _harmless(self, text: str, shielded: str, ids: list[int], add_special_tokens: bool) -> bool:
        """Whether the tokenizer's own encoding holds the template's control tokens only."""
        if text != shielded and any(text.count(t) != shielded.count(t) for t in self._by_text):
            return False
        before, after = self._affixes() if add_special_tokens else ([], [])
        bare = ids[len(before) : len(ids) - len(after)]
        found = [token for token in bare if token in self._control_ids]
        owned = [self._by_text[match.group()].id for match in self._pattern.finditer(shielded)]
        return found == [token for token in owned if token in self._control_ids]

    def _encode_shielded(
        self, shielded: str, shields: dict[str, str], add_special_tokens: bool
    ) -> list[int]:
        if self._backend is None:
            raise PromptError(
                "content spells a control token of the tokenizer",
                hint="this tokenizer cannot encode it as plain text; use a fast tokenizer, "
                "or take the token out of the passages and the question",
            )
        unswap = str.maketrans({swapped: lead for lead, swapped in shields.items()})
        marker = next(iter(_unused_characters(shielded + shielded.translate(unswap))))
        if marker not in self._copies:
            self._copies = {marker: _copy(self._backend, self._guarded, marker)}
        copy, ids_of = self._copies[marker]
        pieces, end = [], 0
        for match in self._pattern.finditer(shielded):
            pieces.append(shielded[end : match.start()].translate(unswap))
            pieces.append(_marked(marker, self._by_text[match.group()].id))
            end = match.end()
        pieces.append(shielded[end:].translate(unswap))
        encoded = copy.encode("".join(pieces), add_special_tokens=False).ids
        before, after = self._affixes() if add_special_tokens else ([], [])
        return [*before, *(ids_of.get(token, token) for token in encoded), *after]

    def _affixes(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a text (BOS, EOS)."""
        bare, full = self._native("a", False), self._native("a", True)
        for start in range(len(full) - len(bare) + 1):
            if full[start : start + len(bare)] == bare:
                return full[:start], full[start + len(bare) :]
        return [], []


def _unused_characters(text: str) -> Iterable[str]:
    used = set(text)
    return (chr(code) for code in _PRIVATE_USE if chr(code) not in used)


def _marked(marker: str, token_id: int) -> str:
    """A name for a control token that no content can spell: the marker stands in none of it."""
    return f"{marker}{token_id}{marker}"


def _guarded_tokens(tokenizer: PreTrainedTokenizerBase) -> list[_Guarded]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    plain: dict[str, int] = backend.get_vocab(with_added_tokens=False) if backend else {}
    return [
        _Guarded(token.content, token_id, token.single_word)
        for token_id, token in tokenizer.added_tokens_decoder.items()
        if token.content and not (_is_text(token.content) and plain.get(token.content) == token_id)
    ]


def _is_text(token: str) -> bool:
    """Whitespace (SentencePiece writes a space as ▁) or a single character."""
    return len(token) == 1 or not token.replace("▁", " ").strip()


def _copy(
    backend: Tokenizer, guarded: list[_Guarded], marker: str
) -> tuple[Tokenizer, dict[int, int]]:
    """The tokenizer with its control tokens renamed, and its ids → the original ids."""
    from tokenizers import Tokenizer

    spec: dict[str, Any] = json.loads(backend.to_str())
    new_names = {token.text: _marked(marker, token.id) for token in guarded if token.lead}
    # Runs of whitespace outside the plain vocabulary are never a template's control tokens: left
    # out.
    dropped = {token.text for token in guarded if not token.lead}
    spec["added_tokens"] = [
        # Names are matched before normalization, which knows nothing of them.
        token | {"content": new_names[token["content"]], "normalized": False}
        if token["content"] in new_names
        else token
        for token in spec["added_tokens"]
        if token["content"] not in dropped
    ]
    _rename_in_model(spec["model"], new_names)
    spec |= {"truncation": None, "padding": None, "post_processor": None}
    copy = Tokenizer.from_str(json.dumps(spec))
    new_ids = {token.id: copy.token_to_id(new_names[token.text]) for token in guarded if token.lead}
    return copy, {new: old for old, new in new_ids.items() if new is not None}


def _rename_in_model(model: dict[str, Any], new_names: dict[str, str]) -> None:
    """Keep the model itself from spelling control tokens: T5's `</s>` is its best-scored piece."""
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):
        unknown = vocabulary[model["unk_id"]][0] if model.get("unk_id") is not None else None
        names = {old: new for old, new in new_names.items() if old != unknown}
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
        return
    names = {old: new for old, new in new_names.items() if old != model.get("unk_token")}
    model["vocab"] = {names.get(piece, piece): index for piece, index in vocabulary.items()}
    if "merges" in model:
        model["merges"] = [merge for merge in model["merges"] if not _spells(merge, names)]


def _spells(merge: list[str] | str, names: dict[str, str]) -> bool:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left in names or right in names or left + right in names

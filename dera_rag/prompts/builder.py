"""What stands in a prompt, and how much of it fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeGuard

from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.prompts.encoding import SafeEncoder, Shield
from dera_rag.protocols import PairBackend
from dera_rag.types import BranchedPrompt, Passage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = Mapping[str, Any]
Filled = str | Sequence[Message] | Sequence[int]
Prompt = str | Callable[[str, Sequence[Passage]], Filled]

PLAIN_PROMPT = "{passages}\n\nQuestion: {question}\nAnswer:"
"""For a pair without a chat template; passages come as `number_passages` writes them."""

CHAT_PROMPT = (
    "Answer the question from the passages below and from nothing else. "
    "If they do not tell, say so.\n\n{passages}\n\nQuestion: {question}"
)
"""The user message for a pair with a chat template; some templates refuse a system message."""


def number_passages(texts: Iterable[str]) -> str:
    """Passages as a prompt shows them: numbered from 1, an empty line between two.

    A number gives a model something short to tell passages apart by, and to cite.
    """
    return "\n\n".join(f"[{number}]\n{text}" for number, text in enumerate(texts, start=1))


_SLOTS = re.compile(r"\{(passages|question)\}")


@dataclass(frozen=True, slots=True)
class FittedPrompt:
    """A prompt that leaves room for the answer.

    Attributes:
        token_ids: The encoded prompt; a `BranchedPrompt` for a pair with context branches.
        passages: The passages in it, best first.
        dropped: Ids of the passages left out, in order of rank.
    """

    token_ids: Sequence[int]
    passages: tuple[Passage, ...]
    dropped: tuple[str, ...]


class PromptBuilder:
    """Builds prompts for one tokenizer.

    Args:
        tokenizer: The pair's tokenizer; its chat template, where it has one, is applied.
        prompt: None for `CHAT_PROMPT` or `PLAIN_PROMPT`. A string with `{passages}` and
            `{question}`, or a pure function `(question, passages) -> …` that returns a string (the
            user message of a pair with a chat template, else the whole prompt), chat messages, or
            token ids, which are taken as they are: a function that returns ids answers for control
            tokens itself.
        chat_template: "own" (default) for the tokenizer's, None for none, else a Jinja template.
        two_views: Whether `fit` gives every prompt its view without passages too, which context
            branches need; False by default.

    Raises:
        InvalidValueError: A prompt string lacks `{passages}` or `{question}`, or the prompt is
            neither a string nor a function.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        prompt: Prompt | None = None,
        *,
        chat_template: str | None = "own",
        two_views: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._two_views = two_views
        self._encoder = SafeEncoder(tokenizer)
        own = chat_template == "own"
        # A tokenizer may have several named templates; it picks among its own itself.
        self._template = None if own else chat_template
        self.has_chat_template = bool(tokenizer.chat_template if own else chat_template)
        if prompt is not None and not isinstance(prompt, str) and not callable(prompt):
            raise InvalidValueError(
                f"a prompt must be a string or a function, got {prompt!r:.80}",
                hint=f"for example {PLAIN_PROMPT!r}",
            )
        if isinstance(prompt, str) and set(_SLOTS.findall(prompt)) != {"passages", "question"}:
            raise InvalidValueError(
                f"a prompt needs {{passages}} and {{question}}, got {prompt!r}",
                hint=f"for example {PLAIN_PROMPT!r}",
            )
        self._prompt: Prompt = prompt or (CHAT_PROMPT if self.has_chat_template else PLAIN_PROMPT)

    @classmethod
    def for_pair(cls, pair: PairBackend, prompt: Prompt | None = None) -> PromptBuilder:
        """A builder for a pair's tokenizer and its choice of chat template."""
        template = getattr(pair, "chat_template", "own")
        own = not (template is None or isinstance(template, str))
        return cls(
            pair.tokenizer,
            prompt,
            chat_template="own" if own else template,
            two_views=getattr(pair, "two_views", False),
        )

    def question(self, question: str, passages: Sequence[Passage]) -> list[int]:
        """Token ids that ask a question over passages.

        Args:
            question: Not empty.
            passages: Best first; may be empty.

        Raises:
            PromptError: The question is empty.
        """
        check_question(question)
        filled = self._fill(question, passages, _as_it_is)
        if isinstance(filled, str) and not self.has_chat_template:
            return self._encoder.encode(
                lambda shield: str(self._fill(question, passages, shield)), add_special_tokens=True
            )
        if _is_token_ids(filled):
            return list(filled)
        return self._encoder.encode(
            lambda shield: self._apply_template(_messages(self._fill(question, passages, shield))),
            add_special_tokens=False,
        )

    def fit(self, question: str, passages: Sequence[Passage], budget: int | None) -> FittedPrompt:
        """The prompt with as many of the best passages as fit.

        Args:
            question: Not empty.
            passages: Best first; the lowest-ranked are dropped first.
            budget: Most tokens the prompt may have; None for no limit.

        Raises:
            PromptError: The question is empty, or does not fit even without passages.
        """
        for kept in range(len(passages), -1, -1):
            ids = self.question(question, passages[:kept])
            if budget is None or len(ids) <= budget:
                left_out = tuple(passage.id for passage in passages[kept:])
                if self._two_views:
                    bare = self.question(question, ())
                    prompt = BranchedPrompt(ids, without=bare)
                    return FittedPrompt(prompt, tuple(passages[:kept]), left_out)
                return FittedPrompt(ids, tuple(passages[:kept]), left_out)
        raise PromptError(
            f"the question alone takes {len(ids)} tokens, {budget} are left beside the answer",
            hint="shorten the question or lower max_new_tokens",
        )

    def chat(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> list[int]:
        """Token ids of a conversation in the pair's chat template, ready for the assistant's turn.

        Args:
            messages: `{"role": …, "content": …}` and whatever else the template reads; not empty.
            tools: What the model may call, as JSON schemas in OpenAI's form, for templates that
                show them.

        Raises:
            PromptError: No messages, no chat template, or the template refuses them.
        """
        if not messages:
            raise PromptError("the conversation is empty", hint="pass at least one message")
        if not self.has_chat_template:
            raise PromptError(
                "the pair has no chat template", hint="set tokenizer.chat_template, or use plain()"
            )
        return self._encoder.encode(
            lambda shield: self._apply_template(
                [_shielded(m, shield) | _role(m) for m in messages],
                [_shielded(t, shield) for t in tools],
            ),
            add_special_tokens=False,
        )

    def rendered(
        self, messages: Sequence[Message], tools: Sequence[Message] = (), *, ask: bool = True
    ) -> str:
        """The text of a conversation in the pair's chat template, to look at; `chat` encodes.

        Args:
            messages: As in `chat`.
            tools: As in `chat`.
            ask: Whether it ends where the assistant's turn begins.

        Raises:
            PromptError: As `chat`.
        """
        return self._apply_template(messages, tools, ask=ask)

    def plain(self, text: str) -> list[int]:
        """Token ids of a text that is content throughout, with the tokenizer's BOS."""
        return self._encoder.encode(lambda shield: shield(text), add_special_tokens=True)

    def _fill(self, question: str, passages: Sequence[Passage], shield: Shield) -> Filled:
        question = shield(question)
        shielded = [
            replace(
                passage,
                id=shield(passage.id),
                text=shield(passage.text),
                metadata={name: shield(value) for name, value in passage.metadata.items()},
            )
            for passage in passages
        ]
        if not isinstance(self._prompt, str):
            return _checked(self._prompt(question, shielded))
        values = {"question": question, "passages": number_passages(p.text for p in shielded)}
        # Without passages their place vanishes, with the empty line after it.
        template = self._prompt if passages else self._prompt.replace("{passages}\n\n", "")
        return _SLOTS.sub(lambda match: values[match.group(1)], template)

    def _apply_template(
        self, messages: Sequence[Message], tools: Sequence[Message] = (), *, ask: bool = True
    ) -> str:
        from jinja2 import TemplateError

        try:
            return str(
                self._tokenizer.apply_chat_template(
                    [dict(message) for message in messages],
                    tools=[dict(tool) for tool in tools] or None,
                    chat_template=self._template,
                    tokenize=False,
                    add_generation_prompt=ask,
                )
            )
        except TemplateError as error:
            raise PromptError(
                f"the chat template refuses the conversation: {error}",
                hint="many templates want turns to alternate, or no system message",
            ) from error


def check_question(question: str) -> str:
    """A question that can be asked.

    Raises:
        PromptError: It is empty.
        InvalidValueError: It is no string.
    """
    if not isinstance(question, str):
        raise InvalidValueError(f"a question must be a string, got {question!r:.80}")
    if not question.strip():
        raise PromptError(f"the question is empty: {question!r}", hint="ask something")
    return question


def _checked(filled: Filled) -> Filled:
    """What a caller's prompt function returned.

    Raises:
        InvalidValueError: Neither a string, messages nor token ids.
    """
    if isinstance(filled, str) or (
        isinstance(filled, Sequence)
        and (
            all(isinstance(item, Mapping) for item in filled)
            or all(isinstance(item, int) for item in filled)
        )
    ):
        return filled
    raise InvalidValueError(
        f"the prompt function returned {filled!r:.80}",
        hint="a string, a list of chat messages, or a list of token ids",
    )


def _messages(filled: Filled) -> Sequence[Message]:
    if isinstance(filled, str):
        return [{"role": "user", "content": filled}]
    return [message for message in filled if isinstance(message, Mapping)]


def _is_token_ids(filled: Filled) -> TypeGuard[Sequence[int]]:
    return not isinstance(filled, str) and all(isinstance(item, int) for item in filled)


def _as_it_is(content: str) -> str:
    return content


# Names by which templates reach into messages and tools; any other name is content, as in the
# arguments of a call.
_STRUCTURE = frozenset(
    {
        *("role", "type", "content", "text", "name", "id", "title", "description"),
        *("tool_calls", "tool_call_id", "function", "arguments", "reasoning_content"),
        *("parameters", "properties", "required", "items", "enum", "return"),
    }
)


def _role(message: Message) -> dict[str, Any]:
    """The role of a message, which templates compare; nothing where it has none."""
    return {name: item for name, item in message.items() if name == "role"}


# Types that templates compare, and keys below which everything is content, whatever it is called.
_TYPES = frozenset(
    {"function", "text", "string", "number", "integer", "boolean", "array", "object", "null"}
)
_DATA = frozenset({"arguments", "enum", "const", "default", "examples"})


def _shielded(value: Any, shield: Shield, key: str = "", *, data: bool = False) -> Any:
    """Every string in a message except what the template itself compares: roles and types."""
    data = data or key in _DATA
    if isinstance(value, str):
        return value if key == "type" and value in _TYPES and not data else shield(value)
    if isinstance(value, Mapping):
        return {
            name if name in _STRUCTURE and not data else shield(name): _shielded(
                item, shield, name, data=data
            )
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_shielded(item, shield, key, data=data) for item in value]
    return value

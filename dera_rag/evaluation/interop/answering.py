"""Answers to many prompts, each with its own stop strings, sampling and λ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dera_rag.decoding import DeraDecoder
from dera_rag.evaluation.interop.gen_kwargs import Request
from dera_rag.protocols import PairBackend

Asked = tuple[Sequence[int], Request]


class Answerer:
    """Decodes requests in batches; which ones share a batch changes no answer.

    Args:
        pair: The pair.
        batch_size: Most rows together, ≥ 1.
    """

    def __init__(self, pair: PairBackend, batch_size: int) -> None:
        self._tokenizer, self._own_ends = pair.tokenizer, pair.stop_ids
        self._decoder = DeraDecoder(pair, batch_size=batch_size)

    def answers(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """Each request's position and its answer's text, batch by batch.

        Args:
            asked: Token ids of each prompt, not empty, and what is asked of its answer.
        """
        order = sorted(range(len(asked)), key=lambda row: (asked[row][1].stops, len(asked[row][0])))
        for rows in self._batches(order, asked):
            yield from zip(rows, self._together([asked[row] for row in rows]), strict=True)

    def _batches(self, order: Sequence[int], asked: Sequence[Asked]) -> list[list[int]]:
        """Rows in order, of equal stop strings: the decoder takes those for a batch."""
        batches: list[list[int]] = []
        for row in order:
            last = batches[-1] if batches else []
            full = len(last) == self._decoder.batch_size
            if not last or full or asked[last[0]][1].stops != asked[row][1].stops:
                batches.append([])
            batches[-1].append(row)
        return batches

    def _together(self, asked: Sequence[Asked]) -> list[str]:
        stops = asked[0][1].stops
        made = self._decoder.generate(
            [list(prompt) for prompt, _ in asked],
            [request.lam for _, request in asked],
            [request.sampling for _, request in asked],
            stops or None,
            trace="off",
        )
        ends = self._ends(stops)
        return [self._cut(one.token_ids, one.text, ends) for one in made]

    def _ends(self, stops: Sequence[str]) -> frozenset[int]:
        """Stop strings that are control tokens: those never show in a text."""
        special = self._tokenizer.all_special_ids
        names = zip(self._tokenizer.convert_ids_to_tokens(special), special, strict=True)
        return frozenset(token for name, token in names if name in stops) - self._own_ends

    def _cut(self, token_ids: Sequence[int], text: str, ends: frozenset[int]) -> str:
        at = next((i for i, token in enumerate(token_ids) if token in ends), None)
        if at is None:
            return text
        return str(self._tokenizer.decode(list(token_ids[:at]), skip_special_tokens=True))

"""Every answer to a question over an interval of λ, with what each rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dera_rag.decoding import LambdaPath
from dera_rag.types import Json, LambdaDecision, Passage, RagAnswer


@dataclass(frozen=True)
class RagPath:
    """A question's answers for every λ in an interval, from one decode.

    Attributes:
        path: Segments with exact breakpoints, as `DeraDecoder.path` gives them.
        answers: One per segment, as `ask` gives it at the segment's middle.
        decide: The decision behind a λ that was asked for.
    """

    path: LambdaPath
    answers: tuple[RagAnswer, ...]
    decide: Callable[[float], LambdaDecision] = field(repr=False, compare=False)

    @property
    def question(self) -> str:
        """The question."""
        return self.answers[0].question

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The passages in the prompt, best first; the same for every λ."""
        return self.answers[0].passages

    @property
    def dropped_passages(self) -> tuple[str, ...]:
        """Ids of passages left out because they did not fit the context window."""
        return self.answers[0].dropped_passages

    def at(self, lam: float) -> RagAnswer:
        """The answer `ask(question, lam)` gives, without decoding.

        Args:
            lam: λ in the path's interval; at a breakpoint the right-hand answer is given.

        Raises:
            InvalidValueError: λ outside the interval.
        """
        at = self.path.segments.index(self.path.segment(lam))
        return replace(self.answers[at], decision=self.decide(lam), generation=self.path.at(lam))

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form: what is common once, and for each segment what is its own."""
        return {
            "question": self.question,
            "lo": self.path.lo,
            "hi": self.path.hi,
            "seed": self.path.seed,
            "passages": [passage.to_dict() for passage in self.passages],
            "dropped_passages": list(self.dropped_passages),
            "inexact_ranges": [list(ends) for ends in self.path.inexact_ranges],
            "segments": [
                segment.to_dict()
                | {
                    "text": answer.text,
                    "abstained": answer.abstained,
                    "citations": list(answer.citations),
                    "unsupported_spans": [
                        {"start": s.start, "end": s.end, "text": s.text, "reason": s.reason}
                        for s in answer.unsupported_spans
                    ],
                }
                for segment, answer in zip(self.path.segments, self.answers, strict=True)
            ],
        }

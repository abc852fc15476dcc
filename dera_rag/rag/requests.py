"""What a caller asks for, checked before any compute."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from dera_rag import registry
from dera_rag.errors import InvalidValueError
from dera_rag.numerics import Sampling
from dera_rag.policies import EvidencePolicy
from dera_rag.prompts import check_question
from dera_rag.protocols import LambdaPolicy, Meter, PairBackend, Retriever
from dera_rag.types import check_lam

Lam = float | Literal["auto"]

_LONGEST_ANSWER = 256


def checked_lam(lam: object) -> Lam:
    """A number ≥ 0, or "auto".

    Raises:
        InvalidValueError: Anything else.
    """
    if isinstance(lam, str):
        if lam == "auto":
            return "auto"
        raise InvalidValueError(f"λ must be a number ≥ 0 or 'auto', got {lam!r}")
    return check_lam(lam)  # type: ignore[arg-type]  # it refuses what is no number


def read_index(index: Retriever) -> Retriever:
    """What passages come from.

    Raises:
        InvalidValueError: It is none, such as a folder's name.
    """
    if not isinstance(index, Retriever):
        raise InvalidValueError(
            f"index must be a VectorIndex or another Retriever, got {index!r:.80}",
            hint='VectorIndex.load("my-index") reads a folder',
        )
    return index


def read_policy(policy: LambdaPolicy | None) -> LambdaPolicy:
    """What chooses λ for "auto"; None for the embedded policy.

    Raises:
        InvalidValueError: It is no policy, such as a policy's name.
    """
    if policy is None:
        return EvidencePolicy.embedded()
    if not callable(getattr(policy, "decide", None)):
        raise InvalidValueError(
            f"policy must be an object with decide(question, evidence), got {policy!r:.80}",
            hint="e.g. policies.ConstantPolicy(1.0)",
        )
    return policy


def read_questions(questions: Sequence[str]) -> list[str]:
    """Questions that can be asked.

    Raises:
        InvalidValueError: No list, or an item that is no string.
        PromptError: An empty question.
    """
    if isinstance(questions, str) or not isinstance(questions, Iterable):
        raise InvalidValueError("ask_batch takes a list of questions", hint="use ask for one")
    return [check_question(question) for question in questions]


def read_lams(lam: Lam | Sequence[Lam] | None, count: int, default: Lam) -> list[Lam]:
    """One λ for each question.

    Raises:
        InvalidValueError: A λ that is none, or another number of them than of questions.
    """
    if lam is None:
        return [default] * count
    given: Any = lam
    lam = given.tolist() if hasattr(given, "tolist") else lam
    if isinstance(lam, str) or not isinstance(lam, Sequence):
        return [checked_lam(lam)] * count
    if len(lam) != count:
        raise InvalidValueError(f"{len(lam)} λ for {count} questions", hint="one per question")
    return [checked_lam(one) for one in lam]


def read_seeds(
    seeds: Sequence[int] | None, questions: Sequence[str], sampling: Sampling
) -> list[int]:
    """One seed for each question: as given, or a hash of the run's seed and the question.

    A common seed for all questions would make their noise common.

    Raises:
        InvalidValueError: No list, or another number of seeds than of questions.
    """
    if seeds is None:
        run = sampling.seed if isinstance(sampling.seed, int) else secrets.randbits(63)
        return [_question_seed(run, question) for question in questions]
    seeds = seeds.tolist() if hasattr(seeds, "tolist") else seeds
    if isinstance(seeds, str) or not isinstance(seeds, Sequence):
        raise InvalidValueError(
            f"seeds must be a list, got {seeds!r:.80}", hint="one integer per question"
        )
    if len(seeds) != len(questions):
        raise InvalidValueError(
            f"{len(seeds)} seeds for {len(questions)} questions", hint="one per question"
        )
    return list(seeds)


def read_meter(meter: Meter | str | None) -> Meter | None:
    """A meter by name, or as it is.

    Raises:
        InvalidValueError: An unknown name, or an object without a meter's methods.
    """
    made = registry.resolve("meters", meter)() if isinstance(meter, str) else meter
    if made is not None and not isinstance(made, Meter):
        raise InvalidValueError(
            f"{meter!r} is no meter", hint=f"a name out of {registry.names('meters')} or a Meter"
        )
    return made


def read_sampling(sampling: Sampling | None, pair: PairBackend) -> Sampling:
    """A pipeline's settings; by default temperature 1, seed 0, and a length that leaves room.

    Raises:
        InvalidValueError: No `Sampling`, or one with a list of seeds.
    """
    if sampling is None:
        window = pair.max_length or 4 * _LONGEST_ANSWER
        return Sampling(seed=0, max_new_tokens=max(1, min(_LONGEST_ANSWER, window // 4)))
    if not isinstance(sampling, Sampling):
        raise InvalidValueError(
            f"sampling must be a Sampling, got {sampling!r:.80}",
            hint="Sampling(temperature=0.0, max_new_tokens=64)",
        )
    if sampling.seed is not None and not isinstance(sampling.seed, int):
        raise InvalidValueError(
            "a pipeline takes one seed, not a list", hint="pass seeds= to ask_batch"
        )
    return sampling


def _question_seed(run_seed: int, question: str) -> int:
    digest = hashlib.blake2b(f"{run_seed}\n{question}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1

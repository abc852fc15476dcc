"""A curve over λ: the same questions, answered at every λ and by the policy, judged exactly.

Places, records and question wordings are made afresh from the seed, so no model has seen them.
Every λ answers the same questions from the same passages with the same sampling noise (common
random numbers): differences between λ are then far less noisy than the rates themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dera_rag import __version__
from dera_rag.evaluation.curve_folder import CurveFolder
from dera_rag.evaluation.curve_records import Curve, Lam, check_lams, summarise
from dera_rag.evaluation.curve_scoring import QuestionSet, score_answers
from dera_rag.evaluation.naturalness import NaturalnessModel
from dera_rag.evaluation.venues import Question
from dera_rag.pairs import ModelPair
from dera_rag.protocols import ConfigurablePolicy
from dera_rag.rag import RagPipeline
from dera_rag.types import Json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from dera_rag.numerics import Sampling
    from dera_rag.protocols import LambdaPolicy

DEFAULT_LAMS: tuple[Lam, ...] = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, "auto")
# Answers decoded between two reports of progress: a whole batch of the decoder.
_STEP = 32


def run_curve(
    pair: ModelPair | None = None,
    lams: Sequence[Lam] = DEFAULT_LAMS,
    n: int = 200,
    seed: int = 0,
    n_places: int = 400,
    *,
    policy: LambdaPolicy | None = None,
    sampling: Sampling | None = None,
    naturalness: NaturalnessModel | None = None,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Curve:
    """Measure faithfulness, coverage, copying and naturalness over λ.

    Args:
        pair: The pair; None for the embedded one.
        lams: λ ≥ 0 and "auto" for the policy, each once.
        n: Number of questions. The interval of a rate shrinks with its root: 200 gives about ±.06.
        seed: Of places, questions and sampling noise; another seed means fresh places.
        n_places: Size of the corpus that is searched.
        policy: What "auto" means; None for the pipeline's default.
        sampling: How tokens are drawn, its seed left aside; None for the pipeline's default
            (temperature 1: greedy decoding hides insertions).
        naturalness: The third model; None for the embedded one.
        out: Folder that keeps the answers as JSONL and the curve as JSON. A λ that is there
            already, measured with the same settings, is not measured again.
        progress: Called with (answers done, answers in all).

    Returns:
        The curve, rows in the order of `lams`.

    Raises:
        InvalidValueError: λ, n or n_places cannot be used, or `out` holds a curve made with other
            settings.
        MissingFileError: The embedded models are not installed.
    """
    grid = check_lams(lams)
    data = QuestionSet.make(n, seed, n_places)
    pair = pair or ModelPair.embedded()
    # Both models at every λ: a curve reports the divergence at λ=1 too.
    # Without drafts, which go by measured times, equal seeds repeat to the last digit.
    pipeline = RagPipeline(
        pair, data.index(), policy=policy, sampling=sampling, trace="full", speculation="off"
    )
    third = naturalness or NaturalnessModel.embedded()
    settings = _settings(pair, pipeline, third) | {"n": n, "seed": seed, "n_places": n_places}
    folder = CurveFolder.open(out, settings, n) if out is not None else None
    report = progress or (lambda done, total: None)
    rows = []
    for i, lam in enumerate(grid):
        answers = folder.read(lam) if folder else None
        if answers is None:
            said = []
            for batch in _batches(data.questions):
                seeds = [row_seed(seed, question.key) for question in batch]
                said += pipeline.ask_batch([q.text for q in batch], lam, seeds=seeds)
                report(i * n + len(said), len(grid) * n)
            answers = score_answers(data, said, third)
            if folder:
                folder.write(lam, answers)
        report((i + 1) * n, len(grid) * n)
        rows.append(summarise(lam, answers, seed))
    curve = Curve(settings, tuple(rows))
    if folder:
        folder.write_curve(curve)
    return curve


def row_seed(seed: int, key: str) -> int:
    """Seed of a question's sampling noise: equal at every λ, independent between questions.

    One seed for all questions would make their noise common, which no interval would show.

    Args:
        seed: Of the run.
        key: The question's.

    Returns:
        In [0, 2⁶³).
    """
    digest = hashlib.sha256(f"{seed}\n{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _batches(questions: Sequence[Question]) -> Iterator[Sequence[Question]]:
    for start in range(0, len(questions), _STEP):
        yield questions[start : start + _STEP]


def _settings(
    pair: ModelPair, pipeline: RagPipeline, naturalness: NaturalnessModel
) -> dict[str, Json]:
    """What the answers and their scores depend on."""
    sampling, policy = pipeline.sampling, pipeline.policy
    return {
        "dera_rag": __version__,
        "pair": pair.name,
        "reference": _fingerprint(pair.reference),
        "aligned": _fingerprint(pair.aligned),
        "naturalness": _fingerprint(naturalness.model),
        "policy": policy.to_config() if isinstance(policy, ConfigurablePolicy) else policy.name,
        "top_k": pipeline.top_k,
        "temperature": sampling.temperature,
        "sampling": repr(replace(sampling, seed=None)),
    }


def _fingerprint(model: PreTrainedModel) -> str:
    """Tells weights apart by some 64 values of each tensor; all of them could take minutes."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        flat = tensor.detach().flatten()
        some = flat[:: max(1, len(flat) // 64)].float().cpu().numpy()
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode() + some.tobytes())
    return digest.hexdigest()[:16]

"""What each line of the embedded policy should add: hallucination over λ, by signal.

    python evals/fit_policy.py [--n 1400] [--seed 9001] [--lam 0.5,1,1.5,2,3]

Asks questions in *training* wordings about places of the seed (the held-out wordings stay unseen),
answers them at every λ with equal noise, and prints hallucination rate, coverage and naturalness by
the first line of the policy whose signal applies. The numbers in `dera_rag/embedded/policy.yaml`
are read off this table; nothing here writes them.
"""

import argparse
import os
from collections import defaultdict

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from dera_rag import ModelPair, RagPipeline
from dera_rag.evaluation.curve import row_seed
from dera_rag.evaluation.curve_records import ScoredAnswer, summarise
from dera_rag.evaluation.curve_scoring import QuestionSet, score_answers
from dera_rag.evaluation.naturalness import NaturalnessModel
from dera_rag.evaluation.venues import make_places, make_questions

COLUMNS = ("hallucination", "coverage", "abstained", "distance", "kl")


def main() -> None:
    """Ask, group, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1400, help="questions")
    parser.add_argument("--seed", type=int, default=9001, help="of places, questions and noise")
    parser.add_argument("--lam", default="0.5,1,1.5,2,3", help="the grid")
    options = parser.parse_args()
    places = make_places(400, options.seed)
    questions = make_questions(places, options.n, options.seed, split="train")
    data = QuestionSet(tuple(places), tuple(questions))
    pipeline = RagPipeline(ModelPair.embedded(), data.index())
    third = NaturalnessModel.embedded()
    texts = [question.text for question in questions]
    seeds = [row_seed(options.seed, question.key) for question in questions]
    groups: dict[tuple[str, str], list[ScoredAnswer]] = defaultdict(list)
    chosen = [answer.decision for answer in pipeline.ask_batch(texts, "auto", seeds=seeds)]
    lines = pipeline.policy.adjustments
    for lam in [*map(float, options.lam.split(",")), "auto"]:
        answers = score_answers(data, pipeline.ask_batch(texts, lam, seeds=seeds), third)
        for scored, decision in zip(answers, chosen, strict=True):
            applied = [line.because for line in lines if line.applies(decision.signals)]
            for name in ("all", f"kind {scored.kind}", f"+ {(applied or ['base'])[0]}"):
                groups[name, str(lam)].append(scored)
    for name, lam in sorted(groups):
        row = summarise(lam if lam == "auto" else float(lam), groups[name, lam])
        cells = "  ".join(f"{m} {row.metrics[m].value:.3f}" for m in COLUMNS)
        n = row.metrics["hallucination"].n
        print(f"{name:48} λ={lam:5} mean {row.mean_lam:.2f} n={n:5}  {cells}")


if __name__ == "__main__":
    main()

"""What the decode's own signals add to the grounded-ness scorer on answers a pair made itself.

    dera-rag eval run evals/signals.yaml --out RUN    # see below
    python evals/signals.py RUN [--out FILE.json] [--resamples 2000]

RUN is the folder of `dera-rag eval run SUITE.yaml` for a suite of venues with `answers: grid`, one
answer a question and λ, and `signals: full`:

    suite: signals
    answers: grid
    lam: [0, 1, 1.5]
    signals: full
    sampling: {temperature: 1}
    tasks:
      venues: {n: 600, seed: 60129, scorers: [venues_hallucination]}

The exact judge says which answers hallucinate. Three logistic regressions are compared by grouped
cross-validation over places: the scorer as it ships, the scorer with the lexical floor fitted to
these answers, and both with the signals of the decode beside them. Every row is one λ; models are
fitted on all λ together, and how often a λ fails teaches them nothing.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from dera_rag.evaluation.contract import Item
from dera_rag.evaluation.instruments.venues import hallucination
from dera_rag.evaluation.runner.scoring import read_item
from dera_rag.evaluation.scorers.cards import Card, agreement
from dera_rag.evaluation.scorers.folds import grouped_folds
from dera_rag.evaluation.scorers.grounded.floor import lexical_floor
from dera_rag.evaluation.scorers.grounded.ridge import fit_logistic
from dera_rag.evaluation.scorers.grounded.scorer import Grounded
from dera_rag.files import write_atomic

SIGNALS = (
    "lowest log-ratio", "mean log-ratio", "mean KL", "highest KL", "mean entropy",
    "highest entropy", "lowest log p reference", "lowest log p aligned",
)  # fmt: skip
PENALTY, FOLDS, REPEATS = 10.0, 5, 3


def main() -> None:
    """Read, fit, write the card and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--out", type=Path, help="the card, JSON")
    parser.add_argument("--resamples", type=int, default=2000, help="of every interval")
    options = parser.parse_args()
    items = answers(options.run)
    card = made(items, options.resamples)
    if options.out is not None:
        write_atomic(options.out, card.to_json())
    print(card.to_markdown())


def answers(run: Path) -> list[Item]:
    """Every answer of a run at a λ of its own, with its trace."""
    # str.splitlines would also split inside answers that hold U+2028.
    lines = (run / "generations.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    rows = [json.loads(line) for line in lines]
    items = [read_item(row, i) for row in rows for i in range(len(row["answers"]))]
    return [one for one in items if one.signals is not None and one.signals.trace.kl]


def made(items: list[Item], n_resamples: int) -> Card:
    """The card: AUROC at every λ, and what each step gains."""
    labels, scores = hallucination().score(items), Grounded().score(items)
    kept = [
        i for i, (a, b) in enumerate(zip(labels, scores, strict=True))
        if a.value is not None and b.value is not None
    ]  # fmt: skip
    items = [items[i] for i in kept]
    truth = np.asarray([float((labels[i].value or 0.0) > 0) for i in kept])
    supported = np.clip([scores[i].value or 0.0 for i in kept], 1e-6, 1 - 1e-6)
    odds = np.log1p(-supported) - np.log(supported)
    floor = np.asarray([lexical_floor(one.answer, [p.text for p in one.passages]) for one in items])
    lexical = np.c_[odds, floor, np.sign(floor) * np.log1p(np.abs(floor))]
    signals = np.asarray([traced(one) for one in items])
    lams = np.asarray([one.lam for one in items], dtype=float)
    columns = {
        "grounded": odds,
        "fitted here": crossed(lexical, truth, items),
        "signals alone": crossed(signals, truth, items),
        "grounded + signals": crossed(np.c_[odds, signals], truth, items),
        "all": crossed(np.c_[lexical, signals], truth, items),
    }
    rows = []
    for lam in sorted(set(lams.tolist())):
        at = np.flatnonzero(lams == lam)
        sources, found = [items[i].source for i in at], {n: c[at] for n, c in columns.items()}
        for name, beside in (("grounded + signals", "grounded"), ("all", "fitted here")):
            others = (beside, "signals alone")
            rows.append(
                agreement(
                    f"venues λ={lam:g}, {truth[at].mean():.0%} hallucinate: {name}", "auroc",
                    found[name].tolist(), truth[at].tolist(), sources,
                    baselines={("lexical" if n == beside else n): found[n] for n in others},
                    n_resamples=n_resamples,
                )
            )  # fmt: skip
    notes = (
        "Labels are the exact judge's. “lexical” is the shipped scorer for “grounded + signals”, "
        "and the scorer with the floor's counts, fitted on these answers, for “all”.",
        f"Signals: {', '.join(SIGNALS)}. Grouped by place: no model saw the place it is judged on.",
    )
    return Card("grounded and signals", Grounded().version, tuple(rows), notes)


def traced(item: Item) -> list[float]:
    """The numbers of `SIGNALS` of one answer."""
    trace = item.signals.trace  # type: ignore[union-attr]
    ratio = np.asarray(trace.log_ratio)
    return [
        float(x)
        for x in (
            ratio.min(), ratio.mean(), np.mean(trace.kl), np.max(trace.kl),
            np.mean(trace.entropy), np.max(trace.entropy),
            np.min(trace.reference), np.min(trace.aligned),
        )
    ]  # fmt: skip


def crossed(rows: np.ndarray, truth: np.ndarray, items: list[Item]) -> np.ndarray:
    """`[N]` log-odds by models that saw nothing of an answer's place."""
    total = np.zeros(len(truth))
    groups = [f"{one.lam}" for one in items]
    for seed in range(REPEATS):
        folds = grouped_folds([one.source for one in items], FOLDS, seed)
        for k in range(FOLDS):
            train, test = np.flatnonzero(folds != k), folds == k
            model = fit_logistic(
                rows[train], truth[train], [groups[i] for i in train], np.ones(len(train)),
                penalty=PENALTY, direction=np.zeros(rows.shape[1]),
            )  # fmt: skip
            total[test] += model.log_odds(rows[test])
    return total


if __name__ == "__main__":
    main()

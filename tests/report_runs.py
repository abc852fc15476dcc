"""Run folders written by hand: rows whose means can be told by counting."""

import json

from dera_rag.evaluation.runner.manifest import Manifest
from dera_rag.evaluation.runner.storage import dumped

LOWER = {"version": "1", "direction": "lower", "range": [0.0, 1.0]}
HIGHER = {"version": "1", "direction": "higher", "range": [0.0, 1.0]}
NEITHER = {"version": "1", "direction": "neither", "range": [0.0, None]}
# Names that stand for both axes by default, so that a run of them is whole.
SCORERS = {
    "venues_hallucination": LOWER,
    "learned_naturalness": HIGHER,
    "copy_rate": LOWER,
    "venues_abstained": NEITHER | {"range": [0.0, 1.0]},
    "length": NEITHER,
}
CARD = {
    "name": "own",
    "about": "Rows by hand.",
    "licence": "none",
    "split": "all",
    "size": "few",
    "metrics": [],
    "anchors": [{"metric": "slot error", "value": "15.94 %", "system": "TGen", "source": "2019"}],
}


def scored(scores, *, weights=None, unscored=None, failed=None):
    """What a score row says of an answer; a name in `unscored` or `failed` has no value."""
    lacking = dict.fromkeys([*(unscored or {}), *(failed or {})])
    row = {"scores": scores | lacking}
    for name, values in (("weights", weights), ("unscored", unscored), ("failed", failed)):
        if values:
            row[name] = values
    return row


def segments(*steps, end=2.0, tokens=10):
    """A path's answers out of (left end, what a score row says)."""
    lows = [low for low, _ in steps]
    return [
        {"arm": "path", "lo": lo, "hi": hi, "exact": True, "lam": (lo + hi) / 2}
        | answer(tokens)
        | {"row": row}
        for (lo, row), hi in zip(steps, [*lows[1:], end], strict=True)
    ]


def at(lam, row, tokens=10):
    """A grid's answer."""
    return {"arm": "lam", "lam": lam} | answer(tokens) | {"row": row}


def chosen(label, lam, row, tokens=10):
    """A policy's answer."""
    return {"arm": "policy", "policy": label, "lam": lam} | answer(tokens) | {"row": row}


def given(row):
    """An answer that was there already."""
    return {"arm": "given", "text": "so it is", "row": row}


def answer(tokens):
    trace = {"mixture": [-0.5] * tokens}
    return {"text": "so it is", "finish": "stop", "token_count": tokens, "trace": trace}


def question(key, answers, *, source=None, split="test", kind="", answerable=None, text=None):
    """A question with its answers: a list for one seed, seed → list for several.

    A string in place of a list is the error of a question that has no answer.
    """
    record = {"kind": kind} if kind else {}
    if answerable is not None:
        record["answerable"] = answerable
    return {
        "key": key,
        "source": source or key,
        "split": split,
        "text": text or f"What of {key}?",
        "record": record,
        "answers": answers if isinstance(answers, dict) else {0: answers},
    }


def write_run(
    folder,
    sections,
    *,
    answers="path",
    lam=(0, 2),
    scorers=SCORERS,
    batch=2,
    seeds=(0,),
    seconds=4.0,
    **suite,
):
    """A finished run's folder; `sections` is a list of questions, or section → list."""
    if not isinstance(sections, dict):
        sections = {"mine": sections}
    batches = [
        {
            "batch": f"{name}-{start}",
            "section": name,
            "keys": [q["key"] for q in questions[start : start + batch]],
            "questions": questions[start : start + batch],
        }
        for name, questions in sections.items()
        for start in range(0, len(questions), batch)
    ]
    values = {"suite": "by-hand", "answers": answers, "tasks": {}, **suite}
    if answers != "given":
        values |= {"lam": list(lam), "seeds": list(seeds), "pair": "embedded"}
    described = {name: promise | {"name": name, "options": {}} for name, promise in scorers.items()}
    manifest = Manifest(
        suite=values,
        folder=str(folder),
        limit=None,
        models={},
        plan={
            "batches": [{k: b[k] for k in ("batch", "section", "keys")} for b in batches],
            "cards": dict.fromkeys(sections, CARD),
        },
        scorers=dict.fromkeys(sections, described),
        versions={"dera_rag": "0"},
    )
    folder.mkdir(parents=True, exist_ok=True)
    manifest.save(folder)
    rows = {"generations": [], "scores": [], "timings": []}
    for one in batches:
        for asked in one["questions"]:
            for seed in seeds if answers != "given" else (0,):
                _add(rows, one, asked, seed, scorers, manifest.scoring)
        rows["timings"].append(
            {
                "batch": one["batch"],
                "section": one["section"],
                "questions": len(one["keys"]),
                "tokens": 100,
                "generate_s": seconds,
                "score_s": 1.0,
                "peak_mb": 512.0,
            }
        )
    for name, lines in rows.items():
        text = "".join(f"{dumped(row)}\n" for row in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def _add(rows, batch, asked, seed, scorers, scoring):
    answers = asked["answers"][seed]
    head = {"batch": batch["batch"], "section": batch["section"], "key": asked["key"]}
    head |= {"source": asked["source"], "split": asked["split"], "seed": seed}
    generation = head | {
        "question": asked["text"],
        "references": [],
        "record": asked["record"],
        "passages": [],
        "answers": [],
    }
    scoring_head = head | {"scoring": scoring, "kind": asked["record"].get("kind", "")}
    if isinstance(answers, str):
        rows["generations"].append(generation | {"error": answers})
        why = dict.fromkeys(scorers, f"no answer: {answers}")
        row = {"answer": 0, "arm": "failed", "scores": dict.fromkeys(scorers), "failed": why}
        rows["scores"].append(scoring_head | row | {"error": answers})
        return
    generation["answers"] = [{k: v for k, v in a.items() if k != "row"} for a in answers]
    rows["generations"].append(generation)
    for i, one in enumerate(answers):
        kept = {k: one[k] for k in ("arm", "policy", "lam", "lo", "hi") if k in one}
        missing = {n: None for n in scorers if n not in one["row"]["scores"]}
        row = dict(one["row"])
        row["scores"] = row["scores"] | missing
        if missing:
            row["unscored"] = dict.fromkeys(missing, "not said") | row.get("unscored", {})
        rows["scores"].append(scoring_head | {"answer": i} | kept | row)


def lines(folder, name="scores.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]

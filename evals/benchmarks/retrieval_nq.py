"""Recall of BM25, dense and hybrid retrieval on NQ-open questions.

    python evals/benchmarks/retrieval_nq.py [--data DIR] [--model DIR-OR-ID] [--json FILE]

The passages are the gold passages of all questions (Liu et al., TACL 2024; duplicates merged), so
each question has one right passage among them. DIR holds `nq_open_dev.jsonl.gz`; without --data it
is `$DERA_RAG_DATA/nq_open`. --model takes a sentence-transformers model in place of the embedded.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from dataclasses import asdict
from pathlib import Path

from dera_rag.evaluation.statistics import proportion
from dera_rag.retrieval import (
    MODES,
    Chunking,
    Document,
    SentenceTransformerEmbedder,
    StaticEmbedder,
    VectorIndex,
)

AT = (1, 5, 20)
FILE = "nq_open_dev.jsonl.gz"


def read(folder: Path) -> tuple[list[Document], list[tuple[str, str]]]:
    """Passages, and (question, id of its gold passage)."""
    ids: dict[tuple[str, str], str] = {}
    questions = []
    with gzip.open(folder / FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            gold = next(passage for passage in row["ctxs"] if passage["isgold"])
            key = (gold["title"], gold["text"])
            questions.append((row["question"], ids.setdefault(key, f"nq-{len(ids)}")))
    passages = [Document(name, text, {"title": title}) for (title, text), name in ids.items()]
    return passages, questions


def main() -> None:
    """Print a table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("DERA_RAG_DATA")
    parser.add_argument("--data", type=Path, default=Path(default, "nq_open") if default else None)
    parser.add_argument("--model", help="sentence-transformers folder or id; default: embedded")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of the data with --data or set DERA_RAG_DATA")
    model = arguments.model
    embedder = SentenceTransformerEmbedder(model) if model else StaticEmbedder.embedded()
    passages, questions = read(arguments.data)
    # Gold passages are the unit that is counted: they stay whole.
    whole = Chunking(size=max(len(passage.text) for passage in passages), overlap=0)
    index = VectorIndex.build(passages, embedder, corpus="nq_open", chunking=whole)
    results = []
    for mode in MODES:
        found = index.retrieve_batch([question for question, _ in questions], max(AT), mode)
        for at in AT:
            hits = [
                float(gold in [passage.id for passage in best[:at]])
                for best, (_, gold) in zip(found, questions, strict=True)
            ]
            recall = proportion(hits).rounded(4)
            results.append({"mode": mode, "at": at, **asdict(recall)})
            print(
                f"{mode:7} recall@{at:<3} {recall.value:.3f} [{recall.low:.3f}, {recall.high:.3f}]"
            )
    print(f"n = {len(questions)} questions, {len(passages)} passages, embedder {embedder.name}")
    if arguments.json:
        report = {"n": len(questions), "passages": len(passages), "embedder": embedder.name}
        arguments.json.write_text(json.dumps(report | {"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()

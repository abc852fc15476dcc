"""Your own text: index files, save the index, ask it.

The embedded pair knows venue records and little else, and the adaptive policy is fitted to the
embedded corpus: with yours, "auto" is λ=1 and says so.
"""

import tempfile
from pathlib import Path

from dera_rag import ModelPair, RagPipeline, VectorIndex
from dera_rag.retrieval import load_paths

NOTES = {
    "lantern.txt": "- name: The Paper Lantern\n- food: Japanese\n- area: riverside",
    "anchor.md": "- name: The Rusty Anchor\n- type: pub\n- price range: cheap",
}

with tempfile.TemporaryDirectory() as folder:
    for file, text in NOTES.items():
        Path(folder, file).write_text(text, encoding="utf-8")
    index = VectorIndex.build(load_paths([folder]), corpus="my notes")
    index.save(Path(folder, "index"))

    pipeline = RagPipeline(
        ModelPair.embedded(), VectorIndex.load(Path(folder, "index")), meter="venues", top_k=1
    )
    for question in ("What food does The Paper Lantern serve?", "Describe The Rusty Anchor."):
        answer = pipeline.ask(question)
        print(f"{question}\n  {answer.text}")
        print(f"  from {', '.join(answer.citations) or 'no passage'}; {answer.decision.reason}")

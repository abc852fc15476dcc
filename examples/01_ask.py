"""One question to the embedded pipeline at four settings of λ: reference, adaptive, aligned,
beyond.

Run: python examples/01_ask.py ["your question"]
"""

import sys

from dera_rag import RagPipeline

pipeline = RagPipeline.embedded()
place = pipeline.index.retrieve("a pub by the riverside", k=1)[0]
name = place.text.splitlines()[0].removeprefix("- name: ")
question = sys.argv[1] if len(sys.argv) > 1 else f"What is {name} like?"

lams = [0.0, "auto", 1.0, 2.0]
answers = pipeline.ask_batch([question] * len(lams), lams)

print(f"Question: {question}\n")
for passage in answers[0].passages:
    print(f"[{passage.id}] score {passage.score:.2f}\n{passage.text}\n")
for lam, answer in zip(lams, answers, strict=True):
    print(f"λ={lam}: {answer.text}")
    for span in answer.unsupported_spans:
        print(f"    unsupported: {span.text!r} ({span.reason})")
    if lam == "auto":
        print(f"    why: {answer.decision.reason}")

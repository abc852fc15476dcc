"""Any two checkpoints that share a tokenizer: a λ for each prompt, and what both models thought.

Run: python examples/03_your_pair.py REFERENCE ALIGNED   (directories or hub ids; default: the
    embedded pair's)
"""

import sys
from importlib import resources

from dera_rag import DeraDecoder, ModelPair, Sampling

embedded = resources.files("dera_rag") / "embedded" / "pair"
reference, aligned = sys.argv[1:] or (str(embedded / "reference"), str(embedded / "aligned"))
pair = ModelPair.from_pretrained(reference=reference, aligned=aligned, dtype="float32")
decoder = DeraDecoder(pair)

passage = "- name: The Paper Lantern\n- food: Japanese"
prompt = f"{passage}\n\nQuestion: What food does The Paper Lantern serve?\nAnswer:"
lams = [0.0, 0.5, 1.0, 2.0]
answers = decoder.generate(
    [prompt] * len(lams),
    lam=lams,
    sampling=Sampling(temperature=0.0, max_new_tokens=40),
    trace="full",
)
for answer in answers:
    print(f"λ={answer.lam:g} ({answer.finish_reason}): {answer.text.strip()}")

print("\ntoken            log p reference   log p aligned   KL(mixture ‖ reference)")
trace = answers[-1].trace
for token, *numbers in zip(
    answers[-1].token_ids, trace.reference, trace.aligned, trace.kl, strict=True
):
    print(f"{pair.tokenizer.decode([token])!r:16}" + "".join(f"{x:16.3f}" for x in numbers))

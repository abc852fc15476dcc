"""A pair with scripted logits that stands in for one that understands: it knows what to answer.

Random pairs write valid tool calls and valid JSON, but not the right ones. Where a test asks for
the right ones, this pair reads the conversation as it was encoded and prefers the tokens of a
written answer; what a grammar forbids of it, it cannot say.
"""

import json
import re

import torch
from tokenizer_shapes import chatml

from dera_rag.protocols import Branches, LogitPair

TEMPLATE = (
    "{% if tools %}<|im_start|>system\nTools:\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}"
    "<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{% if m.content or not loop.first %}{{ '\\n' }}{% endif %}"
    '<tool_call>\n{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson '
    "}}}\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_JOKE = {"setup": "Why do cats nap?", "punchline": "They are paws-ing."}
_CALLS = [
    (r"magic_function\((\d+)\)", lambda m: ("magic_function", {"input": int(m[1])})),
    (r"magic_function_no_args", lambda m: ("magic_function_no_args", {})),
    (r"a (\w+) greeting", lambda m: ("greeting_generator", {"answer_style": m[1]})),
    (r"weather in ([\w, ]+)\?", lambda m: ("get_weather", {"location": m[1]})),
    (
        r"customer named '(.+?)'",
        lambda m: ("unicode_customer", {"customer_name": m[1], "description": "a company"}),
    ),
    (r"joke about cats", lambda m: ("Joke", _JOKE)),
]


def call_text(name, arguments):
    """A call as the template writes it."""
    written = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{written}\n</tool_call>"


def answer_to(prompt):
    """What one who understands would say."""
    turns = re.findall(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>", prompt, re.S)
    if turns[-1][0] == "tool":
        return "It is done."
    asked = [text for role, text in turns if role == "user"][-1]
    tools = turns[0][1] if turns[0][1].startswith("Tools:") else ""
    for pattern, call in _CALLS:
        found = re.search(pattern, asked)
        if found and tools and call(found)[0] in tools:
            return call_text(*call(found))
    if "joke" in asked:
        joke = _JOKE if "no punchline" not in asked else {"setup": _JOKE["setup"]}
        return json.dumps(joke)
    return "Hello there."


class UnderstandingPair:
    """A `PairBackend`; both branches agree, the aligned one more firmly."""

    name = "understanding"
    max_length = None

    def __init__(self, answer=answer_to, template=TEMPLATE, tokenizer=None):
        self.tokenizer = tokenizer or chatml(template)
        self.chat_template = template
        self.vocab_size = len(self.tokenizer)
        self.stop_ids = frozenset([self.tokenizer.eos_token_id])
        self.answer = answer
        self.prompts = []

    def start(self, prompts, branches):
        return _Session(self, prompts, branches)


class _Session:
    def __init__(self, pair, prompts, branches):
        self.pair, self.rows = pair, []
        for prompt, own in zip(prompts, branches, strict=True):
            text = pair.tokenizer.decode(list(prompt))
            pair.prompts.append(text)
            script = pair.tokenizer(pair.answer(text), add_special_tokens=False)["input_ids"]
            self.rows.append((script, own))
        self.step_count = 0

    def prefill(self):
        return LogitPair(
            self._logits(Branches.REFERENCE, 8.0), self._logits(Branches.ALIGNED, 12.0)
        )

    def step(self, token_ids):
        assert len(token_ids) == len(self.rows)
        self.step_count += 1
        return self.prefill()

    def select(self, rows):
        self.rows = [self.rows[row] for row in rows]

    def _logits(self, branch, height):
        own = [script for script, branches in self.rows if branch in branches]
        if not own:
            return None
        logits = torch.zeros(len(own), self.pair.vocab_size)
        for i, script in enumerate(own):
            at = self.step_count
            logits[i, script[at] if at < len(script) else min(self.pair.stop_ids)] = height
        return logits

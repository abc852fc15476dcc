"""Each key of a suite: its value where it is left out, and how it may be written."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "about": "",
    "lam": [],
    "pair": "embedded",
    "policies": [],
    "sampling": {},
    "seeds": [0],
    "top_k": 3,
    "prompt": None,
    "signals": "auto",
    "max_segments": 256,
    "batch": 8,
    "tuning": 0.5,
    "axes": {},
    "scorers": [],
}

# What a message shows beside a value of another type.
EXAMPLES = {
    "suite": "suite: warranty",
    "about": "about: Our support pages, asked what customers ask.",
    "answers": "answers: path",
    "lam": "lam: [0, 2]",
    "scorers": "scorers: [copy_rate, length]",
    "policies": "policies: [evidence]",
    "sampling": "sampling: {temperature: 1, max_new_tokens: 128}",
    "seeds": "seeds: [0, 1]",
    "top_k": "top_k: 3",
    "prompt": 'prompt: "{passages} {question}"',
    "signals": "signals: auto",
    "max_segments": "max_segments: 256",
    "batch": "batch: 8",
    "tuning": "tuning: 0.5",
    "axes": "axes: {factuality: grounded, naturalness: learned_naturalness}",
    "tasks": "tasks: {mine: {task: own, questions: questions.jsonl, corpus: [documents]}}",
}

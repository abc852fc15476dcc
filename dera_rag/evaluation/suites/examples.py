"""How each key of a suite may be written: what a message shows beside a value that cannot be."""

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

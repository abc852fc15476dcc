"""A run written by hand, with texts that try to break out of a page, as its report shows it."""

import json

from report_runs import at, chosen, given, question, scored, segments, write_run

from dera_rag.evaluation.report import summarise
from dera_rag.evaluation.report.page import render

HOSTILE = "</script><img src=x onerror=alert(1)> <!-- \"quoted\" 'too' & \u2028\u0000 ]]>"
# The first character is two UTF-16 units: offsets count characters.
TEXTS = (
    "🍕 The pub is by the river and cheap.",
    "🍕 The pub is in the city centre and cheap.",
    "🍕 The pub is in the city centre.",
    f"The record says: {HOSTILE}",
)
LOWS = (0.0, 0.25, 0.2501, 1.5)


def page_of(folder, run, other=None):
    """The report of a run as a file."""
    file = folder / "report.html"
    file.write_text(render(run, summarise(run, n_resamples=100), other), encoding="utf-8")
    return file


def path_run(folder, texts=TEXTS, count=7):
    """Paths of four answers, the first wrong; a policy that chose λ=1; one question that failed."""
    return _run(folder, [_asked(i, texts) for i in range(count)], answers="path", lam=(0, 2))


def grid_run(folder, texts=TEXTS):
    """The same answers at λ = 0, ½, 1 and 2."""
    asked = []
    for i in range(2):
        answers = [
            spoken(at(lam, judged(text)), text)
            for lam, text in zip((0, 0.5, 1, 2), texts, strict=True)
        ]
        asked.append(question(f"q{i}", answers))
    return _run(folder, asked, answers="grid", lam=(0, 0.5, 1, 2))


def given_run(folder):
    """Answers that were there already, one of them marked by people."""
    spans = [{"start": 6, "end": 9, "label": "conflict"}]
    asked = [question("q0", [given(scored({})) | {"text": "It is red."}])]
    asked.append(question("q1", [given(scored({})) | {"text": "It is blue."}]))
    asked[0]["record"]["human_spans"], asked[1]["record"]["human_spans"] = spans, []
    return _run(folder, asked, answers="given", scorers={})


def _asked(i, texts):
    text = {0: HOSTILE, 1: "Where is the café?"}.get(i, f"What of place {i}?")
    kind = "odd" if i % 2 else "even"
    more = {"split": "tune" if i < 2 else "test", "kind": kind, "text": text}
    if i == 6:
        return question("q6", "ValueError: too long", **more)
    answers = segments(*((low, judged(text)) for low, text in zip(LOWS, texts, strict=True)))
    answers = [spoken(one, text) for one, text in zip(answers, texts, strict=True)]
    policy = chosen("evidence", 1.0, judged(texts[2]))
    return question(f"q{i}", [*answers, spoken(policy, texts[2])], **more)


def judged(text):
    """What a score row says of an answer: "river" is wrong."""
    wrong = "river" in text
    scores = {"venues_hallucination": float(wrong), "learned_naturalness": len(text) / 500}
    start = text.find("river")
    marks = [[start, start + 5, f"area: {HOSTILE}"]]
    return scored(scores) | ({"spans": {"venues_hallucination": marks}} if wrong else {})


def spoken(answer, text):
    """An answer with its tokens and what both models thought of them."""
    tokens = [part if not i else f" {part}" for i, part in enumerate(text.split(" "))]
    count = len(tokens) + 1
    trace = {
        "reference": [-2.0] * count,
        "aligned": [-1.0 if i % 2 else -3.0 for i in range(count)],
        "kl": [0.25 * (i % 3) for i in range(count)],
    }
    return answer | {"text": text, "tokens": [*tokens, "</s>"], "trace": trace}


def _run(folder, asked, **settings):
    write_run(folder, asked, **settings)
    file = folder / "generations.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
    for row in rows:
        row["passages"] = [["pub <b>", f"The pub is in the centre. {HOSTILE}"]]
        row["references"] = [HOSTILE]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_text(text, encoding="utf-8")
    return folder

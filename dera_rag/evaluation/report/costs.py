"""What a section took, out of `timings.jsonl` and the answers' lengths."""

from __future__ import annotations

import numpy as np

from dera_rag.evaluation.report.findings import Cost
from dera_rag.evaluation.report.runs import SectionRun


def cost(section: SectionRun) -> Cost:
    """Tokens, seconds and memory of a section.

    Args:
        section: The section.
    """
    rows = section.timings
    generated = section.answers != "given"
    # Given answers are copied in a moment, which is no time of generating.
    made = rows if generated else ()
    tokens = sum(int(row.get("tokens", 0)) for row in made)
    generate = sum(float(row.get("generate_s", 0.0)) for row in made)
    questions = sum(int(row.get("questions", 0)) for row in rows)
    answered = [one for q in section.questions for one in q.answered.values()]
    paths = [one for one in answered if one.path]
    notes = []
    if paths:
        notes.append("a path's answers share their beginnings: its seconds are those of all λ")
    if generated and not generate:
        notes.append("no time of generating is stored")
    width = section.lam[-1] - section.lam[0] if section.lam else 0.0
    return Cost(
        questions=questions,
        answers=sum(len(one.lams) for one in answered),
        tokens=int(sum(np.nansum(one.tokens) for one in answered)) or tokens,
        generate_s=generate,
        score_s=sum(float(row.get("score_s", 0.0)) for row in rows),
        tokens_per_s=tokens / generate if generate else None,
        s_per_question=generate / questions if generate and questions else None,
        peak_mb=max((float(row.get("peak_mb", 0.0)) for row in rows), default=0.0),
        segments=float(np.mean([len(one.lows) for one in paths])) if paths else None,
        inexact=float(np.mean([one.inexact / width for one in paths])) if paths else None,
        note="; ".join(notes),
    )

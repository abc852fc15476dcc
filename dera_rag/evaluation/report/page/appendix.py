"""The end of a report: what judged the answers, what the run took, and what it was."""

from __future__ import annotations

import json

from dera_rag.evaluation.report.page.markup import Html, el, number, table
from dera_rag.evaluation.report.page.tables import estimate
from dera_rag.evaluation.report.summary_types import Section, Summary
from dera_rag.evaluation.scorers.cards import Card


def scorers(summary: Summary) -> Html:
    """Every scorer, and the validation of those that have one."""
    rows: dict[tuple[object, ...], list[str]] = {}
    cards: dict[tuple[str, str], Html] = {}
    for section in summary.sections:
        for facts in section.scorers:
            ends = f"[{number(facts.low)}, {number(facts.high)}]".replace("–]", "∞)")
            where = facts.axis or "read beside others"
            validated = "see below" if facts.card else facts.card_note or "no card"
            row = (facts.name, facts.version, facts.direction, ends, where, validated)
            rows.setdefault(row, []).append(section.name)
            if facts.card:
                key = (facts.card.scorer, facts.card.version)
                cards[key] = _card(facts.card, facts.card_note)
    head = ["scorer", "version", "better", "range", "measures", "against people", "sections"]
    listed = ([*row, ", ".join(names)] for row, names in rows.items())
    return el(
        "section",
        el("h2", "Scorers", id="scorers"),
        table("What judged the answers", head, listed, label="Scorers"),
        el("div", cards.values(), class_="cards"),
        aria_labelledby="scorers",
    )


def _card(card: Card, note: str) -> Html:
    """What a scorer is worth, beside baselines that know nothing."""
    names = list(dict.fromkeys(name for one in card.agreements for name in one.baselines))
    rows = [
        [
            one.data,
            one.measure,
            estimate(one.scorer),
            *(estimate(one.baselines.get(name)) for name in names),
            *(estimate(one.gains.get(name), signed=True) for name in names),
        ]
        for one in card.agreements
    ]
    head = ["set", "measure", "scorer", *names, *(f"gain over {name}" for name in names)]
    title = el("h4", f"{card.scorer} ({card.version})")
    notes = [*card.notes, *([note] if note else [])]
    listed = el("ul", (el("li", one) for one in notes), class_="quiet") if notes else None
    shown = table("Agreement with people", head, rows, label=f"Card of {card.scorer}")
    return el("div", title, shown, listed, class_="card")


def cost(summary: Summary) -> Html:
    """What each section took, and how long answers are at each λ."""
    return el(
        "section",
        el("h2", "Cost", id="cost"),
        _took(summary),
        map(_by_arm, summary.sections),
        aria_labelledby="cost",
    )


def _took(summary: Summary) -> Html:
    rows = []
    for section in summary.sections:
        took = section.cost
        rows.append(
            [
                section.name,
                f"{took.answers:,}",
                f"{took.tokens:,}",
                number(took.tokens_per_s),
                number(took.s_per_question),
                number(took.generate_s),
                number(took.score_s),
                number(took.peak_mb),
                number(took.segments),
                "–" if took.inexact is None else f"{took.inexact:.1%}",
                took.note,
            ]
        )
    if summary.run.answers == "given":  # nothing was generated
        rows = [[row[0], row[1], row[6], row[7]] for row in rows]
        head = ["section", "answers", "scoring, s", "most memory, MB"]
        return table("What the run took, all processes added up", head, rows, label="Cost")
    head = [
        "section",
        "answers",
        "tokens",
        "tokens/s",
        "s per question",
        "generating, s",
        "scoring, s",
        "most memory, MB",
        "answers a path",
        "inexact part of λ",
        "",
    ]
    return table("What the run took, all processes added up", head, rows, label="Cost")


def _by_arm(section: Section) -> Html | None:
    """Tokens of an answer at each λ, beside the reference model's."""
    known = [(arm, arm.tokens) for arm in section.arms if arm.tokens is not None]
    if not known:
        return None
    first = known[0][1].value
    rows = [
        [
            arm.name,
            estimate(tokens),
            f"{tokens.value / first:.2f}×" if first else "–",
        ]
        for arm, tokens in known
    ]
    head = ["", "tokens of an answer", f"against {known[0][0].name}"]
    return table(f"{section.name}: cost per λ", head, rows, label=f"Cost per λ of {section.name}")


def manifest(summary: Summary) -> Html:
    """How numbers were made, and the manifest as it is stored."""
    stored = json.dumps(summary.manifest, ensure_ascii=False, indent=1)
    return el(
        "section",
        el("h2", "Manifest and method", id="manifest"),
        el("ul", (el("li", one) for one in summary.method)),
        el(
            "details",
            el("summary", "The manifest as it is stored"),
            el("pre", stored, tabindex=0),
        ),
        aria_labelledby="manifest",
    )

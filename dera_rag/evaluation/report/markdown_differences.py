"""A difference of two runs as Markdown."""

from __future__ import annotations

from dera_rag.evaluation.report.differences import RunDifference, SectionDifference
from dera_rag.evaluation.report.headline import number, shown
from dera_rag.evaluation.report.markdown_tables import p_value, table


def difference_to_markdown(found: RunDifference) -> str:
    """Two runs as one Markdown document."""
    parts = [f"# {found.new} against {found.old}", _settings(found)]
    parts += ["Differences are new − old, paired, 95 %."]
    for section in found.sections:
        parts += [f"## {section.name}", _common(section), _changes(section)]
        parts += [f"- {name}: {why}" for name, why in section.skipped.items()]
    alone = [(found.old, found.only_old), (found.new, found.only_new)]
    parts += [
        f"Without a question in common, {run} alone: {', '.join(names)}."
        for run, names in alone
        if names
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _settings(found: RunDifference) -> str:
    if not found.settings:
        return "Both runs have the same settings."
    lines = [f"- {one.setting}: {one.before} → {one.after}" for one in found.settings]
    return "\n".join(["Settings that differ, old → new:", "", *lines])


def _common(section: SectionDifference) -> str:
    parts = [f"{section.questions} questions in common, seeds {', '.join(map(str, section.seeds))}"]
    counts = [
        (section.only_old, "in the old run alone"),
        (section.only_new, "in the new run alone"),
        (section.changed, "whose text has changed"),
    ]
    parts += [f"{count} {what}" for count, what in counts if count]
    return "; ".join(parts) + "."


def _changes(section: SectionDifference) -> str:
    rows = [
        [
            one.arm,
            one.scorer,
            number(one.before),
            number(one.after),
            shown(one.difference, signed=True),
            str(one.difference.n),
            str(one.lost) if one.lost else "",
            one.test,
            p_value(one.p_holm),
            one.better,
        ]
        for one in section.changes
    ]
    head = ["arm", "scorer", "old", "new", "difference", "n", "lost", "test", "p (Holm)", ""]
    return table(head, rows) or "The runs share no way of answering."

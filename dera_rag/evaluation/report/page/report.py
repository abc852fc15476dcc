"""A run as one HTML file: findings, figures, tables, and every question with a slider over λ.

It loads nothing, from a network or from disk, and reads well without scripts; only the browser of
questions needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

from dera_rag.evaluation.report.page import tables
from dera_rag.evaluation.report.page.appendix import cost, manifest, scorers
from dera_rag.evaluation.report.page.curve_chart import curve_figure, facts_of
from dera_rag.evaluation.report.page.findings import findings
from dera_rag.evaluation.report.page.frontier_chart import frontier_figure
from dera_rag.evaluation.report.page.markup import Html, el, interval, join, number
from dera_rag.evaluation.report.page.packing import Packed, pack
from dera_rag.evaluation.report.page.shell import asset, document
from dera_rag.evaluation.report.summary_types import Arm, Section, Summary

_STYLES = ("base.css", "report.css")
_SCRIPTS = ("slider.js", "data.js", "answer.js", "panel.js", "browse.js")


def render(folder: Path, summary: Summary, other: Path | None = None) -> str:
    """The report as one HTML document.

    Args:
        folder: The run's folder.
        summary: Of that run.
        other: Another run's folder, whose answers stand beside this one's in the browser.

    Raises:
        RunFolderError: The other folder holds no run.
    """
    before = join(
        _top(summary), _navigation(summary), _tasks(summary), map(_section, summary.sections)
    )
    after = join(scorers(summary), cost(summary), manifest(summary))
    styles = [asset(name) for name in _STYLES]
    scripts = [asset(name) for name in _SCRIPTS]
    beside = sum(len(part.encode()) for part in (before, after, *styles, *scripts))
    packed = pack(folder, summary, other, beside=beside)
    inside = el("main", before, _browser(summary, packed), after, class_="page")
    title = f"{summary.run.suite}: factuality and naturalness{_over_lam(summary)}"
    return document(title, inside, styles=styles, scripts=scripts, data=packed.data)


def _over_lam(summary: Summary) -> str:
    return "" if summary.run.answers == "given" else " over λ"


def _top(summary: Summary) -> Html:
    run = summary.run
    lams = ", ".join(f"{x:g}" for x in run.lam)
    facts = {
        "λ": f"every value in [{lams}]" if run.answers == "path" else lams,
        "answers": "as they were given" if run.answers == "given" else "",
        "pair": run.pair,
        "questions": f"{sum(section.questions for section in summary.sections):,}",
        "seeds": ", ".join(map(str, run.seeds)) if run.answers != "given" else "",
        "policies": ", ".join(run.policies),
        "limit": "" if run.limit is None else f"at most {run.limit} questions of each section",
    }
    shown = (el("div", el("dt", k), el("dd", v)) for k, v in facts.items() if v)
    return el(
        "header",
        el("p", f"Evaluation{_over_lam(summary)}", class_="eyebrow"),
        el("h1", run.suite),
        el("p", run.about, class_="lead"),
        el("dl", shown, class_="facts"),
        class_="top",
    )


def _navigation(summary: Summary) -> Html:
    places = [("#tasks", "Tasks")]
    places += [(f"#{tables.anchor(section)}", section.name) for section in summary.sections]
    places += [
        ("#questions-title", "Questions"),
        ("#scorers", "Scorers"),
        ("#cost", "Cost"),
        ("#manifest", "Manifest"),
    ]
    links = (el("li", el("a", name, href=place)) for place, name in places)
    return el("nav", el("ul", links), class_="jump", aria_label="Parts of the report")


def _tasks(summary: Summary) -> Html:
    return el(
        "section",
        el("h2", "Tasks", id="tasks"),
        tables.overview(summary),
        aria_labelledby="tasks",
    )


def _section(section: Section) -> Html:
    name = tables.anchor(section)
    return el(
        "section",
        el("h2", section.name, id=name),
        el("p", section.card.about, class_="about"),
        _tiles(section),
        el("ul", (el("li", one) for one in section.headline), class_="headline"),
        tables.published(section),
        _frontier(section),
        _curves(section),
        el("h3", "Estimates"),
        tables.estimates(section),
        tables.comparisons(section),
        tables.kinds(section),
        findings(section),
        aria_labelledby=name,
    )


def _frontier(section: Section) -> Html | None:
    if section.arms and section.arms[0].kind == "given":
        return None
    inside = join(frontier_figure(section), tables.frontier(section))
    title = el("h3", "Factuality against naturalness")
    return join(title, el("div", inside, class_="beside") if section.frontier else inside)


def _tiles(section: Section) -> Html | None:
    """The two axes at the arms one asks for first: both models alone, the baseline, policies."""
    ends = [arm for arm in section.arms if arm.kind != "lam" or arm.baseline or arm.lam in (0, 1)]
    names = [axis.scorer for axis in section.axes if axis.scorer]
    if not names:
        return None
    return el("div", (_tile(section, arm, names) for arm in ends), class_="tiles")


def _tile(section: Section, arm: Arm, names: Sequence[str]) -> Html:
    """An arm's values as they are, in the units that people know."""
    shown = []
    for name in names:
        found = arm.cells[name].estimate
        left_out = f", {found.n_failed} left out" if found.n_failed else ""
        shown.append(
            el(
                "div",
                el("dt", tables.broken(name), " ", tables.arrow(facts_of(section, name))),
                el("dd", el("span", number(found.value), class_="big")),
                el("dd", f"{interval(found)} n {found.n}{left_out}", class_="quiet"),
            )
        )
    alone = {"λ=0": "reference model alone", "λ=1": "aligned model alone"}
    title = f"policy, mean λ {number(arm.lam)}" if arm.kind == "policy" else alone.get(arm.name)
    return el(
        "div",
        el("h3", arm.name, " ", el("small", title)),
        el("dl", shown),
        class_="tile",
    )


def _curves(section: Section) -> Html | None:
    if not section.curves:
        return None
    return join(
        el("h3", "Every scorer over λ"),
        el(
            "p",
            "Shaded: a band that holds the whole true curve with 95 % confidence. Diamonds: "
            "policies at their mean λ with 95 % intervals. Dotted: the aligned model, λ = 1.",
            class_="quiet",
        ),
        el("div", (curve_figure(section, curve) for curve in section.curves), class_="curves"),
    )


def _browser(summary: Summary, packed: Packed) -> Html:
    judges = {section.name: section.axes[0].scorer for section in summary.sections}
    named = sorted({judge for judge in judges.values() if judge})
    what = " or ".join(named) or "some scorer"
    note = el(
        "p",
        f"An answer is marked where {what} marks a stretch of it, or gives a value nearer to its "
        "worst than to its best. Values in this browser have three significant digits. ",
        packed.left_out or None,
        class_="quiet",
    )
    return Html(Template(asset("questions.html")).substitute(note=note))

"""What a section concludes, as tables: policies, oracle, equal copying, abstaining."""

from __future__ import annotations

from dera_rag.evaluation.report.findings import AgainstFixed, OutcomeRates, PolicyFinding
from dera_rag.evaluation.report.page.markup import Html, el, join, number, table
from dera_rag.evaluation.report.page.risk_chart import risk_figures
from dera_rag.evaluation.report.page.tables import estimate
from dera_rag.evaluation.report.summary_types import Section

_RATES = ("answered", "correct", "wrong", "over_refusal", "unsupported")
_RATE_NAMES = ("answered", "correct", "wrong", "declined though answerable", "answered though not")
_Blocks = list[Html | None]


def findings(section: Section) -> Html:
    """Everything beyond means and differences, each part with why it is missing where it is."""
    return join(policies(section), copying(section), abstention(section))


def policies(section: Section) -> Html | None:
    """What choosing λ for each question is worth."""
    if not section.policies and not section.oracle:
        return None
    inside: _Blocks = [el("h3", "Choosing λ for each question")]
    rows = [row for found in section.policies for row in _policy_rows(found)]
    if rows:
        head = ["policy", "set against", "factuality", "naturalness", "p", ""]
        caption = (
            "Gains of a policy: over the fixed λ that was best on the tuning questions, judged on "
            "the others (90 % intervals, 5 % a side), and over its own values of λ dealt at random "
            "(95 %)."
        )
        inside.append(table(caption, head, rows, label=f"Policies in {section.name}"))
    inside += [
        el("p", f"{found.policy}: {found.reason}", class_="quiet")
        for found in section.policies
        if found.reason
    ]
    inside.append(_oracle(section))
    return join(inside)


def _policy_rows(found: PolicyFinding) -> list[list[object]]:
    rows = [_fixed_row(found, one) for one in found.against_fixed]
    if found.against_random:
        gains = (found.against_random.get(axis) for axis in ("factuality", "naturalness"))
        rows.append(
            [
                found.policy,
                f"random λ of the same mean, {number(found.mean_lam)}",
                *(estimate(gain, signed=True) for gain in gains),
                "",
                "",
            ]
        )
    return rows


def _fixed_row(found: PolicyFinding, one: AgainstFixed) -> list[object]:
    gains = (one.gains.get(axis) for axis in ("factuality", "naturalness"))
    said = "better on both axes" if one.dominates else "not better on both axes"
    return [
        found.policy,
        join(f"λ={one.lam:g}", el("small", f"best by {one.objective} on {found.n_tuning}")),
        *(estimate(gain, signed=True) for gain in gains),
        number(one.p_value),
        el("span", said, class_="better" if one.dominates else None),
    ]


def _oracle(section: Section) -> Html | None:
    if not section.oracle:
        return None
    rows = [[one.objective, estimate(one.gain, signed=True), one.reason] for one in section.oracle]
    caption = (
        "The most that a policy could gain: the best λ of each question over the best fixed λ, "
        "both chosen on one seed and scored on the others."
    )
    return table(caption, ["by", "gain", ""], rows, label=f"Oracle in {section.name}")


def copying(section: Section) -> Html | None:
    """Factuality once both arms copy equally much."""
    if not section.copying:
        why = section.copying_reason
        return el("p", f"No comparison at equal copying: {why}", class_="quiet") if why else None
    rows = [
        [
            one.arm,
            estimate(one.arm_effective),
            estimate(one.baseline_effective),
            estimate(one.difference, signed=True),
            estimate(one.raw, signed=True),
            f"{one.overlap:.0%}",
        ]
        for one in section.copying
    ]
    first = section.copying[0]
    head = ["", "effective", "baseline's", "difference", "difference as it stands", "overlap"]
    caption = (
        f"Factuality against {first.baseline} once both copy equally much by {first.copy_scorer}: "
        "an answer that only copies is faithful to most meters. Where little overlaps, the "
        "comparison extrapolates."
    )
    return join(
        el("h3", "Faithfulness at equal copying"),
        table(caption, head, rows, label=f"Equal copying in {section.name}"),
    )


def abstention(section: Section) -> Html | None:
    """How answers split into right, wrong and declined, and what answering less would buy."""
    found = section.abstention
    inside: _Blocks = [el("h3", "Abstaining")]
    if found.outcomes:
        inside.append(_outcomes(section, found.outcomes))
    elif found.outcomes_reason:
        inside.append(el("p", f"No outcomes: {found.outcomes_reason}", class_="quiet"))
    if found.curves:
        rows = [
            [one.arm, one.confidence, estimate(one.area), estimate(one.excess)]
            for one in found.curves
        ]
        head = ["", "ordered by", "mean risk", "over a perfect order"]
        caption = (
            "Faults among the answers kept while the least confident are dropped, averaged over "
            "all shares kept; lower is better."
        )
        inside.append(risk_figures(section))
        inside.append(table(caption, head, rows, label=f"Risk and coverage in {section.name}"))
    elif found.curves_reason:
        inside.append(el("p", f"No risk–coverage: {found.curves_reason}", class_="quiet"))
    return join(inside) if len(inside) > 1 else None


def _outcomes(section: Section, outcomes: tuple[OutcomeRates, ...]) -> Html:
    rows = [[one.arm, *(estimate(getattr(one, name)) for name in _RATES)] for one in outcomes]
    caption = f"Outcomes; an answer declines where {outcomes[0].abstain_scorer} says so"
    return table(caption, ["", *_RATE_NAMES], rows, label=f"Outcomes in {section.name}")

"""May a change be shipped: conditions on a run against a baseline, for continuous integration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.report.comparing import paired_columns, scores_of
from dera_rag.evaluation.report.gate_names import check_held, scorer_for
from dera_rag.evaluation.report.pairing import Shared, shared_sections
from dera_rag.evaluation.report.runs import load_run
from dera_rag.evaluation.report.tables import Way, find_way
from dera_rag.evaluation.statistics import paired

_CONDITION = re.compile(r"([\w.:/-]+)\s*(?:>=|≥)\s*([-+−]?(?:\d+\.?\d*|\.\d+))")


@dataclass(frozen=True, slots=True)
class Condition:
    """What a run has to hold.

    Attributes:
        name: `factuality`, `naturalness` or a scorer.
        margin: Lowest improvement that passes, in the scorer's units; usually ≤ 0.
    """

    name: str
    margin: float


@dataclass(frozen=True, slots=True)
class GateCheck:
    """A condition in a section.

    Attributes:
        section: Name of the section.
        name: The condition's name.
        scorer: The scorer that stands for it.
        arm: Where it was looked at.
        gate: The verdict with its interval; improvements are positive whatever the direction.
    """

    section: str
    name: str
    scorer: str
    arm: str
    gate: paired.Gate


@dataclass(frozen=True, slots=True)
class GateReport:
    """All conditions.

    Attributes:
        passed: Whether every check passed.
        checks: Section by section.
        sentence: Why, for people.
    """

    passed: bool
    checks: tuple[GateCheck, ...]
    sentence: str


def parse_conditions(text: str) -> tuple[Condition, ...]:
    """Conditions such as `factuality>=-0.01, naturalness>=-0.02`.

    Args:
        text: One or more, with commas between them.

    Raises:
        InvalidValueError: Something else.
    """
    made = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _CONDITION.fullmatch(part)
        if found is None:
            raise InvalidValueError(
                f"no condition: {part!r}",
                hint='an axis or a scorer, >= and a number: "factuality>=-0.01, token_f1>=0"',
            )
        made.append(Condition(found[1], float(found[2].replace("−", "-"))))
    if not made:
        raise InvalidValueError("no conditions", hint='e.g. "factuality>=-0.01"')
    return tuple(made)


def gate(
    folder: str | Path,
    baseline: str | Path,
    conditions: str,
    *,
    at: str | float | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> GateReport:
    """Hold a run against a baseline run on the questions of both.

    Args:
        folder: The run to judge.
        baseline: The run it must not fall behind.
        conditions: As `parse_conditions` reads them. Each has to hold in every section that is
            scored by it.
        at: The arm: a policy's label or a λ that both runs have; None for the run's first policy if
            it has one, else λ=1, or the fixed λ nearest to it.
        n_resamples: R of every interval, ≥ 100.
        seed: Of the resampling.

    Returns:
        Passed where the lower end of the one-sided 95 % paired interval of every improvement is at
        or above its margin. What the baseline scored and this run could not fails.

    Raises:
        MissingFileError: No such folder.
        RunFolderError: One of them holds no finished run.
        InvalidValueError: Nothing in common, a condition that cannot be read or that no section is
            scored by, or no such arm.
    """
    asked = parse_conditions(conditions)
    run, before = load_run(folder), load_run(baseline)
    shared = shared_sections(run, before)
    checks, held = [], set()
    draws = {"n_resamples": n_resamples, "seed": seed}
    for section in shared:
        way = _arm(section, at)
        for condition in asked:
            scorer = scorer_for(section, run.manifest.suite, condition.name)
            if scorer is not None:
                held.add(condition.name)
                checks.append(_check(section, condition, scorer, way, draws))
    check_held([c.name for c in asked if c.name not in held], shared, run.manifest.suite)
    passed = all(check.gate.passed for check in checks)
    return GateReport(passed, tuple(checks), _sentence(checks, shared, passed))


def _arm(shared: Shared, at: str | float | None) -> Way:
    section, other = shared.new.section, shared.old.section
    if "given" in {section.answers, other.answers}:
        if section.answers != other.answers:
            raise InvalidValueError(
                "answers of one run were given and those of the other were generated",
                hint="run one suite twice",
            )
        return Way("given")
    way = find_way(section, section.policies[0] if at is None and section.policies else at)
    if way.kind == "policy" and way.label not in other.policies:
        raise InvalidValueError(
            f"the baseline has no policy {way.label!r}",
            hint=f"it has {list(other.policies) or 'none'}; name an arm of both with --at",
        )
    if way.kind == "lam":
        find_way(other, way.lam)
    return way


def _check(
    shared: Shared, condition: Condition, scorer: str, way: Way, draws: Mapping[str, int]
) -> GateCheck:
    new, old = scores_of(shared.new, way, scorer), scores_of(shared.old, way, scorer)
    columns = paired_columns(new, old)
    # What failed may not vanish behind another seed: such a question is lost as a whole.
    lost = columns.lost > 0
    label = scorer if condition.name == scorer else f"{condition.name} ({scorer})"
    found = paired.gate(
        f"{shared.name}, {way.name}, {label}",
        np.where(lost, np.nan, columns.new).tolist(),
        np.where(lost, old.column()[0], columns.old).tolist(),
        condition.margin,
        shared.new.sources,
        direction=shared.new.section.promises[scorer]["direction"],
        weights=columns.weights.tolist(),
        **draws,
    )
    return GateCheck(shared.name, condition.name, scorer, way.name, found)


def _sentence(checks: list[GateCheck], shared: tuple[Shared, ...], passed: bool) -> str:
    lines = [check.gate.sentence for check in checks]
    for one in shared:
        away = one.only_old + one.changed
        if away:
            lines.append(
                f"{one.name}: {away} questions of the baseline are not in this run and were not "
                "compared"
            )
    failed = sum(not check.gate.passed for check in checks)
    verdict = "passes" if passed else f"fails, {failed} of {len(checks)} conditions do not hold"
    return "\n".join([f"The gate {verdict}.", *lines])

"""The summary of a run: plain frozen records that pages and tables are written from.

Everything is JSON-able by `plain.plain`: NaN becomes null, a tuple a list. Means are over
questions: seeds are averaged within a question first, and intervals (95 % unless said otherwise)
resample whole sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dera_rag.evaluation.contract import Direction
from dera_rag.evaluation.report.findings import (
    Abstention,
    Comparison,
    CopyingFinding,
    Cost,
    Frontier,
    OracleFinding,
    PolicyFinding,
)
from dera_rag.evaluation.scorers.cards import Card
from dera_rag.evaluation.statistics import Estimate
from dera_rag.evaluation.tasks.cards import TaskCard
from dera_rag.types import Json

ArmKind = Literal["lam", "policy", "given"]
AxisName = Literal["factuality", "naturalness"]


@dataclass(frozen=True, slots=True)
class Axis:
    """What measures one of the two axes.

    Attributes:
        name: `factuality` or `naturalness`.
        scorer: The scorer; None where the section has none.
        turned: How its value becomes "higher is better": "" (it is already), `1 − value` where
            the scale has an upper end (that end stands for the 1), or `−value`.
        chosen: `suite` where the suite says so, `default` by the order of `axes.DEFAULTS`.
        reason: Why there is no scorer, or which were passed over for it; "" else.
    """

    name: AxisName
    scorer: str | None
    turned: str = ""
    chosen: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ScorerFacts:
    """A scorer of a section.

    Attributes:
        name: Its name, and the key of `Arm.cells`.
        version: Its version.
        direction: Which way is better.
        low: Lowest possible value; None without a limit.
        high: Highest possible value; None without a limit.
        binary: Whether all values are 0 or 1.
        weighted: Whether answers weigh differently: the mean is then Σ weight·value / Σ weight.
        axis: The axis it measures; "" for none.
        card: Its validation against people; None where no card was found.
        card_note: What to know of the card, as another version; "" for nothing.
    """

    name: str
    version: str
    direction: Direction
    low: float | None
    high: float | None
    binary: bool
    weighted: bool
    axis: str = ""
    card: Card | None = None
    card_note: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One scorer's say on one arm.

    Attributes:
        estimate: Mean over questions, in the scorer's own units; `n` questions, `n_failed`
            questions without a single scored answer.
        scored: Answers (question × seed) with a value.
        unscored: Answers that this scorer cannot score, never counted as 0.
        failed: Answers that are missing or at which the scorer failed, never counted as 0.
        reasons: Why, with how many answers each, the most frequent first; at most five.
    """

    estimate: Estimate
    scored: int
    unscored: int
    failed: int
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Arm:
    """A way of answering: a fixed λ, a policy, or answers that were given.

    Attributes:
        name: `λ=0.5`, the policy's label, or `given`; unique in its section.
        kind: Which of these.
        lam: λ; of a policy the mean of what it chose; None for given answers.
        lam_range: Lowest and highest λ a policy chose; None for the others.
        baseline: Whether comparisons are made against it.
        cells: Scorer → what it says.
        tokens: Mean tokens of an answer; None where none were generated here.
    """

    name: str
    kind: ArmKind
    lam: float | None
    lam_range: tuple[float, float] | None
    baseline: bool
    cells: Mapping[str, Cell]
    tokens: Estimate | None


@dataclass(frozen=True, slots=True)
class CurveBand:
    """A band that holds the whole true curve with 95 % confidence, at K values of λ.

    Attributes:
        lam: K values of λ, ascending.
        values: K means.
        lows: K lower ends; NaN where there are fewer than two sources.
        highs: K upper ends.
        critical: Half width in standard errors; 1.96 would be one point alone.
    """

    lam: tuple[float, ...]
    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    critical: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A scorer's mean over λ, in its own units.

    Attributes:
        scorer: The scorer.
        exact: True for a path: a step function, constant from `lam[i]` to below `lam[i + 1]`. False
            for a grid: points, with nothing known between them.
        lam: Left ends of the steps, or the points, ascending.
        values: Means, as many; NaN where nothing is scored.
        n: Questions scored there, as many.
        end: Where the last step ends; equals the last point of a grid.
        steps: How many steps there were before thinning for display.
        note: How it was thinned and what that changed at most; "" where it was not.
        band: The simultaneous band; None where nothing is scored.
    """

    scorer: str
    exact: bool
    lam: tuple[float, ...]
    values: tuple[float, ...]
    n: tuple[int, ...]
    end: float
    steps: int
    note: str
    band: CurveBand | None


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the suite.

    Attributes:
        name: Its name.
        card: What its task declares, published anchors included.
        questions: How many.
        sources: What they are about; intervals resample these.
        failed: Questions × seeds without an answer.
        failures: Why, with how many each, the most frequent first; at most five.
        seeds: The seeds.
        headline: The main findings as sentences.
        axes: Factuality, then naturalness.
        scorers: In the suite's order.
        arms: Fixed λ ascending, then policies, or given answers.
        curves: One per scorer that scored anything; empty for given answers.
        kinds: Kind of question → arm → scorer → estimate, at the ends of λ, the baseline and the
            policies; empty where there are fewer than two kinds.
        comparisons: Of every other arm with the baseline; empty where there is one arm.
        frontier: None where `frontier_reason` says why.
        frontier_reason: "" where there is a frontier.
        policies: One per policy.
        oracle: One per objective that has an axis; empty for given answers.
        copying: One per arm other than the baseline; empty where `copying_reason` says why.
        copying_reason: "" where there is a comparison.
        abstention: Outcomes, and what answering less would buy.
        cost: What it took.
    """

    name: str
    card: TaskCard
    questions: int
    sources: int
    failed: int
    failures: Mapping[str, int]
    seeds: tuple[int, ...]
    headline: tuple[str, ...]
    axes: tuple[Axis, Axis]
    scorers: tuple[ScorerFacts, ...]
    arms: tuple[Arm, ...]
    curves: tuple[Curve, ...]
    kinds: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    comparisons: tuple[Comparison, ...]
    frontier: Frontier | None
    frontier_reason: str
    policies: tuple[PolicyFinding, ...]
    oracle: tuple[OracleFinding, ...]
    copying: tuple[CopyingFinding, ...]
    copying_reason: str
    abstention: Abstention
    cost: Cost


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What was run.

    Attributes:
        suite: Name of the suite.
        about: What it is for.
        answers: `path`, `grid` or `given`.
        lam: The interval's ends, or the grid; empty for given answers.
        pair: Reference and aligned model, in words; "" for given answers.
        models: What identifies the weights.
        seeds: The seeds.
        policies: Labels.
        tuning: Share of the sources by which settings are chosen.
        limit: Most questions of each section; None for all.
        scoring: Hash of the scorers.
        versions: Of this package, Python and the libraries beneath.
    """

    suite: str
    about: str
    answers: Literal["path", "grid", "given"]
    lam: tuple[float, ...]
    pair: str
    models: Mapping[str, Json]
    seeds: tuple[int, ...]
    policies: tuple[str, ...]
    tuning: float
    limit: int | None
    scoring: str
    versions: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Summary:
    """A run on one page.

    Attributes:
        run: What was run.
        sections: One per section of the suite, in its order.
        manifest: The run's manifest as stored, without the list of batches and without folders.
        method: How the numbers were made, one sentence each.
    """

    run: RunFacts
    sections: tuple[Section, ...]
    manifest: Mapping[str, Json]
    method: tuple[str, ...]

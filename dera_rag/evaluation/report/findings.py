"""What is concluded from a section's answers: comparisons, frontier, policies, copying, abstaining.

Records only; each is filled by the module of its name. What could not be worked out is absent and
has its reason beside it. Axes are read as "higher is better": see `summary_types.Axis`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dera_rag.evaluation.statistics import Estimate

Test = Literal["mcnemar", "sign flip", ""]
Objective = Literal["factuality", "naturalness", "balanced"]
"""What a λ is chosen by; `balanced` is the sum of both axes, each in units of its spread over the
fixed λ on the tuning questions."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm against the baseline on the same questions, by one scorer.

    Attributes:
        arm: Name of the arm.
        baseline: Name of the arm it is set against.
        scorer: The scorer.
        difference: Arm − baseline in the scorer's own units, paired, 95 %.
        better: `better` or `worse` where the adjusted p-value is below 0.05 and the scorer has a
            direction, else "".
        test: The exact McNemar test for outcomes of 0 and 1, else sign flips of whole sources; ""
            where nothing is scored in both.
        p_value: Two-sided; NaN without a test.
        p_holm: Adjusted for all tests of the section's axes, or for all others; NaN without a test.
        only_arm: Answers that are 1 in the arm alone (McNemar), else None.
        only_baseline: Answers that are 1 in the baseline alone (McNemar), else None.
    """

    arm: str
    baseline: str
    scorer: str
    difference: Estimate
    better: str
    test: Test
    p_value: float
    p_holm: float
    only_arm: int | None = None
    only_baseline: int | None = None


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One setting in the plane of both axes, higher is better on each.

    Attributes:
        arm: Its name.
        lam: λ; a policy's mean λ.
        policy: Whether it is a policy.
        factuality: Mean over the questions that every setting has a score for on both axes.
        naturalness: Likewise.
        efficient: Whether no other setting is at least as good on both axes and better on one.
        efficient_share: Share of resamples in which it is efficient.
    """

    arm: str
    lam: float | None
    policy: bool
    factuality: float
    naturalness: float
    efficient: bool
    efficient_share: float


@dataclass(frozen=True, slots=True)
class Frontier:
    """Factuality against naturalness.

    Attributes:
        points: Fixed λ ascending, then policies.
        levels: L levels of factuality, ascending.
        best: L estimates: the highest naturalness to be had at that factuality or more.
        hypervolume_fixed: Area above `reference` that the fixed λ dominate; None without fixed λ.
        hypervolume: The same with the policies among the settings.
        reference: Worst corner (factuality, naturalness).
        comparable: Whether the corner is the same in every run, so that areas may be compared.
        n: Questions in every mean.
        n_failed: Questions left out because some setting has no score.
        note: What a reader has to know; "" for nothing.
    """

    points: tuple[FrontierPoint, ...]
    levels: tuple[float, ...]
    best: tuple[Estimate, ...]
    hypervolume_fixed: Estimate | None
    hypervolume: Estimate
    reference: tuple[float, float]
    comparable: bool
    n: int
    n_failed: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class AgainstFixed:
    """A policy against the fixed λ that was best on the tuning questions, judged on the others.

    Attributes:
        objective: What that λ was best by.
        lam: That λ.
        gains: Axis → policy − fixed on the test questions, paired, two-sided 90 % (5 % a side).
        p_value: Of "no better on some axis" (intersection–union); NaN where there is one axis.
        dominates: Whether the policy is better on both axes, `p_value` < 0.05.
    """

    objective: Objective
    lam: float
    gains: Mapping[str, Estimate]
    p_value: float
    dominates: bool


@dataclass(frozen=True, slots=True)
class PolicyFinding:
    """What choosing λ for each question is worth.

    Attributes:
        policy: The policy's label.
        mean_lam: Mean of the λ it chose.
        against_fixed: One per objective; empty where `reason` says why.
        against_random: Axis → policy − its own values of λ dealt at random, on all questions.
        n_tuning: Questions by which the fixed λ was chosen.
        n_test: Questions on which it was judged.
        reason: Why something is absent; "" for nothing.
    """

    policy: str
    mean_lam: float
    against_fixed: tuple[AgainstFixed, ...]
    against_random: Mapping[str, Estimate]
    n_tuning: int
    n_test: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OracleFinding:
    """The best λ of each question over the best fixed one: a bound for what policies can gain.

    Attributes:
        objective: What λ is chosen by, and in whose units the gain is.
        gain: Oracle − best fixed λ, both chosen on one seed and scored on the others; None where
            `reason` says why.
        reason: Why there is none; "" else.
    """

    objective: Objective
    gain: Estimate | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CopyingFinding:
    """Factuality of an arm and of the baseline once both copy equally much.

    Attributes:
        arm: Name of the arm.
        baseline: Name of the arm it is set against.
        copy_scorer: What measures copying.
        arm_effective: Effective factuality of the arm, higher is better.
        baseline_effective: Of the baseline.
        difference: Arm − baseline at equal copying, paired.
        raw: Arm − baseline as it stands.
        overlap: Share of answers that copy as much as answers of both arms do; near 0 the
            comparison extrapolates.
    """

    arm: str
    baseline: str
    copy_scorer: str
    arm_effective: Estimate
    baseline_effective: Estimate
    difference: Estimate
    raw: Estimate
    overlap: float


@dataclass(frozen=True, slots=True)
class OutcomeRates:
    """How an arm's answers split into right, wrong and declined.

    Attributes:
        arm: Name of the arm.
        abstain_scorer: What says that an answer declines.
        answered: Share of answerable questions answered.
        correct: Share of answerable questions answered without a fault.
        wrong: Share of answerable questions answered with one.
        over_refusal: Share of answerable questions declined.
        unsupported: Share of unanswerable questions answered all the same.
    """

    arm: str
    abstain_scorer: str
    answered: Estimate
    correct: Estimate
    wrong: Estimate
    over_refusal: Estimate
    unsupported: Estimate


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """The faults among answers kept, as the least confident are dropped.

    Attributes:
        arm: Name of the arm.
        confidence: What orders the answers: a scorer, or `mean_log_probability` of the decode.
        coverage: Shares of answers kept, ascending, the last 1; thinned for display.
        risk: Mean loss among them (0 best), as many.
        area: Mean risk over all coverages, lower is better; not thinned.
        excess: `area` − that of a perfect order, ≥ 0.
    """

    arm: str
    confidence: str
    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: Estimate
    excess: Estimate


@dataclass(frozen=True, slots=True)
class Abstention:
    """Abstaining as an axis.

    Attributes:
        outcomes: One per arm; empty where `outcomes_reason` says why.
        curves: One per arm and confidence; empty where `curves_reason` says why.
        outcomes_reason: "" where there are outcomes.
        curves_reason: "" where there are curves.
    """

    outcomes: tuple[OutcomeRates, ...]
    curves: tuple[RiskCurve, ...]
    outcomes_reason: str = ""
    curves_reason: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a section took; apart from this, equal runs have equal summaries.

    Attributes:
        questions: Questions timed.
        answers: Answers scored.
        tokens: Tokens in all answers.
        generate_s: Seconds generating, processes added up.
        score_s: Seconds scoring, likewise.
        tokens_per_s: Of generating; None where no time was measured.
        s_per_question: Seconds generating per question: for a path all its λ together.
        peak_mb: Most memory that one process held, in megabytes.
        segments: Mean number of answers of a path; None for other runs.
        inexact: Share of a path's λ-range, averaged over paths, on which its answer stands in for
            others because `max_segments` was reached; None for other runs.
        note: What a reader has to know; "" for nothing.
    """

    questions: int
    answers: int
    tokens: int
    generate_s: float
    score_s: float
    tokens_per_s: float | None
    s_per_question: float | None
    peak_mb: float
    segments: float | None
    inexact: float | None
    note: str = ""

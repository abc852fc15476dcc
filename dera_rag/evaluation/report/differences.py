"""What changed between two runs: paired by section, question and seed, arm by arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dera_rag.evaluation.report.axes import axes
from dera_rag.evaluation.report.cells import is_binary
from dera_rag.evaluation.report.comparing import by_family, compare, scores_of, verdict
from dera_rag.evaluation.report.findings import Test
from dera_rag.evaluation.report.pairing import Shared, shared_sections, shared_ways
from dera_rag.evaluation.report.runs import load_run
from dera_rag.evaluation.report.settings import SettingChange, changed_settings
from dera_rag.evaluation.statistics import Estimate
from dera_rag.evaluation.statistics.paired import require_holm


@dataclass(frozen=True, slots=True)
class Change:
    """One scorer in one arm of both runs.

    Attributes:
        arm: Name of the arm.
        scorer: The scorer.
        before: Its mean in the old run, over the questions scored in both, and likewise
        after: In the new run.
        difference: New − old in the scorer's own units, paired, 95 %.
        better: `better` or `worse` where the adjusted p-value is below 0.05 and the scorer has a
            direction, else "".
        test: `mcnemar`, `sign flip`, or "" where nothing is scored in both.
        p_value: Two-sided; NaN without a test.
        p_holm: Adjusted for all tests of the axes, or for all others; NaN without a test.
        only_new: Answers that are 1 in the new run alone (McNemar), else None.
        only_old: Answers that are 1 in the old run alone (McNemar), else None.
        lost: Answers scored in the old run alone: what failed may not vanish.
    """

    arm: str
    scorer: str
    before: float
    after: float
    difference: Estimate
    better: str
    test: Test
    p_value: float
    p_holm: float
    only_new: int | None
    only_old: int | None
    lost: int


@dataclass(frozen=True, slots=True)
class SectionDifference:
    """A section of both runs.

    Attributes:
        name: Its name.
        questions: Questions in both.
        only_new: Questions in the new run alone.
        only_old: Questions in the old run alone.
        changed: Questions with one key and two texts, left out.
        seeds: Seeds in both.
        skipped: Scorer → why it is not compared.
        changes: Arm by arm, scorer by scorer; empty where the runs share no arm.
    """

    name: str
    questions: int
    only_new: int
    only_old: int
    changed: int
    seeds: tuple[int, ...]
    skipped: Mapping[str, str]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class RunDifference:
    """Two runs.

    Attributes:
        old: Name of the old run's folder.
        new: Of the new one's.
        settings: What differs in what they were told to do.
        sections: Those with questions in common.
        only_old: Sections with none, of the old run.
        only_new: Likewise of the new one.
    """

    old: str
    new: str
    settings: tuple[SettingChange, ...]
    sections: tuple[SectionDifference, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]


def diff(
    old: str | Path, new: str | Path, *, n_resamples: int = 2000, seed: int = 0
) -> RunDifference:
    """Compare two finished runs.

    Args:
        old: The first run's folder.
        new: The second one's: differences are new − old.
        n_resamples: R of every interval, ≥ 100.
        seed: Of the resampling.

    Raises:
        MissingFileError: No such folder.
        RunFolderError: One of them holds no finished run.
        InvalidValueError: They have no question and seed in common.
        MissingDependencyError: statsmodels is not installed.
    """
    require_holm()
    before, after = load_run(old), load_run(new)
    shared = shared_sections(after, before)
    rows = [(one, _pairs(one, n_resamples, seed)) for one in shared]
    every = [(one, change) for one, pairs in rows for change in pairs]
    primary = [
        change.scorer in {axis.scorer for axis in axes(one.new.section, after.manifest.suite)}
        for one, change in every
    ]
    adjusted = iter(by_family([change.p_value for _, change in every], primary))
    names = {one.name for one in shared}
    return RunDifference(
        old=before.folder.name,
        new=after.folder.name,
        settings=changed_settings(before.manifest, after.manifest),
        sections=tuple(
            SectionDifference(
                name=one.name,
                questions=len(one.new.section.questions),
                only_new=one.only_new,
                only_old=one.only_old,
                changed=one.changed,
                seeds=one.seeds,
                skipped=one.skipped,
                changes=tuple(_adjusted(one, change, next(adjusted)) for change in pairs),
            )
            for one, pairs in rows
        ),
        only_old=tuple(name for name in before.sections if name not in names),
        only_new=tuple(name for name in after.sections if name not in names),
    )


def _pairs(shared: Shared, n_resamples: int, seed: int) -> list[Change]:
    made = []
    for way in shared_ways(shared):
        for scorer in shared.scorers:
            found = compare(
                scores_of(shared.new, way, scorer),
                scores_of(shared.old, way, scorer),
                shared.new.sources,
                binary=is_binary(shared.new, scorer) and is_binary(shared.old, scorer),
                n_resamples=n_resamples,
                seed=seed,
            )
            change = Change(
                arm=way.name,
                scorer=scorer,
                before=found.old_mean,
                after=found.new_mean,
                difference=found.difference,
                better="",
                test=found.test,
                p_value=found.p_value,
                p_holm=found.p_value,
                only_new=found.only_new,
                only_old=found.only_old,
                lost=found.lost,
            )
            made.append(change)
    return made


def _adjusted(shared: Shared, change: Change, p_holm: float) -> Change:
    direction = shared.new.section.promises[change.scorer]["direction"]
    better = verdict(change.difference.value, p_holm, direction)
    return replace(change, p_holm=p_holm, better=better)

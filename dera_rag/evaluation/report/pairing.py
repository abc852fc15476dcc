"""Two runs on the questions they share: one order, the same seeds, the same arms.

Shapes: `N` questions in both, `S` seeds in both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.report.runs import Run, SectionRun
from dera_rag.evaluation.report.tables import Tables, Way, fixed_ways, lam_points


@dataclass(frozen=True, slots=True)
class Shared:
    """A section of two runs.

    Attributes:
        name: Its name.
        new: Tables of the run to judge, the shared questions alone.
        old: Tables of the run it is set against, likewise and in the same order.
        only_new: Questions that the other run lacks.
        only_old: Questions that this run lacks.
        changed: Questions with one key and two texts; they are left out.
        seeds: Seeds in both.
        scorers: Scorers of one version in both, in the new run's order.
        skipped: Scorer → why it is not compared.
    """

    name: str
    new: Tables
    old: Tables
    only_new: int
    only_old: int
    changed: int
    seeds: tuple[int, ...]
    scorers: tuple[str, ...]
    skipped: dict[str, str]


def shared_sections(new: Run, old: Run) -> tuple[Shared, ...]:
    """The sections of two runs that have questions in common.

    Args:
        new: The run to judge.
        old: The run it is set against.

    Raises:
        InvalidValueError: They have nothing in common.
    """
    made = [
        found
        for name, section in new.sections.items()
        if name in old.sections and (found := _shared(section, old.sections[name])) is not None
    ]
    if not made:
        raise InvalidValueError(
            f"{str(new.folder)!r} and {str(old.folder)!r} have no question and seed in common",
            hint=f"their sections are {[*new.sections]} and {[*old.sections]}; run one suite twice",
        )
    return tuple(made)


def _shared(new: SectionRun, old: SectionRun) -> Shared | None:
    before = {question.key: question for question in old.questions}
    both = [q for q in new.questions if q.key in before]
    kept = [q for q in both if q.text == before[q.key].text]
    seeds = tuple(seed for seed in new.seeds if seed in old.seeds)
    if not kept or not seeds:
        return None
    scorers, skipped = _same_scorers(new, old)
    mine = replace(new, questions=tuple(kept), seeds=seeds)
    theirs = replace(old, questions=tuple(before[q.key] for q in kept), seeds=seeds)
    return Shared(
        name=new.name,
        new=Tables(mine),
        old=Tables(theirs),
        only_new=len(new.questions) - len(both),
        only_old=len(old.questions) - len(both),
        changed=len(both) - len(kept),
        seeds=seeds,
        scorers=scorers,
        skipped=skipped,
    )


def _same_scorers(new: SectionRun, old: SectionRun) -> tuple[tuple[str, ...], dict[str, str]]:
    skipped = {}
    for name in dict.fromkeys([*new.scorers, *old.scorers]):
        if name not in old.promises or name not in new.promises:
            skipped[name] = f"scored in the {'new' if name in new.promises else 'old'} run alone"
        elif new.promises[name]["version"] != old.promises[name]["version"]:
            versions = [run.promises[name]["version"] for run in (old, new)]
            skipped[name] = f"versions {versions[0]} and {versions[1]}: `eval rescore` one run"
    return tuple(name for name in new.scorers if name not in skipped), skipped


def shared_ways(shared: Shared) -> list[Way]:
    """Ways of answering that both runs have: fixed λ ascending, then policies; or given answers.

    A path can be asked for any λ within its ends, so a grid's λ pair with it.
    """
    new, old = shared.new.section, shared.old.section
    if "given" in {new.answers, old.answers}:
        return [Way("given")] if new.answers == old.answers else []
    policies = [Way("policy", label=label) for label in new.policies if label in old.policies]
    if new.answers == old.answers == "path":
        low, high = max(new.lam[0], old.lam[0]), min(new.lam[1], old.lam[1])
        points = lam_points(low, high) if low < high else [low] if low == high else []
    else:
        grids = [section.lam for section in (new, old) if section.answers == "grid"]
        points = [lam for lam in grids[0] if _runs(new, lam) and _runs(old, lam)]
    return [*(Way("lam", lam) for lam in points), *policies]


def _runs(section: SectionRun, lam: float) -> bool:
    if section.answers == "path":
        return section.lam[0] <= lam <= section.lam[1]
    return any(way.lam is not None and abs(way.lam - lam) < 1e-9 for way in fixed_ways(section))

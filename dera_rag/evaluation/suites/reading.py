"""Suites out of YAML: values only, every key checked, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

from dera_rag import registry
from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.evaluation.suites.axes import check_axes, read_axes
from dera_rag.evaluation.suites.examples import DEFAULTS, EXAMPLES
from dera_rag.evaluation.suites.policies import read_policies
from dera_rag.evaluation.suites.schema import Answers, Named, PairSource, Section, Signals, Suite
from dera_rag.evaluation.tasks.data import check_choice
from dera_rag.policies.config import Settings, parse
from dera_rag.types import Json, check_lam


def load_suite(path: str | Path) -> Suite:
    """A suite out of a YAML file.

    Raises:
        MissingFileError: No such file.
        InvalidValueError: As `read_suite`.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"no suite {str(path)!r}", hint="name a YAML file")
    values = parse(file.read_text(encoding="utf-8"), file.name)
    return read_suite(values, file.resolve().parent, file.name)


def read_suite(values: Mapping[str, Json], folder: Path, where: str = "suite") -> Suite:
    """A suite out of values.

    Args:
        values: As in the YAML.
        folder: Paths are relative to this, where they exist there.
        where: Names the suite in messages.

    Raises:
        InvalidValueError: An unknown or missing key, with a suggestion, or a value that cannot be.
        UnknownNameError: A task, scorer or policy that is not registered.
        MissingFileError: A file that it names does not exist.
    """
    read = Settings({**deepcopy(DEFAULTS), **values}, where, EXAMPLES)
    read.refuse_others([*DEFAULTS, "suite", "answers", "tasks"])
    answers = _choice(read.take("answers", str), "answers", get_args(Answers), where)
    lam = _lam(read.take("lam", list), answers, where)
    common = read.take("scorers", list)
    suite = Suite(
        name=read.take("suite", str),
        about=read.take("about", str),
        answers=answers,
        lam=lam,
        pair=_pair(read.take("pair", object), where),
        policies=read_policies(read.take("policies", list), answers, folder, where),
        sampling=read.take("sampling", dict),
        seeds=_seeds(read.take("seeds", list), where),
        top_k=_count(read.number("top_k"), "top_k", where),
        prompt=read.take("prompt", object),  # type: ignore[arg-type]
        signals=_choice(read.take("signals", str), "signals", get_args(Signals), where),
        max_segments=_count(read.number("max_segments"), "max_segments", where),
        batch=_count(read.number("batch"), "batch", where),
        tuning=_share(read.number("tuning"), "tuning", where),
        axes=read_axes(read.take("axes", dict), where),
        tasks=_tasks(read.take("tasks", dict), common, where),
        folder=folder,
    )
    _check(suite, where)
    return suite


def _choice(value: str, key: str, allowed: tuple[str, ...], where: str) -> Any:
    check_choice(f"{key} in {where}", value, allowed)
    return value


def _lam(values: list[Json], answers: str, where: str) -> tuple[float, ...]:
    try:
        lam = tuple(check_lam(value) for value in values)  # type: ignore[arg-type]  # it refuses others
    except InvalidValueError as error:
        raise InvalidValueError(f"{where}, lam: {error.message}", hint=error.hint) from error
    if answers == "given":
        if lam:
            raise InvalidValueError(f"{where}: given answers have no `lam`", hint="leave it out")
        return ()
    if sorted(set(lam)) != list(lam):
        raise InvalidValueError(f"{where}: `lam` must ascend, got {list(lam)}")
    if answers == "path" and len(lam) != 2:
        raise InvalidValueError(
            f"{where}: answers: path takes lam: [lowest, highest], got {list(lam)}",
            hint="lam: [0, 2]; for some λ only, answers: grid",
        )
    if not lam:
        raise InvalidValueError(f"{where}: `lam` is missing", hint="lam: [0, 0.5, 1, 1.5, 2]")
    return lam


def _pair(value: object, where: str) -> PairSource:
    if value == "embedded":
        return PairSource()
    if not isinstance(value, Mapping):
        raise InvalidValueError(
            f"{where}: pair must be `embedded` or name two models, got {value!r:.80}",
            hint="pair: {reference: …, aligned: …}",
        )
    read = Settings(value, f"{where}, pair")
    pair = PairSource(
        reference=read.take("reference", str),
        aligned=read.take("aligned", str),
        adapter=read.take("adapter", bool, False),
        dtype=read.take("dtype", object, None),  # type: ignore[arg-type]
        device=read.take("device", object, None),  # type: ignore[arg-type]
    )
    read.finish()
    for key in ("dtype", "device"):
        if not isinstance(getattr(pair, key), (str, type(None))):
            raise InvalidValueError(f"{where}, pair: {key!r} must be a word")
    return pair


def _seeds(values: list[Json], where: str) -> tuple[int, ...]:
    seeds = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
    if not seeds or len(seeds) < len(values) or len(set(seeds)) < len(seeds):
        raise InvalidValueError(
            f"{where}: seeds must be different whole numbers, got {values!r:.80}",
            hint=f"e.g. `{EXAMPLES['seeds']}`",
        )
    return tuple(seeds)


def _count(value: object, key: str, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidValueError(
            f"{where}: {key!r} must be a whole number ≥ 1, got {value!r}",
            hint=f"e.g. `{EXAMPLES[key]}`",
        )
    return value


def _share(value: float, key: str, where: str) -> float:
    if not 0 <= value < 1:
        raise InvalidValueError(
            f"{where}: {key!r} must be in [0, 1), got {value!r}", hint=f"e.g. `{EXAMPLES[key]}`"
        )
    return float(value)


def _tasks(values: dict[str, Json], common: list[Json], where: str) -> tuple[Section, ...]:
    if not values:
        raise InvalidValueError(
            f"{where}: no tasks", hint=f"tasks: {{mine: {{task: {registry.names('tasks')[0]}}}}}"
        )
    return tuple(_section(name, value, common, where) for name, value in values.items())


def _section(name: str, value: Json, common: list[Json], where: str) -> Section:
    here = f"{where}, tasks, {name}"
    if not isinstance(value, dict):
        raise InvalidValueError(f"{here}: expected keys and values, got {value!r:.80}")
    options = dict(value)
    # A section may be named after its task.
    task = options.pop("task", name)
    own = options.pop("scorers", [])
    if not isinstance(task, str) or not isinstance(own, list):
        raise InvalidValueError(f"{here}: `task` is a name and `scorers` a list")
    registry.resolve("tasks", task)
    listed = [_named(scorer, here) for scorer in (*common, *own)]
    return Section(name, Named(task, options), tuple(listed))


def _named(value: Json, where: str) -> Named:
    """`copy_rate`, or `{scorer: perplexity, model: …}`."""
    if isinstance(value, str):
        return Named(value, {})
    if isinstance(value, dict) and isinstance(value.get("scorer"), str):
        options = dict(value)
        return Named(str(options.pop("scorer")), options)
    raise InvalidValueError(
        f"{where}: no scorer: {value!r:.80}",
        hint="a name, or {scorer: name, option: value}",
    )


def _check(suite: Suite, where: str) -> None:
    """What only shows when the parts are put together; no data and no model is read."""
    from dera_rag.decoding.path_requests import check_truncation

    if suite.prompt is not None and not isinstance(suite.prompt, str):
        raise InvalidValueError(
            f"{where}: prompt must be text, got {suite.prompt!r:.80}",
            hint=f"e.g. `{EXAMPLES['prompt']}`",
        )
    if suite.prompt is not None and not all(
        x in suite.prompt for x in ("{passages}", "{question}")
    ):
        raise InvalidValueError(
            f"{where}: prompt needs {{passages}} and {{question}}",
            hint=f"e.g. `{EXAMPLES['prompt']}`",
        )
    sampling = suite.make_sampling()
    if suite.answers == "path":
        check_truncation(sampling)
    check_axes(suite, where)
    for section in suite.tasks:
        section.make_task(suite.folder)
        names = [scorer.scorer(suite.folder).name for scorer in section.scorers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidValueError(
                f"{where}, tasks, {section.name}: scorers listed twice: {twice}",
                hint="a section has the suite's scorers already",
            )

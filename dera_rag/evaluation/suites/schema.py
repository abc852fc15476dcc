"""What a suite says, read and checked: plain values, and the objects they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dera_rag import registry
from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.contract import Scorer
from dera_rag.evaluation.suites.options import check_options
from dera_rag.evaluation.tasks import Task
from dera_rag.types import Json

if TYPE_CHECKING:
    from dera_rag.numerics import Sampling
    from dera_rag.pairs import ModelPair
    from dera_rag.protocols import LambdaPolicy

Answers = Literal["path", "grid", "given"]
Signals = Literal["off", "auto", "full"]


@dataclass(frozen=True, slots=True)
class Named:
    """A registry entry with the options a suite sets.

    Attributes:
        name: Registry name.
        options: Keyword arguments, as the suite writes them.
    """

    name: str
    options: Mapping[str, Json]

    def scorer(self, folder: Path = Path()) -> Scorer:
        """The scorer; no model is loaded.

        Args:
            folder: Paths in its options are relative to this, where they exist there.

        Raises:
            UnknownNameError: No scorer of this name.
            InvalidValueError: An option it does not have, or refuses.
        """
        make = registry.resolve("scorers", self.name)
        check_options(make, self.options, f"scorer {self.name!r}")
        made = make(**_placed(make, self.options, folder))
        if not isinstance(made, Scorer):
            raise InvalidValueError(f"{self.name!r} makes {made!r:.80}, which is no scorer")
        return made

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {"name": self.name, "options": dict(self.options)}


@dataclass(frozen=True, slots=True)
class Section:
    """One task of a suite.

    Attributes:
        name: The section's own name.
        task: The task.
        scorers: What judges its answers: the suite's, the task's and the section's.
    """

    name: str
    task: Named
    scorers: tuple[Named, ...]

    def make_task(self, folder: Path) -> Task:
        """The task; its data is not read.

        Args:
            folder: Paths in its options are relative to this, where they exist there.

        Raises:
            UnknownNameError: No task of this name.
            InvalidValueError: An option it does not have, or refuses.
            MissingFileError: A file it names does not exist.
        """
        make = registry.resolve("tasks", self.task.name)
        where = f"task {self.name!r}"
        check_options(make, self.task.options, where)
        made = make(**_placed(make, self.task.options, folder))
        if not isinstance(made, Task):
            raise InvalidValueError(f"{where}: {made!r:.80} is no task")
        return made


@dataclass(frozen=True, slots=True)
class PairSource:
    """Where the two models come from; without models the embedded pair.

    Attributes:
        reference: Folder or hub id of the model at λ=0; "" for the embedded pair.
        aligned: Folder or hub id of the model at λ=1, or of a LoRA adapter of the reference.
        adapter: Whether `aligned` is an adapter.
        dtype: Of the weights; None for the checkpoints' own.
        device: Where they run; None for a GPU if there is one.
    """

    reference: str = ""
    aligned: str = ""
    adapter: bool = False
    dtype: str | None = None
    device: str | None = None

    @property
    def embedded(self) -> bool:
        """Whether it is the pair that ships with the package."""
        return not self.reference

    def load(self, folder: Path) -> ModelPair:
        """Load the pair.

        Args:
            folder: Paths are relative to this, where they exist there.

        Raises:
            DeraRagError: As `ModelPair.from_pretrained`.
        """
        from dera_rag.pairs import ModelPair

        if self.embedded:
            return ModelPair.embedded()
        first, second = (_below(folder, name) for name in (self.reference, self.aligned))
        make = ModelPair.from_adapter if self.adapter else ModelPair.from_pretrained
        return make(first, second, dtype=self.dtype, device=self.device)

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {
            "reference": self.reference or "embedded",
            "aligned": self.aligned or "embedded",
            "adapter": self.adapter,
            "dtype": self.dtype,
            "device": self.device,
        }


@dataclass(frozen=True, slots=True)
class Suite:
    """What to evaluate.

    Attributes:
        name: Its name.
        about: What it is for, in a sentence.
        answers: `path` (every answer over an interval of λ), `grid` (at some λ, with common noise)
            or `given` (answers that are there already; no model runs).
        lam: The interval's ends, or the grid, ascending; empty for given answers.
        pair: The models.
        policies: Label → policy as values, judged beside the fixed λ.
        sampling: As `numerics.Sampling` takes it, the seed left aside.
        seeds: One answer a question and seed.
        top_k: Passages a retriever finds for a question.
        prompt: A prompt with `{passages}` and `{question}`; None for the pair's.
        signals: What is kept of each token: `full` has both models, KL and entropy everywhere;
            `auto` what costs nothing beside the decode; `off` nothing.
        max_segments: Most answers of one path.
        batch: Questions a batch, which is the unit that is rerun whole.
        tuning: Share of the sources by which settings may be chosen; the rest is held out.
        axes: `factuality` and `naturalness` → names of the scorers that a report takes for it, the
            first that judges a section; answers do not depend on it.
        tasks: The sections.
        folder: Where the suite's file lies; its paths are relative to this.
    """

    name: str
    about: str
    answers: Answers
    lam: tuple[float, ...]
    pair: PairSource
    policies: Mapping[str, Mapping[str, Json]]
    sampling: Mapping[str, Json]
    seeds: tuple[int, ...]
    top_k: int
    prompt: str | None
    signals: Signals
    max_segments: int
    batch: int
    tuning: float
    axes: Mapping[str, tuple[str, ...]]
    tasks: tuple[Section, ...]
    folder: Path

    def make_sampling(self) -> Sampling:
        """The sampling, without a seed.

        Raises:
            InvalidValueError: An unknown setting, or a value out of range.
        """
        from dera_rag.numerics import Sampling

        check_options(Sampling, self.sampling, "sampling", without=("seed",))
        settings: dict[str, Any] = dict(self.sampling)
        return Sampling(**settings)

    def make_policies(self) -> dict[str, LambdaPolicy]:
        """The policies by label.

        Raises:
            InvalidValueError: Values that a policy refuses.
        """
        from dera_rag.policies import from_config

        return {label: from_config(values) for label, values in self.policies.items()}

    def generation(self) -> dict[str, Json]:
        """Everything that answers depend on, data and weights aside."""
        return {
            "answers": self.answers,
            "lam": list(self.lam),
            "pair": self.pair.to_dict(),
            "policies": {label: dict(values) for label, values in self.policies.items()},
            "sampling": dict(self.sampling),
            "seeds": list(self.seeds),
            "top_k": self.top_k,
            "prompt": self.prompt,
            "signals": self.signals,
            "max_segments": self.max_segments,
        }


def _placed(make: Any, options: Mapping[str, Json], folder: Path) -> dict[str, Any]:
    """Options, those that the maker's `paths` lists made relative to a folder."""
    paths = getattr(make, "paths", ())
    return {
        name: _below(folder, value) if name in paths else value for name, value in options.items()
    }


def _below(folder: Path, value: Any) -> Any:
    """A path, or a list of them, made relative to a folder where it exists there."""
    if isinstance(value, list):
        return [_below(folder, one) for one in value]
    if isinstance(value, str) and value and (folder / value).exists():
        return str(folder / value)
    return value

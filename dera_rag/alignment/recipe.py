"""The whole recipe of the embedded pair, from public data to a folder of checkpoints.

Stages: tokenizer → reference (supervised on answers with people's faults) → faithful (that
reference trained on, on the faultless among such answers) → aligned (policy gradient from there,
with its KL term against the reference) → naturalness (a third model on rows the pair never saw). A
finished stage is kept and skipped when the recipe is run again.

The faithful stage is the objective's own limit: the maximum of E[r] − β·KL(π ‖ π_ref) is
π_ref·exp(r/β) up to a constant, which for small β is the reference given that nothing is wrong, and
answers drawn as the reference's were, kept when their reward is full, are samples of it. What the
model still gets wrong in its own words is left to policy gradient.
"""

from __future__ import annotations

import hashlib
import json
import logging
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from dera_rag.alignment import parallel
from dera_rag.alignment.batching import collate
from dera_rag.alignment.examples import ExampleMaker, Group
from dera_rag.alignment.human_rows import HumanRow, read_e2e
from dera_rag.alignment.policy_gradient import Alignment, StepReport, Task, align
from dera_rag.alignment.reward import faithfulness
from dera_rag.alignment.sequences import encode_groups, encode_texts
from dera_rag.alignment.supervised import Schedule, Shape, new_model, token_losses, train
from dera_rag.alignment.tokenizer import train_tokenizer
from dera_rag.files import replace_directory, write_atomic

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the supervised training.

    Attributes:
        human_passes: Times each human row is used, with new names and neighbours each time.
        contexts: Prompts whose questions the grammar answers.
        per_context: Questions that share a prompt.
        schedule: Length and rates.
    """

    human_passes: int
    contexts: int
    per_context: int
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every setting of the embedded pair; its model card says how the shipped weights came about.

    Attributes:
        vocab_size: Entries of the tokenizer.
        shape: Size of both models of the pair.
        phases: Supervised training of the reference, one after the other.
        faithful: Its supervised training on faultless answers.
        alignment: Policy gradient.
        aligned_prompts: Questions, of every kind alike, that policy gradient draws from.
        third_shape: Size of the naturalness model.
        third_passes: Times each of its human rows is used.
        third_schedule: Its training.
        third_written: Written answers among its rows.
        limit: Human rows read at most; 0 reads all.
        seed: Fixes every draw.
    """

    vocab_size: int = 2560
    shape: Shape = field(default_factory=Shape)
    phases: tuple[Phase, ...] = (Phase(1, 36_000, 4, Schedule(binding_weight=0.5)),)
    faithful: Phase = Phase(1, 18_000, 4, Schedule(muon_lr=0.006, adam_lr=1e-3, binding_weight=0.5))
    alignment: Alignment = field(default_factory=lambda: Alignment(lr=2e-4, steps=700))
    aligned_prompts: int = 14_000
    third_shape: Shape = field(
        default_factory=lambda: Shape(hidden=160, layers=3, heads=4, inner=432, context=512)
    )
    third_passes: int = 4
    third_schedule: Schedule = field(
        default_factory=lambda: Schedule(batch_tokens=8192, prompt_weight=0.0)
    )
    third_written: int = 6000
    limit: int = 0
    seed: int = 0


SMOKE = Recipe(
    vocab_size=400,
    shape=Shape(hidden=32, layers=2, heads=2, inner=64),
    phases=(
        Phase(1, 20, 1, Schedule(batch_tokens=1024)),
        Phase(1, 10, 4, Schedule(batch_tokens=1024, binding_weight=0.5)),
    ),
    faithful=Phase(1, 10, 4, Schedule(batch_tokens=1024, binding_weight=0.5)),
    alignment=Alignment(steps=2, prompts=4, samples=2, max_new_tokens=12),
    aligned_prompts=28,
    third_shape=Shape(hidden=32, layers=1, heads=2, inner=64),
    third_passes=1,
    third_schedule=Schedule(batch_tokens=2048, prompt_weight=0.0),
    third_written=20,
    limit=80,
)
"""Minutes become seconds; for tests."""


def fold_of(row: HumanRow) -> str:
    """`pair`, or `third` for the quarter of the records that only the naturalness model reads.

    By hash of the whole record, so that all texts about one record fall on one side.
    """
    digest = hashlib.sha256(repr(sorted(row.record.items())).encode()).digest()
    return "third" if digest[0] % 4 == 3 else "pair"


def make_pair(out: str | Path, e2e: str | Path | None = None, recipe: Recipe | None = None) -> Path:
    """Train tokenizer, reference, aligned and naturalness model.

    Args:
        out: Folder for `reference`, `faithful`, `aligned`, `naturalness` and `recipe.json`;
            finished stages in it are kept.
        e2e: Directory with the E2E NLG files; None loads the public data set by name.
        recipe: Settings; None takes the defaults.

    Returns:
        The folder.
    """
    recipe = recipe or Recipe()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    rows = read_e2e(e2e)
    if recipe.limit:
        rows = rows[: recipe.limit]
    mine = [row for row in rows if fold_of(row) == "pair"]
    _stage(out / "reference", lambda: _reference(mine, recipe))
    _stage(out / "faithful", lambda: _faithful(out / "reference", mine, recipe))
    _stage(out / "aligned", lambda: _aligned(out, mine, recipe))
    third = [row for row in rows if fold_of(row) == "third"]
    _stage(out / "naturalness", lambda: _naturalness(third, read_e2e(e2e, "dev"), recipe))
    write_atomic(out / "recipe.json", json.dumps(asdict(recipe), indent=2) + "\n")
    return out


Saver = Callable[[Path], None]


def _stage(folder: Path, make: Callable[[], Saver]) -> None:
    """Make a folder whole or not at all; one that is there is kept."""
    if folder.exists():
        logger.info("%s is there already: kept", folder.name)
        return
    save = make()
    if parallel.rank() == 0:
        with replace_directory(folder) as fresh:
            save(fresh)
    parallel.wait()


def _save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Half-precision safetensors: training keeps float32, eleven bits are enough to decode."""
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerBase]:
    """A model of the recipe in float32 with its tokenizer."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    return model, PreTrainedTokenizerFast.from_pretrained(folder)


def _supervised(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    groups: Sequence[Group],
    phase: Phase,
    seed: int,
) -> None:
    encoded = encode_groups(tokenizer, groups)
    pad = tokenizer.pad_token_id
    loss = train(model, encoded, pad=pad, schedule=phase.schedule, seed=seed)
    logger.info("answer loss %.3f nats a token", loss)


def _groups(rows: Sequence[HumanRow], phase: Phase, seed: int) -> list[Group]:
    groups: list[Group] = []
    for number in range(phase.human_passes):
        groups += ExampleMaker(rows, seed=seed + 1 + number).human(phase.per_context)
    maker = ExampleMaker(rows, seed=seed + 1 + phase.human_passes)
    return groups + list(maker.written(phase.contexts, phase.per_context))


def _reference(rows: Sequence[HumanRow], recipe: Recipe) -> Saver:
    first = _groups(rows, recipe.phases[0], recipe.seed)
    examples = [e for group in first for e in group.examples]
    texts = (text for e in examples[::3] for text in (e.prompt, f" {e.answer}"))
    tokenizer = train_tokenizer(texts, recipe.vocab_size)
    model = new_model(tokenizer, recipe.shape, recipe.seed)
    for number, phase in enumerate(recipe.phases):
        seed = recipe.seed + 10 * number
        groups = _groups(rows, phase, seed) if number else first
        _supervised(model, tokenizer, groups, phase, seed)
    return lambda folder: _save(model, tokenizer, folder)


def faultless(groups: Sequence[Group]) -> list[Group]:
    """Of each group the examples whose answer has the full reward; groups without any are left out.

    Args:
        groups: Groups with answers.
    """
    kept = (
        tuple(e for e in group.examples if faithfulness(e, e.answer, finished=True) == 0)
        for group in groups
    )
    return [Group(examples) for examples in kept if examples]


def _faithful(reference: Path, rows: Sequence[HumanRow], recipe: Recipe) -> Saver:
    model, tokenizer = load(reference)
    seed = recipe.seed + 50
    groups = faultless(_groups(rows, recipe.faithful, seed))
    _supervised(model, tokenizer, groups, recipe.faithful, seed)
    return lambda folder: _save(model, tokenizer, folder)


def _aligned(out: Path, rows: Sequence[HumanRow], recipe: Recipe) -> Saver:
    model, tokenizer = load(out / "reference")
    start, _ = load(out / "faithful")
    maker = ExampleMaker(rows, seed=recipe.seed + 100)
    groups = list(maker.written(recipe.aligned_prompts))
    reports: list[StepReport] = []
    policy = align(
        model,
        tokenizer,
        Task([group.examples[0] for group in groups], lambda example: example.prompt, faithfulness),
        recipe.alignment,
        seed=recipe.seed,
        start=start,
        on_step=reports.append,
    )

    def save(folder: Path) -> None:
        _save(policy, tokenizer, folder)
        lines = (json.dumps(asdict(report)) for report in reports)
        (folder / "training.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return save


def _naturalness(rows: Sequence[HumanRow], dev: Sequence[HumanRow], recipe: Recipe) -> Saver:
    seed = recipe.seed + 200
    texts = [
        _answer(group)
        for number in range(recipe.third_passes)
        for group in ExampleMaker(rows, seed=seed + number).human()
    ]
    written = ExampleMaker(rows, seed=seed + 50).written(recipe.third_written)
    texts += [_answer(group) for group in written]
    tokenizer = train_tokenizer(texts, recipe.vocab_size)
    model = new_model(tokenizer, recipe.third_shape, seed)
    pad = tokenizer.pad_token_id
    encoded = encode_texts(tokenizer, texts)
    train(model, encoded, pad=pad, schedule=recipe.third_schedule, seed=seed)
    held_out = [_answer(group) for group in ExampleMaker(dev[:2000], seed=seed + 99).human()]
    values = mean_log_likelihoods(model, tokenizer, held_out)
    calibration = {
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values),
        "n": len(values),
    }

    def save(folder: Path) -> None:
        _save(model, tokenizer, folder)
        (folder / "calibration.json").write_text(json.dumps(calibration), encoding="utf-8")

    return save


def _answer(group: Group) -> str:
    return group.examples[0].answer


@torch.inference_mode()
def mean_log_likelihoods(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]
) -> list[float]:
    """Log-likelihood per token of each text, END included, in nats."""
    values: list[float] = []
    encoded = encode_texts(tokenizer, texts)
    for start in range(0, len(encoded), 64):
        batch = collate(encoded[start : start + 64], tokenizer.pad_token_id, 0.0)
        weight = batch.weight
        values += (-(token_losses(model, batch) * weight).sum(1) / weight.sum(1)).tolist()
    return values

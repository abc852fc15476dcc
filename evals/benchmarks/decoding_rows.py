"""The rows of the decoding benchmark: what runs, and the ratios that are read off."""

from __future__ import annotations

import functools
import itertools
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from decoding_systems import EMBEDDED, Bench, answer, make_bench, notebook, one_model, ours

from dera_rag import Sampling

NINE = tuple(i / 4 for i in range(9))
# A temperature at which nothing that is written can be guessed.
_HOT = 8
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Scale:
    """How much is run.

    Attributes:
        rounds: Measured rounds; every system runs once in each, in turn.
        new: Tokens of an answer.
        lengths: Prompt lengths.
        questions: Real questions.
        batch: Rows of the batch.
    """

    rounds: int
    new: int
    lengths: tuple[int, ...]
    questions: int
    batch: int


FULL = Scale(5, 64, (512, 1024), 100, 32)
QUICK = Scale(2, 16, (128,), 6, 8)


@dataclass
class Row:
    """One measured row.

    Attributes:
        what: The row of the table.
        shape: The pair.
        dtype: Of all systems.
        setting: Prompt length, λ, temperature, in words.
        rounds: Measured rounds.
        seconds: Median CPU and wall seconds of each system.
        ratios: What the row is judged by.
        to_reach: For a ratio, (limit, "≥" or "≤").
        notes: Figures without a limit, or why something is missing.
    """

    what: str
    shape: str
    dtype: str
    setting: str
    rounds: int = 1
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    to_reach: dict[str, tuple[float, str]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def time(self, systems: Mapping[str, Callable[[], Any]], rounds: int) -> None:
        """Measure the row's systems."""
        self.seconds, self.rounds = measure(systems, rounds), rounds

    def compare(self, name: str, over: str, under: str, limit: float, sense: str) -> None:
        """Add the ratio of two systems' CPU times, and what it has to reach."""
        below = self.seconds[under]["cpu"]
        self.ratios[name] = self.seconds[over]["cpu"] / below if below else math.nan
        self.to_reach[name] = limit, sense

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def measure(systems: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Median CPU and wall seconds; systems take turns, after one round that is not counted.

    Who runs after whom changes from round to round: what one leaves in caches and memory made two
    equal systems differ by 4 % when their order was fixed.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in systems}
    names = list(systems)
    for turn in range(rounds + 1):
        shift = turn % len(names)
        order = names[shift:] + names[:shift]
        for name in order[::-1] if turn % 2 else order:
            wall, cpu = time.perf_counter(), time.process_time()
            systems[name]()
            cost = time.process_time() - cpu, time.perf_counter() - wall
            if turn:
                taken[name].append(cost)
    return {
        name: {
            "cpu": statistics.median(cpu for cpu, _ in costs),
            "wall": statistics.median(wall for _, wall in costs),
        }
        for name, costs in taken.items()
    }


def _few(scale: Scale) -> int:
    """Rounds of what takes long."""
    return (scale.rounds + 1) // 2


def rows(shape: str, dtype: str, scale: Scale) -> Iterator[Row]:
    """All rows of one pair and dtype."""
    bench = make_bench(shape, dtype, ends=False)
    for length in scale.lengths:
        # The answer has to fit behind the prompt.
        size = min(length, bench.longest - scale.new)
        yield from one_answer(bench, scale, size)
        yield first_token(bench, scale, size)
        if bench.shape != EMBEDDED:
            # What the embedded pair computes with is lost in the allocator's noise.
            yield memory(bench, size)
    yield nine(bench, scale)
    yield batch(bench, scale)
    yield guessed(bench, scale)
    if bench.shape == EMBEDDED:
        real = make_bench(shape, dtype, ends=True)
        yield speculation(real, scale)
        yield whole_path(real, scale)
    yield defeated(bench, scale)


def one_answer(bench: Bench, scale: Scale, length: int) -> Iterator[Row]:
    """One answer without speculation, over λ and temperature."""
    prompt = bench.random_prompts(1, length)[0]
    decoder, new = ours(bench), scale.new
    packed = bench.dtype == "bfloat16"
    for lam, heat in ((0.6, 0.0), (1.5, 1.0)):
        row = Row("one answer", bench.shape, bench.dtype, f"prompt {length}, λ {lam}, T {heat:g}")

        def step_systems(count: int, lam: float = lam, heat: float = heat) -> dict[str, Any]:
            return {
                "N": lambda: notebook(bench, prompt, lam, count, heat),
                "G": lambda: one_model(bench, prompt, count, heat),
                "G′": _fresh(bench, answer(decoder, prompt, 1.0, count, heat)),
                "P": _fresh(bench, answer(decoder, prompt, lam, count, heat)),
            }

        row.time(step_systems(new), scale.rounds)
        first = measure(step_systems(1), scale.rounds)
        row.notes["ms a token (CPU)"] = {
            name: 1000 * (row.seconds[name]["cpu"] - first[name]["cpu"]) / (new - 1)
            for name in row.seconds
        }
        row.compare("N / P", "N", "P", 2.2 if packed else 1.6, "≥")
        if packed:
            row.compare("P / G", "P", "G", 1.0, "≤")
        tokens = row.notes["ms a token (CPU)"]
        row.notes["N / P by token"] = tokens["N"] / tokens["P"]
        row.notes["P / G by token"] = tokens["P"] / tokens["G"]
        row.notes["P / G"] = row.seconds["P"]["cpu"] / row.seconds["G"]["cpu"]
        yield row


def first_token(bench: Bench, scale: Scale, length: int) -> Row:
    """The first token, cold, and of a second question on the same passages."""
    row = Row("first token", bench.shape, bench.dtype, f"prompt {length}")
    prompt = bench.random_prompts(1, length)[0]
    decoder = ours(bench)
    asked = iter(bench.random_prompts(2 * scale.rounds + 8, 24, seed=1))

    def second() -> int:
        return answer(decoder, [*prompt[:-24], *next(asked)], 0.6, 1, 0.0)()

    cold = _fresh(bench, answer(decoder, prompt, 0.6, 1, 0.0))
    row.time(
        {"N": lambda: notebook(bench, prompt, 0.6, 1, 0.0), "first": cold, "second": second},
        scale.rounds,
    )
    row.compare("N / first", "N", "first", 1.1, "≥")
    row.compare("N / second", "N", "second", 5.0, "≥")
    return row


def nine(bench: Bench, scale: Scale) -> Row:
    """Nine λ's of one prompt."""
    length = min(scale.lengths[0], bench.longest - scale.new)
    row = Row("nine λ's", bench.shape, bench.dtype, f"prompt {length}, λ 0…2")
    prompt = bench.random_prompts(1, length)[0]
    decoder, new = ours(bench), scale.new
    row.time(
        {
            "nine N": lambda: [notebook(bench, prompt, lam, new, 0.0) for lam in NINE],
            "G": lambda: one_model(bench, prompt, new, 0.0),
            "P": _fresh(bench, answer(decoder, [prompt] * 9, list(NINE), new, 0.0)),
        },
        _few(scale),
    )
    row.compare("nine N / P", "nine N", "P", 10, "≥")
    row.compare("P / G", "P", "G", 2, "≤")
    return row


def batch(bench: Bench, scale: Scale) -> Row:
    """Different prompts decoded together."""
    length = min(scale.lengths[0], bench.longest - scale.new)
    row = Row(f"batch {scale.batch}", bench.shape, bench.dtype, f"prompt {length}, λ 0.6")
    prompts = bench.random_prompts(scale.batch, length)
    decoder, new = ours(bench), scale.new

    def systems(count: int) -> dict[str, Callable[[], Any]]:
        return {
            "N": lambda: notebook(bench, prompts[0], 0.6, count, 0.0),
            "P": _fresh(bench, answer(decoder, prompts, 0.6, count, 0.0)),
        }

    row.time(systems(new), _few(scale))
    first = measure(systems(1), 1)
    steps = {name: row.seconds[name]["cpu"] - first[name]["cpu"] for name in row.seconds}
    row.ratios["tokens/s over N"] = scale.batch * steps["N"] / steps["P"]
    row.to_reach["tokens/s over N"] = 8, "≥"
    row.notes["with prompts"] = scale.batch * row.seconds["N"]["cpu"] / row.seconds["P"]["cpu"]
    return row


def speculation(bench: Bench, scale: Scale) -> Row:
    """Answers to real questions, with drafts."""
    row = Row("speculation", bench.shape, bench.dtype, f"{scale.questions} questions, λ 0.6, T 0")
    prompts = bench.questions(scale.questions)
    plain_decoder, drafting = ours(bench), ours(bench, speculation="auto")

    def each(decoder: Any) -> Callable[[], None]:
        runs = [answer(decoder, prompt, 0.6, 64, 0.0) for prompt in prompts]
        return lambda: [run() for run in runs] and None

    def new_decoder() -> None:
        # A decoder that has answered these questions before would draft its own answers.
        each(ours(bench, speculation="auto"))()

    row.time(
        {
            "N": lambda: [notebook(bench, p, 0.6, 64, 0.0) for p in prompts],
            "G": lambda: [one_model(bench, p, 64, 0.0) for p in prompts],
            "P": _fresh(bench, each(plain_decoder)),
            "S": _fresh(bench, new_decoder),
        },
        _few(scale),
    )
    each(drafting)()
    row.compare("N / S", "N", "S", 2.5, "≥")
    row.compare("S / G", "S", "G", 1.0, "≤")
    row.ratios["tokens a step"] = drafting.statistics.tokens_per_step
    row.to_reach["tokens a step"] = 1.3, "≥"
    return row


def guessed(bench: Bench, scale: Scale) -> Row:
    """Answers that no text has, drafted by the pair's weight average in 8 bits.

    Making the average, which happens once, is not counted; that it reads each prompt is.
    """
    length = min(scale.lengths[0], bench.longest - scale.new)
    row = Row("int8 drafts", bench.shape, bench.dtype, f"prompt {length}, λ 0.6, T 1")
    prompts = bench.random_prompts(3, length)
    plain_decoder = ours(bench)
    drafting = ours(bench, speculation="auto", int8_drafts=True)
    seeds = itertools.count()

    def each(run: Callable[[list[int], int], Any]) -> None:
        for prompt in prompts:
            # Seeds of their own: an answer given in an earlier round would be a perfect draft.
            run(prompt, next(seeds))

    def decoded(decoder: Any) -> Callable[[], None]:
        return lambda: each(
            lambda prompt, seed: answer(decoder, prompt, 0.6, scale.new, 1.0, seed=seed)()
        )

    row.time(
        {
            "N": lambda: each(lambda prompt, _: notebook(bench, prompt, 0.6, scale.new, 1.0)),
            "G": lambda: each(lambda prompt, _: one_model(bench, prompt, scale.new, 1.0)),
            "P": _fresh(bench, decoded(plain_decoder)),
            "S": _fresh(bench, decoded(drafting)),
        },
        _few(scale),
    )
    row.compare("N / S", "N", "S", 2.5, "≥")
    row.compare("S / G", "S", "G", 1.0, "≤")
    done = drafting.statistics
    row.notes["tokens a step"] = done.tokens_per_step
    row.notes["drafted, accepted"] = f"{done.drafted}, {done.accepted}"
    return row


def defeated(bench: Bench, scale: Scale) -> Row:
    """Drafts on text that cannot be guessed: so hot that tokens are nearly drawn at random.

    Where one occurs in the prompt or in an earlier answer, a draft is found, and is wrong.
    """
    length = min(scale.lengths[0], bench.longest - scale.new)
    row = Row(
        "speculation, defeated", bench.shape, bench.dtype, f"prompt {length}, λ 1.5, T {_HOT}"
    )
    prompts = bench.random_prompts(3, length)
    plain_decoder, drafting = ours(bench), ours(bench, speculation="auto")
    seeds = itertools.count()

    def each(decoder: Any) -> None:
        for prompt in prompts:
            # Seeds of their own: an answer given in an earlier round would be a perfect draft.
            answer(decoder, prompt, 1.5, scale.new, _HOT, seed=next(seeds))()

    row.time(
        {
            "P": _fresh(bench, functools.partial(each, plain_decoder)),
            "S": _fresh(bench, functools.partial(each, drafting)),
        },
        scale.rounds,
    )
    row.compare("P / S", "P", "S", 0.97, "≥")
    done = drafting.statistics
    row.notes["tokens a step"] = done.tokens_per_step
    row.notes["drafted, accepted"] = f"{done.drafted}, {done.accepted}"
    return row


def whole_path(bench: Bench, scale: Scale) -> Row:
    """The whole path over λ ∈ [0, 2], question by question."""
    row = Row("whole path", bench.shape, bench.dtype, f"{scale.questions} questions, λ∈[0, 2], T 0")
    decoder = ours(bench)
    sampling = Sampling(temperature=0.0, max_new_tokens=64)
    shares, segments = [], []
    for prompt in bench.questions(scale.questions):
        found: list[int] = []

        def path(prompt: list[int] = prompt, found: list[int] = found) -> None:
            found.append(len(decoder.path(prompt, (0.0, 2.0), sampling).segments))

        taken = measure(
            {
                "P": _fresh(bench, answer(decoder, prompt, 0.6, 64, 0.0)),
                "path": _fresh(bench, path),
            },
            _few(scale),
        )
        shares.append(taken["path"]["cpu"] / taken["P"]["cpu"])
        segments.append(found[-1])
    row.rounds = _few(scale)
    row.ratios["path / P, p50"] = statistics.median(shares)
    row.to_reach["path / P, p50"] = 2.5, "≤"
    row.notes["path / P, p90"] = sorted(shares)[math.ceil(0.9 * len(shares)) - 1]
    row.notes["segments, p50"] = statistics.median(segments)
    row.notes["segments, p90"] = sorted(segments)[math.ceil(0.9 * len(segments)) - 1]
    return row


def memory(bench: Bench, length: int) -> Row:
    """Peak memory beyond weights, keys and values."""
    row = Row("memory", bench.shape, bench.dtype, f"prompt {length}")
    found = {}
    for system in ("N", "P"):
        command = [sys.executable, str(_HERE / "decoding_memory.py"), bench.shape, bench.dtype]
        done = subprocess.run(
            [*command, str(length), system], check=True, capture_output=True, text=True
        )
        found[system] = json.loads(done.stdout)
    if None in found.values():
        row.notes["MB"] = "not available: needs Linux"
        return row
    row.notes["MB"] = {name: value / 1e6 for name, value in found.items()}
    row.ratios["P / N"] = found["P"] / found["N"]
    row.to_reach["P / N"] = 0.35, "≤"
    return row


def _fresh(bench: Bench, run: Callable[[], Any]) -> Callable[[], Any]:
    """A run that finds no prompt of an earlier round in the prefix cache."""

    def start() -> Any:
        bench.pair.forget_prefixes()
        return run()

    return start

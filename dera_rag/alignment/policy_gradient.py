"""KL-regularised alignment on the model's own samples.

Maximises E[r(x, y)] − β·KL(π ‖ π_ref) (Liu et al. 2024, §2) by REINFORCE with a leave-one-out
baseline (Ahmadian et al. 2024): `samples` answers are drawn per prompt, and an answer's advantage
is its return r − β·log(π/π_ref) minus the mean return of the others. On-policy, because plain DPO
on the reference's own samples spreads probability over junk and hallucinates more beyond λ=1.
"""

from __future__ import annotations

import copy
import itertools
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from dera_rag.alignment import parallel
from dera_rag.alignment.batching import collate
from dera_rag.alignment.sequences import Tokens
from dera_rag.alignment.supervised import token_losses
from dera_rag.decoding import DeraDecoder
from dera_rag.errors import DivergedError
from dera_rag.numerics import Sampling
from dera_rag.pairs import ModelPair

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Task(Generic[Item]):
    """What to align for.

    Attributes:
        items: What prompts and rewards are made from; drawn without replacement until used up.
        prompt: Item → the prompt.
        reward: (item, answer text, whether the model ended it itself) → reward, higher is better.
    """

    items: Sequence[Item]
    prompt: Callable[[Item], str]
    reward: Callable[[Item, str, bool], float]


@dataclass(frozen=True, slots=True)
class Alignment:
    """How to align.

    Attributes:
        beta: KL strength β of the objective, nats; smaller moves further from the reference.
        lr: Peak learning rate of AdamW.
        steps: Gradient steps.
        prompts: Prompts a step, over all processes.
        samples: Answers a prompt, ≥ 2.
        max_new_tokens: Longest answer; an unfinished one is the reward's to punish.
        warmup: Steps with a rising rate; then constant, then linear decay over the last fifth.
    """

    beta: float = 0.05
    lr: float = 1e-4
    steps: int = 300
    prompts: int = 24
    samples: int = 4
    max_new_tokens: int = 96
    warmup: int = 10


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step saw: mean reward, mean log(π/π_ref) per answer in nats, mean length in tokens."""

    step: int
    reward: float
    kl: float
    length: float


def sample(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
) -> list[list[int]]:
    """One answer per prompt at temperature 1, END included where it was reached.

    Finished answers leave the batch and equal prompts are read once, which takes a third of the
    time of `model.generate`. Seeds are drawn from torch's generator.
    """
    pair = ModelPair(model, model, tokenizer, name="policy")
    seeds = torch.randint(2**62, (len(prompts),)).tolist()
    sampling = Sampling(temperature=1.0, max_new_tokens=max_new_tokens, seed=seeds)
    decoder = DeraDecoder(pair, batch_size=len(prompts))
    answers = decoder.generate([list(p) for p in prompts], 1.0, sampling, trace="off")
    return [list(answer.token_ids) for answer in answers]


def _sequence(prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> Tokens:
    """A prompt read once for all its answers, which do not see each other."""
    ids, kinds, starts = list(prompt[:-1]), "p" * (len(prompt) - 1), []
    for answer in answers:
        # Each part begins with the prompt's last token, from which its first one is predicted.
        starts.append(len(ids))
        ids += [prompt[-1], *answer]
        kinds += "-" + "a" * len(answer)
    return Tokens(tuple(ids), kinds, tuple(starts))


def _log_prob(model: LlamaForCausalLM, batch: Sequence[Tokens], pad: int) -> torch.Tensor:
    """Log-probability of each answer, one sequence's after the other's, `[B]`."""
    losses = token_losses(model, collate(batch, pad, prompt_weight=0.0))
    return torch.stack(
        [
            -losses[row, start : end - 1].sum()
            for row, sequence in enumerate(batch)
            for start, end in itertools.pairwise([*sequence.starts, len(sequence.ids)])
        ]
    )


def _advantages(returns: torch.Tensor, samples: int) -> torch.Tensor:
    """Return minus the mean return of the prompt's other answers, `[B]`."""
    groups = returns.view(-1, samples)
    others = (groups.sum(1, keepdim=True) - groups) / (samples - 1)
    return (groups - others).flatten()


def align(
    reference: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    task: Task[Item],
    settings: Alignment,
    *,
    seed: int,
    start: LlamaForCausalLM | None = None,
    on_step: Callable[[StepReport], None] | None = None,
) -> LlamaForCausalLM:
    """A model aligned under a KL penalty against the reference.

    Args:
        reference: The model to stay close to; not changed.
        tokenizer: Its tokenizer.
        task: Prompts and their reward.
        settings: β, rates, sizes.
        seed: Fixes draws and samples.
        start: Where to begin; None begins at the reference. Not changed.
        on_step: Called with each step's report.

    Returns:
        The aligned model.

    Raises:
        DivergedError: The loss became NaN or infinite.
    """
    # Processes draw the same prompts, take their share of them and sample with noise of their own.
    torch.manual_seed(seed * 1000 + parallel.rank())
    rng = random.Random(seed)
    policy = copy.deepcopy(start or reference)
    policy.train()
    policy.requires_grad_()
    optimizer = torch.optim.AdamW(
        policy.parameters(), lr=settings.lr, betas=(0.9, 0.95), weight_decay=0.0
    )
    queue: list[Item] = []
    started = time.monotonic()
    for step in range(settings.steps):
        if len(queue) < settings.prompts:
            queue = rng.sample(list(task.items), len(task.items))
        chosen = [queue.pop() for _ in range(settings.prompts)]
        chosen = chosen[parallel.rank() :: parallel.world()]
        chosen.sort(key=lambda item: len(task.prompt(item)))
        seen = _step(policy, reference, tokenizer, chosen, task=task, settings=settings)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * min(
                (step + 1) / settings.warmup, 1.0, (settings.steps - step) / (settings.steps / 5)
            )
        parallel.average_gradients(policy)
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        report = StepReport(step, *parallel.average(torch.tensor(seen)).tolist())
        if on_step is not None:
            on_step(report)
        if step % 10 == 0:
            spent = time.monotonic() - started
            logger.info(
                "step %d/%d  reward %.3f  KL %.2f  length %.1f  %.0f s, %.0f s left",
                step,
                settings.steps,
                report.reward,
                report.kl,
                report.length,
                spent,
                spent / (step + 1) * (settings.steps - step - 1),
            )
    policy.eval()
    return policy


def _step(
    policy: LlamaForCausalLM,
    reference: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    chosen: Sequence[Item],
    *,
    task: Task[Item],
    settings: Alignment,
) -> tuple[float, float, float]:
    """Sample, score and accumulate the gradient; mean reward, KL and length."""
    rows = [item for item in chosen for _ in range(settings.samples)]
    prompts = [tokenizer(task.prompt(item))["input_ids"] for item in rows]
    policy.eval()
    answers = sample(policy, tokenizer, prompts, settings.max_new_tokens)
    policy.train()
    texts = tokenizer.batch_decode(answers, skip_special_tokens=True)
    end = tokenizer.eos_token_id
    rewards = torch.tensor(
        [
            task.reward(item, text.strip(), ids[-1] == end)
            for item, text, ids in zip(rows, texts, answers, strict=True)
        ]
    )
    batch = [
        _sequence(prompts[start], answers[start : start + settings.samples])
        for start in range(0, len(rows), settings.samples)
    ]
    pad = tokenizer.pad_token_id
    log_prob = _log_prob(policy, batch, pad)
    with torch.inference_mode():
        log_ratio = log_prob.detach() - _log_prob(reference, batch, pad)
    advantages = _advantages(rewards - settings.beta * log_ratio, settings.samples)
    loss = -(advantages * log_prob).mean()
    if not bool(torch.isfinite(loss.detach())):
        raise DivergedError(f"the loss became {loss.item()}", hint="lower the learning rate")
    loss.backward()
    length = sum(map(len, answers)) / len(answers)
    return float(rewards.mean()), float(log_ratio.mean()), length

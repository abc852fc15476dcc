"""Supervised training, policy gradient and the whole recipe at a size that takes seconds."""

import json
import math
import random
import subprocess
import sys

import pytest
import torch
from e2e_rows import write_e2e

from dera_rag.alignment.batching import batches, collate
from dera_rag.alignment.examples import ExampleMaker
from dera_rag.alignment.human_rows import read_e2e
from dera_rag.alignment.policy_gradient import Alignment, Task, _advantages, align, sample
from dera_rag.alignment.recipe import SMOKE, faultless, fold_of, make_pair
from dera_rag.alignment.reward import faithfulness
from dera_rag.alignment.sequences import encode_groups, encode_texts, one_answer
from dera_rag.alignment.supervised import Schedule, Shape, new_model, token_losses, train
from dera_rag.alignment.tokenizer import END, train_tokenizer
from dera_rag.errors import MissingFileError

TINY = Shape(hidden=32, layers=1, heads=2, inner=64)


def letters(text: str) -> float:
    return float(sum(c.isascii() and c.isalpha() for c in text))


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(
        ["- name: a\n- food: b\n\nQuestion: say x or y?\nAnswer: x y z"] * 20, 300
    )


def test_a_bullets_label_is_one_token_and_text_survives(tokenizer):
    text = "- name: Café Ünal's\n- food: £5\n\nQuestion: say x?\nAnswer: <|endoftext|x"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert "- name:" in [tokenizer.decode([i]) for i in ids]
    assert tokenizer.convert_tokens_to_ids(END) not in ids


def test_a_text_alone_is_led_and_ended_by_end(tokenizer):
    (text,) = encode_texts(tokenizer, ["x y"])
    assert text.ids[0] == text.ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(text.ids[1:-1]) == "x y"
    assert text.kinds == "p" + "a" * (len(text.ids) - 1)


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    rows = read_e2e(write_e2e(tmp_path_factory.mktemp("e2e")))
    maker = ExampleMaker(rows, seed=2, places=20)
    return [*maker.human(3), *maker.written(10, 4)]


def test_a_groups_parts_are_the_examples_as_the_decoder_sees_them(tokenizer, groups):
    for group, sequence in zip(groups, encode_groups(tokenizer, groups), strict=True):
        shared = list(sequence.ids[: sequence.starts[0]])
        ends = [*sequence.starts[1:], len(sequence.ids)]
        for example, start, end in zip(group.examples, sequence.starts, ends, strict=True):
            prompt = tokenizer(example.prompt)["input_ids"]
            answer = tokenizer(f" {example.answer}")["input_ids"]
            part = list(sequence.ids[start:end])
            assert shared + part == [*prompt, *answer, tokenizer.eos_token_id]


def test_a_groups_losses_are_those_of_its_examples_apart(tokenizer, groups):
    model = new_model(tokenizer, TINY, 0).eval()
    for group, sequence in zip(groups[-3:], encode_groups(tokenizer, groups[-3:]), strict=True):
        together = collate([sequence], 1, 0.0)
        got = token_losses(model, together)[together.weight == 1]
        want = []
        for example in group.examples:
            prompt = tokenizer(example.prompt)["input_ids"]
            answer = tokenizer(f" {example.answer}")["input_ids"]
            alone = collate([one_answer(prompt, [*answer, tokenizer.eos_token_id])], 1, 0.0)
            want.append(token_losses(model, alone)[alone.weight == 1])
        torch.testing.assert_close(got, torch.cat(want), atol=2e-2, rtol=0)


def test_batches_hold_every_example_once_within_the_budget():
    rng = random.Random(0)
    examples = [one_answer([1], range(rng.randint(2, 30))) for _ in range(100)]
    made = list(batches(examples, 64, rng))
    assert sorted(len(e.ids) for b in made for e in b) == sorted(len(e.ids) for e in examples)
    assert all(max(len(e.ids) for e in b) * len(b) <= 64 for b in made if len(b) > 1)


def test_weights_count_answer_tokens_once_prompt_tokens_little_and_padding_never():
    batch = collate([one_answer([5, 6], [7, 8]), one_answer([5], [6])], pad=0, prompt_weight=0.25)
    assert batch.ids.tolist() == [[5, 6, 7, 8], [5, 6, 0, 0]]
    # Row 0 predicts 6 (prompt), 7 and 8 (answer); row 1 predicts 6 (answer) and padding.
    assert batch.weight.tolist() == [[0.25, 1.0, 1.0], [1.0, 0.0, 0.0]]


def test_padding_does_not_change_a_rows_loss(tokenizer):
    model = new_model(tokenizer, TINY, 0).eval()
    alone = collate([one_answer([5], [6, 7])], 1, 0.0)
    padded = collate([one_answer([5], [6, 7]), one_answer([0], range(1, 9))], 1, 0.0)
    torch.testing.assert_close(
        token_losses(model, alone)[0], token_losses(model, padded)[0, :2], atol=2e-2, rtol=0
    )


def test_training_learns_a_copy_rule(tokenizer):
    end = tokenizer.eos_token_id
    ids = {c: tokenizer(c)["input_ids"] for c in "xyz"}
    examples = [one_answer([end, *ids[c]], [*ids[c], end]) for c in "xyz" for _ in range(60)]
    model = new_model(tokenizer, TINY, 0)
    schedule = Schedule(batch_tokens=256, epochs=60)
    loss = train(model, examples, pad=tokenizer.pad_token_id, schedule=schedule, seed=0)
    assert loss < 0.2


def test_leave_one_out_advantages_by_hand():
    got = _advantages(torch.tensor([1.0, 2.0, 6.0, 0.0, 0.0, 3.0]), samples=3)
    assert got.tolist() == [-3.0, -1.5, 4.5, -1.5, -1.5, 3.0]


def test_policy_gradient_raises_the_reward_and_leaves_the_reference_alone(tokenizer):
    torch.manual_seed(0)
    reference = new_model(tokenizer, TINY, 0).eval()
    before = {k: v.clone() for k, v in reference.state_dict().items()}
    reports = []
    aligned = align(
        reference,
        tokenizer,
        Task(["say x", "x or y", "say y"], str, lambda item, text, finished: letters(text)),
        Alignment(beta=0.0, lr=3e-3, steps=40, prompts=3, samples=8, max_new_tokens=4, warmup=1),
        seed=0,
        on_step=reports.append,
    )
    early = sum(r.reward for r in reports[:5])
    late = sum(r.reward for r in reports[-5:])
    assert late > 1.3 * early
    assert reports[-1].kl > reports[0].kl
    assert reports[0].kl == pytest.approx(0.0, abs=1e-4)
    for key, value in reference.state_dict().items():
        assert torch.equal(value, before[key])
    prompts = [tokenizer("say x")["input_ids"]] * 32
    counts = [
        sum(map(letters, tokenizer.batch_decode(sample(model, tokenizer, prompts, 4))))
        for model in (reference, aligned)
    ]
    assert counts[1] > 1.5 * counts[0]


def test_a_strong_kl_term_keeps_the_policy_near(tokenizer):
    reference = new_model(tokenizer, TINY, 0).eval()
    ends = {}
    for beta in (0.0, 5.0):
        reports = []
        align(
            reference,
            tokenizer,
            Task(["say x"], str, lambda item, text, finished: letters(text)),
            Alignment(beta, lr=3e-3, steps=30, prompts=1, samples=16, max_new_tokens=4, warmup=1),
            seed=0,
            on_step=reports.append,
        )
        ends[beta] = sum(r.kl for r in reports[-5:]) / 5
    assert ends[5.0] < 0.5 * ends[0.0]


def test_the_folds_share_no_record_and_split_about_one_to_three(data_dir):
    rows = read_e2e(data_dir / "e2e")
    third = [r for r in rows if fold_of(r) == "third"]
    assert 0.2 < len(third) / len(rows) < 0.3
    records = {tuple(sorted(r.record.items())) for r in third}
    assert not any(tuple(sorted(r.record.items())) in records for r in rows if fold_of(r) == "pair")


def test_the_recipe_makes_a_loadable_pair_and_keeps_finished_stages(tmp_path):
    from dera_rag import DeraDecoder, ModelPair, Sampling

    e2e = write_e2e(tmp_path / "e2e")
    out = make_pair(tmp_path / "out", e2e, SMOKE)
    stamp = (out / "reference" / "model.safetensors").stat().st_mtime_ns
    make_pair(out, e2e, SMOKE)
    assert (out / "reference" / "model.safetensors").stat().st_mtime_ns == stamp
    pair = ModelPair.from_pretrained(reference=out / "reference", aligned=out / "aligned")
    answer = DeraDecoder(pair).generate("Answer:", 0.5, Sampling(max_new_tokens=4, seed=1))
    assert 1 <= len(answer.token_ids) <= 4
    calibration = json.loads((out / "naturalness" / "calibration.json").read_text())
    assert calibration["mean"] < 0 < calibration["sd"]
    assert math.isfinite(calibration["sd"])
    assert calibration["n"] > 50


def test_only_answers_with_the_full_reward_are_learnt_from_as_faultless(tmp_path):
    rows = read_e2e(write_e2e(tmp_path / "e2e"))
    groups = list(ExampleMaker(rows, seed=1).written(60, 4))
    kept = faultless(groups)
    wanted = [
        (e.prompt, e.answer)
        for group in groups
        for e in group.examples
        if faithfulness(e, e.answer, finished=True) == 0
    ]
    assert [(e.prompt, e.answer) for group in kept for e in group.examples] == wanted
    assert 0.3 < len(wanted) / sum(len(group.examples) for group in groups) < 0.9


def test_an_interrupted_stage_leaves_nothing_behind(tmp_path, monkeypatch):
    from dera_rag.alignment import recipe

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(recipe, "align", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_pair(tmp_path / "out", write_e2e(tmp_path / "e2e"), SMOKE)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"reference", "faithful"}


def test_a_folder_without_the_data_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="original_train"):
        read_e2e(tmp_path)


@pytest.mark.slow
def test_the_command_runs(tmp_path):
    e2e = write_e2e(tmp_path / "e2e")
    command = [sys.executable, "-m", "dera_rag.alignment", "--smoke"]
    command += ["--out", str(tmp_path / "out"), "--e2e", str(e2e)]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "out" / "aligned" / "model.safetensors").exists()

"""Labels that say which record a token is about, and the auxiliary losses made of them."""

import pytest
import torch
from e2e_rows import write_e2e

from dera_rag.alignment.batching import collate
from dera_rag.alignment.binding import NOTHING, BindingLoss
from dera_rag.alignment.context import Shown
from dera_rag.alignment.examples import Example, ExampleMaker, Group, prompt_of, question_part
from dera_rag.alignment.human_rows import read_e2e
from dera_rag.alignment.sequences import encode_groups, one_answer
from dera_rag.alignment.supervised import Schedule, Shape, new_model, token_losses, train
from dera_rag.alignment.tokenizer import train_tokenizer
from dera_rag.evaluation.venues import Place, Question

TINY = Shape(hidden=32, layers=2, heads=2, inner=64)
HERON = Place({"name": "The Grey Heron", "food": "Thai", "near": "The Copper Mill"})
MILL = Place({"name": "The Copper Mill", "food": "French"})


def example(shown: Shown, text: str, answer: str, *names: str, kind: str = "one_attribute"):
    ids = tuple(p.id for p in shown.places if p.name in names)
    question = Question("k", kind, text, names, ("food",), ids, "train", "")
    return Example(question, shown, prompt_of(text, shown), answer)


@pytest.fixture(scope="module")
def tokenizer():
    words = "[1]\n- name: The Grey Heron\n- food: Thai\n- near: The Copper Mill\n\n[2]\n"
    words += question_part("What does The Grey Heron or The Copper Mill serve?")
    words += " Yes it serves french food and is not\n- food: French\n- family friendly: no"
    return train_tokenizer([words] * 50, 400)


def labelled(tokenizer, example):
    (sequence,) = encode_groups(tokenizer, [Group((example,))])
    tokens = [tokenizer.decode([i]) for i in sequence.ids]
    labels = sequence.labels
    return tokens, list(labels.subject), list(labels.name), sequence.starts[0]


@pytest.mark.parametrize("numbered", [True, False])
def test_tokens_know_their_record_and_a_name_its_source(tokenizer, numbered):
    shown = Shown((HERON, MILL), numbered=numbered)
    asked = example(shown, "What does The Copper Mill serve?", "It serves French.", MILL.name)
    tokens, subject, source, start = labelled(tokenizer, asked)
    # A record's tokens are about that record, its neighbour's name included.
    second = subject.index(2)
    assert set(subject[:second]) <= {1, NOTHING}
    assert set(subject[second:start]) == {2}
    begins = "".join(tokens[second:start]).lstrip("\n")
    assert begins.startswith("[2]" if numbered else "- name: The Copper Mill")
    # The question is about nothing until the name has been read whole, and then about record 2.
    known = [i for i in range(start, len(tokens)) if subject[i] != NOTHING]
    assert tokens[known[0]] == " Mill"
    assert {subject[i] for i in known} == {2}
    assert known[-1] == len(tokens) - 2  # END is about nothing
    # Each token of the name points at itself in the record of that name, not at the neighbour.
    copied = [i for i in range(len(tokens)) if source[i] != NOTHING]
    assert "".join(tokens[i] for i in copied) == " The Copper Mill"
    assert [tokens[source[i]] for i in copied] == [tokens[i] for i in copied]
    assert all(second <= source[i] < start for i in copied)


def test_an_unknown_place_is_about_record_nought_and_a_comparison_about_each_in_turn(tokenizer):
    shown = Shown((HERON, MILL))
    unknown = example(shown, "What does The Grey Mill serve?", "It serves Thai.", "The Grey Mill")
    tokens, subject, source, start = labelled(tokenizer, unknown)
    assert set(subject[start:]) == {0, NOTHING}
    assert set(source) == {NOTHING}
    text = "The Copper Mill serves French, The Grey Heron Thai."
    names = (HERON.name, MILL.name)
    both = example(shown, f"Compare {names[0]} and {names[1]}.", text, *names, kind="compare")
    tokens, subject, _, start = labelled(tokenizer, both)
    answer = tokens.index("\nAnswer:") + 1
    assert subject[answer] == NOTHING
    said = [s for s in subject[answer:] if s != NOTHING]
    assert said == sorted(said, reverse=True)
    assert set(said) == {1, 2}


def test_an_answer_looks_at_what_it_is_about_to_repeat(tokenizer):
    record = {"name": "The Copper Mill", "food": "French", "priceRange": "high"}
    mill = Place(record | {"customer rating": "high", "familyFriendly": "no"})
    text = "The Copper Mill serves french food at high prices and is not family friendly."
    asked = example(Shown((HERON, mill)), "What is The Copper Mill like?", text, mill.name)
    (sequence,) = encode_groups(tokenizer, [Group((asked,))])
    tokens = [tokenizer.decode([i]) for i in sequence.ids]
    stated = [(i, at) for i, at in enumerate(sequence.labels.copy) if at != NOTHING]
    # "high" is a price as well as a rating, so it is left alone.
    read = "".join(tokens[at] for _, at in stated)
    said = "".join(tokens[i + 1] for i, _ in stated)
    assert said == " Copper Mill french not"
    assert read == " Copper Mill French no"


def test_the_losses_by_hand(tokenizer):
    shown = Shown((HERON, MILL))
    asked = example(shown, "What does The Copper Mill serve?", "It serves French.", MILL.name)
    model = new_model(tokenizer, Shape(hidden=32, layers=3, heads=2, inner=64), 0).eval()
    binding = BindingLoss(model)
    with torch.no_grad():
        binding._read.weight.zero_()
        binding._read.bias.zero_()
        for layer in model.model.layers:
            layer.self_attn.k_proj.weight.zero_()
    batch = collate(encode_groups(tokenizer, [Group((asked,))]), 0, 0.0)
    token_losses(model, batch)
    # A reading of zeros is uniform over six numbers; keys of zeros look at all tokens before alike.
    want = torch.tensor(6.0).log()
    for target in (batch.name, batch.copy):
        at = (target[0] != NOTHING).nonzero().flatten()
        assert len(at)
        want = want + (at + 1.0).log().mean()
    torch.testing.assert_close(binding(batch), want)
    binding.remove()
    assert not any(layer.self_attn._forward_pre_hooks for layer in model.model.layers)


def test_training_with_the_losses_lowers_them(tmp_path):
    rows = read_e2e(write_e2e(tmp_path))
    groups = [*ExampleMaker(rows, seed=2, places=20).written(40, 4)]
    texts = [t for g in groups for e in g.examples for t in (e.prompt, f" {e.answer}")]
    tokenizer = train_tokenizer(texts, 400)
    model = new_model(tokenizer, TINY, 0)
    encoded = encode_groups(tokenizer, groups)
    batch = collate(encoded[:4], tokenizer.pad_token_id, 0.0)

    def same_name() -> float:
        binding = BindingLoss(model)
        with torch.no_grad():
            token_losses(model, batch)
            loss = binding._names.loss(batch.name, batch.mask)
        binding.remove()
        return float(loss)

    before = same_name()
    schedule = Schedule(batch_tokens=1024, epochs=4, binding_weight=0.5)
    train(model, encoded, pad=tokenizer.pad_token_id, schedule=schedule, seed=0)
    assert same_name() < 0.8 * before


def test_a_batch_without_records_costs_nothing(tokenizer):
    model = new_model(tokenizer, TINY, 0)
    binding = BindingLoss(model)
    batch = collate([one_answer([1], [2, 3])], 0, 0.0)
    token_losses(model, batch)
    assert binding(batch).item() == 0.0

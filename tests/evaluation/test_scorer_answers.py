"""Short answers, conflicts, counts and overlap: numbers by hand and by the libraries' own words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.contract import Item, Score, Scorer, Signals
from dera_rag.evaluation.scorers import answers, prose, signals
from dera_rag.types import DecodeTrace, Passage


def item(answer, *, passages=(), references=(), record=None, question="?"):
    return Item(
        question,
        tuple(Passage(str(i), text) for i, text in enumerate(passages)),
        answer,
        references=references,
        record=record or {},
    )


def value(scorer, one):
    return scorer.score([one])[0].value


@pytest.mark.parametrize(
    ("answer", "reference", "exact", "f1"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1, 1),
        ("a cat sat", "the cat ran", 0, 0.5),  # cat | sat against cat | ran
        ("cat cat", "cat", 0, 2 / 3),  # one of the two counts
        ("", "cat", 0, 0),
        ("the", "a", 1, 1),  # nothing is left of either
    ],
)
def test_squad_by_hand(answer, reference, exact, f1):
    one = item(answer, references=(reference,))
    assert value(answers.exact_match(), one) == exact
    assert value(answers.token_f1_best(), one) == pytest.approx(f1)


def test_the_best_reference_counts():
    one = item("Obama", references=("Barack Obama", "obama"))
    assert value(answers.exact_match(), one) == 1
    assert value(answers.token_f1_best(), one) == 1
    assert value(answers.answer_in_response(), item("It was Obama.", references=("obama",))) == 1
    assert value(answers.answer_in_response(), item("Obamacare", references=("obama",))) == 0


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("It is Lyon.", "context"),
        ("Paris, of course.", "memory"),
        ("Paris, though the passage says Lyon.", "other"),
        ("It is Nice.", "other"),
        ("The passage does not say.", "abstain"),
        ("I don't know.", "abstain"),
        ("I do not know, but the passage says Lyon.", "context"),
        ("", "abstain"),
    ],
)
def test_conflict_outcomes_are_exclusive(answer, outcome):
    one = item(answer, record={"context_answers": ["Lyon"], "memory_answers": ["Paris"]})
    found = {
        name: value(getattr(answers, f"conflict_{name}")(), one)
        for name in ("context", "memory", "other", "abstain")
    }
    assert found == {name: float(name == outcome) for name in found}


def test_a_record_without_answers_cannot_be_judged():
    score = answers.conflict_context().score([item("Lyon", record={"kind": "x"})])[0]
    assert score.value is None
    assert "context_answers" in score.reason


def test_counts_by_hand():
    one = item("The cat sat on the mat. The cat sat.", passages=["The cat sat on a mat."])
    # 9 words: the·cat·sat·on | the | mat | the·cat·sat, all of them in the passage
    assert value(prose.copy_coverage(), one) == 1.0
    assert value(prose.copy_density(), one) == pytest.approx((16 + 1 + 1 + 9) / 9)
    assert value(prose.repetition(), one) == pytest.approx(1 / 7)
    assert value(prose.length(), one) == 9
    assert value(prose.unfinished(), one) == 0
    assert value(prose.unfinished(), item("The cat sat on")) == 1


def test_a_cut_answer_is_unfinished_whatever_its_end():
    trace = DecodeTrace(**dict.fromkeys(
        ("lam", "reference", "aligned", "mixture", "kl", "entropy"), (0.0,)
    ))  # fmt: skip
    cut = Item("?", (), "Done.", signals=Signals(("Done.",), trace, "length"))
    assert value(prose.unfinished(), cut) == 1


def test_signals_of_the_decode_by_hand():
    trace = DecodeTrace(
        lam=(1.0, 1.0), reference=(-1.0, -1.0), aligned=(-0.5, -3.0), mixture=(-0.5, -3.0),
        kl=(0.1, 0.3), entropy=(0.2, 0.9),
    )  # fmt: skip
    one = Item("?", (), "a b", signals=Signals(("a", " b"), trace, "stop"))
    assert value(signals.log_ratio_lowest(), one) == -2.0
    assert value(signals.log_ratio_mean(), one) == -0.75
    assert value(signals.kl_mean(), one) == pytest.approx(0.2)
    assert value(signals.entropy_highest(), one) == 0.9
    bare = DecodeTrace(lam=(0.0,), reference=(-1.0,), aligned=(math.nan,), kl=(0.0,))
    (score,) = signals.log_ratio_mean().score(
        [Item("?", (), "a", signals=Signals((), bare, "stop"))]
    )
    assert "trace='full'" in score.reason
    assert signals.kl_mean().score([item("a")])[0].reason == "no signals"


def test_distinct_n_compares_equal_lengths():
    scorer = prose.distinct_n(n=1, words=4)
    assert value(scorer, item("a b a b c d e f")) == 0.5
    assert "fewer than the 4 words" in scorer.score([item("a b c")])[0].reason
    with pytest.raises(InvalidValueError):
        prose.distinct_n(n=5, words=4)


def test_overlap_agrees_with_published_examples():
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_score")
    one = item("the cat sat on the mat", references=("dogs", "the cat sat on the mat"))
    for metric in ("bleu", "chrf", "rouge1", "rouge2", "rougeL"):
        assert value(prose.reference_overlap(metric=metric), one) == pytest.approx(1.0)
    # Lin 2004, §3: S2 and S3 share two of S1's four words in order and out of order
    pair = item("police kill the gunman", references=("police killed the gunman",))
    assert value(prose.reference_overlap(metric="rougeL"), pair) == pytest.approx(1.0)  # stemmed
    swapped = item("the gunman kill police", references=("police killed the gunman",))
    assert value(prose.reference_overlap(metric="rougeL"), swapped) == pytest.approx(0.5)
    with pytest.raises(InvalidValueError, match="meteor"):
        prose.reference_overlap(metric="meteor")


ALL = [
    answers.exact_match(), answers.token_f1_best(), answers.answer_in_response(),
    answers.conflict_context(), prose.repetition(), prose.length(), prose.unfinished(),
    prose.copy_coverage(), prose.copy_density(), prose.distinct_n(words=5),
]  # fmt: skip


@given(st.lists(st.text("ab .", max_size=12), max_size=4), st.permutations(range(4)))
def test_every_scorer_keeps_the_contract(texts, order):
    items = [
        item(text, passages=["a b"], references=("a",), record={"context_answers": ["a"]})
        for text in texts
    ]
    order = [i for i in order if i < len(items)]
    for scorer in ALL:
        assert isinstance(scorer, Scorer)
        scores = scorer.score(items)
        assert [scorer.score([one])[0] for one in items] == scores
        assert scorer.score([items[i] for i in order]) == [scores[i] for i in order]
        low, high = scorer.range
        assert all(s.value is None or low <= s.value <= high for s in scores)
        assert all(isinstance(s, Score) and (s.value is not None or s.reason) for s in scores)


def test_what_an_item_lacks_is_a_reason():
    assert answers.exact_match().score([item("a")])[0].reason == "no references"
    assert prose.copy_coverage().score([item("a")])[0].reason == "no passages"
    assert math.isinf(prose.length().range[1])

"""Grounded-ness: how texts are taken apart, what the features say, fitting, and the spans."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import InvalidValueError, MissingFileError, ModelLoadError
from dera_rag.evaluation.contract import Item, Scorer
from dera_rag.evaluation.copying import coverage, density
from dera_rag.evaluation.scorers.folds import grouped_folds
from dera_rag.evaluation.scorers.grounded import card, crossed, fit
from dera_rag.evaluation.scorers.grounded.features import SENTENCE_FEATURES, Reader
from dera_rag.evaluation.scorers.grounded.floor import FLOOR_FEATURES, lexical_floor
from dera_rag.evaluation.scorers.grounded.model import ANSWER_FEATURES, GroundedModel
from dera_rag.evaluation.scorers.grounded.scorer import Grounded
from dera_rag.evaluation.scorers.labels import Judged
from dera_rag.evaluation.scorers.text import numbers, sentences, stem, verbalised
from dera_rag.types import Passage

PASSAGE = (
    "The Blue Fig opened in 2012 in Oslo. It serves soup daily until 17:30. Dogs are not allowed."
)


def test_sentences_keep_their_places():
    text = "Dr. Smith paid $3.50 to J. Doe.  Why? “Because!” he said.\n- a list\n* of two"
    found = [text[s.start : s.end] for s in sentences(text)]
    assert found == [
        "Dr. Smith paid $3.50 to J. Doe.", "Why?", "“Because!” he said.", "- a list", "* of two",
    ]  # fmt: skip


@given(st.text("aB.!? \n\"'1", max_size=60))
def test_sentences_are_in_order_and_words_within_them(text):
    at = 0
    for sentence in sentences(text):
        assert at <= sentence.start < sentence.end <= len(text)
        for word in sentence.words:
            assert sentence.start <= word.start < word.end <= sentence.end
            assert text[word.start : word.end] == word.text
        at = sentence.end


@pytest.mark.parametrize(
    "forms",
    [("review", "reviews", "reviewed", "reviewing"), ("story", "stories"), ("stop", "stopped")],
)
def test_forms_of_a_word_have_one_stem(forms):
    assert len({stem(form) for form in forms}) == 1


def test_numbers_agree_across_spellings():
    def values(text):
        return {value for _, _, value in numbers(text)}

    assert values("1,200") == values("1200") == {"1200"}
    assert values("5 PM") == values("17:0") == values("5:00 p.m.") == {"17:00"}
    assert values("three dogs") == values("3 dogs") == {"3"}
    assert values("none") == set()


def test_a_record_reads_as_lines():
    record = json.dumps({"OutdoorSeating": False, "hours": {"Monday": "9:0-17:0"}, "tags": ["a"]})
    assert verbalised(record).splitlines() == [
        "Outdoor Seating: no", "hours Monday: 9:0-17:0", "tags: a",
    ]  # fmt: skip
    assert verbalised("[1] not JSON") == "[1] not JSON"


def features(answer, passages=(PASSAGE,), question=""):
    reading = Reader().read(answer, passages, question)
    return [dict(zip(SENTENCE_FEATURES, row.tolist(), strict=True)) for row in reading.rows]


def test_a_copied_sentence_has_nothing_novel():
    (row,) = features("The Blue Fig opened in 2012 in Oslo.")
    for name in ("novel_share", "novel_trigrams", "novel_numbers", "novel_names", "window_miss"):
        assert row[name] == pytest.approx(0.0)


def test_what_is_invented_shows():
    changed, moved, denied = features(
        "It opened in 2014 in Bergen. The Blue Fig serves soup in 2012. Dogs are allowed."
    )
    assert (changed["novel_numbers"], changed["novel_names"]) == (1, 1)
    assert (moved["novel_numbers"], moved["misplaced_numbers"]) == (0, 0)  # neighbours are a window
    assert denied["novel_share"] == 0
    assert denied["denied_words"] == 2


def test_the_floor_measures_fragments_as_copying_does():
    answer = "The Blue Fig in Oslo serves soup until 17:30 and it is loved in Oslo."
    found = dict(zip(FLOOR_FEATURES, lexical_floor(answer, [PASSAGE]), strict=True))
    assert found["uncovered"] == pytest.approx(1 - coverage(answer, [PASSAGE]))
    assert found["density_negated"] == pytest.approx(-density(answer, [PASSAGE]))
    assert (found["novel_words"], found["novel_numbers"]) == (1, 0)  # "loved"


def invented(n=60, seed=0):
    """Answers about places; in half of them one sentence is about something no passage holds."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        town, year = rng.choice(["Oslo", "Bergen", "Turku"]), int(rng.integers(1900, 2020))
        passage = f"Inn {i} is in {town}. It opened in {year}. It has a garden and a cellar."
        good = f"Inn {i} is in {town}. It has a garden."
        bad = f"It was bought by Karl Meier in {year + 3}."
        wrong = bool(i % 2)
        answer = f"{good} {bad}" if wrong else f"{good} It opened in {year}."
        spans = ((len(good) + 1, len(answer)),) if wrong else ()
        item = Item("", (Passage(str(i), passage),), answer, key=str(i), source=str(i // 2))
        made.append(Judged(item, "invented", wrong, spans, marked=True))
    return made


@pytest.fixture(scope="module")
def measured():
    return fit.measure(invented(), Reader())


@pytest.fixture(scope="module")
def model(measured):
    pytest.importorskip("sklearn")
    return fit.fit(measured, "invented places (no licence needed)")


def test_a_fit_separates_what_can_be_separated(measured):
    pytest.importorskip("sklearn")
    found = crossed.held_out(measured)["invented"]
    labels = np.array([m.judged.unsupported for m in measured])
    for scores in (found.own, found.shipped, found.elsewhere, found.floor):
        assert scores[labels].min() > scores[~labels].max()


def test_a_model_survives_its_file_and_marks_the_invented_sentence(model, tmp_path):
    path = model.save(tmp_path / "weights.json")
    scorer = Grounded(weights=path)
    good, bad = invented()[0].item, invented()[1].item
    kept, lost = scorer.score([good, bad])
    assert kept.value > 0.5 > lost.value
    assert not kept.spans
    (span,) = lost.spans
    assert (span.start, span.end) == invented()[1].spans[0]
    assert "Karl" in span.reason
    again = GroundedModel.from_json(path.read_text())
    assert again.to_json() == path.read_text()


def test_a_foreign_model_is_refused(model, tmp_path):
    data = json.loads(model.to_json())
    data["features"]["sentence"][0] = "something else"
    with pytest.raises(ModelLoadError, match="other features"):
        GroundedModel.from_json(json.dumps(data))
    with pytest.raises(ModelLoadError):
        GroundedModel.from_json("{}")
    with pytest.raises(MissingFileError):
        GroundedModel.load(tmp_path / "none.json")


def test_fitting_needs_marked_spans(measured):
    bare = [Judged(m.judged.item, "bare", m.judged.unsupported) for m in measured]
    with pytest.raises(InvalidValueError, match="marked spans"):
        fit.fit(fit.measure(bare[:4], Reader()), "nothing")


def test_folds_keep_groups_together():
    groups = [str(i % 7) for i in range(50)]
    folds = grouped_folds(groups, 5, 0)
    assert all(
        len({f for f, g in zip(folds, groups, strict=True) if g == name}) == 1 for name in groups
    )
    assert set(folds) == set(range(5))
    with pytest.raises(InvalidValueError):
        grouped_folds(["a"], 2, 0)


def test_the_shipped_weights_score_any_text():
    scorer = Grounded()
    assert isinstance(scorer, Scorer)
    passages = (Passage("0", PASSAGE),)
    texts = [
        "The Blue Fig opened in 2012 in Oslo.",
        "It was founded by Ada Lund in 1987 and seats 300 guests in Bergen.",
        "…", "",
    ]  # fmt: skip
    items = [Item("When did it open?", passages, text) for text in texts]
    scores = scorer.score(items)
    assert scores[0].value > scores[1].value
    assert not scores[0].spans
    assert [s.reason for s in scores[2:]] == ["the answer has no words"] * 2
    assert scorer.score(items[::-1]) == scores[::-1]
    assert scorer.score([Item("?", (), "a")])[0].reason == "no passages"
    assert len(ANSWER_FEATURES) == len(set(ANSWER_FEATURES))


def test_the_card_says_what_was_gained_and_on_which_sources():
    measured = fit.measure(invented(80), Reader())
    steps = []
    found = card.grounded_card(measured, n_resamples=100, progress=lambda *at: steps.append(at))
    assert [row.data for row in found.agreements] == [
        "invented, fitted per set", "invented, as shipped",
    ]  # fmt: skip
    assert all(row.scorer.value == 1 for row in found.agreements)
    assert steps[-1] == (15, 15)
    assert "+0.000" in found.notes[0]
    unseen = sum(not card.looked_at(m.judged.item.source) for m in measured)
    assert f"n = {unseen})" in found.notes[1]


def test_the_sources_that_were_looked_at_are_fixed_by_their_names():
    digest = int(hashlib.sha256(b"ragtruth 1").hexdigest(), 16)
    assert card.looked_at("ragtruth 1") == (digest % 10 < 6)
    assert sum(card.looked_at(str(i)) for i in range(1000)) == pytest.approx(600, abs=50)

"""The learned naturalness scorer: standardised by rater, folds apart, and the card it ends in."""

import math

import numpy as np
import pytest

from dera_rag.errors import InvalidValueError, ModelLoadError
from dera_rag.evaluation.contract import Item, Scorer
from dera_rag.evaluation.scorers import natural_ratings
from dera_rag.evaluation.scorers.cards import Card, agreement
from dera_rag.evaluation.scorers.labels import Rating, data_folder, naturalness_ratings, ragtruth
from dera_rag.evaluation.scorers.natural_ratings import (
    LearnedNaturalness,
    held_out,
    item_means,
    standardised,
)
from dera_rag.evaluation.scorers.ratings_model import RatingsModel, fit


def test_raters_who_use_the_scale_differently_agree_once_standardised():
    harsh = [Rating(f"t{i}", "r", "s", "harsh", float(i)) for i in range(5)]
    kind = [Rating(f"t{i}", "r", "s", "kind", 80 + 4.0 * i) for i in range(5)]
    mute = [Rating(f"t{i}", "r", "s", "mute", 100.0) for i in range(9)]
    rare = [Rating("t0", "r", "s", "rare", 0.0)]
    found = standardised([*harsh, *kind, *mute, *rare])
    assert {one.worker for one, _ in found} == {"harsh", "kind"}
    scores = [one.score for one in item_means(found)]
    assert scores == pytest.approx(
        [-math.sqrt(2), -math.sqrt(0.5), 0, math.sqrt(0.5), math.sqrt(2)]
    )


def test_one_text_of_two_systems_is_one_item():
    found = item_means([
        (Rating("t", "r", "a", "w", 10.0), -1.0), (Rating("t", "r", "b", "v", 30.0), 0.0),
        (Rating("t", "other", "a", "w", 50.0), 2.0),
    ])  # fmt: skip
    assert [(one.systems, one.score, one.raw, one.count) for one in found] == [
        (("a", "b"), -0.5, 20.0, 2), (("a",), 2.0, 50.0, 1),
    ]  # fmt: skip


def ratings(seed=0, records=40, workers=12):
    """Clumsy texts double a word; raters see it through noise and a scale of their own."""
    rng = np.random.default_rng(seed)
    made = []
    for r in range(records):
        for system, clumsy in (("good", False), ("bad", True)):
            text = (
                f"The inn number {r} is is near the river."
                if clumsy
                else (f"The inn number {r} is near the river.")
            )
            for w in rng.choice(workers, size=4, replace=False):
                score = 60 - 25 * clumsy + 10 * rng.normal() + 3 * w
                made.append(Rating(text, f"r{r}", system, f"w{w}", float(np.clip(score, 0, 100))))
    return made


@pytest.mark.parametrize(("unseen", "fits"), [(("record",), 5), (("record", "worker"), 10)])
def test_what_is_kept_apart_is_never_trained_on(unseen, fits, monkeypatch):
    pytest.importorskip("sklearn")
    made = ratings()
    usable = len(natural_ratings.standardised(made))
    seen = []
    real = natural_ratings.fit

    def recorded(items, likelihoods):
        seen.append({one.record for one in items})
        return real(items, likelihoods)

    monkeypatch.setattr(natural_ratings, "fit", recorded)
    found = held_out(made, {one.text: -2.0 for one in made}, unseen)
    spearman = np.corrcoef(
        np.argsort(np.argsort(found.predicted)),
        np.argsort(np.argsort([i.score for i in found.items])),
    )[0, 1]
    assert spearman > 0.6
    assert len(seen) == fits
    assert all(len(records) == 32 for records in seen)
    assert sum(item.count for item in found.items) == usable  # every rating is predicted once
    with pytest.raises(InvalidValueError, match="colour"):
        held_out(made, {}, ("colour",))


def test_a_fitted_model_survives_its_file_and_scores(tmp_path):
    pytest.importorskip("sklearn")
    items = item_means(standardised(ratings()))
    model = fit(items, [-2.0] * len(items))
    path = model.save(tmp_path / "natural.safetensors")
    again = RatingsModel.load(path)
    texts = [one.text for one in items]
    assert again.predict(texts, [-2.0] * len(texts)) == pytest.approx(
        model.predict(texts, [-2.0] * len(texts))
    )
    scorer = LearnedNaturalness(weights=path)
    assert isinstance(scorer, Scorer)
    good, bad, none = scorer.score([
        Item("?", (), "The inn number 99 is near the river."),
        Item("?", (), "The inn number 99 is is near the river."), Item("?", (), " "),
    ])  # fmt: skip
    assert good.value > bad.value
    assert none.reason == "the answer has no words"


def test_a_missing_model_says_how_to_make_one(tmp_path):
    scorer = LearnedNaturalness(weights=tmp_path / "none.safetensors")
    assert scorer.version == "2 missing"
    with pytest.raises(ModelLoadError, match="--fit-naturalness"):
        scorer.score([Item("?", (), "a b c")])


def test_a_card_round_trips_and_reads_as_a_table():
    rng = np.random.default_rng(0)
    truth = (np.arange(80) % 2).astype(float)
    row = agreement(
        "a set", "auroc", truth + rng.normal(size=80), truth, [str(i) for i in range(80)],
        baselines={"length": rng.normal(size=80)}, n_resamples=200,
    )  # fmt: skip
    card = Card("grounded", "1", (row,), ("Read it beside the copy rate.",))
    again = Card.from_json(card.to_json())
    assert again.to_json() == card.to_json()
    assert row.gains["length"].value == pytest.approx(
        row.scorer.value - row.baselines["length"].value
    )
    text = card.to_markdown()
    assert "gain over length" in text
    assert f"{row.scorer.value:.3f} [" in text
    assert "- Read it beside the copy rate." in text
    with pytest.raises(InvalidValueError):
        Card.from_json("[]")


def test_public_judgements_are_read(data_dir):
    assert data_folder(data_dir) == data_dir
    judged = ragtruth(data_dir)
    assert len(judged) == 2065
    assert {one.group for one in judged} == {
        "ragtruth_qa", "ragtruth_summary", "ragtruth_data2txt",
    }  # fmt: skip
    assert sum(one.unsupported for one in judged) == 99 + 241 + 579
    assert all(0 <= a < b <= len(one.item.answer) for one in judged for a, b in one.spans)
    found = naturalness_ratings(data_dir)
    assert {min(100.0, max(0.0, one.score)) == one.score for one in found} == {True}

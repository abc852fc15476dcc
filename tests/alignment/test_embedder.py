import dataclasses

import numpy as np
import pytest

from dera_rag.alignment import embedder as training
from dera_rag.alignment.embedder_data import cloze_batch, documentation, venue_batch
from dera_rag.errors import InvalidValueError
from dera_rag.retrieval import Document, StaticEmbedder, VectorIndex

PARAGRAPHS = [
    f"The {noun} {verb} a stream. It then closes the {noun}. Nothing {verb} twice."
    for noun in ("reader", "writer", "parser", "cache", "lock", "socket")
    for verb in ("opens", "flushes", "copies", "returns")
]
SMOKE = training.EmbedderRecipe(
    vocabulary=900, dimension=64, records=100, steps=30, places=40, paragraphs=12
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("embedder")
    return out, training.train(out, SMOKE, PARAGRAPHS)


def test_a_smoke_run_learns_to_tell_venues_apart(trained):
    _, report = trained
    assert report.tokens == 900
    assert report.losses[-1] < 0.75 * report.losses[0]


def test_what_it_saves_finds_a_name(trained):
    embedder = StaticEmbedder(trained[0])
    records = [
        Document("kettle", "- name: The Copper Kettle\n- type: pub\n- area: riverside"),
        Document("heron", "- name: The Gilded Heron\n- type: pub\n- near: Kettle Bridge"),
    ]
    index = VectorIndex.build(records, embedder)
    assert index.retrieve("Where is The Copper Kettle?", 1, "dense")[0].id == "kettle"


def test_equal_seeds_give_equal_files(trained, tmp_path):
    training.train(tmp_path, SMOKE, PARAGRAPHS)
    for file in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / file).read_bytes() == (trained[0] / file).read_bytes()


def test_no_steps_leave_the_start_and_progress_is_told(trained, tmp_path):
    told = []
    recipe = dataclasses.replace(SMOKE, steps=2)
    training.train(tmp_path, recipe, PARAGRAPHS, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    report = training.train(tmp_path, dataclasses.replace(SMOKE, steps=0), PARAGRAPHS)
    assert report.losses == ()


def test_at_the_start_a_vector_is_as_long_as_its_token_is_rare():
    texts = ["often rare", "often", "often", "often"]
    tokenizer = training.train_tokenizer(texts * 2, 300)
    vectors = training.initial_vectors(tokenizer, texts, dimension=512, seed=0)
    (often,), (rare,) = (tokenizer.encode(word).ids for word in ("often", "rare"))
    norms = np.linalg.norm(vectors, axis=1)
    # log((1 + N) / (1 + df)) / log(1 + N), N = 4
    assert norms[often] == pytest.approx(0, abs=1e-6)
    assert norms[rare] == pytest.approx(np.log(5 / 2) / np.log(5), abs=1e-6)
    assert norms[tokenizer.token_to_id(training.UNKNOWN)] == 0


def test_the_batches_pair_questions_with_their_texts():
    import random

    questions, records, gold = venue_batch(random.Random(0), 30, near_duplicates=0.2)
    assert (len(questions), len(records), len(gold)) == (30, 30, 30)
    for question, right in zip(questions, gold, strict=True):
        for at in right:
            assert records[at].split("\n")[0].removeprefix("- name: ") in question
    asked, rests, gold = cloze_batch(random.Random(0), [["One.", "Two."], ["Three.", "Four."]], 9)
    assert gold == [[0], [1]]
    assert all(len(sentence.split()) == 1 for sentence in [*asked, *rests])
    assert {*asked, *rests} == {"One.", "Two.", "Three.", "Four."}


def test_documentation_is_read_paragraph_by_paragraph(tmp_path):
    first, second = (f"A paragraph of {n} lines,\n    wrapped by hand." for n in ("some", "more"))
    (tmp_path / "a.py").write_text(f'"""Short.\n\n    {first}\n\n    {second}\n"""\n')
    (tmp_path / "b.py").write_text(f'class C:\n    """{second}"""\n')
    (tmp_path / "broken.py").write_text("print 'old'")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "c.py").write_text('"""This folder is left out of the documentation."""')
    assert documentation(tmp_path) == [
        "A paragraph of some lines, wrapped by hand.",
        "A paragraph of more lines, wrapped by hand.",
    ]


@pytest.mark.slow
def test_python_brings_enough_documentation():
    paragraphs = documentation()
    assert len(paragraphs) == len(set(paragraphs)) > 3000


@pytest.mark.parametrize(
    "settings", [{"vocabulary": 256}, {"dimension": 1}, {"steps": -1}, {"temperature": 0}]
)
def test_sizes_nothing_can_be_trained_with(settings):
    with pytest.raises(InvalidValueError, match="cannot train"):
        training.EmbedderRecipe(**settings)

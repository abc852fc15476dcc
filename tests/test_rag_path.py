"""`RagPipeline.path`: the same retrieval, prompt and noise as `ask`, for every λ."""

import json

import pytest

from dera_rag import RagPipeline, Sampling
from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.testing import write_pair
from dera_rag.types import Passage, UnsupportedSpan

PASSAGES = (
    Passage("kettle", "- name: The Copper Kettle\n- price range: cheap", 0.75),
    Passage("books", "- name: Harbour Books\n- food: none", 0.5),
)


class Shelf:
    corpus = "shelf"

    def retrieve(self, question, k=3):
        return list(PASSAGES[:k])


class Meter:
    """Takes the answer's first character for an invention."""

    def unsupported(self, question, passages, answer):
        return [UnsupportedSpan(0, 1, answer[:1], question)]

    def abstained(self, answer):
        return len(answer) % 2 == 0


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair")).load(name="tiny")


@pytest.fixture
def pipeline(pair):
    sampling = Sampling(seed=3, max_new_tokens=8)
    return RagPipeline(pair, Shelf(), sampling=sampling, meter=Meter(), stop="\n\n")


def test_every_answer_is_asks(pipeline):
    found = pipeline.path("Why?", (0.0, 1.5))
    assert found.question == "Why?"
    assert found.passages == PASSAGES
    assert len(found.answers) == len(found.path.segments) > 1
    for segment, answer in zip(found.path.segments, found.answers, strict=True):
        middle = (segment.lo + segment.hi) / 2
        asked = pipeline.ask("Why?", middle)
        assert found.at(middle).text == answer.text == asked.text
        assert answer.generation.token_ids == asked.generation.token_ids
        assert answer.unsupported_spans == asked.unsupported_spans
        assert answer.abstained == asked.abstained
        assert answer.decision == asked.decision
        assert answer.citations == asked.citations
        assert answer.generation.seed == asked.generation.seed


def test_at_says_which_lam_was_asked_for(pipeline):
    found = pipeline.path("Why?", (0.0, 1.5))
    answer = found.at(1.25)
    assert answer.decision.lam == answer.generation.lam == 1.25
    assert answer.decision.policy == "constant"
    with pytest.raises(InvalidValueError, match="outside"):
        found.at(1.6)


def test_a_seed_is_taken_as_it_is(pipeline):
    assert pipeline.path("Why?", seed=11).path.seed == 11
    assert pipeline.path("Why?").path.seed == pipeline.ask("Why?", 0.3).generation.seed


def test_json_holds_what_is_common_once(pipeline):
    data = json.loads(json.dumps(pipeline.path("Why?", (0.0, 1.0)).to_dict(), allow_nan=False))
    assert [passage["id"] for passage in data["passages"]] == ["kettle", "books"]
    assert {"lo", "hi", "text", "token_ids", "exact", "unsupported_spans"} <= set(
        data["segments"][0]
    )
    assert "passages" not in data["segments"][0]


def test_refusals(pair, pipeline):
    with pytest.raises(InvalidValueError, match="λ"):
        pipeline.path("Why?", (1.0, 0.0))
    with pytest.raises(PromptError):
        pipeline.path(" ")
    with pytest.raises(InvalidValueError, match="top_p"):
        RagPipeline(pair, Shelf(), sampling=Sampling(top_p=0.9, max_new_tokens=4)).path("Why?")

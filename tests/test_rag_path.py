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


def test_several_questions_together_are_each_alone(pipeline):
    questions, seeds = ["Why?", "Where is Harbour Books?", "Why?"], [11, 12, 13]
    together = pipeline.path_batch(questions, (0.0, 1.5), seeds=seeds)
    for question, seed, found in zip(questions, seeds, together, strict=True):
        alone = pipeline.path(question, (0.0, 1.5), seed=seed)
        assert found.question == question
        assert found.path.seed == seed
        assert found.path.breakpoints == pytest.approx(alone.path.breakpoints, abs=1e-5)
        assert [a.text for a in found.answers] == [a.text for a in alone.answers]
        assert found.decide(0.5) == alone.decide(0.5)
        assert found.at(1.25).unsupported_spans == alone.at(1.25).unsupported_spans
    assert together[0].path.breakpoints != together[2].path.breakpoints


def test_several_questions_have_their_own_seeds(pipeline):
    questions = ["Why?", "Where is Harbour Books?"]
    paths = pipeline.path_batch(questions)
    assert [p.path.seed for p in paths] == [pipeline.path(q).path.seed for q in questions]
    assert paths[0].path.seed != paths[1].path.seed
    assert pipeline.path_batch([]) == []
    with pytest.raises(InvalidValueError, match="1 seeds for 2 questions"):
        pipeline.path_batch(questions, seeds=[1])
    with pytest.raises(PromptError):
        pipeline.path_batch(["Why?", " "])


def test_a_full_trace_is_that_of_ask(pair):
    sampling = Sampling(seed=3, max_new_tokens=8)
    full = RagPipeline(pair, Shelf(), sampling=sampling, trace="full", speculation="off")
    found = full.path("Why?", (0.0, 1.5))
    for answer in found.answers:
        expected = full.ask("Why?", answer.decision.lam).generation.trace
        assert answer.generation.trace.reasons == {}
        assert answer.generation.trace.kl == pytest.approx(expected.kl, abs=1e-4)
        assert answer.generation.trace.mixture == pytest.approx(expected.mixture, abs=1e-4)


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

"""Every trap of ragas has its guard, and metrics with and without a judge work."""

import json
import os
import subprocess
import sys
import time

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from dera_rag.errors import InvalidValueError, UnknownNameError
from dera_rag.evaluation.contract import Item, Scorer
from dera_rag.evaluation.scorers.ragas_metrics import METRICS, Ragas
from dera_rag.types import Passage

ITEM = Item(
    "Where is the inn?",
    (Passage("0", "The inn is in Oslo."),),
    "The inn is in Oslo.",
    references=("The inn is in Oslo.",),
)
STATEMENTS = json.dumps({"statements": ["The inn is in Oslo."]})


def verdict(value):
    row = {"statement": "The inn is in Oslo.", "reason": "said", "verdict": value}
    return json.dumps({"statements": [row]})


class Judge(GenericFakeChatModel):
    """Answers in turn; a real judge has a temperature that ragas' wrappers would change."""

    temperature: float = 0.7
    model_name: str = "judge"
    finish: str = "stop"
    wait: float = 0.0

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        time.sleep(self.wait)
        message = AIMessage(next(self.messages), response_metadata={"finish_reason": self.finish})
        return ChatResult(generations=[ChatGeneration(message=message)])


def judge(*replies, **settings):
    return Judge(messages=iter(replies), **settings)


@pytest.fixture(scope="module", autouse=True)
def _ragas():
    pytest.importorskip("ragas.metrics.collections")


@pytest.mark.parametrize(
    "metric", ["exact_match", "string_presence", "rouge", "chrf", "string_similarity"]
)
def test_metrics_without_a_judge(metric):
    scorer = Ragas(metric=metric)
    assert isinstance(scorer, Scorer)
    same, without = scorer.score([ITEM, Item("?", (), "a")])
    assert same.value == pytest.approx(1.0)
    assert without.reason == "no references"


def test_embeddings_are_ours():
    assert Ragas(metric="semantic_similarity").score([ITEM])[0].value == pytest.approx(
        1.0, abs=1e-3
    )


def test_a_langchain_model_judges():
    scorer = Ragas(metric="faithfulness", judge=judge(STATEMENTS, verdict(1)))
    assert scorer.score([ITEM])[0].value == 1.0
    scorer = Ragas(metric="faithfulness", judge=judge(f"```json\n{STATEMENTS}\n```", verdict(0)))
    assert scorer.score([ITEM])[0].value == 0.0


def test_the_judges_temperature_is_its_own():
    model = judge(STATEMENTS, verdict(1))
    before = model.model_dump(exclude={"messages"})
    Ragas(metric="faithfulness", judge=model).score([ITEM])
    assert model.temperature == 0.7
    assert model.model_dump(exclude={"messages"}) == before


def test_two_judges_never_share_an_answer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lenient = Ragas(metric="faithfulness", judge=judge(STATEMENTS, verdict(1), model_name="a"))
    strict = Ragas(metric="faithfulness", judge=judge(STATEMENTS, verdict(0), model_name="b"))
    assert lenient.version != strict.version
    assert [s.score([ITEM])[0].value for s in (lenient, strict)] == [1.0, 0.0]
    assert not list(tmp_path.iterdir())  # nothing was cached


def test_a_cut_answer_is_a_reason_and_not_nan():
    (score,) = Ragas(metric="faithfulness", judge=judge(STATEMENTS, finish="length")).score([ITEM])
    assert score.value is None
    assert "cut" in score.reason


def test_an_unreadable_answer_is_asked_for_again_once():
    scorer = Ragas(metric="faithfulness", judge=judge("well…", STATEMENTS, verdict(1)))
    assert scorer.score([ITEM])[0].value == 1.0
    (score,) = Ragas(metric="faithfulness", judge=judge("well…", "hm")).score([ITEM])
    assert "not what was asked for" in score.reason


def test_a_failure_of_one_item_is_its_own():
    model = judge("well…", "hm", STATEMENTS, verdict(1))
    failed = Ragas(metric="faithfulness", judge=model).score([ITEM])[0]
    scored = Ragas(metric="faithfulness", judge=model).score([ITEM])[0]
    assert failed.value is None
    assert scored.value == 1.0


def test_what_is_not_a_number_has_a_reason():
    # No statement at all: ragas gives NaN.
    empty = json.dumps({"statements": []})
    (score,) = Ragas(metric="faithfulness", judge=judge(empty)).score([ITEM])
    assert score.value is None
    assert "nan" in score.reason


def test_a_judge_that_hangs_meets_the_deadline():
    model = judge(STATEMENTS, verdict(1), wait=0.3)
    (score,) = Ragas(metric="faithfulness", judge=model, timeout=0.05).score([ITEM])
    assert score.reason == "ragas took longer than 0.05 s"


def test_bleu_is_refused_and_unknown_metrics_suggest():
    with pytest.raises(InvalidValueError, match="only the first sentence"):
        Ragas(metric="bleu")
    with pytest.raises(UnknownNameError, match="faithfulness"):
        Ragas(metric="truth")


def test_a_judge_is_where_it_belongs():
    with pytest.raises(InvalidValueError, match="needs judge"):
        Ragas(metric="faithfulness")
    with pytest.raises(InvalidValueError, match="takes no judge"):
        Ragas(metric="chrf", judge=judge())
    with pytest.raises(InvalidValueError, match="chat model"):
        Ragas(metric="faithfulness", judge=object()).score([ITEM])


def test_every_metric_exists_in_ragas():
    import ragas.metrics.collections as theirs

    assert not [m.attribute for m in METRICS.values() if not hasattr(theirs, m.attribute)]


def test_scoring_works_inside_a_running_loop():
    import asyncio

    async def inside():
        return Ragas(metric="exact_match").score([ITEM])

    assert asyncio.run(inside())[0].value == 1.0


def test_importing_the_scorer_imports_no_ragas_and_using_it_sends_nothing():
    code = (
        "import sys, dera_rag.evaluation.scorers.ragas_metrics as m;"
        "assert 'ragas' not in sys.modules;"
        "m.Ragas(metric='exact_match').score([]); m.import_ragas('ragas');"
        "from ragas._analytics import do_not_track; assert do_not_track()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "RAGAS_DO_NOT_TRACK"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=environment)

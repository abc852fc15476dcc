"""DeRaLLM: completions of plain prompts, with the settings of the chat model."""

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.runnables import ConfigurableField
from pydantic import ValidationError

from dera_rag import DeraDecoder, Sampling
from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.langchain import ChatDeRa, DeRaLLM
from dera_rag.testing import write_pair

PROMPTS = ["Near the river", "A pub </s> is", "Über die"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"), tokenizer="bos").load(name="tiny")


@pytest.fixture
def llm(pair):
    return DeRaLLM(pair=pair, dera_lambda=0.5, seed=3, max_tokens=12)


def test_is_the_decoder_on_plain_text(llm, pair):
    expected = DeraDecoder(pair).generate(PROMPTS[0], 0.5, Sampling(seed=3, max_new_tokens=12))
    assert llm.invoke(PROMPTS[0]) == expected.text
    made = llm.generate([PROMPTS[0]]).generations[0][0]
    assert made.generation_info["usage_metadata"] == {
        "input_tokens": expected.usage.prompt_tokens,
        "output_tokens": expected.usage.completion_tokens,
        "total_tokens": expected.usage.total_tokens,
    }
    assert made.generation_info["dera"]["lam"] == 0.5
    assert made.generation_info["model_name"] == "tiny"


def test_markup_in_a_prompt_is_text(llm, pair):
    ids = llm.engine.prompts.plain("a</s>")
    assert pair.tokenizer.eos_token_id not in ids
    assert ids[0] == pair.tokenizer.bos_token_id


def test_lists_equal_singles(llm):
    singles = [llm.invoke(prompt) for prompt in PROMPTS]
    assert llm.batch(PROMPTS) == singles
    assert [made[0].text for made in llm.generate(PROMPTS).generations] == singles


async def test_a_failing_prompt_fails_alone(llm):
    """LangChain's own `batch` of completion models gives every prompt the error of one."""
    prompts = [PROMPTS[0], "a " * 3000, PROMPTS[1]]
    for made in (
        llm.batch(prompts, return_exceptions=True),
        llm.batch(prompts, config={"max_concurrency": 2}, return_exceptions=True),
        await llm.abatch(prompts, return_exceptions=True),
    ):
        assert isinstance(made[1], PromptError)
        assert [made[0], made[2]] == llm.batch([prompts[0], prompts[2]])
    with pytest.raises(PromptError, match="lower max_tokens"):
        llm.batch(prompts)


async def test_async(llm):
    assert await llm.ainvoke(PROMPTS[0]) == llm.invoke(PROMPTS[0])
    assert await llm.abatch(PROMPTS) == llm.batch(PROMPTS)
    assert "".join([piece async for piece in llm.astream(PROMPTS[0])]) == llm.invoke(PROMPTS[0])


def test_stream_equals_invoke(llm):
    chunks = list(llm._stream(PROMPTS[0]))
    whole = llm.generate([PROMPTS[0]]).generations[0][0]
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert chunks[-1].generation_info == whole.generation_info
    assert all(not chunk.generation_info for chunk in chunks[:-1])


def test_calls_have_settings_of_their_own(llm, pair):
    whole = llm.invoke(PROMPTS[0])
    assert llm.invoke(PROMPTS[0], stop=[whole[2:4]]) == whole[: whole.index(whole[2:4])]
    low = DeRaLLM(pair=pair, dera_lambda=0.0, temperature=0.0, max_tokens=4).invoke("a")
    assert llm.invoke("a", dera_lambda=0.0, temperature=0.0, max_tokens=4) == low
    with pytest.raises(InvalidValueError, match="tools"):
        llm.invoke("a", tools=[])
    with pytest.raises(ValidationError, match="plain_messages"):
        DeRaLLM(pair=pair, plain_messages="all")


def test_evidence_decides_auto(pair):
    auto = DeRaLLM(pair=pair, max_tokens=2, seed=1)
    info = auto.generate(["a"]).generations[0][0].generation_info
    assert "no evidence" in info["dera"]["reason"]
    given = auto.generate(["a"], dera_evidence=[{"id": "p", "text": "t", "relevance_score": 0.5}])
    assert given.generations[0][0].generation_info["dera"]["signals"]["passages"] == 1.0


def test_lam_is_in_the_cache_key(pair):
    cached = DeRaLLM(pair=pair, max_tokens=8, seed=3, cache=InMemoryCache())
    low, high = (cached.invoke("a", dera_lambda=lam) for lam in (0.0, 2.0))
    assert low != high
    assert cached.invoke("a", dera_lambda=0.0) == low
    field = DeRaLLM(pair=pair, max_tokens=8, seed=3, cache=cached.cache, dera_lambda=2.0)
    assert field.invoke("a") == high


def test_configurable_and_shared(llm, pair):
    flexible = llm.configurable_fields(dera_lambda=ConfigurableField(id="lam"))
    assert flexible.invoke("a", config={"configurable": {"lam": 2.0}}) == llm.invoke(
        "a", dera_lambda=2.0
    )
    assert llm.engine is ChatDeRa(pair=pair).engine


def test_tracing_and_counting(llm):
    params = llm._get_ls_params(stop=["x"])
    assert (params["ls_provider"], params["ls_model_name"]) == ("dera", "tiny")
    assert params["ls_stop"] == ["x"]
    assert params["ls_max_tokens"] == 12
    assert llm.get_num_tokens("near the river") == len(llm.get_token_ids("near the river"))
    assert DeRaLLM.embedded().model_name == "venues-pair"


def test_no_prompts(llm):
    assert llm.generate([]).generations == []

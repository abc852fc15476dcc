"""Models are copied, sent to other processes, written down and cached; weights stay in place."""

import copy
import pickle

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps, load, loads
from langchain_core.rate_limiters import InMemoryRateLimiter
from letter_embedder import LetterEmbedder

from dera_rag.errors import InvalidValueError
from dera_rag.langchain import (
    ChatDeRa,
    DeRaEmbeddings,
    DeRaLLM,
    DeRaVectorStore,
    ScoredRetriever,
    create_dera_rag_chain,
)
from dera_rag.langchain.source import Source
from dera_rag.policies import ConstantPolicy
from dera_rag.testing import TablePair, tiny_tokenizer, write_pair

TOKENIZER = tiny_tokenizer("plain")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def lean(saved):
    """Its packed weights cannot be copied at all, and no copy is wanted."""
    return saved.load(engine="lean")


@pytest.mark.parametrize("kind", [ChatDeRa, DeRaLLM])
class TestCopies:
    @pytest.mark.parametrize(
        "duplicate", [copy.deepcopy, lambda model: model.model_copy(deep=True), copy.copy]
    )
    def test_share_the_pair(self, kind, duplicate, lean):
        model = kind(pair=lean, dera_lambda=0.5, seed=1, max_tokens=4, stop=["zz"])
        twin = duplicate(model)
        assert (twin.engine, twin.pair) == (model.engine, lean)
        texts = [getattr(x, "content", x) for x in (twin.invoke("a"), model.invoke("a"))]
        assert texts[0] == texts[1]
        assert twin.model_dump() == model.model_dump()

    def test_have_settings_of_their_own(self, kind, lean):
        model = kind(pair=lean, stop=["a"])
        twin = copy.deepcopy(model)
        twin.stop.append("b")
        assert model.stop == ["a"]

    def test_inside_of_other_things(self, kind, lean):
        model = kind(pair=lean, max_tokens=4)
        config = copy.deepcopy({"configurable": {"model": model.bind(seed=1), "again": model}})
        held = config["configurable"]
        assert held["model"].bound is held["again"]
        assert held["again"].engine is model.engine


def test_a_rate_limiter_is_shared(lean):
    """Two of them would let twice as many calls pass."""
    limiter = InMemoryRateLimiter()
    model = ChatDeRa(pair=lean, rate_limiter=limiter)
    assert copy.deepcopy(model).rate_limiter is limiter


class TestRetrieval:
    def test_a_store_is_written_apart_and_embeds_alike(self):
        store = DeRaVectorStore.from_texts(["a", "b"], LetterEmbedder(), ids=["1", "2"])
        twin = copy.deepcopy(store)
        twin.add_texts(["c"], ids=["3"])
        store.delete(["1"])
        assert (len(store), len(twin)) == (1, 3)
        assert twin.index.embedder is store.index.embedder

    def test_a_retriever_keeps_its_models(self):
        class Reranker:
            def score(self, question, texts):
                return [0.5 for _ in texts]

        reranker, embeddings = Reranker(), DeRaEmbeddings(LetterEmbedder())
        store = DeRaVectorStore.from_texts(["a", "b"], LetterEmbedder())
        retriever = ScoredRetriever(source=store, reranker=reranker, embeddings=embeddings)
        for twin in (copy.deepcopy(retriever), retriever.model_copy(deep=True)):
            assert (twin.reranker, twin.embeddings) == (reranker, embeddings)
            assert twin.source is not store
            assert twin.invoke("a") == retriever.invoke("a")

    def test_a_chain(self, lean):
        store = DeRaVectorStore.from_texts(["a", "b"], LetterEmbedder())
        model = ChatDeRa(pair=lean, seed=1, max_tokens=4)
        chain = create_dera_rag_chain(ScoredRetriever(source=store), model)
        assert copy.deepcopy(chain).invoke("a")["answer"] == chain.invoke("a")["answer"]


class TestOtherProcesses:
    @pytest.mark.parametrize("kind", [ChatDeRa, DeRaLLM])
    def test_names_are_sent(self, kind, saved):
        names = {"reference": str(saved.reference), "aligned": str(saved.aligned)}
        model = kind(**names, dera_lambda=0.5, seed=1, max_tokens=4)
        before = model.invoke("a")
        sent = pickle.dumps(model)
        assert len(sent) < 10_000
        twin = pickle.loads(sent)
        # The same process, so the same engine: nothing is loaded again.
        assert twin.engine is model.engine
        text = getattr(before, "content", before)
        assert getattr(twin.invoke("a"), "content", twin.invoke("a")) == text

    def test_weights_are_not(self, lean):
        with pytest.raises(InvalidValueError, match="cannot be sent"):
            pickle.dumps(ChatDeRa(pair=lean))


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
class TestWrittenDown:
    @pytest.mark.parametrize("kind", [ChatDeRa, DeRaLLM])
    @pytest.mark.parametrize(
        "settings",
        [
            {"reference": "r", "aligned": "a", "dera_lambda": 2.0, "stop": ["x"], "logprobs": True},
            {"reference": "r", "adapter": "a", "seed": 3, "dera_corpus": "pubs"},
            {"pair": "embedded", "temperature": 0.0, "top_k": 5},
        ],
    )
    def test_and_read(self, kind, settings):
        model = kind(**settings)
        written = dumpd(model)
        assert written["id"] == [*kind.__module__.split("."), kind.__name__]
        allowed = {"allowed_objects": [kind], "valid_namespaces": ["dera_rag"]}
        for twin in (load(written, **allowed), loads(dumps(model), **allowed)):
            assert twin.model_dump() == model.model_dump()
            assert twin.engine is model.engine

    @pytest.mark.parametrize("more", [{"dera_policy": ConstantPolicy(0.5)}, {}])
    def test_what_has_no_written_form_is_not_left_out(self, more, lean):
        source = {"pair": lean} if not more else {"pair": "embedded"}
        assert dumpd(ChatDeRa(**source, **more))["type"] == "not_implemented"


class TestCaches:
    """Response caches key on the pair, whatever its name."""

    @pytest.mark.parametrize("kind", [ChatDeRa, DeRaLLM])
    def test_two_pairs_of_one_name(self, kind):
        """Names of loaded pairs come from folders; checkpoints of two runs may be called alike."""
        cache = InMemoryCache()
        models = [
            kind(pair=TablePair(TOKENIZER, seed=i), cache=cache, dera_lambda=0.5, seed=1)
            for i in (1, 2)
        ]
        assert models[0].model_name == models[1].model_name
        texts = [getattr(x, "content", x) for x in (model.invoke("a") for model in models)]
        assert texts[0] != texts[1]
        again = [getattr(x, "content", x) for x in (model.invoke("a") for model in models)]
        assert again == texts

    def test_one_pair_has_one_key(self):
        pair = TablePair(TOKENIZER)
        model = ChatDeRa(pair=pair, cache=InMemoryCache(), dera_lambda=0.5, temperature=1.0)
        first = model.invoke("a").content
        twin = copy.deepcopy(model).model_copy(update={"cache": model.cache})
        assert twin.invoke("a").content == first
        assert ChatDeRa(pair=pair, cache=model.cache, dera_lambda=0.5).invoke("a").content == first
        assert Source(pair=pair).token == Source(pair=pair).token
        assert Source(pair="embedded").token is Source("a", "b").token is None

    def test_a_backend_that_cannot_be_hashed(self):
        class Odd(TablePair):
            __hash__ = None

        first, second = Odd(TOKENIZER), Odd(TOKENIZER)
        assert Source(pair=first).token != Source(pair=second).token
        assert ChatDeRa(pair=first, max_tokens=2, cache=InMemoryCache()).invoke("a").content

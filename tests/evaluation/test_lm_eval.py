"""The model `dera` of lm-evaluation-harness: its figures are the pair's, its tasks run offline."""

import json

import pytest
import yaml

from dera_rag import DeraDecoder, Sampling
from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.evaluation.curve import row_seed
from dera_rag.evaluation.interop.likelihood import likelihoods
from dera_rag.testing import cache_free_logits, write_pair

pytest.importorskip("lm_eval", reason="needs dera-rag[lm-eval]")
# Its modules and `datasets` warn about themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

import lm_eval  # noqa: E402
from lm_eval.api.instance import Instance  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

from dera_rag.evaluation.interop.__main__ import main  # noqa: E402
from dera_rag.evaluation.interop.harness import DeraLM  # noqa: E402

PAIRS = [
    ("The old harbour", " café serves bread"),
    ("The old harbour", " is closed"),
    ("", "A small pub near the river"),
    ("A pub with spaces   ", "is cheap"),
    ("A small pub", " x"),
    ("<s>The old", " harbour"),
]
TEXTS = ["The old harbour café serves fresh bread.", "x", "A small pub near the river. " * 12]


def requests(kind, arguments):
    return [Instance(kind, {}, one, i) for i, one in enumerate(arguments)]


@pytest.fixture(scope="module", params=["llama-plain", "llama-bos", "gpt2-plain", "t5-plain"])
def folders(request, tmp_path_factory):
    shape, tokenizer = request.param.split("-")
    folder = tmp_path_factory.mktemp(request.param)
    return write_pair(folder, shape, tokenizer=tokenizer, positions=64, eos=([2], [2, 5]))


def model(folders, lam, **settings):
    # T5 has no limit of its own.
    return DeraLM(pair=folders.load(), lam=lam, max_length=64, **settings)


@pytest.fixture(params=[0.0, 1.0])
def alone(request, folders):
    """λ and the harness' own model of the branch that it runs."""
    lm = model(folders, request.param)
    branch = lm.pair.aligned if request.param else lm.pair.reference
    theirs = HFLM(
        branch,
        tokenizer=lm.pair.tokenizer,
        backend=lm.backend,
        max_length=lm.max_length,
        batch_size=4,
        device="cpu",
    )
    return lm, theirs


def test_likelihoods_at_the_ends_are_those_of_the_harness_own_model(alone):
    lm, theirs = alone
    asked = requests("loglikelihood", PAIRS)
    for one, other in zip(
        lm.loglikelihood(asked, disable_tqdm=True),
        theirs.loglikelihood(asked, disable_tqdm=True),
        strict=True,
    ):
        assert one[0] == pytest.approx(other[0], abs=1e-4)
        assert one[1] == bool(other[1])


def test_whole_texts_at_the_ends_are_those_of_the_harness_own_model(alone):
    lm, theirs = alone
    asked = requests("loglikelihood_rolling", [(text,) for text in TEXTS])
    # The last text takes several windows.
    assert len(lm.tok_encode(TEXTS[-1])) > lm.max_length
    ours = lm.loglikelihood_rolling(asked, disable_tqdm=True)
    assert ours == pytest.approx(theirs.loglikelihood_rolling(asked, disable_tqdm=True), abs=1e-3)


@pytest.mark.parametrize("lam", [0.5, 1.7])
def test_likelihoods_between_are_the_mixtures(folders, lam):
    lm = model(folders, lam, batch_size=2)
    found = lm.loglikelihood(requests("loglikelihood", PAIRS[:2]), disable_tqdm=True)
    for (context, continuation), (value, greedy) in zip(PAIRS[:2], found, strict=True):
        ids, answer = lm._encode_pair(context, continuation)
        total, best = 0.0, True
        for i, token in enumerate(answer):
            logits = cache_free_logits(lm.pair, ids, lam, answer[:i])
            total += float(logits.log_softmax(-1)[token])
            best &= int(logits.argmax()) == token
        assert value == pytest.approx(total, abs=1e-4)
        assert greedy == best


def test_answers_are_the_decoders(folders):
    lm = model(folders, 1.3, batch_size=2, seed=5)
    contexts = ["The old harbour", "A pub", "The old harbour"]
    kwargs = [
        {"until": ["e"], "max_gen_toks": 12},
        {"temperature": 0.9, "top_k": 40, "max_gen_toks": 8},
        {"temperature": 0.9, "max_gen_toks": 8, "lam": 0.25},
    ]
    found = lm.generate_until(
        requests("generate_until", list(zip(contexts, kwargs, strict=True))), disable_tqdm=True
    )
    decoder = DeraDecoder(lm.pair)
    greedy = Sampling(temperature=0.0, max_new_tokens=12)
    assert found[0] == decoder.generate(contexts[0], 1.3, greedy, stop=["e"]).text
    seed = row_seed(5, f"0\n{contexts[1]}")
    drawn = Sampling(temperature=0.9, top_k=40, max_new_tokens=8, seed=seed)
    assert found[1] == decoder.generate(contexts[1], 1.3, drawn).text
    # The same context asked a second time has noise of its own.
    seed = row_seed(5, f"1\n{contexts[2]}")
    drawn = Sampling(temperature=0.9, max_new_tokens=8, seed=seed)
    assert found[2] == decoder.generate(contexts[2], 0.25, drawn).text


def test_greedy_answers_at_the_ends_are_those_of_the_harness_own_model(alone):
    lm, theirs = alone
    asked = requests(
        "generate_until",
        [(text, {"until": ["zz"], "max_gen_toks": 10}) for text in ("The old", "A pub near")],
    )
    ours = lm.generate_until(asked, disable_tqdm=True)
    # It stops at one end token; the pair at those of both models.
    if lm.pair.stop_ids == {theirs.eot_token_id}:
        assert ours == theirs.generate_until(asked, disable_tqdm=True)
    expected = DeraDecoder(lm.pair).generate(
        ["The old", "A pub near"], lm.lam, Sampling(temperature=0.0, max_new_tokens=10), ["zz"]
    )
    assert ours == [one.text for one in expected]


def test_contexts_are_cut_at_their_beginning(folders):
    lm = model(folders, 0.5)
    long = "The old harbour café. " * 20
    ids = lm.tok_encode(long)
    (found,) = lm.loglikelihood(requests("loglikelihood", [(long, " x")]), disable_tqdm=True)
    room = lm.max_length
    context, answer = lm._encode_pair(long, " x")
    if lm.backend == "causal":
        room -= len(answer) - 1
    (expected,) = likelihoods(lm.pair, [(context[-room:], answer)], 0.5)
    assert found[0] == pytest.approx(expected.log_probability, abs=1e-4)
    (text,) = lm.generate_until(
        requests("generate_until", [(long, {"max_gen_toks": 10})]), disable_tqdm=True
    )
    room = lm.max_length - (10 if lm.backend == "causal" else 0)
    greedy = Sampling(temperature=0.0, max_new_tokens=10)
    assert text == DeraDecoder(lm.pair).generate([ids[-room:]], 0.5, greedy)[0].text


def test_a_stop_string_that_is_a_control_token_ends_an_answer(folders, monkeypatch):
    lm = model(folders, 1.0)
    ids = lm.pair.tokenizer("A pub <|user|> more")["input_ids"]
    mark = lm.pair.tokenizer.convert_tokens_to_ids("<|user|>")
    if mark not in lm.pair.tokenizer.all_special_ids:
        lm.pair.tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>"]})
    answerer = lm._answerer
    ends = answerer._ends(["<|user|>", "zz"])
    assert ends == {mark}
    assert answerer._cut(ids, "whole", ends).strip() == "A pub"
    assert answerer._cut(ids[:2], "whole", ends) == "whole"


def test_refusals(folders):
    lm = model(folders, 1.0)
    if lm.backend == "causal":
        with pytest.raises(PromptError, match="leave no room in the 64"):
            lm.generate_until(requests("generate_until", [("A", {"max_gen_toks": 64})]))
    with pytest.raises(PromptError, match="continuation has"):
        lm.loglikelihood(requests("loglikelihood", [("A", " b" * 80)]), disable_tqdm=True)
    with pytest.raises(InvalidValueError, match="temperature"):
        lm.generate_until(requests("generate_until", [("A", {"temprature": 1})]))
    with pytest.raises(InvalidValueError, match="no chat template"):
        lm.apply_chat_template([{"role": "user", "content": "x"}])


def test_the_length_is_the_pairs_or_less(folders):
    pair = folders.load()
    own = pair.max_length
    assert DeraLM(pair=pair).max_length == (own or 2048)
    assert DeraLM(pair=pair, max_length=10).max_length == 10
    assert DeraLM(pair=pair, max_length=9999).max_length == (own or 9999)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lam": -1}, "λ"),
        ({"lam": "much"}, "λ"),
        ({"reference": "sft"}, "a pair is two models"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": "many"}, "batch_size"),
        ({"max_gen_toks": 0}, "max_new_tokens"),
        ({"max_length": 0}, "max_length"),
    ],
)
def test_settings_that_cannot_be(settings, says):
    with pytest.raises(InvalidValueError, match=says):
        DeraLM(**settings)


def test_a_pair_or_names(folders):
    with pytest.raises(InvalidValueError, match="the one or the others"):
        DeraLM("sft", "dpo", pair=folders.load())


def test_the_chat_template_of_the_pair(folders):
    template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    lm = DeraLM(
        pair=folders.load(chat_template=template + "{% if add_generation_prompt %}:{% endif %}")
    )
    messages = [{"role": "user", "content": "Where?"}]
    assert lm.apply_chat_template(messages) == "[user]Where?:"
    ahead = [*messages, {"role": "assistant", "content": "In"}]
    assert lm.apply_chat_template(ahead, add_generation_prompt=False) == "[user]Where?[assistant]In"
    assert lm.chat_template(True).startswith(template)
    assert lm.chat_template(False) == ""


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """Two tasks over a JSONL file: which ending is likelier, and what is written."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    rows = [
        {"question": "The old harbour", "endings": [" café", " zz"], "answer": 0, "gold": "bread"},
        {"question": "A small pub near", "endings": [" q", " the"], "answer": 1, "gold": "river"},
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "doc_to_text": "{{question}}",
        "target_delimiter": "",
    }
    choice = common | {
        "task": "dera_choice",
        "output_type": "multiple_choice",
        "doc_to_choice": "{{endings}}",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "acc"}],
    }
    writing = common | {
        "task": "dera_writing",
        "output_type": "generate_until",
        "doc_to_target": "{{gold}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 5, "do_sample": False},
        "metric_list": [{"metric": "exact_match"}],
    }
    for task in (choice, writing):
        (tmp_path / f"{task['task']}.yaml").write_text(yaml.safe_dump(task))
    return TaskManager(include_path=str(tmp_path), include_defaults=False)


def test_tasks_run_through_the_harness(folders, tasks):
    lm = model(folders, 1.5)
    found = lm_eval.simple_evaluate(
        model=lm, tasks=["dera_choice", "dera_writing"], task_manager=tasks, bootstrap_iters=0
    )
    scores = [
        [
            one.log_probability
            for one in likelihoods(lm.pair, [lm._encode_pair(q, e) for e in ends], 1.5)
        ]
        for q, ends in (("The old harbour", [" café", " zz"]), ("A small pub near", [" q", " the"]))
    ]
    right = [scores[0][0] > scores[0][1], scores[1][1] > scores[1][0]]
    assert found["results"]["dera_choice"]["acc,none"] == sum(right) / 2
    answers = [sample["resps"][0][0] for sample in found["samples"]["dera_writing"]]
    greedy = Sampling(temperature=0.0, max_new_tokens=5)
    expected = DeraDecoder(lm.pair).generate(
        ["The old harbour", "A small pub near"], 1.5, greedy, ["\n"]
    )
    assert answers == [one.text for one in expected]


ONE = pytest.mark.parametrize("folders", ["llama-plain"], indirect=True)


@ONE
def test_by_its_name(folders, tasks):
    arguments = f"reference={folders.reference},aligned={folders.aligned},lam=0.5,seed=3"
    found = lm_eval.simple_evaluate(
        model="dera", model_args=arguments, tasks=["dera_choice"], task_manager=tasks,
        batch_size="4", device="cpu", bootstrap_iters=0,
    )  # fmt: skip
    assert found["config"]["model"] == "dera"
    assert 0 <= found["results"]["dera_choice"]["acc,none"] <= 1


@pytest.mark.slow
@ONE
def test_as_a_command(folders, tasks, tmp_path, monkeypatch):
    arguments = f"reference={folders.reference},aligned={folders.aligned},lam=1.5,max_length=64"
    command = ["run", "--model", "dera", "--model_args", arguments, "--tasks", "dera_choice"]
    command += ["--include_path", str(tmp_path), "--output_path", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["lm_eval", *command])
    main()
    (written,) = (tmp_path / "out").rglob("results_*.json")
    found = json.loads(written.read_text())
    lm = model(folders, 1.5)
    direct = lm_eval.simple_evaluate(
        model=lm, tasks=["dera_choice"], task_manager=tasks, bootstrap_iters=0
    )
    results = (found["results"]["dera_choice"], direct["results"]["dera_choice"])
    assert results[0]["acc,none"] == results[1]["acc,none"]


@ONE
def test_a_response_cache_serves_one_lambda(folders, tasks, tmp_path):
    def evaluate(lam):
        return lm_eval.simple_evaluate(
            model=model(folders, lam), tasks=["dera_choice"], task_manager=tasks,
            use_cache=str(tmp_path / "cache.db"), bootstrap_iters=0,
        )["samples"]["dera_choice"]  # fmt: skip

    first = evaluate(0.5)
    assert [s["resps"] for s in evaluate(0.5)] == [s["resps"] for s in first]
    with pytest.raises(InvalidValueError, match="one --use_cache path"):
        evaluate(1.5)

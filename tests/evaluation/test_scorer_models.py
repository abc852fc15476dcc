"""Adapters for published models on tiny checkpoints made here, and a judge asked both ways."""

import math

import numpy as np
import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from dera_rag.errors import InvalidValueError, ModelLoadError
from dera_rag.evaluation.contract import Item, Scorer
from dera_rag.evaluation.scorers.checkpoints import LettuceDetect, MiniCheck
from dera_rag.evaluation.scorers.entailment import Entailment
from dera_rag.evaluation.scorers.pairwise import PreferredToReference, prefer
from dera_rag.evaluation.suites import Named
from dera_rag.types import Passage

VOCABULARY = "[PAD] [UNK] [CLS] [SEP] </s> 0 1 predict : . the cat sat dog ran on mat"
WORDS = VOCABULARY.split()


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", eos_token="</s>",
    )  # fmt: skip


def save(kind, tokenizer, folder, **labels):
    import torch
    from transformers import BertConfig

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=256, **labels,
    )  # fmt: skip
    kind(config).save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def nli(tokenizer, tmp_path_factory):
    from transformers import BertForSequenceClassification

    labels = {0: "contradiction", 1: "entailment", 2: "neutral"}
    return save(
        BertForSequenceClassification, tokenizer, tmp_path_factory.mktemp("nli"),
        id2label=labels, label2id={name: i for i, name in labels.items()},
    )  # fmt: skip


ITEM = Item(
    "who sat ?",
    (Passage("0", "the cat sat on the mat ."), Passage("1", "the dog ran .")),
    "the cat sat. The dog ran on the mat.",
)


def test_entailment_reads_its_output_from_the_labels(nli):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    scorer = Entailment(model=nli)
    assert isinstance(scorer, Scorer)
    (score,) = scorer.score([ITEM])
    model, words = (
        AutoModelForSequenceClassification.from_pretrained(nli),
        AutoTokenizer.from_pretrained(nli),
    )
    best = []
    for sentence in ("the cat sat.", "The dog ran on the mat."):
        with torch.inference_mode():
            each = [
                model(**words(p.text, sentence, return_tensors="pt")).logits.softmax(-1)[0, 1]
                for p in ITEM.passages
            ]
        best.append(float(max(each)))
    assert score.value == pytest.approx(min(best), abs=1e-6)
    assert len(score.spans) == sum(p < 0.5 for p in best)
    (mean,) = Entailment(model=nli, over="mean").score([ITEM])
    assert mean.value == pytest.approx(sum(best) / 2, abs=1e-6)


def test_entailment_keeps_the_contract(nli):
    scorer = Entailment(model=nli)
    bare, empty = Item("?", (), "the cat"), Item("?", ITEM.passages, " ")
    scores = scorer.score([bare, ITEM, empty])
    assert [s.reason for s in scores] == ["no passages", None, "the answer has no words"]
    assert scores[1].value == pytest.approx(scorer.score([ITEM])[0].value, abs=1e-6)
    assert scorer.score([]) == []


def test_an_output_that_is_not_named_is_not_guessed(tokenizer, tmp_path):
    from transformers import BertForSequenceClassification

    folder = save(BertForSequenceClassification, tokenizer, tmp_path, num_labels=2)
    with pytest.raises(InvalidValueError, match="LABEL_0"):
        Entailment(model=folder).score([ITEM])
    named = Entailment(model=folder, label="LABEL_1").score([ITEM])[0]
    assert 0 <= named.value <= 1


def test_a_single_output_is_a_log_odds(tokenizer, tmp_path):
    from transformers import BertForSequenceClassification

    folder = save(BertForSequenceClassification, tokenizer, tmp_path, num_labels=1)
    found = Entailment(model=folder).probabilities([("the cat", "the cat")])
    assert found.shape == (1,)
    assert 0 < found[0] < 1


def test_pickled_weights_are_refused(nli, tmp_path):
    import shutil

    import torch
    from safetensors.torch import load_file

    shutil.copytree(nli, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    torch.save(load_file(weights), tmp_path / "model" / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(ModelLoadError, match="cannot load"):
        Entailment(model=tmp_path / "model").score([ITEM])


def test_minicheck_reads_the_odds_of_its_two_tokens(tokenizer, tmp_path):
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
        decoder_start_token_id=0, eos_token_id=4, pad_token_id=0,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).eval()
    model.save_pretrained(tmp_path, safe_serialization=True)
    tokenizer.save_pretrained(tmp_path)
    (score,) = MiniCheck(model=tmp_path).score([Item("?", ITEM.passages[1:], "the cat")])
    known = {w: i for i, w in enumerate(WORDS)}
    prompt = "predict : the dog ran . </s> the cat </s>"
    ids = [known[word] for word in prompt.split()]
    with torch.inference_mode():
        logits = model(torch.tensor([ids]), decoder_input_ids=torch.tensor([[0]])).logits[0, 0]
    odds = float(logits[known["1"]] - logits[known["0"]])
    assert score.value == pytest.approx(1 / (1 + math.exp(-odds)), abs=1e-5)


def test_lettucedetect_marks_tokens_of_the_answer_only(tokenizer, tmp_path):
    import torch
    from transformers import BertForTokenClassification

    folder = save(BertForTokenClassification, tokenizer, tmp_path, num_labels=2)
    model = BertForTokenClassification.from_pretrained(folder)
    with torch.no_grad():
        # Only the word itself decides: "dog" is hallucinated, everything else is not.
        model.bert.encoder.layer = torch.nn.ModuleList()
        model.config.num_hidden_layers = 0
        model.bert.embeddings.word_embeddings.weight.zero_()
        model.bert.embeddings.position_embeddings.weight.zero_()
        model.bert.embeddings.token_type_embeddings.weight.zero_()
        ramp = torch.linspace(-1, 1, 16)
        model.bert.embeddings.word_embeddings.weight[:] = -ramp
        model.bert.embeddings.word_embeddings.weight[WORDS.index("dog")] = ramp
        model.classifier.weight[0], model.classifier.weight[1] = -ramp, ramp
        model.classifier.bias.zero_()
    model.save_pretrained(folder)
    item = Item("?", (Passage("0", "the dog ran"),), "the cat sat dog dog ran")
    (score,) = LettuceDetect(model=folder).score([item])
    assert score.value < 0.5
    assert [(s.start, s.end, s.text) for s in score.spans] == [(12, 19, "dog dog")]
    (clean,) = LettuceDetect(model=folder).score([Item("?", item.passages, "the cat sat")])
    assert clean.value > 0.5
    assert not clean.spans


def judge(*replies):
    return GenericFakeChatModel(messages=iter([AIMessage(reply) for reply in replies]))


@pytest.mark.parametrize(
    ("replies", "value", "consistent"),
    [
        (("1", "2"), 1.0, True),
        (("2", "1."), 0.0, True),
        (("1", "1"), 0.5, False),  # it favours the first place
        (("tie", "Tie"), 0.5, True),
        (("1", "tie"), 0.5, False),
        (("1", "neither"), None, False),
        (("1 or 2", "2"), None, False),
    ],
)
def test_a_pair_is_judged_both_ways(replies, value, consistent):
    found = prefer(judge(*replies), "?", "mine", "other")
    assert (found.value, found.consistent, found.votes) == (value, consistent, replies)


def test_preference_against_the_reference_keeps_the_contract():
    scorer = PreferredToReference(judge=judge("1", "2", "what?", "?"))
    assert isinstance(scorer, Scorer)
    items = [Item("?", (), "a", references=("b",)), Item("?", (), "a", references=("b",)), ITEM]
    scores = scorer.score(items)
    assert scores[0].value == 1.0
    assert "no vote" in scores[1].reason
    assert scores[2].reason == "no references"
    assert np.isfinite(scores[0].value)


def test_a_suite_names_a_judge_in_words(monkeypatch):
    """A suite holds values alone: a judge that could only be an object could not be named."""
    named = Named("preferred_to_reference", {"judge": "provider:model"}).scorer()
    assert named.version == "1 provider:model"
    asked = []

    def init_chat_model(name):
        asked.append(name)
        return judge("1", "2")

    monkeypatch.setattr("langchain.chat_models.init_chat_model", init_chat_model)
    item = Item("?", (), "Open daily.", references=("Open each day.",))
    assert asked == []  # constructing loads nothing
    assert named.score([item])[0].value == 1
    assert asked == ["provider:model"]
    with pytest.raises(InvalidValueError, match="provider:model"):
        PreferredToReference(judge=3)

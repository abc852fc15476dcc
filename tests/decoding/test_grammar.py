"""Answers that keep to a grammar: always valid, always closed, whatever the pair would write."""

import datetime
import json
import random
import uuid
from typing import Annotated, Literal, Optional

import pytest
from pydantic import Field, create_model

from dera_rag import DeraDecoder, Sampling
from dera_rag.decoding.grammar import Grammars
from dera_rag.decoding.requests import read_batch
from dera_rag.decoding.schemas import json_grammar
from dera_rag.errors import InvalidValueError
from dera_rag.testing import ScriptedPair, TablePair, tiny_tokenizer

KINDS = ("plain", "bos", "byte_fallback")
PAIRS = {kind: TablePair(tiny_tokenizer(kind), seed=i) for i, kind in enumerate(KINDS)}
GRAMMARS = {
    kind: Grammars(pair.tokenizer, pair.vocab_size, pair.stop_ids) for kind, pair in PAIRS.items()
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def decode(pair, grammar, lam=0.5, *, seeds=(0,), budget=64, prompt="a", **sampling):
    """Answers of one batch, a row for each seed."""
    import dataclasses

    engine = DeraDecoder(pair).engine()
    handles = []
    for row, seed in enumerate(seeds):
        settings = Sampling(seed=seed, max_new_tokens=budget, **sampling)
        request = read_batch(pair, prompt, lam, settings).requests[0]
        handles.append(
            engine.enqueue(dataclasses.replace(request, row=row, grammar=grammar.check(budget)))
        )
    while engine.running:
        engine.advance()
    return [handle.result() for handle in handles]


def _field(rng, depth):
    """A type that JSON can hold, and how it is bounded."""
    kinds = ["str", "int", "float", "bool", "choice", "maybe", "bounded", "list", "when", "range"]
    kind = rng.choice(kinds + ["object"] * (depth < 2))
    if kind == "object":
        return model(rng, depth + 1)
    if kind == "list":
        return list[_field(rng, depth + 1)]
    if kind == "maybe":
        return Optional[_field(rng, depth + 1)]  # noqa: UP045 - of any kind of type
    if kind == "bounded":
        length = Field(min_length=2, max_length=4)
        pattern = Field(pattern=r"^[A-Z]{2}-[0-9]{3}$")
        return Annotated[str, rng.choice([length, pattern])]
    if kind == "when":
        return rng.choice([datetime.date, datetime.datetime, datetime.timedelta, uuid.UUID])
    if kind == "range":
        tens = Annotated[int, Field(ge=10, le=90, multiple_of=10)]
        return rng.choice([Annotated[float, Field(gt=0, lt=1)], tens])
    plain = {"str": str, "int": int, "float": float, "bool": bool}
    return Literal["red", "blue 東", 3] if kind == "choice" else plain[kind]


def model(rng, depth=0):
    """A random pydantic class; it judges what was generated, independently of the grammar."""
    fields = {}
    for i in range(rng.randint(1, 3)):
        kind = _field(rng, depth)
        fields[f"f{i}"] = (kind, None) if rng.random() < 0.2 else (kind, ...)
    return create_model(f"M{rng.randrange(10**6)}", **fields)


class TestRandomSchemas:
    def test_always_valid(self, cases):
        """Random pairs that know no JSON, random schemas, little room: every answer is valid."""
        done = 0
        rng = random.Random(0)
        while done < cases(60, 1000):
            kind = rng.choice(KINDS)
            made = model(rng)
            grammar = GRAMMARS[kind].compile(json_grammar(made.model_json_schema()))
            shortest = grammar.shortest
            seeds = [rng.randrange(10**6) for _ in range(4)]
            answers = decode(
                PAIRS[kind],
                grammar,
                rng.choice([0.0, 0.5, 1.0, 2.0]),
                seeds=seeds,
                budget=shortest + rng.choice([0, 1, 7, 40]),
                temperature=rng.choice([0.0, 1.0, 1.0, 3.0]),
                top_p=rng.choice([1.0, 0.9]),
                repetition_penalty=rng.choice([1.0, 1.3]),
            )
            for answer in answers:
                made.model_validate_json(answer.text)
                assert answer.finish_reason == "stop"
            done += len(answers)

    def test_the_library_reads_bytes_as_the_tokenizer_does(self):
        for kind, grammars in GRAMMARS.items():
            text = '{"name": "naïve 東京 🍜"}'
            ids = PAIRS[kind].tokenizer(text, add_special_tokens=False)["input_ids"]
            assert grammars.words.decode_bytes(ids).decode().lstrip() == text


class TestBudget:
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_shortest_answer_is_what_fits(self, kind):
        grammar = GRAMMARS[kind].compile(json_grammar(PERSON))
        (answer,) = decode(PAIRS[kind], grammar, budget=grammar.shortest)
        assert set(json.loads(answer.text)) == {"name", "age"}
        assert len(answer.token_ids) <= grammar.shortest
        with pytest.raises(InvalidValueError, match=f"takes {grammar.shortest} tokens"):
            grammar.check(grammar.shortest - 1)

    def test_an_endless_string_is_closed(self):
        tokenizer = tiny_tokenizer("plain")
        endless = tokenizer('{"name": "' + "a" * 100, add_special_tokens=False)["input_ids"]
        pair = ScriptedPair(tokenizer, endless)
        grammars = Grammars(tokenizer, pair.vocab_size, pair.stop_ids)
        (answer,) = decode(pair, grammars.compile(json_grammar(PERSON)), 1.0, budget=40)
        value = json.loads(answer.text)
        assert set(value["name"]) == {"a"}
        assert len(answer.token_ids) == 40

    def test_recursion_is_closed(self):
        tree = {
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"child": {"$ref": "#/$defs/node"}, "leaf": {"type": "boolean"}},
                    "required": ["leaf"],
                    "additionalProperties": False,
                }
            },
            "$ref": "#/$defs/node",
        }
        grammar = GRAMMARS["plain"].compile(json_grammar(tree))
        for answer in decode(PAIRS["plain"], grammar, seeds=range(8), budget=80, temperature=2.0):
            assert isinstance(json.loads(answer.text)["leaf"], bool)


class TestDistribution:
    def test_a_grammar_that_allows_the_answer_changes_nothing(self):
        """What the pair would write anyway stays the same, token by token."""
        tokenizer = tiny_tokenizer("plain")
        text = '{"name": "Io", "age": 3}'
        pair = ScriptedPair(tokenizer, text)
        grammars = Grammars(tokenizer, pair.vocab_size, pair.stop_ids)
        (answer,) = decode(
            pair, grammars.compile(json_grammar(PERSON)), 1.0, budget=64, temperature=0.0
        )
        assert answer.text == text

    def test_the_mask_acts_on_the_mixture(self):
        """Two branches that prefer different values: λ moves the choice between them."""
        tokenizer = tiny_tokenizer("plain")
        pair = ScriptedPair(tokenizer, aligned='"yes"', reference='"no"')
        grammars = Grammars(tokenizer, pair.vocab_size, pair.stop_ids)
        grammar = grammars.compile(json_grammar({"enum": ["yes", "no"]}))
        texts = {
            lam: decode(pair, grammar, lam, temperature=0.0)[0].text for lam in (0.0, 0.25, 0.75, 2)
        }
        assert texts == {0.0: '"no"', 0.25: '"no"', 0.75: '"yes"', 2: '"yes"'}

    def test_rows_without_one_are_as_ever(self):
        """A row's answer does not depend on a grammar beside it, drafted or not."""
        pair = PAIRS["plain"]
        decoder = DeraDecoder(pair, speculation="always")
        alone = decoder.generate(["abcabcabcabc"], 0.5, Sampling(seed=[7], max_new_tokens=30))[0]
        engine = decoder.engine()
        grammar = GRAMMARS["plain"].compile(json_grammar(PERSON))
        import dataclasses

        free = engine.submit("abcabcabcabc", 0.5, Sampling(seed=7, max_new_tokens=30))
        request = read_batch(pair, "abc", 0.5, Sampling(seed=3, max_new_tokens=40)).requests[0]
        bound = engine.enqueue(dataclasses.replace(request, row=1, grammar=grammar))
        while engine.running:
            engine.advance()
        assert free.result().token_ids == alone.token_ids
        assert set(json.loads(bound.result().text)) == {"name", "age"}
        assert (
            bound.result().text == decode(pair, grammar, seeds=[3], budget=40, prompt="abc")[0].text
        )


class TestRefusals:
    def test_what_cannot_be_enforced(self):
        with pytest.raises(InvalidValueError, match="cannot be enforced"):
            GRAMMARS["plain"].compile(json_grammar({"type": "array", "uniqueItems": True}))

    def test_a_slow_tokenizer(self):
        with pytest.raises(InvalidValueError, match="fast tokenizer"):
            Grammars(object(), 10, [1])

"""Tools: they reach the template, calls come back whole, and random pairs write valid ones."""

import json

import pytest
from chat_templates import MISTRAL
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from pydantic import BaseModel
from tokenizer_shapes import CHATML, chatml
from understanding_pair import TEMPLATE, UnderstandingPair, call_text

from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.langchain import ChatDeRa
from dera_rag.langchain.forms import ToolForm
from dera_rag.langchain.tools import chosen_tools
from dera_rag.langchain.turns import TOOLS_PROMPT
from dera_rag.prompts import PromptBuilder
from dera_rag.testing import TablePair, tiny_tokenizer

ASK = "What is the weather in Oslo?"


@tool
def get_weather(location: str) -> str:
    """The weather at a place."""
    return f"Rain in {location}."


@tool
def add(a: int, b: int = 0) -> int:
    """The sum of two numbers."""
    return a + b


def understanding(answer=None, template=TEMPLATE):
    pair = (
        UnderstandingPair(template=template)
        if answer is None
        else UnderstandingPair(lambda _: answer, template)
    )
    return ChatDeRa(pair=pair, temperature=0.0, dera_lambda=0.5, max_tokens=160)


class _Fake(BaseChatModel):
    """A chat model as LangChain shows how to write one."""

    temperature: float = 0.0

    @property
    def _llm_type(self):
        return "fake"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        message = AIMessage(str(self.temperature))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def bind_tools(self, tools, **kwargs):
        return self.bind(tools=tools, **kwargs)


def form_of(template):
    return ToolForm.of(PromptBuilder(chatml(template)))


def joined(chunks):
    whole = None
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    return whole


class TestForm:
    """A model is made to write calls as its template writes those of earlier turns."""

    def test_tags(self):
        assert form_of(TEMPLATE) == ToolForm(
            '<tool_call>\n{"name": "',
            '", "arguments": ',
            "}\n</tool_call>",
            '}\n</tool_call>\n<tool_call>\n{"name": "',
        )

    def test_one_bare_object(self):
        bare = (
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.tool_calls %}"
            "{% if m.tool_calls | length > 1 %}{{ raise_exception('one call') }}{% endif %}"
            '{"name": "{{ m.tool_calls[0].function.name }}", "parameters": '
            "{{ m.tool_calls[0].function.arguments | tojson }}}{% else %}{{ m.content }}{% endif %}"
            "<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        )
        assert form_of(bare) == ToolForm('{"name": "', '", "parameters": ', "}", None)

    def test_a_list_after_a_token(self):
        listed = (
            "{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]"
            "{% elif m.tool_calls %}[CALLS][{% for c in m.tool_calls %}"
            '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}, '
            '"id": "{{ c.id }}"}{% if not loop.last %}, {% endif %}{% endfor %}]</s>'
            "{% else %}{{ m.content }}</s>{% endif %}{% endfor %}"
        )
        assert form_of(listed).opening == '[CALLS][{"name": "'
        assert form_of(listed).closing == "}]"

    def test_a_template_that_writes_none_gets_the_common_form(self):
        assert form_of(CHATML).opening.startswith("<tool_call>")
        assert ToolForm.of(PromptBuilder(tiny_tokenizer("plain"))) == form_of(CHATML)


class TestPrompt:
    def test_tools_reach_the_template(self):
        model = understanding()
        model.bind_tools([get_weather]).invoke(ASK)
        prompt = model.pair.prompts[-1]
        expected = model.pair.tokenizer.apply_chat_template(
            [{"role": "user", "content": ASK}],
            tools=model.bind_tools([get_weather]).kwargs["tools"],
            add_generation_prompt=True,
            tokenize=False,
        )
        assert prompt == expected
        assert "The weather at a place." in prompt

    def test_a_template_that_shows_none_gets_them_in_words(self):
        model = understanding("Hello.", CHATML)
        model.bind_tools([get_weather]).invoke(ASK)
        assert TOOLS_PROMPT.strip() in model.pair.prompts[-1]
        assert model.pair.prompts[-1].startswith("<|im_start|>system")

    def test_so_does_one_without_system_messages(self):
        strict = (
            "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + CHATML
        )
        model = understanding("Hello.", strict)
        model.bind_tools([get_weather]).invoke(ASK)
        assert model.pair.prompts[-1].startswith("<|im_start|>user")
        assert "get_weather" in model.pair.prompts[-1]

    def test_none_hides_them(self):
        model = understanding("Hello.")
        answer = model.bind_tools([get_weather], tool_choice="none").invoke(ASK)
        assert "get_weather" not in model.pair.prompts[-1]
        assert (answer.content, answer.tool_calls) == ("Hello.", [])

    def test_calls_and_results_of_earlier_turns_are_shown(self):
        model = understanding()
        call = {"name": "get_weather", "args": {"location": "Oslo"}, "id": "1", "type": "tool_call"}
        talk = [
            HumanMessage(ASK),
            AIMessage("", tool_calls=[call]),
            ToolMessage("Rain.", tool_call_id="1"),
        ]
        answer = model.bind_tools([get_weather]).invoke(talk)
        assert call_text("get_weather", {"location": "Oslo"}) in model.pair.prompts[-1]
        assert "<|im_start|>tool\nRain.<|im_end|>" in model.pair.prompts[-1]
        assert answer.content == "It is done."

    def test_calls_and_results_in_blocks_are_too(self):
        """As Anthropic's API writes them; `tool_calls` may or may not hold the call as well."""
        model = understanding().bind_tools([get_weather])
        asked, said = HumanMessage(ASK), {"type": "text", "text": "Let me see."}
        arguments = {"location": "Oslo"}
        call = {"name": "get_weather", "args": arguments, "id": "1", "type": "tool_call"}
        use = {"type": "tool_use", "id": "1", "name": "get_weather", "input": arguments}
        result = {"type": "tool_result", "tool_use_id": "1", "content": [{"text": "Rain."}]}
        model.invoke(
            [
                asked,
                AIMessage("Let me see.", tool_calls=[call]),
                ToolMessage("Rain.", tool_call_id="1"),
                HumanMessage("Well?"),
            ]
        )
        for calls in ([], [call]):
            blocks = HumanMessage([{"type": "text", "text": "Well?"}, result])
            talk = [asked, AIMessage([said, use], tool_calls=calls), blocks]
            model.invoke(talk)
            assert model.bound.pair.prompts[-1] == model.bound.pair.prompts[-2]
            assert blocks.content[1] == result
        alone = [*talk[:2], HumanMessage([result | {"is_error": True}])]
        assert model.invoke(alone).content == "It is done."
        count = model.bound.get_num_tokens_from_messages(alone, tools=[get_weather])
        assert count == model.invoke(alone).usage_metadata["input_tokens"]
        with pytest.raises(PromptError, match="tool_result without its call"):
            model.invoke([HumanMessage([{"type": "tool_result", "content": "Rain."}])])

    def test_what_is_configured_later_reaches_what_was_bound(self):
        """LangChain's `bind_tools` of a configurable model is that of the model inside."""
        model = understanding()
        flexible = model.configurable_fields(dera_lambda=ConfigurableField(id="lam"))
        config = {"configurable": {"lam": 0.25}}
        bound = flexible.bind(**model.bind_tools([get_weather]).kwargs)
        lams = [
            asked.invoke(ASK, config).response_metadata["dera"]["lam"]
            for asked in (bound, flexible.bind_tools([get_weather]))
        ]
        assert lams == [0.25, 0.5]
        assert bound.invoke(ASK, config).tool_calls[0]["args"] == {"location": "Oslo"}

        fake = _Fake().configurable_fields(temperature=ConfigurableField(id="t"))
        bound = fake.bind_tools([])
        assert bound.invoke(ASK, {"configurable": {"t": 1.0}}).content == "0.0"

    def test_they_are_counted(self):
        model = understanding()
        bare = model.get_num_tokens_from_messages([HumanMessage(ASK)])
        full = model.get_num_tokens_from_messages([HumanMessage(ASK)], tools=[get_weather])
        used = model.bind_tools([get_weather]).invoke(ASK).usage_metadata["input_tokens"]
        assert full == used > bare


class TestCalls:
    @pytest.mark.parametrize("choice", [None, "auto", "any", "required", True, "get_weather"])
    def test_choice(self, choice):
        answer = understanding().bind_tools([add, get_weather], tool_choice=choice).invoke(ASK)
        (call,) = answer.tool_calls
        assert (call["name"], call["args"]) == ("get_weather", {"location": "Oslo"})
        assert answer.content == ""
        assert answer.response_metadata["finish_reason"] == "tool_calls"
        assert get_weather.invoke(call).content == "Rain in Oslo."

    @pytest.mark.parametrize(
        ("choice", "called"),
        [
            ({"type": "function", "function": {"name": "get_weather"}}, True),
            ({"type": "tool", "name": "get_weather"}, True),
            ({"type": "any"}, True),
            ({"type": "auto"}, True),
            ({"type": "none"}, False),
        ],
    )
    def test_choice_in_the_forms_of_providers(self, choice, called):
        model = understanding(None if called else "Hello.").bind_tools([add, get_weather])
        answer = model.invoke(ASK, tool_choice=choice)
        assert [call["name"] for call in answer.tool_calls] == ["get_weather"] * called
        assert ("get_weather" in model.bound.pair.prompts[-1]) == called

    def test_tools_as_keyword(self):
        """`bind` knows nothing of tools and passes them on as they are."""
        answer = understanding().bind(tools=[get_weather]).invoke(ASK)
        assert [call["name"] for call in answer.tool_calls] == ["get_weather"]

    def test_a_model_may_answer_in_words(self):
        answer = understanding().bind_tools([add, get_weather]).invoke("Hi")
        assert (answer.content, answer.tool_calls) == ("Hello there.", [])
        assert answer.response_metadata["finish_reason"] == "stop"

    @pytest.mark.parametrize("choice", [None, "any"])
    def test_stream_equals_invoke(self, choice):
        said = "Let me see. " if choice is None else ""
        text = said + call_text("get_weather", {"location": "Östersund 東"})
        model = understanding(text).bind_tools([get_weather], tool_choice=choice)
        whole, chunks = model.invoke(ASK), list(model.stream(ASK))
        streamed = joined(chunks)
        assert whole.content == streamed.content == said
        assert [{**c, "id": 0} for c in streamed.tool_calls] == [
            {**c, "id": 0} for c in whole.tool_calls
        ]
        assert streamed.usage_metadata == whole.usage_metadata
        assert streamed.response_metadata == whole.response_metadata
        # No piece of markup is shown on the way.
        assert not any("<" in chunk.content for chunk in chunks)

    def test_what_only_begins_like_a_call_is_text(self):
        model = understanding("a <tool or <tool_cal b").bind_tools([get_weather])
        assert model.invoke(ASK).content == "a <tool or <tool_cal b"
        assert joined(model.stream(ASK)).content == "a <tool or <tool_cal b"

    def test_words_are_streamed_where_only_a_special_token_begins_a_call(self):
        """As in Mistral's templates, whose `[TOOL_CALLS]` is no part of the text."""
        listed = MISTRAL.replace("[TOOL_CALLS]", "<|im_start|>")
        call = '<|im_start|> [{"name": "get_weather", "arguments": {"location": "Oslo"}}]'
        for said, calls in (("Let me see. Well", 0), ('It is [{"a": 1}] or [', 0), ("Wait. ", 1)):
            pair = UnderstandingPair(lambda _, s=said + call * calls: s, listed)
            asked = ChatDeRa(pair=pair, temperature=0.0, dera_lambda=0.5, max_tokens=160)
            model = asked.bind_tools([get_weather])
            whole, chunks = model.invoke(ASK), list(model.stream(ASK))
            assert whole.content == joined(chunks).content == said
            assert len(whole.tool_calls) == len(joined(chunks).tool_calls) == calls
            # Most of it was there before the end.
            assert len("".join(chunk.content for chunk in chunks[:-1])) >= len(said) - 2

    @pytest.mark.parametrize("stop", ["}", "Oslo", '"', "</tool_call>", "name"])
    @pytest.mark.parametrize("choice", [None, "any"])
    def test_a_stop_string_does_not_cut_a_call(self, stop, choice):
        said = "" if choice else "Let me see. "
        text = said + call_text("get_weather", {"location": "Oslo"})
        model = understanding(text).bind_tools([get_weather], tool_choice=choice)
        for answer in (model.invoke(ASK, stop=[stop]), joined(model.stream(ASK, stop=[stop]))):
            assert [call["args"] for call in answer.tool_calls] == [{"location": "Oslo"}]
            assert answer.content == said

    def test_a_stop_string_cuts_the_words_before(self):
        text = "Let me see. " + call_text("get_weather", {"location": "Oslo"})
        answer = understanding(text).bind_tools([get_weather]).invoke(ASK, stop=[" see"])
        assert (answer.content, answer.tool_calls) == ("Let me", [])
        assert answer.response_metadata["finish_reason"] == "stop"

    def test_several_calls(self):
        text = "\n".join(call_text("add", {"a": i}) for i in (1, 2))
        both = understanding(text).bind_tools([add])
        assert [c["args"] for c in both.invoke(ASK).tool_calls] == [{"a": 1}, {"a": 2}]
        assert [c["args"] for c in joined(both.stream(ASK)).tool_calls] == [{"a": 1}, {"a": 2}]
        one = understanding(text).bind_tools([add], parallel_tool_calls=False)
        assert [c["args"] for c in one.invoke(ASK).tool_calls] == [{"a": 1}]
        forced = understanding(text).bind_tools([add], tool_choice="any", parallel_tool_calls=True)
        assert len(forced.invoke(ASK).tool_calls) == 2

    def test_ids_differ(self):
        model = understanding().bind_tools([get_weather])
        ids = {model.invoke(ASK).tool_calls[0]["id"] for _ in range(5)}
        assert len(ids) == 5

    def test_a_response_template_reads_calls(self):
        pair = UnderstandingPair()
        pair.tokenizer.response_template = {
            "defaults": {"role": "assistant"},
            "fields": {
                "content": {},
                "tool_calls": {
                    "open": "<tool_call>",
                    "close": "</tool_call>",
                    "content": "json",
                    "repeats": True,
                    "transform": '{"type": "function", "function": {parsed}}',
                },
            },
        }
        model = ChatDeRa(pair=pair, temperature=0.0, dera_lambda=0.5, max_tokens=128)
        answer = model.bind_tools([get_weather]).invoke(ASK)
        assert [(c["name"], c["args"]) for c in answer.tool_calls] == [
            ("get_weather", {"location": "Oslo"})
        ]


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "wet": {"type": "boolean"}},
    "required": ["name", "wet"],
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA}}


class TestCallOrJson:
    """Tools beside a response format, as `create_agent` sends them for a `ProviderStrategy`."""

    def bound(self, answer, **more):
        return understanding(answer).bind_tools([get_weather], response_format=FORMAT, **more)

    def test_a_call(self):
        text = call_text("get_weather", {"location": "Oslo"})
        answer = self.bound(text).invoke(ASK)
        assert [call["args"] for call in answer.tool_calls] == [{"location": "Oslo"}]
        assert answer.content == ""

    def test_json(self):
        # A stop string would cut it in half.
        model = self.bound('{"name": "Oslo", "wet": true}', stop=["name"])
        answer, chunks = model.invoke(ASK), list(model.stream(ASK))
        assert json.loads(answer.content) == {"name": "Oslo", "wet": True}
        assert (answer.tool_calls, joined(chunks).content) == ([], answer.content)

    def test_words_are_neither(self):
        answer = self.bound("Hello there.").invoke(ASK)
        assert answer.tool_calls or set(json.loads(answer.content)) == {"name", "wet"}

    def test_a_forced_call_is_a_call(self):
        answer = self.bound('{"name": "Oslo", "wet": true}', tool_choice="any").invoke(ASK)
        assert [call["name"] for call in answer.tool_calls] == ["get_weather"]

    def test_random_pairs(self, cases):
        for i in range(cases(12, 100)):
            pair = TablePair(tiny_tokenizer(("plain", "bos", "byte_fallback")[i % 3]), seed=i)
            model = ChatDeRa(pair=pair, seed=i, dera_lambda=i % 3, max_tokens=80)
            answer = model.bind_tools([add], response_format=FORMAT).invoke("Hi")
            for call in answer.tool_calls:
                add.args_schema.model_validate(call["args"])
            if not answer.tool_calls:
                assert set(json.loads(answer.content)) == {"name", "wet"}


class TestRandomPairs:
    """A pair that knows nothing of tools, at any λ and temperature."""

    def test_forced_calls_are_valid(self, cases):
        class Order(BaseModel):
            """Order a meal."""

            dish: str
            count: int
            extras: list[str] = []
            vegan: bool | None = None

        for i in range(cases(20, 200)):
            pair = TablePair(tiny_tokenizer(("plain", "bos", "byte_fallback")[i % 3]), seed=i)
            model = ChatDeRa(pair=pair, seed=i, dera_lambda=i % 3, temperature=1 + i % 2)
            bound = model.bind_tools([Order, add], tool_choice=("any", "Order", "add")[i % 3])
            answer = bound.invoke("Hi", max_tokens=120)
            (call,) = answer.tool_calls
            (Order if call["name"] == "Order" else add.args_schema).model_validate(call["args"])
            assert answer.usage_metadata["output_tokens"] <= 120

    def test_sets(self):
        """A grammar cannot keep items apart: what repeats is gone from the call."""

        @tool
        def pick(grades: set[bool]) -> str:
            """Pick grades."""
            return str(grades)

        model = ChatDeRa(pair=TablePair(tiny_tokenizer("plain")), dera_lambda=1.0)
        bound = model.bind_tools([pick], tool_choice="any")
        used = []
        for seed in range(8):
            (call,) = bound.invoke("Hi", seed=seed, max_tokens=90).tool_calls
            used.append(call["args"]["grades"])
            assert pick.invoke(call["args"]) == str(set(used[-1]))
        assert all(len(grades) == len(set(grades)) for grades in used)
        assert max(map(len, used)) == 2

    def test_a_call_that_begins_ends(self):
        """Text that opens a call near the end of its budget: closed, or not begun."""
        text = "Well. " + call_text("get_weather", {"location": "a" * 300})
        for budget in range(12, 60, 3):
            answer = understanding(text).bind_tools([get_weather]).invoke(ASK, max_tokens=budget)
            assert "{" not in answer.content
            for call in answer.tool_calls:
                assert set(call["args"]["location"]) <= {"a"}


class TestRefusals:
    def test_choices(self):
        with pytest.raises(InvalidValueError, match="no tool for tool_choice='sing'"):
            understanding().bind_tools([add], tool_choice="sing").invoke(ASK)
        for choice in ({}, 1, {"type": ["any"]}):
            with pytest.raises(InvalidValueError, match="no tool choice"):
                understanding().bind_tools([add], tool_choice=choice).invoke(ASK)
        with pytest.raises(InvalidValueError, match="no tool for tool_choice='any'"):
            understanding().bind_tools([], tool_choice="any").invoke(ASK)
        tools = [{"type": "function", "function": {"name": "add"}}]
        assert chosen_tools(tools, {"type": "function", "function": {"name": "add"}}) == (
            tools,
            True,
        )
        assert chosen_tools(tools, False) == ((), False)

    def test_too_little_room(self):
        with pytest.raises(InvalidValueError, match="max_tokens=5 cannot hold"):
            understanding().bind_tools([add], tool_choice="any").invoke(ASK, max_tokens=5)

    def test_an_answer_that_should_have_called(self):
        from dera_rag.langchain.calls import ChatCall, Structure
        from dera_rag.langchain.replies import read_reply

        model = understanding("Hello.")
        call = model._read_call([HumanMessage(ASK)], None, {})
        answer = call.start().result(60)
        bound = model._read_call(
            [HumanMessage(ASK)], None, model.bind_tools([add], tool_choice="any").kwargs
        )
        structure = Structure(bound.tools, True, bound.form, bound.structure.begins)
        asked = ChatCall(**{**vars(call), "structure": structure})
        with pytest.raises(OutputParserException, match="none was"):
            read_reply(asked, answer)


def test_arguments_are_json():
    answer = understanding().bind_tools([get_weather]).invoke(ASK)
    assert json.loads(json.dumps(answer.tool_calls)) == answer.tool_calls

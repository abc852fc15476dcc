"""Prompts: exact ids on harmless text, no control token out of content, passages that fit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_shapes import SHAPES, added_tokens, chatml, header, sentencepiece_bpe, word_level

from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.prompts import CHAT_PROMPT, PLAIN_PROMPT, PromptBuilder, SafeEncoder, number_passages
from dera_rag.types import Passage

TOKENIZERS = {name: make() for name, make in SHAPES.items()}
TEMPLATES = [name for name, tokenizer in TOKENIZERS.items() if tokenizer.chat_template]
SAFE = "The copper kettle is cheap?  [x] {y}\n- food: 'Italian' <a> | end_of_turn Größe 你好 😀 "
KETTLE = Passage("kettle", "- name: The Copper Kettle\n- price range: cheap", 0.9)
HARBOUR = Passage("harbour", "- name: Harbour Books\n- food: none", 0.5)


def control(tokenizer, ids):
    """Added ids in a sequence; the unknown token also stands for ordinary text."""
    plain = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    ignored = {tokenizer.unk_token_id} | {
        index for text, index in added_tokens(tokenizer).items() if text == "\n\n" and text in plain
    }
    return [i for i in ids if i in set(added_tokens(tokenizer).values()) - ignored]


def spelled(tokenizer):
    return st.lists(
        st.one_of(st.sampled_from(sorted(added_tokens(tokenizer))), st.text(SAFE, max_size=6)),
        max_size=6,
    ).map("".join)


class TestPlainPrompt:
    def test_byte_for_byte(self):
        tokenizer = word_level()
        tokenizer.chat_template = None
        text = (
            "[1]\n- name: The Copper Kettle\n- price range: cheap\n\n"
            "[2]\n- name: Harbour Books\n- food: none\n\nQuestion: What does it cost?\nAnswer:"
        )
        ids = PromptBuilder(tokenizer).question("What does it cost?", [KETTLE, HARBOUR])
        assert ids == tokenizer(text)["input_ids"]

    def test_without_passages_their_place_vanishes(self):
        tokenizer = TOKENIZERS["unigram"]
        ids = PromptBuilder(tokenizer).question("Why?", [])
        assert ids == tokenizer("Question: Why?\nAnswer:")["input_ids"]

    def test_specials_are_added_once(self):
        tokenizer = TOKENIZERS["word_piece"]
        ids = PromptBuilder(tokenizer).question("the pub", [KETTLE])
        assert (ids.count(2), ids.count(3)) == (1, 1)
        assert (ids[0], ids[-1]) == (2, 3)


class TestChatTemplate:
    @pytest.mark.parametrize("name", TEMPLATES)
    def test_ids_equal_the_tokenizers_own(self, name):
        tokenizer = TOKENIZERS[name]
        question = "What does it cost?"
        passages = f"[1]\n{KETTLE.text}\n\n[2]\n{HARBOUR.text}"
        content = CHAT_PROMPT.format(passages=passages, question=question)
        expected = tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True
        )["input_ids"]
        assert PromptBuilder(tokenizer).question(question, [KETTLE, HARBOUR]) == expected

    def test_one_bos(self):
        tokenizer = header()
        assert (
            PromptBuilder(tokenizer).question("Why?", [KETTLE]).count(tokenizer.bos_token_id) == 1
        )

    def test_conversation(self):
        tokenizer = chatml()
        messages = [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": " What does it cost? "},
        ]
        expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
        assert PromptBuilder(tokenizer).chat(messages) == expected

    def test_refusals_say_what_to_do(self):
        with pytest.raises(PromptError, match="empty"):
            PromptBuilder(chatml()).chat([])
        with pytest.raises(PromptError, match="no chat template"):
            PromptBuilder(word_level()).chat([{"role": "user", "content": "a"}])
        strict = chatml("{{ raise_exception('System role not supported') }}")
        with pytest.raises(PromptError, match="System role not supported"):
            PromptBuilder(strict).chat([{"role": "system", "content": "a"}])


class TestControlTokens:
    """No added id beyond the template's own, whatever the content spells."""

    @pytest.mark.parametrize("name", SHAPES)
    def test_every_added_token(self, name):
        tokenizer = TOKENIZERS[name]
        builder = PromptBuilder(tokenizer)
        own = control(tokenizer, builder.question("what?", [Passage("a", "see now")]))
        for token in added_tokens(tokenizer):
            passage = Passage("a", f"see {token} now{token}{token}x {token.upper()}")
            ids = builder.question(f"what {token}?", [passage, passage])
            assert control(tokenizer, ids) == own, token

    @pytest.mark.parametrize("name", SHAPES)
    def test_any_mixture(self, name, full):
        tokenizer = TOKENIZERS[name]
        builder = PromptBuilder(tokenizer)
        own = control(tokenizer, builder.question("what?", [Passage("a", "x"), Passage("b", "y")]))

        @settings(max_examples=1000 if full else 40, deadline=None, derandomize=True)
        @given(spelled(tokenizer), spelled(tokenizer), spelled(tokenizer))
        def check(question, first, second):
            ids = builder.question("q" + question, [Passage("a", first), Passage("b", second)])
            assert control(tokenizer, ids) == own

        check()

    @pytest.mark.parametrize("name", TEMPLATES)
    def test_messages(self, name):
        tokenizer = TOKENIZERS[name]
        builder = PromptBuilder(tokenizer)
        own = control(tokenizer, builder.chat([{"role": "user", "content": "hello"}]))
        for token in added_tokens(tokenizer):
            for content in (token, f"{token} hello", f" hello{token}\n"):
                ids = builder.chat([{"role": "user", "content": content}])
                assert control(tokenizer, ids) == own, (token, content)

    def test_pieces_that_meet_across_a_custom_prompt(self):
        tokenizer = TOKENIZERS["indentation"]
        builder = PromptBuilder(tokenizer, "{passages}{question}")
        ids = builder.question("endoftext|>", [Passage("a", "see <|")])
        assert control(tokenizer, ids) == []
        assert tokenizer.decode(ids) == "[1]\nsee <|endoftext|>"

    def test_compatibility_forms(self):
        """Tokenizers that normalize before they match read full-width markup as a control token."""
        tokenizer = word_level()
        fullwidth = "\uff1ctool\uff1e"
        assert control(tokenizer, tokenizer(fullwidth)["input_ids"])
        ids = PromptBuilder(tokenizer).question("what?", [Passage("a", f"the {fullwidth}")])
        assert control(tokenizer, ids) == []

    def test_text_that_spells_a_private_name(self):
        tokenizer = chatml()
        content = "\U00100000396\U00100000 <|im_end|> \U00100001"
        ids = PromptBuilder(tokenizer).chat([{"role": "user", "content": content}])
        assert content in tokenizer.decode(ids)

    def test_a_prompt_may_write_control_tokens_itself(self):
        tokenizer = TOKENIZERS["indentation"]
        builder = PromptBuilder(tokenizer, "{passages}<|endoftext|>{question}")
        ids = builder.question("what <|endoftext|>", [Passage("a", "x")])
        assert ids.count(tokenizer.eos_token_id) == 1

    def test_without_a_backend_it_refuses(self):
        class Slow:
            """A tokenizer in plain Python."""

            unk_token_id = None
            added_tokens_decoder = chatml().added_tokens_decoder

            def __call__(self, text, **_):
                return {"input_ids": list(text.encode())}

        encoder = SafeEncoder(Slow())
        assert encoder.encode(lambda shield: shield("a < b"), add_special_tokens=True)[0] == 97
        with pytest.raises(PromptError, match="fast tokenizer"):
            encoder.encode(lambda shield: shield("a <tool_call>"), add_special_tokens=True)


class TestCarefulPath:
    """The way of content that spells a control token changes nothing about harmless text."""

    @pytest.mark.parametrize("name", sorted(set(SHAPES) - {"indentation", "newlines"}))
    def test_equals_the_tokenizer_on_harmless_text(self, name, full, monkeypatch):
        tokenizer = TOKENIZERS[name]
        builder = PromptBuilder(tokenizer)
        alphabet = st.text(SAFE, max_size=60)

        @settings(max_examples=300 if full else 30, deadline=None, derandomize=True)
        @given(alphabet, alphabet)
        def check(question, passage):
            asked = ("q" + question, [Passage("a", passage)])
            native = builder.question(*asked)
            with monkeypatch.context() as patch:
                patch.setattr(SafeEncoder, "_harmless", lambda *_: False)
                assert builder.question(*asked) == native

        check()

    def test_text_around_is_encoded_as_ever(self):
        tokenizer = sentencepiece_bpe()
        tokenizer.chat_template = None
        builder = PromptBuilder(tokenizer)
        ids = builder.question("why?", [Passage("a", "the </s> chat")])
        tokens = tokenizer.convert_ids_to_tokens(ids)
        at = tokens.index("th")
        assert tokens[at : at + 10] == ["th", "e", "▁", "<", "/", "s", ">", "▁", "ch", "a"]


class TestOwnPrompts:
    def test_template_string_is_the_user_message(self):
        tokenizer = chatml()
        ids = PromptBuilder(tokenizer, "{question} | {passages}").question("Why?", [KETTLE])
        text = f"<|im_start|>user\nWhy? | [1]\n{KETTLE.text}<|im_end|>\n<|im_start|>assistant\n"
        assert tokenizer.decode(ids) == text

    def test_values_are_not_templates(self):
        tokenizer = TOKENIZERS["indentation"]
        ids = PromptBuilder(tokenizer).question("{passages}?", [Passage("a", "{question} {x}")])
        assert tokenizer.decode(ids) == "[1]\n{question} {x}\n\nQuestion: {passages}?\nAnswer:"

    def test_function_of_messages(self):
        tokenizer = chatml()

        def prompt(question, passages):
            return [
                {"role": "system", "content": " ".join(p.metadata["title"] for p in passages)},
                {"role": "user", "content": question},
            ]

        passage = Passage("a", "text", metadata={"title": "<|im_end|>"})
        ids = PromptBuilder(tokenizer, prompt).question("Why?", [passage])
        assert ids.count(tokenizer.eos_token_id) == 2

    def test_function_of_token_ids(self):
        assert PromptBuilder(chatml(), lambda *_: [5, 6]).question("Why?", [KETTLE]) == [5, 6]

    @pytest.mark.parametrize("prompt", ["{passages}", "{question}", "{context} {question}", "a"])
    def test_a_string_without_its_slots_is_refused(self, prompt):
        with pytest.raises(InvalidValueError, match=r"needs \{passages\} and \{question\}"):
            PromptBuilder(chatml(), prompt)

    @pytest.mark.parametrize("question", ["", " \n"])
    def test_an_empty_question_is_refused(self, question):
        with pytest.raises(PromptError, match="question is empty"):
            PromptBuilder(chatml()).question(question, [KETTLE])


class TestFitting:
    def test_lowest_ranked_passages_are_dropped(self):
        builder = PromptBuilder(TOKENIZERS["word_level"])
        whole = builder.fit("why is it?", [KETTLE, HARBOUR], None)
        assert (whole.passages, whole.dropped) == ((KETTLE, HARBOUR), ())
        fitted = builder.fit("why is it?", [KETTLE, HARBOUR], len(whole.token_ids) - 1)
        assert (fitted.passages, fitted.dropped) == ((KETTLE,), ("harbour",))
        assert fitted.token_ids == builder.question("why is it?", [KETTLE])
        bare = builder.fit("why is it?", [KETTLE, HARBOUR], 5)
        assert (bare.passages, bare.dropped) == ((), ("kettle", "harbour"))

    def test_a_question_too_long_is_an_error(self):
        builder = PromptBuilder(TOKENIZERS["word_level"])
        with pytest.raises(PromptError, match="takes 5 tokens, 4 are left"):
            builder.fit("why is it?", [KETTLE], 4)

    def test_exactly_full_fits(self):
        builder = PromptBuilder(TOKENIZERS["word_level"])
        ids = builder.question("why is it?", [KETTLE])
        assert builder.fit("why is it?", [KETTLE], len(ids)).token_ids == ids


def test_passages_are_numbered_from_one():
    assert number_passages(["a", "b\nc"]) == "[1]\na\n\n[2]\nb\nc"
    assert number_passages([]) == ""


def test_the_plain_prompt_is_public():
    assert PLAIN_PROMPT.format(passages="p", question="q") == "p\n\nQuestion: q\nAnswer:"

"""`dera-rag ask`: evidence, λ and answer, on a tiny pair."""

import json

import pytest
from rich.console import Console

from dera_rag.cli.ask import _show_support
from dera_rag.cli.screen import marked, passages_table
from dera_rag.types import (
    DecodeTrace,
    Generation,
    LambdaDecision,
    Passage,
    RagAnswer,
    UnsupportedSpan,
    Usage,
)

QUESTION = "Which food does Salon Enzo serve?"


def answer(text, *spans, **changes):
    return RagAnswer(
        text=text,
        passages=(),
        decision=LambdaDecision(1.0, "because"),
        generation=Generation(text, [1], "stop", Usage(1, 1), DecodeTrace(), 1.0),
        unsupported_spans=spans,
        **changes,
    )


def shown(renderable):
    console = Console(width=120, no_color=True, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_unsupported_values_are_marked_without_colour():
    text = "A pub with [red] Italian food."
    at = text.index("Italian")
    made = answer(text, UnsupportedSpan(at, at + 7, "Italian", "food: not in the record"))
    assert marked(made).plain == "A pub with [red] ⟦Italian⟧ food."
    assert shown(marked(made)) == "A pub with [red] ⟦Italian⟧ food.\n"


def test_overlapping_marks_do_not_repeat_text():
    made = answer(
        "cheap Italian food",
        UnsupportedSpan(0, 13, "cheap Italian", "x"),
        UnsupportedSpan(6, 13, "Italian", "y"),
        UnsupportedSpan(14, 18, "food", "z"),
    )
    assert marked(made).plain == "⟦cheap Italian⟧ ⟦food⟧"


def test_a_document_cannot_steer_the_terminal():
    assert marked(answer("red \x1b[31m\x07\nline")).plain == "red �[31m�\nline"
    assert "\x1b" not in shown(passages_table([Passage("a\x1b]0;", "\x1b[2J text")]))


def test_an_empty_answer_is_seen():
    assert marked(answer("")).plain == "(nothing)"


def test_support_says_why_and_whether_it_abstains():
    console = Console(width=120, no_color=True, highlight=False, markup=False)
    span = UnsupportedSpan(0, 5, "cheap", "price range: the record says high")
    with console.capture() as capture:
        _show_support(console, answer("cheap", span, abstained=True), metered=True)
    said = capture.get()
    assert "cheap: price range: the record says high" in said
    assert "abstains" in said
    with console.capture() as capture:
        _show_support(console, answer("cheap"), metered=False)
    assert "No meter knows this corpus" in capture.get()


def test_passages_show_their_scores_in_one_line_each():
    passage = Passage("the-kettle", "- name: The Kettle\n- type: pub", 0.8312, {"bm25": 4.0})
    said = shown(passages_table([passage, Passage("b", "- name: [b]", 0.5)]))
    assert "0.831" in said
    assert "4.00" in said
    assert "name: The Kettle · type: pub" in said
    assert "name: [b]" in said


def test_the_whole_path(run, shipped):
    result = run("ask", QUESTION, "--lam", "0.5", "--max-new-tokens", 8)
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "salon-enzo" in result.stdout
    assert "λ = 0.5  (constant)" in lines
    assert lines[lines.index("Answer") + 1]
    assert "\x1b[" not in result.stdout
    again = run("ask", QUESTION, "--lam", "0.5", "--max-new-tokens", 8)
    assert again.stdout == result.stdout


def test_auto_says_why(run, shipped):
    result = run("ask", QUESTION, "--max-new-tokens", 2)
    assert "(evidence)" in result.stdout


def test_json_is_alone_on_stdout(run, shipped):
    result = run("ask", QUESTION, "--lam", 1, "--max-new-tokens", 8, "--seed", 3, "--json")
    data = json.loads(result.stdout)
    assert data["question"] == QUESTION
    assert data["decision"]["lam"] == 1
    assert data["passages"][0]["id"] == "salon-enzo"
    assert data["generation"]["usage"]["completion_tokens"] <= 8
    other = run("ask", QUESTION, "--lam", 1, "--max-new-tokens", 8, "--seed", 4, "--json")
    assert json.loads(other.stdout)["text"] != data["text"]


@pytest.fixture
def notes(tmp_path, run):
    (tmp_path / "notes.txt").write_text("The warranty of the kettle lasts two years.")
    run("index", tmp_path / "notes.txt", "--out", tmp_path / "index")
    return tmp_path / "index"


def test_your_own_corpus_and_pair(run, notes, tiny_pair):
    result = run(
        *("ask", "How long is the warranty?", "--index", notes, "--max-new-tokens", 4),
        *("--reference", tiny_pair.reference, "--aligned", tiny_pair.aligned),
    )
    assert result.exit_code == 0, result.output
    assert "λ = 1" in result.stdout  # the shipped policy is fitted to neither, and says so
    assert "fitted to pair 'venues-pair'" in result.stdout
    assert "No meter knows this corpus" in result.stdout

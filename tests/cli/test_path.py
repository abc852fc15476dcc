"""`dera-rag path`: every answer with its λ, and what changed, on a tiny pair."""

import itertools
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dera_rag.cli.changes import changes
from dera_rag.cli.path import marked, read_interval, shown
from dera_rag.cli.path_page import page
from dera_rag.decoding import BranchLogprobs, LambdaPath, PathSegment
from dera_rag.errors import InvalidValueError
from dera_rag.rag import RagPath
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


def plain(before, after):
    return marked(changes(before, after)).plain


def test_changes_are_readable_without_colour():
    assert plain(None, "A pub.") == "A pub."
    assert plain("A cheap pub.", "A pub.") == "A [-cheap-] pub."
    assert plain("A pub.", "A cheap pub.") == "A {+cheap+} pub."
    assert plain("It serves French food.", "It serves English food.") == (
        "It serves [-French-] {+English+} food."
    )


def test_closing_punctuation_is_no_part_of_the_word():
    assert plain("It is cheap.", "It is cheap, near the river.") == (
        "It is cheap{+, near the river+}."
    )
    assert plain("It costs £20-25.", "It costs £20-25 a head.") == "It costs £20-25 {+a head+}."


def test_a_removal_at_the_start_keeps_its_distance():
    assert plain("Now the pub is cheap.", "the pub is cheap.") == "[-Now-] the pub is cheap."


def test_answers_with_little_in_common_are_new():
    assert plain("It is a cheap pub.", "The record does not say.") == (
        "{+The record does not say.+}"
    )


def test_an_empty_answer_is_seen():
    assert plain(None, "") == "(nothing)"


def test_a_document_cannot_steer_the_terminal():
    assert "\x1b" not in plain("red", "red \x1b[31m")


@given(st.text("ab .,é\n", max_size=40), st.text("ab .,é\n", max_size=40))
def test_what_is_not_removed_is_the_answer(before, after):
    kept = "".join(c.text for c in changes(before, after) if c.kind != "removed")
    assert re.sub(r"\s", "", kept) == re.sub(r"\s", "", after)
    gone = [c.text for c in changes(before, after) if c.kind == "removed"]
    assert all(part.strip() in before for part in gone)


@pytest.mark.parametrize("text", ["1", "0,1,2", "a,b", "", "0;1"])
def test_bad_intervals(text):
    with pytest.raises(InvalidValueError, match="two numbers"):
        read_interval(text)


def rag_path(*rows, inexact=()):
    """Rows of (text, token ids), of equal width."""
    segments, answers = [], []
    for i, (text, ids) in enumerate(rows):
        exact = i not in inexact
        segments.append(
            PathSegment(float(i), i + 1.0, text, tuple(ids), "stop", exact, BranchLogprobs((), ()))
        )
        generation = Generation(text, [*ids], "stop", Usage(1, len(ids)), DecodeTrace(), 0.5)
        answers.append(
            RagAnswer(
                text,
                (Passage("<b>", "& <script>alert(1)</script>"),),
                LambdaDecision(0.5, ""),
                generation,
                (UnsupportedSpan(0, 1, text[:1], "<why>"),),
                question="What </title><script> is & was?",
            )
        )
    path = LambdaPath(tuple(segments), (1,), None, None)
    return RagPath(path, tuple(answers), None)


def test_neighbours_that_read_alike_are_one():
    found = rag_path(("a", [1]), ("a", [2]), ("b", [3]), ("a", [1]))
    assert [(x.lo, x.hi, x.answer.text) for x in shown(found)] == [
        (0, 2, "a"),
        (2, 3, "b"),
        (3, 4, "a"),
    ]
    found = rag_path(("a", [1]), ("a", [2]), inexact=[1])
    assert [x.exact for x in shown(found)] == [True, False]


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.values, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.values += [value for name, value in attributes if name in ("src", "href", "action")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_needs_nothing_else_and_escapes_everything():
    found = rag_path(("a <i>pub</i>", [1]), ("a <img src=x> pub", [2]))
    html = page(found, list(shown(found)))
    reader = Reader()
    reader.feed(html)
    assert reader.values == []
    assert reader.tags.count("script") == 1
    assert {"img", "i", "b"} & set(reader.tags) == set()
    assert not re.search(r"https?:|@import|url\(", html)
    assert "default-src 'none'" in html
    text = "".join(reader.text)
    for part in ("What </title><script> is & was?", "<script>alert(1)</script>", "<why>", "<img"):
        assert part in text
    assert reader.tags.count("article") == 2
    assert 'data-lo="0.0" data-hi="1.0"' in html


def test_the_whole_path(run, shipped, tmp_path):
    arguments = ("path", QUESTION, "--max-new-tokens", 6, "--lam", "0,1.5")
    result = run(*arguments, "--html", tmp_path / "path.html")
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "salon-enzo" in result.stdout
    assert any("for λ from 0 to 1.5, sampled" in line for line in lines)
    heads = [line for line in lines if line.startswith("λ ")]
    ends = [re.match(r"λ (\S+) – (\S+)", head).groups() for head in heads]
    assert (ends[0][0], ends[-1][1]) == ("0", "1.5")
    assert all(left[1] == right[0] for left, right in itertools.pairwise(ends))
    assert "\x1b[" not in result.stdout
    assert (tmp_path / "path.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run(*arguments).stdout in result.stdout


def test_json_agrees_with_ask(run, shipped):
    common = (QUESTION, "--max-new-tokens", 6, "--seed", 4, "--json")
    data = json.loads(run("path", *common).stdout)
    asked = json.loads(run("ask", *common, "--lam", "0.75").stdout)
    (held,) = (s for s in data["segments"] if s["lo"] <= 0.75 < s["hi"])
    assert held["text"] == asked["text"]
    assert held["token_ids"] == asked["generation"]["token_ids"]


def test_what_is_not_exact_says_so(run, shipped):
    result = run("path", QUESTION, "--max-new-tokens", 6, "--max-segments", 1)
    assert "(not exact" in result.stdout
    assert "raise --max-segments" in " ".join(result.stdout.split())


def test_marks_have_colours_too():
    console = Console(width=80, force_terminal=True, color_system="standard", no_color=False)
    with console.capture() as capture:
        console.print(marked(changes("a red pub", "a blue pub")))
    assert "\x1b[31m" in capture.get()
    assert "\x1b[32m" in capture.get()

"""What a report is made of: escaping, scales, packed columns, and what fits into a megabyte."""

import base64
import gzip
import itertools
import json
import math
import random
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_pages import HOSTILE, TEXTS, judged, page_of, path_run, spoken
from report_runs import question, segments, write_run

from dera_rag.errors import RunFolderError
from dera_rag.evaluation.report import summarise
from dera_rag.evaluation.report.page import render, svg
from dera_rag.evaluation.report.page.markup import Html, el, interval, number
from dera_rag.evaluation.report.page.packing import pack
from dera_rag.evaluation.report.page.questions import flags
from dera_rag.evaluation.report.page.shell import asset
from dera_rag.evaluation.report.page.traces import (
    ALPHABET,
    KL_SCALE,
    RATIO_SCALE,
    UNKNOWN,
    kl_levels,
    ratio_levels,
    token_lengths,
)
from dera_rag.evaluation.report.summary_types import ScorerFacts
from dera_rag.evaluation.statistics import Estimate


class Reader(HTMLParser):
    """Tags, addresses, styles and text of a page, scripts apart."""

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.styles, self.text, self._open = [], [], [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._open = tag
        self.addresses += [v for k, v in attributes if k in ("src", "href", "action", "data")]
        self.styles += [v for k, v in attributes if k == "style" or k.startswith("on")]

    def handle_data(self, data):
        if self._open not in ("script", "style"):
            self.text.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    return reader


def unpacked(html):
    held = re.search(r'<script type="application/octet-stream" id="data">([^<]*)</script>', html)
    return json.loads(gzip.decompress(base64.b64decode(held.group(1))))


@given(st.text(), st.text())
def test_text_never_becomes_markup(inside, value):
    made = el("p", inside, title=value)
    reader = read(made)
    assert reader.tags == ["p"]
    # A parser turns a carriage return into a line feed; what cannot be shown is replaced before.
    kept = "".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in inside)
    assert "".join(reader.text) == kept.encode("utf-8", "replace").decode()


def test_elements_by_hand():
    assert el("td", 3, None, Html("<b>x</b>"), ["a", "<"], class_="n") == (
        '<td class="n">3<b>x</b>a&lt;</td>'
    )
    assert el("input", checked=True, disabled=False, aria_label='"') == (
        '<input checked aria-label="&quot;">'
    )
    assert el("line", x1=1 / 3, y1=2.0) == '<line x1="0.33" y1="2"/>'


@pytest.mark.parametrize(
    ("value", "signed", "shown"),
    [
        (0.12345, False, "0.123"),
        (-0.5, False, "−0.5"),
        (0.5, True, "+0.5"),
        (0.0, True, "0"),
        (-0.0, False, "0"),
        (math.nan, False, "–"),
        (None, False, "–"),
        (1234567.0, False, "1,234,567"),
    ],
)
def test_numbers_as_people_read_them(value, signed, shown):
    assert number(value, signed=signed) == shown


def test_an_unknown_interval_is_left_out():
    assert interval(Estimate(0.5, math.nan, math.nan, 1)) == ""
    assert interval(Estimate(0.5, -0.25, 0.75, 9), signed=True) == "[−0.25, +0.75]"


def test_round_ticks():
    assert svg.ticks(0, 2) == [0, 0.5, 1, 1.5, 2]
    assert svg.ticks(0.12, 0.31) == [0.15, 0.2, 0.25, 0.3]
    assert svg.ticks(-1, -0.5) == [-1, -0.9, -0.8, -0.7, -0.6, -0.5]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_inside(low, share):
    # A range much narrower than its ends are large has fewer floats in it than are asked for.
    width = share * max(1, abs(low))
    found = svg.ticks(low, low + width)
    assert 1 <= len(found) <= 7
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in found)


def test_steps_are_drawn_along_the_axes():
    corners = svg.stairs([0, 1, 1.5], [3, 2, 2], 2)
    assert corners == [(0, 3), (1, 3), (1, 2), (1.5, 2), (1.5, 2), (2, 2)]
    drawn = svg.polyline(corners, "line")
    assert 'd="M0.0 3.0H1.0V2.0H1.5H2.0"' in drawn
    broken = svg.polyline([(0, 1), (1, 1), (1, math.nan), (2, 2), (3, 4)], "line")
    assert 'd="M0.0 1.0H1.0M2.0 2.0L3.0 4.0"' in broken


def test_places_in_a_picture():
    plane = svg.Plane((0, 2), (0, 1), 340, 215)
    assert plane.at(0, 0) == (40, 181)
    assert plane.at(2, 1) == (328, 10)


@given(st.lists(st.floats(0, 50)), st.data())
def test_columns_come_back_within_a_level(values, data):
    """A level is 1/8 of a √nat of KL, and 1/6 of one of a log-ratio; 0 stays 0 exactly."""
    levels = [ALPHABET.index(letter) for letter in kl_levels(values)]
    for value, level in zip(values, levels, strict=True):
        assert level / KL_SCALE == pytest.approx(math.sqrt(value), abs=0.5 / KL_SCALE + 1e-9)
    others = data.draw(st.lists(st.floats(-25, 0), min_size=len(values), max_size=len(values)))
    for other, letter in zip(others, ratio_levels([0.0] * len(others), others), strict=True):
        step = (ALPHABET.index(letter) - 32) / RATIO_SCALE
        assert step == pytest.approx(math.sqrt(-other), abs=0.5 / RATIO_SCALE + 1e-9)


def test_columns_by_hand():
    assert kl_levels([0.0, 0.25, None, 1e9]) == f"AE{UNKNOWN}_"
    assert ratio_levels([-1.0, -5.0, -1.0, None], [-1.0, -1.0, -5.0, -1.0]) == f"gUs{UNKNOWN}"


def lengths(tokens, text):
    found = token_lengths(tokens, text)
    return None if found is None else [ALPHABET.index(letter) for letter in found]


@pytest.mark.parametrize(
    ("tokens", "text", "expected"),
    [
        ([" The", " pub", ".", "</s>"], "The pub.", [3, 4, 1, 0]),
        (["The", "pub", "is"], "The pub is", [3, 4, 3]),  # decoded one by one without spaces
        (["caf", "\ufffd", "\ufffd", " ok"], "café ok", [3, 0, 1, 3]),
        (["\ufffd", "\ufffd", "\ufffd", "\ufffd"], "🍕", [0, 0, 0, 1]),
        (["a", "\n", "\n", "b"], "a\n\nb", [1, 0, 0, 3]),
        (["a", "b"], "something else", None),
        (["x" * 64], "x" * 64, None),
        ([], "", []),
    ],
)
def test_how_much_of_an_answer_a_token_is(tokens, text, expected):
    assert lengths(tokens, text) == expected


@pytest.mark.parametrize(
    ("value", "spans", "direction", "expected"),
    [
        (1.0, 0, "lower", True),
        (0.4, 0, "lower", False),
        (0.4, 1, "lower", True),
        (0.0, 0, "higher", True),
        (None, 1, "lower", None),
    ],
)
def test_what_is_marked(value, spans, direction, expected):
    assert flags(value, spans, ScorerFacts("s", "1", direction, 0.0, 1.0, True, False)) is expected


def test_without_a_scale_only_spans_count():
    open_ended = ScorerFacts("s", "1", "lower", 0.0, None, False, False)
    assert flags(5.0, 0, open_ended) is False
    assert flags(5.0, 1, open_ended) is True
    assert flags(None, 2, None) is True
    assert flags(None, 0, None) is None


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of hostile texts and its report."""
    folder = tmp_path_factory.mktemp("report")
    run = path_run(folder / "run")
    return run, page_of(folder, run).read_text(encoding="utf-8")


def test_one_file_that_names_no_other(made):
    _, html = made
    reader = read(html)
    assert all(address.startswith("#") for address in reader.addresses)
    assert reader.styles == []
    assert {"img", "link", "iframe", "object"} & set(reader.tags) == set()
    assert reader.tags.count("script") == 2
    assert not re.search(r"https?:|@import|url\(|//[a-z]", re.sub(r"id=\"data\">[^<]*<", "", html))
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert {address[1:] for address in reader.addresses} <= set(ids)


def test_scripts_and_styles_cannot_end_early():
    """They stand in the page as they are, so that their hashes are those of the files."""
    for name in ("base.css", "report.css", "slider.js", "data.js", "answer.js", "panel.js"):
        assert not re.search(r"</(script|style)|<!--", asset(name), re.IGNORECASE), name


def test_every_number_stands_in_a_table(made):
    run, html = made
    text = " ".join("".join(read(html).text).split())
    section = summarise(run, n_resamples=100).sections[0]
    for arm in section.arms:
        cell = arm.cells["venues_hallucination"]
        # Every other question failed at no λ: six are scored, one is not.
        assert (cell.estimate.n, cell.estimate.n_failed) == (6, 1)
        assert f"{number(cell.estimate.value)}{interval(cell.estimate)} n 6, 1 left out" in text
    for line in (*section.headline, "15.94 %", "TGen", "ValueError: too long"):
        assert line in text


def test_the_same_run_gives_the_same_page(made):
    run, html = made
    assert render(run, summarise(run, n_resamples=100)) == html


def test_another_run_has_to_be_one(made, tmp_path):
    run, _ = made
    with pytest.raises(RunFolderError, match=r"holds no manifest\.json"):
        render(run, summarise(run, n_resamples=100), tmp_path)


def test_the_payload_has_the_paths_own_ends(made):
    _, html = made
    data = unpacked(html)
    row = data["runs"][0]["rows"][1]
    assert [answer["hi"] for answer in row["a"][:4]] == [0.25, 0.2501, 1.5, 2.0]
    assert [data["texts"][answer["t"]] for answer in row["a"][:4]] == list(TEXTS)
    assert [answer["bad"] for answer in row["a"]] == [True, False, False, False, False]
    tokens = sum(answer.get("n", 0) for r in data["runs"][0]["rows"] for answer in r["a"])
    assert len(data["kl"]) == len(data["ratio"]) == len(data["lengths"]) == tokens
    assert data["runs"][0]["rows"][6]["err"] == "ValueError: too long"
    assert HOSTILE in data["texts"]


WORDS = ["".join(random.Random(i).choices("aeiourstlnmdp", k=2 + i % 7)) for i in range(1500)]


def long_run(folder, count, words=26, answers=6, passage=40):
    """As the embedded pair's: some six answers of 26 words over λ, whose beginnings agree."""
    rng = random.Random(0)
    asked = []
    for i in range(count):
        texts = [rng.choices(WORDS, k=words)]
        for _ in range(answers - 1):
            at = rng.randrange(words)
            texts.append(texts[-1][:at] + rng.choices(WORDS, k=words - at))
        lows = [0.0, *sorted(round(rng.uniform(0, 2), 6) for _ in range(answers - 1))]
        said = [" ".join(text) + " river" * rng.randrange(2) for text in texts]
        steps = segments(*((lo, judged(text)) for lo, text in zip(lows, said, strict=True)))
        asked.append(question(f"q{i}", [spoken(a, t) for a, t in zip(steps, said, strict=True)]))
    write_run(folder, asked, batch=50)
    file = folder / "generations.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for row in rows:
        row["passages"] = [[f"p{j}", " ".join(rng.choices(WORDS, k=passage))] for j in range(3)]
        for answer in row["answers"]:
            size = len(answer["tokens"])
            answer["trace"] = {
                "reference": [-rng.expovariate(0.5) for _ in range(size)],
                "aligned": [-rng.expovariate(0.7) for _ in range(size)],
                "kl": [rng.expovariate(4) for _ in range(size)],
            }
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_what_there_is_no_room_for_is_left_out_and_said(tmp_path):
    run = long_run(tmp_path / "run", 40)
    summary = summarise(run, n_resamples=100)
    whole = pack(run, summary, None, beside=0)
    assert (whole.left_out, whole.questions) == ("", 40)
    sizes = [
        pack(run, summary, None, beside=990_000 - room)
        for room in (len(whole.data), len(whole.data) - 1, 30_000, 12_000, 6_000)
    ]
    assert sizes[0] == whole
    assert all(len(a.data) > len(b.data) for a, b in itertools.pairwise(sizes))
    assert "cut to 800" in sizes[1].left_out
    assert "one question in" in sizes[-1].left_out
    assert 0 < sizes[-1].questions < 40


@pytest.mark.slow
def test_a_thousand_questions_fit_into_a_megabyte(tmp_path):
    """Random words compress worse than sentences do."""
    run = long_run(tmp_path / "run", 1000, passage=12)
    html = render(run, summarise(run, n_resamples=100))
    assert len(html.encode()) <= 1_000_000
    data = unpacked(html)
    assert len(data["runs"][0]["rows"]) == 1000
    assert all(len(row["a"]) == 6 for row in data["runs"][0]["rows"])


def contrast(one, other):
    """WCAG 2: (L1 + 0.05) / (L2 + 0.05) of relative luminances."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_every_ground(scheme):
    blocks = re.findall(r":root \{([^}]*)\}", asset("base.css"))
    colours = {}
    for block in blocks[: 1 if scheme == "light" else 2]:
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", block))
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for ground in ("paper", "card", "wash"):
        for ink in ("ink", "soft", "accent", "bad", "good", "policy"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert contrast(colours["ink"], colours["bad-wash"]) >= 4.5
    assert contrast(colours["bad"], colours["bad-wash"]) >= 4.5
    for mark in ("accent", "bad", "policy"):
        assert contrast(colours["paper"], colours[mark]) >= 4.5, mark

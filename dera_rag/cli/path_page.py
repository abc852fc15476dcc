"""A λ-path as one HTML page with a slider: no server, no network, readable without scripts too.

It shares its frame and its slider with the report of an evaluation: everything that comes from
documents, questions or models is escaped, and the page's policy forbids it to load anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dera_rag.evaluation.report.page.markup import Html, el
from dera_rag.evaluation.report.page.shell import asset, document

if TYPE_CHECKING:
    from dera_rag.cli.path import Shown
    from dera_rag.rag import RagPath

_TAGS = {"removed": "del", "added": "ins"}
# λ as text and as a place of the slider: enough digits to tell any two segments apart.
_DIGITS = 6

_STYLE = """
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
article { border-left: 4px solid var(--line); padding: .2rem 1rem; margin: 1rem 0; }
article[data-unsupported] { border-color: var(--bad); }
article h2 { font: 600 .95rem var(--sans); margin: 0; font-variant-numeric: tabular-nums; }
article p { white-space: pre-wrap; margin: .4rem 0; }
ins { background: var(--good-wash); text-decoration: none; border-bottom: 2px solid var(--good); }
del { background: var(--bad-wash); }
.plain ins { background: none; border: 0; }
.plain del { display: none; }
.support { font-size: .9rem; }
details pre { white-space: pre-wrap; }
"""

_SCRIPT = """
const get = (id) => document.getElementById(id);
const articles = [...document.querySelectorAll("article")];
const segments = articles.map((article) => {
  const [lo, hi] = [Number(article.dataset.lo), Number(article.dataset.hi)];
  const tone = "unsupported" in article.dataset ? "bad" : "good";
  return { lo, hi, at: (lo + hi) / 2, tone, title: article.querySelector("h2").textContent };
});
const slider = lambdaSlider(get("slider"), segments, [], show);
function show(current) {
  articles.forEach((article, i) => { article.hidden = i !== current && !get("all").checked; });
  get("answers").className = get("changes").checked ? "" : "plain";
}
for (const id of ["changes", "all"]) get(id).addEventListener("change", () => show(slider.index));
get("controls").hidden = false;
slider.show(segments[0].lo);
"""


def page(found: RagPath, answers: Sequence[Shown]) -> str:
    """One self-contained page.

    Args:
        found: The path.
        answers: Its answers as they are shown, in order of λ.
    """
    count = f"{len(answers)} answer" + ("" if len(answers) == 1 else "s")
    lo, hi = found.path.lo, found.path.hi
    exact = "" if not found.path.inexact_ranges else " Where it says so, only one λ was decoded."
    summary = (
        f"{count} for λ from {lo:g} to {hi:g}: 0 is the reference model, 1 the aligned one, "
        f"above 1 extrapolates. Between two breakpoints nothing changes.{exact}"
    )
    passages = ((el("h3", passage.id), el("pre", passage.text)) for passage in found.passages)
    inside = [
        el("h1", found.question),
        el("p", summary),
        el(
            "div",
            el("div", id="slider"),
            _switch("changes", "mark changes", checked=True),
            " ",
            _switch("all", "show all", checked=False),
            id="controls",
            hidden=True,
        ),
        el("main", (_article(answer) for answer in answers), id="answers"),
        el("details", el("summary", "Passages"), passages),
    ]
    return document(
        found.question,
        el("div", inside),
        styles=[asset("base.css"), _STYLE],
        scripts=[asset("slider.js"), _SCRIPT],
    )


def _switch(name: str, label: str, *, checked: bool) -> Html:
    return el("label", el("input", type="checkbox", id=name, checked=checked), f" {label}")


def _article(answer: Shown) -> Html:
    lo, hi = f"{answer.lo:.{_DIGITS}g}", f"{answer.hi:.{_DIGITS}g}"
    spans = answer.answer.unsupported_spans
    listed = (el("li", f"{span.text}: {span.reason}") for span in spans)
    return el(
        "article",
        el("h2", f"λ {lo} – {hi}", (f" · {note}" for note in answer.notes)),
        el("p", [_stretch(kind, text) for kind, text in answer.changed] or "(nothing)"),
        el("div", "Without support:", el("ul", listed), class_="support") if spans else None,
        data_lo=repr(answer.lo),
        data_hi=repr(answer.hi),
        data_unsupported=bool(spans),
    )


def _stretch(kind: str, text: str) -> Html | str:
    tag = _TAGS.get(kind)
    return el(tag, text) if tag else text

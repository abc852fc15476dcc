"""A λ-path as one HTML page with a slider: no server, no network, readable without scripts too.

Everything that comes from documents, questions or models is escaped; the page's policy forbids it
to load anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dera_rag.cli.path import Shown
    from dera_rag.rag import RagPath

_TAGS = {"removed": "del", "added": "ins"}
# λ as text and as a place of the slider: enough digits to tell any two segments apart.
_DIGITS = 6

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>$question</title>
<style>
:root { color-scheme: light dark; --line: #8886; --mark: #2a6fdb; }
body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.4rem; }
.bar { display: flex; height: 1.6rem; gap: 1px; margin: 1rem 0 .2rem; }
.bar button { min-width: 3px; padding: 0; border: 0; background: var(--line); cursor: pointer; }
.bar button[aria-current] { background: var(--mark); }
input[type=range] { width: 100%; margin: 0; accent-color: var(--mark); }
.ends { display: flex; justify-content: space-between; font-size: .85rem; opacity: .7; }
.at { display: flex; gap: 1rem; align-items: center; margin: .6rem 0; }
.at output { font-variant-numeric: tabular-nums; font-weight: 600; min-width: 7rem; }
article { border-left: 4px solid var(--line); padding: .2rem 1rem; margin: 1rem 0; }
article h2 { font-size: .95rem; margin: 0; font-variant-numeric: tabular-nums; }
article p { white-space: pre-wrap; margin: .4rem 0; }
ins { background: #2c92; text-decoration: none; border-bottom: 2px solid #2a4; }
del { background: #c223; }
.plain ins { background: none; border: 0; }
.plain del { display: none; }
.support { font-size: .9rem; }
details pre { white-space: pre-wrap; }
</style>
</head>
<body>
<h1>$question</h1>
<p>$summary</p>
<div id="controls" hidden>
<div class="bar" id="bar"></div>
<input type="range" id="lam" min="$lo" max="$hi" step="any" value="$lo" aria-label="λ">
<div class="ends"><span>λ = $lo_text</span><span>λ = $hi_text</span></div>
<div class="at"><button id="previous">← previous</button><output id="value"></output>
<button id="next">next →</button>
<label><input type="checkbox" id="changes" checked> mark changes</label>
<label><input type="checkbox" id="all"> show all</label></div>
</div>
<main id="answers">
$answers
</main>
<details><summary>Passages</summary>
$passages
</details>
<script>
"use strict";
const answers = [...document.querySelectorAll("article")];
const get = (id) => document.getElementById(id);
const lam = get("lam"), bar = get("bar");
const ends = answers.map((a) => [Number(a.dataset.lo), Number(a.dataset.hi)]);
const middle = (i) => (ends[i][0] + ends[i][1]) / 2;
let current = 0;
const buttons = ends.map(([lo, hi], i) => {
  const button = document.createElement("button");
  button.style.flex = String(hi - lo);
  button.title = answers[i].querySelector("h2").textContent;
  button.setAttribute("aria-label", button.title);
  button.addEventListener("click", () => go(i));
  bar.append(button);
  return button;
});
function show() {
  const value = Number(lam.value);
  let at = ends.findIndex(([lo, hi]) => lo <= value && value < hi);
  current = at < 0 ? answers.length - 1 : at;
  answers.forEach((a, i) => { a.hidden = i !== current && !get("all").checked; });
  buttons.forEach((b, i) => {
    if (i === current) b.setAttribute("aria-current", "true");
    else b.removeAttribute("aria-current");
  });
  get("value").textContent = "λ = " + value.toFixed(4);
  get("answers").className = get("changes").checked ? "" : "plain";
  get("previous").disabled = current === 0;
  get("next").disabled = current === answers.length - 1;
}
function go(i) { lam.value = String(middle(i)); show(); }
lam.addEventListener("input", show);
get("previous").addEventListener("click", () => go(current - 1));
get("next").addEventListener("click", () => go(current + 1));
get("changes").addEventListener("change", show);
get("all").addEventListener("change", show);
get("controls").hidden = false;
show();
</script>
</body>
</html>
""")


def page(found: RagPath, answers: Sequence[Shown]) -> str:
    """One self-contained page.

    Args:
        found: The path.
        answers: Its answers as they are shown, in order of λ.
    """
    count = f"{len(answers)} answer" + ("" if len(answers) == 1 else "s")
    lo, hi = found.path.lo, found.path.hi
    exact = "" if not found.path.inexact_ranges else " Where it says so, only one λ was decoded."
    return _PAGE.substitute(
        question=escape(found.question),
        summary=f"{count} for λ from {lo:g} to {hi:g}: 0 is the reference model, 1 the aligned "
        f"one, above 1 extrapolates. Between two breakpoints nothing changes.{exact}",
        lo=repr(lo),
        hi=repr(hi),
        lo_text=f"{lo:g}",
        hi_text=f"{hi:g}",
        answers="\n".join(_article(answer) for answer in answers),
        passages="\n".join(
            f"<h3>{escape(passage.id)}</h3><pre>{escape(passage.text)}</pre>"
            for passage in found.passages
        ),
    )


def _article(answer: Shown) -> str:
    lo, hi = f"{answer.lo:.{_DIGITS}g}", f"{answer.hi:.{_DIGITS}g}"
    words = "".join(_stretch(kind, text) for kind, text in answer.changed)
    support = "".join(
        f"<li>{escape(span.text)}: {escape(span.reason)}</li>"
        for span in answer.answer.unsupported_spans
    )
    return (
        f'<article data-lo="{answer.lo!r}" data-hi="{answer.hi!r}">'
        f"<h2>λ {lo} – {hi}{''.join(f' · {note}' for note in answer.notes)}</h2>"
        f"<p>{words or '(nothing)'}</p>"
        + (f'<div class="support">Without support:<ul>{support}</ul></div>' if support else "")
        + "</article>"
    )


def _stretch(kind: str, text: str) -> str:
    tag = _TAGS.get(kind)
    return f"<{tag}>{escape(text)}</{tag}>" if tag else escape(text)

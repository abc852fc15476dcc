"""A page of one file: its own style and scripts and nothing else, held to that by its policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from dera_rag.evaluation.report.page.markup import Html, el, join


@cache
def asset(name: str) -> str:
    """The text of a file that ships beside this module.

    Args:
        name: File name in `assets`.
    """
    return (files("dera_rag.evaluation.report.page") / "assets" / name).read_text(encoding="utf-8")


def document(
    title: str, body: Html, *, styles: Sequence[str], scripts: Sequence[str], data: str = ""
) -> str:
    """A whole HTML document.

    Its policy allows the script and the style that stand in it, by their hashes, and no loading
    from anywhere: what a document or model smuggled into the text could not run.

    Args:
        title: Of the window.
        body: What is shown.
        styles: Style sheets, in order.
        scripts: Scripts, in order; they run as one strict script at the end.
        data: Base64 that the scripts read from the element with the id `data`.
    """
    style = Html("\n".join(styles))
    script = Html("\n".join(['"use strict";', *scripts]))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("style", style),
    )
    holder = el("script", Html(data), type="application/octet-stream", id="data") if data else None
    page = el("html", head, el("body", join(body, holder), el("script", script)), lang="en")
    return f"<!doctype html>\n{page}\n"


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"

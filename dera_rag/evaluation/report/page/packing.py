"""The browser's data as text that sits in a page: gzip, then base64, within a size."""

from __future__ import annotations

import base64
import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

from dera_rag.evaluation.report.page.questions import (
    Detail,
    Store,
    count_rows,
    run_rows,
    section_values,
)
from dera_rag.evaluation.report.page.traces import ALPHABET, KL_SCALE, RATIO_SCALE, UNKNOWN
from dera_rag.evaluation.report.summary_types import Summary
from dera_rag.evaluation.runner.manifest import Manifest
from dera_rag.types import Json

# A page has at most a megabyte for each thousand questions (of a seed and a run), and never less
# than one; the frame around the browser takes some kilobytes of it.
_BYTES, _QUESTIONS, _FRAME = 1_000_000, 1_000, 10_000
_NO_TRACES = "Passages are cut to 250 characters, and per-token columns are left out"
# Tried in order until one fits. Each says what the page then lacks.
_LADDER = (
    (Detail(), ""),
    (Detail(passage_chars=800), "Passages are cut to 800 characters"),
    (
        Detail(passage_chars=800, trace_width=0.02),
        "Passages are cut to 800 characters, and answers that hold on less than 2 % of λ are "
        "without per-token columns",
    ),
    (
        Detail(passage_chars=250, trace_width=0.1),
        "Passages are cut to 250 characters, and answers that hold on less than 10 % of λ are "
        "without per-token columns",
    ),
    (Detail(passage_chars=250, trace_width=math.inf), _NO_TRACES),
    *(
        (
            Detail(passage_chars=250, trace_width=math.inf, every=every),
            f"{_NO_TRACES}; about one question in {every} is shown",
        )
        for every in (2, 4, 8, 16, 32, 64)
    ),
)


@dataclass(frozen=True, slots=True)
class Packed:
    """Data for the browser of questions.

    Attributes:
        data: Base64 of gzipped JSON.
        left_out: What the page lacks so as to stay small, as a sentence; "" for nothing.
        questions: Questions × seeds in it.
    """

    data: str
    left_out: str
    questions: int


def pack(folder: Path, summary: Summary, other: Path | None, *, beside: int) -> Packed:
    """The data of one run or two, in as much detail as there is room for.

    Args:
        folder: Of the run.
        summary: Of the run.
        other: Another run to set beside it; sections and scorers are those of the first.
        beside: Bytes of the rest of the page.

    Raises:
        RunFolderError: The other folder holds no run.
    """
    if other is not None:
        Manifest.load(other)
    runs = [folder, *([other] if other else [])]
    total = sum(count_rows(run) for run in runs)
    room = _BYTES * max(1.0, total / _QUESTIONS) - beside - _FRAME
    packed = Packed("", "", 0)
    for detail, lacking in _LADDER:
        values, shown = _values(runs, summary, detail)
        left_out = f"{lacking}, so that this file stays small." if lacking else ""
        packed = Packed(_encoded(values), left_out, shown)
        if len(packed.data) <= room:
            break
    return packed


def _values(runs: list[Path], summary: Summary, detail: Detail) -> tuple[Json, int]:
    store = Store()
    rows = [run_rows(run, summary, store, detail) for run in runs]
    content: dict[str, Json] = {
        "sections": {section.name: section_values(section) for section in summary.sections},
        "runs": [{"name": r.name, "rows": found} for r, found in zip(runs, rows, strict=True)],
        "texts": list(store.texts),
        "lengths": "".join(store.lengths),
        "kl": "".join(store.kl),
        "ratio": "".join(store.ratio),
        "alphabet": ALPHABET,
        "unknown": UNKNOWN,
        "scales": {"kl": KL_SCALE, "ratio": RATIO_SCALE},
    }
    return content, sum(map(len, rows))


def _encoded(values: Json) -> str:
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Wide bits of 31 make a gzip header, without a time in it: the same run gives the same page.
    packer = zlib.compressobj(level=9, wbits=31, memLevel=9)
    packed = packer.compress(text.encode("utf-8", "replace")) + packer.flush()
    return base64.b64encode(packed).decode("ascii")

"""What the embedded embedder learns from: Python's documentation, and questions about venues."""

from __future__ import annotations

import ast
import inspect
import random
import re
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from dera_rag.evaluation.venues import KINDS, make_name, make_near, make_places, make_questions

SENTENCE = re.compile(r"(?<=[.!?])\s+")
_ANSWERABLE = tuple(kind for kind in KINDS if kind != "unknown_place")
_SKIPPED = {"site-packages", "dist-packages", "test", "idlelib", "lib2to3", "turtledemo"}
# In characters: below it a paragraph is a signature or a heading.
_SHORTEST = 40

# Questions, texts, and the positions of each question's right texts.
Batch = tuple[list[str], list[str], list[list[int]]]


def documentation(library: Path | None = None) -> list[str]:
    """Paragraphs of the documentation in Python's standard library (PSF licence), in order.

    Args:
        library: Folder of Python files whose docstrings are read; None for the standard library
            and the topics of `help()`.
    """
    texts: list[str] = []
    if library is None:
        from pydoc_data.topics import topics

        texts += [text for _, text in sorted(topics.items())]
    root = library or Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        if _SKIPPED.isdisjoint(path.relative_to(root).parts):
            texts += _docstrings(path)
    blocks = (block for text in texts for block in inspect.cleandoc(text).split("\n\n"))
    flat = (" ".join(block.split()) for block in blocks)
    return list(dict.fromkeys(block for block in flat if len(block) > _SHORTEST))


def _docstrings(path: Path) -> list[str]:
    """Docstrings of a file; none if it is no Python of this version."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
    return [text for text in found if text]


def venue_texts(rng: random.Random, records: int) -> list[str]:
    """Records, as many questions and four times as many names, for the vocabulary."""
    places = make_places(records, seed=rng.getrandbits(32))
    questions = make_questions(places, records, rng.getrandbits(32), split="train")
    names = [make(rng) for make in (make_name, make_near) for _ in range(2 * records)]
    return [place.text for place in places] + [q.text for q in questions] + names


def venue_batch(rng: random.Random, count: int, near_duplicates: float) -> Batch:
    """Questions, records, and the positions of each question's records."""
    seed = rng.getrandbits(48)
    places = make_places(count, seed, near_duplicates=near_duplicates)
    questions = make_questions(places, count, seed, split="train", kinds=_ANSWERABLE)
    position = {place.id: at for at, place in enumerate(places)}
    gold = [[position[identity] for identity in question.place_ids] for question in questions]
    return [question.text for question in questions], [place.text for place in places], gold


def cloze_batch(rng: random.Random, splittable: Sequence[list[str]], count: int) -> Batch:
    """One sentence of each of some paragraphs, and the paragraphs without it."""
    asked, rests = [], []
    for sentences in rng.sample(splittable, min(count, len(splittable))):
        at = rng.randrange(len(sentences))
        asked.append(sentences[at])
        rests.append(" ".join(sentences[:at] + sentences[at + 1 :]))
    return asked, rests, [[at] for at in range(len(asked))]

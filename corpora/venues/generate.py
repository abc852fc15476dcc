"""Writes a corpus of invented venues, and questions about them.

    python corpora/venues/generate.py --seed 1 --places 400 --questions 700 --out out/venues-1

Equal arguments write equal bytes. Seed 0 with 400 places is the corpus committed here, of which the
package ships a copy; another seed gives other places, for splits that nothing was fitted on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import yaml

from dera_rag.errors import DeraRagError
from dera_rag.evaluation.venues import KINDS, SPLITS, Place, Question, make_places, make_questions
from dera_rag.files import write_atomic

PAGES = Path(__file__).parent / "pages"
VERSION = 1  # Raise when equal arguments write other documents.


def arguments() -> argparse.Namespace:
    """What to write, from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="another seed, other places (0)")
    parser.add_argument("--places", type=int, default=400, help="how many places (400)")
    parser.add_argument("--questions", type=int, default=0, help="how many questions (none)")
    parser.add_argument("--split", choices=SPLITS, default="heldout", help="wordings (heldout)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--embed", type=Path, help="also write the documents to this file")
    return parser.parse_args()


def page_documents() -> Iterator[dict[str, object]]:
    """The prose pages, whole; an index cuts them into passages."""
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text(encoding="utf-8").strip()
        title = text.splitlines()[0].removeprefix("# ")
        metadata = {"kind": "page", "title": title, "source": f"pages/{path.name}"}
        yield {"id": f"page-{path.stem}", "text": text, "metadata": metadata}


def place_documents(places: Iterable[Place]) -> Iterator[dict[str, object]]:
    """One record per place."""
    for place in places:
        yield {"id": place.id, "text": place.text, "metadata": {"kind": "record"}}


def lines(rows: Iterable[dict[str, object]]) -> str:
    """JSON Lines with letters as they are."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def manifest(
    options: argparse.Namespace,
    places: list[Place],
    questions: list[Question],
    files: dict[str, dict[str, object]],
) -> str:
    """What the folder holds, where it comes from and who may use it."""
    facts = {
        "name": "venues",
        "version": VERSION,
        "description": "Invented venues as bullet records in the E2E NLG attribute scheme, and"
        " prose pages about the town they lie in.",
        "origin": "Drawn by corpora/venues/generate.py; the pages were written for this project."
        " No name, record or sentence is taken from elsewhere.",
        "licence": "CC0-1.0",
        "seed": options.seed,
        "records": len(places),
        "records_with_missing_attributes": sum(len(place.record) < 8 for place in places),
        "records_with_a_near_duplicate": sum(bool(place.twin) for place in places),
        "pages": len(list(PAGES.glob("*.md"))),
        "files": files,
    }
    if questions:
        facts["question_split"] = options.split
        facts["questions"] = {kind: sum(q.kind == kind for q in questions) for kind in KINDS}
    return yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=100)


def main() -> int:
    """Make what was asked for, or say why not."""
    options = arguments()
    try:
        write(options)
    except DeraRagError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def write(options: argparse.Namespace) -> None:
    """Documents, questions and manifest."""
    places = make_places(options.places, options.seed)
    questions = make_questions(places, options.questions, options.seed, options.split)
    documents = [*place_documents(places), *page_documents()]
    contents = {"documents.jsonl": lines(documents)}
    if questions:
        contents["questions.jsonl"] = lines(asdict(question) for question in questions)
    files: dict[str, dict[str, object]] = {}
    for name, text in contents.items():
        write_atomic(options.out / name, text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        files[name] = {"count": text.count("\n"), "sha256": digest}
    # Last, so that a manifest only ever describes files that are there.
    write_atomic(options.out / "manifest.yaml", manifest(options, places, questions, files))
    if options.embed:
        write_atomic(options.embed, contents["documents.jsonl"])
    print(f"{len(documents)} documents and {len(questions)} questions in {options.out}")


if __name__ == "__main__":
    sys.exit(main())

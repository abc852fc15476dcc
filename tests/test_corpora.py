"""Committed corpora: what their manifests say holds, and the package ships the same bytes."""

import hashlib
import json
import subprocess
import sys
from importlib.resources import files

import pytest
import yaml

from dera_rag.evaluation.venues import KINDS, read_record


@pytest.fixture(scope="module")
def venues(root):
    return root / "corpora" / "venues"


@pytest.fixture(scope="module")
def documents(venues):
    text = (venues / "documents.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def generate(venues, *arguments):
    command = [sys.executable, str(venues / "generate.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_corpus_has_a_manifest_that_holds(root):
    folders = [path for path in (root / "corpora").iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        manifest = yaml.safe_load((folder / "manifest.yaml").read_text(encoding="utf-8"))
        assert {"name", "version", "origin", "licence", "files"} <= set(manifest)
        assert manifest["name"] == folder.name
        for name, facts in manifest["files"].items():
            data = (folder / name).read_bytes()
            assert hashlib.sha256(data).hexdigest() == facts["sha256"]
            assert data.count(b"\n") == facts["count"]


def test_the_package_ships_the_generated_corpus(venues, tmp_path):
    embedded = tmp_path / "venues.jsonl"
    done = generate(venues, "--seed", 0, "--places", 400, "--out", tmp_path, "--embed", embedded)
    assert done.returncode == 0, done.stderr
    for name in ("documents.jsonl", "manifest.yaml"):
        assert (tmp_path / name).read_bytes() == (venues / name).read_bytes(), name
    shipped = files("dera_rag") / "embedded" / "corpus" / "venues.jsonl"
    assert shipped.read_bytes() == embedded.read_bytes()


def test_the_corpus_is_what_its_readme_says(documents):
    kinds = [document["metadata"]["kind"] for document in documents]
    assert (kinds.count("record"), kinds.count("page")) == (400, 7)
    assert len({document["id"] for document in documents}) == 407
    for document in documents:
        is_record = document["metadata"]["kind"] == "record"
        assert (read_record(document["text"]) is not None) == is_record
        if not is_record:
            assert 250 <= len(document["text"].split()) <= 500


def test_pages_name_no_place_that_has_a_record(documents):
    names = [record["name"] for document in documents if (record := read_record(document["text"]))]
    pages = " ".join(d["text"] for d in documents if d["metadata"]["kind"] == "page")
    assert [name for name in names if name in pages] == []


def test_another_seed_writes_other_places_and_questions_on_them(venues, documents, tmp_path):
    done = generate(venues, "--seed", 5, "--places", 60, "--questions", 70, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "documents.jsonl").read_text(encoding="utf-8")
    ids = {json.loads(line)["id"] for line in text.splitlines()}
    shared = {i for i in ids & {d["id"] for d in documents} if not i.startswith("page-")}
    assert len(shared) <= 2
    lines = (tmp_path / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    assert {q["kind"] for q in questions} == set(KINDS)
    assert {i for q in questions for i in q["place_ids"]} <= ids
    assert {q["split"] for q in questions} == {"heldout"}


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--places", 0, "cannot make 0 places"),
        ("--questions", -1, "cannot ask -1 questions"),
        ("--out", "file/below", "cannot write 'file/below"),
    ],
)
def test_nonsense_is_refused_without_a_traceback(
    venues, tmp_path, monkeypatch, option, value, says
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    done = generate(venues, "--places", 20, "--out", "new", option, value)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

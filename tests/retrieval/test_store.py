import contextlib
import hashlib
import itertools
import json
import pathlib

import faiss
import numpy as np
import pytest
from letter_embedder import LetterEmbedder

from dera_rag.errors import DeraRagError, IndexFormatError, MissingFileError, OutputError
from dera_rag.retrieval import Chunking, Document, VectorIndex

OLD = [Document("a", "old one"), Document("b", "old two", {"k": "v"})]
NEW = [Document("a", "new one"), Document("c", "new three"), Document("日本 #\u2028\n", "four")]
FILES = ["manifest.json", "index.faiss", "documents.jsonl"]


def built(documents, **settings):
    return VectorIndex.build(documents, LetterEmbedder(), **settings)


def reread(folder):
    return VectorIndex.load(folder, LetterEmbedder())


def texts(index):
    return {c.id: c.text for c in index.chunks}


def test_round_trip(tmp_path):
    index = built(NEW, corpus="tea", chunking=Chunking(size=50, overlap=5))
    index.save(tmp_path / "deep" / "index")
    again = reread(tmp_path / "deep" / "index")
    assert again.chunks == index.chunks
    assert (again.corpus, again.chunking) == ("tea", Chunking(size=50, overlap=5))
    assert again.retrieve("new", 3) == index.retrieve("new", 3)
    assert sorted(p.name for p in (tmp_path / "deep" / "index").iterdir()) == sorted(FILES)


def test_saving_the_same_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        built(OLD).save(tmp_path / name)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@contextlib.contextmanager
def power_cut(monkeypatch, operation, after):
    """Files can be opened for writing (`open`) or renamed (`replace`) so many times, no more."""
    real, done = getattr(pathlib.Path, operation), itertools.count()

    def dying(path, *arguments, **keywords):
        if (operation == "replace" or arguments == ("wb",)) and next(done) >= after:
            raise OSError("power cut")
        return real(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, operation, dying)
        with pytest.raises(OSError, match="power cut"):
            yield


# In the order they happen: three writes, then three renames, the manifest's first.
@pytest.mark.parametrize("operation", ["open", "replace"])
@pytest.mark.parametrize("after", range(3))
def test_a_save_that_dies_leaves_the_old_index_or_the_new(tmp_path, monkeypatch, operation, after):
    built(OLD).save(tmp_path)
    with power_cut(monkeypatch, operation, after):
        built(NEW).save(tmp_path)
    survivor = NEW if operation == "replace" and after > 0 else OLD
    assert texts(reread(tmp_path)) == {d.id: d.text for d in survivor}
    # Whatever state that was, the next save starts from it, and may die as well.
    with power_cut(monkeypatch, "open", 1):
        built([Document("z", "last")]).save(tmp_path)
    assert texts(reread(tmp_path)) == {d.id: d.text for d in survivor}
    built([Document("z", "last")]).save(tmp_path)
    assert texts(reread(tmp_path)) == {"z": "last"}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(FILES)


def test_a_first_save_that_dies_can_be_repeated(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    with power_cut(monkeypatch, "replace", 0):
        built(OLD).save(folder)
    with pytest.raises(IndexFormatError, match="not an index"):
        reread(folder)
    built(NEW).save(folder)
    assert len(reread(folder)) == 3


@pytest.mark.parametrize("file", FILES)
def test_no_changed_byte_goes_unnoticed(tmp_path, file, cases):
    built(OLD).save(tmp_path)
    path, rng = tmp_path / file, np.random.default_rng(0)
    good = path.read_bytes()
    for position in rng.integers(len(good), size=cases(60, 600)):
        bad = bytearray(good)
        bad[position] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            index = reread(tmp_path)
        except IndexFormatError:
            continue
        # The manifest seals the data, not its own names: those may read differently, no more.
        assert file == "manifest.json"
        assert texts(index) == {d.id: d.text for d in OLD}


@pytest.mark.parametrize("file", FILES)
def test_a_truncated_or_missing_file_is_refused(tmp_path, file):
    built(OLD).save(tmp_path)
    path = tmp_path / file
    path.write_bytes(path.read_bytes()[:-1][: path.stat().st_size // 2])
    with pytest.raises(IndexFormatError, match="build"):
        reread(tmp_path)
    path.unlink()
    with pytest.raises(IndexFormatError, match="build"):
        reread(tmp_path)


def resealed(folder, **changes):
    """Change the manifest, and seal whatever lies there: what somebody else's index may hold."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in ("index.faiss", "documents.jsonl"):
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        manifest["files"][name] = {"size": len(content), "sha256": digest}
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 3},
        {"embedder": {"name": "letters", "dimension": 25}},
        {"embedder": "letters"},
        {"chunking": {"size": 0, "overlap": 0}},
        {"chunking": None},
        {"sources": [1]},
        {"files": {}},
        {"files": None},
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path, changes):
    built(OLD).save(tmp_path)
    resealed(tmp_path, **changes)
    with pytest.raises(IndexFormatError):
        reread(tmp_path)


@pytest.mark.parametrize(
    "row",
    [
        "{",
        "[]",
        '{"id": "a"}',
        '{"id": 1, "document": "a", "source": "", "text": "t", "metadata": {}}',
        '{"id": "a", "document": "a", "source": "", "text": "t", "metadata": {"k": 1}}',
        '{"id": "a", "document": "a", "source": "", "text": "t", "metadata": []}',
        "[" * 100_000,
    ],
)
def test_documents_of_another_form_are_refused(tmp_path, row):
    built(OLD).save(tmp_path)
    second = (tmp_path / "documents.jsonl").read_text().split("\n")[1]
    (tmp_path / "documents.jsonl").write_text(f"{row}\n{second}\n")
    resealed(tmp_path)
    with pytest.raises(IndexFormatError):
        reread(tmp_path)


def test_vectors_of_another_form_never_reach_faiss(tmp_path, monkeypatch):
    built(OLD).save(tmp_path)
    good = (tmp_path / "index.faiss").read_bytes()
    euclidean = faiss.IndexFlatL2(26)
    euclidean.add(np.eye(2, 26, dtype=np.float32))
    longer = bytearray(good)
    longer[37:45] = (2**62).to_bytes(8, "little")
    nan = good[:-4] + np.float32("nan").tobytes()
    monkeypatch.setattr(faiss, "deserialize_index", lambda *_: pytest.fail("was deserialised"))
    foreign = [
        faiss.serialize_index(euclidean).tobytes(),
        bytes(longer),
        nan,
        b"IxFI",
        b"",
        good + b"\0",
    ]
    for content in foreign:
        (tmp_path / "index.faiss").write_bytes(content)
        resealed(tmp_path)
        with pytest.raises(IndexFormatError, match=r"index\.faiss"):
            reread(tmp_path)


def test_foreign_and_outdated_folders_are_refused_and_left_alone(tmp_path):
    with pytest.raises(MissingFileError):
        reread(tmp_path / "nowhere")
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(IndexFormatError, match="not an index"):
        reread(tmp_path)
    with pytest.raises(IndexFormatError, match=r"letter\.txt"):
        built(OLD).save(tmp_path)
    for manifest, what in (
        ({"format": "other"}, "not made by this package"),
        ({"format": "dera-rag-index", "version": 0}, "format version 0"),
    ):
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(IndexFormatError, match=what):
            reread(tmp_path)
        with pytest.raises(IndexFormatError, match=what):
            built(OLD).save(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear reader"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    for place in (file, file / "index"):
        with pytest.raises(OutputError, match=r"notes\.txt") as refused:
            built(OLD).save(place)
        assert refused.value.hint
    assert file.read_text() == "mine"


def test_another_embedder_is_refused_by_name(tmp_path):
    built(OLD).save(tmp_path)
    with pytest.raises(IndexFormatError, match=r"'letters'.*not 'others'") as caught:
        VectorIndex.load(tmp_path, LetterEmbedder("others"))
    assert isinstance(caught.value, DeraRagError)
    assert "pass that embedder" in caught.value.hint
    with pytest.raises(IndexFormatError, match="dera-rag-embedded"):
        VectorIndex.load(tmp_path)
